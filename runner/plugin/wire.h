/* wire - the messages between the runner and a plugin's child, over a stream socket.
 *
 * A frame is a head and fields in the order that its operation defines. Both ends are the same program,
 * so numbers are native; START still begins with WIRE_VERSION, for the day a runner is replaced under a
 * running job. A text carries its length and a final NUL that the length does not count; a reader
 * refuses one with a NUL inside, so a text that was read is a C string too. Bytes carry a length only.
 *
 * Child to host                               answer
 *   LOG       level, text                      -
 *   NOTE      level, message, title, file,     -
 *             line, end_line, col, end_col
 *   GROUP     title (absent: close)            -
 *   SAY       text (of the child itself)       -
 *   MASK      text                             STATUS
 *   MASKED    text                             STATUS   its text is the masked one
 *   OUTPUT ENV SAVE   name, value              STATUS
 *   PATH SUMMARY      text                     STATUS
 *   PLAN      verb, object, detail             STATUS
 *   PROGRESS  label, done, total (-1: unknown) -
 *   SAVED CONTEXT     name                     VALUE
 *   SOURCE    flags, repository, ref, path     STATUS   its text is JSON
 *   HASH      count, paths                     STATUS   its text is the digest
 *   PART      bytes                            -        more of a TRANSFER to come, of the same id
 *   TRANSFER  operation, bytes                 STATUS   all parts together are JSON, as is the answer:
 *                                                       blobs/blobs.h
 *   EXEC      see host's exec.c                DATA*, EXITED
 *   CALL      name                             STATUS   a check: this service is about to be called
 *   LEFT      descriptor, what it is           -        a check: the phase left it open
 *   RECORD    a line of the transcript         -        transcript.h
 *   ACK       status (of the last DATA)        -        id: the exec's
 *   BUG       enum wire_bug, name              the host ends the phase
 *   TABLES    JSON: of the contract, or of     -        describe, strangers
 *             the symbols that nobody has
 *   END       enum wire_end, status, text      -        "": the plugin gave no reason
 * Host to child
 *   START     see host/host.c
 *   STATUS    status, error text (or the answer)
 *   VALUE     text (absent: none)
 *   DATA      fd, bytes                        ACK when the caller asked for data
 *   EXITED    status, error text, exit code, signal, captured bytes */
#pragma once

#include "base/buf.h"

enum { WIRE_VERSION = 2 };

enum {
    WIRE_FRAME_MAX = 5 << 20, /* payload of a frame: one command, or one value, and change */
};

/* What both ends hold a phase to. */
enum {
    PLUGIN_LOG_MAX = 64 << 10, /* bytes of one message, title or plan text; longer logs are cut into
                                        several messages by the child */
    PLUGIN_COMMAND_MAX = 4 << 20, /* argv, env and stdin of one exec together */
    PLUGIN_TRANSFER_MAX =
        32 << 20,             /* bytes of a request for one: the names of some 300,000 files */
    PLUGIN_PROGRESS_MS = 250, /* between two words on progress */
    PLUGIN_LABEL_MAX = 200,   /* bytes of such a word's label; more is cut */
};

enum wire_op {
    WIRE_LOG = 1,
    WIRE_NOTE,
    WIRE_GROUP,
    WIRE_SAY,
    WIRE_MASK,
    WIRE_MASKED,
    WIRE_OUTPUT,
    WIRE_ENV,
    WIRE_SAVE,
    WIRE_PATH,
    WIRE_SUMMARY,
    WIRE_PLAN,
    WIRE_SAVED,
    WIRE_CONTEXT,
    WIRE_HASH,
    WIRE_SOURCE,
    WIRE_PART,
    WIRE_TRANSFER,
    WIRE_EXEC,
    WIRE_ACK,
    WIRE_BUG,
    WIRE_TABLES,
    WIRE_END,
    WIRE_START,
    WIRE_STATUS,
    WIRE_VALUE,
    WIRE_DATA,
    WIRE_EXITED,
    WIRE_PROGRESS,
    WIRE_CALL,
    WIRE_LEFT,
    WIRE_RECORD,
    WIRE_OPS
};

#define WIRE_MIRROR                                                                                \
    "mirror.show" /* the operation of a TRANSFER that the job serves: ostler.mirror/1 */

enum wire_bug { WIRE_BUG_INPUT, WIRE_BUG_MEMORY, WIRE_BUGS };
enum wire_end { WIRE_RETURNED, WIRE_NOT_LOADED, WIRE_ENDS };

struct wire_head {
    uint32_t size; /* of the fields that follow */
    uint32_t op;   /* enum wire_op */
    uint32_t id;   /* of the call that this asks or answers; 0: none is awaited */
};

/* ---- writing: into a buffer, so that a frame leaves whole ---- */

/* Begins a frame at the end of OUT; wire_end() fills in its size. *RET_AT is where it began. */
void wire_begin(struct buf *out, enum wire_op op, uint32_t id, size_t *ret_at);
void wire_put_int(struct buf *out, int64_t n);
void wire_put_text(struct buf *out, const char *text); /* NULL: absent */
void wire_put_slice(struct buf *out,
                    struct slice text); /* a text; ptr NULL: absent. No NUL inside */
void wire_put_bytes(struct buf *out, struct slice bytes);

/* Closes the frame. ERR_LIMIT, and the frame is taken back, when it is over WIRE_FRAME_MAX or OUT was
 * too small for it. */
MUST_CHECK int wire_close(struct buf *out, size_t at, struct err *err);

/* ---- reading ---- */

struct wire_frame {
    enum wire_op op;
    uint32_t id;
    struct slice rest; /* fields not taken yet */
    bool bad;          /* a field was missing or malformed: the frame is to be refused */
};

/* Cuts the next whole frame off *REST: 1, or 0 when more bytes are needed, or ERR_INVALID when these are
 * no frames. What the frame refers to is borrowed from the bytes. */
MUST_CHECK int wire_next(struct slice *rest, struct wire_frame *ret, struct err *err);

/* Each takes the next field; after the first malformed one all give nothing and BAD is set. */
int64_t wire_int(struct wire_frame *f);
struct slice wire_text(struct wire_frame *f);  /* a C string; absent is malformed */
struct slice wire_maybe(struct wire_frame *f); /* ptr NULL: absent */
struct slice wire_bytes(struct wire_frame *f);

/* ERR_INVALID unless every field was well formed and none is left. */
MUST_CHECK int wire_done(const struct wire_frame *f, struct err *err);
