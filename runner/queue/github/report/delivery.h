/* delivery - one call of a service to which a job is reported: JSON or bytes there, JSON back.
 *
 * Tried again as the protocol has it (github-protocol.md 10.1); an answer that is no success is an error, whose text
 * has the service's own words and its request id, and nothing of what was sent. */
#pragma once

#include "io/http.h"

#include <jansson.h>

enum {
    DELIVERY_TRIES = 4,
    DELIVERY_TIMEOUT_MS = 100000, /* of one try */
};

struct delivery;

struct delivery_spec {  /* texts are copied */
    const char *method; /* NULL: POST */
    const char *url;
    const char
        *token; /* Bearer, and JSON is wanted back; NULL: HEADERS have that, or nobody asks */
    const char *agent;          /* User-Agent; NULL: the client's */
    const char *type;           /* Content-Type; NULL: JSON; "": none is sent */
    const char *const *headers; /* more of them, NULL-terminated; NULL: none */
    json_t *json;               /* the body: taken over; NULL: */
    struct slice body;          /* borrowed until the end */
    unsigned tries;             /* 0: DELIVERY_TRIES */
    bool follow_once;           /* as of a request */
};

/* STATUS 0: there was no answer. ANSWER (borrowed) is NULL when it was no JSON. ERR is NULL after a success. */
typedef void delivery_fn(void *ctx, int status, const json_t *answer, const struct err *err);

/* FN is called once, from the loop, never from in here; *C is NULL before. *C is the caller's until then. */
void delivery_start(struct delivery **c, struct http *http, struct loop *loop,
                    const struct delivery_spec *spec, delivery_fn *fn, void *ctx);
/* Ends it without a word. Returns NULL; NULL does nothing. */
struct delivery *delivery_free(struct delivery *c);
