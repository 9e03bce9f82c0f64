#include "folder.h"

#include <string.h>
#include <strings.h>

static ost_status job_run(struct ost_step *step, const char *what, const char *const *argv)
{
    ost_status r = ost_exec(step, NULL, .flags = OST_EXEC_CHECK | OST_EXEC_QUIET, .argv = argv);

    if (r < 0 && r != OST_E_CANCELLED)
        return ost_fail(step, r, "cannot %s: %s", what, step->host->last_error(step));
    return r;
}

ost_status folder_make(struct ost_step *step, const struct settings *s, bool *ret)
{
    ost_status r = OST_OK;

    *ret = file_is_folder(s->folder);
    if (*ret)
        return OST_OK;
    if (file_exists(s->folder))
        r = job_run(step, "remove a file that is in the way",
                    OST_ARGV("rm", "-f", "--", s->folder));
    if (r == OST_OK)
        r = job_run(step, "make the folder", OST_ARGV("mkdir", "-p", "--", s->folder));
    return r;
}

/* Not the folder itself: it may be where a step is. */
static ost_status empty(struct ost_step *step, const char *folder)
{
    ost_log(step, OST_INFO, "Deleting the contents of '%s'", folder);
    return job_run(step, "empty the folder",
                   OST_ARGV("find", folder, "-mindepth", "1", "-maxdepth", "1", "-exec", "rm",
                            "-rf", "--", "{}", "+"));
}

/* ---- a clone of an earlier job ---- */

static bool is_clone_of(const struct git *g, const char *url)
{
    struct git_answer a;

    return file_is_folder(ost_fmt(g->step, "%s/.git", g->dir)) &&
           git_ask(g, false, GIT_ARGS("config", "--local", "--get", "remote.origin.url"), &a) ==
               OST_OK &&
           a.code == 0 && span_is(span_trim(a.out), url);
}

static bool detach(const struct git *g)
{
    struct git_answer a;

    if (git_ask(g, false,
                GIT_ARGS("rev-parse", "--symbolic-full-name", "--verify", "--quiet", "HEAD"),
                &a) < 0)
        return false;
    return !span_starts(a.out, "refs/heads/") ||
           git_try(g, false, GIT_ARGS("checkout", "--detach"));
}

/* True if neither could be there when the other is to be made: a/b and a. Case does not tell them apart on every
 * file system that a clone may lie on. */
static bool conflict(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);

    return (n < m && strncasecmp(a, b, n) == 0 && b[n] == '/') ||
           (m < n && strncasecmp(a, b, m) == 0 && a[m] == '/');
}

/* Deletes the local branches, or those of origin; with BRANCH only those that leave no room for it. */
static bool delete_branches(const struct git *g, bool remote, const char *branch)
{
    const char *head = remote ? "refs/remotes/" : "refs/heads/";
    struct git_answer a;
    struct span line;

    if (git_ask(g, true,
                GIT_ARGS("rev-parse", "--symbolic-full-name",
                         remote ? "--remotes=origin" : "--branches"),
                &a) < 0 ||
        a.code != 0)
        return false;
    while (span_line(&a.out, &line)) {
        const char *name = span_dup(g->step, span_trim(line));

        if (strncmp(name, head, strlen(head)) == 0)
            name += strlen(head);
        if (!*name || (branch && (strncmp(name, "origin/", 7) != 0 || !conflict(name + 7, branch))))
            continue;
        if (!git_try(g, false,
                     remote ? GIT_ARGS("branch", "--delete", "--force", "--remote", name)
                            : GIT_ARGS("branch", "--delete", "--force", name)))
            return false;
    }
    return true;
}

static bool remove_refs(const struct git *g, const char *ref)
{
    if (!detach(g) || !delete_branches(g, false, NULL))
        return false;
    if (strncasecmp(ref, "refs/heads/", 11) == 0)
        return delete_branches(g, true, ref + 11);
    return !*ref || strncmp(ref, "refs/", 5) == 0 || delete_branches(g, true, ref);
}

static bool prepare_clone(const struct git *g, const struct settings *s)
{
    const struct ost_host *host = g->step->host;
    bool good;

    host->group(g->step, "Removing previously created refs, to avoid conflicts");
    good = remove_refs(g, s->ref);
    host->group(g->step, NULL);
    if (good && !git_try(g, false, GIT_ARGS("submodule", "status"))) {
        ost_log(g->step, OST_INFO, "Bad Submodules found, removing existing files");
        good = false;
    }
    if (good && s->clean) {
        host->group(g->step, "Cleaning the repository");
        good = git_try(g, false, GIT_ARGS("clean", "-ffdx")) &&
               git_try(g, false, GIT_ARGS("reset", "--hard", "HEAD"));
        host->group(g->step, NULL);
    }
    return good;
}

ost_status folder_prepare(const struct git *g, const struct settings *s, const char *url)
{
    struct ost_step *step = g->step;
    ost_status r;

    if (!is_clone_of(g, url))
        return empty(step, s->folder);
    /* Of a git that was killed. */
    r = job_run(step, "remove old locks",
                OST_ARGV("rm", "-f", "--", ost_fmt(step, "%s/.git/index.lock", s->folder),
                         ost_fmt(step, "%s/.git/shallow.lock", s->folder)));
    if (r < 0 || prepare_clone(g, s))
        return r;
    if (step->host->cancelled(step))
        return OST_E_CANCELLED;
    ost_log(step, OST_WARNING,
            "Unable to clean or reset the repository. The repository will be recreated instead.");
    return empty(step, s->folder);
}
