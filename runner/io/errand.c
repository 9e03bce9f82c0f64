#include "io/errand.h"

#include "base/buf.h"
#include "base/fd.h"

#include <errno.h>
#include <unistd.h>

enum { PIECE = 64 << 10 };

struct errand {
    struct errand_client client;
    struct proc *proc;
    bool exited;
    struct proc_exit how;
    int out; /* its answer; -1: read to the end */
    struct watch *watch;
    struct buf text;
};

struct errand *errand_free(struct errand *e)
{
    if (!e)
        return NULL;
    e->watch = watch_free(e->watch);
    fd_closep(&e->out);
    e->proc = proc_free(e->proc);
    buf_deinit(&e->text);
    free(e);
    return NULL;
}

/* Last of all: it may free E. */
static void settle(struct errand *e)
{
    if (e->exited && e->out < 0)
        e->client.done(e->client.ctx, e->how, buf_slice(&e->text));
}

static void on_readable(void *ctx, uint32_t events)
{
    struct errand *e = ctx;
    size_t room = e->text.max - e->text.len;
    ssize_t n = fd_read_some(e->out, &e->text, room < PIECE ? room : PIECE);

    (void)events;
    if (n > 0 && e->client.heard)
        buf_consume(&e->text, e->client.heard(e->client.ctx, buf_slice(&e->text)));
    if (n > 0 || (n < 0 && errno == EAGAIN))
        return;
    e->watch = watch_free(e->watch);
    fd_closep(&e->out);
    settle(e);
}

static void on_exit_of_child(void *ctx, struct proc_exit how)
{
    struct errand *e = ctx;

    e->exited = true;
    e->how = how;
    settle(e);
}

static int launch(struct errand *e, const struct errand_spec *s, struct loop *loop, struct err *err)
{
    const char *const argv[] = {s->program ? s->program : "/proc/self/exe", s->name, NULL};
    CLEANUP(fd_closep) int end = -1;
    struct proc_spec spec = PROC_SPEC_INIT;
    int r = fd_pipe(&e->out, &end, err);

    if (r == ERR_OK)
        r = fd_set_nonblock(e->out, true, err);
    if (r < 0)
        return r;
    spec.argv = argv;
    spec.env = s->env;
    spec.in = s->request;
    spec.out = end;
    spec.err = STDERR_FILENO;
    spec.fds = s->fds;
    spec.n_fds = s->n_fds;
    spec.flags = s->flags;
    r = proc_start(&spec, &e->proc, err);
    if (r == ERR_OK)
        r = loop_watch(loop, e->out, EPOLLIN, on_readable, e, &e->watch, err);
    return r == ERR_OK ? proc_watch(e->proc, loop, on_exit_of_child, e, err) : r;
}

int errand_start(const struct errand_spec *spec, struct loop *loop,
                 const struct errand_client *client, struct errand **ret, struct err *err)
{
    struct errand *e = mem_new(sizeof *e);

    *e = (struct errand){.client = *client, .out = -1, .text = BUF_INIT(spec->answer_max)};
    int r = launch(e, spec, loop, err);
    if (r < 0)
        errand_free(e);
    else
        *ret = e;
    return r;
}
