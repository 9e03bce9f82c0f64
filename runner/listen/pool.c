#include "listen/pool.h"

#include "base/fd.h"
#include "base/vec.h"
#include "io/proc.h"
#include "listen/leftovers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* What cmd_worker finds open. */
enum {
    WORKER_JOB_FD = 3,
    WORKER_EVENT_FD = 4,
    WORKER_SERVICES_FD = 5,
    WORKER_HOLD_FD = 6, /* not looked at */
    EVENT_PIPE_SIZE = 1 << 20,
    SWEEP_MS = 5000
};

struct worker {
    struct pool *pool;
    char *key;
    char *dir; /* the job's folder, to be removed for a worker that could not; NULL: it is kept */
    struct proc *proc;
    struct event_reader reader;
    struct buf in;
    struct watch *watch;
    int events; /* our end of the pipe; -1: at its end */
    struct services *to;
    int services; /* our end of the socket where connections from its containers come; -1: at its end */
    struct watch *services_watch;
    bool exited, finished;
    struct proc_exit how;
    char *why;            /* what broke its stream; NULL: nothing */
    struct errand *sweep; /* what clears up behind one that was killed */
};

struct pool {
    struct pool_spec spec;
    VEC(struct worker *) list;
};

int pool_new(const struct pool_spec *spec, struct pool **ret, struct err *err)
{
    int r = proc_become_reaper(err);

    if (r < 0)
        return r;
    *ret = mem_new(sizeof **ret);
    **ret = (struct pool){.spec = *spec};
    return ERR_OK;
}

size_t pool_len(const struct pool *p)
{
    return p->list.len;
}

static void close_services(struct worker *w)
{
    w->services_watch = watch_free(w->services_watch);
    fd_closep(&w->services);
}

static struct worker *worker_free(struct worker *w)
{
    watch_free(w->watch);
    fd_closep(&w->events);
    close_services(w);
    proc_free(w->proc);
    errand_free(w->sweep);
    event_reader_deinit(&w->reader);
    buf_deinit(&w->in);
    free(w->key);
    free(w->dir);
    free(w->why);
    free(w);
    return NULL;
}

struct pool *pool_free(struct pool *p)
{
    if (!p)
        return NULL;
    while (p->list.len)
        worker_free(p->list.ptr[--p->list.len]);
    vec_deinit(&p->list);
    free(p);
    return NULL;
}

/* ---- what workers say ---- */

static int on_event(void *ctx, json_t *event, struct slice log, struct err *err)
{
    struct worker *w = ctx;
    const struct pool_spec *spec = &w->pool->spec;
    const char *name = json_string_value(json_object_get(event, "event"));

    if (name && strcmp(name, "job.finished") == 0)
        w->finished = true;
    return spec->event(spec->ctx, w->key, event, log, err);
}

static void forget(struct worker *w)
{
    struct pool *p = w->pool;

    for (size_t i = 0; i < p->list.len; i++) {
        if (p->list.ptr[i] == w) {
            vec_remove(&p->list, i);
            break;
        }
    }
}

static void end(struct worker *w)
{
    const struct pool_spec *spec = &w->pool->spec;
    char why[160];

    if (w->why)
        snprintf(why, sizeof why, "its event stream broke: %.120s", w->why);
    else if (w->how.signal)
        snprintf(why, sizeof why, "its worker was killed by signal %d", w->how.signal);
    else
        snprintf(why, sizeof why, "its worker ended early, with exit code %d", w->how.code);
    forget(w);
    spec->ended(spec->ctx, w->key, w->finished ? NULL : why);
    worker_free(w);
}

static void on_swept(void *ctx, struct proc_exit how, struct slice trouble)
{
    struct worker *w = ctx;
    const struct pool_spec *spec = &w->pool->spec;
    struct slice line;
    char text[ERR_TEXT_SIZE];

    while (slice_line(&trouble, &line)) {
        snprintf(text, sizeof text, "%.*s", SLICE_ARG(line));
        spec->trouble(spec->ctx, text);
    }
    if (how.code)
        spec->trouble(spec->ctx, "what was to clear up behind a killed job ended early");
    end(w);
}

/* A worker that was killed left its place behind. Its first process ends with the worker and everything
 * in it; we are its reaper, so the sweep sees that end. True: end() follows. */
static bool clean_up(struct worker *w)
{
    const struct pool_spec *spec = &w->pool->spec;
    const struct leftovers_spec leftovers = {
        .job_dir = w->dir, .env = spec->env, .program = spec->program};
    const struct errand_client client = {.done = on_swept, .ctx = w};
    struct err err = ERR_INIT;

    if (proc_sweep(SWEEP_MS, &err) < 0)
        spec->trouble(spec->ctx, err.text);
    if (!w->dir)
        return false;
    if (leftovers_start(&leftovers, spec->loop, &client, &w->sweep, &err) == ERR_OK)
        return true;
    spec->trouble(spec->ctx, err.text);
    return false;
}

/* The worker is gone and its stream read. */
static void check_end(struct worker *w)
{
    if (!w->exited || w->events >= 0)
        return;
    close_services(w);
    if (w->finished || !clean_up(w))
        end(w);
}

static void on_readable(void *ctx, uint32_t events)
{
    struct worker *w = ctx;
    struct err err = ERR_INIT;

    (void)events;
    buf_clear(&w->in);
    ssize_t n = fd_read_some(w->events, &w->in, EVENT_PIPE_SIZE);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0 && event_reader_feed(&w->reader, buf_slice(&w->in), &err) == ERR_OK)
        return;
    if (n > 0) { /* nothing that it says can be believed any more */
        w->why = mem_dup(err.text, strlen(err.text));
        proc_kill(w->proc);
    }
    w->watch = watch_free(w->watch);
    fd_closep(&w->events);
    check_end(w);
}

static void on_client(void *ctx, uint32_t events)
{
    struct worker *w = ctx;
    int fds[FD_PASS_MAX];
    size_t len = 0, n = 0;
    struct err ignored = ERR_INIT; /* its end, or nothing that it says is of use */
    char byte;

    (void)events;
    int r = fd_recv(w->services, &byte, 1, &len, fds, &n, &ignored);
    for (size_t i = 0; i < n; i++) {
        if (w->to)
            services_pass(w->to, fds[i]);
        else
            fd_closep(&fds[i]);
    }
    if (r < 0 || len == 0)
        w->services_watch = watch_free(w->services_watch);
}

static void on_exit_of_worker(void *ctx, struct proc_exit how)
{
    struct worker *w = ctx;

    w->exited = true;
    w->how = how;
    check_end(w);
}

/* ---- starting ---- */

/* The message in memory that nobody else can read: it holds the job's secrets. */
static int message_of(const struct job *job, int *ret, struct err *err)
{
    size_t size;
    char *text = job_format(job, &size);
    int r = fd_memory(slice_make(text, size), ret, err);

    explicit_bzero(text, size);
    free(text);
    return r;
}

static int open_services(struct worker *w, int *ret_theirs, struct err *err)
{
    int pair[2];

    if (fd_socketpair(SOCK_SEQPACKET, pair, err) < 0)
        return err->code;
    w->services = pair[0];
    *ret_theirs = pair[1];
    return loop_watch(w->pool->spec.loop, w->services, EPOLLIN, on_client, w, &w->services_watch,
                      err);
}

static int start_process(struct worker *w, const char *const *env, const struct spawn_fd *fds,
                         size_t n_fds, struct err *err)
{
    const struct pool_spec *pool = &w->pool->spec;
    const char *program = pool->program ? pool->program : "/proc/self/exe";
    const char *const argv[] = {program, "worker", pool->minute_ms, NULL};
    struct proc_spec spec = PROC_SPEC_INIT;

    spec.argv = argv;
    spec.env = env ? env : pool->env;
    spec.err = STDERR_FILENO;
    spec.fds = fds;
    spec.n_fds = n_fds;
    spec.flags = SPAWN_GROUP; /* Ctrl-C comes to us alone, and from us in order */
    int r = proc_start(&spec, &w->proc, err);
    if (r == ERR_OK)
        r = fd_set_nonblock(w->events, true, err);
    if (r == ERR_OK)
        r = loop_watch(pool->loop, w->events, EPOLLIN, on_readable, w, &w->watch, err);
    return r == ERR_OK ? proc_watch(w->proc, pool->loop, on_exit_of_worker, w, err) : r;
}

int pool_start(struct pool *p, const struct job *job, const char *const *env,
               struct services *services, int hold, struct err *err)
{
    CLEANUP(fd_closep) int message = -1;
    CLEANUP(fd_closep) int events = -1;
    CLEANUP(fd_closep) int theirs = -1;
    struct worker *w = mem_new(sizeof *w);

    *w = (struct worker){
        .pool = p,
        .key = mem_dup(job->key, strlen(job->key)),
        .dir = job->keep ? NULL : mem_dup(job->dir, strlen(job->dir)),
        .to = services,
        .in = BUF_INIT(EVENT_PIPE_SIZE),
        .events = -1,
        .services = -1,
    };
    event_reader_init(&w->reader, on_event, w);
    int r = message_of(job, &message, err);
    if (r == ERR_OK)
        r = fd_pipe(&w->events, &events, err);
    if (r == ERR_OK)
        r = open_services(w, &theirs, err);
    if (r == ERR_OK) {
        struct spawn_fd fds[] = {{message, WORKER_JOB_FD},
                                 {events, WORKER_EVENT_FD},
                                 {theirs, WORKER_SERVICES_FD},
                                 {hold, WORKER_HOLD_FD}};

        (void)fcntl(events, F_SETPIPE_SZ, EVENT_PIPE_SIZE); /* else the default size does */
        r = start_process(w, env, fds, COUNT_OF(fds) - (hold < 0), err);
    }
    if (r < 0) {
        worker_free(w);
        return r;
    }
    vec_push(&p->list, w);
    return ERR_OK;
}

/* ---- stopping ---- */

static void stop(struct worker *w, enum pool_stop how)
{
    static const int signals[] = {
        [POOL_CANCEL] = SIGINT, [POOL_SHUTDOWN] = SIGTERM, [POOL_KILL] = SIGQUIT};

    proc_signal(w->proc, signals[how]);
}

void pool_stop(struct pool *p, const char *key, enum pool_stop how)
{
    for (size_t i = 0; i < p->list.len; i++)
        if (strcmp(p->list.ptr[i]->key, key) == 0)
            stop(p->list.ptr[i], how);
}

void pool_stop_all(struct pool *p, enum pool_stop how)
{
    for (size_t i = 0; i < p->list.len; i++)
        stop(p->list.ptr[i], how);
}

void pool_give_up_clearing(struct pool *p)
{
    for (size_t i = p->list.len; i-- > 0;) {
        struct worker *w = p->list.ptr[i];

        if (w->sweep) {
            vec_remove(&p->list, i);
            worker_free(w);
        }
    }
}
