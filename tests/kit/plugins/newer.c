/* A plugin of a later minor: its structs have grown at their ends, and a host of today must step over
 * what it does not know. */
#include <ostler/plugin.h>

struct later_input {
    struct ost_input now;
    const char *pattern;
    uint64_t more[3];
};
struct later_plugin {
    struct ost_plugin now;
    ost_phase *check;
    const char *homepage;
};

static const struct later_input inputs[] = {
    {.now = {.name = "first", .fallback = "1"}, .pattern = "[0-9]+", .more = {~0u, ~0u, ~0u}},
    {.now = {.name = "second", .type = OST_INT, .fallback = "2"}, .pattern = "x"},
};

static ost_status run(struct ost_step *s)
{
    struct {
        struct ost_exec now;
        uint64_t more;
    } later = {.now = {.struct_size = sizeof later, .argv = OST_ARGV("true")}, .more = ~0u};
    struct {
        struct ost_exec_result now;
        uint64_t more;
    } result = {.now = {.struct_size = sizeof result}, .more = 7};

    if (s->host->exec(s, &later.now, &result.now) != OST_OK || result.more != 7)
        return ost_fail(s, OST_E_FAILED, "the host wrote past what it knows");
    if (OST_HAS(s->host, extension) == 0)
        return ost_fail(s, OST_E_FAILED, "minor 0 has an extension member");
    ost_log(s, OST_INFO, "first=%s second=%s", s->host->input(s, "first"),
            s->host->input(s, "second"));
    return OST_OK;
}

OST_EXPORT const struct later_plugin ostler_plugin_v1;
const struct later_plugin ostler_plugin_v1 = {
    .now = {.struct_size = sizeof(struct later_plugin),
            .abi_minor = 9,
            .id = "acme/newer",
            .version = "2.0.0",
            .inputs = &inputs[0].now,
            .n_inputs = 2,
            .input_size = sizeof inputs[0],
            .traits = OST_EFFECTS_VIA_HOST | 1u << 30,
            .main = run},
    .check = run,
    .homepage = "https://example.org",
};
