/* The first plugin of the guide, as of 1.0. */
#include <ostler/plugin.h>

static const struct ost_input inputs[] = {
    {.name = "text", .fallback = "world", .description = "Whom to greet"},
};
static const struct ost_output outputs[] = {
    {.name = "greeting", .description = "What was said"},
};

static ost_status hello(struct ost_step *s)
{
    const char *who = s->host->input(s, "text");

    ost_log(s, OST_INFO, "Hello, %s.", who);
    return s->host->output(s, "greeting", ost_fmt(s, "Hello, %s.", who));
}

OST_PLUGIN(.id = "acme/hello", .version = "1.0.0", .description = "Says hello", OST_INPUTS(inputs),
           OST_OUTPUTS(outputs), .traits = OST_EFFECTS_VIA_HOST, .main = hello);
