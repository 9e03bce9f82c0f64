#include "lang/yaml.h"

#include "lang/utf.h"

#include "base/strmap.h"

#include <yaml.h>

enum { LIMIT_SIZE = 1 << 20, LIMIT_DEPTH = 50, LIMIT_EVENTS = 50000 };

/* A node that was read, and what a replay of it costs. */
struct node {
    struct token *token;
    size_t events;
    size_t height; /* collections inside, itself included */
};

struct reader {
    struct arena *arena;
    struct diags *diags;
    const char *file;
    int file_index;
    struct yaml_limits limits;
    struct slice text;
    yaml_parser_t parser;
    yaml_event_t event;    /* the one that is looked at */
    struct strmap anchors; /* name to the bytes of a struct node; token NULL: not at its end yet */
    struct strmap unused;  /* name to the bytes of a yaml_mark_t; empty: an alias names it */
    size_t depth, events;
    bool aliased;            /* something stands there twice */
    size_t line, line_start; /* how far line_at() came: number from 0, offset in the text */
};

/* ---- findings ---- */

static int fail(struct reader *r, yaml_mark_t at, const char *message, const char *hint)
{
    struct diag *d = diag_add(r->diags, DIAG_ERROR, r->file, (int)at.line + 1, (int)at.column + 1,
                              "%s", message);

    d->bare = true; /* GitHub names the file alone */
    d->hint = hint;
    return ERR_INVALID;
}

static size_t after_break(struct slice text, size_t at)
{
    struct slice rest = slice_from(text, at);

    if (slice_starts(rest, SLICE("\r\n")) || slice_starts(rest, SLICE("\xC2\x85")))
        return at + 2;
    if (slice_starts(rest, SLICE("\xE2\x80\xA8")) || slice_starts(rest, SLICE("\xE2\x80\xA9")))
        return at + 3;
    return rest.len && (rest.ptr[0] == '\n' || rest.ptr[0] == '\r') ? at + 1 : at;
}

static size_t next_line(struct slice text, size_t at)
{
    for (; at < text.len; at++) {
        size_t after = after_break(text, at);

        if (after > at)
            return after;
    }
    return at;
}

/* Offset of LINE (from 0). Lines are mostly asked for in order, so it goes on where it stopped. */
static size_t line_at(struct reader *r, size_t line)
{
    if (line < r->line)
        r->line = r->line_start = 0;
    for (; r->line < line && r->line_start < r->text.len; r->line++)
        r->line_start = next_line(r->text, r->line_start);
    return r->line_start;
}

static struct slice rest_of_line(struct reader *r, yaml_mark_t at)
{
    size_t start = line_at(r, at.line), i = start;

    for (size_t chars = 0; i < r->text.len; i++) {
        bool starts = ((unsigned char)r->text.ptr[i] & 0xC0) != 0x80;

        if (starts && chars++ == at.column)
            break;
    }
    struct slice rest = slice_from(r->text, i);
    return slice_head(rest, next_line(rest, 0));
}

/* Where the byte at OFFSET stands: for what libyaml finds before it counts lines. */
static void locate(struct reader *r, size_t offset, struct yaml_trouble *t)
{
    size_t line = 0, start = 0;

    for (size_t next; (next = next_line(r->text, start)) <= offset && next > start; start = next)
        line++;
    t->line = (int)line + 1;
    t->col = 1;
    for (size_t i = start; i < offset && i < r->text.len; i++)
        t->col += ((unsigned char)r->text.ptr[i] & 0xC0) != 0x80;
}

static int fail_syntax(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    struct yaml_trouble t = {
        .problem = p->problem ? p->problem : "out of memory",
        .context = p->context,
        .line = (int)p->problem_mark.line + 1,
        .col = (int)p->problem_mark.column + 1,
    };

    if (p->error == YAML_READER_ERROR) {
        t.context = NULL;
        locate(r, p->problem_offset, &t);
    } else {
        struct slice rest = rest_of_line(r, p->problem_mark);

        t.at = rest.len ? rest.ptr[0] : '\0';
        if (p->context && p->context_mark.line != p->problem_mark.line) {
            t.context_line = (int)p->context_mark.line + 1;
            t.context_col = (int)p->context_mark.column + 1;
        }
    }
    yaml_complain(r->diags, r->file, &t);
    return ERR_INVALID;
}

/* ---- events ---- */

static int next(struct reader *r)
{
    yaml_event_delete(&r->event);
    return yaml_parser_parse(&r->parser, &r->event) ? ERR_OK : fail_syntax(r);
}

static int count(struct reader *r, size_t events)
{
    if (events > r->limits.events - r->events)
        return fail(r, r->event.start_mark, "Maximum YAML nodes exceeded",
                    r->aliased ? "an alias repeats all of its anchor; use fewer or smaller ones"
                               : "that is too much for one file: call parts of it with 'uses'");
    r->events += events;
    return ERR_OK;
}

static struct slice bytes(const yaml_char_t *text)
{
    return slice_of((const char *)text);
}

static struct token *token_new(struct reader *r, enum token_kind kind)
{
    struct token *t = ARENA_NEW(r->arena, struct token);

    t->kind = kind;
    t->file = r->file_index;
    t->line = (int)r->event.start_mark.line + 1;
    t->col = (int)r->event.start_mark.column + 1;
    return t;
}

/* ---- anchors ---- */

static void tell_unused(const struct reader *r, struct slice name)
{
    struct slice where;
    yaml_mark_t at;

    if (!strmap_find(&r->unused, name, &where) || where.len != sizeof at)
        return;
    memcpy(&at, where.ptr, sizeof at);
    r->limits.unused_anchor(r->limits.ctx, name, (int)at.line + 1, (int)at.column + 1);
}

/* An anchor of that name stands here; an earlier one is out of reach from now on. */
static void watch_anchor(struct reader *r, struct slice name)
{
    yaml_mark_t at = r->event.start_mark;

    if (!r->limits.unused_anchor || !name.len)
        return;
    tell_unused(r, name);
    strmap_set(&r->unused, name, slice_make((const char *)&at, sizeof at));
}

static void tell_all_unused(const struct reader *r)
{
    STRMAP_EACH (i, &r->unused)
        tell_unused(r, strmap_name(i));
}

static void anchor_set(struct reader *r, struct slice name, const struct node *node)
{
    if (name.len)
        strmap_set(&r->anchors, name, slice_make((const char *)node, sizeof *node));
}

/* An anchor's name is wanted after its event is gone; "" for none. */
static struct slice anchor_name(struct reader *r, const yaml_char_t *name)
{
    static const struct node unfinished = {0};
    struct slice copy = name ? arena_dup(r->arena, bytes(name)) : SLICE("");

    anchor_set(r, copy, &unfinished);
    watch_anchor(r, copy);
    return copy;
}

static int read_alias(struct reader *r, struct node *ret)
{
    struct slice name = bytes(r->event.data.alias.anchor), known;

    if (!strmap_find(&r->anchors, name, &known))
        return fail(r, r->event.start_mark,
                    arena_printf(r->arena, "Unknown anchor '%.*s'", SLICE_ARG(name)),
                    "define it above with '&', or put the value in quotes if it is no alias");
    if (r->limits.unused_anchor)
        strmap_set(&r->unused, name, SLICE(""));
    memcpy(ret, known.ptr, sizeof *ret);
    if (!ret->token || r->depth + ret->height > r->limits.depth)
        return fail(r, r->event.start_mark, "Maximum object depth exceeded",
                    ret->token ? "nest less deeply" : "the alias stands inside its own anchor");
    r->aliased = true;
    return count(r, ret->events);
}

/* ---- scalars ---- */

/* An empty value stands where its text would have begun: after the blanks when a comment follows. */
static void place_empty(struct reader *r, struct token *t)
{
    struct slice rest = rest_of_line(r, r->event.start_mark);
    size_t blanks = 0;

    while (blanks < rest.len && (rest.ptr[blanks] == ' ' || rest.ptr[blanks] == '\t'))
        blanks++;
    if (blanks && blanks < rest.len && rest.ptr[blanks] == '#')
        t->col += (int)blanks;
}

static int fail_value(struct reader *r, struct slice value, struct slice tag)
{
    yaml_mark_t at = r->event.start_mark;

    return fail(r, at,
                arena_printf(r->arena,
                             "The value '%.*s' on line %zu and column %zu is invalid for the type "
                             "'%.*s'",
                             SLICE_ARG(value), at.line + 1, at.column + 1, SLICE_ARG(tag)),
                "put the value in quotes to make it a string");
}

static int fail_tag(struct reader *r, struct slice tag)
{
    static const char *const styles[] = {
        [YAML_SINGLE_QUOTED_SCALAR_STYLE] = "SingleQuoted",
        [YAML_DOUBLE_QUOTED_SCALAR_STYLE] = "DoubleQuoted",
        [YAML_LITERAL_SCALAR_STYLE] = "Literal",
        [YAML_FOLDED_SCALAR_STYLE] = "Folded",
    };
    yaml_scalar_style_t style = r->event.data.scalar.style;
    yaml_mark_t at = r->event.start_mark;

    if (style == YAML_PLAIN_SCALAR_STYLE)
        return fail(r, at, arena_printf(r->arena, "Unexpected tag '%.*s'", SLICE_ARG(tag)),
                    "a value that begins with '!' is a tag: put it in quotes or in ${{ }}");
    return fail(r, at,
                arena_printf(r->arena,
                             "The scalar style '%s' on line %zu and column %zu is not valid with "
                             "the tag '%.*s'",
                             styles[style], at.line + 1, at.column + 1, SLICE_ARG(tag)),
                "remove the tag or the quotes");
}

static int type_scalar(struct reader *r, struct slice value, struct token *t)
{
    static const struct slice integer = SLICE_INIT("tag:yaml.org,2002:int");
    struct slice tag = bytes(r->event.data.scalar.tag);
    bool plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

    if (!tag.len && plain)
        return yaml_plain(value, t) ? ERR_OK : fail_value(r, value, integer);
    t->kind = TOKEN_STRING;
    t->text = value;
    if (!tag.len)
        return ERR_OK;
    bool fits = yaml_tagged(tag, value, t);
    if (t->kind == TOKEN_KINDS || (!plain && t->kind != TOKEN_STRING))
        return fail_tag(r, tag);
    return fits ? ERR_OK : fail_value(r, value, tag);
}

static int read_scalar(struct reader *r, struct node *ret)
{
    struct slice value = arena_dup(r->arena, slice_make((const char *)r->event.data.scalar.value,
                                                        r->event.data.scalar.length));
    struct token *t = token_new(r, TOKEN_STRING);

    if (count(r, 1) < 0 || type_scalar(r, value, t) < 0)
        return ERR_INVALID;
    t->source = value;
    if (!value.len && r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        place_empty(r, t);
    *ret = (struct node){.token = t, .events = 1};
    anchor_set(r, bytes(r->event.data.scalar.anchor), ret);
    watch_anchor(r, bytes(r->event.data.scalar.anchor));
    return ERR_OK;
}

/* ---- collections ---- */

static int read_node(struct reader *r, struct node *ret);

static int enter(struct reader *r)
{
    if (r->depth >= r->limits.depth)
        return fail(r, r->event.start_mark, "Maximum object depth exceeded", "nest less deeply");
    r->depth++;
    return count(r, 2); /* the start and the end */
}

static void add_cost(struct node *to, const struct node *inner)
{
    to->events += inner->events;
    if (to->height < inner->height + 1)
        to->height = inner->height + 1;
}

static int read_sequence(struct reader *r, struct node *ret)
{
    struct slice anchor = anchor_name(r, r->event.data.sequence_start.anchor);
    struct node self = {.token = token_new(r, TOKEN_SEQUENCE), .events = 2, .height = 1};
    VEC(struct token *) items = {0};
    int result = enter(r);

    while (result == ERR_OK && (result = next(r)) == ERR_OK) {
        struct node item;

        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            break;
        result = read_node(r, &item);
        if (result < 0)
            break;
        add_cost(&self, &item);
        vec_push(&items, item.token);
    }
    if (result == ERR_OK) {
        self.token->n_items = items.len;
        self.token->items = arena_array(r->arena, items.len, sizeof *items.ptr);
        if (items.len)
            memcpy(self.token->items, items.ptr, items.len * sizeof *items.ptr);
        anchor_set(r, anchor, &self);
        *ret = self;
        r->depth--;
    }
    vec_deinit(&items);
    return result;
}

/* A key as text: "true:" and "1.0:" are the keys "true" and "1". */
static int read_key(struct reader *r, struct node *ret)
{
    yaml_mark_t at = r->event.start_mark;

    if (read_node(r, ret) < 0)
        return ERR_INVALID;
    const struct token *key = ret->token;
    if (key->kind == TOKEN_STRING)
        return ERR_OK;
    if (key->kind == TOKEN_SEQUENCE || key->kind == TOKEN_MAPPING)
        return fail(r, at, "A key must be a scalar value", "put the key in quotes");

    struct token *text = ARENA_NEW(r->arena, struct token);
    *text = *key;
    text->kind = TOKEN_STRING;
    text->text = token_text(r->arena, key);
    ret->token = text;
    return ERR_OK;
}

static int note_key(struct reader *r, struct strmap *keys, const struct token *key)
{
    struct slice known;

    if (r->limits.any_keys)
        return ERR_OK;
    if (!strmap_find(keys, key->text, &known)) {
        strmap_set(keys, key->text, SLICE(""));
        return ERR_OK;
    }
    diag_add(r->diags, DIAG_ERROR, r->file, key->line, key->col, "'%.*s' is already defined",
             SLICE_ARG(key->text))
        ->hint = "remove one of the two; keys that differ only in letter case count as the same";
    return ERR_OK; /* found in reading, not in the way of it: yaml_parse() looks at the count */
}

static int read_pair(struct reader *r, struct node *self, struct strmap *keys,
                     struct token_pair *ret)
{
    struct node key, value;

    if (read_key(r, &key) < 0 || note_key(r, keys, key.token) < 0 || next(r) < 0 ||
        read_node(r, &value) < 0)
        return ERR_INVALID;
    add_cost(self, &key);
    add_cost(self, &value);
    *ret = (struct token_pair){key.token, value.token};
    return ERR_OK;
}

static int read_mapping(struct reader *r, struct node *ret)
{
    struct slice anchor = anchor_name(r, r->event.data.mapping_start.anchor);
    struct node self = {.token = token_new(r, TOKEN_MAPPING), .events = 2, .height = 1};
    CLEANUP(strmap_deinit) struct strmap keys = STRMAP_INIT_NOCASE;
    VEC(struct token_pair) pairs = {0};
    int result = enter(r);

    while (result == ERR_OK && (result = next(r)) == ERR_OK) {
        struct token_pair pair;

        if (r->event.type == YAML_MAPPING_END_EVENT)
            break;
        result = read_pair(r, &self, &keys, &pair);
        if (result < 0)
            break;
        vec_push(&pairs, pair);
    }
    if (result == ERR_OK) {
        self.token->n_pairs = pairs.len;
        self.token->pairs = arena_array(r->arena, pairs.len, sizeof *pairs.ptr);
        if (pairs.len)
            memcpy(self.token->pairs, pairs.ptr, pairs.len * sizeof *pairs.ptr);
        anchor_set(r, anchor, &self);
        *ret = self;
        r->depth--;
    }
    vec_deinit(&pairs);
    return result;
}

/* The node that begins with the current event; its last event is the current one afterwards. The
 * recursion is as deep as limits.depth at most. */
static int read_node(struct reader *r, struct node *ret)
{
    switch (r->event.type) {
    case YAML_ALIAS_EVENT:
        return read_alias(r, ret);
    case YAML_SCALAR_EVENT:
        return read_scalar(r, ret);
    case YAML_SEQUENCE_START_EVENT:
        return read_sequence(r, ret);
    case YAML_MAPPING_START_EVENT:
        return read_mapping(r, ret);
    default:
        return fail(r, r->event.start_mark, "Expected a scalar value, a sequence, or a mapping",
                    NULL);
    }
}

/* ---- the document ---- */

static int read_document(struct reader *r, struct token **ret)
{
    struct node root;

    if (next(r) < 0 || next(r) < 0) /* the stream begins, the document begins */
        return ERR_INVALID;
    if (r->event.type == YAML_STREAM_END_EVENT)
        return fail(r, r->event.start_mark, "Expected a scalar value, a sequence, or a mapping",
                    "the file is empty");
    if (count(r, 2) < 0 || next(r) < 0 || read_node(r, &root) < 0 || next(r) < 0 || next(r) < 0)
        return ERR_INVALID;
    if (r->event.type != YAML_STREAM_END_EVENT)
        return fail(r, r->event.start_mark, "Only one YAML document is allowed",
                    "remove the '---' and what follows it");
    *ret = root.token;
    return ERR_OK;
}

static int check_size(struct reader *r)
{
    if (r->text.len <= r->limits.size || utf_units(r->text) <= r->limits.size)
        return ERR_OK;
    diag_add(r->diags, DIAG_ERROR, r->file, 0, 0,
             "The maximum file size of %zu characters has been exceeded", r->limits.size);
    return ERR_INVALID;
}

static struct yaml_limits limits_or_default(const struct yaml_limits *given)
{
    struct yaml_limits l = given ? *given : (struct yaml_limits){0};

    l.size = l.size ? l.size : LIMIT_SIZE;
    l.depth = l.depth ? l.depth : LIMIT_DEPTH;
    l.events = l.events ? l.events : LIMIT_EVENTS;
    return l;
}

int yaml_parse(struct arena *a, struct slice text, const char *file, int file_index,
               const struct yaml_limits *limits, struct token **ret, struct diags *diags)
{
    struct reader r = {
        .arena = a,
        .diags = diags,
        .file = file,
        .file_index = file_index,
        .limits = limits_or_default(limits),
        .text = text,
        .anchors = STRMAP_INIT,
        .unused = STRMAP_INIT,
    };
    size_t errors_before = diags->n_errors;
    struct token *root = NULL;

    if (check_size(&r) < 0)
        return ERR_INVALID;
    if (!yaml_parser_initialize(&r.parser))
        BUG("out of memory");
    /* libyaml's scanner is quadratic in the depth of [[[[. It runs at most 1,024 characters ahead
     * of its events (a longer key can't be simple), and the depth is held on events, so that
     * depth + 1,024 is as deep as it ever gets. */
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.len ? text.ptr : ""),
                                 text.len);
    int result = read_document(&r, &root);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    if (result == ERR_OK)
        tell_all_unused(&r);
    strmap_deinit(&r.anchors);
    strmap_deinit(&r.unused);
    if (result < 0 || diags->n_errors != errors_before)
        return ERR_INVALID;
    *ret = root;
    return ERR_OK;
}
