/* refs - what to fetch for a ref and a commit, and what to check out then. Pure but for the questions to git. */
#pragma once

#include "git.h"

struct wanted {
    const char *ref;    /* "": none */
    const char *commit; /* "": none; not both */
};

/* Adds the refspecs for WANTED to TO. */
void refs_to_fetch(struct ost_step *step, const struct wanted *w, bool tags, struct strings *to);
/* The same where everything is fetched. */
void refs_of_all(struct ost_step *step, const struct wanted *w, struct strings *to);

struct target {
    const char *ref;   /* to check out */
    const char *start; /* a branch REF begins here; "": REF is detached */
};

/* What to check out once it is fetched. OST_E_NOT_FOUND, recorded: an unqualified ref is neither branch nor tag. */
ost_status refs_target(const struct git *g, const struct wanted *w, struct target *ret);

/* *RET: the ref, as fetched, is at the commit. */
ost_status refs_test(const struct git *g, const struct wanted *w, bool *ret);
