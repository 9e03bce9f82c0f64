/* talk - the inside of struct sandbox, and how it speaks with ostler-init; for the files of this room alone. */
#pragma once

#include "base/vec.h"
#include "sandbox/init/wire.h"
#include "sandbox/sandbox.h"

enum { SANDBOX_CLOSE_MS = 30000 }; /* until all must be gone */

struct ended {
    uint32_t id;
    struct sandbox_exit how;
};

struct sandbox_child;

struct sandbox {
    struct loop *loop;
    sandbox_note_fn *note;
    void *note_ctx;
    enum sandbox_level level;
    int job_dir;
    char *job_path, *work, *home, *tmp;
    int64_t term_ms, kill_ms;
    char **env; /* of ostler-init; owned */

    struct cgroup *cgroup; /* NULL: none */
    struct proc *init;     /* NULL until it was born, and in a container: it is no child of ours */
    int sock, root;
    int namespaces[SANDBOX_NS_KINDS]; /* -1 at SANDBOX_HOST */
    struct watch *watch;
    bool dead; /* ostler-init is gone or talks nonsense */
    uint32_t last_id;
    struct sandbox_child *children;

    sandbox_lost_fn *on_loss; /* NULL: nobody wants to know */
    void *loss_ctx;
    struct timer *loss; /* tells it */

    VEC(struct ended) ended; /* told while we waited for an answer */
    struct timer *later;     /* tells them */
};

/* Takes the answers to SETUP, or of a container's ostler-init its greeting, until the place is ready. */
MUST_CHECK int talk_await_ready(struct sandbox *s, int64_t deadline, struct err *err);

/* Tells the caller's note function. */
void talk_note(struct sandbox *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Sends a request and waits for its answer; what else comes is kept for later. The caller ends *IN, also after an
 * error. FAILED is made the error it carries. RET_ID may be NULL. */
MUST_CHECK int talk_ask(struct sandbox *s, enum wire_type type, const struct buf *b, const int *fds,
                        size_t n_fds, uint32_t *ret_id, struct wire_in *in, struct err *err);

/* A watch function for the socket: ends are told as they come. */
void talk_on_readable(void *ctx, uint32_t events);

/* Waits for ostler-init's end and sees to it that nothing is left. False (said through the note): something is. */
bool talk_await_end(struct sandbox *s);

/* Has the loop tell E soon. */
void talk_queue_end(struct sandbox *s, struct ended e);

/* ---- in command.c ---- */

/* Calls the exit function of the command that ended. The last thing its caller does: the function may close
 * the sandbox. */
void command_tell(struct sandbox *s, struct ended e);

void command_lose_all(struct sandbox *s);   /* queues an end by SIGKILL for each that runs */
void command_forget_all(struct sandbox *s); /* as sandbox_child_free() for each */
