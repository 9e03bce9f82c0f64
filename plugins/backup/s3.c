/* S3-compatible storage: https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html. What is larger than one part is
 * a multipart upload: it is no object until it is completed, and costs money until it is aborted. */
#include "store.h"

#include "../lib/sha256.h"
#include "../lib/web.h"
#include "../lib/xml.h"
#include "sign.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PART_SIZE = 8 << 20, /* 5 MiB is the least that S3 takes */
    PARTS_MAX = 10000,   /* of an upload */
    PART_TIMES =
        1000, /* after as many parts they are twice as large: 10,000 of 8 MiB are 80 GB only */
};

struct s3 {
    struct store store; /* first: it is handed out */
    struct web *web;
    const char *base;         /* "https://host:port", without a slash */
    const char *host;         /* as in the header Host */
    const char *root;         /* "/bucket" with path style, else "" */
    const char *key, *upload; /* of what is under way; UPLOAD NULL: nothing */
    struct strings etags;
};

struct ask {
    const char *method, *key; /* KEY "": the bucket */
    const char *const *query;
    struct span body;
    int to_fd;
    unsigned flags;
};

/* ---- answers ---- */

struct picker {
    struct ost_step *step;
    const char *name;
    bool inside;
    struct sink text;
    struct strings *to;
};

static void on_open(void *ctx, const char *name, const char *const *attributes)
{
    struct picker *p = ctx;

    (void)attributes;
    p->inside = strcmp(name, p->name) == 0;
    p->text = (struct sink){.step = p->step};
}

static void on_close(void *ctx, const char *name)
{
    struct picker *p = ctx;

    if (p->inside && strcmp(name, p->name) == 0)
        strings_add(p->step, p->to, sink_text(&p->text));
    p->inside = false;
}

static void on_text(void *ctx, struct span text)
{
    struct picker *p = ctx;

    if (p->inside)
        sink_add(&p->text, text);
}

/* The texts of all elements NAME. False: it is no XML. */
static bool pick(struct ost_step *step, struct span xml, const char *name, struct strings *ret)
{
    static const struct xml_events events = {on_open, on_close, on_text};
    struct picker p = {.step = step, .name = name, .to = ret};
    struct xml *x = xml_new(step, &events, &p);
    bool good = xml_feed(x, xml, true);

    xml_free(x);
    return good;
}

/* The text of the first element NAME; "": none. */
static const char *pick_one(struct ost_step *step, struct span xml, const char *name)
{
    struct strings all = {0};

    if (xml.size == 0 || !pick(step, xml, name, &all) || all.n == 0)
        return "";
    return all.list[0];
}

/* What to do about it, for what goes wrong most. */
static const char *cure(const char *code)
{
    static const struct {
        const char *code, *cure;
    } rows[] = {
        {"SignatureDoesNotMatch", "; is 's3-secret-key' the one of this 's3-access-key'?"},
        {"InvalidAccessKeyId", "; is 's3-access-key' one of this server's?"},
        {"AccessDenied", "; the key may not do this in this bucket"},
        {"NoSuchBucket", "; make the bucket first"},
        {"AuthorizationHeaderMalformed", "; is 's3-region' the bucket's?"},
        {"RequestTimeTooSkewed", "; this machine's clock is wrong"},
        {"PermanentRedirect", "; is 's3-region' the bucket's?"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].code, code) == 0)
            return rows[i].cure;
    return "";
}

static ost_status refused(struct s3 *s, const struct ask *q, const struct web_answer *a)
{
    struct ost_step *step = s->store.step;
    const char *what = *q->key ? q->key : s->store.set->bucket;
    const char *code = pick_one(step, a->body, "Code");
    const char *text = pick_one(step, a->body, "Message");

    if (a->error == OST_E_CANCELLED)
        return OST_E_CANCELLED;
    if (a->error < 0)
        return ost_fail(step, a->error, "cannot reach the S3 server: %s%s", a->why,
                        a->untrusted ? "; is its certificate's CA in 'ca-file'?" : "");
    if (!*code)
        return ost_fail(step, a->status == 404 ? OST_E_NOT_FOUND : OST_E_FAILED,
                        "the S3 server answered %d for '%s'", a->status, what);
    return ost_fail(step, a->status == 404 ? OST_E_NOT_FOUND : OST_E_FAILED,
                    "the S3 server refuses '%s': %s%s%s%s", what, code, *text ? ", " : "", text,
                    cure(code));
}

/* ---- requests ---- */

static const char *date_now(struct ost_step *step)
{
    time_t now = time(NULL);
    char text[32];
    struct tm tm;

    (void)strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
    return span_dup(step, span_of(text));
}

static const char *address(struct s3 *s, const struct ask *q, const char *path)
{
    struct sink k = {.step = s->store.step};

    sink_addf(&k, "%s%s", s->base, path);
    for (size_t i = 0; q->query && q->query[i]; i++)
        sink_addf(&k, "%c%s", i ? '&' : '?', q->query[i]);
    return sink_text(&k);
}

static ost_status ask(struct s3 *s, const struct ask *q, struct web_answer *ret)
{
    const struct settings *set = s->store.set;
    struct ost_step *step = s->store.step;
    const char *path =
        ost_fmt(step, "%s/%s", s->root, *q->key ? sign_escape(step, q->key, true) : "");
    const struct sign sign = {
        .method = q->method,
        .host = s->host,
        .path = path,
        .query = q->query,
        .payload = sha256_text(step, q->body),
        .access = set->access,
        .secret = set->secret,
        .token = set->token,
        .region = set->region,
        .date = date_now(step),
    };
    const struct web_request request = {
        .method = q->method,
        .url = address(s, q, path),
        .headers = sign_headers(step, &sign),
        .body = q->body.at,
        .body_size = (int64_t)q->body.size,
        .to_fd = q->to_fd,
        .ca_file = *set->ca_file ? set->ca_file : NULL,
        .flags = q->flags,
    };
    ost_status r = web_do(s->web, &request, ret);

    if (r == OST_OK && ret->status >= 200 && ret->status <= 299)
        return OST_OK;
    return refused(s, q, ret);
}

static const char *key_of(const struct s3 *s, const char *name)
{
    const char *prefix = s->store.set->prefix;

    return *prefix ? ost_fmt(s->store.step, "%s/%s", prefix, name) : name;
}

/* ---- writing ---- */

static ost_status begin_upload(struct s3 *s)
{
    struct ost_step *step = s->store.step;
    struct web_answer a;
    ost_status r =
        ask(s, &(struct ask){.method = "POST", .key = s->key, .query = OST_ARGV("uploads=")}, &a);
    const char *id = r == OST_OK ? pick_one(step, a.body, "UploadId") : "";

    if (r == OST_OK && !*id)
        return ost_fail(step, OST_E_FAILED, "the S3 server began no upload of '%s'", s->key);
    if (r < 0)
        return r;
    s->upload = id;
    s->etags = (struct strings){0};
    return step->host->save(step, "half", ost_fmt(step, "%s\n%s", id, s->key));
}

static ost_status write_part(struct s3 *s, struct span part)
{
    struct ost_step *step = s->store.step;
    struct web_answer a;
    struct span etag;
    ost_status r;

    if (s->etags.n == PARTS_MAX)
        return ost_fail(step, OST_E_LIMIT, "'%s' is larger than %d parts", s->key, PARTS_MAX);
    r = ask(s,
            &(struct ask){.method = "PUT",
                          .key = s->key,
                          .query = OST_ARGV(
                              ost_fmt(step, "partNumber=%zu", s->etags.n + 1),
                              ost_fmt(step, "uploadId=%s", sign_escape(step, s->upload, false))),
                          .body = part},
            &a);
    if (r < 0)
        return r;
    etag = web_header(&a, "ETag");
    if (etag.size == 0)
        return ost_fail(step, OST_E_FAILED, "the S3 server gave no ETag for a part of '%s'",
                        s->key);
    strings_add(step, &s->etags, span_dup(step, etag));
    if (s->etags.n % PART_TIMES == 0)
        s->store.part_size *= 2;
    return OST_OK;
}

static void put_xml(struct sink *k, const char *text)
{
    for (; *text; text++)
        if (*text == '"')
            sink_add(k, SPAN("&quot;"));
        else if (*text == '&')
            sink_add(k, SPAN("&amp;"));
        else if (*text == '<')
            sink_add(k, SPAN("&lt;"));
        else
            sink_add(k, (struct span){text, 1});
}

/* It may answer 200 and an error in the body: the time that completing takes is filled with blanks. */
static ost_status end_upload(struct s3 *s)
{
    struct ost_step *step = s->store.step;
    struct sink k = {.step = step};
    struct web_answer a;
    ost_status r;

    sink_add(&k, SPAN("<CompleteMultipartUpload>"));
    for (size_t i = 0; i < s->etags.n; i++) {
        sink_addf(&k, "<Part><PartNumber>%zu</PartNumber><ETag>", i + 1);
        put_xml(&k, s->etags.list[i]);
        sink_add(&k, SPAN("</ETag></Part>"));
    }
    sink_add(&k, SPAN("</CompleteMultipartUpload>"));
    const struct ask q = {
        .method = "POST",
        .key = s->key,
        .query = OST_ARGV(ost_fmt(step, "uploadId=%s", sign_escape(step, s->upload, false))),
        .body = {sink_text(&k), k.size}};
    r = ask(s, &q, &a);
    if (r == OST_OK && *pick_one(step, a.body, "Code"))
        r = refused(s, &q, &a);
    if (r < 0)
        return r;
    s->upload = NULL;
    return step->host->save(step, "half", "");
}

static ost_status s3_write(struct store *store, const char *name, struct span part, bool last)
{
    struct s3 *s = (struct s3 *)store;
    struct web_answer a;
    ost_status r = OST_OK;

    s->key = key_of(s, name);
    if (last && !s->upload)
        return ask(s, &(struct ask){.method = "PUT", .key = s->key, .body = part}, &a);
    if (!s->upload)
        r = begin_upload(s);
    if (r == OST_OK)
        r = write_part(s, part);
    return r == OST_OK && last ? end_upload(s) : r;
}

static void s3_drop(struct store *store)
{
    struct s3 *s = (struct s3 *)store;
    struct web_answer a;

    if (s->upload)
        (void)ask(
            s,
            &(struct ask){.method = "DELETE",
                          .key = s->key,
                          .query = OST_ARGV(ost_fmt(store->step, "uploadId=%s",
                                                    sign_escape(store->step, s->upload, false))),
                          .flags = WEB_ANYWAY},
            &a);
    s->upload = NULL;
    store->part_size = PART_SIZE;
}

/* ---- reading ---- */

static ost_status s3_get(struct store *store, const char *name, int fd)
{
    struct s3 *s = (struct s3 *)store;
    struct web_answer a;

    return ask(s, &(struct ask){.method = "GET", .key = key_of(s, name), .to_fd = fd}, &a);
}

static ost_status list_page(struct s3 *s, const char *prefix, const char **token,
                            struct strings *ret)
{
    struct ost_step *step = s->store.step;
    const char *in_front = key_of(s, "");
    struct strings query = {0}, keys = {0};
    struct web_answer a;
    ost_status r;

    if (*token) /* sorted by name, as the signature has them */
        strings_add(step, &query,
                    ost_fmt(step, "continuation-token=%s", sign_escape(step, *token, false)));
    strings_add(step, &query, "list-type=2");
    strings_add(step, &query,
                ost_fmt(step, "prefix=%s", sign_escape(step, key_of(s, prefix), false)));
    r = ask(s, &(struct ask){.method = "GET", .key = "", .query = strings_list(&query)}, &a);
    if (r < 0)
        return r;
    if (!pick(step, a.body, "Key", &keys))
        return ost_fail(step, OST_E_FAILED, "the S3 server's list of '%s' is no XML",
                        s->store.set->bucket);
    for (size_t i = 0; i < keys.n; i++)
        if (strncmp(keys.list[i], in_front, strlen(in_front)) == 0)
            strings_add(step, ret, keys.list[i] + strlen(in_front));
    *token = strcmp(pick_one(step, a.body, "IsTruncated"), "true") == 0
                 ? pick_one(step, a.body, "NextContinuationToken")
                 : "";
    return OST_OK;
}

static ost_status s3_list(struct store *store, const char *prefix, struct strings *ret)
{
    struct s3 *s = (struct s3 *)store;
    const char *token = "";
    ost_status r;

    do {
        r = list_page(s, prefix, &token, ret);
        if (r == OST_OK && ret->n > STORE_NAMES_MAX)
            r = ost_fail(store->step, OST_E_LIMIT, "'%s' holds more than %d files",
                         settings_place(store->set), STORE_NAMES_MAX);
    } while (r == OST_OK && *token);
    return r;
}

static ost_status s3_remove(struct store *store, const char *name)
{
    struct s3 *s = (struct s3 *)store;
    struct web_answer a;

    return ask(s, &(struct ask){.method = "DELETE", .key = key_of(s, name)}, &a);
}

static void s3_close(struct store *store)
{
    struct s3 *s = (struct s3 *)store;

    s->web = web_free(s->web);
}

/* ---- opening ---- */

/* The job's environment: proxies and certificates are what it says. */
static ost_status job_environment(struct ost_step *step, const char *const **ret)
{
    struct ost_exec_result res = OST_RESULT;
    struct strings lines = {0};
    struct span rest, line;
    ost_status r = ost_exec(step, &res, .flags = OST_EXEC_QUIET | OST_EXEC_CAPTURE,
                            .argv = OST_ARGV("printenv"));

    if (r < 0)
        return r == OST_E_CANCELLED ? r
                                    : ost_fail(step, r, "cannot read the environment: %s",
                                               step->host->last_error(step));
    for (rest = span_of(res.out); span_line(&rest, &line);)
        strings_add(step, &lines, span_dup(step, line));
    *ret = strings_list(&lines);
    return OST_OK;
}

static void place(struct s3 *s)
{
    const struct settings *set = s->store.set;
    struct span rest = span_of(set->endpoint), scheme = SPAN("https://");

    if (span_starts(rest, "http://"))
        scheme = SPAN("http://");
    rest = (struct span){rest.at + scheme.size, rest.size - scheme.size};
    rest.size = strcspn(rest.at, "/");
    s->host = span_dup(s->store.step, rest);
    s->root = ost_fmt(s->store.step, "/%s", set->bucket);
    if (!set->path_style) {
        s->host = ost_fmt(s->store.step, "%s.%s", set->bucket, s->host);
        s->root = "";
    }
    s->base = ost_fmt(s->store.step, "%s%s", span_dup(s->store.step, scheme), s->host);
}

/* An upload that the main phase has left: "ID\nKEY". */
static void take_half(struct s3 *s)
{
    const char *half = s->store.step->host->saved(s->store.step, "half");
    const char *end = half ? strchr(half, '\n') : NULL;

    if (!end)
        return;
    s->upload = span_dup(s->store.step, (struct span){half, (size_t)(end - half)});
    s->key = end + 1;
}

ost_status store_s3(const struct settings *set, struct store **ret)
{
    struct ost_step *step = set->step;
    struct s3 *s = step->host->alloc(step, sizeof *s);
    const char *const *env;
    ost_status r = job_environment(step, &env);

    if (r < 0)
        return r;
    *s = (struct s3){.store = {.set = set,
                               .step = step,
                               .part_size = PART_SIZE,
                               .write = s3_write,
                               .drop = s3_drop,
                               .get = s3_get,
                               .list = s3_list,
                               .remove = s3_remove,
                               .close = s3_close}};
    s->web = web_new(&(struct web_spec){.step = step, .env = env});
    if (!s->web)
        return OST_E_FAILED;
    place(s);
    take_half(s);
    *ret = &s->store;
    return OST_OK;
}
