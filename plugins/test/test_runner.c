/* Which runner is found, how it is started, what picks a part of its tests. */
#include "project.h"

#include <criterion/criterion.h>
#include <string.h>

#include "../lib/test_step.h"
#include "../lib/words.h"

TestSuite(test_runner, .init = step_enter, .fini = step_leave);

static struct target target_found(void)
{
    struct settings set;
    struct target t;

    cr_assert_eq(settings_read(step, &set), OST_OK, "%s", ost_test_failure(host));
    cr_assert_eq(project_target(step, &set, &t), OST_OK, "%s", ost_test_failure(host));
    t.folder = "/r";
    return t;
}

/* The commands of a selection, one a line; "-": it cannot be picked. */
static const char *lines_of(struct target *t, const struct selection *s)
{
    struct commands *c = step->host->alloc(step, sizeof *c);
    struct sink k = {.step = step};

    c->n = 0;
    if (!t->runner->commands(t, s, c))
        return "-";
    for (size_t i = 0; i < c->n; i++)
        sink_addf(&k, "%s%s", i ? "\n" : "", words_join(step, c->list[i].argv));
    return sink_text(&k);
}

Test(test_runner, finds_what_a_project_is_set_up_for)
{
    static const struct {
        const char *file, *text, *runner, *line;
    } rows[] = {
        {"pytest.ini", "", "pytest", "pytest -o junit_family=xunit1 --junit-xml=/r/report-1.xml"},
        {"pyproject.toml", "[tool.pytest.ini_options]\n", "pytest", NULL},
        {"setup.cfg", "[tool:pytest]\n", "pytest", NULL},
        {"manage.py", "import django\n", "django", "python manage.py test -v 2 --noinput"},
        {"package.json", "{\"scripts\":{\"test\":\"vitest\"}}", "vitest",
         "vitest run --reporter=default --reporter=json --outputFile.json=/r/report-1.json"},
        {"package.json", "{\"scripts\":{\"test\":\"tsc && NODE_ENV=test vitest --config x\"}}",
         "vitest",
         "npm run test -- --reporter=default --reporter=json --outputFile.json=/r/report-1.json"},
        {"package.json", "{\"devDependencies\":{\"jest\":\"1\"}}", "jest",
         "jest --ci --json --outputFile=/r/report-1.json --testLocationInResults"},
        {"package.json", "{\"scripts\":{\"test\":\"mocha\"}}", "mocha",
         "mocha --reporter xunit --reporter-option output=/r/report-1.xml"},
        {"package.json", "{\"scripts\":{\"test\":\"node --test --enable-source-maps test/\"}}",
         "node",
         "node --test --enable-source-maps --test-reporter=spec --test-reporter-destination=stdout "
         "--test-reporter=tap --test-reporter-destination=/r/report-1.tap test/"},
        {"package.json", "{\"scripts\":{\"test\":\"make check\"}}", "npm", "npm test"},
        {"go.mod", "module m\n", "go", "go test -json ./..."},
        {"Cargo.toml", "", "cargo", "sh -c 'exec \"$@\" 2>&1' sh cargo test --no-fail-fast"},
        {"build/CTestTestfile.cmake", "", "ctest",
         "ctest --test-dir build --output-on-failure --output-junit /r/report-1.xml"},
        {"build/dev/CTestTestfile.cmake", "", "ctest",
         "ctest --test-dir build/dev --output-on-failure --output-junit /r/report-1.xml"},
        {"pom.xml", "", "maven", "mvn test -B -fae"},
        {"build.gradle.kts", "", "gradle", "gradle cleanTest test --continue"},
        {"phpunit.xml.dist", "", "phpunit", "phpunit --log-junit /r/report-1.xml"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct target t;

        step_leave();
        step_enter();
        ost_test_file(host, ost_fmt(step, "some/where/%s", rows[i].file), rows[i].text);
        t = target_found();
        cr_expect_str_eq(t.runner->name, rows[i].runner, "%s: %s", rows[i].text, t.runner->name);
        cr_expect_str_eq(t.root, "some/where");
        if (rows[i].line) {
            const char *line = lines_of(&t, &(struct selection){.pick = PICK_ALL});

            cr_expect_str_eq(line, rows[i].line, "%s", line);
        }
    }
}

Test(test_runner, says_so_when_it_finds_none_or_several)
{
    struct settings set;
    struct target t;

    cr_assert_eq(settings_read(step, &set), OST_OK);
    cr_expect_eq(project_target(step, &set, &t), OST_E_NOT_FOUND);
    cr_expect(strstr(ost_test_failure(host), "no test runner was found in '.'"), "%s",
              ost_test_failure(host));
    ost_test_file(host, "back/go.mod", "module m\n");
    ost_test_file(host, "front/package.json", "{\"scripts\":{\"test\":\"vitest\"}}");
    ost_test_file(host, "front/node_modules/x/package.json", "{\"scripts\":{\"test\":\"jest\"}}");
    cr_expect_eq(project_target(step, &set, &t), OST_E_INVALID);
    cr_expect(
        strstr(ost_test_failure(host), "go test in 'back' (found by go.mod), Vitest in 'front'"),
        "%s", ost_test_failure(host));
    ost_test_with(host, "path", "back");
    cr_expect_str_eq(target_found().runner->name, "go");
    ost_test_with(host, "path", "");
    ost_test_with(host, "runner", "pytest");
    cr_expect_str_eq(target_found().runner->name, "pytest");
}

Test(test_runner, prefers_the_program_that_the_project_has_installed)
{
    struct target t;

    ost_test_file(host, "web/package.json", "{\"scripts\":{\"test\":\"vitest run\"}}");
    ost_test_file(host, "node_modules/.bin/vitest", "");
    t = target_found();
    cr_expect_str_eq(t.programs[0], ost_fmt(step, "%s/node_modules/.bin/vitest",
                                            step->host->dir(step, OST_DIR_WORKSPACE)));
    cr_expect_str_eq(t.programs[1], "vitest");
    cr_expect_null(t.programs[2]);
}

Test(test_runner, picks_units_and_tests)
{
    static const struct {
        const char *runner, *command, *args;
        struct result test;
        const char *units, *tests; /* the end of the command lines */
    } rows[] = {
        {"pytest",
         "",
         "-x",
         {.suite = "tests.test_a.Cls", .name = "test_b[1]", .file = "tests/test_a.py"},
         "-x u1 u2",
         "-x 'tests/test_a.py::Cls::test_b[1]'"},
        {"pytest",
         "",
         "",
         {.suite = "pytest", .name = "tests.x", .file = "tests/x.py"},
         "u1 u2",
         "-"},
        {"django",
         "",
         "",
         {.suite = "a.T", .name = "test_b"},
         "--noinput u1 u2",
         "--noinput a.T.test_b"},
        {"django",
         "uv run python manage.py test",
         "",
         {.suite = "a.T", .name = "setUpClass"},
         "--noinput u1 u2",
         "--noinput a.T"},
        {"unittest", "", "", {.suite = "a.T", .name = "test_b"}, "-v u1 u2", "-v a.T.test_b"},
        {"vitest",
         "",
         "",
         {.suite = "a > b", .name = "c (d)", .file = "/w/x.ts"},
         "u1 u2",
         "/w/x.ts -t '^(a b c \\(d\\))$'"},
        {"jest",
         "",
         "",
         {.suite = "a", .name = "b", .file = "/w/x.ts"},
         "--runTestsByPath u1 u2",
         "--runTestsByPath /w/x.ts -t '^(a b)$'"},
        {"mocha", "", "", {.suite = "a", .name = "b"}, "-", "--grep '^(a b)$' not these"},
        {"node", "", "", {.suite = "a", .name = "b", .file = "/w/x.js"}, "u1 u2", "/w/x.js"},
        {"go",
         "",
         "-race",
         {.suite = "m/p", .name = "TestA/sub"},
         "-race u1 u2",
         "-count=1 -race -run '^(TestA)$' m/p"},
        {"cargo",
         "",
         "--release -- --nocapture",
         {.suite = "src/lib.rs", .name = "tests::a"},
         "-- --nocapture --exact u1 u2",
         "-- --nocapture --exact tests::a"},
        {"ctest", "", "-j4", {.name = "a+b"}, "-R '^(u1|u2)$'", "-R '^(a\\+b)$'"},
        {"criterion",
         "build/t --jobs 2",
         "",
         {.suite = "t > s", .name = "a"},
         "",
         "'--filter=@(s/a)'"},
        {"maven",
         "",
         "",
         {.suite = "a.T", .name = "b(int)[1]"},
         "-",
         "'-Dtest=a.T#b' -Dsurefire.failIfNoSpecifiedTests=false"},
        {"gradle", "", "", {.suite = "a.T", .name = "b()"}, "-", "--tests a.T.b"},
        {"phpunit",
         "",
         "",
         {.suite = "App\\T", .name = "testB with data set #1"},
         "--filter '/^(u1|u2)::/'",
         "--filter '/^(App\\\\T::testB)( .*)?$/'"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct result *tests[] = {&rows[i].test};
        struct target t;
        const char *line;

        step_leave();
        step_enter();
        ost_test_with(host, "runner", rows[i].runner);
        ost_test_with(host, "command", rows[i].command);
        ost_test_with(host, "arguments", rows[i].args);
        ost_test_with(host, "tests", "not these");
        t = target_found();
        line = lines_of(&t, &(struct selection){.pick = PICK_UNITS, .units = OST_ARGV("u1", "u2")});
        cr_expect(span_ends(span_of(line), rows[i].units), "%s: %s", rows[i].runner, line);
        line = lines_of(&t, &(struct selection){.pick = PICK_TESTS, .tests = tests, .n = 1});
        cr_expect(span_ends(span_of(line), rows[i].tests), "%s: %s", rows[i].runner, line);
        cr_expect(!strstr(line, "not these") || t.runner->list == NULL, "%s", line);
        line = lines_of(&t, &(struct selection){.pick = PICK_ALL});
        cr_expect(strstr(line, "these") || strcmp(rows[i].runner, "criterion") == 0, "%s", line);
    }
}

Test(test_runner, reads_lists_of_tests)
{
    static const struct {
        const char *runner, *command, *out, *want;
    } rows[] = {
        {"pytest", "",
         "tests/a.py::test_x\ntests/a.py::C::test_y[1]\ntests/b.py: 3\n\nERROR tests/c.py - no\n"
         "3 tests collected in 0.1s\n",
         "tests/a.py tests/a.py tests/b.py tests/c.py"},
        {"django", "",
         "6 objects imported automatically (use -v 2 for details).\n\nostler-test: "
         "a.tests.T.test_x\n"
         "ostler-test: unittest.loader._FailedTest.b.tests\n",
         "a.tests.T b.tests"},
        {"go", "", "m\nm/a\n", "m m/a"},
        {"cargo", "", "tests::a: test\nsrc/lib.rs - add (line 1): test\nb: benchmark\n\n2 tests\n",
         "tests::a src/lib.rs - add (line 1)"},
        {"ctest", "",
         "Test project /w\n  Test  #1: a\n  Test #12: b c\n  Test #3: d (Disabled)\n\n"
         "Total Tests: 3\n",
         "a b c d"},
        {"criterion", "build/t",
         "stars: 1 test\n\xe2\x94\x94\xe2\x94\x80\xe2\x94\x80 flaky\nsums: 2 tests\n"
         "\xe2\x94\x9c\xe2\x94\x80\xe2\x94\x80 adds\n\xe2\x94\x94\xe2\x94\x80\xe2\x94\x80 off "
         "(skipped)\n",
         "t > stars > flaky t > sums > adds t > sums > off"},
        {"phpunit", "", "PHPUnit 10\n\nAvailable test(s):\n - App\\T::testA\n - App\\T::testB\n",
         "App\\T App\\T"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct commands *c = step->host->alloc(step, sizeof *c);
        struct strings units = {0};
        struct sink k = {.step = step};
        struct target t;

        ost_test_with(host, "runner", rows[i].runner);
        ost_test_with(host, "command", rows[i].command);
        t = target_found();
        c->n = 0;
        cr_assert(t.runner->list(&t, c));
        t.runner->units(&t, &c->list[0], span_of(rows[i].out), &units);
        for (size_t u = 0; u < units.n; u++)
            sink_addf(&k, "%s%s", u ? " " : "", units.list[u]);
        cr_expect_str_eq(sink_text(&k), rows[i].want, "%s: %s", rows[i].runner, sink_text(&k));
    }
}
