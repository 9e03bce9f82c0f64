/* call - calls to GitHub's services for one registration: with its token, judged (answer.h), and made again where that
 * helps.
 *
 * One mechanism for all tables of retries (github-protocol.md 3.4, 4, 10.1, 10.2): a call has so many tries, a pause
 * between them, and answers that settle it at once. A token that is refused is fetched anew once a try. Services
 * reached by https:// never send us to an address that is not. */
#pragma once

#include "base/buf.h"
#include "io/http.h"
#include "queue/github/api/answer.h"
#include "queue/github/api/tenant.h"
#include "queue/github/api/token.h"
#include "queue/github/api/waits.h"

struct caller { /* filled in by its owner; all but the figures is borrowed */
    struct http *http;
    struct loop *loop;
    struct github_token *token;
    struct github_token *newer; /* of the authority that the service moves to; NULL: it does not */
    int64_t newer_from; /* clock_ms() from which on that one is used; CLOCK_NEVER: not yet said */
    void (*deferred)(void *ctx, const char *why); /* see caller_defer(); NULL: not wanted */
    void *deferred_ctx;
    const struct tenant *tenant; /* NULL: this registration has none */
    const char *agent;           /* User-Agent; NULL: the client's */
    bool secure;                 /* nothing is asked for but by https:// */
    const struct github_waits *waits;

    /* How it goes: */
    uint64_t requests, failures;
    int64_t contact_ms; /* of the last answer, 0: none yet */
};

/* Whether calls that may go with the newer authority's token do now. */
bool caller_uses_newer(const struct caller *c);
/* One of them failed with WHY: for waits.defer none does, and the failure is one to be tried again. False: none did. */
bool caller_defer(struct caller *c, const char *why);

struct call;

/* BODY is that of the answer, of whatever status, or the beginning of one that is too large: valid for the call, wiped
 * afterwards. HTTP: NULL if there was none. */
typedef void call_fn(void *ctx, const struct answer *a, struct slice body,
                     const struct http_answer *http);

#define CALL_SETTLES(kind) (1u << (kind)) /* for call_spec.settled */

struct call_spec {      /* all is copied */
    const char *method; /* NULL: GET */
    const char *url;    /* of a service of today; NULL: */
    const struct tenant_query
        *tenant;                /* one of the tenant's; the token in there is not looked at */
    const struct tenant *whose; /* which tenant's; NULL: the caller's. Borrowed for the call */
    const char *bearer;         /* a job's token; NULL: the registration's, */
    bool newer;                 /* of the newer authority while that is used */
    const char *scheme;         /* that BEARER is given as; NULL: "Bearer" */
    const char *accept;         /* of a service of today; NULL: JSON of whatever version */
    const char *const *headers; /* further ones of such a call, "Name: value"; NULL: none */
    const json_t *body;         /* NULL: none */
    unsigned tries;             /* 0: 1 */
    unsigned settled;           /* CALL_SETTLES(): answers after which it is not tried again */
    int64_t total_ms;           /* of one try; 0: waits.request */
    size_t answer_max;          /* 0: HTTP_ANSWER_MAX */
    bool document;              /* it is an object of JSON, or no answer */
    bool follow_once;           /* as of a request */
};

/* DONE is called once, from the loop, never before this returns, with what the last try gave; the call is gone by
 * then. */
struct call *call_start(struct caller *c, const struct call_spec *spec, call_fn *done, void *ctx);
/* Ends it without a word. Returns NULL; NULL does nothing. */
struct call *call_free(struct call *c);
