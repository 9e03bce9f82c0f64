#include "job/container/docker_entry.h"

#include <criterion/criterion.h>

static struct arena arena;

static void done(void)
{
    arena_deinit(&arena);
}

TestSuite(docker_entry, .fini = done);

static const char *joined(const char *said, const char *entrypoint, const char *const *args)
{
    struct err err = ERR_INIT;
    const char *const *list = NULL;
    const char *text = "";

    cr_assert_eq(docker_entry(&arena, slice_of(said), slice_of(entrypoint), args, &list, &err),
                 ERR_OK, "%s", err.text);
    for (; *list; list++)
        text = arena_printf(&arena, "%s<%s>", text, *list);
    return text;
}

/* The table that the engine's manual gives for ENTRYPOINT and CMD, and `run`'s overriding of both. */
Test(docker_entry, entrypoint_and_arguments_come_together_as_the_engine_does_it)
{
    static const char both[] = "[[\"e\",\"1\"],[\"c\",\"a  b\"]]\n";
    static const char *const none[] = {NULL}, *const args[] = {"x", "", NULL};
    static const struct {
        const char *said, *entrypoint;
        const char *const *args;
        const char *want;
    } rows[] = {
        {both, "", NULL, "<e><1><c><a  b>"},
        {both, "", none, "<e><1><c><a  b>"},
        {both, "", args, "<e><1><x><>"},
        {both, "/p", none, "</p>"},
        {both, "/p", args, "</p><x><>"},
        {"[null,[\"c\"]]", "", NULL, "<c>"},
        {"[null,[\"c\"]]", "", args, "<x><>"},
        {"[[\"e\"],null]", "", NULL, "<e>"},
        {"[[],[]]", "", NULL, ""},
        {"[null,null]", "", NULL, ""},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_expect_str_eq(joined(rows[i].said, rows[i].entrypoint, rows[i].args), rows[i].want,
                         "row %zu", i);
}

Test(docker_entry, nonsense_of_the_engine_is_an_error_that_shows_it)
{
    static const char *const rows[] = {"", "no", "{}", "[]", "[1,2]", "[null,[1]]", "[\"e\",null]"};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;
        const char *const *list = NULL;

        cr_expect_eq(docker_entry(&arena, slice_of(rows[i]), SLICE(""), NULL, &list, &err),
                     ERR_INVALID, "row %zu", i);
        cr_expect_not_null(strstr(err.text, rows[i]), "row %zu: %s", i, err.text);
    }
}
