#include "job/shell.h"

#include <criterion/criterion.h>

static const char *join(struct arena *a, const char *const *words)
{
    const char *text = "";

    for (; *words; words++)
        text = arena_printf(a, "%s%s%s", text, *text ? "|" : "", *words);
    return text;
}

Test(shell, unset_and_explicit_bash_differ)
{
    static const struct {
        const char *shell, *argv, *extension;
    } rows[] = {
        {"", "p|-e|/t/s x", ".sh"},
        {"bash", "p|--noprofile|--norc|-e|-o|pipefail|/t/s x", ".sh"},
        {"Bash", "p|--noprofile|--norc|-e|-o|pipefail|/t/s x", ".sh"},
        {"sh", "p|-e|/t/s x", ".sh"},
        {"python", "p|/t/s x", ".py"},
        {"pwsh", "p|-command|. '/t/s x'", ".ps1"},
        {"perl {0}", "p|/t/s x", ""},
        {"env FOO=\"a b\" {{x}} {0}", "p|FOO=a b|{x}|/t/s x", ""},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
        struct err err = ERR_INIT;
        struct shell sh;
        const char *const *argv;

        cr_assert_eq(shell_parse(&a, slice_of(rows[i].shell), &sh, &err), ERR_OK, "%s", err.text);
        cr_assert_eq(shell_argv(&a, &sh, "p", "/t/s x", &argv, &err), ERR_OK, "%s", err.text);
        cr_assert_str_eq(join(&a, argv), rows[i].argv);
        cr_assert_str_eq(sh.extension, rows[i].extension);
    }
}

Test(shell, a_custom_shell_needs_a_place_for_the_script)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err = ERR_INIT;
    struct shell sh;

    cr_assert_eq(shell_parse(&a, SLICE("perl"), &sh, &err), ERR_INVALID);
    cr_assert_eq(shell_parse(&a, SLICE("bash -e"), &sh, &err), ERR_INVALID);
}

Test(shell, splitting_follows_the_runners_rules)
{
    static const char *const rows[][2] = {
        {"a b\tc", "a|b|c"},    {"'a b'", "'a|b'"}, {"\"a b\"c", "a bc"},
        {"\"a\"\"b\"", "a\"b"}, {"a\\\"b", "a\"b"}, {"\"a\\\\\" b", "a\\|b"},
        {"a\\b", "a\\b"},       {"  ", ""},         {"\"\" x", "|x"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
        size_t n;
        const char **words = shell_split(&a, slice_of(rows[i][0]), &n);
        const char *got = "";

        for (size_t w = 0; w < n; w++)
            got = arena_printf(&a, "%s%s%s", got, w ? "|" : "", words[w]);
        cr_assert_str_eq(got, rows[i][1], "<%s>: wanted <%s>, got <%s>", rows[i][0], rows[i][1],
                         got);
    }
}
