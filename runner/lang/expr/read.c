/* The reader behind fromJSON: what Newtonsoft.Json 13 accepts in its default mode, which is more than
 * JSON (expressions.md 7.3), from JsonTextReader and JToken.ReadFrom. Only the first value is read. */
#include "lang/expr/tree.h"

#include "base/vec.h"

#include <math.h>
#include <stdlib.h>

enum { BIG_INTEGER_DIGITS = 380 }; /* JsonTextReader.MaximumJavascriptIntegerCharacterLength */

struct reader {
    struct arena *arena;
    struct slice text;
    size_t at;
    int depth;
};

static int read_value(struct reader *r, struct expr_value *ret);

static bool at_end(const struct reader *r)
{
    return r->at >= r->text.len;
}

static char peek(const struct reader *r) /* 0 at the end */
{
    return at_end(r) ? '\0' : r->text.ptr[r->at];
}

/* NUL counts as white space here: the reader's buffer ends in one, so it steps over them. */
static void skip_space(struct reader *r)
{
    for (size_t next = r->at; !at_end(r); r->at = next) {
        uint32_t c = utf_next(r->text, &next);

        if (c && !utf_is_space(c))
            return;
    }
}

/* At "/": its text goes to RET. */
static int read_comment(struct reader *r, struct slice *ret)
{
    struct slice rest = slice_from(r->text, r->at);
    bool block = slice_starts(rest, SLICE("/*"));

    if (rest.len < 3 || (!block && !slice_starts(rest, SLICE("//"))))
        return ERR_INVALID;
    rest = slice_from(rest, 2);
    if (block) {
        ssize_t end = slice_find(rest, SLICE("*/"));

        if (end < 0)
            return ERR_INVALID;
        *ret = slice_head(rest, (size_t)end);
        r->at += 2 + (size_t)end + 2;
        return ERR_OK;
    }
    size_t len = 0;
    while (len < rest.len && rest.ptr[len] != '\r' && rest.ptr[len] != '\n')
        len++;
    *ret = slice_head(rest, len);
    r->at += 2 + len;
    return ERR_OK;
}

static int skip_comments(struct reader *r)
{
    struct slice ignored;

    for (skip_space(r); peek(r) == '/'; skip_space(r))
        if (read_comment(r, &ignored) < 0)
            return ERR_INVALID;
    return ERR_OK;
}

/* ---- strings ---- */

static int hex4(struct reader *r, uint32_t *ret)
{
    uint32_t n = 0;

    if (r->text.len - r->at < 4)
        return ERR_INVALID;
    for (int i = 0; i < 4; i++) {
        char c = r->text.ptr[r->at++];

        if (c >= '0' && c <= '9')
            n = n << 4 | (uint32_t)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            n = n << 4 | ((uint32_t)(c | 32) - 'a' + 10);
        else
            return ERR_INVALID;
    }
    *ret = n;
    return ERR_OK;
}

static bool is_high(uint32_t c)
{
    return c >= 0xD800 && c < 0xDC00;
}

static bool is_low(uint32_t c)
{
    return c >= 0xDC00 && c < 0xE000;
}

/* Behind "\u": one character at TO, or several when surrogates without a partner precede it (each is
 * replaced by U+FFFD). */
static int read_unicode(struct reader *r, char **to)
{
    uint32_t c;

    if (hex4(r, &c) < 0)
        return ERR_INVALID;
    while (is_high(c) && slice_starts(slice_from(r->text, r->at), SLICE("\\u"))) {
        uint32_t high = c;

        r->at += 2;
        if (hex4(r, &c) < 0)
            return ERR_INVALID;
        if (is_low(c)) {
            *to += utf_put(*to, 0x10000 + ((high - 0xD800) << 10) + (c - 0xDC00));
            return ERR_OK;
        }
        *to += utf_put(*to, 0xFFFD);
        if (!is_high(c)) {
            *to += utf_put(*to, c);
            return ERR_OK;
        }
    }
    *to += utf_put(*to, is_high(c) || is_low(c) ? 0xFFFD : c);
    return ERR_OK;
}

static int read_escape(struct reader *r, char **to)
{
    static const char from[] = "btnfr\\/\"'", into[] = "\b\t\n\f\r\\/\"'";

    if (at_end(r))
        return ERR_INVALID;
    char c = r->text.ptr[r->at++];
    if (c == 'u')
        return read_unicode(r, to);
    const char *found = c ? strchr(from, c) : NULL;
    if (!found)
        return ERR_INVALID;
    *(*to)++ = into[found - from];
    return ERR_OK;
}

/* At the opening quote. Line breaks may stand inside. */
static int read_string(struct reader *r, struct slice *ret)
{
    char quote = r->text.ptr[r->at++];
    size_t from = r->at;

    while (!at_end(r) && peek(r) != quote && peek(r) != '\\')
        r->at++;
    if (!at_end(r) && peek(r) == quote) { /* nothing to undo: borrow */
        *ret = slice_make(r->text.ptr + from, r->at++ - from);
        return ERR_OK;
    }

    /* An escape is never shorter than what it stands for, U+FFFD (three bytes for six) included. */
    size_t head = r->at - from, end = r->at;
    while (end < r->text.len && r->text.ptr[end] != quote)
        end += r->text.ptr[end] == '\\' ? 2 : 1;
    if (end >= r->text.len)
        return ERR_INVALID;
    char *text = arena_alloc(r->arena, end - from + 1), *to = text + head;
    memcpy(text, r->text.ptr + from, head);
    while (r->at < end) {
        char c = r->text.ptr[r->at++];

        if (c != '\\')
            *to++ = c;
        else if (read_escape(r, &to) < 0)
            return ERR_INVALID;
    }
    r->at++;
    *ret = slice_make(text, (size_t)(to - text));
    return ERR_OK;
}

/* ---- numbers and words ---- */

static bool is_digits(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return s.len > 0;
}

/* "0x..." or an octal "0...", as a signed 64-bit number. */
static int read_base(struct slice s, double *ret)
{
    bool hex = s.len > 1 && (s.ptr[1] | 32) == 'x';
    struct slice digits = slice_from(s, hex ? 2 : 0);
    uint64_t n = 0;

    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];
        unsigned d = c >= '0' && c <= '9'                 ? (unsigned)(c - '0')
                     : (c | 32) >= 'a' && (c | 32) <= 'f' ? (unsigned)((c | 32) - 'a') + 10
                                                          : 16;

        if (d >= (hex ? 16u : 8u) || n >> (hex ? 60 : 61))
            return ERR_INVALID;
        n = n << (hex ? 4 : 3) | d;
    }
    *ret = (double)(int64_t)n;
    return digits.len ? ERR_OK : ERR_INVALID;
}

static int read_number(struct reader *r, struct expr_value *ret)
{
    size_t from = r->at;

    while (!at_end(r) && peek(r) && strchr("-+0123456789abcdefABCDEFxX.", peek(r)))
        r->at++;
    size_t next = r->at;
    if (!at_end(r) && peek(r) && !strchr(",}])/", peek(r)) &&
        !utf_is_space(utf_next(r->text, &next)))
        return ERR_INVALID;

    struct slice s = slice_make(r->text.ptr + from, r->at - from);
    double n;
    if (s.len > 1 && s.ptr[0] == '0' && s.ptr[1] != '.' && (s.ptr[1] | 32) != 'e') {
        if (read_base(s, &n) < 0)
            return ERR_INVALID;
    } else {
        bool integer = is_digits(slice_from(s, s.ptr[0] == '-'));

        if (integer && s.len > BIG_INTEGER_DIGITS)
            return ERR_INVALID;
        n = expr_parse_number(s);
        if (isnan(n)) /* also what only we read as a number cannot get here: no 0o, no names */
            return ERR_INVALID;
        if (integer && n == 0)
            n = 0; /* an integer has no negative zero */
    }
    *ret = (struct expr_value){.kind = EXPR_NUMBER, .number = n};
    return ERR_OK;
}

/* WORD, and behind it something that may follow a value. */
static bool take_word(struct reader *r, struct slice word)
{
    struct slice rest = slice_from(r->text, r->at);

    if (!slice_starts(rest, word))
        return false;
    rest = slice_from(rest, word.len);
    if (rest.len && rest.ptr[0] && !strchr("}],", rest.ptr[0]) &&
        !slice_starts(rest, SLICE("//")) && !slice_starts(rest, SLICE("/*"))) {
        size_t at = 0;
        if (!utf_is_space(utf_next(rest, &at)))
            return false;
    }
    r->at += word.len;
    return true;
}

static int read_word(struct reader *r, struct expr_value *ret)
{
    const struct {
        struct slice word;
        struct expr_value value;
    } words[] = {
        {SLICE("true"), expr_bool(true)},
        {SLICE("false"), expr_bool(false)},
        {SLICE("null"), {.kind = EXPR_NULL}},
        {SLICE("undefined"), expr_text_value(SLICE(""))},
        {SLICE("NaN"), {.kind = EXPR_NUMBER, .number = (double)NAN}},
        {SLICE("Infinity"), {.kind = EXPR_NUMBER, .number = (double)INFINITY}},
        {SLICE("-Infinity"), {.kind = EXPR_NUMBER, .number = -(double)INFINITY}},
    };

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (take_word(r, words[i].word)) {
            *ret = words[i].value;
            return ERR_OK;
        }
    }
    return ERR_INVALID;
}

/* ---- collections ---- */

struct members {
    VEC(struct slice) keys;
    VEC(struct expr_value) values;
};

static void members_deinit(struct members *m)
{
    vec_deinit(&m->keys);
    vec_deinit(&m->values);
}

/* [A-Za-z0-9_$] and letters beyond ASCII up to white space or ":". */
static int read_bare_key(struct reader *r, struct slice *ret)
{
    size_t from = r->at;

    for (size_t next = r->at; !at_end(r); r->at = next) {
        uint32_t c = utf_next(r->text, &next);

        if (c == ':' || c == 0 || utf_is_space(c)) {
            *ret = slice_make(r->text.ptr + from, r->at - from);
            return r->at > from ? ERR_OK : ERR_INVALID;
        }
        bool letter = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!letter && c != '_' && c != '$' && c < 0x80)
            return ERR_INVALID;
    }
    return ERR_INVALID;
}

/* Behind a value: 1 when the collection goes on, 0 when CLOSE ended it. */
static int read_separator(struct reader *r, char close)
{
    if (skip_comments(r) < 0)
        return ERR_INVALID;
    char c = peek(r);
    if (c != ',' && c != close)
        return ERR_INVALID;
    r->at++;
    return c == ',';
}

static int read_object(struct reader *r, struct expr_value *ret)
{
    CLEANUP(members_deinit) struct members m = {0};
    int more = 1;

    while (more) {
        struct slice key;
        struct expr_value value;

        if (skip_comments(r) < 0)
            return ERR_INVALID;
        if (peek(r) == '}') {
            r->at++;
            break;
        }
        bool quoted = peek(r) == '"' || peek(r) == '\'';
        if ((quoted ? read_string(r, &key) : read_bare_key(r, &key)) < 0)
            return ERR_INVALID;
        skip_space(r); /* no comment may stand here */
        if (peek(r) != ':')
            return ERR_INVALID;
        r->at++;
        if (read_value(r, &value) < 0)
            return ERR_INVALID;
        vec_push(&m.keys, key);
        vec_push(&m.values, value);
        more = read_separator(r, '}');
        if (more < 0)
            return more;
    }
    static const struct slice none[1];
    *ret = expr_collect(r->arena, m.values.ptr, m.keys.ptr ? m.keys.ptr : none, m.values.len);
    return ERR_OK;
}

static int read_array(struct reader *r, struct expr_value *ret)
{
    CLEANUP(members_deinit) struct members m = {0};
    int more = 1;

    while (more) {
        struct expr_value value;

        if (skip_comments(r) < 0)
            return ERR_INVALID;
        if (peek(r) == ']') {
            r->at++;
            break;
        }
        if (read_value(r, &value) < 0)
            return ERR_INVALID;
        vec_push(&m.values, value);
        more = read_separator(r, ']');
        if (more < 0)
            return more;
    }
    *ret = expr_collect(r->arena, m.values.ptr, NULL, m.values.len);
    return ERR_OK;
}

static int read_nested(struct reader *r, struct expr_value *ret)
{
    bool array = r->text.ptr[r->at++] == '[';

    if (++r->depth > EXPR_JSON_DEPTH)
        return ERR_INVALID;
    int result = array ? read_array(r, ret) : read_object(r, ret);
    r->depth--;
    return result;
}

/* A value inside a collection: comments before it are skipped, and a missing one before a comma is
 * "undefined", the empty text. */
static int read_value(struct reader *r, struct expr_value *ret)
{
    struct slice s;

    if (skip_comments(r) < 0)
        return ERR_INVALID;
    char c = peek(r);
    switch (c) {
    case '{':
    case '[':
        return read_nested(r, ret);
    case '"':
    case '\'':
        if (read_string(r, &s) < 0)
            return ERR_INVALID;
        *ret = expr_text_value(s);
        return ERR_OK;
    case ',':
        *ret = expr_text_value(SLICE(""));
        return ERR_OK;
    case '-':
        if (slice_starts(slice_from(r->text, r->at), SLICE("-I")))
            return read_word(r, ret);
        return read_number(r, ret);
    default:
        return (c >= '0' && c <= '9') || c == '.' ? read_number(r, ret) : read_word(r, ret);
    }
}

int expr_read_json(struct arena *a, struct slice text, struct expr_value *ret)
{
    struct reader r = {.arena = a, .text = text};
    struct slice comment;

    skip_space(&r);
    if (at_end(&r))
        return ERR_INVALID;
    if (peek(&r) != '/')
        return read_value(&r, ret);
    /* The first token is the comment, and so is the result. */
    if (read_comment(&r, &comment) < 0)
        return ERR_INVALID;
    *ret = expr_text_value(comment);
    return ERR_OK;
}
