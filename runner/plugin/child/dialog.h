/* dialog - the plugin's end of the wire: messages to the runner, and its answers to whoever waits for them.
 *
 * Any thread may talk. Whoever waits for an answer while nobody reads becomes the reader; it hands what is not its own to
 * the others, and passes the job on when its own has come. When the runner is gone, or what it says is not ours to
 * understand, the process ends: there is nobody to work for. */
#pragma once

#include "plugin/wire.h"

/* For a message to be built in. */
#define DIALOG_MESSAGE_INIT BUF_INIT(WIRE_FRAME_MAX + 64)

__attribute__((noreturn)) void dialog_hang_up(void);

/* The next frame, head included; the caller frees it. For who is alone, as before the phase. */
char *dialog_receive(size_t *ret_size);

/* Closes the frame in MESSAGE that began at AT, and sends it whole. ERR_LIMIT: it is too long, and nothing was sent. */
MUST_CHECK int dialog_send(struct buf *message, size_t at, struct err *err);

/* ---- answers ---- */

struct dialog_waiter { /* on the stack of the thread that waits; zeroed but for the id */
    struct dialog_waiter *next;
    uint32_t id;
    char *frame; /* its answer, head included */
    size_t size;
};

/* A number for a request, which its answers bear. */
uint32_t dialog_id(void);

/* From now on answers to W's id are kept for it. To be called before the request leaves: another thread may read the
 * answer at once. */
void dialog_expect(struct dialog_waiter *w);

/* Waits for W's next answer. What is in *RET lives until dialog_next() or dialog_forget(). */
void dialog_await(struct dialog_waiter *w, struct wire_frame *ret);
void dialog_next(struct dialog_waiter *w);   /* drops the answer: another one is to come */
void dialog_forget(struct dialog_waiter *w); /* no more of them */
