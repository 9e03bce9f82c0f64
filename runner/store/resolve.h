/* resolve - which commits references stand for, and where their archives are had: asked of the service that gave the
 * job out, with the job's own token (github-protocol.md 7). It knows what the job may see, and what is forbidden.
 *
 * One request has all references of a level. A process of its own asks: it is this program as "resolve-child", with
 * a request on its standard input and an answer on its standard output, both JSON: tokens are nothing for argv. */
#pragma once

#include "io/loop.h"
#include "store/store.h"

enum {
    RESOLVE_MESSAGE_MAX = 8 << 20,
    RESOLVE_TRIES = 3,
    RESOLVE_TIMEOUT_MS = 10 * 60 * 1000,
};

enum resolve_service {
    RESOLVE_LAUNCH, /* of jobs of the run service */
    RESOLVE_LEGACY, /* the tenant's "actiondownloadinfo" */
    RESOLVE_SERVICES
};

/* Everything is borrowed. */
struct resolve_ask {
    enum resolve_service service;
    const char *url;           /* the whole address */
    const char *token;         /* of the job; a secret */
    const char *archive_token; /* for archives without one of their own; "": none. A secret */
    const char *const *pins;   /* lines of the workflow's lock file, passed on; NULL: none */
    bool codeload_bearer;      /* servers named codeload.* get tokens as they are */
    bool follow_once;          /* as of struct http_request */
    int64_t retry_ms;          /* before the second try; 0: STORE_RETRY_MS */
    const char *const *env;    /* which way requests take, "NAME=value"; NULL: straight */
    const struct action_ref *refs;
    size_t n;
};

/* "launch", "legacy"; false: NAME is none. */
bool resolve_service_parse(const char *name, enum resolve_service *ret);

struct resolved {
    struct store_given given;     /* what is fetched */
    const char *token;            /* that comes with it, not to be shown; NULL: none */
    const char *version, *digest; /* of a package that cannot change; NULL: it is none */
};

struct resolve_answer {
    struct resolved *list; /* in the order of the references */
    size_t n;
    const char *const *failures; /* what went wrong before it went well, NULL-terminated */
};

/* Asks. Blocks. ERR_NOT_FOUND: the service does not give one of them out, in its own words; ERR_FAILED: it has not
 * answered. Texts of *RET are in A. */
MUST_CHECK int resolve(const struct resolve_ask *ask, struct arena *a, struct resolve_answer *ret,
                       struct err *err);

/* ---- the same in a process of its own ---- */

struct resolve_run;

/* ANSWER, or why there is none; one of them is NULL. Called once, from the loop; the run may be freed in it. */
typedef void resolve_done_fn(void *ctx, const struct resolve_answer *answer, const struct err *err);

/* On success *RET is the caller's: resolve_run_free(), which ends what goes on and what the answer holds. */
MUST_CHECK int resolve_start(const struct resolve_ask *ask, struct loop *loop,
                             resolve_done_fn *done, void *ctx, struct resolve_run **ret,
                             struct err *err);
struct resolve_run *resolve_run_free(struct resolve_run *r); /* returns NULL; NULL is fine */

/* The subcommand: argv[0] is "resolve-child". Returns the exit code. */
int resolve_child_main(int argc, char **argv);

/* ---- the messages ---- */

/* What the service is sent; the caller frees it. */
char *resolve_body(const struct resolve_ask *ask);
/* What it answered with STATUS. A is where texts of *RET go. */
MUST_CHECK int resolve_read(const struct resolve_ask *ask, int status, struct slice body,
                            struct arena *a, struct resolve_answer *ret, struct err *err);

/* Between the processes. The caller frees texts, which are secrets. */
char *resolve_request_format(const struct resolve_ask *ask);
MUST_CHECK int resolve_request_parse(struct slice text, struct arena *a, struct resolve_ask *ret,
                                     struct err *err);
char *resolve_answer_format(int r, const struct resolve_answer *answer, const struct err *err);
MUST_CHECK int resolve_answer_parse(struct slice text, struct arena *a, struct resolve_answer *ret,
                                    struct err *err);
