/* calls - what the services of a plugin's process have in common: each call becomes a message to the runner. */
#pragma once

#include "plugin/child/child.h"
#include "plugin/child/dialog.h"

#include <jansson.h>
#include <ostler/ext.h>

/* What the phase was started with. */
const struct child_start *calls_start(struct ost_step *step);

/* A copy in phase memory, which is the process's: it ends with the phase, so nothing is ever given back. */
char *calls_keep(struct slice s);

static inline const char *calls_text(const char *text)
{
    return text ? text : "";
}

/* ---- errors ---- */

/* Notes TEXT for last_error(); returns WHY. */
ost_status calls_failed(struct ost_step *step, ost_status why, const char *text);
const char *calls_last_error(struct ost_step *step);

/* TEXT is why the phase fails, if it does. */
void calls_fail(struct ost_step *step, const char *text);

/* ---- messages ---- */

/* How much of TEXT a message takes where the rest may go into another: to a line's end where there is one, never to the
 * inside of a character. */
size_t calls_piece(struct slice text);

/* dialog_send(), with OST_E_LIMIT noted for last_error(). */
ost_status calls_send(struct ost_step *step, struct buf *message, size_t at);

/* The same for a request with dialog_id() that is answered by a status and a text: the error, noted, or *RET, in phase
 * memory (RET NULL: there is none). */
ost_status calls_ask(struct ost_step *step, struct buf *message, size_t at, uint32_t id,
                     const char **ret);

/* In a check the runner hears of each call that can fail before it is made, NAME ("exec", "files.glob"), and may say
 * how it fails: below 0, noted for last_error(). Else OST_OK. */
ost_status calls_announce(struct ost_step *step, const char *name);

/* The service NAME, announced: OP with one text or two, SECOND NULL. */
ost_status calls_serve(struct ost_step *step, const char *name, enum wire_op op, const char *first,
                       const char *second);

/* A new array of them; NULL: one is no UTF-8. LIST ends with NULL, or is NULL: none. */
json_t *calls_texts(const char *const *list);

/* A transfer by the runner (blobs/blobs.h). TAKE_ASK is dropped. *RET, an object, is phase memory: never dropped. */
ost_status calls_transfer(struct ost_step *step, const char *op, json_t *take_ask, json_t **ret);

/* Tells the runner of a line of the transcript. */
void calls_record(struct slice line);

/* ---- the services ---- */

ost_status calls_exec(struct ost_step *step, const struct ost_exec *theirs,
                      struct ost_exec_result *res);   /* calls_exec.c */
extern const struct ost_host calls_host;              /* calls_host.c */
extern const struct ost_files_v1 calls_files;         /* calls_files.c */
extern const struct ost_cache_v1 calls_cache;         /* calls_blobs.c */
extern const struct ost_artifacts_v1 calls_artifacts; /* the same */
extern const struct ost_blobs_v1 calls_blobs;         /* the same */
extern const struct ost_http_v1 calls_http;           /* calls_http.c */
extern const struct ost_source_v1 calls_source;       /* calls_source.c */
extern const struct ost_progress_v1 calls_progress;   /* calls_progress.c */
extern const struct ost_mask_v1 calls_mask;           /* calls_mask.c */
extern const struct ost_mirror_v1 calls_mirror;       /* calls_mirror.c */
