#include "registry.h"

#include "../lib/json.h"
#include "challenge.h"
#include "reference.h"

#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    TOKEN_LIFE_S = 60,
    TOKEN_MARGIN_MS = 30000,
    HEADERS_EACH_MAX = 8,
    SHOWN_MAX = 200,
    PROBE_MS = 5000
};

enum scheme { SCHEME_UNKNOWN, SCHEME_NONE, SCHEME_BASIC, SCHEME_BEARER };

struct token {
    struct token *next;
    struct registry *registry;
    const char *scope;
    const char *header;          /* "Authorization: Bearer ..."; NULL: there is none */
    int64_t expires_ms, life_ms; /* by our clock */
    bool asking;                 /* a request for it is under way */
    bool proven;                 /* it has opened a door */
    bool no_post;                /* the service knows no POST */
};

struct call {
    struct call *next; /* while it waits */
    struct registry *registry;
    struct ask q;
    const char *url;
    const char *header; /* that it was sent with; NULL: none */
    const char *headers[HEADERS_EACH_MAX + 2];
    bool own;   /* goes to the registry itself */
    bool told;  /* it has been asked who we are */
    bool again; /* a token has been renewed for it already */
};

struct registry {
    struct registry_spec spec;
    const char *base; /* "https://host"; NULL: not known yet */
    bool probing;     /* one request is out to learn BASE, or the scheme */
    enum scheme scheme;
    const char *basic; /* the header; NULL: not made yet */
    const char *realm, *service;
    struct token *tokens;
    struct call *waiting;
    const char *trouble; /* with the token service; NULL: none */
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static bool has_login(const struct registry *r)
{
    return *r->spec.login.user || *r->spec.login.identity;
}

/* Plain HTTP is for this machine and for hosts that the user has listed. */
static bool may_be_plain(const struct registry *r)
{
    return r->spec.insecure || reference_is_loopback(r->spec.host);
}

struct registry *registry_new(const struct registry_spec *spec)
{
    struct registry *r = spec->step->host->alloc(spec->step, sizeof *r);

    *r = (struct registry){.spec = *spec};
    if (!may_be_plain(r))
        r->base = ost_fmt(spec->step, "https://%s", reference_api_host(spec->host));
    return r;
}

const char *registry_host(const struct registry *r)
{
    return r->spec.host;
}

const char *registry_scope(struct ost_step *step, const char *name, const char *rights)
{
    return ost_fmt(step, "repository:%s:%s", name, rights);
}

/* ---- errors ---- */

/* The first error in the body, or Docker Hub's own form; NULL: it is no JSON. */
static const struct json *error_of(struct ost_step *step, const struct web_answer *a)
{
    char *copy = step->host->alloc(step, a->body.size + 1);
    const struct json *j, *list;
    const char *why;

    if (a->body.size > 0)
        memcpy(copy, a->body.at, a->body.size);
    copy[a->body.size] = '\0';
    j = json_read(step, copy, a->body.size, false, &why);
    list = json_get(j, "errors");
    return list && list->kind == JSON_ARRAY && list->first ? list->first : j;
}

const char *registry_code(struct ost_step *step, const struct web_answer *a)
{
    return a->error ? "" : json_text(error_of(step, a), "code");
}

/* What a server wrote, on one line and short. */
static const char *shown(struct ost_step *step, struct span text)
{
    char *copy;

    if (text.size > SHOWN_MAX)
        text.size = SHOWN_MAX;
    copy = (char *)step->host->alloc(step, text.size + 1);
    for (size_t i = 0; i < text.size; i++)
        copy[i] = (unsigned char)text.at[i] < ' ' || text.at[i] == 0x7f ? ' ' : text.at[i];
    copy[text.size] = '\0';
    return copy;
}

/* "401 UNAUTHORIZED: authentication required" */
static const char *words_of(struct ost_step *step, const struct web_answer *a)
{
    const struct json *e = error_of(step, a);
    const char *code = json_text(e, "code"), *message = json_text(e, "message");

    if (!*code && !*message)
        return ost_fmt(step, "%d %s", a->status, shown(step, span_trim(a->body)));
    return ost_fmt(step, "%d %s%s%s", a->status, code, *code && *message ? ": " : "",
                   shown(step, span_of(message)));
}

/* What helps against A; "": nothing that we would know of. */
static const char *cure_for(const struct registry *r, const struct web_answer *a)
{
    struct ost_step *step = r->spec.step;
    const char *code = registry_code(step, a);

    if (a->untrusted)
        return "; give the file with its authority's certificate as 'ca-file', or list the host "
               "under 'insecure'";
    if (a->status == 401 && !has_login(r))
        return ost_fmt(step,
                       "; nobody is logged in to '%s': give 'username' and 'password', or log in "
                       "in an earlier step",
                       r->spec.host);
    if (a->status == 401 && r->scheme == SCHEME_BASIC)
        return ost_fmt(step, "; the user name or the password for '%s' is wrong", r->spec.host);
    if (a->status == 401 || a->status == 403 || strcmp(code, "DENIED") == 0)
        return ost_fmt(step,
                       "; '%s' may not do this at '%s': on ghcr.io the job needs 'permissions: "
                       "packages: write'",
                       *r->spec.login.user ? r->spec.login.user : "whoever has logged in",
                       r->spec.host);
    if (strcmp(code, "NAME_UNKNOWN") == 0)
        return "; this registry wants the repository to be made before the first push";
    if (a->status == 415 || a->status == 405 || strcmp(code, "UNSUPPORTED") == 0)
        return "; it may not know OCI's types: try 'format: docker'";
    if (a->status == 413)
        return "; a proxy in front of it limits the size of uploads: raise the limit there";
    if (a->status == 429)
        return "; it limits how much is asked of it: try again later, or log in";
    return "";
}

ost_status registry_complain(struct registry *r, const char *what, const struct web_answer *a)
{
    struct ost_step *step = r->spec.step;

    if (a->error == OST_E_CANCELLED)
        return a->error;
    if (r->trouble)
        return ost_fail(step, OST_E_DENIED, "cannot %s: %s", what, r->trouble);
    if (a->error)
        return ost_fail(step, a->error, "cannot %s: %s%s", what, a->why, cure_for(r, a));
    return ost_fail(step, a->status == 401 || a->status == 403 ? OST_E_DENIED : OST_E_FAILED,
                    "cannot %s: %s answered %s%s", what, r->spec.host, words_of(step, a),
                    cure_for(r, a));
}

/* ---- locations ---- */

static bool has_origin(const char *url, const char *base)
{
    size_t n = strlen(base);

    return strncasecmp(url, base, n) == 0 && (url[n] == '/' || url[n] == '?' || !url[n]);
}

/* Behind a proxy that ends TLS, registries often say http of themselves. */
const char *registry_location(struct registry *r, const struct web_answer *a)
{
    const char *url = web_resolve(r->spec.step, a, web_header(a, "Location"));
    bool secure = span_starts(span_of(r->base), "https:");

    if (!url || !secure || !span_starts(span_of(url), "http:"))
        return url;
    url = ost_fmt(r->spec.step, "https:%s", url + strlen("http:"));
    return has_origin(url, r->base) ? url : NULL;
}

/* ---- tokens ---- */

static void pump(struct registry *r);

static void add_query(struct sink *k, const char *name, struct span value)
{
    sink_addf(k, "%s%s=", k->size && k->data[k->size - 1] != '?' ? "&" : "", name);
    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = (unsigned char)value.at[i];

        if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || strchr("-._~:,/", c))
            sink_addf(k, "%c", c);
        else
            sink_addf(k, "%%%02X", c);
    }
}

/* One parameter for each repository. */
static void add_scopes(struct sink *k, const char *scopes)
{
    struct span rest = span_of(scopes), one;

    while (span_eat_until(&rest, ' ', &one))
        add_query(k, "scope", one);
    add_query(k, "scope", rest);
}

/* Ends the requests that wait for T, with what became of it. */
static void give_up(struct token *t, const struct web_answer *a)
{
    struct registry *r = t->registry;
    struct call **at = &r->waiting, *mine = NULL, *c;

    while ((c = *at)) {
        if (strcmp(c->q.scope, t->scope) != 0) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        c->next = mine;
        mine = c;
    }
    while ((c = mine)) {
        mine = c->next;
        c->q.done(c->q.ctx, a);
    }
}

static void keep(struct token *t, const struct json *j, const char *text)
{
    struct ost_step *step = t->registry->spec.step;
    uint32_t life = json_number(j, "expires_in");

    t->header = ost_fmt(step, "Authorization: Bearer %s", text);
    t->life_ms = (life ? life : TOKEN_LIFE_S) * INT64_C(1000);
    t->expires_ms = now_ms() + t->life_ms;
    t->proven = false;
}

static void ask_token(struct token *t);

/* What is wrong with the answer of a token service; NULL: T has its token. */
static const char *read_token(struct token *t, const struct web_answer *a)
{
    struct registry *r = t->registry;
    struct ost_step *step = r->spec.step;
    const struct json *j;
    const char *text;

    if (a->error)
        return ost_fmt(step, "the token service of '%s' does not answer: %s", r->spec.host, a->why);
    if (a->status == 401 || a->status == 403)
        return ost_fmt(step,
                       has_login(r) ? "the user name or the password for '%s' is wrong (its token "
                                      "service answered %s)"
                                    : "nobody is logged in to '%s' (its token service answered "
                                      "%s): give 'username' and 'password', or log in in an "
                                      "earlier step",
                       r->spec.host, words_of(step, a));
    if (a->status != 200)
        return ost_fmt(step, "the token service of '%s' answered %s", r->spec.host,
                       words_of(step, a));
    j = error_of(step, a);
    text = json_text(j, "token");
    if (!*text)
        text = json_text(j, "access_token");
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c > '~')
            text = "";
    if (!*text)
        return ost_fmt(step, "the token service of '%s' sent no token", r->spec.host);
    if (step->host->mask(step, text) < 0)
        return "the token cannot be masked";
    keep(t, j, text);
    return NULL;
}

static void on_token(void *ctx, const struct web_answer *a)
{
    struct token *t = ctx;
    const char *trouble;

    t->asking = false;
    if (!a->error && (a->status == 404 || a->status == 405) && !t->no_post &&
        *t->registry->spec.login.identity) {
        t->no_post = true;
        ask_token(t);
        return;
    }
    trouble = read_token(t, a);
    if (!trouble) {
        pump(t->registry);
        return;
    }
    if (a->error != OST_E_CANCELLED)
        t->registry->trouble = trouble;
    give_up(t, a);
}

/* With a refresh token by POST, else by GET, with whom we are if we are somebody. */
static void ask_token(struct token *t)
{
    const struct registry *r = t->registry;
    struct ost_step *step = r->spec.step;
    bool post = *r->spec.login.identity && !t->no_post;
    struct sink url = {.step = step}, form = {.step = step};
    struct strings headers = {0};
    struct web_request q = {.flags = WEB_FOLLOW | (r->spec.insecure ? WEB_INSECURE : 0u),
                            .ca_file = r->spec.ca_file,
                            .ctx = t};
    const char *basic = NULL;

    t->asking = true;
    sink_add(&url, span_of(r->realm));
    if (post) {
        sink_addf(&form, "grant_type=refresh_token&client_id=ostler");
        add_query(&form, "service", span_of(r->service));
        add_scopes(&form, t->scope);
        add_query(&form, "refresh_token", span_of(r->spec.login.identity));
        strings_add(step, &headers, "Content-Type: application/x-www-form-urlencoded");
        q.method = "POST";
        q.body = form.data;
        q.body_size = (int64_t)form.size;
    } else {
        sink_addf(&url, "%s", strchr(r->realm, '?') ? "&" : "?");
        if (*r->service)
            add_query(&url, "service", span_of(r->service));
        add_scopes(&url, t->scope);
        if (*r->spec.login.user &&
            web_basic(step, r->spec.login.user, r->spec.login.password, &basic) == OST_OK)
            strings_add(step, &headers, basic);
    }
    q.url = sink_text(&url);
    q.headers = strings_list(&headers);
    (void)web_start(r->spec.web, &q, on_token);
}

static struct token *token_for(struct registry *r, const char *scope)
{
    struct token *t = r->tokens;

    while (t && strcmp(t->scope, scope) != 0)
        t = t->next;
    if (!t) {
        t = r->spec.step->host->alloc(r->spec.step, sizeof *t);
        *t = (struct token){.next = r->tokens, .registry = r, .scope = scope};
        r->tokens = t;
    }
    return t;
}

/* Renewed while 30 s, or a tenth of its life, are left: what is begun with it then ends with it. */
static bool is_usable(const struct token *t)
{
    int64_t margin = t->life_ms / 10 < TOKEN_MARGIN_MS ? t->life_ms / 10 : TOKEN_MARGIN_MS;

    return t->header && now_ms() + margin < t->expires_ms;
}

/* ---- requests ---- */

/* A realm gets the password: it has to be as safe as the registry. */
static bool is_realm(const struct registry *r, const char *realm)
{
    struct span s = span_of(realm), host;

    if (span_eat(&s, "https://"))
        return s.size > 0;
    if (!span_eat(&s, "http://"))
        return false;
    host = s;
    host.size = strcspn(s.at, "/?#");
    return span_starts(span_of(r->base), "http:") || r->spec.insecure ||
           reference_is_loopback(span_dup(r->spec.step, host));
}

/* The scheme is known now. False: it is one that we cannot serve. */
static bool learn(struct registry *r, const struct challenge *c)
{
    if (c->kind == CHALLENGE_BASIC && *r->spec.login.user) {
        r->scheme = SCHEME_BASIC;
        return true;
    }
    if (c->kind != CHALLENGE_BEARER)
        return false;
    if (!is_realm(r, c->realm)) {
        r->trouble =
            ost_fmt(r->spec.step, "'%s' names a token service that is not https", r->spec.host);
        return false;
    }
    r->scheme = SCHEME_BEARER;
    r->realm = c->realm;
    r->service = c->service;
    return true;
}

/* True: C waits to be sent again. */
static bool refused(struct call *c, const struct web_answer *a)
{
    struct registry *r = c->registry;
    struct challenge challenge = challenge_read(r->spec.step, a->headers);
    struct token *t;

    if (!c->header) {
        bool first = !c->told;

        c->told = true;
        return first && learn(r, &challenge);
    }
    if (r->scheme != SCHEME_BEARER || c->again)
        return false;
    t = token_for(r, c->q.scope);
    if (t->header == c->header) {
        /* A token that never opened anything and grants too little will not grant more next time. */
        if (!t->proven && strcmp(challenge.error, "insufficient_scope") == 0)
            return false;
        t->header = NULL;
    }
    c->again = true;
    return true;
}

static void wait(struct call *c)
{
    struct call **tail = &c->registry->waiting;

    while (*tail)
        tail = &(*tail)->next;
    c->next = NULL;
    *tail = c;
}

static void on_answer(void *ctx, const struct web_answer *a)
{
    struct call *c = ctx;
    struct registry *r = c->registry;
    bool first = r->probing && c->own && !c->header;

    if (first)
        r->probing = false;
    if (!a->error && a->status == 401 && c->own && refused(c, a)) {
        wait(c);
        pump(r);
        return;
    }
    if (!a->error && c->own && a->status != 401) {
        if (first && r->scheme == SCHEME_UNKNOWN)
            r->scheme = SCHEME_NONE;
        for (struct token *t = r->tokens; t; t = t->next)
            t->proven = t->proven || t->header == c->header;
    }
    c->q.done(c->q.ctx, a);
    pump(r);
}

static void send(struct call *c, const char *header)
{
    const struct registry *r = c->registry;
    size_t n = 0;

    c->header = header;
    if (header)
        c->headers[n++] = header;
    for (size_t i = 0; c->q.headers && c->q.headers[i] && i < HEADERS_EACH_MAX; i++)
        c->headers[n++] = c->q.headers[i];
    c->headers[n] = NULL;
    if (c->q.path)
        c->url = ost_fmt(r->spec.step, "%s%s", r->base, c->q.path);
    (void)web_start(r->spec.web,
                    &(struct web_request){
                        .method = c->q.method,
                        .url = c->url,
                        .headers = c->headers,
                        .body = c->q.body.data,
                        .body_fd = c->q.body.data ? 0 : c->q.body.fd,
                        .body_at = c->q.body.at,
                        .body_size = c->q.body.size,
                        .ca_file = r->spec.ca_file,
                        .flags = c->q.flags | (r->spec.insecure ? WEB_INSECURE : 0u),
                        .delay_ms = c->q.delay_ms,
                        .total_ms = c->q.total_ms,
                        .sent = c->q.sent,
                        .ctx = c,
                    },
                    on_answer);
    c->q.delay_ms = 0;
}

/* ---- http or https ---- */

/* This machine mostly speaks http; a server of https tells so with a 400. Elsewhere https is tried first. */
static bool is_http_first(const struct registry *r)
{
    return reference_is_loopback(r->spec.host) && !r->spec.insecure;
}

static void on_probe(void *ctx, const struct web_answer *a)
{
    struct registry *r = ctx;
    bool http = is_http_first(r), other = a->error || (http && a->status == 400);
    struct call *c;

    r->probing = false;
    if (a->error != OST_E_CANCELLED && !a->untrusted) {
        r->base = ost_fmt(r->spec.step, "%s://%s", http != other ? "http" : "https",
                          reference_api_host(r->spec.host));
        pump(r);
        return;
    }
    while ((c = r->waiting)) {
        r->waiting = c->next;
        c->q.done(c->q.ctx, a);
    }
}

/* Nothing of ours is shown in it. */
static void probe(struct registry *r)
{
    r->probing = true;
    (void)web_start(
        r->spec.web,
        &(struct web_request){
            .method = "GET",
            .url = ost_fmt(r->spec.step, "%s://%s/v2/", is_http_first(r) ? "http" : "https",
                           reference_api_host(r->spec.host)),
            .ca_file = r->spec.ca_file,
            .flags = WEB_ONCE | (r->spec.insecure ? WEB_INSECURE : 0u),
            .total_ms = PROBE_MS,
            .ctx = r,
        },
        on_probe);
}

/* True: C has been sent, or has ended. */
static bool try(struct registry *r, struct call *c)
{
    struct token *t;

    if (!c->own) {
        send(c, NULL);
        return true;
    }
    if (r->scheme == SCHEME_UNKNOWN && r->probing)
        return false;
    switch (r->scheme) {
    case SCHEME_UNKNOWN:
        r->probing = true;
        send(c, NULL);
        return true;
    case SCHEME_NONE:
        send(c, NULL);
        return true;
    case SCHEME_BASIC:
        if (!r->basic) /* what cannot be masked is not sent, and the registry says what it thinks of that */
            (void)web_basic(r->spec.step, r->spec.login.user, r->spec.login.password, &r->basic);
        send(c, r->basic);
        return true;
    case SCHEME_BEARER:
        break;
    }
    t = token_for(r, c->q.scope);
    if (is_usable(t)) {
        send(c, t->header);
        return true;
    }
    if (!t->asking)
        ask_token(t);
    return false;
}

static void pump(struct registry *r)
{
    struct call **at = &r->waiting, *c;

    if (!r->waiting || (!r->base && r->probing))
        return;
    if (!r->base) {
        probe(r);
        return;
    }
    while ((c = *at)) {
        if (try(r, c))
            *at = c->next;
        else
            at = &c->next;
    }
}

void registry_ask(struct registry *r, const struct ask *q)
{
    struct call *c = r->spec.step->host->alloc(r->spec.step, sizeof *c);

    *c = (struct call){.registry = r, .q = *q, .url = q->url};
    c->own = q->path || (r->base && has_origin(q->url, r->base));
    wait(c);
    pump(r);
}

/* ---- one alone ---- */

struct waiting {
    struct ost_step *step;
    struct web_answer *answer;
    bool over;
};

static void on_done(void *ctx, const struct web_answer *a)
{
    struct waiting *w = ctx;

    *w->answer = web_keep(w->step, a);
    w->over = true;
}

void registry_do(struct registry *r, const struct ask *q, struct web_answer *ret)
{
    struct waiting w = {.step = r->spec.step, .answer = ret};
    struct ask own = *q;

    own.done = on_done;
    own.ctx = &w;
    registry_ask(r, &own);
    while (!w.over)
        web_turn(r->spec.web, -1, -1);
}
