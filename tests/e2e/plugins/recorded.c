/* test/recorded - a plugin without a plan phase whose main can be run to make one: its effects are recorded. */
#include <ostler/plugin.h>

#include <string.h>

static const struct ost_output outputs[] = {{"branch", "What git says"},
                                            {"fixed", "Always the same"}};

static ost_status recorded(struct ost_step *s)
{
    if (s->host->output(s, "fixed", "one") != OST_OK ||
        ost_exec(s, NULL, .flags = OST_EXEC_CHECK, .argv = OST_ARGV("touch", "made it")) != OST_OK)
        return OST_E_FAILED;
    return s->host->env(s, "RECORDED", "yes");
}

OST_PLUGIN(.id = "test/recorded", .version = "1.0.0", .description = "Touches a file",
           .traits = OST_EFFECTS_VIA_HOST, OST_OUTPUTS(outputs), .main = recorded);
