#include "queue/github/api/tenant.h"

#include "base/arena.h"
#include "base/num.h"
#include "queue/loose.h"

enum { DEFINITIONS_MAX = 5000 }; /* the live service has some 300 */

#define POOL "_apis/distributedtask/pools/{poolId}"
#define PLAN "{scopeIdentifier}/_apis/distributedtask/hubs/{hubName}/plans/{planId}"
#define RECORD PLAN "/timelines/{timelineId}/records/{recordId}"

/* Appendix A: as the live service had them in June 2026. API: 51 is version 5.1. */
static const struct known {
    const char *id, *route;
    int api, resource;
} known[TENANT_RESOURCES] = {
    [TENANT_POOLS] = {"a8c47e17-4d56-4a56-92bb-de7ea7dc65be", POOL, 51, 1},
    [TENANT_AGENTS] = {"e298ef32-5878-4cab-993c-043836571f42", POOL "/agents/{agentId}", 60, 2},
    [TENANT_SESSIONS] = {"134e239e-2df3-4794-a6f6-24f1f19ec8dc", POOL "/sessions/{sessionId}", 51,
                         1},
    [TENANT_MESSAGES] = {"c3a054f6-7a8a-49c0-944e-3a8e5d7adfd7", POOL "/messages/{messageId}", 60,
                         1},
    [TENANT_MESSAGE] = {"c3a054f6-7a8a-49c0-944e-3a8e5d7adfd7", POOL "/messages/{messageId}", 51,
                        1},
    [TENANT_UPDATES] = {"8cc1b02b-ae49-4516-b5ad-4f9b29967c30", POOL "/agents/{agentId}/updates",
                        51, 1},
    [TENANT_JOB_REQUESTS] = {"fc825784-c92a-4299-9221-998a02d1b54f",
                             POOL "/jobrequests/{requestId}", 51, 1},
    [TENANT_CONFIG_REFRESH] = {"13b5d709-74aa-470b-a8e9-bf9f3ded3f18",
                               "_apis/distributedtask/agents/{agentId}/runnerconfigrefresh/"
                               "{configType}",
                               60, 1},
    [TENANT_RUNNER_MESSAGES] = {"25adab70-1379-4186-be8e-b643061ebe3a",
                                "_apis/distributedtask/runnermessages/{messageId}", 60, 1},
    [TENANT_TIMELINES] = {"83597576-cc2c-453c-bea6-2882ae6a1653", PLAN "/timelines/{timelineId}",
                          51, 1},
    [TENANT_RECORDS] = {"8893bc5b-35b2-4be7-83cb-99e683551db4", RECORD, 51, 1},
    [TENANT_FEED] = {"858983e4-19bd-4c5e-864c-507b59b58b12", RECORD "/feed", 51, 1},
    [TENANT_ATTACHMENTS] = {"7898f959-9cdf-4096-b29e-7f293031629e",
                            RECORD "/attachments/{type}/{name}", 51, 1},
    [TENANT_LOGS] = {"46f5667d-263a-4684-91b1-dff7fdcf64e2", PLAN "/logs/{logId}", 51, 1},
    [TENANT_EVENTS] = {"557624af-b29e-4c20-8ab0-0399d2204f3f", PLAN "/events", 20, 1},
    [TENANT_ACTION_DOWNLOADS] = {"27d7f831-88c1-4719-8ca1-6a061dad90eb", PLAN "/actiondownloadinfo",
                                 60, 1},
};

struct route {
    const char *text; /* area and resource are put in already */
    char version[32]; /* "6.0-preview.2"; "": the server speaks none of ours any more */
};

struct tenant {
    struct arena arena;
    const char *base;
    struct route routes[TENANT_RESOURCES];
};

/* ---- addresses ---- */

void github_url_join(struct buf *to, const char *base, const char *rest)
{
    buf_add_str(to, base);
    if (!slice_ends(slice_of(base), SLICE("/")))
        buf_add_char(to, '/');
    buf_add_str(to, *rest == '/' ? rest + 1 : rest);
}

void github_url_escape(struct buf *to, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';

        if (plain)
            buf_add_char(to, c);
        else
            buf_printf(to, "%%%02X", (unsigned)(unsigned char)c);
    }
}

/* Puts values in the place of what stands in braces. What has none goes away with the slash in front of it if DROP, and
 * stays as it is if not. */
static void expand(struct slice text, const struct tenant_value *values, size_t n, bool drop,
                   struct buf *to)
{
    for (ssize_t at; (at = slice_find_char(text, '{')) >= 0;) {
        struct slice name = slice_from(text, (size_t)at + 1);
        ssize_t end = slice_find_char(name, '}');
        const char *value = NULL;

        if (end < 0)
            break;
        struct slice whole = slice_make(text.ptr + at, (size_t)end + 2);
        name = slice_head(name, (size_t)end);
        for (size_t i = 0; i < n && values[i].name; i++)
            if (slice_eq_nocase(name, slice_of(values[i].name)))
                value = values[i].text;
        struct slice before = slice_head(text, (size_t)at);
        if (!value && drop && slice_ends(before, SLICE("/")))
            before = slice_head(before, before.len - 1);
        buf_add(to, before);
        if (value)
            github_url_escape(to, slice_of(value));
        else if (!drop)
            buf_add(to, whole);
        text = slice_from(text, (size_t)at + whole.len);
    }
    buf_add(to, text);
}

/* ---- what is known from the beginning ---- */

static void set_version(struct route *r, int api, int64_t resource)
{
    (void)snprintf(r->version, sizeof r->version, "%d.%d-preview.%d", api / 10, api % 10,
                   (int)resource);
}

struct tenant *tenant_new(const char *base_url)
{
    struct tenant *t = mem_new(sizeof *t);

    t->base = arena_str(&t->arena, slice_of(base_url));
    for (size_t i = 0; i < TENANT_RESOURCES; i++) {
        t->routes[i].text = known[i].route;
        set_version(&t->routes[i], known[i].api, known[i].resource);
    }
    return t;
}

struct tenant *tenant_free(struct tenant *t)
{
    if (t) {
        arena_deinit(&t->arena);
        free(t);
    }
    return NULL;
}

/* ---- what the server says ---- */

/* "5.1" as 51; FALLBACK if it is no such version. */
static int version_of(const json_t *definition, const char *name, int fallback)
{
    struct slice rest = slice_of(loose_text(definition, name)), major, minor = {0};
    struct err ignored = ERR_INIT;
    int64_t a, b;

    if (!slice_split(&rest, '.', &major) || !slice_split(&rest, '.', &minor) ||
        num_parse_i64(major, 0, 100, &a, &ignored) < 0 ||
        num_parse_i64(minor, 0, 9, &b, &ignored) < 0)
        return fallback;
    return (int)(10 * a + b);
}

/* 0.7: the lower one of what we and the server can. */
static void agree(struct route *r, const struct known *k, const json_t *definition)
{
    int least = version_of(definition, "minVersion", 0);
    int most = version_of(definition, "maxVersion", k->api);
    int released = version_of(definition, "releasedVersion", 0);
    int64_t resource = loose_int(definition, "resourceVersion", k->resource);

    if (least > k->api)
        r->version[0] = '\0';
    else if (most < k->api)
        (void)snprintf(r->version, sizeof r->version, "%d.%d%s", most / 10, most % 10,
                       released < most ? "-preview" : "");
    else
        set_version(r, k->api, resource < k->resource ? resource : k->resource);
}

/* A route leads to a place on the tenant's own server, whatever it says. */
static bool is_route(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= ' ' || strchr("?#\\\x7f", text.ptr[i]))
            return false;
    return text.len > 0 && text.len <= TENANT_TEMPLATE_MAX;
}

static void learn_one(struct tenant *t, const json_t *definition)
{
    struct slice id = slice_of(loose_text(definition, "identifier"));
    const struct tenant_value names[] = {{"area", loose_text(definition, "serviceType")},
                                         {"resource", loose_text(definition, "displayName")}};

    if (loose_int(definition, "resourceVersion", 0) <= 0)
        return; /* a service elsewhere */
    for (size_t i = 0; i < TENANT_RESOURCES; i++) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT(TENANT_TEMPLATE_MAX);
        struct slice path = slice_of(loose_text(definition, "relativePath"));

        if (!slice_eq_nocase(id, slice_of(known[i].id)) || !is_route(path))
            continue;
        expand(path, names, COUNT_OF(names), false, &text);
        if (text.overflow)
            continue;
        t->routes[i].text = arena_str(&t->arena, buf_slice(&text));
        agree(&t->routes[i], &known[i], definition);
    }
}

int tenant_learn(struct tenant *t, struct slice body, struct err *err)
{
    CLEANUP(loose_freep) json_t *all = NULL;
    json_t *definition;
    size_t i;
    int r = loose_parse(body, &all, err);

    if (r < 0)
        return r;
    const json_t *list = loose_find(loose_find(all, "locationServiceData"), "serviceDefinitions");
    if (!json_is_array(list) || json_array_size(list) > DEFINITIONS_MAX)
        return err_set(err, ERR_INVALID, "the server does not say where its services are");
    json_array_foreach (list, i, definition)
        learn_one(t, definition);
    return ERR_OK;
}

/* ---- requests ---- */

static void add_header(struct tenant_request *r, const char *text)
{
    size_t n = 0;

    while (r->headers[n])
        n++;
    r->headers[n] = text;
}

/* VERSION: NULL for the one call that has none. */
static void fill(const char *method, const char *token, const char *version,
                 struct tenant_request *r)
{
    buf_printf(&r->authorization, "Authorization: Bearer %s", token);
    buf_add_str(&r->accept, "Accept: application/json");
    if (version)
        buf_printf(&r->accept, "; api-version=%s", version);
    add_header(r, r->authorization.ptr);
    add_header(r, r->accept.ptr);
    /* Else the service answers 302 to a page for people instead of 401. */
    add_header(r, "X-TFS-FedAuthRedirect: Suppress");
    if (version && strcmp(method, "GET") != 0 && strcmp(method, "DELETE") != 0) {
        buf_printf(&r->content_type,
                   "Content-Type: application/json; charset=utf-8; api-version=%s", version);
        add_header(r, r->content_type.ptr);
    }
    r->request.method = method;
    r->request.url = r->url.ptr;
    r->request.headers = r->headers;
}

static struct tenant_request request_new(void)
{
    return (struct tenant_request){.url = BUF_INIT(TENANT_URL_MAX),
                                   .authorization = BUF_INIT(HTTP_HEADERS_MAX),
                                   .accept = BUF_INIT(200),
                                   .content_type = BUF_INIT(200)};
}

int tenant_prepare(const struct tenant *t, const struct tenant_query *q, struct tenant_request *ret,
                   struct err *err)
{
    const struct route *route = &t->routes[q->resource];
    CLEANUP(buf_deinit) struct buf path = BUF_INIT(TENANT_URL_MAX);
    CLEANUP(tenant_request_deinit) struct tenant_request r = request_new();

    if (!route->version[0])
        return err_set(err, ERR_UNSUPPORTED,
                       "the server does not speak version %d.%d of '%s' any more: a newer release "
                       "of this program is needed",
                       known[q->resource].api / 10, known[q->resource].api % 10, route->text);
    expand(slice_of(route->text), q->values, COUNT_OF(q->values), true, &path);
    github_url_join(&r.url, t->base, path.ptr);
    if (q->query)
        buf_printf(&r.url, "?%s", q->query);
    if (path.overflow || r.url.overflow)
        return err_set(err, ERR_LIMIT, "an address of the server's is larger than %d bytes",
                       TENANT_URL_MAX);
    *ret = r;
    r = request_new(); /* it is the caller's now */
    fill(q->method, q->token, route->version, ret);
    return ERR_OK;
}

void tenant_prepare_discovery(const struct tenant *t, const char *token, struct tenant_request *ret)
{
    *ret = request_new();
    github_url_join(&ret->url, t->base,
                    "_apis/connectionData?connectOptions=1&lastChangeId=-1&lastChangeId64=-1");
    fill("GET", token, NULL, ret);
}

void tenant_request_deinit(struct tenant_request *r)
{
    explicit_bzero(r->authorization.ptr, r->authorization.len);
    buf_deinit(&r->url);
    buf_deinit(&r->authorization);
    buf_deinit(&r->accept);
    buf_deinit(&r->content_type);
}
