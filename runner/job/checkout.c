/* checkout - actions/checkout in a local run, without a network.
 *
 * Without `ref` the working tree as it is now appears in the workspace: an overlay, so it costs the same
 * for any size and the user's files stay as they are; what git ignores is left out. With another `ref`, or
 * the `repository` of a local clone and a ref, git fetches that commit from the clone's folder. */
#include "base/path.h"
#include "io/git.h"
#include "job/contexts.h"
#include "job/handlers.h"
#include "job/header.h"
#include "job/place.h"
#include "job/process.h"
#include "job/steps.h"

enum { IGNORED_MAX = 16 << 20, COMMANDS_MAX = 8 };

/* actions/checkout's inputs that mean something here; the others are accepted, as a workflow that runs
 * on GitHub may give them, and have nothing to do without a network. */
static const struct action_input inputs[] = {
    {.id = "repository"},
    {.id = "ref"},
    {.id = "token"},
    {.id = "ssh-key"},
    {.id = "ssh-known-hosts"},
    {.id = "ssh-strict"},
    {.id = "ssh-user"},
    {.id = "persist-credentials"},
    {.id = "path"},
    {.id = "clean"},
    {.id = "filter"},
    {.id = "sparse-checkout"},
    {.id = "sparse-checkout-cone-mode"},
    {.id = "fetch-depth"},
    {.id = "fetch-tags"},
    {.id = "show-progress"},
    {.id = "lfs"},
    {.id = "submodules"},
    {.id = "set-safe-directory"},
    {.id = "github-server-url"},
    {.id = "allow-unsafe-pr-checkout"},
};

struct checkout {
    struct process *process;
    const char *const *commands[COMMANDS_MAX]; /* git's, one after the other */
    size_t n_commands, next;
    const char *env_path; /* for the look-up of git */
    const char *folder;   /* where git works, the job's path */
    const char *ref, *commit;
};

static struct slice input(struct step_run *s, const char *name)
{
    const char *value = strmap_get(&s->inputs, name);
    return slice_trim(slice_of(value));
}

static int input_bool(struct step_run *s, const char *name, bool fallback, bool *ret,
                      struct err *err)
{
    static const char *const yes[] = {"true", "True", "TRUE"}, *const no[] = {"false", "False",
                                                                              "FALSE"};
    struct slice value = input(s, name);

    *ret = fallback;
    if (!value.len)
        return ERR_OK;
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        if (slice_eq(value, slice_of(yes[i])) || slice_eq(value, slice_of(no[i]))) {
            *ret = slice_eq(value, slice_of(yes[i]));
            return ERR_OK;
        }
    }
    return err_set(
        err, ERR_INVALID,
        "input '%s' is '%.*s': it does not meet YAML 1.2 \"Core Schema\": write true or false",
        name, SLICE_ARG(slice_head(value, 60)));
}

static const char *github_text(struct step_run *s, const char *key)
{
    const char *value = json_string_value(json_object_get(s->run->github, key));
    return value ? value : "";
}

/* The folder that serves `repository`, and whether it is the run's own. */
static int find_source(struct step_run *s, const char **ret, bool *ret_own, struct err *err)
{
    struct job *j = s->run->job;
    struct slice repository = input(s, "repository"), dir;

    *ret_own =
        !repository.len || slice_eq_nocase(repository, slice_of(github_text(s, "repository")));
    if (*ret_own) {
        if (!j->source)
            return err_set(err, ERR_NOT_FOUND, "this run has no working tree to check out");
        *ret = j->source;
        return ERR_OK;
    }
    if (strmap_find(&j->repositories, repository, &dir)) {
        *ret = dir.ptr;
        return ERR_OK;
    }
    return err_set(err, ERR_NOT_FOUND,
                   "repository '%.*s' is not on this machine: clone it and add "
                   "'--local-repository %.*s=FOLDER'",
                   SLICE_ARG(slice_head(repository, 60)), SLICE_ARG(slice_head(repository, 60)));
}

/* True when REF is what the working tree stands for anyway. */
static bool is_current(struct step_run *s, struct slice ref)
{
    static const char *const keys[] = {"ref", "ref_name", "sha", "head_ref"};

    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (ref.len && slice_eq(ref, slice_of(github_text(s, keys[i]))))
            return true;
    return ref.len == 0;
}

/* ---- the working tree ---- */

/* What git ignores below SOURCE: NUL-separated names in TEXT, folders as a whole. */
static size_t list_ignored(struct step_run *s, const char *source, struct buf *text)
{
    static const char *const args[] = {"ls-files",    "--others", "--ignored", "--exclude-standard",
                                       "--directory", "-z",       NULL};
    struct git_env env = {.path = contexts_path(s, &s->arena), .home = s->run->home};
    struct err err = ERR_INIT;
    size_t n = 0;

    if (s->run->job->source_ignored)
        return 0;
    if (git_run(&env, source, args, text, &err) < 0) {
        log_printf(s->log, LOG_PLAIN, "All files are shown: %s", err.text);
        buf_clear(text);
    }
    for (size_t i = 0; i < text->len; i++)
        n += text->ptr[i] == '\0';
    return n;
}

static const char *const *ignored_list(struct arena *a, const struct buf *text, size_t n)
{
    const char **list = arena_array(a, n + 1, sizeof *list);
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(text->ptr + at);
        size_t keep = len && text->ptr[at + len - 1] == '/' ? len - 1 : len;

        list[i] = arena_str(a, slice_make(text->ptr + at, keep));
        at += len + 1;
    }
    return list;
}

static int show_tree(struct step_run *s, const char *source, const char *folder, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(IGNORED_MAX);
    size_t n = list_ignored(s, source, &text);

    log_printf(s->log, LOG_PLAIN, "Showing the working tree '%s' as it is now", source);
    if (n)
        log_printf(s->log, LOG_PLAIN, "Left out: %zu names that git ignores", n);
    const char *const *ignored = ignored_list(&s->arena, &text, n);
    if (s->run->shared)
        return sandbox_copy_tree(s->run->sandbox, source, folder, ignored, err);
    return sandbox_show_tree(s->run->sandbox, source, folder, ignored, err);
}

/* ---- a commit, by git ---- */

static void add_command(struct step_run *s, struct checkout *c, const char *const *words)
{
    static const char *const head[] = {"git",       "-c", "safe.directory=*",         "-c",
                                       "gc.auto=0", "-c", "advice.detachedHead=false"};
    size_t n = 0;

    while (words[n])
        n++;
    const char **argv = arena_array(&s->arena, COUNT_OF(head) + n + 1, sizeof *argv);
    memcpy(argv, head, sizeof head);
    memcpy(argv + COUNT_OF(head), words, n * sizeof *argv);
    c->commands[c->n_commands++] = argv;
}

struct target {
    const char *refspec, *check_out; /* what to fetch, what to check out then */
    const char *branch;              /* NULL: detached */
};

/* Unqualified names are a branch if there is one, else a tag; hex is a commit. */
static int find_target(struct step_run *s, const struct git_facts *facts, struct slice ref,
                       struct target *ret, char sha[GIT_SHA_SIZE], struct err *err)
{
    const char *name = arena_str(&s->arena, ref);
    struct err ignored = ERR_INIT; /* each place is tried, the last one speaks */
    bool full = slice_starts(ref, SLICE("refs/"));
    const char *branch = full ? name : arena_printf(&s->arena, "refs/heads/%s", name);
    const char *tag = full ? name : arena_printf(&s->arena, "refs/tags/%s", name);
    const char *remote = arena_printf(&s->arena, "refs/remotes/origin/%s", name);

    if (strncmp(branch, "refs/heads/", 11) == 0 &&
        git_ref_read(facts, branch, sha, &ignored) == ERR_OK) {
        const char *to = arena_printf(&s->arena, "refs/remotes/origin/%s", branch + 11);

        *ret = (struct target){.refspec = arena_printf(&s->arena, "+%s:%s", branch, to),
                               .check_out = to,
                               .branch = branch + 11};
        return ERR_OK;
    }
    if (git_ref_read(facts, tag, sha, &ignored) == ERR_OK) {
        *ret = (struct target){.refspec = arena_printf(&s->arena, "+%s:%s", tag, tag),
                               .check_out = tag};
        return ERR_OK;
    }
    if (!full &&
        git_ref_read(facts, remote, sha, &ignored) == ERR_OK) { /* known from the origin only */
        *ret = (struct target){.refspec = arena_printf(&s->arena, "+%s:%s", remote, remote),
                               .check_out = remote,
                               .branch = name};
        return ERR_OK;
    }
    if ((ref.len == 40 || ref.len == 64) && strspn(name, "0123456789abcdefABCDEF") == ref.len) {
        snprintf(sha, GIT_SHA_SIZE, "%s", name);
        *ret = (struct target){.refspec = name, .check_out = name};
        return ERR_OK;
    }
    return err_set(err, ERR_NOT_FOUND, "the repository in '%s' has no branch, tag or commit '%s'",
                   facts->root, name);
}

static int plan_fetch(struct step_run *s, struct checkout *c, const char *source, struct slice ref,
                      struct err *err)
{
    struct git_env env = {.path = contexts_path(s, &s->arena), .home = s->run->home};
    struct arena *a = &s->arena;
    struct slice depth = input(s, "fetch-depth");
    struct git_facts facts;
    struct target target;
    char sha[GIT_SHA_SIZE];

    git_facts_init(&facts);
    int r = git_facts_read(&env, source, &facts, err);
    if (r == ERR_OK && !facts.root)
        r = err_set(err, ERR_NOT_FOUND, "'%s' is no git repository, so it has no ref '%.*s'",
                    source, SLICE_ARG(slice_head(ref, 60)));
    if (r == ERR_OK && !ref.len)
        ref = arena_dup(a, slice_of(facts.head_ref ? facts.head_ref : facts.sha));
    if (r == ERR_OK)
        r = find_target(s, &facts, ref, &target, sha, err);
    const char *from = r == ERR_OK ? arena_str(a, slice_of(facts.common_dir)) : "";
    const char *origin = r == ERR_OK && facts.origin ? arena_str(a, slice_of(facts.origin)) : from;
    git_facts_deinit(&facts);
    if (r < 0)
        return r;
    c->ref = arena_str(a, ref);
    c->commit = arena_str(a, slice_of(sha));

    const char *limit = depth.len ? arena_printf(a, "--depth=%.*s", SLICE_ARG(depth)) : "--depth=1";
    bool all = slice_eq(depth, SLICE("0"));
    add_command(s, c, (const char *const[]){"init", "-q", c->folder, NULL});
    add_command(s, c,
                (const char *const[]){"-C", c->folder, "remote", "add", "origin", origin, NULL});
    add_command(s, c,
                (const char *const[]){"-C", c->folder, "-c", "protocol.version=2", "fetch", "-q",
                                      "--no-recurse-submodules", all ? "--tags" : "--no-tags",
                                      "--upload-pack=git -c safe.directory=* -c "
                                      "uploadpack.allowAnySHA1InWant=true upload-pack",
                                      all ? "--no-auto-gc" : limit, from, target.refspec,
                                      all ? "+refs/heads/*:refs/remotes/origin/*" : NULL, NULL});
    if (target.branch)
        add_command(s, c,
                    (const char *const[]){"-C", c->folder, "checkout", "-q", "--force", "-B",
                                          target.branch, target.check_out, NULL});
    else
        add_command(s, c,
                    (const char *const[]){"-C", c->folder, "checkout", "-q", "--force", "--detach",
                                          target.check_out, NULL});
    return ERR_OK;
}

/* ---- the step ---- */

static void set_outputs(struct step_run *s, const char *ref, const char *commit)
{
    step_set_output(s, SLICE("ref"), slice_of(ref));
    step_set_output(s, SLICE("commit"), slice_of(commit));
}

static void log_command(struct step_run *s, const char *const *argv)
{
    CLEANUP(buf_deinit) struct buf line = BUF_INIT(64 << 10);

    for (; *argv; argv++)
        buf_printf(&line, "%s%s", line.len ? " " : "", *argv);
    log_printf(s->log, LOG_PLAIN, "[command]%s", line.ptr);
}

static void on_git_end(void *ctx, struct sandbox_exit how);

static int next_command(struct step_run *s, struct err *err)
{
    CLEANUP(strmap_deinit) struct strmap env = STRMAP_INIT;
    struct checkout *c = s->state;

    contexts_environ(s, false, &env);
    strmap_set(&env, SLICE("GIT_TERMINAL_PROMPT"), SLICE("0"));
    struct process_spec spec = {
        .argv = c->commands[c->next++],
        .env = contexts_envp(&s->arena, &env),
        .search_path = c->env_path,
        .cwd = s->run->workspace,
    };
    log_command(s, spec.argv);
    return process_start(s, &spec, on_git_end, s, &c->process, err);
}

static void on_git_end(void *ctx, struct sandbox_exit how)
{
    struct step_run *s = ctx;
    struct checkout *c = s->state;
    struct err err = ERR_INIT;

    c->process = process_free(c->process);
    if (how.code != 0) {
        if (!s->timed_out && !s->cancelled)
            log_issue(s->log, ANNOTATION_ERROR, "The process 'git' failed with exit code %d",
                      how.code);
        step_end(s, RESULT_FAILURE);
    } else if (c->next == c->n_commands) {
        set_outputs(s, c->ref, c->commit);
        step_end(s, RESULT_SUCCESS);
    } else if (next_command(s, &err) < 0) {
        step_fail(s, err.text);
    }
}

/* Empties the folder when it is to be clean. A second checkout over the first one is fine. */
static int prepare_folder(struct step_run *s, const char *folder, struct err *err)
{
    bool clean;
    int r = input_bool(s, "clean", true, &clean, err);

    if (r == ERR_OK)
        r = place_mkdirs(s->run, folder, err);
    if (r < 0 || !place_is_filled(s->run, folder))
        return r;
    if (!clean)
        return err_set(err, ERR_INVALID,
                       "'%s' holds files already and `clean` is false: give another `path`",
                       folder);
    log_printf(s->log, LOG_PLAIN, "Deleting the contents of '%s'", folder);
    return place_empty(s->run, folder, err);
}

static int find_folder(struct step_run *s, const char **ret, struct err *err)
{
    CLEANUP(free_ptr) char *path = mem_dup(input(s, "path").ptr, input(s, "path").len);
    CLEANUP(free_ptr) char *joined = path_join(s->run->workspace, path);
    CLEANUP(free_ptr) char *normal = path_normal(joined);

    if (!path_below(normal, s->run->workspace))
        return err_set(err, ERR_DENIED, "Repository path '%s' is not under '%s'", normal,
                       s->run->workspace);
    *ret = arena_str(&s->arena, slice_of(normal));
    return ERR_OK;
}

static int checkout_start(struct step_run *s, struct err *err)
{
    struct checkout *c = mem_new(sizeof *c);
    const char *source;
    bool own;

    s->state = c;
    int r = inputs_evaluate(s, inputs, COUNT_OF(inputs), err);
    if (r < 0)
        return r;
    header_action(s);
    struct slice ref = input(s, "ref");
    r = find_source(s, &source, &own, err);
    if (r == ERR_OK)
        r = find_folder(s, &c->folder, err);
    if (r == ERR_OK)
        r = prepare_folder(s, c->folder, err);
    if (r < 0)
        return r;
    if (own)
        vec_push(&s->run->trees, mem_dup(c->folder, strlen(c->folder)));
    if (own ? is_current(s, ref) : !ref.len) {
        r = show_tree(s, source, c->folder, err);
        if (r < 0)
            return r;
        set_outputs(s, github_text(s, "ref"), github_text(s, "sha"));
        step_end(s, RESULT_SUCCESS);
        return ERR_OK;
    }
    r = plan_fetch(s, c, source, ref, err);
    c->env_path = contexts_path(s, &s->arena);
    return r < 0 ? r : next_command(s, err);
}

static void checkout_stop(struct step_run *s, bool now)
{
    struct checkout *c = s->state;

    if (c && c->process)
        process_stop(c->process, now);
}

static void checkout_release(struct step_run *s)
{
    struct checkout *c = s->state;

    if (!c)
        return;
    s->state = NULL;
    process_free(c->process);
    free(c);
}

const struct handler handler_checkout = {"checkout", checkout_start, checkout_stop,
                                         checkout_release};
