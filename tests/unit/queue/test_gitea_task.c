#include "queue/gitea/task.h"

#include "kit/scratch.h"
#include "queue/gitea/connect.h"

#include <criterion/criterion.h>

static struct gitea_settings settings;
static struct task task;

static void enter(void)
{
    struct err err = ERR_INIT;
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:[s, s], s:i, s:{s:s}, s:b, s:s, s:{s:[s]}}", "uuid", "u",
                  "name", "n", "token", "t", "address", "http://h:3000/git", "labels",
                  "ubuntu-latest:docker://node:22", "metal:host", "timeout_ms", 3600000, "env",
                  "OWN", "1", "pull", 1, "engine", "unix:///e", "containers", "volumes", "data");

    scratch_enter();
    cr_assert_eq(gitea_settings_read(json, &settings, &err), ERR_OK, "%s", err.text);
    json_decref(json);
}

static void leave(void)
{
    task_deinit(&task);
    gitea_settings_deinit(&settings);
    scratch_leave();
}

TestSuite(gitea_task, .init = enter, .fini = leave);

static char *base64(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = strlen(text);
    char *out = mem_new(n * 4 / 3 + 5), *p = out;

    for (size_t i = 0; i < n; i += 3) {
        unsigned v = (unsigned)(unsigned char)text[i] << 16 |
                     (i + 1 < n ? (unsigned)(unsigned char)text[i + 1] << 8 : 0) |
                     (i + 2 < n ? (unsigned)(unsigned char)text[i + 2] : 0);

        *p++ = digits[v >> 18];
        *p++ = digits[v >> 12 & 63];
        *p++ = i + 1 < n ? digits[v >> 6 & 63] : '=';
        *p++ = i + 2 < n ? digits[v & 63] : '=';
    }
    return out;
}

/* A task with YAML and the other members of MORE, JSON text. */
static json_t *message(const char *yaml, const char *more)
{
    CLEANUP(free_ptr) char *coded = base64(yaml);
    json_t *json = NULL;
    struct err err = ERR_INIT;

    cr_assert_eq(connect_json(slice_of(more), &json, &err), ERR_OK, "%s", more);
    json_object_set_new(json, "id", json_string("99"));
    if (!json_object_get(json, "workflowPayload"))
        json_object_set_new(json, "workflowPayload", json_string(coded));
    return json;
}

static void take(const char *yaml, const char *more)
{
    const struct task_spec spec = {.settings = &settings,
                                   .registration = "home",
                                   .version = "1.0",
                                   .capabilities = "job-summary"};
    json_t *json = message(yaml, more);
    struct err err = ERR_INIT;

    task_deinit(&task);
    cr_assert_eq(task_read(json, &spec, &task, &err), ERR_OK, "%s", err.text);
    json_decref(json); /* nothing may be borrowed from it */
}

#define CONTEXT                                                                                    \
    "\"context\":{\"event_name\":\"push\",\"event\":{\"ref\":\"x\"},\"repository\":\"o/demo\","    \
    "\"token\":\"ttt\",\"gitea_runtime_token\":\"h.eyJKb2JJRCI6NTV9.s\",\"run_id\":\"12\","        \
    "\"workflow\":\"ci.yml\",\"server_url\":\"http://else/\",\"env\":\"\","                        \
    "\"gitea_default_actions_url\":\"https://act.example/\"}"

static const char yaml[] =
    "name: ci\non: [push]\nenv:\n  TOP: \"1\"\njobs:\n  build:\n    name: build (1)\n"
    "    runs-on: ubuntu-latest\n    timeout-minutes: \"10\"\n"
    "    steps:\n      - id: a\n        run: echo \"v=1\" >> \"$GITHUB_OUTPUT\"\n"
    "      - uses: https://ACT.example/o/a@v1\n"
    "      - uses: https://other.example/o/b@v1\n"
    "    strategy:\n      matrix:\n        n:\n          - 1\n"
    "    outputs:\n      v: ${{ steps.a.outputs.v }}\n";

static const char *github(const char *key)
{
    return json_string_value(json_object_get(json_object_get(task.job->contexts, "github"), key));
}

Test(gitea_task, becomes_a_job_with_all_that_its_expressions_see)
{
    take(yaml, "{" CONTEXT ",\"secrets\":{\"FOO\":\"bar\",\"GITEA_TOKEN\":\"ggg\"},"
               "\"vars\":{\"V1\":\"x\"},\"needs\":{\"lint\":{\"result\":\"RESULT_SUCCESS\","
               "\"outputs\":{\"ok\":\"1\"}}}}");
    cr_assert_eq(task.fate, TASK_RUN, "%.*s", SLICE_ARG(task.reason));
    struct job *j = task.job;
    cr_expect_eq(task.id, 99);
    cr_expect_str_eq(j->key, "home/99");
    cr_expect_str_eq(j->id, "build");
    cr_expect_str_eq(j->name, "build (1)");
    cr_expect_str_eq(j->file, "ci.yml");
    cr_expect_str_eq(j->work_root, "demo/demo");
    cr_expect_eq(j->timeout_ms, 600000);
    cr_expect_str_eq(j->store_source, "https://act.example");
    cr_expect_str_eq(j->store_login, "http://h:3000/git");
    cr_expect_eq(task.n_steps, 3);
    cr_expect_str_eq(j->steps[0].record, "0");
    cr_expect_str_eq(j->steps[1].record, "1");
    cr_expect_str_eq(j->steps[1].uses, "o/a@v1");
    cr_expect_str_eq(j->steps[2].uses, "https://other.example/o/b@v1");
    cr_expect(slice_eq(j->container->text, SLICE("node:22")));
    cr_expect_str_eq(strmap_get(&j->secrets, "GITHUB_TOKEN"), "ggg");
    cr_expect_str_eq(strmap_get(&j->secrets, "FOO"), "bar");
    cr_expect_str_eq(strmap_get(&j->runtime, "ACTIONS_RUNTIME_URL"),
                     "http://h:3000/git/api/actions_pipeline/");
    cr_expect_str_eq(strmap_get(&j->runtime, "ACTIONS_RUNTIME_TOKEN"), "h.eyJKb2JJRCI6NTV9.s");
    cr_expect_str_eq(task.summary, "http://h:3000/git/api/actions_pipeline/_apis/pipelines/"
                                   "workflows/12/jobs/55/steps/");
    cr_expect_str_eq(github("server_url"), "http://h:3000/git");
    cr_expect_str_eq(github("api_url"), "http://h:3000/git/api/v1");
    cr_expect_str_eq(github("job"), "build");
    cr_expect_null(github("token"), "secrets are kept elsewhere");
    cr_expect_null(github("gitea_runtime_token"));
    cr_expect_null(github("env"), "only this machine knows it");
    json_t *c = j->contexts;
    cr_expect_str_eq(json_string_value(json_object_get(json_object_get(c, "vars"), "V1")), "x");
    cr_expect_eq(json_number_value(json_object_get(json_object_get(c, "matrix"), "n")), 1);
    json_t *lint = json_object_get(json_object_get(c, "needs"), "lint");
    cr_expect_str_eq(json_string_value(json_object_get(lint, "result")), "success");
    cr_expect_str_eq(strmap_get(&j->runtime, "GITEA_ACTIONS"), "true");
    cr_expect_null(strmap_get(&j->runtime, "FORGEJO_ACTIONS"));
    cr_expect(slice_eq(token_find(j->env[0], "OWN")->text, SLICE("1")));
    cr_expect(slice_eq(token_find(j->env[1], "TOP")->text, SLICE("1")));
}

Test(gitea_task, survives_the_way_to_a_worker)
{
    struct err err = ERR_INIT;
    struct job again;
    size_t size;

    take(yaml, "{" CONTEXT "}");
    cr_assert_eq(task.fate, TASK_RUN);
    task.job->dir = "/d"; /* the listener's part */
    task.job->isolation = "host";
    char *text = job_format(task.job, &size);
    job_init(&again);
    cr_assert_eq(job_parse(&again, slice_make(text, size), &err), ERR_OK, "%s", err.text);
    cr_expect_str_eq(again.steps[1].record, "1");
    job_deinit(&again);
    free(text);
}

#define JOB(more) "on: push\njobs: {a: {runs-on: metal, steps: [{run: x}]" more "}}\n"

Test(gitea_task, asks_the_condition_with_the_results_that_the_server_sent)
{
    static const struct {
        const char *condition, *needs;
        enum task_fate fate;
    } rows[] = {
        {"", "{}", TASK_RUN},
        {"", "{\"b\":{\"result\":\"RESULT_SUCCESS\"}}", TASK_RUN},
        {"", "{\"b\":{\"result\":\"RESULT_FAILURE\"}}", TASK_SKIP},
        {"", "{\"b\":{\"result\":7}}", TASK_SKIP},
        {"", "{\"b\":{}}", TASK_SKIP},
        {", if: always()", "{\"b\":{\"result\":\"RESULT_SKIPPED\",\"outputs\":null}}", TASK_RUN},
        {", if: failure()", "{\"b\":{\"result\":\"RESULT_FAILURE\"}}", TASK_RUN},
        {", if: failure()", "{\"b\":{\"result\":\"RESULT_SUCCESS\"}}", TASK_SKIP},
        {", if: \"needs.b.outputs.x == 'y'\"",
         "{\"b\":{\"result\":\"RESULT_SUCCESS\",\"outputs\":{\"x\":\"y\"}}}", TASK_RUN},
        {", if: \"gitea.event_name == 'push'\"", "{}", TASK_RUN},
        {", if: \"github.event_name == 'tag'\"", "{}", TASK_SKIP},
        {", if: \"fromJSON('{')\"", "{}", TASK_REFUSE},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[400], more[900];

        snprintf(text, sizeof text, JOB("%s"), rows[i].condition);
        snprintf(more, sizeof more, "{" CONTEXT ",\"needs\":%s}", rows[i].needs);
        take(text, more);
        cr_expect_eq(task.fate, rows[i].fate, "row %zu: %.*s", i, SLICE_ARG(task.reason));
        cr_expect_eq(task.n_steps, 1);
        cr_expect_eq(task.job != NULL, rows[i].fate == TASK_RUN);
        cr_expect_eq(task.reason.len > 0, rows[i].fate != TASK_RUN);
    }
}

Test(gitea_task, refuses_with_a_reason_what_cannot_be_run)
{
    static const struct {
        const char *yaml, *more, *reason;
    } rows[] = {
        {"", "{\"workflowPayload\":\"!!\"}", "no Base64"},
        {"", "{}", "ci.yml"},
        {"", "{\"workflowPayload\":7}", "ci.yml"},
        {"a: [\n", "{}", "ci.yml"},
        {"on: push\njobs: {}\n", "{}", ""},
        {"on: push\njobs: {a: {runs-on: x, steps: [{run: x}]}, b: {runs-on: x, steps: [{run: "
         "x}]}}\n",
         "{}", "a workflow of 2 jobs"},
        {JOB(", timeout-minutes: soon"), "{}", "Unexpected value 'soon'"},
        {JOB(", strategy: {matrix: \"${{ fromJSON('[') }}\"}"), "{}", "strategy"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_deinit) struct buf more = BUF_INIT(2000);

        buf_printf(&more, "%.*s%s" CONTEXT "}", (int)strlen(rows[i].more) - 1, rows[i].more,
                   strlen(rows[i].more) > 2 ? "," : "");
        take(rows[i].yaml, more.ptr);
        cr_expect_eq(task.fate, TASK_REFUSE, "row %zu", i);
        cr_expect_geq(slice_find(task.reason, slice_of(rows[i].reason)), 0, "row %zu: %.*s", i,
                      SLICE_ARG(task.reason));
        cr_expect_eq(slice_find_char(task.reason, '\n'), -1, "%.*s", SLICE_ARG(task.reason));
    }
}

Test(gitea_task, calls_a_workflow_with_all_that_its_jobs_need)
{
    take("on: push\nenv: {TOP: x}\njobs:\n  a:\n    if: always()\n    runs-on: []\n    uses: "
         "./.gitea/workflows/b.yml\n"
         "    with: {v: \"${{ needs.lint.outputs.ok }}\"}\n",
         "{" CONTEXT ",\"vars\":{\"V1\":\"x\"},\"needs\":{\"lint\":{\"result\":"
         "\"RESULT_FAILURE\",\"outputs\":{\"ok\":\"1\"}}}}");
    cr_assert_eq(task.fate, TASK_CALL, "%.*s", SLICE_ARG(task.reason));
    cr_expect_eq(task.n_steps, 0);
    cr_expect_str_eq(task.call->workflow.jobs[0].condition, "success()", "it is judged");
    cr_expect_str_eq(strmap_get(&task.call->vars, "V1"), "x");
    cr_expect_not_null(json_object_get(task.call->needs, "lint"));

    struct job j;
    job_init(&j);
    task_adopt(&settings, task.job, &j);
    cr_expect_eq(j.n_env, 1, "this machine's own, and not the caller's");
    cr_expect_str_eq(j.work_root, "demo/demo");
    cr_expect_str_eq(j.store_login, "http://h:3000/git");
    cr_expect_str_eq(strmap_get(&j.runtime, "ACTIONS_RUNTIME_TOKEN"), "h.eyJKb2JJRCI6NTV9.s");
    cr_expect(j.pull);
    cr_expect_eq(json_array_size(j.container_policies), 1);
    job_deinit(&j);
}

Test(gitea_task, is_run_as_the_registration_says)
{
    strmap_set(&settings.env, SLICE("ACTIONS_CACHE_URL"), SLICE("http://caches/"));
    take("on: push\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n", "{" CONTEXT "}");
    cr_assert_eq(task.fate, TASK_RUN, "%.*s", SLICE_ARG(task.reason));
    cr_expect(task.job->pull);
    cr_expect_str_eq(task.job->engine, "unix:///e");
    cr_expect_str_eq(
        json_string_value(json_array_get(
            json_object_get(json_array_get(task.job->container_policies, 0), "volumes"), 0)),
        "data");
    cr_expect_str_eq(strmap_get(&task.job->runtime, "ACTIONS_CACHE_URL"), "http://caches/");
}

Test(gitea_task, leaves_it_to_this_machine_where_github_is)
{
    take("on: push\njobs: {a: {runs-on: x, steps: [{uses: \"https://github.com/o/a@v1\"}]}}\n",
         "{\"context\":{\"gitea_default_actions_url\":\"https://github.com\"}}");
    cr_assert_eq(task.fate, TASK_RUN, "%.*s", SLICE_ARG(task.reason));
    cr_expect_null(task.job->store_source, "a mirror of it may be configured");
    cr_expect_str_eq(task.job->steps[0].uses, "o/a@v1");
}

Test(gitea_task, calls_the_workspace_by_the_repository_only_if_that_is_a_name)
{
    static const struct {
        const char *repository, *root;
    } rows[] = {{"acme/app", "app/app"},      {"acme/.profile", ".profile/.profile"},
                {"acme/..", "work/work"},     {"acme/", "work/work"},
                {"acme/a:/etc", "etc/etc"},   {"acme/a:b", "work/work"},
                {"acme/a,b", "work/work"},    {"acme/a\\nb", "work/work"},
                {"acme/\\u00e4", "work/work"}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char more[200];

        snprintf(more, sizeof more, "{\"context\":{\"repository\":\"%s\"}}", rows[i].repository);
        take(JOB(""), more);
        cr_assert_eq(task.fate, TASK_RUN, "%.*s", SLICE_ARG(task.reason));
        cr_expect_str_eq(task.job->work_root, rows[i].root, "%s", rows[i].repository);
    }
}

Test(gitea_task, takes_contexts_as_odd_as_webhooks_are)
{
    take(JOB(""), "{\"context\":{\"event\":{\"a\":\"x\\u0000y\",\"n\":10000000000000000000,"
                  "\"f\":1e21},\"ref\":7},\"secrets\":{\"EMPTY\":\"\",\"BAD\":1},\"unknown\":[]}");
    cr_assert_eq(task.fate, TASK_RUN, "%.*s", SLICE_ARG(task.reason));
    cr_expect_str_eq(strmap_get(&task.job->secrets, "EMPTY"), "");
    cr_expect_null(strmap_get(&task.job->secrets, "BAD"));
    cr_expect_null(task.job->store_source);
    cr_expect_null(task.summary);
    cr_expect_str_eq(task.job->work_root, "work/work");
    cr_expect_str_eq(task.job->runner_name, "n", "as it is registered");
    take(JOB(""), "{\"context\":[],\"secrets\":7,\"needs\":[],\"vars\":\"\"}");
    cr_expect_eq(task.fate, TASK_RUN, "%.*s", SLICE_ARG(task.reason));
}

Test(gitea_task, runs_where_its_label_says_unless_the_job_says_more)
{
    take("on: push\njobs: {a: {runs-on: [gpu, METAL], steps: [{run: x}]}}\n", "{}");
    cr_expect_null(task.job->container);
    take("on: push\njobs: {a: {runs-on: nothing, steps: [{run: x}]}}\n", "{}");
    cr_expect_null(task.job->container);
    take("on: push\njobs: {a: {runs-on: [ubuntu-latest], steps: [{run: x}]}}\n", "{}");
    cr_expect(slice_eq(task.job->container->text, SLICE("node:22")));
    take("on: push\njobs: {a: {runs-on: [ubuntu-latest], container: alpine, steps: [{run: x}]}}\n",
         "{}");
    cr_expect(slice_eq(task.job->container->text, SLICE("alpine")));
    cr_expect_eq(task.job->timeout_ms, 3600000, "what the registration allows at most");
}

Test(gitea_task, types_the_inputs_of_a_dispatch)
{
    take("on: {workflow_dispatch: {inputs: {b: {type: boolean}, n: {type: number}, s: {default: "
         "q}}}}\njobs: {a: {runs-on: x, if: inputs.b, steps: [{run: x}]}}\n",
         "{\"context\":{\"event_name\":\"workflow_dispatch\",\"event\":{\"inputs\":{\"b\":\"true\","
         "\"n\":\"4\"}}}}");
    cr_assert_eq(task.fate, TASK_RUN, "%.*s", SLICE_ARG(task.reason));
    json_t *inputs = json_object_get(task.job->contexts, "inputs");
    cr_expect(json_is_true(json_object_get(inputs, "b")));
    cr_expect_eq(json_number_value(json_object_get(inputs, "n")), 4);
    cr_expect_str_eq(json_string_value(json_object_get(inputs, "s")), "q");
}

Test(gitea_task, without_an_id_is_none)
{
    const struct task_spec spec = {.settings = &settings, .registration = "r", .version = "1"};
    static const char *const bad[] = {"{}", "{\"id\":\"x\"}", "{\"id\":\"-3\"}", "{\"id\":[]}"};

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        json_t *json = json_loads(bad[i], 0, NULL);
        struct err err = ERR_INIT;
        struct task none;

        cr_expect_eq(task_read(json, &spec, &none, &err), ERR_INVALID);
        cr_expect_gt(strlen(err.text), 0);
        json_decref(json);
    }
}
