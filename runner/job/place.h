/* place - the job's files, opened as the job sees them and never anything else. */
#pragma once

#include "job/run.h"

/* Replaces the file at PATH (absolute, the job's) by DATA; its folder must exist. */
MUST_CHECK int place_write(struct run *run, const char *path, struct slice data, mode_t mode,
                           struct err *err);

/* Reads the file at PATH; a FIFO, device or folder is ERR_INVALID. */
MUST_CHECK int place_read(struct run *run, const char *path, struct buf *to, struct err *err);

/* Creates PATH with the folders on the way. */
MUST_CHECK int place_mkdirs(struct run *run, const char *path, struct err *err);

/* Makes PATH, in a folder that exists, a symbolic link to TO. */
MUST_CHECK int place_link(struct run *run, const char *to, const char *path, struct err *err);

/* In any place: ERR_NOT_FOUND naming PATH and the cure when it is no folder. */
MUST_CHECK int place_check_folder(const struct sandbox *place, const char *path, struct err *err);

/* True if PATH is a folder that holds something. */
bool place_is_filled(struct run *run, const char *path);

/* Removes everything below PATH, not PATH itself. */
MUST_CHECK int place_empty(struct run *run, const char *path, struct err *err);
