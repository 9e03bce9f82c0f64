/* connect - calls of the service that Gitea and Forgejo have for runners: Connect over JSON, one POST each
 * (gitea-protocol.md 1).
 *
 * What comes back is either the answer, one JSON object, or a fault that means the same whichever server says it: Gitea
 * wraps its codes in a text, Forgejo sends them plainly, and proxies in between have pages of their own. */
#pragma once

#include "base/err.h"
#include "io/http.h"
#include "queue/backoff.h"

#include <jansson.h>

enum {
    CONNECT_MS = 30000, /* a call takes no longer than that ... */
    CONNECT_FETCH_MS =
        60000, /* ... but FetchTask: what is cut off may have assigned a job already */
    CONNECT_REQUEST_MAX = 512 << 10, /* bytes: what a proxy in front of the server lets through */
    /* Bytes of an answer with tasks. A task takes 6 MB of YAML (task.h); one that is ten times as large, as base64, can
     * still be told of to its server. */
    CONNECT_TASKS_MAX = 80 << 20,
    CONNECT_TEXT_SIZE = 260,
};

enum connect_code { /* Connect's own, in its order */
                    CONNECT_UNKNOWN,
                    CONNECT_CANCELED,
                    CONNECT_INVALID_ARGUMENT,
                    CONNECT_DEADLINE_EXCEEDED,
                    CONNECT_NOT_FOUND,
                    CONNECT_ALREADY_EXISTS,
                    CONNECT_PERMISSION_DENIED,
                    CONNECT_RESOURCE_EXHAUSTED,
                    CONNECT_FAILED_PRECONDITION,
                    CONNECT_ABORTED,
                    CONNECT_OUT_OF_RANGE,
                    CONNECT_UNIMPLEMENTED,
                    CONNECT_INTERNAL,
                    CONNECT_UNAVAILABLE,
                    CONNECT_DATA_LOSS,
                    CONNECT_UNAUTHENTICATED,
                    CONNECT_CODES
};

const char *connect_code_name(enum connect_code code); /* "unauthenticated" */

struct connect_fault {
    enum connect_code code;
    int status;       /* of HTTP; 0: there was no answer */
    int64_t retry_ms; /* the server asks for a pause that long; 0: it does not say */
    bool said;        /* the service itself said so; else the code is a guess from the status */
    bool
        too_large; /* there was an answer, beyond what is read: the same question would bring the same */
    char text[CONNECT_TEXT_SIZE]; /* one printable line */
};

/* True if F says that the server does not know this runner, or no longer: a bare 401 of a proxy does not. */
bool connect_is_unregistered(const struct connect_fault *f);

/* One server, as one runner sees it. Filled in by its owner; the texts are borrowed. */
struct connect {
    struct http *http;
    struct loop *loop;
    const char *address;      /* without a slash at its end */
    const char *uuid, *token; /* NULL: not registered yet */
    const char *version;      /* Ostler's, for User-Agent */
    int64_t minute_ms;        /* for tests: how long a minute of a pause takes; 0: a minute */
    /* Kept here: */
    uint64_t calls, failures;
    int64_t
        contact_ms; /* clock_ms() of the last answer of the service, faults it states included; 0: none */
};

struct connect_call; /* one under way */

/* ANSWER is borrowed, wiped after the call, and an object; or it is NULL and FAULT says why. RAW has the headers; NULL: none came. */
typedef void connect_done_fn(void *ctx, json_t *answer, const struct connect_fault *fault,
                             const struct http_answer *raw);

/* Calls METHOD ("FetchTask"; Ping is known too) with the object REQUEST, which is taken over. KEY: of a request that may
 * be repeated (x-runner-request-key); NULL: none. DONE is called once, from the loop, whatever happens; until then the call can be
 * ended with connect_call_free(). */
struct connect_call *connect_start(struct connect *c, const char *method, json_t *take_request,
                                   const char *key, connect_done_fn *done, void *ctx);
/* Without a word. Returns NULL; NULL does nothing. */
struct connect_call *connect_call_free(struct connect_call *call);

/* The same at once, for commands. True and *RET, the caller's; or false and *FAULT. */
bool connect_do(struct connect *c, const char *method, json_t *take_request, json_t **ret,
                struct connect_fault *fault);

/* ---- pauses ---- */

/* MS, as long as that takes here. */
int64_t connect_pause(const struct connect *c, int64_t ms);

/* When to try again what ended with F: as B has it, but not before the server wants it. */
int64_t connect_again_at(const struct connect_fault *f, struct backoff *b);

/* ---- its parts ---- */

/* What an answer means: true and *RET (the caller's), or false and *FAULT. */
bool connect_read(int status, struct slice body, json_t **ret, struct connect_fault *fault);

/* A document of the server's: NULs in texts are fine, and so are numbers beyond 64 bits, which make all of its numbers
 * reals (1.5). ERR_INVALID: it is no JSON. */
MUST_CHECK int connect_json(struct slice text, json_t **ret, struct err *err);

/* The member KEY of OBJECT as a whole number, as text or as number; 0 where there is none. ERR_INVALID: it is
 * something else. */
MUST_CHECK int connect_int(const json_t *object, const char *key, int64_t *ret, struct err *err);

/* N as the server writes it: "99". New reference. */
json_t *connect_int_new(int64_t n);
