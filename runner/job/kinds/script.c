/* script - `run:` steps: the text goes into a file, a shell runs it (runtime contract 4). */
#include "base/fd.h"
#include "base/path.h"
#include "base/random.h"
#include "job/container/box_hook.h"
#include "job/container/job_container.h"
#include "job/contexts.h"
#include "job/header.h"
#include "job/kinds/handlers.h"
#include "job/place.h"
#include "job/process.h"
#include "job/shell.h"
#include "job/steps.h"

#include <fcntl.h>

enum { SCRIPT_MAX = 16 << 20 };

static void on_end(void *ctx, struct sandbox_exit how)
{
    struct step_run *s = ctx;

    s->state = process_free(s->state);
    s->exit_code = how.code;
    if (how.code == 0) {
        step_end(s, RESULT_SUCCESS);
        return;
    }
    if (!s->stopping) /* else step_end() says what it was */
        log_issue(s->log, ANNOTATION_ERROR, "Process completed with exit code %d.", how.code);
    step_end(s, RESULT_FAILURE);
}

/* The shell as the step names it: its own, else the job's default (never inside a composite). */
static int find_shell(struct step_run *s, struct eval *e, struct sandbox *place, struct shell *sh,
                      char **ret_program, struct err *err)
{
    const char *path = job_container_search(s, &s->arena);
    const struct token *tok = s->def->shell;
    struct slice text;

    if (!tok && !s->frame->parent)
        tok = s->run->job->default_shell;
    int r = template_string(&e->template, tok, &text, err);
    if (r == ERR_OK)
        r = shell_parse(&s->arena, text, sh, err);
    if (r < 0)
        return r;
    if (s->run->box_scripted) { /* nobody but the hook can look in there */
        *ret_program =
            mem_dup(sh->unset ? "sh" : sh->command, strlen(sh->unset ? "sh" : sh->command));
        return ERR_OK;
    }
    if (!sh->unset) {
        r = sandbox_which(place, sh->command, path, ret_program, err);
        return r < 0 ? err_in(err, "shell '%s'", sh->command) : r;
    }
    if (!s->run->box && sandbox_which(place, "bash", path, ret_program, err) == ERR_OK)
        return ERR_OK; /* in a container it is always sh */
    return sandbox_which(place, "sh", path, ret_program, err);
}

/* Absolute, as the process sees it. */
static int find_folder(struct step_run *s, struct eval *e, const struct sandbox *place,
                       const char **ret, struct err *err)
{
    const struct token *tok = s->def->working_directory;
    struct slice text;

    if (!tok && !s->frame->parent)
        tok = s->run->job->default_working_directory;
    int r = template_string(&e->template, tok, &text, err);
    if (r < 0)
        return r;
    CLEANUP(free_ptr) char *name = mem_dup(text.ptr, text.len);
    CLEANUP(free_ptr) char *joined = path_join(s->run->workspace, name);
    CLEANUP(free_ptr) char *normal = path_normal(joined);
    *ret = arena_str(&s->arena, slice_of(job_container_path(s->run, &s->arena, normal)));
    if (s->run->box_scripted)
        return ERR_OK;
    return place_check_folder(place, *ret, err);
}

static int write_script(struct step_run *s, const struct shell *sh, struct slice script,
                        const char **ret_path, struct err *err)
{
    char id[RANDOM_UUID_SIZE];

    if (script.len > SCRIPT_MAX)
        return err_set(err, ERR_LIMIT, "the script is larger than %d bytes", SCRIPT_MAX);
    random_uuid(id);
    *ret_path = arena_printf(&s->arena, "%s/%s%s", s->run->temp, id, sh->extension);
    return place_write(s->run, *ret_path, shell_script(&s->arena, sh, script), 0666, err);
}

static bool in_container(const struct run *run)
{
    return run->box || run->box_scripted;
}

static int script_start(struct step_run *s, struct err *err)
{
    CLEANUP(strmap_deinit) struct strmap env = STRMAP_INIT;
    CLEANUP(free_ptr) char *program = NULL;
    CLEANUP(eval_deinit) struct eval e;
    struct process_spec spec = {0};
    struct slice script = SLICE("");
    const char *path;
    struct shell sh;

    eval_init(&e, s->run, s->frame, s, &s->arena);
    int r = job_container_place(s, &spec.place, err);
    if (r == ERR_OK)
        r = template_string(&e.template, s->def->run, &script, err);
    if (r == ERR_OK)
        r = find_shell(s, &e, spec.place, &sh, &program, err);
    if (r == ERR_OK)
        s->by = sh.unset ? "sh" : sh.command; /* also where it is bash: GitHub's runner says so */
    if (r == ERR_OK)
        header_script(s, script,
                      !in_container(s->run) ? program
                      : sh.unset            ? "sh"
                                            : sh.command,
                      sh.format);
    if (r == ERR_OK)
        r = find_folder(s, &e, spec.place, &spec.cwd, err);
    if (r == ERR_OK)
        r = write_script(s, &sh, script, &path, err);
    if (r == ERR_OK)
        path = job_container_path(s->run, &s->arena, path);
    if (r == ERR_OK)
        r = shell_argv(&s->arena, &sh, arena_str(&s->arena, slice_of(program)), path, &spec.argv,
                       err);
    if (r < 0)
        return r;
    if (s->run->box_scripted) {
        struct box_hook *h = NULL;

        r = box_hook_script(s, spec.argv, spec.cwd, false, &h, err);
        s->state = h;
        return r;
    }
    job_container_environ(s, false, &env);
    spec.env = contexts_envp(&s->arena, &env);
    struct process *p = NULL;
    r = process_start(s, &spec, on_end, s, &p, err);
    s->state = p;
    return r;
}

static void script_stop(struct step_run *s, bool now)
{
    if (s->run->box_scripted)
        box_hook_stop(s->state, now);
    else if (s->state)
        process_stop(s->state, now);
}

static void script_release(struct step_run *s)
{
    s->state = s->run->box_scripted ? (void *)box_hook_free(s->state) : process_free(s->state);
}

const struct handler handler_script = {"run", script_start, script_stop, script_release};
