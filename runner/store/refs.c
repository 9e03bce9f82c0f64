#include "store/refs.h"

#include "base/num.h"
#include "lang/action_ref.h"

/* One line; false for what is none. */
static bool take_line(struct slice line, struct slice *ret_ref, struct ref_known *ret)
{
    struct err ignored = ERR_INIT;
    struct ref_known known = {0};
    struct slice sha, at;

    if (!slice_split(&line, ' ', &sha) || !slice_split(&line, ' ', &at) ||
        !action_ref_is_commit(sha) || !action_ref_is_version(line) ||
        num_parse_i64(at, 0, INT64_MAX, &known.at, &ignored) < 0)
        return false;
    memcpy(known.sha, sha.ptr, sha.len);
    *ret_ref = line;
    *ret = known;
    return true;
}

bool refs_find(struct slice text, struct slice ref, struct ref_known *ret)
{
    struct slice line, name;
    struct ref_known known;
    bool found = false;

    while (slice_line(&text, &line))
        if (take_line(line, &name, &known) && slice_eq(name, ref)) {
            *ret = known;
            found = true;
        }
    return found;
}

void refs_update(struct slice text, struct slice ref, const struct ref_known *known, struct buf *to)
{
    struct slice rest = text, line, name;
    struct ref_known other;
    size_t n = 0;

    while (slice_line(&rest, &line))
        n += take_line(line, &name, &other) && !slice_eq(name, ref);
    rest = text;
    while (slice_line(&rest, &line)) {
        if (!take_line(line, &name, &other) || slice_eq(name, ref))
            continue;
        if (n-- < REFS_MAX)
            buf_printf(to, "%s %lld %.*s\n", other.sha, (long long)other.at, SLICE_ARG(name));
    }
    buf_printf(to, "%s %lld %.*s\n", known->sha, (long long)known->at, SLICE_ARG(ref));
}
