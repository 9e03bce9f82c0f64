/* runner - the test tools we know: how a project shows that it uses one, what starts it, how tests are listed and
 * picked, where its results are. One row of a table each; the rows are in runner_python.c, runner_node.c and
 * runner_native.c. */
#pragma once

#include "read.h"

enum {
    PICK_MAX = 300,              /* tests that are rerun one by one; with more it is no flake */
    WORDS_SIZE_MAX = 96 << 10,   /* bytes of one word of a command: Linux takes 128 KiB */
    COMMANDS_SIZE_MAX = 1 << 20, /* bytes of a command line: what fits everywhere */
    PROGRAMS_MAX = 64,           /* commands of one run */
};

struct runner;

/* A runner in its place: all that is settled before anything runs. */
struct target {
    struct ost_step *step;
    const struct runner *runner;
    const char *workspace; /* absolute */
    const char *root;      /* where it runs, clean and relative to the workspace; "": there */
    const char *why;       /* what gave it away: "manage.py"; "it is asked for" */
    const char *command;   /* as the user has it; "": the runner's own */
    const char *const *
        words; /* the start of its command; [0] is looked for in PROGRAMS, unless it is the user's */
    const char *const *programs; /* where words[0] may be, best first; NULL: it is the user's */
    const char *const *tests;    /* what to run, as the runner names it; empty: all */
    const char *const *args;
    const char *build;   /* CTest's folder, as seen from ROOT */
    const char *folder;  /* absolute, for reports; NULL while planning */
    unsigned n_reports;  /* of them, so far */
    int64_t deadline_ns; /* of the monotonic clock, for all commands together; 0: none */
};

enum pick { PICK_ALL, PICK_UNITS, PICK_TESTS };

/* What of all tests a run is to have. */
struct selection {
    enum pick pick;
    const char *const *units;          /* PICK_UNITS: NULL-terminated */
    const struct result *const *tests; /* PICK_TESTS: N of them */
    size_t n;
};

struct command {
    const char *const *argv;     /* [0] as in target.words */
    const char *const *programs; /* as there */
    const char *report;          /* the file it was told to write; NULL: none */
    const char *label;           /* goes before the suites it tells; NULL: nothing */
    const char *note;            /* for the plan; NULL */
};

struct commands { /* zeroed is empty */
    struct command list[PROGRAMS_MAX];
    size_t n;
};

struct runner {
    const char *name, *title;
    const char *const *words; /* its command's start: {"go", "test"} */
    const char *const
        *folders; /* where words[0] is installed with a project: {".venv/bin"}; may be NULL */
    const char *const *names; /* its other names: {"python3"}; may be NULL */
    const char *install;      /* what to do when it is missing */
    const char *family; /* of several rows of one family that a folder shows, the first counts */

    /* True if the folder DIR, absolute, shows that its tests are for this runner; *RET_WHY how. */
    bool (*found)(struct target *t, const char *dir, const char **ret_why);

    const struct format *stream; /* how its output is read; NULL: it writes reports */
    int stream_fd;               /* 1 or 2: only that of it; 0: both */
    bool raw;                    /* that output is nothing for people */
    const char
        *reports; /* where it writes them by itself, as seen from root; NULL: where it is told */
    bool lines_from_zero; /* in its reports */
    bool prefixes;        /* a unit picks all whose names begin with it */

    /* Appends what runs the selection. False: it cannot be picked so. */
    bool (*commands)(struct target *t, const struct selection *s, struct commands *to);

    const char *units_are; /* "files"; see below */
    bool lists_broken;     /* a list that fails does name what could not be loaded */

    /* For shards; NULL: it cannot be. A unit is the least that is picked by: a file, a class, a package. */
    bool (*list)(struct target *t, struct commands *to); /* false: not with these words */
    void (*units)(struct target *t, const struct command *c, struct span out, struct strings *to);
    const char *(*unit)(struct target *t, const struct result *r); /* of a result; NULL: none */
};

extern const struct runner runners_python[], runners_node[],
    runners_native[]; /* end with a row without name */

/* By name; NULL: there is none. */
const struct runner *runner_find(const char *name);

/* The Ith of all; NULL: no more. */
const struct runner *runner_at(size_t i);

/* ---- for the rows ---- */

/* True if DIR has the file NAME, and that has TEXT in it somewhere; TEXT NULL: whatever it has. */
bool dir_has(struct ost_step *step, const char *dir, const char *name, const char *text);

/* The path of the next report, ending in SUFFIX. */
const char *target_report(struct target *t, const char *suffix);

/* The absolute folder that it runs in. */
const char *target_cwd(const struct target *t);

/* Begins a command of T: its words, then MORE. */
struct strings command_begin(struct target *t, const char *const *more);
void words_add(struct ost_step *step, struct strings *to, const char *const *words);
void command_add(struct commands *to, struct target *t, const struct strings *argv,
                 const char *report);

/* TEXT with a backslash before each character that regular expressions, of any kind, give a meaning. */
const char *regex_quote(struct ost_step *step, const char *text);

/* Appends NAME unless it is there. */
void strings_add_once(struct ost_step *step, struct strings *to, const char *name);
