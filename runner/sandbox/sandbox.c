#include "sandbox/sandbox.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "io/helper.h"
#include "io/proc.h"
#include "sandbox/cgroup.h"
#include "sandbox/talk.h"
#include "sandbox/view.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN_MS = 20000 }; /* until ostler-init must be ready */

/* ---- opening ---- */

int sandbox_init_path(char **ret, struct err *err)
{
    return helper_find("ostler-init", OSTLER_LIBEXEC_DIR, ret, err);
}

static int start_init(struct sandbox *s, struct proc **ret, struct err *err)
{
    CLEANUP(free_ptr) char *path = NULL;
    struct spawn_fd pass = {.theirs = WIRE_FD};
    struct proc_spec spec = PROC_SPEC_INIT;
    int pair[2];

    if (sandbox_init_path(&path, err) < 0 || fd_socketpair(SOCK_SEQPACKET, pair, err) < 0)
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
        r = talk_await_ready(s, deadline, err);
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
    struct stat st;

    if (mkdirat(dir, name, mode) < 0 && errno != EEXIST)
        return err_sys(err, "cannot create '%s' in the job's folder", name);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, "cannot look at '%s' in the job's folder", name);
    if ((st.st_mode & 07777) != mode && fchmodat(dir, name, mode, 0) < 0) /* our umask */
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
        talk_note(s, "no sandbox here (%s): running at level 'host'", why.text);
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
        talk_note(s, "not limited, for want of a control group to write to: %s", missing);
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
        r = loop_watch(loop, s->sock, EPOLLIN, talk_on_readable, s, &s->watch, err);
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

void sandbox_on_loss(struct sandbox *s, sandbox_lost_fn *fn, void *ctx)
{
    s->on_loss = fn;
    s->loss_ctx = ctx;
}

int sandbox_namespace(const struct sandbox *s, enum sandbox_ns which)
{
    return s->namespaces[which];
}

const char *const *sandbox_env(const struct sandbox *s)
{
    static const char *const none[] = {NULL};
    return s->env ? (const char *const *)s->env : none;
}

void sandbox_stats(const struct sandbox *s, struct sandbox_stats *ret)
{
    struct cgroup_stats stats = {0};

    if (s->cgroup)
        cgroup_stats(s->cgroup, &stats);
    *ret = (struct sandbox_stats){stats.memory_peak, stats.oom_kills, stats.pids_refused};
}

bool sandbox_biggest(const struct sandbox *s, struct sandbox_process *ret)
{
    struct cgroup_process p;

    if (!s->cgroup || !cgroup_biggest(s->cgroup, &p))
        return false;
    *ret = (struct sandbox_process){.memory = p.memory};
    memcpy(ret->name, p.name, sizeof ret->name);
    return true;
}

/* ---- closing ---- */

static void end_init(struct sandbox *s)
{
    let_go(s);
    if (!s->init)
        return;
    if (s->level == SANDBOX_NAMESPACES)
        proc_signal(s->init, SIGKILL);
    if (talk_await_end(s))
        s->init = proc_free(s->init);
}

static void remove_folders(struct sandbox *s)
{
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        struct err err = ERR_INIT;
        if (path_remove(s->job_dir, folders[i].name, &err) < 0)
            talk_note(s, "cannot clean up: %s", err.text);
    }
}

/* What the kernel worked in, which nobody may open, so that nobody could remove what is kept by ordinary means. */
static void tidy_layers(const struct sandbox *s)
{
    CLEANUP(fd_closep)
    int layers = openat(s->job_dir, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *all = layers < 0 ? NULL : path_list(layers);
    struct err ignored = ERR_INIT; /* it is in the way of a person, not of us */

    for (struct dirent *e; all && (e = readdir(all));)
        if (slice_ends(slice_of(e->d_name), SLICE(".work")))
            (void)!path_remove(layers, e->d_name, &ignored);
    if (all)
        closedir(all);
}

struct sandbox *sandbox_close(struct sandbox *s, bool keep)
{
    if (!s)
        return NULL;
    s->watch = watch_free(s->watch);
    s->later = timer_free(s->later);
    s->loss = timer_free(s->loss);
    command_forget_all(s);
    end_init(s);
    if (!keep && !s->init && s->level != SANDBOX_CONTAINER)
        remove_folders(s);
    else if (!s->init)
        tidy_layers(s);
    /* What is left of S->init hangs in the kernel: to reap it would hang us too. */
    cgroup_free(s->cgroup, SANDBOX_CLOSE_MS);
    vec_deinit(&s->ended);
    for (char **entry = s->env; entry && *entry; entry++)
        free(*entry);
    free(s->env);
    fd_closep(&s->job_dir);
    free(s->job_path);
    free(s->work);
    free(s->home);
    free(s->tmp);
    free(s);
    return NULL;
}
