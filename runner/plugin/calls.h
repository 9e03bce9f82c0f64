/* calls - what the services of a plugin's process have in common; calls.c has those of ost_host. */
#pragma once

#include "plugin/child.h"

#include <jansson.h>
#include <ostler/ext.h>

/* What the phase was started with. */
const struct child_start *calls_start(struct ost_step *step);

/* Notes TEXT for last_error(); returns WHY. */
ost_status calls_failed(struct ost_step *step, ost_status why, const char *text);

/* In a check the runner hears of each call that can fail before it is made, NAME ("exec", "files.glob"), and may say
 * how it fails: below 0, noted for last_error(). Else OST_OK. */
ost_status calls_announce(struct ost_step *step, const char *name);

/* A new array of them; NULL: one is no UTF-8. LIST ends with NULL, or is NULL: none. */
json_t *calls_texts(const char *const *list);

/* The digest that hashFiles() has for the N files PATHS, under the runner's names for them; made by the runner. */
ost_status calls_hash(struct ost_step *step, const char *const *paths, size_t n, const char **ret);

/* Tells the runner how far the plugin is. */
void calls_tell_progress(struct ost_step *step, const char *label, int64_t done, int64_t total);

/* The source that QUERY asks for; *RET is JSON. */
ost_status calls_find_source(struct ost_step *step, const struct ost_source_query *query,
                             const char **ret);

/* A transfer by the runner (blobs/blobs.h). TAKE_ASK is dropped. *RET, an object, is phase memory: never dropped. */
ost_status calls_transfer(struct ost_step *step, const char *op, json_t *take_ask, json_t **ret);

/* Tells the runner of a line of the transcript. */
void calls_record(struct slice line);

extern const struct ost_host calls_host;              /* calls.c */
extern const struct ost_files_v1 calls_files;         /* calls_files.c */
extern const struct ost_cache_v1 calls_cache;         /* calls_blobs.c */
extern const struct ost_artifacts_v1 calls_artifacts; /* the same */
extern const struct ost_blobs_v1 calls_blobs;         /* the same */
extern const struct ost_http_v1 calls_http;           /* calls_http.c */
extern const struct ost_source_v1 calls_source;       /* calls_source.c */
extern const struct ost_progress_v1 calls_progress;   /* calls_progress.c */
extern const struct ost_mask_v1 calls_mask;           /* calls.c */
extern const struct ost_mirror_v1 calls_mirror;       /* calls_mirror.c */
