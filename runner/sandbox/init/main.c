/* ostler-init - the first process of the place where a job runs; see sandbox.h and wire.h.
 *
 * One static executable: it has to run where there is no C library of ours, a job's container included. The
 * process that the worker starts makes the namespaces, gives birth to their first process as its own
 * sibling, and goes. At the level "host" it stays and is the first process itself. */
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "io/kin.h"
#include "io/spawn.h"
#include "sandbox/init/loopback.h"
#include "sandbox/init/guard.h"
#include "sandbox/init/root.h"
#include "sandbox/init/serve.h"
#include "sandbox/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { SWEEP_MS = 10000 };

static int send_failed(int sock, const struct err *err)
{
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;
    struct err ignored = ERR_INIT;

    wire_add_u32(&b, (uint32_t)err->code);
    wire_add_u32(&b, (uint32_t)err->sys);
    wire_add_str(&b, err->text);
    (void)!wire_send(sock, WIRE_FAILED, 0, &b, NULL, 0, &ignored); /* the exit code says it too */
    return EXIT_FAILURE;
}

/* "/" and, where they are the job's own, the namespaces in the order of enum sandbox_ns. */
static int send_ready(int sock, struct root *root, bool own_namespaces, struct err *err)
{
    static const char *const names[] = {"/", "/proc/self/ns/user", "/proc/self/ns/mnt",
                                        "/proc/self/ns/net"};
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;
    int fds[1 + SANDBOX_NS_KINDS], r = ERR_OK;
    size_t n = 0, n_all = own_namespaces ? COUNT_OF(fds) : 1;

    for (; r == ERR_OK && n < n_all; n += r == ERR_OK) {
        fds[n] = open(names[n], n ? O_RDONLY | O_CLOEXEC : O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fds[n] < 0)
            r = err_sys(err, "cannot open '%s'", names[n]);
    }
    vec_push(&root->notes, NULL);
    wire_add_list(&b, (const char *const *)root->notes.ptr);
    wire_add_list(&b, (const char *const *)environ); /* in a container: what its image says */
    if (r == ERR_OK)
        r = wire_send(sock, WIRE_READY, 0, &b, fds, n, err);
    while (n)
        fd_closep(&fds[--n]);
    return r;
}

/* ---- identities ---- */

static int write_file(const char *path, struct slice text, struct err *err)
{
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return err_sys(err, "cannot open '%s'", path);
    return fd_write_all(fd, text, err) < 0 ? err_in(err, "'%s'", path) : ERR_OK;
}

/* Every identity of ours as itself, so that files of all owners are usable. */
static int same_map(const char *ours, struct buf *map, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 16);
    CLEANUP(fd_closep) int fd = open(ours, O_RDONLY | O_CLOEXEC);
    struct slice rest, line;

    if (fd < 0)
        return err_sys(err, "cannot open '%s'", ours);
    if (fd_read_all(fd, &text, err) < 0)
        return err->code;
    rest = buf_slice(&text);
    while (slice_line(&rest, &line)) {
        unsigned inside, outside, count;
        if (sscanf(line.ptr, "%u %u %u", &inside, &outside, &count) == 3)
            buf_printf(map, "%u %u %u\n", inside, inside, count);
    }
    return ERR_OK;
}

static int write_map(pid_t pid, const char *which, unsigned own, bool user, struct err *err)
{
    CLEANUP(buf_deinit) struct buf map = BUF_INIT(1 << 16);
    char ours[64], theirs[64];

    snprintf(ours, sizeof ours, "/proc/self/%s", which);
    snprintf(theirs, sizeof theirs, "/proc/%ld/%s", (long)pid, which);
    if (user)
        buf_printf(&map, "%u %u 1\n", own, own);
    else if (same_map(ours, &map, err) < 0)
        return err->code;
    return write_file(theirs, buf_slice(&map), err);
}

static int write_maps(pid_t pid, bool user, struct err *err)
{
    char setgroups[64];

    snprintf(setgroups, sizeof setgroups, "/proc/%ld/setgroups", (long)pid);
    /* The kernel's condition for an ordinary user's group map. */
    if (user && write_file(setgroups, SLICE("deny"), err) < 0)
        return err->code;
    if (write_map(pid, "uid_map", geteuid(), user, err) < 0)
        return err->code;
    return write_map(pid, "gid_map", getegid(), user, err);
}

/* ---- birth ---- */

/* The parent's half: identities, then the word to begin. */
static int raise_child(int sock, pid_t pid, int pidfd, int go, bool user, struct err *err)
{
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;

    wire_add_u32(&b, (uint32_t)pid);
    if (wire_send(sock, WIRE_BORN, 0, &b, &pidfd, 1, err) < 0 || write_maps(pid, user, err) < 0)
        return err->code;
    return fd_write_all(go, SLICE("g"), err);
}

/* Gives birth to the first process of new namespaces. Returns there with *RET_PARENT false, and here
 * with true. */
static int bear(int sock, bool user, bool *ret_parent, struct err *err)
{
    CLEANUP(fd_closep) int pidfd = -1;
    CLEANUP(fd_closep) int wait_fd = -1;
    CLEANUP(fd_closep) int go_fd = -1;
    struct clone_args args = {
        .flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                 CLONE_PARENT | CLONE_PIDFD,
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
    };
    char word;

    if (fd_pipe(&wait_fd, &go_fd, err) < 0)
        return err->code;
    /* CLONE_PARENT: the child is the worker's own, so the worker can wait for it and is told its end. */
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid < 0)
        return err_sys(err, "cannot make user, mount and PID namespaces");
    *ret_parent = pid > 0;
    if (pid > 0)
        return raise_child(sock, (pid_t)pid, pidfd, go_fd, user, err);
    fd_closep(&go_fd);
    if (read(wait_fd, &word, 1) != 1)
        _exit(EXIT_FAILURE); /* the parent has told why */
    return ERR_OK;
}

/* ---- what we were told ---- */

struct order {
    enum sandbox_level level;
    const char *job_path;
    VEC(struct show) shows;
};

static int read_order(struct wire_in *in, struct order *ret, struct err *err)
{
    enum { SHOWS_MAX = 1000 };

    ret->level = (enum sandbox_level)wire_u32(in);
    ret->job_path = wire_str(in);
    for (uint32_t n = wire_u32(in); n > 0 && !in->bad; n--) {
        struct show show = {.kind = (enum wire_show)wire_u32(in)};

        show.source = wire_str(in);
        show.target = wire_str(in);
        if (show.kind >= WIRE_SHOWS || show.target[0] != '/' || ret->shows.len == SHOWS_MAX)
            in->bad = true;
        vec_push(&ret->shows, show);
    }
    if (in->type != WIRE_SETUP || ret->level > SANDBOX_NAMESPACES)
        in->bad = true;
    return wire_check(in, err);
}

static int make_sandbox(const struct order *order, struct root *root, struct err *err)
{
    mode_t mask = umask(0);

    *root = (struct root){.job_path = order->job_path, .user = geteuid() != 0, .memory = -1};
    if (setsid() < 0)
        return err_sys(err, "cannot start a session");
    if (root_build(root, order->shows.ptr, order->shows.len, err) < 0 ||
        guard_sandbox(root->user, err) < 0)
        return err->code;
    (void)umask(mask);
    return ERR_OK;
}

static int in_namespaces(int sock, const struct order *order)
{
    struct err err = ERR_INIT;
    struct root root = {0};
    bool parent = true;

    if (bear(sock, geteuid() != 0, &parent, &err) < 0)
        return send_failed(sock, &err);
    if (parent)
        return EXIT_SUCCESS;
    if (make_sandbox(order, &root, &err) < 0 || send_ready(sock, &root, true, &err) < 0)
        return send_failed(sock, &err);
    serve(sock, &root);
    return EXIT_SUCCESS; /* and with it the PID namespace */
}

static int on_the_host(int sock)
{
    struct err err = ERR_INIT;
    struct root root = {0};

    if (setsid() < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) {
        (void)err_sys(&err, "cannot become the reaper of a job");
        return send_failed(sock, &err);
    }
    if (guard_host(&err) < 0 || send_ready(sock, &root, false, &err) < 0)
        return send_failed(sock, &err);
    serve(sock, NULL);
    return kin_sweep(NULL, SWEEP_MS, &err) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int come_to(const char *path, int *ret, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *ret = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (*ret < 0 || connect(*ret, (struct sockaddr *)&address, sizeof address) < 0)
        return err_sys(err, "cannot come to '%s'", path);
    return ERR_OK;
}

/* Hands out a socket at the loopback of an action's container, then becomes the program that the container is
 * for. The action runs, too, where nobody takes the socket: most do not need it. */
static int in_action(const char *path, const char *port, char **argv)
{
    enum { NOT_FOUND = 127, NOT_RUN = 126 }; /* as shells and engines say it */
    CLEANUP(free_ptr) char *program = NULL;
    struct err err = ERR_INIT, why = ERR_INIT;
    uint64_t number = 0;
    int sock = -1, r = num_parse_u64(slice_of(port), UINT16_MAX, &number, &why);

    if (r == ERR_OK)
        r = come_to(path, &sock, &why);
    if (r == ERR_OK)
        r = loopback_hand_out(sock, 0, (unsigned)number, &why);
    if (r < 0)
        fprintf(stderr, "ostler-init: %s\n", why.text);
    fd_closep(&sock);
    r = spawn_find(argv[0], spawn_env_path((const char *const *)environ), &program, &err);
    if (r == ERR_OK)
        (void)execve(program, argv, environ);
    if (r == ERR_OK)
        (void)err_sys(&err, "cannot start '%s'", program);
    fprintf(stderr, "ostler-init: %s\n", err.text);
    return err.code == ERR_NOT_FOUND ? NOT_FOUND : NOT_RUN;
}

/* As a container's first process. It is the reaper there anyway, unless the container was made with an init of
 * its own, or shares the PID namespace of the host. */
static int in_container(const char *path)
{
    struct err err = ERR_INIT;
    struct root root = {0};
    int sock = -1;

    if (come_to(path, &sock, &err) < 0)
        ; /* told below */
    else if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        (void)err_sys(&err, "cannot become the reaper of a job");
    else if (guard_host(&err) == ERR_OK && send_ready(sock, &root, false, &err) == ERR_OK) {
        serve(sock, NULL);
        return kin_sweep(NULL, SWEEP_MS, &err) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    fprintf(stderr, "ostler-init: %s\n", err.text);
    return EXIT_FAILURE;
}

/* Removes what is in DIR: files of a container's root, which an ordinary user outside cannot. */
static int empty(const char *dir)
{
    CLEANUP(fd_closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = opendir(dir);
    struct err err = ERR_INIT;

    for (struct dirent *e; fd >= 0 && list && (e = readdir(list));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            (void)!path_remove(fd, e->d_name, &err); /* the first error is kept */
    if (fd < 0 || !list)
        (void)err_sys(&err, "cannot open '%s'", dir);
    if (list)
        closedir(list);
    if (err.code)
        fprintf(stderr, "ostler-init: %s\n", err.text);
    return err.code ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static struct wire_in in; /* the order lives as long as we do */
    static struct order order;
    struct err err = ERR_INIT;

    if (argc == 2)
        return in_container(argv[1]);
    if (argc == 3 && strcmp(argv[1], "empty") == 0)
        return empty(argv[2]);
    if (argc > 4 && strcmp(argv[1], "listen") == 0)
        return in_action(argv[2], argv[3], argv + 4);
    if (fcntl(WIRE_FD, F_SETFD, FD_CLOEXEC) < 0) {
        fprintf(stderr, "ostler-init: started by ostler, not by hand\n");
        return 2;
    }
    if (wire_recv(WIRE_FD, &in, &err) < 0 || read_order(&in, &order, &err) < 0)
        return send_failed(WIRE_FD, &err);
    if (order.level == SANDBOX_NAMESPACES)
        return in_namespaces(WIRE_FD, &order);
    return on_the_host(WIRE_FD);
}
