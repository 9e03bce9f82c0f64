/* Scheduling, as transcripts: tests/data/queue/NAME.run holds a workflow, a line "----", and then commands
 * ("$ success build") with what the queue does about each. The whole transcript must come out again.
 *
 * Behind a line "====" comes another workflow of the run, behind "==== PATH" one that is called. */
#include "queue/local/local.h"

#include "base/path.h"
#include "base/vec.h"
#include "lang/workflow/calls.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>

#define DATA OSTLER_SOURCE_DIR "/tests/data/queue"

enum { TEXT_MAX = 1 << 20, WORDS_MAX = 32 };

struct play {
    struct arena arena;
    struct workflow workflow[2];
    size_t n_workflows;
    struct strmap called; /* path: text */
    struct queue *queue;
    VEC(struct job *) jobs; /* handed out and kept for a look */
    struct buf out;
};

static void say(struct play *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(struct play *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&p->out, fmt, ap);
    va_end(ap);
    buf_add_char(&p->out, '\n');
}

static const char *text(const json_t *event, const char *key)
{
    const char *s = json_string_value(json_object_get(event, key));

    return s ? s : "";
}

static int on_event(void *ctx, json_t *event, struct slice log, struct err *err)
{
    struct play *p = ctx;
    const char *name = text(event, "event");

    (void)err;
    cr_assert_eq(log.len, 0);
    if (strcmp(name, "job.finished") == 0)
        say(p, "%s %s: %s", text(event, "result"), text(event, "job"), text(event, "reason"));
    else if (strcmp(name, "run.finished") == 0)
        say(p, "run %s", text(event, "result"));
    else if (strcmp(name, "note") == 0)
        say(p, "note %s", text(event, "text"));
    else if (strcmp(name, "job.queued") == 0 &&
             strcmp(text(event, "name"), text(event, "job")) != 0)
        say(p, "queued %s as '%s'", text(event, "job"), text(event, "name"));
    return ERR_OK;
}

static void on_stop(void *ctx, const char *key, const char *why)
{
    say(ctx, "stop %s: %s", key, why);
}

/* Takes all that is ready, as a caller with free slots does. */
static void take_ready(struct play *p)
{
    struct err err = ERR_INIT;
    struct job *job;
    int r;

    while ((r = p->queue->ops->next(p->queue, &job, &err)) == 1) {
        say(p, "ready %s", job->key);
        vec_push(&p->jobs, job);
    }
    cr_assert_eq(r, 0, "%s", err.text);
}

struct options {
    const char *jobs[WORDS_MAX];
    struct local_pair matrix[WORDS_MAX];
    size_t n_jobs, n_matrix;
    const char *event_name;
    struct strmap inputs, vars, secrets, env;
};

static struct local_pair pair(struct arena *a, const char *word)
{
    const char *eq = strchr(word, '=');

    cr_assert_not_null(eq, "'%s'", word);
    return (struct local_pair){arena_str(a, slice_make(word, (size_t)(eq - word))), eq + 1};
}

static void set_pair(struct strmap *m, struct local_pair p)
{
    strmap_set(m, slice_of(p.name), slice_of(p.value));
}

static void parse_options(struct arena *a, struct slice line, struct options *o)
{
    struct slice name, value;

    while (slice_split(&line, ' ', &name) && name.len) {
        cr_assert(slice_split(&line, ' ', &value), "%.*s lacks a value", SLICE_ARG(name));
        const char *word = arena_str(a, value);

        if (slice_eq(name, SLICE("--job")))
            o->jobs[o->n_jobs++] = word;
        else if (slice_eq(name, SLICE("--matrix")))
            o->matrix[o->n_matrix++] = pair(a, word);
        else if (slice_eq(name, SLICE("--input")))
            set_pair(&o->inputs, pair(a, word));
        else if (slice_eq(name, SLICE("--var")))
            set_pair(&o->vars, pair(a, word));
        else if (slice_eq(name, SLICE("--secret")))
            set_pair(&o->secrets, pair(a, word));
        else if (slice_eq(name, SLICE("--env")))
            set_pair(&o->env, pair(a, word));
        else if (slice_eq(name, SLICE("--event")))
            o->event_name = word;
        else
            cr_assert_fail("what is '%.*s'?", SLICE_ARG(name));
    }
}

static void do_start(struct play *p, struct slice line)
{
    struct options o = {.event_name = "push", .secrets = STRMAP_INIT_NOCASE};
    const struct workflow *flows[] = {&p->workflow[0], &p->workflow[1]};
    struct err err = ERR_INIT;

    parse_options(&p->arena, line, &o);
    json_t *github =
        json_pack("{s:s, s:s, s:s, s:s, s:{}}", "event_name", o.event_name, "ref",
                  "refs/heads/topic", "sha", "1234567", "repository", "acme/app", "event");
    struct local_spec spec = {
        .workflows = flows,
        .n_workflows = p->n_workflows,
        .run_id = "1",
        .github = github,
        .inputs = &o.inputs,
        .vars = &o.vars,
        .secrets = &o.secrets,
        .env = &o.env,
        .jobs = o.n_jobs ? o.jobs : NULL,
        .matrix = o.matrix,
        .n_matrix = o.n_matrix,
        .work_dir = "/srv/jobs",
    };
    if (queue_local_new(&spec, &p->queue, &err) != ERR_OK) {
        say(p, "error %s", err.text);
    } else {
        p->queue->client = (struct queue_client){.event = on_event, .stop = on_stop, .ctx = p};
        take_ready(p);
    }
    json_decref(github);
    strmap_deinit(&o.inputs);
    strmap_deinit(&o.vars);
    strmap_deinit(&o.secrets);
    strmap_deinit(&o.env);
}

/* "KEY", or "KEY <- JSON" with outputs. */
static void do_result(struct play *p, const char *result, struct slice rest)
{
    ssize_t arrow = slice_find(rest, SLICE(" <- "));
    const char *key = arena_str(&p->arena, arrow < 0 ? rest : slice_head(rest, (size_t)arrow));
    json_t *event = json_pack("{s:s, s:s, s:s, s:i}", "event", "job.finished", "job", key, "result",
                              result, "elapsed_ms", 5);
    struct err err = ERR_INIT;

    if (arrow >= 0) {
        struct slice json = slice_from(rest, (size_t)arrow + 4);
        json_t *outputs = json_loadb(json.ptr, json.len, 0, NULL);

        cr_assert_not_null(outputs, "%.*s", SLICE_ARG(json));
        json_object_set_new(event, "outputs", outputs);
    }
    if (p->queue->ops->event(p->queue, key, event, SLICE(""), &err) != ERR_OK ||
        p->queue->ops->ended(p->queue, key, NULL, &err) != ERR_OK)
        say(p, "error %s", err.text);
    json_decref(event);
    take_ready(p);
}

static void do_dies(struct play *p, struct slice key)
{
    struct err err = ERR_INIT;

    cr_assert_eq(
        p->queue->ops->ended(p->queue, arena_str(&p->arena, key), "its worker was killed", &err),
        ERR_OK, "%s", err.text);
    take_ready(p);
}

/* "KEY MEMBER": a context that the job was given, or "env", "timeout". */
static void do_show(struct play *p, struct slice rest)
{
    const char *last = memrchr(rest.ptr, ' ', rest.len);
    struct slice key = slice_make(rest.ptr, (size_t)(last - rest.ptr));
    const char *member = arena_str(&p->arena, slice_from(rest, key.len + 1));

    VEC_EACH (j, &p->jobs) {
        if (!slice_eq(slice_of((*j)->key), key))
            continue;
        if (strcmp(member, "timeout") == 0) {
            say(p, "%lld %lld", (long long)(*j)->timeout_ms, (long long)(*j)->cancel_timeout_ms);
            return;
        }
        if (strcmp(member, "secrets") == 0) {
            STRMAP_EACH (i, &(*j)->secrets)
                say(p, "%s=%s", i->name, i->value);
            return;
        }
        if (strcmp(member, "env") == 0) {
            say(p, "%zu maps", (*j)->n_env);
            return;
        }
        char *json =
            json_dumps(json_object_get((*j)->contexts, member), JSON_ENCODE_ANY | JSON_SORT_KEYS);
        say(p, "%s", json);
        free(json);
        return;
    }
    cr_assert_fail("no job '%.*s' was handed out", SLICE_ARG(key));
}

static void command(struct play *p, struct slice line)
{
    struct slice rest = line, verb;

    cr_assert(slice_split(&rest, ' ', &verb));
    if (slice_eq(verb, SLICE("start"))) {
        do_start(p, rest);
    } else if (slice_eq(verb, SLICE("dies"))) {
        do_dies(p, rest);
    } else if (slice_eq(verb, SLICE("show"))) {
        do_show(p, rest);
    } else if (slice_eq(verb, SLICE("cancel")) || slice_eq(verb, SLICE("kill"))) {
        p->queue->ops->cancel(p->queue, slice_eq(verb, SLICE("kill")));
        take_ready(p);
    } else if (slice_eq(verb, SLICE("done"))) {
        say(p, "%s %s", p->queue->ops->done(p->queue) ? "yes" : "no",
            queue_result_name(queue_local_result(p->queue)));
    } else {
        do_result(p, arena_str(&p->arena, verb), rest);
    }
}

static void check(struct play *p, int r, const struct diags *diags)
{
    cr_assert_eq(r, ERR_OK, "%s",
                 diags->list.len ? diag_text(&p->arena, &diags->list.ptr[0]) : "?");
}

static void read_workflow(struct play *p, struct slice text)
{
    static const char *const files[] = {"ci.yml", "more.yml"};
    struct diags diags = {.arena = &p->arena};

    workflow_init(&p->workflow[p->n_workflows]);
    check(p, workflow_parse(&p->workflow[p->n_workflows], text, files[p->n_workflows], &diags),
          &diags);
    diags_deinit(&diags);
    p->n_workflows++;
}

static int read_called(void *ctx, const struct call_ref *ref, struct arena *a, struct buf *to,
                       const char **ret_sha, struct err *err)
{
    const struct play *p = ctx;
    const char *name = ref->repository
                           ? arena_printf(a, "%s/%s@%s", ref->repository, ref->path, ref->ref)
                           : ref->path;
    const char *text = strmap_get(&p->called, name);

    if (!text)
        return err_set(err, ERR_NOT_FOUND, "there is no '%s'", name);
    buf_add_str(to, text);
    if (ref->repository)
        *ret_sha = "fedcba9";
    return ERR_OK;
}

static void read_workflows(struct play *p, struct slice source)
{
    struct calls_options options = {.source = {.read = read_called, .ctx = p}};

    ssize_t first = slice_find(source, SLICE("\n===="));

    read_workflow(p, first < 0 ? source : slice_head(source, (size_t)first + 1));
    for (ssize_t cut; (cut = slice_find(source, SLICE("\n===="))) >= 0;) {
        struct slice path, text;
        ssize_t end;

        source = slice_from(source, (size_t)cut + 5);
        cr_assert(slice_split(&source, '\n', &path));
        end = slice_find(source, SLICE("\n===="));
        text = end < 0 ? source : slice_head(source, (size_t)end + 1);
        if (slice_trim(path).len)
            strmap_set(&p->called, slice_trim(path), text);
        else
            read_workflow(p, text);
    }
    for (size_t i = 0; i < p->n_workflows; i++) {
        struct diags diags = {.arena = &p->arena};

        check(p, workflow_load_calls(&p->workflow[i], &options, &diags), &diags);
        diags_deinit(&diags);
    }
}

static void play(const char *name)
{
    struct play p = {.out = BUF_INIT(TEXT_MAX)};
    CLEANUP(buf_deinit) struct buf file = BUF_INIT(TEXT_MAX);
    CLEANUP(free_ptr) char *path = path_join(DATA, name);
    struct err err = ERR_INIT;

    cr_assert_eq(path_read(AT_FDCWD, path, &file, &err), ERR_OK, "%s", err.text);
    ssize_t cut = slice_find(buf_slice(&file), SLICE("\n----\n"));
    cr_assert(cut >= 0, "%s has no line '----'", name);
    read_workflows(&p, slice_head(buf_slice(&file), (size_t)cut + 1));

    struct slice want = slice_from(buf_slice(&file), (size_t)cut + 6), rest = want, line;
    while (slice_line(&rest, &line)) {
        if (!slice_starts(line, SLICE("$ ")))
            continue;
        say(&p, "%.*s", SLICE_ARG(line));
        command(&p, slice_from(line, 2));
    }
    cr_expect(slice_eq(want, buf_slice(&p.out)), "%s: wanted\n%.*s\nbut it went\n%s", name,
              SLICE_ARG(want), p.out.ptr);

    if (p.queue)
        p.queue->ops->free(p.queue);
    VEC_EACH (j, &p.jobs) {
        job_deinit(*j);
        free(*j);
    }
    vec_deinit(&p.jobs);
    for (size_t i = 0; i < p.n_workflows; i++)
        workflow_deinit(&p.workflow[i]);
    strmap_deinit(&p.called);
    buf_deinit(&p.out);
    arena_deinit(&p.arena);
}

Test(local, plays_every_transcript)
{
    DIR *dir = opendir(DATA);
    const struct dirent *e;
    int n = 0;

    cr_assert_not_null(dir);
    while ((e = readdir(dir))) {
        if (!slice_ends(slice_of(e->d_name), SLICE(".run")))
            continue;
        play(e->d_name);
        n++;
    }
    closedir(dir);
    cr_assert_gt(n, 10, "only %d transcripts in %s", n, DATA);
}
