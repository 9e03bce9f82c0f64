#include "job/hooks.h"

#include "base/fd.h"
#include "base/path.h"
#include "job/contexts.h"
#include "job/header.h"
#include "job/kinds/handlers.h"
#include "job/process.h"
#include "job/shell.h"
#include "job/steps.h"
#include "job/switches.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct hook {
    const char *variable, *name, *what;
    enum stage stage;
} hooks[HOOK_KINDS] = {
    [HOOK_STARTED] = {"ACTIONS_RUNNER_HOOK_JOB_STARTED", "Set up runner", "job started hook",
                      STAGE_PRE},
    [HOOK_COMPLETED] = {"ACTIONS_RUNNER_HOOK_JOB_COMPLETED", "Complete runner",
                        "job completed hook", STAGE_POST},
};

const char *hook_path(enum hook_kind which)
{
    return switch_text(hooks[which].variable);
}

/* ---- the step ---- */

static const struct hook *hook_of(const struct step_run *s)
{
    return &hooks[s->stage == STAGE_PRE ? HOOK_STARTED : HOOK_COMPLETED];
}

static void on_end(void *ctx, struct sandbox_exit how)
{
    struct step_run *s = ctx;

    s->state = process_free(s->state);
    s->exit_code = how.code;
    if (how.code != 0)
        log_issue(s->log, ANNOTATION_ERROR, "Process completed with exit code %d.", how.code);
    step_end(s, how.code == 0 ? RESULT_SUCCESS : RESULT_FAILURE);
}

static int check_file(const struct step_run *s, const char *path, const char *what,
                      const char *variable, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    struct err why = ERR_INIT;
    struct stat st;

    if (path[0] != '/')
        return err_set(err, ERR_INVALID, "the %s '%s' has to be a whole path, from '/': mend %s",
                       what, path, variable);
    if (path_open_in(sandbox_root(s->run->sandbox), path, O_PATH, 0, &fd, &why) < 0 ||
        fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, ERR_NOT_FOUND, "File doesn't exist: the %s is to be '%s', says %s",
                       what, path, variable);
    return ERR_OK;
}

/* By its suffix. The header shows a shell's usual arguments, and a script gets "-e" alone: as on GitHub. */
int hook_program(struct step_run *s, const char *path, const char *what, const char *variable,
                 const char *const **ret_argv, struct err *err)
{
    const char *search = contexts_path(s, &s->arena), *shown = "{0}", *name, *args;
    CLEANUP(free_ptr) char *program = NULL;
    struct slice file = slice_of(path);
    struct shell sh;

    if (check_file(s, path, what, variable, err) < 0)
        return err->code;
    if (slice_ends(file, SLICE(".sh"))) {
        name =
            sandbox_which(s->run->sandbox, "bash", search, &program, err) == ERR_OK ? "bash" : "sh";
        args = "-e {0}";
        shown = name[0] == 'b' ? "--noprofile --norc -e -o pipefail {0}" : args;
    } else if (slice_ends(file, SLICE(".js"))) {
        name = s->run->job->node ? s->run->job->node : "node";
        args = shown;
    } else if (slice_ends(file, SLICE(".ps1"))) {
        name = "pwsh";
        args = shown = "-command \". '{0}'\"";
    } else {
        return err_set(err, ERR_UNSUPPORTED,
                       "'%s' is no hook that can be run: it has to end in .sh, .js or .ps1", path);
    }
    int r = program ? ERR_OK : sandbox_which(s->run->sandbox, name, search, &program, err);
    if (r == ERR_OK)
        r = shell_parse(&s->arena, slice_of(arena_printf(&s->arena, "%s %s", name, args)), &sh,
                        err);
    if (r == ERR_OK)
        r = shell_argv(&s->arena, &sh, arena_str(&s->arena, slice_of(program)), path, ret_argv,
                       err);
    if (r == ERR_OK)
        header_hook(s, path, program, shown);
    return r;
}

static int hook_start(struct step_run *s, struct err *err)
{
    CLEANUP(strmap_deinit) struct strmap env = STRMAP_INIT;
    struct process_spec spec = {.cwd = s->run->workspace, .place = s->run->sandbox};
    const char *path = s->instance->hook;
    struct process *p = NULL;

    log_printf(s->log, LOG_PLAIN,
               "A %s has been configured by the self-hosted runner administrator",
               hook_of(s)->what);
    int r = hook_program(s, path, hook_of(s)->what, hook_of(s)->variable, &spec.argv, err);
    if (r < 0)
        return r;
    contexts_environ(s, false, &env);
    spec.env = contexts_envp(&s->arena, &env);
    r = process_start(s, &spec, on_end, s, &p, err);
    s->state = p;
    return r;
}

static void hook_stop(struct step_run *s, bool now)
{
    if (s->state)
        process_stop(s->state, now);
}

static void hook_release(struct step_run *s)
{
    s->state = process_free(s->state);
}

const struct handler handler_hook = {"hook", hook_start, hook_stop, hook_release};

/* ---- around the job ---- */

static void on_done(void *ctx)
{
    struct run *run = ctx;

    loop_quit(run->loop);
}

int hook_step(struct run *run, const struct instance *like, const char *name, enum stage stage,
              struct err *err)
{
    struct arena *a = &run->job->arena; /* a step that is cut off refers to its own for ever */
    struct token *token = arena_array(a, 1, sizeof *token);
    struct step *def = arena_array(a, 1, sizeof *def);
    struct instance *one = arena_array(a, 1, sizeof *one);
    int r = ERR_OK;

    *token = (struct token){.kind = TOKEN_STRING, .text = slice_of(name), .source = slice_of(name)};
    *def = (struct step){.id = "", .name = token, .condition = "success()"};
    *one = *like;
    one->def = def;
    run->own_posts -= stage == STAGE_POST;
    one->frame = run->root;
    vec_deinit(&run->seq.items);
    run->seq = (struct sequence){.run = run, .frame = run->root, .done = on_done, .ctx = run};
    vec_push(&run->seq.items, (struct sequence_item){one, stage});
    sequence_go(&run->seq);
    if (!run->lost)
        r = loop_run(run->loop, err);
    if (r < 0 || run->lost)
        return r;
    vec_deinit(&run->seq.items);
    run->seq = (struct sequence){0}; /* what is cancelled from here on is not this */
    strmap_deinit(&one->state);
    return ERR_OK;
}

int hook_run(struct run *run, enum hook_kind which, struct err *err)
{
    const struct instance like = {.hook = hook_path(which)};

    if (!like.hook || run->lost)
        return ERR_OK;
    return hook_step(run, &like, hooks[which].name, hooks[which].stage, err);
}
