/* The extension ostler.source/1: asks for a repository, and says in the log what it is told. */
#include <ostler/ext.h>

static const struct ost_input inputs[] = {
    {.name = "repository", .description = "What to ask for"},
    {.name = "odd",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "Ask with an unknown flag"},
};

static ost_status ask(struct ost_step *s)
{
    const struct ost_source_v1 *source =
        (const struct ost_source_v1 *)s->host->extension(s, OST_EXT_SOURCE);
    struct ost_source found = {.struct_size = sizeof found};
    const struct ost_source_query query = {
        .struct_size = sizeof query,
        .flags = ost_input_bool(s, "odd") ? 1U << 31 : OST_SOURCE_CLEAN,
        .repository = s->host->input(s, "repository"),
        .ref = "main",
        .path = "/place/lib",
    };

    if (!source)
        return ost_fail(s, OST_E_UNSUPPORTED, "no source");
    ost_status r = source->find(s, &query, &found);
    if (r == OST_OK)
        ost_log(s, OST_INFO, "%d '%s' '%s' '%s' '%s'", found.shown, found.folder, found.origin,
                found.ref, found.commit);
    return r;
}

OST_PLUGIN(.id = "acme/source", .version = "1.0.0", OST_INPUTS(inputs), .main = ask);
