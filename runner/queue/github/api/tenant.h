/* tenant - the addresses of GitHub's older API: pools, agents, sessions, timelines (github-protocol.md 0.5, 0.7, appendix A).
 *
 * Its resources go by GUIDs; where each is, the server tells once (connectionData), and until it has, or where it does not,
 * the places known today are taken. No input or output in here: requests are made ready for http_start(). */
#pragma once

#include "base/buf.h"
#include "io/http.h"

enum tenant_resource {
    TENANT_POOLS,
    TENANT_AGENTS,
    TENANT_SESSIONS,
    TENANT_MESSAGES, /* GET */
    TENANT_MESSAGE,  /* DELETE: another version of the same */
    TENANT_UPDATES,
    TENANT_JOB_REQUESTS,
    TENANT_CONFIG_REFRESH,
    TENANT_RUNNER_MESSAGES,
    TENANT_TIMELINES,
    TENANT_RECORDS,
    TENANT_FEED,
    TENANT_ATTACHMENTS,
    TENANT_LOGS,
    TENANT_EVENTS,
    TENANT_ACTION_DOWNLOADS,
    TENANT_RESOURCES
};

enum { TENANT_URL_MAX = 8 << 10, TENANT_TEMPLATE_MAX = 500 };

struct tenant;

/* The one at BASE_URL, with or without a slash at its end. */
struct tenant *tenant_new(const char *base_url);
struct tenant *tenant_free(struct tenant *t); /* returns NULL; NULL does nothing */

/* What connectionData answered (its body): routes that make sense replace those known. ERR_INVALID: it is no such answer;
 * nothing is replaced then. */
MUST_CHECK int tenant_learn(struct tenant *t, struct slice body, struct err *err);

struct tenant_value { /* of a route; TEXT is escaped as it is put in */
    const char *name, *text;
};

struct tenant_query {
    enum tenant_resource resource;
    const char *method;
    struct tenant_value
        values[7];     /* those not named are left out of the address, with their slash */
    const char *query; /* behind the '?', escaped; NULL: none */
    const char *token; /* "Bearer" */
};

/* A request ready for http_start(): fill in body, tries, times. What it points to lies in here, so it must not be moved. */
struct tenant_request {
    struct http_request request;
    const char *headers[6];
    struct buf url, authorization, accept, content_type; /* the authorization is wiped */
};

/* ERR_LIMIT: the address gets too long. ERR_UNSUPPORTED: the server has given up the version that we speak. *RET is the caller's on success: tenant_request_deinit(), when http_start() has
 * copied the texts, is early enough. */
MUST_CHECK int tenant_prepare(const struct tenant *t, const struct tenant_query *q,
                              struct tenant_request *ret, struct err *err);
/* The one that asks where things are. */
void tenant_prepare_discovery(const struct tenant *t, const char *token,
                              struct tenant_request *ret);
void tenant_request_deinit(struct tenant_request *r);

/* ---- for all of GitHub's services ---- */

/* Appends BASE and REST with exactly one slash between them (appendix C). */
void github_url_join(struct buf *to, const char *base, const char *rest);
/* Appends TEXT escaped for one part of a path or a value of a query (RFC 3986). */
void github_url_escape(struct buf *to, struct slice text);
