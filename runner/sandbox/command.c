#include "sandbox/talk.h"

#include "io/ladder.h"
#include "io/spawn.h"

#include <signal.h>
#include <string.h>

struct sandbox_child {
    struct sandbox_child *next, **prev; /* in sandbox->children */
    struct sandbox *sandbox;            /* NULL: it has ended */
    uint32_t id;
    struct ladder ladder;
    sandbox_exit_fn *fn;
    void *ctx;
};

/* ---- ends ---- */

static void child_unlink(struct sandbox_child *c)
{
    ladder_deinit(&c->ladder);
    *c->prev = c->next;
    if (c->next)
        c->next->prev = c->prev;
    c->sandbox = NULL;
}

void command_tell(struct sandbox *s, struct ended e)
{
    for (struct sandbox_child *c = s->children; c; c = c->next) {
        if (c->id != e.id)
            continue;
        child_unlink(c);
        c->fn(c->ctx, e.how);
        free(c);
        return;
    }
}

struct sandbox_child *sandbox_child_free(struct sandbox_child *c)
{
    if (c && c->sandbox) { /* else it is in its exit function, and command_tell() frees it */
        child_unlink(c);
        free(c);
    }
    return NULL;
}

void command_lose_all(struct sandbox *s)
{
    for (struct sandbox_child *c = s->children; c; c = c->next)
        talk_queue_end(s, (struct ended){c->id, {128 + SIGKILL, SIGKILL}});
}

void command_forget_all(struct sandbox *s)
{
    while (s->children)
        sandbox_child_free(s->children);
}

/* ---- starting and stopping ---- */

int sandbox_start(struct sandbox *s, const struct sandbox_command *cmd, sandbox_exit_fn *fn,
                  void *ctx, struct sandbox_child **ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;
    CLEANUP(wire_deinit) struct wire_in in = {0};
    const int io[3] = {cmd->in, cmd->out, cmd->err};
    int fds[3];
    size_t n_fds = 0;
    uint32_t mask = 0, id;

    for (size_t i = 0; i < 3; i++) {
        if (io[i] < 0)
            continue;
        fds[n_fds++] = io[i];
        mask |= 1U << i;
    }
    wire_add_str(&b, cmd->cwd);
    wire_add_str(&b, cmd->search_path);
    wire_add_list(&b, cmd->argv);
    wire_add_list(&b, cmd->env);
    wire_add_u32(&b, mask);
    int r = talk_ask(s, WIRE_START, &b, fds, n_fds, &id, &in, err);
    explicit_bzero(b.ptr, b.len); /* the environment holds secrets */
    if (r < 0)
        return r;

    struct sandbox_child *c = mem_new(sizeof *c);
    *c = (struct sandbox_child){.next = s->children,
                                .prev = &s->children,
                                .sandbox = s,
                                .id = id,
                                .ladder = {.term_ms = s->term_ms, .kill_ms = s->kill_ms},
                                .fn = fn,
                                .ctx = ctx};
    if (c->next)
        c->next->prev = &c->next;
    s->children = c;
    *ret = c;
    return ERR_OK;
}

static void send_order(struct sandbox_child *c, enum wire_type type, int signo)
{
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;
    struct err ignored = ERR_INIT; /* nobody there: talk_on_readable() finds out, and tells */

    if (!c->sandbox || c->sandbox->dead)
        return;
    wire_add_u32(&b, c->id);
    if (type == WIRE_SIGNAL)
        wire_add_u32(&b, (uint32_t)signo);
    (void)!wire_send(c->sandbox->sock, type, 0, &b, NULL, 0, &ignored);
}

static void climb(void *ctx, int signo)
{
    send_order(ctx, signo == SIGKILL ? WIRE_KILL : WIRE_SIGNAL, signo);
}

void sandbox_signal(struct sandbox_child *c, int signo)
{
    send_order(c, WIRE_SIGNAL, signo);
}

void sandbox_stop(struct sandbox_child *c, bool now)
{
    if (!c->sandbox)
        return;
    if (now)
        ladder_top(&c->ladder, climb, c);
    else
        ladder_start(&c->ladder, c->sandbox->loop, climb, c);
}

int sandbox_which(struct sandbox *s, const char *name, const char *search, char **ret,
                  struct err *err)
{
    return spawn_find_in(s->root, name, search, ret, err);
}
