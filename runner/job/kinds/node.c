/* node - JavaScript actions: the script is started with a Node that is found for it. */
#include "base/fd.h"
#include "base/path.h"
#include "io/spawn.h"
#include "job/container/box_hook.h"
#include "job/container/elf.h"
#include "job/container/job_container.h"
#include "job/contexts.h"
#include "job/header.h"
#include "job/kinds/handlers.h"
#include "job/kinds/node_find.h"
#include "job/process.h"
#include "job/steps.h"

#include <fcntl.h>
#include <unistd.h>

struct state {
    struct node_find *find; /* at first */
    struct box_hook *hook;  /* who runs it instead */
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
    if (s->run->box_scripted)
        return box_hook_script(s, argv, job_container_path(s->run, &s->arena, s->run->workspace),
                               true, &st->hook, err);
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

static bool is_alpine(const struct step_run *s)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(64 << 10);
    CLEANUP(fd_closep) int fd = -1;
    struct err ignored = ERR_INIT;

    if (!s->run->box)
        return s->run->box_alpine;
    return path_open_in(sandbox_root(s->run->box), "/etc/os-release", O_RDONLY | O_NONBLOCK, 0, &fd,
                        &ignored) == ERR_OK &&
           fd_read_all(fd, &text, &ignored) == ERR_OK &&
           slice_find(buf_slice(&text), SLICE("ID=alpine")) >= 0;
}

/* This machine's Node is built for a C library that the container may not have: Alpine's is another one. */
static int check_library(struct step_run *s, int root, const char *node, struct err *err)
{
    char interpreter[ELF_INTERPRETER_SIZE];
    CLEANUP(fd_closep) int fd = -1;
    CLEANUP(fd_closep) int found = -1;
    struct err ignored = ERR_INIT; /* what is no such program tells itself when it is started */

    if (path_open_in(root, node, O_RDONLY, 0, &fd, &ignored) < 0 ||
        elf_interpreter(fd, interpreter, &ignored) < 0 || !*interpreter)
        return ERR_OK;
    bool fits = s->run->box ? path_open_in(root, interpreter, O_PATH, 0, &found, &ignored) == ERR_OK
                            : !s->run->box_alpine || strstr(interpreter, "ld-musl");
    if (fits)
        return ERR_OK;
    return err_set(
        err, ERR_UNSUPPORTED,
        "'%s' is a JavaScript action, and the job's container has no '%s', which this machine's "
        "Node needs%s: take an image with Node, such as node:20-alpine, or 'apk add nodejs' in a "
        "step before",
        s->def->uses, interpreter, is_alpine(s) ? " (it is an Alpine)" : "");
}

/* In a container it is the image's own, else this machine's, which is shown there. */
static int find_in_box(struct step_run *s, const char **ret, struct err *err)
{
    static const char ours[] = JOB_CONTAINER_NODES "/node";
    CLEANUP(free_ptr) char *node = NULL;
    struct err ignored = ERR_INIT;
    int root = sandbox_root(s->run->box);

    if (sandbox_which(s->run->box, "node", job_container_search(s, &s->arena), &node, &ignored) ==
        ERR_OK) {
        *ret = arena_str(&s->arena, slice_of(node));
        return ERR_OK;
    }
    if (sandbox_which(s->run->box, ours, "", &node, &ignored) < 0)
        return err_set(
            err, ERR_NOT_FOUND,
            "'%s' is a JavaScript action (%s) and there is no 'node' on the PATH: install "
            "Node.js, or run actions/setup-node before it",
            s->def->uses, s->instance->action->using);
    *ret = ours;
    return check_library(s, root, ours, err);
}

/* The hook has shown it there, as it was told. */
static int find_by_hook(struct step_run *s, const char **ret, struct err *err)
{
    CLEANUP(free_ptr) char *ours = NULL;
    struct err ignored = ERR_INIT; /* the hook tells */

    *ret = JOB_CONTAINER_NODES "/node";
    if (spawn_find("node", spawn_env_path((const char *const *)environ), &ours, &ignored) < 0)
        return ERR_OK;
    CLEANUP(free_ptr) char *real = realpath(ours, NULL);
    CLEANUP(fd_closep) int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return real ? check_library(s, slash, real, err) : ERR_OK;
}

static int node_start(struct step_run *s, struct err *err)
{
    const struct action *action = s->instance->action;
    struct state *st = mem_new(sizeof *st);
    struct sandbox *place = NULL;
    const char *node = NULL;
    int major = node_wanted(s, action->using);

    s->state = st;
    s->by = arena_printf(&s->arena, "node%d", major);
    int r = job_container_place(s, &place, err);
    if (r == ERR_OK)
        r = inputs_evaluate(s, action->inputs, action->n_inputs, err);
    if (r < 0)
        return r;
    header_action(s);
    if (s->run->box_scripted)
        r = find_by_hook(s, &node, err);
    else if (s->run->box)
        r = find_in_box(s, &node, err);
    else
        r = node_find(s, major, on_found, s, &node, &st->find, err);
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
    } else if (st && st->hook) {
        box_hook_stop(st->hook, now);
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
    box_hook_free(st->hook);
    process_free(st->process);
    free(st);
}

const struct handler handler_node = {"node", node_start, node_stop, node_release};
