#include "io/kin.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Field N (from 3, the state) of a stat line; the name before it may hold anything, ')' included. */
static bool parse_stat(struct slice line, struct kin *k)
{
    struct err ignored = ERR_INIT;
    uint64_t numbers[4] = {0};
    static const struct {
        int field, to;
    } wanted[] = {{4, 0}, {5, 1}, {22, 2}};
    struct slice part;

    while (line.len && line.ptr[line.len - 1] != ')') /* rest starts behind the last ')' */
        line.len--;
    struct slice rest = {line.ptr + line.len, strlen(line.ptr + line.len)};
    if (!slice_starts(rest, SLICE(" ")) || rest.len < 3)
        return false;
    rest = slice_from(rest, 1);
    k->state = rest.ptr[0];
    for (int field = 3; slice_split(&rest, ' ', &part) && field <= 22; field++)
        for (size_t i = 0; i < COUNT_OF(wanted); i++)
            if (wanted[i].field == field &&
                num_parse_u64(part, UINT64_MAX, &numbers[wanted[i].to], &ignored) < 0)
                return false;
    k->parent = (pid_t)numbers[0];
    k->group = (pid_t)numbers[1];
    k->start = numbers[2];
    return true;
}

static bool read_stat(int proc, pid_t pid, struct kin *ret)
{
    CLEANUP(fd_closep) int fd = -1;
    char name[32], line[1024];

    snprintf(name, sizeof name, "%ld/stat", (long)pid);
    fd = openat(proc, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    if (n <= 0)
        return false; /* gone in the meantime */
    line[n] = '\0';
    *ret = (struct kin){.pid = pid};
    return parse_stat(slice_make(line, (size_t)n), ret);
}

int kin_scan(int proc, struct kin_list *ret, struct err *err)
{
    int fd = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct kin k;

    if (!dir) {
        (void)err_sys(err, "cannot read '/proc'");
        fd_closep(&fd);
        return err->code;
    }
    for (struct dirent *entry; (entry = readdir(dir));)
        if (isdigit((unsigned char)entry->d_name[0]) &&
            read_stat(proc, (pid_t)strtol(entry->d_name, NULL, 10), &k))
            vec_push(ret, k);
    closedir(dir);
    return ERR_OK;
}

static int by_pid(const void *a, const void *b)
{
    const struct kin *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Marks the chosen and what descends from them. */
static void choose(struct kin_list *all, kin_root_fn *fn, void *ctx)
{
    bool more = true;

    qsort(all->ptr, all->len, sizeof *all->ptr, by_pid);
    VEC_EACH (k, all)
        k->chosen = fn(ctx, k);
    while (more) { /* children mostly have higher numbers than their parents: two passes do */
        more = false;
        VEC_EACH (k, all) {
            struct kin key = {.pid = k->parent}, *parent = NULL;

            if (!k->chosen)
                parent = bsearch(&key, all->ptr, all->len, sizeof key, by_pid);
            if (parent && parent->chosen)
                more = k->chosen = true;
        }
    }
}

/* By pidfd, and only if it is still the process that was listed. */
static bool signal_kin(int proc, const struct kin *k, int signo)
{
    CLEANUP(fd_closep) int pidfd = (int)syscall(SYS_pidfd_open, k->pid, 0);
    struct kin now;

    return pidfd >= 0 && read_stat(proc, k->pid, &now) && now.start == k->start &&
           syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0) == 0;
}

static bool is_halted(char state)
{
    return strchr("TtZXx", state) != NULL;
}

size_t kin_kill(int proc, kin_root_fn *fn, void *ctx)
{
    enum { ROUNDS_MAX = 50 }; /* somebody sends SIGCONT all the time: kill what is known */
    struct err ignored = ERR_INIT;
    size_t n = 0;
    bool last = false;

    for (int round = 0; !last; round++) {
        struct kin_list all = {0};
        bool running = false;

        if (kin_scan(proc, &all, &ignored) < 0)
            break;
        choose(&all, fn, ctx);
        VEC_EACH (k, &all) {
            k->chosen &= k->pid != getpid();
            if (k->chosen && !is_halted(k->state) && round < ROUNDS_MAX)
                running |= signal_kin(proc, k, SIGSTOP);
        }
        last = !running;
        VEC_EACH (k, &all)
            if (last && k->chosen)
                n += signal_kin(proc, k, SIGKILL);
        vec_deinit(&all);
    }
    return n;
}

/* The pids of our children; CONFIG_PROC_CHILDREN may be missing, then all of /proc is read. */
static void list_children(struct kin_list *ret)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(64 << 20);
    CLEANUP(fd_closep) int fd = -1;
    struct err ignored = ERR_INIT;
    char name[64];

    snprintf(name, sizeof name, "/proc/self/task/%ld/children", (long)getpid());
    fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fd_read_all(fd, &text, &ignored) == ERR_OK) {
        for (char *at = text.ptr, *end; *at; at = *end ? end + 1 : end) {
            struct kin k = {.pid = (pid_t)strtol(at, &end, 10)};
            if (end == at)
                break;
            vec_push(ret, k);
        }
        return;
    }
    fd_closep(&fd);
    fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct kin_list all = {0};
    if (fd >= 0 && kin_scan(fd, &all, &ignored) == ERR_OK)
        VEC_EACH (k, &all)
            if (k->parent == getpid())
                vec_push(ret, *k);
    vec_deinit(&all);
}

/* Waits for PID, a child that was killed, and reaps it. False: the deadline came first. */
static bool reap(pid_t pid, int64_t deadline)
{
    siginfo_t info = {0};

    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) < 0 || info.si_pid == pid)
        return true;
    CLEANUP(fd_closep) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd one = {.fd = pidfd, .events = POLLIN};
    for (int64_t left; (left = deadline - clock_ms()) > 0;)
        if (poll(&one, 1, (int)left) > 0)
            return waitid(P_PID, (id_t)pid, &info, WEXITED) == 0;
    return false;
}

int kin_sweep(bool (*spare)(pid_t pid), int64_t limit_ms, struct err *err)
{
    int64_t deadline = clock_ms() + limit_ms;
    size_t n;

    do { /* what the dead leave behind becomes ours: until a pass finds nobody */
        struct kin_list mine = {0};
        size_t stuck = 0;

        n = 0;
        list_children(&mine);
        VEC_EACH (k, &mine)
            if (!spare || !spare(k->pid))
                (void)kill(k->pid, SIGKILL); /* not reaped yet, so the number is still its own */
        VEC_EACH (k, &mine) {
            if (spare && spare(k->pid))
                continue;
            n++;
            stuck += !reap(k->pid, deadline);
        }
        vec_deinit(&mine);
        if (stuck || (n && clock_ms() >= deadline))
            return err_set(err, ERR_TIMEOUT, "%zu processes do not end", stuck ? stuck : n);
    } while (n);
    return ERR_OK;
}
