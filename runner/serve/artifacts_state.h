/* artifacts_state - what artifacts.c and artifact_folders.c share. */
#pragma once

#include "serve/artifacts.h"

struct artifacts {
    int run;
    int dir;   /* -1: not made yet */
    int index; /* the same */
    struct stage *stage;
    int64_t last_id;
    VEC(struct artifact *) list; /* oldest first */
};

/* What is known of one, written down. */
MUST_CHECK int artifacts_write_entry(const struct artifacts *a, const struct artifact *one,
                                     struct err *err);

/* Adds a new one called NAME without a digest, and opens what is needed for it. */
MUST_CHECK int artifacts_add(struct artifacts *a, const char *name, const char *job,
                             const char *mime, struct artifact **ret, struct err *err);

/* Reads the files of the folder ONE. */
void artifacts_load_files(const struct artifacts *a, struct artifact *one);

/* A text that the upload was begun with; "" when there is none. */
const char *upload_about(const struct upload *u, const char *name);
