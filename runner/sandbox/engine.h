/* engine - docker, or podman: the program that starts containers, run by its command line.
 *
 * Its program is started with an argument vector, never through a shell, and lives no longer than we do.
 * What is made in it carries the label of this process, so that the containers of one that was killed can be
 * told from those of one that lives (engine_sweep()). Values of a container's environment never appear in
 * the argument vector, which every user of the machine can read: see struct engine_env. */
#pragma once

#include "base/buf.h"
#include "base/vec.h"
#include "io/loop.h"

struct engine;

/* What becomes of the commands: each is told before it starts, then what it writes. A NULL function is not
 * called. COMMAND is the program and its arguments as one line, to be shown. */
struct engine_hooks {
    void (*command)(void *ctx, struct slice line);
    void (*output)(void *ctx, bool error, struct slice bytes);
    void *ctx;
};

/* Finds 'docker', else 'podman', in the PATH of ENV, the whole environment of its commands (borrowed, as LOOP
 * is). ERR_NOT_FOUND, with the cure: there is neither. Nothing is started yet. */
MUST_CHECK int engine_open(const char *const *env, struct loop *loop, struct engine **ret,
                           struct err *err);
/* Kills what still runs of its commands (not the containers). Returns NULL; NULL does nothing. */
struct engine *engine_close(struct engine *e);

void engine_set_hooks(struct engine *e, const struct engine_hooks *hooks);

const char *engine_path(const struct engine *e);
bool engine_is_podman(const struct engine *e);

/* "ostler=..." for `--label` and `--filter label=`: what this process made. */
const char *engine_label(const struct engine *e);

/* The program with ARGS as one line, to be shown. */
void engine_command_line(const struct engine *e, const char *const *args, struct buf *to);

/* ---- a container's environment ---- */

/* Names and values for `--env-file`, which comes to the program as a file in memory: ENGINE_ENV_FILE in the
 * arguments. What such a file cannot hold (line ends, more than a line's length) goes through the program's
 * own environment, unless the name would steer the program itself: that is an error. An empty value is
 * written as GitHub's runner does: the program then copies its own value, if it has one. */
#define ENGINE_ENV_FILE "/proc/self/fd/3"

struct engine_env {
    struct buf file;
    VEC(char *) more; /* "NAME=value", owned */
};

#define ENGINE_ENV_INIT                                                                            \
    {                                                                                              \
        .file = BUF_INIT(64 << 20)                                                                 \
    }

MUST_CHECK int engine_env_add(struct engine_env *env, struct slice name, struct slice value,
                              struct err *err);
void engine_env_deinit(struct engine_env *env); /* wipes: values may be secrets */

/* ---- one command ---- */

struct engine_command {
    const char *const *args; /* behind the program's name, NULL-terminated; borrowed for the call */
    const struct engine_env *env; /* NULL: none */
    struct slice input;           /* of its stdin; borrowed for the call */
    struct buf *capture;          /* its stdout, too; NULL: nobody wants it */
    bool quiet;                   /* the hooks hear nothing of it */
    int64_t limit_ms;             /* then it is killed; 0: none */
};

/* Runs it to its end, the loop turning meanwhile. *RET_CODE is its exit code, 128 + signal when it was
 * killed. ERR_CANCELLED: engine_interrupt(); ERR_TIMEOUT: the limit. */
MUST_CHECK int engine_run(struct engine *e, const struct engine_command *command, int *ret_code,
                          struct err *err);

/* The same for a command that has to succeed: another exit code is ERR_FAILED with the last line that it
 * wrote to stderr. */
MUST_CHECK int engine_must(struct engine *e, const struct engine_command *command, struct err *err);

/* engine_must() with nothing but arguments: ENGINE_DO(e, err, "rm", "--force", id) */
#define ENGINE_DO(e, err, ...)                                                                     \
    engine_must((e), &(struct engine_command){.args = (const char *const[]){__VA_ARGS__, NULL}},   \
                (err))

/* Waits, the loop turning, for MS. ERR_CANCELLED as above. */
MUST_CHECK int engine_pause(struct engine *e, int64_t ms, struct err *err);

/* The same until FD is readable; ERR_TIMEOUT after LIMIT_MS. */
MUST_CHECK int engine_await(struct engine *e, int fd, int64_t limit_ms, struct err *err);

/* Ends what engine_run() waits for, and all that it is called for until engine_resume(). */
void engine_interrupt(struct engine *e);
void engine_resume(struct engine *e);

/* ---- a command beside others ---- */

struct engine_call; /* one under way */

typedef void engine_output_fn(void *ctx, bool error, struct slice bytes);
typedef void engine_end_fn(void *ctx, int code);

/* Starts COMMAND; its limit and capture are not looked at. OUTPUT is called with what it writes, END once when it
 * has ended and all of it was read; END may free the call. The hooks are told the command only. */
MUST_CHECK int engine_start(struct engine *e, const struct engine_command *command,
                            engine_output_fn *output, engine_end_fn *end, void *ctx,
                            struct engine_call **ret, struct err *err);
/* The stop ladder; NOW: the kill at once. */
void engine_call_stop(struct engine_call *c, bool now);
struct engine_call *engine_call_free(struct engine_call *c); /* kills it; returns NULL */

/* ---- what is there ---- */

/* Asks for the engine's version. ERR_UNSUPPORTED when it is too old, ERR_FAILED with the cure when it does not
 * answer. */
MUST_CHECK int engine_check(struct engine *e, struct err *err);

/* What removes the container ID, and its unnamed volumes, at once. */
enum { ENGINE_REMOVAL_WORDS = 7 };
void engine_removal(const struct engine *e, const char *id,
                    const char *ret_args[ENGINE_REMOVAL_WORDS]);

/* Removes containers, with their unnamed volumes, and networks of all processes of this machine that live no more. What
 * cannot be removed is told by the hooks; the first such error is returned when all was tried. */
MUST_CHECK int engine_sweep(struct engine *e, struct err *err);

/* The mark in a job's folder DIR that its worker, this process, made things in an engine. */
MUST_CHECK int engine_mark(const struct engine *e, int dir, struct err *err);
void engine_unmark(int dir);
/* True if DIR has the mark of a process that lives no more. */
bool engine_is_marked(int dir);
