#include "get.h"

#include "../lib/job.h"
#include "auth.h"
#include "folder.h"
#include "mirror.h"
#include "refs.h"

#include <ostler/ext.h>
#include <string.h>

static const char matcher[] = "{\"problemMatcher\": [{\"owner\": \"checkout-git\", \"pattern\": "
                              "[{\"regexp\": \"^(fatal|error): (.*)$\", \"message\": 2}]}]}\n";

struct work {
    struct ost_step *step;
    const struct settings *s;
    struct git git;
    struct auth auth;
    struct wanted wanted; /* as far as it is known */
    struct target target;
    const char *url;    /* of the remote "origin" */
    const char *source; /* what is fetched from: "origin", or a folder of this machine */
    const char *format; /* an argument for git init; NULL: none */
    bool existed;       /* the folder did */
    bool fresh;         /* a repository has to be made in it */
    bool shown;         /* all is there: the run had it */
};

static ost_status set_outputs(struct work *w, const char *ref, const char *commit)
{
    if (!HAS_FILTER) /* nor had it outputs */
        return OST_OK;
    ost_status r = w->step->host->output(w->step, "ref", ref);
    return r == OST_OK ? w->step->host->output(w->step, "commit", commit) : r;
}

/* ---- what the run has at hand ---- */

static ost_status take_source(struct work *w, const struct ost_source *found)
{
    w->source = found->folder;
    w->url = *found->origin ? found->origin : found->folder;
    w->wanted = (struct wanted){found->ref, found->commit};
    return OST_OK;
}

/* A local run may show its own tree, or know a clone to fetch from. */
static ost_status ask_run(struct work *w)
{
    const struct ost_source_v1 *run = w->step->host->extension(w->step, OST_EXT_SOURCE);
    const struct settings *s = w->s;
    struct ost_source found = {.struct_size = sizeof found};
    const struct ost_source_query query = {
        .struct_size = sizeof query,
        .flags = s->clean ? OST_SOURCE_CLEAN : 0,
        .repository = ost_fmt(w->step, "%s/%s", s->owner, s->name),
        .ref = s->given,
        .path = s->folder,
    };
    ost_status r = run ? run->find(w->step, &query, &found) : OST_E_NOT_FOUND;

    if (r == OST_E_NOT_FOUND)
        return OST_OK;
    if (r == OST_E_CANCELLED)
        return r;
    if (r < 0)
        return ost_fail(w->step, r, "%s", w->step->host->last_error(w->step));
    if (!found.shown)
        return take_source(w, &found);
    w->shown = true;
    return set_outputs(w, found.ref, found.commit);
}

/* ---- the stages, in order ---- */

static ost_status make_folder(struct work *w)
{
    return folder_make(w->step, w->s, &w->existed);
}

static ost_status check_lfs(struct work *w)
{
    struct git_answer a;
    ost_status r = git_ask(&w->git, false, GIT_ARGS("lfs", "version"), &a);

    if (r == OST_E_CANCELLED || (r == OST_OK && a.code == 0))
        return r;
    return ost_fail(w->step, OST_E_NOT_FOUND,
                    "`lfs: true` needs git-lfs, which is not installed here: install git-lfs");
}

static ost_status find_git(struct work *w)
{
    enum { SPARSE_MINOR = HAS_SPARSE_RESET ? 28 : 25 };

    ost_log(w->step, OST_INFO, "Working directory is '%s'", w->s->folder);
    ost_status r = git_find(w->step, w->s->folder, &w->git);

    if (r == OST_E_NOT_FOUND)
        return ost_fail(w->step, r,
                        "git 2.18 or newer is needed, and not installed here: install git");
    if (r < 0)
        return r == OST_E_CANCELLED
                   ? r
                   : ost_fail(w->step, r, "cannot run git: %s", w->step->host->last_error(w->step));
    w->git.lfs = w->s->lfs;
    if (w->s->n_sparse && !git_is(&w->git, 2, SPARSE_MINOR))
        return ost_fail(w->step, OST_E_UNSUPPORTED,
                        "sparse-checkout needs git 2.%d or newer, here is %u.%u", SPARSE_MINOR,
                        w->git.major, w->git.minor);
    return w->s->lfs ? check_lfs(w) : OST_OK;
}

static ost_status make_safe(struct work *w)
{
    ost_status r = auth_init(&w->auth, w->s, &w->git);

    if (r < 0 || !w->s->safe_directory)
        return r;
    r = auth_temporary_home(&w->auth);
    if (r < 0)
        return r;
    ost_log(w->step, OST_INFO,
            "Adding repository directory to the temporary git global config as a safe directory");
    return git_run(&w->git,
                   GIT_ARGS("config", "--global", "--add", "safe.directory", w->s->folder));
}

static ost_status prepare_folder(struct work *w)
{
    ost_status r = w->existed ? folder_prepare(&w->git, w->s, w->url) : OST_OK;

    w->fresh = w->auth.fresh = !file_is_folder(ost_fmt(w->step, "%s/.git", w->s->folder));
    if (r == OST_OK)
        r = w->step->host->save(w->step, "repositoryPath", w->s->folder);
    return r == OST_OK ? w->step->host->save(w->step, "server", w->s->server) : r;
}

static bool is_fresh(const struct work *w)
{
    return w->fresh;
}

static bool has_format(const struct work *w)
{
    return w->fresh && HAS_OBJECT_FORMAT;
}

/* The line "COMMIT<tab>HEAD" of ls-remote; size 0: none. */
static struct span head_commit(struct span text)
{
    struct span line, commit;

    while (span_line(&text, &line))
        if (span_eat_until(&line, '\t', &commit) && span_is(line, "HEAD") &&
            !span_starts(commit, "ref:"))
            return commit;
    return (struct span){"", 0};
}

/* Asked of the server, where no commit tells: the length of any will do. What goes wrong here goes wrong again, and
 * is told, when it is fetched. */
static bool is_sha256(struct work *w)
{
    struct git asking = w->git;
    struct git_answer a;

    if (*w->wanted.commit)
        return strlen(w->wanted.commit) == 64;
    if (*w->s->ssh_key)
        return false;
    asking.setting = w->auth.header ? w->auth.key : NULL;
    asking.value = w->auth.header;
    return git_ask(&asking, true, GIT_ARGS("ls-remote", "--quiet", w->url, "HEAD"), &a) == OST_OK &&
           a.code == 0 && head_commit(a.out).size == 64;
}

static ost_status find_format(struct work *w)
{
    w->format = is_sha256(w) ? "--object-format=sha256" : NULL;
    if (w->format)
        ost_log(w->step, OST_INFO, "Detected SHA-256 repository object format");
    return w->step->host->cancelled(w->step) ? OST_E_CANCELLED : OST_OK;
}

static ost_status initialize(struct work *w)
{
    const char *quiet = "init.defaultBranch=main"; /* else git has a lot to say about its choice */
    ost_status r =
        git_run(&w->git, w->format ? GIT_ARGS("-c", quiet, "init", w->format, w->s->folder)
                                   : GIT_ARGS("-c", quiet, "init", w->s->folder));

    return r == OST_OK ? git_run(&w->git, GIT_ARGS("remote", "add", "origin", w->url)) : r;
}

static ost_status stop_gc(struct work *w)
{
    if (!git_try(&w->git, false, GIT_ARGS("config", "--local", "gc.auto", "0")))
        ost_log(w->step, OST_WARNING,
                "Unable to turn off git automatic garbage collection. The git fetch operation may "
                "trigger garbage collection and cause a delay.");
    return OST_OK;
}

static ost_status set_up_auth(struct work *w)
{
    return auth_configure(&w->auth);
}

static bool has_no_ref(const struct work *w)
{
    return !*w->wanted.ref && !*w->wanted.commit;
}

static ost_status find_default_branch(struct work *w)
{
    struct git_answer a;
    struct span rest, line, ref;
    ost_status r = git_run_again(
        &w->git, GIT_ARGS("ls-remote", "--quiet", "--exit-code", "--symref", w->url, "HEAD"), &a);

    if (r < 0)
        return r;
    rest = a.out;
    while (span_line(&rest, &line))
        if (span_eat(&line, "ref:") && span_eat_until(&line, '\t', &ref)) {
            w->wanted.ref = span_dup(w->step, span_trim(ref));
            ost_log(w->step, OST_INFO, "Default branch '%s'", w->wanted.ref);
            return OST_OK;
        }
    w->wanted.commit = span_dup(w->step, head_commit(a.out)); /* it has none: HEAD is a commit */
    return *w->wanted.commit ? OST_OK
                             : ost_fail(w->step, OST_E_NOT_FOUND,
                                        "%s has no default branch: give a `ref`", w->url);
}

static bool wants_lfs(const struct work *w)
{
    return w->s->lfs;
}

static ost_status install_lfs(struct work *w)
{
    return git_run(&w->git, GIT_ARGS("lfs", "install", "--local"));
}

/* ---- fetching ---- */

static ost_status fetch_refs(struct work *w, const struct strings *refspecs)
{
    struct ost_step *step = w->step;
    struct strings args = {0};
    bool all_tags = refspecs->n > 1 && strcmp(refspecs->list[1], "+refs/tags/*:refs/tags/*") == 0;
    const char *filter = *w->s->filter ? w->s->filter : w->s->n_sparse ? "blob:none" : "";

    strings_add(step, &args, "-c");
    strings_add(step, &args, "protocol.version=2");
    strings_add(step, &args, "fetch");
    if (HAS_TAGS_AS_THEY_ARE || !(all_tags || w->s->tags))
        strings_add(step, &args, "--no-tags");
    strings_add(step, &args, "--prune");
    if (w->s->progress)
        strings_add(step, &args, "--progress");
    strings_add(step, &args, "--no-recurse-submodules");
    if (*filter)
        strings_add(step, &args, ost_fmt(step, "--filter=%s", filter));
    if (w->s->depth > 0)
        strings_add(step, &args, ost_fmt(step, "--depth=%lld", (long long)w->s->depth));
    else if (file_exists(ost_fmt(step, "%s/.git/shallow", w->s->folder)))
        strings_add(step, &args, "--unshallow");
    if (strcmp(w->source, "origin") !=
        0) /* a clone of the user's, who is somebody else to the job */
        strings_add(step, &args,
                    "--upload-pack=git -c safe.directory=* -c uploadpack.allowAnySHA1InWant=true "
                    "-c uploadpack.allowFilter=true upload-pack");
    strings_add(step, &args, w->source);
    for (size_t i = 0; i < refspecs->n; i++)
        strings_add(step, &args, refspecs->list[i]);
    ost_status r = git_run_again(&w->git, strings_list(&args), NULL);
    if (r == OST_E_NOT_FOUND)
        return ost_fail(step, r, "A branch or tag with the name '%s' could not be found",
                        w->wanted.ref);
    return r;
}

static ost_status moved(struct work *w)
{
    return ost_fail(
        w->step, OST_E_FAILED,
        "The ref '%s' does not point to the expected commit '%s'. The ref may have been "
        "updated after the workflow was triggered.",
        w->wanted.ref, w->wanted.commit);
}

/* Exactly what is wanted. */
static ost_status fetch_some(struct work *w, bool tags)
{
    struct strings refspecs = {0};
    bool good;

    refs_to_fetch(w->step, &w->wanted, tags, &refspecs);
    ost_status r = fetch_refs(w, &refspecs);
    if (r < 0 || !HAS_TAGS_AS_THEY_ARE) /* before, nobody looked */
        return r;
    r = refs_test(&w->git, &w->wanted, &good);
    return r < 0 || good ? r : moved(w);
}

static ost_status fetch_all(struct work *w)
{
    struct strings refspecs = {0};
    bool good;

    refs_of_all(w->step, &w->wanted, &refspecs);
    ost_status r = fetch_refs(w, &refspecs);
    if (r == OST_OK)
        r = refs_test(&w->git, &w->wanted, &good);
    /* It may have moved on, or been pushed away, since the event. */
    return r < 0 || good ? r : fetch_some(w, false);
}

/* Of all there is only what every server shows: a pull request is in no mirror. */
static ost_status fetch_known(struct work *w)
{
    const struct wanted none = {"", ""};
    struct strings refspecs = {0};

    if (strcmp(w->source, "origin") != 0)
        return OST_OK;
    if (w->s->depth == 0)
        refs_of_all(w->step, &none, &refspecs);
    else
        refs_to_fetch(w->step, &w->wanted, w->s->tags, &refspecs);
    return mirror_fetch(&w->auth, strings_list(&refspecs));
}

static ost_status fetch(struct work *w)
{
    ost_status r = fetch_known(w);

    if (r < 0)
        return r;
    return w->s->depth == 0 ? fetch_all(w) : fetch_some(w, w->s->tags);
}

/* ---- checking out ---- */

static ost_status find_target(struct work *w)
{
    return refs_target(&w->git, &w->wanted, &w->target);
}

static bool wants_lfs_now(const struct work *w)
{
    return w->s->lfs && !w->s->n_sparse; /* else checkout gets those that it needs */
}

static ost_status fetch_lfs(struct work *w)
{
    const char *from = *w->target.start ? w->target.start : w->target.ref;

    return git_run_again(&w->git, GIT_ARGS("lfs", "fetch", "origin", from), NULL);
}

static bool is_sparse(const struct work *w)
{
    return w->s->n_sparse > 0;
}

static bool is_whole(const struct work *w)
{
    return !w->s->n_sparse && HAS_SPARSE_RESET && git_is(&w->git, 2, 28);
}

static ost_status end_sparse(struct work *w)
{
    ost_status r = git_run(&w->git, GIT_ARGS("sparse-checkout", "disable"));

    if (r == OST_OK) /* which it leaves behind, and older gits stumble over */
        (void)git_try(&w->git, false,
                      GIT_ARGS("config", "--local", "--unset-all", "extensions.worktreeConfig"));
    return r;
}

static ost_status set_patterns(struct work *w)
{
    struct sink text = {.step = w->step};
    ost_status r = git_run(&w->git, GIT_ARGS("config", "core.sparseCheckout", "true"));

    sink_addf(&text, "\n");
    for (size_t i = 0; i < w->s->n_sparse; i++)
        sink_addf(&text, "%s\n", w->s->sparse[i]);
    if (r < 0)
        return r;
    const struct ost_exec exec = {
        .flags = OST_EXEC_CHECK | OST_EXEC_QUIET,
        .argv =
            OST_ARGV("sh", "-c", "cat >>\"$(\"$1\" rev-parse --git-path info/sparse-checkout)\"",
                     "sh", w->git.program),
        .input = sink_text(&text),
        .input_size = strlen(sink_text(&text)),
    };
    r = git_exec(&w->git, exec, NULL);
    return r < 0 && r != OST_E_CANCELLED
               ? ost_fail(w->step, r, "cannot write the patterns of sparse-checkout: %s",
                          w->step->host->last_error(w->step))
               : r;
}

static ost_status set_up_sparse(struct work *w)
{
    struct strings args = {0};

    if (!w->s->cone)
        return set_patterns(w);
    strings_add(w->step, &args, "sparse-checkout");
    strings_add(w->step, &args, "set");
    for (size_t i = 0; i < w->s->n_sparse; i++)
        strings_add(w->step, &args, w->s->sparse[i]);
    return git_run(&w->git, strings_list(&args));
}

static ost_status check_out(struct work *w)
{
    const struct target *t = &w->target;

    return git_run(&w->git,
                   *t->start ? GIT_ARGS("checkout", "--progress", "--force", "-B", t->ref, t->start)
                             : GIT_ARGS("checkout", "--progress", "--force", t->ref));
}

/* ---- submodules ---- */

static bool wants_submodules(const struct work *w)
{
    return w->s->submodules != SUBMODULES_NONE;
}

static ost_status set_up_submodule_auth(struct work *w)
{
    return auth_configure_all(&w->auth);
}

/* "git HEAD... [--depth=N] [--recursive] TAIL" */
static ost_status submodule(struct work *w, const char *const *head, bool depth, const char *tail)
{
    struct strings args = {0};

    for (; *head; head++)
        strings_add(w->step, &args, *head);
    if (depth && w->s->depth > 0)
        strings_add(w->step, &args, ost_fmt(w->step, "--depth=%lld", (long long)w->s->depth));
    if (w->s->submodules == SUBMODULES_ALL)
        strings_add(w->step, &args, "--recursive");
    if (tail)
        strings_add(w->step, &args, tail);
    return git_run(&w->git, strings_list(&args));
}

static ost_status fetch_submodules(struct work *w)
{
    ost_status r = submodule(w, GIT_ARGS("submodule", "sync"), false, NULL);

    if (r == OST_OK)
        r = submodule(
            w, GIT_ARGS("-c", "protocol.version=2", "submodule", "update", "--init", "--force"),
            true, NULL);
    return r == OST_OK ? submodule(w, GIT_ARGS("submodule", "foreach"), false,
                                   "git config --local gc.auto 0")
                       : r;
}

static bool keeps_submodule_auth(const struct work *w)
{
    return w->s->submodules != SUBMODULES_NONE && w->s->persist;
}

static ost_status keep_submodule_auth(struct work *w)
{
    return auth_configure_submodules(&w->auth);
}

/* ---- all of it ---- */

static ost_status tell_commit(struct work *w)
{
    struct git_answer a;
    ost_status r = git_ask(&w->git, false, GIT_ARGS("log", "-1", "--format=%H"), &a);

    if (r == OST_OK && a.code != 0)
        return ost_fail(w->step, OST_E_FAILED, "there is no commit in '%s'", w->s->folder);
    if (r < 0)
        return r;
    const char *ref = *w->s->given && w->source[0] == '/' ? w->s->given : w->wanted.ref;
    return set_outputs(w, ref, span_dup(w->step, span_trim(a.out)));
}

struct stage {
    const char *title; /* of its group; NULL: none */
    bool (*when)(const struct work *w);
    ost_status (*run)(struct work *w);
};

static const struct stage stages[] = {
    {NULL, NULL, make_folder},
    {"Getting Git version info", NULL, find_git},
    {NULL, NULL, make_safe},
    {NULL, NULL, prepare_folder},
    {"Determining repository object format", has_format, find_format},
    {"Initializing the repository", is_fresh, initialize},
    {"Disabling automatic garbage collection", NULL, stop_gc},
    {"Setting up auth", NULL, set_up_auth},
    {"Determining the default branch", has_no_ref, find_default_branch},
    {NULL, wants_lfs, install_lfs},
    {"Fetching the repository", NULL, fetch},
    {"Determining the checkout info", NULL, find_target},
    {"Fetching LFS objects", wants_lfs_now, fetch_lfs},
    {NULL, is_whole, end_sparse},
    {"Setting up sparse checkout", is_sparse, set_up_sparse},
    {"Checking out the ref", NULL, check_out},
    {"Setting up auth for fetching submodules", wants_submodules, set_up_submodule_auth},
    {"Fetching submodules", wants_submodules, fetch_submodules},
    {"Persisting credentials for submodules", keeps_submodule_auth, keep_submodule_auth},
    {NULL, NULL, tell_commit},
};

static ost_status run_stages(struct work *w)
{
    const struct ost_host *host = w->step->host;
    ost_status r = OST_OK;

    for (size_t i = 0; i < sizeof stages / sizeof stages[0] && r == OST_OK; i++) {
        const struct stage *stage = &stages[i];

        if (stage->when && !stage->when(w))
            continue;
        if (stage->title)
            host->group(w->step, stage->title);
        r = stage->run(w);
        if (stage->title)
            host->group(w->step, NULL);
    }
    return r;
}

/* What may not stay until the job ends. After a cancel no command runs any more: the post phase does it. */
static void tidy(struct work *w)
{
    struct ost_step *step = w->step;
    struct strings files = {0};

    if (!w->git.step || step->host->cancelled(step))
        return;
    if (!w->s->persist) {
        step->host->group(step, "Removing auth");
        auth_files(step, &files);
        auth_remove(&w->git, w->s->server, &files);
        step->host->group(step, NULL);
    } else if (w->git.home) {
        (void)ost_exec(step, NULL, .flags = OST_EXEC_QUIET,
                       .argv = OST_ARGV("rm", "-rf", "--", w->git.home));
    }
}

static ost_status get(struct work *w)
{
    ost_log(w->step, OST_INFO, "Syncing repository: %s/%s", w->s->owner, w->s->name);
    ost_status r = ask_run(w);

    if (r < 0 || w->shown)
        return r;
    r = job_add_matchers(w->step, "checkout-git.json", matcher);
    if (r < 0)
        return r;
    r = run_stages(w);
    tidy(w);
    (void)ost_exec(w->step, NULL, .flags = OST_EXEC_COMMANDS,
                   .argv = OST_ARGV("echo", "::remove-matcher owner=checkout-git::"));
    return r;
}

ost_status get_source(struct ost_step *step, const struct settings *s)
{
    struct work *w = step->host->alloc(step, sizeof *w);

    *w = (struct work){
        .step = step, .s = s, .wanted = {s->ref, s->commit}, .url = s->url, .source = "origin"};
    return get(w);
}
