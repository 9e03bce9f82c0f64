#include "sandbox/engine.h"

#include "base/clock.h"
#include "base/path.h"
#include "kit/scratch.h"
#include "sandbox/owner.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* An engine that is a shell script: what it is asked for and what it answers are under the test's control. */
static struct loop *loop;
static struct engine *engine;
static struct buf told = BUF_INIT(1 << 20);
static const char *env[3];

static void on_command(void *ctx, struct slice line)
{
    (void)ctx;
    buf_printf(&told, "$ %.*s\n", SLICE_ARG(slice_from(line, strlen(engine_path(engine)) + 1)));
}

static void on_output(void *ctx, bool error, struct slice bytes)
{
    (void)ctx;
    buf_printf(&told, "%s%.*s", error ? "!" : "", SLICE_ARG(bytes));
}

static void enter(void)
{
    struct err err = ERR_INIT;

    scratch_enter();
    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
    static char path[4300];
    snprintf(path, sizeof path, "PATH=%s:/usr/bin:/bin", scratch_path);
    env[0] = path;
    env[1] = "MINE=kept";
}

static void leave(void)
{
    engine = engine_close(engine);
    loop = loop_free(loop);
    buf_deinit(&told);
    scratch_leave();
}

TestSuite(engine, .init = enter, .fini = leave);

/* Makes NAME the script SCRIPT, and opens it. */
static void open_engine(const char *name, const char *script)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 16);
    CLEANUP(free_ptr) char *path = path_join(scratch_path, name);
    struct err err = ERR_INIT;

    buf_printf(&text, "#!/bin/sh\n%s\n", script);
    cr_assert_eq(path_write(AT_FDCWD, path, buf_slice(&text), 0755, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(engine_open(env, loop, &engine, &err), ERR_OK, "%s", err.text);
    struct engine_hooks hooks = {.command = on_command, .output = on_output};
    engine_set_hooks(engine, &hooks);
}

Test(engine, without_a_program_the_cure_is_told)
{
    struct err err = ERR_INIT;

    env[0] = "PATH=/nonexistent";
    cr_expect_eq(engine_open(env, loop, &engine, &err), ERR_NOT_FOUND);
    cr_expect(strstr(err.text, "apt-get install docker.io"), "%s", err.text);
}

Test(engine, commands_and_output_are_told_and_captured)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(4096);
    struct err err = ERR_INIT;

    open_engine("docker", "echo \"$MINE: $*\"; cat; echo bad >&2; exit ${3-0}");
    struct engine_command command = {.args = (const char *const[]){"run", "a b", NULL},
                                     .input = SLICE("from stdin\n"),
                                     .capture = &out};
    cr_assert_eq(engine_must(engine, &command, &err), ERR_OK, "%s", err.text);
    cr_expect_str_eq(out.ptr, "kept: run a b\nfrom stdin\n");
    cr_expect(strstr(told.ptr, "$ run 'a b'\n"), "%s", told.ptr);
    cr_expect(strstr(told.ptr, "!bad\n"), "%s", told.ptr);
    buf_clear(&told);
    command.quiet = true;
    cr_assert_eq(engine_must(engine, &command, &err), ERR_OK, "%s", err.text);
    cr_expect_str_eq(told.ptr, "");
}

Test(engine, a_failure_says_its_last_words)
{
    struct err err = ERR_INIT;
    int code = 0;

    open_engine("docker", "echo first >&2; echo 'no such image' >&2; echo >&2; exit 4");
    cr_expect_eq(ENGINE_DO(engine, &err, "pull", "x"), ERR_FAILED);
    cr_expect_str_eq(err.text, "docker pull: no such image");
    struct engine_command command = {.args = (const char *const[]){"pull", NULL}};
    cr_assert_eq(engine_run(engine, &command, &code, &err), ERR_OK);
    cr_expect_eq(code, 4);
}

Test(engine, podman_is_the_second_choice)
{
    struct err err = ERR_INIT;
    char path[4300];

    snprintf(path, sizeof path, "PATH=%s", scratch_path); /* no docker of this machine */
    env[0] = path;
    open_engine("podman", "exit 1");
    cr_expect(engine_is_podman(engine));
    cr_expect_eq(ENGINE_DO(engine, &err, "ps"), ERR_FAILED);
    cr_expect_str_eq(err.text, "podman ps failed with exit code 1");
}

/* ---- environment ---- */

static void add(struct engine_env *e, const char *name, struct slice value)
{
    struct err err = ERR_INIT;

    cr_assert_eq(engine_env_add(e, slice_of(name), value, &err), ERR_OK, "%s", err.text);
}

Test(engine, values_reach_the_program_without_its_arguments)
{
    struct engine_env e = ENGINE_ENV_INIT;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(1 << 16);
    struct err err = ERR_INIT;
    char *long_text = calloc(1, 60001);

    memset(long_text, 'x', 60000);
    add(&e, "LD_PRELOAD", SLICE("/evil.so"));
    add(&e, "PATH", SLICE("/evil"));
    add(&e, "EMPTY", SLICE(""));
    add(&e, "LINES", SLICE("a\nb"));
    add(&e, "LONG", slice_of(long_text));
    free(long_text);
    open_engine("docker", "cat \"$1\"; echo \"LINES: $LINES\"; echo ${#LONG} $LD_PRELOAD $PATH");
    struct engine_command command = {
        .args = (const char *const[]){ENGINE_ENV_FILE, NULL}, .env = &e, .capture = &out};
    cr_assert_eq(engine_must(engine, &command, &err), ERR_OK, "%s", err.text);
    cr_expect(
        strstr(out.ptr, "LD_PRELOAD=/evil.so\nPATH=/evil\nEMPTY\nLINES\nLONG\nLINES: a\nb\n60000 "),
        "%s", out.ptr);
    cr_expect_null(strstr(out.ptr, "60000 /evil"));
    engine_env_deinit(&e);
}

Test(engine, what_would_steer_the_program_or_break_the_file_is_refused)
{
    static const struct {
        struct slice name, value;
    } rows[] = {
        {SLICE_INIT("LD_PRELOAD"), SLICE_INIT("/a\n/b")},
        {SLICE_INIT("DOCKER_HOST"), SLICE_INIT("a\nb")},
        {SLICE_INIT("HOME"), SLICE_INIT("a\nb")},
        {SLICE_INIT("https_proxy"), SLICE_INIT("a\nb")},
        {SLICE_INIT(""), SLICE_INIT("a")},
        {SLICE_INIT("#A"), SLICE_INIT("a")},
        {SLICE_INIT("A B"), SLICE_INIT("a")},
        {SLICE_INIT("A\nB"), SLICE_INIT("a")},
        {SLICE_INIT("A"), SLICE_INIT("a\0b")},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct engine_env e = ENGINE_ENV_INIT;
        struct err err = ERR_INIT;

        cr_expect_lt(engine_env_add(&e, rows[i].name, rows[i].value, &err), 0, "row %zu", i);
        cr_expect_eq(e.file.len, 0);
        engine_env_deinit(&e);
    }
}

/* ---- waiting ---- */

static void interrupt(void *ctx)
{
    (void)ctx;
    engine_interrupt(engine);
}

Test(engine, what_is_waited_for_can_be_interrupted)
{
    struct err err = ERR_INIT;
    int64_t start = clock_ms();

    open_engine("docker", "[ \"$1\" = quick ] || exec sleep 100");
    (void)loop_timer(loop, start + 50, interrupt, NULL);
    cr_expect_eq(ENGINE_DO(engine, &err, "slow"), ERR_CANCELLED);
    cr_expect_eq(ENGINE_DO(engine, &err, "quick"), ERR_CANCELLED);
    cr_expect_eq(engine_pause(engine, 100000, &err), ERR_CANCELLED);
    engine_resume(engine);
    cr_expect_eq(ENGINE_DO(engine, &err, "quick"), ERR_OK);
    cr_expect_eq(engine_pause(engine, 10, &err), ERR_OK);
    cr_expect_lt(clock_ms() - start, 20000);
}

Test(engine, a_limit_ends_a_command)
{
    struct err err = ERR_INIT;

    open_engine("docker", "exec sleep 100");
    struct engine_command command = {.args = (const char *const[]){"logs", NULL}, .limit_ms = 50};
    cr_expect_eq(engine_must(engine, &command, &err), ERR_TIMEOUT);
}

struct seen {
    struct buf text;
    int code;
    bool ended;
};

static void on_call_output(void *ctx, bool error, struct slice bytes)
{
    struct seen *s = ctx;

    (void)error;
    buf_add(&s->text, bytes);
}

static void on_call_end(void *ctx, int code)
{
    struct seen *s = ctx;

    s->code = code;
    s->ended = true;
    loop_quit(loop);
}

Test(engine, a_call_runs_beside_others_and_can_be_stopped)
{
    struct seen seen = {.text = BUF_INIT(4096)};
    struct engine_call *call = NULL;
    struct err err = ERR_INIT;

    open_engine("docker",
                "trap 'echo stopped; exit 5' INT; echo started; while :; do sleep 0.01; done");
    struct engine_command command = {.args = (const char *const[]){"run", NULL}};
    cr_assert_eq(engine_start(engine, &command, on_call_output, on_call_end, &seen, &call, &err),
                 ERR_OK);
    while (!strstr(seen.text.ptr, "started"))
        cr_assert_eq(loop_turn(loop, clock_ms() + 5000, &err), ERR_OK);
    engine_call_stop(call, false);
    cr_assert_eq(loop_run(loop, &err), ERR_OK);
    engine_call_free(call);
    cr_expect_str_eq(seen.text.ptr, "started\nstopped\n");
    cr_expect_eq(seen.code, 5);
    buf_deinit(&seen.text);
}

/* ---- what is there ---- */

Test(engine, one_that_does_not_answer_or_is_too_old_is_told_with_the_cure)
{
    static const char *const rows[][2] = {
        {"echo 'Cannot connect' >&2; exit 1", "(docker version: Cannot connect): start it"},
        {"echo 'permission denied' >&2; exit 1", "into the group 'docker'"},
        {"echo 1.24", "speaks API 1.24"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;

        open_engine("docker", rows[i][0]);
        cr_expect_lt(engine_check(engine, &err), 0);
        cr_expect(strstr(err.text, rows[i][1]), "%s", err.text);
        engine = engine_close(engine);
    }
    struct err err = ERR_INIT;
    open_engine("docker", "echo 1.41");
    cr_expect_eq(engine_check(engine, &err), ERR_OK, "%s", err.text);
}

/* Another process' name: the label of ours with another pid and start. */
static const char *dead_owner(void)
{
    static char text[256];
    char *ours = NULL;
    struct err err = ERR_INIT;

    cr_assert_eq(owner_label(&ours, &err), ERR_OK);
    const char *value = strchr(ours, '=') + 1;
    const char *end = strrchr(value, '-');
    while (end[-1] != '-')
        end--;
    snprintf(text, sizeof text, "%.*s4000000-1", (int)(end - value), value);
    free(ours);
    return text;
}

Test(engine, what_the_dead_left_is_removed_and_nothing_else)
{
    CLEANUP(buf_deinit) struct buf script = BUF_INIT(1 << 16);
    struct err err = ERR_INIT;
    const char *dead = dead_owner();
    char *ours = NULL;

    cr_assert_eq(owner_label(&ours, &err), ERR_OK);
    buf_printf(&script,
               "case \"$*\" in\n"
               "*--format*) printf '%%s\\n\\n' %s 'other-machine-1-1-1' %s %s ;;\n"
               "'ps '*label=ostler=%s) [ -e %s/gone ] || echo c1; echo >%s/gone ;;\n"
               "esac",
               dead, strchr(ours, '=') + 1, dead, dead, scratch_path, scratch_path);
    open_engine("docker", script.ptr);
    cr_expect_eq(engine_sweep(engine, &err), ERR_OK, "%s", err.text);
    cr_expect(strstr(told.ptr, "$ rm --force --volumes c1\n"), "%s", told.ptr);
    cr_expect_null(strstr(told.ptr, "other-machine-1-1-1'"));
    const char *first = strstr(told.ptr, "--all --quiet");
    cr_assert(first);
    cr_expect_null(strstr(first + 1, "--all --quiet"), "more than one owner was swept:\n%s",
                   told.ptr);
    free(ours);
}

Test(engine, owners_are_told_apart)
{
    struct err err = ERR_INIT;
    char *ours = NULL;

    cr_assert_eq(owner_label(&ours, &err), ERR_OK);
    cr_expect_not(owner_is_dead(strchr(ours, '=') + 1));
    cr_expect(owner_is_dead(dead_owner()));
    cr_expect_not(owner_is_dead(""));
    cr_expect_not(owner_is_dead("abc-def-1-2"));
    cr_expect_not(owner_is_dead("ffffffffffff-ffffffffffff-1-4000000-1"));
    free(ours);
}

Test(engine, a_mark_tells_of_those_who_died)
{
    struct err err = ERR_INIT;
    int status = 0;

    open_engine("docker", "exit 0");
    cr_assert_eq(engine_mark(engine, scratch_dir, &err), ERR_OK, "%s", err.text);
    cr_expect_not(engine_is_marked(scratch_dir), "we live");
    engine_unmark(scratch_dir);
    pid_t pid = fork();
    if (pid == 0) {
        struct engine *other = NULL;
        _exit(engine_open(env, loop, &other, &err) < 0 ||
              engine_mark(other, scratch_dir, &err) < 0);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    cr_expect(engine_is_marked(scratch_dir));
    engine_unmark(scratch_dir);
    cr_expect_not(engine_is_marked(scratch_dir));
}
