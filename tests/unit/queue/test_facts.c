#include "queue/local/facts.h"

#include "kit/scratch.h"

#include <criterion/criterion.h>

#define ONE "1111111111111111111111111111111111111111"
#define TWO "2222222222222222222222222222222222222222"
#define THREE "3333333333333333333333333333333333333333"
#define ZEROS "0000000000000000000000000000000000000000"

static struct git_facts git;
static json_t *github;

static void enter(void)
{
    scratch_enter();
    git_facts_init(&git);
    git.dir = git.root = arena_printf(&git.arena, "%s/app", scratch_path);
    git.git_dir = git.common_dir = arena_printf(&git.arena, "%s/app/.git", scratch_path);
    git.head_ref = "refs/heads/topic";
    git.default_branch = "main";
    memcpy(git.sha, ONE, sizeof ONE);
    scratch_file("app/.git/refs/heads/topic", ONE "\n");
}

static void leave(void)
{
    json_decref(github);
    github = NULL;
    git_facts_deinit(&git);
    scratch_leave();
}

TestSuite(facts, .init = enter, .fini = leave);

/* ---- where a push starts ---- */

static void starts_at(const char *ref, const char *given, const char *parent, const char *wanted)
{
    struct local_before got = {.sha = "untouched"};
    struct err err = ERR_INIT;

    cr_assert_eq(local_before_find(&git, NULL, ref, given, parent, &got, &err), ERR_OK, "%s",
                 err.text);
    cr_expect_str_eq(got.sha, wanted, "%s: %s, not %s", ref, got.sha, wanted);
    cr_expect_eq(got.created, strcmp(wanted, ZEROS) == 0, "%s", ref);
}

Test(facts, without_a_remote_the_commit_before_counts)
{
    starts_at("refs/heads/topic", NULL, TWO, TWO);
    starts_at("refs/heads/topic", NULL, NULL, ZEROS);
    starts_at("refs/heads/topic", "0", TWO, ZEROS);
    starts_at("refs/tags/v1", NULL, TWO, ZEROS);
}

Test(facts, a_push_starts_where_the_branch_is_on_its_remote)
{
    scratch_file("app/.git/refs/remotes/origin/main", TWO "\n");
    starts_at("refs/heads/main", NULL, THREE, TWO);
    starts_at("refs/heads/topic", NULL, THREE, ZEROS);
    git.upstream = "refs/remotes/fork/other";
    starts_at("refs/heads/topic", NULL, THREE, ZEROS);
    scratch_file("app/.git/refs/remotes/fork/other", TWO "\n");
    starts_at("refs/heads/topic", NULL, THREE, TWO);
    scratch_file("app/.git/refs/remotes/fork/other", ONE "\n");
    starts_at("refs/heads/topic", NULL, THREE, THREE);
    starts_at("refs/heads/topic", NULL, NULL, ONE);
}

Test(facts, a_commit_that_is_not_there_is_an_error)
{
    struct local_before got = {.sha = "untouched"};
    struct err err = ERR_INIT;

    cr_assert_eq(local_before_find(&git, NULL, "refs/heads/topic", "HEAD~1", TWO, &got, &err),
                 ERR_NOT_FOUND);
    cr_assert_str_eq(got.sha, "untouched");
}

/* ---- the event ---- */

static struct trigger_facts read_facts(const char *json)
{
    json_error_t error;
    struct trigger_facts f;

    json_decref(github);
    github = json_loads(json, 0, &error);
    cr_assert(github, "%s", error.text);
    local_facts(github, "of HEAD", &f);
    return f;
}

Test(facts, each_event_names_its_branch_in_its_own_place)
{
    struct trigger_facts f;

    f = read_facts("{\"event_name\": \"push\", \"ref\": \"refs/heads/x\", \"base_ref\": \"main\","
                   " \"event\": {\"head_commit\": {\"message\": \"said\"}, \"deleted\": true}}");
    cr_assert_str_eq(f.ref, "refs/heads/x");
    cr_assert_str_eq(f.message, "said");
    cr_assert(f.deleted);
    cr_assert_null(f.branch);
    cr_assert_null(f.activity);

    f = read_facts("{\"event_name\": \"pull_request\", \"base_ref\": \"main\","
                   " \"event\": {\"action\": \"labeled\"}}");
    cr_assert_str_eq(f.branch, "main");
    cr_assert_str_eq(f.activity, "labeled");
    cr_assert_str_eq(f.message, "of HEAD");

    f = read_facts("{\"event_name\": \"merge_group\","
                   " \"event\": {\"merge_group\": {\"base_ref\": \"refs/heads/main\"}}}");
    cr_assert_str_eq(f.branch, "main");

    f = read_facts("{\"event_name\": \"workflow_run\", \"event\": {\"workflow_run\":"
                   " {\"head_branch\": \"x\", \"name\": \"\"}}}");
    cr_assert_str_eq(f.branch, "x");
    cr_assert_null(f.workflow, "an empty name is none");
}

Test(facts, without_a_repository_the_changes_are_not_known)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct trigger_facts f = read_facts("{\"event_name\": \"push\", \"ref\": \"refs/heads/x\"}");
    struct local_changes_spec spec = {.git = &git, .source = scratch_path, .github = github};
    const char *note = NULL;

    git.git_dir = NULL;
    local_changes(&a, &spec, &f, &note);
    cr_assert_not(f.knows_changes);
    cr_assert_str_eq(note, "changed files: not known, as this is no git repository");
    cr_assert_str_eq(f.no_changes_why, "this is no git repository");
}
