/* blobs - a job's artifacts and caches: brought to the services that its actions reach, and from there.
 *
 * The work is done by two processes of this program, so that whoever waits goes on meanwhile, can stop it, and never
 * loads what it takes:
 *
 *     carrier  "blobs-carrier"   has the token and the runner's network, and never opens a file of the job's
 *     packer   "blobs-packer"    is in the job's place, with the job's rights and no network; has the files, no token
 *
 * Archives go from one to the other through a pipe, or a file without a name. Where a job planted a link, or the
 * archive that it gets is bad, it can reach what it could reach anyway. Requests and answers are JSON; nothing secret
 * is in argv or in an environment. */
#pragma once

#include "sandbox/sandbox.h"
#include "sandbox/show.h"

#include <jansson.h>

enum {
    BLOBS_REQUEST_MAX = 64 << 20, /* bytes of a request: 100,000s of names of files */
    BLOBS_ANSWER_MAX = 4 << 20,
    BLOBS_KEYS_MAX = 10, /* of one cache */
    BLOBS_KEY_MAX = 512,
    BLOBS_ARTIFACTS_MAX = 1000, /* that a run's list tells */
};

struct
    blobs_service { /* where the job's services are; texts may be NULL, the first two for http.fetch only */
    const char *url;   /* ACTIONS_RESULTS_URL */
    const char *token; /* ACTIONS_RUNTIME_TOKEN */
    const char *cache_url,
        *cache_token; /* the same for caches that lie elsewhere; NULL: they do not */
    const char *http_proxy, *https_proxy, *no_proxy;
    const char *ca_file;
    int64_t retry_ms; /* see io/http.h; 0: 3 s */
};

/* What can be done, with the members of the request, and those of the answer. Paths are the job's. A member that is
 * missing where no default is given, or of another kind, is ERR_INVALID.
 *
 *   cache.restore      paths, keys [texts]; lookup (false)      -> key (absent: none), exact, size (0 for a look-up)
 *   cache.save         paths, keys [texts: the first counts]    -> size
 *   artifact.list                                               -> items [artifacts], the newest first
 *   artifact.upload    name, root, files [texts]; raw (false), days (0), level (6)      -> an artifact
 *   artifact.download  id; dir; raw (false)                     -> an artifact; its digest is of what came
 *   artifact.remove    name
 *   http.fetch         method, url, dir, name; headers [texts] (none), body (Base64; none), retries (0), timeout_ms
 *                      (60,000), max (bytes)                    -> status, size, headers; the answer's body is
 *                      DIR/NAME
 *
 * An artifact has id, size, created (seconds), name, digest ("" or hex), zip. Errors: ERR_INVALID for a name that is
 * none; ERR_DENIED: it is there already; ERR_NOT_FOUND: no file, no such artifact; ERR_SYS and ERR_TIMEOUT: disk,
 * network, a refusal. */
struct blobs_spec {
    const char *op;    /* as above */
    const json_t *ask; /* an object */
    const struct blobs_service *service;
    const struct sandbox *sandbox; /* whose files; NULL: ours */
    const struct show_folder
        *shown; /* of a job in a container: its names for folders of SANDBOX, and the
                                        only ones there are then */
    size_t n_shown;
    const char *workspace, *home, *temp; /* the job's paths; NULL: none */
    bool zstd;                           /* the job's PATH has it: its caches are packed with it */
    const json_t *
        hosts; /* that http.fetch may reach: lists of patterns, one of each has to fit; NULL: any */
    const char *program; /* with the two subcommands; NULL: this one */
};

struct blobs_client {                         /* called from the loop */
    void (*say)(void *ctx, const char *text); /* a line for the log */
    /* The end: ERR_OK with the answer (borrowed), or why not. The call may be freed in it. */
    void (*done)(void *ctx, const json_t *answer, const struct err *err);
    void *ctx;
};

struct blobs_call;

/* Begins. SPEC is borrowed for the call. */
MUST_CHECK int blobs_start(const struct blobs_spec *spec, struct loop *loop,
                           const struct blobs_client *client, struct blobs_call **ret,
                           struct err *err);
/* Stops it, without a word, if it goes on: what was not finished is not visible. Returns NULL; NULL is fine. */
struct blobs_call *blobs_free(struct blobs_call *c);

/* The hidden subcommands. Each returns the exit code. */
int blobs_carrier_main(int argc, char **argv);
int blobs_packer_main(int argc, char **argv);
