/* spool - the logs of one job on disk, each line behind its time, until the service has them.
 *
 * One file that has no name holds all steps' lines as they came: as a whole it is the job's log, and a step's log is
 * what lies of it here and there. It is read in blocks by up to two readers (the results service, the timeline); what
 * all of them have taken is given back to the disk. A full disk is done without (queue/shelf.h). What does not fit any more
 * is left out, and the log says so. */
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum spool_reader { SPOOL_RESULTS, SPOOL_TIMELINE, SPOOL_READERS };

enum {
    SPOOL_RESULTS_BLOCK = 2 << 20, /* bytes, as the official runner cuts them */
    SPOOL_TIMELINE_BLOCK = 8 << 20,
    SPOOL_MEMORY_MAX =
        32
        << 20, /* bytes that wait in memory, where their pages may take twice that (queue/shelf.h) */
};
#define SPOOL_DISK_MAX ((int64_t)4 << 30) /* and on a disk */

struct spool;
struct spool_log;

/* DIR (borrowed for the call): where the file lies; -1: in memory. READERS: a bit for each, 1 << SPOOL_.... MAX: bytes
 * that may wait; 0: the limits above. */
MUST_CHECK int spool_new(int dir, unsigned readers, int64_t max, struct spool **ret,
                         struct err *err);
struct spool *spool_free(struct spool *s); /* with all logs; returns NULL; NULL does nothing */

/* A step's log, empty; it belongs to the spool. */
struct spool_log *spool_log_new(struct spool *s);
/* The job's log, which has all lines. */
struct spool_log *spool_job(struct spool *s);

/* Adds whole lines, each with its LF; PART: the last one goes on, and has none. TIME goes in front of each. */
void spool_add(struct spool_log *l, struct slice text, struct slice time, bool part);
/* Nothing more will come. For the job's log: nothing of anybody. */
void spool_end(struct spool_log *l);

int64_t spool_lines(const struct spool_log *l);

/* READER's next block: how many bytes; 0: there is none yet, or none any more. *RET_LAST: it is the last one. A block
 * that is not the last ends with a line, where its lines are not too long for that. Blocks count from 0. */
int64_t spool_block(struct spool_log *l, enum spool_reader reader, bool *ret_last);
/* The first SIZE bytes that READER has not taken, into TO. Each log begins with a byte order mark. */
MUST_CHECK int spool_read(const struct spool_log *l, enum spool_reader reader, int64_t size,
                          struct buf *to, struct err *err);
/* READER has them, or does without. */
void spool_take(struct spool_log *l, enum spool_reader reader, int64_t size);
/* Bytes that READER took so far. */
int64_t spool_taken(const struct spool_log *l, enum spool_reader reader);
/* READER wants nothing more, of any log. */
void spool_leave(struct spool *s, enum spool_reader reader);

/* Bytes on disk that somebody still has to take; lines that were left out. */
int64_t spool_waiting(const struct spool *s);
int64_t spool_left_out(const struct spool *s);
