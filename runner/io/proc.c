#include "io/proc.h"

#include "base/clock.h"
#include "base/fd.h"
#include "io/kin.h"
#include "io/ladder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct proc {
    struct proc *next, **prev; /* in all_procs */
    pid_t pid;
    int pidfd;
    bool ended;
    struct proc_exit how; /* once ended */
    struct loop *loop;
    struct watch *watch;
    struct ladder ladder;
    proc_exit_fn *fn;
    void *ctx;
};

/* The kernel keeps one list of children a process; this is our half of it, for proc_sweep(). */
static struct proc *all_procs;

struct proc *proc_adopt(pid_t pid, int take_pidfd)
{
    struct proc *p = mem_new(sizeof *p);

    p->pid = pid;
    p->pidfd = take_pidfd;
    p->next = all_procs;
    p->prev = &all_procs;
    if (p->next)
        p->next->prev = &p->next;
    all_procs = p;
    return p;
}

int proc_start(const struct proc_spec *spec, struct proc **ret, struct err *err)
{
    CLEANUP(free_ptr) char *path = NULL;
    const char *const *env = spec->env ? spec->env : (const char *const *)environ;
    int r = spec->call ? ERR_OK : spawn_find(spec->argv[0], spawn_env_path(env), &path, err);
    pid_t pid;
    int pidfd;

    if (r < 0)
        return r;
    r = spawn(&(struct spawn_spec){.path = spec->call ? spec->argv[0] : path,
                                   .call = spec->call,
                                   .argv = spec->argv,
                                   .env = env,
                                   .dir = spec->dir,
                                   .io = {spec->in, spec->out, spec->err},
                                   .fds = spec->fds,
                                   .n_fds = spec->n_fds,
                                   .flags = spec->flags},
              &pid, &pidfd, err);
    if (r == ERR_OK)
        *ret = proc_adopt(pid, pidfd);
    return r;
}

pid_t proc_pid(const struct proc *p)
{
    return p->pid;
}

/* Reaps P, which has ended or will at once. */
static void reap(struct proc *p)
{
    siginfo_t info = {0};

    if (p->ended)
        return;
    while (waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED) < 0)
        if (errno != EINTR)
            BUG("a child was reaped by somebody else: %s", strerror(errno));
    p->ended = true;
    p->how.signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
    p->how.code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    ladder_deinit(&p->ladder);
}

static void on_end(void *ctx, uint32_t events)
{
    struct proc *p = ctx;

    (void)events;
    reap(p);
    p->watch = watch_free(p->watch);
    p->fn(p->ctx, p->how); /* last: it may free P */
}

int proc_watch(struct proc *p, struct loop *loop, proc_exit_fn *fn, void *ctx, struct err *err)
{
    p->loop = loop;
    p->fn = fn;
    p->ctx = ctx;
    return loop_watch(loop, p->pidfd, EPOLLIN, on_end, p, &p->watch, err);
}

int proc_wait(struct proc *p, int64_t at_ms, struct proc_exit *ret, struct err *err)
{
    while (!p->ended) {
        struct pollfd one = {.fd = p->pidfd, .events = POLLIN};
        int64_t left = at_ms == CLOCK_NEVER ? -1 : at_ms - clock_ms();

        if (at_ms != CLOCK_NEVER && left < 0)
            left = 0;
        int n = poll(&one, 1, left > INT32_MAX ? INT32_MAX : (int)left);
        if (n < 0 && errno != EINTR)
            return err_sys(err, "cannot wait for a command");
        if (n > 0) /* looked at before the clock: one that ended in time did not time out */
            reap(p);
        else if (n == 0 && at_ms <= clock_ms())
            return err_set(err, ERR_TIMEOUT, "time limit reached");
    }
    p->watch = watch_free(p->watch);
    *ret = p->how;
    return ERR_OK;
}

void proc_signal(struct proc *p, int signo)
{
    if (!p->ended)
        (void)syscall(SYS_pidfd_send_signal, p->pidfd, signo, NULL, 0); /* ESRCH: just ended */
}

static bool is_root(void *ctx, const struct kin *k)
{
    return k->pid == *(const pid_t *)ctx;
}

static void climb(void *ctx, int signo)
{
    struct proc *p = ctx;

    if (signo == SIGKILL && !p->ended) {
        CLEANUP(fd_closep) int dir = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir >= 0)
            (void)kin_kill(dir, is_root, &p->pid);
    }
    proc_signal(p, signo);
}

void proc_stop(struct proc *p)
{
    if (!p->ended)
        ladder_start(&p->ladder, p->loop, climb, p);
}

void proc_kill(struct proc *p)
{
    if (!p->ended)
        ladder_top(&p->ladder, climb, p);
}

struct proc *proc_free(struct proc *p)
{
    if (!p)
        return NULL;
    if (!p->ended) {
        climb(p, SIGKILL);
        reap(p);
    }
    ladder_deinit(&p->ladder);
    watch_free(p->watch);
    fd_closep(&p->pidfd);
    *p->prev = p->next;
    if (p->next)
        p->next->prev = p->prev;
    free(p);
    return NULL;
}

int proc_become_reaper(struct err *err)
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return err_sys(err, "cannot become the reaper of orphans");
    return ERR_OK;
}

static bool is_ours(pid_t pid)
{
    for (struct proc *p = all_procs; p; p = p->next)
        if (p->pid == pid && !p->ended)
            return true;
    return false;
}

int proc_sweep(int64_t limit_ms, struct err *err)
{
    return kin_sweep(is_ours, limit_ms, err);
}
