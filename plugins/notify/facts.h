/* facts - what a template can say about the job: its result, where and why it ran, what failed. */
#pragma once

#include "../lib/json.h"

enum result { RESULT_SUCCESS, RESULT_FAILURE, RESULT_CANCELLED };

struct facts {
    struct ost_step *step;
    enum result status;          /* the worst of this job and of those that it needs */
    enum result job;             /* of this job alone, so far */
    const struct json *needs;    /* NULL: it needs none */
    const struct json *need;     /* within {{#needs}}: the one */
    const char *duration;        /* since the start of the job; "": not known */
    bool planned;                /* this is no run: what has no value yet is shown by its name */
    const char *title, *message; /* as plain text; NULL: not known yet */
};

const char *result_name(enum result r);

/* json_read() of a copy of TEXT, which stays what it is. */
const struct json *json_of(struct ost_step *step, const char *text, const char **ret_why);

/* What is known now. A job without a result yet, as of a plan, counts as a success. */
void facts_load(struct facts *f, struct ost_step *step);

/* The value of NAME, "" when there is none; NULL: nothing has that name. */
const char *facts_get(const struct facts *f, const char *name);

/* TEXT without what is a secret of the job. */
const char *facts_masked(const struct facts *f, const char *text);

/* The names, for messages. */
const char *facts_names(struct ost_step *step);
