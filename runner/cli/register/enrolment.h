/* enrolment - what "register" and "unregister" share: a client for servers, and how they tell what happens. */
#pragma once

#include "base/err.h"
#include "io/http.h"
#include "queue/github/enrol/register.h"

#define ENROLMENT_VERSION                                                                          \
    "2.336.0" /* the release of GitHub's runner that we say to be, unless told otherwise */

struct enrolment {
    const char *command; /* "register": in front of what is said */
    struct loop *loop;
    struct http *http;
};

/* ERR_NOT_FOUND: there is no libcurl. */
MUST_CHECK int enrolment_open(struct enrolment *e, const char *command, const char *version,
                              struct err *err);
void enrolment_close(struct enrolment *e);

/* Prints ERR, with *** for TOKEN and PAT (NULL: there is none), and gives the exit code for it. */
int enrolment_fail(const char *command, const struct err *err, const char *token, const char *pat);

/* For github_register_spec.note. CTX: a struct enrolment. */
void enrolment_note(void *ctx, const char *text);
