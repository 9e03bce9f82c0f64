/* build_facts - all that a result depends on, as lines of text: the same facts, the same result. Kept beside a
 * result they tell which of them changed. Pure. */
#pragma once

#include "../lib/text.h"

enum {
    FACTS_MAX = 200000,       /* files, mostly */
    FACTS_SIZE_MAX = 64 << 20 /* of the text that is kept */
};

struct fact {         /* no text holds a tab or a newline; none is NULL */
    const char *kind; /* "file", "tool", "variable", "setting"; "result": what came of it */
    const char *name;
    const char
        *value; /* of a file its SHA-256; of a variable that of its value, which may be a secret */
};

struct facts { /* zeroed is empty */
    struct fact *list;
    size_t n, room;
    const char
        *unknown; /* why not all can be told, so that nothing may be skipped; NULL: all is told */
};

/* What has a tab or a newline in it makes the facts unknown. */
void facts_add(struct ost_step *step, struct facts *to, const char *kind, const char *name,
               const char *value);

/* The first reason counts. */
void facts_doubt(struct facts *f, const char *why);

/* By kind, name and value. */
void facts_sort(struct facts *f);

/* Sorted facts as "kind TAB name TAB value" lines, and back. What is no such line is dropped. */
const char *facts_format(struct ost_step *step, const struct facts *f);
void facts_parse(struct ost_step *step, struct span text, struct facts *to);

/* SHA-256 of sorted facts without the results. */
const char *facts_digest(struct ost_step *step, const struct facts *f);

/* What became of the facts OLD, both sorted: "'src/a.c' changed", "'src/b.c' is new, and 3 more". NULL: nothing. */
const char *facts_difference(struct ost_step *step, const struct facts *old,
                             const struct facts *now);
