/* hosting - a running phase from the runner's side; shared by host.c, requests.c and exec.c only. */
#pragma once

#include "io/proc.h"
#include "plugin/host/host.h"
#include "plugin/wire.h"

enum {
    HOSTING_READ_SIZE = 64 << 10,  /* bytes taken from a descriptor at a time */
    HOSTING_BACKLOG_MAX = 8 << 20, /* unsent answers over which no more requests are read */
};

struct source { /* one pipe of the plugin's: its stdout or stderr */
    struct plugin_run *run;
    int fd;
    struct watch *watch;
    struct plugin_stream *stream;
};

struct exec;     /* one command */
struct transfer; /* of artifacts or caches */

struct plugin_run {
    struct plugin_spec spec; /* services NULL: describe */
    struct loop *loop;
    const char *phase_name;
    bool plan; /* effects are listed, not done */
    bool dry;  /* what leaves the workspace is listed, not done: a plan, or a rehearsal */

    struct proc *proc; /* NULL once it has ended */
    int socket, crash, cancel_fd;
    struct watch *socket_watch;
    struct source out, err; /* its stdout and stderr */
    struct buf in, to_send;
    struct timer *kill_timer, *drain_timer;

    struct exec *execs; /* those that run */
    unsigned n_execs, n_running, n_notes, n_calls;
    struct progress {        /* requests.c; the latest word that waits for its turn */
        struct timer *timer; /* NULL: one may be said now */
        bool waits;
        char label[PLUGIN_LABEL_MAX + 1];
        int64_t done, total;
    } progress;
    struct transfer *transfers; /* those that go on, or are being asked for */
    size_t effects, summary;    /* bytes, against the limits */
    bool unknown; /* plan: a command's output was asked for, so what follows may depend on it */

    bool cancelled;
    bool over; /* the outcome below stands; what the child still says is ignored */
    struct plugin_end end;
    struct buf text; /* end.text */
    json_t *tables;  /* describe */
};

/* ---- host.c ---- */

/* The outcome, unless there is one already. TEXT is formatted; "" for none. */
void hosting_conclude(struct plugin_run *r, enum plugin_end_kind kind, ost_status status,
                      const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Ends the phase here and now for a mistake of the plugin's: the outcome is as given, the child is killed. */
void hosting_break(struct plugin_run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Sends what is in to_send as far as it goes, and watches for the rest. */
void hosting_flush(struct plugin_run *r);

/* Calls the end function if nothing is left to wait for; R may be gone afterwards. Not from within a
 * frame's handler: it is called after each event. */
void hosting_settle(struct plugin_run *r);

/* ---- requests.c ---- */

/* Serves one frame. */
void requests_serve(struct plugin_run *r, struct wire_frame *f);

/* Answers. TEXT: why not, or what was asked for. */
void requests_status(struct plugin_run *r, uint32_t id, ost_status status, const char *text);

/* What an error is to a plugin. */
ost_status requests_code(const struct err *err);

/* ---- exec.c ---- */

void exec_request(struct plugin_run *r, struct wire_frame *f);
void exec_acknowledged(struct plugin_run *r, struct wire_frame *f);
/* Starts the stop ladder of every command; NOW: its last rung. */
void exec_stop_all(struct plugin_run *r, bool now);
/* Forgets every command without telling anybody: they are killed. */
void exec_drop_all(struct plugin_run *r);

/* ---- transfers.c ---- */

void transfers_part(struct plugin_run *r, struct wire_frame *f);
void transfers_request(struct plugin_run *r, struct wire_frame *f);
/* Stops them all; TELL: the plugin is told that they were cancelled. */
void transfers_stop(struct plugin_run *r, bool tell);
