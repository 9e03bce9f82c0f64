/* rest - questions to GitHub's REST interface, and where it is (github-protocol.md 1.2, 1.3, 10.3). For commands: each turns
 * the client's loop until the answer is there. */
#pragma once

#include "io/http.h"

#include <jansson.h>

enum github_scope { GITHUB_ORGANISATION, GITHUB_REPOSITORY, GITHUB_ENTERPRISE };

/* What a runner is registered with. */
struct github_place {
    enum github_scope scope;
    bool hosted;  /* github.com, *.ghe.com; false: GitHub Enterprise Server */
    char *url;    /* as given, without a slash at its end */
    char *rest;   /* "https://api.github.com", "https://HOST/api/v3" */
    char *entity; /* "orgs/acme", "repos/acme/widgets", "enterprises/acme" */
};

/* FORCE_GHES: the host is no GitHub of its own, whatever its name. ERR_INVALID: URL is no such address, with an example. */
MUST_CHECK int github_place_parse(const char *url, bool force_ghes, struct github_place *ret,
                                  struct err *err);
void github_place_deinit(struct github_place *p);

enum { REST_TRIES = 3, REST_TOTAL_MS = 100000, REST_TEXT_SIZE = 160 };

struct rest_answer {
    int status;
    bool
        again; /* it was asked for more than once: an earlier answer may have been lost, not the question */
    json_t *json;              /* NULL: there is no body */
    char text[REST_TEXT_SIZE]; /* of an error: the server's own words */
};

void rest_answer_deinit(struct rest_answer *a);

/* Asks METHOD PATH below P's base ("/orgs/acme/..."), authorised as SCHEME SECRET, with BODY (NULL: none). Any status is an
 * answer. ERR_SYS, ERR_TIMEOUT: there is none; ERR_FAILED: something else than GitHub's interface answers there. */
MUST_CHECK int rest_ask(struct http *http, const struct github_place *p, const char *method,
                        const char *path, const char *scheme, const char *secret,
                        const json_t *body, struct rest_answer *ret, struct err *err);

/* The same for a request that is ready: the tenant's. */
MUST_CHECK int rest_do(struct http *http, struct http_request *q, const json_t *body,
                       struct rest_answer *ret, struct err *err);

static inline bool rest_is_good(const struct rest_answer *a)
{
    return a->status >= 200 && a->status <= 299;
}
