#include "blobs/packer.h"

#include "base/clock.h"
#include "base/fd.h"
#include "blobs/message.h"
#include "io/errand.h"
#include "sandbox/sandbox.h"

#include <fcntl.h>

enum { SAID_MAX = 64 << 10, PIPE_SIZE = 1 << 20 };

struct packer {
    struct loop *loop;
    struct errand *errand;
    bool over;
    struct proc_exit how;
    json_t *said; /* NULL: nothing that can be read */
};

static void on_done(void *ctx, struct proc_exit how, struct slice rest)
{
    struct packer *p = ctx;

    p->over = true;
    p->how = how;
    p->said = json_loadb(rest.ptr, rest.len, 0, NULL);
}

struct packer *packer_free(struct packer *p)
{
    if (!p)
        return NULL;
    p->errand = errand_free(p->errand);
    json_decref(p->said);
    free(p);
    return NULL;
}

static int launch(struct packer *p, struct carrier *c, const json_t *ask, int data, struct err *err)
{
    static const char *const env[] = {NULL};
    struct spawn_fd fds[3] = {{data, PACKER_DATA}};
    CLEANUP(fd_closep) int in = -1;
    struct errand_client client = {NULL, on_done, p};
    int r = message_file(ask, &in, err);

    if (r < 0)
        return r;
    struct errand_spec spec = {
        .name = "blobs-packer",
        .env = env,
        .request = in,
        .fds = fds,
        .n_fds = 1,
        .flags = SPAWN_DIE_WITH_US,
        .answer_max = SAID_MAX,
    };
    for (int i = SANDBOX_NS_USER; c->has_place && i <= SANDBOX_NS_MOUNT; i++)
        fds[spec.n_fds++] = (struct spawn_fd){CARRIER_PLACE + i, PACKER_PLACE + i};
    return errand_start(&spec, p->loop, &client, &p->errand, err);
}

int packer_start(struct carrier *c, json_t *take_ask, int data, struct packer **ret,
                 struct err *err)
{
    struct packer *p = mem_new(sizeof *p);

    *p = (struct packer){.loop = c->loop};
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

int packer_wait(struct packer *p, struct err *err)
{
    while (!p->over)
        if (loop_turn(p->loop, CLOCK_NEVER, err) < 0)
            return err->code;
    return p->said ? message_error(p->said, err)
                   : err_set(err, ERR_FAILED, "whoever handles the job's files %s %d",
                             p->how.signal ? "was killed by signal" : "ended with code",
                             p->how.signal ? p->how.signal : p->how.code);
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
