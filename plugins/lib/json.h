/* json - reads JSON, in place: texts are unescaped where they stand, so the input is spent
 * afterwards and has to live as long as the tree. A plugin is one file that links nothing it need
 * not, and all that is asked of JSON here is to look things up in it. */
#pragma once

#include "text.h"

enum {
    JSON_DEPTH_MAX = 64,
    JSON_NODES_MAX = 4 << 20, /* some 200 MB of tree at the most */
};

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_TEXT,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json {
    enum json_kind kind;
    const char *key;  /* in an object; else NULL */
    const char *text; /* JSON_TEXT and JSON_NUMBER as written; UTF-8 as far as the input was */
    const struct json *first; /* of an array or object */
    const struct json *next;  /* the next in the same array or object */
};

/* Reads the SIZE bytes of TEXT, with TEXT[SIZE] there to be overwritten. COMMENTS: also what
 * tsconfig.json may hold, // and block comments and commas before a closing bracket. NULL when it is
 * no JSON, with *RET_WHY the reason in words. */
const struct json *json_read(struct ost_step *step, char *text, size_t size, bool comments,
                             const char **ret_why);

/* These look into J, which may be NULL or of any kind, and find nothing then. */
const struct json *json_get(const struct json *j, const char *key);
const char *json_text(const struct json *j, const char *key); /* "" : none */
uint32_t json_number(const struct json *j,
                     const char *key); /* 0: none, or not a positive integer */
