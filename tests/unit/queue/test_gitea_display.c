#include "queue/gitea/display.h"

#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <sys/stat.h>

static struct display d;

static void enter(void)
{
    scratch_enter();
    display_init(&d, 3, "/tmp");
}

static void leave(void)
{
    display_deinit(&d);
    scratch_leave();
}

TestSuite(gitea_display, .init = enter, .fini = leave);

/* ---- what a worker says ---- */

static void tell(json_t *event, const char *log)
{
    display_event(&d, event, slice_of(log));
    json_decref(event);
}

static void start(int step, const char *record, const char *stage)
{
    tell(json_pack("{s:s, s:i, s:s, s:s*, s:s}", "event", "step.started", "step", step, "stage",
                   stage, "record", record, "time", "2026-01-31T10:00:00.1234567Z"),
         NULL);
}

static void say(int step, const char *lines)
{
    tell(json_pack("{s:s, s:i, s:s}", "event", "log", "step", step, "time",
                   "2026-01-31T10:00:01.1234567Z"),
         lines);
}

static void finish(int step, const char *conclusion)
{
    tell(json_pack("{s:s, s:i, s:s, s:s}", "event", "step.finished", "step", step, "outcome",
                   "failure", "conclusion", conclusion),
         NULL);
}

/* All rows that are to be sent, each with a bar behind it. */
static const char *rows(void)
{
    static char text[4000];
    int64_t n;
    json_t *list = rows_batch(&d.rows, 1000, 1 << 20, &n);
    size_t i, len = 0;
    json_t *one;

    text[0] = '\0';
    json_array_foreach (list, i, one)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s|",
                                json_string_value(json_object_get(one, "content")));
    cr_expect_eq((int64_t)json_array_size(list), n);
    cr_expect_eq(n, d.rows.count);
    json_decref(list);
    return text;
}

static const char *range(size_t step)
{
    static char text[60];
    json_t *steps = display_steps(&d), *one = json_array_get(steps, step);
    const char *result = json_string_value(json_object_get(one, "result"));
    const char *at = json_string_value(json_object_get(one, "logIndex"));
    const char *n = json_string_value(json_object_get(one, "logLength"));

    snprintf(text, sizeof text, "%s %s+%s", result ? result + 7 : "-", at ? at : "0", n ? n : "0");
    json_decref(steps);
    return text;
}

Test(gitea_display, gives_each_step_its_rows_and_the_rest_to_both_ends)
{
    display_say(&d, "hello");
    start(1, NULL, "setup");
    say(1, "image\n");
    start(2, "1", "pre");
    say(2, "pre\n");
    finish(2, "success");
    start(3, "0", "main");
    say(3, "a\nb\n");
    display_say(&d, "note");
    finish(3, "success");
    start(4, "1", "main");
    finish(4, "skipped");
    say(1, "between\n");
    start(5, "2", "main");
    cr_expect_str_eq(range(2), "- 0+0");
    say(5, "c\n");
    finish(5, "failure");
    start(6, "1", "post");
    say(6, "post\n");
    cr_expect_str_eq(rows(), "hello|image|pre|a|b|c|note|between|post|");
    cr_expect_str_eq(range(0), "SUCCESS 3+2");
    cr_expect_str_eq(range(1), "SKIPPED 5+0");
    cr_expect_str_eq(range(2), "FAILURE 5+1");
    cr_expect_eq(d.total, 9);
    cr_expect(d.changed);
}

Test(gitea_display, keeps_steps_in_their_order_that_run_side_by_side)
{
    start(1, "0", "main");
    start(2, "1", "main");
    say(2, "second\n");
    say(1, "first\n");
    finish(2, "success");
    cr_expect_str_eq(rows(), "first|");
    cr_expect_str_eq(range(1), "- 0+0", "it is not shown before the first is over");
    finish(1, "success");
    cr_expect_str_eq(rows(), "first|second|");
    cr_expect_str_eq(range(0), "SUCCESS 0+1");
    cr_expect_str_eq(range(1), "SUCCESS 1+1");
}

Test(gitea_display, ends_what_has_not_ended)
{
    start(1, "0", "main");
    say(1, "a\n");
    display_say(&d, "why");
    display_end(&d, QUEUE_CANCELLED);
    cr_expect_str_eq(rows(), "a|why|");
    cr_expect_str_eq(range(0), "CANCELLED 0+1");
    cr_expect_str_eq(range(2), "CANCELLED 1+0");
    json_t *steps = display_steps(&d);
    for (size_t i = 0; i < 3; i++)
        cr_expect(json_object_get(json_array_get(steps, i), "stoppedAt"));
    json_decref(steps);
}

Test(gitea_display, shows_a_job_that_never_ran_as_skipped)
{
    display_end(&d, QUEUE_SKIPPED);
    for (size_t i = 0; i < 3; i++)
        cr_expect_str_eq(range(i), "SKIPPED 0+0");
}

Test(gitea_display, leaves_out_what_the_server_would_never_confirm)
{
    CLEANUP(free_ptr) char *name = mem_new(300), *value = mem_new(DISPLAY_VALUE_MAX + 2);

    memset(name, 'n', 256);
    memset(value, 'v', DISPLAY_VALUE_MAX + 1);
    tell(json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:s}}", "event", "job.finished", "result",
                   "failure", "outputs", "ok", "1", "empty", "", name, "x", "big", value),
         NULL);
    cr_expect(d.finished);
    cr_expect_eq(d.result, QUEUE_FAILURE);
    cr_expect_eq(json_object_size(d.outputs), 2);
    cr_expect_str_eq(json_string_value(json_object_get(d.outputs, "empty")), "");
    cr_expect_eq(d.rows.count, 2);
}

Test(gitea_display, keeps_summaries_as_far_as_the_server_takes_them)
{
    CLEANUP(free_ptr) char *big = mem_new(DISPLAY_SUMMARY_MAX + 1);

    memset(big, 'x', DISPLAY_SUMMARY_MAX);
    start(1, "1", "main");
    tell(json_pack("{s:s, s:i, s:s}", "event", "summary", "step", 1, "markdown", "# a"), NULL);
    tell(json_pack("{s:s, s:i, s:s}", "event", "summary", "step", 1, "markdown", big), NULL);
    tell(json_pack("{s:s, s:i, s:s}", "event", "summary", "step", 9, "markdown", "# b"), NULL);
    cr_assert_eq(d.summaries.len, 1);
    cr_expect_eq(d.summaries.ptr[0].step, 1);
}

Test(gitea_display, takes_no_harm_from_events_that_make_no_sense)
{
    start(-1, "0", "main");
    start(1 << 30, "0", "main");
    start(1, "7", "main");
    start(2, "x", "main");
    say(77, "lost\n");
    finish(55, "success");
    finish(1, "success");
    tell(json_object(), NULL);
    cr_expect_str_eq(rows(), "lost|");
    cr_expect_str_eq(range(0), "- 0+0");
}

/* ---- rows ---- */

Test(gitea_display, makes_rows_that_the_server_takes)
{
    CLEANUP(free_ptr) char *big = mem_new(200001);
    struct rows_file file;
    struct rows r;
    int64_t n;

    for (size_t i = 0; i < 200000; i += 2)
        memcpy(big + i, "\xc3\xa4", 2);
    rows_file_init(&file, "/tmp");
    rows_init(&r, &file, 0);
    cr_expect_eq(rows_add(&r, "2026-01-31T10:00:00.1234567Z",
                          SLICE("a\xff"
                                "b")),
                 1);
    cr_expect_eq(rows_add(&r, "yesterday", SLICE("")), 1);
    cr_expect_eq(rows_add(&r, NULL, slice_of(big)), 4);
    cr_expect_eq(r.count, 6);
    json_t *list = rows_batch(&r, 1000, 1 << 20, &n), *first = json_array_get(list, 0);
    cr_expect_eq(n, 6);
    cr_expect_str_eq(json_string_value(json_object_get(first, "content")), "a\xef\xbf\xbd"
                                                                           "b");
    cr_expect_str_eq(json_string_value(json_object_get(first, "time")),
                     "2026-01-31T10:00:00.1234567Z");
    cr_expect_str_neq(json_string_value(json_object_get(json_array_get(list, 1), "time")),
                      "yesterday");
    for (size_t i = 0; i < 6; i++)
        cr_expect_leq(json_string_length(json_object_get(json_array_get(list, i), "content")),
                      (size_t)ROWS_LINE_MAX);
    json_decref(list);
    json_decref(rows_batch(&r, 2, 1 << 20, &n));
    cr_expect_eq(n, 2);
    json_decref(rows_batch(&r, 1000, 70000, &n));
    cr_expect_eq(n, 3, "as many as fit");
    rows_drop(&r, 2);
    json_decref(rows_batch(&r, 1000, 10, &n));
    cr_expect_eq(n, 1, "one at least");
    rows_drop(&r, 100);
    cr_expect_eq(r.count, 0);
    cr_expect_eq(rows_add(&r, NULL, SLICE("again")), 1);
    list = rows_batch(&r, 1000, 1000, &n);
    cr_expect_str_eq(json_string_value(json_object_get(json_array_get(list, 0), "content")),
                     "again");
    json_decref(list);
    rows_deinit(&r);
    rows_file_deinit(&file);
}

Test(gitea_display, counts_the_bytes_that_json_makes_of_a_row)
{
    char odd[1000];
    struct rows_file file;
    struct rows r;
    int64_t n;

    memset(odd, 1, sizeof odd);
    rows_file_init(&file, "/tmp");
    rows_init(&r, &file, 0);
    for (int i = 0; i < 100; i++)
        rows_add(&r, NULL, slice_make(odd, sizeof odd));
    json_t *list = rows_batch(&r, 1000, 50000, &n);
    char *text = json_dumps(list, JSON_COMPACT);
    cr_expect_leq(strlen(text), 51000);
    cr_expect_gt(n, 5);
    free(text);
    json_decref(list);
    rows_deinit(&r);
    rows_file_deinit(&file);
}

/* A job that never pauses: the server takes all that it gets, but never before there is more. */
Test(gitea_display, holds_what_waits_against_the_limit_and_not_what_went)
{
    enum { MAX = 1 << 20, LINE = 1000, LINES = 4 * MAX / LINE };
    char line[LINE + 1];
    struct rows_file file;
    struct rows r;
    struct stat st;

    memset(line, 'x', LINE);
    line[LINE] = '\0';
    rows_file_init(&file, "/tmp");
    rows_init(&r, &file, 0);
    r.max = MAX;
    for (int i = 0; i < LINES; i++) {
        cr_assert_eq(rows_add(&r, NULL, slice_of(line)), 1, "line %d", i);
        if (i)
            rows_drop(&r, 1);
    }
    cr_expect_eq(r.left_out, 0);
    cr_assert_eq(fstat(file.shelf.fd, &st), 0);
    cr_expect_leq(st.st_blocks * 512, MAX, "what went is given back");
    for (int i = 0; i < LINES; i++)
        (void)rows_add(&r, NULL, slice_of(line));
    cr_expect_gt(r.left_out, 0);
    rows_deinit(&r);
    rows_file_deinit(&file);
}

static int descriptors(void)
{
    DIR *list = opendir("/proc/self/fd");
    int n = 0;

    cr_assert(list);
    while (readdir(list))
        n++;
    closedir(list);
    return n;
}

/* Each step that runs beside others has rows that wait; a file for each would leave the listener none for its servers. */
Test(gitea_display, needs_as_many_files_for_many_steps_as_for_few)
{
    enum { STEPS = 500 };
    int before = descriptors();
    char record[20], line[20];

    display_deinit(&d);
    display_init(&d, STEPS, "/tmp");
    for (int i = 0; i < STEPS; i++) {
        snprintf(record, sizeof record, "%d", i);
        snprintf(line, sizeof line, "line %d\n", i);
        start(i + 1, record, "main");
        say(i + 1, line);
        say(i + 1, line);
    }
    cr_expect_leq(descriptors(), before + 4);
    for (int i = 0; i < STEPS; i++)
        finish(i + 1, "success");
    cr_expect_eq(d.rows.count, 2 * STEPS);
    cr_expect_eq(d.rows.left_out, 0);
    for (size_t i = 0; i < STEPS; i++)
        cr_assert_eq(d.steps[i].log_index, (int64_t)(2 * i));
}
