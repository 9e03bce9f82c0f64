#include "listen/leftovers.h"

#include "base/fd.h"
#include "base/path.h"
#include "report/runs.h"
#include "sandbox/cgroup.h"
#include "sandbox/engine.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum { TROUBLE_MAX = 8 * ERR_TEXT_SIZE };

static int sweep(const char *const *env, struct err *err)
{
    struct engine *e = NULL;
    struct loop *loop = NULL;
    int r = loop_new(&loop, err);

    if (r == ERR_OK)
        r = engine_open(env, loop, &e, err);
    if (r == ERR_OK)
        r = engine_sweep(e, err);
    engine_close(e);
    loop_free(loop);
    return r < 0 ? err_in(err, "containers of a job that was killed may still be there") : r;
}

int leftovers_of_job(const char *job_dir, const char *const *env, struct err *err)
{
    CLEANUP(fd_closep) int dir = open(job_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    cgroup_remove_stale(NULL);
    return dir >= 0 && engine_is_marked(dir) ? sweep(env, err) : ERR_OK;
}

/* ---- of one job, beside us ---- */

int leftovers_start(const struct leftovers_spec *spec, struct loop *loop,
                    const struct errand_client *client, struct errand **ret, struct err *err)
{
    CLEANUP(fd_closep) int request = -1;
    struct errand_spec errand = {.name = "leftovers-child",
                                 .program = spec->program,
                                 .env = spec->env,
                                 .flags = SPAWN_GROUP,
                                 .answer_max = TROUBLE_MAX};
    int r = fd_memory(slice_of(spec->job_dir), &request, err);

    errand.request = request;
    return r < 0 ? r : errand_start(&errand, loop, client, ret, err);
}

int leftovers_child_main(int argc, char **argv)
{
    CLEANUP(buf_deinit) struct buf dir = BUF_INIT(PATH_MAX);
    struct err unread = ERR_INIT, containers = ERR_INIT, folder = ERR_INIT;

    (void)argc;
    (void)argv;
    if (fd_read_all(STDIN_FILENO, &dir, &unread) == ERR_OK && dir.len) {
        (void)!leftovers_of_job(dir.ptr, (const char *const *)environ, &containers);
        (void)!path_remove(AT_FDCWD, dir.ptr, &folder);
    }
    const struct err *const all[] = {&unread, &containers, &folder};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (all[i]->code)
            printf("%s\n", all[i]->text);
    return 0;
}

/* ---- of many ---- */

/* True if a folder in PATH (of AT) is the one of a job whose worker is gone and that used an engine. */
static bool any_marked(int at, const char *path)
{
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *jobs = fd < 0 ? NULL : fdopendir(fd);
    bool found = false;

    for (struct dirent *e; jobs && !found && (e = readdir(jobs));) {
        CLEANUP(fd_closep)
        int job = e->d_name[0] == '.'
                      ? -1
                      : openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        found = job >= 0 && engine_is_marked(job);
    }
    if (jobs)
        closedir(jobs);
    else
        fd_closep(&fd);
    return found;
}

int leftovers_remove(const char *state, const char *const *env, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(state, "runs");
    DIR *runs = opendir(path);
    bool found = false;

    for (struct dirent *e; runs && !found && (e = readdir(runs));) {
        CLEANUP(free_ptr) char *jobs = path_join(e->d_name, RUNS_JOBS);
        found = e->d_name[0] != '.' && any_marked(dirfd(runs), jobs);
    }
    if (runs)
        closedir(runs);
    cgroup_remove_stale(NULL);
    return found ? sweep(env, err) : ERR_OK;
}
