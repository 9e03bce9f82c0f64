#include "lang/workflow/checks.h"

#include "lang/action_ref.h"

/* jobs.ID.uses: where a called workflow lies (workflow-language.md 12). */

static const char *path_fault(struct slice path)
{
    static const struct slice folder = SLICE_INIT(".github/workflows/");
    static const struct slice lab = SLICE_INIT(".github/workflows-lab/"); /* GitHub's own trials */

    if (!slice_starts(path, folder) && !slice_starts(path, lab))
        return "references to workflows must be rooted in '.github/workflows'";
    path = slice_from(path, slice_starts(path, folder) ? folder.len : lab.len);
    if (slice_find_char(path, '/') >= 0)
        return "workflows must be defined at the top level of the .github/workflows/ directory";
    if (!slice_ends(path, SLICE(".yml")) && !slice_ends(path, SLICE(".yaml")))
        return "workflow file should have either a '.yml' or '.yaml' file extension";
    if (slice_eq(path, SLICE(".yml")) || slice_eq(path, SLICE(".yaml")))
        return "invalid workflow file name";
    return NULL;
}

/* git check-ref-format, as far as the editor goes. */
static bool is_ref(struct slice ref)
{
    for (size_t i = 0; i < ref.len; i++)
        if (strchr(" ~^:?*[\\", ref.ptr[i]))
            return false;
    return slice_find(ref, SLICE("..")) < 0 && !slice_ends(ref, SLICE(".")) &&
           !slice_ends(ref, SLICE(".lock")) && !slice_starts(ref, SLICE("/"));
}

static const char *remote_fault(struct slice path, struct slice ref)
{
    struct slice owner, repo;

    if (!slice_split(&path, '/', &owner) || !action_ref_is_name(owner))
        return "owner name must be a valid repository owner name";
    if (!slice_split(&path, '/', &repo) || !action_ref_is_name(repo))
        return "repository name is invalid";
    if (!ref.len)
        return "no version specified";
    if (!is_ref(ref))
        return "this can't be a version: no branch, tag or commit has such a name";
    return path_fault(path);
}

static const char *reference_fault(struct slice text)
{
    ssize_t at = slice_find_char(text, '@');
    struct slice path = at < 0 ? text : slice_head(text, (size_t)at);
    struct slice ref = at < 0 ? SLICE("") : slice_from(text, (size_t)at + 1);

    if (slice_starts(text, SLICE("./")) || slice_starts(text, SLICE("$/"))) {
        if (at >= 0)
            return "cannot specify version when calling local workflows";
        return path_fault(slice_from(path, 2));
    }
    return remote_fault(path, ref);
}

void check_calling(struct convert *c, const struct token *tok)
{
    const char *fault = reference_fault(tok->text);

    if (fault)
        convert_error(c, tok, "Invalid workflow reference '%.*s': %s", SLICE_ARG(tok->text), fault)
            ->hint = "write owner/repo/.github/workflows/file.yml@ref or "
                     "./.github/workflows/file.yml";
}
