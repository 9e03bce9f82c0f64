/* checkout - actions/checkout, served natively: the source that a local run has at hand where it has it, else by the
 * job's git from the server, command by command as the action does it. */
#include "auth.h"
#include "get.h"

#include <string.h>

/* Any word that means something to the action; others are mistakes. */
static const char *const submodule_choices[] = {"false", "true", "recursive", "False",     "True",
                                                "FALSE", "TRUE", "Recursive", "RECURSIVE", NULL};

static const struct ost_input inputs[] = {
    {.name = "repository",
     .fallback = "${{ github.repository }}",
     .description = "Repository name with owner, for example actions/checkout"},
    {.name = "ref",
     .description =
         "Branch, tag or SHA to check out; default: the one of the event, or the default "
         "branch of another repository"},
    {.name = "token",
     .flags = OST_SECRET,
     .fallback = "${{ github.token }}",
     .description = "Token to fetch the repository with"},
    {.name = "ssh-key",
     .flags = OST_SECRET,
     .description = "SSH key to fetch the repository with, instead of the token"},
    {.name = "ssh-known-hosts",
     .description = "Known hosts, besides those of the user and github.com"},
    {.name = "ssh-strict",
     .type = OST_BOOL,
     .fallback = "true",
     .description = "Refuse hosts whose key is not known"},
#if CHECKOUT_MAJOR >= 4
    {.name = "ssh-user", .fallback = "git", .description = "User to be on the SSH host"},
#endif
    {.name = "persist-credentials",
     .type = OST_BOOL,
     .fallback = "true",
     .description = "Leave the token or key to the git of later steps, until the job ends"},
    {.name = "path", .description = "Folder below the workspace to put the repository in"},
    {.name = "clean",
     .type = OST_BOOL,
     .fallback = "true",
     .description = "Run git clean -ffdx and git reset --hard HEAD before fetching"},
#if CHECKOUT_MAJOR >= 4
    {.name = "filter", .description = "Filter of a partial clone, for example blob:none"},
#endif
    {.name = "sparse-checkout",
     .type = OST_LIST,
     .description = "Check out only what these patterns name, one a line"},
    {.name = "sparse-checkout-cone-mode",
     .type = OST_BOOL,
     .fallback = "true",
     .description = "The patterns are folders"},
    {.name = "fetch-depth",
     .type = OST_INT,
     .fallback = "1",
     .description = "Number of commits to fetch; 0: all history of all branches and tags"},
    {.name = "fetch-tags",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "Fetch all tags, whatever the depth"},
#if CHECKOUT_MAJOR >= 4
    {.name = "show-progress",
     .type = OST_BOOL,
     .fallback = "true",
     .description = "Show how far fetching is"},
#endif
    {.name = "lfs",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "Fetch the files of Git LFS"},
    {.name = "submodules",
     .type = OST_CHOICE,
     .choices = submodule_choices,
     .fallback = "false",
     .description =
         "Check out submodules, too: true, or recursive for those of submodules as well"},
    {.name = "set-safe-directory",
     .type = OST_BOOL,
     .fallback = "true",
     .description = "Let the git of this step work in the folder, whoever owns it"},
    {.name = "github-server-url",
     .description = "Server to fetch from; default: the one of the workflow"},
    {.name = "allow-unsafe-pr-checkout",
     .type = OST_BOOL,
     .fallback = "false",
     .description =
         "Allow the code of a fork in a job that has the secrets of the repository it was "
         "sent to"},
};

#if CHECKOUT_MAJOR >= 4
static const struct ost_output outputs[] = {
    {"ref", "The branch, tag or SHA that was checked out"},
    {"commit", "The commit SHA that was checked out"},
};
#define OUTPUTS OST_OUTPUTS(outputs)
#else
#define OUTPUTS .outputs = NULL
#endif

static ost_status checkout_main(struct ost_step *step)
{
    struct settings s;
    ost_status r = settings_read(step, &s);

    return r == OST_OK ? get_source(step, &s) : r;
}

/* Never fails the job: what cannot be taken back is a warning. */
static ost_status checkout_post(struct ost_step *step)
{
    const char *folder = step->host->saved(step, "repositoryPath");
    const char *server = step->host->saved(step, "server");
    struct git git = {.step = step, .dir = folder ? folder : ""};
    struct strings files = {0};

    if (folder && file_exists(ost_fmt(step, "%s/.git/config", folder)) &&
        git_find(step, folder, &git) < 0)
        git.program = NULL;
    auth_files(step, &files);
    auth_remove(&git, server ? server : "", &files);
    return OST_OK;
}

static ost_status checkout_plan(struct ost_step *step)
{
    struct settings s;
    ost_status r = settings_read(step, &s);

    if (r < 0)
        return r;
    const char *where = rel_from(s.workspace, s.folder);
    return step->host->plan(step, "check out",
                            *s.given ? ost_fmt(step, "%s/%s at %s", s.owner, s.name, s.given)
                                     : ost_fmt(step, "%s/%s", s.owner, s.name),
                            strcmp(where, ".") == 0 ? "" : ost_fmt(step, "into %s", where));
}

OST_PLUGIN(.id = "actions/checkout", .version = CHECKOUT_VERSION, .title = "Checkout",
           .description = "Checks out a Git repository at a particular version", .author = "Ostler",
           OST_INPUTS(inputs), OUTPUTS, .traits = OST_POST_IF_SAVED, .plan = checkout_plan,
           .main = checkout_main, .post = checkout_post);
