#include "base/slice.h"

#include <strings.h>

bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

int slice_cmp(struct slice a, struct slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int r = n ? memcmp(a.ptr, b.ptr, n) : 0;

    if (r)
        return r;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool slice_starts(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_eq(slice_head(s, prefix.len), prefix);
}

bool slice_ends(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len && slice_eq(slice_from(s, s.len - suffix.len), suffix);
}

ssize_t slice_find_char(struct slice s, char c)
{
    const char *p = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return p ? p - s.ptr : -1;
}

ssize_t slice_find(struct slice s, struct slice needle)
{
    if (needle.len == 0)
        return 0;
    const char *p = s.len ? memmem(s.ptr, s.len, needle.ptr, needle.len) : NULL;
    return p ? p - s.ptr : -1;
}

struct slice slice_from(struct slice s, size_t at)
{
    if (at >= s.len)
        return slice_make(s.len ? s.ptr + s.len : s.ptr, 0);
    return slice_make(s.ptr + at, s.len - at);
}

struct slice slice_head(struct slice s, size_t len)
{
    return slice_make(s.ptr, len < s.len ? len : s.len);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct slice slice_trim(struct slice s)
{
    while (s.len && is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool slice_split(struct slice *rest, char sep, struct slice *ret)
{
    if (!rest->ptr)
        return false;
    ssize_t at = slice_find_char(*rest, sep);
    *ret = at < 0 ? *rest : slice_head(*rest, (size_t)at);
    *rest =
        at < 0 ? slice_make(NULL, 0) : slice_make(rest->ptr + at + 1, rest->len - (size_t)at - 1);
    return true;
}

bool slice_line(struct slice *rest, struct slice *ret)
{
    if (rest->len == 0)
        return false;
    ssize_t at = slice_find_char(*rest, '\n');
    struct slice line = at < 0 ? *rest : slice_head(*rest, (size_t)at);

    *rest = slice_from(*rest, line.len + (at >= 0));
    if (at >= 0 && line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    *ret = line;
    return true;
}
