#include "cli/limit.h"

#include "base/num.h"
#include "lang/expr/expr.h"

#include <math.h>

#define BYTES_LEAST (16LL << 20) /* with less memory not even a shell begins */
#define BYTES_MOST (1LL << 50)

enum {
    PROCESSES_LEAST = 10,
    PROCESSES_MOST = 4 << 20,
    CPUS_MOST = 10000,
    TIME_MOST_MS = 7 * 24 * 3600000,
};

const struct limit_name limit_names[] = {
    {"memory", "512M"}, {"disk", "10G"}, {"cpus", "1.5"}, {"processes", "200"}, {NULL, NULL}};

static int wrong(struct slice value, const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, "'%.*s' is no %s", SLICE_ARG(slice_head(value, 40)), what);
}

static int parse_bytes(struct slice value, const char *what, int64_t *ret, struct err *err)
{
    static const char units[] = "kKmMgG";
    struct err why = ERR_INIT;
    struct slice digits = value;
    int64_t n, unit = 1;
    const char *at = value.len ? strchr(units, value.ptr[value.len - 1]) : NULL;

    if (at && *at) {
        unit = 1LL << (10 * ((at - units) / 2 + 1));
        digits.len--;
    }
    if (num_parse_i64(digits, 1, BYTES_MOST / unit, &n, &why) < 0 || n * unit < BYTES_LEAST)
        return wrong(value, what, err);
    *ret = n * unit;
    return ERR_OK;
}

static int parse_cpus(struct slice value, int64_t *ret, struct err *err)
{
    double n = value.len ? expr_parse_number(value) : NAN;

    if (!(n >= 0.01 && n <= CPUS_MOST))
        return wrong(value, "number of cores: 0.5, 2", err);
    *ret = (int64_t)(n * 1000);
    return ERR_OK;
}

int limit_parse_size(struct slice text, int64_t *ret, struct err *err)
{
    return parse_bytes(text, "size: 512M, 20G, or bytes, 16M at least", ret, err);
}

int limit_parse_time(struct slice text, int64_t *ret_ms, struct err *err)
{
    static const struct {
        char letter;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}};
    struct err why = ERR_INIT;
    int64_t n = 0;

    if (slice_eq(text, SLICE("0"))) {
        *ret_ms = 0;
        return ERR_OK;
    }
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (!text.len || text.ptr[text.len - 1] != units[i].letter ||
            num_parse_i64(slice_head(text, text.len - 1), 1, TIME_MOST_MS / units[i].ms, &n, &why) <
                0)
            continue;
        *ret_ms = n * units[i].ms;
        return ERR_OK;
    }
    return wrong(text, "time: 90s, 4m, 2h, a week (168h) at most", err);
}

int limit_parse(struct slice text, struct job_limits *ret, struct err *err)
{
    ssize_t at = slice_find_char(text, '=');
    struct slice name = slice_head(text, at < 0 ? text.len : (size_t)at);
    struct slice value = at < 0 ? SLICE("") : slice_from(text, (size_t)at + 1);
    struct err why = ERR_INIT;

    if (slice_eq(name, SLICE("memory")))
        return parse_bytes(value, "amount of memory: 512M, 2G, or bytes, 16M at least",
                           &ret->memory_bytes, err);
    if (slice_eq(name, SLICE("disk")))
        return parse_bytes(value, "amount of disk space: 512M, 2G, or bytes, 16M at least",
                           &ret->disk_bytes, err);
    if (slice_eq(name, SLICE("cpus")))
        return parse_cpus(value, &ret->cpu_milli, err);
    if (!slice_eq(name, SLICE("processes")))
        return err_set(err, ERR_INVALID,
                       "there is no limit '%.*s': memory=512M, disk=10G, cpus=1.5 or processes=200",
                       SLICE_ARG(slice_head(name, 40)));
    if (num_parse_i64(value, PROCESSES_LEAST, PROCESSES_MOST, &ret->processes, &why) < 0)
        return wrong(value, "number of processes: 10 at least", err);
    return ERR_OK;
}
