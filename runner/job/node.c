/* node - JavaScript actions: the script is started with the Node on the job's PATH. */
#include "base/path.h"
#include "job/contexts.h"
#include "job/handlers.h"
#include "job/header.h"
#include "job/job_container.h"
#include "job/process.h"
#include "job/steps.h"

static void on_end(void *ctx, struct sandbox_exit how)
{
    struct step_run *s = ctx;

    s->state = process_free(s->state);
    s->exit_code = how.code;
    step_end(s, how.code == 0 ? RESULT_SUCCESS : RESULT_FAILURE);
}

static int node_start(struct step_run *s, struct err *err)
{
    CLEANUP(strmap_deinit) struct strmap env = STRMAP_INIT;
    const struct action *action = s->instance->action;
    const char *script = s->stage == STAGE_PRE    ? action->pre
                         : s->stage == STAGE_POST ? action->post
                                                  : action->main;
    const char *search = job_container_search(s, &s->arena);
    struct process_spec spec = {0};
    CLEANUP(free_ptr) char *node = NULL;
    int r = job_container_place(s, &spec.place, err);

    if (r == ERR_OK)
        r = inputs_evaluate(s, action->inputs, action->n_inputs, err);
    if (r < 0)
        return r;
    header_action(s);
    if (s->run->box) /* the image's own, else this machine's, which is shown there */
        search = arena_printf(&s->arena, "%s:%s", search, JOB_CONTAINER_NODES);
    if (sandbox_which(spec.place, "node", search, &node, err) < 0)
        return err_set(
            err, ERR_NOT_FOUND,
            "'%s' is a JavaScript action (%s) and there is no 'node' on the PATH: install "
            "Node.js, or run actions/setup-node before it",
            s->def->uses, action->using);
    handler_register_post(s);
    CLEANUP(free_ptr) char *path = path_join(s->instance->action_dir, script);
    const char **argv = arena_array(&s->arena, 3, sizeof *argv);
    argv[0] = arena_str(&s->arena, slice_of(node));
    argv[1] = arena_str(&s->arena, slice_of(job_container_path(s->run, &s->arena, path)));
    job_container_environ(s, true, &env);
    strmap_unset(&env, SLICE("NODE_ICU_DATA"));
    spec.argv = argv;
    spec.env = contexts_envp(&s->arena, &env);
    spec.cwd = job_container_path(s->run, &s->arena, s->run->workspace);
    struct process *p = NULL;
    r = process_start(s, &spec, on_end, s, &p, err);
    s->state = p;
    return r;
}

static void node_stop(struct step_run *s, bool now)
{
    if (s->state)
        process_stop(s->state, now);
}

static void node_release(struct step_run *s)
{
    s->state = process_free(s->state);
}

const struct handler handler_node = {"node", node_start, node_stop, node_release};
