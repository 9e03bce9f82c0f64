/* build_artifacts - the files that came of a build, with their digests. */
#pragma once

#include "build_facts.h"

enum { ARTIFACTS_MAX = 10000, ARTIFACTS_LISTED_MAX = 1000 /* in the output */ };

struct built_file {
    const char *path; /* relative to the workspace */
    const char *sha256;
    int64_t size;
};

struct built { /* zeroed is empty */
    struct built_file *list;
    size_t n;
};

struct built_ask {
    const char *workspace;       /* absolute */
    const char *const *patterns; /* below the workspace; NULL-terminated */
    const char *const * not ;    /* files that the step itself writes: no artifacts */
};

/* What PATTERNS match now, sorted by path. Below 0: recorded. */
ost_status built_collect(struct ost_step *step, const struct built_ask *ask, struct built *ret);

/* As sha256sum writes it, and reads it with --check in the workspace. */
const char *built_sums(struct ost_step *step, const struct built *b);

/* [{"path":"dist/a.whl","sha256":"...","size":12}], the first ARTIFACTS_LISTED_MAX. */
const char *built_json(struct ost_step *step, const struct built *b);

/* As facts of the kind "result", and whether the files are the very ones that FACTS tells. */
void built_note(struct ost_step *step, const struct built *b, struct facts *to);
bool built_equals(const struct built *b, const struct facts *facts);

/* Uploads the files as the artifact NAME, under their paths in the workspace. */
ost_status built_upload(struct ost_step *step, const struct built *b, const char *workspace,
                        const char *name, int32_t days);
