#include "job/process.h"

#include "base/clock.h"
#include "base/fd.h"
#include "job/steps.h"

#include <errno.h>
#include <fcntl.h>

struct stream {
    struct process *process;
    enum log_stream kind;
    int fd;
    struct watch *watch;
};

struct process {
    struct step_run *step;
    struct sandbox_child *child;
    struct stream streams[2];
    struct buf chunk;
    struct timer *grace;
    bool exited;
    struct sandbox_exit how;
    process_fn *fn;
    void *ctx;
};

static void stream_close(struct stream *st)
{
    struct err err = ERR_INIT;

    if (st->fd >= 0 && log_end(st->process->step->log, st->kind, &err) < 0)
        run_lose(st->process->step->run);
    st->watch = watch_free(st->watch);
    fd_closep(&st->fd);
}

struct process *process_free(struct process *p)
{
    if (!p)
        return NULL;
    timer_free(p->grace);
    for (size_t i = 0; i < COUNT_OF(p->streams); i++)
        stream_close(&p->streams[i]);
    if (p->child && !p->exited)
        sandbox_child_free(p->child);
    buf_deinit(&p->chunk);
    free(p);
    return NULL;
}

/* Calls FN once all is in; P may be gone afterwards. */
static void check_end(struct process *p)
{
    if (p->exited && p->streams[0].fd < 0 && p->streams[1].fd < 0)
        p->fn(p->ctx, p->how);
}

/* One read of ST into the log. False: it is at its end, and closed. */
static bool read_some(struct stream *st)
{
    struct process *p = st->process;
    struct err err = ERR_INIT;

    buf_clear(&p->chunk);
    ssize_t n = fd_read_some(st->fd, &p->chunk, PROCESS_PIPE_SIZE);
    if (n < 0 && errno == EAGAIN)
        return true;
    if (n <= 0) {
        stream_close(st);
        return false;
    }
    if (log_feed(p->step->log, st->kind, buf_slice(&p->chunk), &err) < 0)
        run_lose(p->step->run);
    return true;
}

static void on_output(void *ctx, uint32_t events)
{
    struct stream *st = ctx;
    struct process *p = st->process;
    struct stream *errors = &p->streams[1];

    (void)events;
    if (st != errors && errors->fd >= 0) /* of one round, what went wrong comes first */
        (void)read_some(errors);
    if (!read_some(st) || errors->fd < 0)
        check_end(p);
}

/* Reads what is there already and closes: nobody waits for whoever still holds the other end. */
static void on_grace_over(void *ctx)
{
    struct process *p = ctx;

    p->grace = NULL;
    for (size_t i = 0; i < COUNT_OF(p->streams); i++)
        stream_close(&p->streams[i]);
    check_end(p);
}

static void on_exit_of_child(void *ctx, struct sandbox_exit how)
{
    struct process *p = ctx;

    p->exited = true;
    p->child = NULL;
    p->how = how;
    if (p->streams[0].fd >= 0 || p->streams[1].fd >= 0)
        p->grace = loop_timer(p->step->run->loop, clock_ms() + PROCESS_GRACE_MS, on_grace_over, p);
    check_end(p);
}

static int stream_open(struct process *p, struct stream *st, int *ret_write, struct err *err)
{
    int r = fd_pipe(&st->fd, ret_write, err);

    if (r < 0)
        return r;
    /* a bigger pipe saves wake-ups; where the user's share is used up the default does */
    (void)fcntl(st->fd, F_SETPIPE_SZ, PROCESS_PIPE_SIZE);
    r = fd_set_nonblock(st->fd, true, err);
    if (r < 0)
        return r;
    return loop_watch(p->step->run->loop, st->fd, EPOLLIN, on_output, st, &st->watch, err);
}

int process_start(struct step_run *s, const struct process_spec *spec, process_fn *fn, void *ctx,
                  struct process **ret, struct err *err)
{
    CLEANUP(fd_closep) int out = -1;
    CLEANUP(fd_closep) int error = -1;
    struct process *p = mem_new(sizeof *p);

    *p = (struct process){
        .step = s,
        .chunk = BUF_INIT(PROCESS_PIPE_SIZE),
        .fn = fn,
        .ctx = ctx,
    };
    p->streams[0] = (struct stream){.process = p, .kind = LOG_STDOUT, .fd = -1};
    p->streams[1] = (struct stream){.process = p, .kind = LOG_STDERR, .fd = -1};
    int r = stream_open(p, &p->streams[0], &out, err);
    if (r == ERR_OK)
        r = stream_open(p, &p->streams[1], &error, err);
    if (r == ERR_OK) {
        struct sandbox_command cmd = {
            .argv = spec->argv,
            .env = spec->env,
            .search_path = spec->search_path,
            .cwd = spec->cwd,
            .in = spec->in ? spec->in : -1,
            .out = out,
            .err = error,
        };
        struct sandbox *place = spec->place ? spec->place : s->run->sandbox;

        r = sandbox_start(place, &cmd, on_exit_of_child, p, &p->child, err);
    }
    if (r < 0) {
        process_free(p);
        return r;
    }
    *ret = p;
    return ERR_OK;
}

void process_stop(struct process *p, bool now)
{
    if (p->child) {
        sandbox_stop(p->child, now);
    } else if (now && p->grace) { /* from the loop: who stops it still looks at the step */
        timer_free(p->grace);
        p->grace = loop_timer(p->step->run->loop, clock_ms(), on_grace_over, p);
    }
}
