#include "queue/gitea/connect.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/num.h"
#include "base/utf8.h"
#include "queue/loose.h"

#include <math.h>
#include <strings.h>

/* ---- codes ---- */

static const struct {
    const char *name;
    int status; /* what an answer without a body of its own stands for; 0: another one does */
} codes[CONNECT_CODES] = {
    [CONNECT_UNKNOWN] = {"unknown", 0},
    [CONNECT_CANCELED] = {"canceled", 499},
    [CONNECT_INVALID_ARGUMENT] = {"invalid_argument", 0},
    [CONNECT_DEADLINE_EXCEEDED] = {"deadline_exceeded", 408},
    [CONNECT_NOT_FOUND] = {"not_found", 0},
    [CONNECT_ALREADY_EXISTS] = {"already_exists", 0},
    [CONNECT_PERMISSION_DENIED] = {"permission_denied", 403},
    [CONNECT_RESOURCE_EXHAUSTED] = {"resource_exhausted", 413},
    [CONNECT_FAILED_PRECONDITION] = {"failed_precondition", 412},
    [CONNECT_ABORTED] = {"aborted", 0},
    [CONNECT_OUT_OF_RANGE] = {"out_of_range", 0},
    [CONNECT_UNIMPLEMENTED] = {"unimplemented", 404},
    [CONNECT_INTERNAL] = {"internal", 400},
    [CONNECT_UNAVAILABLE] = {"unavailable", 503},
    [CONNECT_DATA_LOSS] = {"data_loss", 0},
    [CONNECT_UNAUTHENTICATED] = {"unauthenticated", 401},
};

const char *connect_code_name(enum connect_code code)
{
    return codes[code].name;
}

static enum connect_code code_of_status(int status)
{
    switch (status) {
    case 429: /* Connect's table: the proxy asks for a pause, it does not refuse the size */
    case 502:
    case 504:
        return CONNECT_UNAVAILABLE;
    case 431:
        return CONNECT_RESOURCE_EXHAUSTED;
    default:
        break;
    }
    for (size_t i = 0; i < CONNECT_CODES; i++)
        if (codes[i].status == status)
            return (enum connect_code)i;
    return CONNECT_UNKNOWN;
}

/* "AlreadyExists" of gRPC is "already_exists" of Connect. */
static bool is_code(struct slice text, const char *name)
{
    size_t at = 0;

    for (; *name; name++) {
        if (*name == '_')
            continue;
        if (at == text.len || strncasecmp(text.ptr + at, name, 1) != 0)
            return false;
        at++;
    }
    return at == text.len;
}

static bool find_code(struct slice text, bool grpc, enum connect_code *ret)
{
    for (size_t i = 0; i < CONNECT_CODES; i++) {
        if (grpc ? is_code(text, codes[i].name) : slice_eq(text, slice_of(codes[i].name))) {
            *ret = (enum connect_code)i;
            return true;
        }
    }
    return false;
}

/* Takes "rpc error: code = Unauthenticated desc = " off the front of *TEXT. */
static bool take_wrapping(struct slice *text, enum connect_code *ret)
{
    static const struct slice begin = SLICE_INIT("rpc error: code = "),
                              sep = SLICE_INIT(" desc = ");
    struct slice rest = *text;

    if (!slice_starts(rest, begin))
        return false;
    rest = slice_from(rest, begin.len);
    ssize_t at = slice_find(rest, sep);
    if (at < 0 || !find_code(slice_head(rest, (size_t)at), true, ret))
        return false;
    *text = slice_from(rest, (size_t)at + sep.len);
    return true;
}

/* TEXT, of a server, as one line. */
static void put_text(struct connect_fault *f, struct slice text)
{
    text = utf8_head(text, sizeof f->text - 1);
    for (size_t i = 0; i < text.len; i++)
        f->text[i] = (unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f ? ' ' : text.ptr[i];
    f->text[text.len] = '\0';
}

bool connect_is_unregistered(const struct connect_fault *f)
{
    return f->code == CONNECT_UNAUTHENTICATED && f->said;
}

/* ---- answers ---- */

static const char *kind_of_page(struct slice body)
{
    body = slice_trim(body);
    return body.len == 0 ? "nothing" : body.ptr[0] == '<' ? "a web page" : "another text";
}

/* What the service says of a fault, {"code", "message"}; false: that is not the service. */
static bool read_fault(struct slice body, struct connect_fault *f)
{
    struct err ignored = ERR_INIT;
    json_t *json = NULL;

    if (connect_json(body, &json, &ignored) != ERR_OK)
        return false;
    const json_t *message = json_object_get(json, "message");
    struct slice code = slice_of(json_string_value(json_object_get(json, "code")));
    struct slice text = slice_make(json_string_value(message), json_string_length(message));
    enum connect_code wrapped;

    f->said = find_code(code, false, &f->code);
    if (f->said) {
        if (take_wrapping(&text, &wrapped) && f->code == CONNECT_UNKNOWN)
            f->code = wrapped;
        put_text(f, text.len ? text : slice_of(codes[f->code].name));
    }
    json_decref(json);
    return f->said;
}

bool connect_read(int status, struct slice body, json_t **ret, struct connect_fault *fault)
{
    struct connect_fault f = {.status = status, .code = code_of_status(status)};
    struct err err = ERR_INIT;
    json_t *json = NULL;

    if (status == 200) {
        if (connect_json(body, &json, &err) == ERR_OK && json_is_object(json)) {
            *ret = json;
            return true;
        }
        json_decref(json);
        f.code = CONNECT_UNAVAILABLE;
        f.too_large = err.code == ERR_LIMIT;
        if (f.too_large)
            put_text(&f, slice_of(err.text));
        else
            snprintf(f.text, sizeof f.text, "the answer is %s where JSON should be",
                     kind_of_page(body));
    } else if (!read_fault(body, &f)) {
        snprintf(f.text, sizeof f.text, "HTTP status %d with %s", status, kind_of_page(body));
    }
    *fault = f;
    return false;
}

int connect_json(struct slice text, json_t **ret, struct err *err)
{
    json_error_t error;
    const char *bytes = text.len ? text.ptr : "";

    if (loose_is_large(text))
        return err_set(err, ERR_LIMIT, "this JSON has more than %d values", LOOSE_VALUES_MAX);
    json_t *json = json_loadb(bytes, text.len, JSON_ALLOW_NUL, &error);

    if (!json && json_error_code(&error) == json_error_numeric_overflow)
        json = json_loadb(bytes, text.len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    if (!json)
        return err_set(err, ERR_INVALID, "line %d: this is no JSON", error.line);
    *ret = json;
    return ERR_OK;
}

int connect_int(const json_t *object, const char *key, int64_t *ret, struct err *err)
{
    static const double limit = 9007199254740992.0; /* beyond it a real has lost digits */
    const json_t *value = json_object_get(object, key);
    double real = json_real_value(value);

    if (!value || json_is_null(value)) {
        *ret = 0;
        return ERR_OK;
    }
    if (json_is_integer(value)) {
        *ret = json_integer_value(value);
        return ERR_OK;
    }
    if (json_is_real(value) && fabs(real) <= limit && real == floor(real)) {
        *ret = (int64_t)real;
        return ERR_OK;
    }
    if (json_is_string(value) &&
        num_parse_i64(slice_make(json_string_value(value), json_string_length(value)), INT64_MIN,
                      INT64_MAX, ret, err) == ERR_OK)
        return ERR_OK;
    return err_set(err, ERR_INVALID, "'%s' is no whole number", key);
}

json_t *connect_int_new(int64_t n)
{
    return json_sprintf("%" JSON_INTEGER_FORMAT, (json_int_t)n);
}

/* ---- pauses ---- */

int64_t connect_pause(const struct connect *c, int64_t ms)
{
    int64_t scaled = c->minute_ms ? ms * c->minute_ms / 60000 : ms;

    return scaled > 0 ? scaled : 1;
}

int64_t connect_again_at(const struct connect_fault *f, struct backoff *b)
{
    int64_t pause = backoff_next(b);

    return clock_ms() + (pause > f->retry_ms ? pause : f->retry_ms);
}

static void take_pause(const struct http_answer *a, struct connect_fault *fault)
{
    struct err ignored = ERR_INIT; /* a date, or nothing: our own pause has to do */
    int64_t seconds = 0;

    (void)!num_parse_i64(slice_trim(http_header(a, "Retry-After")), 0, HTTP_RETRY_AFTER_MAX_S,
                         &seconds, &ignored);
    fault->retry_ms = seconds * 1000;
}

/* ---- calls ---- */

enum { HEADERS = 6 };

struct connect_call {
    struct connect *connect;
    struct arena arena;
    struct http_request request;
    const char *headers[HEADERS + 1];
    struct http_call *http;
    struct timer *late; /* it could not even be begun: says so from the loop */
    struct connect_fault fault;
    connect_done_fn *done;
    void *ctx;
};

static const char *path_of(struct arena *a, const char *method)
{
    bool ping = strcmp(method, "Ping") == 0;

    return arena_printf(a, "/api/actions/%s/%s",
                        ping ? "ping.v1.PingService" : "runner.v1.RunnerService", method);
}

static struct connect_call *call_new(struct connect *c, const char *method, json_t *take_request,
                                     const char *key)
{
    struct connect_call *call = mem_new(sizeof *call);
    struct arena *a = &call->arena;
    char *body = json_dumps(take_request, JSON_COMPACT);
    bool fetch = slice_starts(slice_of(method), SLICE("Fetch"));
    size_t n = 0;

    json_decref(take_request);
    if (!body)
        BUG("a request that is no JSON: %s", method);
    call->connect = c;
    call->headers[n++] = "Content-Type: application/json";
    call->headers[n++] = "Connect-Protocol-Version: 1";
    call->headers[n++] = arena_printf(a, "User-Agent: ostler/%s", c->version ? c->version : "0");
    if (c->uuid) {
        call->headers[n++] = arena_printf(a, "x-runner-uuid: %s", c->uuid);
        call->headers[n++] = arena_printf(a, "x-runner-token: %s", c->token);
    }
    if (key)
        call->headers[n++] = arena_printf(a, "x-runner-request-key: %s", key);
    call->request = (struct http_request){
        .method = "POST",
        .url = arena_printf(a, "%s%s", c->address, path_of(a, method)),
        .headers = call->headers,
        .body = slice_of(body),
        .trust_429 = true,
        .idle_ms = fetch ? CONNECT_FETCH_MS : CONNECT_MS,
        .total_ms = fetch ? CONNECT_FETCH_MS : CONNECT_MS,
        .answer_max = fetch ? CONNECT_TASKS_MAX : 0,
    };
    c->calls++;
    return call;
}

/* The header's text and the request's body are secrets. */
static void call_wipe(struct connect_call *call)
{
    char *body;

    memcpy(&body, &call->request.body.ptr, sizeof body);
    explicit_bzero(body, call->request.body.len);
    free(body);
    for (size_t i = 0; call->headers[i]; i++) {
        char *header;

        memcpy(&header, &call->headers[i], sizeof header);
        if (strncmp(header, "x-runner-token", 14) == 0)
            explicit_bzero(header, strlen(header));
    }
    arena_deinit(&call->arena);
}

struct connect_call *connect_call_free(struct connect_call *call)
{
    if (!call)
        return NULL;
    http_call_free(call->http);
    timer_free(call->late);
    call_wipe(call);
    free(call);
    return NULL;
}

/* What A or ERR, the end of a request, comes to. */
static bool judge(struct connect *c, const struct http_answer *a, const struct err *err,
                  json_t **ret, struct connect_fault *fault)
{
    if (err) {
        *fault = (struct connect_fault){.code = CONNECT_UNAVAILABLE,
                                        .too_large = err->code == ERR_LIMIT};
        put_text(fault, slice_of(err->text));
        c->failures++;
        return false;
    }
    bool fine = connect_read(a->status, buf_slice(&a->body), ret, fault);
    if (!fine)
        take_pause(a, fault);
    if (fine || fault->said)
        c->contact_ms = clock_ms();
    c->failures += !fine;
    return fine;
}

static void call_done(void *ctx, struct http_answer *a, const struct err *err)
{
    struct connect_call *call = ctx;
    connect_done_fn *done = call->done;
    struct connect_fault fault;
    json_t *answer = NULL;
    void *done_ctx = call->ctx;
    bool fine = judge(call->connect, a, err, &answer, &fault);

    call->http = NULL;
    connect_call_free(call); /* whoever is told may start the next, or free all */
    done(done_ctx, answer, fine ? NULL : &fault, a);
    loose_wipe(answer); /* there may be tokens in it */
}

static void call_late(void *ctx)
{
    struct connect_call *call = ctx;
    connect_done_fn *done = call->done;
    struct connect_fault fault = call->fault;
    void *done_ctx = call->ctx;

    call->late = NULL;
    connect_call_free(call);
    done(done_ctx, NULL, &fault, NULL);
}

struct connect_call *connect_start(struct connect *c, const char *method, json_t *take_request,
                                   const char *key, connect_done_fn *done, void *ctx)
{
    struct connect_call *call = call_new(c, method, take_request, key);
    struct err err = ERR_INIT;

    call->done = done;
    call->ctx = ctx;
    if (http_start(c->http, &call->request, call_done, call, &call->http, &err) != ERR_OK) {
        json_t *none = NULL;

        (void)judge(c, NULL, &err, &none, &call->fault);
        call->late = loop_timer(c->loop, clock_ms(), call_late, call);
    }
    return call;
}

bool connect_do(struct connect *c, const char *method, json_t *take_request, json_t **ret,
                struct connect_fault *fault)
{
    struct connect_call *call = call_new(c, method, take_request, NULL);
    struct http_answer answer;
    struct err err = ERR_INIT;
    bool there = http_do(c->http, &call->request, &answer, &err) == ERR_OK;
    bool fine = judge(c, there ? &answer : NULL, there ? NULL : &err, ret, fault);

    if (there)
        http_answer_deinit(&answer);
    connect_call_free(call);
    return fine;
}
