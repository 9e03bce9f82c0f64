#include "job/log/progress.h"

#include <criterion/criterion.h>

Test(progress, says_what_is_known)
{
    static const struct {
        const char *label;
        int64_t done, total;
        const char *want;
    } rows[] = {
        {"copying", 42, 100, "copying: 42 % (42 of 100)"},
        {"copying", 9999, 10000, "copying: 99 % (9999 of 10.0k)"},
        {"pushing", 12345678, 29000000, "pushing: 42 % (12.3M of 29.0M)"},
        {"pushing", 29000000, 29000000, "pushing: 100 % (29.0M of 29.0M)"},
        {"pushing", 30, 20, "pushing: 100 % (30 of 20)"},
        {"reading", 12, -1, "reading: 12"},
        {"reading", 0, 0, "reading: 0 of 0"},
        {"waiting", -1, -1, "waiting"},
        {"waiting", -1, 7, "waiting"},
        {"", 1, 2, "50 % (1 of 2)"},
        {"", -1, -1, ""},
        {"all", INT64_MAX / 2, INT64_MAX, "all: 50 % (4.6E of 9.2E)"},
        {"all", INT64_MAX, INT64_MAX, "all: 100 % (9.2E of 9.2E)"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT(1000);

        progress_text(&text, slice_of(rows[i].label), rows[i].done, rows[i].total);
        cr_expect_str_eq(text.ptr, rows[i].want, "wanted '%s', got '%s'", rows[i].want, text.ptr);
    }
}

Test(progress, gives_a_log_a_line_every_ten_seconds)
{
    int64_t last = 1000;
    int lines = 0;

    for (int64_t now = 1000; now < 61000; now += 250)
        lines += progress_due(&last, now);
    cr_assert_eq(lines, 5, "%d lines in a minute less a moment", lines);
}
