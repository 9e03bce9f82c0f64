/* A plugin whose callers' structs are smaller than today's: a host fills in no more than is there. The
 * plugin's own table cannot be smaller than that of minor 0, so it is as it is. */
#include <ostler/plugin.h>
#include <string.h>

static ost_status run(struct ost_step *s)
{
    struct { /* ost_exec, ending behind argv */
        uint32_t struct_size, flags;
        const char *const *argv;
    } older = {.struct_size = sizeof older, .argv = OST_ARGV("sh", "-c", "exit 3")};
    struct { /* ost_exec_result, ending behind exit_code, and what lies behind it */
        uint32_t struct_size;
        int32_t exit_code;
        char guard[24];
    } result = {.struct_size = 8};
    struct { /* ost_note, ending behind title */
        uint32_t struct_size;
        int32_t level;
        const char *message, *title;
        const char *guard;
    } note = {
        .struct_size = 24, .level = OST_WARNING, .message = "small", .guard = (const char *)1};

    memset(result.guard, 'g', sizeof result.guard);
    if (s->host->exec(s, (const struct ost_exec *)(const void *)&older,
                      (struct ost_exec_result *)(void *)&result) != OST_OK)
        return OST_E_FAILED;
    for (size_t i = 0; i < sizeof result.guard; i++)
        if (result.guard[i] != 'g')
            return ost_fail(s, OST_E_FAILED, "byte %zu behind the result was written", i);
    s->host->annotate(s, (const struct ost_note *)(const void *)&note);
    ost_log(s, OST_INFO, "exit code %d", (int)result.exit_code);
    return OST_OK;
}

OST_PLUGIN(.id = "acme/older", .version = "1.0.0", .main = run);
