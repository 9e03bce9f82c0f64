/* @NAME@ - greets somebody from the system that the job runs on. Put what your plugin does in its place. */
#include <ostler/plugin.h>

static const struct ost_input inputs[] = {
    {.name = "who", .fallback = "world", .description = "Whom to greet"},
    {.name = "loud", .type = OST_BOOL, .fallback = "false", .description = "Shout"},
};
static const struct ost_output outputs[] = {
    {.name = "greeting", .description = "What was said"},
};

static ost_status greet(struct ost_step *s)
{
    struct ost_exec_result system = OST_RESULT;
    ost_status r = ost_exec(s, &system, .flags = OST_EXEC_CHECK | OST_EXEC_CAPTURE | OST_EXEC_QUIET,
                            .argv = OST_ARGV("uname", "-s"));

    if (r < 0) /* the host has noted why */
        return r;
    const char *text = ost_fmt(s, "Hello, %s, from %s%s", s->host->input(s, "who"), system.out,
                               ost_input_bool(s, "loud") ? "!" : ".");
    ost_log(s, OST_INFO, "%s", text);
    return s->host->output(s, "greeting", text);
}

OST_PLUGIN(.id = "@OWNER@/@NAME@", .version = "1.0.0", .description = "Greets somebody",
           OST_INPUTS(inputs), OST_OUTPUTS(outputs), .traits = OST_EFFECTS_VIA_HOST, .main = greet);
