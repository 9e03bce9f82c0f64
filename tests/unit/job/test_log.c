#include "job/log/log.h"

#include "base/fd.h"
#include "base/utf8.h"
#include "kit/effort.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

/* What came out: the log as one text, and each annotation as "level:message@file:line;". */
static struct buf text, notes;
static struct buf calls; /* of the handlers */
static size_t n_parts, n_logs;
static bool in_part;

static int events;
static struct event_writer writer;
static struct mask *mask;
static struct log_spec spec;
static struct log *log_;

static int pair(const char *what, struct slice name, struct slice value, struct err *err)
{
    if (slice_eq(name, SLICE("BAD")))
        return err_set(err, ERR_DENIED, "BAD is not allowed");
    buf_printf(&calls, "%s %.*s=%.*s;", what, SLICE_ARG(name), SLICE_ARG(value));
    return ERR_OK;
}

static int set_output(void *ctx, struct slice name, struct slice value, struct err *err)
{
    (void)ctx;
    return pair("output", name, value, err);
}

static int set_env(void *ctx, struct slice name, struct slice value, struct err *err)
{
    (void)ctx;
    return pair("env", name, value, err);
}

static int add_path(void *ctx, struct slice path, struct err *err)
{
    (void)ctx;
    return pair("path", path, SLICE(""), err);
}

static int remove_matcher(void *ctx, struct slice owner, struct slice path, struct err *err)
{
    (void)ctx;
    return pair("remove", owner, path, err);
}

static const struct log_handlers handlers = {
    .set_output = set_output,
    .set_env = set_env,
    .add_path = add_path,
    .remove_matcher = remove_matcher,
};

static void restart(void)
{
    log_free(log_);
    log_ = log_new(&spec);
}

static void start(void)
{
    text = notes = calls = (struct buf)BUF_INIT(256 << 20);
    n_parts = n_logs = 0;
    in_part = false;
    events = memfd_create("events", MFD_CLOEXEC);
    event_writer_init(&writer, events, "j");
    mask = mask_new();
    log_ = NULL;
    spec = (struct log_spec){
        .events = &writer, .step = 1, .mask = mask, .handlers = &handlers, .workspace = "/w"};
    restart();
}

static void stop(void)
{
    log_free(log_);
    mask_free(mask);
    event_writer_deinit(&writer);
    close(events);
    buf_deinit(&text);
    buf_deinit(&notes);
    buf_deinit(&calls);
}

TestSuite(log, .init = start, .fini = stop);

static int see(void *ctx, json_t *event, struct slice log, struct err *err)
{
    const char *name = json_string_value(json_object_get(event, "event"));
    bool part = json_is_true(json_object_get(event, "part"));
    json_t *file = json_object_get(event, "file"), *line = json_object_get(event, "line");

    (void)ctx;
    (void)err;
    if (strcmp(name, "log") == 0) {
        cr_assert_gt(log.len, 0, "an empty event");
        cr_assert_eq(utf8_valid(log), log.len, "an event ends inside a character");
        cr_assert(part || log.ptr[log.len - 1] == '\n', "a line that does not end");
        cr_assert(!part || !memchr(log.ptr, '\n', log.len), "a part with a line end");
        buf_add(&text, log);
        n_parts += part;
        n_logs++;
        in_part = part;
        return ERR_OK;
    }
    cr_assert_str_eq(name, "annotation");
    cr_assert(!in_part, "an annotation inside of a line");
    buf_printf(&notes, "%s:%s", json_string_value(json_object_get(event, "level")),
               json_string_value(json_object_get(event, "message")));
    if (file || line)
        buf_printf(&notes, "@%s:%d", file ? json_string_value(file) : "",
                   (int)json_integer_value(line));
    buf_add_char(&notes, ';');
    return ERR_OK;
}

/* Reads all events that were written since the last time. */
static void collect(void)
{
    struct event_reader r;
    struct err err = ERR_INIT;
    struct buf all = BUF_INIT(256 << 20);

    cr_assert_eq(log_flush(log_, &err), ERR_OK, "%s", err.text);
    buf_clear(&text);
    buf_clear(&notes);
    lseek(events, 0, SEEK_SET);
    cr_assert_eq(fd_read_all(events, &all, &err), ERR_OK);
    event_reader_init(&r, see, NULL);
    cr_assert_eq(event_reader_feed(&r, buf_slice(&all), &err), ERR_OK, "%s", err.text);
    cr_assert(event_reader_at_boundary(&r));
    event_reader_deinit(&r);
    buf_deinit(&all);
    cr_assert_eq(ftruncate(events, 0), 0);
    lseek(events, 0, SEEK_SET);
}

static void feed(enum log_stream from, struct slice bytes)
{
    struct err err = ERR_INIT;

    cr_assert_eq(log_feed(log_, from, bytes, &err), ERR_OK, "%s", err.text);
}

static void end(void)
{
    struct err err = ERR_INIT;

    cr_assert_eq(log_end(log_, LOG_STDERR, &err), ERR_OK);
    cr_assert_eq(log_end(log_, LOG_STDOUT, &err), ERR_OK);
}

/* A fresh log is fed IN; then it must have said WANT and annotated WANT_NOTES. */
static void gives(const char *in, const char *want, const char *want_notes)
{
    restart();
    feed(LOG_STDOUT, slice_of(in));
    end();
    collect();
    cr_expect_str_eq(text.ptr, want, "'%s' gave '%s', not '%s'", in, text.ptr, want);
    cr_expect_str_eq(notes.ptr, want_notes, "'%s' annotated '%s', not '%s'", in, notes.ptr,
                     want_notes);
}

/* ---- lines ---- */

Test(log, ends_lines_at_LF_CRLF_and_lone_CR)
{
    gives("a\nb\r\nc\rd\n\ne\r\r\nf", "a\nb\nc\nd\n\ne\n\nf\n", "");
    gives("", "", "");
    gives("\n", "\n", "");
    gives("\r", "\n", "");
    gives("x", "x\n", "");
}

Test(log, gives_the_same_for_any_chunks)
{
    static const struct slice in = SLICE_INIT(
        "one\r\ntwo secret-value three\rgr\xc3\xbc\xc3\x9f\xe2\x82\xac\n::debug::hidden\n\xff\xc3\n"
        "::add-mask::other-one\nan other-one here\n  ::group::title\n std::vector "
        "##[end-action]\n\n"
        "##[warning file=/w/a.c;line=3]care\nlast without end");
    static const char want[] =
        "one\ntwo *** three\ngr\xc3\xbc\xc3\x9f\xe2\x82\xac\n"
        "\xef\xbf\xbd\xef\xbf\xbd\nan *** here\n##[group]title\n"
        " std::vector ##[\\end-action]\n\n##[warning]care\nlast without end\n";

    mask_add(mask, SLICE("secret-value"));
    for (size_t size = 1; size <= in.len; size++) {
        restart();
        for (size_t at = 0; at < in.len; at += size)
            feed(LOG_STDOUT, slice_head(slice_from(in, at), size));
        end();
        collect();
        cr_assert_str_eq(text.ptr, want, "chunks of %zu: '%s'", size, text.ptr);
        cr_assert_str_eq(notes.ptr, "warning:care@a.c:3;");
    }
}

Test(log, keeps_the_two_pipes_apart)
{
    feed(LOG_STDOUT, SLICE("out be"));
    feed(LOG_STDERR, SLICE("err be"));
    feed(LOG_STDOUT, SLICE("gin\nout two\r"));
    feed(LOG_STDERR, SLICE("gin\n\n"));
    feed(LOG_STDOUT, SLICE("\nout three\n"));
    end();
    collect();
    cr_assert_str_eq(text.ptr, "out begin\nout two\nerr begin\n\nout three\n");
}

Test(log, says_a_batch_in_one_event)
{
    feed(LOG_STDOUT, SLICE("one\ntwo\nthree\n"));
    collect();
    cr_assert_eq(n_logs, 1);
}

Test(log, takes_NUL_bytes)
{
    feed(LOG_STDOUT, SLICE("a\0b\n::debug::\0\n\0\n"));
    end();
    collect();
    cr_assert(slice_eq(buf_slice(&text), SLICE("a\0b\n\0\n")));
}

/* ---- long lines ---- */

static char *filled(size_t size, char c)
{
    char *p = mem_new(size);

    memset(p, c, size);
    return p;
}

Test(log, long_lines_come_in_parts_with_their_secrets_masked)
{
    enum { SIZE = 1000000 };
    char *line = filled(SIZE, 'x');

    mask_add(mask, SLICE("hunter2-secret"));
    for (size_t at = 1000; at + 20 < SIZE; at += 65521) /* at ever other places of a chunk */
        memcpy(line + at, "hunter2-secret", 14);
    for (size_t size = 4096; size <= SIZE; size *= 5) {
        restart();
        n_parts = 0;
        feed(LOG_STDOUT, SLICE("before\n"));
        for (size_t at = 0; at < SIZE; at += size)
            feed(LOG_STDOUT, slice_head(slice_make(line + at, SIZE - at), size));
        feed(LOG_STDOUT, SLICE("\nafter\n"));
        collect();
        cr_assert_null(strstr(text.ptr, "hunter2"));
        cr_assert_gt(n_parts, 5);
        cr_assert_eq(text.len, SIZE + sizeof "before\n\nafter\n" - 1 - 11 * (SIZE / 65521 + 1),
                     "%zu bytes", text.len);
        cr_assert(slice_starts(buf_slice(&text), SLICE("before\nxxx")));
        cr_assert(slice_ends(buf_slice(&text), SLICE("xxx\nafter\n")));
    }
    free(line);
}

Test(log, a_long_line_is_ended_when_the_other_pipe_speaks)
{
    char *line = filled(100000, 'x');

    feed(LOG_STDOUT, slice_make(line, 100000));
    feed(LOG_STDERR, SLICE("other\n"));
    feed(LOG_STDOUT, SLICE("rest\n"));
    log_write(log_, LOG_PLAIN, SLICE("ours"));
    collect();
    cr_assert(slice_ends(buf_slice(&text), SLICE("xxx\nother\nrest\nours\n")), "'%s'",
              text.ptr + text.len - 40);
    free(line);
}

Test(log, parts_end_between_characters)
{
    struct buf line = BUF_INIT(1 << 20);

    buf_add_char(&line, 'x');
    while (line.len < 300000)
        buf_add_str(&line, "\xe2\x82\xac");
    for (size_t hold = 0; hold < 8; hold++) { /* that many bytes are held back at the end */
        static const char secret[] = "1234567";

        mask_add(mask, slice_make(secret, hold));
        restart();
        feed(LOG_STDOUT, buf_slice(&line));
        end();
        collect(); /* see() looks at each part */
        cr_assert_gt(n_parts, 2);
        cr_assert_eq(text.len, line.len + 1);
    }
    buf_deinit(&line);
}

Test(log, markers_are_hidden_in_long_lines_too)
{
    char *line = filled(200000, 'x');
    struct slice all = slice_make(line, 200000);

    for (size_t at = 65500; at < 65560; at += 15) /* across the border of a part */
        memcpy(line + at, "##[start-action", 15);
    for (size_t cut = 65490; cut < 65580; cut++) {
        restart();
        feed(LOG_STDOUT, slice_head(all, cut));
        feed(LOG_STDOUT, slice_from(all, cut));
        end();
        collect();
        cr_assert_null(strstr(text.ptr, "##[start-action"), "cut at %zu", cut);
    }
    free(line);
}

Test(log, a_command_may_be_as_long_as_the_limit)
{
    char *value = filled(COMMAND_LINE_MAX, 'v');

    feed(LOG_STDOUT, SLICE("::set-output name=a::"));
    feed(LOG_STDOUT, slice_make(value, COMMAND_LINE_MAX - 100));
    feed(LOG_STDOUT, SLICE("\nafter\n"));
    collect();
    cr_assert_str_eq(text.ptr, "after\n");
    cr_assert_eq(calls.len, COMMAND_LINE_MAX - 100 + sizeof "output a=;" - 1);

    buf_clear(&calls);
    feed(LOG_STDOUT, SLICE("::set-output name=a::"));
    feed(LOG_STDOUT, slice_make(value, COMMAND_LINE_MAX));
    feed(LOG_STDOUT, SLICE("\nafter\n"));
    collect();
    cr_assert_eq(calls.len, 0);
    cr_assert_eq(text.len, COMMAND_LINE_MAX + sizeof "::set-output name=a::\nafter\n" - 1);
    free(value);
}

/* ---- commands ---- */

Test(log, ordinary_commands_do_what_they_say)
{
    gives("::group::A title\n::endgroup::\n", "##[group]A title\n##[endgroup]\n", "");
    gives("::debug::not shown\n", "", "");
    gives("::notice::n\n::warning::w\n::error::e\n", "##[notice]n\n##[warning]w\n##[error]e\n",
          "notice:n;warning:w;error:e;");
    gives("::error file=/w/src/a.c,line=3,title=T::two%0Alines\n", "##[error]two\nlines\n",
          "error:two\nlines@src/a.c:3;");
    cr_assert_not(log_failed(log_));
    gives("::set-output name=a::b%0Ac\n::set-output name=empty::\n", "", "");
    cr_assert_str_eq(calls.ptr, "output a=b\nc;output empty=;");
    buf_clear(&calls);
    gives("::remove-matcher owner=me::\n##[remove-matcher]file.json\n", "", "");
    cr_assert_str_eq(calls.ptr, "remove me=;remove =file.json;");
    gives("::unknown::x\n##[command]ls\n", "::unknown::x\n##[command]ls\n", "");
}

Test(log, debug_lines_are_shown_in_debug_runs_each_with_its_tag)
{
    spec.debug = true;
    gives("::debug::a%0Ab\n", "##[debug]a\n##[debug]b\n", "");
}

Test(log, a_mask_counts_from_its_line_on)
{
    gives("swordfish\n::add-mask::swordfish\nswordfish\n", "swordfish\n***\n", "");
    gives("::add-mask::  %0A\n",
          "##[warning]Can't add secret mask for empty string in ##[add-mask] command.\n",
          "warning:Can't add secret mask for empty string in ##[add-mask] command.;");
    cr_assert_not(log_failed(log_));
}

Test(log, annotations_and_groups_are_masked)
{
    mask_add(mask, SLICE("swordfish"));
    gives("::error title=swordfish,file=swordfish.c,line=1::the swordfish\n::group::swordfish\n",
          "##[error]the ***\n##[group]***\n", "error:the ***@***.c:1;");
}

Test(log, keeps_ten_annotations_of_a_level_and_logs_all)
{
    struct annotation_counts counts = {0};
    struct buf in = BUF_INIT(10000), want = BUF_INIT(10000);

    for (int i = 0; i < 14; i++) {
        buf_add_str(&in, "::warning::w\n");
        buf_add_str(&want, "##[warning]w\n");
    }
    gives(in.ptr, want.ptr,
          "warning:w;warning:w;warning:w;warning:w;warning:w;warning:w;warning:w;warning:w;"
          "warning:w;warning:w;");
    spec.counts = &counts;
    gives(in.ptr, want.ptr, notes.ptr);
    cr_assert_eq(counts.n[ANNOTATION_WARNING], 14);
    gives("::warning::w\n::error::e\n", "##[warning]w\n##[error]e\n", "error:e;");
    buf_deinit(&in);
    buf_deinit(&want);
}

Test(log, echo_shows_commands_before_they_run)
{
    gives("::set-output name=a::1\n::echo::On\n::set-output name=a::2\n::warning::w\n"
          "::add-mask::swordfish\n::echo:: off \n::set-output name=a::3\n",
          "::set-output name=a::2\n##[warning]w\n::add-mask::***\n::echo:: off \n", "warning:w;");
    cr_assert_not(log_echo(log_));
    spec.echo = true;
    gives("::set-output name=a::swordfish\n", "::set-output name=a::***\n", "");
    cr_assert(log_echo(log_));
}

Test(log, a_failing_command_is_shown_and_marks_the_step)
{
    gives("::set-output name=BAD::x\nafter\n",
          "##[error]Unable to process command '::set-output name=BAD::x' successfully.\n"
          "##[error]BAD is not allowed\nafter\n",
          "error:Unable to process command '::set-output name=BAD::x' successfully.;"
          "error:BAD is not allowed;");
    cr_assert(log_failed(log_));
    gives("::set-output::x\n",
          "##[error]Unable to process command '::set-output::x' successfully.\n"
          "##[error]Required field 'name' is missing in ##[set-output] command.\n",
          "error:Unable to process command '::set-output::x' successfully.;"
          "error:Required field 'name' is missing in ##[set-output] command.;");
    cr_assert(log_failed(log_));
    feed(LOG_STDOUT, SLICE("::echo::maybe\n"));
    cr_assert(log_failed(log_));
    restart();
    feed(LOG_STDOUT, SLICE("::save-state name=a::b\n")); /* there is no handler */
    cr_assert(log_failed(log_));
    collect();
    cr_assert_not_null(strstr(text.ptr, "not available here"));
}

Test(log, insecure_commands_need_to_be_allowed)
{
    feed(LOG_STDOUT, SLICE("::set-env name=A::b\n::add-path::/bin\n"));
    collect();
    cr_assert_eq(calls.len, 0);
    cr_assert(log_failed(log_));
    cr_assert_not_null(strstr(text.ptr, "`set-env` command is disabled"), "%s", text.ptr);
    spec.allow_insecure_commands = true;
    gives("::set-env name=A::b\n::add-path::/bin\n", "", "");
    cr_assert_str_eq(calls.ptr, "env A=b;path /bin=;");
    cr_assert_not(log_failed(log_));
}

Test(log, stop_commands_pauses_until_the_token_comes)
{
    gives("::stop-commands::tok\n::warning::w\n##[add-mask]x\n::tok\n::debug::##[tok]\n ::TOK::\n"
          "::warning::w\n",
          "::stop-commands::tok\n::warning::w\n##[add-mask]x\n::tok\n::debug::##[tok]\n ::TOK::\n"
          "##[warning]w\n",
          "warning:w;");
    gives("##[stop-commands]tok\n::warning::w\n##[tok]\n::warning::v\n",
          "##[stop-commands]tok\n::warning::w\n##[tok]\n##[warning]v\n", "warning:v;");
}

Test(log, the_pause_covers_both_pipes_and_ends_with_the_step)
{
    feed(LOG_STDOUT, SLICE("::stop-commands::tok\n"));
    feed(LOG_STDERR, SLICE("::warning::w\n::tok::\n"));
    feed(LOG_STDOUT, SLICE("::warning::v\n::stop-commands::tok\n"));
    collect();
    cr_assert_str_eq(notes.ptr, "warning:v;");
    gives("::warning::fresh\n", "##[warning]fresh\n", "warning:fresh;");
}

Test(log, long_tokens_become_secrets)
{
    gives("::stop-commands::randomToken\n::randomToken::\nrandomToken\n",
          "::stop-commands::***\n::***::\n***\n", "");
    gives("::stop-commands::sixsix\n::sixsix::\nsixsix\n",
          "::stop-commands::sixsix\n::sixsix::\nsixsix\n", "");
}

Test(log, weak_tokens_need_to_be_allowed)
{
    static const char *const weak[] = {"", "pause-logging", "Set-Env", "stop-commands"};

    for (size_t i = 0; i < 2 * COUNT_OF(weak); i++) {
        struct buf line = BUF_INIT(100);

        buf_printf(&line, "::stop-commands::%s\n", weak[i / 2]);
        spec.allow_insecure_tokens = i % 2;
        restart();
        feed(LOG_STDOUT, buf_slice(&line));
        cr_expect_eq(log_failed(log_), !(i % 2), "row %zu", i);
        buf_deinit(&line);
    }
}

Test(log, obeys_nothing_when_told_so)
{
    spec.no_commands = true;
    gives("::warning::w\n##[group]x\n::add-mask::y\ny\n",
          "::warning::w\n##[group]x\n::add-mask::y\ny\n", "");
}

/* Lines such as "W:3:text" are issues. */
static const char lines_matcher[] =
    "{\"problemMatcher\": [{\"owner\": \"lines\", \"severity\": \"warning\", \"pattern\": ["
    "{\"regexp\": \"^W:(\\\\d*):(.*)$\", \"line\": 1, \"message\": 2, \"code\": 2}]}]}";

static struct matchers *use_matchers(void)
{
    struct matchers *m = matchers_new(&(struct matchers_spec){0});

    spec.matchers = m;
    restart();
    return m;
}

static void add(struct matchers *m, const char *json)
{
    CLEANUP(buf_deinit) struct buf owners = BUF_INIT(1000);
    struct err err = ERR_INIT;

    cr_assert_eq(matchers_add(m, slice_of(json), &owners, &err), ERR_OK, "%s", err.text);
}

Test(log, shows_lines_to_matchers_while_there_are_some)
{
    struct matchers *m = use_matchers();

    feed(LOG_STDOUT, SLICE("W:1:one\n"));
    add(m, lines_matcher);
    feed(LOG_STDERR, SLICE("W:2:two\nplain\n::debug::W:8:x\n::warning::W:9:once\nW:x:\n"));
    matchers_remove(m, SLICE("Lines"));
    feed(LOG_STDOUT, SLICE("W:3:three\n"));
    collect();
    cr_assert_str_eq(text.ptr, "W:1:one\n##[warning]W:2:two\nplain\n##[warning]W:9:once\nW:x:\n"
                               "W:3:three\n");
    cr_assert_str_eq(notes.ptr, "warning:two@:2;warning:W:9:once;");
    log_ = log_free(log_);
    matchers_free(m);
}

Test(log, matchers_see_lines_without_colours_and_secrets)
{
    struct matchers *m = use_matchers();

    add(m, lines_matcher);
    mask_add(mask, SLICE("5:the secret"));
    feed(LOG_STDOUT, SLICE("\x1b[1;31mW:4:\x1b[0m\x1b[Kred \x1b[x\n\x1b[31mplain\x1b[0m\n"));
    /* The pattern would have cut the secret in two, and none of the halves would be known. */
    feed(LOG_STDOUT, SLICE("W:5:the secret\nW:\x1b[1m6:5:the\x1b[0m secret\n"));
    collect();
    cr_assert_str_eq(text.ptr, "##[warning]W:4:red \x1b[x\n\x1b[31mplain\x1b[0m\nW:***\n"
                               "##[warning]W:6:***\n");
    cr_assert_str_eq(notes.ptr, "warning:red \x1b[x@:4;warning:***@:6;");
    log_ = log_free(log_);
    matchers_free(m);
}

Test(log, matchers_see_whole_lines_of_any_kind_but_endless_ones)
{
    struct matchers *m = use_matchers();
    CLEANUP(free_ptr) char *big = filled(LOG_LINE_MAX + 10, 'x');

    add(m, lines_matcher);
    memcpy(big, "W:1:", 4);
    feed(LOG_STDOUT, slice_make(big, LOG_LINE_MAX + 10));
    feed(LOG_STDOUT, SLICE("\nW:2:a\r\nW:3"));
    feed(LOG_STDOUT, SLICE(":b\rW:4:\xff\n::stop-commands::t0k3n-x\n::warning::no\nW:5:c\n"));
    feed(LOG_STDOUT, SLICE("W:6:last"));
    end();
    collect();
    cr_assert_str_eq(notes.ptr, "warning:a@:2;warning:b@:3;warning:\xef\xbf\xbd@:4;warning:c@:5;"
                                "warning:last@:6;");
    log_ = log_free(log_);
    matchers_free(m);
}

/* ---- the runner's own lines ---- */

Test(log, own_lines_are_masked_but_not_their_tags)
{
    mask_add(mask, SLICE("error"));
    mask_add(mask, SLICE("first\nsecond"));
    log_write(log_, LOG_ERROR, SLICE("an error"));
    log_printf(log_, LOG_PLAIN, "%s|%d", "a first\nsecond", 7);
    log_write(log_, LOG_DEBUG, SLICE("hidden"));
    log_issue(log_, ANNOTATION_NOTICE, "n%d", 1);
    log_write(log_, LOG_PLAIN, SLICE("bad \xff utf"));
    collect();
    cr_assert_str_eq(text.ptr, "##[error]an ***\na ***|7\n##[notice]n1\nbad \xef\xbf\xbd utf\n");
    cr_assert_str_eq(notes.ptr, "notice:n1;");
}

Test(log, own_texts_may_be_of_any_length)
{
    size_t size = 5000000;
    char *big = filled(size, 'x');

    for (size_t at = 70000; at < size; at += 70000)
        big[at] = at % 3 ? '\n' : 'y';
    log_write(log_, LOG_GROUP, slice_make(big, size));
    collect();
    cr_assert_eq(text.len, size + sizeof "##[group]\n" - 1);
    cr_assert(memcmp(text.ptr + 9, big, size) == 0);
    free(big);
}

Test(log, a_dead_reader_is_an_error_and_no_crash)
{
    int in, out;
    struct err err = ERR_INIT;

    signal(SIGPIPE, SIG_IGN);
    cr_assert_eq(fd_pipe(&in, &out, &err), ERR_OK);
    close(in);
    event_writer_deinit(&writer);
    event_writer_init(&writer, out, "j");
    cr_assert_lt(log_feed(log_, LOG_STDOUT, SLICE("::warning::w\n"), &err), 0);
    log_issue(log_, ANNOTATION_ERROR, "more");
    cr_assert_lt(log_flush(log_, &err), 0);
    cr_assert_eq(err.sys, EPIPE);
    close(out);
}

Test(log, carriage_returns_by_the_thousand_are_not_slow)
{
    char *in = filled(1 << 20, '\r');
    int64_t begin = effort_ms();

    for (size_t at = 0; at < 1 << 20; at += 4)
        in[at] = 'x';
    feed(LOG_STDOUT, slice_make(in, 1 << 20));
    end();
    cr_assert_lt(effort_ms() - begin, 10000);
    free(in);
}
