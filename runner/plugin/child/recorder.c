#include "plugin/child/recorder.h"

#include "plugin/child/calls.h"
#include "plugin/transcript.h"

/* One phase runs in a process, so what it records stands here, as its services do in calls.c. */
static const struct ost_host *next;

#define LINE_INIT BUF_INIT(TRANSCRIPT_LINE_MAX)

/* What is filled in by the caller, as far as the caller knows it. */
#define TAKE(to, given)                                                                            \
    memcpy((to), (given), (given)->struct_size < sizeof *(to) ? (given)->struct_size : sizeof *(to))

/* ---- one line ---- */

/* Up to what is asked, which the caller adds next. */
static void begin(struct buf *line, const char *call)
{
    buf_printf(line, "{\"call\":\"%s\",\"ask\":", call);
}

static void put_status(struct ost_step *s, struct buf *line, ost_status status)
{
    buf_printf(line, ",\"status\":%d", (int)status);
    if (status < 0)
        transcript_text(line, "error", next->last_error(s));
}

static void finish(struct buf *line)
{
    buf_add_char(line, '}');
    if (!line->overflow)
        calls_record(buf_slice(line));
}

/* A call with at most two texts and a status. */
static ost_status tell(struct ost_step *s, const char *call, const char *name1, const char *text1,
                       const char *name2, const char *text2, ost_status status)
{
    CLEANUP(buf_deinit) struct buf line = LINE_INIT;

    begin(&line, call);
    transcript_pair(&line, name1, text1, name2, text2);
    put_status(s, &line, status);
    finish(&line);
    return status;
}

/* A call that is answered by a text, or NULL. */
static const char *told(const char *call, const char *name, const char *text, const char *answer)
{
    CLEANUP(buf_deinit) struct buf line = LINE_INIT;

    begin(&line, call);
    transcript_pair(&line, name, text, NULL, NULL);
    buf_add_str(&line, ",\"status\":0,\"answer\":{");
    if (answer)
        transcript_text(&line, "value", answer);
    else
        buf_add_str(&line, "\"value\":null");
    buf_add_char(&line, '}');
    finish(&line);
    return answer;
}

/* ---- the core ---- */

static const char *level_name(int32_t level)
{
    static const char *const names[] = {"debug", "info", "notice", "warning", "error"};

    return level >= OST_DEBUG && level <= OST_ERROR ? names[level] : "info";
}

static void rec_log(struct ost_step *s, int32_t level, const char *text)
{
    tell(s, "log", "level", level_name(level), "text", text, OST_OK);
    next->log(s, level, text);
}

static void rec_annotate(struct ost_step *s, const struct ost_note *given)
{
    CLEANUP(buf_deinit) struct buf line = LINE_INIT;
    struct ost_note n = {0};

    TAKE(&n, given);
    begin(&line, "annotate");
    buf_add_char(&line, '{');
    transcript_text(&line, "level", level_name(n.level));
    transcript_text(&line, "message", n.message);
    transcript_text(&line, "title", n.title);
    transcript_text(&line, "file", n.file);
    transcript_int(&line, "line", n.line);
    transcript_int(&line, "end_line", n.end_line);
    transcript_int(&line, "col", n.col);
    transcript_int(&line, "end_col", n.end_col);
    buf_add_str(&line, "},\"status\":0");
    finish(&line);
    next->annotate(s, given);
}

static void rec_group(struct ost_step *s, const char *title)
{
    tell(s, "group", "title", title, NULL, NULL, OST_OK);
    next->group(s, title);
}

static ost_status rec_mask(struct ost_step *s, const char *secret)
{
    return tell(s, "mask", "secret", secret, NULL, NULL,
                next->mask(s, secret)); /* masked here, too */
}

static ost_status rec_fail(struct ost_step *s, ost_status why, const char *message)
{
    CLEANUP(buf_deinit) struct buf line = LINE_INIT;

    begin(&line, "fail");
    transcript_pair(&line, "message", message, NULL, NULL);
    buf_printf(&line, ",\"status\":%d", (int)why);
    finish(&line);
    return next->fail(s, why, message);
}

static const char *rec_context(struct ost_step *s, const char *name)
{
    return told("context", "name", name, next->context(s, name));
}

static ost_status rec_output(struct ost_step *s, const char *name, const char *value)
{
    return tell(s, "output", "name", name, "value", value, next->output(s, name, value));
}

static ost_status rec_env(struct ost_step *s, const char *name, const char *value)
{
    return tell(s, "env", "name", name, "value", value, next->env(s, name, value));
}

static ost_status rec_path(struct ost_step *s, const char *dir)
{
    return tell(s, "path", "dir", dir, NULL, NULL, next->path(s, dir));
}

static ost_status rec_summary(struct ost_step *s, const char *markdown)
{
    return tell(s, "summary", "markdown", markdown, NULL, NULL, next->summary(s, markdown));
}

static ost_status rec_save(struct ost_step *s, const char *name, const char *value)
{
    return tell(s, "save", "name", name, "value", value, next->save(s, name, value));
}

static const char *rec_saved(struct ost_step *s, const char *name)
{
    return told("saved", "name", name, next->saved(s, name));
}

static const char *rec_temp(struct ost_step *s, const char *suffix)
{
    return told("temp", "suffix", suffix, next->temp(s, suffix));
}

static ost_status rec_plan(struct ost_step *s, const char *verb, const char *object,
                           const char *detail)
{
    CLEANUP(buf_deinit) struct buf line = LINE_INIT;
    ost_status r = next->plan(s, verb, object, detail);

    begin(&line, "plan");
    buf_add_char(&line, '{');
    transcript_text(&line, "verb", verb);
    transcript_text(&line, "object", object);
    transcript_text(&line, "detail", detail);
    buf_add_char(&line, '}');
    put_status(s, &line, r);
    finish(&line);
    return r;
}

/* ---- commands ---- */

struct tee { /* what the plugin is shown, it shows us */
    ost_status (*on_output)(void *ctx, int32_t fd, const char *data, size_t size);
    void *ctx;
    struct buf seen; /* "[1,"text"],[2,"text"]" */
};

static void see(struct tee *tee, int32_t fd, const char *data, size_t size)
{
    buf_printf(&tee->seen, "%s[%d,", tee->seen.len ? "," : "", (int)fd);
    transcript_quote(&tee->seen, slice_make(data, size));
    buf_add_char(&tee->seen, ']');
}

static ost_status pass_output(void *ctx, int32_t fd, const char *data, size_t size)
{
    struct tee *tee = ctx;

    see(tee, fd, data, size);
    return tee->on_output(tee->ctx, fd, data, size);
}

static void put_ended(struct buf *line, const struct ost_exec_result *res, const struct tee *tee)
{
    buf_printf(line, ",\"answer\":{\"exit_code\":%d,\"signal\":%d", (int)res->exit_code,
               (int)res->signal);
    if (tee->seen.len)
        buf_printf(line, ",\"output\":[%s]", tee->seen.ptr);
    line->overflow |= tee->seen.overflow;
    buf_add_char(line, '}');
}

static ost_status rec_exec(struct ost_step *s, const struct ost_exec *given,
                           struct ost_exec_result *result)
{
    CLEANUP(buf_deinit) struct buf line = LINE_INIT;
    struct ost_exec_result res = OST_RESULT;
    struct tee tee = {.seen = LINE_INIT};
    struct ost_exec e = {0};

    TAKE(&e, given);
    begin(&line, "exec");
    transcript_exec(&line, &e);
    if (e.on_output) {
        tee.on_output = e.on_output;
        tee.ctx = e.ctx;
        e.on_output = pass_output;
        e.ctx = &tee;
    }
    ost_status r = next->exec(s, &e, &res);
    if (!e.on_output && res.out_size)
        see(&tee, 1, res.out, res.out_size);
    put_status(s, &line, r);
    if (r == OST_OK || r == OST_E_EXIT)
        put_ended(&line, &res, &tee);
    finish(&line);
    buf_deinit(&tee.seen);
    if (result) {
        res.struct_size = result->struct_size;
        memcpy(result, &res, result->struct_size < sizeof res ? result->struct_size : sizeof res);
    }
    return r;
}

/* ---- extensions: each passes on to the table that the host has ---- */

static const struct ost_progress_v1 *next_progress;
static const struct ost_http_v1 *next_http;
static const struct ost_blobs_v1 *next_blobs;
static const struct ost_cache_v1 *next_cache;
static const struct ost_artifacts_v1 *next_artifacts;
static const struct ost_files_v1 *next_files;
static const struct ost_source_v1 *next_source;
static const struct ost_mask_v1 *next_mask;
static const struct ost_mirror_v1 *next_mirror;

static void rec_progress(struct ost_step *s, const char *label, int64_t done, int64_t total)
{
    CLEANUP(buf_deinit) struct buf line = LINE_INIT;

    begin(&line, "progress.update");
    buf_printf(&line, "{\"done\":%lld,\"total\":%lld", (long long)done, (long long)total);
    transcript_text(&line, "label", label);
    buf_add_str(&line, "},\"status\":0");
    finish(&line);
    next_progress->update(s, label, done, total);
}

static ost_status rec_fetch(struct ost_step *s, const struct ost_http_request *given,
                            struct ost_http_response *result)
{
    CLEANUP(buf_deinit) struct buf line = LINE_INIT;
    struct ost_http_response got = {.struct_size = sizeof got};
    struct ost_http_request q = {0};

    TAKE(&q, given);
    ost_status r = next_http->fetch(s, given, &got);
    begin(&line, "http.fetch");
    transcript_http(&line, &q);
    put_status(s, &line, r);
    if (r == OST_OK) {
        buf_printf(&line, ",\"answer\":{\"status\":%d", (int)got.status);
        transcript_text(&line, "headers", got.headers);
        transcript_bytes(&line, "body", got.body, got.body_size);
        buf_add_char(&line, '}');
    }
    finish(&line);
    if (result) {
        got.struct_size = result->struct_size;
        memcpy(result, &got, result->struct_size < sizeof got ? result->struct_size : sizeof got);
    }
    return r;
}

static void cache_line(struct ost_step *s, const char *call, const struct ost_cache_query *given,
                       ost_status r, const struct ost_cache_entry *got)
{
    CLEANUP(buf_deinit) struct buf line = LINE_INIT;
    struct ost_cache_query q = {0};
    struct ost_cache_entry entry = {0};

    TAKE(&q, given);
    if (got)
        TAKE(&entry, got);
    begin(&line, call);
    transcript_cache(&line, &q);
    put_status(s, &line, r);
    if (r == OST_OK) {
        buf_add_str(&line, ",\"answer\":{");
        transcript_int(&line, "exact", entry.exact);
        transcript_text(&line, "key", entry.key);
        transcript_int(&line, "size", entry.size);
        buf_add_char(&line, '}');
    }
    finish(&line);
}

static ost_status rec_restore(struct ost_step *s, const struct ost_cache_query *q,
                              struct ost_cache_entry *got)
{
    ost_status r = next_cache->restore(s, q, got);

    cache_line(s, "cache.restore", q, r, got);
    return r;
}

static ost_status rec_cache_save(struct ost_step *s, const struct ost_cache_query *q,
                                 struct ost_cache_entry *got)
{
    ost_status r = next_cache->save(s, q, got);

    cache_line(s, "cache.save", q, r, got);
    return r;
}

static ost_status rec_short_restore(struct ost_step *s, const char *const *paths,
                                    const char *const *keys, const char **hit)
{
    const struct ost_cache_query q = {.struct_size = sizeof q, .paths = paths, .keys = keys};
    ost_status r = next_blobs->cache_restore(s, paths, keys, hit);
    const struct ost_cache_entry got = {.struct_size = sizeof got,
                                        .key = r == OST_OK && hit ? *hit : NULL};

    cache_line(s, "blobs.cache_restore", &q, r, &got);
    return r;
}

static ost_status rec_short_save(struct ost_step *s, const char *const *paths, const char *key)
{
    const char *const keys[] = {key, NULL};
    const struct ost_cache_query q = {.struct_size = sizeof q, .paths = paths, .keys = keys};
    ost_status r = next_blobs->cache_save(s, paths, key);

    cache_line(s, "blobs.cache_save", &q, r, NULL);
    return r;
}

static void put_artifact(struct buf *line, const struct ost_artifact *a)
{
    buf_add_char(line, '{');
    transcript_int(line, "id", a->id);
    transcript_text(line, "name", a->name);
    transcript_int(line, "zip", a->zip);
    transcript_int(line, "size", a->size);
    transcript_int(line, "created", a->created);
    transcript_text(line, "digest", a->digest);
    buf_add_char(line, '}');
}

/* The rest of a line whose answer is GOT, which may be NULL. */
static void answer_artifact(struct ost_step *s, struct buf *line, ost_status r,
                            const struct ost_artifact *got)
{
    struct ost_artifact a = {0};

    if (got)
        TAKE(&a, got);
    put_status(s, line, r);
    if (r == OST_OK) {
        buf_add_str(line, ",\"answer\":");
        put_artifact(line, &a);
    }
    finish(line);
}

static ost_status rec_list(struct ost_step *s, const struct ost_artifact *const **items, size_t *n)
{
    CLEANUP(buf_deinit) struct buf line = LINE_INIT;
    ost_status r = next_artifacts->list(s, items, n);

    begin(&line, "artifacts.list");
    transcript_pair(&line, NULL, NULL, NULL, NULL);
    put_status(s, &line, r);
    if (r == OST_OK) {
        buf_add_str(&line, ",\"answer\":{\"items\":[");
        for (size_t i = 0; i < *n; i++) {
            buf_add_str(&line, i ? "," : "");
            put_artifact(&line, (*items)[i]);
        }
        buf_add_str(&line, "]}");
    }
    finish(&line);
    return r;
}

static ost_status rec_upload(struct ost_step *s, const struct ost_artifact_upload *given,
                             struct ost_artifact *got)
{
    CLEANUP(buf_deinit) struct buf line = LINE_INIT;
    struct ost_artifact_upload u = {0};
    ost_status r = next_artifacts->upload(s, given, got);

    TAKE(&u, given);
    begin(&line, "artifacts.upload");
    transcript_upload(&line, &u);
    answer_artifact(s, &line, r, got);
    return r;
}

static ost_status rec_download(struct ost_step *s, const struct ost_artifact_download *given,
                               struct ost_artifact *got)
{
    CLEANUP(buf_deinit) struct buf line = LINE_INIT;
    struct ost_artifact_download d = {0};
    ost_status r = next_artifacts->download(s, given, got);

    TAKE(&d, given);
    begin(&line, "artifacts.download");
    transcript_download(&line, &d);
    answer_artifact(s, &line, r, got);
    return r;
}

static ost_status rec_remove(struct ost_step *s, const char *name)
{
    return tell(s, "artifacts.remove", "name", name, NULL, NULL, next_artifacts->remove(s, name));
}

static ost_status rec_put(struct ost_step *s, const char *name, const char *const *paths,
                          int32_t days)
{
    CLEANUP(buf_deinit) struct buf line = LINE_INIT;
    const struct ost_artifact_upload u = {.name = name, .files = paths, .days = days};
    ost_status r = next_blobs->artifact_put(s, name, paths, days);

    begin(&line, "blobs.artifact_put");
    transcript_upload(&line, &u);
    put_status(s, &line, r);
    finish(&line);
    return r;
}

static ost_status rec_get(struct ost_step *s, const char *name, const char *dir)
{
    return tell(s, "blobs.artifact_get", "name", name, "dir", dir,
                next_blobs->artifact_get(s, name, dir));
}

static ost_status paths_line(struct ost_step *s, const char *call, const char *const *patterns,
                             uint32_t flags, ost_status r, const char *const *paths)
{
    CLEANUP(buf_deinit) struct buf line = LINE_INIT;

    begin(&line, call);
    transcript_files(&line, patterns, flags);
    put_status(s, &line, r);
    if (r == OST_OK) {
        buf_add_str(&line, ",\"answer\":{");
        transcript_list(&line, "paths", paths);
        buf_add_char(&line, '}');
    }
    finish(&line);
    return r;
}

static ost_status rec_glob(struct ost_step *s, const char *const *patterns, uint32_t flags,
                           const char *const **paths, size_t *n)
{
    ost_status r = next_files->glob(s, patterns, flags, paths, n);

    return paths_line(s, "files.glob", patterns, flags, r, r == OST_OK ? *paths : NULL);
}

static ost_status rec_roots(struct ost_step *s, const char *const *patterns,
                            const char *const **paths, size_t *n)
{
    ost_status r = next_files->roots(s, patterns, paths, n);

    return paths_line(s, "files.roots", patterns, 0, r, r == OST_OK ? *paths : NULL);
}

static ost_status rec_hash(struct ost_step *s, const char *const *patterns, const char **hex)
{
    CLEANUP(buf_deinit) struct buf line = LINE_INIT;
    ost_status r = next_files->hash(s, patterns, hex);

    begin(&line, "files.hash");
    transcript_files(&line, patterns, 0);
    put_status(s, &line, r);
    if (r == OST_OK) {
        buf_add_str(&line, ",\"answer\":{");
        transcript_text(&line, "value", *hex);
        buf_add_char(&line, '}');
    }
    finish(&line);
    return r;
}

static ost_status rec_find(struct ost_step *s, const struct ost_source_query *given,
                           struct ost_source *got)
{
    CLEANUP(buf_deinit) struct buf line = LINE_INIT;
    struct ost_source_query q = {0};
    struct ost_source found = {0};
    ost_status r = next_source->find(s, given, got);

    TAKE(&q, given);
    begin(&line, "source.find");
    transcript_source(&line, &q);
    put_status(s, &line, r);
    if (r == OST_OK) {
        TAKE(&found, got);
        buf_add_str(&line, ",\"answer\":{");
        transcript_int(&line, "shown", found.shown);
        transcript_text(&line, "folder", found.folder);
        transcript_text(&line, "origin", found.origin);
        transcript_text(&line, "ref", found.ref);
        transcript_text(&line, "commit", found.commit);
        buf_add_char(&line, '}');
    }
    finish(&line);
    return r;
}

static ost_status rec_apply(struct ost_step *s, const char *text, const char **ret)
{
    ost_status r = next_mask->apply(s, text, ret);

    return tell(s, "mask.apply", NULL, NULL, NULL, NULL,
                r); /* neither text: the one may hold secrets that the other tells */
}

static ost_status rec_show(struct ost_step *s, const struct ost_mirror_query *given,
                           const char **path)
{
    CLEANUP(buf_deinit) struct buf line = LINE_INIT;
    struct ost_mirror_query q = {0};
    ost_status r = next_mirror->show(s, given, path);

    TAKE(&q, given);
    begin(&line, "mirror.show");
    transcript_mirror(&line, &q);
    put_status(s, &line, r);
    if (r == OST_OK) {
        buf_add_str(&line, ",\"answer\":{");
        transcript_text(&line, "value", *path);
        buf_add_char(&line, '}');
    }
    finish(&line);
    return r;
}

static const void *rec_extension(struct ost_step *s, const char *id)
{
    static const struct ost_progress_v1 progress = {sizeof progress, rec_progress};
    static const struct ost_http_v1 http = {sizeof http, rec_fetch};
    static const struct ost_blobs_v1 blobs = {sizeof blobs, rec_short_restore, rec_short_save,
                                              rec_put, rec_get};
    static const struct ost_cache_v1 cache = {sizeof cache, rec_restore, rec_cache_save};
    static const struct ost_artifacts_v1 artifacts = {sizeof artifacts, rec_list, rec_upload,
                                                      rec_download, rec_remove};
    static const struct ost_files_v1 files = {sizeof files, rec_glob, rec_roots, rec_hash};
    static const struct ost_source_v1 source = {sizeof source, rec_find};
    static const struct ost_mask_v1 mask = {sizeof mask, rec_apply};
    static const struct ost_mirror_v1 mirror = {sizeof mirror, rec_show};
    const struct {
        const char *id;
        const void *ours;
        const void **next; /* the host's */
    } tables[] = {
        {OST_EXT_PROGRESS, &progress, (const void **)&next_progress},
        {OST_EXT_HTTP, &http, (const void **)&next_http},
        {OST_EXT_BLOBS, &blobs, (const void **)&next_blobs},
        {OST_EXT_CACHE, &cache, (const void **)&next_cache},
        {OST_EXT_ARTIFACTS, &artifacts, (const void **)&next_artifacts},
        {OST_EXT_FILES, &files, (const void **)&next_files},
        {OST_EXT_SOURCE, &source, (const void **)&next_source},
        {OST_EXT_MASK, &mask, (const void **)&next_mask},
        {OST_EXT_MIRROR, &mirror, (const void **)&next_mirror},
    };
    const void *theirs = next->extension(s, id);

    for (size_t i = 0; theirs && i < COUNT_OF(tables); i++) {
        if (strcmp(tables[i].id, id) == 0) {
            *tables[i].next = theirs;
            return tables[i].ours;
        }
    }
    return theirs;
}

/* ---- beginning and end ---- */

void recorder_begin(struct ost_step *step)
{
    static struct ost_host recording;

    next = step->host;
    recording = *next;
    recording.log = rec_log;
    recording.annotate = rec_annotate;
    recording.group = rec_group;
    recording.mask = rec_mask;
    recording.fail = rec_fail;
    recording.context = rec_context;
    recording.output = rec_output;
    recording.env = rec_env;
    recording.path = rec_path;
    recording.summary = rec_summary;
    recording.save = rec_save;
    recording.saved = rec_saved;
    recording.temp = rec_temp;
    recording.exec = rec_exec;
    recording.plan = rec_plan;
    recording.extension = rec_extension;
    step->host = &recording;
}

void recorder_end(ost_status status)
{
    CLEANUP(buf_deinit) struct buf line = LINE_INIT;

    buf_printf(&line, "{\"call\":\"end\",\"status\":%d", (int)status);
    finish(&line);
}
