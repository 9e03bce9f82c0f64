#include "repo.h"

#include <string.h>

const char *const *repo_command(struct ost_step *step, const char *const *args)
{
    static const char *const head[] = {
        "git", "-c", "safe.directory=*", "-c", "core.quotePath=false", NULL};
    struct strings argv = {0};

    for (size_t i = 0; head[i]; i++)
        strings_add(step, &argv, head[i]);
    for (; *args; args++)
        strings_add(step, &argv, *args);
    return strings_list(&argv);
}

ost_status repo_git(struct repo *g, const char *const *args)
{
    struct ost_exec_result result = OST_RESULT;
    ost_status r;

    g->out = g->err = (struct output){0};
    r = quiet_run(g->step, repo_command(g->step, args), g->cwd, &g->out, &g->err, &result);
    g->code = result.exit_code;
    if (g->out.overflow)
        return ost_fail(g->step, OST_E_LIMIT, "the changes are larger than %d MiB: do without %s",
                        OUTPUT_MAX >> 20, g->needed_by);
    if (r == OST_E_NOT_FOUND)
        return ost_fail(g->step, r, "%s needs git, and there is no git in this job", g->needed_by);
    if (r < 0 && r != OST_E_CANCELLED)
        return ost_fail(g->step, r, "cannot run git: %s", g->step->host->last_error(g->step));
    return r;
}

#define GIT(g, ...) repo_git((g), OST_ARGV(__VA_ARGS__))

static const char *context(struct ost_step *step, const char *name)
{
    const char *value = step->host->context(step, name);

    return value ? value : "";
}

static bool is_zeros(const char *id)
{
    return strspn(id, "0") == strlen(id);
}

/* The names under which the base may be known here, best first. Only one base is ever meant: falling
 * back on another would find nothing changed, and all would look well. */
static struct strings base_names(struct ost_step *step, const char *base)
{
    struct strings names = {0};
    const char *target = context(step, "github.base_ref");
    const char *before = context(step, "github.event.before");
    const char *branch = context(step, "github.event.repository.default_branch");

    if (*base) {
        strings_add(step, &names, base);
        if (strncmp(base, "refs/heads/", 11) == 0)
            base += 11;
        strings_add(step, &names, ost_fmt(step, "origin/%s", base));
    } else if (*target) {
        strings_add(step, &names, ost_fmt(step, "origin/%s", target));
        strings_add(step, &names, target);
        if (*context(step, "github.event.pull_request.base.sha"))
            strings_add(step, &names, context(step, "github.event.pull_request.base.sha"));
    } else if (*before && !is_zeros(before)) {
        strings_add(step, &names, before);
    } else if (*branch) {
        strings_add(step, &names, ost_fmt(step, "origin/%s", branch));
        strings_add(step, &names, branch);
    } else {
        strings_add(step, &names, "origin/HEAD");
    }
    return names;
}

#define CURE "let actions/checkout fetch the history ('fetch-depth: 0'), or name another 'base'"

/* The commit that the base is at. */
static ost_status find_base(struct repo *g, const char *base, const char **ret)
{
    struct strings names = base_names(g->step, base);

    for (size_t i = 0; i < names.n; i++) {
        ost_status r;

        if (names.list[i][0] == '-')
            continue; /* no name of a commit begins like an option */
        r = GIT(g, "rev-parse", "--verify", "--quiet",
                ost_fmt(g->step, "%s^{commit}", names.list[i]));
        if (r < 0)
            return r;
        if (g->code == 0) {
            *ret = output_text(g->step, &g->out);
            ost_log(g->step, OST_INFO, "only what changed since '%s' counts", names.list[i]);
            return OST_OK;
        }
    }
    return ost_fail(g->step, OST_E_NOT_FOUND, "this checkout does not know the base '%s': " CURE,
                    names.list[0]);
}

/* Where the working tree left the commit BASE. */
static ost_status find_fork(struct repo *g, const char *base, const char **ret)
{
    ost_status r = GIT(g, "merge-base", base, "HEAD");
    bool shallow;

    if (r < 0)
        return r;
    if (g->code == 0) {
        *ret = output_text(g->step, &g->out);
        return OST_OK;
    }
    r = GIT(g, "rev-parse", "--is-shallow-repository");
    if (r < 0)
        return r;
    shallow = strcmp(output_text(g->step, &g->out), "true") == 0;
    return ost_fail(g->step, OST_E_NOT_FOUND, "%s the base %.12s: " CURE,
                    shallow ? "this checkout is shallow and does not reach back to where it left"
                            : "this checkout has no history in common with",
                    base);
}

ost_status repo_find(struct repo *g, const char *workspace, const char *dir)
{
    ost_status r;

    g->prefix = "";
    g->cwd = workspace;
    r = GIT(g, "rev-parse", "--show-cdup");
    if (r < 0 || g->code == 0)
        return r;
    g->cwd = rel_clean(g->step, rel_join(g->step, workspace, *dir ? dir : "."));
    r = GIT(g, "rev-parse", "--show-cdup");
    if (r < 0)
        return r;
    if (g->code != 0)
        return ost_fail(
            g->step, OST_E_INVALID,
            "%s needs a git repository, and '%s' is in none: add a step with actions/checkout "
            "before this one",
            g->needed_by, *dir ? dir : ".");
    g->prefix = rel_clean(g->step, rel_join(g->step, dir, output_text(g->step, &g->out)));
    g->cwd = rel_join(g->step, workspace, g->prefix);
    return OST_OK;
}

ost_status repo_fork(struct repo *g, const char *base, const char **ret)
{
    const char *commit = NULL;
    ost_status r = find_base(g, base, &commit);

    return r == OST_OK ? find_fork(g, commit, ret) : r;
}
