/* registry - requests to one registry: says who we are when it asks, with tokens that are always fresh enough, and
 * tells in words what it refuses. Credentials and tokens go to the registry and to the token service that it names,
 * never to where a redirect or an upload's location leads. */
#pragma once

#include "../lib/web.h"
#include "image.h"
#include "login.h"

struct registry; /* in phase memory */

struct registry_spec { /* all is borrowed */
    struct ost_step *step;
    struct web *web;
    const char *host; /* as in a reference: "docker.io", "127.0.0.1:5000" */
    struct login login;
    bool insecure;       /* http, or https with any certificate, will do */
    const char *ca_file; /* PEM; "": the system's */
};

struct registry *registry_new(const struct registry_spec *spec);
const char *registry_host(const struct registry *r);

/* "repository:NAME:pull,push"; several are joined by blanks. */
const char *registry_scope(struct ost_step *step, const char *name, const char *rights);

struct ask { /* works when zeroed but for method, scope and path or url */
    const char *method;
    const char *path; /* "/v2/..."; or: */
    const char *url;  /* a location that an answer named, resolved */
    const char *scope;
    const char *const *headers; /* besides those for authentication; NULL: none */
    struct piece body;
    unsigned flags; /* of web.h: WEB_FOLLOW, WEB_ONCE, WEB_CHUNKED, WEB_ANYWAY */
    int64_t delay_ms, total_ms;
    web_sent_fn *sent;
    web_done_fn *done;
    void *ctx; /* of both */
};

/* Begins Q; DONE is called once, from web_turn() or before this returns. An answer 401 is final. */
void registry_ask(struct registry *r, const struct ask *q);

/* Does Q alone, and turns the web meanwhile; RET's texts are in phase memory. Q's DONE and CTX do not count. */
void registry_do(struct registry *r, const struct ask *q, struct web_answer *ret);

/* The code of an error in A, such as "BLOB_UNKNOWN"; "" when it has none. */
const char *registry_code(struct ost_step *step, const struct web_answer *a);

/* Records what A means, with the cure, and returns the status for it: "cannot WHAT: ...". */
ost_status registry_complain(struct registry *r, const char *what, const struct web_answer *a);

/* The Location of A as an address; NULL: there is none that could be asked. */
const char *registry_location(struct registry *r, const struct web_answer *a);
