#include "lint_project.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ostler/test.h>
#include "kit/scratch.h"

extern const struct ost_plugin ostler_plugin_v1;

static struct ost_test *host;
static struct ost_step *step;

static void enter(void)
{
    scratch_enter();
    host = ost_test_new(&ostler_plugin_v1);
    step = ost_test_step(host);
}

static void leave(void)
{
    ost_test_free(host);
    scratch_leave();
}

TestSuite(lint_project, .init = enter, .fini = leave);

/* The checks for PATHS and, beside those the project configures if FIND, the linter NAMED (NULL: none):
 * "eslint in web: . src" and so on, one a line; what has trouble ends in "!". */
static const char *checks(bool find, const char *named, const char *const *paths)
{
    const struct tool *const tool[] = {named ? tool_find(span_of(named)) : NULL, NULL};
    struct project p = {
        .step = step, .workspace = scratch_path, .paths = paths, .named = tool, .find = find};
    struct checks found = {0};
    struct sink k = {.step = step};

    cr_assert_eq(project_checks(&p, &found), OST_OK, "%s", ost_test_failure(host));
    for (size_t i = 0; i < found.n; i++) {
        const struct check *c = &found.list[i];

        sink_addf(&k, "%s:", check_title(step, c));
        for (size_t j = 0; c->targets && c->targets[j]; j++)
            sink_addf(&k, " %s", c->targets[j]);
        sink_addf(&k, "%s\n", c->trouble ? "!" : "");
    }
    return sink_text(&k);
}

#define CHECKS(find, named, ...) checks((find), (named), OST_ARGV(__VA_ARGS__))

static void expect(const char *got, const char *wanted)
{
    cr_expect_str_eq(got, wanted, "wanted:\n%sgot:\n%s", wanted, got);
}

Test(lint_project, knows_each_linter_by_its_configuration)
{
    static const struct {
        const char *file, *text, *linter;
    } rows[] = {
        {"eslint.config.js", "", "eslint"},
        {"eslint.config.mts", "", "eslint"},
        {".eslintrc", "", "eslint"},
        {".eslintrc.cjs", "", "eslint"},
        {"package.json", "{\"eslintConfig\": {}}", "eslint"},
        {"package.json", "{\"eslint\": {}}", ""},
        {"package.json", "no json", ""},
        {".prettierrc", "", "prettier"},
        {".prettierrc.toml", "", "prettier"},
        {"prettier.config.mjs", "", "prettier"},
        {"package.json", "{\"prettier\": {}}", "prettier"},
        {"tsconfig.json", "{}", "typescript"},
        {"ruff.toml", "", "ruff"},
        {"pyproject.toml", "[tool.ruff]\n", "ruff"},
        {"pyproject.toml", "[tool.ruff.lint]\n", "ruff"},
        {"pyproject.toml", "[tool.ruffle]\n", ""},
        {"pyproject.toml", "# [tool.ruff]\n", ""},
        {".flake8", "", "flake8"},
        {"setup.cfg", "[metadata]\n[flake8]\n", "flake8"},
        {"tox.ini", "[flake8]\n", "flake8"},
        {"pyproject.toml", "[tool.black]\n", "black"},
        {".isort.cfg", "", "isort"},
        {"pyproject.toml", "[ tool.isort ]\n", "isort"},
        {"setup.cfg", "[isort]\n", "isort"},
        {"mypy.ini", "", "mypy"},
        {"pyproject.toml", "[[tool.mypy.overrides]]\n", "mypy"},
        {"setup.cfg", "[mypy-requests.*]\n", "mypy"},
        {".cppcheck-suppressions", "", "cppcheck"},
        {"app.cppcheck", "", "cppcheck"},
        {"README.md", "[tool.ruff]", ""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *got;

        scratch_file(rows[i].file, rows[i].text);
        got = CHECKS(true, NULL, "");
        cr_expect_str_eq(got, *rows[i].linter ? ost_fmt(step, "%s: .\n", rows[i].linter) : "",
                         "%s with %s: %s", rows[i].file, rows[i].text, got);
        cr_assert_eq(unlink(rows[i].file), 0);
    }
}

Test(lint_project, finds_the_configuration_above_a_path)
{
    scratch_file("web/eslint.config.js", "");
    scratch_file("web/src/deep/a.ts", "");
    expect(CHECKS(true, NULL, "web/src/deep", "web/src/deep/a.ts"),
           "eslint in web: src/deep src/deep/a.ts\n");
}

Test(lint_project, finds_the_topmost_configurations_below_a_path)
{
    scratch_file("apps/b/eslint.config.js", "");
    scratch_file("apps/a/eslint.config.js", "");
    scratch_file("apps/a/inner/eslint.config.js", "");
    scratch_file("node_modules/x/eslint.config.js", "");
    cr_assert_eq(symlink("apps", "link"), 0);
    expect(CHECKS(true, NULL, ""), "eslint in apps/a: .\neslint in apps/b: .\n");
}

Test(lint_project, runs_a_named_linter_without_a_configuration)
{
    scratch_file("web/package.json", "{}");
    scratch_file("web/src/a.js", "");
    expect(CHECKS(false, "eslint", "web/src"), "eslint in web: src\n");
    expect(CHECKS(false, "flake8", "web/src"), "flake8: web/src\n");
    expect(CHECKS(false, "tsc", ""), "typescript: .!\n");
    expect(CHECKS(true, NULL, ""), "");
}

Test(lint_project, gathers_shell_scripts)
{
    scratch_file(".shellcheckrc", "");
    scratch_file("a.sh", "");
    scratch_file("bin/run", "#!/usr/bin/env bash\n");
    scratch_file("bin/strict", "#!/usr/bin/env -S bash -eu\n");
    scratch_file("bin/old", "#! /bin/sh -e\n");
    scratch_file("bin/py", "#!/usr/bin/env python3\n");
    scratch_file("bin/fish", "#!/usr/bin/fish\n");
    scratch_file("bin/data", "x");
    scratch_file("bin/-odd.sh", "");
    scratch_file("node_modules/x/x.sh", "");
    scratch_file("notes.txt", "#!/bin/sh\n");
    expect(CHECKS(true, NULL, ""), "shellcheck: a.sh bin/-odd.sh bin/old bin/run bin/strict\n");
    expect(CHECKS(true, NULL, "notes.txt"), "shellcheck: notes.txt\n");
}

Test(lint_project, keeps_file_names_from_being_options)
{
    scratch_file("--fix.sh", "");
    scratch_file("-x/eslint.config.js", "");
    expect(CHECKS(false, "shellcheck", ""), "shellcheck: ./--fix.sh\n");
    scratch_file("eslint.config.js", "");
    expect(CHECKS(false, "eslint", "--fix.sh"), "eslint: ./--fix.sh\n");
}

Test(lint_project, gathers_dockerfiles)
{
    scratch_file(".hadolint.yaml", "");
    scratch_file("Dockerfile", "");
    scratch_file("ci/Dockerfile.test", "");
    scratch_file("ci/app.Dockerfile", "");
    scratch_file("ci/Containerfile", "");
    scratch_file("ci/dockerfile.md", "");
    expect(CHECKS(true, NULL, ""),
           "hadolint: Dockerfile ci/Containerfile ci/Dockerfile.test ci/app.Dockerfile\n");
}

Test(lint_project, gathers_yaml_but_not_that_of_others)
{
    scratch_file(".yamllint.yml", "");
    scratch_file("a/b.yaml", "");
    scratch_file("node_modules/x/x.yml", "");
    expect(CHECKS(true, NULL, ""), "yamllint: .yamllint.yml a/b.yaml\n");
}

Test(lint_project, splits_many_files_into_several_commands)
{
    const struct tool *const none[] = {NULL};
    const char *const paths[] = {"", NULL};
    struct project p = {
        .step = step, .workspace = scratch_path, .paths = paths, .named = none, .find = true};
    struct checks found = {0};
    char name[32];

    scratch_file(".shellcheckrc", "");
    for (int i = 0; i < 401; i++) {
        snprintf(name, sizeof name, "%03d.sh", i);
        scratch_file(name, "");
    }
    cr_assert_eq(project_checks(&p, &found), OST_OK);
    cr_assert_eq(found.n, 3);
    cr_expect_str_eq(found.list[2].targets[0], "400.sh");
    cr_expect_null(found.list[2].targets[1]);
}

Test(lint_project, takes_the_compile_commands_of_a_build_folder)
{
    scratch_file(".clang-tidy", "");
    expect(CHECKS(true, NULL, ""), "clang-tidy:!\n");
    scratch_file("build/dev/compile_commands.json",
                 ost_fmt(step,
                         "[{\"directory\":\"%s/build/dev\",\"file\":\"../../src/a.c\"},"
                         "{\"directory\":\"%s\",\"file\":\"src/b/b.c\"},"
                         "{\"directory\":\"/\",\"file\":\"usr/x.c\"}]",
                         scratch_path, scratch_path));
    expect(CHECKS(true, NULL, ""), "clang-tidy: src/a.c src/b/b.c\n");
    scratch_file("src/b/b.c", "");
    expect(CHECKS(true, NULL, "src/b"), "clang-tidy: src/b/b.c\n");
}

/* The one command of LINTER in the workspace. */
static const char *command(const char *linter)
{
    const struct tool *const tool[] = {tool_find(span_of(linter)), NULL};
    const char *const paths[] = {"", NULL};
    struct project p = {.step = step, .workspace = scratch_path, .paths = paths, .named = tool};
    struct checks found = {0};
    struct sink k = {.step = step};

    cr_assert_eq(project_checks(&p, &found), OST_OK);
    cr_assert_eq(found.n, 1);
    for (size_t i = 1; found.list[0].argv && found.list[0].argv[i]; i++)
        sink_addf(&k, "%s%s", i > 1 ? " " : "", found.list[0].argv[i]);
    return found.list[0].argv ? sink_text(&k) : found.list[0].trouble;
}

Test(lint_project, checks_typescript_projects_that_refer_to_others)
{
    scratch_file("tsconfig.json", "{}");
    cr_expect_str_eq(command("typescript"), "--noEmit --pretty false");
    scratch_file("tsconfig.json",
                 "{// all\n\"files\": [], \"references\": [{\"path\": \"./app\"},],}");
    cr_expect_str_eq(command("typescript"), "--build --noEmit --pretty false");
    scratch_file("node_modules/typescript/package.json", "{\"version\": \"5.4.2\"}");
    cr_expect(strstr(command("typescript"), "update it to 5.6 or later"), "%s",
              command("typescript"));
    scratch_file("node_modules/typescript/package.json", "{\"version\": \"5.6.0\"}");
    cr_expect_str_eq(command("typescript"), "--build --noEmit --pretty false");
}

Test(lint_project, leaves_the_choice_of_files_to_mypy_where_it_has_made_one)
{
    scratch_file("mypy.ini", "[mypy]\nstrict = true\n");
    cr_expect(strstr(command("mypy"), " ."), "%s", command("mypy"));
    scratch_file("mypy.ini", "[mypy]\nfiles = src\n");
    cr_expect_not(strstr(command("mypy"), " ."), "%s", command("mypy"));
}

Test(lint_project, prefers_the_projects_own_programs)
{
    const struct tool *const tool[] = {tool_find(SPAN("eslint")), NULL};
    const char *const paths[] = {"web/src", NULL};
    struct project p = {.step = step, .workspace = scratch_path, .paths = paths, .named = tool};
    struct checks found = {0};

    scratch_file("web/eslint.config.js", "");
    scratch_file("web/src/a.js", "");
    scratch_file("web/node_modules/.bin/eslint", "");
    scratch_file("node_modules/.bin/eslint", "");
    cr_assert_eq(project_checks(&p, &found), OST_OK);
    cr_assert_eq(found.n, 1);
    cr_expect_str_eq(found.list[0].programs[0],
                     ost_fmt(step, "%s/web/node_modules/.bin/eslint", scratch_path));
    cr_expect_str_eq(found.list[0].programs[1],
                     ost_fmt(step, "%s/node_modules/.bin/eslint", scratch_path));
    cr_expect_str_eq(found.list[0].programs[2], "eslint");
    cr_expect_null(found.list[0].programs[3]);
}
