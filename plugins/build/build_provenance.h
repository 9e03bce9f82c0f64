/* build_provenance - who built what from what: an in-toto Statement v1 with the SLSA Provenance v1 predicate.
 * https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
 * https://slsa.dev/spec/v1.0/provenance */
#pragma once

#include "build_artifacts.h"

#define PROVENANCE_TYPE "https://slsa.dev/provenance/v1"

struct parameter {
    const char *name, *value;
};

struct provenance {
    const struct built *files;
    const char *image_name, *image_digest; /* "sha256:..."; NULL: no image */
    const struct parameter *parameters; /* inputs that decide over the result; none is a secret */
    size_t n_parameters;
    const char *const *bases;  /* images built upon, "name@sha256:..." where that is known */
    const char *builder;       /* a URI */
    int64_t started, finished; /* seconds since 1970 */
};

/* Also from the job's contexts: repository, commit, workflow and run. */
const char *provenance_format(struct ost_step *step, const struct provenance *p);
