#include "queue/github/scale/admin.h"

#include "base/base64.h"
#include "base/wipe.h"
#include "queue/github/enrol/enrol.h"
#include "queue/loose.h"

#include <inttypes.h>
#include <time.h>

enum {
    BACKDATED_S = 60, /* as the public client does it: clocks differ */
    APP_LIFE_S = 540, /* GitHub takes ten minutes at most */
    TENANT_TRIES = 3, /* a registration token that was just made may not be known everywhere yet */
    JWT_MAX = 16 << 10,
    PATH_MAX_SIZE = 4096,
};

struct scale_admin {
    struct scale_admin_spec spec;
    struct github_token *token;
    struct call *call;
    char *url;
    bool fresh; /* the registration token was made just now */
};

/* ---- what goes wrong ---- */

/* WHAT was asked for: the same words as of registering, for the cures are the same. */
static void refuse(struct scale_admin *a, const struct answer *answer, const char *what)
{
    const struct github_register_spec spec = {.pat = a->spec.credential->token ? NULL : "set"};
    const struct enrol e = {.spec = &spec, .place = *a->spec.place};
    struct rest_answer as_rest = {.status = answer->status};
    struct err err = ERR_INIT;

    (void)snprintf(as_rest.text, sizeof as_rest.text, "%.*s", REST_TEXT_SIZE - 1, answer->text);
    (void)enrol_fail(&e, &as_rest, what, &err);
    github_token_fail(
        a->token, answer->kind == ANSWER_TRANSIENT ? GITHUB_TOKEN_NO_ANSWER : GITHUB_TOKEN_REFUSED,
        err.text);
}

static void make_no_sense(struct scale_admin *a, const char *what)
{
    struct err err = ERR_INIT;

    (void)err_set(&err, ERR_FAILED,
                  "'%.80s' answers with something else than %s: is the address right, and is there "
                  "a proxy or a log-in in between?",
                  a->spec.place->rest, what);
    github_token_fail(a->token, GITHUB_TOKEN_NO_ANSWER, err.text);
}

/* A document, or NULL. */
static json_t *document_of(struct slice body)
{
    struct err ignored = ERR_INIT; /* then it is none */
    json_t *json = NULL;

    return loose_parse(body, &json, &ignored) < 0 ? NULL : json;
}

/* ---- the tenant ---- */

static void on_tenant(void *ctx, const struct answer *answer, struct slice body,
                      const struct http_answer *http)
{
    struct scale_admin *a = ctx;
    struct err err = ERR_INIT;

    (void)http;
    a->call = NULL;
    if (answer->kind != ANSWER_FINE) {
        refuse(a, answer, "cannot register runners");
        return;
    }
    CLEANUP(loose_wipep) json_t *json = document_of(body);
    const char *url = loose_text(json, "url"), *token = loose_text(json, "token");
    if (!*url || !*token) {
        make_no_sense(a, "where the runner service is");
        return;
    }
    if (enrol_check_tenant(a->spec.place, url, &err) < 0) {
        github_token_fail(a->token, GITHUB_TOKEN_REFUSED, err.text);
        return;
    }
    free(a->url);
    a->url = mem_dup(url, strlen(url));
    github_token_take(a->token, token, scale_token_life(token));
}

static void ask_tenant(struct scale_admin *a, const char *token)
{
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(PATH_MAX_SIZE);
    CLEANUP(loose_freep)
    json_t *body = json_pack("{s:s, s:s}", "url", a->spec.place->url, "runner_event", "register");

    github_url_join(&url, a->spec.place->rest, "actions/runner-registration");
    const struct call_spec spec = {
        .method = "POST",
        .url = url.ptr,
        .scheme = "RemoteAuth",
        .bearer = token,
        .body = body,
        .tries = a->fresh ? TENANT_TRIES : 1,
        .settled = ~(CALL_SETTLES(ANSWER_UNAUTHORIZED) | CALL_SETTLES(ANSWER_FORBIDDEN)),
    };
    a->call = call_start(a->spec.caller, &spec, on_tenant, a);
}

/* ---- the registration token ---- */

static void on_registration(void *ctx, const struct answer *answer, struct slice body,
                            const struct http_answer *http)
{
    struct scale_admin *a = ctx;

    (void)http;
    a->call = NULL;
    if (answer->kind != ANSWER_FINE) {
        refuse(a, answer, "cannot get a token for runners");
        return;
    }
    CLEANUP(loose_wipep) json_t *json = document_of(body);
    if (*loose_text(json, "token"))
        ask_tenant(a, loose_text(json, "token"));
    else
        make_no_sense(a, "a token for runners");
}

static void ask_registration(struct scale_admin *a, const char *token)
{
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(PATH_MAX_SIZE);

    github_url_join(&url, a->spec.place->rest, a->spec.place->entity);
    buf_add_str(&url, "/actions/runners/registration-token");
    const struct call_spec spec = {.method = "POST", .url = url.ptr, .bearer = token};
    a->fresh = true;
    a->call = call_start(a->spec.caller, &spec, on_registration, a);
}

/* ---- an app ---- */

static void on_installation(void *ctx, const struct answer *answer, struct slice body,
                            const struct http_answer *http)
{
    struct scale_admin *a = ctx;
    struct err err = ERR_INIT;

    (void)http;
    a->call = NULL;
    if (answer->kind == ANSWER_UNAUTHORIZED || answer->kind == ANSWER_NOT_FOUND) {
        (void)err_set(
            &err, ERR_DENIED,
            "GitHub refuses the app '%.40s' (%.60s): see that --app-id, --app-installation "
            "and --app-key-file are those of one app",
            a->spec.credential->app, answer->text);
        github_token_fail(a->token, GITHUB_TOKEN_REFUSED, err.text);
        return;
    }
    if (answer->kind != ANSWER_FINE) {
        refuse(a, answer, "cannot get a token of the app");
        return;
    }
    CLEANUP(loose_wipep) json_t *json = document_of(body);
    if (*loose_text(json, "token"))
        ask_registration(a, loose_text(json, "token"));
    else
        make_no_sense(a, "a token of the app");
}

static void add_part(struct buf *to, json_t *take_json)
{
    char *text = json_dumps(take_json, JSON_COMPACT);

    if (!text)
        BUG("a token that is no JSON");
    base64_url(to, slice_of(text));
    free(text);
    json_decref(take_json);
}

static void ask_installation(struct scale_admin *a)
{
    const struct scale_credential *c = a->spec.credential;
    CLEANUP(wipe_buf) struct buf jwt = BUF_INIT(JWT_MAX);
    CLEANUP(buf_deinit) struct buf signature = BUF_INIT(RSA_KEY_SIZE);
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(PATH_MAX_SIZE);
    json_int_t from = (json_int_t)time(NULL) - BACKDATED_S;

    add_part(&jwt, json_pack("{s:s, s:s}", "alg", "RS256", "typ", "JWT"));
    buf_add_char(&jwt, '.');
    add_part(&jwt,
             json_pack("{s:s, s:I, s:I}", "iss", c->app, "exp", from + APP_LIFE_S, "iat", from));
    rsa_key_sign(c->key, RSA_RS256, buf_slice(&jwt), &signature);
    buf_add_char(&jwt, '.');
    base64_url(&jwt, buf_slice(&signature));
    github_url_join(&url, a->spec.place->rest, "app/installations/");
    buf_printf(&url, "%" PRId64 "/access_tokens", c->installation);
    const struct call_spec spec = {.method = "POST", .url = url.ptr, .bearer = jwt.ptr};
    a->call = call_start(a->spec.caller, &spec, on_installation, a);
}

/* ---- for the token ---- */

static void fetch(void *ctx)
{
    struct scale_admin *a = ctx;
    const struct scale_credential *c = a->spec.credential;

    if (c->app)
        ask_installation(a);
    else if (c->pat)
        ask_registration(a, c->pat);
    else
        ask_tenant(a, c->token);
}

static void stop(void *ctx)
{
    struct scale_admin *a = ctx;

    a->call = call_free(a->call);
}

struct scale_admin *scale_admin_new(const struct scale_admin_spec *spec)
{
    struct scale_admin *a = mem_new(sizeof *a);
    const struct github_token_spec token = {
        .retry_ms = 2 * spec->caller->waits->retry, .fetch = fetch, .stop = stop, .ctx = a};

    a->spec = *spec;
    a->token = github_token_new(NULL, spec->caller->http, spec->caller->loop, &token);
    return a;
}

struct scale_admin *scale_admin_free(struct scale_admin *a)
{
    if (a) {
        github_token_free(a->token);
        call_free(a->call);
        free(a->url);
        free(a);
    }
    return NULL;
}

struct github_token *scale_admin_token(struct scale_admin *a)
{
    return a->token;
}

const char *scale_admin_url(const struct scale_admin *a)
{
    return a->url;
}

/* Its two times tell it, whatever our clock says. */
int64_t scale_token_life(const char *token)
{
    CLEANUP(wipe_buf) struct buf claims = BUF_INIT(JWT_MAX);
    struct slice rest = slice_of(token), head = {0}, middle = {0};
    struct err ignored = ERR_INIT; /* what is no such token does not say it */

    if (!slice_split(&rest, '.', &head) || !slice_split(&rest, '.', &middle) || !rest.ptr ||
        base64_decode(middle, &claims, &ignored) < 0)
        return 0;
    CLEANUP(loose_wipep) json_t *json = document_of(buf_slice(&claims));
    int64_t end = loose_int(json, "exp", 0), from = loose_int(json, "nbf", 0);

    if (from <= 0)
        from = loose_int(json, "iat", 0);
    if (from <= 0)
        from = (int64_t)time(NULL);
    return end > from && end - from < INT32_MAX ? end - from : 0;
}
