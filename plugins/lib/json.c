#include "json.h"

#include <string.h>

enum { NODES_AT_ONCE = 128 };

struct reader {
    struct ost_step *step;
    char *at, *end;
    bool comments;
    unsigned depth;
    size_t n_nodes;
    struct json *pool;
    size_t n_pool;
    const char *why; /* the first thing wrong */
};

static struct json *wrong(struct reader *r, const char *why)
{
    if (!r->why)
        r->why = why;
    return NULL;
}

static struct json *node_new(struct reader *r, enum json_kind kind)
{
    struct json *j;

    if (r->n_nodes++ >= JSON_NODES_MAX)
        return wrong(r, "it holds too many values");
    if (r->n_pool == 0) {
        r->pool = r->step->host->alloc(r->step, NODES_AT_ONCE * sizeof *r->pool);
        r->n_pool = NODES_AT_ONCE;
    }
    j = r->pool++;
    r->n_pool--;
    *j = (struct json){.kind = kind};
    return j;
}

static bool eat(struct reader *r, const char *text)
{
    size_t n = strlen(text);

    if ((size_t)(r->end - r->at) < n || memcmp(r->at, text, n) != 0)
        return false;
    r->at += n;
    return true;
}

static void skip_blanks(struct reader *r)
{
    for (;;) {
        while (r->at < r->end &&
               (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
            r->at++;
        if (r->comments && eat(r, "//")) {
            while (r->at < r->end && *r->at != '\n')
                r->at++;
        } else if (r->comments && eat(r, "/*")) {
            while (r->at < r->end && !eat(r, "*/"))
                r->at++;
        } else {
            return;
        }
    }
}

static bool read_hex4(struct reader *r, uint32_t *ret)
{
    uint32_t n = 0;

    if (r->end - r->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = r->at[i];

        if (c >= '0' && c <= '9')
            n = n << 4 | (uint32_t)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            n = n << 4 | (uint32_t)((c | 32) - 'a' + 10);
        else
            return false;
    }
    r->at += 4;
    *ret = n;
    return true;
}

/* Writes the code point C as UTF-8 at TO; four bytes at the most, and an escape is six. */
static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

/* Behind "\u". Half a surrogate pair and NUL become U+FFFD: neither can stand in our texts. */
static bool read_unicode(struct reader *r, uint32_t *ret)
{
    uint32_t c, low;
    char *back;

    if (!read_hex4(r, &c))
        return false;
    back = r->at;
    if (c >= 0xd800 && c < 0xdc00 && eat(r, "\\u") && read_hex4(r, &low) && low >= 0xdc00 &&
        low < 0xe000) {
        *ret = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        return true;
    }
    r->at = back;
    *ret = c == 0 || (c >= 0xd800 && c < 0xe000) ? 0xfffd : c;
    return true;
}

static bool read_escape(struct reader *r, char **to)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *which;
    uint32_t c;

    if (r->at == r->end)
        return false;
    if (eat(r, "u")) {
        if (!read_unicode(r, &c))
            return false;
        *to = put_utf8(*to, c);
        return true;
    }
    which = *r->at ? strchr(names, *r->at) : NULL;
    if (!which)
        return false;
    r->at++;
    *(*to)++ = values[which - names];
    return true;
}

/* At the opening quote. The text is unescaped in place: it never grows, and its final NUL stands at or
 * before the closing quote. */
static const char *read_text(struct reader *r)
{
    char *start = ++r->at, *to = start;

    while (r->at < r->end && *r->at != '"') {
        char c = *r->at++;

        if (c != '\\') {
            *to++ = c;
        } else if (!read_escape(r, &to)) {
            wrong(r, "a text holds an unknown escape");
            return NULL;
        }
    }
    if (r->at == r->end) {
        wrong(r, "it ends inside a text");
        return NULL;
    }
    r->at++;
    *to = '\0';
    return start;
}

static struct json *read_value(struct reader *r);

/* Behind the opening bracket. */
static struct json *read_list(struct reader *r, enum json_kind kind)
{
    const char *close = kind == JSON_ARRAY ? "]" : "}";
    struct json *list = node_new(r, kind);
    const struct json **tail = list ? &list->first : NULL;

    if (!list || ++r->depth > JSON_DEPTH_MAX)
        return wrong(r, "it is nested too deeply");
    for (skip_blanks(r); !eat(r, close); skip_blanks(r)) {
        const char *key = NULL;
        struct json *value;

        if (list->first) {
            if (!eat(r, ","))
                return wrong(r, "a comma is missing");
            skip_blanks(r);
            if (r->comments && eat(r, close))
                break;
        }
        if (kind == JSON_OBJECT) {
            if (r->at == r->end || *r->at != '"')
                return wrong(r, "a key is missing");
            key = read_text(r);
            skip_blanks(r);
            if (!key || !eat(r, ":"))
                return wrong(r, "a colon is missing");
        }
        value = read_value(r);
        if (!value)
            return NULL;
        value->key = key;
        *tail = value;
        tail = &value->next;
    }
    r->depth--;
    return list;
}

static struct json *read_number(struct reader *r)
{
    char *start = r->at;
    struct json *j = node_new(r, JSON_NUMBER);

    while (r->at < r->end && *r->at && strchr("+-.eE0123456789", *r->at))
        r->at++;
    if (r->at == start)
        return wrong(r, r->at == r->end ? "it ends too early" : "a value is missing");
    if (j)
        j->text = span_dup(r->step, (struct span){start, (size_t)(r->at - start)});
    return j;
}

static struct json *read_value(struct reader *r)
{
    struct json *j;

    skip_blanks(r);
    if (eat(r, "{"))
        return read_list(r, JSON_OBJECT);
    if (eat(r, "["))
        return read_list(r, JSON_ARRAY);
    if (eat(r, "null"))
        return node_new(r, JSON_NULL);
    if (eat(r, "true"))
        return node_new(r, JSON_TRUE);
    if (eat(r, "false"))
        return node_new(r, JSON_FALSE);
    if (r->at == r->end || *r->at != '"')
        return read_number(r);
    j = node_new(r, JSON_TEXT);
    if (j)
        j->text = read_text(r);
    return j && j->text ? j : NULL;
}

const struct json *json_read(struct ost_step *step, char *text, size_t size, bool comments,
                             const char **ret_why)
{
    struct reader r = {.step = step, .at = text, .end = text + size, .comments = comments};
    struct json *j;

    eat(&r, "\xef\xbb\xbf"); /* a byte order mark, as editors on Windows leave it */
    j = read_value(&r);
    skip_blanks(&r);
    if (j && r.at != r.end)
        j = wrong(&r, "something follows it");
    if (!j)
        *ret_why = r.why;
    return j;
}

const struct json *json_get(const struct json *j, const char *key)
{
    if (!j || j->kind != JSON_OBJECT)
        return NULL;
    for (j = j->first; j && strcmp(j->key, key) != 0; j = j->next)
        ;
    return j;
}

const char *json_text(const struct json *j, const char *key)
{
    j = json_get(j, key);
    return j && j->kind == JSON_TEXT ? j->text : "";
}

uint32_t json_number(const struct json *j, const char *key)
{
    struct span s;
    uint32_t n;

    j = json_get(j, key);
    if (!j || j->kind != JSON_NUMBER)
        return 0;
    s = span_of(j->text);
    return span_eat_number(&s, &n) && s.size == 0 ? n : 0;
}
