#include "wanted.h"

#include <criterion/criterion.h>
#include <string.h>

#include <ostler/test.h>
#include "kit/scratch.h"

extern const struct ost_plugin ostler_plugin_v1;

static struct ost_test *host;

static void enter(void)
{
    scratch_enter();
    host = ost_test_new(&ostler_plugin_v1);
    ost_test_context(host, "runner.arch", "X64");
    ost_test_on_exec(host, "node --version", .out = "v20.20.2\n");
    ost_test_on_exec(host, "npm --version", .out = "10.8.2\n");
    ost_test_on_exec(host, "yarn --version", .status = OST_E_NOT_FOUND);
    ost_test_on_exec(host, "printenv *", .exit_code = 1);
}

static void leave(void)
{
    ost_test_free(host);
    scratch_leave();
}

TestSuite(setup_node, .init = enter, .fini = leave);

/* VERSION in the tool cache, complete or half installed. */
static void cache(const char *version, const char *arch, bool complete)
{
    char name[256], out[64];

    snprintf(name, sizeof name, "node/%s/%s/bin/node", version, arch);
    scratch_file(name, "");
    snprintf(name, sizeof name, "node/%s/%s/bin/npm", version, arch);
    scratch_file(name, "");
    snprintf(name, sizeof name, "node/%s/%s.complete", version, arch);
    if (complete)
        scratch_file(name, "");
    snprintf(name, sizeof name, "*/node/%s/%s/bin/node --version", version, arch);
    snprintf(out, sizeof out, "v%s\n", version);
    ost_test_on_exec(host, name, .out = out);
}

static void expect_has(const char *text, const char *part)
{
    cr_expect(text && strstr(text, part), "wanted '%s' in:\n%s", part, text ? text : "(nothing)");
}

Test(setup_node, takes_the_highest_that_fits_from_the_tool_cache)
{
    static const struct {
        const char *wanted, *got;
    } rows[] = {
        {"20", "v20.11.1"},       {"20.x", "v20.11.1"},
        {"20.9.0", "v20.9.0"},    {">=18 <21", "v20.11.1"},
        {"lts/*", "v22.1.0"},     {"lts/-1", "v20.11.1"},
        {"lts/iron", "v20.11.1"}, {"lts/Hydrogen", "v18.20.4"},
        {"latest", "v23.0.0"},    {"node", "v23.0.0"},
        {"*", "v23.0.0"},         {"v18", "v18.20.4"},
        {"18 || 20", "v20.11.1"},
    };
    char bin[8192];

    cache("18.20.4", "x64", true);
    cache("20.9.0", "x64", true);
    cache("20.11.1", "x64", true);
    cache("20.19.0", "x64", false);
    cache("20.19.1", "arm64", true);
    cache("22.1.0", "x64", true);
    cache("23.0.0", "x64", true);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ost_test_with(host, "node-version", rows[i].wanted);
        cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK, "%s: %s", rows[i].wanted,
                     ost_test_failure(host));
        cr_expect_str_eq(ost_test_output(host, "node-version"), rows[i].got, "%s gave %s",
                         rows[i].wanted, ost_test_output(host, "node-version"));
        snprintf(bin, sizeof bin, "%s/node/%s/x64/bin", scratch_path, rows[i].got + 1);
        cr_expect_str_eq(ost_test_path(host, 0), bin);
    }
    ost_test_with(host, "node-version", "20");
    ost_test_with(host, "architecture", "arm64");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_str_eq(ost_test_output(host, "node-version"), "v20.19.1");
}

Test(setup_node, takes_the_one_on_path_when_it_fits)
{
    ost_test_with(host, "node-version", "20");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK, "%s", ost_test_failure(host));
    cr_expect_str_eq(ost_test_output(host, "node-version"), "v20.20.2");
    cr_expect_null(ost_test_output(host, "cache-hit"));
    cr_expect_null(ost_test_path(host, 0));
    expect_has(ost_test_log(host), "info: node: v20.20.2\ninfo: npm: 10.8.2\ninfo: yarn: \n");
}

Test(setup_node, says_what_is_there_when_nothing_fits)
{
    cache("18.20.4", "x64", true);
    ost_test_with(host, "node-version", "22");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_E_NOT_FOUND);
    expect_has(ost_test_failure(host), "no Node 22 for x64 on this machine");
    expect_has(ost_test_failure(host), "has 18.20.4, PATH has 20.20.2");
    /* Nothing is done by halves. */
    cr_expect_null(ost_test_path(host, 0));
    cr_expect_eq(ost_test_execs(host, "tee *"), 0);

    /* Node of the machine's architecture is no Node of another. */
    ost_test_with(host, "node-version", "20");
    ost_test_with(host, "architecture", "arm64");
    cr_expect_eq(ost_test_run(host, OST_PHASE_MAIN), OST_E_NOT_FOUND);
}

Test(setup_node, works_without_any_node_when_none_is_asked_for)
{
    ost_test_on_exec(host, "n* --version", .status = OST_E_NOT_FOUND);
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK, "%s", ost_test_failure(host));
    cr_expect_str_eq(ost_test_output(host, "node-version"), "");
    ost_test_with(host, "node-version", "20");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_E_NOT_FOUND);
    expect_has(ost_test_failure(host), "has none, PATH has none");
}

Test(setup_node, reads_version_files)
{
    static const struct {
        const char *name, *text, *version;
    } rows[] = {
        {".nvmrc", "v20.11\n", "v20.11"},
        {".nvmrc", "# ours\nlts/iron # till April\n", "lts/iron"},
        {".node-version", "20.1.0", "20.1.0"},
        {".tool-versions", "python 3.12\nnodejs 20.1.0 18.0.0\n", "20.1.0"},
        {".tool-versions", "node\t22\n", "22"},
        {"mise.toml", "[env]\nnode = \"1\"\n[tools]\npython = \"3\"\nnode = \"20\"\n", "20"},
        {"mise.toml", "[tools]\nnode = {version = \"18\", x = 1}\n", "18"},
        {"mise.toml", "[tools]\nnode = [\"18\", \"20\"]\n", "18"},
        {"package.json", "{\"engines\": {\"node\": \">=18\"}}", ">=18"},
        {"package.json", "{\"engines\": {\"node\": \">=18\"}, \"volta\": {\"node\": \"20.1.0\"}}",
         "20.1.0"},
        {"package.json",
         "{\"devEngines\": {\"runtime\": {\"name\": \"node\", \"version\": \"^20\"}}}", "^20"},
        {"package.json",
         "{\"devEngines\": {\"runtime\": [{\"name\": \"bun\", \"version\": \"1\"}, {\"name\": "
         "\"Node\", \"version\": "
         "\"22\"}]}}",
         "22"},
        {"package.json", "{\"name\": \"x\"}", NULL},
        {"package.json", "{\"name\": ", NULL},
        {".nvmrc", "", NULL},
    };
    struct ost_step *step = ost_test_step(host);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t size = strlen(rows[i].text);
        char *text = step->host->alloc(step, size + 1);
        const char *got, *next;

        memcpy(text, rows[i].text, size + 1);
        got = wanted_in_file(step, rows[i].name, text, size, &next);
        if (rows[i].version && got)
            cr_expect_str_eq(got, rows[i].version, "row %zu gave %s", i, got);
        else
            cr_expect_eq(!got, !rows[i].version, "row %zu gave %s", i, got ? got : "nothing");
    }
}

Test(setup_node, follows_voltas_extends)
{
    scratch_file("a/package.json", "{\"volta\": {\"extends\": \"../package.json\"}}");
    scratch_file("package.json", "{\"volta\": {\"node\": \"20.20.2\"}}");
    ost_test_with(host, "node-version-file", "a/package.json");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK, "%s", ost_test_failure(host));
    expect_has(ost_test_log(host), "Resolved a/package.json as 20.20.2");
    scratch_file("package.json", "{\"volta\": {\"extends\": \"package.json\"}}");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK, "a circle ends");
    expect_has(ost_test_log(host), "warning: Could not determine node version");
}

Test(setup_node, refuses_what_is_no_version_and_files_that_are_not_there)
{
    ost_test_with(host, "node-version-file", ".nvmrc");
    cr_expect_eq(ost_test_run(host, OST_PHASE_MAIN), OST_E_NOT_FOUND);
    expect_has(ost_test_failure(host), "/.nvmrc does not exist");
    ost_test_with(host, "node-version", "twenty");
    cr_expect_eq(ost_test_run(host, OST_PHASE_MAIN), OST_E_INVALID);
    expect_has(ost_test_failure(host), "'twenty' is no version of Node");
    ost_test_with(host, "node-version", "lts/nosuch");
    cr_expect_eq(ost_test_run(host, OST_PHASE_MAIN), OST_E_INVALID);
}

/* What was written to the file that ends in NAME. */
static const char *written(const char *name)
{
    for (size_t i = 0; ost_test_exec(host, i); i++) {
        const char *line = ost_test_exec(host, i);

        if (strncmp(line, "tee ", 4) == 0 && strlen(line) > strlen(name) &&
            strcmp(line + strlen(line) - strlen(name), name) == 0)
            return ost_test_exec_input(host, i);
    }
    return NULL;
}

Test(setup_node, sets_up_a_registry)
{
    static const struct {
        const char *registry, *scope, *wanted;
    } rows[] = {
        {"https://registry.npmjs.org", "",
         "//registry.npmjs.org/:_authToken=${NODE_AUTH_TOKEN}\nregistry=https://registry.npmjs.org/"
         "\n"
         "always-auth=false\n"},
        {"https://npm.acme.dev/x/", "Acme",
         "//npm.acme.dev/x/:_authToken=${NODE_AUTH_TOKEN}\n@acme:registry=https://npm.acme.dev/x/\n"
         "always-auth=false\n"},
        {"https://npm.pkg.github.com", "",
         "//npm.pkg.github.com/:_authToken=${NODE_AUTH_TOKEN}\n@octo:registry=https://"
         "npm.pkg.github.com/\n"
         "always-auth=false\n"},
    };
    char path[8192];

    ost_test_context(host, "github.repository_owner", "Octo");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ost_test_with(host, "registry-url", rows[i].registry);
        ost_test_with(host, "scope", rows[i].scope);
        cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK, "%s", ost_test_failure(host));
        cr_assert_not_null(written("/.npmrc"));
        cr_expect_str_eq(written("/.npmrc"), rows[i].wanted);
        snprintf(path, sizeof path, "%s/.npmrc", scratch_path);
        cr_expect_str_eq(ost_test_env(host, "NPM_CONFIG_USERCONFIG"), path);
        cr_expect_str_eq(ost_test_env(host, "NODE_AUTH_TOKEN"), "XXXXX-XXXXX-XXXXX-XXXXX");
    }
    ost_test_with(host, "registry-url", "npmjs");
    cr_expect_eq(ost_test_run(host, OST_PHASE_MAIN), OST_E_INVALID);
}

Test(setup_node, keeps_the_rest_of_an_npmrc_and_the_token_out_of_it)
{
    scratch_file(".npmrc", "registry=https://old/\nfund=false\n");
    ost_test_on_exec(host, "printenv NODE_AUTH_TOKEN", .out = "npm_s3cret\n");
    ost_test_with(host, "registry-url", "https://new/");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK);
    cr_expect_str_eq(written("/.npmrc"),
                     "fund=false\n//new/:_authToken=${NODE_AUTH_TOKEN}\nregistry=https://new/\n"
                     "always-auth=false\n");
    cr_expect_str_eq(ost_test_env(host, "NODE_AUTH_TOKEN"), "npm_s3cret");
    cr_expect_not(strstr(ost_test_log(host), "npm_s3cret"));
}

Test(setup_node, registers_the_matchers_of_the_action)
{
    static const char *const owners[] = {"tsc", "eslint-stylish", "eslint-compact"};

    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK);
    for (size_t i = 0; i < 3; i++) {
        char owner[64];

        snprintf(owner, sizeof owner, "\"owner\": \"%s\"", owners[i]);
        expect_has(written("/setup-node-matchers.json"), owner);
    }
    cr_expect_eq(ost_test_execs(host, "echo *add-matcher]*/setup-node-matchers.json"), 1);
}

Test(setup_node, says_plainly_what_it_does_not_do)
{
    ost_test_with(host, "node-version", "latest");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK);
    expect_has(ost_test_log(host), "notice: 'latest' means the newest Node of this machine here");
    cr_expect_null(ost_test_output(host, "cache-hit"));
    ost_test_with(host, "check-latest", "true");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK);
    expect_has(ost_test_log(host), "warning: check-latest is not served");
}

Test(setup_node, plans_without_running_anything)
{
    cache("20.11.1", "x64", true);
    ost_test_with(host, "node-version", "20");
    cr_assert_eq(ost_test_run(host, OST_PHASE_PLAN), OST_OK);
    expect_has(ost_test_planned(host, 0), "use Node 20.11.1: ");
    ost_test_with(host, "node-version", "22");
    cr_assert_eq(ost_test_run(host, OST_PHASE_PLAN), OST_OK);
    cr_expect_str_eq(ost_test_planned(host, 0), "use the Node on PATH: if it is 22");
    cr_expect_eq(ost_test_execs(host, "*"), 0);
}

static void a_fault_ends_it(struct ost_test *t, const struct ost_test_round *round, void *ctx)
{
    (void)ctx;
    if (round->struck && !round->cancel)
        cr_expect_eq(round->status, OST_E_IO, "fault %d (%s): %d %s", round->nth, round->call,
                     round->status, ost_test_failure(t));
}

Test(setup_node, survives_the_failure_of_any_service)
{
    cache("20.11.1", "x64", true);
    ost_test_with(host, "node-version", "20");
    ost_test_with(host, "registry-url", "https://new/");
    ost_test_each_fault(host, .phase = OST_PHASE_MAIN, .after = a_fault_ends_it);
}
