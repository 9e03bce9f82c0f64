/* files - where called workflows are read from: the working tree, local clones, and the store. */
#pragma once

#include "io/git.h"
#include "lang/workflow/calls.h"
#include "store/store.h"

/* All borrowed. */
struct local_files {
    const char *root;       /* absolute: the working tree of the calling workflow */
    const char *repository; /* its "owner/name": calls of it by ref are read there; or NULL */
    const struct strmap *repositories; /* "owner/name": folder of a local clone */
    const struct store_spec *store;    /* for all others; fetches what may be fetched. NULL: none */
    const struct git_env *git_env;
    json_t *notes; /* array of texts: what the store did instead is added; NULL: nobody is told */
    int stop;      /* once it can be read, nothing more is fetched: ERR_CANCELLED. -1: none */
};

/* A source for workflow_load_calls(), for as long as F lives. The run's own files are read as they lie in
 * the tree, beneath its root; those of another repository out of a clone, at the ref that the call
 * names: a branch, a tag or a commit. Those of which there is no clone come from the store; ERR_NOT_FOUND
 * says why they do not, and how to name a clone. */
struct call_source local_files_source(struct local_files *f);
