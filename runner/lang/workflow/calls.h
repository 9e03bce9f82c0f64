/* calls - the workflows that a workflow calls with `jobs.ID.uses`: read, checked against the call, and
 * hung below it (workflow-language.md 7, 12). No I/O: the text comes from a source.
 *
 * Every call has its workflow for itself, also when two calls name the same file: what is called is a
 * tree, and a limit on its jobs keeps it from growing without end. */
#pragma once

#include "base/buf.h"
#include "lang/workflow/workflow.h"

enum {
    CALLS_DEPTH_MAX = 9,   /* calls one inside the other: ten levels with the first workflow */
    CALLS_FILES_MAX = 51,  /* different files, the first one included */
    CALLS_JOBS_MAX = 4096, /* jobs as written, of all calls together */
};

/* One file that is called. */
struct call_ref {
    const char *
        repository; /* "owner/name", of Gitea also "https://HOST/owner/name"; NULL: the run's own, as it lies there */
    const char *ref;  /* NULL without a repository */
    const char *path; /* ".github/workflows/x.yml" */
};

struct call_source {
    /* Appends the text of the file to TO. *RET_SHA, in A, becomes the commit it is from and stays as
     * it is when that is not known. The error's text is shown at the `uses` and names the cure. */
    int (*read)(void *ctx, const struct call_ref *ref, struct arena *a, struct buf *to,
                const char **ret_sha, struct err *err);
    void *ctx;
};

/* What jobs may do in a repository when no `permissions` say so. Nobody knows that here, so the
 * default is what refuses least. */
enum calls_policy { CALLS_WRITE, CALLS_LIMITED_READ };

struct calls_options {
    struct call_source source;
    bool own_only; /* calls of other repositories are left alone: nothing is known of them */
    const char *repository;    /* the run's, "owner/name": its owner's workflows are trusted with
                                       an id-token; NULL: not known */
    enum calls_policy policy;  /* */
    size_t depth, files, jobs; /* 0: as above */
    struct workflow_options reader; /* for each file; file_index is set here */
};

/* Reads all that W calls, and what that calls; sets `called` of every calling job. W owns them from
 * then on. Findings go to DIAGS, those inside a called file with the call they came by. ERR_INVALID when
 * there is an error among them: W then has no calls at all. */
MUST_CHECK int workflow_load_calls(struct workflow *w, const struct calls_options *options,
                                   struct diags *diags);

/* ---- what a called workflow declares ---- */

/* `inputs`, `secrets` or `outputs` of its on.workflow_call: a mapping; NULL: none. */
const struct token *call_declares(const struct workflow *called, const char *what);

/* The pair of MAP under NAME, which ignores case; NULL: none, or MAP is no mapping. */
const struct token_pair *call_pair(const struct token *map, struct slice name);

/* "boolean", "number" or "string". */
struct slice call_input_type(const struct token *declared);

/* ---- parts of it, for its own files ---- */

/* CALLER's JOB calls CALLED: values against declarations. */
void check_call_values(const struct workflow *caller, const struct workflow_job *job,
                       const struct workflow *called, struct diags *diags);

enum { SCOPES = 20 };
struct permissions {
    unsigned char level[SCOPES]; /* none, read, write */
};

/* What TOK grants. NULL: what POLICY does, TRUSTED as in calls_options. */
struct permissions permissions_of(const struct token *tok, enum calls_policy policy, bool trusted);

/* True if P lets a job write to SCOPE ("id-token"). */
bool permissions_can_write(const struct permissions *p, struct slice scope);

/* CALLED may not ask for more than MAX. */
void check_call_permissions(const struct workflow *caller, const struct workflow_job *job,
                            const struct workflow *called, const struct permissions *max,
                            struct diags *diags);
