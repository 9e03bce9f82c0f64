#include "listen/logline.h"

#include <criterion/criterion.h>
#include <jansson.h>

static struct buf out;

static void enter(void)
{
    out = (struct buf)BUF_INIT(LOGLINE_MAX);
}

static void leave(void)
{
    buf_deinit(&out);
}

TestSuite(logline, .init = enter, .fini = leave);

static const char stamp[] = "2026-11-22T04:30:00.1234567Z";

static const char *line(enum logline_format format, enum logline_level level, const char *message,
                        const char *value)
{
    const struct logline_field fields[] = {
        {"registration", value, LOGLINE_STRING}, {"job", "here/1", LOGLINE_STRING}, {0}};

    buf_clear(&out);
    logline_add(&out, format, level, stamp, message, fields);
    return out.ptr;
}

Test(logline, each_format_has_its_own_line)
{
    cr_assert_str_eq(line(LOGLINE_TEXT, LOGLINE_INFO, "job started", "here"),
                     "2026-11-22T04:30:00Z info job started registration=here job=here/1\n");
    cr_assert_str_eq(line(LOGLINE_JOURNAL, LOGLINE_WARNING, "no answer", NULL),
                     "<4>no answer job=here/1\n");
    cr_assert_str_eq(line(LOGLINE_JOURNAL, LOGLINE_ERROR, "no answer", "two words"),
                     "<3>no answer registration=\"two words\" job=here/1\n");
    cr_assert_str_eq(
        line(LOGLINE_JSON, LOGLINE_DEBUG, "say \"hi\"", "here"),
        "{\"time\":\"2026-11-22T04:30:00.1234567Z\",\"level\":\"debug\","
        "\"message\":\"say \\\"hi\\\"\",\"registration\":\"here\",\"job\":\"here/1\"}\n");
}

Test(logline, nothing_begins_a_line_of_its_own_or_moves_a_cursor)
{
    static const char evil[] = "a\n<0>b\x1b[2J\x07\xff";

    cr_assert_str_eq(line(LOGLINE_JOURNAL, LOGLINE_INFO, evil, evil),
                     "<6>a <0>b\xef\xbf\xbd registration=\"a <0>b\xef\xbf\xbd\" job=here/1\n");
    json_t *json = json_loads(line(LOGLINE_JSON, LOGLINE_INFO, evil, evil), 0, NULL);
    cr_assert_not_null(json, "%s", out.ptr);
    cr_assert_eq(strchr(out.ptr, '\n'), out.ptr + out.len - 1);
    cr_assert_str_eq(json_string_value(json_object_get(json, "registration")),
                     "a\n<0>b\x1b[2J\x07\xef\xbf\xbd");
    json_decref(json);
}

Test(logline, a_number_is_one_in_json)
{
    static const struct logline_field fields[] = {{"seconds", "12.3", LOGLINE_NUMBER}, {0}};

    logline_add(&out, LOGLINE_JSON, LOGLINE_INFO, stamp, "job ended", fields);
    logline_add(&out, LOGLINE_TEXT, LOGLINE_INFO, stamp, "job ended", fields);
    cr_assert_str_eq(
        out.ptr, "{\"time\":\"2026-11-22T04:30:00.1234567Z\",\"level\":\"info\",\"message\":\"job "
                 "ended\",\"seconds\":12.3}\n"
                 "2026-11-22T04:30:00Z info job ended seconds=12.3\n");
}
