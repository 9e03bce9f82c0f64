#include "sandbox/sandbox.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/vec.h"
#include "io/ladder.h"
#include "io/proc.h"
#include "sandbox/cgroup.h"
#include "sandbox/copy.h"
#include "sandbox/init/wire.h"
#include "sandbox/view.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    OPEN_MS = 20000,   /* until ostler-init must be ready */
    ANSWER_MS = 60000, /* until it must answer: the disk under a program may be slow */
    CLOSE_MS = 30000,  /* until all must be gone */
};

struct ended {
    uint32_t id;
    struct sandbox_exit how;
};

struct sandbox_child {
    struct sandbox_child *next, **prev; /* in sandbox->children */
    struct sandbox *sandbox;            /* NULL: it has ended */
    uint32_t id;
    struct ladder ladder;
    sandbox_exit_fn *fn;
    void *ctx;
};

struct sandbox {
    struct loop *loop;
    sandbox_note_fn *note;
    void *note_ctx;
    enum sandbox_level level;
    int job_dir;
    char *job_path, *work, *home, *tmp;
    int64_t term_ms, kill_ms;

    struct cgroup *cgroup; /* NULL: none */
    struct proc *init;     /* NULL until it was born */
    int sock, root;
    int namespaces[SANDBOX_NS_KINDS]; /* -1 at SANDBOX_HOST */
    struct watch *watch;
    bool dead; /* ostler-init is gone or talks nonsense */
    uint32_t last_id;
    struct sandbox_child *children;

    VEC(struct ended) ended; /* told while we waited for an answer */
    struct timer *later;     /* tells them */
};

static void note(struct sandbox *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void note(struct sandbox *s, const char *fmt, ...)
{
    char text[4096];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (s->note)
        s->note(s->note_ctx, text);
}

/* ---- commands that ended ---- */

static void child_unlink(struct sandbox_child *c)
{
    ladder_deinit(&c->ladder);
    *c->prev = c->next;
    if (c->next)
        c->next->prev = c->prev;
    c->sandbox = NULL;
}

/* The last thing its caller does: the function may close the sandbox. */
static void child_tell(struct sandbox *s, struct ended e)
{
    for (struct sandbox_child *c = s->children; c; c = c->next) {
        if (c->id != e.id)
            continue;
        child_unlink(c);
        c->fn(c->ctx, e.how);
        free(c);
        return;
    }
}

struct sandbox_child *sandbox_child_free(struct sandbox_child *c)
{
    if (c && c->sandbox) { /* else it is in its exit function, and child_tell() frees it */
        child_unlink(c);
        free(c);
    }
    return NULL;
}

static void tell_later(void *ctx)
{
    struct sandbox *s = ctx;
    struct ended first = s->ended.ptr[0];

    vec_remove(&s->ended, 0);
    s->later = s->ended.len ? loop_timer(s->loop, clock_ms(), tell_later, s) : NULL;
    child_tell(s, first);
}

static void queue_end(struct sandbox *s, struct ended e)
{
    vec_push(&s->ended, e);
    if (!s->later)
        s->later = loop_timer(s->loop, clock_ms(), tell_later, s);
}

/* Waits for ostler-init's end and sees to it that nothing is left. In its PID namespace nothing can be; at
 * the level "host" it sweeps on its way out, and the rest is swept here if somebody killed it. */
static bool await_end(struct sandbox *s)
{
    struct err err = ERR_INIT;
    struct proc_exit how;

    if (proc_wait(s->init, clock_ms() + CLOSE_MS, &how, &err) < 0) {
        note(s, "processes of the job do not end (%s); its folder stays", err.text);
        return false;
    }
    if (s->level == SANDBOX_HOST && how.code != 0) {
        if (s->cgroup)
            (void)cgroup_kill(s->cgroup);
        if (proc_sweep(CLOSE_MS, &err) < 0)
            note(s, "processes of the job do not end: %s", err.text);
    }
    return true;
}

/* ostler-init was killed, or is out of its mind and is killed now: all that it started goes with it. */
static void init_lost(struct sandbox *s)
{
    if (s->dead)
        return;
    s->dead = true;
    s->watch = watch_free(s->watch);
    proc_signal(s->init, SIGKILL);
    (void)await_end(s); /* said there */
    if (s->children)
        note(s, "ostler-init was killed; all that ran in the job is gone with it");
    for (struct sandbox_child *c = s->children; c; c = c->next)
        queue_end(s, (struct ended){c->id, {128 + SIGKILL, SIGKILL}});
}

/* ---- talking to ostler-init ---- */

static void read_end(struct wire_in *in, struct ended *ret, struct err *err)
{
    ret->id = in->id;
    ret->how.code = (int)wire_u32(in);
    ret->how.signal = (int)wire_u32(in);
    if (wire_check(in, err) < 0)
        ret->how = (struct sandbox_exit){128 + SIGKILL, SIGKILL};
}

static void on_readable(void *ctx, uint32_t events)
{
    struct sandbox *s = ctx;
    CLEANUP(wire_deinit) struct wire_in in = {0};
    struct err err = ERR_INIT;
    struct ended ended;

    (void)events;
    /* Another one's callback of this round may have asked something and read what the event was for. */
    if (poll(&(struct pollfd){.fd = s->sock, .events = POLLIN}, 1, 0) == 0)
        return;
    if (wire_recv(s->sock, &in, &err) < 0) {
        init_lost(s);
        return;
    }
    if (in.type != WIRE_ENDED)
        return; /* an answer that nobody waited for any longer */
    read_end(&in, &ended, &err);
    child_tell(s, ended);
}

static int receive(struct sandbox *s, int64_t deadline, struct wire_in *in, struct err *err)
{
    struct pollfd one = {.fd = s->sock, .events = POLLIN};

    for (;;) {
        int64_t left = deadline - clock_ms();
        int n = poll(&one, 1, left > 0 ? (int)left : 0);

        if (n < 0 && errno != EINTR)
            return err_sys(err, "cannot wait for ostler-init");
        if (n > 0)
            return wire_recv(s->sock, in, err);
        if (n == 0)
            return err_set(err, ERR_TIMEOUT, "ostler-init does not answer");
    }
}

static int read_failed(struct wire_in *in, struct err *err)
{
    struct err told = {.code = (int)wire_u32(in), .sys = (int)wire_u32(in)};

    snprintf(told.text, sizeof told.text, "%s", wire_str(in));
    if (wire_check(in, err) < 0)
        return err->code;
    *err = told;
    return err->code < 0 ? err->code : err_set(err, ERR_INVALID, "ostler-init failed with no code");
}

/* Sends a request and waits for its answer; what else comes is kept for later. The caller ends *IN. */
static int ask(struct sandbox *s, enum wire_type type, const struct buf *b, const int *fds,
               size_t n_fds, uint32_t *ret_id, struct wire_in *in, struct err *err)
{
    uint32_t id = ++s->last_id;
    int64_t deadline = clock_ms() + ANSWER_MS;
    int r = s->dead ? err_set(err, ERR_FAILED, "the sandbox is gone: ostler-init was killed")
                    : wire_send(s->sock, type, id, b, fds, n_fds, err);

    if (r < 0)
        return r;
    for (;;) {
        r = receive(s, deadline, in, err);
        if (r < 0) {
            init_lost(s);
            return err_in(err, "the sandbox is gone");
        }
        if (in->id == id && in->type != WIRE_ENDED)
            break;
        struct ended ended;
        struct err bad = ERR_INIT;
        if (in->type == WIRE_ENDED) {
            read_end(in, &ended, &bad);
            queue_end(s, ended);
        }
        wire_deinit(in);
    }
    if (ret_id)
        *ret_id = id;
    return in->type == WIRE_FAILED ? read_failed(in, err) : ERR_OK;
}

/* ---- opening ---- */

static bool is_there(char *path, char **ret)
{
    if (access(path, X_OK) == 0) {
        *ret = path;
        return true;
    }
    free(path);
    return false;
}

/* Beside us, one folder up (our tests live in one), else where it is installed. */
static int find_init(char **ret, struct err *err)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n < 0)
        return err_sys(err, "cannot read '/proc/self/exe'");
    self[n] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(self, '/');
        if (!slash)
            break;
        *slash = '\0';
        if (is_there(path_join(*self ? self : "/", "ostler-init"), ret))
            return ERR_OK;
    }
    if (is_there(path_join(OSTLER_LIBEXEC_DIR, "ostler-init"), ret))
        return ERR_OK;
    return err_set(err, ERR_NOT_FOUND,
                   "no 'ostler-init' beside ostler or in '%s'; install it again",
                   OSTLER_LIBEXEC_DIR);
}

static int start_init(struct sandbox *s, struct proc **ret, struct err *err)
{
    CLEANUP(free_ptr) char *path = NULL;
    struct spawn_fd pass = {.theirs = WIRE_FD};
    struct proc_spec spec = PROC_SPEC_INIT;
    int pair[2];

    if (find_init(&path, err) < 0 || fd_socketpair(SOCK_SEQPACKET, pair, err) < 0)
        return err->code;
    s->sock = pair[0];
    pass.ours = pair[1];
    spec.argv = (const char *const[]){path, NULL};
    spec.env = (const char *const[]){NULL}; /* it is given nothing that it could tell */
    spec.err = STDERR_FILENO;               /* for the bug that stops it */
    spec.fds = &pass;
    spec.n_fds = 1;
    int r = proc_start(&spec, ret, err);
    fd_closep(&pair[1]);
    return r;
}

static int send_setup(struct sandbox *s, const struct sandbox_spec *spec, enum sandbox_level level,
                      struct err *err)
{
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;
    CLEANUP(view_deinit) struct view plan = {0};

    if (level == SANDBOX_NAMESPACES)
        view_make(&plan, spec, s->job_path);
    wire_add_u32(&b, level);
    wire_add_str(&b, s->job_path);
    wire_add_u32(&b, (uint32_t)plan.len);
    VEC_EACH (item, &plan) {
        wire_add_u32(&b, item->kind);
        wire_add_str(&b, item->source);
        wire_add_str(&b, item->target);
    }
    return wire_send(s->sock, WIRE_SETUP, 0, &b, NULL, 0, err);
}

/* Takes the answers to SETUP until the place is ready. */
static int await_ready(struct sandbox *s, int64_t deadline, struct err *err)
{
    for (;;) {
        CLEANUP(wire_deinit) struct wire_in in = {0};
        int r = receive(s, deadline, &in, err);

        if (r < 0)
            return err_in(err, "ostler-init");
        switch (in.type) {
        case WIRE_BORN:
            if (s->init || in.n_fds != 1)
                return err_set(err, ERR_INVALID, "ostler-init is out of step");
            s->init = proc_adopt((pid_t)wire_u32(&in), wire_take_fd(&in, 0));
            break;
        case WIRE_READY:
            for (const char *const *text = wire_list(&in); *text; text++)
                note(s, "%s", *text);
            s->root = wire_take_fd(&in, 0);
            for (size_t i = 0; i < SANDBOX_NS_KINDS; i++)
                s->namespaces[i] = wire_take_fd(&in, 1 + i);
            return wire_check(&in, err);
        case WIRE_FAILED:
            return read_failed(&in, err);
        default:
            return err_set(err, ERR_INVALID, "ostler-init is out of step");
        }
    }
}

/* Lets go of the place: a descriptor into it would keep its mounts. At the level "host" ostler-init takes our
 * going as the word to sweep. */
static void let_go(struct sandbox *s)
{
    for (size_t i = 0; i < SANDBOX_NS_KINDS; i++)
        fd_closep(&s->namespaces[i]);
    fd_closep(&s->root);
    fd_closep(&s->sock);
}

/* Makes the place at LEVEL. All or nothing. */
static int enter(struct sandbox *s, const struct sandbox_spec *spec, enum sandbox_level level,
                 struct err *err)
{
    int64_t deadline = clock_ms() + OPEN_MS;
    struct proc *first = NULL;
    struct proc_exit how;
    struct err late = ERR_INIT;
    int r = start_init(s, &first, err);

    if (r == ERR_OK && s->cgroup) /* before it starts anything: what it starts inherits */
        r = cgroup_attach(s->cgroup, proc_pid(first), err);
    if (r == ERR_OK)
        r = send_setup(s, spec, level, err);
    if (r == ERR_OK)
        r = await_ready(s, deadline, err);
    if (level == SANDBOX_HOST && r == ERR_OK) {
        s->init = first;
        return ERR_OK;
    }
    /* It has given birth to the real one and goes by itself. */
    if (r == ERR_OK && proc_wait(first, deadline, &how, &late) < 0)
        r = err_set(err, late.code, "ostler-init: %s", late.text);
    proc_free(first);
    if (r < 0) {
        s->init = proc_free(s->init);
        let_go(s);
    }
    return r;
}

static int make_folder(int dir, const char *name, mode_t mode, struct err *err)
{
    if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
        return err_sys(err, "cannot create '%s' in the job's folder", name);
    if (fchmodat(dir, name, mode, 0) < 0) /* whatever our umask is */
        return err_sys(err, "cannot set the mode of '%s'", name);
    return ERR_OK;
}

static const struct {
    const char *name;
    mode_t mode;
} folders[] = {
    {"work", 0755}, {"home", 0755}, {"tmp", 01777}, {"var-tmp", 01777}, {"layers", 0700}};

static int make_folders(struct sandbox *s, struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(folders); i++)
        if (make_folder(s->job_dir, folders[i].name, folders[i].mode, err) < 0)
            return err->code;
    return ERR_OK;
}

static char *copy_of(const char *text)
{
    return mem_dup(text, strlen(text));
}

static void set_paths(struct sandbox *s, const struct sandbox_spec *spec)
{
    bool host = s->level == SANDBOX_HOST;

    s->work = host ? path_join(s->job_path, "work") : copy_of(spec->work_path);
    s->home = host ? path_join(s->job_path, "home") : copy_of(spec->home_path);
    s->tmp = host ? path_join(s->job_path, "tmp") : copy_of("/tmp");
}

static int enter_best(struct sandbox *s, const struct sandbox_spec *spec, struct err *err)
{
    struct err why = ERR_INIT;

    s->level = spec->level;
    if (spec->level == SANDBOX_NAMESPACES) {
        int r = enter(s, spec, SANDBOX_NAMESPACES, &why);
        if (r == ERR_OK)
            return r;
        if (spec->required) {
            *err = why;
            return err_in(err, "no sandbox here");
        }
        /* What was begun must not be in the way of the second try, or stay behind. */
        (void)!path_remove(s->job_dir, "layers", err);
        if (make_folders(s, err) < 0)
            return err->code;
        note(s, "no sandbox here (%s): running at level 'host'", why.text);
        s->level = SANDBOX_HOST;
    }
    if (proc_become_reaper(err) < 0) /* inherits what ostler-init would leave if it was killed */
        return err->code;
    return enter(s, spec, SANDBOX_HOST, err);
}

/* For the limits, and at the level "host" for its kill. */
static void make_cgroup(struct sandbox *s, const struct sandbox_spec *spec)
{
    struct cgroup_limits limits = {spec->memory_max, spec->pids_max, spec->cpu_max};
    bool wanted = limits.memory_max || limits.pids_max || limits.cpu_max > 0;
    char missing[CGROUP_MISSING_SIZE];

    if (!wanted && spec->level != SANDBOX_HOST)
        return;
    cgroup_new(spec->cgroup_root, &limits, &s->cgroup, missing);
    if (*missing)
        note(s, "not limited, for want of a control group to write to: %s", missing);
}

int sandbox_open(const struct sandbox_spec *spec, struct loop *loop, sandbox_note_fn *note_fn,
                 void *ctx, struct sandbox **ret, struct err *err)
{
    struct sandbox *s = mem_new(sizeof *s);

    *s = (struct sandbox){.loop = loop,
                          .note = note_fn,
                          .note_ctx = ctx,
                          .sock = -1,
                          .root = -1,
                          .namespaces = {-1, -1, -1},
                          .term_ms = spec->term_ms,
                          .kill_ms = spec->kill_ms};
    s->job_dir = fd_dup(spec->job_dir, 3);
    s->job_path = realpath(spec->job_path, NULL);
    int r = ERR_OK;
    if (s->job_dir < 0 || !s->job_path)
        r = err_sys(err, "cannot open the job's folder '%s'", spec->job_path);
    if (r == ERR_OK)
        r = make_folders(s, err);
    if (r == ERR_OK)
        make_cgroup(s, spec);
    if (r == ERR_OK)
        r = enter_best(s, spec, err);
    if (r == ERR_OK)
        r = loop_watch(loop, s->sock, EPOLLIN, on_readable, s, &s->watch, err);
    if (r < 0) {
        s->note = NULL;
        sandbox_close(s, false);
        return r;
    }
    set_paths(s, spec);
    *ret = s;
    return ERR_OK;
}

enum sandbox_level sandbox_level(const struct sandbox *s)
{
    return s->level;
}

const char *sandbox_work(const struct sandbox *s)
{
    return s->work;
}

const char *sandbox_home(const struct sandbox *s)
{
    return s->home;
}

const char *sandbox_tmp(const struct sandbox *s)
{
    return s->tmp;
}

int sandbox_root(const struct sandbox *s)
{
    return s->root;
}

int sandbox_namespace(const struct sandbox *s, enum sandbox_ns which)
{
    return s->namespaces[which];
}

/* ---- commands ---- */

int sandbox_start(struct sandbox *s, const struct sandbox_command *cmd, sandbox_exit_fn *fn,
                  void *ctx, struct sandbox_child **ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;
    CLEANUP(wire_deinit) struct wire_in in = {0};
    const int io[3] = {cmd->in, cmd->out, cmd->err};
    int fds[3];
    size_t n_fds = 0;
    uint32_t mask = 0, id;

    for (size_t i = 0; i < 3; i++) {
        if (io[i] < 0)
            continue;
        fds[n_fds++] = io[i];
        mask |= 1U << i;
    }
    wire_add_str(&b, cmd->cwd);
    wire_add_str(&b, cmd->search_path);
    wire_add_list(&b, cmd->argv);
    wire_add_list(&b, cmd->env);
    wire_add_u32(&b, mask);
    int r = ask(s, WIRE_START, &b, fds, n_fds, &id, &in, err);
    explicit_bzero(b.ptr, b.len); /* the environment holds secrets */
    if (r < 0)
        return r;

    struct sandbox_child *c = mem_new(sizeof *c);
    *c = (struct sandbox_child){.next = s->children,
                                .prev = &s->children,
                                .sandbox = s,
                                .id = id,
                                .ladder = {.term_ms = s->term_ms, .kill_ms = s->kill_ms},
                                .fn = fn,
                                .ctx = ctx};
    if (c->next)
        c->next->prev = &c->next;
    s->children = c;
    *ret = c;
    return ERR_OK;
}

static void send_signal(void *ctx, int signo)
{
    struct sandbox_child *c = ctx;
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;
    struct err ignored = ERR_INIT; /* nobody there: on_readable() finds out, and tells */

    if (!c->sandbox || c->sandbox->dead)
        return;
    wire_add_u32(&b, c->id);
    if (signo != SIGKILL)
        wire_add_u32(&b, (uint32_t)signo);
    (void)!wire_send(c->sandbox->sock, signo == SIGKILL ? WIRE_KILL : WIRE_SIGNAL, 0, &b, NULL, 0,
                     &ignored);
}

void sandbox_signal(struct sandbox_child *c, int signo)
{
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;
    struct err ignored = ERR_INIT;

    if (!c->sandbox || c->sandbox->dead)
        return;
    wire_add_u32(&b, c->id);
    wire_add_u32(&b, (uint32_t)signo);
    (void)!wire_send(c->sandbox->sock, WIRE_SIGNAL, 0, &b, NULL, 0, &ignored);
}

void sandbox_stop(struct sandbox_child *c, bool now)
{
    if (!c->sandbox)
        return;
    if (now)
        ladder_top(&c->ladder, send_signal, c);
    else
        ladder_start(&c->ladder, c->sandbox->loop, send_signal, c);
}

int sandbox_which(struct sandbox *s, const char *name, const char *search, char **ret,
                  struct err *err)
{
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;
    CLEANUP(wire_deinit) struct wire_in in = {0};

    wire_add_str(&b, name);
    wire_add_str(&b, search);
    int r = ask(s, WIRE_WHICH, &b, NULL, 0, NULL, &in, err);
    if (r < 0)
        return r;
    const char *path = wire_str(&in);
    r = wire_check(&in, err);
    if (r == ERR_OK)
        *ret = copy_of(path);
    return r;
}

void sandbox_stats(const struct sandbox *s, struct sandbox_stats *ret)
{
    struct cgroup_stats stats = {0};

    if (s->cgroup)
        cgroup_stats(s->cgroup, &stats);
    *ret = (struct sandbox_stats){stats.memory_peak, stats.oom_kills, stats.pids_refused};
}

/* ---- trees ---- */

/* Opens the folder PATH inside, and makes what is missing of it. */
static int make_inside(struct sandbox *s, const char *path, int *ret, struct err *err)
{
    CLEANUP(free_ptr) char *whole = path_normal(path);

    for (char *p = whole + 1;; p++) {
        CLEANUP(fd_closep) int fd = -1;
        char at = *p;

        if (at != '/' && at != '\0')
            continue;
        *p = '\0';
        int r = path_open_in(s->root, whole, O_RDONLY | O_DIRECTORY, 0, &fd, err);
        if (r == ERR_NOT_FOUND) {
            CLEANUP(fd_closep) int parent = -1;
            CLEANUP(free_ptr) char *up = path_join(whole, "..");
            CLEANUP(free_ptr) char *dir = path_normal(up);

            r = path_open_in(s->root, dir, O_RDONLY | O_DIRECTORY, 0, &parent, err);
            if (r == ERR_OK && mkdirat(parent, path_base(whole), 0755) < 0 && errno != EEXIST)
                r = err_sys(err, "cannot create '%s'", whole);
            if (r == ERR_OK)
                r = path_open_in(s->root, whole, O_RDONLY | O_DIRECTORY, 0, &fd, err);
        }
        if (r < 0)
            return r;
        *p = at;
        if (at == '\0') {
            *ret = fd;
            fd = -1;
            return ERR_OK;
        }
    }
}

/* HIDE, and the job's own folder if it lies in SOURCE. The caller frees the list, not what is in it. */
static const char **hide_list(const struct sandbox *s, const char *source, const char *const *hide)
{
    const char *own = path_below(s->job_path, source);
    size_t n = 0;

    while (hide && hide[n])
        n++;
    const char **list = mem_new((n + 2) * sizeof *list);
    for (size_t i = 0; i < n; i++)
        list[i] = hide[i];
    if (own && *own)
        list[n] = own;
    return list;
}

static int ask_for_tree(struct sandbox *s, const char *source, const char *path,
                        const char *const *hide, struct err *err)
{
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;
    CLEANUP(wire_deinit) struct wire_in in = {0};

    if (s->level == SANDBOX_HOST)
        return err_set(err, ERR_UNSUPPORTED, "that needs the level 'sandbox'");
    wire_add_str(&b, source);
    wire_add_str(&b, path);
    wire_add_list(&b, hide);
    return ask(s, WIRE_TREE, &b, NULL, 0, NULL, &in, err);
}

int sandbox_show_tree(struct sandbox *s, const char *source, const char *path,
                      const char *const *hide, struct err *err)
{
    CLEANUP(fd_closep) int to = -1;
    CLEANUP(free_ptr) char *real = realpath(source, NULL);
    struct err why = ERR_INIT;

    if (!real)
        return err_sys(err, "cannot show '%s'", source);
    CLEANUP(free_ptr) const char **left_out = hide_list(s, real, hide);
    int r = make_inside(s, path, &to, err);
    if (r == ERR_OK)
        r = copy_check_empty(to, path, err);
    if (r < 0 || ask_for_tree(s, real, path, left_out, &why) == ERR_OK)
        return r;
    if (s->dead) {
        *err = why;
        return err->code;
    }
    note(s, "no overlay on '%s' (%s): it is copied", source, why.text);
    r = copy_tree(real, to, left_out, err);
    return r < 0 ? err_in(err, "cannot copy '%s'", source) : r;
}

/* ---- closing ---- */

static void end_init(struct sandbox *s)
{
    let_go(s);
    if (!s->init)
        return;
    if (s->level == SANDBOX_NAMESPACES)
        proc_signal(s->init, SIGKILL);
    if (await_end(s))
        s->init = proc_free(s->init);
}

static void remove_folders(struct sandbox *s)
{
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        struct err err = ERR_INIT;
        if (path_remove(s->job_dir, folders[i].name, &err) < 0)
            note(s, "cannot clean up: %s", err.text);
    }
}

struct sandbox *sandbox_close(struct sandbox *s, bool keep)
{
    if (!s)
        return NULL;
    s->watch = watch_free(s->watch);
    s->later = timer_free(s->later);
    while (s->children)
        sandbox_child_free(s->children);
    end_init(s);
    if (!keep && !s->init)
        remove_folders(s);
    proc_free(s->init);
    cgroup_free(s->cgroup, CLOSE_MS);
    vec_deinit(&s->ended);
    fd_closep(&s->job_dir);
    free(s->job_path);
    free(s->work);
    free(s->home);
    free(s->tmp);
    free(s);
    return NULL;
}
