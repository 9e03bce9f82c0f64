// @NAME@ - greets somebody from the system that the job runs on. Put what your plugin does in its place.
#include <ostler/plugin.h>

#include <exception>
#include <string>

static const ost_input inputs[] = {
    {.name = "who", .fallback = "world", .description = "Whom to greet"},
    {.name = "loud", .type = OST_BOOL, .fallback = "false", .description = "Shout"},
};
static const ost_output outputs[] = {
    {.name = "greeting", .description = "What was said"},
};

// Nothing is thrown at the host: whatever comes up here becomes an error of the step.
static ost_status greet(ost_step *s) try {
    ost_exec_result system = OST_RESULT;
    const char *const uname[] = {"uname", "-s", nullptr};
    ost_status r = ost_exec(s, &system, .flags = OST_EXEC_CHECK | OST_EXEC_CAPTURE | OST_EXEC_QUIET,
                            .argv = uname);

    if (r < 0) // the host has noted why
        return r;
    const std::string text = std::string("Hello, ") + s->host->input(s, "who") + ", from " +
                             system.out + (ost_input_bool(s, "loud") ? "!" : ".");
    s->host->log(s, OST_INFO, text.c_str());
    return s->host->output(s, "greeting", text.c_str());
} catch (const std::exception &e) {
    return ost_fail(s, OST_E_FAILED, "%s", e.what());
}

OST_PLUGIN(.id = "@OWNER@/@NAME@", .version = "1.0.0", .description = "Greets somebody",
           OST_INPUTS(inputs), OST_OUTPUTS(outputs), .traits = OST_EFFECTS_VIA_HOST, .main = greet);
