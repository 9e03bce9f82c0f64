/* message - GitHub's job message, taken apart: the job that a worker gets, and what the queue itself keeps, to hold
 * that job and to report it.
 *
 * One JSON object, the same on all ways that lead here (a legacy message's body, or the answer to "acquirejob").
 * It comes from outside: nothing in it is believed to be there, or to be what it should. Member names ignore case,
 * unknown ones are passed over, null is as good as missing.
 * Source: actions/runner src/Sdk/DTPipelines/Pipelines/AgentJobRequestMessage.cs. */
#pragma once

#include "job/job.h"

enum {
    GITHUB_MESSAGE_MAX = JOB_MESSAGE_MAX, /* bytes */
    /* Of a larger one, up to this, it is read whose it is, so that its end can be told. */
    GITHUB_MESSAGE_READ_MAX = JOB_MESSAGE_MAX + (8 << 20),
    GITHUB_MESSAGE_DEPTH = 200, /* of lists and objects within each other */
    GITHUB_STEPS_MAX = 10000,
    GITHUB_CANCEL_MS = 5 * 60 * 1000, /* from a cancel to the kill, where nothing else is said */
};

/* What is known of the registration that the message came to; borrowed for the call. */
struct github_origin {
    const char *registration; /* its name in this listener: the job's key begins with it */
    const char *runner;       /* the runner's name on the server */
    const char *url;   /* that it was registered with: old enterprise servers leave it to us to
                                 say where they are; NULL: not known */
    bool no_redirects; /* what a job's calls are answered with is not followed elsewhere */
};

/* One of the message's steps, in its order; those that are switched off are left out. What is not known is "". */
struct github_step {
    const char *record;  /* the GUID: struct step has it, too, and so have the events */
    const char *context; /* its key in the steps context */
    const char *
        type; /* "run", "repository", "docker", or the control step's "wait", "wait-all", "cancel" */
    const char *action; /* "bash"; "owner/repo/path", "./path"; the image */
    const char *ref;    /* of a repository */
    bool background;
    const char *group;          /* parallelGroupId */
    const char *const *targets; /* a control step's: contexts of steps, NULL-terminated */
};

/* What the queue needs. Texts are C strings in the arena; a NULL one was missing or empty. */
struct github_job {
    struct arena arena;

    /* Who it is. After an error those are here that could be read. */
    bool results_only; /* messageType is "RunnerJobRequest": run service and results, no timeline */
    const char *plan_id, *job_id; /* GUIDs; never NULL after success */
    const char *timeline_id;      /* the plan's, if the message says nothing */
    const char *plan_type;        /* the hub's name in legacy addresses: "actions" */
    const char *scope_id;
    int64_t plan_version;
    int64_t request_id; /* of the legacy lock */
    const char *name;   /* as shown; never NULL after success */
    const char *billing_owner;
    const char *orchestration_id;

    /* Where it is reported: the address and the token of "SystemVssConnection". */
    const char *url;
    char *token; /* the job's own; a secret, on the heap */
    const char *results_url;
    const char *feed_url; /* of the live console: "wss://..." */
    bool has_id_tokens;   /* the service wants to have heard of the job before its first step */
    bool send_job_annotations; /* actions_send_job_level_annotations */
    bool follow_redirects;     /* Actions.EnableHttpRedirects, and this machine lets it */

    struct github_step *steps;
    size_t n_steps;
};

/* Takes TEXT apart into *RET_JOB, which the listener completes ("How to run it here"), and *RET. Both are the
 * caller's to end in any case: job_deinit(), github_job_deinit(). TEXT is the caller's, who wipes it: it holds
 * tokens.
 *
 * An error names the member that is wrong ("steps[2].reference: ..."). The job can still be reported as failed if
 * github_job_can_be_told(). ERR_LIMIT: too large, too deep, too many steps. */
MUST_CHECK int github_message_parse(struct slice text, const struct github_origin *place,
                                    struct job *ret_job, struct github_job *ret, struct err *err);

/* Whether the server can be told of it: plan, job, address and token are known. */
bool github_job_can_be_told(const struct github_job *g);

/* The step that RECORD names; NULL: none, as for steps of the runner's own. */
const struct github_step *github_step_find(const struct github_job *g, const char *record);

void github_job_deinit(struct github_job *g); /* wipes the token */
