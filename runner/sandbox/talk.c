#include "sandbox/talk.h"

#include "base/clock.h"
#include "io/proc.h"
#include "sandbox/cgroup.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>

enum {
    ANSWER_MS = 60000
}; /* until ostler-init must answer: the disk under a program may be slow */

void talk_note(struct sandbox *s, const char *fmt, ...)
{
    char text[4096];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (s->note)
        s->note(s->note_ctx, text);
}

/* ---- ends ---- */

static void tell_later(void *ctx)
{
    struct sandbox *s = ctx;
    struct ended first = s->ended.ptr[0];

    vec_remove(&s->ended, 0);
    s->later = s->ended.len ? loop_timer(s->loop, clock_ms(), tell_later, s) : NULL;
    command_tell(s, first);
}

void talk_queue_end(struct sandbox *s, struct ended e)
{
    vec_push(&s->ended, e);
    if (!s->later)
        s->later = loop_timer(s->loop, clock_ms(), tell_later, s);
}

/* In its PID namespace nothing can be left; at the level "host" it sweeps on its way out, and the
 * rest is swept here if somebody killed it. */
bool talk_await_end(struct sandbox *s)
{
    struct err err = ERR_INIT;
    struct proc_exit how;

    if (proc_wait(s->init, clock_ms() + SANDBOX_CLOSE_MS, &how, &err) < 0) {
        talk_note(s, "processes of the job do not end (%s); its folder stays", err.text);
        return false;
    }
    if (s->level == SANDBOX_HOST && how.code != 0) {
        if (s->cgroup)
            (void)cgroup_kill(s->cgroup);
        if (proc_sweep(SANDBOX_CLOSE_MS, &err) < 0)
            talk_note(s, "processes of the job do not end: %s", err.text);
    }
    return true;
}

static void tell_loss(void *ctx)
{
    struct sandbox *s = ctx;

    s->loss = NULL;
    s->on_loss(s->loss_ctx);
}

/* ostler-init was killed, or is out of its mind and is killed now: all that it started goes with it. */
static void init_lost(struct sandbox *s)
{
    if (s->dead)
        return;
    s->dead = true;
    s->watch = watch_free(s->watch);
    if (s->init) {
        proc_signal(s->init, SIGKILL);
        (void)talk_await_end(s); /* said there */
    }
    if (s->children)
        talk_note(s, s->level == SANDBOX_CONTAINER
                         ? "the job's container has ended, and all that ran in it"
                         : "ostler-init was killed; all that ran in the job is gone with it");
    command_lose_all(s);
    if (s->on_loss)
        s->loss = loop_timer(s->loop, clock_ms(), tell_loss, s);
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

void talk_on_readable(void *ctx, uint32_t events)
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
    command_tell(s, ended);
}

/* The next message, at most until DEADLINE of clock_ms(). The caller ends *IN. */
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

/* The error that a FAILED message carries; its code. */
static int read_failed(struct wire_in *in, struct err *err)
{
    struct err told = {.code = (int)wire_u32(in), .sys = (int)wire_u32(in)};

    snprintf(told.text, sizeof told.text, "%s", wire_str(in));
    if (wire_check(in, err) < 0)
        return err->code;
    *err = told;
    return err->code < 0 ? err->code : err_set(err, ERR_INVALID, "ostler-init failed with no code");
}

int talk_ask(struct sandbox *s, enum wire_type type, const struct buf *b, const int *fds,
             size_t n_fds, uint32_t *ret_id, struct wire_in *in, struct err *err)
{
    uint32_t id = ++s->last_id;
    int64_t deadline = clock_ms() + ANSWER_MS;
    int r = s->dead ? ERR_OK : wire_send(s->sock, type, id, b, fds, n_fds, err);

    if (r < 0 && err->sys == EPIPE)
        init_lost(s);
    if (s->dead)
        return err_set(err, ERR_FAILED, "the sandbox is gone: ostler-init was killed");
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
            talk_queue_end(s, ended);
        }
        wire_deinit(in);
    }
    if (ret_id)
        *ret_id = id;
    return in->type == WIRE_FAILED ? read_failed(in, err) : ERR_OK;
}

/* ---- the beginning ---- */

static void keep_env(struct sandbox *s, const char *const *env)
{
    size_t n = 0;

    while (env[n])
        n++;
    s->env = mem_new((n + 1) * sizeof *s->env);
    for (size_t i = 0; i < n; i++)
        s->env[i] = mem_dup(env[i], strlen(env[i]));
}

int talk_await_ready(struct sandbox *s, int64_t deadline, struct err *err)
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
                talk_note(s, "%s", *text);
            keep_env(s, wire_list(&in));
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
