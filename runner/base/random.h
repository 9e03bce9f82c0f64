/* random - bytes and names that nobody can foresee, from the kernel. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { RANDOM_UUID_SIZE = 37 }; /* with the final NUL */

void random_bytes(void *ret, size_t size);

/* A number from LOW to HIGH, both included. */
int64_t random_between(int64_t low, int64_t high);

/* A random UUID (version 4), in lower case. */
void random_uuid(char ret[RANDOM_UUID_SIZE]);
