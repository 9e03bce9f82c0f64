#include "plugin/version.h"

#include "base/num.h"

#include <ctype.h>

static bool is_ident_char(char c)
{
    return isalnum((unsigned char)c) || c == '-';
}

static bool all_digits(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!isdigit((unsigned char)s.ptr[i]))
            return false;
    return s.len > 0;
}

/* A number without leading zeros. */
static bool number(struct slice s, uint32_t *ret)
{
    struct err err;
    uint64_t n;

    if (!all_digits(s) || (s.len > 1 && s.ptr[0] == '0') ||
        num_parse_u64(s, UINT32_MAX, &n, &err) < 0)
        return false;
    *ret = (uint32_t)n;
    return true;
}

/* "rc.1": identifiers joined by dots, none of them empty. */
static bool idents(struct slice s)
{
    struct slice part;

    while (slice_split(&s, '.', &part)) {
        if (part.len == 0)
            return false;
        for (size_t i = 0; i < part.len; i++)
            if (!is_ident_char(part.ptr[i]))
                return false;
    }
    return true;
}

/* Splits off what stands behind the first SEP; false: it stands there and is no list of identifiers. */
static bool cut_idents(struct slice *s, char sep, struct slice *ret)
{
    ssize_t at = slice_find_char(*s, sep);

    if (at < 0)
        return true;
    *ret = slice_from(*s, (size_t)at + 1);
    *s = slice_head(*s, (size_t)at);
    return idents(*ret);
}

/* Reads 1 to 3 numbers; returns how many, 0: malformed. */
static int parse_some(struct slice text, struct version *ret)
{
    struct version v = {0};
    struct slice build = {0}, part;
    uint32_t *const numbers[] = {&v.major, &v.minor, &v.patch};
    int n = 0;

    if (!cut_idents(&text, '+', &build) || !cut_idents(&text, '-', &v.pre))
        return 0;
    while (slice_split(&text, '.', &part))
        if (n == 3 || !number(part, numbers[n++]))
            return 0;
    if (n < 3 && (v.pre.ptr || build.ptr))
        return 0;
    *ret = v;
    return n;
}

bool version_parse(struct slice text, struct version *ret)
{
    struct version v;

    if (parse_some(text, &v) != 3)
        return false;
    *ret = v;
    return true;
}

static int cmp_u32(uint32_t a, uint32_t b)
{
    return a < b ? -1 : a > b;
}

/* SemVer 11.4: numbers by value and below words, words by byte, a longer list above its head. */
static int cmp_pre(struct slice a, struct slice b)
{
    struct slice x, y;

    if (!a.len || !b.len)
        return (int)!a.len - (int)!b.len;
    for (;;) {
        bool more_a = slice_split(&a, '.', &x), more_b = slice_split(&b, '.', &y);

        if (!more_a || !more_b)
            return (int)more_a - (int)more_b;
        bool num_x = all_digits(x), num_y = all_digits(y);
        int r = 0;

        if (num_x != num_y)
            return num_x ? -1 : 1;
        if (num_x && x.len != y.len) /* no leading zeros, so the longer number is the larger */
            return x.len < y.len ? -1 : 1;
        r = slice_cmp(x, y);
        if (r)
            return r;
    }
}

int version_cmp(const struct version *a, const struct version *b)
{
    int r = cmp_u32(a->major, b->major);

    if (!r)
        r = cmp_u32(a->minor, b->minor);
    if (!r)
        r = cmp_u32(a->patch, b->patch);
    return r ? r : cmp_pre(a->pre, b->pre);
}

static struct slice without_v(struct slice ref)
{
    return ref.len > 1 && ref.ptr[0] == 'v' ? slice_from(ref, 1) : ref;
}

enum ref_kind ref_kind(struct slice ref)
{
    struct version v;
    bool hex = true;

    for (size_t i = 0; i < ref.len; i++)
        hex = hex && isxdigit((unsigned char)ref.ptr[i]);
    if (hex && (ref.len == 40 || ref.len == 64))
        return REF_COMMIT;
    return parse_some(without_v(ref), &v) ? REF_VERSION : REF_OTHER;
}

bool ref_fits(struct slice ref, const struct version *v)
{
    struct version want;
    int n = ref_kind(ref) == REF_VERSION ? parse_some(without_v(ref), &want) : 0;

    if (n == 3)
        return version_cmp(&want, v) == 0;
    return n && !v->pre.len && want.major == v->major && (n == 1 || want.minor == v->minor);
}

/* One comparison. RET_HOLDS is meaningful when it is well formed. */
static bool comparison(struct slice text, const struct version *v, bool *ret_holds)
{
    struct version bound;
    bool less = slice_starts(text, SLICE("<")), more = slice_starts(text, SLICE(">"));

    if (less || more)
        text = slice_from(text, 1);
    bool equal = !(less || more);
    if (slice_starts(text, SLICE("="))) {
        text = slice_from(text, 1);
        equal = true;
    }
    if (!parse_some(text, &bound)) /* missing numbers count as 0 */
        return false;
    int r = version_cmp(v, &bound);
    *ret_holds = (less && r < 0) || (more && r > 0) || (equal && r == 0);
    return true;
}

static bool range_walk(struct slice range, const struct version *v, bool *ret_all)
{
    struct slice part;

    *ret_all = true;
    while (slice_split(&range, ' ', &part)) {
        bool holds = false;

        if (part.len == 0)
            continue;
        if (!comparison(part, v, &holds))
            return false;
        *ret_all = *ret_all && holds;
    }
    return true;
}

bool range_has(struct slice range, const struct version *v)
{
    bool all;

    return range_walk(range, v, &all) && all;
}

bool range_is_valid(struct slice range)
{
    struct version zero = {0};
    bool all;

    return range_walk(range, &zero, &all);
}
