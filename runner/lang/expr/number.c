#include "lang/expr/expr.h"
#include "lang/utf.h"

#include <math.h>
#include <stdio.h>

/* Room for any number that needs no more digits than can decide its value. */
enum { NUMBER_SIZE = 64 };

/* [+-]? (digits [. digits] | . digits) ([eE] [+-]? digits)?, the whole of S. */
static bool is_decimal(struct slice s)
{
    size_t i = s.len && (s.ptr[0] == '+' || s.ptr[0] == '-'), digits = 0;

    for (; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++)
        digits++;
    if (i < s.len && s.ptr[i] == '.')
        for (i++; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++)
            digits++;
    if (digits == 0)
        return false;
    if (i < s.len && (s.ptr[i] == 'e' || s.ptr[i] == 'E')) {
        i++;
        if (i < s.len && (s.ptr[i] == '+' || s.ptr[i] == '-'))
            i++;
        size_t from = i;
        while (i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9')
            i++;
        if (i == from)
            return false;
    }
    return i == s.len;
}

/* strtod reads the point of the locale; nothing in this program ever sets one. */
static double read_decimal(struct slice s)
{
    char small[NUMBER_SIZE];
    double n = 0;

    if (s.len <= 15) { /* whole numbers, by far the most */
        size_t i = 0;
        while (i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9')
            n = n * 10 + (s.ptr[i++] - '0');
        if (i == s.len)
            return n;
    }
    if (s.len < sizeof small) {
        memcpy(small, s.ptr, s.len);
        small[s.len] = '\0';
        return strtod(small, NULL);
    }
    CLEANUP(free_ptr) char *copy = mem_dup(s.ptr, s.len);
    return strtod(copy, NULL);
}

/* DIGITS in base 2^SHIFT as a signed 32-bit number; NaN when it needs more bits. */
static double read_int32(struct slice digits, unsigned shift)
{
    uint64_t n = 0;

    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];
        unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                            : 16;

        if (d >= 1u << shift)
            return (double)NAN;
        n = n << shift | d;
        if (n > UINT32_MAX)
            return (double)NAN;
    }
    return (double)(int32_t)(uint32_t)n;
}

double expr_parse_number(struct slice text)
{
    struct slice s = utf_trim(text);

    if (s.len == 0)
        return 0;
    if (is_decimal(s))
        return read_decimal(s);
    if (s.len > 2 && slice_starts(s, SLICE("0x")))
        return read_int32(slice_from(s, 2), 4);
    if (s.len > 2 && slice_starts(s, SLICE("0o")))
        return read_int32(slice_from(s, 2), 3);
    bool negative = s.ptr[0] == '-';
    if (slice_eq_nocase(slice_from(s, negative || s.ptr[0] == '+'), SLICE("Infinity")))
        return negative ? -(double)INFINITY : (double)INFINITY;
    return (double)NAN;
}

struct slice expr_format_number(struct arena *a, double n, bool negative_zero)
{
    char text[32];
    int len;

    if (isnan(n))
        return SLICE("NaN");
    if (isinf(n))
        return n < 0 ? SLICE("-Infinity") : SLICE("Infinity");
    if (n == 0)
        return negative_zero && signbit(n) ? SLICE("-0") : SLICE("0");
    if (fabs(n) < 1e15 && n == (double)(int64_t)n)
        len = snprintf(text, sizeof text, "%lld", (long long)n);
    else
        len = snprintf(text, sizeof text, "%.15G", n);
    return arena_dup(a, slice_make(text, (size_t)len));
}
