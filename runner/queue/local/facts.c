#include "queue/local/facts.h"

#include "base/path.h"
#include "io/git_changes.h"

#include <stdio.h>
#include <unistd.h>

/* ---- the event ---- */

static const char *text_at(const json_t *doc, const char *a, const char *b)
{
    doc = json_object_get(doc, a);
    if (b)
        doc = json_object_get(doc, b);
    return json_string_length(doc) ? json_string_value(doc) : NULL;
}

static const char *branch_name(const char *ref)
{
    return ref && strncmp(ref, "refs/heads/", 11) == 0 ? ref + 11 : ref;
}

static bool is_pull(const char *event)
{
    return strcmp(event, "pull_request") == 0 || strcmp(event, "pull_request_target") == 0;
}

static bool is_zero(const char *sha)
{
    return sha[strspn(sha, "0")] == '\0';
}

void local_facts(const json_t *github, const char *message, struct trigger_facts *ret)
{
    const json_t *event = json_object_get(github, "event");
    const char *name = text_at(github, "event_name", NULL);
    const char *said = text_at(event, "head_commit", "message");
    struct trigger_facts f = {
        .event = name ? name : "push",
        .activity = text_at(event, "action", NULL),
        .ref = text_at(github, "ref", NULL),
        .deleted = json_is_true(json_object_get(event, "deleted")),
        .message = said ? said : message,
    };

    if (is_pull(f.event))
        f.branch = text_at(github, "base_ref", NULL);
    else if (strcmp(f.event, "merge_group") == 0)
        f.branch = branch_name(text_at(event, "merge_group", "base_ref"));
    else if (strcmp(f.event, "workflow_run") == 0)
        f.branch = text_at(event, "workflow_run", "head_branch");
    f.workflow = text_at(event, "workflow_run", "name");
    f.image = text_at(event, "image_version", "name");
    f.image_version = text_at(event, "image_version", "version");
    *ret = f;
}

/* ---- where a push starts ---- */

static bool read_ref(const struct git_facts *git, const char *ref, char ret[GIT_SHA_SIZE])
{
    struct err ignored = ERR_INIT;

    return ref && git_ref_read(git, ref, ret, &ignored) == ERR_OK;
}

/* Where the branch REF is on its remote; NULL: nowhere. */
static const char *remote_ref(const struct git_facts *git, struct arena *a, const char *ref,
                              char ret[GIT_SHA_SIZE])
{
    const char *same;

    if (strncmp(ref, "refs/heads/", 11) != 0)
        return NULL;
    if (git->head_ref && strcmp(git->head_ref, ref) == 0 && read_ref(git, git->upstream, ret))
        return git->upstream;
    same = arena_printf(a, "refs/remotes/origin/%s", ref + 11);
    return read_ref(git, same, ret) ? same : NULL;
}

/* Whether anything is known of the remote: without it no branch can be called new. */
static bool knows_remote(const struct git_facts *git, struct arena *a)
{
    char sha[GIT_SHA_SIZE];

    return read_ref(git, "refs/remotes/origin/HEAD", sha) ||
           (git->default_branch &&
            read_ref(git, arena_printf(a, "refs/remotes/origin/%s", git->default_branch), sha));
}

static void set_zeros(struct local_before *b, const struct git_facts *git)
{
    size_t len = git->sha[0] ? strlen(git->sha) : 40;

    memset(b->sha, '0', len);
    b->sha[len] = '\0';
    b->created = true;
}

int local_before_find(const struct git_facts *git, const struct git_env *env, const char *ref,
                      const char *given, const char *parent, struct local_before *ret,
                      struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct local_before b = {.created = false};

    if (given && is_zero(given)) {
        set_zeros(&b, git);
    } else if (given && !env) {
        return err_set(err, ERR_NOT_FOUND, "there is no git to find the commit '%.100s'", given);
    } else if (given) {
        int r = git_commit_find(env, git->dir, given, b.sha, err);

        if (r < 0)
            return r;
    } else if (remote_ref(git, &a, ref, b.sha)) {
        if (strcmp(b.sha, git->sha) == 0 && parent) /* it was the last push, then */
            snprintf(b.sha, sizeof b.sha, "%s", parent);
    } else if (strncmp(ref, "refs/heads/", 11) == 0 && knows_remote(git, &a)) {
        set_zeros(&b, git);
    } else if (parent && strncmp(ref, "refs/tags/", 10) != 0) {
        snprintf(b.sha, sizeof b.sha, "%s", parent);
    } else {
        set_zeros(&b, git);
    }
    *ret = b;
    return ERR_OK;
}

/* ---- the changed files ---- */

struct range {
    struct arena *arena;
    const struct local_changes_spec *spec;
    const char *from;   /* a commit or a tree; NULL: none could be found */
    const char *commit; /* FROM if it is one: its commits are counted */
    const char *words;  /* "since 1234567, where origin/main is" */
    const char *why;    /* no FROM */
};

static const char *short_ref(const char *ref)
{
    return strncmp(ref, "refs/remotes/", 13) == 0 ? ref + 13 : branch_name(ref);
}

static void since(struct range *r, const char *sha, const char *words)
{
    r->from = r->commit = arena_str(r->arena, slice_of(sha));
    r->words = arena_printf(r->arena, "since %.7s, %s", sha, words);
}

/* All files are new; but a shallow clone only ends here, and does not begin. */
static void since_ever(struct range *r, const char *words)
{
    const char *common = r->spec->git->common_dir;
    CLEANUP(free_ptr) char *shallow = path_join(common ? common : "", "shallow");

    if (r->spec->git->sha[0] && access(shallow, F_OK) == 0) {
        r->why = "this is a shallow clone, and the commit before is not in it";
        return;
    }
    r->from = git_empty_tree(r->spec->git->sha);
    r->words = words;
}

/* GitHub takes the parent of the deepest commit that is pushed. */
static void new_branch(struct range *r)
{
    const struct local_changes_spec *s = r->spec;
    struct err why = ERR_INIT;
    char sha[GIT_SHA_SIZE];
    int64_t n = 0;
    int got = git_unpushed(s->env, s->source, sha, &n, &why);

    if (got == ERR_NOT_FOUND) /* a new name for what the remote has */
        since(r, s->git->sha, "where the new branch begins");
    else if (got < 0)
        r->why = arena_str(r->arena, slice_of(why.text));
    else if (sha[0])
        since(r, sha, "where the new branch begins");
    else
        since_ever(r, "in all commits, as none is pushed");
}

static void last_commit(struct range *r)
{
    const struct git_facts *git = r->spec->git;

    if (git->parent)
        since(r, git->parent, "the commit before HEAD");
    else
        since_ever(r, git->sha[0] ? "in the first commit" : "as nothing is committed yet");
}

/* The commit may be gone, or never have been here. */
static void from_commit(struct range *r, const char *name, const char *words)
{
    struct err why = ERR_INIT;
    char sha[GIT_SHA_SIZE];

    if (git_commit_find(r->spec->env, r->spec->source, name, sha, &why) == ERR_OK)
        since(r, sha, words);
    else
        r->why = arena_str(r->arena, slice_of(why.text));
}

static void push_range(struct range *r, const char *ref)
{
    const struct git_facts *git = r->spec->git;
    const char *stated = text_at(json_object_get(r->spec->github, "event"), "before", NULL);
    char sha[GIT_SHA_SIZE];
    const char *remote;

    if (r->spec->before && !is_zero(r->spec->before))
        from_commit(r, r->spec->before, "where the push starts");
    else if (r->spec->before)
        new_branch(r);
    else if ((remote = remote_ref(git, r->arena, ref, sha)))
        since(r, sha, arena_printf(r->arena, "where %s is", short_ref(remote)));
    else if (stated && is_zero(stated) && knows_remote(git, r->arena))
        new_branch(r);
    else
        last_commit(r);
}

static void pull_range(struct range *r, const char *base)
{
    const struct local_changes_spec *s = r->spec;
    const char *remote = arena_printf(r->arena, "refs/remotes/origin/%s", base ? base : "");
    const char *local = arena_printf(r->arena, "refs/heads/%s", base ? base : "");
    const char *name = base ? base : "";
    char tip[GIT_SHA_SIZE], sha[GIT_SHA_SIZE];
    struct err why = ERR_INIT;

    if (!read_ref(s->git, remote, tip) && !read_ref(s->git, local, tip) &&
        (!base || git_commit_find(s->env, s->source, base, tip, &why) < 0))
        r->why = arena_printf(r->arena, "the base branch '%s' is not here", name);
    else if (git_merge_base(s->env, s->source, tip, "HEAD", sha, &why) < 0)
        r->why = arena_printf(r->arena, "'%s' and HEAD have no commit in common here", name);
    else
        since(r, sha, arena_printf(r->arena, "where the branch left %s", name));
}

/* More commits than GitHub looks through; an error means that they could not be counted, and then they
 * could not be compared either. */
static bool is_too_long(struct range *r)
{
    struct err ignored = ERR_INIT;
    int64_t n = 0;

    return r->commit &&
           git_count_commits(r->spec->env, r->spec->source, r->commit, TRIGGER_COMMITS_MAX + 1, &n,
                             &ignored) == ERR_OK &&
           n > TRIGGER_COMMITS_MAX;
}

/* Without a range nothing is known, and a range that cannot be compared is none. */
static void list_files(struct range *r, struct trigger_facts *facts)
{
    const struct local_changes_spec *s = r->spec;
    struct err why = ERR_INIT;
    struct slice *files;

    facts->n_changed = 0;
    if (!r->from)
        return;
    if (git_changed_files(s->env, s->source, r->from, r->arena, &files, &facts->n_changed, &why) <
        0) {
        r->from = NULL;
        r->why = arena_str(r->arena, slice_of(why.text));
        return;
    }
    facts->changed = files;
}

void local_changes(struct arena *a, const struct local_changes_spec *spec,
                   struct trigger_facts *facts, const char **ret_note)
{
    struct range r = {.arena = a, .spec = spec, .why = "this is no git repository"};
    bool push = !is_pull(facts->event), stated = spec->before != NULL;

    if (spec->git->git_dir && push)
        push_range(&r, facts->ref ? facts->ref : "");
    else if (spec->git->git_dir)
        pull_range(&r, facts->branch);
    if (r.from && push && is_too_long(&r)) {
        r.from = NULL;
        r.why = "there are more than 1000 commits";
    }
    list_files(&r, facts);
    /* All is pushed and nothing is edited: it was the last push, then. */
    if (r.from && push && !stated && facts->n_changed == 0 && r.commit &&
        strcmp(r.commit, spec->git->sha) == 0) {
        r.from = NULL;
        last_commit(&r);
        list_files(&r, facts);
    }
    facts->knows_changes = r.from != NULL;
    facts->no_changes_why = r.why;
    *ret_note = r.from ? arena_printf(a, "changed files: %zu, %s", facts->n_changed, r.words)
                       : arena_printf(a, "changed files: not known, as %s", r.why);
}
