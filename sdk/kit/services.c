/* The services of ostler/ext.h for tests of plugins: which there are, and those that are short. */
#include "kit/own.h"

#include "base/path.h"
#include "lib/json.h"
#include "plugin/transcript.h"

#include <fcntl.h>
#include <fnmatch.h>

struct kit_source {
    char *repository;
    struct ost_source found; /* its texts are ours */
};

/* ---- what each does first ---- */

ost_status kit_begin(struct ost_test *t, const char *service, char *line)
{
    const char *object = strchr(line, ' ');
    ost_status r = kit_enter_fallible(t, service, object ? object + 1 : NULL);

    vec_push(&t->asked, line);
    if (t->recording && strncmp(service, "files.", 6) != 0)
        vec_push(&t->plans, kit_copy(line));
    if (r == OST_OK && t->cancelled)
        return kit_refuse(t, OST_E_CANCELLED, "the job was cancelled");
    return r;
}

void kit_add_list(struct buf *line, const char *name, const char *const *list)
{
    buf_printf(line, " %s=", name);
    for (size_t i = 0; list && list[i]; i++)
        buf_printf(line, "%s%s", i ? "," : "", list[i]);
}

/* ---- progress ---- */

static void progress_update(struct ost_step *step, const char *label, int64_t done, int64_t total)
{
    struct ost_test *t = kit_host(step);
    struct buf line = BUF_INIT(1 << 16);

    kit_enter(t, "progress.update", label);
    if (!label)
        kit_broken(t, "progress.update without a label");
    buf_printf(&line, "%s %lld", label ? label : "", (long long)done);
    if (total >= 0)
        buf_printf(&line, "/%lld", (long long)total);
    vec_push(&t->progress, buf_take(&line));
    kit_leave(t);
}

static const struct ost_progress_v1 progress = {sizeof progress, progress_update};

/* ---- requests ---- */

static const char *const *keep_list(struct ost_test *t, const char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    const char **copy = kit_keep(t, mem_new((n + 1) * sizeof *copy));
    for (size_t i = 0; i < n; i++)
        copy[i] = kit_keep_text(t, list[i]);
    return copy;
}

/* Records what was asked, as the test will see it. */
static void record(struct ost_test *t, const struct ost_http_request *q, const char *line)
{
    struct ost_http_request mine = *q;

    mine.method = kit_keep_text(t, q->method);
    mine.url = kit_keep_text(t, q->url);
    mine.headers = keep_list(t, q->headers);
    mine.body = q->body ? kit_keep(t, mem_dup(q->body, q->body_size)) : NULL;
    mine.save_to = kit_keep_text(t, q->save_to);
    vec_push(&t->requests, mine);
    vec_push(&t->request_lines, kit_copy(line));
}

static const struct ost_test_reply *find_reply(struct ost_test *t, const char *line)
{
    static const struct ost_test_reply ok = {.status = 200};

    for (size_t i = t->http_rules.len; i > 0 && !t->recording; i--) {
        struct http_rule *rule = &t->http_rules.ptr[i - 1];
        bool spent = rule->reply.times && rule->used >= rule->reply.times;

        if (!spent && fnmatch(rule->pattern, line, 0) == 0) {
            rule->used++;
            return &rule->reply;
        }
    }
    return &ok;
}

static ost_status save_body(struct ost_test *t, const struct ost_test_reply *reply,
                            const char *save_to)
{
    CLEANUP(free_ptr) char *path = path_join(t->dirs[OST_DIR_WORKSPACE], save_to);
    struct err err = ERR_INIT;

    if (t->recording ||
        path_write(AT_FDCWD, path, slice_make(reply->body, reply->body_size), 0600, &err) == ERR_OK)
        return OST_OK;
    return kit_refuse(t, OST_E_IO, err.text);
}

static ost_status play_http(struct ost_test *t, const struct ost_http_request *q,
                            struct ost_http_response *ret)
{
    struct buf ask = BUF_INIT(2 * TRANSCRIPT_LINE_MAX);
    ost_status r = OST_OK;

    transcript_http(&ask, q);
    const struct json *answer = kit_play(t, "http.fetch", &ask, &r);
    *ret = (struct ost_http_response){
        .status = (int32_t)kit_int(answer, "status"),
        .body = json_text(answer, "body"),
        .body_size = strlen(json_text(answer, "body")),
        .headers = json_text(answer, "headers"),
    };
    return r;
}

static ost_status reply_to(struct ost_test *t, const struct ost_http_request *q, const char *line,
                           struct ost_http_response *ret)
{
    if (t->playing)
        return play_http(t, q, ret);
    const struct ost_test_reply *reply = find_reply(t, line);

    if (reply->fails < 0)
        return kit_refuse(t, reply->fails, reply->error ? reply->error : "nobody answers");
    *ret = (struct ost_http_response){.status = reply->status ? reply->status : 200, .body = ""};
    if (q->save_to)
        return save_body(t, reply, q->save_to);
    ret->headers = kit_keep_text(t, reply->headers ? reply->headers : "");
    if (reply->body) {
        ret->body = kit_keep(t, mem_dup(reply->body, reply->body_size));
        ret->body_size = reply->body_size;
    }
    return OST_OK;
}

static ost_status http_fetch(struct ost_step *step, const struct ost_http_request *given,
                             struct ost_http_response *ret)
{
    struct ost_test *t = kit_host(step);
    CLEANUP(buf_deinit) struct buf line = BUF_INIT(1 << 20);
    struct ost_http_request q = {0};
    struct ost_http_response got = {0};
    size_t head = strlen("http.fetch ");

    memcpy(&q, given, given->struct_size < sizeof q ? given->struct_size : sizeof q);
    buf_printf(&line, "http.fetch %s %s", q.method ? q.method : "GET", q.url ? q.url : "");
    ost_status r = kit_begin(t, "http.fetch", kit_copy(line.ptr));
    if (!q.struct_size || !q.url || (ret && !ret->struct_size)) {
        kit_broken(t, "http.fetch without sizes or a url");
        r = OST_E_INVALID;
    }
    record(t, &q, line.ptr + head);
    if (r == OST_OK)
        r = reply_to(t, &q, line.ptr + head, &got);
    if (r == OST_OK && ret) {
        got.struct_size = ret->struct_size;
        memcpy(ret, &got, ret->struct_size < sizeof got ? ret->struct_size : sizeof got);
    }
    kit_leave(t);
    return r;
}

static const struct ost_http_v1 http = {sizeof http, http_fetch};

/* ---- source ---- */

static ost_status play_source(struct ost_test *t, const struct ost_source_query *q,
                              struct ost_source *ret)
{
    struct buf ask = BUF_INIT(1 << 20);
    ost_status r = OST_OK;

    transcript_source(&ask, q);
    const struct json *answer = kit_play(t, "source.find", &ask, &r);
    const struct ost_source all = {
        .struct_size = ret->struct_size,
        .shown = (int32_t)kit_int(answer, "shown"),
        .folder = json_text(answer, "folder"),
        .origin = json_text(answer, "origin"),
        .ref = json_text(answer, "ref"),
        .commit = json_text(answer, "commit"),
    };
    memcpy(ret, &all, ret->struct_size < sizeof all ? ret->struct_size : sizeof all);
    return r;
}

static ost_status find_source(struct ost_test *t, const struct ost_source_query *q,
                              struct ost_source *ret)
{
    if (t->playing)
        return play_source(t, q, ret);
    for (size_t i = t->sources.len; i > 0; i--) {
        const struct kit_source *s = t->sources.ptr[i - 1];

        if (strcmp(s->repository, q->repository) != 0)
            continue;
        struct ost_source all = s->found;

        all.struct_size = ret->struct_size;
        memcpy(ret, &all, ret->struct_size < sizeof all ? ret->struct_size : sizeof all);
        return OST_OK;
    }
    return kit_refuse(t, OST_E_NOT_FOUND, "this machine does not have it");
}

static ost_status source_find(struct ost_step *step, const struct ost_source_query *given,
                              struct ost_source *ret)
{
    struct ost_test *t = kit_host(step);
    struct ost_source_query q = {0};
    struct buf line = BUF_INIT(1 << 16);

    memcpy(&q, given, given->struct_size < sizeof q ? given->struct_size : sizeof q);
    buf_printf(&line, "source.find %s %s %s", q.repository ? q.repository : "", q.ref ? q.ref : "",
               q.path ? q.path : "");
    ost_status r = kit_begin(t, "source.find", buf_take(&line));
    if (!q.struct_size || !q.repository || !ret || !ret->struct_size) {
        kit_broken(t, "source.find without sizes or a repository");
        r = OST_E_INVALID;
    }
    if (r == OST_OK)
        r = find_source(t, &q, ret);
    kit_leave(t);
    return r;
}

static const struct ost_source_v1 source = {sizeof source, source_find};

/* ---- mirrors ---- */

static ost_status find_mirror(struct ost_test *t, const struct ost_mirror_query *q,
                              const char **ret)
{
    struct buf ask = BUF_INIT(1 << 20);
    ost_status r = OST_OK;

    if (t->playing) {
        transcript_mirror(&ask, q);
        *ret = json_text(kit_play(t, "mirror.show", &ask, &r), "value");
        return r;
    }
    if (!t->mirror)
        return kit_refuse(t, OST_E_NOT_FOUND, "there is no mirror");
    *ret = kit_keep_text(t, t->mirror);
    return OST_OK;
}

static ost_status mirror_show(struct ost_step *step, const struct ost_mirror_query *given,
                              const char **ret)
{
    struct ost_test *t = kit_host(step);
    struct ost_mirror_query q = {0};
    struct buf line = BUF_INIT(1 << 16);

    memcpy(&q, given, given->struct_size < sizeof q ? given->struct_size : sizeof q);
    buf_printf(&line, "mirror.show %s%s%s", q.url ? q.url : "",
               q.flags & OST_MIRROR_MAKE ? " make" : "", q.header && *q.header ? " header" : "");
    ost_status r = kit_begin(t, "mirror.show", buf_take(&line));
    if (!q.struct_size || !q.url || !ret) {
        kit_broken(t, "mirror.show without a size or an address");
        r = OST_E_INVALID;
    }
    if (r == OST_OK)
        r = find_mirror(t, &q, ret);
    kit_leave(t);
    return r;
}

static const struct ost_mirror_v1 mirror = {sizeof mirror, mirror_show};

/* ---- masking ---- */

/* The longest of the job's secrets at the front of TEXT: its size; 0: none. */
static size_t secret_size(const struct ost_test *t, const char *text)
{
    const texts *const lists[] = {&t->secrets, &t->masks};
    size_t longest = 0;

    for (size_t i = 0; i < COUNT_OF(lists); i++)
        VEC_EACH (secret, lists[i]) {
            size_t n = strlen(*secret);

            if (n > longest && strncmp(text, *secret, n) == 0)
                longest = n;
        }
    return longest;
}

static ost_status mask_text(struct ost_step *step, const char *text, const char **ret)
{
    struct ost_test *t = kit_host(step);
    ost_status r = kit_begin(t, "mask.apply", kit_copy("mask.apply"));
    struct buf out = BUF_INIT(16 << 20);

    if (!text || !ret)
        kit_broken(t, "mask.apply without a text or a place for it");
    while (r == OST_OK && text && *text) {
        size_t n = secret_size(t, text);

        buf_add(&out, n ? SLICE("***") : slice_make(text, 1));
        text += n ? n : 1;
    }
    if (r == OST_OK && ret)
        *ret = kit_keep(t, buf_take(&out));
    buf_deinit(&out);
    kit_leave(t);
    return r;
}

static const struct ost_mask_v1 mask = {sizeof mask, mask_text};

/* ---- which there are ---- */

const void *kit_service(struct ost_test *t, const char *id)
{
    const struct {
        const char *id;
        const void *table;
    } services[] = {
        {OST_EXT_PROGRESS, &progress}, {OST_EXT_HTTP, &http},
        {OST_EXT_BLOBS, &kit_blobs},   {OST_EXT_CACHE, &kit_cache},
        {OST_EXT_FILES, &kit_files},   {OST_EXT_ARTIFACTS, &kit_artifacts},
        {OST_EXT_SOURCE, &source},     {OST_EXT_MASK, &mask},
        {OST_EXT_MIRROR, &mirror},
    };

    VEC_EACH (name, &t->absent)
        if (strcmp(*name, id) == 0)
            return NULL;
    for (size_t i = 0; i < COUNT_OF(services); i++)
        if (strcmp(services[i].id, id) == 0)
            return services[i].table;
    return NULL;
}

/* ---- the test's side ---- */

void ost_test_secret(struct ost_test *t, const char *secret)
{
    vec_push(&t->secrets, kit_copy(secret));
}

void ost_test_without(struct ost_test *t, const char *id)
{
    vec_push(&t->absent, kit_copy(id));
}

void ost_test_on_service(struct ost_test *t, const char *service, ost_status status,
                         const char *error)
{
    struct buf text = BUF_INIT(1 << 16);

    buf_printf(&text, "%d %s", (int)status, error ? error : "");
    vec_push(&t->refusals, (struct pair){kit_copy(service), buf_take(&text)});
}

void ost_test_answer_http(struct ost_test *t, const char *pattern, const struct ost_test_reply *r)
{
    struct ost_test_reply mine = *r;

    mine.error = kit_copy_or_null(r->error);
    mine.headers = kit_copy_or_null(r->headers);
    mine.body_size = r->body && !r->body_size ? strlen(r->body) : r->body_size;
    mine.body = r->body ? mem_dup(r->body, mine.body_size) : NULL;
    vec_push(&t->http_rules, (struct http_rule){kit_copy(pattern), mine, 0});
}

void ost_test_source(struct ost_test *t, const char *repository, const struct ost_source *found)
{
    struct kit_source *s = mem_new(sizeof *s);

    s->repository = kit_copy(repository);
    s->found = *found;
    s->found.folder = kit_copy(found->folder ? found->folder : "");
    s->found.origin = kit_copy(found->origin ? found->origin : "");
    s->found.ref = kit_copy(found->ref ? found->ref : "");
    s->found.commit = kit_copy(found->commit ? found->commit : "");
    vec_push(&t->sources, s);
}

void ost_test_mirror(struct ost_test *t, const char *path)
{
    free(t->mirror);
    t->mirror = kit_copy_or_null(path);
}

size_t ost_test_requests(const struct ost_test *t, const char *pattern)
{
    size_t n = 0;

    VEC_EACH (line, &t->request_lines)
        n += fnmatch(pattern, *line, 0) == 0;
    return n;
}

const struct ost_http_request *ost_test_request(const struct ost_test *t, size_t i)
{
    return i < t->requests.len ? &t->requests.ptr[i] : NULL;
}

size_t ost_test_asks(const struct ost_test *t, const char *pattern)
{
    size_t n = 0;

    VEC_EACH (line, &t->asked)
        n += fnmatch(pattern, *line, 0) == 0;
    return n;
}

const char *ost_test_ask(const struct ost_test *t, size_t i)
{
    return i < t->asked.len ? t->asked.ptr[i] : NULL;
}

void kit_services_clear(struct ost_test *t)
{
    TEXTS_DEINIT(&t->progress);
    TEXTS_DEINIT(&t->asked);
    TEXTS_DEINIT(&t->request_lines);
    vec_deinit(&t->requests); /* its texts are in memory of the run */
    VEC_EACH (rule, &t->http_rules)
        rule->used = 0;
}

void kit_services_deinit(struct ost_test *t)
{
    free(t->mirror);
    TEXTS_DEINIT(&t->secrets);
    TEXTS_DEINIT(&t->absent);
    PAIRS_DEINIT(&t->refusals);
    VEC_EACH (rule, &t->http_rules) {
        free(rule->pattern);
        kit_free_text(rule->reply.error);
        kit_free_text(rule->reply.headers);
        kit_free_text(rule->reply.body);
    }
    vec_deinit(&t->http_rules);
    VEC_EACH (s, &t->sources) {
        free((*s)->repository);
        kit_free_text((*s)->found.folder);
        kit_free_text((*s)->found.origin);
        kit_free_text((*s)->found.ref);
        kit_free_text((*s)->found.commit);
        free(*s);
    }
    vec_deinit(&t->sources);
    kit_caches_deinit(t);
    kit_artifacts_deinit(t);
}
