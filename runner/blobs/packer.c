#include "blobs/packer.h"

#include "base/clock.h"
#include "base/fd.h"
#include "blobs/message.h"
#include "io/proc.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { SAID_MAX = 64 << 10, PIPE_SIZE = 1 << 20 };

struct packer {
    struct loop *loop;
    struct proc *proc;
    bool exited;
    struct proc_exit how;
    int out; /* its answer; -1: it has been read */
    struct watch *watch;
    struct buf text;
};

static void on_readable(void *ctx, uint32_t events)
{
    struct packer *p = ctx;
    ssize_t n = fd_read_some(p->out, &p->text, SAID_MAX - p->text.len);

    (void)events;
    if (n > 0 || (n < 0 && errno == EAGAIN))
        return;
    p->watch = watch_free(p->watch);
    fd_closep(&p->out);
}

static void on_exit_of_child(void *ctx, struct proc_exit how)
{
    struct packer *p = ctx;

    p->exited = true;
    p->how = how;
}

struct packer *packer_free(struct packer *p)
{
    if (!p)
        return NULL;
    p->watch = watch_free(p->watch);
    fd_closep(&p->out);
    p->proc = proc_free(p->proc);
    buf_deinit(&p->text);
    free(p);
    return NULL;
}

static int launch(struct packer *p, struct carrier *c, const json_t *ask, int data, struct err *err)
{
    static const char *const argv[] = {"/proc/self/exe", "blobs-packer", NULL};
    static const char *const env[] = {NULL};
    struct spawn_fd fds[3] = {{data, PACKER_DATA}};
    CLEANUP(fd_closep) int in = -1;
    CLEANUP(fd_closep) int end = -1;
    struct proc_spec spec = PROC_SPEC_INIT;
    int r = message_file(ask, &in, err);

    if (r == ERR_OK)
        r = fd_pipe(&p->out, &end, err);
    if (r == ERR_OK)
        r = fd_set_nonblock(p->out, true, err);
    if (r < 0)
        return r;
    spec.argv = argv;
    spec.env = env;
    spec.in = in;
    spec.out = end;
    spec.err = STDERR_FILENO;
    spec.fds = fds;
    spec.n_fds = 1;
    for (int i = SANDBOX_NS_USER; c->has_place && i <= SANDBOX_NS_MOUNT; i++)
        fds[spec.n_fds++] = (struct spawn_fd){CARRIER_PLACE + i, PACKER_PLACE + i};
    spec.flags = SPAWN_DIE_WITH_US;
    r = proc_start(&spec, &p->proc, err);
    if (r == ERR_OK)
        r = loop_watch(p->loop, p->out, EPOLLIN, on_readable, p, &p->watch, err);
    if (r == ERR_OK)
        r = proc_watch(p->proc, p->loop, on_exit_of_child, p, err);
    return r;
}

int packer_start(struct carrier *c, json_t *take_ask, int data, struct packer **ret,
                 struct err *err)
{
    struct packer *p = mem_new(sizeof *p);

    *p = (struct packer){.loop = c->loop, .out = -1, .text = BUF_INIT(SAID_MAX)};
    json_object_set_new(take_ask, "place", json_boolean(c->has_place));
    json_object_set(take_ask, "shown", json_object_get(c->request, "shown"));
    int r = launch(p, c, take_ask, data, err);
    json_decref(take_ask);
    if (r < 0)
        packer_free(p);
    else
        *ret = p;
    return r;
}

static bool is_over(const struct packer *p)
{
    return p->exited && p->out < 0;
}

int packer_wait(struct packer *p, struct err *err)
{
    while (!is_over(p))
        if (loop_turn(p->loop, CLOCK_NEVER, err) < 0)
            return err->code;
    json_t *said = json_loadb(p->text.ptr, p->text.len, 0, NULL);
    int r = said ? message_error(said, err)
                 : err_set(err, ERR_FAILED, "whoever handles the job's files %s %d",
                           p->how.signal ? "was killed by signal" : "ended with code",
                           p->how.signal ? p->how.signal : p->how.code);
    json_decref(said);
    return r;
}

/* ---- what it writes ---- */

static void on_first(void *ctx, uint32_t events)
{
    *(uint32_t *)ctx |= events;
}

/* ERR_OK: there is a byte, or it ended well without one. */
static int await_first_byte(struct packer *p, int out, struct err *err)
{
    struct watch *w = NULL;
    uint32_t seen = 0;
    int r = loop_watch(p->loop, out, EPOLLIN, on_first, &seen, &w, err);

    while (r == ERR_OK && !seen)
        r = loop_turn(p->loop, CLOCK_NEVER, err);
    watch_free(w);
    return r == ERR_OK && !(seen & EPOLLIN) ? packer_wait(p, err) : r;
}

int packer_pipe(struct carrier *c, json_t *take_ask, struct packer **ret, int *ret_out,
                struct err *err)
{
    CLEANUP(fd_closep) int out = -1;
    struct packer *p = NULL;
    int in = -1, r = fd_pipe(&out, &in, err);

    if (r < 0) {
        json_decref(take_ask);
        return r;
    }
    (void)fcntl(in, F_SETPIPE_SZ, PIPE_SIZE); /* fewer turns; it works without */
    r = packer_start(c, take_ask, in, &p, err);
    fd_closep(&in);
    if (r == ERR_OK)
        r = fd_set_nonblock(out, true, err);
    if (r == ERR_OK)
        r = await_first_byte(p, out, err);
    if (r < 0) {
        packer_free(p);
        return r;
    }
    *ret = p;
    *ret_out = out;
    out = -1;
    return ERR_OK;
}
