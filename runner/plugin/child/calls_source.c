/* ostler.source/1: the runner knows what is on this machine; it answers in JSON, as there is much to say. */
#include "plugin/child/calls.h"

#include "base/attr.h"

#include <jansson.h>
#include <string.h>

static ost_status read_answer(struct ost_step *step, const char *text, struct ost_source *ret)
{
    const char *folder, *origin, *ref, *commit;
    json_error_t why;
    int shown;
    json_t *answer =
        json_loads(text, 0, &why); /* kept: the texts live in it, and it ends with the process */

    if (json_unpack_ex(answer, &why, 0, "{s:b, s:s, s:s, s:s, s:s}", "shown", &shown, "folder",
                       &folder, "origin", &origin, "ref", &ref, "commit", &commit) < 0)
        return calls_failed(step, OST_E_IO, why.text);
    const struct ost_source all = {
        .struct_size = ret->struct_size,
        .shown = shown,
        .folder = folder,
        .origin = origin,
        .ref = ref,
        .commit = commit,
    };
    memcpy(ret, &all, ret->struct_size < sizeof all ? ret->struct_size : sizeof all);
    return OST_OK;
}

/* *RET is JSON. */
static ost_status ask_source(struct ost_step *step, const struct ost_source_query *query,
                             const char **ret)
{
    CLEANUP(buf_deinit) struct buf message = DIALOG_MESSAGE_INIT;
    ost_status r = calls_announce(step, "source.find");
    uint32_t id = dialog_id();
    size_t at;

    if (r < 0)
        return r;
    wire_begin(&message, WIRE_SOURCE, id, &at);
    wire_put_int(&message, query->flags);
    wire_put_text(&message, calls_text(query->repository));
    wire_put_text(&message, calls_text(query->ref));
    wire_put_text(&message, calls_text(query->path));
    return calls_ask(step, &message, at, id, ret);
}

static ost_status source_find(struct ost_step *step, const struct ost_source_query *theirs,
                              struct ost_source *ret)
{
    struct ost_source_query query = {0};
    const char *text;

    if (!theirs || !ret || theirs->struct_size < sizeof query.struct_size ||
        ret->struct_size < sizeof ret->struct_size)
        return calls_failed(step, OST_E_INVALID, "source: no struct_size");
    memcpy(&query, theirs, theirs->struct_size < sizeof query ? theirs->struct_size : sizeof query);
    if (query.flags & ~(uint32_t)OST_SOURCE_CLEAN)
        return calls_failed(step, OST_E_UNSUPPORTED,
                            "source: this host does not know all of the flags");
    ost_status r = ask_source(step, &query, &text);
    return r < 0 ? r : read_answer(step, text, ret);
}

const struct ost_source_v1 calls_source = {
    .struct_size = sizeof calls_source,
    .find = source_find,
};
