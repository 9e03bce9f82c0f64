#include "io/websocket.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/random.h"
#include "io/digest.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEY_BYTES = 16, KEY_SIZE = 25, REQUEST_MAX = 64 << 10, READ_SIZE = 4096 };

enum state { CONNECTING, AGREEING, OPEN, LEAVING, OVER };

struct websocket {
    struct loop *loop;
    struct websocket_client client;
    struct http_pipe *pipe;
    enum state state;
    char key[KEY_SIZE];
    struct timer *limit; /* to be open, to take something */
    struct buf in;       /* the answer, until it is complete */
    struct websocket_reader reader;
    struct buf out; /* does not move while something of it waits: libcurl wants it so */
    size_t sent;    /* of it */
};

/* ---- frames out ---- */

void websocket_frame(struct buf *to, unsigned first, struct slice payload,
                     const unsigned char mask[4])
{
    size_t n = payload.len;

    buf_add_char(to, (char)first);
    if (n < 126) {
        buf_add_char(to, (char)(0x80 | n));
    } else if (n <= 0xffff) {
        buf_add_char(to, (char)(0x80 | 126));
        buf_add_char(to, (char)(n >> 8));
        buf_add_char(to, (char)n);
    } else {
        buf_add_char(to, (char)(0x80 | 127));
        for (int bits = 56; bits >= 0; bits -= 8)
            buf_add_char(to, (char)((uint64_t)n >> bits));
    }
    for (int i = 0; i < 4; i++)
        buf_add_char(to, (char)mask[i]);
    for (size_t i = 0; i < n; i++)
        buf_add_char(to, (char)((unsigned char)payload.ptr[i] ^ mask[i % 4]));
}

static void add_frame(struct websocket *w, unsigned first, struct slice payload)
{
    unsigned char mask[4];

    random_bytes(mask, sizeof mask);
    websocket_frame(&w->out, first, payload, mask);
}

/* ---- frames in ---- */

/* What the first two bytes of a frame say is allowed. */
static int check_head(struct websocket_reader *r, struct err *err)
{
    unsigned opcode = r->head[0] & 15u, size = r->head[1] & 127u;
    bool fin = r->head[0] & 0x80, control = opcode & 8;

    if (r->head[0] & 0x70)
        return err_set(err, ERR_INVALID, "the websocket's server uses what was not agreed on");
    if (r->head[1] & 0x80)
        return err_set(err, ERR_INVALID, "the websocket's server masks its frames");
    if (opcode > WEBSOCKET_PONG || (opcode > WEBSOCKET_BINARY && opcode < WEBSOCKET_CLOSE))
        return err_set(err, ERR_INVALID, "the websocket's server sends frames of kind %u", opcode);
    if (control && (!fin || size > WEBSOCKET_CONTROL_MAX))
        return err_set(err, ERR_INVALID, "the websocket's server cuts what may not be cut");
    if (!control && (opcode == WEBSOCKET_CONTINUED) != r->in_message)
        return err_set(err, ERR_INVALID, "the websocket's server mixes its messages");
    if (!control)
        r->in_message = !fin;
    return ERR_OK;
}

/* How long the head is, as far as its second byte tells. */
static size_t head_size(const struct websocket_reader *r)
{
    unsigned size = r->n_head < 2 ? 0 : r->head[1] & 127u;

    return size == 127 ? 10 : size == 126 ? 4 : 2;
}

static void begin_payload(struct websocket_reader *r)
{
    r->left = r->head[1] & 127u;
    if (r->left >= 126) {
        r->left = 0;
        for (size_t i = 2; i < r->n_head; i++)
            r->left = r->left << 8 | r->head[i];
    }
    r->in_payload = true;
    r->n_control = 0;
}

/* The bytes of a message are passed over. */
static void take_payload(struct websocket_reader *r, struct slice *bytes)
{
    size_t n = r->left < bytes->len ? (size_t)r->left : bytes->len;

    if (r->head[0] & 8 && n) {
        memcpy(r->control + r->n_control, bytes->ptr, n);
        r->n_control += n;
    }
    r->left -= n;
    *bytes = slice_from(*bytes, n);
}

int websocket_read(struct websocket_reader *r, struct slice bytes, websocket_control_fn *fn,
                   void *ctx, struct err *err)
{
    while (bytes.len || (r->in_payload && !r->left)) {
        if (!r->in_payload) {
            r->head[r->n_head++] = (unsigned char)*bytes.ptr;
            bytes = slice_from(bytes, 1);
            if (r->n_head == 2 && check_head(r, err) < 0)
                return err->code;
            if (r->n_head >= 2 && r->n_head == head_size(r))
                begin_payload(r);
            continue;
        }
        take_payload(r, &bytes);
        if (r->left)
            continue;
        unsigned opcode = r->head[0] & 15u;
        r->in_payload = false;
        r->n_head = 0;
        if (opcode & 8)
            fn(ctx, opcode, slice_make((const char *)r->control, r->n_control));
    }
    return ERR_OK;
}

/* ---- agreeing ---- */

/* The value of NAME in HEAD; ptr NULL: there is none. */
static struct slice header(struct slice head, const char *name)
{
    struct slice line;

    while (slice_line(&head, &line)) {
        ssize_t colon = slice_find_char(line, ':');

        if (colon > 0 && slice_eq_nocase(slice_head(line, (size_t)colon), slice_of(name)))
            return slice_trim(slice_from(line, (size_t)colon + 1));
    }
    return (struct slice){0};
}

int websocket_agreed(struct slice head, const char *key, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(256);
    CLEANUP(buf_deinit) struct buf wanted = BUF_INIT(64);
    unsigned char digest[DIGEST_SHA1_SIZE];
    struct slice rest = head, line = {0};

    (void)slice_line(&rest, &line);
    if (!slice_starts(line, SLICE("HTTP/1.1 101")))
        return err_set(err, ERR_FAILED, "the websocket's server answered '%.*s'",
                       SLICE_ARG(slice_head(line, 40)));
    if (!slice_eq_nocase(header(rest, "Upgrade"), SLICE("websocket")))
        return err_set(err, ERR_INVALID, "the server turned to something else than a websocket");
    buf_printf(&text, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    digest_sha1(buf_slice(&text), digest);
    base64_add(&wanted, slice_make((const char *)digest, sizeof digest));
    if (!slice_eq(header(rest, "Sec-WebSocket-Accept"), buf_slice(&wanted)))
        return err_set(err, ERR_INVALID, "the websocket's server did not answer to our key");
    return ERR_OK;
}

static void make_key(char ret[KEY_SIZE])
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(KEY_SIZE);
    char bytes[KEY_BYTES];

    random_bytes(bytes, sizeof bytes);
    base64_add(&text, slice_make(bytes, sizeof bytes));
    memcpy(ret, text.ptr, text.len + 1);
}

/* REST begins behind "://". */
static void add_request(struct websocket *w, struct slice rest, const char *const *headers)
{
    size_t n = 0;

    while (n < rest.len && !strchr("/?#", rest.ptr[n]))
        n++;
    struct slice path = slice_from(rest, n);
    ssize_t end = slice_find_char(path, '#');
    buf_printf(&w->out,
               "GET %s%.*s HTTP/1.1\r\nHost: %.*s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n",
               path.len && *path.ptr == '/' ? "" : "/",
               SLICE_ARG(end < 0 ? path : slice_head(path, (size_t)end)),
               SLICE_ARG(slice_head(rest, n)), w->key);
    for (; headers && *headers; headers++)
        buf_printf(&w->out, "%s\r\n", *headers);
    buf_add_str(&w->out, "\r\n");
}

/* ---- the connection ---- */

static void lose(struct websocket *w, const struct err *err)
{
    struct err why = *err;

    w->state = OVER;
    w->limit = timer_free(w->limit);
    w->pipe = http_pipe_free(w->pipe);
    w->client.lost(w->client.ctx, &why);
}

static void on_limit(void *ctx)
{
    struct websocket *w = ctx;
    struct err err = ERR_INIT;

    w->limit = NULL;
    (void)err_set(&err, ERR_TIMEOUT, "the websocket's server %s",
                  w->state < OPEN ? "does not answer" : "takes nothing more");
    lose(w, &err);
}

static void set_limit(struct websocket *w, int64_t ms)
{
    timer_free(w->limit);
    w->limit = ms ? loop_timer(w->loop, clock_ms() + ms, on_limit, w) : NULL;
}

/* Sends what waits, as far as it is taken. */
static int flush(struct websocket *w, struct err *err)
{
    size_t before = w->sent;

    while (w->sent < w->out.len) {
        ssize_t n = http_pipe_write(w->pipe, slice_from(buf_slice(&w->out), w->sent), err);

        if (n < 0)
            return err->code;
        if (n == 0)
            break;
        w->sent += (size_t)n;
    }
    bool all = w->sent == w->out.len;
    http_pipe_want(w->pipe, !all);
    if (w->state >= OPEN && (all || w->sent > before || !w->limit))
        set_limit(w, all ? 0 : WEBSOCKET_STALL_MS);
    if (all) {
        explicit_bzero(w->out.ptr, w->out.len); /* the request has a token */
        buf_clear(&w->out);
        w->sent = 0;
    }
    return ERR_OK;
}

/* Frames take 8 bytes more than what is in them. */
static bool has_room(const struct websocket *w, size_t n)
{
    return w->out.len + n + 8 * (n / WEBSOCKET_FRAGMENT + 1) <= WEBSOCKET_OUT_MAX;
}

/* What there is no room to answer was one too many. */
static void on_control(void *ctx, unsigned opcode, struct slice payload)
{
    struct websocket *w = ctx;

    if (w->state != OPEN)
        return;
    if (opcode == WEBSOCKET_PING && has_room(w, payload.len))
        add_frame(w, WEBSOCKET_FIN | WEBSOCKET_PONG, payload);
    if (opcode != WEBSOCKET_CLOSE)
        return;
    if (has_room(w, payload.len))
        add_frame(w, WEBSOCKET_FIN | WEBSOCKET_CLOSE, slice_head(payload, 2));
    w->state = LEAVING;
}

/* The end of the answer's head in IN, 0: it is not all there. */
static size_t end_of_head(const struct websocket *w)
{
    ssize_t at = slice_find(buf_slice(&w->in), SLICE("\r\n\r\n"));

    return at < 0 ? 0 : (size_t)at + 4;
}

static int agree(struct websocket *w, struct err *err)
{
    size_t end = end_of_head(w);

    if (!end && w->in.len > WEBSOCKET_ANSWER_MAX)
        return err_set(err, ERR_LIMIT, "the websocket's server answers at length");
    if (!end)
        return ERR_OK;
    if (websocket_agreed(slice_head(buf_slice(&w->in), end), w->key, err) < 0)
        return err->code;
    buf_consume(&w->in, end);
    w->state = OPEN;
    set_limit(w, 0);
    return ERR_OK;
}

/* Reads what came; *RET_OPEN: with that it was opened. */
static int take_in(struct websocket *w, bool *ret_open, struct err *err)
{
    for (;;) {
        ssize_t n = http_pipe_read(w->pipe, &w->in, READ_SIZE, err);

        if (n < 0)
            return err->code;
        if (n == 0)
            return ERR_OK;
        if (w->state == AGREEING) {
            if (agree(w, err) < 0)
                return err->code;
            *ret_open = w->state == OPEN;
        }
        if (w->state < OPEN)
            continue;
        if (websocket_read(&w->reader, buf_slice(&w->in), on_control, w, err) < 0)
            return err->code;
        buf_clear(&w->in);
    }
}

static void on_ready(void *ctx)
{
    struct websocket *w = ctx;
    struct err err = ERR_INIT;
    bool opened = false;

    if (take_in(w, &opened, &err) < 0 || flush(w, &err) < 0) {
        lose(w, &err);
        return;
    }
    if (w->state == LEAVING && !w->out.len) {
        (void)err_set(&err, ERR_SYS, "the websocket was closed");
        lose(w, &err);
    } else if (opened) {
        w->client.open(w->client.ctx);
    }
}

static void on_connected(void *ctx)
{
    struct websocket *w = ctx;
    struct err err = ERR_INIT;

    w->state = AGREEING;
    if (flush(w, &err) < 0)
        lose(w, &err);
}

static void on_lost(void *ctx, const struct err *err)
{
    lose(ctx, err);
}

/* ---- what callers do ---- */

/* Not at once: whoever calls is not to be told of a lost connection meanwhile. */
static void flush_soon(struct websocket *w)
{
    http_pipe_want(w->pipe, true);
    if (!w->limit)
        set_limit(w, WEBSOCKET_STALL_MS);
}

bool websocket_send(struct websocket *w, struct slice text)
{
    unsigned opcode = WEBSOCKET_TEXT;

    if (w->state != OPEN || !has_room(w, text.len))
        return false;
    do {
        struct slice piece = slice_head(text, WEBSOCKET_FRAGMENT);

        text = slice_from(text, piece.len);
        add_frame(w, opcode | (text.len ? 0u : (unsigned)WEBSOCKET_FIN), piece);
        opcode = WEBSOCKET_CONTINUED;
    } while (text.len);
    flush_soon(w);
    return true;
}

size_t websocket_waiting(const struct websocket *w)
{
    return w->out.len - w->sent;
}

void websocket_close(struct websocket *w)
{
    if (w->state != OPEN)
        return;
    if (has_room(w, 2))
        add_frame(w, WEBSOCKET_FIN | WEBSOCKET_CLOSE, SLICE("\x03\xe8")); /* 1000: all is well */
    w->state = LEAVING;
    flush_soon(w);
}

int websocket_new(struct http *h, struct loop *loop, const char *url, const char *const *headers,
                  const struct websocket_client *client, struct websocket **ret, struct err *err)
{
    const struct http_pipe_client pipe = {.open = on_connected, .lost = on_lost, .ready = on_ready};
    CLEANUP(buf_deinit) struct buf address = BUF_INIT(REQUEST_MAX);
    struct slice all = slice_of(url);
    bool secure = slice_starts(all, SLICE("wss://")) || slice_starts(all, SLICE("https://"));
    ssize_t at = slice_find(all, SLICE("://"));

    if (at < 0 || slice_find_char(slice_head(all, strcspn(url, " \r\n")), '@') >= 0)
        return err_set(err, ERR_INVALID, "this is no address of the form ws://HOST/...");
    struct slice rest = slice_from(all, (size_t)at + 3);
    buf_add_str(&address, secure ? "https://" : "http://");
    buf_add(&address, rest);

    struct websocket *w = mem_new(sizeof *w);
    w->loop = loop;
    w->client = *client;
    w->in = (struct buf)BUF_INIT(WEBSOCKET_ANSWER_MAX + 2 * READ_SIZE);
    w->out = (struct buf)BUF_INIT(WEBSOCKET_OUT_MAX);
    make_key(w->key);
    (void)buf_reserve(&w->out, WEBSOCKET_OUT_MAX - 1); /* it must not move */
    add_request(w, rest, headers);
    struct http_pipe_client with = pipe;
    with.ctx = w;
    int r = buf_check(&w->out, "the request for a websocket", err);
    if (r == ERR_OK)
        r = http_pipe_new(h, address.ptr, &with, &w->pipe, err);
    if (r < 0) {
        websocket_free(w);
        return r;
    }
    set_limit(w, WEBSOCKET_OPEN_MS);
    *ret = w;
    return ERR_OK;
}

struct websocket *websocket_free(struct websocket *w)
{
    if (!w)
        return NULL;
    timer_free(w->limit);
    http_pipe_free(w->pipe);
    explicit_bzero(w->out.ptr, w->out.len);
    buf_deinit(&w->out);
    buf_deinit(&w->in);
    free(w);
    return NULL;
}
