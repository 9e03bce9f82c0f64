#include "lang/yaml.h"

#include "lang/expr/expr.h"

#include <math.h>

static bool one_of(struct slice s, const char *const *words)
{
    for (; *words; words++)
        if (slice_eq(s, slice_of(*words)))
            return true;
    return false;
}

static bool as_null(struct slice s, struct token *ret)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};

    if (!one_of(s, words))
        return false;
    ret->kind = TOKEN_NULL;
    return true;
}

static bool as_bool(struct slice s, struct token *ret)
{
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};

    ret->boolean = one_of(s, yes);
    if (!ret->boolean && !one_of(s, no))
        return false;
    ret->kind = TOKEN_BOOL;
    return true;
}

static bool all_in(struct slice s, const char *set)
{
    for (size_t i = 0; i < s.len; i++)
        if (!s.ptr[i] || !strchr(set, s.ptr[i]))
            return false;
    return s.len > 0;
}

static struct slice without_sign(struct slice s)
{
    return s.len && (s.ptr[0] == '-' || s.ptr[0] == '+') ? slice_from(s, 1) : s;
}

static bool is_based(struct slice s)
{
    if (slice_starts(s, SLICE("0x")))
        return all_in(slice_from(s, 2), "0123456789abcdefABCDEF");
    return slice_starts(s, SLICE("0o")) && all_in(slice_from(s, 2), "01234567");
}

static bool is_integer(struct slice s)
{
    return all_in(without_sign(s), "0123456789") || is_based(s);
}

static size_t digits(struct slice s, size_t at)
{
    size_t n = 0;

    while (at + n < s.len && s.ptr[at + n] >= '0' && s.ptr[at + n] <= '9')
        n++;
    return n;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_decimal(struct slice s)
{
    s = without_sign(s);
    size_t whole = digits(s, 0), at = whole;

    if (at < s.len && s.ptr[at] == '.') {
        size_t part = digits(s, at + 1);

        if (!whole && !part)
            return false;
        at += 1 + part;
    } else if (!whole) {
        return false;
    }
    if (at == s.len)
        return true;
    if (s.ptr[at] != 'e' && s.ptr[at] != 'E')
        return false;
    struct slice exponent = without_sign(slice_from(s, at + 1));
    return exponent.len && digits(exponent, 0) == exponent.len;
}

static bool as_special(struct slice s, struct token *ret)
{
    static const char *const inf[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nan[] = {".nan", ".NaN", ".NAN", NULL};

    if (one_of(s, nan))
        ret->number = (double)NAN;
    else if (one_of(without_sign(s), inf))
        ret->number = s.ptr[0] == '-' ? -(double)INFINITY : (double)INFINITY;
    else
        return false;
    ret->kind = TOKEN_NUMBER;
    return true;
}

/* Only for texts that is_integer() or is_decimal(): 32 bits are too few for a based one, or NaN. */
static bool to_number(struct slice s, struct token *ret)
{
    ret->kind = TOKEN_NUMBER;
    ret->number = expr_parse_number(s);
    return !isnan(ret->number);
}

bool yaml_plain(struct slice text, struct token *ret)
{
    if (as_null(text, ret) || as_bool(text, ret) || as_special(text, ret))
        return true;
    if (is_integer(text) || is_decimal(text))
        return to_number(text, ret);
    ret->kind = TOKEN_STRING;
    ret->text = text;
    return true;
}

/* What a tag stands for; TOKEN_KINDS: not a scalar of the core schema. */
static enum token_kind kind_of(struct slice tag)
{
    static const struct slice core = SLICE_INIT("tag:yaml.org,2002:");
    static const struct {
        const char *name;
        enum token_kind kind;
    } kinds[] = {
        {"str", TOKEN_STRING}, {"null", TOKEN_NULL},    {"bool", TOKEN_BOOL},
        {"int", TOKEN_NUMBER}, {"float", TOKEN_NUMBER},
    };

    for (size_t i = 0; slice_starts(tag, core) && i < COUNT_OF(kinds); i++)
        if (slice_eq(slice_from(tag, core.len), slice_of(kinds[i].name)))
            return kinds[i].kind;
    return TOKEN_KINDS;
}

bool yaml_tagged(struct slice tag, struct slice text, struct token *ret)
{
    ret->kind = kind_of(tag);
    switch (ret->kind) {
    case TOKEN_STRING:
        ret->text = text;
        return true;
    case TOKEN_NULL:
        return as_null(text, ret);
    case TOKEN_BOOL:
        return as_bool(text, ret);
    case TOKEN_NUMBER:
        if (slice_ends(tag, SLICE(":int")))
            return is_integer(text) && to_number(text, ret);
        return as_special(text, ret) || (is_decimal(text) && to_number(text, ret));
    default:
        return true;
    }
}
