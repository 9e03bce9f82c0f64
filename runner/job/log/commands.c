#include "job/log/commands.h"

static const struct command_info infos[COMMAND_KINDS] = {
    [COMMAND_ADD_MASK] = {.name = SLICE_INIT("add-mask"), .quiet = true},
    [COMMAND_ADD_MATCHER] = {.name = SLICE_INIT("add-matcher")},
    [COMMAND_ADD_PATH] = {.name = SLICE_INIT("add-path"), .insecure = true},
    [COMMAND_DEBUG] = {.name = SLICE_INIT("debug"), .quiet = true},
    [COMMAND_ECHO] = {.name = SLICE_INIT("echo")},
    [COMMAND_ENDGROUP] = {.name = SLICE_INIT("endgroup")},
    [COMMAND_ERROR] = {.name = SLICE_INIT("error"), .quiet = true},
    [COMMAND_GROUP] = {.name = SLICE_INIT("group")},
    [COMMAND_NOTICE] = {.name = SLICE_INIT("notice"), .quiet = true},
    [COMMAND_REMOVE_MATCHER] = {.name = SLICE_INIT("remove-matcher")},
    [COMMAND_SAVE_STATE] = {.name = SLICE_INIT("save-state")},
    [COMMAND_SET_ENV] = {.name = SLICE_INIT("set-env"), .insecure = true},
    [COMMAND_SET_OUTPUT] = {.name = SLICE_INIT("set-output")},
    [COMMAND_STOP_COMMANDS] = {.name = SLICE_INIT("stop-commands")},
    [COMMAND_WARNING] = {.name = SLICE_INIT("warning"), .quiet = true},
};

const struct command_info *command_info(enum command_kind kind)
{
    return &infos[kind];
}

enum command_kind command_find(struct slice name)
{
    for (enum command_kind k = 0; k < COMMAND_KINDS; k++)
        if (slice_eq_nocase(infos[k].name, name))
            return k;
    return COMMAND_KINDS;
}

void command_init(struct command *c)
{
    *c = (struct command){.text = BUF_INIT(COMMAND_LINE_MAX)};
}

void command_deinit(struct command *c)
{
    if (c->text.cap)
        explicit_bzero(c->text.ptr, c->text.cap);
    buf_deinit(&c->text);
}

/* ---- the two forms ---- */

struct escape {
    char code[4]; /* upper-case hex only */
    char c;
};

struct form {
    struct slice open;  /* before the name */
    struct slice close; /* behind the header */
    char separator;     /* of properties */
    bool anywhere;      /* may begin in the middle of a line */
    bool trimmed;       /* white space around all properties does not count */
    struct escape property[6], data[6];
};

/* The per cent sign comes last, so that "%250A" is "%0A" and not a line end. */
static const struct form forms[] = {
    {
        .open = SLICE_INIT("::"),
        .close = SLICE_INIT("::"),
        .separator = ',',
        .trimmed = true,
        .property = {{"%0D", '\r'}, {"%0A", '\n'}, {"%3A", ':'}, {"%2C", ','}, {"%25", '%'}},
        .data = {{"%0D", '\r'}, {"%0A", '\n'}, {"%25", '%'}},
    },
    {
        .open = SLICE_INIT("##["),
        .close = SLICE_INIT("]"),
        .separator = ';',
        .anywhere = true,
        .property = {{"%3B", ';'}, {"%0D", '\r'}, {"%0A", '\n'}, {"%5D", ']'}, {"%25", '%'}},
        .data = {{"%3B", ';'}, {"%0D", '\r'}, {"%0A", '\n'}, {"%5D", ']'}, {"%25", '%'}},
    },
};

static char unescape_one(struct slice s, const struct escape *escapes)
{
    for (; escapes->code[0]; escapes++)
        if (slice_starts(s, slice_make(escapes->code, 3)))
            return escapes->c;
    return '\0';
}

/* One pass gives what replacing one escape after the other gives, as each yields a single character
 * that is part of no other one but the per cent sign, whose turn is last. The text stays where it is
 * when there is nothing to do. */
static struct slice unescape(struct command *c, struct slice s, const struct escape *escapes)
{
    if (slice_find_char(s, '%') < 0)
        return s;
    char *to = buf_reserve(&c->text, s.len);
    size_t n = 0;

    if (!to)
        return s; /* cannot be: all texts of a line are no longer than the line */
    for (size_t i = 0; i < s.len; n++) {
        char plain = s.ptr[i] == '%' ? unescape_one(slice_from(s, i), escapes) : '\0';

        to[n] = plain ? plain : s.ptr[i];
        i += plain ? 3 : 1;
    }
    to[n] = '\0';
    c->text.len += n;
    return slice_make(to, n);
}

static void set_property(struct command *c, struct slice key, struct slice value)
{
    for (size_t i = 0; i < c->n_properties; i++) {
        if (slice_eq_nocase(c->properties[i].key, key)) {
            c->properties[i].value = value;
            return;
        }
    }
    if (c->n_properties < COMMAND_PROPERTIES_MAX)
        c->properties[c->n_properties++] = (struct command_property){key, value};
}

static void read_properties(struct command *c, struct slice text, const struct form *f)
{
    struct slice one;

    if (f->trimmed)
        text = slice_trim(text);
    while (slice_split(&text, f->separator, &one)) {
        ssize_t eq = slice_find_char(one, '=');

        if (eq < 0)
            continue;
        struct slice key = slice_head(one, (size_t)eq), value = slice_from(one, (size_t)eq + 1);
        if (key.len && value.len)
            set_property(c, key, unescape(c, value, f->property));
    }
}

static bool known_here(const void *ctx, struct slice name)
{
    (void)ctx;
    return command_find(name) != COMMAND_KINDS;
}

static bool parse_form(struct command *c, struct slice line, const struct form *f,
                       command_known_fn *known, const void *ctx)
{
    ssize_t at = slice_find(line, f->open);

    if (at < 0 || (!f->anywhere && slice_trim(slice_head(line, (size_t)at)).len))
        return false;
    struct slice rest = slice_from(line, (size_t)at + f->open.len);
    ssize_t end = slice_find(rest, f->close);
    if (end < 0)
        return false;
    struct slice header = slice_head(rest, (size_t)end);
    ssize_t space = slice_find_char(header, ' ');
    c->name = space < 0 ? header : slice_head(header, (size_t)space);
    if (!known(ctx, c->name))
        return false;
    c->n_properties = 0;
    buf_clear(&c->text);
    /* All of it now: slices into the text must not move. */
    (void)buf_reserve(&c->text, rest.len < c->text.max ? rest.len : c->text.max);
    if (space >= 0)
        read_properties(c, slice_from(header, (size_t)space + 1), f);
    c->data = unescape(c, slice_from(rest, (size_t)end + f->close.len), f->data);
    return true;
}

bool command_parse(struct command *c, struct slice line, command_known_fn *known, const void *ctx)
{
    if (!known)
        known = known_here;
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        if (parse_form(c, line, &forms[i], known, ctx))
            return true;
    return false;
}

struct slice command_property(const struct command *c, const char *key)
{
    for (size_t i = 0; i < c->n_properties; i++)
        if (slice_eq_nocase(c->properties[i].key, slice_of(key)))
            return c->properties[i].value;
    return SLICE("");
}

bool command_possible(struct slice line)
{
    size_t i = 0;

    while (i < line.len && (line.ptr[i] == ' ' || (line.ptr[i] >= '\t' && line.ptr[i] <= '\r')))
        i++;
    return slice_starts(slice_from(line, i), SLICE("::")) || slice_find(line, SLICE("##[")) >= 0;
}

/* ---- writing ---- */

void command_escape(struct slice text, struct buf *out)
{
    const struct escape *escapes = forms[1].property;

    for (size_t i = 0; i < text.len; i++) {
        const struct escape *e = escapes;

        while (e->code[0] && e->c != text.ptr[i])
            e++;
        if (e->code[0])
            buf_add(out, slice_make(e->code, 3));
        else
            buf_add_char(out, text.ptr[i]);
    }
}

void command_hide_markers(struct slice line, struct buf *out)
{
    static const struct slice open = SLICE_INIT("##[");

    for (ssize_t at; (at = slice_find(line, open)) >= 0;) {
        struct slice rest = slice_from(line, (size_t)at + open.len);

        buf_add(out, slice_head(line, (size_t)at + open.len));
        if (slice_starts(rest, SLICE("start-action")) || slice_starts(rest, SLICE("end-action")))
            buf_add_char(out, '\\');
        line = rest;
    }
    buf_add(out, line);
}
