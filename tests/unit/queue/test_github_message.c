/* GitHub's job message: the sample of github-protocol.md, appendix B, changed here and there by patches that are
 * merged into it. */
#include "queue/github/message/message.h"

#include "base/path.h"
#include "lang/template.h"

#include <criterion/criterion.h>
#include <fcntl.h>

#define SAMPLE OSTLER_SOURCE_DIR "/tests/data/github/message.json"

static const struct github_origin place = {
    .registration = "acme", .runner = "box-1", .url = "https://ghe.example.test:8443/acme/widgets"};

static json_t *sample(void)
{
    json_error_t where;
    json_t *json = json_load_file(SAMPLE, 0, &where);

    cr_assert_not_null(json, "%s", where.text);
    return json;
}

/* The sample with PATCH merged into it, as text; the caller frees it. Members that are null stay and are null. */
static char *patched(const char *patch)
{
    json_error_t where;
    json_t *json = sample(), *more = json_loads(patch, JSON_ALLOW_NUL, &where);

    cr_assert_not_null(more, "%s: %s", patch, where.text);
    cr_assert_eq(json_object_update_recursive(json, more), 0);
    char *text = json_dumps(json, 0);
    json_decref(json);
    json_decref(more);
    return text;
}

struct parsed {
    struct job job;
    struct github_job github;
    struct err err;
    int r;
};

static void parse_text(struct parsed *p, struct slice text)
{
    p->err = (struct err)ERR_INIT;
    p->r = github_message_parse(text, &place, &p->job, &p->github, &p->err);
}

static void parse(struct parsed *p, const char *patch)
{
    CLEANUP(free_ptr) char *text = patched(patch);

    parse_text(p, slice_of(text));
}

static void parse_well(struct parsed *p, const char *patch)
{
    parse(p, patch);
    cr_assert_eq(p->r, ERR_OK, "%s", p->err.text);
}

static void parsed_deinit(struct parsed *p)
{
    job_deinit(&p->job);
    github_job_deinit(&p->github);
}

/* ---- what it says ---- */

Test(github_message, says_who_it_is_and_where_it_is_reported)
{
    CLEANUP(parsed_deinit) struct parsed p;

    parse_well(&p, "{}");
    cr_expect(p.github.results_only);
    cr_expect_str_eq(p.github.plan_id, "91a40000-aaaa-4bbb-8ccc-dddddddddddd");
    cr_expect_str_eq(p.github.timeline_id, "91a40000-aaaa-4bbb-8ccc-dddddddddddd");
    cr_expect_str_eq(p.github.job_id, "10b00000-1111-5222-8333-444444444444");
    cr_expect_str_eq(p.github.plan_type, "actions");
    cr_expect_null(p.github.scope_id);
    cr_expect_str_eq(p.github.name, "build (linux, 22)");
    cr_expect_str_eq(p.github.billing_owner, "O_kgDOsample");
    cr_expect_str_eq(p.github.orchestration_id, "91a40000-aaaa-4bbb-8ccc-dddddddddddd.build._2");
    cr_expect_str_eq(p.github.url, "https://run.example.test/116/");
    cr_expect_str_eq(p.github.token, "JOB1");
    cr_expect_str_eq(p.github.results_url, "https://results.example.test/");
    cr_expect_str_eq(p.github.feed_url, "wss://results.example.test/_ws/ingest.sock");
    cr_expect(p.github.follow_redirects);
    cr_expect(!p.github.has_id_tokens && !p.github.send_job_annotations);
    cr_expect(github_job_can_be_told(&p.github));

    cr_expect_str_eq(p.job.id, "build");
    cr_expect_str_eq(p.job.key, "acme/10b00000-1111-5222-8333-444444444444");
    cr_expect_str_eq(p.job.name, "build (linux, 22)");
    cr_expect_str_eq(p.job.file, ".github/workflows/ci.yml");
    cr_expect_str_eq(p.job.work_root, "widgets/widgets");
    cr_expect_str_eq(p.job.runner_name, "box-1");
    cr_expect_str_eq(p.job.runner_group, "Default");
    cr_expect_str_eq(p.job.permissions, "Contents: read\nMetadata: read");
    cr_expect_str_eq(p.job.environment, "staging");
    cr_expect_eq(p.job.cancel_timeout_ms, 300000);
    cr_expect_str_eq(p.job.resolver, "launch");
    cr_expect_str_eq(
        p.job.resolver_url,
        "https://launch.example.test/actions/build/91a40000-aaaa-4bbb-8ccc-dddddddddddd/"
        "jobs/10b00000-1111-5222-8333-444444444444/runnerresolve/actions");
}

static const char *runtime(const struct parsed *p, const char *name)
{
    const char *value = strmap_get(&p->job.runtime, name);

    return value ? value : "";
}

Test(github_message, gives_actions_the_way_to_their_services)
{
    CLEANUP(parsed_deinit) struct parsed p, q;

    parse_well(&p, "{}");
    cr_expect_str_eq(runtime(&p, "ACTIONS_RUNTIME_URL"), "https://pipelines.example.test/t/");
    cr_expect_str_eq(runtime(&p, "ACTIONS_RUNTIME_TOKEN"), "JOB1");
    cr_expect_str_eq(runtime(&p, "ACTIONS_CACHE_URL"), "https://cache.example.test/t/");
    cr_expect_str_eq(runtime(&p, "ACTIONS_RESULTS_URL"), "https://results.example.test/");
    cr_expect_str_eq(runtime(&p, "ACTIONS_CACHE_SERVICE_V2"), "True");
    cr_expect_eq(p.job.runtime.len, 5); /* an empty GenerateIdTokenUrl is none */

    parse_well(
        &q, "{\"resources\":{\"ENDPOINTS\":null,\"endpoints\":[{\"Name\":\"systemvssconnection\","
            "\"URL\":\"http://h/\",\"authorization\":{\"parameters\":{\"accesstoken\":\"J\"}},"
            "\"data\":{\"generateIdTokenUrl\":\"http://h/id\"}}]},\"variables\":{"
            "\"actions_set_orchestration_id_env_for_actions\":{\"value\":\"True\"},"
            "\"actions_cache_mode\":{\"value\":\"read\"}}}");
    cr_expect_str_eq(runtime(&q, "ACTIONS_RUNTIME_URL"), "http://h/");
    cr_expect_str_eq(runtime(&q, "ACTIONS_ID_TOKEN_REQUEST_URL"), "http://h/id");
    cr_expect_str_eq(runtime(&q, "ACTIONS_ID_TOKEN_REQUEST_TOKEN"), "J");
    cr_expect_str_eq(runtime(&q, "ACTIONS_CACHE_MODE"), "read");
    cr_expect_str_eq(runtime(&q, "ACTIONS_ORCHESTRATION_ID"),
                     "91a40000-aaaa-4bbb-8ccc-dddddddddddd.build._2");
    cr_expect(q.job.id_token && q.github.has_id_tokens);
    cr_expect_eq(q.job.runtime.len, 7);
}

Test(github_message, parts_secrets_from_variables)
{
    CLEANUP(parsed_deinit) struct parsed p;

    parse_well(&p, "{\"variables\":{\"system.accessToken\":{\"value\":\"SYS\",\"isSecret\":true},"
                   "\"gone\":null,\"EMPTY\":{}}}");
    cr_expect_str_eq(strmap_get(&p.job.secrets, "PG_PASSWORD"), "s3cr3t-pa55");
    cr_expect_str_eq(strmap_get(&p.job.secrets, "GITHUB_TOKEN"), "ghs_EXAMPLE0000");
    cr_expect_eq(p.job.secrets.len, 3);
    cr_expect_null(strmap_get(&p.job.variables, "PG_PASSWORD"));
    cr_expect_str_eq(strmap_get(&p.job.variables, "SYSTEM.runnerEnvironment"), "self-hosted");
    cr_expect_str_eq(strmap_get(&p.job.masks, "system.accessToken"), "SYS");
    cr_expect_str_eq(strmap_get(&p.job.masks, "system.github.token"), "ghs_EXAMPLE0000");
    cr_expect_str_eq(strmap_get(&p.job.masks, "endpoint 0 AccessToken"), "JOB1");
    cr_expect_eq(p.job.mask_patterns.len, 3);
    cr_expect_str_eq(strmap_get(&p.job.mask_patterns, "mask 2"), "s3cr3t\\-pa55");
}

Test(github_message, knows_masks_of_all_kinds)
{
    CLEANUP(parsed_deinit) struct parsed p;

    parse_well(&p,
               "{\"mask\":[{\"type\":\"value\",\"value\":\"plain\"},{\"type\":2,\"value\":\"r\"},"
               "{\"type\":\"variable\",\"value\":\"v\"},{\"type\":\"new\"},null,7,"
               "{\"type\":\"Regex\",\"value\":\"\"}]}");
    cr_expect_str_eq(strmap_get(&p.job.masks, "mask 0"), "plain");
    cr_expect_eq(p.job.mask_patterns.len, 1);
    cr_expect_str_eq(strmap_get(&p.job.mask_patterns, "mask 1"), "r");
}

/* ---- contexts ---- */

static char *context(const struct parsed *p, const char *name)
{
    return json_dumps(json_object_get(p->job.contexts, name), JSON_COMPACT | JSON_ENCODE_ANY);
}

Test(github_message, decodes_contexts)
{
    CLEANUP(parsed_deinit) struct parsed p;

    parse_well(
        &p, "{\"contextData\":{\"matrix\":{\"t\":2,\"d\":[{\"k\":\"a\",\"v\":{\"t\":4,\"n\":1.5}},"
            "{\"K\":\"b\",\"V\":{\"T\":3,\"B\":true}},{\"k\":\"c\",\"v\":{\"s\":\"x\\u0000y\"}},"
            "{\"k\":\"d\",\"v\":{\"t\":5}},{\"k\":\"e\",\"v\":{\"t\":1}},{\"k\":\"f\",\"v\":{}},"
            "{\"k\":\"g\"},{\"k\":\"a\",\"v\":2}]},\"strategy\":null,\"secrets\":\"never\",\"odd\":"
            "true}}");
    CLEANUP(free_ptr) char *matrix = context(&p, "matrix");
    cr_expect_str_eq(matrix, "{\"a\":2,\"b\":true,\"c\":\"x\\u0000y\",\"d\":{},\"e\":[],\"f\":\"\","
                             "\"g\":null}");
    CLEANUP(free_ptr) char *needs = context(&p, "needs");
    cr_expect_str_eq(needs, "{\"lint\":{\"result\":\"success\",\"outputs\":{}}}");
    cr_expect(json_is_null(json_object_get(p.job.contexts, "strategy")));
    cr_expect_null(json_object_get(p.job.contexts, "secrets"));
    cr_expect_null(json_object_get(p.job.contexts, "runner"));
    cr_expect_null(json_object_get(p.job.contexts, "odd"));
    const json_t *event = json_object_get(json_object_get(p.job.contexts, "github"), "event");
    cr_expect(json_is_true(
        json_object_get(json_array_get(json_object_get(event, "commits"), 0), "distinct")));
    cr_expect(json_is_null(json_object_get(event, "base_ref")));
}

Test(github_message, says_where_an_old_enterprise_server_is)
{
    CLEANUP(parsed_deinit) struct parsed p;

    parse_well(&p, "{\"contextData\":{\"github\":{\"t\":2,\"d\":[]}}}");
    const json_t *github = json_object_get(p.job.contexts, "github");
    cr_expect_str_eq(json_string_value(json_object_get(github, "server_url")),
                     "https://ghe.example.test:8443");
    cr_expect_str_eq(json_string_value(json_object_get(github, "api_url")),
                     "https://ghe.example.test:8443/api/v3");
    cr_expect_str_eq(json_string_value(json_object_get(github, "graphql_url")),
                     "https://ghe.example.test:8443/api/graphql");
    cr_expect_str_eq(p.job.work_root, "work/work");
}

/* ---- what is evaluated ---- */

struct view {
    const struct parsed *p;
    json_t *secrets, *env, *steps;
};

static const json_t *look_up(void *ctx, struct slice name)
{
    struct view *v = ctx;
    char key[16];

    snprintf(key, sizeof key, "%.*s", SLICE_ARG(name));
    return strcmp(key, "secrets") == 0 ? v->secrets
           : strcmp(key, "env") == 0   ? v->env
           : strcmp(key, "steps") == 0 ? v->steps
                                       : json_object_get(v->p->job.contexts, key);
}

static bool succeed(void *ctx, struct slice name, const struct slice *args, size_t n_args)
{
    (void)ctx;
    (void)args;
    (void)n_args;
    return slice_eq(name, SLICE("success"));
}

static void add_env(struct view *v, const struct strmap *map)
{
    STRMAP_EACH (i, map)
        json_object_set_new(v->env, i->name, json_string(i->value));
}

Test(github_message, comes_out_as_the_sample_says)
{
    CLEANUP(parsed_deinit) struct parsed p;
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(strmap_deinit) struct strmap env = STRMAP_INIT;
    CLEANUP(strmap_deinit) struct strmap inputs = STRMAP_INIT_NOCASE;
    CLEANUP(strmap_deinit) struct strmap outputs = STRMAP_INIT;
    CLEANUP(strmap_deinit) struct strmap own = STRMAP_INIT;
    struct view v = {&p, json_object(), json_object(),
                     json_pack("{s:{s:{s:s}}}", "test", "outputs", "version", "1.2.3")};
    struct expr_scope scope = {.context = look_up, .status = succeed, .ctx = &v, .env_case = true};
    struct template_eval t = {.arena = &a, .scope = &scope};
    struct err err = ERR_INIT;
    struct slice text;
    bool yes = false;
    double minutes = 0;

    parse_well(&p, "{}");
    STRMAP_EACH (i, &p.job.secrets)
        json_object_set_new(v.secrets, i->name, json_string(i->value));
    cr_assert_eq(p.job.n_env, 2);
    for (size_t i = 0; i < 2; i++)
        cr_assert_eq(template_map(&t, p.job.env[i], &env, &err), ERR_OK, "%s", err.text);
    add_env(&v, &env);
    cr_expect_str_eq(strmap_get(&env, "LANG"), "C.UTF-8");
    cr_expect_str_eq(strmap_get(&env, "DB_URL"), "postgres://app:s3cr3t-pa55@localhost/app");

    cr_assert_eq(p.job.n_steps, 2);
    const struct step *setup = &p.job.steps[0], *test = &p.job.steps[1];
    cr_expect_str_eq(setup->uses, "actions/setup-node@v4");
    cr_expect_str_eq(setup->id, "__actions_setup-node");
    cr_expect_str_eq(setup->record, "57e90001-0000-4000-8000-000000000001");
    cr_expect_eq(setup->line, 26);
    cr_expect_eq(template_test(&t, slice_of(setup->condition), &yes, &err), ERR_OK);
    cr_expect(yes);
    cr_expect_eq(template_bool(&t, setup->continue_on_error, false, &yes, &err), ERR_OK);
    cr_expect(yes);
    cr_expect_eq(template_map(&t, setup->with, &inputs, &err), ERR_OK);
    cr_expect_str_eq(strmap_get(&inputs, "node-version"), "22");
    cr_expect_str_eq(strmap_get(&inputs, "check-latest"), "false");

    cr_expect_str_eq(test->id, "test");
    cr_expect_eq(template_string(&t, test->name, &text, &err), ERR_OK);
    cr_expect(slice_eq(text, SLICE("Test on node 22")));
    cr_expect_eq(template_number(&t, test->timeout_minutes, 0, &minutes, &err), ERR_OK);
    cr_expect_eq(minutes, 10);
    cr_expect_eq(template_map(&t, test->env, &own, &err), ERR_OK);
    cr_expect_str_eq(strmap_get(&own, "VERBOSE"), "1");
    cr_expect_eq(template_string(&t, test->run, &text, &err), ERR_OK);
    cr_expect(slice_starts(text, SLICE("make test NODE=22\necho \"version=1.2.3\"")));
    cr_expect(slice_eq(test->shell->text, SLICE("bash")));
    cr_expect(slice_eq(test->working_directory->text, SLICE("app")));
    cr_expect_null(test->with);

    cr_expect_eq(template_map(&t, p.job.outputs, &outputs, &err), ERR_OK);
    cr_expect_str_eq(strmap_get(&outputs, "version"), "1.2.3");
    cr_expect_eq(template_string(&t, p.job.environment_url, &text, &err), ERR_OK);
    cr_expect(slice_eq(text, SLICE("https://eu.example.test")));
    cr_expect_not_null(token_find(p.job.services, "postgres"));
    cr_expect_null(p.job.container);
    cr_expect(slice_eq(p.job.default_shell->text, SLICE("bash")));
    cr_expect(slice_eq(p.job.default_working_directory->text, SLICE("app")));
    json_decref(v.secrets);
    json_decref(v.env);
    json_decref(v.steps);
}

/* ---- steps ---- */

#define GUID "57e9000f-0000-4000-8000-00000000000f"

static const struct {
    const char *json;                       /* the step */
    const char *uses, *type, *action, *ref; /* what becomes of it */
} steps[] = {
    {"{\"type\":4,\"reference\":{\"type\":1,\"name\":\"a/b\",\"ref\":\"v1\",\"path\":\"/sub/x\"}}",
     "a/b/sub/x@v1", "repository", "a/b/sub/x", "v1"},
    {"{\"type\":\"Action\",\"reference\":{\"type\":\"repository\",\"repositoryType\":\"self\","
     "\"path\":\"./.github/x\"}}",
     "./.github/x", "repository", "./.github/x", ""},
    {"{\"type\":\"action\",\"reference\":{\"type\":\"repository\",\"repositoryType\":\"self\","
     "\"path\":\"tools\"}}",
     "./tools", "repository", "./tools", ""},
    {"{\"type\":\"action\",\"reference\":{\"type\":\"repository\",\"repositoryType\":\"self\"}}",
     "./", "repository", "./", ""},
    {"{\"type\":\"action\",\"reference\":{\"type\":\"repository\",\"repositoryType\":"
     "\"selfRepository\","
     "\"path\":\"tools/x\"}}",
     "acme/widgets/tools/x@0123456789abcdef0123456789abcdef01234567", "repository",
     "acme/widgets/tools/x", "0123456789abcdef0123456789abcdef01234567"},
    {"{\"type\":\"action\",\"reference\":{\"type\":2,\"image\":\"alpine:3\"}}", "docker://alpine:3",
     "docker", "alpine:3", ""},
    {"{\"type\":\"action\",\"reference\":{\"type\":\"containerRegistry\",\"image\":\"docker://"
     "a\"}}",
     "docker://a", "docker", "a", ""},
    {"{\"type\":\"action\",\"reference\":{\"type\":\"script\"}}", NULL, "run", "bash", ""},
    {"{\"type\":\"action\",\"reference\":{\"type\":\"script\"},\"inputs\":{\"type\":2,\"map\":[{"
     "\"Key\":\"script\",\"Value\":{\"type\":7}},{\"Key\":\"shell\",\"Value\":null}]}}",
     NULL, "run", "bash", ""},
    {"{\"type\":\"action\",\"reference\":{\"type\":3},\"inputs\":{\"type\":2,\"map\":[{\"Key\":"
     "\"Shell\","
     "\"Value\":\"pwsh -c {0}\"}]}}",
     NULL, "run", "pwsh", ""},
};

/* The sample with these STEPS and a job context that says which commit the workflow is of. */
static void parse_steps(struct parsed *p, const char *list)
{
    CLEANUP(buf_deinit) struct buf patch = BUF_INIT(1 << 20);

    buf_printf(&patch,
               "{\"contextData\":{\"job\":{\"t\":2,\"d\":[{\"k\":\"workflow_repository\",\"v\":"
               "\"acme/widgets\"},{\"k\":\"workflow_sha\",\"v\":"
               "\"0123456789abcdef0123456789abcdef01234567\"}]}},\"steps\":[%s]}",
               list);
    parse(p, patch.ptr);
}

Test(github_message, knows_steps_of_all_kinds)
{
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        CLEANUP(parsed_deinit) struct parsed p;

        parse_steps(&p, steps[i].json);
        cr_assert_eq(p.r, ERR_OK, "%s: %s", steps[i].json, p.err.text);
        cr_assert_eq(p.job.n_steps, 1, "%s", steps[i].json);
        const struct step *s = &p.job.steps[0];
        const struct github_step *t = github_step_find(&p.github, s->record);
        cr_assert_not_null(t);
        if (steps[i].uses)
            cr_expect_str_eq(s->uses, steps[i].uses);
        else
            cr_expect_null(s->uses);
        cr_expect_eq(s->run != NULL, steps[i].uses == NULL, "%s", steps[i].json);
        cr_expect_str_eq(t->type, steps[i].type);
        cr_expect_str_eq(t->action, steps[i].action);
        cr_expect_str_eq(t->ref, steps[i].ref);
        cr_expect_str_eq(s->condition, "success()");
        cr_expect_str_eq(s->id, "__step_1");
        cr_expect_eq(strlen(s->record), 36);
    }
}

Test(github_message, a_step_keeps_its_name_and_its_record)
{
    CLEANUP(parsed_deinit) struct parsed p;

    parse_steps(&p, "{\"type\":\"action\",\"id\":\"57E9000F-0000-4000-8000-00000000000F\","
                    "\"contextName\":\"a\",\"displayName\":\"Old\",\"condition\":\"failure()\","
                    "\"reference\":{\"type\":\"script\"}},"
                    "{\"type\":\"action\",\"id\":\"no guid\",\"displayName\":\"Old\","
                    "\"displayNameToken\":\"New\",\"reference\":{\"type\":\"repository\","
                    "\"repositoryType\":\"selfRepository\"}},"
                    "{\"type\":\"action\",\"reference\":{\"type\":\"repository\","
                    "\"repositoryType\":\"selfRepository\",\"path\":\"$/x\"}}");
    cr_assert_eq(p.r, ERR_OK, "%s", p.err.text);
    cr_assert_eq(p.job.n_steps, 3);
    cr_expect_str_eq(p.job.steps[0].record, GUID);
    cr_expect_str_eq(p.job.steps[0].condition, "failure()");
    cr_expect(slice_eq(p.job.steps[0].name->text, SLICE("Old")));
    cr_expect(slice_eq(p.job.steps[1].name->text, SLICE("New")));
    cr_expect(slice_eq(p.job.steps[2].name->text, SLICE("Run $/x")));
    cr_expect_not_null(github_step_find(&p.github, GUID));
    cr_expect_null(github_step_find(&p.github, "57e9000f"));
}

Test(github_message, leaves_out_what_the_official_runner_leaves_out)
{
    CLEANUP(parsed_deinit) struct parsed p;

    parse_steps(&p, "{\"type\":\"action\",\"enabled\":false,\"reference\":{\"type\":\"script\"}},"
                    "{\"type\":\"task\"},{\"type\":1},null,7,{}");
    cr_assert_eq(p.r, ERR_OK, "%s", p.err.text);
    cr_expect_eq(p.job.n_steps, 0);
    cr_expect_eq(p.github.n_steps, 0);
}

Test(github_message, knows_background_and_control_steps)
{
    CLEANUP(parsed_deinit) struct parsed p;

    parse_steps(&p,
                "{\"type\":\"action\",\"contextName\":\"a\",\"background\":true,"
                "\"parallelGroupId\":\"g\",\"reference\":{\"type\":\"script\"}},"
                "{\"type\":\"backgroundStepControl\",\"name\":\"__wait\",\"controlType\":\"wait\","
                "\"stepIds\":[\"a\"],\"background\":true},"
                "{\"type\":5,\"controlType\":\"wait-all\",\"stepIds\":null},"
                "{\"type\":5,\"controlType\":\"cancel\",\"stepIds\":[\"a\",7,\"\"],"
                "\"displayNameToken\":\"Stop a\"}");
    cr_assert_eq(p.r, ERR_OK, "%s", p.err.text);
    cr_assert_eq(p.job.n_steps, 4);
    const struct step *s = p.job.steps;
    cr_expect(s[0].background && !s[1].background);
    cr_expect_str_eq(p.github.steps[0].group, "g");
    cr_expect_eq(s[1].control, CONTROL_WAIT);
    cr_expect_str_eq(s[1].targets[0], "a");
    cr_expect_str_eq(s[1].condition, "always()");
    cr_expect_str_eq(p.github.steps[1].targets[0], "a");
    cr_expect_null(p.github.steps[1].targets[1]);
    cr_expect_eq(s[2].control, CONTROL_WAIT_ALL);
    cr_expect_eq(s[3].control, CONTROL_CANCEL);
    cr_expect_eq(s[3].n_targets, 1);
    cr_expect(slice_eq(s[3].name->text, SLICE("Stop a")));
}

/* ---- legacy ---- */

Test(github_message, of_the_legacy_kind_names_its_lock_and_its_plan)
{
    CLEANUP(parsed_deinit) struct parsed p;

    parse_well(&p, "{\"messageType\":\"PipelineAgentJobRequest\",\"requestId\":4711,"
                   "\"plan\":{\"planType\":\"free\",\"version\":12,"
                   "\"scopeIdentifier\":\"AAAAAAAA-0000-4000-8000-000000000001\"},"
                   "\"timeline\":{\"id\":\"bbbbbbbb-0000-4000-8000-000000000001\"},"
                   "\"dependencies\":[\"a/b@v1\",3,\"c/d@v2\"],"
                   "\"variables\":{\"system.github.results_endpoint\":null,"
                   "\"actions_use_bearer_token_for_codeload\":{\"value\":\"true\"}}}");
    cr_expect(!p.github.results_only);
    cr_expect(p.job.resolver_redirects);
    cr_expect_eq(p.github.request_id, 4711);
    cr_expect_eq(p.github.plan_version, 12);
    cr_expect_str_eq(p.github.scope_id, "aaaaaaaa-0000-4000-8000-000000000001");
    cr_expect_str_eq(p.github.timeline_id, "bbbbbbbb-0000-4000-8000-000000000001");
    cr_expect_null(p.github.results_url); /* without its variable nothing is uploaded there */
    cr_expect_str_eq(p.job.resolver, "legacy");
    cr_expect_str_eq(p.job.resolver_url,
                     "https://run.example.test/116/aaaaaaaa-0000-4000-8000-000000000001/_apis/"
                     "distributedtask/hubs/free/plans/91a40000-aaaa-4bbb-8ccc-dddddddddddd/"
                     "actiondownloadinfo?jobId=10b00000-1111-5222-8333-444444444444");
    cr_expect_str_eq(p.job.resolver_pins[0], "a/b@v1");
    cr_expect_str_eq(p.job.resolver_pins[1], "c/d@v2");
    cr_expect_null(p.job.resolver_pins[2]);
    cr_expect(p.job.codeload_bearer);
}

Test(github_message, redirects_are_followed_where_both_the_job_and_this_machine_say_so)
{
    struct github_origin here = place;

    for (int i = 0; i < 4; i++) {
        CLEANUP(free_ptr)
        char *text = patched(i & 1 ? "{\"messageType\":\"PipelineAgentJobRequest\"}"
                                   : "{\"messageType\":\"PipelineAgentJobRequest\",\"variables\":{"
                                     "\"Actions.EnableHttpRedirects\":{\"value\":\"false\"}}}");
        CLEANUP(parsed_deinit) struct parsed p = {.err = ERR_INIT};

        here.no_redirects = i & 2;
        cr_assert_eq(github_message_parse(slice_of(text), &here, &p.job, &p.github, &p.err), ERR_OK,
                     "%s", p.err.text);
        cr_expect_eq(p.github.follow_redirects, i == 1, "%d", i);
        cr_expect_eq(p.job.resolver_redirects, i == 1, "%d", i);
    }
}

/* ---- bad messages ---- */

static const struct {
    const char *patch;
    const char *why; /* behind "the job message cannot be read: " */
    bool told;       /* it can still be reported as failed */
} bad[] = {
    {"{\"plan\":null}", "plan: planId: must be a GUID", false},
    {"{\"plan\":[]}", "plan: must be an object", false},
    {"{\"plan\":{\"planId\":\"../x\"}}", "plan: planId: must be a GUID", false},
    {"{\"plan\":{\"planType\":\"a/../b\"}}", "plan: planType: 'a/../b' is none", true},
    {"{\"jobId\":7}", "jobId: must be a GUID", false},
    {"{\"resources\":null}", "resources: endpoints: there is none named SystemVssConnection",
     false},
    {"{\"resources\":{\"endpoints\":{}}}", "resources: endpoints: must be a list", false},
    {"{\"resources\":{\"endpoints\":[{\"name\":\"SystemVssConnection\",\"url\":\"file:///etc\"}]}}",
     "resources: endpoints: SystemVssConnection: url: must be an address", false},
    {"{\"resources\":{\"endpoints\":[{\"name\":\"SystemVssConnection\",\"url\":\"https://h/\"}]}}",
     "resources: endpoints: SystemVssConnection: authorization: parameters: AccessToken: is "
     "missing",
     false},
    {"{\"contextData\":[]}", "contextData: must be an object", true},
    {"{\"contextData\":{\"github\":{\"t\":9}}}",
     "contextData: github: a context value has an unknown type", true},
    {"{\"contextData\":{\"github\":{\"t\":2,\"d\":[{\"k\":\"event\",\"v\":{\"t\":1,\"a\":[1,[]]}}]}"
     "}}",
     "contextData: github: event: [1]: a context value cannot be a JSON list", true},
    {"{\"contextData\":{\"github\":{\"t\":2,\"d\":[{\"v\":1}]}}}",
     "contextData: github: a dictionary has an entry whose 'k' is no text", true},
    {"{\"contextData\":{\"github\":{\"t\":2,\"d\":{}}}}", "contextData: github: d: must be a list",
     true},
    {"{\"variables\":[]}", "variables: must be an object", true},
    {"{\"mask\":{}}", "mask: must be a list", true},
    {"{\"environmentVariables\":[{\"type\":77}]}",
     "environmentVariables[0]: a template token has an unknown type", true},
    {"{\"defaults\":[[]]}", "defaults[0]: a template token cannot be a JSON array", true},
    {"{\"jobContainer\":[]}", "jobContainer: a template token cannot be a JSON array", true},
    {"{\"jobOutputs\":{\"type\":\"x\"}}", "jobOutputs: a template token has an unknown type", true},
    {"{\"actionsEnvironment\":{\"url\":{\"type\":-1}}}",
     "actionsEnvironment: url: a template token has an unknown type", true},
    {"{\"steps\":{}}", "steps: must be a list", true},
    {"{\"steps\":[{\"type\":\"action\"}]}", "steps[0]: reference: is missing", true},
    {"{\"steps\":[{\"type\":\"action\",\"reference\":{\"type\":\"x\"}}]}",
     "steps[0]: reference: type: is none that is known", true},
    {"{\"steps\":[{},{\"type\":\"action\",\"reference\":{\"type\":\"repository\",\"name\":\"../"
     "..\","
     "\"ref\":\"v1\"}}]}",
     "steps[1]: reference: '../..@v1' names no owner: write owner/repo@version", true},
    {"{\"steps\":[{\"type\":\"action\",\"reference\":{\"type\":\"repository\",\"name\":\"a/b\","
     "\"ref\":\"v1\",\"path\":\"../../etc\"}}]}",
     "steps[0]: reference: the path in 'a/b/../../etc@v1' leads out of the repository", true},
    {"{\"steps\":[{\"type\":\"action\",\"reference\":{\"type\":\"repository\","
     "\"repositoryType\":\"Git\"}}]}",
     "steps[0]: reference: repositoryType: 'Git' is not known", true},
    {"{\"steps\":[{\"type\":\"action\",\"reference\":{\"type\":2}}]}",
     "steps[0]: reference: image: is missing", true},
    {"{\"steps\":[{\"type\":\"action\",\"reference\":{\"type\":3},\"timeoutInMinutes\":[]}]}",
     "steps[0]: timeoutInMinutes: a template token cannot be a JSON array", true},
    {"{\"steps\":[{\"type\":5,\"controlType\":\"jump\"}]}",
     "steps[0]: controlType: is none of wait, wait-all, cancel", true},
    {"{\"steps\":[{\"type\":\"action\",\"reference\":{\"type\":\"repository\","
     "\"repositoryType\":\"selfRepository\"}}]}",
     "steps[0]: reference: Unable to resolve self-reference '$/': the server does not say which "
     "commit "
     "the workflow is of",
     true},
};

Test(github_message, a_bad_one_names_the_member_and_can_be_answered)
{
    static const char begin[] = "the job message cannot be read: ";

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        CLEANUP(parsed_deinit) struct parsed p;

        parse(&p, bad[i].patch);
        cr_expect(p.r < 0, "%s", bad[i].patch);
        cr_expect(slice_starts(slice_of(p.err.text), slice_of(begin)) &&
                      strncmp(p.err.text + sizeof begin - 1, bad[i].why,
                              ERR_TEXT_SIZE - sizeof begin) == 0,
                  "%s: wanted '%s', came '%s'", bad[i].patch, bad[i].why, p.err.text);
        cr_expect_eq(github_job_can_be_told(&p.github), bad[i].told, "%s", bad[i].patch);
    }
}

Test(github_message, text_that_is_none_is_refused)
{
    static const struct {
        struct slice text;
        const char *why;
    } texts[] = {
        {SLICE_INIT(""), "the job message is no JSON object"},
        {SLICE_INIT("<html>"), "the job message is no JSON object"},
        {SLICE_INIT("[]"), "the job message is no JSON object: it is another value"},
        {SLICE_INIT("{\"a\":"), "the job message is no JSON object"},
        {SLICE_INIT("{\"a\":\"\xff\"}"), "the job message is no JSON object"},
    };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        CLEANUP(parsed_deinit) struct parsed p;

        parse_text(&p, texts[i].text);
        cr_expect_eq(p.r, ERR_INVALID);
        cr_expect(slice_starts(slice_of(p.err.text), slice_of(texts[i].why)), "%s", p.err.text);
        cr_expect(!github_job_can_be_told(&p.github));
    }
}

/* [[[[... in a member that nobody reads. */
static void parse_depth(struct parsed *p, size_t depth)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(4096);

    buf_add_str(&text, "{\"x\":\"[[{\\\"[[\",\"y\":");
    for (size_t i = 0; i < depth; i++)
        buf_add_char(&text, '[');
    for (size_t i = 0; i < depth; i++)
        buf_add_char(&text, ']');
    buf_add_char(&text, '}');
    parse_text(p, buf_slice(&text));
}

Test(github_message, has_a_limit_on_depth_and_size)
{
    CLEANUP(parsed_deinit) struct parsed p, q, r;
    struct slice large = {"{", (size_t)GITHUB_MESSAGE_READ_MAX + 1}; /* never read */

    parse_depth(&p, GITHUB_MESSAGE_DEPTH - 1);
    cr_expect_eq(p.r, ERR_INVALID);
    parse_depth(&q, GITHUB_MESSAGE_DEPTH);
    cr_expect_eq(q.r, ERR_LIMIT);
    cr_expect_str_eq(q.err.text, "the job message is nested more than 200 deep");
    parse_text(&r, large);
    cr_expect_eq(r.r, ERR_LIMIT);
}

Test(github_message, of_fifty_megabytes_is_read)
{
    enum { PAYLOAD = GITHUB_MESSAGE_MAX - (64 << 10) };
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(GITHUB_MESSAGE_MAX);
    CLEANUP(free_ptr) char *small = patched("{}");
    CLEANUP(parsed_deinit) struct parsed p;

    buf_add_str(&text, "{\"unknown\":\"");
    memset(buf_reserve(&text, PAYLOAD), 'x', PAYLOAD);
    text.len += PAYLOAD;
    buf_add_str(&text, "\",");
    buf_add_str(&text, small + 1);
    parse_text(&p, buf_slice(&text));
    cr_expect_eq(p.r, ERR_OK, "%s", p.err.text);
}

Test(github_message, that_is_larger_is_refused_and_can_be_told_so)
{
    enum { PAYLOAD = GITHUB_MESSAGE_MAX };
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(GITHUB_MESSAGE_READ_MAX);
    CLEANUP(free_ptr) char *small = patched("{}");
    CLEANUP(parsed_deinit) struct parsed p;

    buf_add_str(&text, "{\"unknown\":\"");
    memset(buf_reserve(&text, PAYLOAD), 'x', PAYLOAD);
    text.len += PAYLOAD;
    buf_add_str(&text, "\",");
    buf_add_str(&text, small + 1);
    parse_text(&p, buf_slice(&text));
    cr_expect_eq(p.r, ERR_LIMIT);
    cr_expect(strstr(p.err.text, "at most 52428800 are taken"), "%s", p.err.text);
    cr_expect(github_job_can_be_told(&p.github));
}

Test(github_message, begins_with_a_mark_when_it_was_encrypted)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 20);
    CLEANUP(free_ptr) char *plain = patched("{}");
    CLEANUP(parsed_deinit) struct parsed p;

    buf_printf(&text, "\xef\xbb\xbf%s", plain);
    parse_text(&p, buf_slice(&text));
    cr_expect_eq(p.r, ERR_OK, "%s", p.err.text);
}

/* What the listener adds, and what the worker reads. */
Test(github_message, makes_a_job_that_a_worker_takes)
{
    CLEANUP(parsed_deinit) struct parsed p;
    struct err err = ERR_INIT;
    struct job again;
    size_t size;

    parse_well(&p, "{}");
    p.job.dir = "/job/1";
    job_init(&again);
    CLEANUP(free_ptr) char *text = job_format(&p.job, &size);
    cr_assert_eq(job_parse(&again, slice_make(text, size), &err), ERR_OK, "%s", err.text);
    cr_expect_str_eq(again.runner_name, "box-1");
    cr_expect_str_eq(again.permissions, "Contents: read\nMetadata: read");
    cr_expect_str_eq(again.resolver, "launch");
    cr_expect_eq(again.mask_patterns.len, 3);
    cr_expect_eq(again.masks.len, 2);
    cr_expect_str_eq(again.steps[1].record, "57e90002-0000-4000-8000-000000000002");
    job_deinit(&again);
}
