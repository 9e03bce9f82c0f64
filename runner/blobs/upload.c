#include "blobs/upload.h"

#include "base/base64.h"
#include "base/clock.h"

#include <errno.h>
#include <unistd.h>

struct block {
    struct upload *upload;
    char *bytes; /* UPLOAD_BLOCK_SIZE of them; NULL: not needed so far */
    size_t size;
    bool busy; /* on its way */
};

struct upload {
    struct carrier *carrier;
    const char *url, *type;
    int in;
    struct watch *watch; /* NULL: there is no room, or no more to come */
    bool ended;          /* IN has */
    struct block blocks[UPLOAD_PARALLEL];
    struct block *filling; /* NULL: all are busy */
    unsigned n_sent, n_busy;
    int64_t size;
    struct digest *digest;
    struct err err; /* what stops it */
};

static const char *const common[] = {"x-ms-version: 2021-12-02",
                                     "Content-Type: application/octet-stream", NULL};

/* Ids of a blob's blocks have one length, and no letter that an address would have to escape. */
static void add_id(struct buf *to, unsigned number)
{
    char id[16];

    snprintf(id, sizeof id, "%09u", number);
    base64_url(to, slice_of(id));
}

#define URL_INIT BUF_INIT(16 << 10)

static void make_url(const struct upload *u, const char *what, struct buf *ret)
{
    buf_printf(ret, "%s%c%s", u->url, strchr(u->url, '?') ? '&' : '?', what);
}

static int refused(const struct http_answer *a, struct err *err)
{
    struct slice code = slice_head(http_header(a, "x-ms-error-code"), 60);

    return err_set(err, ERR_SYS, "the upload was answered with %d%s%.*s", a->status,
                   code.len ? " " : "", SLICE_ARG(code));
}

/* ---- blocks ---- */

static void fill(struct upload *u);

/* A storage has nothing to say to what it took: a page is somebody's in between, who has not even sent it on. */
static bool is_page(void *ctx, const struct http_answer *a)
{
    (void)ctx;
    return a->status <= 299 && slice_starts(slice_trim(buf_slice(&a->body)), SLICE("<"));
}

static bool is_taken(const struct http_answer *a)
{
    return a->status >= 200 && a->status <= 299 && !is_page(NULL, a);
}

static void on_sent(void *ctx, struct http_answer *a, const struct err *err)
{
    struct block *b = ctx;
    struct upload *u = b->upload;

    b->busy = false;
    b->size = 0;
    u->n_busy--;
    if (u->err.code)
        return;
    if (err) {
        u->err = *err;
        (void)err_in(&u->err, "the upload");
    } else if (!is_taken(a)) {
        (void)refused(a, &u->err);
    } else {
        fill(u);
    }
}

static void send_block(struct upload *u, struct block *b)
{
    CLEANUP(buf_deinit) struct buf what = BUF_INIT(64);
    CLEANUP(buf_deinit) struct buf url = URL_INIT;
    struct http_request q = {
        .method = "PUT",
        .headers = common,
        .body = slice_make(b->bytes, b->size),
        .tries = UPLOAD_TRIES,
        .idle_ms = UPLOAD_IDLE_MS,
        .judge = is_page,
        .retry = carrier_say_retry,
    };

    if (u->n_sent == UPLOAD_BLOCKS_MAX) {
        (void)err_set(&u->err, ERR_LIMIT, "the upload is larger than %lld bytes",
                      (long long)UPLOAD_BLOCKS_MAX * UPLOAD_BLOCK_SIZE);
        return;
    }
    buf_add_str(&what, "comp=block&blockid=");
    add_id(&what, u->n_sent);
    make_url(u, what.ptr, &url);
    q.url = url.ptr;
    if (http_start(u->carrier->http, &q, on_sent, b, NULL, &u->err) < 0)
        return;
    b->busy = true;
    u->n_sent++;
    u->n_busy++;
}

static struct block *free_block(struct upload *u)
{
    for (size_t i = 0; i < UPLOAD_PARALLEL; i++) {
        if (u->blocks[i].busy)
            continue;
        if (!u->blocks[i].bytes)
            u->blocks[i].bytes = mem_new(UPLOAD_BLOCK_SIZE);
        return &u->blocks[i];
    }
    return NULL;
}

/* ---- the pipe ---- */

static void on_readable(void *ctx, uint32_t events)
{
    struct upload *u = ctx;
    struct block *b = u->filling;
    ssize_t n = read(u->in, b->bytes + b->size, UPLOAD_BLOCK_SIZE - b->size);

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0)
        (void)err_sys(&u->err, "cannot read what is to be sent");
    if (n <= 0) {
        u->ended = true;
        u->watch = watch_free(u->watch);
        if (b->size && !u->err.code)
            send_block(u, b);
        return;
    }
    digest_add(u->digest, slice_make(b->bytes + b->size, (size_t)n));
    u->size += n;
    b->size += (size_t)n;
    if (b->size == UPLOAD_BLOCK_SIZE) {
        send_block(u, b);
        u->filling = NULL;
        fill(u);
    }
}

/* Reads on as long as there is a block to read to. Without a watch the pipe fills up, and its writer waits. */
static void fill(struct upload *u)
{
    if (u->ended || u->err.code)
        return;
    if (!u->filling)
        u->filling = free_block(u);
    if (!u->filling)
        u->watch = watch_free(u->watch);
    else if (!u->watch)
        (void)!loop_watch(u->carrier->loop, u->in, EPOLLIN, on_readable, u, &u->watch, &u->err);
}

static struct upload *upload_new(struct carrier *c, const char *url, const char *type, int in)
{
    struct upload *u = mem_new(sizeof *u);

    *u = (struct upload){.carrier = c, .url = url, .type = type, .in = in, .digest = digest_new()};
    for (size_t i = 0; i < UPLOAD_PARALLEL; i++)
        u->blocks[i].upload = u;
    return u;
}

static void upload_free(struct upload *u)
{
    watch_free(u->watch);
    for (size_t i = 0; i < UPLOAD_PARALLEL; i++)
        free(u->blocks[i].bytes); /* requests that borrow them end with the process */
    digest_free(u->digest);
    free(u);
}

static int upload_run(struct upload *u, struct err *err)
{
    fill(u);
    while (!u->err.code && (!u->ended || u->n_busy))
        if (loop_turn(u->carrier->loop, CLOCK_NEVER, err) < 0)
            return err->code;
    if (u->err.code)
        *err = u->err;
    return u->err.code;
}

/* ---- the end ---- */

static int upload_commit(struct upload *u, struct uploaded *ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf list = BUF_INIT(4 << 20);
    CLEANUP(buf_deinit) struct buf type = BUF_INIT(256);
    CLEANUP(buf_deinit) struct buf url = URL_INIT;
    CLEANUP(http_answer_deinit) struct http_answer answer = {0};
    unsigned char sum[DIGEST_SIZE];

    buf_add_str(&list, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
    for (unsigned i = 0; i < u->n_sent; i++) {
        buf_add_str(&list, "<Latest>");
        add_id(&list, i);
        buf_add_str(&list, "</Latest>");
    }
    buf_add_str(&list, "</BlockList>");
    buf_printf(&type, "x-ms-blob-content-type: %s", u->type);
    make_url(u, "comp=blocklist", &url);

    const char *const headers[] = {common[0], "Content-Type: application/xml", type.ptr, NULL};
    struct http_request q = {
        .method = "PUT",
        .url = url.ptr,
        .headers = headers,
        .body = buf_slice(&list),
        .tries = UPLOAD_TRIES,
        .idle_ms = UPLOAD_IDLE_MS,
        .judge = is_page,
        .retry = carrier_say_retry,
    };
    if (http_do(u->carrier->http, &q, &answer, err) < 0)
        return err_in(err, "the upload");
    if (!is_taken(&answer))
        return refused(&answer, err);
    digest_finish(u->digest, sum);
    digest_hex(sum, ret->digest);
    ret->size = u->size;
    return ERR_OK;
}

int upload_packed(struct carrier *c, const char *url, const char *type, struct packer *p, int in,
                  struct uploaded *ret, struct err *err)
{
    struct upload *u = upload_new(c, url, type, in);
    int r = upload_run(u, err);

    if (r == ERR_OK) /* an archive that ends early looks whole from here */
        r = packer_wait(p, err);
    if (r == ERR_OK)
        r = upload_commit(u, ret, err);
    upload_free(u);
    return r;
}
