#include "serve/exchange.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/utf8.h"
#include "io/digest_rsa.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>

enum { TEXT_MAX = BLOCK_LIST_MAX, REPLY_MAX = 64 << 20 };

static const struct service *const all_services[] = {artifact_services, blob_services,
                                                     cache_services,    cache_v1_services,
                                                     folder_services,   oidc_services};

/* ---- the site ---- */

int site_new(const struct site_spec *spec, struct site **ret, struct err *err)
{
    struct site *s = mem_new(sizeof *s);

    s->key = spec->key;
    CLEANUP(fd_closep) int run = spec->run_dir;
    CLEANUP(fd_closep) int cache = spec->cache_dir;
    int r = artifacts_open(run, &s->artifacts, err);
    if (r == ERR_OK) {
        run = -1;
        r = caches_open(cache, spec->run, spec->budget, &s->caches, err);
    }
    if (r == ERR_OK)
        cache = -1;
    if (r < 0) {
        site_free(s, false);
        return r;
    }
    *ret = s;
    return ERR_OK;
}

struct site *site_free(struct site *s, bool end)
{
    if (!s)
        return NULL;
    if (end && s->artifacts)
        artifacts_close(s->artifacts);
    if (end && s->caches)
        caches_close(s->caches);
    artifacts_free(s->artifacts);
    caches_free(s->caches);
    strmap_deinit(&s->ended);
    rsa_key_free(s->sign);
    explicit_bzero(&s->key, sizeof s->key);
    free(s);
    return NULL;
}

void site_end_job(struct site *s, const char *job)
{
    strmap_set(&s->ended, slice_of(job), SLICE(""));
    artifacts_drop_uploads(s->artifacts, job);
    caches_drop_uploads(s->caches, job);
}

/* ---- who answers ---- */

/* PATTERN with each star as one part of PATH, which goes into X. */
static bool path_matches(const char *pattern, const char *path, char *wild[EXCHANGE_WILD_MAX])
{
    size_t n = 0;

    while (*pattern && *path) {
        if (*pattern != '*') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        size_t len = strcspn(path, "/");
        if (len == 0 || n == EXCHANGE_WILD_MAX)
            return false;
        free(wild[n]);
        wild[n++] = mem_dup(path, len);
        path += len;
        pattern++;
    }
    return !*pattern && !*path;
}

/* *RET_PATH tells if something answers on the path at all, with another method. */
static const struct service *find_service(struct exchange *x, bool *ret_path)
{
    const char *method = x->request->method;

    for (size_t i = 0; i < COUNT_OF(all_services); i++)
        for (const struct service *s = all_services[i]; s->method; s++) {
            if (!path_matches(s->path, x->request->path, x->wild))
                continue;
            *ret_path = true;
            /* What may be read may be looked at; the head is all that is sent then. */
            if (strcmp(s->method, strcmp(method, "HEAD") == 0 ? "GET" : method) == 0)
                return s;
        }
    return NULL;
}

static void check_token(struct exchange *x)
{
    const char *header = exchange_header(x, "Authorization");
    struct slice token = slice_of(header);
    struct err err = ERR_INIT;

    if (x->token.ptr)
        token = x->token;
    else if (header && slice_eq_nocase(slice_head(token, 7), SLICE("Bearer ")))
        token = slice_trim(slice_from(token, 7));
    else
        token.len = 0;
    if (token.len == 0)
        exchange_fail(x, 401, "unauthenticated", "the request has no token");
    else if (token_read(&x->site->key, token, (int64_t)time(NULL), &x->claims, &err) < 0)
        exchange_fail(x, 401, "unauthenticated", "%s", err.text);
    else if (strmap_get(&x->site->ended, exchange_claim(x, "job")))
        exchange_fail(x, 401, "unauthenticated", "the job of this token is over");
}

static void check_signature(struct exchange *x, const char *verb)
{
    const char *signature = exchange_query(x, "sig"), *end = exchange_query(x, "se");
    struct err err = ERR_INIT;
    int64_t expires;

    if (!signature || !end || num_parse_i64(slice_of(end), 0, INT64_MAX, &expires, &err) < 0 ||
        !token_allows(&x->site->key, verb, x->request->path, expires, slice_of(signature),
                      (int64_t)time(NULL)))
        exchange_fail(x, 403, "permission_denied",
                      "the address is not signed for this, or has expired");
}

static void split_token(struct exchange *x)
{
    static const char mark[] = "/" SERVICES_TOKEN_PATH;
    const char *path = x->request->path;

    if (strncmp(path, mark, sizeof mark - 1) != 0)
        return;
    x->token.ptr = path + sizeof mark - 1;
    x->token.len = strcspn(x->token.ptr, "/");
    x->own = *x->request;
    x->own.path = x->token.ptr + x->token.len;
    x->request = &x->own;
}

struct exchange *exchange_new(struct site *s, const struct request *request, exchange_fn *ready,
                              void *ctx)
{
    struct exchange *x = mem_new(sizeof *x);
    bool known = false;

    *x = (struct exchange){.site = s,
                           .request = request,
                           .body = BUF_INIT(BODY_JSON_MAX),
                           .reply = {.text = BUF_INIT(REPLY_MAX), .file = -1},
                           .fn = ready,
                           .ctx = ctx};
    split_token(x);
    x->service = find_service(x, &known);
    if (!x->service)
        exchange_fail(x, known ? 405 : 404, "bad_route", "nothing here answers %s %.200s",
                      request->method, x->request->path);
    else if (x->service->auth == AUTH_TOKEN)
        check_token(x);
    else if (x->service->auth != AUTH_NONE)
        check_signature(x, x->service->auth == AUTH_READ ? "r" : "w");
    if (x->service && x->service->body == BODY_BLOB)
        x->body.max = TEXT_MAX;
    if (!x->failed && x->service->begin)
        x->service->begin(x);
    return x;
}

struct exchange *exchange_free(struct exchange *x)
{
    if (!x)
        return NULL;
    for (struct exchange **at = &x->site->waiting; *at; at = &(*at)->next) {
        if (*at == x) { /* its client went; what it asked for is done by who asks again */
            *at = x->next;
            break;
        }
    }
    for (size_t i = 0; i < EXCHANGE_WILD_MAX; i++)
        free(x->wild[i]);
    json_decref(x->claims);
    json_decref(x->json);
    piece_free(x->piece);
    buf_deinit(&x->body);
    buf_deinit(&x->reply.text);
    strmap_deinit(&x->reply.headers);
    fd_closep(&x->reply.file);
    arena_deinit(&x->arena);
    free(x);
    return NULL;
}

/* ---- the body ---- */

void exchange_body(struct exchange *x, struct slice bytes)
{
    struct err err = ERR_INIT;

    if (x->failed || x->service->body == BODY_NONE)
        return;
    if (!x->piece)
        buf_add(&x->body, bytes);
    else if (piece_add(x->piece, bytes, &err) < 0)
        exchange_fail_err(x, &err);
}

static void read_object(struct exchange *x)
{
    json_error_t error;

    x->json = json_loadb(x->body.ptr, x->body.len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(x->json))
        exchange_fail(x, 400, "malformed", "the request's body is no JSON object%s%s",
                      x->json ? "" : ": ", x->json ? "" : error.text);
}

static void make_ready(struct exchange *x)
{
    x->ready = true;
    x->fn(x->ctx);
}

void exchange_end(struct exchange *x)
{
    struct err err = ERR_INIT;

    if (!x->failed && buf_check(&x->body, "the request's body", &err) < 0)
        exchange_fail_err(x, &err);
    if (!x->failed && x->service->body == BODY_OBJECT)
        read_object(x);
    if (!x->failed)
        x->service->end(x);
    if (!x->upload)
        make_ready(x);
}

struct reply *exchange_reply(struct exchange *x)
{
    return &x->reply;
}

/* ---- asking ---- */

const char *exchange_query(const struct exchange *x, const char *name)
{
    return strmap_get(x->request->query, name);
}

const char *exchange_header(const struct exchange *x, const char *name)
{
    return strmap_get(x->request->headers, name);
}

/* "name_filter" is "nameFilter" to those who write JSON by the books. */
static json_t *find_member(const json_t *object, const char *name)
{
    CLEANUP(buf_deinit) struct buf camel = BUF_INIT(100);
    json_t *value = json_object_get(object, name);

    if (value)
        return value;
    for (const char *c = name; *c; c++) {
        bool hump = *c == '_' && c[1] >= 'a' && c[1] <= 'z';

        buf_add_char(&camel, hump ? (char)(*++c - 32) : *c);
    }
    return json_object_get(object, camel.ptr);
}

const char *exchange_text(const struct exchange *x, const char *name)
{
    const json_t *value = find_member(x->json, name);
    const char *text = json_string_value(value);

    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

int64_t exchange_number(const struct exchange *x, const char *name)
{
    const json_t *value = find_member(x->json, name);
    struct err ignored = ERR_INIT;
    int64_t number;

    if (json_is_integer(value))
        return json_integer_value(value) < 0 ? -1 : json_integer_value(value);
    if (!json_is_string(value) ||
        num_parse_i64(slice_of(json_string_value(value)), 0, INT64_MAX, &number, &ignored) < 0)
        return -1;
    return number;
}

const char *exchange_claim(const struct exchange *x, const char *name)
{
    const char *text = json_string_value(json_object_get(x->claims, name));
    return text ? text : "";
}

/* ---- replying ---- */

void exchange_json(struct exchange *x, int status, json_t *take_json)
{
    CLEANUP(free_ptr) char *text = json_dumps(take_json, JSON_COMPACT);

    x->reply.status = status;
    x->reply.type = "application/json";
    buf_clear(&x->reply.text);
    buf_add_str(&x->reply.text, text ? text : "{}");
    json_decref(take_json);
}

void exchange_empty(struct exchange *x, int status)
{
    x->reply.status = status;
    x->reply.type = NULL;
    buf_clear(&x->reply.text);
}

void exchange_file(struct exchange *x, int take_fd, const char *type)
{
    const char *wanted = exchange_header(x, "Range");
    struct reply *r = &x->reply;
    struct stat st;

    r->file = take_fd;
    if (fstat(take_fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        fd_closep(&r->file);
        exchange_fail(x, 500, "internal", "what should be sent is no file");
        return;
    }
    r->status = 200;
    r->type = type;
    r->start = 0;
    r->size = st.st_size;
    strmap_set(&r->headers, SLICE("Accept-Ranges"), SLICE("bytes"));
    if (!wanted)
        return;
    if (!range_parse(slice_of(wanted), st.st_size, &r->start, &r->size)) {
        fd_closep(&r->file);
        exchange_fail(x, 416, "out_of_range", "the file has %lld bytes", (long long)st.st_size);
    } else if (r->size != st.st_size) {
        r->status = 206;
        const char *range = arena_printf(&x->arena, "bytes %" PRId64 "-%" PRId64 "/%lld", r->start,
                                         r->start + r->size - 1, (long long)st.st_size);
        strmap_set(&r->headers, SLICE("Content-Range"), slice_of(range));
    }
}

static void add_xml(struct buf *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '<' || *text == '>' || *text == '&')
            buf_printf(to, "&#%d;", *text);
        else
            buf_add_char(to, *text);
    }
}

void exchange_fail(struct exchange *x, int status, const char *code, const char *fmt, ...)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1024);
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    x->failed = true;
    x->piece = piece_free(x->piece);
    if (x->service && x->service->xml) {
        x->reply.status = status;
        x->reply.type = "application/xml";
        buf_clear(&x->reply.text);
        buf_printf(&x->reply.text,
                   "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code><Message>",
                   code);
        add_xml(&x->reply.text, text.ptr);
        buf_add_str(&x->reply.text, "</Message></Error>");
        strmap_set(&x->reply.headers, SLICE("x-ms-error-code"), slice_of(code));
        return;
    }
    /* twirp's clients read "msg", the older services' "message" */
    const char *shown = utf8_text(&x->arena, text.ptr);
    exchange_json(x, status,
                  json_pack("{s:s, s:s, s:s}", "code", code, "msg", shown, "message", shown));
}

void exchange_fail_err(struct exchange *x, const struct err *err)
{
    bool full = err->sys == ENOSPC || err->sys == EDQUOT;

    switch (err->code) {
    case ERR_NOT_FOUND:
        exchange_fail(x, 404, "not_found", "%s", err->text);
        break;
    case ERR_INVALID:
        exchange_fail(x, 400, "invalid_argument", "%s", err->text);
        break;
    case ERR_LIMIT:
        exchange_fail(x, 413, "resource_exhausted", "%s", err->text);
        break;
    default:
        exchange_fail(x, full ? 507 : 500, full ? "resource_exhausted" : "internal", "%s",
                      err->text);
    }
}

const char *exchange_quote(struct exchange *x, const char *text)
{
    CLEANUP(buf_deinit) struct buf quoted = BUF_INIT(3 * ARTIFACT_PATH_MAX + 1);

    for (const char *c = text; *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || *c == '-' || *c == '.' || *c == '_';

        if (plain)
            buf_add_char(&quoted, *c);
        else
            buf_printf(&quoted, "%%%02X", (unsigned)(unsigned char)*c);
    }
    return arena_str(&x->arena, buf_slice(&quoted));
}

void exchange_set_file_name(struct exchange *x, const char *name)
{
    const char *value =
        arena_printf(&x->arena, "attachment; filename*=UTF-8''%s", exchange_quote(x, name));

    strmap_set(&x->reply.headers, SLICE("Content-Disposition"), slice_of(value));
}

/* ---- addresses ---- */

const char *exchange_sign(struct exchange *x, const char *verb, const char *path)
{
    int64_t expires = (int64_t)time(NULL) + (*verb == 'r' ? SIGNED_DOWNLOAD_S : SIGNED_UPLOAD_S);
    char signature[TOKEN_SIGNATURE_SIZE];

    token_sign(&x->site->key, verb, path, expires, signature);
    return arena_printf(&x->arena, "%s%s?se=%" PRId64 "&sig=%s", x->request->base, path, expires,
                        signature);
}

/* ---- uploads that are put together ---- */

struct upload *exchange_upload(struct exchange *x)
{
    return x->cache ? caches_upload(x->site->caches, x->upload)
                    : artifacts_upload(x->site->artifacts, x->upload);
}

static void assembled(struct exchange *x)
{
    x->service->done(x);
    x->upload = 0;
}

void exchange_assemble(struct exchange *x, struct upload *u, bool cache, const struct slice *names,
                       size_t n)
{
    struct err err = ERR_INIT;
    int r = upload_assemble(u, names, n, &err);

    if (r < 0) {
        exchange_fail_err(x, &err);
        return;
    }
    x->upload = u->id;
    x->cache = cache;
    if (r == 1) {
        assembled(x);
        return;
    }
    x->next = x->site->waiting;
    x->site->waiting = x;
}

bool site_busy(const struct site *s)
{
    return s->waiting;
}

void site_work(struct site *s)
{
    struct exchange *x = s->waiting;
    struct err err = ERR_INIT;

    if (!x)
        return;
    struct upload *u = exchange_upload(x);
    /* Another exchange may have waited for the same upload, and finished it. */
    int r = !u             ? err_set(&err, ERR_NOT_FOUND, "the upload was given up")
            : !u->assembly ? u->whole ? 1 : err_set(&err, ERR_FAILED, "the upload broke")
                           : upload_work(u, &err);
    s->waiting = x->next;
    x->next = NULL;
    if (r == 0) { /* to the end of the line: all that wait get their turn */
        struct exchange **at = &s->waiting;

        while (*at)
            at = &(*at)->next;
        *at = x;
        return;
    }
    if (r < 0) {
        exchange_fail_err(x, &err);
        x->upload = 0;
    } else {
        assembled(x);
    }
    make_ready(x);
}
