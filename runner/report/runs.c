#include "report/runs.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/vec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NAME_SIZE = 32, BEGINNING_S = 60 /* no run takes longer to make its folder */ };

static const char gone_prefix[] = ".gone-", latest_prefix[] = ".latest-";

static void dir_closep(DIR **d)
{
    if (*d)
        closedir(*d);
}

int runs_open(const char *state, int *ret, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(state, "runs");

    /* 0700: logs may tell more than their reader's neighbours should know. */
    if (path_mkdirs(AT_FDCWD, path, 0700, err) != ERR_OK)
        return err->code;
    *ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret < 0 ? err_sys(err, "cannot open '%s'", path) : ERR_OK;
}

/* A run's number, or -1 for any other name. */
static int64_t number_of(const char *name)
{
    struct err ignored = ERR_INIT;
    int64_t n;

    if (name[0] == '0' || num_parse_i64(slice_of(name), 1, INT64_MAX - 1, &n, &ignored) != ERR_OK)
        return -1;
    return n;
}

typedef VEC(int64_t) number_list;

/* True if somebody still writes run NAME. */
static bool in_use(int runs, const char *name)
{
    CLEANUP(free_ptr) char *path = path_join(name, RUNS_EVENTS);
    CLEANUP(fd_closep) int fd = openat(runs, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return errno != ENOENT;
    return flock(fd, LOCK_EX | LOCK_NB) < 0; /* released again with the descriptor */
}

/* What is left of a run that was being removed, or of one that was killed while it set `latest`. */
static bool is_rest(int runs, const char *name)
{
    if (strncmp(name, gone_prefix, sizeof gone_prefix - 1) == 0)
        return true;
    return strncmp(name, latest_prefix, sizeof latest_prefix - 1) == 0 &&
           !in_use(runs, name + sizeof latest_prefix - 1);
}

/* The numbers of all runs; names of removed ones are finished off on the way when REMOVE is set. */
static int list_runs(int runs, bool remove, number_list *to, struct err *err)
{
    CLEANUP(dir_closep) DIR *dir = NULL;
    int fd = openat(runs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct dirent *e;

    if (fd < 0 || !(dir = fdopendir(fd))) {
        fd_closep(&fd);
        return err_sys(err, "cannot read the folder of runs");
    }
    while ((e = readdir(dir))) {
        int64_t n = number_of(e->d_name);
        struct err ignored = ERR_INIT; /* tried again at the next start */

        if (n > 0)
            vec_push(to, n);
        else if (remove && is_rest(runs, e->d_name))
            (void)!path_remove(runs, e->d_name, &ignored);
    }
    return ERR_OK;
}

int runs_create(int runs, int64_t *ret_id, int *ret_dir, struct err *err)
{
    number_list all = {0};
    int64_t id = 1;
    int r = list_runs(runs, false, &all, err);

    VEC_EACH (n, &all)
        id = *n >= id ? *n + 1 : id;
    vec_deinit(&all);
    if (r != ERR_OK)
        return r;
    for (;; id++) {
        char name[NAME_SIZE];
        int dir;

        snprintf(name, sizeof name, "%" PRId64, id);
        if (mkdirat(runs, name, 0700) < 0) {
            if (errno == EEXIST) /* another run was started at the same moment */
                continue;
            return err_sys(err, "cannot create run folder '%s'", name);
        }
        dir = openat(runs, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (dir < 0)
            return err_sys(err, "cannot open run folder '%s'", name);
        *ret_id = id;
        *ret_dir = dir;
        return ERR_OK;
    }
}

int runs_set_latest(int runs, int64_t id, struct err *err)
{
    char target[NAME_SIZE], tmp[NAME_SIZE + 16];

    snprintf(target, sizeof target, "%" PRId64, id);
    snprintf(tmp, sizeof tmp, "%s%" PRId64, latest_prefix, id);
    if (symlinkat(target, runs, tmp) < 0 && errno != EEXIST)
        return err_sys(err, "cannot create the link 'latest'");
    if (renameat(runs, tmp, runs, "latest") < 0) {
        err_sys(err, "cannot replace the link 'latest'");
        (void)unlinkat(runs, tmp, 0); /* the first error is the one to tell */
        return err->code;
    }
    return ERR_OK;
}

static int newest_first(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? 1 : x > y ? -1 : 0;
}

static int remove_run(int runs, int64_t id, struct err *err)
{
    char name[NAME_SIZE], gone[NAME_SIZE + sizeof gone_prefix];

    snprintf(name, sizeof name, "%" PRId64, id);
    if (in_use(runs, name))
        return ERR_OK;
    snprintf(gone, sizeof gone, "%s%s", gone_prefix, name);
    if (renameat(runs, name, runs, gone) < 0)
        return errno == ENOENT ? ERR_OK : err_sys(err, "cannot remove run '%s'", name);
    return path_remove(runs, gone, err);
}

/* A run that was killed left its jobs' folders, whose mounts and processes went with their namespaces, and
 * what its clients were uploading. */
static int remove_leftovers(int runs, int64_t id, struct err *err)
{
    static const char *const leftovers[] = {RUNS_JOBS, RUNS_UPLOADS};
    char name[NAME_SIZE], path[NAME_SIZE + 32];
    int r = ERR_OK;

    snprintf(name, sizeof name, "%" PRId64, id);
    for (size_t i = 0; i < COUNT_OF(leftovers) && r == ERR_OK; i++) {
        snprintf(path, sizeof path, "%s/%s", name, leftovers[i]);
        if (faccessat(runs, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 && !in_use(runs, name))
            r = path_remove(runs, path, err);
    }
    return r;
}

/* Cut off before it had anything to tell. One that is just being made has no events.jsonl yet. */
static bool is_empty(int runs, int64_t id)
{
    char name[NAME_SIZE], path[NAME_SIZE + sizeof RUNS_EVENTS + 1];
    struct stat st;

    snprintf(name, sizeof name, "%" PRId64, id);
    snprintf(path, sizeof path, "%s/%s", name, RUNS_EVENTS);
    if (fstatat(runs, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return st.st_size == 0 && !in_use(runs, name);
    return errno == ENOENT && fstatat(runs, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_mtim.tv_sec + BEGINNING_S < time(NULL);
}

int runs_prune(int runs, int keep, struct err *err)
{
    number_list all = {0};
    int result = list_runs(runs, true, &all, err);

    if (all.len)
        qsort(all.ptr, all.len, sizeof *all.ptr, newest_first);
    for (size_t i = 0; i < all.len; i++) {
        struct err one = ERR_INIT;
        int r = i < (size_t)keep && !is_empty(runs, all.ptr[i])
                    ? remove_leftovers(runs, all.ptr[i], &one)
                    : remove_run(runs, all.ptr[i], &one);

        if (r != ERR_OK && result == ERR_OK)
            result = err_set(err, one.code, "%s", one.text);
    }
    vec_deinit(&all);
    return result;
}
