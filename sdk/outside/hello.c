#include <ostler/plugin.h>

static const struct ost_input inputs[] = {
    {.name = "who", .fallback = "world", .description = "Whom to greet"},
};
static const struct ost_output outputs[] = {
    {.name = "greeting", .description = "What was said"},
};

static ost_status hello(struct ost_step *s)
{
    struct ost_exec_result res = OST_RESULT;
    ost_status r = ost_exec(s, &res, .flags = OST_EXEC_CHECK | OST_EXEC_CAPTURE | OST_EXEC_QUIET,
                            .argv = OST_ARGV("echo", "Hello,", s->host->input(s, "who")));

    return r == OST_OK ? s->host->output(s, "greeting", res.out) : r;
}

OST_PLUGIN(.id = "acme/hello", .version = "1.0.0", .description = "Says hello", OST_INPUTS(inputs),
           OST_OUTPUTS(outputs), .traits = OST_EFFECTS_VIA_HOST, .main = hello);
