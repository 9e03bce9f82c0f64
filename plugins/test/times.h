/* times - how long each unit took, kept by the job's cache service from run to run; and, since the shards of one run
 * must all go by the same, agreed upon through an artifact of the run: whoever is first puts it there, the others
 * take it. */
#pragma once

#include "../lib/index.h"

enum {
    TIMES_MAX = 200000,        /* units; what is beyond is forgotten */
    TIMES_SIZE_MAX = 32 << 20, /* bytes of a record */
};

struct times {          /* zeroed but for INDEX.STEP is empty */
    struct index index; /* of TOOK_NS, by name */
    const char **names;
    int64_t *took_ns;
    size_t n, room;
};

int64_t times_get(const struct times *t, const char *name);         /* -1: not known */
void times_add(struct times *t, const char *name, int64_t took_ns); /* to what it has already */

/* Lines "1234 name", microseconds; what is none is skipped. */
void times_read(struct times *t, struct span text);
const char *times_format(const struct times *t);

/* The records of one set of tests, split in N. */
struct times_query {
    const char *id; /* tells this set from others; good for a file's name */
    unsigned shard, n;
};

/* What all shards of this run go by. Below 0: they cannot agree; the failure has been recorded. */
ost_status times_agree(struct ost_step *step, const struct times_query *q, struct times *ret);

/* Keeps what this shard has measured for the runs to come; what goes wrong is told, and no failure. Below 0 only
 * OST_E_CANCELLED. */
ost_status times_keep(struct ost_step *step, const struct times_query *q, const struct times *t);
