#include "lint_read.h"
#include "lint_tool.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ostler/test.h>
#include "kit/scratch.h"

extern const struct ost_plugin ostler_plugin_v1;

/* The fixtures are what the linters printed in this workspace. */
static const char workspace[] = "/home/runner/work/app/app";
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

TestSuite(lint_read, .init = enter, .fini = leave);

static struct output load(const char *name)
{
    struct output o = {0};

    if (name)
        o.data = file_read(step, ost_fmt(step, PLUGIN_DIR "/fixtures/%s", name), 1 << 20, &o.size);
    cr_assert(!name || o.data, "no fixture '%s'", name);
    return o;
}

/* "error api/app.py:1:8-1:11 F401 `sys` imported but unused" */
static const char *show(const struct findings *f)
{
    static const char *const names[SEVERITIES] = {"notice", "warning", "error"};
    struct sink k = {.step = step};

    for (size_t i = 0; i < f->n; i++) {
        const struct finding *one = &f->list[i];

        sink_addf(&k, "%s %s:%u:%u-%u:%u %s %s\n", names[one->severity], one->file, one->line,
                  one->col, one->end_line, one->end_col, one->rule, one->message);
    }
    return sink_text(&k);
}

Test(lint_read, finds_in_each_linters_output_what_it_says)
{
    static const struct {
        const char *tool, *root, *out, *err, *expected;
        int exit_code;
    } rows[] = {
        {"eslint", "web", "eslint.json", NULL, "eslint.expected", 1},
        {"prettier", "web", "prettier.out", "prettier.err", "prettier.expected", 2},
        {"typescript", "web", "tsc.out", NULL, "tsc.expected", 2},
        {"ruff", "api", "ruff.json", NULL, "ruff.expected", 1},
        {"flake8", "api", "flake8.out", NULL, "flake8.expected", 1},
        {"black", "api", "black.out", "black.err", "black.expected", 123},
        {"isort", "api", "isort.out", "isort.err", "isort.expected", 1},
        {"mypy", "api", "mypy.out", NULL, "mypy.expected", 1},
        {"mypy", "api", "mypy-syntax.out", NULL, "mypy-syntax.expected", 2},
        {"shellcheck", "", "shellcheck.json", NULL, "shellcheck.expected", 1},
        {"hadolint", "", "hadolint.json", NULL, "hadolint.expected", 1},
        {"yamllint", "", "yamllint.out", NULL, "yamllint.expected", 1},
        {"clang-tidy", "native", "clang-tidy.out", "clang-tidy.err", "clang-tidy.expected", 1},
        {"cppcheck", "native", NULL, "cppcheck.err", "cppcheck.expected", 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct check c = {.tool = tool_find(span_of(rows[i].tool)),
                          .root = rows[i].root,
                          .exit_code = rows[i].exit_code,
                          .out = load(rows[i].out),
                          .err = load(rows[i].err)};
        const char *found;

        read_check(step, &c, workspace);
        cr_expect_null(c.trouble, "%s: %s", rows[i].tool, c.trouble);
        found = show(&c.findings);
        cr_expect_str_eq(found, load(rows[i].expected).data, "%s found:\n%s", rows[i].expected,
                         found);
    }
}

Test(lint_read, calls_a_crash_a_crash)
{
    struct check c = {.tool = tool_find(SPAN("eslint")),
                      .root = "web",
                      .exit_code = 2,
                      .out = load("eslint-crash.out"),
                      .err = load("eslint-crash.err")};

    read_check(step, &c, workspace);
    cr_assert_not_null(c.trouble);
    cr_expect(strstr(c.trouble, "eslint in web printed what is not its usual output"), "%s",
              c.trouble);
    cr_expect(strstr(c.trouble, "SyntaxError: Unexpected token '/'"), "%s", c.trouble);
}

Test(lint_read, calls_an_exit_code_without_findings_a_crash)
{
    for (const struct tool *t = tools; t->name; t++) {
        char said[] = "Traceback (most recent call last):\n  File \"x.py\"\nKeyError: 'x'\n";
        struct check c = {
            .tool = t, .root = "", .exit_code = 1, .err = {said, sizeof said - 1, 0, false}};

        read_check(step, &c, workspace);
        cr_expect(c.trouble && strstr(c.trouble, "KeyError"), "%s: %s", t->name,
                  c.trouble ? c.trouble : "all is well");
    }
}

Test(lint_read, tells_a_signal_and_too_much_output)
{
    struct check killed = {
        .tool = tool_find(SPAN("mypy")), .root = "", .exit_code = -1, .signal = 9};
    struct check loud = {.tool = tool_find(SPAN("mypy")), .root = "", .out = {.overflow = true}};

    read_check(step, &killed, workspace);
    read_check(step, &loud, workspace);
    cr_expect_str_eq(killed.trouble, "mypy was ended by signal 9 (out of memory?)");
    cr_expect_str_eq(loud.trouble, "mypy printed more than 64 MiB");
}

Test(lint_read, takes_a_clean_run_for_clean)
{
    for (const struct tool *t = tools; t->name; t++) {
        bool comments = strcmp(t->name, "shellcheck") == 0;
        char list[] = "[]", object[] = "{\"comments\":[]}";
        bool json = comments || strstr("eslint ruff hadolint", t->name);
        struct check c = {.tool = t, .root = ""};

        if (json)
            c.out = (struct output){comments ? object : list, strlen(comments ? object : list), 0,
                                    false};
        read_check(step, &c, workspace);
        cr_expect_null(c.trouble, "%s: %s", t->name, c.trouble);
        cr_expect_eq(c.findings.n, 0, "%s", t->name);
    }
}

Test(lint_read, reads_through_colours)
{
    char text[] = "\033[1mapp.py\033[m\033[36m:\033[m6\033[36m:\033[m13\033[36m:\033[m "
                  "\033[1m\033[31mE251\033[m unexpected spaces\n";
    struct check c = {.tool = tool_find(SPAN("flake8")),
                      .root = "api",
                      .exit_code = 1,
                      .out = {text, sizeof text - 1, 0, false}};

    read_check(step, &c, workspace);
    cr_expect_str_eq(show(&c.findings), "error api/app.py:6:13-0:0 E251 unexpected spaces\n");
}

Test(lint_read, reads_odd_lines)
{
    static const struct {
        const char *tool, *text, *expected;
    } rows[] = {
        /* a name with a colon, and one with a number in it */
        {"flake8", "a:b.py:1:2: E1 x", "error a:b.py:1:2-0:0 E1 x\n"},
        {"yamllint", "c 1:x.yml:3:4: [error] no", "error c 1:x.yml:3:4-0:0  no\n"},
        /* words in brackets are no rule */
        {"yamllint", "c.yml:3:4: [error] syntax error (as it seems)",
         "error c.yml:3:4-0:0  syntax error (as it seems)\n"},
        {"mypy", "a.py:3: error: Need type [var-annotated]",
         "error a.py:3:0-0:0 var-annotated Need type\n"},
        {"mypy", "a.py:3: error: Bad  [arg-type]\na.py:3: note: See here",
         "error a.py:3:0-0:0 arg-type Bad\nSee here\n"},
        {"mypy", "a.py:3: note: Revealed type is \"int\"",
         "notice a.py:3:0-0:0  Revealed type is \"int\"\n"},
        {"typescript", "error TS18003: No inputs were found.",
         "error :0:0-0:0 TS18003 No inputs were found.\n"},
        {"typescript", "s (1)/a.ts(3,7): error TS1: x", "error s (1)/a.ts:3:7-0:0 TS1 x\n"},
        {"flake8", "/elsewhere/a.py:1:2: E1 x", "error /elsewhere/a.py:1:2-0:0 E1 x\n"},
        {"flake8", "a.py:99999999999999999999:2: E1 x", "error a.py:4294967295:2-0:0 E1 x\n"},
        /* all of a file changes, or it gains its first line */
        {"black", "--- a.py\t1\n+++ a.py\t2\n@@ -0,0 +1 @@\n+x\n",
         "error a.py:1:0-1:0 format black would format this differently\n"},
        {"black", "--- a.py\t1\n+++ a.py\t2\n@@ -1,3 +1,3 @@\n-x\n+y\n z\n-v\n+w\n",
         "error a.py:1:0-1:0 format black would format this differently\n"
         "error a.py:3:0-3:0 format black would format this differently\n"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct check c = {.tool = tool_find(span_of(rows[i].tool)), .root = "", .exit_code = 1};

        c.out.data = strdup(rows[i].text);
        c.out.size = strlen(rows[i].text);
        read_check(step, &c, workspace);
        cr_expect_str_eq(show(&c.findings), rows[i].expected, "%s gave:\n%s%s", rows[i].text,
                         show(&c.findings), c.trouble ? c.trouble : "");
        free(c.out.data);
    }
}

/* Every output, cut short, with bytes overwritten and with pieces doubled: whatever comes of it, it comes
 * without a crash, within bounds (ASan looks on), and each finding is whole. */
Test(lint_read, survives_any_output)
{
    static const char *const fixtures[] = {
        "eslint.json",   "prettier.err", "tsc.out",        "ruff.json",   "flake8.out",
        "black.out",     "black.err",    "isort.out",      "mypy.out",    "shellcheck.json",
        "hadolint.json", "yamllint.out", "clang-tidy.out", "cppcheck.err"};
    static const char nasty[] = "\0\n\r\t\"\\:{}[](),\x80\xff\033-+@ 0";
    unsigned seed = 1;

    for (size_t i = 0; i < sizeof fixtures / sizeof fixtures[0]; i++)
        for (int round = 0; round < 60; round++) {
            struct output original = load(fixtures[i]);
            size_t size = (size_t)rand_r(&seed) % (original.size + 1);

            for (const struct tool *t = tools; t->name; t++) {
                struct check c = {.tool = t, .root = "sub", .exit_code = round % 3};

                c.out.data = malloc(size + 1); /* exactly as long as it is, for ASan */
                memcpy(c.out.data, original.data, size);
                for (int n = 0; size > 0 && n < round % 8; n++)
                    c.out.data[(size_t)rand_r(&seed) % size] =
                        nasty[(size_t)rand_r(&seed) % (sizeof nasty - 1)];
                c.out.data[size] = '\0';
                c.out.size = size;
                c.err = c.out;
                read_check(step, &c, workspace);
                for (size_t k = 0; k < c.findings.n; k++)
                    cr_assert(c.findings.list[k].file && c.findings.list[k].message &&
                              c.findings.list[k].severity < SEVERITIES);
                free(c.out.data);
            }
        }
}
