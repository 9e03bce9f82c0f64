/* Commands of a plugin: started in the job's sandbox, their output read, logged, captured, handed on. */
#include "plugin/host/hosting.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/utf8.h"

#include <errno.h>
#include <unistd.h>

struct pipe_end { /* stdout or stderr of the command */
    struct exec *exec;
    int number; /* 1, 2 */
    int fd;     /* -1: it has ended */
    struct watch *watch;
    struct plugin_stream *stream; /* NULL: quiet, or nothing came yet */
};

struct exec {
    struct exec *next;
    struct plugin_run *run;
    uint32_t id;
    unsigned flags;
    struct sandbox_child *child; /* NULL: it has ended, or never ran */
    struct sandbox_exit how;
    struct pipe_end pipes[2];
    struct buf captured;
    struct buf line; /* as shown */
    bool wants_data; /* the plugin has a callback */
    bool unanswered; /* a DATA frame is out: nothing more is read until its ACK */
    ost_status why;  /* OST_OK: the exit decides */
    char why_text[ERR_TEXT_SIZE];
    struct timer *timer; /* its own time limit, later the drain's */
};

/* ---- ending ---- */

static void pipe_shut(struct pipe_end *p)
{
    p->watch = watch_free(p->watch);
    fd_closep(&p->fd);
    if (p->stream)
        p->exec->run->spec.services->stream_close(p->stream);
    p->stream = NULL;
}

static void exec_free(struct exec *x)
{
    x->timer = timer_free(x->timer);
    buf_deinit(&x->captured);
    buf_deinit(&x->line);
    free(x);
}

static void unlink_exec(struct exec *x)
{
    for (struct exec **at = &x->run->execs; *at; at = &(*at)->next) {
        if (*at == x) {
            *at = x->next;
            break;
        }
    }
    x->run->n_running--;
}

static void fail(struct exec *x, ost_status why, const char *text)
{
    if (x->why < 0) /* the first reason is the one to tell */
        return;
    x->why = why;
    snprintf(x->why_text, sizeof x->why_text, "%s", text);
}

/* What its end means, if nothing was decided before. */
static void judge(struct exec *x)
{
    char text[ERR_TEXT_SIZE];

    if (x->run->cancelled)
        fail(x, OST_E_CANCELLED, "cancelled");
    if (!(x->flags & OST_EXEC_CHECK) || x->how.code == 0)
        return;
    if (x->how.signal)
        snprintf(text, sizeof text, "'%.150s' was ended by signal %d", x->line.ptr, x->how.signal);
    else
        snprintf(text, sizeof text, "'%.150s' exited with code %d", x->line.ptr, x->how.code);
    fail(x, OST_E_EXIT, text);
}

static void answer(struct exec *x)
{
    struct buf *to = &x->run->to_send;
    struct err err;
    size_t at;

    wire_begin(to, WIRE_EXITED, x->id, &at);
    wire_put_int(to, x->why);
    wire_put_text(to, x->why < 0 ? x->why_text : "");
    wire_put_int(to, x->how.signal ? -1 : x->how.code);
    wire_put_int(to, x->how.signal);
    wire_put_bytes(to, x->why == OST_E_LIMIT ? (struct slice){0} : buf_slice(&x->captured));
    if (wire_close(to, at, &err) < 0)
        to->overflow = true;
}

/* Ends X once the command is gone, its output read and the plugin's callback back. */
static void settle(struct exec *x)
{
    struct plugin_run *r = x->run;

    if (x->child || x->pipes[0].fd >= 0 || x->pipes[1].fd >= 0 || x->unanswered)
        return;
    judge(x);
    answer(x);
    unlink_exec(x);
    exec_free(x);
    hosting_flush(r);
}

/* Its descendants may hold its pipes for ever; what comes later than this is lost. */
static void on_drain(void *ctx)
{
    struct exec *x = ctx;
    struct plugin_run *r = x->run;

    x->timer = NULL;
    pipe_shut(&x->pipes[0]);
    pipe_shut(&x->pipes[1]);
    settle(x);
    hosting_settle(r);
}

static void on_exited(void *ctx, struct sandbox_exit how)
{
    struct exec *x = ctx;
    struct plugin_run *r = x->run;

    x->child = NULL;
    x->how = how;
    x->timer = timer_free(x->timer);
    x->timer = loop_timer(r->loop, clock_ms() + PLUGIN_DRAIN_MS, on_drain, x);
    settle(x);
    hosting_settle(r);
}

static void on_timeout(void *ctx)
{
    struct exec *x = ctx;

    x->timer = NULL;
    fail(x, OST_E_TIMEOUT, "the command did not end within its time limit");
    sandbox_stop(x->child, false);
}

/* ---- output ---- */

static void on_pipe(void *ctx, uint32_t events);

static int listen_to(struct pipe_end *p, struct err *err)
{
    return loop_watch(p->exec->run->loop, p->fd, EPOLLIN, on_pipe, p, &p->watch, err);
}

/* Until the plugin has taken what was sent, nothing more is read: the command waits, not our memory. A
 * watch with no events would still report the hang-up, over and over; so there is none. */
static void pause_reading(struct exec *x)
{
    x->unanswered = true;
    for (int i = 0; i < 2; i++)
        x->pipes[i].watch = watch_free(x->pipes[i].watch);
}

static void resume_reading(struct exec *x)
{
    struct err err = ERR_INIT;

    x->unanswered = false;
    for (int i = 0; i < 2; i++)
        if (x->pipes[i].fd >= 0 && listen_to(&x->pipes[i], &err) < 0) {
            fail(x, OST_E_IO, err.text);
            pipe_shut(&x->pipes[i]);
        }
}

static void hand_on(struct pipe_end *p, struct slice bytes)
{
    struct buf *to = &p->exec->run->to_send;
    struct err err;
    size_t at;

    wire_begin(to, WIRE_DATA, p->exec->id, &at);
    wire_put_int(to, p->number);
    wire_put_bytes(to, bytes);
    if (wire_close(to, at, &err) < 0)
        to->overflow = true;
    pause_reading(p->exec);
    hosting_flush(p->exec->run);
}

static void capture(struct exec *x, struct slice bytes)
{
    buf_add(&x->captured, bytes);
    if (x->captured.overflow && x->why == OST_OK) {
        fail(x, OST_E_LIMIT, "the command wrote more than 1 MiB to be captured");
        if (x->child)
            sandbox_stop(x->child, false);
    }
}

static void take(struct pipe_end *p, struct slice bytes)
{
    struct exec *x = p->exec;
    const struct plugin_spec *spec = &x->run->spec;

    if (!(x->flags & OST_EXEC_QUIET)) {
        if (!p->stream)
            p->stream = spec->services->stream_open(spec->ctx, x->flags & OST_EXEC_COMMANDS);
        spec->services->stream_feed(p->stream, bytes);
    }
    if (p->number == 1 && x->flags & OST_EXEC_CAPTURE)
        capture(x, bytes);
    if (x->wants_data)
        hand_on(p, bytes);
}

static void on_pipe(void *ctx, uint32_t events)
{
    struct pipe_end *p = ctx;
    struct exec *x = p->exec;
    struct plugin_run *r = x->run;
    CLEANUP(buf_deinit) struct buf bytes = BUF_INIT(HOSTING_READ_SIZE);
    ssize_t n = fd_read_some(p->fd, &bytes, HOSTING_READ_SIZE);

    (void)events;
    if (n > 0)
        take(p, buf_slice(&bytes));
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        pipe_shut(p);
    settle(x);
    hosting_settle(r);
}

void exec_acknowledged(struct plugin_run *r, struct wire_frame *f)
{
    int64_t status = wire_int(f);
    struct err err;
    struct exec *x = r->execs;

    while (x && x->id != f->id)
        x = x->next;
    if (wire_done(f, &err) < 0 || (x && !x->unanswered)) {
        hosting_break(r, "%s sent a malformed message (ACK)", r->spec.plugin->id);
        return;
    }
    if (!x)
        return;
    if (status < 0) {
        x->wants_data = false;
        fail(x, status < OST_E_EXIT ? OST_E_FAILED : (ost_status)status,
             "the plugin stopped the command");
        if (x->child)
            sandbox_stop(x->child, false);
    }
    resume_reading(x);
    settle(x);
}

/* ---- starting ---- */

struct request { /* a decoded EXEC; texts are borrowed from the frame */
    unsigned flags;
    int64_t timeout_ms;
    bool wants_data, has_input;
    const char **argv, **env; /* NULL-terminated; in the arena */
    const char *cwd;          /* NULL: the step's */
    struct slice input;
    struct arena arena;
};

static void request_deinit(struct request *q)
{
    arena_deinit(&q->arena);
}

/* Each text takes at least 5 bytes of the frame, so its size bounds the count. */
static const char **take_list(struct wire_frame *f, struct arena *a, size_t room)
{
    int64_t n = wire_int(f);

    if (n < 0 || (uint64_t)n > f->rest.len / 5) {
        f->bad = true;
        n = 0;
    }
    const char **list = arena_array(a, (size_t)n + room + 1, sizeof *list);
    for (int64_t i = 0; i < n; i++)
        list[i] = wire_text(f).ptr;
    return list;
}

static int decode(struct plugin_run *r, struct wire_frame *f, struct request *q, struct err *err)
{
    const int64_t known = OST_EXEC_CHECK | OST_EXEC_QUIET | OST_EXEC_CAPTURE | OST_EXEC_COMMANDS;
    int64_t flags = wire_int(f);
    size_t size = f->rest.len;

    q->flags = (unsigned)(flags & known);
    q->timeout_ms = wire_int(f);
    q->wants_data = wire_int(f);
    q->argv = take_list(f, &q->arena, 0);
    q->env = take_list(f, &q->arena, 0);
    q->cwd = wire_maybe(f).ptr;
    q->has_input = wire_int(f);
    q->input = wire_bytes(f);
    int e = wire_done(f, err);
    if (e < 0 || flags & ~known || !q->argv[0] || !q->argv[0][0]) {
        hosting_break(r, "%s sent a malformed message (EXEC)", r->spec.plugin->id);
        return err_set(err, ERR_INVALID, "malformed");
    }
    if (size > PLUGIN_COMMAND_MAX)
        return err_set(err, ERR_LIMIT,
                       "the command, its environment and its input are larger than %d bytes",
                       PLUGIN_COMMAND_MAX);
    for (const char *const *v = q->env; *v; v++)
        if (!strchr(*v, '=') || **v == '=')
            return err_set(err, ERR_INVALID, "'%.60s' in env is not of the form NAME=value", *v);
    return ERR_OK;
}

/* A command line for people: words that need it are quoted as a shell would want them. */
static void show_line(const char *const *argv, struct buf *to)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "%+,-./:=@_";

    for (const char *const *word = argv; *word && to->len < to->max / 2; word++) {
        CLEANUP(buf_deinit) struct buf clean = BUF_INIT(PLUGIN_LOG_MAX / 4);

        if (word != argv)
            buf_add_char(to, ' ');
        if (**word && (*word)[strspn(*word, plain)] == '\0') {
            buf_add_str(to, *word);
            continue;
        }
        utf8_clean(slice_head(slice_of(*word), PLUGIN_LOG_MAX / 16), &clean);
        buf_add_char(to, '\'');
        for (const char *c = clean.ptr; *c; c++)
            if (*c == '\'')
                buf_add_str(to, "'\\''");
            else
                buf_add_char(to, *c == '\n' ? ' ' : *c);
        buf_add_char(to, '\'');
    }
}

static bool overrides(const char *const *more, const char *one)
{
    size_t n = strcspn(one, "=");

    for (; *more; more++)
        if (strncmp(*more, one, n) == 0 && (*more)[n] == '=')
            return true;
    return false;
}

/* The job's environment with Q's on top. */
static const char **merge_env(const struct plugin_spec *spec, struct request *q)
{
    size_t n = 0, n_base = 0, n_more = 0;

    while (spec->env && spec->env[n_base])
        n_base++;
    while (q->env[n_more])
        n_more++;
    const char **all = arena_array(&q->arena, n_base + n_more + 1, sizeof *all);
    for (size_t i = 0; i < n_base; i++)
        if (!overrides(q->env, spec->env[i]))
            all[n++] = spec->env[i];
    for (size_t i = 0; i < n_more; i++)
        all[n++] = q->env[i];
    return all;
}

static int open_pipe(struct pipe_end *p, int *ret_write, struct err *err)
{
    int e = fd_pipe(&p->fd, ret_write, err);

    if (e == ERR_OK)
        e = fd_set_nonblock(p->fd, true, err);
    return e == ERR_OK ? listen_to(p, err) : e;
}

static int start(struct exec *x, struct request *q, struct err *err)
{
    const struct plugin_spec *spec = &x->run->spec;
    CLEANUP(fd_closep) int in = -1;
    CLEANUP(fd_closep) int out = -1;
    CLEANUP(fd_closep) int err_fd = -1;
    CLEANUP(free_ptr) char *cwd = q->cwd ? path_join(spec->cwd, q->cwd) : NULL;
    int e;

    if (!spec->sandbox)
        return err_set(err, ERR_UNSUPPORTED, "there is no place to run a command in");
    if ((e = q->has_input ? fd_memory(q->input, &in, err) : ERR_OK) < 0 ||
        (e = open_pipe(&x->pipes[0], &out, err)) < 0 ||
        (e = open_pipe(&x->pipes[1], &err_fd, err)) < 0)
        return e;
    const struct sandbox_command cmd = {
        .argv = q->argv,
        .env = merge_env(spec, q),
        /* The job's PATH finds the program, whatever PATH it is given. */
        .search_path = spec->search_path ? spec->search_path : spawn_env_path(spec->env),
        .cwd = cwd ? cwd : spec->cwd,
        .in = in,
        .out = out,
        .err = err_fd,
    };
    e = sandbox_start(spec->sandbox, &cmd, on_exited, x, &x->child, err);
    if (e == ERR_OK && q->timeout_ms > 0)
        x->timer = loop_timer(x->run->loop, clock_ms() + q->timeout_ms, on_timeout, x);
    return e;
}

static struct exec *exec_new(struct plugin_run *r, uint32_t id, const struct request *q)
{
    struct exec *x = mem_new(sizeof *x);

    x->run = r;
    x->id = id;
    x->flags = q->flags;
    x->wants_data = q->wants_data;
    x->captured = (struct buf)BUF_INIT(PLUGIN_CAPTURE_MAX);
    x->line = (struct buf)BUF_INIT(PLUGIN_LOG_MAX);
    for (int i = 0; i < 2; i++)
        x->pipes[i] = (struct pipe_end){.exec = x, .number = i + 1, .fd = -1};
    show_line(q->argv, &x->line);
    x->next = r->execs;
    r->execs = x;
    r->n_running++;
    return x;
}

/* In a dry run: one line of the plan, exit 0 and empty output. */
static void record(struct exec *x, const struct request *q)
{
    const struct plugin_spec *spec = &x->run->spec;

    if (q->flags & OST_EXEC_CAPTURE || q->wants_data)
        x->run->unknown = true;
    struct slice cwd = slice_of(q->cwd);

    spec->services->plan(spec->ctx, "exec", x->line.ptr,
                         utf8_valid(cwd) == cwd.len && cwd.len ? cwd.ptr : "");
}

static int begin(struct exec *x, struct request *q, struct err *err)
{
    struct plugin_run *r = x->run;

    if (r->cancelled)
        return err_set(err, ERR_CANCELLED, "cancelled");
    if (r->dry) {
        record(x, q);
        return ERR_OK;
    }
    if (r->n_running > PLUGIN_EXECS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d commands at one time", PLUGIN_EXECS_MAX);
    if (!(q->flags & OST_EXEC_QUIET))
        r->spec.services->command(r->spec.ctx, buf_slice(&x->line));
    r->n_execs++;
    return start(x, q, err);
}

void exec_request(struct plugin_run *r, struct wire_frame *f)
{
    CLEANUP(request_deinit) struct request q = {.arena = ARENA_INIT};
    struct err err = ERR_INIT;
    int e = decode(r, f, &q, &err);

    if (r->over || !r->proc) /* a dead plugin starts nothing */
        return;
    struct exec *x = exec_new(r, f->id, &q);
    if (e == ERR_OK)
        e = begin(x, &q, &err);
    if (e < 0) {
        fail(x, requests_code(&err), err.text);
        pipe_shut(&x->pipes[0]);
        pipe_shut(&x->pipes[1]);
    }
    settle(x);
}

/* ---- all of them ---- */

void exec_stop_all(struct plugin_run *r, bool now)
{
    for (struct exec *x = r->execs, *next; x; x = next) {
        next = x->next;
        if (x->child)
            sandbox_stop(x->child, now);
        if (now && x->unanswered) { /* there is nobody left to answer */
            x->wants_data = false;
            resume_reading(x);
            settle(x);
        }
    }
}

void exec_drop_all(struct plugin_run *r)
{
    while (r->execs) {
        struct exec *x = r->execs;

        pipe_shut(&x->pipes[0]);
        pipe_shut(&x->pipes[1]);
        x->timer = timer_free(x->timer);
        unlink_exec(x);
        if (x->child) {
            sandbox_stop(x->child, true);
            sandbox_child_free(x->child); /* it dies without telling us */
        }
        exec_free(x);
    }
}
