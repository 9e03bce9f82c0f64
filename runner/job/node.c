/* node - JavaScript actions: the script is started with a Node that is found for it. */
#include "base/path.h"
#include "job/contexts.h"
#include "job/handlers.h"
#include "job/header.h"
#include "job/job_container.h"
#include "job/node_find.h"
#include "job/process.h"
#include "job/steps.h"

struct state {
    struct node_find *find; /* at first */
    struct process *process;
};

static void on_end(void *ctx, struct sandbox_exit how)
{
    struct step_run *s = ctx;
    struct state *st = s->state;

    st->process = process_free(st->process);
    s->exit_code = how.code;
    step_end(s, how.code == 0 ? RESULT_SUCCESS : RESULT_FAILURE);
}

static int run_script(struct step_run *s, const char *node, struct err *err)
{
    CLEANUP(strmap_deinit) struct strmap env = STRMAP_INIT;
    const struct action *action = s->instance->action;
    const char *script = s->stage == STAGE_PRE    ? action->pre
                         : s->stage == STAGE_POST ? action->post
                                                  : action->main;
    CLEANUP(free_ptr) char *path = path_join(s->instance->action_dir, script);
    const char *const argv[] = {node, job_container_path(s->run, &s->arena, path), NULL};
    struct process_spec spec = {.argv = argv};
    struct state *st = s->state;
    int r = job_container_place(s, &spec.place, err);

    if (r < 0)
        return r;
    job_container_environ(s, true, &env);
    strmap_unset(&env, SLICE("NODE_ICU_DATA"));
    spec.env = contexts_envp(&s->arena, &env);
    spec.cwd = job_container_path(s->run, &s->arena, s->run->workspace);
    return process_start(s, &spec, on_end, s, &st->process, err);
}

static void on_found(void *ctx, const char *node, const struct err *why)
{
    struct step_run *s = ctx;
    struct state *st = s->state;
    struct err err = *why;

    st->find = node_find_free(st->find);
    if (!node || run_script(s, node, &err) < 0)
        step_fail(s, err.text);
}

/* In a container it is the image's own, else this machine's, which is shown there. */
static int find_in_box(struct step_run *s, const char **ret, struct err *err)
{
    const char *search =
        arena_printf(&s->arena, "%s:%s", job_container_search(s, &s->arena), JOB_CONTAINER_NODES);
    CLEANUP(free_ptr) char *node = NULL;

    if (sandbox_which(s->run->box, "node", search, &node, err) < 0)
        return err_set(
            err, ERR_NOT_FOUND,
            "'%s' is a JavaScript action (%s) and there is no 'node' on the PATH: install "
            "Node.js, or run actions/setup-node before it",
            s->def->uses, s->instance->action->using);
    *ret = arena_str(&s->arena, slice_of(node));
    return ERR_OK;
}

static int node_start(struct step_run *s, struct err *err)
{
    const struct action *action = s->instance->action;
    struct state *st = mem_new(sizeof *st);
    struct sandbox *place = NULL;
    const char *node = NULL;

    s->state = st;
    int r = job_container_place(s, &place, err);
    if (r == ERR_OK)
        r = inputs_evaluate(s, action->inputs, action->n_inputs, err);
    if (r < 0)
        return r;
    header_action(s);
    if (s->run->box)
        r = find_in_box(s, &node, err);
    else
        r = node_find(s, node_wanted(s, action->using), on_found, s, &node, &st->find, err);
    if (r < 0)
        return r;
    handler_register_post(s);
    return node ? run_script(s, node, err) : ERR_OK;
}

static void node_stop(struct step_run *s, bool now)
{
    struct state *st = s->state;

    if (st && st->process) {
        process_stop(st->process, now);
    } else if (st && st->find) {
        st->find = node_find_free(st->find);
        step_end(s, RESULT_CANCELLED);
    }
}

static void node_release(struct step_run *s)
{
    struct state *st = s->state;

    if (!st)
        return;
    s->state = NULL;
    node_find_free(st->find);
    process_free(st->process);
    free(st);
}

const struct handler handler_node = {"node", node_start, node_stop, node_release};
