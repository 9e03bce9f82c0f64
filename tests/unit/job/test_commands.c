#include "job/log/commands.h"

#include <criterion/criterion.h>
#include <jansson.h>

static struct slice text_of(const json_t *row, const char *name)
{
    const json_t *text = json_object_get(row, name);

    return slice_make(json_string_value(text), json_string_length(text));
}

static void check_row(const json_t *row)
{
    struct slice line = text_of(row, "line"), name = text_of(row, "name");
    json_t *properties = json_object_get(row, "properties"), *value;
    struct command c;
    const char *key;

    command_init(&c);
    bool is = command_parse(&c, line, NULL, NULL);
    cr_expect_eq(is, name.ptr != NULL, "'%s': %s", line.ptr, is ? "taken" : "not taken");
    if (is && name.ptr) {
        cr_expect(command_possible(line), "'%s'", line.ptr);
        cr_expect(slice_eq(c.name, name), "'%s': name '%.*s'", line.ptr, SLICE_ARG(c.name));
        cr_expect(slice_eq(c.data, text_of(row, "data")), "'%s': data '%.*s'", line.ptr,
                  SLICE_ARG(c.data));
        cr_expect_eq(c.n_properties, json_object_size(properties), "'%s': %zu properties", line.ptr,
                     c.n_properties);
        json_object_foreach (properties, key, value) {
            struct slice got = command_property(&c, key);

            cr_expect(slice_eq(got, slice_of(json_string_value(value))), "'%s': %s is '%.*s'",
                      line.ptr, key, SLICE_ARG(got));
        }
    }
    command_deinit(&c);
}

Test(commands, parses_each_row_of_the_table)
{
    json_error_t where;
    json_t *rows =
        json_load_file(OSTLER_SOURCE_DIR "/tests/data/commands/parse.json", JSON_ALLOW_NUL, &where);
    size_t i;
    json_t *row;

    cr_assert(json_array_size(rows) > 0, "%s", where.text);
    json_array_foreach (rows, i, row)
        check_row(row);
    json_decref(rows);
}

Test(commands, one_command_is_used_again_and_again)
{
    struct command c;

    command_init(&c);
    cr_assert(command_parse(&c, SLICE("::warning file=a%25b,line=1::m%25"), NULL, NULL));
    cr_assert(command_parse(&c, SLICE("::debug::other"), NULL, NULL));
    cr_assert_eq(c.n_properties, 0);
    cr_assert(slice_eq(c.data, SLICE("other")));
    cr_assert_eq(command_property(&c, "file").len, 0);
    command_deinit(&c);
}

Test(commands, properties_beyond_the_limit_are_ignored)
{
    struct buf line = BUF_INIT(100000);
    struct command c;

    buf_add_str(&line, "::warning ");
    for (int i = 0; i < 1000; i++)
        buf_printf(&line, "k%d=%d,", i, i);
    buf_add_str(&line, "::m");
    command_init(&c);
    cr_assert(command_parse(&c, buf_slice(&line), NULL, NULL));
    cr_assert_eq(c.n_properties, COMMAND_PROPERTIES_MAX);
    cr_assert(slice_eq(command_property(&c, "k31"), SLICE("31")));
    cr_assert(slice_eq(c.data, SLICE("m")));
    command_deinit(&c);
    buf_deinit(&line);
}

static bool only_mine(const void *ctx, struct slice name)
{
    return slice_eq(name, slice_of(ctx));
}

Test(commands, another_set_of_names_can_be_asked_for)
{
    struct command c;

    command_init(&c);
    cr_assert(command_parse(&c, SLICE("::mine::x"), only_mine, "mine"));
    cr_assert_not(command_parse(&c, SLICE("::debug::x"), only_mine, "mine"));
    command_deinit(&c);
}

Test(commands, escaping_is_undone_by_parsing)
{
    static const struct slice text = SLICE_INIT("a;b]c%d\r\n%0A");
    struct buf line = BUF_INIT(1000);
    struct command c;

    buf_add_str(&line, "##[warning title=");
    command_escape(text, &line);
    buf_add_str(&line, "]");
    command_escape(text, &line);
    command_init(&c);
    cr_assert(command_parse(&c, buf_slice(&line), NULL, NULL));
    cr_assert(slice_eq(command_property(&c, "title"), text));
    cr_assert(slice_eq(c.data, text));
    command_deinit(&c);
    buf_deinit(&line);
}

Test(commands, markers_of_the_runner_cannot_be_forged)
{
    static const struct {
        const char *line, *want;
    } rows[] = {
        {"##[start-action display=x]", "##[\\start-action display=x]"},
        {"a ##[end-action id=x]##[start-action]", "a ##[\\end-action id=x]##[\\start-action]"},
        {"####[end-action", "####[\\end-action"},
        {"##[group]x ##[start", "##[group]x ##[start"},
        {"", ""},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out = BUF_INIT(1000);

        command_hide_markers(slice_of(rows[i].line), &out);
        cr_expect_str_eq(out.ptr, rows[i].want);
        buf_deinit(&out);
    }
}
