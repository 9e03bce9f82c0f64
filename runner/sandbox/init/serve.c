#include "sandbox/init/serve.h"

#include "base/fd.h"
#include "io/kin.h"
#include "io/spawn.h"
#include "sandbox/init/expend.h"
#include "sandbox/init/loopback.h"
#include "sandbox/init/mnt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
    uint32_t id; /* of the START */
    pid_t pid;
    bool alone; /* no other command ran while it did */
};

struct server {
    int sock, proc; /* proc: the job's /proc */
    struct root *root;
    VEC(struct child) children;
    bool done;
};

static void answer(struct server *s, enum wire_type type, uint32_t id, const struct buf *b)
{
    struct err err = ERR_INIT;

    if (wire_send(s->sock, type, id, b, NULL, 0, &err) < 0)
        s->done = true; /* nobody is there any more: the end */
}

static void answer_failed(struct server *s, uint32_t id, const struct err *err)
{
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;

    wire_add_u32(&b, (uint32_t)err->code);
    wire_add_u32(&b, (uint32_t)err->sys);
    wire_add_str(&b, err->text);
    answer(s, WIRE_FAILED, id, &b);
}

static struct child *find_child(struct server *s, uint32_t id)
{
    VEC_EACH (c, &s->children)
        if (c->id == id)
            return c;
    return NULL;
}

/* ---- requests ---- */

static int start(struct server *s, struct wire_in *in, struct err *err)
{
    const char *cwd = wire_str(in), *search = wire_str(in);
    const char *const *argv = wire_list(in), *const *env = wire_list(in);
    uint32_t mask = wire_u32(in);
    CLEANUP(free_ptr) char *path = NULL;
    struct spawn_spec spec = {
        .argv = argv, .env = env, .dir = AT_FDCWD, .cwd = cwd, .flags = SPAWN_GROUP};
    struct child child = {.id = in->id, .alone = s->children.len == 0};
    size_t n_fds = 0;
    int pidfd;

    if (wire_check(in, err) < 0)
        return err->code;
    for (int i = 0; i < 3; i++) {
        spec.io[i] = mask & 1U << i ? in->fds[n_fds++] : -1;
        if (n_fds > in->n_fds)
            return err_set(err, ERR_INVALID, "a command without its descriptors");
    }
    if (!argv[0])
        return err_set(err, ERR_INVALID, "a command without a name");
    if (spawn_find(argv[0], *search ? search : spawn_env_path(env), &path, err) < 0)
        return err->code;
    spec.path = path;
    expend_next(env);
    int r = spawn(&spec, &child.pid, &pidfd, err);
    expend_next(NULL);
    if (r < 0)
        return r;
    close(pidfd); /* it is our child: its number is its own until we reap it */
    VEC_EACH (c, &s->children)
        c->alone = false;
    vec_push(&s->children, child);
    answer(s, WIRE_STARTED, in->id, NULL);
    return ERR_OK;
}

struct choice {
    struct server *server;
    const struct child *child;
    uint64_t start; /* of the child */
};

/* Whom a command started: its descendants follow from it. Daemons have left that line, but not its
 * process group; those that left the group too are its own if nobody else can have started them. */
static bool is_of(void *ctx, const struct kin *k)
{
    const struct choice *c = ctx;

    if (k->pid == c->child->pid || k->group == c->child->pid)
        return true;
    /* A start is told in hundredths of a second: two steps can fall into one, numbers keep their order. */
    bool later = k->start > c->start || (k->start == c->start && k->pid > c->child->pid);
    return c->child->alone && k->parent == getpid() && later;
}

static bool is_child(void *ctx, const struct kin *k)
{
    struct choice *c = ctx;

    if (k->pid == c->child->pid)
        c->start = k->start;
    return false;
}

static void kill_all_of(struct server *s, const struct child *child)
{
    struct choice choice = {s, child, 0};

    (void)kin_kill(s->proc, is_child, &choice); /* kills nobody: looks up when it began */
    (void)kin_kill(s->proc, is_of, &choice);
    (void)kill(child->pid, SIGKILL); /* also where /proc cannot be read */
}

static int tree(struct server *s, struct wire_in *in, struct err *err)
{
    const char *source = wire_str(in), *path = wire_str(in);
    const char *const *hide = wire_list(in);

    if (wire_check(in, err) < 0)
        return err->code;
    if (!s->root)
        return err_set(err, ERR_UNSUPPORTED, "no overlays at the level 'host'");
    mode_t mask = umask(0);
    int r = root_show_tree(s->root, source, path, hide, err);
    (void)umask(mask);
    if (r == ERR_OK)
        answer(s, WIRE_DONE, in->id, NULL);
    return r;
}

static int bare(struct server *s, struct wire_in *in, struct err *err)
{
    const char *path = wire_str(in);

    if (wire_check(in, err) < 0)
        return err->code;
    if (!s->root)
        return err_set(err, ERR_UNSUPPORTED, "no overlays at the level 'host'");
    int r = mnt_detach(path, err);
    if (r == ERR_OK)
        answer(s, WIRE_DONE, in->id, NULL);
    return r;
}

static int listen_at(struct server *s, struct wire_in *in, struct err *err)
{
    uint32_t port = wire_u32(in);

    return wire_check(in, err) < 0 ? err->code : loopback_hand_out(s->sock, in->id, port, err);
}

static int signal_child(struct server *s, struct wire_in *in, struct err *err)
{
    const struct child *c = find_child(s, wire_u32(in));
    uint32_t signo = in->type == WIRE_SIGNAL ? wire_u32(in) : SIGKILL;

    if (wire_check(in, err) < 0)
        return err->code;
    if (c && in->type == WIRE_KILL)
        kill_all_of(s, c);
    else if (c)
        (void)kill(c->pid, (int)signo);
    return ERR_OK; /* no child: it has ended, which was told */
}

static void on_request(struct server *s)
{
    CLEANUP(wire_deinit) struct wire_in in = {0};
    struct err err = ERR_INIT;
    int r = wire_recv(s->sock, &in, &err);

    if (r < 0) {
        s->done = true; /* gone, or out of step: there is no way to go on */
        return;
    }
    switch (in.type) {
    case WIRE_START:
        r = start(s, &in, &err);
        break;
    case WIRE_TREE:
        r = tree(s, &in, &err);
        break;
    case WIRE_BARE:
        r = bare(s, &in, &err);
        break;
    case WIRE_LISTEN:
        r = listen_at(s, &in, &err);
        break;
    case WIRE_SIGNAL:
    case WIRE_KILL:
        r = signal_child(s, &in, &err);
        break;
    default:
        s->done = true;
    }
    if (r < 0)
        answer_failed(s, in.id, &err);
}

/* ---- ends ---- */

static void tell_end(struct server *s, pid_t pid, int status)
{
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;

    VEC_EACH (c, &s->children) {
        if (c->pid != pid)
            continue;
        int signo = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        wire_add_u32(&b, (uint32_t)(signo ? 128 + signo : WEXITSTATUS(status)));
        wire_add_u32(&b, (uint32_t)signo);
        uint32_t id = c->id;
        vec_remove(&s->children, (size_t)(c - s->children.ptr));
        answer(s, WIRE_ENDED, id, &b);
        return;
    }
}

/* This process inherits every orphan, so it reaps whatever there is. */
static void reap_all(struct server *s, int signals)
{
    struct signalfd_siginfo info;
    int status;

    (void)!read(signals, &info, sizeof info); /* many deaths may have come as one signal */
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        tell_end(s, pid, status);
}

void serve(int sock, struct root *root)
{
    struct server s = {.sock = sock, .root = root};
    sigset_t chld;

    s.proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &chld, NULL);
    int signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s.proc < 0 || signals < 0)
        return;
    while (!s.done) {
        struct pollfd fds[] = {{.fd = sock, .events = POLLIN}, {.fd = signals, .events = POLLIN}};

        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        if (fds[1].revents)
            reap_all(&s, signals);
        if (fds[0].revents)
            on_request(&s);
    }
}
