#include "queue/local/event.h"

#include "base/path.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct git_facts facts;
static struct local_event_spec spec;
static json_t *github, *notes;

static void enter(void)
{
    scratch_enter();
    git_facts_init(&facts);
    spec = (struct local_event_spec){
        .git = &facts, .event_name = "push", .run_id = "7", .run_number = 7, .run_attempt = 1};
}

static void leave(void)
{
    json_decref(github);
    json_decref(notes);
    github = notes = NULL;
    git_facts_deinit(&facts);
    scratch_leave();
}

TestSuite(event, .init = enter, .fini = leave);

/* A repository as git_facts_read() would describe it; no git is started. */
static void repository(const char *origin)
{
    git_facts_deinit(&facts);
    facts.dir = facts.root = arena_printf(&facts.arena, "%s/app", scratch_path);
    facts.git_dir = facts.common_dir = arena_printf(&facts.arena, "%s/app/.git", scratch_path);
    facts.head_ref = "refs/heads/topic";
    facts.origin = origin;
    facts.default_branch = "main";
    facts.user_name = "Ada Lovelace";
    facts.user_email = "ada@example.org";
    memcpy(facts.sha, "1111111111111111111111111111111111111111", 41);
    scratch_file("app/.git/refs/heads/main", "2222222222222222222222222222222222222222\n");
    scratch_file("app/.git/refs/heads/topic", "1111111111111111111111111111111111111111\n");
    scratch_file("app/.git/refs/tags/v1", "3333333333333333333333333333333333333333\n");
}

static void make(void)
{
    struct err err = ERR_INIT;

    json_decref(github);
    json_decref(notes);
    cr_assert_eq(local_event(&spec, &github, &notes, &err), ERR_OK, "%s", err.text);
}

/* "event.repository.name" as text; "(none)" when it is not there. */
static const char *at(const char *path)
{
    static char text[256];
    struct slice rest = slice_of(path), part;
    const json_t *v = github;

    while (slice_split(&rest, '.', &part)) {
        char key[64] = {0};
        memcpy(key, part.ptr, part.len);
        v = json_object_get(v, key);
    }
    if (json_is_string(v))
        snprintf(text, sizeof text, "%s", json_string_value(v));
    else if (v) {
        char *json = json_dumps(v, JSON_ENCODE_ANY | JSON_SORT_KEYS);
        snprintf(text, sizeof text, "%s", json);
        free(json);
    } else
        snprintf(text, sizeof text, "(none)");
    return text;
}

struct row {
    const char *path, *want;
};

static void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cr_expect_str_eq(at(rows[i].path), rows[i].want, "%s is '%s', not '%s'", rows[i].path,
                         at(rows[i].path), rows[i].want);
}
#define CHECK(...)                                                                                 \
    do {                                                                                           \
        static const struct row rows_[] = {__VA_ARGS__};                                           \
        check(rows_, COUNT_OF(rows_));                                                             \
    } while (0)

Test(event, a_push_has_what_workflows_ask_for)
{
    repository("git@github.com:horoscopus/app.git");
    facts.message = "one\n\nbody";
    facts.parent = "4444444444444444444444444444444444444444";
    facts.author_name = "Ada";
    make();
    CHECK({"repository", "horoscopus/app"}, {"repository_owner", "horoscopus"},
          {"server_url", "https://github.com"}, {"api_url", "https://api.github.com"},
          {"graphql_url", "https://api.github.com/graphql"}, {"ref", "refs/heads/topic"},
          {"ref_name", "topic"}, {"ref_type", "branch"}, {"head_ref", ""}, {"base_ref", ""},
          {"sha", "1111111111111111111111111111111111111111"}, {"actor", "ada-lovelace"},
          {"run_id", "7"}, {"run_number", "7"}, {"run_attempt", "1"}, {"event_name", "push"},
          {"event.ref", "refs/heads/topic"},
          {"event.before", "4444444444444444444444444444444444444444"},
          {"event.after", "1111111111111111111111111111111111111111"},
          {"event.head_commit.message", "one\n\nbody"}, {"event.head_commit.author.name", "Ada"},
          {"event.repository.full_name", "horoscopus/app"},
          {"event.repository.default_branch", "main"},
          {"event.repository.html_url", "https://github.com/horoscopus/app"},
          {"event.repository.owner.login", "horoscopus"}, {"event.pusher.name", "ada-lovelace"},
          {"event.sender.login", "ada-lovelace"});
    cr_assert_eq(json_array_size(notes), 0);
}

Test(event, a_pull_request_goes_from_its_head_to_its_base)
{
    repository("https://git.example.org:3000/team/sub/app");
    spec.event_name = "pull_request";
    make();
    CHECK({"repository", "sub/app"}, {"server_url", "https://git.example.org:3000"},
          {"api_url", "https://git.example.org:3000/api/v3"}, {"ref", "refs/pull/1/merge"},
          {"ref_name", "1/merge"}, {"head_ref", "topic"}, {"base_ref", "main"},
          {"event.action", "synchronize"}, {"event.number", "1"},
          {"event.pull_request.head.ref", "topic"},
          {"event.pull_request.head.sha", "1111111111111111111111111111111111111111"},
          {"event.pull_request.base.sha", "2222222222222222222222222222222222222222"},
          {"event.pull_request.merged", "false"}, {"event.pull_request.draft", "false"});
    spec.base = "release";
    spec.ref = "other";
    make();
    CHECK({"head_ref", "other"}, {"base_ref", "release"}, {"ref", "refs/pull/1/merge"});
    spec.ref = "refs/pull/31/merge";
    make();
    CHECK({"ref", "refs/pull/31/merge"}, {"event.number", "31"}, {"head_ref", "topic"});
    spec.event_name = "pull_request_target";
    spec.ref = NULL;
    make();
    CHECK({"ref", "refs/heads/release"}, {"head_ref", "topic"});
}

Test(event, an_event_file_is_laid_over_the_payload)
{
    repository(NULL);
    json_t *file = json_pack("{s:{s:{s:s}, s:s}, s:i, s:{s:s}}", "pull_request", "head", "ref",
                             "feature", "title", "mine", "number", 5, "extra", "k", "v");
    spec.event_name = "pull_request";
    spec.event_file = file;
    make();
    CHECK({"head_ref", "feature"}, {"ref", "refs/pull/5/merge"}, {"event.number", "5"},
          {"event.pull_request.title", "mine"}, {"event.pull_request.head.ref", "feature"},
          {"event.pull_request.head.sha", "1111111111111111111111111111111111111111"},
          {"event.extra.k", "v"}, {"repository", "ada-lovelace/app"});
    json_decref(file);

    spec.event_name = "push";
    spec.event_file = file = json_pack("{s:s}", "ref", "refs/tags/v9");
    make();
    CHECK({"ref", "refs/tags/v9"}, {"ref_type", "tag"}, {"ref_name", "v9"});
    json_decref(file);

    struct err err = ERR_INIT;
    spec.event_file = file = json_array();
    cr_assert_eq(local_event(&spec, &github, &notes, &err), ERR_INVALID);
    cr_assert_str_eq(err.text, "the event file holds no JSON object");
    json_decref(file);
}

Test(event, a_short_ref_is_a_branch_or_a_tag)
{
    static const struct {
        const char *ref, *full, *note;
    } rows[] = {
        {"main", "refs/heads/main",
         "'refs/heads/main' is at 2222222, but what runs is the working tree, which is at 1111111"},
        {"v1", "refs/tags/v1",
         "'refs/tags/v1' is at 3333333, but what runs is the working tree, which is at 1111111"},
        {"topic", "refs/heads/topic", NULL},
        {"unknown", "refs/heads/unknown", NULL},
        {"refs/heads/x/y", "refs/heads/x/y", NULL},
    };

    repository(NULL);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        spec.ref = rows[i].ref;
        make();
        cr_expect_str_eq(at("ref"), rows[i].full, "row %zu", i);
        cr_expect_eq(json_array_size(notes), rows[i].note ? 1 : 0, "row %zu", i);
        if (rows[i].note)
            cr_expect_str_eq(json_string_value(json_array_get(notes, 0)), rows[i].note);
    }
}

Test(event, what_is_no_ref_is_refused)
{
    static const char *const bad[] = {"",    "a b", "a..b", "-x",     "a:b",
                                      "a~1", "/a",  "a/",   "a.lock", "a@{1}"};

    repository(NULL);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct err err = ERR_INIT;
        spec.ref = bad[i];
        cr_expect_eq(local_event(&spec, &github, &notes, &err), ERR_INVALID, "'%s'", bad[i]);
    }
}

Test(event, what_is_missing_is_said_out_loud)
{
    facts.dir = "/srv/app";
    make();
    CHECK({"sha", "0000000000000000000000000000000000000000"}, {"ref", "refs/heads/main"},
          {"repository", "local/app"}, {"actor", "local"}, {"event.head_commit", "null"});
    cr_assert_str_eq(json_string_value(json_array_get(notes, 0)),
                     "'/srv/app' is no git repository: github.sha is all zeros, github.ref is "
                     "'refs/heads/main'");

    repository(NULL);
    facts.sha[0] = '\0';
    make();
    cr_assert_str_eq(json_string_value(json_array_get(notes, 0)),
                     "the repository has no commit yet: github.sha is all zeros");

    repository(NULL);
    facts.head_ref = NULL;
    facts.detached = true;
    make();
    cr_assert_str_eq(json_string_value(json_array_get(notes, 0)),
                     "HEAD is detached, so github.ref is 'refs/heads/main'; choose another with "
                     "--ref");
}

Test(event, every_event_has_the_common_members)
{
    static const char *const names[] = {"branch_protection_rule",
                                        "check_run",
                                        "check_suite",
                                        "create",
                                        "delete",
                                        "deployment",
                                        "deployment_status",
                                        "discussion",
                                        "discussion_comment",
                                        "fork",
                                        "gollum",
                                        "image_version",
                                        "issue_comment",
                                        "issues",
                                        "label",
                                        "merge_group",
                                        "milestone",
                                        "page_build",
                                        "project",
                                        "project_card",
                                        "project_column",
                                        "public",
                                        "pull_request",
                                        "pull_request_comment",
                                        "pull_request_review",
                                        "pull_request_review_comment",
                                        "pull_request_target",
                                        "push",
                                        "registry_package",
                                        "release",
                                        "repository_dispatch",
                                        "schedule",
                                        "status",
                                        "watch",
                                        "workflow_call",
                                        "workflow_dispatch",
                                        "workflow_run"};
    struct err err = ERR_INIT;

    repository("ssh://git@host:22/o/n.git");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        spec.event_name = names[i];
        make();
        CHECK({"event.repository.full_name", "o/n"}, {"event.sender.type", "User"},
              {"server_url", "https://host"});
    }
    spec.event_name = "pushed";
    cr_assert_eq(local_event(&spec, &github, &notes, &err), ERR_INVALID);
    cr_assert_str_eq(err.text, "there is no event 'pushed': did you mean 'push'?");
}
