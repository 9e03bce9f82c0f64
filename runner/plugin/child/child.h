/* child - a plugin's process from the inside: its descriptors, and the services as calls to the runner. */
#pragma once

#include "base/buf.h"
#include "base/strmap.h"
#include "plugin/plugin.h"
#include "sandbox/show.h"

#include <ostler/plugin.h>

/* The descriptors it is born with, besides 1 and 2. */
enum {
    CHILD_SOCKET = 3, /* to the runner */
    CHILD_OBJECT = 4, /* the sealed copy */
    CHILD_CRASH = 5,  /* for one struct crash_report */
    CHILD_CANCEL = 6, /* eventfd: readable once cancelled; not in describe */
    CHILD_PLACE = 7,  /* the job's user, mount and network namespace, when START says so */
};

/* Folders that stay writable. */
enum { CHILD_WRITABLE_MAX = 4 };

/* Folders that appear under another name, too. */
enum { CHILD_SHOWN_MAX = 8 };

enum child_mode { CHILD_RUN, CHILD_DESCRIBE, CHILD_STRANGERS };

struct child_start { /* what START says */
    enum child_mode mode;
    int phase;        /* the function to call */
    const char *name; /* of the object's file */
    bool has_place, network;
    bool strict;   /* without namespaces to be shut in nothing is loaded */
    bool services; /* the job has some for artifacts and caches */
    bool http;     /* the runner makes requests for it */
    bool record;   /* each call is told, too */
    bool plan;     /* effects are only listed */
    bool watched;  /* the runner hears of each call that can fail, and of what is left open */
    enum plugin_protocol protocol;
    const char *contract; /* JSON; "" for PLUGIN_OBJECT */
    int64_t deadline_ms;  /* clock_ms(); INT64_MAX: none */
    const char *cwd;
    const char *dirs[5];                          /* by OST_DIR_... */
    const char *writable[CHILD_WRITABLE_MAX + 1]; /* NULL-terminated */
    struct show_folder shown[CHILD_SHOWN_MAX];
    size_t n_shown;
    struct strmap inputs; /* names ignore case */
};

/* ---- the connection, calls.c ---- */

/* Reads START. Any failure of the connection ends the process: the runner is gone. */
void calls_open(struct child_start *ret);

/* The step that the phase is called with. */
struct ost_step *calls_step(const struct child_start *start);

/* Says TEXT as a note of the child itself. */
void calls_say(void *ctx, const char *text);

/* Says that the phase left the descriptor FD open, and what it is. */
void calls_left(int fd, const char *what);

/* Sends the contract, or what else was asked for (JSON). */
void calls_tables(const char *json);

/* The end. LOADED: the phase returned STATUS, and TEXT NULL means what fail() or last_error() say. Else
 * the plugin could not be loaded, and TEXT says why. */
void calls_end(bool loaded, int32_t status, const char *text);

/* ---- child.c ---- */

/* The hidden subcommand: argv[0] is "plugin-child". Returns the exit code. */
int plugin_child_main(int argc, char **argv);
