/* ostler/ext.h - services a host may lack: step->host->extension(step, OST_EXT_...). The id carries
 * the revision; a released table changes only by appending. */
#ifndef OSTLER_EXT_H
#define OSTLER_EXT_H
#include <ostler/plugin.h>
#define OST_EXT_PROGRESS "ostler.progress/1"
struct ost_progress_v1 {
    uint32_t struct_size;
    void (*update)(struct ost_step *, const char *label, int64_t done, int64_t total); /* -1: unknown */
};

#define OST_EXT_HTTP "ostler.http/1" /* through the runner: its proxy, CA store, retries and host policy */
struct ost_http_request {
    uint32_t struct_size, retries;
    const char *method, *url;
    const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
    const void *body;
    size_t body_size;
    const char *save_to;        /* stream the answer into this file; NULL: into memory, 8 MiB at most */
    int64_t timeout_ms;         /* for the whole exchange; 0: 60 s */
};
struct ost_http_response { uint32_t struct_size; int32_t status; const char *body; size_t body_size; };
struct ost_http_v1 {
    uint32_t struct_size;       /* an answer of any status, 500 too, is OST_OK */
    ost_status (*fetch)(struct ost_step *, const struct ost_http_request *, struct ost_http_response *);
};

#define OST_EXT_BLOBS "ostler.blobs/1" /* the job's cache and artifact services, as actions see them */
struct ost_blobs_v1 {
    uint32_t struct_size;
    ost_status (*cache_restore)(struct ost_step *, const char *const *paths, const char *const *keys,
                                const char **hit); /* *HIT: the key found, NULL: none; OST_OK both ways */
    ost_status (*cache_save)(struct ost_step *, const char *const *paths, const char *key);
    ost_status (*artifact_put)(struct ost_step *, const char *name, const char *const *paths, int32_t days);
    ost_status (*artifact_get)(struct ost_step *, const char *name, const char *dir);
};
#endif
