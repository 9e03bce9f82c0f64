#include "job/shared.h"

#include "base/fd.h"
#include "base/path.h"
#include "job/place.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 10, MANIFEST_MAX = 1 << 20 };

static bool steps_need(const struct run *run, const struct step *steps, size_t n, int depth);

/* The manifest of "./PATH" in the working tree. What cannot be read now is no Docker action as far as we know. */
static bool local_needs(const struct run *run, const char *path, int depth)
{
    static const char *const names[] = {"action.yml", "action.yaml"};
    CLEANUP(free_ptr) char *joined = path_join(run->job->source, path);
    CLEANUP(free_ptr) char *dir = path_normal(joined);
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(MANIFEST_MAX);
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(diags_deinit) struct diags diags = {.arena = &a};
    CLEANUP(action_deinit) struct action action;
    struct err ignored = ERR_INIT;
    int r = ERR_NOT_FOUND;

    action_init(&action);
    for (size_t i = 0; i < COUNT_OF(names) && r == ERR_NOT_FOUND; i++) {
        CLEANUP(free_ptr) char *file = path_join(dir, names[i]);
        r = path_read(AT_FDCWD, file, &text, &ignored);
    }
    if (r < 0) { /* "Can't find action.yml": a lone Dockerfile is an action, too */
        CLEANUP(free_ptr) char *file = path_join(dir, "Dockerfile");
        return path_read(AT_FDCWD, file, &text, &ignored) == ERR_OK;
    }
    if (action_parse(&action, buf_slice(&text), names[0], &diags) < 0)
        return false;
    return action.kind == ACTION_DOCKER ||
           (action.kind == ACTION_COMPOSITE &&
            steps_need(run, action.steps, action.n_steps, depth + 1));
}

static bool steps_need(const struct run *run, const struct step *steps, size_t n, int depth)
{
    for (size_t i = 0; i < n && depth < DEPTH_MAX; i++) {
        const char *uses = steps[i].uses;

        if (uses && strncmp(uses, "docker://", 9) == 0)
            return true;
        if (uses && strncmp(uses, "./", 2) == 0 && run->job->source &&
            local_needs(run, uses, depth))
            return true;
        if (steps_need(run, steps[i].steps, steps[i].n_steps, depth))
            return true;
    }
    return false;
}

bool shared_is_needed(const struct run *run)
{
    const struct token *container = run->job->container;

    if (container && container->kind != TOKEN_NULL)
        return true;
    return steps_need(run, run->job->steps, run->job->n_steps, 0);
}

bool shared_is_so(const struct run *run)
{
    return run->shared || sandbox_level(run->sandbox) == SANDBOX_HOST;
}

const char *shared_path(const struct run *run, struct arena *a, const char *path)
{
    const char *rest = path_below(path, sandbox_work(run->sandbox));

    if (!rest)
        return NULL;
    return *rest ? arena_printf(a, "%s/work/%s", run->job->dir, rest)
                 : arena_printf(a, "%s/work", run->job->dir);
}

int shared_open_up(struct run *run, const char *path, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    int r = place_mkdirs(run, path, err);

    if (r == ERR_OK)
        r = path_open_in(sandbox_root(run->sandbox), path, O_RDONLY | O_DIRECTORY, 0, &fd, err);
    if (r == ERR_OK && fchmod(fd, 0777) < 0)
        r = err_sys(err, "cannot open '%s' to all", path);
    return r;
}
