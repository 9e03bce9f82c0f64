#include "blobs/hosts.h"

#include <ctype.h>

static bool fits(struct slice pattern, struct slice host, struct slice port)
{
    bool plain = pattern.len && pattern.ptr[0] != '[';
    ssize_t colon = plain ? slice_find_char(pattern, ':') : -1;

    if (colon >= 0) {
        if (!slice_eq(slice_from(pattern, (size_t)colon + 1), port))
            return false;
        pattern = slice_head(pattern, (size_t)colon);
    }
    if (!slice_starts(pattern, SLICE("*.")))
        return slice_eq_nocase(pattern, host);
    pattern = slice_from(pattern, 1);
    return host.len > pattern.len &&
           slice_eq_nocase(slice_from(host, host.len - pattern.len), pattern);
}

bool hosts_allow(const json_t *hosts, struct slice host, struct slice port)
{
    const json_t *list, *pattern;
    size_t i, k;

    json_array_foreach (hosts, i, list) {
        bool any = false;

        json_array_foreach (list, k, pattern)
            any = any || fits(slice_of(json_string_value(pattern)), host, port);
        if (!any)
            return false;
    }
    return true;
}

static bool is_plain(struct slice s, const char *more)
{
    for (size_t i = 0; i < s.len; i++)
        if (!isalnum((unsigned char)s.ptr[i]) && !strchr(more, s.ptr[i]))
            return false;
    return s.len > 0;
}

bool hosts_allow_url(const json_t *hosts, const char *url)
{
    struct slice rest = slice_of(url), port = SLICE("443");

    if (!hosts)
        return true;
    if (slice_starts(rest, SLICE("http://")))
        port = SLICE("80");
    else if (!slice_starts(rest, SLICE("https://")))
        return false;
    rest = slice_from(rest, port.len == 2 ? 7 : 8);
    rest = slice_head(rest, strcspn(rest.ptr, "/"));
    ssize_t colon = slice_find_char(rest, ':');
    if (colon >= 0) {
        port = slice_from(rest, (size_t)colon + 1);
        rest = slice_head(rest, (size_t)colon);
    }
    return is_plain(rest, "-.") && is_plain(port, "") && hosts_allow(hosts, rest, port);
}
