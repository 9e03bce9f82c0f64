#include "cli/isolation.h"

#include "base/fd.h"
#include "base/path.h"
#include "sandbox/sandbox.h"

#include <fcntl.h>
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
