#include "quiet.h"

#include <string.h>

/* English, columns counted in characters, and no colours; a job that sets FORCE_COLOR gets its colours, and
 * readers take them out. */
static const char *const environment[] = {"NO_COLOR=1", "LC_ALL=C.UTF-8", NULL};

static ost_status output_add(struct ost_step *step, struct output *o, const char *data, size_t size)
{
    if (o->size + size > OUTPUT_MAX) {
        o->overflow = true;
        return OST_E_LIMIT;
    }
    if (o->size + size >= o->room) {
        size_t room = o->room ? o->room : 4096;
        char *grown;

        while (room <= o->size + size)
            room *= 2;
        grown = step->host->alloc(step, room);
        if (o->size > 0)
            memcpy(grown, o->data, o->size);
        o->data = grown;
        o->room = room;
    }
    memcpy(o->data + o->size, data, size);
    o->size += size;
    o->data[o->size] = '\0';
    return OST_OK;
}

/* Where the bytes of one command go. */
struct outputs {
    struct ost_step *step;
    struct output *out, *err;
};

static ost_status on_output(void *ctx, int32_t fd, const char *data, size_t size)
{
    const struct outputs *o = ctx;

    return output_add(o->step, fd == 2 ? o->err : o->out, data, size);
}

ost_status quiet_run(struct ost_step *step, const char *const *argv, const char *cwd,
                     struct output *out, struct output *err, struct ost_exec_result *ret)
{
    struct outputs o = {step, out, err};

    return ost_exec(step, ret, .flags = OST_EXEC_QUIET, .argv = argv, .env = environment,
                    .cwd = cwd, .on_output = on_output, .ctx = &o);
}

const char *output_text(struct ost_step *step, const struct output *o)
{
    return span_dup(step, span_trim((struct span){o->data, o->size}));
}
