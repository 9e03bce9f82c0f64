#include "job/log/annotation.h"

#include <criterion/criterion.h>

static void count_note(void *ctx, const char *text)
{
    (void)text;
    ++*(int *)ctx;
}

Test(annotation, positions_that_contradict_each_other_are_dropped)
{
    static const struct {
        const char *line;
        int want[4]; /* line, end line, column, end column */
        int notes;
    } rows[] = {
        {"::warning line=1,endLine=2::m", {1, 2, 0, 0}, 0},
        {"::warning line=1,col=2,endColumn=3::m", {1, 0, 2, 3}, 0},
        {"::warning line=1,endLine=1,col=2,endColumn=3::m", {1, 1, 2, 3}, 0},
        {"::warning endLine=4::m", {4, 4, 0, 0}, 1},
        {"::warning line=1,endColumn=2::m", {1, 0, 2, 2}, 1},
        {"::warning col=1,endColumn=2::m", {0, 0, 0, 0}, 1},
        {"::warning line=1,endLine=2,col=1::m", {1, 2, 0, 0}, 1},
        {"::warning line=4,endLine=3::m", {0, 0, 0, 0}, 1},
        {"::warning line=4,endLine=3,col=1::m", {0, 0, 0, 0}, 2},
        {"::warning line=1,col=3,endColumn=2::m", {1, 0, 0, 0}, 1},
        {"::warning line=x,col=3::m", {0, 0, 0, 0}, 2},
        {"::warning line=99999999999999999999::m", {0, 0, 0, 0}, 1},
        {"::warning line=-1::m", {0, 0, 0, 0}, 1},
        {"::warning line= 7 ::m", {7, 0, 0, 0}, 0},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct command c;
        struct annotation a;
        int notes = 0;

        command_init(&c);
        cr_assert(command_parse(&c, slice_of(rows[i].line), NULL, NULL));
        annotation_of(&c, ANNOTATION_WARNING, count_note, &notes, &a);
        const int64_t got[] = {a.line, a.end_line, a.col, a.end_col};
        for (size_t k = 0; k < COUNT_OF(got); k++)
            cr_expect_eq(got[k], rows[i].want[k], "'%s', %zu: %d", rows[i].line, k, (int)got[k]);
        cr_expect_eq(notes, rows[i].notes, "'%s': %d notes", rows[i].line, notes);
        command_deinit(&c);
    }
}

Test(annotation, files_below_the_workspace_become_relative)
{
    static const struct {
        const char *file, *workspace, *want;
    } rows[] = {
        {"/w/app/src/a.c", "/w/app", "src/a.c"},
        {"/w/app/src/a.c", "/w/app/", "src/a.c"},
        {"/w/apple/a.c", "/w/app", "/w/apple/a.c"},
        {"/w/app", "/w/app", "/w/app"},
        {"src/a.c", "/w/app", "src/a.c"},
        {"/w/app/a.c", NULL, "/w/app/a.c"},
        {"", "/w/app", ""},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice got = annotation_file(slice_of(rows[i].file), rows[i].workspace);

        cr_expect(slice_eq(got, slice_of(rows[i].want)), "row %zu: '%.*s'", i, SLICE_ARG(got));
    }
}

Test(annotation, messages_are_cut_between_characters)
{
    struct buf text = BUF_INIT(100000);
    struct annotation a = {.level = ANNOTATION_ERROR};

    buf_add_char(&text, 'x');
    for (int i = 0; i < 5000; i++)
        buf_add_str(&text, "\xf0\x9f\x98\x80"); /* two UTF-16 units */
    a.message = buf_slice(&text);
    json_t *event = annotation_event(&a, 3), *message = json_object_get(event, "message");
    cr_assert_eq(json_string_length(message), 1 + 4 * 2047);
    cr_assert_str_eq(json_string_value(json_object_get(event, "level")), "error");
    cr_assert_eq(json_integer_value(json_object_get(event, "step")), 3);
    cr_assert_null(json_object_get(event, "line"));
    json_decref(event);
    buf_deinit(&text);
}
