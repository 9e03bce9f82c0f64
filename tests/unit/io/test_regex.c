#include "io/regex.h"

#include "base/clock.h"
#include "io/late.h"
#include "kit/effort.h"

#include <criterion/criterion.h>

TestSuite(regex);

static struct regex *make(const char *pattern)
{
    struct err err = ERR_INIT;
    struct regex *r = NULL;

    cr_assert_eq(regex_new(slice_of(pattern), &r, &err), ERR_OK, "%s: %s", pattern, err.text);
    return r;
}

Test(regex, speaks_the_dialect_of_problem_matchers)
{
    static const struct {
        const char *pattern, *text, *group1; /* NULL: a miss */
    } rows[] = {
        {"b(.)d", "abcd", "c"},
        {"B(.)D", "abcd", NULL},
        {"^(\\d+)$", "12", "12"},
        {"^(\\d+)$", "\xd9\xa1\xd9\xa2", NULL}, /* Arabic digits */
        {"^(\\w+)$", "\xc3\xa9", NULL},
        {"^\\s(x)", "\xc2\xa0x", NULL}, /* no-break space */
        {"^(.)$", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"(\\u2716)", "a \xe2\x9c\x96 b", "\xe2\x9c\x96"},
        {"(\\x41)", "A", "A"},
        {"a(b)?c", "ac", ""},
        {"(?<name>x)", "x", "x"},
        {"(?<=a)(b)", "ab", "b"},
        {"^(.*)$", "one\rtwo", "one\rtwo"},
        {"()", "", ""},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct regex *r = make(rows[i].pattern);
        bool hit = regex_find(r, slice_of(rows[i].text), CLOCK_NEVER) == REGEX_HIT;
        struct slice got = hit ? regex_group(r, 1) : SLICE("(miss)");

        cr_expect(hit == (rows[i].group1 != NULL) &&
                      (!hit || slice_eq(got, slice_of(rows[i].group1))),
                  "'%s' in '%s': '%.*s'", rows[i].pattern, rows[i].text, SLICE_ARG(got));
        cr_expect_eq(regex_groups(r), 2);
        regex_free(r);
    }
}

Test(regex, says_what_is_wrong_with_a_pattern)
{
    static const struct {
        const char *pattern, *error;
    } rows[] = {
        {"a(b", "missing closing parenthesis at character 4 of 'a(b'"},
        {"\\C", "disabled"},
        {"(*UCP)a", "disabled"},
        {"[z-a]", "range out of order"},
        {"\xff", "UTF-8 error"},
    };
    CLEANUP(free_ptr) char *big = mem_new(REGEX_PATTERN_MAX + 2);
    struct regex *r = NULL;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;

        cr_expect_eq(regex_new(slice_of(rows[i].pattern), &r, &err), ERR_INVALID, "%s",
                     rows[i].pattern);
        cr_expect(strstr(err.text, rows[i].error), "%s: %s", rows[i].pattern, err.text);
    }
    struct err err = ERR_INIT;
    memset(big, 'a', REGEX_PATTERN_MAX + 1);
    cr_expect_eq(regex_new(slice_of(big), &r, &err), ERR_LIMIT);
    for (size_t i = 0; i < 2 * REGEX_GROUPS_MAX; i += 2)
        memcpy(big + i, "()", 3);
    cr_expect_eq(regex_new(slice_of(big), &r, &err), ERR_LIMIT);
    cr_expect_null(r);
}

/* Some of these would take years, or all memory; PCRE2 sees through the others. */
Test(regex, holds_its_deadline_whatever_the_pattern)
{
    static const struct {
        const char *pattern;
        bool endless;
    } rows[] = {
        {"^(a+)+$", true},
        {"^(a|aa)+$", true},
        {"(a*)*b", false},
        {"(.*)*x", false},
        {"^((a)|(.)|(b))*?$", false},
        {"(?:(?=(a+))a+)+b", false},
        {"^(?:a?){60}(?:a){60}$", false},
    };
    char text[3000];

    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t len = 50; len <= sizeof text; len *= 7) {
            struct regex *r = make(rows[i].pattern);
            int64_t start = effort_ms();

            text[len - 1] = '!';
            enum regex_result got = regex_find(r, slice_make(text, len), clock_ms() + 100);
            text[len - 1] = 'a';
            int64_t took = effort_ms() - start;
            cr_expect_lt(took, 1500, "'%s' over %zu bytes took %lld ms", rows[i].pattern, len,
                         (long long)took);
            cr_expect(!rows[i].endless || got == REGEX_TIMEOUT, "'%s' over %zu bytes: %d",
                      rows[i].pattern, len, (int)got);
            regex_free(r);
        }
    }
}

/* What costs more than the budget of the quick search is found all the same. */
Test(regex, finds_what_takes_long)
{
    static char text[60001];
    struct regex *r = make("^(.*)x(.*)y(.*)$");

    memset(text, 'x', 60000);
    cr_expect_eq(regex_find(r, slice_make(text, 1000), clock_ms() + 20000), REGEX_MISS);
    text[59998] = 'y';
    cr_expect_eq(regex_find(r, slice_make(text, 60000), clock_ms() + 20000), REGEX_HIT);
    cr_expect_eq(regex_group(r, 1).len, 59997);
    regex_free(r);
}

Test(regex, a_missing_library_is_an_error_with_its_cure)
{
    struct err err = ERR_INIT;
    void (*fn)(void) = NULL;
    const struct late_symbol none[] = {{NULL, NULL}},
                             wrong[] = {{"no_such_thing", &fn}, {NULL, NULL}};

    cr_expect_eq(late_load("libnothing.so.7", "libnothing7", none, &err), ERR_NOT_FOUND);
    cr_expect(strstr(err.text, "'libnothing.so.7' (install libnothing7)"), "%s", err.text);
    cr_expect_eq(late_load("libc.so.6", "libc6", wrong, &err), ERR_UNSUPPORTED);
    cr_expect(strstr(err.text, "has no no_such_thing"), "%s", err.text);
    cr_expect_null(fn);
}

Test(regex, searches_texts_of_any_bytes_from_any_place)
{
    struct err err = ERR_INIT;
    struct regex *r = NULL;
    struct slice text = SLICE("a1\xff\xc3 a2");

    cr_assert_eq(regex_new_bytes(SLICE("\\ba(.)"), &r, &err), ERR_OK, "%s", err.text);
    cr_expect_eq(regex_search(r, text, 0, 1000), REGEX_HIT);
    cr_expect_eq(regex_at(r), 0);
    cr_expect(slice_eq(regex_group(r, 1), SLICE("1")));
    cr_expect_eq(regex_search(r, text, 1, 1000), REGEX_HIT);
    cr_expect_eq(regex_at(r), 5);
    cr_expect(slice_eq(regex_group(r, 0), SLICE("a2")));
    cr_expect_eq(regex_search(r, text, 6, 1000), REGEX_MISS);
    regex_free(r);
}

Test(regex, a_search_ends_after_its_steps)
{
    struct err err = ERR_INIT;
    struct regex *r = NULL;
    struct slice text = SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");

    cr_assert_eq(regex_new_bytes(SLICE("^(a|aa)+[bc]"), &r, &err), ERR_OK, "%s", err.text);
    cr_expect_eq(regex_search(r, text, 0, 1000), REGEX_TIMEOUT);
    regex_free(r);
}
