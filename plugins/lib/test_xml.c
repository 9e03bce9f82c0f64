#include "xml.h"

#include <criterion/criterion.h>
#include <ostler/test.h>
#include <stdlib.h>
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

TestSuite(xml, .init = enter, .fini = leave);

static void on_open(void *ctx, const char *name, const char *const *attributes)
{
    sink_addf(ctx, "<%s", name);
    for (; *attributes; attributes += 2)
        sink_addf(ctx, " %s=%s", attributes[0], attributes[1]);
    sink_addf(ctx, ">");
}

static void on_close(void *ctx, const char *name)
{
    sink_addf(ctx, "</%s>", name);
}

static void on_text(void *ctx, struct span text)
{
    sink_add(ctx, text);
}

static const struct xml_events events = {on_open, on_close, on_text};

/* What is read of S, fed in portions of PORTION bytes; "!" and why, if it is none. */
static const char *parse(struct span s, size_t portion)
{
    struct sink k = {.step = step};
    struct xml *x = xml_new(step, &events, &k);
    const char *wrong;

    for (; s.size > portion; s = (struct span){s.at + portion, s.size - portion})
        (void)xml_feed(x, (struct span){s.at, portion}, false);
    (void)xml_feed(x, s, true);
    wrong = xml_wrong(x);
    xml_free(x);
    return wrong ? ost_fmt(step, "!%s", wrong) : sink_text(&k);
}

Test(xml, reads_elements_attributes_and_text_in_any_portions)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"<a/>", "<a></a>"},
        {"<?xml version=\"1.0\"?><!-- c --><a b='1' c=\"&lt;&amp;&#65;\">x<b/>y&gt;</a>",
         "<a b=1 c=<&A>x<b></b>y></a>"},
        {"<a><![CDATA[<b>&amp;]]></a>", "<a><b>&amp;</a>"},
        {"<!DOCTYPE coverage SYSTEM \"http://nowhere.invalid/c.dtd\"><a/>", "<a></a>"},
        {"<a>\xc3\xa4\xf0\x9f\x98\x80</a>", "<a>\xc3\xa4\xf0\x9f\x98\x80</a>"},
        {"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe4</a>", "<a>\xc3\xa4</a>"},
        {"\xef\xbb\xbf<a/>", "<a></a>"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t portion = 1; portion < 40; portion++)
            cr_expect_str_eq(parse(span_of(rows[i].text), portion), rows[i].want, "%s in %zu: %s",
                             rows[i].text, portion, parse(span_of(rows[i].text), portion));
}

Test(xml, puts_a_mark_where_a_byte_cannot_be)
{
    static const struct {
        const char *text;
        size_t size;
        const char *want;
    } rows[] = {
#define ROW(text, want) {(text), sizeof(text) - 1, (want)}
        ROW("<a>\x1b[31mred\0x</a>", "<a>?[31mred?x</a>"),
        ROW("<a b='\x01'>\xff\xfe</a>", "<a b=?>?\?</a>"),
        ROW("<a>\xc3</a>", "<a>?</a>"),
        ROW("<a>\xe2\x82</a>", "<a>?</a>"),
        ROW("<a>\xed\xa0\x80\xc0\x80\xf5z</a>", "<a>??????z</a>"),
        ROW("<a>\xf0\x9f\x98\xc3\xa4</a>", "<a>?\xc3\xa4</a>"),
#undef ROW
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t portion = 1; portion < 20; portion++)
            cr_expect_str_eq(parse((struct span){rows[i].text, rows[i].size}, portion),
                             rows[i].want, "row %zu in %zu: %s", i, portion,
                             parse((struct span){rows[i].text, rows[i].size}, portion));
}

Test(xml, reads_utf_16)
{
    static const char text[] = "\xff\xfe<\0a\0>\0\xe4\0<\0/\0a\0>\0";

    cr_expect_str_eq(parse((struct span){text, sizeof text - 1}, 5), "<a>\xc3\xa4</a>");
}

Test(xml, tells_where_and_why_it_is_none)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "!line 1: no element found"},
        {"\n\n<a></b>", "!line 3: mismatched tag"},
        {"<a>", "!line 1: no element found"},
        {"<a/><b/>", "!line 1: junk after document element"},
        {"hello", "!line 1: syntax error"},
        {"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
         "!line 1: it declares entities, which no report needs"},
        {"<!DOCTYPE a [<!ENTITY % x SYSTEM 'file:///etc/passwd'>]><a/>",
         "!line 1: it declares entities, which no report needs"},
        {"<?xml version='1.0' encoding='nonsense'?><a/>", "!line 1: unknown encoding"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect_str_eq(parse(span_of(rows[i].text), 7), rows[i].why, "%s: %s", rows[i].text,
                         parse(span_of(rows[i].text), 7));
}

Test(xml, holds_depth_and_tags_against_limits)
{
    struct sink deep = {.step = step}, wide = {.step = step};

    for (int i = 0; i < 200; i++)
        sink_addf(&deep, "<a>");
    cr_expect_str_eq(parse(sink_span(&deep), 50), "!line 1: it is nested too deeply");
    sink_addf(&wide, "<a b='");
    while (wide.size < 3 << 20)
        sink_addf(&wide, "%01000d", 0);
    cr_expect_str_eq(parse(sink_span(&wide), 1 << 16), "!line 1: a tag is too large");
}

Test(xml, keeps_no_text_of_a_large_document)
{
    static const struct xml_events nobody = {NULL, NULL, NULL};
    struct xml *x = xml_new(step, &nobody, NULL);
    static char block[1 << 16];
    bool fine = xml_feed(x, SPAN("<a>"), false);

    memset(block, 'x', sizeof block);
    for (int i = 0; fine && i < 2000; i++) /* 125 MiB */
        fine = xml_feed(x, (struct span){block, sizeof block}, false);
    cr_expect(fine && xml_feed(x, SPAN("</a>"), true), "%s", xml_wrong(x));
    xml_free(x);
}

Test(xml, finds_attributes)
{
    cr_expect_str_eq(xml_get(OST_ARGV("a", "1", "b", "2"), "b"), "2");
    cr_expect_str_eq(xml_get(OST_ARGV("a", "1"), "1"), "");
}
