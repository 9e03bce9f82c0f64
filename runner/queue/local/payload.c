#include "queue/local/payload.h"

#include "base/clock.h"

static const char zeros[] = "0000000000000000000000000000000000000000";

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static const char *url(struct subject *s, const char *rest)
{
    struct arena *a = &s->arena;

    return arena_printf(a, "%s/%s%s", s->server, s->repository, rest);
}

/* "2026-01-31T10:00:00Z" */
static const char *now(struct subject *s)
{
    struct arena *a = &s->arena;
    char stamp[CLOCK_STAMP_SIZE];

    clock_stamp(stamp);
    return arena_printf(a, "%.19sZ", stamp);
}

static json_t *user(struct subject *s, const char *login)
{
    struct arena *a = &s->arena;

    return json_pack("{s:s, s:i, s:s, s:b, s:s}", "login", login, "id", 0, "type", "User",
                     "site_admin", 0, "html_url", arena_printf(a, "%s/%s", s->server, login));
}

static json_t *repository(struct subject *s)
{
    return json_pack("{s:i, s:s, s:s, s:o, s:b, s:s, s:n, s:b, s:s, s:s, s:s, s:s, s:b, s:b, s:s}",
                     "id", 0, "name", s->name, "full_name", s->repository, "owner",
                     user(s, s->owner), "private", 1, "html_url", url(s, ""), "description", "fork",
                     0, "url", url(s, ""), "clone_url", url(s, ".git"), "git_url", url(s, ".git"),
                     "default_branch", s->default_branch, "archived", 0, "disabled", 0,
                     "visibility", "private");
}

/* Of the commit at HEAD; NULL when nothing is known of it. */
static json_t *head_commit(struct subject *s)
{
    const struct git_facts *g = s->git;
    struct arena *a = &s->arena;

    if (!g->message)
        return NULL;
    return json_pack(
        "{s:s, s:s, s:b, s:s, s:s, s:s, s:{s:s, s:s, s:s}, s:{s:s, s:s, s:s}, s:[], s:[], s:[]}",
        "id", s->sha, "tree_id", or_empty(g->tree), "distinct", 1, "message", g->message,
        "timestamp", or_empty(g->committer_date), "url",
        url(s, arena_printf(a, "/commit/%s", s->sha)), "author", "name", or_empty(g->author_name),
        "email", or_empty(g->author_email), "username", s->actor, "committer", "name",
        or_empty(g->committer_name), "email", or_empty(g->committer_email), "username", s->actor,
        "added", "removed", "modified");
}

static void fill_push(struct subject *s, json_t *event)
{
    struct arena *a = &s->arena;
    json_t *commit = head_commit(s);

    json_object_update_new(
        event,
        json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:n, s:s, s:{s:s, s:s}, s:[]}", "ref", s->ref,
                  "before", s->before, "after", s->sha, "created", s->created, "deleted", 0,
                  "forced", 0, "base_ref", "compare",
                  url(s, arena_printf(a, "/compare/%.12s...%.12s", s->before, s->sha)), "pusher",
                  "name", s->actor, "email", or_empty(s->git->user_email), "commits"));
    json_object_set(event, "head_commit", commit ? commit : json_null());
    if (commit)
        json_array_append_new(json_object_get(event, "commits"), commit);
}

static json_t *branch_of(struct subject *s, const char *ref, const char *sha)
{
    struct arena *a = &s->arena;

    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "ref", ref, "sha", sha, "label",
                     arena_printf(a, "%s:%s", s->owner, ref), "repo", repository(s), "user",
                     user(s, s->owner));
}

/* The commit of branch NAME, or zeros. */
static const char *branch_sha(struct subject *s, const char *name)
{
    struct arena *a = &s->arena;
    struct err ignored = ERR_INIT; /* a branch that is not there: zeros */
    char sha[GIT_SHA_SIZE];

    if (git_ref_read(s->git, arena_printf(a, "refs/heads/%s", name), sha, &ignored) == ERR_OK ||
        git_ref_read(s->git, arena_printf(a, "refs/remotes/origin/%s", name), sha, &ignored) ==
            ERR_OK)
        return arena_str(a, slice_of(sha));
    return zeros;
}

static struct slice title(struct subject *s)
{
    struct slice message = slice_of(s->git->message), line = SLICE("");

    if (!slice_line(&message, &line) || !line.len)
        return slice_of(s->head);
    return line;
}

static void fill_pull(struct subject *s, json_t *event)
{
    struct arena *a = &s->arena;
    struct slice name = title(s);
    json_t *pull = json_pack(
        "{s:i, s:I, s:s, s:b, s:s%, s:s, s:o, s:s, s:s, s:[], s:[], s:[], s:b, s:n, s:o, s:o, s:s}",
        "id", 0, "number", (json_int_t)s->number, "state", "open", "locked", 0, "title", name.ptr,
        name.len, "body", "", "user", user(s, s->actor), "created_at", now(s), "updated_at", now(s),
        "labels", "assignees", "requested_reviewers", "draft", 0, "merge_commit_sha", "head",
        branch_of(s, s->head, s->sha), "base", branch_of(s, s->base, branch_sha(s, s->base)),
        "html_url", url(s, arena_printf(a, "/pull/%lld", (long long)s->number)));

    json_object_update_new(pull, json_pack("{s:b, s:b, s:s}", "merged", 0, "mergeable", 1,
                                           "author_association", "OWNER"));
    json_object_set_new(event, "number", json_integer((json_int_t)s->number));
    json_object_set_new(event, "pull_request", pull);
    json_object_set_new(event, "before", json_string(branch_sha(s, s->base)));
    json_object_set_new(event, "after", json_string(s->sha));
}

static void fill_review(struct subject *s, json_t *event)
{
    fill_pull(s, event);
    json_object_set_new(event, "review",
                        json_pack("{s:i, s:s, s:s, s:o, s:s}", "id", 0, "state", "commented",
                                  "body", "", "user", user(s, s->actor), "commit_id", s->sha));
}

static json_t *comment(struct subject *s)
{
    return json_pack("{s:i, s:s, s:o, s:s, s:s}", "id", 0, "body", "", "user", user(s, s->actor),
                     "created_at", now(s), "author_association", "OWNER");
}

static void fill_review_comment(struct subject *s, json_t *event)
{
    fill_pull(s, event);
    json_object_set_new(event, "comment", comment(s));
}

static void fill_issue(struct subject *s, json_t *event)
{
    struct arena *a = &s->arena;

    json_object_set_new(event, "issue",
                        json_pack("{s:i, s:I, s:s, s:s, s:s, s:o, s:[], s:[], s:s, s:s}", "id", 0,
                                  "number", (json_int_t)s->number, "title", "", "body", "", "state",
                                  "open", "user", user(s, s->actor), "labels", "assignees",
                                  "created_at", now(s), "html_url",
                                  url(s, arena_printf(a, "/issues/%lld", (long long)s->number))));
}

static void fill_issue_comment(struct subject *s, json_t *event)
{
    fill_issue(s, event);
    json_object_set_new(event, "comment", comment(s));
}

static void fill_dispatch(struct subject *s, json_t *event)
{
    json_t *inputs = json_object();

    if (s->spec->inputs)
        STRMAP_EACH (i, s->spec->inputs)
            json_object_set_new(inputs, i->name, json_stringn(i->value, i->value_len));
    json_object_set_new(event, "inputs", inputs);
    json_object_set_new(event, "ref", json_string(s->ref));
}

static void fill_repository_dispatch(struct subject *s, json_t *event)
{
    json_object_set_new(event, "branch", json_string(s->default_branch));
    json_object_set_new(event, "client_payload", json_object());
}

static void fill_ref(struct subject *s, json_t *event)
{
    json_object_update_new(event, json_pack("{s:s, s:s, s:s, s:s}", "ref", s->ref_name, "ref_type",
                                            s->ref_type, "master_branch", s->default_branch,
                                            "pusher_type", "user"));
}

static void fill_release(struct subject *s, json_t *event)
{
    struct arena *a = &s->arena;
    const char *tag = strcmp(s->ref_type, "tag") == 0 ? s->ref_name : "v0.0.0-local";

    json_object_set_new(event, "release",
                        json_pack("{s:i, s:s, s:s, s:s, s:s, s:b, s:b, s:o, s:s, s:s, s:[], s:s}",
                                  "id", 0, "tag_name", tag, "target_commitish", s->default_branch,
                                  "name", tag, "body", "", "draft", 0, "prerelease", 0, "author",
                                  user(s, s->actor), "created_at", now(s), "published_at", now(s),
                                  "assets", "html_url",
                                  url(s, arena_printf(a, "/releases/tag/%s", tag))));
}

static void fill_workflow_run(struct subject *s, json_t *event)
{
    json_object_set_new(event, "workflow_run",
                        json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:o, s:o}", "id", 0,
                                  "name", "", "head_branch", s->default_branch, "head_sha", s->sha,
                                  "event", "push", "status", "completed", "conclusion", "success",
                                  "run_number", 1, "repository", repository(s), "head_repository",
                                  repository(s)));
}

static void fill_merge_group(struct subject *s, json_t *event)
{
    struct arena *a = &s->arena;

    json_object_set_new(event, "merge_group",
                        json_pack("{s:s, s:s, s:s, s:s}", "head_sha", s->sha, "head_ref", s->ref,
                                  "base_sha", branch_sha(s, s->base), "base_ref",
                                  arena_printf(a, "refs/heads/%s", s->base)));
}

static void fill_deployment(struct subject *s, json_t *event)
{
    json_object_set_new(event, "deployment",
                        json_pack("{s:i, s:s, s:s, s:s, s:s, s:{}}", "id", 0, "sha", s->sha, "ref",
                                  s->ref_name, "task", "deploy", "environment", "production",
                                  "payload"));
}

static void fill_deployment_status(struct subject *s, json_t *event)
{
    fill_deployment(s, event);
    json_object_set_new(
        event, "deployment_status",
        json_pack("{s:i, s:s, s:s}", "id", 0, "state", "success", "environment", "production"));
}

static const struct payload_event events[] = {
    {"push", NULL, PAYLOAD_REF_HEAD, fill_push},
    {"pull_request", "synchronize", PAYLOAD_REF_PULL, fill_pull},
    {"pull_request_target", "synchronize", PAYLOAD_REF_DEFAULT, fill_pull},
    {"pull_request_review", "submitted", PAYLOAD_REF_PULL, fill_review},
    {"pull_request_review_comment", "created", PAYLOAD_REF_PULL, fill_review_comment},
    {"pull_request_comment", "created", PAYLOAD_REF_DEFAULT, fill_review_comment},
    {"workflow_dispatch", NULL, PAYLOAD_REF_HEAD, fill_dispatch},
    {"repository_dispatch", "local", PAYLOAD_REF_DEFAULT, fill_repository_dispatch},
    {"schedule", NULL, PAYLOAD_REF_DEFAULT, NULL},
    {"release", "published", PAYLOAD_REF_HEAD, fill_release},
    {"create", NULL, PAYLOAD_REF_HEAD, fill_ref},
    {"delete", NULL, PAYLOAD_REF_DEFAULT, fill_ref},
    {"issues", "opened", PAYLOAD_REF_DEFAULT, fill_issue},
    {"issue_comment", "created", PAYLOAD_REF_DEFAULT, fill_issue_comment},
    {"workflow_run", "completed", PAYLOAD_REF_DEFAULT, fill_workflow_run},
    {"workflow_call", NULL, PAYLOAD_REF_HEAD, NULL},
    {"merge_group", "checks_requested", PAYLOAD_REF_QUEUE, fill_merge_group},
    {"deployment", NULL, PAYLOAD_REF_HEAD, fill_deployment},
    {"deployment_status", NULL, PAYLOAD_REF_HEAD, fill_deployment_status},
    {"branch_protection_rule", "created", PAYLOAD_REF_DEFAULT, NULL},
    {"check_run", "completed", PAYLOAD_REF_DEFAULT, NULL},
    {"check_suite", "completed", PAYLOAD_REF_DEFAULT, NULL},
    {"discussion", "created", PAYLOAD_REF_DEFAULT, NULL},
    {"discussion_comment", "created", PAYLOAD_REF_DEFAULT, NULL},
    {"fork", NULL, PAYLOAD_REF_DEFAULT, NULL},
    {"gollum", NULL, PAYLOAD_REF_DEFAULT, NULL},
    {"image_version", "ready", PAYLOAD_REF_DEFAULT, NULL},
    {"label", "created", PAYLOAD_REF_DEFAULT, NULL},
    {"milestone", "created", PAYLOAD_REF_DEFAULT, NULL},
    {"page_build", NULL, PAYLOAD_REF_HEAD, NULL},
    {"project", "created", PAYLOAD_REF_DEFAULT, NULL},
    {"project_card", "created", PAYLOAD_REF_DEFAULT, NULL},
    {"project_column", "created", PAYLOAD_REF_DEFAULT, NULL},
    {"public", NULL, PAYLOAD_REF_DEFAULT, NULL},
    {"registry_package", "published", PAYLOAD_REF_HEAD, NULL},
    {"status", NULL, PAYLOAD_REF_DEFAULT, NULL},
    {"watch", "started", PAYLOAD_REF_DEFAULT, NULL},
};

const struct payload_event *payload_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        if (strcmp(events[i].name, name) == 0)
            return &events[i];
    }
    return NULL;
}

json_t *payload_make(struct subject *s, const struct payload_event *e)
{
    json_t *event = json_object();

    if (e->action)
        json_object_set_new(event, "action",
                            json_string(s->spec->activity ? s->spec->activity : e->action));
    if (e->fill)
        e->fill(s, event);
    json_object_set_new(event, "repository", repository(s));
    json_object_set_new(event, "sender", user(s, s->actor));
    return event;
}
