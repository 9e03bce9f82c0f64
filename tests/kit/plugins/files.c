/* The extension ostler.files/1, a pattern a line, what it finds in the log. */
#include <ostler/ext.h>
#include <stdlib.h>

static const struct ost_input inputs[] = {
    {.name = "patterns", .type = OST_LIST, .description = "What to look for"},
    {.name = "flags", .type = OST_INT, .fallback = "0", .description = "OST_GLOB_..."},
};

static ost_status look(struct ost_step *s)
{
    const struct ost_files_v1 *files =
        (const struct ost_files_v1 *)s->host->extension(s, OST_EXT_FILES);
    const char *const *patterns, *const *paths, *hex;
    size_t n;

    if (!files)
        return ost_fail(s, OST_E_UNSUPPORTED, "no files");
    s->host->input_list(s, "patterns", &patterns);
    ost_status r = files->glob(s, patterns, (uint32_t)strtoul(s->host->input(s, "flags"), NULL, 10),
                               &paths, &n);
    for (size_t i = 0; r == OST_OK && i < n; i++)
        ost_log(s, OST_INFO, "found %s", paths[i]);
    if (r == OST_OK)
        r = files->roots(s, patterns, &paths, &n);
    for (size_t i = 0; r == OST_OK && i < n; i++)
        ost_log(s, OST_INFO, "root %s", paths[i]);
    if (r == OST_OK)
        r = files->hash(s, patterns, &hex);
    if (r == OST_OK)
        ost_log(s, OST_INFO, "hash '%s'", hex);
    return r;
}

OST_PLUGIN(.id = "acme/files", .version = "1.0.0", OST_INPUTS(inputs), .main = look);
