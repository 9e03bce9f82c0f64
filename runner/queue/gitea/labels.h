/* labels - what a runner of Gitea or Forgejo takes jobs for, and where it runs them: "ubuntu-latest:docker://node:22",
 * "metal:host" (gitea-protocol.md 3.4). The server knows the names alone. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

enum { LABELS_MAX = 100, LABEL_MAX = 255 /* bytes of a name */ };

enum label_place {
    LABEL_HOST,      /* this machine, isolated as the listener isolates jobs */
    LABEL_CONTAINER, /* a container */
};

struct label {
    const char *name;
    enum label_place place;
    const char *image; /* LABEL_CONTAINER */
};

/* Reads TEXT; all is copied to A. No schema at all is the host, as act_runner has it. ERR_INVALID: with what would be
 * right. ERR_UNSUPPORTED: "lxc". */
MUST_CHECK int label_parse(struct arena *a, const char *text, struct label *ret, struct err *err);

/* All of TEXTS (NULL-terminated), into A. ERR_INVALID also for a name twice; ERR_LIMIT beyond LABELS_MAX. */
MUST_CHECK int labels_parse(struct arena *a, const char *const *texts, struct label **ret,
                            size_t *ret_n, struct err *err);

/* The first of the names in RUNS_ON (N_RUNS_ON of them) that there is a label for; NULL: none of them. Names ignore case. */
const struct label *labels_choose(const struct label *labels, size_t n, const struct slice *runs_on,
                                  size_t n_runs_on);
