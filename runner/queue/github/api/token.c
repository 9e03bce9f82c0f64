#include "queue/github/api/token.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/vec.h"
#include "base/wipe.h"
#include "queue/backoff.h"
#include "queue/clocks.h"
#include "queue/github/api/answer.h"
#include "queue/loose.h"

#include <inttypes.h>

enum {
    LIFE_S = 300,              /* of an assertion: the service takes exactly that and no more */
    SKEW_S = CLOCKS_DIFFER_S,  /* clocks that differ by less are not put right */
    RETRIES = 5,               /* of one request */
    RETRY_MS = 10000,          /* before the first of them */
    RETRY_MOST_MS = 600000,    /* before any */
    RENEW_AGAIN_MS = 60000,    /* a renewal that failed, while the token is still good */
    TOTAL_MS = 100000,         /* of one try */
    EXPIRES_S = 2999,          /* where the answer does not say it: as observed */
    EXPIRES_MAX_S = 7 * 86400, /* whatever it says */
    ASSERTION_MAX = 16 << 10,
    TOKEN_MAX = 48 << 10, /* what fits into a header */
};

struct waiter {
    github_token_fn *done;
    void *ctx;
    unsigned round; /* those of the present round are not told before the next */
};

struct github_token {
    const struct github_settings *settings;
    struct http *http;
    struct loop *loop;
    struct github_token_spec spec;
    char *audience, *address; /* of the assertion: whom it is for, and where it goes */
    struct backoff backoff;
    char *token; /* NULL: there is none */
    int64_t ends_ms;
    int64_t offset; /* seconds that the server's clock is ahead */
    bool put_right; /* in this fetch */
    bool fetching;  /* spec.fetch() is under way */
    VEC(struct waiter) waiters;
    unsigned round;
    bool *gone; /* set when it is freed in the middle of telling */

    struct http_call *call;
    struct buf body;                       /* of the call */
    struct timer *retry, *renew, *deliver; /* the next try, the next fetch, a token that is there */
};

/* ---- who waits ---- */

/* Tells all that waited when this began; each may do anything to us meanwhile. */
static void tell(struct github_token *t, enum github_token_trouble trouble, const struct err *err)
{
    char *copy = t->token && !trouble ? mem_dup(t->token, strlen(t->token)) : NULL;
    bool gone = false;

    t->gone = &gone;
    t->round++;
    for (size_t i = 0; !gone && i < t->waiters.len;) {
        struct waiter w = t->waiters.ptr[i];

        if (w.round == t->round) {
            i++;
            continue;
        }
        vec_remove(&t->waiters, i);
        w.done(w.ctx, copy, trouble, err);
        i = 0; /* the list may be another one now */
    }
    if (!gone)
        t->gone = NULL;
    wipe_free(copy);
}

static void on_deliver(void *ctx)
{
    struct github_token *t = ctx;

    t->deliver = NULL;
    tell(t, GITHUB_TOKEN_FINE, NULL);
}

static bool is_good(const struct github_token *t)
{
    return t->token && clock_ms() < t->ends_ms;
}

/* ---- the assertion ---- */

static void add_part(struct buf *to, json_t *take_json)
{
    char *text = json_dumps(take_json, JSON_COMPACT);

    if (!text)
        BUG("an assertion that is no JSON");
    base64_url(to, slice_of(text));
    free(text);
    json_decref(take_json);
}

static void add_assertion(const struct github_token *t, struct buf *to)
{
    const struct github_settings *s = t->settings;
    CLEANUP(wipe_buf) struct buf token = BUF_INIT(ASSERTION_MAX);
    CLEANUP(buf_deinit) struct buf signature = BUF_INIT(RSA_KEY_SIZE);
    json_int_t now = (json_int_t)(time(NULL) + t->offset);
    char id[RANDOM_UUID_SIZE];

    random_uuid(id);
    add_part(&token, json_pack("{s:s, s:s}", "typ", "JWT", "alg", s->fips ? "PS256" : "RS256"));
    buf_add_char(&token, '.');
    add_part(&token,
             json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "sub", s->client_id, "iss", s->client_id,
                       "aud", t->audience, "jti", id, "nbf", now, "exp", now + LIFE_S));
    rsa_key_sign(s->key, s->fips ? RSA_PS256 : RSA_RS256, buf_slice(&token), &signature);
    buf_add_char(&token, '.');
    base64_url(&token, buf_slice(&signature));
    if (token.overflow)
        BUG("an assertion of more than %d bytes", ASSERTION_MAX);
    buf_add(to, buf_slice(&token));
}

/* ---- what the server says ---- */

/* How far its clock is ahead, in seconds; false: it does not say. */
static bool clock_of(const struct http_answer *a, int64_t *ret)
{
    int64_t theirs;

    if (!a || !clocks_date(http_header(a, "Date"), &theirs))
        return false;
    *ret = theirs - (int64_t)time(NULL);
    return true;
}

static enum github_token_trouble trouble_of(const struct answer *answer, struct slice body)
{
    struct err ignored = ERR_INIT; /* then its status has to do */
    json_t *json = NULL;

    if (answer->kind == ANSWER_SKEW)
        return GITHUB_TOKEN_SKEW;
    if (answer->kind == ANSWER_BAD_CLIENT)
        return GITHUB_TOKEN_INVALID_CLIENT;
    if (answer->kind == ANSWER_TRANSIENT)
        return GITHUB_TOKEN_NO_ANSWER;
    bool passing = loose_parse(body, &json, &ignored) == ERR_OK &&
                   strcmp(loose_text(json, "error"), "server_error") == 0;
    json_decref(json);
    return passing ? GITHUB_TOKEN_SERVER_ERROR : GITHUB_TOKEN_REFUSED;
}

static void explain(const struct github_token *t, enum github_token_trouble trouble,
                    const char *text, struct err *err)
{
    char ours[CLOCKS_TEXT_SIZE];

    if (!t->settings) { /* whoever fetched it knows better what to say */
        (void)err_set(err, trouble == GITHUB_TOKEN_REFUSED ? ERR_DENIED : ERR_FAILED, "%s", text);
        return;
    }
    switch (trouble) {
    case GITHUB_TOKEN_INVALID_CLIENT:
        (void)err_set(err, ERR_DENIED,
                      "GitHub does not know this runner, or not with this key (%.120s): register "
                      "it anew",
                      text);
        return;
    case GITHUB_TOKEN_SKEW:
        clocks_text((int64_t)time(NULL), ours);
        (void)err_set(err, ERR_FAILED,
                      "the clock of this machine is wrong, it shows %s (%.100s): set it, as with "
                      "'timedatectl set-ntp true'",
                      ours, text);
        return;
    default:
        (void)err_set(err, trouble == GITHUB_TOKEN_REFUSED ? ERR_DENIED : ERR_FAILED,
                      "no token from '%.60s': %.120s", t->address, text);
    }
}

static void fetch(struct github_token *t);

static void on_renew(void *ctx)
{
    struct github_token *t = ctx;

    t->renew = NULL;
    fetch(t);
}

static void renew_at(struct github_token *t, int64_t at_ms)
{
    timer_free(t->renew);
    t->renew = loop_timer(t->loop, at_ms, on_renew, t);
}

/* ERR_INVALID: that is no token. */
static int keep_token(struct github_token *t, const char *token, int64_t life, struct err *err)
{
    size_t len = strlen(token);
    int64_t now = clock_ms();

    if (!len || len > TOKEN_MAX || strcspn(token, "\r\n ") != len)
        return err_set(err, ERR_INVALID, "the answer holds no token");
    life = life < 1 ? EXPIRES_S : life > EXPIRES_MAX_S ? EXPIRES_MAX_S : life;
    wipe_free(t->token);
    t->token = mem_dup(token, len);
    t->ends_ms = now + life * 1000;
    renew_at(t, now + life * 800); /* 80 % of it */
    return ERR_OK;
}

static int take_token(struct github_token *t, struct slice body, struct err *err)
{
    CLEANUP(loose_wipep) json_t *json = NULL;
    struct err ignored = ERR_INIT; /* of no use to whoever reads what is wrong with the server */

    if (loose_parse(body, &json, &ignored) < 0)
        return err_set(err, ERR_INVALID, "it answers with %s instead of one",
                       answer_is_page(body) ? "a page for people" : "something else");
    return keep_token(t, loose_text(json, "access_token"), loose_int(json, "expires_in", EXPIRES_S),
                      err);
}

/* ---- a fetch ---- */

static void on_answer(void *ctx, struct http_answer *a, const struct err *err);

static void on_retry(void *ctx)
{
    struct github_token *t = ctx;

    t->retry = NULL;
    fetch(t);
}

/* A fetch begins with its first try. */
static void fetch(struct github_token *t)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded",
                                          "Accept: application/json", NULL};
    struct err err = ERR_INIT;

    if (t->call || t->fetching)
        return;
    if (t->spec.fetch) {
        t->fetching = true;
        t->spec.fetch(t->spec.ctx);
        return;
    }
    wipe_buf(&t->body);
    buf_add_str(&t->body, "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams"
                          "%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=");
    add_assertion(t, &t->body);
    struct http_request q = {.method = "POST",
                             .url = t->address,
                             .headers = headers,
                             .body = buf_slice(&t->body),
                             .total_ms = TOTAL_MS,
                             .fresh = true}; /* no assertion is good for two requests */
    if (http_start(t->http, &q, on_answer, t, &t->call, &err) < 0) {
        struct err why = ERR_INIT;

        t->call = NULL;
        explain(t, GITHUB_TOKEN_REFUSED, err.text, &why);
        tell(t, GITHUB_TOKEN_REFUSED, &why);
    }
}

static void give_up(struct github_token *t, enum github_token_trouble trouble,
                    const struct err *why)
{
    backoff_reset(&t->backoff);
    t->put_right = false;
    if (is_good(t)) { /* it was a renewal: the old one does for a while */
        renew_at(t, clock_ms() + RENEW_AGAIN_MS);
        tell(t, GITHUB_TOKEN_FINE, NULL);
        return;
    }
    tell(t, trouble, why);
}

static void fail(struct github_token *t, enum github_token_trouble trouble, const char *text)
{
    struct err err = ERR_INIT;

    explain(t, trouble, text, &err);
    give_up(t, trouble, &err);
}

/* True: it makes sense to try at once with the server's time. */
static bool puts_clock_right(struct github_token *t, const struct http_answer *a)
{
    char text[CLOCKS_SAY_SIZE];
    int64_t ahead;

    if (t->put_right || !clock_of(a, &ahead) || llabs((long long)(ahead - t->offset)) <= SKEW_S)
        return false;
    t->put_right = true;
    t->offset = llabs((long long)ahead) <= SKEW_S ? 0 : ahead;
    clocks_say(ahead, "GitHub's", text);
    if (t->spec.note && t->offset)
        t->spec.note(t->spec.ctx, text);
    return true;
}

/* LEAST_MS: the server asks for a pause that long. */
static bool tries_again(struct github_token *t, int64_t least_ms)
{
    if (t->backoff.failures >= RETRIES)
        return false;
    int64_t wait = backoff_next(&t->backoff);
    t->retry = loop_timer(t->loop, clock_ms() + (wait > least_ms ? wait : least_ms), on_retry, t);
    return true;
}

static void on_error(struct github_token *t, const struct http_answer *a)
{
    struct answer answer;

    answer_read(a->status, buf_slice(&a->body), http_header(a, "Retry-After"), &answer);
    answer_hide(answer.text, t->token); /* and the assertion, which is a JWT */
    enum github_token_trouble trouble = trouble_of(&answer, buf_slice(&a->body));
    bool of_time = trouble == GITHUB_TOKEN_SKEW || trouble == GITHUB_TOKEN_INVALID_CLIENT;
    if (of_time && puts_clock_right(t, a))
        fetch(t);
    else if (trouble != GITHUB_TOKEN_NO_ANSWER || !tries_again(t, answer.retry_ms))
        fail(t, trouble, answer.text);
}

/* R and WHY: what became of the token that was answered. */
static void settle(struct github_token *t, int r, const struct err *why)
{
    if (r < 0) {
        fail(t, GITHUB_TOKEN_NO_ANSWER, why->text);
        return;
    }
    backoff_reset(&t->backoff);
    t->put_right = false;
    tell(t, GITHUB_TOKEN_FINE, NULL);
}

static void on_answer(void *ctx, struct http_answer *a, const struct err *err)
{
    struct github_token *t = ctx;
    struct err why = ERR_INIT;

    t->call = NULL;
    wipe_buf(&t->body);
    if (!a) {
        if (!tries_again(t, 0))
            give_up(t, GITHUB_TOKEN_NO_ANSWER, err);
        return;
    }
    if (a->status < 200 || a->status > 299) {
        on_error(t, a);
        return;
    }
    int r = take_token(t, buf_slice(&a->body), &why);
    explicit_bzero(a->body.ptr, a->body.len);
    settle(t, r, &why);
}

void github_token_take(struct github_token *t, const char *token, int64_t life_s)
{
    struct err why = ERR_INIT;

    t->fetching = false;
    settle(t, keep_token(t, token, life_s, &why), &why);
}

void github_token_fail(struct github_token *t, enum github_token_trouble trouble, const char *text)
{
    t->fetching = false;
    if (trouble != GITHUB_TOKEN_NO_ANSWER || !tries_again(t, 0))
        fail(t, trouble, text);
}

/* ---- what others do ---- */

/* What overrides the address of the one overrides that of the other (1.8). */
static void choose_authority(struct github_token *t, const char *other)
{
    const struct github_settings *s = t->settings;
    bool moved =
        s->token_url && s->authorization_url && strcmp(s->token_url, s->authorization_url) != 0;
    const char *audience = other ? other : s->authorization_url;
    const char *address = other && !moved ? other : s->token_url;

    t->audience = mem_dup(audience ? audience : "", audience ? strlen(audience) : 0);
    t->address = mem_dup(address ? address : "", address ? strlen(address) : 0);
}

struct github_token *github_token_new(const struct github_settings *settings, struct http *http,
                                      struct loop *loop, const struct github_token_spec *spec)
{
    struct github_token *t = mem_new(sizeof *t);

    *t = (struct github_token){
        .settings = settings, .http = http, .loop = loop, .body = BUF_INIT(2 * ASSERTION_MAX)};
    if (spec)
        t->spec = *spec;
    if (settings)
        choose_authority(t, t->spec.authority);
    t->backoff.first_ms = t->spec.retry_ms ? t->spec.retry_ms : RETRY_MS;
    t->backoff.most_ms = RETRY_MOST_MS;
    if (settings && *settings->access_token) { /* one that is good as it is */
        t->token = mem_dup(settings->access_token, strlen(settings->access_token));
        t->ends_ms = CLOCK_NEVER;
    }
    return t;
}

static void stop(struct github_token *t)
{
    t->call = http_call_free(t->call);
    if (t->fetching)
        t->spec.stop(t->spec.ctx);
    t->fetching = false;
    t->retry = timer_free(t->retry);
    t->renew = timer_free(t->renew);
    wipe_buf(&t->body);
}

struct github_token *github_token_free(struct github_token *t)
{
    if (t) {
        if (t->gone)
            *t->gone = true;
        stop(t);
        timer_free(t->deliver);
        wipe_free(t->token);
        vec_deinit(&t->waiters);
        free(t->audience);
        free(t->address);
        free(t);
    }
    return NULL;
}

void github_token_get(struct github_token *t, github_token_fn *done, void *ctx)
{
    vec_push(&t->waiters, (struct waiter){done, ctx, t->round});
    if (is_good(t)) {
        if (!t->deliver)
            t->deliver = loop_timer(t->loop, clock_ms(), on_deliver, t);
    } else if (!t->call && !t->fetching && !t->retry) {
        renew_at(t, clock_ms()); /* from the loop, as all is told from there */
    }
}

void github_token_forget(struct github_token *t, const void *ctx)
{
    for (size_t i = 0; i < t->waiters.len;) {
        if (t->waiters.ptr[i].ctx == ctx)
            vec_remove(&t->waiters, i);
        else
            i++;
    }
}

void github_token_rest(struct github_token *t)
{
    stop(t);
}

void github_token_drop(struct github_token *t, const char *token)
{
    if ((t->settings && *t->settings->access_token) ||
        (token && (!t->token || strcmp(token, t->token) != 0)))
        return; /* that one cannot be had anew; or somebody else was faster */
    wipe_free(t->token);
    t->token = NULL;
    t->deliver = timer_free(t->deliver);
    stop(t); /* what is under way may have been answered before the service asked for a new one */
    backoff_reset(&t->backoff);
    if (t->waiters.len)
        renew_at(t, clock_ms());
}

int64_t github_token_offset(const struct github_token *t)
{
    return t->offset;
}
