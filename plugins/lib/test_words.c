#include "index.h"
#include "words.h"

#include <criterion/criterion.h>
#include <ostler/test.h>
#include <string.h>

static const struct ost_plugin plugin; /* nothing here asks it for anything */

static struct ost_test *host;
static struct ost_step *step;

static void enter(void)
{
    host = ost_test_new(&plugin);
    step = ost_test_step(host);
}

static void leave(void)
{
    ost_test_free(host);
}

TestSuite(words, .init = enter, .fini = leave);
TestSuite(index, .init = enter, .fini = leave);

Test(words, splits_as_a_shell_would)
{
    static const struct {
        const char *text, *want; /* the words with | behind each; NULL: a quote is open */
    } rows[] = {
        {"", ""},
        {"  a  b\n\tc ", "a|b|c|"},
        {"-k 'not slow' \"x y\"", "-k|not slow|x y|"},
        {"a'b c'd", "ab cd|"},
        {"''", "|"},
        {"\"a\\\"b\\n\" c\\ d", "a\"b\\n|c d|"},
        {"'\\'", "\\|"},
        {"$HOME *", "$HOME|*|"},
        {"it's", NULL},
        {"\"", NULL},
        {"a\\", "a\\|"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strings words = {0};
        struct sink k = {.step = step};
        bool closed = words_split(step, rows[i].text, &words);

        for (size_t w = 0; w < words.n; w++)
            sink_addf(&k, "%s|", words.list[w]);
        cr_expect_eq(closed, rows[i].want != NULL, "%s", rows[i].text);
        cr_expect(!rows[i].want || strcmp(sink_text(&k), rows[i].want) == 0, "%s: %s", rows[i].text,
                  sink_text(&k));
    }
}

Test(words, shows_what_splits_into_the_same)
{
    const char *const words[] = {"a", "b c", "", "it's", "$x", "--k=v", NULL};
    struct strings again = {0};

    cr_expect_str_eq(words_join(step, words), "a 'b c' '' 'it'\\''s' '$x' --k=v");
    cr_assert(words_split(step, words_join(step, words), &again));
    for (size_t i = 0; words[i]; i++)
        cr_expect_str_eq(again.list[i], words[i]);
}

Test(index, finds_each_of_many_names)
{
    struct index x = {.step = step};

    cr_expect_eq(index_get(&x, "a"), INDEX_NONE);
    for (size_t i = 0; i < 5000; i++)
        index_set(&x, ost_fmt(step, "name %zu", i), i);
    index_set(&x, "name 7", 70);
    cr_expect_eq(x.n, 5000);
    for (size_t i = 0; i < 5000; i++)
        cr_assert_eq(index_get(&x, ost_fmt(step, "name %zu", i)), i == 7 ? 70 : i, "%zu", i);
    cr_expect_eq(index_get(&x, "name 5000"), INDEX_NONE);
    cr_expect_eq(index_get(&x, ""), INDEX_NONE);
}
