#include "cli/workers.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/vec.h"
#include "cli/leftovers.h"
#include "io/proc.h"

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
    EVENT_PIPE_SIZE = 1 << 20,
    SWEEP_MS = 5000
};

struct worker {
    struct workers *all;
    char *key;
    char *dir; /* the job's folder, to be removed for a worker that could not; NULL: it is kept */
    struct proc *proc;
    struct event_reader reader;
    struct buf in;
    struct watch *watch;
    int events; /* our end of the pipe; -1: at its end */
    int services; /* our end of the socket where connections from its containers come; -1: at its end */
    struct watch *services_watch;
    bool exited, finished;
    struct proc_exit how;
    char *why; /* what broke its stream; NULL: nothing */
};

struct workers {
    const struct workers_spec *spec;
    struct loop *loop;
    VEC(struct worker *) list;
    int interrupts; /* how often we were asked to stop */
    struct err first;
};

static void fail(struct workers *w, const struct err *err)
{
    if (w->first.code == ERR_OK)
        w->first = *err;
}

/* ---- what workers say ---- */

static int on_event(void *ctx, json_t *event, struct slice log, struct err *err)
{
    struct worker *w = ctx;
    struct queue *q = w->all->spec->queue;
    const char *name = json_string_value(json_object_get(event, "event"));

    if (name && strcmp(name, "job.finished") == 0)
        w->finished = true;
    int r = report_event(w->all->spec->report, event, log, err);
    return r < 0 ? r : q->ops->event(q, w->key, event, log, err);
}

static struct worker *worker_free(struct worker *w)
{
    watch_free(w->watch);
    fd_closep(&w->events);
    watch_free(w->services_watch);
    fd_closep(&w->services);
    proc_free(w->proc);
    event_reader_deinit(&w->reader);
    buf_deinit(&w->in);
    free(w->key);
    free(w->dir);
    free(w->why);
    free(w);
    return NULL;
}

static void fill_slots(struct workers *all);

/* A worker that was killed left its place behind. Its first process ends with the worker and everything
 * in it; we are its reaper, so the sweep sees that end. */
static void clean_up(struct worker *w)
{
    struct err err = ERR_INIT;

    if (proc_sweep(SWEEP_MS, &err) < 0)
        fprintf(stderr, "ostler: %s\n", err.text);
    if (w->dir)
        leftovers_of_job(w->dir, w->all->spec->env);
    if (w->dir && path_remove(AT_FDCWD, w->dir, &err) < 0)
        fprintf(stderr, "ostler: %s\n", err.text);
}

/* The worker is gone and its stream read: the queue hears of it, and the slot is free. */
static void check_end(struct worker *w)
{
    struct workers *all = w->all;
    struct queue *q = all->spec->queue;
    struct err err = ERR_INIT;
    char why[160];

    if (!w->exited || w->events >= 0)
        return;
    if (w->why)
        snprintf(why, sizeof why, "its event stream broke: %.120s", w->why);
    else if (w->how.signal)
        snprintf(why, sizeof why, "its worker was killed by signal %d", w->how.signal);
    else
        snprintf(why, sizeof why, "its worker ended early, with exit code %d", w->how.code);
    for (size_t i = 0; i < all->list.len; i++) {
        if (all->list.ptr[i] == w) {
            vec_remove(&all->list, i);
            break;
        }
    }
    if (!w->finished)
        clean_up(w);
    services_end_job(all->spec->services, w->key);
    if (q->ops->ended(q, w->key, w->finished ? NULL : why, &err) < 0)
        fail(all, &err);
    worker_free(w);
    fill_slots(all);
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
    for (size_t i = 0; i < n; i++)
        services_pass(w->all->spec->services, fds[i]);
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

/* Most actions get on without artifacts and caches, so a job is not given up for them. */
static void equip(struct workers *all, struct job *job)
{
    struct err err = ERR_INIT;

    if (services_equip(all->spec->services, job, &err) < 0)
        fprintf(stderr, "ostler: job '%s' has no artifacts and caches: %s\n", job->key, err.text);
}

static int open_services(struct worker *w, int *ret_theirs, struct err *err)
{
    int pair[2];

    if (fd_socketpair(SOCK_SEQPACKET, pair, err) < 0)
        return err->code;
    w->services = pair[0];
    *ret_theirs = pair[1];
    return loop_watch(w->all->loop, w->services, EPOLLIN, on_client, w, &w->services_watch, err);
}

static int worker_start(struct workers *all, struct job *job, struct err *err)
{
    const char *const argv[] = {"/proc/self/exe", "worker", all->spec->minute_ms, NULL};
    CLEANUP(fd_closep) int message = -1;
    CLEANUP(fd_closep) int events = -1;
    CLEANUP(fd_closep) int services = -1;
    struct worker *w = mem_new(sizeof *w);

    *w = (struct worker){
        .all = all,
        .key = mem_dup(job->key, strlen(job->key)),
        .dir = job->keep ? NULL : mem_dup(job->dir, strlen(job->dir)),
        .in = BUF_INIT(EVENT_PIPE_SIZE),
        .events = -1,
        .services = -1,
    };
    event_reader_init(&w->reader, on_event, w);
    equip(all, job);
    int r = message_of(job, &message, err);
    if (r == ERR_OK)
        r = fd_pipe(&w->events, &events, err);
    if (r == ERR_OK)
        r = open_services(w, &services, err);
    if (r == ERR_OK) {
        struct spawn_fd fds[] = {
            {message, WORKER_JOB_FD}, {events, WORKER_EVENT_FD}, {services, WORKER_SERVICES_FD}};
        struct proc_spec spec = PROC_SPEC_INIT;

        (void)fcntl(events, F_SETPIPE_SZ, EVENT_PIPE_SIZE); /* else the default size does */
        spec.argv = argv;
        spec.env = all->spec->env;
        spec.err = STDERR_FILENO;
        spec.fds = fds;
        spec.n_fds = COUNT_OF(fds);
        spec.flags = SPAWN_GROUP; /* Ctrl-C comes to us alone, and from us in order */
        r = proc_start(&spec, &w->proc, err);
    }
    if (r == ERR_OK)
        r = fd_set_nonblock(w->events, true, err);
    if (r == ERR_OK)
        r = loop_watch(all->loop, w->events, EPOLLIN, on_readable, w, &w->watch, err);
    if (r == ERR_OK)
        r = proc_watch(w->proc, all->loop, on_exit_of_worker, w, err);
    if (r < 0) {
        worker_free(w);
        return r;
    }
    vec_push(&all->list, w);
    return ERR_OK;
}

static void fill_slots(struct workers *all)
{
    struct queue *q = all->spec->queue;

    while (all->list.len < (size_t)all->spec->slots && all->first.code == ERR_OK) {
        struct err err = ERR_INIT;
        struct job *job = NULL;
        int r = q->ops->next(q, &job, &err);

        if (r == 0)
            break;
        if (r < 0) {
            fail(all, &err);
            break;
        }
        CLEANUP(free_ptr) char *key = mem_dup(job->key, strlen(job->key));
        r = worker_start(all, job, &err);
        job_deinit(job);
        free(job);
        if (r < 0 && q->ops->ended(q, key, err.text, &err) < 0)
            fail(all, &err);
    }
}

/* ---- what the queue and the user ask for ---- */

static int on_queue_event(void *ctx, json_t *event, struct slice log, struct err *err)
{
    struct workers *all = ctx;
    return report_event(all->spec->report, event, log, err);
}

static void on_queue_ready(void *ctx)
{
    fill_slots(ctx);
}

static void on_stop(void *ctx, const char *key, const char *why)
{
    struct workers *all = ctx;

    (void)why; /* the queue tells it with the job's result */
    for (size_t i = 0; i < all->list.len; i++)
        if (strcmp(all->list.ptr[i]->key, key) == 0)
            proc_signal(all->list.ptr[i]->proc, SIGINT);
}

static void on_signal(void *ctx, int signo)
{
    struct workers *all = ctx;
    struct queue *q = all->spec->queue;

    if (signo == SIGWINCH) {
        report_resize(all->spec->report);
        return;
    }
    all->interrupts++;
    q->ops->cancel(q, all->interrupts > 1);
    for (size_t i = 0; i < all->list.len && all->interrupts > 1; i++)
        proc_signal(all->list.ptr[i]->proc, SIGQUIT);
    fill_slots(all);
}

int workers_run(const struct workers_spec *spec, bool *ret_cancelled, struct err *err)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH, 0};
    struct workers all = {.spec = spec};

    int r = proc_become_reaper(err);
    if (r == ERR_OK)
        r = loop_new(&all.loop, err);
    if (r == ERR_OK)
        r = loop_signals(all.loop, signals, on_signal, &all, err);
    if (r == ERR_OK) {
        services_attach(spec->services, all.loop);
        spec->queue->client = (struct queue_client){.event = on_queue_event,
                                                    .stop = on_stop,
                                                    .ready = on_queue_ready,
                                                    .ctx = &all,
                                                    .loop = all.loop};
        fill_slots(&all);
    }
    while (r == ERR_OK && all.first.code == ERR_OK &&
           (all.list.len || !spec->queue->ops->done(spec->queue)))
        r = loop_turn(all.loop, report_tick(spec->report, clock_ms()), err);
    while (
        all.list
            .len) /* only after an error of ours: proc_free() kills, and the job's place with it */
        worker_free(all.list.ptr[--all.list.len]);
    vec_deinit(&all.list);
    services_detach(spec->services);
    if (spec->queue->ops->detach)
        spec->queue->ops->detach(spec->queue);
    loop_free(all.loop);
    *ret_cancelled = all.interrupts > 0;
    if (r == ERR_OK && all.first.code != ERR_OK) {
        *err = all.first;
        r = err->code;
    }
    return r;
}
