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

/* Its packs and the names of its tips, into a clone that has nothing yet, as git's own local clones are made: nothing
 * is packed and unpacked again. A pack counts once its index is there, so that comes last. */
static const char take[] =
    "set -e\n"
    "cd \"$3/.git\"\n"
    "mkdir objects/incoming\n"
    "trap 'rm -rf objects/incoming' EXIT\n"
    "cp \"$2\"/objects/pack/pack-* objects/incoming/\n"
    "mv objects/incoming/*.pack objects/pack/\n"
    "mv objects/incoming/pack-* objects/pack/\n"
    "all() { \"$1\" -c safe.directory='*' --git-dir=\"$2\" for-each-ref --format=\"create $3 "
    "%(objectname)\" \"$4\"; }\n"
    "{\n"
    "    all \"$1\" \"$2\" 'refs/remotes/origin/%(refname:lstrip=2)' refs/heads\n"
    "    all \"$1\" \"$2\" '%(refname)' refs/tags\n"
    "} | \"$1\" --git-dir=. update-ref --stdin\n";

static bool take_all(const struct auth *a, const char *path)
{
    struct ost_exec_result result = OST_RESULT;
    const struct ost_exec exec = {
        .flags = OST_EXEC_QUIET,
        .argv = OST_ARGV("sh", "-c", take, "sh", a->git->program, path, a->s->folder),
    };

    return git_exec(a->git, exec, &result) == OST_OK && result.exit_code == 0;
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

    bool all = a->fresh && a->s->depth == 0;

    if (path) {
        bool had = all ? take_all(a, path) : fetch_from(a, path, refspecs);

        ost_log(step, OST_DEBUG, "The mirror of %s has %s", a->s->url,
                had ? "what is wanted" : "not what is wanted");
    }
    return step->host->cancelled(step) ? OST_E_CANCELLED : OST_OK;
}
