/* deliver - posts to a service until it has taken the message: what is passing (429, 5xx, no answer) is tried again
 * after the time the service asks for. */
#pragma once

#include "../lib/json.h"

enum {
    DELIVER_TRIES = 4,
    DELIVER_TRIES_TIMEOUT = 2,   /* it may have taken the message: once more, not thrice */
    DELIVER_BACKOFF_MS = 500,    /* before the second try, then twice as long each time */
    DELIVER_WAIT_MAX_MS = 120000 /* who asks for longer is not waited for */
};

struct post {
    const char *url;
    const char *const *headers; /* NULL-terminated; Content-Type is JSON's */
    struct span body;
    int64_t timeout_ms;
};

struct answer {
    int32_t status;
    const char *body;        /* as it came */
    const struct json *json; /* NULL: it is none */
};

/* OST_OK: there is an answer, of whatever status. Else *RET_WHY says what is wrong, without the address; a cancel has
 * no words. */
ost_status deliver(struct ost_step *step, const struct post *p, struct answer *ret,
                   const char **ret_why);

/* "it answered 404: TEXT", with at most the beginning of TEXT. */
const char *answer_text(struct ost_step *step, const struct answer *a, const char *text);
