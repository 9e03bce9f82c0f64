#include "cli/isolation.h"

#include "base/fd.h"
#include "base/path.h"
#include "cli/settings.h"
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void no_note(void *ctx, const char *text)
{
    (void)ctx;
    (void)text; /* the jobs' own sandboxes will say it again */
}

int isolation_check(const char *dir, const char *home, const char *const *env, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(dir, "probe");
    CLEANUP(fd_closep) int fd = -1;
    struct loop *loop = NULL;
    struct sandbox *s = NULL;
    int r = path_mkdirs(AT_FDCWD, path, 0700, err);

    if (r == ERR_OK)
        r = path_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &fd, err);
    if (r == ERR_OK)
        r = loop_new(&loop, err);
    if (r < 0)
        return r;
    struct sandbox_spec spec = {
        .level = SANDBOX_NAMESPACES,
        .required = true,
        .job_dir = fd,
        .job_path = path,
        .work_path = "/home/runner/work",
        .home_path = home,
        .env = env,
    };
    r = sandbox_open(&spec, loop, no_note, NULL, &s, err);
    sandbox_close(s, false);
    loop_free(loop);
    (void)rmdir(path);
    (void)rmdir(dir); /* both go with the run's folder otherwise */
    if (r == ERR_OK)
        return ERR_OK;
    err->code = ERR_UNSUPPORTED;
    return err_in(err, "--isolation sandbox");
}

/* What comes to be there while a job runs would show to it: nothing can be laid over what is not there. In HOME, of which
 * nothing shows, it waits until something is kept. */
static void make_cache_folder(const char *path)
{
    struct err ignored = ERR_INIT; /* then nothing will be kept there either */
    CLEANUP(free_ptr) char *normal = path_normal(path);
    CLEANUP(free_ptr) char *home = path_normal(settings_home());

    if (strcmp(home, "/") == 0 || !path_below(normal, home))
        (void)!path_mkdirs(AT_FDCWD, normal, 0700, &ignored);
}

static size_t add_real(struct arena *a, const char *path, const char **list, size_t n)
{
    CLEANUP(free_ptr) char *real = path ? realpath(path, NULL) : NULL;

    if (real && strcmp(real, "/") != 0)
        list[n++] = arena_str(a, slice_of(real));
    return n;
}

const char *const *isolation_hidden(struct arena *a, const char *state, const char *const *more,
                                    size_t n)
{
    const char **list = arena_array(a, n + 3, sizeof *list), *caches = settings_cache_folder(a);
    size_t len = add_real(a, state, list, 0);

    make_cache_folder(caches);
    len = add_real(a, caches, list, len);
    for (size_t i = 0; i < n; i++)
        len = add_real(a, more[i], list, len);
    return list;
}
