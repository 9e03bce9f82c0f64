/* scan_shapes - the table of tokens that are known by how they begin. Pure. */
#pragma once

#include "scan_rules.h"

enum alphabet {
    ALPHABET_ALNUM,  /* letters and digits */
    ALPHABET_BASE32, /* A-Z 2-7 */
    ALPHABET_HEX,    /* 0-9 a-f */
    ALPHABET_UPPER,  /* A-Z 0-9 */
    ALPHABET_WORD,   /* letters, digits, _ */
    ALPHABET_URL,    /* letters, digits, _ - */
    ALPHABET_DOTTED, /* and . */
    ALPHABET_PATH,   /* and / */
    ALPHABET_BASE64, /* letters, digits, + / = */
};

struct shape {
    struct rule rule;
    const char *prefix;
    enum alphabet alphabet; /* of what follows, as far as it goes */
    size_t min, max;        /* how long that is */
};

bool shape_allows(enum alphabet alphabet, char c);

/* The shapes that begin with C, one after the other; NULL at the end. */
const struct shape *shapes_at(char c);
const struct shape *shapes_next(const struct shape *shape);

/* True if ID is that of a shape. */
bool shapes_has(struct span id);
