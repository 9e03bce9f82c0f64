#include "job/container/shared.h"

#include "base/fd.h"
#include "base/path.h"
#include "job/place.h"
#include "lang/action_ref.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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
        enum uses_kind kind = uses ? uses_kind(slice_of(uses)) : USES_REMOTE;

        if (kind == USES_IMAGE)
            return true;
        if (kind == USES_LOCAL && run->job->source && local_needs(run, uses, depth))
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

/* Small, and made and removed by the dozen. In the sandbox they lie in memory, because some file systems (ext4 without
 * a journal) look at every inode that was freed in the last minute before they give one out. */
#define MEMORY "/run/ostler/file_commands"

int shared_make_files(struct run *run, struct err *err)
{
    int r;

    if (shared_is_so(run))
        r = place_mkdirs(run, run->files_path, err);
    else if ((r = place_mkdirs(run, MEMORY, err)) == ERR_OK)
        r = place_link(run, MEMORY, run->files_path, err);
    if (r < 0)
        return r;
    return path_open_in(sandbox_root(run->sandbox), run->files_path, O_RDONLY | O_DIRECTORY, 0,
                        &run->files_dir, err);
}

/* Steps that run have the paths of theirs in their environment. */
static int link_files(struct run *run, struct err *err)
{
    CLEANUP(fd_closep) int fd = fd_dup(run->files_before, 3);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);

    if (!list)
        return err_sys(err, "cannot list the command files");
    fd = -1;
    for (struct dirent *d; (d = readdir(list));) {
        CLEANUP(free_ptr) char *to = path_join(MEMORY, d->d_name);

        if (d->d_name[0] != '.')
            (void)!symlinkat(to, run->files_dir, d->d_name); /* then its writer is told */
    }
    closedir(list);
    return ERR_OK;
}

static int move_files(struct run *run, struct err *err)
{
    CLEANUP(fd_closep) int temp = -1;
    int r =
        path_open_in(sandbox_root(run->sandbox), run->temp, O_RDONLY | O_DIRECTORY, 0, &temp, err);

    if (r == ERR_OK)
        r = path_remove(temp, path_base(run->files_path), err); /* the link into memory */
    if (r < 0)
        return r;
    run->files_before = run->files_dir;
    run->files_dir = -1;
    r = shared_make_files(run, err);
    return r < 0 ? r : link_files(run, err);
}

int shared_begin(struct run *run, struct err *err)
{
    if (shared_is_so(run))
        return ERR_OK;
    for (size_t i = 0; i < run->trees.len; i++) {
        int r = sandbox_settle_tree(run->sandbox, run->trees.ptr[i], err);
        if (r < 0)
            return r;
    }
    run->shared = true;
    return move_files(run, err);
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
