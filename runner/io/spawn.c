#include "io/spawn.h"

#include "base/fd.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum stage { STAGE_NONE, STAGE_FD, STAGE_CWD, STAGE_GROUP, STAGE_PRIVS, STAGE_EXEC };

/* Written by the child into our memory. */
struct failure {
    enum stage stage;
    int sys;
};

#define FAIL(st)                                                                                   \
    do {                                                                                           \
        failure->sys = errno;                                                                      \
        failure->stage = (st);                                                                     \
        _exit(127);                                                                                \
    } while (0)

/* What exec would have closed, and forgotten. */
__attribute__((noreturn)) static void call(const struct spawn_spec *spec, const int *target,
                                           size_t n, int above)
{
    int argc = 0;

    for (int fd = 3; fd < above; fd++) {
        bool wanted = false;

        for (size_t i = 0; i < n; i++)
            wanted |= target[i] == fd;
        if (!wanted)
            (void)close(fd);
    }
    (void)syscall(SYS_close_range, (unsigned)above, UINT_MAX, 0);
    (void)clearenv();
    while (spec->argv[argc])
        argc++;
    exit(spec->call(argc, (char **)(size_t)spec->argv));
}

/* Everything from here to exec runs in the child on our stack and heap: system calls only. The
 * sanitizers' shadow of that stack is ours too, so it must not be touched. */
__attribute__((noinline, noreturn, no_sanitize("address", "undefined"))) static void
run_child(const struct spawn_spec *spec, const int *io, volatile struct failure *failure)
{
    int source[3 + SPAWN_FD_MAX], target[3 + SPAWN_FD_MAX];
    size_t n = 3 + spec->n_fds;
    int above = 3;

    for (size_t i = 0; i < n; i++) {
        source[i] = i < 3 ? io[i] : spec->fds[i - 3].ours;
        target[i] = i < 3 ? (int)i : spec->fds[i - 3].theirs;
        if (target[i] >= above)
            above = target[i] + 1;
    }
    /* Out of the way first: one descriptor's target may be another one's source. */
    for (size_t i = 0; i < n; i++) {
        if (source[i] < above)
            source[i] = fcntl(source[i], F_DUPFD_CLOEXEC, above);
        if (source[i] < 0)
            FAIL(STAGE_FD);
    }
    /* Ours are close-on-exec from birth; a library's may not be. Kernels before 5.11 lack this. */
    (void)syscall(SYS_close_range, 3U, UINT_MAX, CLOSE_RANGE_CLOEXEC);
    for (size_t i = 0; i < n; i++)
        if (dup2(source[i], target[i]) < 0)
            FAIL(STAGE_FD);

    if (spec->flags & SPAWN_GROUP && setpgid(0, 0) < 0)
        FAIL(STAGE_GROUP);
    if (spec->dir >= 0 && fchdir(spec->dir) < 0)
        FAIL(STAGE_CWD);
    if (spec->cwd && chdir(spec->cwd) < 0)
        FAIL(STAGE_CWD);
    if (spec->flags & SPAWN_NO_NEW_PRIVS && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        FAIL(STAGE_PRIVS);
    if (spec->flags & SPAWN_DIE_WITH_US && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        FAIL(STAGE_PRIVS);

    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int signo = 1; signo < _NSIG; signo++)
        (void)sigaction(signo, &standard, NULL); /* KILL, STOP and libc's own refuse */
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);

    if (spec->call)
        call(spec, target, n, above);
    execve(spec->path, (char *const *)(size_t)spec->argv, (char *const *)(size_t)spec->env);
    FAIL(STAGE_EXEC);
}

/* vfork's frame must not be left by the child, so it has one to itself. */
__attribute__((noinline, no_sanitize("address", "undefined"))) static pid_t
vfork_child(const struct spawn_spec *spec, const int *io, volatile struct failure *failure)
{
    pid_t pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork) */

    if (pid == 0)
        run_child(spec, io, failure);
    return pid;
}

static pid_t fork_child(const struct spawn_spec *spec, const int *io,
                        volatile struct failure *failure)
{
    pid_t pid = fork();

    if (pid == 0)
        run_child(spec, io, failure);
    return pid;
}

static int explain(const struct spawn_spec *spec, const struct failure *failure, struct err *err)
{
    errno = failure->sys;
    switch (failure->stage) {
    case STAGE_CWD:
        return err_sys(err, "cannot enter folder '%s'", spec->cwd ? spec->cwd : ".");
    case STAGE_EXEC:
        if (failure->sys == ENOENT && spec->path[0] == '/' && access(spec->path, F_OK) == 0)
            return err_set(err, ERR_NOT_FOUND, "cannot run '%s': its interpreter does not exist",
                           spec->path);
        if (failure->sys == ENOEXEC)
            return err_set(err, ERR_SYS,
                           "cannot run '%s': no program, and no '#!' in its first line",
                           spec->path);
        errno = failure->sys;
        return err_sys(err, "cannot run '%s'", spec->path);
    default:
        return err_sys(err, "cannot prepare '%s'", spec->path);
    }
}

int spawn(const struct spawn_spec *spec, pid_t *ret_pid, int *ret_pidfd, struct err *err)
{
    CLEANUP(fd_closep) int null = -1;
    struct spawn_spec full = *spec;
    volatile struct failure failure = {STAGE_NONE, 0};
    int io[3];

    if (spec->n_fds > SPAWN_FD_MAX)
        BUG("%zu descriptors for one program", spec->n_fds);
    if (!full.env)
        full.env = (const char *const *)environ;
    for (int i = 0; i < 3; i++) {
        if (spec->io[i] < 0 && null < 0) {
            null = open("/dev/null", O_RDWR | O_CLOEXEC);
            if (null < 0)
                return err_sys(err, "cannot open '/dev/null'");
        }
        io[i] = spec->io[i] < 0 ? null : spec->io[i];
    }

    /* No handler of ours may run in the child: it would run on our memory. */
    sigset_t all, before;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = spec->call ? fork_child(&full, io, &failure) : vfork_child(&full, io, &failure);
    int sys = errno;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);

    if (pid < 0) {
        errno = sys;
        return err_sys(err, "cannot start '%s'", spec->path);
    }
    if (failure.stage != STAGE_NONE) {
        struct failure copy = {failure.stage, failure.sys};

        (void)waitid(P_PID, (id_t)pid, NULL, WEXITED);
        return explain(&full, &copy, err);
    }
    /* It is our child and not reaped yet: the number is still its own. */
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        (void)err_sys(err, "cannot watch '%s'", spec->path);
        (void)kill(pid, SIGKILL);
        (void)waitid(P_PID, (id_t)pid, NULL, WEXITED);
        return err->code;
    }
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return ERR_OK;
}

static bool is_program(int root, const char *path)
{
    CLEANUP(fd_closep) int fd = -1;
    struct err ignored = ERR_INIT;
    struct stat st;

    if (root == AT_FDCWD)
        return access(path, X_OK) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
    return path_open_in(root, path, O_PATH, 0, &fd, &ignored) == ERR_OK && fstat(fd, &st) == 0 &&
           S_ISREG(st.st_mode) && faccessat(fd, "", X_OK, AT_EMPTY_PATH) == 0;
}

int spawn_find_in(int root, const char *name, const char *search, char **ret, struct err *err)
{
    struct slice rest = slice_of(search ? search : ""), part;

    if (strchr(name, '/')) {
        *ret = mem_dup(name, strlen(name));
        return ERR_OK;
    }
    while (*name && slice_split(&rest, ':', &part)) {
        if (!slice_starts(part, SLICE("/")) || part.len > PATH_MAX)
            continue;
        CLEANUP(free_ptr) char *dir = mem_dup(part.ptr, part.len);
        char *path = path_join(dir, name);

        if (is_program(root, path)) {
            *ret = path;
            return ERR_OK;
        }
        free(path);
    }
    return err_set(err, ERR_NOT_FOUND, "program '%s' is not in PATH", name);
}

int spawn_find(const char *name, const char *search, char **ret, struct err *err)
{
    return spawn_find_in(AT_FDCWD, name, search, ret, err);
}

const char *spawn_env_path(const char *const *env)
{
    for (; env && *env; env++)
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    return NULL;
}
