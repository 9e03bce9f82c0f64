#include "toml.h"

#include <string.h>

struct reader {
    struct ost_step *step;
    struct span rest;
    toml_visit *visit;
    void *ctx;
};

static bool at(const struct reader *t, char c)
{
    return t->rest.size > 0 && t->rest.at[0] == c;
}

static bool eat(struct reader *t, const char *text)
{
    return span_eat(&t->rest, text);
}

static void skip(struct reader *t, size_t n)
{
    t->rest.at += n;
    t->rest.size -= n;
}

static void skip_blanks(struct reader *t)
{
    while (at(t, ' ') || at(t, '\t') || at(t, '\r'))
        skip(t, 1);
}

static void skip_comment(struct reader *t)
{
    if (at(t, '#'))
        while (t->rest.size > 0 && !at(t, '\n'))
            skip(t, 1);
}

/* Blanks, newlines and comments, as between the values of an array. */
static void skip_lines(struct reader *t)
{
    size_t before;

    do {
        before = t->rest.size;
        skip_blanks(t);
        skip_comment(t);
        eat(t, "\n");
    } while (t->rest.size != before);
}

/* Text over several lines ends at its three quotes; no key of ours is written so. */
static bool skip_long_text(struct reader *t, const char *quotes)
{
    for (; t->rest.size > 0; skip(t, 1)) {
        if (eat(t, quotes)) {
            while (at(t, quotes[0])) /* up to two more belong to the text */
                skip(t, 1);
            return true;
        }
        if (quotes[0] == '"' && at(t, '\\') && t->rest.size > 1)
            skip(t, 1);
    }
    return false;
}

/* One line in quotes. Of the escapes only those of a quote and a backslash are ever met in a version. */
static bool read_text(struct reader *t, const char **ret)
{
    struct sink k = {.step = t->step};
    char quote = t->rest.at[0];

    for (skip(t, 1); t->rest.size > 0 && !at(t, '\n'); skip(t, 1)) {
        if (at(t, quote)) {
            skip(t, 1);
            *ret = sink_text(&k);
            return true;
        }
        if (quote == '"' && at(t, '\\') && t->rest.size > 1)
            skip(t, 1);
        sink_add(&k, (struct span){t->rest.at, 1});
    }
    return false;
}

static bool is_bare(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '_';
}

/* a."b c".d below PREFIX. */
static bool read_key(struct reader *t, const char *prefix, const char **ret)
{
    struct sink k = {.step = t->step};

    sink_add(&k, span_of(prefix));
    do {
        const char *part = NULL;
        size_t n = 0;

        skip_blanks(t);
        if (at(t, '"') || at(t, '\'')) {
            if (!read_text(t, &part))
                return false;
        } else {
            while (n < t->rest.size && is_bare(t->rest.at[n]))
                n++;
            if (n == 0)
                return false;
            part = span_dup(t->step, (struct span){t->rest.at, n});
            skip(t, n);
        }
        sink_addf(&k, "%s%s", k.size ? "." : "", part);
        skip_blanks(t);
    } while (eat(t, "."));
    *ret = sink_text(&k);
    return true;
}

static bool read_value(struct reader *t, const char *path, int depth);

static bool read_pair(struct reader *t, const char *prefix, int depth)
{
    const char *path;

    if (!read_key(t, prefix ? prefix : "", &path) || !eat(t, "="))
        return false;
    skip_blanks(t);
    return read_value(t, prefix ? path : NULL, depth);
}

/* Values up to the bracket END: a table's below PREFIX, unless that is NULL. Those of an array have no key
 * of their own, and are passed by with all that is in them. */
static bool read_values(struct reader *t, const char *prefix, const char *end, int depth)
{
    if (depth == TOML_DEPTH_MAX)
        return false;
    for (;;) {
        skip_lines(t);
        if (eat(t, end))
            return true;
        if (end[0] == '}' ? !read_pair(t, prefix, depth) : !read_value(t, NULL, depth))
            return false;
        skip_lines(t);
        if (!eat(t, ","))
            return eat(t, end);
    }
}

/* The value of PATH; NULL: one that has none. */
static bool read_value(struct reader *t, const char *path, int depth)
{
    const char *text = NULL;
    size_t n = 0;
    bool ok = true;

    if (eat(t, "\"\"\"") || eat(t, "'''")) {
        ok = skip_long_text(t, t->rest.at[-1] == '"' ? "\"\"\"" : "'''");
    } else if (at(t, '"') || at(t, '\'')) {
        ok = read_text(t, &text);
    } else if (eat(t, "[")) {
        ok = read_values(t, NULL, "]", depth + 1);
    } else if (eat(t, "{")) {
        ok = read_values(t, path, "}", depth + 1);
    } else {
        while (n < t->rest.size && !memchr(",]}#\n", t->rest.at[n], 5))
            n++;
        skip(t, n);
        ok = n > 0;
    }
    if (ok && path)
        t->visit(t->ctx, path, text);
    return ok;
}

/* [a.b] or [[a.b]] */
static bool read_heading(struct reader *t, const char **ret)
{
    bool list = eat(t, "[");

    if (!read_key(t, "", ret) || !eat(t, list ? "]]" : "]"))
        return false;
    t->visit(t->ctx, *ret, NULL);
    return true;
}

bool toml_read(struct ost_step *step, struct span text, toml_visit *visit, void *ctx,
               uint32_t *ret_line)
{
    struct reader t = {step, text, visit, ctx};
    const char *table = "";
    bool ok = true;

    (void)eat(&t, "\xef\xbb\xbf");
    for (skip_lines(&t); ok && t.rest.size > 0; skip_lines(&t)) {
        ok = eat(&t, "[") ? read_heading(&t, &table) : read_pair(&t, table, 0);
        skip_blanks(&t);
        skip_comment(&t);
        ok &= t.rest.size == 0 || at(&t, '\n');
    }
    if (!ok) {
        *ret_line = 1;
        for (const char *c = text.at; c < t.rest.at; c++)
            *ret_line += *c == '\n';
    }
    return ok;
}
