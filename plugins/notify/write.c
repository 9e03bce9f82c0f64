#include "write.h"

#include <string.h>

/* Adds TEXT with BEFORE in front of each of the characters in WHICH. */
static void put_escaped(struct sink *to, struct span text, const char *which)
{
    for (size_t i = 0; i < text.size; i++) {
        if (strchr(which, text.at[i]))
            sink_add(to, SPAN("\\"));
        sink_add(to, (struct span){text.at + i, 1});
    }
}

static void put_entities(struct sink *to, struct span text, bool quotes)
{
    for (size_t i = 0; i < text.size; i++)
        switch (text.at[i]) {
        case '&':
            sink_add(to, SPAN("&amp;"));
            break;
        case '<':
            sink_add(to, SPAN("&lt;"));
            break;
        case '>':
            sink_add(to, SPAN("&gt;"));
            break;
        case '"':
            sink_add(to, quotes ? SPAN("&quot;") : SPAN("\""));
            break;
        default:
            sink_add(to, (struct span){text.at + i, 1});
        }
}

void put_json(struct sink *to, struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.at[i];

        if (c == '"' || c == '\\')
            sink_addf(to, "\\%c", c);
        else if (c == '\n')
            sink_add(to, SPAN("\\n"));
        else if (c == '\t')
            sink_add(to, SPAN("\\t"));
        else if ((unsigned char)c < ' ')
            sink_addf(to, "\\u%04x", (unsigned)c);
        else
            sink_add(to, (struct span){&text.at[i], 1});
    }
}

/* ---- what the dialects have in common ---- */

struct group { /* runs of one look */
    const struct rich_run *runs;
    size_t n;
};

struct dialect {
    const char *open[4],
        *close[4]; /* bold, italic, code, block of code; in the order of their bits */
    void (*text)(struct sink *to, const struct rich_run *run);
    void (*link)(struct sink *to, const struct group *g, const struct dialect *d);
};

static uint32_t look(const struct rich_run *run)
{
    return run->style & ~(uint32_t)RICH_VALUE;
}

static void put_styled(struct sink *to, const struct group *g, const struct dialect *d)
{
    for (size_t i = 0; i < 4; i++)
        if (look(g->runs) & 1u << i)
            sink_addf(to, "%s", d->open[i]);
    for (size_t i = 0; i < g->n; i++)
        d->text(to, &g->runs[i]);
    for (size_t i = 4; i-- > 0;)
        if (look(g->runs) & 1u << i)
            sink_addf(to, "%s", d->close[i]);
}

/* What stands side by side in one style is opened and closed once: "**a****b**" is nobody's markup. */
static void put_runs(const struct rich *r, struct sink *to, const struct dialect *d)
{
    for (size_t i = 0, end; i < r->n; i = end) {
        const struct rich_run *run = &r->runs[i];
        struct group g;

        for (end = i + 1; end < r->n && r->runs[end].href == run->href; end++)
            if (look(&r->runs[end]) != look(run))
                break;
        g = (struct group){run, end - i};
        if (run->href)
            d->link(to, &g, d);
        else
            put_styled(to, &g, d);
    }
}

/* ---- plain text ---- */

void write_plain(const struct rich *r, struct sink *to)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct rich_run *run = &r->runs[i];
        bool ends = run->href && (i + 1 == r->n || r->runs[i + 1].href != run->href);

        sink_add(to, run->text);
        if (ends && !span_is(run->text, run->href))
            sink_addf(to, " (%s)", run->href);
    }
}

/* ---- HTML ---- */

static void html_text(struct sink *to, const struct rich_run *run)
{
    put_entities(to, run->text, false);
}

static void html_link(struct sink *to, const struct group *g, const struct dialect *d)
{
    sink_add(to, SPAN("<a href=\""));
    put_entities(to, span_of(g->runs->href), true);
    sink_add(to, SPAN("\">"));
    put_styled(to, g, d);
    sink_add(to, SPAN("</a>"));
}

static void mail_text(struct sink *to, const struct rich_run *run)
{
    struct span rest = run->text, line;

    while (rest.size > 0 && !(run->style & RICH_PRE) && span_eat_until(&rest, '\n', &line)) {
        put_entities(to, line, false);
        sink_add(to, SPAN("<br>\n"));
    }
    put_entities(to, rest, false);
}

void write_telegram_html(const struct rich *r, struct sink *to)
{
    static const struct dialect d = {{"<b>", "<i>", "<code>", "<pre>"},
                                     {"</b>", "</i>", "</code>", "</pre>"},
                                     html_text,
                                     html_link};

    put_runs(r, to, &d);
}

void write_html(const struct rich *r, struct sink *to)
{
    static const struct dialect d = {{"<b>", "<i>", "<code>", "<pre>"},
                                     {"</b>", "</i>", "</code>", "</pre>"},
                                     mail_text,
                                     html_link};

    put_runs(r, to, &d);
}

/* ---- Telegram's MarkdownV2 ---- */

static void telegram_text(struct sink *to, const struct rich_run *run)
{
    bool code = run->style & (RICH_CODE | RICH_PRE);

    put_escaped(to, run->text, code ? "`\\" : "_*[]()~`>#+-=|{}.!\\");
}

static void telegram_link(struct sink *to, const struct group *g, const struct dialect *d)
{
    sink_add(to, SPAN("["));
    put_styled(to, g, d);
    sink_add(to, SPAN("]("));
    put_escaped(to, span_of(g->runs->href), ")\\");
    sink_add(to, SPAN(")"));
}

void write_telegram_markdown(const struct rich *r, struct sink *to)
{
    static const struct dialect d = {
        {"*", "_", "`", "```\n"}, {"*", "_", "`", "\n```"}, telegram_text, telegram_link};

    put_runs(r, to, &d);
}

/* ---- Slack ---- */

static void slack_link(struct sink *to, const struct group *g, const struct dialect *d)
{
    struct span href = span_of(g->runs->href);

    sink_add(to, SPAN("<"));
    for (size_t i = 0; i < href.size; i++) /* a bar would end it */
        if (href.at[i] == '|')
            sink_add(to, SPAN("%7C"));
        else
            put_entities(to, (struct span){href.at + i, 1}, false);
    sink_add(to, SPAN("|"));
    put_styled(to, g, d);
    sink_add(to, SPAN(">"));
}

void write_slack(const struct rich *r, struct sink *to)
{
    static const struct dialect d = {
        {"*", "_", "`", "```\n"}, {"*", "_", "`", "\n```"}, html_text, slack_link};

    put_runs(r, to, &d);
}

/* ---- Discord and Mattermost ---- */

static const char no_space[] = "\xe2\x80\x8b"; /* U+200B: seen by nobody, and no part of a name */

/* In code nothing can be escaped: a backtick would end it. */
static void put_code(struct sink *to, struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.at[i] == '`')
            sink_add(to, SPAN("\xca\xbc")); /* U+02BC looks like it */
        else
            sink_add(to, (struct span){text.at + i, 1});
}

static void put_markdown(struct sink *to, const struct rich_run *run, bool quiet)
{
    if (run->style & (RICH_CODE | RICH_PRE)) {
        put_code(to, run->text);
        return;
    }
    for (size_t i = 0; i < run->text.size; i++) {
        struct span c = {run->text.at + i, 1};

        put_escaped(to, c, "\\*_~`|<>[]()#");
        if (quiet && c.at[0] == '@')
            sink_addf(to, "%s", no_space);
    }
}

static void discord_text(struct sink *to, const struct rich_run *run)
{
    put_markdown(to, run, false);
}

static void mattermost_text(struct sink *to, const struct rich_run *run)
{
    put_markdown(to, run, run->style & RICH_VALUE);
}

static void markdown_link(struct sink *to, const struct group *g, const struct dialect *d)
{
    struct span href = span_of(g->runs->href);

    sink_add(to, SPAN("["));
    put_styled(to, g, d);
    sink_add(to, SPAN("]("));
    for (size_t i = 0; i < href.size; i++)
        if (strchr("()<> \\", href.at[i]))
            sink_addf(to, "%%%02X", (unsigned)href.at[i]);
        else
            sink_add(to, (struct span){href.at + i, 1});
    sink_add(to, SPAN(")"));
}

void write_discord(const struct rich *r, struct sink *to)
{
    static const struct dialect d = {
        {"**", "*", "`", "```\n"}, {"**", "*", "`", "\n```"}, discord_text, markdown_link};

    put_runs(r, to, &d);
}

void write_mattermost(const struct rich *r, struct sink *to)
{
    static const struct dialect d = {
        {"**", "*", "`", "```\n"}, {"**", "*", "`", "\n```"}, mattermost_text, markdown_link};

    put_runs(r, to, &d);
}

/* ---- parts ---- */

bool parts_next(struct parts *p, struct span *ret)
{
    struct rich all = p->rest;

    for (size_t limit = p->cut ? p->max - 1 : p->max;; limit = limit * 3 / 4) {
        struct sink k = {.step = all.step};
        struct rich part;

        p->rest = all;
        if (!rich_part(&p->rest, limit < 2 ? 2 : limit, &part))
            return false;
        if (p->cut && p->rest.n > 0)
            rich_add(&part, SPAN("\xe2\x80\xa6"), 0, NULL);
        p->write(&part, &k);
        *ret = (struct span){sink_text(&k), k.size};
        if (limit <= 2 || !p->markup_counts || units_of(*ret) <= p->max)
            break;
    }
    if (p->cut)
        p->rest.n = 0;
    return true;
}
