/* artifacts - what the jobs of a run leave behind, in the run's folder, where a user finds it.
 *
 *   artifacts/NAME.zip          an artifact; or a single file as it was uploaded, or a folder of files
 *   artifacts/.index/ID.json    what is known of it; with this file it exists
 *   artifacts/.index/ID.files   the files of a folder, one a line, each written once the file is there
 *   artifacts/.staging/         uploads on their way (stage.h)
 *
 * The folder is made with the first artifact. */
#pragma once

#include "serve/stage.h"

enum {
    ARTIFACT_NAME_MAX = 255,     /* bytes */
    ARTIFACTS_MAX = 10000,       /* of a run */
    ARTIFACT_FILES_MAX = 100000, /* of a folder */
    ARTIFACT_PATH_MAX = 2000,    /* bytes of one of its paths */
};

struct artifact_file { /* of a folder */
    char *path;        /* below the folder, as its uploader calls it */
    int64_t size;      /* as its uploader has it */
    bool gzip;         /* it was sent compressed, and is kept so: with ".gz" behind its path */
};

struct artifact {
    int64_t id;
    char *name, *job, *mime;
    char *file;    /* its name in the folder */
    char *created; /* "2026-01-31T10:00:00Z" */
    char *digest;  /* SHA-256 in hex; NULL: a folder */
    int64_t size;
    bool folder, open; /* open: a folder that nobody has called complete */
    VEC(struct artifact_file) files;
};

struct artifacts;

/* Opens those below the run's folder DIR, which it takes over on success, with the uploads that an earlier server of the run left. */
MUST_CHECK int artifacts_open(int take_dir, struct artifacts **ret, struct err *err);
struct artifacts *artifacts_free(struct artifacts *a); /* the files stay; returns NULL */

/* No more uploads: what is unfinished goes. For the end of a run. */
void artifacts_close(struct artifacts *a);

/* ERR_INVALID with GitHub's reasons: empty, too long, or a character that some file system refuses. */
MUST_CHECK int artifact_check_name(struct slice name, struct err *err);

size_t artifacts_count(const struct artifacts *a);
const struct artifact *artifacts_at(const struct artifacts *a, size_t i); /* oldest first */
const struct artifact *artifacts_find(const struct artifacts *a, const char *name); /* or NULL */
const struct artifact *artifacts_find_id(const struct artifacts *a, int64_t id);

/* Starts an upload of JOB. The name must be good; others may be uploading under it, too: the first one to
 * finish has it. MIME NULL: a zip. */
MUST_CHECK int artifacts_create(struct artifacts *a, const char *name, const char *job,
                                const char *mime, struct upload **ret, struct err *err);
struct upload *artifacts_upload(struct artifacts *a, int64_t id); /* NULL: there is none */
/* The newest upload of JOB under NAME; NULL: none. */
struct upload *artifacts_upload_named(struct artifacts *a, const char *name, const char *job);

/* Those of JOB go. */
void artifacts_drop_uploads(struct artifacts *a, const char *job);

/* Makes a whole upload of one file an artifact, and drops it. No artifact may have the name. */
MUST_CHECK int artifacts_finish(struct artifacts *a, struct upload *u, const struct artifact **ret,
                                struct err *err);

/* Opens the file of ONE for reading. */
MUST_CHECK int artifacts_read(const struct artifacts *a, const struct artifact *one, int *ret,
                              struct err *err);

MUST_CHECK int artifacts_delete(struct artifacts *a, const struct artifact *one, struct err *err);

/* ---- folders: what version 3 of the client uploads, file by file ---- */

/* The folder NAME, which is made when there is none: several uploads may add to one. ERR_DENIED: the name is
 * another kind of artifact's. */
MUST_CHECK int artifacts_folder(struct artifacts *a, const char *name, const char *job,
                                struct artifact **ret, struct err *err);
struct artifact *artifacts_folder_id(struct artifacts *a, int64_t id); /* NULL: there is none */

/* The upload of the file PATH of FOLDER, a new one of JOB's if there is none. SIZE and GZIP: see struct artifact_file.
 * ERR_INVALID: the path leads out of the folder. */
MUST_CHECK int artifacts_file_upload(struct artifacts *a, const struct artifact *folder,
                                     const char *job, const char *path, int64_t size, bool gzip,
                                     struct upload **ret, struct err *err);
/* Its upload is whole: it becomes a file of the folder, in place of an earlier one. */
MUST_CHECK int artifacts_file_finish(struct artifacts *a, struct upload *u, struct err *err);

/* The folder is complete, so far. */
MUST_CHECK int artifacts_folder_close(struct artifacts *a, struct artifact *folder,
                                      struct err *err);

const struct artifact_file *artifact_file_find(const struct artifact *folder, const char *path);
MUST_CHECK int artifact_file_read(const struct artifacts *a, const struct artifact *folder,
                                  const struct artifact_file *file, int *ret, struct err *err);
