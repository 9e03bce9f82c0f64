#include "upload.h"

#include <string.h>

enum {
    BEGINNINGS_MAX = 6, /* 5 after the first */
    CHUNK = 4 << 20,    /* what ghcr.io takes at the most */
    ABANDON_MS = 4000,
};

static void on_head(void *ctx, const struct web_answer *a);
static void on_post(void *ctx, const struct web_answer *a);
static void on_mount(void *ctx, const struct web_answer *a);
static void on_put(void *ctx, const struct web_answer *a);
static void on_patch(void *ctx, const struct web_answer *a);
static void on_where(void *ctx, const struct web_answer *a);

static void on_sent(void *ctx, int64_t sent)
{
    struct upload *u = ctx;

    u->sent = u->stands + sent;
}

/* ---- the end ---- */

static void end(struct upload *u, enum upload_state state)
{
    if (state != UPLOAD_FAILED)
        u->sent = u->blob->d.size;
    u->state = state;
    if (state != UPLOAD_FAILED)
        u->location = NULL;
    u->done(u->ctx, u);
}

static void fail(struct upload *u, const char *verb, const struct web_answer *a)
{
    u->error = registry_complain(
        u->registry, ost_fmt(u->step, "%s %s at '%s'", verb, u->blob->what, u->name), a);
    end(u, UPLOAD_FAILED);
}

/* ---- requests ---- */

static const char *scope_of(const struct upload *u)
{
    return registry_scope(u->step, u->name, "pull,push");
}

static void ask(struct upload *u, struct ask q)
{
    if (!q.scope)
        q.scope = scope_of(u);
    q.ctx = u;
    registry_ask(u->registry, &q);
}

static void ask_head(struct upload *u, int64_t delay_ms)
{
    u->n_begun++;
    u->location = NULL;
    u->stands = u->sent = 0;
    ask(u, (struct ask){.method = "HEAD",
                        .path = ost_fmt(u->step, "/v2/%s/blobs/%s", u->name, u->blob->d.digest),
                        .flags = WEB_FOLLOW,
                        .delay_ms = delay_ms,
                        .done = on_head});
}

/* The next repository to mount from, if any, else a plain upload. */
static void ask_post(struct upload *u)
{
    const char *from = u->mount_from ? u->mount_from[u->n_mounts] : NULL;

    if (!from) {
        ask(u, (struct ask){.method = "POST",
                            .path = ost_fmt(u->step, "/v2/%s/blobs/uploads/", u->name),
                            .done = on_post});
        return;
    }
    u->n_mounts++;
    ask(u, (struct ask){.method = "POST",
                        .path = ost_fmt(u->step, "/v2/%s/blobs/uploads/?mount=%s&from=%s", u->name,
                                        u->blob->d.digest, from),
                        .scope = ost_fmt(u->step, "%s %s", scope_of(u),
                                         registry_scope(u->step, from, "pull")),
                        .done = on_mount});
}

/* The latest location, and what completes it. */
static const char *with_digest(const struct upload *u)
{
    return ost_fmt(u->step, "%s%sdigest=%s", u->location, strchr(u->location, '?') ? "&" : "?",
                   u->blob->d.digest);
}

static void ask_put(struct upload *u, bool with_body)
{
    static const char *const headers[] = {"Content-Type: application/octet-stream", NULL};

    u->now = with_body ? u->blob->bytes.size : 0;
    u->took += u->now;
    ask(u, (struct ask){.method = "PUT",
                        .url = with_digest(u),
                        .headers = headers,
                        .body = with_body ? u->blob->bytes : (struct piece){.data = ""},
                        .flags = WEB_ONCE | WEB_FOLLOW,
                        .sent = with_body ? on_sent : NULL,
                        .done = on_put});
}

static void ask_stream(struct upload *u)
{
    static const char *const headers[] = {"Content-Type: application/octet-stream", NULL};

    u->now = u->blob->bytes.size;
    u->took += u->now;
    ask(u, (struct ask){.method = "PATCH",
                        .url = u->location,
                        .headers = headers,
                        .body = u->blob->bytes,
                        .flags = WEB_ONCE | WEB_CHUNKED,
                        .sent = on_sent,
                        .done = on_patch});
}

static void ask_chunk(struct upload *u)
{
    int64_t size = u->chunk > 0 ? u->chunk : CHUNK, left = u->blob->bytes.size - u->stands;
    struct piece body = u->blob->bytes;
    struct strings headers = {0};

    if (size < u->chunk_min)
        size = u->chunk_min;
    if (size > left)
        size = left;
    if (body.data)
        body.data += u->stands;
    body.at += u->stands;
    body.size = size;
    u->now = size;
    u->took += size;
    strings_add(u->step, &headers, "Content-Type: application/octet-stream");
    strings_add(u->step, &headers,
                ost_fmt(u->step, "Content-Range: %lld-%lld", (long long)u->stands,
                        (long long)(u->stands + size - 1)));
    ask(u, (struct ask){.method = "PATCH",
                        .url = u->location,
                        .headers = strings_list(&headers),
                        .body = body,
                        .flags = WEB_ONCE,
                        .sent = on_sent,
                        .done = on_patch});
}

static void ask_body(struct upload *u)
{
    if (u->chunk > 0)
        u->way = WAY_CHUNKS;
    if (u->way == WAY_PUT)
        ask_put(u, true);
    else if (u->way == WAY_STREAM)
        ask_stream(u);
    else if (u->stands < u->blob->bytes.size)
        ask_chunk(u);
    else
        ask_put(u, false);
}

/* ---- answers ---- */

static bool is_broken(const struct web_answer *a)
{
    return a->error == OST_E_IO || a->error == OST_E_TIMEOUT || a->status == 429 ||
           a->status >= 500;
}

static bool is_code(struct upload *u, const struct web_answer *a, const char *code)
{
    return strcmp(registry_code(u->step, a), code) == 0;
}

/* The upload is lost: a new one, or the end. */
static void again(struct upload *u, const struct web_answer *a)
{
    if (a->untrusted || u->n_begun >= BEGINNINGS_MAX) {
        fail(u, "upload", a);
        return;
    }
    ost_log(u->step, OST_INFO, "%s: the upload broke off (%s); beginning again", u->blob->what,
            a->error ? a->why : ost_fmt(u->step, "%d", a->status));
    ask_head(u, web_wait_ms(u->web, a, u->n_begun));
}

static void on_head(void *ctx, const struct web_answer *a)
{
    struct upload *u = ctx;

    if (!a->error && a->status >= 200 && a->status <= 299)
        end(u,
            u->took > 0 ? UPLOAD_SENT : UPLOAD_PRESENT); /* what was sent had arrived after all */
    else if (!a->error && a->status == 404 && u->look)
        end(u, UPLOAD_MISSING);
    else if (!a->error && a->status == 404 && u->blob->bytes.size == u->blob->d.size)
        ask_post(u);
    else
        fail(u, "look for", a); /* also of what was there a moment ago, and is not here */
}

static bool take_location(struct upload *u, const struct web_answer *a)
{
    struct span least = web_header(a, "OCI-Chunk-Min-Length");
    const char *location = registry_location(u->registry, a);
    uint32_t n;

    if (span_eat_number(&least, &n))
        u->chunk_min = n;
    if (location)
        u->location = location;
    return location != NULL;
}

static void begun(struct upload *u, const struct web_answer *a)
{
    if (!a->error && a->status == 202 && take_location(u, a))
        ask_body(u);
    else
        fail(u, "begin the upload of", a);
}

static void on_post(void *ctx, const struct web_answer *a)
{
    begun(ctx, a);
}

/* 202: not mounted, but an upload has been opened. A refusal may only mean the other repository. */
static void on_mount(void *ctx, const struct web_answer *a)
{
    struct upload *u = ctx;

    if (!a->error && a->status == 201) {
        end(u, UPLOAD_MOUNTED);
    } else if (!a->error && a->status == 202 && u->mount_from[u->n_mounts]) {
        if (take_location(u, a))
            upload_abandon(u);
        ask_post(u);
    } else if (!a->error && a->status >= 400 && a->status <= 499 && a->status != 429) {
        ask_post(u);
    } else {
        begun(u, a);
    }
}

/* What arrived is what was sent. */
static bool is_ours(const struct upload *u, const struct web_answer *a)
{
    struct span said = web_header(a, "Docker-Content-Digest");

    return said.size == 0 || span_is(said, u->blob->d.digest);
}

static void refuse(struct upload *u, const struct web_answer *a)
{
    if (a->status == 413 || a->status == 411) {
        if (u->way != WAY_CHUNKS && u->n_begun < BEGINNINGS_MAX) {
            u->way++;
            ost_log(u->step, OST_INFO, "%s: refused in one piece (%d); trying %s", u->blob->what,
                    a->status, u->way == WAY_STREAM ? "a stream" : "chunks of 4 MiB");
            ask_head(u, 0);
            return;
        }
        fail(u, "upload", a);
        return;
    }
    if (is_code(u, a, "DIGEST_INVALID") || is_code(u, a, "SIZE_INVALID")) {
        u->error =
            ost_fail(u->step, OST_E_FAILED,
                     "%s is not what it was when it was looked at: '%s' wanted %s; has the file "
                     "been changed meanwhile, or is it damaged?",
                     u->blob->what, registry_host(u->registry), u->blob->d.digest);
        end(u, UPLOAD_FAILED);
        return;
    }
    if (a->status == 404 || a->status == 416 || is_code(u, a, "BLOB_UPLOAD_INVALID") ||
        is_code(u, a, "BLOB_UPLOAD_UNKNOWN"))
        again(u, a);
    else
        fail(u, "upload", a);
}

static void on_put(void *ctx, const struct web_answer *a)
{
    struct upload *u = ctx;

    if (is_broken(a)) {
        again(u, a);
    } else if (a->error || a->status < 200 || a->status > 299) {
        refuse(u, a);
    } else if (!is_ours(u, a)) {
        u->error = ost_fail(u->step, OST_E_FAILED, "'%s' stored %s under another digest than %s",
                            registry_host(u->registry), u->blob->what, u->blob->d.digest);
        end(u, UPLOAD_FAILED);
    } else {
        end(u, UPLOAD_SENT);
    }
}

static void on_patch(void *ctx, const struct web_answer *a)
{
    struct upload *u = ctx;

    if (!a->error && a->status >= 200 && a->status <= 299) {
        u->stands += u->now;
        if (!take_location(u, a)) {
            fail(u, "upload", a);
            return;
        }
        if (u->way == WAY_STREAM || u->stands == u->blob->bytes.size)
            ask_put(u, false);
        else
            ask_chunk(u);
    } else if (u->way == WAY_CHUNKS && (is_broken(a) || a->status == 416) &&
               u->n_begun < BEGINNINGS_MAX) {
        u->n_begun++; /* where does it stand? Registries that cannot tell answer 404 */
        ask(u, (struct ask){.method = "GET",
                            .url = u->location,
                            .delay_ms = web_wait_ms(u->web, a, u->n_begun),
                            .done = on_where});
    } else if (is_broken(a)) {
        again(u, a);
    } else {
        refuse(u, a);
    }
}

/* "0-4194303": that much is there; what it says is believed no further than what was sent. */
static void on_where(void *ctx, const struct web_answer *a)
{
    struct upload *u = ctx;
    struct span range = web_header(a, "Range");
    uint32_t last;

    if (!a->error && (a->status == 204 || a->status == 200) && span_eat(&range, "0-") &&
        span_eat_number(&range, &last) && last < UINT32_MAX && take_location(u, a) &&
        (int64_t)last + 1 <= u->stands + u->now) {
        u->stands = last > 0 ? (int64_t)last + 1 : 0; /* "0-0" is how an empty one looks */
        u->sent = u->stands;
        ask_body(u);
        return;
    }
    again(u, a);
}

/* ---- from outside ---- */

void upload_begin(struct upload *u)
{
    u->state = UPLOAD_RUNS;
    ask_head(u, 0);
}

static void forget(void *ctx, const struct web_answer *a)
{
    (void)ctx;
    (void)a;
}

void upload_abandon(struct upload *u)
{
    if (u->location)
        ask(u, (struct ask){.method = "DELETE",
                            .url = u->location,
                            .flags = WEB_ANYWAY | WEB_ONCE,
                            .total_ms = ABANDON_MS,
                            .done = forget});
    u->location = NULL;
}
