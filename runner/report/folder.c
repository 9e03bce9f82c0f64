/* The run folder: a run on disk, complete up to the last event whatever kills us.
 *
 * Log text is written before the event that points at it, and each event is one write() at the end of
 * events.jsonl. What a process wrote survives its death, so a reader finds every event whole, but
 * perhaps the last one, which is then left out. */
#include "report/jsonline.h"
#include "report/report.h"
#include "report/runs.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <unistd.h>

enum { FOLDER_NAME_MAX = 100, STAMPED_MAX = EVENT_LOG_MAX * (CLOCK_STAMP_SIZE + 1) };

/* A job's name on disk. */
struct folder_job {
    char *key, *name;
    json_t *finished; /* its job.finished; NULL: not yet */
};

/* A step's log that is being written. */
struct folder_log {
    char *path;
    const struct folder_job *job;
    int64_t step;
    int fd;
    int64_t size;
    bool open; /* the last line goes on */
};

struct folder {
    struct report base;
    int runs, dir, events;
    int64_t id;
    bool used; /* an event was written */
    int keep; /* of the newest runs, once this one is at work; 0: those beyond it are gone; -1: all */
    char *path;
    VEC(struct folder_job *) jobs;
    VEC(struct folder_log) logs;
    json_t *run; /* run.json as it stands */
    struct buf out, stamped;
};

static struct folder *folder_of(struct report *r)
{
    return (struct folder *)(void *)r;
}

static struct slice member(const json_t *event, const char *key)
{
    const json_t *v = json_object_get(event, key);

    return slice_make(json_string_value(v), json_string_length(v));
}

/* ---- names ---- */

static bool name_taken(const struct folder *f, const char *name)
{
    VEC_EACH (j, &f->jobs) {
        if (strcmp((*j)->name, name) == 0)
            return true;
    }
    return false;
}

/* KEY as a file name: "build (18, x)" becomes "build_18_x". Two keys never share one. */
static char *name_for(const struct folder *f, struct slice key)
{
    CLEANUP(buf_deinit) struct buf name = BUF_INIT(FOLDER_NAME_MAX + 16);
    size_t base;

    for (size_t i = 0; i < key.len && name.len < FOLDER_NAME_MAX; i++) {
        char c = key.ptr[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || (c == '.' && name.len > 0);

        if (good)
            buf_add_char(&name, c);
        else if (name.len > 0 && name.ptr[name.len - 1] != '_')
            buf_add_char(&name, '_');
    }
    while (name.len > 1 && name.ptr[name.len - 1] == '_')
        name.ptr[--name.len] = '\0';
    if (!name.len)
        buf_add_str(&name, "job");
    base = name.len;
    for (int n = 2; name_taken(f, name.ptr); n++) {
        name.ptr[name.len = base] = '\0';
        buf_printf(&name, "-%d", n);
    }
    return buf_take(&name);
}

static struct folder_job *job_for(struct folder *f, const json_t *event)
{
    struct slice key = member(event, "job");
    struct folder_job *j;

    if (!key.ptr)
        return NULL;
    for (size_t i = f->jobs.len; i-- > 0;) {
        if (slice_eq(slice_of(f->jobs.ptr[i]->key), key))
            return f->jobs.ptr[i];
    }
    j = mem_new(sizeof *j);
    j->key = mem_dup(key.ptr, key.len);
    j->name = name_for(f, key);
    vec_push(&f->jobs, j);
    return j;
}

static char *path_of(const char *folder, const struct folder_job *j, const char *sep, int64_t step,
                     const char *ending)
{
    struct buf path = BUF_INIT(2 * FOLDER_NAME_MAX + 64);

    buf_printf(&path, "%s/%s%s%" PRId64 "%s", folder, j->name, sep, step, ending);
    return buf_take(&path);
}

/* ---- logs ---- */

static void log_close(struct folder *f, size_t at)
{
    fd_closep(&f->logs.ptr[at].fd);
    free(f->logs.ptr[at].path);
    vec_remove(&f->logs, at);
}

/* The log of step STEP of job J, opened when it is not. */
static int log_get(struct folder *f, const struct folder_job *j, int64_t step,
                   struct folder_log **ret, struct err *err)
{
    struct folder_log new = {.job = j, .step = step, .fd = -1};
    CLEANUP(free_ptr) char *dir = path_join("logs", j->name);

    VEC_EACH (l, &f->logs) {
        if (l->job == j && l->step == step) {
            *ret = l;
            return ERR_OK;
        }
    }
    if (path_mkdirs(f->dir, dir, 0700, err) != ERR_OK)
        return err->code;
    new.path = path_of("logs", j, "/", step, ".log");
    new.fd = openat(f->dir, new.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (new.fd < 0 || (new.size = lseek(new.fd, 0, SEEK_END)) < 0) {
        err_sys(err, "cannot write '%s/%s'", f->path, new.path);
        fd_closep(&new.fd);
        free(new.path);
        return err->code;
    }
    vec_push(&f->logs, new);
    *ret = &f->logs.ptr[f->logs.len - 1];
    return ERR_OK;
}

/* Each line of TEXT behind its time; the first one has it already when its line is being continued. */
static void stamp(struct buf *to, struct slice text, struct slice time, bool open, bool part)
{
    struct slice line;

    while (slice_line(&text, &line)) {
        if (!open) {
            buf_add(to, time);
            buf_add_char(to, ' ');
        }
        open = false;
        buf_add(to, line);
        if (text.len || !part)
            buf_add_char(to, '\n');
    }
}

static int write_log(struct folder *f, const struct folder_job *j, json_t *event, struct slice text,
                     struct err *err)
{
    struct folder_log *l;
    struct slice time = member(event, "time");
    char now[CLOCK_STAMP_SIZE];
    bool part = json_is_true(json_object_get(event, "part"));
    json_t *where;

    if (log_get(f, j, json_integer_value(json_object_get(event, "step")), &l, err) != ERR_OK)
        return err->code;
    if (time.len != CLOCK_STAMP_SIZE - 1) {
        clock_stamp(now);
        time = slice_of(now);
    }
    buf_clear(&f->stamped);
    stamp(&f->stamped, text, time, l->open, part);
    if (buf_check(&f->stamped, "a piece of log", err) != ERR_OK ||
        fd_write_all(l->fd, buf_slice(&f->stamped), err) != ERR_OK)
        return err_in(err, "cannot write '%s/%s'", f->path, l->path);

    where = json_pack("{s:s, s:I, s:I}", "file", l->path, "offset", (json_int_t)l->size, "length",
                      (json_int_t)f->stamped.len);
    if (where && l->open)
        json_object_set_new(where, "continued", json_true());
    jsonline_add(&f->out, event, NULL, where);
    json_decref(where);
    l->size += (int64_t)f->stamped.len;
    l->open = part;
    return ERR_OK;
}

static void close_logs(struct folder *f, const struct folder_job *j, const json_t *step)
{
    for (size_t i = f->logs.len; i-- > 0;) {
        if (f->logs.ptr[i].job == j && (!step || f->logs.ptr[i].step == json_integer_value(step)))
            log_close(f, i);
    }
}

/* ---- the other files ---- */

static int write_summary(struct folder *f, const struct folder_job *j, const json_t *event,
                         struct err *err)
{
    int64_t step = json_integer_value(json_object_get(event, "step"));
    CLEANUP(free_ptr) char *path = path_of("summary", j, "-", step, ".md");

    if (path_mkdirs(f->dir, "summary", 0700, err) != ERR_OK ||
        path_write(f->dir, path, member(event, "markdown"), 0600, err) != ERR_OK)
        return err_in(err, "cannot keep a step's summary");
    return ERR_OK;
}

static int write_run(struct folder *f, struct err *err)
{
    CLEANUP(free_ptr) char *text = json_dumps(f->run, JSON_INDENT(2));

    return path_write(f->dir, "run.json", slice_of(text), 0600, err);
}

static void copy_member(json_t *to, const json_t *from, const char *key)
{
    json_t *v = json_object_get(from, key);

    if (v)
        json_object_set(to, key, v);
}

static int run_started(struct folder *f, const json_t *event, struct err *err)
{
    static const char *const keys[] = {"workflow", "file", "event_name", "ref", "sha", "time"};

    json_decref(f->run);
    f->run =
        json_pack("{s:i, s:I, s:n}", "schema", EVENT_SCHEMA, "id", (json_int_t)f->id, "result");
    for (size_t i = 0; f->run && i < COUNT_OF(keys); i++)
        copy_member(f->run, event, keys[i]);
    return write_run(f, err);
}

static int run_finished(struct folder *f, const json_t *event, struct err *err)
{
    static const char *const keys[] = {"job", "name", "result", "elapsed_ms", "reason"};
    json_t *jobs;

    if (!f->run)
        return ERR_OK;
    jobs = json_array();
    VEC_EACH (j, &f->jobs) {
        json_t *one = json_object();

        for (size_t i = 0; (*j)->finished && i < COUNT_OF(keys); i++)
            copy_member(one, (*j)->finished, keys[i]);
        json_object_set_new(one, "folder", json_string((*j)->name));
        json_array_append_new(jobs, one);
    }
    copy_member(f->run, event, "result");
    copy_member(f->run, event, "elapsed_ms");
    json_object_set_new(f->run, "jobs", jobs);
    return write_run(f, err);
}

/* What is written beside the stream because of EVENT. */
static int side_files(struct folder *f, struct folder_job *j, json_t *event, struct err *err)
{
    struct slice name = member(event, "event");

    if (slice_eq(name, SLICE("run.started")))
        return run_started(f, event, err);
    if (slice_eq(name, SLICE("run.finished")))
        return run_finished(f, event, err);
    if (!j)
        return ERR_OK;
    if (slice_eq(name, SLICE("summary")))
        return write_summary(f, j, event, err);
    if (slice_eq(name, SLICE("step.finished")))
        close_logs(f, j, json_object_get(event, "step"));
    if (slice_eq(name, SLICE("job.finished"))) {
        close_logs(f, j, NULL);
        json_decref(j->finished);
        j->finished = json_incref(event);
    }
    return ERR_OK;
}

/* Once, and not before a job is at work: it need not wait for that. What cannot be removed now is met again
 * by the next run. */
static void prune(struct folder *f)
{
    struct err ignored = ERR_INIT;

    if (f->keep > 0)
        (void)!runs_prune(f->runs, f->keep, &ignored);
    f->keep = 0;
}

static int folder_event(struct report *r, json_t *event, struct slice log, struct err *err)
{
    struct folder *f = folder_of(r);
    struct folder_job *j = job_for(f, event);

    if (slice_eq(member(event, "event"), SLICE("progress"))) /* passes; the log has lines of it */
        return ERR_OK;
    if (!f->used && runs_set_latest(f->runs, f->id, err) != ERR_OK)
        return err->code;
    f->used = true;
    buf_clear(&f->out);
    if (j && slice_eq(member(event, "event"), SLICE("log"))) {
        if (write_log(f, j, event, log, err) != ERR_OK)
            return err->code;
    } else {
        jsonline_add(&f->out, event, NULL, NULL);
    }
    if (buf_check(&f->out, "an event", err) != ERR_OK)
        return err->code;
    if (fd_write_all(f->events, buf_slice(&f->out), err) != ERR_OK)
        return err_in(err, "cannot write '%s/%s'", f->path, RUNS_EVENTS);
    if (slice_eq(member(event, "event"), SLICE("job.started")))
        prune(f);
    return side_files(f, j, event, err);
}

/* Nothing was started: nothing is kept. What cannot be removed now goes with a later prune. */
static void discard(struct folder *f)
{
    struct err ignored = ERR_INIT;
    char name[32];

    snprintf(name, sizeof name, "%" PRId64, f->id);
    if (f->runs >= 0 && f->dir >= 0)
        (void)!path_remove(f->runs, name, &ignored);
}

static int folder_close(struct report *r, struct err *err)
{
    struct folder *f = folder_of(r);

    (void)err;
    while (f->logs.len)
        log_close(f, f->logs.len - 1);
    vec_deinit(&f->logs);
    if (!f->used)
        discard(f);
    prune(f);
    VEC_EACH (j, &f->jobs) {
        json_decref((*j)->finished);
        free((*j)->key);
        free((*j)->name);
        free(*j);
    }
    vec_deinit(&f->jobs);
    json_decref(f->run);
    fd_closep(&f->events);
    fd_closep(&f->dir);
    fd_closep(&f->runs);
    buf_deinit(&f->out);
    buf_deinit(&f->stamped);
    free(f->path);
    free(f);
    return ERR_OK;
}

/* The new run's own folder, locked before anybody may look for old runs. */
static int open_run(struct folder *f, const char *state, struct err *err)
{
    CLEANUP(free_ptr) char *runs = path_join(state, "runs");
    char name[32];

    if (runs_open(state, &f->runs, err) != ERR_OK ||
        runs_create(f->runs, &f->id, &f->dir, err) != ERR_OK)
        return err->code;
    snprintf(name, sizeof name, "%" PRId64, f->id);
    f->path = path_join(runs, name);
    f->events =
        openat(f->dir, RUNS_EVENTS_NEW, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (f->events < 0)
        return err_sys(err, "cannot create '%s/%s'", f->path, RUNS_EVENTS_NEW);
    if (flock(f->events, LOCK_SH | LOCK_NB) < 0)
        return err_sys(err, "cannot lock '%s/%s'", f->path, RUNS_EVENTS_NEW);
    if (renameat(f->dir, RUNS_EVENTS_NEW, f->dir, RUNS_EVENTS) < 0)
        return err_sys(err, "cannot create '%s/%s'", f->path, RUNS_EVENTS);
    return ERR_OK;
}

int report_folder_new(const struct report_folder_spec *spec, struct report **ret, struct err *err)
{
    static const struct report_ops ops = {.event = folder_event, .close = folder_close};
    struct folder *f = mem_new(sizeof *f);
    struct err ignored = ERR_INIT;

    f->base.ops = &ops;
    f->runs = f->dir = f->events = -1;
    f->out = (struct buf)BUF_INIT(JSONLINE_MAX);
    f->stamped = (struct buf)BUF_INIT(STAMPED_MAX);
    if (open_run(f, spec->state, err) != ERR_OK) {
        (void)!folder_close(&f->base, &ignored); /* cannot fail */
        return err->code;
    }
    f->keep = spec->keep ? spec->keep : RUNS_KEEP_DEFAULT;
    *ret = &f->base;
    return ERR_OK;
}

int64_t report_folder_id(const struct report *r)
{
    return ((const struct folder *)(const void *)r)->id;
}

const char *report_folder_path(const struct report *r)
{
    return ((const struct folder *)(const void *)r)->path;
}
