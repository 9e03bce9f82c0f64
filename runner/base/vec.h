/* vec - a growing array of one type: VEC(struct step) steps = {0}; vec_push(&steps, one). */
#pragma once

#include "base/attr.h"

#define VEC(type)                                                                                  \
    struct {                                                                                       \
        type *ptr;                                                                                 \
        size_t len, cap;                                                                           \
    }

#define vec_push(v, ...)                                                                           \
    do {                                                                                           \
        if ((v)->len == (v)->cap) {                                                                \
            (v)->cap = (v)->cap ? (v)->cap * 2 : 8;                                                \
            (v)->ptr = mem_grow((v)->ptr, (v)->cap * sizeof *(v)->ptr);                            \
        }                                                                                          \
        (v)->ptr[(v)->len++] = (__VA_ARGS__);                                                      \
    } while (0)

/* Removes item AT, keeping the order. */
#define vec_remove(v, at)                                                                          \
    do {                                                                                           \
        size_t at_ = (at);                                                                         \
        memmove(&(v)->ptr[at_], &(v)->ptr[at_ + 1], ((v)->len - at_ - 1) * sizeof *(v)->ptr);      \
        (v)->len--;                                                                                \
    } while (0)

/* Releases the array itself; what the items own is the owner's to release first. */
#define vec_deinit(v)                                                                              \
    do {                                                                                           \
        free((v)->ptr);                                                                            \
        (v)->ptr = NULL;                                                                           \
        (v)->len = (v)->cap = 0;                                                                   \
    } while (0)

/* VEC_EACH(item, &steps) { item->id ... } */
#define VEC_EACH(item, v)                                                                          \
    for (__typeof__(&*(v)->ptr) item = (v)->ptr; item && item < (v)->ptr + (v)->len; item++)
