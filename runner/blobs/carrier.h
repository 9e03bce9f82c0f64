/* carrier - the process with the network and the token; see blobs.h. Shared by its own modules only. */
#pragma once

#include "io/http.h"
#include "io/loop.h"

#include <jansson.h>

/* The descriptors it is born with, besides its request, its answer and standard error. */
enum {
    CARRIER_SPOOL = 3, /* the folder for files without a name; closed: there is none */
    CARRIER_PLACE = 4, /* the job's namespaces, as far as a packer needs them, by enum sandbox_ns */
};

struct carrier {
    json_t *request;
    const json_t *ask; /* what the plugin said */
    bool has_place, zstd;
    const char *workspace, *home; /* NULL: none */
    const json_t *hosts;          /* as in struct blobs_spec; NULL: any */
    struct loop *loop;
    struct http *http;
    char *origin;          /* of the services: "http://127.0.0.1:7870" */
    char *authorization;   /* the header with the token */
    char *run_id, *job_id; /* as the token has them; NULL: it was not looked at */
};

/* For http_request.retry: says what went wrong and what comes. */
void carrier_say_retry(void *ctx, unsigned tries, const char *why, int64_t wait_ms);

/* What can be done. *RET, the answer, is the caller's; NULL: there is nothing to say. */
typedef int carrier_op(struct carrier *c, json_t **ret, struct err *err);
carrier_op artifact_list, artifact_upload, artifact_download, artifact_remove; /* artifacts.c */
carrier_op cache_restore, cache_save;                                          /* caches.c */
carrier_op http_fetch;                                                         /* web.c */
