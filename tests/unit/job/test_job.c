#include "job/job.h"

#include <criterion/criterion.h>

static const char full[] =
    "{\"id\":\"build\",\"key\":\"build (1)\",\"name\":\"Build "
    "it\",\"file\":\".github/workflows/ci.yml\","
    "\"dir\":\"/run/job\",\"work_root\":\"app/app\",\"isolation\":\"host\",\"source\":\"/src\","
    "\"plugin_prefer\":[[\"*\",\"never\"]],\"tool_cache\":\"/tools\",\"isolation_required\":true,"
    "\"source_ignored\":true,\"keep\":true,\"offline\":true,\"timeout_ms\":21600000,"
    "\"cancel_timeout_ms\":300000,\"default_shell\":\"bash\","
    "\"outputs\":{\"type\":2,\"map\":[{\"Key\":\"o\",\"Value\":{\"type\":3,\"expr\":\"steps.a."
    "outputs.o\"}}]},"
    "\"secrets\":[[\"TOKEN\",\"s3cret\\u0000\\n\"],[\"RAW\",{\"hex\":\"00ff41\"}]],"
    "\"variables\":[[\"ACTIONS_STEP_DEBUG\",\"true\"]],\"repositories\":[[\"o/r\",\"/clone\"]],"
    "\"runtime\":[[\"ACTIONS_RUNTIME_TOKEN\",\"t\"]],\"id_token\":true,"
    "\"masks\":[[\"a\",\"hide me\"]],\"mask_patterns\":[[\"b\",\"x+\"]],\"runner_name\":\"box\","
    "\"runner_group\":\"Default\",\"permissions\":\"Contents: read\",\"resolver\":\"launch\","
    "\"resolver_url\":\"https://l/\",\"resolver_pins\":[\"a/b@v1\"],\"codeload_bearer\":true,"
    "\"resolver_redirects\":true,"
    "\"env\":[{\"type\":2,\"map\":[{\"Key\":\"A\",\"Value\":\"1\"}]}],"
    "\"steps\":[{\"id\":\"__run\",\"if\":\"success()\",\"run\":\"make\"},"
    "{\"id\":\"a\",\"uses\":\"./local\",\"line\":7}],"
    "\"plugin_path\":[\"/a\",{\"hex\":\"2fff\"}],\"contexts\":{\"github\":{\"ref\":\"x\"}},"
    "\"not known\":[1,2]}";

static void parse(struct job *j, const char *text)
{
    struct err err = ERR_INIT;

    job_init(j);
    cr_assert_eq(job_parse(j, slice_of(text), &err), ERR_OK, "%s", err.text);
}

static char *format(const struct job *j)
{
    size_t size;
    char *text = job_format(j, &size);

    cr_assert_eq(strlen(text), size);
    return text;
}

Test(job, is_read_whole)
{
    struct job j;
    struct slice secret;

    parse(&j, full);
    cr_assert_str_eq(j.id, "build");
    cr_assert_str_eq(j.key, "build (1)");
    cr_assert_str_eq(j.name, "Build it");
    cr_assert_str_eq(j.dir, "/run/job");
    cr_assert_str_eq(j.source, "/src");
    cr_assert(j.isolation_required && j.source_ignored && j.keep && j.offline);
    cr_assert_eq(j.timeout_ms, 21600000);
    cr_assert_eq(j.cancel_timeout_ms, 300000);
    cr_assert(strmap_find(&j.secrets, SLICE("token"), &secret));
    cr_assert(slice_eq(secret, SLICE("s3cret\0\n")));
    cr_assert(strmap_find(&j.secrets, SLICE("raw"), &secret));
    cr_assert(slice_eq(secret, SLICE("\0\xff"
                                     "A")));
    cr_assert_str_eq(strmap_get(&j.variables, "actions_step_debug"), "true");
    cr_assert_str_eq(strmap_get(&j.repositories, "O/R"), "/clone");
    cr_assert_str_eq(strmap_get(&j.runtime, "ACTIONS_RUNTIME_TOKEN"), "t");
    cr_assert(j.id_token);
    cr_assert_str_eq(strmap_get(&j.masks, "a"), "hide me");
    cr_assert_str_eq(strmap_get(&j.mask_patterns, "b"), "x+");
    cr_assert_str_eq(j.runner_name, "box");
    cr_assert_str_eq(j.runner_group, "Default");
    cr_assert_str_eq(j.permissions, "Contents: read");
    cr_assert_str_eq(j.resolver, "launch");
    cr_assert_str_eq(j.resolver_url, "https://l/");
    cr_assert_str_eq(j.resolver_pins[0], "a/b@v1");
    cr_assert(j.codeload_bearer && j.resolver_redirects);
    cr_assert_eq(j.n_env, 1);
    cr_assert_not_null(token_find(j.env[0], "A"));
    cr_assert_eq(j.n_steps, 2);
    cr_assert_str_eq(j.steps[1].uses, "./local");
    cr_assert_eq(j.steps[1].line, 7);
    cr_assert_eq(j.default_shell->kind, TOKEN_STRING);
    cr_assert_null(j.container);
    cr_assert_str_eq(j.plugin_path[0], "/a");
    cr_assert_str_eq(j.plugin_path[1], "/\xff");
    cr_assert_null(j.plugin_path[2]);
    cr_assert_str_eq(
        json_string_value(json_object_get(json_object_get(j.contexts, "github"), "ref")), "x");
    job_deinit(&j);
}

Test(job, survives_writing_and_reading)
{
    struct job a, b;

    parse(&a, full);
    char *first = format(&a);
    parse(&b, first);
    char *second = format(&b);
    cr_assert_str_eq(second, first);
    free(first);
    free(second);
    job_deinit(&a);
    job_deinit(&b);
}

Test(job, an_empty_one_can_be_written)
{
    struct job j;

    job_init(&j);
    char *text = format(&j);
    cr_assert_not_null(strstr(text, "\"steps\":[]"));
    free(text);
    job_deinit(&j);
}

#define HEAD "{\"id\":\"a\",\"key\":\"a\",\"name\":\"a\",\"dir\":\"/d\",\"work_root\":\"a/a\""

Test(job, refuses_wrong_types_by_name)
{
    static const struct {
        const char *text, *names;
        int code;
    } rows[] = {
        {"", "JSON", ERR_INVALID},
        {"[]", "object", ERR_INVALID},
        {"{\"id\":1}", "'id'", ERR_INVALID},
        {"{\"id\":\"a\\u0000b\"}", "'id'", ERR_INVALID},
        {"{\"id\":\"a\"}", "'key'", ERR_INVALID},
        {HEAD ",\"id\":\"b\"}", "JSON", ERR_INVALID},
        {"{\"id\":\"a\",\"key\":\"a\",\"name\":\"a\",\"dir\":\"d\",\"work_root\":\"a\"}", "'dir'",
         ERR_INVALID},
        {HEAD ",\"keep\":1}", "'keep'", ERR_INVALID},
        {HEAD ",\"timeout_ms\":\"1\"}", "'timeout_ms'", ERR_INVALID},
        {HEAD ",\"timeout_ms\":-1}", "'timeout_ms'", ERR_INVALID},
        {HEAD ",\"timeout_ms\":1.5}", "'timeout_ms'", ERR_INVALID},
        {HEAD ",\"outputs\":{\"type\":99}}", "'outputs'", ERR_INVALID},
        {HEAD ",\"secrets\":{\"A\":\"b\"}}", "'secrets'", ERR_INVALID},
        {HEAD ",\"secrets\":[[\"A\"]]}", "'secrets'", ERR_INVALID},
        {HEAD ",\"secrets\":[[\"A\",7]]}", "'secrets'", ERR_INVALID},
        {HEAD ",\"secrets\":[[\"A\",{\"hex\":\"0\"}]]}", "'secrets'", ERR_INVALID},
        {HEAD ",\"secrets\":[[\"A\",{\"hex\":\"zz\"}]]}", "'secrets'", ERR_INVALID},
        {HEAD ",\"env\":7}", "'env'", ERR_INVALID},
        {HEAD ",\"env\":[{\"type\":99}]}", "'env'", ERR_INVALID},
        {HEAD ",\"steps\":{}}", "'steps'", ERR_INVALID},
        {HEAD ",\"steps\":[{\"run\":\"x\"},7]}", "step 2", ERR_INVALID},
        {HEAD ",\"plugin_path\":\"/a\"}", "'plugin_path'", ERR_INVALID},
        {HEAD ",\"plugin_path\":[1]}", "'plugin_path'", ERR_INVALID},
        {HEAD ",\"contexts\":[]}", "'contexts'", ERR_INVALID},
        {HEAD ",\"keep\":null,\"env\":null,\"steps\":null,\"contexts\":null}", "", ERR_OK},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;
        struct job j;

        job_init(&j);
        int code = job_parse(&j, slice_of(rows[i].text), &err);
        cr_expect_eq(code, rows[i].code, "row %zu: %d %s", i, code, err.text);
        cr_expect_not_null(strstr(err.text, rows[i].names), "row %zu: '%s'", i, err.text);
        if (code < 0)
            cr_expect_null(j.id, "row %zu: a job half read", i);
        job_deinit(&j);
    }
}

Test(job, refuses_a_message_over_the_limit)
{
    char *text = mem_new(JOB_MESSAGE_MAX + 2);
    struct err err = ERR_INIT;
    struct job j;

    memset(text, ' ', JOB_MESSAGE_MAX + 1);
    job_init(&j);
    cr_assert_eq(job_parse(&j, slice_make(text, JOB_MESSAGE_MAX + 1), &err), ERR_LIMIT);
    job_deinit(&j);
    free(text);
}
