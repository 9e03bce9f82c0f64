/* message - what the processes of a transfer say to each other: JSON, a line each. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

#include <jansson.h>

/* JSON in memory, to be somebody's input: it may hold a token, and argv is for everybody to read. */
MUST_CHECK int message_file(const json_t *request, int *ret, struct err *err);
/* Reads it: an object of at most BLOBS_REQUEST_MAX bytes. The caller drops *RET. */
MUST_CHECK int message_read(int fd, json_t **ret, struct err *err);

/* Writes MESSAGE as a line, and drops it. */
void message_send(int fd, json_t *take_message);

/* An end: R < 0 with ERR, else what is in TAKE_ANSWER (NULL: nothing). */
json_t *message_end(int r, json_t *take_answer, const struct err *err);
/* The error that an end tells, made anew; ERR_OK: it tells of success. */
MUST_CHECK int message_error(const json_t *end, struct err *err);

/* Members of a request that comes from a plugin. ERR_INVALID names the one that is missing, or not of its kind. */
MUST_CHECK int message_text(const json_t *ask, const char *name, const char **ret, struct err *err);
/* NULL-terminated, of at least one and at most MAX texts; they live as long as ASK, the list in A. */
MUST_CHECK int message_texts(const json_t *ask, const char *name, size_t max, struct arena *a,
                             const char *const **ret, size_t *ret_n, struct err *err);
/* FALLBACK if it is absent. */
MUST_CHECK int message_number(const json_t *ask, const char *name, int64_t min, int64_t max,
                              int64_t fallback, int64_t *ret, struct err *err);
