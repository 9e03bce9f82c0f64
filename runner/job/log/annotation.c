#include "job/log/annotation.h"

#include "base/num.h"

const char *annotation_name(enum annotation_level level)
{
    static const char *const names[ANNOTATION_LEVELS] = {"notice", "warning", "error"};

    return names[level];
}

/* Where the checks of one command stand. */
struct checks {
    const struct command *command;
    annotation_note_fn *note;
    void *ctx;
};

static void note(const struct checks *k, const char *text)
{
    if (k->note)
        k->note(k->ctx, text);
}

/* A position; 0 when it is not there, or no number that can be one. */
static int64_t position(const struct checks *k, const char *key)
{
    struct slice text = slice_trim(command_property(k->command, key));
    struct err err = ERR_INIT;
    int64_t n = 0;

    if (text.len == 0)
        return 0;
    if (num_parse_i64(text, 1, INT32_MAX, &n, &err) < 0)
        note(k, err.text);
    return n;
}

static void check_lines(const struct checks *k, struct annotation *a)
{
    if (a->end_line && !a->line) {
        note(k, "'endLine' is given without 'line': it is the line, too");
        a->line = a->end_line;
    }
    if (a->end_line && a->end_line < a->line) {
        note(k, "'endLine' is less than 'line': both are dropped");
        a->line = a->end_line = 0;
    }
}

static void check_columns(const struct checks *k, struct annotation *a)
{
    if (a->end_col && !a->col) {
        note(k, "'endColumn' is given without 'col': it is the column, too");
        a->col = a->end_col;
    }
    if (a->col && !a->line)
        note(k, "columns are given without 'line': they are dropped");
    else if (a->col && a->end_line && a->line != a->end_line)
        note(k, "columns are given with several lines: they are dropped");
    else if (a->end_col && a->end_col < a->col)
        note(k, "'endColumn' is less than 'col': both are dropped");
    else
        return;
    a->col = a->end_col = 0;
}

void annotation_of(const struct command *c, enum annotation_level level,
                   annotation_note_fn *note_fn, void *ctx, struct annotation *ret)
{
    const struct checks k = {c, note_fn, ctx};

    *ret = (struct annotation){
        .level = level,
        .message = c->data,
        .title = command_property(c, "title"),
        .file = command_property(c, "file"),
        .line = position(&k, "line"),
        .end_line = position(&k, "endLine"),
        .col = position(&k, "col"),
        .end_col = position(&k, "endColumn"),
    };
    check_lines(&k, ret);
    check_columns(&k, ret);
}

struct slice annotation_file(struct slice file, const char *workspace)
{
    struct slice root = slice_of(workspace);

    while (root.len && root.ptr[root.len - 1] == '/')
        root.len--;
    if (root.len == 0 || file.len <= root.len + 1 || !slice_starts(file, root) ||
        file.ptr[root.len] != '/')
        return file;
    return slice_from(file, root.len + 1);
}

/* S cut to N UTF-16 units, never inside a character. */
static struct slice cut(struct slice s, size_t n)
{
    size_t units = 0;

    if (s.len <= n)
        return s;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if ((c & 0xc0) == 0x80)
            continue;
        units += c >= 0xf0 ? 2 : 1;
        if (units > n)
            return slice_head(s, i);
    }
    return s;
}

static void set_text(json_t *event, const char *name, struct slice text)
{
    if (text.len)
        json_object_set_new(event, name, json_stringn(text.ptr, text.len));
}

json_t *annotation_event(const struct annotation *a, int step)
{
    const struct {
        const char *name;
        int64_t value;
    } positions[] = {
        {"line", a->line}, {"end_line", a->end_line}, {"col", a->col}, {"end_col", a->end_col}};
    struct slice message = cut(a->message, ANNOTATION_MESSAGE_MAX);
    json_t *event = json_object();

    json_object_set_new(event, "event", json_string("annotation"));
    json_object_set_new(event, "step", json_integer(step));
    json_object_set_new(event, "level", json_string(annotation_name(a->level)));
    json_object_set_new(event, "message",
                        message.len ? json_stringn(message.ptr, message.len) : json_string(""));
    set_text(event, "title", a->title);
    set_text(event, "file", a->file);
    set_text(event, "code", a->code);
    for (size_t i = 0; i < COUNT_OF(positions); i++)
        if (positions[i].value)
            json_object_set_new(event, positions[i].name, json_integer(positions[i].value));
    return event;
}
