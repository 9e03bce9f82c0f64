/* artifact - what npm's @actions/artifact does for actions, through the host, in the words that it uses. Every
 * failure has been recorded with them; a cancel has no words. */
#pragma once

#include "text.h"

#include <ostler/ext.h>

/* The job's artifacts; NULL when it has no service for them, which is recorded as the failure. */
const struct ost_artifacts_v1 *artifact_service(struct ost_step *step);

struct artifacts {
    const struct ost_artifact **list;
    size_t n;
};

/* The newest artifact of each name in this run, the newest first; and says how many. */
ost_status artifact_list(struct ost_step *step, struct artifacts *ret);

/* The newest one of that NAME alone; none, and N is 0. */
ost_status artifact_find(struct ost_step *step, const char *name, struct artifacts *ret);

/* Keeps those whose name fits PATTERN (names.h). */
void artifact_filter(struct artifacts *all, const char *pattern);

/* Into the folder DIR, as it is if RAW. *RET_MISMATCH: what came is not what the service announced. */
ost_status artifact_download(struct ost_step *step, const struct ost_artifact *a, const char *dir,
                             bool raw, bool *ret_mismatch);

/* OST_E_NOT_FOUND, not recorded: there is none of that name. */
ost_status artifact_remove(struct ost_step *step, const char *name);

struct artifact_upload {
    const char *name; /* if RAW, that of the file counts */
    const char *root;
    const char *const *files; /* absolute; one at least */
    int32_t days, level;      /* DAYS 0: the service's own */
    bool raw;
    int major; /* of actions/upload-artifact: the words have changed once */
};

/* Uploads and sets the outputs artifact-id, artifact-digest and artifact-url. */
ost_status artifact_upload(struct ost_step *step, const struct artifact_upload *u);
