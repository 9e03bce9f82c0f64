#include "job/kinds/source.h"

#include "base/path.h"
#include "io/git.h"
#include "io/git_changes.h"
#include "job/contexts.h"
#include "job/place.h"
#include "job/steps.h"

enum { IGNORED_MAX = 16 << 20 };

static const char *github_text(struct step_run *s, const char *key)
{
    const char *value = json_string_value(json_object_get(s->run->github, key));
    return value ? value : "";
}

static struct git_env git_env(struct step_run *s)
{
    return (struct git_env){.path = contexts_path(s, &s->arena), .home = s->run->home};
}

/* ---- the working tree ---- */

/* True when REF is what the working tree stands for anyway. */
static bool is_current(struct step_run *s, struct slice ref)
{
    static const char *const keys[] = {"ref", "ref_name", "sha", "head_ref"};

    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (ref.len && slice_eq(ref, slice_of(github_text(s, keys[i]))))
            return true;
    return ref.len == 0;
}

/* What git ignores below SOURCE: NUL-separated names in TEXT, folders as a whole. */
static size_t list_ignored(struct step_run *s, const char *source, struct buf *text)
{
    static const char *const args[] = {"ls-files",    "--others", "--ignored", "--exclude-standard",
                                       "--directory", "-z",       NULL};
    const struct git_env env = git_env(s);
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

static int overlay(struct step_run *s, const char *source, const char *folder, struct err *err)
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

/* The folder has to be empty for it. */
static int prepare_folder(struct step_run *s, const struct plugin_source_query *query,
                          struct err *err)
{
    CLEANUP(free_ptr) char *normal = path_normal(query->path);
    int r = ERR_OK;

    if (query->path[0] != '/' || !path_below(normal, s->run->workspace))
        return err_set(err, ERR_DENIED, "'%s' is not under '%s'", normal, s->run->workspace);
    r = place_mkdirs(s->run, query->path, err);
    if (r < 0 || !place_is_filled(s->run, query->path))
        return r;
    if (!query->clean)
        return err_set(err, ERR_INVALID,
                       "'%s' holds files already and `clean` is false: give another `path`",
                       query->path);
    log_printf(s->log, LOG_PLAIN, "Deleting the contents of '%s'", query->path);
    return place_empty(s->run, query->path, err);
}

static int show(struct step_run *s, const struct plugin_source_query *query,
                struct plugin_source *ret, struct err *err)
{
    int r = prepare_folder(s, query, err);

    if (r == ERR_OK)
        r = overlay(s, s->run->job->source, query->path, err);
    *ret = (struct plugin_source){.shown = true,
                                  .folder = "",
                                  .origin = "",
                                  .ref = github_text(s, "ref"),
                                  .commit = github_text(s, "sha")};
    return r;
}

/* ---- other commits of a clone ---- */

static bool is_hex(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!strchr("0123456789abcdefABCDEF", text.ptr[i]))
            return false;
    return text.len == 40 || text.len == 64;
}

/* Unqualified names are a branch if there is one, else a tag, else a branch that only the clone's origin has; hex is
 * a commit. */
static int find_commit(struct step_run *s, const struct git_facts *facts, struct slice ref,
                       struct plugin_source *ret, struct err *err)
{
    static const char *const places[][2] = {
        {"refs/heads/", "refs/heads/"}, /* as it is called here, and where it is */
        {"refs/tags/", "refs/tags/"},
        {"refs/heads/", "refs/remotes/origin/"},
    };
    const struct git_env env = git_env(s);
    const char *name = arena_str(&s->arena, ref);
    char sha[GIT_SHA_SIZE] = "";
    struct err ignored = ERR_INIT; /* each place is tried */
    bool found = false;

    for (size_t i = 0; i < COUNT_OF(places) && !found && !is_hex(ref); i++) {
        bool full = slice_starts(ref, slice_of(places[i][0]));
        const char *tail = full ? name + strlen(places[i][0]) : name;
        const char *place = arena_printf(&s->arena, "%s%s", places[i][1], tail);

        ret->ref = arena_printf(&s->arena, "%s%s", places[i][0], tail);
        found = (full || !slice_starts(ref, SLICE("refs/"))) &&
                git_ref_read(facts, place, sha, &ignored) == ERR_OK &&
                git_commit_find(&env, facts->dir, place, sha, &ignored) == ERR_OK;
    }
    if (is_hex(ref)) {
        ret->ref = "";
        found = git_commit_find(&env, facts->dir, name, sha, &ignored) == ERR_OK;
    }
    if (!found)
        return err_set(err, facts->origin && !s->run->job->offline ? ERR_NOT_FOUND : ERR_DENIED,
                       "the repository in '%s' has no branch, tag or commit '%s'", facts->root,
                       name);
    ret->commit = arena_str(&s->arena, slice_of(sha));
    return ERR_OK;
}

static int find_in_clone(struct step_run *s, const char *source, struct slice ref,
                         struct plugin_source *ret, struct err *err)
{
    const struct git_env env = git_env(s);
    struct git_facts facts;

    git_facts_init(&facts);
    int r = git_facts_read(&env, source, &facts, err);
    if (r == ERR_OK && !facts.root)
        r = err_set(err, ERR_DENIED, "'%s' is no git repository, so it has no ref '%.*s'", source,
                    SLICE_ARG(slice_head(ref, 60)));
    if (r == ERR_OK && !ref.len)
        ref = slice_of(facts.head_ref ? facts.head_ref : facts.sha);
    if (r == ERR_OK)
        r = find_commit(s, &facts, ref, ret, err);
    if (r == ERR_OK) {
        ret->folder = arena_str(&s->arena, slice_of(facts.common_dir));
        ret->origin = facts.origin ? arena_str(&s->arena, slice_of(facts.origin)) : "";
    }
    git_facts_deinit(&facts);
    return r;
}

/* ---- which of them ---- */

static int not_here(struct step_run *s, struct slice repository, struct err *err)
{
    struct slice name = slice_head(repository, 60);

    return err_set(err, s->run->job->offline ? ERR_DENIED : ERR_NOT_FOUND,
                   "repository '%.*s' is not on this machine: clone it and add "
                   "'--local-repository %.*s=FOLDER'",
                   SLICE_ARG(name), SLICE_ARG(name));
}

int source_find(struct step_run *s, const struct plugin_source_query *query,
                struct plugin_source *ret, struct err *err)
{
    struct job *j = s->run->job;
    struct slice repository = slice_of(query->repository), ref = slice_of(query->ref), dir;

    if (j->source && slice_eq_nocase(repository, slice_of(github_text(s, "repository")))) {
        vec_push(&s->run->trees, mem_dup(query->path, strlen(query->path)));
        return is_current(s, ref) ? show(s, query, ret, err)
                                  : find_in_clone(s, j->source, ref, ret, err);
    }
    if (strmap_find(&j->repositories, repository, &dir))
        return find_in_clone(s, dir.ptr, ref, ret, err);
    return not_here(s, repository, err);
}
