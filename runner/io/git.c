#include "io/git.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "io/proc.h"

enum { ARGS_MAX = 64, ERROR_TEXT_MAX = 64 << 10, READ_SIZE = 64 << 10 };

/* A repository may come from anywhere, and its own configuration names programs that git would start:
 * those that the commands we use could reach are switched off. Ownership is no question for us, as we
 * only read; without safe.directory root could not look at a user's tree. */
static const char *const safe_args[] = {
    "git", "--no-pager",
    "-c",  "safe.directory=*",
    "-c",  "core.fsmonitor=false",
    "-c",  "core.hooksPath=/dev/null",
    "-c",  "protocol.ext.allow=never",
};

/* One end of git's output, as it comes. Returns false once it is at its end or failed (*RESULT). */
static bool take_output(int fd, struct buf *to, int *result, struct err *err)
{
    CLEANUP(buf_deinit) struct buf piece = BUF_INIT(READ_SIZE);
    ssize_t n = fd_read_some(fd, &piece, READ_SIZE);

    if (n < 0 && errno == EAGAIN)
        return true;
    if (n < 0)
        *result = err_sys(err, "cannot read what git says");
    if (n <= 0)
        return false;
    buf_add(to, buf_slice(&piece));
    return true;
}

/* Drains both pipes until they close, as git blocks on a full one. */
static int collect(int out_fd, int err_fd, int64_t deadline, struct buf *out, struct buf *errors,
                   struct err *err)
{
    struct pollfd fds[] = {{.fd = out_fd, .events = POLLIN}, {.fd = err_fd, .events = POLLIN}};
    int result = ERR_OK;

    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        int64_t left = deadline - clock_ms();
        int n = left > 0 ? poll(fds, 2, (int)left) : 0;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, "cannot wait for git");
        if (n == 0)
            return err_set(err, ERR_TIMEOUT, "git took longer than its time limit");
        if (fds[0].revents && !take_output(out_fd, out, &result, err))
            fds[0].fd = -1;
        if (fds[1].revents && !take_output(err_fd, errors, &result, err))
            fds[1].fd = -1;
        if (out->overflow)
            return buf_check(out, "what git says", err);
        if (result != ERR_OK)
            return result;
    }
    return ERR_OK;
}

/* The line that says why: the first that is marked as an error (advice follows it), else the last. */
static struct slice why_line(const struct buf *text)
{
    static const struct slice marks[] = {SLICE_INIT("fatal: "), SLICE_INIT("error: "),
                                         SLICE_INIT("ERROR: ")};
    struct slice rest = slice_trim(buf_slice(text)), line = SLICE("no message");

    while (slice_line(&rest, &line))
        for (size_t i = 0; i < COUNT_OF(marks); i++)
            if (slice_starts(line, marks[i]))
                return line;
    return line;
}

static void proc_freep(struct proc **p)
{
    *p = proc_free(*p);
}

static int run(const char *dir, const char *const *argv, const char *const *env, int64_t timeout_ms,
               struct buf *out, struct err *err)
{
    CLEANUP(buf_deinit) struct buf errors = BUF_INIT(ERROR_TEXT_MAX);
    CLEANUP(proc_freep) struct proc *p = NULL;
    CLEANUP(fd_closep) int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(fd_closep) int out_fd = -1;
    CLEANUP(fd_closep) int err_fd = -1;
    CLEANUP(fd_closep) int out_end = -1;
    CLEANUP(fd_closep) int err_end = -1;
    int64_t deadline = clock_ms() + timeout_ms;
    struct proc_exit how;

    if (dir_fd < 0)
        return err_sys(err, "cannot open '%s'", dir);
    if (fd_pipe(&out_fd, &out_end, err) != ERR_OK || fd_pipe(&err_fd, &err_end, err) != ERR_OK ||
        fd_set_nonblock(out_fd, true, err) != ERR_OK ||
        fd_set_nonblock(err_fd, true, err) != ERR_OK)
        return err->code;
    struct proc_spec spec = {
        .argv = argv, .env = env, .dir = dir_fd, .in = -1, .out = out_end, .err = err_end};
    if (proc_start(&spec, &p, err) != ERR_OK)
        return err->code;
    fd_closep(&out_end);
    fd_closep(&err_end);
    if (collect(out_fd, err_fd, deadline, out, &errors, err) != ERR_OK ||
        proc_wait(p, deadline, &how, err) != ERR_OK)
        return err->code;
    if (how.code != 0) {
        struct slice why = why_line(&errors);

        return err_set(err, ERR_FAILED, "git failed: %.*s", SLICE_ARG(slice_head(why, 200)));
    }
    return ERR_OK;
}

/* ---- the command line and the environment ---- */

static const char *const *argv_of(struct arena *a, const char *const *args)
{
    const char **argv = arena_array(a, ARGS_MAX + 1, sizeof *argv);
    size_t n = 0;

    for (; n < COUNT_OF(safe_args); n++)
        argv[n] = safe_args[n];
    for (; *args; args++) {
        if (n == ARGS_MAX)
            BUG("more than %d arguments for git", ARGS_MAX);
        argv[n++] = *args;
    }
    return argv;
}

static const char *const *environ_of(struct arena *a, const struct git_env *env)
{
    enum { OWN_MAX = 6 };
    size_t n = 0, more = 0;

    while (env->more && env->more[more])
        more++;
    const char **vars = arena_array(a, more + OWN_MAX + 1, sizeof *vars);
    vars[n++] = arena_printf(a, "PATH=%s", env->path ? env->path : "/usr/local/bin:/usr/bin:/bin");
    vars[n++] = "LC_ALL=C";
    vars[n++] = "GIT_TERMINAL_PROMPT=0";
    vars[n++] = "GIT_OPTIONAL_LOCKS=0"; /* a look at the tree writes nothing into it */
    if (env->home)
        vars[n++] = arena_printf(a, "HOME=%s", env->home);
    if (env->xdg_config_home)
        vars[n++] = arena_printf(a, "XDG_CONFIG_HOME=%s", env->xdg_config_home);
    for (size_t i = 0; i < more; i++)
        vars[n++] = env->more[i];
    return vars;
}

int git_run_for(const struct git_env *env, const char *dir, const char *const *args,
                int64_t timeout_ms, struct buf *out, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;

    return run(dir, argv_of(&a, args), environ_of(&a, env), timeout_ms, out, err);
}

int git_run(const struct git_env *env, const char *dir, const char *const *args, struct buf *out,
            struct err *err)
{
    return git_run_for(env, dir, args, GIT_TIMEOUT_MS, out, err);
}

/* ---- output that somebody else reads ---- */

int git_pipe_start(const struct git_env *env, const char *dir, const char *const *args,
                   struct git_pipe *ret, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(fd_closep) int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(fd_closep) int errors = memfd_create("git", MFD_CLOEXEC);
    CLEANUP(fd_closep) int out = -1;
    CLEANUP(fd_closep) int end = -1;
    struct proc *p = NULL;

    if (dir_fd < 0)
        return err_sys(err, "cannot open '%s'", dir);
    if (errors < 0)
        return err_sys(err, "cannot make a place for what git says");
    if (fd_pipe(&out, &end, err) != ERR_OK)
        return err->code;
    struct proc_spec spec = {.argv = argv_of(&a, args),
                             .env = environ_of(&a, env),
                             .dir = dir_fd,
                             .in = -1,
                             .out = end,
                             .err = errors};
    if (proc_start(&spec, &p, err) != ERR_OK)
        return err->code;
    *ret = (struct git_pipe){.proc = p, .out = out, .errors = errors};
    out = errors = -1;
    return ERR_OK;
}

int git_pipe_end(struct git_pipe *p, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(ERROR_TEXT_MAX);
    struct err ignored = ERR_INIT; /* too much to say: its beginning does */
    struct proc_exit how;

    fd_closep(&p->out);
    int r = proc_wait(p->proc, clock_ms() + GIT_TIMEOUT_MS, &how, err);
    p->proc = proc_free(p->proc);
    if (r == ERR_OK && how.code != 0) {
        if (lseek(p->errors, 0, SEEK_SET) == 0)
            (void)!fd_read_all(p->errors, &text, &ignored);
        r = err_set(err, ERR_FAILED, "git failed: %.*s",
                    SLICE_ARG(slice_head(why_line(&text), 200)));
    }
    fd_closep(&p->errors);
    return r;
}

/* ---- the commit ---- */

static bool take_field(struct slice *rest, struct arena *a, const char **ret)
{
    struct slice field;

    if (!slice_split(rest, '\0', &field))
        return false;
    *ret = utf8_text(a, arena_str(a, field)); /* names and messages of old commits may be Latin-1 */
    return true;
}

int git_facts_commit(const struct git_env *env, struct git_facts *f, struct err *err)
{
    static const char *const args[] = {
        "log",
        "-1",
        "--no-show-signature",
        "--format=%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B",
        "HEAD",
        "--",
        NULL};
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(GIT_OUTPUT_MAX);
    const char *parents = NULL, *tree = NULL, *an = NULL, *ae = NULL, *ad = NULL, *cn = NULL,
               *ce = NULL, *cd = NULL, *message = NULL;
    struct slice rest;

    if (!f->git_dir || !f->sha[0])
        return ERR_OK;
    if (git_run(env, f->dir, args, &out, err) != ERR_OK)
        return err->code;
    rest = slice_trim(buf_slice(&out));
    if (!take_field(&rest, &f->arena, &tree) || !take_field(&rest, &f->arena, &parents) ||
        !take_field(&rest, &f->arena, &an) || !take_field(&rest, &f->arena, &ae) ||
        !take_field(&rest, &f->arena, &ad) || !take_field(&rest, &f->arena, &cn) ||
        !take_field(&rest, &f->arena, &ce) || !take_field(&rest, &f->arena, &cd) ||
        !take_field(&rest, &f->arena, &message))
        return err_set(err, ERR_INVALID, "git described the commit in an unknown form");
    f->tree = tree;
    f->parent = *parents
                    ? arena_str(&f->arena, slice_head(slice_of(parents), strcspn(parents, " ")))
                    : NULL;
    f->message = message;
    f->author_name = an;
    f->author_email = ae;
    f->author_date = ad;
    f->committer_name = cn;
    f->committer_email = ce;
    f->committer_date = cd;
    return ERR_OK;
}
