/* ostler.mask/1: a text as the job's log would have it. */
#include "plugin/child/calls.h"

static ost_status mask_apply_text(struct ost_step *step, const char *text, const char **ret)
{
    CLEANUP(buf_deinit) struct buf message = DIALOG_MESSAGE_INIT;
    ost_status r = calls_announce(step, "mask.apply");
    uint32_t id = dialog_id();
    size_t at;

    if (r < 0)
        return r;
    wire_begin(&message, WIRE_MASKED, id, &at);
    wire_put_text(&message, calls_text(text));
    return calls_ask(step, &message, at, id, ret);
}

const struct ost_mask_v1 calls_mask = {
    .struct_size = sizeof calls_mask,
    .apply = mask_apply_text,
};
