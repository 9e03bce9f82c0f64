#include "mirror.h"

#include <ostler/ext.h>
#include <string.h>

/* Mirrors have all, for whoever comes over HTTP: a clone that wants just some files is better off without, and one
 * that is to lose its shallow end would not learn from it where that is. */
static bool is_wanted(const struct auth *a)
{
    const struct settings *s = a->s;
    const char *shallow = ost_fmt(a->git->step, "%s/.git/shallow", s->folder);

    return !*s->filter && !s->n_sparse && !*s->ssh_key && (s->depth > 0 || !file_exists(shallow));
}

/* Where it is shown; NULL: there is none. */
static const char *find(const struct auth *a)
{
    struct ost_step *step = a->git->step;
    const struct ost_mirror_v1 *runner = step->host->extension(step, OST_EXT_MIRROR);
    const struct ost_mirror_query query = {
        .struct_size = sizeof query,
        .flags = a->s->depth == 0 ? OST_MIRROR_MAKE : 0, /* else all would cost more than some */
        .url = a->s->url,
        .header = a->header ? a->header : "",
    };
    const char *path;

    if (!runner || !is_wanted(a))
        return NULL;
    ost_status r = runner->show(step, &query, &path);
    if (r == OST_OK)
        return path;
    ost_log(step, OST_DEBUG, "No mirror of %s: %s", a->s->url, step->host->last_error(step));
    return NULL;
}

static bool fetch_from(const struct auth *a, const char *path, const char *const *refspecs)
{
    struct ost_step *step = a->git->step;
    struct strings args = {0};

    strings_add(step, &args, "fetch");
    strings_add(step, &args, "--quiet");
    strings_add(step, &args, "--no-tags");
    strings_add(step, &args, "--no-recurse-submodules");
    if (a->s->depth > 0)
        strings_add(step, &args, ost_fmt(step, "--depth=%lld", (long long)a->s->depth));
    /* It is the runner's, who is somebody else to the job. */
    strings_add(step, &args,
                "--upload-pack=git -c safe.directory=* -c uploadpack.allowAnySHA1InWant=true "
                "upload-pack");
    strings_add(step, &args, path);
    for (; *refspecs; refspecs++)
        strings_add(step, &args, *refspecs);
    return git_try(a->git, true, strings_list(&args));
}

ost_status mirror_fetch(const struct auth *a, const char *const *refspecs)
{
    struct ost_step *step = a->git->step;
    const char *path = find(a);

    if (path)
        ost_log(step, OST_DEBUG, "The mirror of %s has %s", a->s->url,
                fetch_from(a, path, refspecs) ? "what is wanted" : "not what is wanted");
    return step->host->cancelled(step) ? OST_E_CANCELLED : OST_OK;
}
