/* A whole local run, without workers: whatever the workflows are and however their jobs end, every run
 * comes to its end, each job is handed out once, and nothing is handed out after a hard cancel. Nor is what the
 * forecast called skipped however the others end.
 *
 * The input is a workflow, called ones behind lines "==== FILE", a line "----", and bytes that say what
 * happens next: which of the running jobs ends, and how, or a cancel. */
#include "lang/workflow/calls.h"
#include "queue/local/forecast.h"
#include "queue/local/local.h"

#include <stdint.h>
#include <string.h>

enum { RUNNING_MAX = 512, JOBS_MAX = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_run {
    struct slice files, moves;
    struct queue *queue;
    struct job *running[RUNNING_MAX];
    size_t n_running;
    bool killed;
    json_t *skipped; /* keys of jobs that the forecast skips; NULL: it was not asked */
};

static void expect(bool holds, const char *what)
{
    if (!holds)
        BUG("%s", what);
}

/* The workflow behind the line "==== PATH"; any other call meets the first one there is. */
static int read_called(void *ctx, const struct call_ref *ref, struct arena *a, struct buf *to,
                       const char **ret_sha, struct err *err)
{
    const struct fuzz_run *r = ctx;
    const char *mark = arena_printf(a, "\n==== %s", ref->path);
    ssize_t at = slice_find(r->files, slice_of(mark));
    struct slice rest, line;

    (void)ret_sha;
    if (at < 0)
        at = slice_find(r->files, SLICE("\n==== "));
    if (at < 0)
        return err_set(err, ERR_NOT_FOUND, "nothing is there");
    rest = slice_from(r->files, (size_t)at + 1);
    (void)slice_line(&rest, &line);
    at = slice_find(rest, SLICE("\n===="));
    buf_add(to, at < 0 ? rest : slice_head(rest, (size_t)at + 1));
    return ERR_OK;
}

/* ---- the forecast ---- */

/* Adds the keys of those in JOBS that never run. */
static void note_skipped(json_t *to, const json_t *jobs)
{
    json_t *job, *config;
    size_t i, k;

    json_array_foreach (jobs, i, job) {
        const char *verdict = json_string_value(json_object_get(job, "verdict"));

        if (strcmp(verdict, "skipped") == 0)
            json_object_set(to, json_string_value(json_object_get(job, "key")), job);
        json_array_foreach (json_object_get(job, "configurations"), k, config)
            note_skipped(to, json_object_get(json_object_get(config, "call"), "jobs"));
    }
}

/* Jobs here end with outputs of any kind, so none may be known from the workflow alone. */
static void ask_forecast(struct fuzz_run *r, const struct local_spec *spec)
{
    struct forecast_spec f = {.run = spec, .no_git = true};
    struct err err = ERR_INIT;
    json_t *all = NULL, *one;
    size_t i;

    if (forecast(&f, &all, &err) < 0)
        return;
    char *text = json_dumps(all, JSON_COMPACT);
    expect(text != NULL, "a forecast that is no JSON");
    free(text);
    if (slice_find(r->files, SLICE("outputs")) < 0) {
        r->skipped = json_object();
        json_array_foreach (json_object_get(all, "workflows"), i, one)
            note_skipped(r->skipped, json_object_get(one, "jobs"));
    }
    json_decref(all);
}

/* "build (deb)/test (18)": the last part may name a configuration. */
static bool is_skipped(const struct fuzz_run *r, const char *key)
{
    struct slice name = slice_of(key);
    ssize_t at;

    if (json_object_getn(r->skipped, name.ptr, name.len))
        return true;
    for (size_t from = 0; (at = slice_find(slice_from(name, from), SLICE(" ("))) >= 0;
         from += (size_t)at + 2)
        if (slice_ends(name, SLICE(")")) &&
            json_object_getn(r->skipped, name.ptr, from + (size_t)at))
            return true;
    return false;
}

static unsigned char next_move(struct fuzz_run *r)
{
    unsigned char c = r->moves.len ? (unsigned char)r->moves.ptr[0] : 0;

    r->moves = slice_from(r->moves, r->moves.len ? 1 : 0);
    return c;
}

static void take_ready(struct fuzz_run *r)
{
    struct err err = ERR_INIT;
    struct job *job;
    int result;

    while (r->n_running < RUNNING_MAX &&
           (result = r->queue->ops->next(r->queue, &job, &err)) == 1) {
        expect(!r->killed, "a job after everything was killed");
        for (size_t i = 0; i < r->n_running; i++)
            expect(strcmp(r->running[i]->key, job->key) != 0, "two jobs of one key");
        expect(!is_skipped(r, job->key), "a job that the forecast skips");
        r->running[r->n_running++] = job;
    }
}

static void end_one(struct fuzz_run *r)
{
    static const char *const results[] = {"success", "failure", "cancelled", "skipped", NULL};
    size_t at = next_move(r) % r->n_running;
    const char *result = results[next_move(r) % 5];
    struct job *job = r->running[at];
    struct err err = ERR_INIT;
    json_t *event;

    r->running[at] = r->running[--r->n_running];
    if (result) { /* else its worker dies */
        event = json_pack("{s:s, s:s, s:s, s:{s:s, s:s}}", "event", "job.finished", "job", job->key,
                          "result", result, "outputs", "v", result, "l", "[1, {\"a\": 2}]");
        expect(r->queue->ops->event(r->queue, job->key, event, SLICE(""), &err) == ERR_OK,
               "a result is refused");
        json_decref(event);
    }
    expect(r->queue->ops->ended(r->queue, job->key, NULL, &err) == ERR_OK, "an end is refused");
    job_deinit(job);
    free(job);
}

static void play(struct fuzz_run *r, const struct workflow *w)
{
    enum { CANCEL = 'C', KILL = 'K', MOVES_MAX = 20000 };
    json_t *github = json_pack("{s:s, s:s, s:s, s:{}}", "event_name", "push", "ref",
                               "refs/heads/main", "repository", "acme/app", "event");
    struct local_spec spec = {.workflows = &w, .n_workflows = 1, .github = github};
    struct err err = ERR_INIT;

    ask_forecast(r, &spec);
    int result = queue_local_new(&spec, &r->queue, &err);

    json_decref(github);
    if (result != ERR_OK)
        return;
    take_ready(r);
    for (size_t i = 0; r->n_running && i < MOVES_MAX; i++) {
        unsigned char c = r->moves.len ? (unsigned char)r->moves.ptr[0] : 0;

        r->killed = r->killed || c == KILL;
        if (c == CANCEL || c == KILL)
            r->queue->ops->cancel(r->queue, next_move(r) == KILL);
        end_one(r);
        take_ready(r);
    }
    expect(r->n_running || r->queue->ops->done(r->queue), "a run that does not end");
    for (size_t i = 0; i < r->n_running; i++) {
        job_deinit(r->running[i]);
        free(r->running[i]);
    }
    r->queue->ops->free(r->queue);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(diags_deinit) struct diags diags = {.arena = &a};
    CLEANUP(workflow_deinit) struct workflow w;
    struct slice input = slice_make((const char *)data, size);
    ssize_t cut = slice_find(input, SLICE("\n----\n")), first;
    struct fuzz_run r = {
        .files = cut < 0 ? input : slice_head(input, (size_t)cut + 1),
        .moves = slice_from(input, cut < 0 ? size : (size_t)cut + 6),
    };
    struct calls_options options = {.source = {.read = read_called, .ctx = &r}, .jobs = JOBS_MAX};

    first = slice_find(r.files, SLICE("\n===="));
    workflow_init(&w);
    if (workflow_parse(&w, first < 0 ? r.files : slice_head(r.files, (size_t)first + 1), "ci.yml",
                       &diags) == ERR_OK &&
        workflow_load_calls(&w, &options, &diags) == ERR_OK)
        play(&r, &w);
    json_decref(r.skipped);
    return 0;
}
