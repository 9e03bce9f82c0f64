/* host - runs one phase of a plugin in a child process and serves what it asks for.
 *
 * The child runs on the runner's side: "ostler plugin-child", without environment, network or a writable
 * workspace unless the contract says so, and without the right to start processes. It maps the sealed
 * object, enters the job's mount namespace, so that one path means one file on both sides, and calls the
 * phase. Its calls arrive over a socket; the runner trusts nothing in them. Commands that it execs run in
 * the job's sandbox. Everything happens in callbacks of the loop; nothing here blocks on the child. */
#pragma once

#include "base/buf.h"
#include "blobs/blobs.h"
#include "io/loop.h"
#include "plugin/plugin.h"
#include "plugin/wire.h"
#include "sandbox/show.h"
#include "sandbox/sandbox.h"

enum {
    PLUGIN_CAPTURE_MAX = 1 << 20, /* OST_EXEC_CAPTURE */
    PLUGIN_SUMMARY_MAX = 1 << 20, /* bytes of summary in one phase */
    PLUGIN_EFFECTS_MAX =
        16 << 20,              /* bytes of outputs, variables, paths, masks, saved values and plan
                                        lines that one phase may hand over */
    PLUGIN_NOTES_MAX = 10000,  /* annotations of one phase */
    PLUGIN_EXECS_MAX = 64,     /* commands running at one time */
    PLUGIN_TRANSFERS_MAX = 16, /* of artifacts and caches at one time */
    PLUGIN_KILL_MS = 12000,    /* from plugin_cancel() to SIGKILL of the plugin */
    PLUGIN_DRAIN_MS = 5000,    /* how long a command's output is read after its end */
};

struct plugin_note { /* texts are "" when unset; numbers 0 */
    int level;       /* OST_NOTICE, OST_WARNING, OST_ERROR */
    const char *message, *title, *file;
    uint32_t line, end_line, col, end_col;
};

struct plugin_stream; /* one source of raw log bytes, defined by whoever supplies the services */

struct plugin_source_query { /* as in ostler/ext.h */
    const char *repository, *ref, *path;
    bool clean;
};

struct plugin_source { /* texts are never NULL, and live until the phase ends */
    bool shown;
    const char *folder, *origin, *ref, *commit;
};

struct plugin_mirror_query { /* as in ostler/ext.h; texts are never NULL */
    const char *url, *header;
    bool make;
};

struct plugin_mirror; /* one that is on its way, defined by whoever supplies the services */

/* PATH, borrowed for the call, or why there is none; one of them is NULL. Called once, from the loop. */
typedef void plugin_mirror_fn(void *ctx, const char *path, const struct err *err);

/* What the job does for a phase. All down to source() are required, and called from the loop, between plugin_start() and
 * the end function. Texts are UTF-8 without NUL bytes, NUL-terminated, borrowed for the call, and not
 * masked: they may hold secrets. Functions with an ERR refuse by returning an error; its text goes to
 * the plugin as last_error(). They may block on a slow reader of the log: that is what holds a flood
 * back. They must not free the run. */
struct plugin_services {
    void (*log)(void *ctx, int level,
                struct slice text); /* OST_DEBUG or OST_INFO; one or more lines */
    void (*annotate)(void *ctx, const struct plugin_note *note);
    void (*group)(void *ctx, const char *title); /* NULL closes */
    void (*command)(void *ctx,
                    struct slice line);           /* a command line about to run, for ##[command] */
    void (*note)(void *ctx, const char *text);    /* what the host did instead, said out loud */
    void (*mask)(void *ctx, struct slice secret); /* in force before it returns */
    /* ostler.mask/1: TEXT as a log would have it. NULL: as it is. */
    void (*masked)(void *ctx, struct slice text, struct buf *ret);

    /* Raw output: the plugin's stdout and stderr, each command's output. A stream's bytes come in any
     * portions; several streams may be open at a time. COMMANDS: obey ::workflow commands:: in it. */
    struct plugin_stream *(*stream_open)(void *ctx, bool commands);
    void (*stream_feed)(struct plugin_stream *s, struct slice bytes);
    void (*stream_close)(struct plugin_stream *s);

    /* Names of outputs are the declared ones, spelled as in the contract. */
    int (*output)(void *ctx, const char *name, struct slice value, struct err *err);
    int (*env)(void *ctx, const char *name, struct slice value, struct err *err);
    int (*path)(void *ctx, const char *dir, struct err *err);
    int (*summary)(void *ctx, struct slice markdown, struct err *err); /* appends */
    int (*save)(void *ctx, const char *name, struct slice value, struct err *err);
    bool (*saved)(void *ctx, const char *name,
                  struct slice *ret); /* *RET borrowed until the next call */
    /* "github.sha" as text; never secrets. False: none. */
    bool (*context)(void *ctx, const char *name, struct buf *ret);
    void (*plan)(void *ctx, const char *verb, const char *object,
                 const char *detail); /* "": unset */
    /* How far it is: the latest word, at most one each PLUGIN_PROGRESS_MS. DONE and TOTAL are -1 or more; -1: nobody
     * knows. Not in a plan. */
    void (*progress)(void *ctx, const char *label, int64_t done, int64_t total);

    /* A line of the transcript (transcript.h), which may hold secrets that are not known yet. NULL: nothing records. */
    void (*record)(void *ctx, struct slice line);

    /* ostler.source/1. ERR_NOT_FOUND and ERR_DENIED as there. NULL: there is no source here. */
    int (*source)(void *ctx, const struct plugin_source_query *query, struct plugin_source *ret,
                  struct err *err);

    /* ostler.mirror/1. On success *RET is the caller's, who ends it with mirror_end(), in DONE at the earliest. NULL:
     * there are no mirrors here. */
    int (*mirror)(void *ctx, const struct plugin_mirror_query *query, plugin_mirror_fn *done,
                  void *done_ctx, struct plugin_mirror **ret, struct err *err);
    struct plugin_mirror *(*mirror_end)(struct plugin_mirror *m); /* returns NULL; NULL is fine */

    /* For a check. Each call that can fail ("exec", "output", "files.glob", "extension") is told before it is made,
     * the Nth of the phase from 1: what is below 0 is what it fails with, without being made. May call
     * plugin_cancel(). NULL: nobody looks, and nothing is told. */
    ost_status (*call)(void *ctx, unsigned nth, const char *name);
    /* With CALL: the phase has returned and left the descriptor FD open, on WHAT ("/w/x", "pipe:[1]"). */
    void (*left)(void *ctx, int fd, const char *what);
};

enum plugin_end_kind {
    PLUGIN_RETURNED, /* the phase returned a status */
    PLUGIN_BROKE,    /* it crashed, was killed, broke the contract, or could not be loaded */
};

struct plugin_end {
    enum plugin_end_kind kind;
    ost_status
        status; /* OST_OK: the phase succeeded; OST_E_CANCELLED after plugin_cancel() mostly */
    const char *text; /* why it failed; "" on success. Not masked. */
    unsigned n_execs; /* commands it started */
};

typedef void plugin_end_fn(void *ctx, const struct plugin_end *end);

struct plugin_spec { /* zeroed members are fine where it says so; all borrowed until the end */
    const struct plugin *plugin;
    int object; /* the sealed copy that trust_open() made; may be closed after plugin_start() */
    int phase;  /* OST_PHASE_...; OST_PHASE_PLAN of a plugin without a plan runs main, recording */
    const struct strmap *inputs; /* from plugin_check_inputs() */
    struct sandbox *sandbox;     /* where its commands run and whose files it sees */
    struct sandbox *own_side;    /* whose files it sees, when SANDBOX is a container: NULL else */
    const struct show_folder
        *shown; /* with OWN_SIDE: names of its folders that the container has for them; at
                                        most CHILD_SHOWN_MAX */
    size_t n_shown;
    const char *const *env;                      /* of its commands: whole, NULL-terminated */
    const char *search_path;                     /* PATH for their look-up; NULL: the one in env */
    const char *cwd;                             /* the step's working directory, the job's path */
    const char *workspace, *temp, *tools, *home; /* the job's paths, for dir() */
    /* Where artifacts and caches go, and with which token, of which the plugin knows nothing; without a url nowhere.
     * NULL: no requests over HTTP either. */
    const struct blobs_service *service;
    /* trust_hosts(): its own process then has no network, and the runner makes requests for it to these hosts only; NULL:
     * as its contract has it. Borrowed. */
    const json_t *hosts;
    int64_t deadline_ms; /* clock_ms() for time_left_ms(); CLOCK_NEVER: none. The caller keeps
                                    the time and calls plugin_cancel() */
    bool
        forked; /* the child is a copy of this process, which has no secrets of others in memory, and
                            no program is started; it has to have namespaces to shut itself in */
    /* Nothing is done outside of the workspace, which is to be thrown away: commands, transfers and requests are listed
     * and succeed with nothing in them, as in a plan; there is no network; but effects (outputs, variables, saved
     * values) come through. A plan may write to the workspace, so that one that does is found out. */
    bool rehearsal;
    const char *child; /* program with the subcommand plugin-child; NULL: this one */
    const struct plugin_services *services;
    plugin_end_fn *end; /* called once, from the loop; the run may be freed in it */
    void *ctx;          /* of the services and of end */
};

struct plugin_run;

/* Starts the phase. *RET is the caller's: plugin_run_free(), any time. Secret inputs are given to the
 * mask service before anything runs. ERR_UNSUPPORTED: the plugin has no such phase. */
MUST_CHECK int plugin_start(const struct plugin_spec *spec, struct loop *loop,
                            struct plugin_run **ret, struct err *err);

/* Starts the cancel steps: cancelled() turns true and cancel_fd() readable at once, each command gets the
 * stop ladder, blocking calls return OST_E_CANCELLED; 12 s later the plugin gets SIGKILL. Returns at
 * once; the end function tells the end. Again: no change. */
void plugin_cancel(struct plugin_run *r);

/* Kills what still runs, without calling the end function, and frees R. Returns NULL; NULL does nothing. */
struct plugin_run *plugin_run_free(struct plugin_run *r);

/* Reads the tables of the sealed OBJECT in a bare child that sees no job, and checks them. NAME (the
 * file's) is for messages. Turns LOOP until it is done; at most PLUGIN_DESCRIBE_MS. *RET is the caller's;
 * it has no sha256, root, folder or object yet. */
enum { PLUGIN_DESCRIBE_MS = 10000 };
MUST_CHECK int plugin_describe(int object, const char *name, const char *child, struct loop *loop,
                               struct plugin **ret, struct err *err);

/* The symbols that the sealed OBJECT wants and that none of the libraries it needs has: an array of names, the
 * caller's. As above; nothing of the object is loaded. */
MUST_CHECK int plugin_strangers(int object, const char *name, const char *child, struct loop *loop,
                                json_t **ret, struct err *err);
