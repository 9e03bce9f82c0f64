#include "image_tags.h"

#include <criterion/criterion.h>
#include <string.h>

#include <ostler/test.h>

static const struct ost_plugin plugin;

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

TestSuite(image_tags, .init = enter, .fini = leave);

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

/* The tags, one after the other with blanks between; the failure when there is one. */
static const char *tags(const char *rules, const struct image_facts *facts)
{
    struct strings list = {0}, made = {0};
    struct span rest = span_of(rules), line;
    struct sink k = {.step = step};

    while (span_line(&rest, &line))
        strings_add(step, &list, span_dup(step, line));
    if (image_tags(step, strings_list(&list), facts, &made) < 0)
        return ost_test_failure(host);
    for (size_t i = 0; i < made.n; i++)
        sink_addf(&k, "%s%s", i ? " " : "", made.list[i]);
    return sink_text(&k);
}

Test(image_tags, says_of_each_run_what_its_rules_say)
{
    static const struct {
        const char *ref, *number, *rules, *want;
    } rows[] = {
        {"refs/heads/main", "", "latest", "latest"},
        {"refs/heads/dev", "", "latest", ""},
        {"refs/tags/main", "", "latest", ""},
        {"refs/heads/dev", "", "=latest", "latest"},
        {"refs/heads/main", "", "sha", "sha-" COMMIT},
        {"refs/heads/main", "", "sha-<commit>", "sha-" COMMIT},
        {"refs/heads/main", "", "sha:7", "sha-0123456"},
        {"refs/heads/main", "", "branch", "branch-main"},
        {"refs/heads/feature/a b#1", "", "branch-<name>", "branch-feature-a-b-1"},
        {"refs/heads/", "", "branch\nlatest", ""},
        {"refs/tags/v1", "", "branch", ""},
        {"refs/pull/7/merge", "7", "pr", "pr-7"},
        {"refs/pull/7/merge", "7", "pr-<number>\nbranch\nlatest", "pr-7"},
        {"refs/heads/main", "", "pr", ""},
        {"refs/tags/v1.4.2", "", "semver", "1.4.2"},
        {"refs/tags/1.4.2", "", "semver", "1.4.2"},
        {"refs/tags/v1.4.2", "",
         "semver:v{{version}}\nsemver:{{ major }}.{{minor}}\n{{major}}\nx-{{patch}}",
         "v1.4.2 1.4 1 x-2"},
        {"refs/tags/v1.5.0-rc.1", "", "semver\n{{major}}.{{minor}}\n{{major}}", "1.5.0-rc.1"},
        {"refs/tags/v1.5.0+b.7", "", "semver", "1.5.0-b.7"},
        {"refs/tags/nightly", "", "semver", ""},
        {"refs/tags/v1.4", "", "semver", ""},
        {"refs/heads/main", "", "nightly\nv2\n\n  nightly ", "nightly v2"},
        {"refs/heads/main", "", "latest\nsha:7\nbranch\npr\nsemver\nlatest",
         "latest sha-0123456 branch-main"},
        {"refs/heads/main", "", "", ""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct image_facts facts = {rows[i].ref, COMMIT, "main", rows[i].number};

        cr_expect_str_eq(tags(rows[i].rules, &facts), rows[i].want, "row %zu gave '%s'", i,
                         tags(rows[i].rules, &facts));
    }
}

Test(image_tags, refuses_what_is_neither_rule_nor_tag)
{
    static const struct image_facts facts = {"refs/heads/main", COMMIT, "main", ""};
    static const struct {
        const char *rule, *why;
    } rows[] = {
        {"a/b", "'a/b' is no tag and no rule for one"},
        {"-a", "'-a' is no tag"},
        {"app:1", "'app:1' is no tag"},
        {"sha:3", "from 4 to 64"},
        {"sha:7x", "from 4 to 64"},
        {"{{minor}}.{{name}}", "a word in braces that is not"},
        {"semver:{{major", "a word in braces that is not"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect(strstr(tags(rows[i].rule, &facts), rows[i].why), "'%s' gave '%s'", rows[i].rule,
                  tags(rows[i].rule, &facts));
}

Test(image_tags, makes_any_text_a_legal_tag)
{
    char text[400];
    const char *tag;

    memset(text, '/', sizeof text);
    text[0] = '.';
    text[1] = '\xc3';
    text[2] = 'a';
    tag = image_tag_of(step, (struct span){text, sizeof text});
    cr_expect(image_tag_is_legal(tag), "'%s'", tag);
    cr_expect_eq(strlen(tag), IMAGE_TAG_MAX);
    cr_expect_eq(tag[0], 'a');
    cr_expect_str_eq(image_tag_of(step, SPAN("..--")), "");
    cr_expect_not(image_tag_is_legal(""));
}

Test(image_tags, knows_the_run_by_its_contexts)
{
    struct image_facts facts;

    ost_test_context(host, "github.ref", "refs/pull/12/merge");
    ost_test_context(host, "github.sha", COMMIT);
    facts = image_facts_get(step);
    cr_expect_str_eq(facts.pull_request, "12");
    cr_expect_str_eq(facts.commit, COMMIT);
    cr_expect_str_eq(facts.default_branch, "");
    ost_test_context(host, "github.event.pull_request.number", "13");
    cr_expect_str_eq(image_facts_get(step).pull_request, "13");
}
