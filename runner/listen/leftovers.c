#include "listen/leftovers.h"

#include "base/fd.h"
#include "base/path.h"
#include "report/runs.h"
#include "sandbox/engine.h"

#include <dirent.h>
#include <fcntl.h>

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

    return dir >= 0 && engine_is_marked(dir) ? sweep(env, err) : ERR_OK;
}

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
    return found ? sweep(env, err) : ERR_OK;
}
