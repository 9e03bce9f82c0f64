/* A phase from start to end: the child, its socket, its output, its outcome. */
#include "plugin/host/hosting.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "plugin/child/child.h"
#include "plugin/child/crash.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- outcome ---- */

void hosting_conclude(struct plugin_run *r, enum plugin_end_kind kind, ost_status status,
                      const char *fmt, ...)
{
    va_list ap;

    if (r->over)
        return;
    r->over = true;
    va_start(ap, fmt);
    buf_vprintf(&r->text, fmt, ap);
    va_end(ap);
    r->end = (struct plugin_end){.kind = kind, .status = status};
}

void hosting_break(struct plugin_run *r, const char *fmt, ...)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(PLUGIN_LOG_MAX + 1024);
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    hosting_conclude(r, PLUGIN_BROKE, OST_E_FAILED, "%s", text.ptr);
    if (r->proc)
        proc_signal(r->proc, SIGKILL); /* it cannot have children */
}

static void who(const struct plugin_run *r, struct buf *to)
{
    buf_printf(to, "%s%s%s", r->spec.plugin->id, r->spec.plugin->version ? " " : "",
               r->spec.plugin->version ? r->spec.plugin->version : "");
}

static const char *signal_name(int signo, char room[24])
{
    const char *name = sigabbrev_np(signo);

    if (name)
        snprintf(room, 24, "SIG%s", name);
    else
        snprintf(room, 24, "signal %d", signo);
    return room;
}

/* The child has ended without saying how its phase did: why? */
static void conclude_death(struct plugin_run *r, struct proc_exit how)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1024);
    struct crash_report report;
    bool told = read(r->crash, &report, sizeof report) == sizeof report;
    char name[24];

    if (r->over)
        return;
    who(r, &text);
    if (!how.signal) {
        hosting_conclude(r, PLUGIN_BROKE, OST_E_FAILED,
                         "%s ended its process in %s (exit code %d) instead of returning", text.ptr,
                         r->phase_name, how.code);
        return;
    }
    buf_printf(&text, " %s in %s (%s", how.signal == SIGKILL ? "was killed" : "crashed",
               r->phase_name, signal_name(how.signal, name));
    if (told && report.known)
        buf_printf(&text, " at %s+0x%llx", r->spec.plugin->object,
                   (unsigned long long)report.offset);
    if (r->n_execs)
        buf_printf(&text, ", after exec #%u", r->n_execs);
    buf_add_char(&text, ')');
    hosting_conclude(r, PLUGIN_BROKE, OST_E_FAILED, "%s", text.ptr);
}

void hosting_settle(struct plugin_run *r)
{
    if (r->over && r->execs)
        exec_stop_all(r, true); /* a thread had it running when the phase ended */
    if (r->over)
        transfers_stop(r, false);
    if (r->proc || r->socket >= 0 || r->out.fd >= 0 || r->err.fd >= 0 || r->execs || !r->over)
        return;
    r->kill_timer = timer_free(r->kill_timer);
    r->drain_timer = timer_free(r->drain_timer);
    r->progress.timer = timer_free(r->progress.timer);
    r->end.text = r->text.ptr;
    r->end.n_execs = r->n_execs;
    plugin_end_fn *end = r->spec.end;
    r->spec.end = NULL; /* once */
    if (end)
        end(r->spec.ctx, &r->end);
}

/* ---- the socket ---- */

static void close_socket(struct plugin_run *r)
{
    r->socket_watch = watch_free(r->socket_watch);
    fd_closep(&r->socket);
}

void hosting_flush(struct plugin_run *r)
{
    size_t done = 0;

    while (r->socket >= 0 && done < r->to_send.len) {
        ssize_t n = send(r->socket, r->to_send.ptr + done, r->to_send.len - done,
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            done = r->to_send.len; /* it is gone; what it said before is still to be read */
            break;
        }
        if (n < 0)
            break;
        done += (size_t)n;
    }
    buf_consume(&r->to_send, done);
    if (r->socket_watch)
        watch_set(r->socket_watch,
                  (r->to_send.len ? (uint32_t)EPOLLOUT : 0u) |
                      (r->to_send.len < HOSTING_BACKLOG_MAX ? (uint32_t)EPOLLIN : 0u));
}

/* Serves the whole frames that are there, until the answers pile up. */
static void serve(struct plugin_run *r)
{
    struct slice rest = buf_slice(&r->in);
    struct err err = ERR_INIT;

    while (r->to_send.len < HOSTING_BACKLOG_MAX) {
        struct wire_frame f;
        int n = r->over ? 0 : wire_next(&rest, &f, &err);

        if (n < 0)
            hosting_break(r, "%s sent what is no message: %s", r->spec.plugin->id, err.text);
        if (n <= 0)
            break;
        requests_serve(r, &f);
        if (r->to_send.overflow)
            hosting_break(r, "%s does not read its answers", r->spec.plugin->id);
    }
    if (r->over)
        buf_clear(&r->in);
    else
        buf_consume(&r->in, r->in.len - rest.len);
}

static void on_socket(void *ctx, uint32_t events)
{
    struct plugin_run *r = ctx;
    ssize_t n = -1;

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && r->to_send.len < HOSTING_BACKLOG_MAX) {
        char *to = buf_reserve(&r->in, HOSTING_READ_SIZE);

        if (!to)
            BUG("no room for a frame that the limits allow");
        do
            n = recv(r->socket, to, HOSTING_READ_SIZE, MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);
        if (n > 0)
            r->in.len += (size_t)n;
    }
    serve(r);
    if (n == 0 || (n < 0 && events & (EPOLLHUP | EPOLLERR) && errno != EAGAIN))
        close_socket(r);
    hosting_flush(r);
    hosting_settle(r);
}

/* ---- its own output ---- */

static void close_source(struct source *s)
{
    s->watch = watch_free(s->watch);
    fd_closep(&s->fd);
    if (s->stream)
        s->run->spec.services->stream_close(s->stream);
    s->stream = NULL;
}

static void on_source(void *ctx, uint32_t events)
{
    struct source *s = ctx;
    struct plugin_run *r = s->run;
    CLEANUP(buf_deinit) struct buf bytes = BUF_INIT(HOSTING_READ_SIZE);
    ssize_t n = fd_read_some(s->fd, &bytes, HOSTING_READ_SIZE);

    (void)events;
    if (n > 0 && !s->stream)
        s->stream = r->spec.services->stream_open(r->spec.ctx, false);
    if (n > 0)
        r->spec.services->stream_feed(s->stream, buf_slice(&bytes));
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        close_source(s);
    hosting_settle(r);
}

/* ---- ends ---- */

/* Somebody still holds its pipes (without a filter it could fork): enough. */
static void on_drain(void *ctx)
{
    struct plugin_run *r = ctx;

    r->drain_timer = NULL;
    close_source(&r->out);
    close_source(&r->err);
    close_socket(r);
    hosting_settle(r);
}

/* The socket ended, or will at once: all that it said comes before that. */
static void read_rest(struct plugin_run *r)
{
    for (int rounds = 0; r->socket >= 0 && rounds < 1000; rounds++) {
        char *to = buf_reserve(&r->in, HOSTING_READ_SIZE);
        ssize_t n = to ? recv(r->socket, to, HOSTING_READ_SIZE, MSG_DONTWAIT) : 0;

        if (n > 0)
            r->in.len += (size_t)n;
        else if (n == 0 || errno != EINTR)
            close_socket(r);
        buf_clear(&r->to_send); /* nobody reads an answer */
        serve(r);
    }
    close_socket(r);
}

static void on_exit_(void *ctx, struct proc_exit how)
{
    struct plugin_run *r = ctx;

    r->proc = proc_free(r->proc);
    r->kill_timer = timer_free(r->kill_timer);
    read_rest(r);
    if (r->cancelled && how.signal == SIGKILL && !r->over) {
        CLEANUP(buf_deinit) struct buf name = BUF_INIT(1024);

        who(r, &name);
        hosting_conclude(r, PLUGIN_BROKE, OST_E_CANCELLED,
                         "%s did not stop within %d s of being cancelled and was killed", name.ptr,
                         PLUGIN_KILL_MS / 1000);
    }
    conclude_death(r, how);
    r->drain_timer = loop_timer(r->loop, clock_ms() + PLUGIN_DRAIN_MS, on_drain, r);
    hosting_settle(r);
}

/* ---- cancel ---- */

static void on_kill(void *ctx)
{
    struct plugin_run *r = ctx;

    r->kill_timer = NULL;
    if (r->proc)
        proc_signal(r->proc, SIGKILL);
}

void plugin_cancel(struct plugin_run *r)
{
    const uint64_t one = 1;

    if (r->cancelled)
        return;
    r->cancelled = true;
    if (write(r->cancel_fd, &one, sizeof one) < 0)
        BUG("an eventfd at 0 does not take 1");
    exec_stop_all(r, false);
    transfers_stop(r, true);
    r->kill_timer = loop_timer(r->loop, clock_ms() + PLUGIN_KILL_MS, on_kill, r);
}

/* ---- start ---- */

static int make_source(struct plugin_run *r, struct source *s, int *ret_write, struct err *err)
{
    int e = fd_pipe(&s->fd, ret_write, err);

    if (e < 0 || (e = fd_set_nonblock(s->fd, true, err)) < 0)
        return e;
    return loop_watch(r->loop, s->fd, EPOLLIN, on_source, s, &s->watch, err);
}

static void put_writable(struct plugin_run *r)
{
    const struct plugin_spec *s = &r->spec;
    const char *list[CHILD_WRITABLE_MAX];
    int64_t n = 0;

    if (s->temp)
        list[n++] = s->temp;
    if (r->plan ? s->rehearsal : s->plugin->needs & OST_NEED_WORKSPACE_WRITE) {
        const char *const more[] = {s->home, s->workspace, s->tools};

        for (size_t i = 0; i < COUNT_OF(more); i++)
            if (more[i] && *more[i])
                list[n++] = more[i];
    }
    wire_put_int(&r->to_send, n);
    for (int64_t i = 0; i < n; i++)
        wire_put_text(&r->to_send, list[i]);
}

/* What a program cannot know by itself; NULL: it is none. The caller frees it. */
static char *contract_text(const struct plugin *p)
{
    if (p->protocol == PLUGIN_OBJECT)
        return NULL;
    json_t *json = plugin_to_json(p);
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

/* False: its policy leaves it no host to ask. */
static bool may_ask(const struct plugin_spec *s)
{
    const json_t *list;
    size_t i;

    json_array_foreach (s->hosts, i, list)
        if (!json_array_size(list))
            return false;
    return true;
}

static int put_start(struct plugin_run *r, enum child_mode mode, bool has_place, struct err *err)
{
    const struct plugin_spec *s = &r->spec;
    CLEANUP(free_ptr) char *object = mode == CHILD_RUN ? plugin_object_path(s->plugin) : NULL;
    const char *places[] = {s->workspace, s->temp, s->tools, s->home};
    bool network = s->plugin->needs & OST_NEED_NETWORK && !s->hosts && !r->dry && mode == CHILD_RUN;
    struct buf *to = &r->to_send;
    size_t at;

    wire_begin(to, WIRE_START, 0, &at);
    wire_put_int(to, WIRE_VERSION);
    wire_put_int(to, mode);
    /* To a plugin whose main is recorded it is main that runs. */
    wire_put_int(to, r->plan && !plugin_has_phase(s->plugin, OST_PHASE_PLAN) ? OST_PHASE_MAIN
                                                                             : s->phase);
    wire_put_text(to, s->plugin->object);
    wire_put_int(to, has_place);
    wire_put_int(to, network);
    wire_put_int(to, s->forked);
    /* a plan is made without any */
    wire_put_int(to, mode == CHILD_RUN && (r->dry || (s->service && s->service->url)));
    wire_put_int(to, mode == CHILD_RUN && s->plugin->needs & OST_NEED_NETWORK &&
                         (r->dry || s->service) && may_ask(s));
    wire_put_int(to, r->plan);
    wire_put_int(to, mode == CHILD_RUN && s->services->call);
    wire_put_int(to, s->services && s->services->record);
    wire_put_int(to, s->plugin->protocol);
    CLEANUP(free_ptr) char *contract = contract_text(s->plugin);
    wire_put_text(to, contract ? contract : "");
    wire_put_int(to, s->deadline_ms);
    wire_put_text(to, s->cwd ? s->cwd : "");
    for (size_t i = 0; i < COUNT_OF(places); i++)
        wire_put_text(to, places[i] ? places[i] : "");
    if (object)
        *strrchr(object, '/') = '\0';
    wire_put_text(to, object ? object : "");
    put_writable(r);
    wire_put_int(to, (int64_t)s->n_shown);
    for (size_t i = 0; i < s->n_shown; i++) {
        wire_put_text(to, s->shown[i].from);
        wire_put_text(to, s->shown[i].to);
    }
    wire_put_int(to, s->inputs ? (int64_t)s->inputs->len : 0);
    if (s->inputs)
        STRMAP_EACH (item, s->inputs) {
            wire_put_slice(to, strmap_name(item));
            wire_put_slice(to, strmap_value(item));
        }
    return wire_close(to, at, err);
}

/* A secret is known before anything that holds it can run. */
static void mask_inputs(struct plugin_run *r)
{
    const struct plugin *p = r->spec.plugin;

    for (size_t i = 0; i < p->n_inputs; i++) {
        struct slice value = {0};

        if (p->inputs[i].flags & OST_SECRET &&
            strmap_find(r->spec.inputs, slice_of(p->inputs[i].name), &value) && value.len)
            r->spec.services->mask(r->spec.ctx, value);
    }
}

struct ends { /* the child's ends of things, closed here once it has them */
    int socket, out, err, crash;
};

static void ends_close(struct ends *e)
{
    fd_closep(&e->socket);
    fd_closep(&e->out);
    fd_closep(&e->err);
    fd_closep(&e->crash);
}

static int open_ends(struct plugin_run *r, enum child_mode mode, struct ends *theirs,
                     struct err *err)
{
    int pair[2], e;

    if ((e = fd_socketpair(SOCK_STREAM, pair, err)) < 0)
        return e;
    r->socket = pair[0];
    theirs->socket = pair[1];
    if ((e = fd_pipe(&r->crash, &theirs->crash, err)) < 0 ||
        (e = fd_set_nonblock(r->crash, true, err)) < 0)
        return e;
    r->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->cancel_fd < 0)
        return err_sys(err, "cannot make an eventfd");
    if (mode == CHILD_RUN && ((e = make_source(r, &r->out, &theirs->out, err)) < 0 ||
                              (e = make_source(r, &r->err, &theirs->err, err)) < 0))
        return e;
    return loop_watch(r->loop, r->socket, EPOLLIN, on_socket, r, &r->socket_watch, err);
}

static int launch(struct plugin_run *r, enum child_mode mode, struct err *err)
{
    static const char *const env[] = {NULL};
    /* The running program itself, also when its file has been replaced meanwhile. */
    const char *const argv[] = {r->spec.child ? r->spec.child : "/proc/self/exe", "plugin-child",
                                NULL};
    CLEANUP(ends_close) struct ends theirs = {-1, -1, -1, -1};
    const struct sandbox *place = r->spec.own_side ? r->spec.own_side : r->spec.sandbox;
    bool has_place = place && sandbox_namespace(place, SANDBOX_NS_MOUNT) >= 0;
    int e;

    if ((e = put_start(r, mode, has_place, err)) < 0 || (e = open_ends(r, mode, &theirs, err)) < 0)
        return e;
    struct spawn_fd fds[4 + SANDBOX_NS_KINDS] = {
        {theirs.socket, CHILD_SOCKET},
        {r->spec.object, CHILD_OBJECT},
        {theirs.crash, CHILD_CRASH},
        {r->cancel_fd, CHILD_CANCEL},
    };
    size_t n_fds = 4;
    for (int i = 0; has_place && i < SANDBOX_NS_KINDS; i++)
        fds[n_fds++] =
            (struct spawn_fd){sandbox_namespace(place, (enum sandbox_ns)i), CHILD_PLACE + i};
    struct proc_spec spec = PROC_SPEC_INIT;

    spec.argv = argv;
    spec.call = r->spec.forked ? plugin_child_main : NULL;
    spec.env = env;
    spec.out = theirs.out;
    spec.err = theirs.err;
    spec.fds = fds;
    spec.n_fds = n_fds;
    if ((e = proc_start(&spec, &r->proc, err)) < 0)
        return e;
    hosting_flush(r);
    return proc_watch(r->proc, r->loop, on_exit_, r, err);
}

static struct plugin_run *run_new(const struct plugin_spec *spec, struct loop *loop)
{
    struct plugin_run *r = mem_new(sizeof *r);

    r->spec = *spec;
    r->loop = loop;
    r->socket = r->crash = r->cancel_fd = r->out.fd = r->err.fd = -1;
    r->out.run = r->err.run = r;
    r->in = (struct buf)BUF_INIT(WIRE_FRAME_MAX + sizeof(struct wire_head) + HOSTING_READ_SIZE);
    r->to_send = (struct buf)BUF_INIT(HOSTING_BACKLOG_MAX + 2 * WIRE_FRAME_MAX);
    r->text = (struct buf)BUF_INIT(PLUGIN_LOG_MAX + 1024);
    return r;
}

int plugin_start(const struct plugin_spec *spec, struct loop *loop, struct plugin_run **ret,
                 struct err *err)
{
    const struct plugin *p = spec->plugin;
    bool plan = spec->phase == OST_PHASE_PLAN;

    if (plan ? !plugin_can_plan(p) : !plugin_has_phase(p, spec->phase))
        return err_set(err, ERR_UNSUPPORTED, "plugin '%s %s' has no %s phase", p->id, p->version,
                       plugin_phase_name(spec->phase) ? plugin_phase_name(spec->phase) : "such");
    struct plugin_run *r = run_new(spec, loop);
    r->phase_name = plugin_phase_name(spec->phase);
    r->plan = plan;
    r->dry = plan || spec->rehearsal;
    mask_inputs(r);
    int e = launch(r, CHILD_RUN, err);
    if (e < 0) {
        plugin_run_free(r);
        return err_in(err, "plugin '%s %s'", p->id, p->version);
    }
    *ret = r;
    return ERR_OK;
}

struct plugin_run *plugin_run_free(struct plugin_run *r)
{
    if (!r)
        return NULL;
    r->kill_timer = timer_free(r->kill_timer);
    r->drain_timer = timer_free(r->drain_timer);
    r->progress.timer = timer_free(r->progress.timer);
    r->proc = proc_free(r->proc);
    exec_drop_all(r);
    transfers_stop(r, false);
    close_source(&r->out);
    close_source(&r->err);
    close_socket(r);
    fd_closep(&r->crash);
    fd_closep(&r->cancel_fd);
    buf_deinit(&r->in);
    if (r->to_send.len)
        explicit_bzero(r->to_send.ptr, r->to_send.len); /* inputs may be secrets */
    buf_deinit(&r->to_send);
    buf_deinit(&r->text);
    json_decref(r->tables);
    free(r);
    return NULL;
}

/* ---- describe ---- */

struct describing {
    bool done;
    ost_status status;
};

static void on_described(void *ctx, const struct plugin_end *end)
{
    struct describing *d = ctx;

    d->done = true;
    d->status = end->status;
}

static int answered(struct plugin_run *r, const struct describing *d, const char *name,
                    json_t **ret, struct err *err)
{
    if (!d->done)
        return err_set(err, ERR_TIMEOUT, "'%s' did not answer within %d s", name,
                       PLUGIN_DESCRIBE_MS / 1000);
    if (d->status < 0)
        return err_set(err, ERR_INVALID, "%s", r->text.ptr);
    if (!r->tables)
        return err_set(err, ERR_INVALID, "'%s' told nothing about itself", name);
    *ret = json_incref(r->tables);
    return ERR_OK;
}

/* What a child says of OBJECT in a MODE without a job. */
static int ask_about(int object, const char *name, const char *child, struct loop *loop,
                     enum child_mode mode, json_t **ret, struct err *err)
{
    struct describing d = {0};
    const struct plugin unknown = {.id = name, .object = name};
    const struct plugin_spec spec = {.plugin = &unknown,
                                     .object = object,
                                     .child = child,
                                     .deadline_ms = CLOCK_NEVER,
                                     .end = on_described,
                                     .ctx = &d};
    int64_t deadline = clock_ms() + PLUGIN_DESCRIBE_MS;
    struct plugin_run *r = run_new(&spec, loop);
    int e;

    r->phase_name = "describe";
    e = launch(r, mode, err);
    while (e == ERR_OK && !d.done && clock_ms() < deadline)
        e = loop_turn(loop, deadline, err);
    if (e == ERR_OK)
        e = answered(r, &d, name, ret, err);
    plugin_run_free(r);
    return e;
}

int plugin_describe(int object, const char *name, const char *child, struct loop *loop,
                    struct plugin **ret, struct err *err)
{
    json_t *tables = NULL;
    int e = ask_about(object, name, child, loop, CHILD_DESCRIBE, &tables, err);

    if (e < 0)
        return e;
    e = plugin_from_json(tables, ret, err);
    json_decref(tables);
    return e < 0 ? err_in(err, "'%s'", name) : e;
}

int plugin_strangers(int object, const char *name, const char *child, struct loop *loop,
                     json_t **ret, struct err *err)
{
    return ask_about(object, name, child, loop, CHILD_STRANGERS, ret, err);
}
