/* The linters themselves, as far as this machine has them; what is missing is skipped by name. */
#include <ostler/plugin.h>

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ostler/test.h>
#include "kit/scratch.h"

extern const struct ost_plugin ostler_plugin_v1;

static struct ost_test *host;

static void enter(void)
{
    scratch_enter();
    host = ost_test_new(&ostler_plugin_v1);
    ost_test_exec_for_real(host, NULL);
}

static void leave(void)
{
    ost_test_free(host);
    scratch_leave();
}

TestSuite(lint_real, .init = enter, .fini = leave, .timeout = 120);

static bool is_installed(const char *program)
{
    const char *path = getenv("PATH");
    char full[4096];

    for (size_t n; path && *path; path += n + (path[n] == ':')) {
        n = strcspn(path, ":");
        snprintf(full, sizeof full, "%.*s/%s", (int)n, path, program);
        if (access(full, X_OK) == 0)
            return true;
    }
    return false;
}

/* Runs LINTER over the scratch folder, and expects a note of LEVEL at FILE:LINE with that title. */
static void expect_note(const char *linter, const char *program, int level, const char *file,
                        uint32_t line, const char *title)
{
    bool found = false;

    if (!is_installed(program))
        cr_skip_test("%s is not installed", program);
    ost_test_with(host, "linters", linter);
    ost_test_with(host, "fail-on", "never");
    cr_assert_eq(ost_test_run(host, OST_PHASE_MAIN), OST_OK, "%s\n%s", ost_test_failure(host),
                 ost_test_log(host));
    for (size_t i = 0; i < ost_test_notes(host); i++) {
        const struct ost_note *note = ost_test_note(host, i);

        found |= note->level == level && note->file && strcmp(note->file, file) == 0 &&
                 note->line == line && strcmp(note->title, title) == 0;
    }
    cr_expect(found, "no '%s' at %s:%u:\n%s", title, file, line, ost_test_summary(host));
}

Test(lint_real, shellcheck)
{
    scratch_file("bin/it", "#!/bin/sh\nfor f in $(ls *.txt); do echo \"$f\"; done\n");
    expect_note("shellcheck", "shellcheck", OST_ERROR, "bin/it", 2, "shellcheck: SC2045");
}

Test(lint_real, yamllint)
{
    scratch_file("a/b.yml", "---\na: 1\na: 2\n");
    expect_note("yamllint", "yamllint", OST_ERROR, "a/b.yml", 3, "yamllint: key-duplicates");
}

Test(lint_real, cppcheck)
{
    scratch_file("src/a.c", "int main(void)\n{\n    char b[4];\n    b[4] = 1;\n    return 0;\n}\n");
    expect_note("cppcheck", "cppcheck", OST_ERROR, "src/a.c", 4, "cppcheck: arrayIndexOutOfBounds");
}

Test(lint_real, clang_tidy)
{
    char text[8192];

    snprintf(text, sizeof text,
             "[{\"directory\":\"%s\",\"command\":\"cc -c a.c\",\"file\":\"a.c\"}]", scratch_path);
    scratch_file("compile_commands.json", text);
    scratch_file(".clang-tidy", "Checks: '-*,bugprone-suspicious-semicolon'\n");
    scratch_file("a.c", "void g(void);\nvoid f(int n)\n{\n    if (n);\n    g();\n}\n");
    expect_note("clang-tidy", "clang-tidy-14", OST_WARNING, "a.c", 4,
                "clang-tidy: bugprone-suspicious-semicolon");
}

Test(lint_real, ruff)
{
    scratch_file("a.py", "import os\n");
    expect_note("ruff", "ruff", OST_ERROR, "a.py", 1, "ruff: F401");
}

Test(lint_real, flake8)
{
    scratch_file("a.py", "import os\n");
    expect_note("flake8", "flake8", OST_ERROR, "a.py", 1, "flake8: F401");
}

Test(lint_real, black)
{
    scratch_file("a.py", "x = 1\ny  =  2\n");
    expect_note("black", "black", OST_ERROR, "a.py", 2, "black: format");
}

Test(lint_real, isort)
{
    scratch_file("a.py", "import sys\nimport os\n");
    expect_note("isort", "isort", OST_ERROR, "a.py", 1, "isort: imports");
}

Test(lint_real, mypy)
{
    scratch_file("a.py", "x: int = 'a'\n");
    expect_note("mypy", "mypy", OST_ERROR, "a.py", 1, "mypy: assignment");
}

Test(lint_real, hadolint)
{
    scratch_file("Dockerfile", "FROM debian\n");
    expect_note("hadolint", "hadolint", OST_WARNING, "Dockerfile", 1, "hadolint: DL3006");
}

/* The sample project's own ESLint and TypeScript; it is there once "npm ci" has run in that folder. */
static void borrow_sample(void)
{
    static const char sample[] = OSTLER_SOURCE_DIR "/pipelines/horoscopus/frontend";
    static const char *const names[] = {"eslint.config.js", "package.json",       "node_modules",
                                        "tsconfig.json",    "tsconfig.node.json", "vite.config.ts"};
    char from[4096];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(from, sizeof from, "%s/%s", sample, names[i]);
        if (access(from, F_OK) != 0)
            cr_skip_test("no '%s': run npm ci there", from);
        cr_assert_eq(symlink(from, names[i]), 0);
    }
    snprintf(from, sizeof from, "%s/tsconfig.app.json", sample);
    cr_assert_eq(symlink(from, "tsconfig.app.json"), 0);
}

Test(lint_real, eslint)
{
    borrow_sample();
    scratch_file("src/a.ts", "export const a = (b: number) => b == 1;\n");
    expect_note("eslint", "node", OST_ERROR, "src/a.ts", 1, "eslint: eqeqeq");
}

Test(lint_real, typescript)
{
    borrow_sample();
    cr_assert_eq(unlink("tsconfig.json"), 0);
    scratch_file("tsconfig.json",
                 "{\"compilerOptions\": {\"strict\": true}, \"include\": [\"src\"]}");
    scratch_file("src/a.ts", "\nexport const a: string = 1;\n");
    expect_note("typescript", "node", OST_ERROR, "src/a.ts", 2, "typescript: TS2322");
}
