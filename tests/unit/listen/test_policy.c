/* The rows of tests/data/listen/policy.json: what `listen:` says, a job's github context, and what comes of it. */
#include "listen/policy.h"

#include "lang/yaml.h"

#include <criterion/criterion.h>

static struct token *tree(struct arena *a, const char *text)
{
    struct diags diags = {.arena = a};
    struct token *root = NULL;

    int r = yaml_parse(a, slice_of(text), "test.yml", 0, NULL, &root, &diags);
    cr_assert_eq(r, ERR_OK, "no YAML: %s", text);
    diags_deinit(&diags);
    return root;
}

static const char *said(const json_t *row, const char *key)
{
    return json_string_value(json_object_get(row, key));
}

static void try_row(const json_t *row)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct listen_policy policy = {0};
    struct err err = ERR_INIT;
    struct job job;
    const char *name = said(row, "name"), *wrong = said(row, "wrong"),
               *refused = said(row, "refused");

    int r = listen_policy_take(&a, "test.yml", tree(&a, said(row, "listen")), &policy, &err);
    cr_assert_eq(r, wrong ? ERR_INVALID : ERR_OK, "%s: %s", name, err.text);
    if (wrong) {
        cr_assert_not_null(strstr(err.text, wrong), "%s: '%s', not '%s'", name, err.text, wrong);
        cr_assert_eq(policy.files.len, 0, "%s: something was taken", name);
        return;
    }
    job_init(&job);
    job.contexts = json_pack("{s:O}", "github", json_object_get(row, "github"));
    r = listen_policy_check(&policy, &job, &err);
    cr_assert_eq(r, refused ? ERR_DENIED : ERR_OK, "%s: %s", name, err.text);
    if (refused)
        cr_assert_not_null(strstr(err.text, refused), "%s: '%s', not '%s'", name, err.text,
                           refused);
    job_deinit(&job);
    listen_policy_deinit(&policy);
}

Test(listen_policy, each_row_has_its_verdict)
{
    json_error_t error;
    json_t *rows = json_load_file(OSTLER_SOURCE_DIR "/tests/data/listen/policy.json", 0, &error);
    const json_t *row;
    size_t i;

    cr_assert_not_null(rows, "line %d: %s", error.line, error.text);
    cr_assert_gt(json_array_size(rows), 40);
    json_array_foreach (rows, i, row)
        try_row(row);
    json_decref(rows);
}

Test(listen_policy, each_file_has_to_allow_a_job)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(listen_policy_deinit) struct listen_policy policy = {0};
    struct err err = ERR_INIT;
    struct job job;

    cr_assert_eq(listen_policy_take(&a, "/etc/ostler/config.yml", tree(&a, "deny: [evil/app]"),
                                    &policy, &err),
                 ERR_OK);
    cr_assert_eq(
        listen_policy_take(&a, "/home/x/config.yml", tree(&a, "allow: ['**']"), &policy, &err),
        ERR_OK);
    job_init(&job);
    job.contexts = json_pack("{s:{s:s}}", "github", "repository", "evil/app");
    cr_assert_eq(listen_policy_check(&policy, &job, &err), ERR_DENIED);
    cr_assert_not_null(strstr(err.text, "/etc/ostler/config.yml:1: denied by this rule"), "%s",
                       err.text);
    job_deinit(&job);
}

Test(listen_policy, a_job_without_a_github_context_is_let_in_by_nobody)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(listen_policy_deinit) struct listen_policy policy = {0};
    struct err err = ERR_INIT;
    struct job job;

    cr_assert_eq(listen_policy_take(&a, "f.yml", tree(&a, "allow: ['acme/*']"), &policy, &err),
                 ERR_OK);
    job_init(&job);
    cr_assert_eq(listen_policy_check(&policy, &job, &err), ERR_DENIED);
    job_deinit(&job);
}

Test(listen_policy, long_names_leave_room_for_the_place)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(listen_policy_deinit) struct listen_policy policy = {0};
    char name[5000];
    struct err err = ERR_INIT;
    struct job job;

    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    cr_assert_eq(listen_policy_take(&a, "f.yml", tree(&a, "allow: []"), &policy, &err), ERR_OK);
    job_init(&job);
    job.contexts = json_pack("{s:{s:s, s:s, s:s, s:s}}", "github", "repository", name, "ref", name,
                             "actor", name, "event_name", name);
    cr_assert_eq(listen_policy_check(&policy, &job, &err), ERR_DENIED);
    cr_assert_not_null(strstr(err.text, "may not run here"), "%s", err.text);
    job_deinit(&job);
}
