/* answer - what an answer of one of GitHub's services means, for whoever has to decide what to do next.
 *
 * The services say the same in three dialects: the tenant's exceptions ("typeKey", or "typeName" in older ones), the
 * broker's and the run service's error objects ("errorKind", "statusCode"), OAuth's errors. Here they become one list
 * (github-protocol.md 0.8, 2.4, 3.4, 3.5, 4.1). */
#pragma once

#include "base/slice.h"

#include <stdint.h>

enum answer_kind {
    ANSWER_FINE,          /* 2xx */
    ANSWER_TRANSIENT,     /* no answer, a server in trouble, nonsense: ask again later */
    ANSWER_UNAUTHORIZED,  /* the token is refused */
    ANSWER_FORBIDDEN,     /* the token is fine, but not for this */
    ANSWER_NOT_FOUND,     /* what was asked for is not there, or no longer */
    ANSWER_CONFLICT,      /* somebody else has it: the session, the job */
    ANSWER_UNPROCESSABLE, /* 422 */
    ANSWER_REFUSED,       /* any other 4xx: asking again changes nothing */
    ANSWER_NO_RUNNER,     /* the registration was deleted on the server */
    ANSWER_NO_POOL,       /* its runner group was */
    ANSWER_SESSION_LOST,  /* the session has expired there: make a new one */
    ANSWER_REVOKED,       /* the registration's tokens are no longer good */
    ANSWER_TOO_OLD,       /* the version that we report is not accepted any more */
    ANSWER_DEPROVISIONED, /* a machine of GitHub's own is being taken down */
    ANSWER_JOB_GONE,      /* the job, or our lease of it */
    ANSWER_PLAN_GONE,     /* the whole run */
    ANSWER_SKEW,          /* the clocks differ too much */
    ANSWER_BAD_CLIENT,    /* OAuth knows neither this registration nor its key */
    ANSWER_KINDS
};

enum { ANSWER_TEXT_SIZE = 260, ANSWER_RETRY_MAX_MS = 600000 };

struct answer {
    enum answer_kind kind;
    int status;                  /* of HTTP; 0: there was no answer */
    bool too_large;              /* it is larger than was allowed for: refused */
    int64_t retry_ms;            /* the server asks for a pause that long; 0: it does not say */
    char text[ANSWER_TEXT_SIZE]; /* the server's own words, one printable line; else the status */
};

/* "fine", "transient"... for logs and tests. */
const char *answer_name(enum answer_kind kind);

/* Reads the answer with STATUS and BODY, which may be of any kind and size. RETRY_AFTER is the header of that name; ptr
 * NULL: there is none. */
void answer_read(int status, struct slice body, struct slice retry_after, struct answer *ret);

/* A server may repeat what it was sent: SECRET (NULL: none), or the beginning of it that there was room for, becomes "***"
 * in LINE, which is changed in its place. So does whatever looks like a signed token. */
void answer_hide(char *line, const char *secret);

/* Whether BODY is a page for people, and so no answer of these services, whatever its status: of a proxy, or of a portal
 * that wants to be clicked away. answer_read() knows that. */
bool answer_is_page(struct slice body);

/* TEXT of a server's made fit for a line of a log: no control characters, cut at SIZE, NUL-terminated. */
void answer_line(struct slice text, char *ret, size_t size);
