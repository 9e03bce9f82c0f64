/* ostler.mirror/1: the runner fetches, and shows what it has. */
#include "plugin/child/calls.h"

#include "plugin/wire.h"

#include <string.h>

static ost_status mirror_show(struct ost_step *step, const struct ost_mirror_query *theirs,
                              const char **ret)
{
    struct ost_mirror_query query = {0};
    json_t *answer;

    if (!theirs || !ret || theirs->struct_size < sizeof query.struct_size)
        return calls_failed(step, OST_E_INVALID, "mirror: no struct_size");
    memcpy(&query, theirs, theirs->struct_size < sizeof query ? theirs->struct_size : sizeof query);
    if (query.flags & ~(uint32_t)OST_MIRROR_MAKE)
        return calls_failed(step, OST_E_UNSUPPORTED,
                            "mirror: this host does not know all of the flags");
    ost_status r = calls_transfer(step, WIRE_MIRROR,
                                  json_pack("{s:s, s:s, s:b}", "url", query.url ? query.url : "",
                                            "header", query.header ? query.header : "", "make",
                                            (query.flags & OST_MIRROR_MAKE) != 0),
                                  &answer);
    const char *path = r < 0 ? NULL : json_string_value(json_object_get(answer, "path"));
    if (r < 0)
        return r;
    if (!path)
        return calls_failed(step, OST_E_NOT_FOUND, "mirror: there is none");
    *ret = path; /* in the answer, which is never dropped */
    return OST_OK;
}

const struct ost_mirror_v1 calls_mirror = {
    .struct_size = sizeof calls_mirror,
    .show = mirror_show,
};
