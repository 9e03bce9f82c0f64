/* columns - rows of cells for people, each column as wide as its widest cell. What comes from elsewhere is cleaned. */
#pragma once

#include "base/arena.h"
#include "base/vec.h"

#include <stdio.h>

enum { COLUMNS_MAX = 8, COLUMNS_CELL_MAX = 400 };

struct columns {
    struct arena arena;
    VEC(const char **) rows; /* COLUMNS_MAX cells each; NULL ends them sooner */
};

void columns_deinit(struct columns *c);

/* Adds a row: texts (copied), behind the last of which stands NULL; "" is an empty cell. */
void columns_add(struct columns *c, ...) __attribute__((sentinel));

/* Prints all, INDENT behind the margin and two spaces apart, and forgets them. */
void columns_print(struct columns *c, int indent, FILE *to);
