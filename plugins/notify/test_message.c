/* Templates, and what becomes of them in each messenger's markup. */
#include "mail.h"
#include "template.h"
#include "webhook.h"
#include "write.h"

#include <criterion/criterion.h>
#include <ostler/test.h>
#include <string.h>

extern const struct ost_plugin ostler_plugin_v1;

static struct ost_test *job;
static struct facts facts;

static void enter(void)
{
    job = ost_test_new(&ostler_plugin_v1);
    ost_test_context(job, "github.workflow", "CI");
    ost_test_context(job, "github.repository", "acme/shop");
    ost_test_context(job, "github.server_url", "https://git.test");
    ost_test_context(job, "github.run_id", "77");
    ost_test_context(job, "github.sha", "0123456789abcdef0123456789abcdef01234567");
    ost_test_context(job, "github.ref_name", "fix_it.now");
    ost_test_context(job, "github.actor", "**@ann** <b>");
    ost_test_context(job, "job.status", "failure");
    ost_test_context(job, "needs",
                     "{\"build\":{\"result\":\"success\",\"outputs\":{}},"
                     "\"test\":{\"result\":\"failure\",\"outputs\":{}}}");
    ost_test_context(job, "needs.build.outputs.version", "1.2");
    ost_test_context(job, "steps",
                     "{\"a\":{\"outcome\":\"success\"},\"b\":{\"outcome\":"
                     "\"failure\"},\"c\":{\"outcome\":\"failure\"}}");
    facts_load(&facts, ost_test_step(job));
}

static void leave(void)
{
    ost_test_free(job);
}

TestSuite(message, .init = enter, .fini = leave);

static const char *written(const char *text, write_fn *write)
{
    struct sink k = {.step = facts.step};
    struct rich r;
    const char *why = template_render(&facts, text, true, &r);

    cr_assert_null(why, "'%s': %s", text, why);
    write(&r, &k);
    return sink_text(&k);
}

Test(message, says_facts)
{
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"{{ status }} {{job.status}} {{ status.words }}", "failure failure failed"},
        {"{{ repository }}/{{ branch }}@{{ commit.short }}", "acme/shop/fix_it.now@0123456"},
        {"{{ run.url }}", "https://git.test/acme/shop/actions/runs/77"},
        {"{{ commit.url }}",
         "https://git.test/acme/shop/commit/0123456789abcdef0123456789abcdef01234567"},
        {"{{ failed.step }}", "b"},
        {"{{ needs }}", "build: success, test: failure"},
        {"{{ needs.build.outputs.version }}", "1.2"},
        {"{{ github.event.nothing }}|", "|"},
        {"{{#failure}}bad{{/failure}}{{#success}}good{{/success}}{{^success}}, no{{/success}}",
         "bad, no"},
        {"{{#needs}}\n{{ need.name }}={{ need.result }}\n{{/needs}}\nend",
         "build=success\ntest=failure\nend"},
        {"a\n{{#duration}}\ntook {{ duration }}\n{{/duration}}\nb", "a\nb"},
        {"{ {a}} }", "{ {a}} }"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *why, *got = template_text(&facts, rows[i].text, false, &why);

        cr_expect_null(why, "%s: %s", rows[i].text, why);
        cr_expect_str_eq(got, rows[i].wanted, "%s: '%s'", rows[i].text, got);
    }
}

Test(message, refuses_what_is_no_template_and_says_why)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"{{ statsu }}", "there is no 'statsu'; there are status, "},
        {"{{ secrets.TOKEN }}", "there is no 'secrets.TOKEN'"},
        {"{{ status", "has no '}}'"},
        {"{{  }}", "nothing between"},
        {"{{#failure}}x", "'{{#failure}}' has no '{{/failure}}'"},
        {"x{{/failure}}", "closes nothing"},
        {"{{#success}}{{ nobody }}{{/success}}", "there is no 'nobody'"},
        {"**{{#failure}}a**{{/failure}}", "has no '{{/failure}}'"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rich r;
        const char *why = template_render(&facts, rows[i].text, true, &r);

        cr_expect(why && strstr(why, rows[i].why), "'%s': %s", rows[i].text, why ? why : "(fine)");
    }
}

Test(message, is_limited_in_every_direction)
{
    struct sink deep = {.step = facts.step}, wide = {.step = facts.step}, k = {.step = facts.step};
    struct rich r;
    const char *why;

    for (int i = 0; i < 100; i++)
        sink_add(&deep, SPAN("{{#failure}}"));
    for (int i = 0; i < 100; i++)
        sink_add(&deep, SPAN("{{/failure}}"));
    why = template_render(&facts, sink_text(&deep), true, &r);
    cr_expect(why && strstr(why, "nested too deeply"), "%s", why);

    ost_test_context(job, "github.workflow", sink_text(&deep));
    for (int i = 0; i < 4000; i++)
        sink_add(&wide, SPAN("{{workflow}}"));
    why = template_render(&facts, sink_text(&wide), true, &r);
    cr_expect(why && strstr(why, "makes more than"), "%s", why);

    for (int i = 0; i <= TEMPLATE_SIZE_MAX; i++)
        sink_add(&k, SPAN("x"));
    why = template_render(&facts, sink_text(&k), true, &r);
    cr_expect(why && strstr(why, "longer than"), "%s", why);
}

Test(message, is_written_in_each_markup_and_values_are_text)
{
    static const struct {
        write_fn *write;
        const char *wanted;
    } rows[] = {
        {write_plain, "Bold 1.0! it a<b see (it) (https://x.test/a_b?c=(d)&e) by **@ann** <b> "
                      "snake_case"},
        {write_telegram_html, "<b>Bold 1.0!</b> <i>it</i> <code>a&lt;b</code> "
                              "<a href=\"https://x.test/a_b?c=(d)&amp;e\">see (it)</a> by "
                              "**@ann** &lt;b&gt; snake_case"},
        {write_telegram_markdown,
         "*Bold 1\\.0\\!* _it_ `a<b` [see \\(it\\)](https://x.test/a_b?c=(d\\)&e) by "
         "\\*\\*@ann\\*\\* <b\\> snake\\_case"},
        {write_slack, "*Bold 1.0!* _it_ `a&lt;b` <https://x.test/a_b?c=(d)&amp;e|see (it)> by "
                      "**@ann** &lt;b&gt; snake_case"},
        {write_discord, "**Bold 1.0!** *it* `a<b` [see \\(it\\)](https://x.test/a_b?c=%28d%29&e) "
                        "by \\*\\*@ann\\*\\* \\<b\\> snake\\_case"},
        {write_mattermost,
         "**Bold 1.0!** *it* `a<b` [see \\(it\\)](https://x.test/a_b?c=%28d%29&e) by "
         "\\*\\*@\xe2\x80\x8b"
         "ann\\*\\* \\<b\\> snake\\_case"},
        {write_html, "<b>Bold 1.0!</b> <i>it</i> <code>a&lt;b</code> "
                     "<a href=\"https://x.test/a_b?c=(d)&amp;e\">see (it)</a> by **@ann** "
                     "&lt;b&gt; snake_case"},
    };
    const char *text = "**Bold 1.0!** _it_ `a<b` [see (it)](https://x.test/a_b?c=(d\\)&e) by "
                       "{{ actor }} snake_case";

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect_str_eq(written(text, rows[i].write), rows[i].wanted, "row %zu:\n%s\n%s", i,
                         written(text, rows[i].write), rows[i].wanted);
}

Test(message, opens_and_closes_a_style_once)
{
    cr_expect_str_eq(written("**a {{ status }} b**", write_discord), "**a failure b**");
    cr_expect_str_eq(written("```\nx `y` {{ status }}\n```\nz", write_telegram_markdown),
                     "```\nx \\`y\\` failure\n```z");
    cr_expect_str_eq(written("[a {{ status }}](https://x.test/{{ status }})", write_slack),
                     "<https://x.test/failure|a failure>");
    cr_expect_str_eq(written("\\*\\* a * b ** c [d] e_f_g \\\\", write_plain),
                     "** a * b ** c [d] e_f_g \\");
    cr_expect_str_eq(written("[here]({{ github.nowhere }})", write_slack), "here");
    cr_expect_str_eq(written("`a``b`", write_discord), "`ab`");
}

Test(message, holds_no_control_characters_and_no_broken_UTF8)
{
    ost_test_context(job, "github.actor",
                     "a\033[31mred\033[0m\001\xff\xed\xa0\x80\xc0\xaf e\xcc\x81");
    cr_expect_str_eq(written("{{ actor }}", write_plain),
                     "ared\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd "
                     "e\xcc\x81");
}

Test(message, is_cut_into_parts_where_it_reads_best)
{
    static const struct {
        const char *text;
        size_t max;
        const char *parts[4];
    } rows[] = {
        {"short", 10, {"short"}},
        {"one two three", 9, {"one two ", "three"}},
        {"one\ntwo three", 9, {"one\n", "two three"}},
        {"a\nline one and two", 12, {"a\nline one ", "and two"}},
        {"line one\nline two", 12, {"line one\n", "line two"}},
        {"abcdefghij", 4, {"abcd", "efgh", "ij"}},
        {"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80",
         5,
         {"\xf0\x9f\x98\x80\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"}}, /* two units each */
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rich rest, part;
        size_t n = 0;

        cr_assert_null(template_render(&facts, rows[i].text, true, &rest));
        for (; rich_part(&rest, rows[i].max, &part); n++) {
            struct sink k = {.step = facts.step};

            write_plain(&part, &k);
            cr_assert(n < 4 && rows[i].parts[n], "row %zu has more than %zu parts", i, n);
            cr_expect_str_eq(sink_text(&k), rows[i].parts[n], "row %zu: '%s'", i, sink_text(&k));
            cr_expect_leq(rich_units(&part), rows[i].max);
        }
        cr_expect(n == 4 || !rows[i].parts[n], "row %zu has %zu parts only", i, n);
    }
}

Test(message, parts_keep_their_markup_and_its_size_counts_where_it_does)
{
    struct sink k = {.step = facts.step};
    struct parts p = {.write = write_discord, .max = 100, .markup_counts = true};
    struct span text;
    size_t n = 0;

    sink_add(&k, SPAN("**"));
    for (int i = 0; i < 60; i++)
        sink_add(&k, SPAN("\\*a "));
    sink_add(&k, SPAN("b**"));
    cr_assert_null(template_render(&facts, sink_text(&k), true, &p.rest));
    for (; parts_next(&p, &text); n++) {
        cr_expect_leq(units_of(text), 100);
        cr_expect(span_starts(text, "**\\*a") || span_starts(text, "**b"), "%s", text.at);
        cr_expect(span_ends(text, "**"), "%s", text.at);
    }
    cr_expect_geq(n, 3);

    cr_assert_null(template_render(&facts, "0123456789012345678901234567890", true, &p.rest));
    p = (struct parts){.rest = p.rest, .write = write_plain, .max = 20, .cut = true};
    cr_assert(parts_next(&p, &text));
    cr_expect_str_eq(text.at, "0123456789012345678\xe2\x80\xa6");
    cr_expect_not(parts_next(&p, &text));
}

Test(message, knows_how_the_jobs_before_went)
{
    ost_test_context(job, "job.status", "success");
    facts_load(&facts, ost_test_step(job));
    cr_expect_eq(facts.job, RESULT_SUCCESS);
    cr_expect_eq(facts.status, RESULT_FAILURE);
    ost_test_context(job, "needs",
                     "{\"a\":{\"result\":\"cancelled\"},\"b\":{\"result\":\"skipped\"}}");
    facts_load(&facts, ost_test_step(job));
    cr_expect_eq(facts.status, RESULT_CANCELLED);
    ost_test_context(job, "needs", "no JSON at all");
    facts_load(&facts, ost_test_step(job));
    cr_expect_eq(facts.status, RESULT_SUCCESS);
}

Test(message, a_webhooks_body_is_JSON_whatever_the_values_are)
{
    static const struct {
        const char *text, *wanted, *why;
    } rows[] = {
        {"{\"a\": \"{{ actor }}\", \"n\": {{ run.id }}, \"x\": {\"y\": \"{{ status }}\"}}",
         "{\"a\": \"\\\"q\\\\\\n\", \"n\": 77, \"x\": {\"y\": \"failure\"}}", NULL},
        {"{\"a\": {{ actor }}}", NULL, "it makes no JSON: "},
        {"{\"a\": \"{{ who }}\"}", NULL, "there is no 'who'"},
    };

    ost_test_context(job, "github.actor", "\"q\\\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct span body = {"", 0};
        const char *why = webhook_body(&facts, rows[i].text, &body);

        if (rows[i].wanted)
            cr_expect_str_eq(body.at, rows[i].wanted, "row %zu: %s %s", i, body.at, why ? why : "");
        else
            cr_expect(why && strstr(why, rows[i].why), "row %zu: %s", i, why ? why : "(fine)");
    }
}

/* The example of GitHub's manual. */
Test(message, a_webhook_is_signed_as_GitHub_does)
{
    cr_expect_str_eq(
        webhook_signature(facts.step, "It's a Secret to Everybody", SPAN("Hello, World!")),
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
}

Test(message, a_mail_address_is_one_and_ends_no_line)
{
    static const struct {
        const char *text, *address, *header; /* NULL: it is none */
    } rows[] = {
        {"ci@example.com", "ci@example.com", "ci@example.com"},
        {"The CI <ci@example.com>", "ci@example.com", "\"The CI\" <ci@example.com>"},
        {"\"The \\ CI\" <ci@x.org>", "ci@x.org", "\"The \\\\ CI\" <ci@x.org>"},
        {"J\xc3\xbcrgen <j@x.org>", "j@x.org", "=?UTF-8?B?SsO8cmdlbg==?= <j@x.org>"},
        {"nobody", NULL, NULL},
        {"a@b@c", NULL, NULL},
        {"a@b, c@d", NULL, NULL},
        {"a@b\r\nBcc: x@y", NULL, NULL},
        {"a b@c", NULL, NULL},
        {"<a@b", NULL, NULL},
        {"a@b>", NULL, NULL},
        {"@b", NULL, NULL},
        {"a@", NULL, NULL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mail_address a = {0};
        bool is = mail_address(facts.step, rows[i].text, &a);

        cr_expect_eq(is, rows[i].address != NULL, "row %zu", i);
        if (is && rows[i].address) {
            cr_expect_str_eq(a.address, rows[i].address);
            cr_expect_str_eq(a.header, rows[i].header, "row %zu: %s", i, a.header);
        }
    }
}

Test(message, a_subject_is_one_header_whatever_it_says)
{
    const char *h = mail_header(facts.step, "\xe2\x9d\x8c acme/shop: a rather long name of a "
                                            "workflow that goes on and on, failed");

    cr_expect_str_eq(mail_header(facts.step, "plain"), "plain");
    cr_expect(strncmp(h, "=?UTF-8?B?4p2M", 14) == 0, "%s", h);
    for (struct span rest = span_of(h), line; span_line(&rest, &line);)
        cr_expect_leq(line.size, 76, "%.*s", (int)line.size, line.at);
    h = mail_header(facts.step, "a\r\nBcc: b@c");
    cr_expect(!strstr(h, "Bcc"), "%s", h);
}
