/* What hashFiles() would give for one pattern, by ostler.files/1. */
#include <ostler/ext.h>

static const struct ost_input inputs[] = {
    {.name = "pattern", .flags = OST_REQUIRED, .description = "Which files"},
};

static ost_status hash(struct ost_step *s)
{
    const struct ost_files_v1 *files =
        (const struct ost_files_v1 *)s->host->extension(s, OST_EXT_FILES);
    const char *hex = "";
    ost_status r =
        files ? files->hash(s, OST_ARGV(s->host->input(s, "pattern")), &hex) : OST_E_UNSUPPORTED;

    ost_log(s, OST_INFO, "hash %s", hex);
    return r;
}

OST_PLUGIN(.id = "test/hash", .version = "1.0.0", OST_INPUTS(inputs), .main = hash);
