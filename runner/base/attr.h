/* attr - compiler attributes and the clean-up helpers that all modules use. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

/* The caller must look at the result. To ignore one on purpose, write (void) and say why. */
#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Runs FN(&variable) when the variable leaves its scope. FN accepts "nothing to release". */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* A broken promise inside our own code: says where and stops. Input can never reach one. */
#define BUG(...)                                                                                   \
    do {                                                                                           \
        fprintf(stderr, "ostler: bug at %s:%d: ", __FILE__, __LINE__);                             \
        fprintf(stderr, __VA_ARGS__);                                                              \
        fputc('\n', stderr);                                                                       \
        abort();                                                                                   \
    } while (0)

/* Allocation that cannot fail: out of memory ends the process (STYLE section 5). No size from
 * outside reaches these before it was held against a named limit. */
void *mem_new(size_t size);                  /* zeroed */
void *mem_grow(void *old, size_t size);      /* as realloc */
char *mem_dup(const char *text, size_t len); /* NUL-terminated copy */

/* For CLEANUP on plain heap pointers. */
static inline void free_ptr(void *p)
{
    free(*(void **)p);
}
