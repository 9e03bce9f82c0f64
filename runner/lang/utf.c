#include "lang/utf.h"

static bool is_tail(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* Length of the sequence that begins at P (N bytes are there), 0: no UTF-8. */
static size_t sequence(const char *p, size_t n, uint32_t *ret)
{
    unsigned char c = (unsigned char)p[0];
    size_t len = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;

    if (len == 0 || len > n)
        return 0;
    uint32_t code = len == 1 ? c : c & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (!is_tail(p[i]))
            return 0;
        code = code << 6 | ((unsigned char)p[i] & 0x3F);
    }
    if ((len == 3 && (code < 0x800 || (code >= 0xD800 && code < 0xE000))) ||
        (len == 4 && (code < 0x10000 || code > 0x10FFFF)))
        return 0;
    *ret = code;
    return len;
}

uint32_t utf_next(struct slice s, size_t *at)
{
    unsigned char c = (unsigned char)s.ptr[*at];
    uint32_t code;

    if (c < 0x80) {
        ++*at;
        return c;
    }
    size_t len = sequence(s.ptr + *at, s.len - *at, &code);
    *at += len ? len : 1;
    return len ? code : (uint32_t)UTF_STRAY + c;
}

uint32_t utf_prev(struct slice s, size_t *at)
{
    uint32_t code;

    for (size_t len = 1; len <= 4 && len <= *at; len++) {
        const char *p = s.ptr + *at - len;

        if (is_tail(*p))
            continue;
        if (sequence(p, len, &code) != len)
            break;
        *at -= len;
        return code;
    }
    --*at;
    return (uint32_t)UTF_STRAY + (unsigned char)s.ptr[*at];
}

size_t utf_put(char *to, uint32_t code)
{
    if (code < 0x80 || code >= UTF_STRAY) {
        to[0] = (char)code; /* a stray byte keeps its low eight bits */
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xC0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xE0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3F));
        to[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    to[0] = (char)(0xF0 | code >> 18);
    to[1] = (char)(0x80 | (code >> 12 & 0x3F));
    to[2] = (char)(0x80 | (code >> 6 & 0x3F));
    to[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

size_t utf_units(struct slice s)
{
    size_t n = 0;

    for (size_t at = 0; at < s.len; n++) {
        if ((unsigned char)s.ptr[at] < 0x80) {
            at++;
            continue;
        }
        uint32_t code = utf_next(s, &at);
        n += code >= 0x10000 && code < UTF_STRAY;
    }
    return n;
}

bool utf_is_space(uint32_t c)
{
    if (c < 0x80)
        return c == ' ' || (c >= 9 && c <= 13);
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
           c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

struct slice utf_trim(struct slice s)
{
    size_t from = 0, to = s.len;

    for (size_t at = 0; from < to && utf_is_space(utf_next(s, &at)); from = at)
        ;
    for (size_t at = to; to > from && utf_is_space(utf_prev(s, &at)); to = at)
        ;
    return slice_make(s.ptr + (s.len ? from : 0), to - from);
}

struct slice utf_fold(struct arena *a, struct slice s)
{
    char *text = arena_alloc(a, s.len * 2 + 4); /* upper case may take three bytes for two */
    size_t len = 0;

    for (size_t at = 0; at < s.len;)
        len += utf_put(text + len, utf_upper(utf_next(s, &at)));
    return slice_make(text, len);
}

static unsigned char upper_ascii(unsigned char c)
{
    return c >= 'a' && c <= 'z' ? (unsigned char)(c - 32) : c;
}

bool utf_eq_nocase(struct slice a, struct slice b)
{
    size_t i = 0, k = 0;

    while (i < a.len && k < b.len) {
        unsigned char x = (unsigned char)a.ptr[i], y = (unsigned char)b.ptr[k];

        if ((x | y) < 0x80) {
            if (x != y && upper_ascii(x) != upper_ascii(y))
                return false;
            i++;
            k++;
        } else if (utf_upper(utf_next(a, &i)) != utf_upper(utf_next(b, &k))) {
            return false;
        }
    }
    return i == a.len && k == b.len;
}

/* A code point's place in UTF-16 order: the surrogates of the upper planes come before U+E000. */
static uint32_t unit_order(uint32_t code)
{
    if (code >= UTF_STRAY)
        return code;
    if (code >= 0x10000)
        return code - 0x10000 + 0xD800;
    return code >= 0xE000 ? code + 0x100000 : code;
}

int utf_cmp_nocase(struct slice a, struct slice b)
{
    size_t i = 0, k = 0;

    while (i < a.len && k < b.len) {
        uint32_t x = utf_upper(utf_next(a, &i)), y = utf_upper(utf_next(b, &k));

        if (x != y)
            return unit_order(x) < unit_order(y) ? -1 : 1;
    }
    return (i < a.len) - (k < b.len);
}

bool utf_starts_nocase(struct slice s, struct slice prefix)
{
    size_t i = 0, k = 0;

    while (k < prefix.len) {
        if (i == s.len || utf_upper(utf_next(s, &i)) != utf_upper(utf_next(prefix, &k)))
            return false;
    }
    return true;
}

bool utf_ends_nocase(struct slice s, struct slice suffix)
{
    size_t i = s.len, k = suffix.len;

    while (k > 0) {
        if (i == 0 || utf_upper(utf_prev(s, &i)) != utf_upper(utf_prev(suffix, &k)))
            return false;
    }
    return true;
}

uint32_t utf_hash_nocase(struct slice s)
{
    uint32_t hash = 2166136261u; /* FNV-1a over code points */

    for (size_t at = 0; at < s.len;)
        hash = (hash ^ utf_upper(utf_next(s, &at))) * 16777619u;
    return hash;
}
