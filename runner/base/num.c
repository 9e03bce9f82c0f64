#include "base/num.h"

static int bad(struct slice s, struct err *err)
{
    return err_set(err, ERR_INVALID, "'%.*s' is not a whole number", SLICE_ARG(slice_head(s, 40)));
}

int num_parse_u64(struct slice s, uint64_t max, uint64_t *ret, struct err *err)
{
    uint64_t n = 0;

    if (s.len == 0)
        return bad(s, err);
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return bad(s, err);
        if (__builtin_mul_overflow(n, 10u, &n) ||
            __builtin_add_overflow(n, (uint64_t)(s.ptr[i] - '0'), &n))
            return err_set(err, ERR_LIMIT, "'%.*s' is more than %llu", SLICE_ARG(slice_head(s, 40)),
                           (unsigned long long)max);
    }
    if (n > max)
        return err_set(err, ERR_LIMIT, "'%.*s' is more than %llu", SLICE_ARG(slice_head(s, 40)),
                       (unsigned long long)max);
    *ret = n;
    return ERR_OK;
}

int num_parse_i64(struct slice s, int64_t min, int64_t max, int64_t *ret, struct err *err)
{
    bool negative = s.len && s.ptr[0] == '-';
    uint64_t n;
    int r = num_parse_u64(slice_from(s, negative), UINT64_MAX >> 1, &n, err);

    if (r < 0)
        return r;
    int64_t value = negative ? -(int64_t)n : (int64_t)n;
    if (value < min || value > max)
        return err_set(err, ERR_LIMIT, "'%.*s' is not between %lld and %lld", SLICE_ARG(s),
                       (long long)min, (long long)max);
    *ret = value;
    return ERR_OK;
}
