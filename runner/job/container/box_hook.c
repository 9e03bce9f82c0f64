#include "job/container/box_hook.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/random.h"
#include "job/container/containers.h"
#include "job/container/job_container.h"
#include "job/contexts.h"
#include "job/hooks.h"
#include "job/lanes.h"
#include "job/place.h"
#include "job/process.h"
#include "job/steps.h"
#include "job/switches.h"

#include <unistd.h>

#define VARIABLE "ACTIONS_RUNNER_CONTAINER_HOOKS"

enum { ANSWER_MAX = 4 << 20 };

struct box_hook {
    struct step_run *step;
    const char *command;
    char *answer; /* the file, as the job sees it */
    struct process *process;
    box_hook_fn *fn;
    void *ctx;
};

const char *box_hook_path(void)
{
    return switch_text(VARIABLE);
}

/* ---- what it answers ---- */

static void keep_state(struct run *run, const json_t *answer)
{
    json_t *state = json_object_get(answer, "state");

    if (state) {
        json_decref(run->box_state);
        run->box_state = json_deep_copy(state);
    }
}

static int take_prepared(struct run *run, const json_t *answer, struct err *err)
{
    const json_t *context = json_object_get(answer, "context");
    const json_t *alpine = json_object_get(answer, "isAlpine");
    bool own = job_container_wanted(run) && run->box_missing;

    if (!json_is_object(answer))
        return err_set(err, ERR_INVALID,
                       "prepare_job has to answer with a JSON object in the response file");
    if (own && !json_is_boolean(alpine))
        return err_set(err, ERR_INVALID,
                       "prepare_job has to answer `isAlpine`: true or false, for a job with a "
                       "container");
    if (context && !json_is_null(context)) {
        int r = containers_hook_context(run, context, err);
        if (r < 0)
            return r;
    }
    run->box_alpine = json_is_true(alpine);
    run->box_scripted = own;
    run->box_missing = false;
    return ERR_OK;
}

static int read_answer(struct box_hook *h, struct err *err)
{
    struct run *run = h->step->run;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(ANSWER_MAX);
    bool prepared = strcmp(h->command, "prepare_job") == 0;
    json_error_t why;
    int r = place_read(run, h->answer, &text, err);

    if (r < 0)
        return r;
    json_t *answer =
        slice_trim(buf_slice(&text)).len ? json_loadb(text.ptr, text.len, 0, &why) : json_null();
    if (!answer)
        return err_set(err, ERR_INVALID, "the response of %s is not JSON: %s", h->command,
                       why.text);
    keep_state(run, answer);
    r = prepared ? take_prepared(run, answer, err) : ERR_OK;
    json_decref(answer);
    return r;
}

/* ---- one call ---- */

static void on_end(void *ctx, struct sandbox_exit how)
{
    struct box_hook *h = ctx;
    struct err err = ERR_INIT;

    h->process = process_free(h->process);
    if (how.code == 0)
        (void)!read_answer(h, &err); /* in ERR */
    h->fn(h->ctx, how.code, &err);
}

static void copy_to(struct strmap *to, const struct strmap *from, const char *prefix)
{
    STRMAP_EACH (i, from)
        if (strncmp(i->name, prefix, strlen(prefix)) == 0)
            strmap_set(to, strmap_name(i), strmap_value(i));
}

/* The runner's own environment, GITHUB_* and RUNNER_*: nothing that a workflow sets steers it. */
static const char *const *environ_of(struct step_run *s)
{
    CLEANUP(strmap_deinit) struct strmap env = STRMAP_INIT, added = STRMAP_INIT;

    for (char **p = environ; *p; p++) {
        size_t len = strcspn(*p, "=");

        if ((*p)[len])
            strmap_set(&env, slice_make(*p, len), slice_of(*p + len + 1));
    }
    strmap_set(&env, SLICE("HOME"), slice_of(sandbox_home(s->run->sandbox)));
    contexts_added(s, false, &added);
    copy_to(&env, &added, "GITHUB_");
    copy_to(&env, &added, "RUNNER_");
    return contexts_envp(&s->arena, &env);
}

/* One line of JSON. */
static int order_file(struct box_hook *h, json_t *args, int *ret, struct err *err)
{
    struct run *run = h->step->run;
    json_t *order =
        json_pack("{s:s, s:s, s:O, s:O}", "command", h->command, "responseFile", h->answer, "state",
                  run->box_state ? run->box_state : json_null(), "args", args);
    size_t size = order ? json_dumpb(order, NULL, 0, JSON_COMPACT) : 0;

    if (size == 0) {
        json_decref(order);
        return err_set(err, ERR_INVALID, "what the container hook is told is not UTF-8");
    }
    char *text = mem_new(size + 1);
    (void)json_dumpb(order, text, size, JSON_COMPACT);
    text[size] = '\n';
    json_decref(order);
    int r = fd_memory(slice_make(text, size + 1), ret, err);
    explicit_bzero(text, size); /* passwords of registries */
    free(text);
    return r;
}

static int make_answer(struct box_hook *h, struct err *err)
{
    struct run *run = h->step->run;
    CLEANUP(free_ptr) char *dir = path_join(run->temp, "_runner_hook_responses");
    struct buf name = BUF_INIT(4096);
    char id[RANDOM_UUID_SIZE];

    random_uuid(id);
    buf_printf(&name, "%s/%s.json", dir, id);
    h->answer = buf_take(&name);
    int r = place_mkdirs(run, dir, err);
    return r < 0 ? r : place_write(run, h->answer, SLICE(""), 0666, err);
}

int box_hook_start(struct step_run *s, const char *command, json_t *take_args, box_hook_fn *fn,
                   void *ctx, struct box_hook **ret, struct err *err)
{
    struct box_hook *h = mem_new(sizeof *h);
    struct process_spec spec = {.cwd = s->run->workspace, .place = s->run->sandbox};
    CLEANUP(fd_closep) int order = -1;

    *h = (struct box_hook){.step = s, .command = command, .fn = fn, .ctx = ctx};
    int r = make_answer(h, err);
    if (r == ERR_OK)
        r = order_file(h, take_args, &order, err);
    json_decref(take_args);
    if (r == ERR_OK)
        r = hook_program(s, box_hook_path(), "container hook", VARIABLE, &spec.argv, err);
    if (r == ERR_OK) {
        spec.in = order;
        spec.env = environ_of(s);
        r = process_start(s, &spec, on_end, h, &h->process, err);
    }
    if (r < 0)
        h = box_hook_free(h);
    *ret = h;
    return r;
}

void box_hook_stop(struct box_hook *h, bool now)
{
    if (h && h->process)
        process_stop(h->process, now);
}

struct box_hook *box_hook_free(struct box_hook *h)
{
    if (!h)
        return NULL;
    process_free(h->process);
    free(h->answer);
    free(h);
    return NULL;
}

/* ---- run_script_step ---- */

static void on_script_end(void *ctx, int code, const struct err *why)
{
    struct step_run *s = ctx;

    s->exit_code = code;
    if (why->code)
        step_error(s, why->text);
    else if (code && !s->timed_out && !s->cancelled && s->def->run)
        log_issue(s->log, ANNOTATION_ERROR, "Process completed with exit code %d.", code);
    step_end(s, code == 0 && !why->code ? RESULT_SUCCESS : RESULT_FAILURE);
}

static void add_paths(struct step_run *s, json_t *list, const char *const *paths, size_t n)
{
    for (size_t i = n; i-- > 0;) /* newest first */
        json_array_append_new(list, json_string(job_container_path(s->run, &s->arena, paths[i])));
}

int box_hook_script(struct step_run *s, const char *const *argv, const char *cwd, bool inputs,
                    struct box_hook **ret, struct err *err)
{
    CLEANUP(strmap_deinit) struct strmap env = STRMAP_INIT;
    json_t *args = json_array(), *values = json_object(), *paths = json_array();
    const struct lane *lane = lane_of(s);

    contexts_added(s, inputs, &env);
    path_map_env(&s->run->box_map, &env);
    if (!strmap_get(&env, "CI"))
        strmap_set(&env, SLICE("CI"), SLICE("true"));
    STRMAP_EACH (i, &env)
        json_object_set_new(values, i->name, json_stringn(i->value, i->value_len));
    for (size_t i = 1; argv[i]; i++)
        json_array_append_new(args, json_string(argv[i]));
    if (lane)
        add_paths(s, paths, (const char *const *)lane->paths.ptr, lane->paths.len);
    add_paths(s, paths, (const char *const *)s->run->paths.ptr, s->run->paths.len);
    return box_hook_start(s, "run_script_step",
                          json_pack("{s:s, s:o, s:o, s:o, s:s}", "entryPoint", argv[0],
                                    "entryPointArgs", args, "environmentVariables", values,
                                    "prependPath", paths, "workingDirectory", cwd),
                          on_script_end, s, ret, err);
}

/* ---- around the job ---- */

static void on_job_end(void *ctx, int code, const struct err *why)
{
    struct step_run *s = ctx;

    s->exit_code = code;
    if (why->code)
        step_error(s, why->text);
    else if (code && !s->timed_out && !s->cancelled)
        log_issue(s->log, ANNOTATION_ERROR, "Process completed with exit code %d.", code);
    step_end(s, code == 0 && !why->code ? RESULT_SUCCESS : RESULT_FAILURE);
}

static int job_start(struct step_run *s, struct err *err)
{
    const char *command = s->instance->box_command;
    struct box_hook *h = NULL;
    json_t *args = json_object();

    if (strcmp(command, "prepare_job") == 0) {
        json_decref(args);
        int r = containers_hook_args(s->run, &args, err);
        if (r < 0)
            return r;
    }
    int r = box_hook_start(s, command, args, on_job_end, s, &h, err);
    s->state = h;
    return r;
}

static void job_stop(struct step_run *s, bool now)
{
    box_hook_stop(s->state, now);
}

static void job_release(struct step_run *s)
{
    s->state = box_hook_free(s->state);
}

const struct handler handler_box = {"hook", job_start, job_stop, job_release};

static int run_command(struct run *run, const char *command, const char *name, enum stage stage,
                       struct err *err)
{
    const struct instance like = {.hook = box_hook_path(), .box_command = command};

    return hook_step(run, &like, name, stage, err);
}

int box_hook_prepare(struct run *run, struct err *err)
{
    return run_command(run, "prepare_job", "Initialize containers", STAGE_PRE, err);
}

int box_hook_clean_up(struct run *run, struct err *err)
{
    if (!run->containers || run->lost)
        return ERR_OK;
    return run_command(run, "cleanup_job", "Stop containers", STAGE_POST, err);
}
