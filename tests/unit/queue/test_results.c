/* What jobs come to, as tables: tests/data/results/NAME.json holds graphs of jobs with how each one that runs
 * ends, and the results that must come out. No worker is started: the test says what workers would.
 *
 * A row: jobs (runs-on is added) or workflows (each with jobs and what else it has), called (path: workflow), ends (key: result, or {result, outputs, stopped};
 * success unless given; a job that was asked to stop ends in `stopped`, else cancelled), order (keys that end
 * before others that run), cancel or kill (the run is, once that job has ended; "": as the first jobs run);
 * wanted: results (key: result, all of them), run, needs (key: context), peak (jobs that ran at once), started
 * (keys in the order they began), said (notes and reasons, each with its job in front; parts of them, in
 * order), refused (why the queue does not even start). */
#include "base/path.h"
#include "base/vec.h"
#include "lang/workflow/calls.h"
#include "queue/local/local.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>

#define DATA OSTLER_SOURCE_DIR "/tests/data/results"

enum { WORKFLOWS_MAX = 4 };

struct running {
    struct job *job;
    bool stopped;
};

struct table_row {
    const json_t *row;
    const char *name;
    struct arena arena;
    struct workflow workflows[WORKFLOWS_MAX];
    size_t n_workflows;
    struct queue *queue;
    VEC(struct running) running;
    size_t peak;
    json_t *results, *needs, *started, *said; /* what came out */
};

static const char *text(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));

    return s ? s : "";
}

/* ---- the workflows ---- */

/* A workflow as JSON, which is YAML; it listens to pushes unless it says so, and jobs need no runs-on. */
static char *workflow_text(const json_t *workflow)
{
    json_t *whole = json_deep_copy(workflow), *job;
    const char *id;

    if (!json_object_get(whole, "on"))
        json_object_set_new(whole, "on", json_string("push"));
    json_object_foreach (json_object_get(whole, "jobs"), id, job)
        if (!json_object_get(job, "uses"))
            json_object_set_new(job, "runs-on", json_string("x"));
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
    CLEANUP(free_ptr) char *dump = workflow_text(w);
    buf_add_str(to, dump);
    return ERR_OK;
}

static void read_workflow(struct table_row *r, const json_t *whole)
{
    struct workflow *w = &r->workflows[r->n_workflows++];
    CLEANUP(free_ptr) char *dump = workflow_text(whole);
    struct calls_options options = {.source = {.read = read_called, .ctx = r}};
    struct diags diags = {.arena = &r->arena};

    workflow_init(w);
    int result = workflow_parse(w, slice_of(dump),
                                arena_printf(&r->arena, "w%zu.yml", r->n_workflows), &diags);
    if (result == ERR_OK)
        result = workflow_load_calls(w, &options, &diags);
    cr_assert_eq(result, ERR_OK, "%s: %s", r->name,
                 diags.list.len ? diag_text(&r->arena, &diags.list.ptr[0]) : "?");
    diags_deinit(&diags);
}

static void read_workflows(struct table_row *r)
{
    const json_t *list = json_object_get(r->row, "workflows"), *one;
    size_t i;

    if (!list) {
        json_t *only = json_pack("{s:O}", "jobs", json_object_get(r->row, "jobs"));

        read_workflow(r, only);
        json_decref(only);
    }
    cr_assert_leq(json_array_size(list), WORKFLOWS_MAX, "%s", r->name);
    json_array_foreach (list, i, one)
        read_workflow(r, one);
}

/* ---- the run ---- */

static int on_event(void *ctx, json_t *event, struct slice log, struct err *err)
{
    struct table_row *r = ctx;

    (void)log;
    (void)err;
    const char *said = text(event, *text(event, "reason") ? "reason" : "text");

    if (strcmp(text(event, "event"), "job.finished") == 0)
        json_object_set(r->results, text(event, "job"), json_object_get(event, "result"));
    if (*said)
        json_array_append_new(r->said, json_sprintf("%s: %s", text(event, "job"), said));
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
        json_array_append_new(r->started, json_string(job->key));
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

/* False: it is refused, as the row wants. */
static bool start(struct table_row *r)
{
    const struct workflow *flows[WORKFLOWS_MAX];
    const json_t *refused = json_object_get(r->row, "refused");
    json_t *github =
        json_pack("{s:s, s:s, s:s, s:s, s:{}}", "event_name", "push", "ref", "refs/heads/topic",
                  "sha", "1234567", "repository", "acme/app", "event");
    struct local_spec spec = {.workflows = flows, .n_workflows = r->n_workflows, .github = github};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < r->n_workflows; i++)
        flows[i] = &r->workflows[i];
    int result = queue_local_new(&spec, &r->queue, &err);
    json_decref(github);
    if (refused) {
        cr_expect_str_eq(err.text, json_string_value(refused), "%s: %s", r->name, err.text);
        return false;
    }
    cr_assert_eq(result, ERR_OK, "%s: %s", r->name, err.text);
    r->queue->client = (struct queue_client){.event = on_event, .stop = on_stop, .ctx = r};
    take_ready(r);
    if (json_string_length(json_object_get(r->row, "cancel")) == 0 &&
        json_object_get(r->row, "cancel"))
        r->queue->ops->cancel(r->queue, false);
    if (json_object_get(r->row, "kill"))
        r->queue->ops->cancel(r->queue, true);
    return true;
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

/* Parts of what was said, in order. */
static void check_said(const struct table_row *r)
{
    const json_t *wanted = json_object_get(r->row, "said");
    size_t at = 0;

    for (size_t i = 0; i < json_array_size(wanted); i++) {
        const char *part = json_string_value(json_array_get(wanted, i));
        CLEANUP(free_ptr) char *all = json_dumps(r->said, JSON_INDENT(2));

        while (at < json_array_size(r->said) &&
               !strstr(json_string_value(json_array_get(r->said, at)), part))
            at++;
        cr_expect_lt(at++, json_array_size(r->said), "%s: wanted \"%s\" in %s", r->name, part, all);
    }
}

static void check_row(struct table_row *r)
{
    const json_t *peak = json_object_get(r->row, "peak");
    const json_t *started = json_object_get(r->row, "started");
    const char *result = queue_result_name(queue_local_result(r->queue));

    cr_expect(r->queue->ops->done(r->queue), "%s: it is not done", r->name);
    compare(r, "results", json_object_get(r->row, "results"), r->results);
    cr_expect_str_eq(result, text(r->row, "run"), "%s: the run %s", r->name, result);
    check_needs(r);
    check_said(r);
    if (started)
        compare(r, "started", started, r->started);
    if (peak)
        cr_expect_eq((size_t)json_integer_value(peak), r->peak, "%s: %zu ran at once", r->name,
                     r->peak);
    r->queue->ops->free(r->queue);
}

static void run_row(const char *file, const json_t *row)
{
    struct table_row r = {.row = row,
                          .results = json_object(),
                          .needs = json_object(),
                          .started = json_array(),
                          .said = json_array()};

    r.name = arena_printf(&r.arena, "%s: %s", file, text(row, "name"));
    read_workflows(&r);
    if (start(&r)) {
        while (r.running.len) {
            end_one(&r);
            take_ready(&r);
        }
        check_row(&r);
    }
    vec_deinit(&r.running);
    for (size_t i = 0; i < r.n_workflows; i++)
        workflow_deinit(&r.workflows[i]);
    json_decref(r.results);
    json_decref(r.needs);
    json_decref(r.started);
    json_decref(r.said);
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
