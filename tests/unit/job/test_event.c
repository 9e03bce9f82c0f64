#include "job/event.h"

#include "base/fd.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

/* What a reader saw, as one text: "name job[payload]|". */
static int note(void *ctx, json_t *event, struct slice log, struct err *err)
{
    const char *job = json_string_value(json_object_get(event, "job"));

    (void)err;
    buf_printf(ctx, "%s %s[", json_string_value(json_object_get(event, "event")), job ? job : "-");
    buf_add(ctx, log);
    buf_add_str(ctx, json_is_true(json_object_get(event, "part")) ? "...]|" : "]|");
    return ERR_OK;
}

static void read_back(int fd, struct buf *to)
{
    struct err err = ERR_INIT;

    lseek(fd, 0, SEEK_SET);
    cr_assert_eq(fd_read_all(fd, to, &err), ERR_OK);
}

static void write_some(int fd, const char *job)
{
    struct event_writer w;
    struct err err = ERR_INIT;

    event_writer_init(&w, fd, job);
    cr_assert_eq(event_emit(&w, json_pack("{s:s}", "event", "job.started"), &err), ERR_OK);
    cr_assert_eq(event_emit_log(&w, 2, SLICE("one\ntwo {\"event\"}\n"), false, &err), ERR_OK);
    cr_assert_eq(event_emit_log(&w, 2, SLICE(""), false, &err), ERR_OK);
    cr_assert_eq(event_emit_log(&w, 2, SLICE("half"), true, &err), ERR_OK);
    cr_assert_eq(event_emit_log(&w, 2, SLICE("\0\n"), false, &err), ERR_OK);
    cr_assert_eq(event_emit(&w, json_pack("{s:s}", "event", "job.finished"), &err), ERR_OK);
    event_writer_deinit(&w);
}

Test(event, a_reader_gets_what_a_writer_wrote_in_any_chunks)
{
    static const struct slice want =
        SLICE_INIT("job.started b\"u[]|log b\"u[one\ntwo {\"event\"}\n]|"
                   "log b\"u[half...]|log b\"u[\0\n]|job.finished b\"u[]|");
    int fd = memfd_create("events", MFD_CLOEXEC);
    struct buf all = BUF_INIT(1 << 20);

    write_some(fd, "b\"u");
    read_back(fd, &all);
    for (size_t size = 1; size <= all.len; size++) {
        struct buf seen = BUF_INIT(1 << 20);
        struct event_reader r;
        struct err err = ERR_INIT;

        event_reader_init(&r, note, &seen);
        for (size_t at = 0; at < all.len; at += size) {
            struct slice chunk = slice_head(slice_from(buf_slice(&all), at), size);
            cr_assert_eq(event_reader_feed(&r, chunk, &err), ERR_OK, "%s", err.text);
        }
        cr_assert(slice_eq(buf_slice(&seen), want), "chunks of %zu: '%s'", size, seen.ptr);
        cr_assert(event_reader_at_boundary(&r));
        event_reader_deinit(&r);
        buf_deinit(&seen);
    }
    buf_deinit(&all);
    close(fd);
}

Test(event, a_log_event_says_step_size_and_time)
{
    int fd = memfd_create("events", MFD_CLOEXEC);
    struct buf all = BUF_INIT(1 << 20);

    write_some(fd, NULL);
    read_back(fd, &all);
    cr_assert_not_null(strstr(all.ptr, "{\"event\":\"log\",\"step\":2,\"time\":\"20"), "%s",
                       all.ptr);
    cr_assert_not_null(strstr(all.ptr, "\"size\":18}\none\n"), "%s", all.ptr);
    cr_assert_not_null(strstr(all.ptr, "\"size\":4,\"part\":true}\nhalf"), "%s", all.ptr);
    buf_deinit(&all);
    close(fd);
}

static int feed(const char *text, struct err *err)
{
    struct buf seen = BUF_INIT(1 << 20);
    struct event_reader r;

    event_reader_init(&r, note, &seen);
    int code = event_reader_feed(&r, slice_of(text), err);
    event_reader_deinit(&r);
    buf_deinit(&seen);
    return code;
}

Test(event, refuses_what_is_no_event_stream)
{
    static const struct {
        const char *text;
        int code;
    } rows[] = {
        {"hello\n", ERR_INVALID},
        {"[]\n", ERR_INVALID},
        {"{}\n", ERR_INVALID},
        {"{\"event\":7}\n", ERR_INVALID},
        {"\n", ERR_INVALID},
        {"{\"event\":\"log\"}\n", ERR_INVALID},
        {"{\"event\":\"log\",\"size\":-1}\n", ERR_INVALID},
        {"{\"event\":\"log\",\"size\":1.5}\n", ERR_INVALID},
        {"{\"event\":\"log\",\"size\":1048577}\n", ERR_LIMIT},
        {"{\"event\":\"log\",\"size\":1048576}\n", ERR_OK},
        {"{\"event\":\"something new\",\"more\":[1]}\n", ERR_OK},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;

        cr_expect_eq(feed(rows[i].text, &err), rows[i].code, "row %zu: %s", i, err.text);
    }
}

static int refuse(void *ctx, json_t *event, struct slice log, struct err *err)
{
    (void)event;
    (void)log;
    ++*(int *)ctx;
    return err_set(err, ERR_CANCELLED, "enough");
}

Test(event, the_readers_refusal_is_handed_on)
{
    struct event_reader r;
    struct err err = ERR_INIT;
    int calls = 0;

    event_reader_init(&r, refuse, &calls);
    cr_assert_eq(event_reader_feed(&r, SLICE("{\"event\":\"a\"}\n{\"event\":\"b\"}\n"), &err),
                 ERR_CANCELLED);
    cr_assert_eq(calls, 1);
    event_reader_deinit(&r);
}

Test(event, a_line_without_end_is_refused_at_the_limit)
{
    char *junk = mem_new(1 << 20);
    struct event_reader r;
    struct err err = ERR_INIT;
    int code = ERR_OK, calls = 0, n = 0;

    memset(junk, 'x', 1 << 20);
    event_reader_init(&r, refuse, &calls);
    for (; code == ERR_OK && n < 100; n++)
        code = event_reader_feed(&r, slice_make(junk, 1 << 20), &err);
    cr_assert_eq(code, ERR_LIMIT);
    cr_assert_eq(n, (EVENT_HEAD_MAX >> 20) + 1);
    event_reader_deinit(&r);
    free(junk);
}

static void *drain(void *ctx)
{
    struct err err = ERR_INIT;
    int *fd = ctx;
    struct buf *all = mem_new(sizeof *all);

    *all = (struct buf)BUF_INIT(64 << 20);
    usleep(20000); /* let the pipe fill */
    cr_assert_eq(fd_read_all(*fd, all, &err), ERR_OK);
    return all;
}

Test(event, a_slow_reader_gets_everything_over_a_pipe_that_does_not_block)
{
    int in, out;
    struct err err = ERR_INIT;
    struct event_writer w;
    pthread_t reader;
    char *lines = mem_new(EVENT_LOG_MAX);

    memset(lines, 'y', EVENT_LOG_MAX);
    cr_assert_eq(fd_pipe(&in, &out, &err), ERR_OK);
    cr_assert_eq(fd_set_nonblock(out, true, &err), ERR_OK);
    cr_assert_eq(pthread_create(&reader, NULL, drain, &in), 0);
    event_writer_init(&w, out, "j");
    for (int i = 0; i < 8; i++)
        cr_assert_eq(event_emit_log(&w, 1, slice_make(lines, EVENT_LOG_MAX), false, &err), ERR_OK);
    event_writer_deinit(&w);
    close(out);

    void *result;
    pthread_join(reader, &result);
    struct buf *all = result;
    cr_assert_gt(all->len, 8 * EVENT_LOG_MAX);
    cr_assert_lt(all->len, 8 * (EVENT_LOG_MAX + 200));
    buf_deinit(all);
    free(all);
    free(lines);
    close(in);
}

Test(event, a_reader_that_is_gone_is_an_error)
{
    int in, out;
    struct err err = ERR_INIT;
    struct event_writer w;

    signal(SIGPIPE, SIG_IGN);
    cr_assert_eq(fd_pipe(&in, &out, &err), ERR_OK);
    close(in);
    event_writer_init(&w, out, NULL);
    cr_assert_eq(event_emit_log(&w, 1, SLICE("x\n"), false, &err), ERR_SYS);
    cr_assert_eq(err.sys, EPIPE);
    cr_assert_eq(event_emit(&w, json_pack("{s:s}", "event", "x"), &err), ERR_SYS);
    cr_assert_eq(event_emit(&w, NULL, &err), ERR_INVALID);
    event_writer_deinit(&w);
    close(out);
}
