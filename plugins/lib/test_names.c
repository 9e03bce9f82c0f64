#include "names.h"

#include <criterion/criterion.h>
#include <string.h>

/* Each row was asked of minimatch 10.1. */
static const struct {
    const char *pattern, *yes, *no; /* names, separated by blanks */
} rows[] = {
    {"*", "a build-1", ".a"},
    {"**", "a x.y", ".a"},
    {"**/a", "a", "b"},
    {"a/b", "", "a b"},
    {"build-*", "build- build-linux", "Build-linux xbuild-"},
    {"*.zip", "a.zip -.zip.zip", ".zip"},
    {".*", ".zip", "a.zip"},
    {"?", "a \xc3\xa4", ". ab"},
    {"a?c", "abc a.c", "ac"},
    {"[a-c]1", "a1 c1", "d1 1"},
    {"[!a-c]1", "d1", "a1 .1"},
    {"[^a]", "b", "a"},
    {"[]]", "]", "a"},
    {"[a", "[a", "a"},
    {"a\\*", "a*", "ab"},
    {"{a,b}", "a b", "{a,b} ab"},
    {"x-{linux,mac{os,}}-*", "x-linux-1 x-macos-2 x-mac-3", "x-win-1"},
    {"{a}", "{a}", "a"},
    {"{1..3}", "1 3", "4 {1..3}"},
    {"n{08..11}", "n08 n10 n11", "n8 n12"},
    {"{c..a}", "a b c", "d"},
    {"{,x}*", "y xy", ".y"},
    {"@(a|b)c", "ac bc", "c abc"},
    {"?(a|b)c", "ac bc c", "abc"},
    {"+(ab|c)", "ab abab cab", "a"},
    {"*(ab)c", "c abc ababc", "ac"},
    {"a!(b|c)", "a ad abb", "ab ac b"},
    {"!a", "b .b", "a"},
    {"!!a", "a", "b"},
    {"!(a)", "", ""},
    {"#a", "", "#a a"},
    {"a(b)", "a(b)", "ab"},
    {"@(a", "@(a", "a"},
    {"", "", "a"},
};

static void ask(const char *pattern, const char *names, bool wanted)
{
    struct span rest = span_of(names), one;
    char name[64];

    while (rest.size > 0) {
        if (!span_eat_until(&rest, ' ', &one)) {
            one = rest;
            rest.size = 0;
        }
        memcpy(name, one.at, one.size);
        name[one.size] = '\0';
        cr_expect_eq(names_match(pattern, name), wanted, "'%s' %s '%s'", pattern,
                     wanted ? "has to match" : "may not match", name);
    }
}

Test(names, patterns_match_as_minimatch_has_it)
{
    for (size_t i = 0; i < OST_COUNT(rows); i++) {
        ask(rows[i].pattern, rows[i].yes, true);
        ask(rows[i].pattern, rows[i].no, false);
    }
}

Test(names, what_would_match_in_too_many_ways_takes_no_time)
{
    char name[1001] = "", pattern[1001] = "";

    memset(name, 'a', sizeof name - 1);
    for (size_t i = 0; i + 4 < sizeof pattern; i += 4)
        memcpy(pattern + i, "*(a)", 4);
    pattern[999] = 'b';
    cr_expect_not(names_match(pattern, name));
    for (size_t i = 0; i + 1 < sizeof pattern; i += 2)
        memcpy(pattern + i, "@(", 2);
    cr_expect_not(names_match(pattern, name));
}
