/* What jobs come to, as tables: tests/data/results/NAME.json holds graphs of jobs with how each one that runs
 * ends, and the results that must come out. No worker is started: the test says what workers would.
 *
 * A row: jobs (runs-on is added), called (path: workflow), ends (key: result, or {result, outputs, stopped};
 * success unless given; a job that was asked to stop ends in `stopped`, else cancelled), order (keys that end
 * before others that run), cancel or kill (the run is, once that job has ended; "": as the first jobs run);
 * wanted: results (key: result, all of them), run, needs (key: context), peak (jobs that ran at once). */
#include "base/path.h"
#include "base/vec.h"
#include "lang/calls.h"
#include "queue/local/local.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>

#define DATA OSTLER_SOURCE_DIR "/tests/data/results"

enum { TEXT_MAX = 1 << 20 };

struct running {
    struct job *job;
    bool stopped;
};

struct table_row {
    const json_t *row;
    const char *name;
    struct arena arena;
    struct workflow workflow;
    struct queue *queue;
    VEC(struct running) running;
    size_t peak;
    json_t *results, *needs; /* what came out */
};

static const char *text(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));

    return s ? s : "";
}

/* ---- the workflows ---- */

/* A workflow as JSON, which is YAML; jobs need no runs-on. */
static char *workflow_text(const json_t *on, const json_t *jobs)
{
    json_t *copy = json_deep_copy(jobs), *whole, *job;
    const char *id;

    json_object_foreach (copy, id, job)
        if (!json_object_get(job, "uses"))
            json_object_set_new(job, "runs-on", json_string("x"));
    whole = json_pack("{s:O, s:o}", "on", on, "jobs", copy);
    char *dump = json_dumps(whole, 0);
    json_decref(whole);
    return dump;
}

static int read_called(void *ctx, const struct call_ref *ref, struct arena *a, struct buf *to,
                       const char **ret_sha, struct err *err)
{
    const struct table_row *r = ctx;
    const json_t *w = json_object_get(json_object_get(r->row, "called"), ref->path);

    (void)a;
    (void)ret_sha;
    if (!w)
        return err_set(err, ERR_NOT_FOUND, "there is no '%s'", ref->path);
    CLEANUP(free_ptr)
    char *dump = workflow_text(json_object_get(w, "on"), json_object_get(w, "jobs"));
    buf_add_str(to, dump);
    return ERR_OK;
}

static void read_workflow(struct table_row *r)
{
    json_t *on = json_string("push");
    CLEANUP(free_ptr) char *dump = workflow_text(on, json_object_get(r->row, "jobs"));
    struct calls_options options = {.source = {.read = read_called, .ctx = r}};
    struct diags diags = {.arena = &r->arena};

    json_decref(on);
    workflow_init(&r->workflow);
    int result = workflow_parse(&r->workflow, slice_of(dump), "ci.yml", &diags);
    if (result == ERR_OK)
        result = workflow_load_calls(&r->workflow, &options, &diags);
    cr_assert_eq(result, ERR_OK, "%s: %s", r->name,
                 diags.list.len ? diag_text(&r->arena, &diags.list.ptr[0]) : "?");
    diags_deinit(&diags);
}

/* ---- the run ---- */

static int on_event(void *ctx, json_t *event, struct slice log, struct err *err)
{
    struct table_row *r = ctx;

    (void)log;
    (void)err;
    if (strcmp(text(event, "event"), "job.finished") == 0)
        json_object_set(r->results, text(event, "job"), json_object_get(event, "result"));
    return ERR_OK;
}

static void on_stop(void *ctx, const char *key, const char *why)
{
    struct table_row *r = ctx;

    (void)why;
    VEC_EACH (one, &r->running)
        if (strcmp(one->job->key, key) == 0)
            one->stopped = true;
}

static void take_ready(struct table_row *r)
{
    struct err err = ERR_INIT;
    struct job *job;
    int result;

    while ((result = r->queue->ops->next(r->queue, &job, &err)) == 1) {
        json_object_set(r->needs, job->key, json_object_get(job->contexts, "needs"));
        vec_push(&r->running, (struct running){.job = job});
    }
    cr_assert_eq(result, 0, "%s: %s", r->name, err.text);
    if (r->running.len > r->peak)
        r->peak = r->running.len;
}

/* Which of the running jobs ends next. */
static size_t next_end(const struct table_row *r)
{
    const json_t *order = json_object_get(r->row, "order");

    for (size_t i = 0; i < json_array_size(order); i++)
        for (size_t k = 0; k < r->running.len; k++)
            if (strcmp(r->running.ptr[k].job->key, json_string_value(json_array_get(order, i))) ==
                0)
                return k;
    return 0;
}

static void end_one(struct table_row *r)
{
    size_t at = next_end(r);
    struct running one = r->running.ptr[at];
    const char *key = one.job->key;
    const json_t *how = json_object_get(json_object_get(r->row, "ends"), key);
    const char *said = json_is_object(how) ? text(how, one.stopped ? "stopped" : "result")
                       : how               ? json_string_value(how)
                                           : "";
    const char *result = one.stopped && !json_is_object(how) ? "cancelled"
                         : *said                             ? said
                         : one.stopped                       ? "cancelled"
                                                             : "success";
    json_t *event =
        json_pack("{s:s, s:s, s:s}", "event", "job.finished", "job", key, "result", result);
    struct err err = ERR_INIT;

    if (json_object_get(how, "outputs"))
        json_object_set(event, "outputs", json_object_get(how, "outputs"));
    json_object_set_new(r->results, key, json_string(result));
    vec_remove(&r->running, at);
    int x = r->queue->ops->event(r->queue, key, event, SLICE(""), &err);
    if (x == ERR_OK)
        x = r->queue->ops->ended(r->queue, key, NULL, &err);
    cr_assert_eq(x, ERR_OK, "%s: %s", r->name, err.text);
    json_decref(event);
    if (strcmp(text(r->row, "cancel"), key) == 0)
        r->queue->ops->cancel(r->queue, false);
    job_deinit(one.job);
    free(one.job);
}

static void start(struct table_row *r)
{
    const struct workflow *flow = &r->workflow;
    json_t *github =
        json_pack("{s:s, s:s, s:s, s:s, s:{}}", "event_name", "push", "ref", "refs/heads/topic",
                  "sha", "1234567", "repository", "acme/app", "event");
    struct local_spec spec = {.workflows = &flow, .n_workflows = 1, .github = github};
    struct err err = ERR_INIT;

    cr_assert_eq(queue_local_new(&spec, &r->queue, &err), ERR_OK, "%s: %s", r->name, err.text);
    json_decref(github);
    r->queue->client = (struct queue_client){.event = on_event, .stop = on_stop, .ctx = r};
    take_ready(r);
    if (json_string_length(json_object_get(r->row, "cancel")) == 0 &&
        json_object_get(r->row, "cancel"))
        r->queue->ops->cancel(r->queue, false);
    if (json_object_get(r->row, "kill"))
        r->queue->ops->cancel(r->queue, true);
}

/* ---- what came out ---- */

static void compare(const struct table_row *r, const char *what, const json_t *wanted,
                    const json_t *got)
{
    CLEANUP(free_ptr) char *want = json_dumps(wanted, JSON_SORT_KEYS | JSON_ENCODE_ANY);
    CLEANUP(free_ptr) char *have = json_dumps(got, JSON_SORT_KEYS | JSON_ENCODE_ANY);

    cr_expect(json_equal(wanted, got), "%s: %s: wanted %s, got %s", r->name, what, want,
              have ? have : "nothing");
}

static void check_needs(const struct table_row *r)
{
    json_t *needs = json_object_get(r->row, "needs"), *wanted;
    const char *key;

    json_object_foreach (needs, key, wanted)
        compare(r, key, wanted, json_object_get(r->needs, key));
}

static void run_row(const char *file, const json_t *row)
{
    struct table_row r = {.row = row, .results = json_object(), .needs = json_object()};
    const json_t *peak = json_object_get(row, "peak");

    r.name = arena_printf(&r.arena, "%s: %s", file, text(row, "name"));
    read_workflow(&r);
    start(&r);
    while (r.running.len) {
        end_one(&r);
        take_ready(&r);
    }
    cr_expect(r.queue->ops->done(r.queue), "%s: it is not done", r.name);
    compare(&r, "results", json_object_get(row, "results"), r.results);
    cr_expect_str_eq(queue_result_name(queue_local_result(r.queue)), text(row, "run"),
                     "%s: the run %s", r.name, queue_result_name(queue_local_result(r.queue)));
    check_needs(&r);
    if (peak)
        cr_expect_eq((size_t)json_integer_value(peak), r.peak, "%s: %zu ran at once", r.name,
                     r.peak);

    r.queue->ops->free(r.queue);
    vec_deinit(&r.running);
    workflow_deinit(&r.workflow);
    json_decref(r.results);
    json_decref(r.needs);
    arena_deinit(&r.arena);
}

Test(results, come_out_as_every_table_says)
{
    DIR *dir = opendir(DATA);
    const struct dirent *e;
    size_t n = 0;

    cr_assert_not_null(dir);
    while ((e = readdir(dir))) {
        if (!slice_ends(slice_of(e->d_name), SLICE(".json")))
            continue;
        CLEANUP(free_ptr) char *path = path_join(DATA, e->d_name);
        json_error_t error;
        json_t *file = json_load_file(path, JSON_REJECT_DUPLICATES, &error), *row;
        size_t i;

        cr_assert_not_null(file, "%s:%d: %s", path, error.line, error.text);
        json_array_foreach (json_object_get(file, "rows"), i, row)
            run_row(e->d_name, row);
        n += i;
        json_decref(file);
    }
    closedir(dir);
    cr_assert_gt(n, 60, "only %zu rows in %s", n, DATA);
}
