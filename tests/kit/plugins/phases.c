/* State from phase to phase, and one input of each type. */
#include <ostler/plugin.h>
#include <string.h>

static const char *const colours[] = {"red", "green", NULL};
static const struct ost_input inputs[] = {
    {.name = "text", .flags = OST_REQUIRED, .description = "Any text"},
    {.name = "switch", .type = OST_BOOL, .fallback = "false"},
    {.name = "count", .type = OST_INT, .fallback = "1"},
    {.name = "names", .type = OST_LIST},
    {.name = "colour", .type = OST_CHOICE, .fallback = "red", .choices = colours},
    {.name = "file", .type = OST_PATH, .fallback = "."},
    {.name = "token", .flags = OST_SECRET},
    {.name = "old", .deprecation = "use 'text'"},
};
static const struct ost_output outputs[] = {{"result", "What came out"}, {"second", NULL}};

static ost_status pre(struct ost_step *s)
{
    return s->host->save(s, "state", "from pre");
}

static ost_status run(struct ost_step *s)
{
    const char *const *names;
    size_t n = s->host->input_list(s, "names", &names);
    const char *state = s->host->saved(s, "state");

    ost_log(s, OST_INFO, "text=%s switch=%s count=%s names=%zu,%s colour=%s state=%s",
            s->host->input(s, "TEXT"), s->host->input(s, "switch"), s->host->input(s, "count"), n,
            n ? names[n - 1] : "", s->host->input(s, "colour"), state ? state : "none");
    return s->host->save(s, "state", "from main");
}

static ost_status post(struct ost_step *s)
{
    const char *status = s->host->context(s, "job.status");

    ost_log(s, OST_INFO, "post: state=%s job=%s", s->host->saved(s, "state"),
            status ? status : "unknown");
    return s->host->saved(s, "never") ? OST_E_FAILED : OST_OK;
}

static ost_status plan(struct ost_step *s)
{
    if (s->host->phase(s) != OST_PHASE_PLAN)
        return ost_fail(s, OST_E_FAILED, "phase() is not plan");
    return s->host->plan(s, "greet", s->host->input(s, "text"), "politely");
}

OST_PLUGIN(.id = "acme/tools/phases", .version = "1.4.2", .title = "Phases",
           .description = "Shows \"phases\"", .author = "Acme", OST_INPUTS(inputs),
           OST_OUTPUTS(outputs), .needs = OST_NEED_NETWORK | OST_NEED_WORKSPACE_WRITE, .plan = plan,
           .pre = pre, .main = run, .post = post, .post_if = "success()");
