/* notice - a step that no workflow wrote: "Set up job", "Initialize containers", "Complete job". */
#pragma once

#include "job/run.h"

struct notice {
    struct run *run;
    struct log *log; /* nothing in it is obeyed as a command */
    const char *name;
    int number;
    int64_t started_ms;
};

/* Tells that it started. NAME is borrowed until notice_end(). STAGE: "setup", "pre", "post", "complete". */
void notice_begin(struct notice *n, struct run *run, const char *name, const char *stage);

/* Tells its end; a failure is the job's. */
void notice_end(struct notice *n, enum result result);
