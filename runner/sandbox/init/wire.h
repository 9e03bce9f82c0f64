/* wire - what the sandbox and ostler-init say to each other, over a SOCK_SEQPACKET pair. (In a container
 * ostler-init comes to a socket of ours, and begins with READY, or, in an action's, says DONE as to
 * LISTEN and becomes the action.)
 *
 * A message is a head and fields: numbers, texts, lists of texts. One that is larger than a packet goes in
 * a sealed memory file beside the head. Requests carry an id, answers the same one. Both sides are ours and
 * of one build; the version catches a mixed installation.
 *
 *   request   fields                                   answer
 *   SETUP     level, job path, n × (kind, source,      BORN (pid; its pidfd) at once at the level
 *             target)                                  "sandbox"; then READY (notes, environment; "/",
 *                                                      namespaces) or FAILED
 *   START     cwd, search, argv, env, mask of 0 1 2    STARTED or FAILED, later ENDED
 *             that follow as descriptors
 *   SIGNAL    id of the START, signal                  none
 *   KILL      id of the START                          none: SIGKILL to it and all that it started
 *   TREE      source, path, hidden names               DONE or FAILED
 *   BARE      path                                     DONE or FAILED: what TREE laid there is off
 *   LISTEN    port                                     DONE (socket at 127.0.0.1; none: somebody
 *                                                      listens there already) or FAILED
 *
 * FAILED is a struct err: code, errno, text. ENDED is exit code, signal. */
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum {
    WIRE_VERSION = 4,
    WIRE_FD = 3,                /* where ostler-init finds its end */
    WIRE_INLINE_MAX = 32 << 10, /* a packet's fields; Linux takes about 200 KB */
    WIRE_MAX = 32 << 20,        /* all fields together: more than execve takes */
    WIRE_LIST_MAX = 1 << 20,
};

enum wire_type {
    WIRE_SETUP = 1,
    WIRE_START,
    WIRE_SIGNAL,
    WIRE_KILL,
    WIRE_TREE,
    WIRE_BARE,
    WIRE_LISTEN,
    WIRE_BORN,
    WIRE_READY,
    WIRE_STARTED,
    WIRE_FAILED,
    WIRE_ENDED,
    WIRE_DONE,
    WIRE_TYPES
};

/* How a path of SETUP is shown. */
enum wire_show {
    WIRE_PRIVATE,   /* source, below the job's folder, appears at target */
    WIRE_READ_ONLY, /* the host's source appears at target and below, not to be written */
    WIRE_WRITABLE,  /* the same, as it is */
    WIRE_LAYER,     /* the host's target (it is its own source), changes are thrown away */
    WIRE_NOTHING,   /* target appears as an empty folder */
    WIRE_SHOWS
};

/* ---- building: fields are added to a buf, in order ---- */

#define WIRE_BUF_INIT BUF_INIT(WIRE_MAX)

void wire_add_u32(struct buf *b, uint32_t value);
void wire_add_str(struct buf *b, const char *text);         /* NULL counts as "" */
void wire_add_list(struct buf *b, const char *const *list); /* NULL counts as empty */

/* Sends one message with the fields of B and up to WIRE_FDS_MAX descriptors (borrowed). */
enum { WIRE_FDS_MAX = 8 };
MUST_CHECK int wire_send(int sock, enum wire_type type, uint32_t id, const struct buf *b,
                         const int *fds, size_t n_fds, struct err *err);

/* ---- reading: a field that is not there marks the message as bad and reads as 0, "" or {NULL} ---- */

struct wire_in {
    enum wire_type type;
    uint32_t id;
    char *data; /* the fields */
    size_t len, at;
    bool bad;
    const char ***lists; /* handed out by wire_list() */
    size_t n_lists;
    int fds[16]; /* taken from here by setting -1 */
    size_t n_fds;
};

/* Receives the next message; the caller ends *IN with wire_deinit(). ERR_CANCELLED when the other side
 * is gone. */
MUST_CHECK int wire_recv(int sock, struct wire_in *in, struct err *err);

/* The same from memory, without descriptors: HEAD and fields as in one packet. */
MUST_CHECK int wire_parse(struct slice packet, struct wire_in *in, struct err *err);

void wire_deinit(struct wire_in *in); /* wipes the data: an environment holds secrets */

uint32_t wire_u32(struct wire_in *in);
const char *wire_str(struct wire_in *in);         /* borrowed until wire_deinit() */
const char *const *wire_list(struct wire_in *in); /* the same; NULL-terminated */
int wire_take_fd(struct wire_in *in, size_t at);  /* the caller's; -1: none */

/* ERR_INVALID when a field was missing or something is left over. */
MUST_CHECK int wire_check(const struct wire_in *in, struct err *err);
