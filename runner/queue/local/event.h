/* event - the github context of a local run: what GitHub would have sent, made from the repository.
 *
 * The payload has the members that workflows use: ref, before, after, head_commit, repository,
 * sender, pull_request, inputs and so on, by event. What the machine cannot know is made up in GitHub's
 * shape and never looks like somebody else's data. */
#pragma once

#include "base/strmap.h"
#include "io/git.h"

#include <jansson.h>

/* All borrowed for the call; NULL: not given. */
struct local_event_spec {
    struct git_facts *git;         /* the commit's data is added to it, with git_env */
    const struct git_env *git_env; /* NULL: the commit's message and author stay unknown */
    const char *event_name;        /* "push" */
    const char *ref;             /* --ref: "refs/heads/topic", or a branch's or tag's short name */
    const char *before;          /* --before of a push: a commit's name, or zeros: a new branch */
    const char *activity;        /* --type: event.action, of events that have one */
    const char *base;            /* pull requests: the base branch; NULL: the default branch */
    const char *actor;           /* NULL: git's user, else the owner */
    const char *server_url;      /* NULL: from remote.origin.url, else https://github.com */
    const struct strmap *inputs; /* workflow_dispatch */
    const json_t *event_file;    /* --event-file: laid over the payload, objects merged */
    const char *run_id;          /* a decimal number */
    int64_t run_number, run_attempt;
};

/* *RET_GITHUB: the context, with `event`; *RET_NOTES: array of texts to be said out loud. Both new
 * references. ERR_INVALID for an event that
 * workflow-language.md 6.1 does not list, a bad ref or an event file that is no object. */
MUST_CHECK int local_event(const struct local_event_spec *spec, json_t **ret_github,
                           json_t **ret_notes, struct err *err);
