#include "queue/github/report/delivery.h"

#include "base/clock.h"
#include "queue/github/api/answer.h"

#include <stdio.h>
#include <stdlib.h>

enum { HEADERS_MAX = 12, HEADER_MAX = 32 << 10, WORDS_MAX = 120 };

struct delivery {
    struct delivery **owner;
    struct http_call *http;
    struct timer *failed; /* it could not even begin: told from the loop */
    char *token;          /* what must not show in what is said of it; NULL: none */
    char *text;           /* the JSON that is sent */
    size_t text_size;
    delivery_fn *fn;
    void *ctx;
    struct err err;
};

static void wipe(char *text, size_t size) /* outputs may be in it */
{
    if (text)
        explicit_bzero(text, size);
    free(text);
}

struct delivery *delivery_free(struct delivery *c)
{
    if (!c)
        return NULL;
    *c->owner = NULL;
    http_call_free(c->http);
    timer_free(c->failed);
    wipe(c->text, c->text_size);
    wipe(c->token, c->token ? strlen(c->token) : 0);
    free(c);
    return NULL;
}

static void end(struct delivery *c, int status, const json_t *answer, const struct err *err)
{
    delivery_fn *fn = c->fn;
    void *ctx = c->ctx;

    delivery_free(c);
    fn(ctx, status, answer, err);
}

static void on_failed(void *ctx)
{
    struct delivery *c = ctx;
    struct err err = c->err;

    c->failed = NULL;
    end(c, 0, NULL, &err);
}

/* ---- answers ---- */

/* One printable line of what a server said. */
static void add_words(struct buf *to, struct slice text)
{
    text = slice_head(slice_trim(text), WORDS_MAX);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        buf_add_char(to, c >= ' ' && c < 0x7f ? c : '?');
    }
}

static const char *first_text(const json_t *answer, const char *const *keys)
{
    for (; *keys; keys++) {
        const char *text = json_string_value(json_object_get(answer, *keys));

        if (text && *text)
            return text;
    }
    return NULL;
}

static void refuse(const struct http_answer *a, const json_t *answer, struct err *err)
{
    static const char *const words[] = {"msg", "message", "errorMessage", NULL};
    static const char *const kinds[] = {"code", "typeKey", "errorKind", NULL};
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1024);
    struct slice id = http_header(a, "X-GitHub-Request-Id");
    const char *kind = first_text(answer, kinds), *said = first_text(answer, words);

    if (kind)
        add_words(&text, slice_of(kind));
    if (kind && said)
        buf_add_str(&text, ": ");
    if (said)
        add_words(&text, slice_of(said));
    if (!id.ptr)
        id = http_header(a, "x-ms-request-id");
    if (id.ptr) {
        buf_add_str(&text, text.len ? ", request " : "request ");
        add_words(&text, id);
    }
    (void)err_set(err, a->status == 404 ? ERR_NOT_FOUND : ERR_FAILED,
                  "the service answered %d%s%s%s", a->status, text.len ? " (" : "", text.ptr,
                  text.len ? ")" : "");
}

static bool is_page(void *ctx, const struct http_answer *a)
{
    (void)ctx;
    return a->status <= 299 && answer_is_page(buf_slice(&a->body));
}

static void on_done(void *ctx, struct http_answer *a, const struct err *err)
{
    struct delivery *c = ctx;
    struct err refused = ERR_INIT;
    json_error_t ignored;

    c->http = NULL;
    if (!a) {
        end(c, 0, NULL, err);
        return;
    }
    if (is_page(NULL, a)) { /* whoever that is, it is not the service: it may come back */
        (void)err_set(&refused, ERR_FAILED, "a page for people came instead of an answer");
        end(c, 0, NULL, &refused);
        return;
    }
    json_t *answer = json_loadb(a->body.ptr, a->body.len, 0, &ignored);
    bool fine = a->status >= 200 && a->status <= 299;
    if (!fine) {
        refuse(a, answer, &refused);
        answer_hide(refused.text, c->token);
    }
    end(c, a->status, answer, fine ? NULL : &refused);
    json_decref(answer);
}

/* ---- calls ---- */

struct headers {
    const char *list[HEADERS_MAX];
    size_t n;
    char authorization[HEADER_MAX], type[128], agent[512];
};

static void add_header(struct headers *h, const char *header)
{
    if (h->n + 1 < HEADERS_MAX)
        h->list[h->n++] = header;
}

static int make_headers(struct headers *h, const struct delivery_spec *spec, struct err *err)
{
    const char *type = spec->type ? spec->type : "application/json; charset=utf-8";

    if (spec->token && strlen(spec->token) > HEADER_MAX - 64)
        return err_set(err, ERR_LIMIT, "the job's token is larger than %d bytes", HEADER_MAX - 64);
    if (spec->token) {
        snprintf(h->authorization, sizeof h->authorization, "Authorization: Bearer %s",
                 spec->token);
        add_header(h, h->authorization);
        add_header(h, "Accept: application/json");
    }
    if (spec->agent) {
        snprintf(h->agent, sizeof h->agent, "User-Agent: %s", spec->agent);
        add_header(h, h->agent);
    }
    if (*type) {
        snprintf(h->type, sizeof h->type, "Content-Type: %s", type);
        add_header(h, h->type);
    }
    for (const char *const *one = spec->headers; one && *one; one++)
        add_header(h, *one);
    return ERR_OK;
}

static int start(struct delivery *c, struct http *http, const struct delivery_spec *spec,
                 struct err *err)
{
    struct headers *h = mem_new(sizeof *h);
    struct http_request q = {.method = spec->method ? spec->method : "POST",
                             .url = spec->url,
                             .headers = h->list,
                             .body = c->text ? slice_make(c->text, c->text_size) : spec->body,
                             .tries = spec->tries ? spec->tries : DELIVERY_TRIES,
                             .total_ms = DELIVERY_TIMEOUT_MS,
                             .follow_once = spec->follow_once,
                             .judge = is_page};
    int r = make_headers(h, spec, err);

    if (r == ERR_OK)
        r = http_start(http, &q, on_done, c, &c->http, err);
    explicit_bzero(h, sizeof *h);
    free(h);
    return r;
}

void delivery_start(struct delivery **ret, struct http *http, struct loop *loop,
                    const struct delivery_spec *spec, delivery_fn *fn, void *ctx)
{
    struct delivery *c = mem_new(sizeof *c);

    c->owner = ret;
    c->fn = fn;
    c->ctx = ctx;
    *ret = c;
    if (spec->token)
        c->token = mem_dup(spec->token, strlen(spec->token));
    if (spec->json) {
        c->text = json_dumps(spec->json, JSON_COMPACT);
        c->text_size = c->text ? strlen(c->text) : 0;
        json_decref(spec->json);
    }
    if (start(c, http, spec, &c->err) < 0)
        c->failed = loop_timer(loop, clock_ms(), on_failed, c);
}
