/* index - finds a thing in an array by its name, however many there are. */
#pragma once

#include "text.h"

struct index { /* zeroed but for STEP is empty */
    struct ost_step *step;
    struct index_slot *slots;
    size_t n, room;
};

#define INDEX_NONE SIZE_MAX

/* The number that NAME was given; INDEX_NONE: none. */
size_t index_get(const struct index *x, const char *name);

/* Gives NAME, which is kept, the number VALUE, in the place of one it has. */
void index_set(struct index *x, const char *name, size_t value);
