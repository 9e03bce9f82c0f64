/* The hello of the SDK page: the whole file an author starts with. */
#include <ostler/plugin.h>

static const struct ost_input inputs[] = {
    {.name = "who", .fallback = "world", .description = "Whom to greet"},
    {.name = "loud", .type = OST_BOOL, .fallback = "false", .description = "Shout"},
};
static const struct ost_output outputs[] = {{"greeting", "What was said"}};

static ost_status hello(struct ost_step *s)
{
    const char *text =
        ost_fmt(s, "Hello, %s%s", s->host->input(s, "who"), ost_input_bool(s, "loud") ? "!" : ".");
    ost_log(s, OST_INFO, "%s", text);
    return s->host->output(s, "greeting", text);
}

OST_PLUGIN(.id = "acme/hello", .version = "1.0.0", .description = "Says hello", OST_INPUTS(inputs),
           OST_OUTPUTS(outputs), .traits = OST_EFFECTS_VIA_HOST, .main = hello);
