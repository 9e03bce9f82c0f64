/* fuzz_memory - a host's memory for fuzz targets: never zeroed, so that what is read before it is written shows, and
 * all taken back at the end of a run. */
#pragma once

#include <ostler/plugin.h>

#include <stdlib.h>
#include <string.h>

static struct {
    void **at;
    size_t n, room;
} fuzz_memory;

/* For struct ost_host. */
static inline void *fuzz_give(struct ost_step *step, size_t size)
{
    void *block = malloc(size ? size : 1);

    (void)step;
    if (fuzz_memory.n == fuzz_memory.room) {
        fuzz_memory.room = fuzz_memory.room ? 2 * fuzz_memory.room : 64;
        fuzz_memory.at = realloc(fuzz_memory.at, fuzz_memory.room * sizeof *fuzz_memory.at);
    }
    if (!block || !fuzz_memory.at)
        abort();
    fuzz_memory.at[fuzz_memory.n++] = block;
    return memset(block, 0xa5, size);
}

static inline void fuzz_take_back(void)
{
    while (fuzz_memory.n > 0)
        free(fuzz_memory.at[--fuzz_memory.n]);
    free(fuzz_memory.at);
    fuzz_memory.at = NULL;
    fuzz_memory.room = 0;
}
