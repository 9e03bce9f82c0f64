/* Says which contexts there are, never what is in them. */
#include <ostler/plugin.h>

static const struct ost_input inputs[] = {
    {.name = "names", .type = OST_LIST, .description = "What to ask for"},
};

static ost_status look(struct ost_step *s)
{
    const char *const *names;
    size_t n = s->host->input_list(s, "names", &names);

    for (size_t i = 0; i < n; i++)
        ost_log(s, OST_INFO, "%s: %s", names[i],
                s->host->context(s, names[i]) ? "something" : "nothing");
    return OST_OK;
}

OST_PLUGIN(.id = "test/contexts", .version = "1.0.0", OST_INPUTS(inputs), .main = look);
