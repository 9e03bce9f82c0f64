#include "template.h"

#include "write.h"

#include <string.h>

struct render {
    struct ost_step *step;
    struct facts facts;
    struct rich *to;
    bool markup;
    size_t depth, size;
    const char *why; /* the first thing wrong */
};

struct style {
    uint32_t bits;
    const char *href;
};

static void wrong(struct render *r, const char *why)
{
    if (!r->why)
        r->why = why;
}

static void put(struct render *r, struct span text, struct style style)
{
    r->size += text.size;
    if (r->size > TEMPLATE_RESULT_MAX)
        wrong(r, ost_fmt(r->step, "it makes more than %d bytes", TEMPLATE_RESULT_MAX));
    else
        rich_add(r->to, text, style.bits, style.href);
}

static struct span skip(struct span s, size_t n)
{
    return (struct span){s.at + n, s.size - n};
}

static void render(struct render *r, struct span text, struct style style);

/* ---- {{ tags }} ---- */

struct tag {
    char kind; /* '#', '^', '/' or ' ': a value */
    const char *name;
};

/* Takes "{{ ... }}" off the front of REST. */
static bool read_tag(struct render *r, struct span *rest, struct tag *ret)
{
    struct span s = skip(*rest, 2), name;
    size_t end = span_find(s, "}}");

    if (end == SIZE_MAX) {
        wrong(r, "a '{{' has no '}}'");
        return false;
    }
    name = span_trim((struct span){s.at, end});
    ret->kind = ' ';
    if (name.size > 0 && strchr("#^/", name.at[0])) {
        ret->kind = name.at[0];
        name = span_trim(skip(name, 1));
    }
    if (name.size == 0) {
        wrong(r, "there is nothing between '{{' and '}}'");
        return false;
    }
    ret->name = span_dup(r->step, name);
    *rest = skip(s, end + 2);
    return true;
}

/* Behind the opening tag of NAME: takes all up to and with its closing one. */
static bool read_section(struct render *r, struct span *rest, const char *name, struct span *ret)
{
    const char *start = rest->at;
    size_t depth = 1, at;

    while ((at = span_find(*rest, "{{")) != SIZE_MAX) {
        const char *end = rest->at + at;
        struct tag tag;

        *rest = skip(*rest, at);
        if (!read_tag(r, rest, &tag))
            return false;
        if (strcmp(tag.name, name) != 0 || tag.kind == ' ')
            continue;
        depth += tag.kind == '/' ? (size_t)-1 : 1;
        if (depth == 0) {
            *ret = (struct span){start, (size_t)(end - start)};
            return true;
        }
    }
    wrong(r, ost_fmt(r->step, "'{{#%s}}' has no '{{/%s}}'", name, name));
    return false;
}

/* The tag of a section on a line of its own leaves no empty line. */
static void eat_newline(struct span *s)
{
    (void)(span_eat(s, "\r\n") || span_eat(s, "\n"));
}

static const char *value_of(struct render *r, const char *name)
{
    const char *value = facts_get(&r->facts, name);

    if (!value)
        wrong(r, ost_fmt(r->step,
                         "there is no '%s'; there are %s, and the contexts such as "
                         "'github.event.action' or 'steps.build.outputs.version'",
                         name, facts_names(r->step)));
    return value;
}

static void each_need(struct render *r, struct span inner, struct style style)
{
    const struct json *outer = r->facts.need;

    for (const struct json *n = r->facts.needs ? r->facts.needs->first : NULL; n && !r->why;
         n = n->next) {
        r->facts.need = n;
        render(r, inner, style);
    }
    r->facts.need = outer;
}

/* What is left out today may be what is said tomorrow: it is looked at all the same. */
static void check_only(struct render *r, struct span inner, struct style style)
{
    struct rich *to = r->to, none = {.step = r->step};
    size_t size = r->size;

    r->to = &none;
    render(r, inner, style);
    r->to = to;
    r->size = size;
}

static void do_section(struct render *r, struct span *rest, struct tag tag, bool own_line,
                       struct style style)
{
    struct span inner;
    const char *value = value_of(r, tag.name);

    own_line = own_line && (span_starts(*rest, "\n") || span_starts(*rest, "\r\n"));
    if (own_line)
        eat_newline(rest);
    if (!value || !read_section(r, rest, tag.name, &inner))
        return;
    if (inner.size == 0 || inner.at[inner.size - 1] == '\n')
        eat_newline(rest);
    if (tag.kind == '#' && *value && strcmp(tag.name, "needs") == 0)
        each_need(r, inner, style);
    else if ((*value != '\0') == (tag.kind == '#'))
        render(r, inner, style);
    else
        check_only(r, inner, style);
}

static void do_tag(struct render *r, struct span *rest, bool own_line, struct style style)
{
    struct tag tag;
    const char *value;

    if (!read_tag(r, rest, &tag))
        return;
    if (tag.kind == '/') {
        wrong(r, ost_fmt(r->step, "'{{/%s}}' closes nothing", tag.name));
    } else if (tag.kind != ' ') {
        do_section(r, rest, tag, own_line, style);
    } else if ((value = value_of(r, tag.name)) != NULL) {
        if (!*value && r->facts.planned)
            value = ost_fmt(r->step, "\xe2\x80\xb9%s\xe2\x80\xba", tag.name);
        style.bits |= RICH_VALUE;
        put(r, span_of(facts_masked(&r->facts, value)), style);
    }
}

/* ---- markup ---- */

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (c & 0x80);
}

enum {
    MARKED_MAX = 4 << 10
}; /* bytes between the two marks, so that a text of many costs no more than its size */

/* Where MARK closes in S, not within a tag and, unless it is a block's, in the same line. SIZE_MAX: nowhere. */
static size_t find_close(struct span s, const char *mark)
{
    bool block = mark[0] == '`' && mark[1] == '`';

    for (size_t i = 0; i < s.size && i < MARKED_MAX; i++) {
        struct span at = skip(s, i);
        size_t end;

        if (span_starts(at, "{{")) {
            end = span_find(at, "}}");
            if (end == SIZE_MAX)
                return SIZE_MAX;
            i += end + 1;
        } else if (s.at[i] == '\n' && !block) {
            return SIZE_MAX;
        } else if (s.at[i] == '\\' && mark[0] != '`') {
            i++;
        } else if (span_starts(at, mark)) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* An address may hold brackets: behind a backslash. */
static const char *unescaped(struct ost_step *step, struct span address)
{
    char *out = step->host->alloc(step, address.size + 1);
    size_t n = 0;

    for (size_t i = 0; i < address.size; i++) {
        if (address.at[i] == '\\' && i + 1 < address.size && strchr("()\\", address.at[i + 1]))
            i++;
        out[n++] = address.at[i];
    }
    out[n] = '\0';
    return out;
}

/* "[text](address)" at the front of REST, whose text and address may hold tags. */
static bool do_link(struct render *r, struct span *rest, struct style style)
{
    struct span text = skip(*rest, 1), address;
    size_t middle = find_close(text, "]("), end;
    const char *why = NULL;

    if (middle == SIZE_MAX || style.href)
        return false;
    address = skip(text, middle + 2);
    end = find_close(address, ")");
    if (end == SIZE_MAX)
        return false;
    *rest = skip(address, end + 1);
    text.size = middle;
    address.size = end;
    style.href = template_text(&r->facts, unescaped(r->step, address), true, &why);
    if (why)
        wrong(r, why);
    else if (*style.href)
        render(r, text, style);
    else /* where there is no address there is no link */
        render(r, text, (struct style){style.bits, NULL});
    return true;
}

/* Something in MARKs at the front of REST. Code holds tags, but no markup. */
static bool do_marked(struct render *r, struct span *rest, const char *mark, struct style style)
{
    struct span inner = skip(*rest, strlen(mark));
    size_t end = find_close(inner, mark);
    bool markup = r->markup;

    if (end == SIZE_MAX || end == 0)
        return false;
    *rest = skip(inner, end + strlen(mark));
    inner.size = end;
    if (style.bits & RICH_PRE) {
        (void)span_eat(&inner, "\n");
        if (span_ends(inner, "\n"))
            inner.size--;
        (void)span_eat(rest, "\n");
    }
    r->markup = markup && mark[0] != '`';
    render(r, inner, style);
    r->markup = markup;
    return true;
}

static bool do_markup(struct render *r, struct span *rest, char before, struct style style)
{
    static const struct {
        const char *mark;
        uint32_t bit;
    } marks[] = {{"```", RICH_PRE}, {"`", RICH_CODE}, {"**", RICH_BOLD}, {"_", RICH_ITALIC}};

    if (rest->at[0] == '[')
        return do_link(r, rest, style);
    if (rest->at[0] == '_' && is_word(before))
        return false;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (span_starts(*rest, marks[i].mark)) {
            style.bits |= marks[i].bit;
            return do_marked(r, rest, marks[i].mark, style);
        }
    return false;
}

/* ---- all of it ---- */

static void render(struct render *r, struct span text, struct style style)
{
    struct span rest = text;
    const char *from = rest.at;

    if (++r->depth > TEMPLATE_DEPTH_MAX)
        wrong(r, "it is nested too deeply");
    while (rest.size > 0 && !r->why) {
        char before = rest.at > text.at ? rest.at[-1] : '\n';
        struct span plain = {from, (size_t)(rest.at - from)};

        if (span_starts(rest, "{{")) {
            put(r, plain, style);
            do_tag(r, &rest, before == '\n', style);
            from = rest.at;
        } else if (r->markup && rest.at[0] == '\\' && rest.size > 1 && !is_word(rest.at[1])) {
            put(r, plain, style);
            from = rest.at + 1;
            rest = skip(rest, 2);
        } else if (r->markup && strchr("`*_[", rest.at[0])) {
            struct span ahead = rest;
            size_t n = r->to->n;

            put(r, plain, style);
            if (do_markup(r, &ahead, before, style)) {
                from = ahead.at;
                rest = ahead;
            } else { /* it stands for itself */
                r->to->n = n;
                rest = skip(rest, 1);
            }
        } else {
            rest = skip(rest, 1);
        }
    }
    if (!r->why)
        put(r, (struct span){from, (size_t)(rest.at - from)}, style);
    r->depth--;
}

const char *template_render(const struct facts *facts, const char *text, bool markup,
                            struct rich *ret)
{
    struct render r = {.step = facts->step, .facts = *facts, .to = ret, .markup = markup};

    *ret = (struct rich){.step = facts->step};
    if (strlen(text) > TEMPLATE_SIZE_MAX)
        return ost_fmt(facts->step, "it is longer than %d bytes", TEMPLATE_SIZE_MAX);
    render(&r, span_of(text), (struct style){0});
    return r.why;
}

const char *template_text(const struct facts *facts, const char *text, bool line,
                          const char **ret_why)
{
    struct sink k = {.step = facts->step};
    struct rich r;

    *ret_why = template_render(facts, text, false, &r);
    if (*ret_why)
        return "";
    write_plain(&r, &k);
    for (size_t i = 0; line && i < k.size; i++)
        if (k.data[i] == '\n' || k.data[i] == '\t')
            k.data[i] = ' ';
    return sink_text(&k);
}
