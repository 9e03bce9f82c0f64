/* errand - one request out, one answer back. The shell stands for the program: "sh -s" does what it is asked. */
#include <criterion/criterion.h>

#include "base/buf.h"
#include "base/fd.h"
#include "io/errand.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

struct seen {
    struct loop *loop;
    struct errand *errand;
    struct buf heard, rest;
    struct proc_exit how;
    int ends;
};

static size_t hear_lines(void *ctx, struct slice text)
{
    struct seen *s = ctx;
    const char *end = memrchr(text.ptr, '\n', text.len);
    size_t whole = end ? (size_t)(end + 1 - text.ptr) : 0;

    buf_add(&s->heard, slice_head(text, whole));
    return whole;
}

static void on_done(void *ctx, struct proc_exit how, struct slice rest)
{
    struct seen *s = ctx;

    s->ends++;
    s->how = how;
    buf_add(&s->rest, rest);
    s->errand = errand_free(s->errand); /* as one may */
    loop_quit(s->loop);
}

static int start(struct seen *s, const char *script, size_t max, bool lines, struct err *err)
{
    struct errand_client client = {lines ? hear_lines : NULL, on_done, s};
    struct errand_spec spec = {.name = "-s", .program = "/bin/sh", .answer_max = max};
    CLEANUP(fd_closep) int in = -1;

    *s = (struct seen){.heard = BUF_INIT(1 << 20), .rest = BUF_INIT(1 << 20)};
    cr_assert_eq(loop_new(&s->loop, err), ERR_OK);
    cr_assert_eq(fd_memory(slice_of(script), &in, err), ERR_OK);
    spec.request = in;
    return errand_start(&spec, s->loop, &client, &s->errand, err);
}

static void send_for(struct seen *s, const char *script, size_t max, bool lines)
{
    struct err err = ERR_INIT;

    cr_assert_eq(start(s, script, max, lines, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(loop_run(s->loop, &err), ERR_OK, "%s", err.text);
}

static void end(struct seen *s)
{
    errand_free(s->errand);
    loop_free(s->loop);
    buf_deinit(&s->heard);
    buf_deinit(&s->rest);
}

Test(errand, brings_the_answer_and_how_it_ended)
{
    struct seen s;

    send_for(&s, "echo one; echo two; exit 3", 100, false);
    cr_assert_eq(s.ends, 1);
    cr_assert_eq(s.how.code, 3);
    cr_assert_str_eq(s.rest.ptr, "one\ntwo\n");
    end(&s);
}

Test(errand, waits_for_the_answer_of_a_process_that_is_gone_and_for_the_end_of_one_that_is_silent)
{
    struct seen s;

    send_for(&s, "(sleep 0.1; echo late) & exit 0", 100, false);
    cr_assert_str_eq(s.rest.ptr, "late\n");
    end(&s);
    send_for(&s, "exec >&-; sleep 0.1; exit 4", 100, false);
    cr_assert_eq(s.how.code, 4);
    end(&s);
}

Test(errand, what_is_taken_on_the_way_is_not_in_the_rest)
{
    struct seen s;

    send_for(&s, "echo one; printf tw; sleep 0.1; echo o; printf rest", 100, true);
    cr_assert_str_eq(s.heard.ptr, "one\ntwo\n");
    cr_assert_str_eq(s.rest.ptr, "rest");
    end(&s);
}

Test(errand, an_answer_that_is_too_long_is_cut_and_whoever_writes_it_is_not_waited_for)
{
    struct seen s;

    send_for(&s, "exec yes", 1000, false);
    cr_assert_eq(s.rest.len, 1000);
    cr_assert_eq(s.how.signal, SIGPIPE);
    end(&s);
}

Test(errand, freed_on_its_way_it_is_killed_and_says_nothing)
{
    struct seen s;
    struct err err = ERR_INIT;

    cr_assert_eq(start(&s, "echo here; exec sleep 600", 100, false, &err), ERR_OK);
    s.errand = errand_free(s.errand);
    cr_assert_eq(s.ends, 0);
    cr_assert(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "the child is still there");
    end(&s);
}

Test(errand, a_program_that_is_missing_is_told_at_once)
{
    struct seen s = {0};
    struct err err = ERR_INIT;
    struct errand_client client = {NULL, on_done, &s};
    struct errand_spec spec = {
        .name = "x", .program = "/nowhere/to/be/found", .request = -1, .answer_max = 1};

    cr_assert_eq(loop_new(&s.loop, &err), ERR_OK);
    cr_assert_eq(errand_start(&spec, s.loop, &client, &s.errand, &err), ERR_NOT_FOUND);
    cr_assert_null(s.errand);
    loop_free(s.loop);
}
