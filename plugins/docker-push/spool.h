/* spool - bytes on the disk without a name: gone with the process, however that ends. */
#pragma once

#include "image.h"

/* A file in the job's temporary folder. *RET is the caller's to close. Errors have been recorded. */
ost_status spool_new(struct ost_step *step, int *ret);

/* Appends; false: errno says why. */
bool spool_write(int fd, const void *data, size_t size);

/* Reads SIZE bytes of P from AT on: fewer only at its end, -1 on trouble. */
int64_t piece_read(const struct piece *p, int64_t at, void *to, size_t size);

/* All of P, NUL-terminated. NULL: recorded. WHAT and LIMIT are for the message. */
char *piece_load(struct ost_step *step, const struct piece *p, int64_t limit, const char *what);
