#include "lang/pattern.h"

#include "lang/utf.h"

enum item_kind {
    ITEM_CHAR,
    ITEM_CLASS,
    ITEM_RUN,      /* * */
    ITEM_RUN_ALL,  /* ** */
    ITEM_MAYBE,    /* before the next item, which may be left out */
    ITEM_TO_SLASH, /* behind MAYBE: any run that ends in "/" */
};

struct item {
    enum item_kind kind;
    uint32_t code;      /* CHAR */
    struct slice class; /* CLASS: what stands between the brackets */
    bool optional;      /* ? */
    bool repeated;      /* + */
};

struct program {
    struct item *items;
    size_t n;
};

static void program_deinit(struct program *p)
{
    free(p->items);
}

static bool in_range_set(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Takes one member of a class: FROM and TO are equal unless it is a range. */
static bool class_next(struct slice s, size_t *at, uint32_t *ret_from, uint32_t *ret_to)
{
    if (*at >= s.len)
        return false;
    *ret_from = *ret_to = utf_next(s, at);
    size_t next = *at + 1;
    if (*at + 1 < s.len && s.ptr[*at] == '-' && in_range_set(*ret_from)) {
        *ret_to = utf_next(s, &next);
        *at = next;
    }
    return true;
}

static bool class_has(struct slice class, uint32_t c)
{
    uint32_t from, to;

    for (size_t at = 0; class_next(class, &at, &from, &to);)
        if (c >= from && c <= to)
            return true;
    return false;
}

static int class_check(struct slice class, struct slice pattern, struct err *err)
{
    uint32_t from, to;

    if (class.len == 0)
        return err_set(err, ERR_INVALID, "pattern '%.*s' has empty brackets", SLICE_ARG(pattern));
    for (size_t at = 0; class_next(class, &at, &from, &to);)
        if (from > to)
            return err_set(err, ERR_INVALID, "pattern '%.*s' has a range that runs backwards",
                           SLICE_ARG(pattern));
    return ERR_OK;
}

/* Reads the item at *AT into P, which has room for two. */
static int read_item(struct program *p, struct slice s, size_t *at, struct err *err)
{
    struct slice rest = slice_from(s, *at);
    struct item *last = p->n ? &p->items[p->n - 1] : NULL;
    bool plain = last && last->kind <= ITEM_CLASS && !last->optional && !last->repeated;
    struct item i = {.kind = ITEM_CHAR};

    if (slice_starts(rest, SLICE("**/"))) {
        p->items[p->n++].kind = ITEM_MAYBE;
        i.kind = ITEM_TO_SLASH;
        *at += 3;
    } else if (slice_starts(rest, SLICE("**"))) {
        i.kind = ITEM_RUN_ALL;
        *at += 2;
    } else if (rest.ptr[0] == '*') {
        i.kind = ITEM_RUN;
        *at += 1;
    } else if ((rest.ptr[0] == '?' || rest.ptr[0] == '+') && plain) {
        last->optional = rest.ptr[0] == '?';
        last->repeated = rest.ptr[0] == '+';
        *at += 1;
        return ERR_OK;
    } else if (rest.ptr[0] == '[') {
        ssize_t end = slice_find_char(rest, ']');

        if (end < 0)
            return err_set(err, ERR_INVALID, "pattern '%.*s' has a '[' without a ']'",
                           SLICE_ARG(s));
        i.kind = ITEM_CLASS;
        i.class = slice_make(rest.ptr + 1, (size_t)end - 1);
        *at += (size_t)end + 1;
        int r = class_check(i.class, s, err);
        if (r < 0)
            return r;
    } else {
        if (rest.ptr[0] == '\\') {
            if (rest.len == 1)
                return err_set(err, ERR_INVALID, "pattern '%.*s' ends in a lone '\\'",
                               SLICE_ARG(s));
            *at += 1;
        }
        i.code = utf_next(s, at);
    }
    p->items[p->n++] = i;
    return ERR_OK;
}

/* RET is the caller's, also on failure: program_deinit(). */
static int compile(struct slice s, struct program *ret, struct err *err)
{
    *ret = (struct program){.items = mem_new((s.len + 2) * sizeof *ret->items)};
    for (size_t at = 0; at < s.len;) {
        int r = read_item(ret, s, &at, err);

        if (r < 0)
            return r;
    }
    return ERR_OK;
}

static bool accepts(const struct item *i, uint32_t c)
{
    switch (i->kind) {
    case ITEM_CHAR:
        return c == i->code;
    case ITEM_CLASS:
        return class_has(i->class, c);
    case ITEM_RUN:
        return c != '/';
    default:
        return true;
    }
}

/* Marks state AT (items before it are matched) and those that follow without a character. */
static void enter(const struct program *p, unsigned char *states, size_t at)
{
    for (; !states[at]; at++) {
        states[at] = 1;
        if (at == p->n)
            return;
        const struct item *i = &p->items[at];
        if (i->kind == ITEM_MAYBE)
            states[++at] = 1; /* the next one, and also what is behind it */
        else if (i->kind != ITEM_RUN && i->kind != ITEM_RUN_ALL && !i->optional)
            return;
    }
}

static void advance(const struct program *p, unsigned char *to, size_t at, uint32_t c)
{
    const struct item *i = &p->items[at];

    if (i->kind == ITEM_MAYBE || !accepts(i, c))
        return;
    if (i->kind == ITEM_RUN || i->kind == ITEM_RUN_ALL || i->kind == ITEM_TO_SLASH)
        enter(p, to, at);
    if (i->repeated)
        enter(p, to, at);
    if (i->kind <= ITEM_CLASS || (i->kind == ITEM_TO_SLASH && c == '/'))
        enter(p, to, at + 1);
}

static bool run(const struct program *p, struct slice name)
{
    CLEANUP(free_ptr) unsigned char *states = mem_new(2 * (p->n + 1));
    unsigned char *now = states, *then = states + p->n + 1;

    enter(p, now, 0);
    for (size_t at = 0; at < name.len;) {
        uint32_t c = utf_next(name, &at);
        unsigned char *swap = now;

        memset(then, 0, p->n + 1);
        for (size_t i = 0; i < p->n; i++)
            if (now[i])
                advance(p, then, i, c);
        now = then;
        then = swap;
    }
    return now[p->n];
}

static struct slice body(struct slice pattern)
{
    return slice_from(pattern, slice_starts(pattern, SLICE("!")));
}

struct slice pattern_of_stars(struct arena *a, struct slice text)
{
    char *out = arena_alloc(a, 2 * text.len + 1);
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] && strchr("?+[]\\!", text.ptr[i]))
            out[n++] = '\\';
        out[n++] = text.ptr[i];
    }
    return slice_make(out, n);
}

int pattern_check(struct slice pattern, struct err *err)
{
    CLEANUP(program_deinit) struct program p;

    return compile(body(pattern), &p, err);
}

bool pattern_match(struct slice pattern, struct slice name)
{
    CLEANUP(program_deinit) struct program p;
    struct err ignored;

    return compile(pattern, &p, &ignored) == ERR_OK && run(&p, name);
}

bool pattern_includes(const struct slice *patterns, size_t n, struct slice name)
{
    bool in = false;

    for (size_t i = 0; i < n; i++) {
        struct slice positive = body(patterns[i]);

        if (pattern_match(positive, name))
            in = positive.len == patterns[i].len;
    }
    return in;
}

bool pattern_ignores(const struct slice *patterns, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++) {
        struct slice positive = body(patterns[i]);

        if (pattern_match(positive, name) == (positive.len == patterns[i].len))
            return true;
    }
    return false;
}

bool pattern_includes_any(const struct slice *patterns, size_t n, const struct slice *names,
                          size_t n_names)
{
    for (size_t i = 0; i < n_names; i++)
        if (pattern_includes(patterns, n, names[i]))
            return true;
    return n == 0 || n_names == 0;
}

bool pattern_ignores_all(const struct slice *patterns, size_t n, const struct slice *names,
                         size_t n_names)
{
    for (size_t i = 0; i < n_names; i++)
        if (!pattern_ignores(patterns, n, names[i]))
            return false;
    return n > 0 && n_names > 0;
}
