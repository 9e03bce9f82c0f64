/* facts - what decides which workflows a local event starts: read off the event, the changed files off the
 * repository. */
#pragma once

#include "lang/trigger.h"
#include "queue/local/event.h"

/* The commit that a push to REF (full) is taken to start from, for event.before. */
struct local_before {
    char sha[GIT_SHA_SIZE]; /* zeros: the branch is new */
    bool created;
};

/* GIVEN: what --before says, a name (ENV finds it; may be NULL otherwise) or zeros; NULL: where the branch is on its remote, else new if the remote has
 * others, else the parent of HEAD (PARENT, may be NULL). ERR_NOT_FOUND: GIVEN names no commit. */
MUST_CHECK int local_before_find(const struct git_facts *git, const struct git_env *env,
                                 const char *ref, const char *given, const char *parent,
                                 struct local_before *ret, struct err *err);

/* Fills RET from the github context (event.h makes it), which has to outlive it, all but the changed files and
 * the time. MESSAGE: of the commit at HEAD, borrowed; NULL: not known. */
void local_facts(const json_t *github, const char *message, struct trigger_facts *ret);

/* All borrowed. */
struct local_changes_spec {
    const struct git_facts *git;
    const struct git_env *env;
    const char *source;   /* the folder that paths are relative to */
    const json_t *github; /* the context */
    const char *before;   /* where a push starts, by any name or zeros; NULL: not stated */
};

/* Adds the changed files to FACTS, or why they are not known; all of it lives in the arena. *RET_NOTE: the range
 * and how many there are, to be said out loud. A push compares two trees, a pull request its tree with the
 * place where it left its base; the newer one is the working tree as it is. */
void local_changes(struct arena *a, const struct local_changes_spec *spec,
                   struct trigger_facts *facts, const char **ret_note);
