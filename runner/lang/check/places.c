/* From the value of a scalar back to where its characters stand in the file. */
#include "lang/check/rules.h"
#include "lang/utf.h"

/* The length of the line break at S[AT], 0: there is none. YAML 1.1, which libyaml reads, has more of
 * them than most editors. */
static size_t break_at(struct slice s, size_t at)
{
    struct slice rest = slice_from(s, at);

    if (slice_starts(rest, SLICE("\r\n")))
        return 2;
    if (slice_starts(rest, SLICE("\n")) || slice_starts(rest, SLICE("\r")))
        return 1;
    if (slice_starts(rest, SLICE("\xC2\x85")))
        return 2;
    return slice_starts(rest, SLICE("\xE2\x80\xA8")) || slice_starts(rest, SLICE("\xE2\x80\xA9"))
               ? 3
               : 0;
}

void check_lines(struct check *c)
{
    size_t n = 1, length;

    for (size_t i = 0; i < c->text.len; i += length ? length : 1)
        n += (length = break_at(c->text, i)) > 0;
    size_t *lines = arena_array(&c->arena, n, sizeof *lines);
    c->lines = lines;
    c->n_lines = 1;
    for (size_t i = 0; i < c->text.len; i += length ? length : 1)
        if ((length = break_at(c->text, i)) > 0)
            lines[c->n_lines++] = i + length;
}

static struct slice line_of(const struct check *c, size_t line)
{
    size_t from = c->lines[line], to = line + 1 < c->n_lines ? c->lines[line + 1] : c->text.len;

    return slice_make(c->text.ptr + from, to - from);
}

/* The offset of character COL (from 1) of a line. */
static size_t offset_of(const struct check *c, const struct token *tok)
{
    struct slice line = line_of(c, (size_t)tok->line - 1);
    size_t at = 0;

    for (int col = 1; col < tok->col && at < line.len; col++)
        (void)utf_next(line, &at);
    return c->lines[tok->line - 1] + at;
}

bool check_is_empty_list(const struct check *c, const struct token *list)
{
    struct slice rest = slice_from(c->text, offset_of(c, list));
    ssize_t open = slice_find_char(rest, '['); /* a tag or an anchor may stand in front of it */

    return open >= 0 && slice_starts(slice_trim(slice_from(rest, (size_t)open + 1)), SLICE("]"));
}

static struct check_place place_at(const struct check *c, size_t offset)
{
    size_t low = 0, high = c->n_lines;

    while (high - low > 1) {
        size_t middle = (low + high) / 2;

        if (c->lines[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    struct slice line = line_of(c, low);
    int col = 1;
    for (size_t at = 0; at < offset - c->lines[low] && at < line.len; col++)
        (void)utf_next(line, &at);
    return (struct check_place){(int)low + 1, col};
}

/* Behind an anchor and a tag in front of a value. */
static size_t skip_properties(const struct check *c, size_t at)
{
    while (at < c->text.len && (c->text.ptr[at] == '&' || c->text.ptr[at] == '!')) {
        while (at < c->text.len && !strchr(" \t\r\n", c->text.ptr[at]))
            at++;
        while (at < c->text.len && (c->text.ptr[at] == ' ' || c->text.ptr[at] == '\t'))
            at++;
    }
    return at;
}

static size_t indent_of(struct slice line)
{
    size_t n = 0;

    while (n < line.len && line.ptr[n] == ' ')
        n++;
    return n;
}

static bool is_blank(struct slice line)
{
    return slice_trim(line).len == 0;
}

/* A block scalar whose "|" or ">" is at AT: the indentation of its text, and its first line. */
static size_t block_indent(const struct check *c, size_t at, size_t *ret_line)
{
    size_t line = (size_t)place_at(c, at).line; /* the one behind, from 0 */

    *ret_line = line;
    while (line < c->n_lines && is_blank(line_of(c, line)))
        line++;
    return line < c->n_lines ? indent_of(line_of(c, line)) : 0;
}

/* "|2": the text is indented deeper than its block, and says by how much; rare enough to lose the
 * exact column. */
static struct check_place block_place(const struct check *c, size_t at, struct slice value,
                                      size_t offset)
{
    size_t line, n = 0, begin = 0;
    size_t indent = block_indent(c, at, &line);

    for (size_t i = 0; i < offset && i < value.len; i++)
        if (value.ptr[i] == '\n') {
            n++;
            begin = i + 1;
        }
    if (line + n >= c->n_lines)
        return place_at(c, at);
    struct slice text = line_of(c, line + n);
    size_t at_most = text.len; /* blank lines may be shorter than the indentation */
    while (at_most && strchr("\r\n", text.ptr[at_most - 1]))
        at_most--;
    size_t in_line = indent + (offset - begin);
    return place_at(c, c->lines[line + n] + (in_line < at_most ? in_line : at_most));
}

/* Walks the written text and the value side by side; where they differ, white space was folded or an
 * escape read. */
static struct check_place flow_place(const struct check *c, size_t at, struct slice value,
                                     size_t offset)
{
    size_t end = c->text.len;

    for (size_t i = 0; i < offset && i < value.len && at < end; i++) {
        char v = value.ptr[i];

        if (c->text.ptr[at] == v && v != ' ') {
            at++;
        } else if (v == ' ' || v == '\n') {
            if (at + 1 < end && c->text.ptr[at] == ' ' && c->text.ptr[at + 1] != '\r' &&
                c->text.ptr[at + 1] != '\n') {
                at++;
                continue;
            }
            while (at < end && strchr(" \t\r\n", c->text.ptr[at]))
                at++;
        } else if (c->text.ptr[at] == '\\') {
            at += 2;
        } else {
            at++;
        }
        if (v == '\'' && at < end && c->text.ptr[at] == '\'' && i + 1 < value.len &&
            value.ptr[i + 1] != '\'')
            at++; /* '' in single quotes */
    }
    return place_at(c, at);
}

struct check_place check_place_of(const struct check *c, const struct token *tok, size_t offset)
{
    struct check_place own = {tok->line, tok->col};

    if (tok->line < 1 || (size_t)tok->line > c->n_lines || !tok->source.ptr ||
        diags_is_full(c->diags)) /* nobody will see it */
        return own;
    size_t at = skip_properties(c, offset_of(c, tok));
    if (at >= c->text.len)
        return own;
    if (c->text.ptr[at] == '|')
        return block_place(c, at, tok->source, offset);
    if (c->text.ptr[at] == '>') {
        size_t line;
        size_t indent = block_indent(c, at, &line);
        if (line >= c->n_lines)
            return own;
        return flow_place(c, c->lines[line] + indent, tok->source, offset);
    }
    if (c->text.ptr[at] == '"' || c->text.ptr[at] == '\'')
        at++;
    return flow_place(c, at, tok->source, offset);
}

enum { WALKED_MAX = 200 }; /* lines whose places are found by walking there from the beginning */

/* Line N of a block whose first line is FIRST. */
static struct check_place block_line(const struct check *c, struct check_place first, size_t n)
{
    size_t line = (size_t)first.line - 1 + n;

    if (line >= c->n_lines)
        return first;
    struct slice text = slice_trim(line_of(c, line));
    return (struct check_place){(int)line + 1, text.len ? first.col : 1};
}

struct check_place *check_line_places(struct check *c, const struct token *tok, size_t *ret_n)
{
    struct slice value = tok->source;
    size_t n = 1, at = 0;

    for (size_t i = 0; i < value.len; i++)
        n += value.ptr[i] == '\n';
    struct check_place *places = arena_array(&c->arena, n, sizeof *places);
    *ret_n = n;
    places[0] = check_place_of(c, tok, 0);
    bool block = places[0].line > tok->line; /* one line of the file for each line of the text */
    for (size_t i = 1; i < n; i++) {
        ssize_t end = slice_find_char(slice_from(value, at), '\n');
        at = end < 0 ? value.len : at + (size_t)end + 1;
        if (!block || n <= WALKED_MAX)
            places[i] = i < WALKED_MAX ? check_place_of(c, tok, at) : places[0];
        else
            places[i] = block_line(c, places[0], i);
    }
    return places;
}
