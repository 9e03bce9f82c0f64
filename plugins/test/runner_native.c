/* Go, Cargo, CTest, criterion's programs; Maven, Gradle, PHPUnit. */
#include "runner.h"

#include "../lib/words.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* "(a|b)" of NAMES, quoted; NULL: too long for one word. */
static const char *alternatives(struct ost_step *step, const struct strings *names)
{
    struct sink k = {.step = step};

    for (size_t i = 0; i < names->n; i++)
        sink_addf(&k, "%s%s", i ? "|" : "(", regex_quote(step, names->list[i]));
    sink_add(&k, SPAN(")"));
    return k.size < WORDS_SIZE_MAX ? sink_text(&k) : NULL;
}

/* ---- Go ---- */

static bool found_go(struct target *t, const char *dir, const char **ret_why)
{
    *ret_why = dir_has(t->step, dir, "go.work", NULL) ? "go.work" : "go.mod";
    return dir_has(t->step, dir, *ret_why, NULL);
}

/* A command for each package: -run would pick in all of them. Of a subtest its test is run, whole. */
static bool pick_go(struct target *t, const struct selection *s, struct commands *to)
{
    struct strings packages = {0};

    for (size_t i = 0; i < s->n; i++)
        strings_add_once(t->step, &packages, s->tests[i]->suite);
    if (packages.n > PROGRAMS_MAX)
        return false;
    for (size_t p = 0; p < packages.n; p++) {
        struct strings names = {0}, argv = command_begin(t, WORDS("-json", "-count=1"));
        bool whole = false; /* the package itself broke down */

        for (size_t i = 0; i < s->n; i++) {
            const struct result *r = s->tests[i];

            if (strcmp(r->suite, packages.list[p]) != 0)
                continue;
            whole |= r->outcome == OUTCOME_ERROR;
            strings_add_once(t->step, &names,
                             span_dup(t->step, (struct span){r->name, strcspn(r->name, "/")}));
        }
        words_add(t->step, &argv, t->args);
        if (!whole) {
            const char *pattern = alternatives(t->step, &names);

            if (!pattern)
                return false;
            strings_add(t->step, &argv, "-run");
            strings_add(t->step, &argv, ost_fmt(t->step, "^%s$", pattern));
        }
        strings_add(t->step, &argv, packages.list[p]);
        command_add(to, t, &argv, NULL);
    }
    return true;
}

static bool commands_go(struct target *t, const struct selection *s, struct commands *to)
{
    struct strings argv = command_begin(t, WORDS("-json"));

    if (s->pick == PICK_TESTS)
        return pick_go(t, s, to);
    words_add(t->step, &argv, t->args);
    words_add(t->step, &argv, s->pick == PICK_UNITS ? s->units : t->tests);
    if (s->pick == PICK_ALL && !t->tests[0])
        strings_add(t->step, &argv, "./...");
    command_add(to, t, &argv, NULL);
    return true;
}

static bool list_go(struct target *t, struct commands *to)
{
    struct strings argv = {0};

    if (*t->command)
        return false;
    words_add(t->step, &argv, WORDS("go", "list", "-e"));
    words_add(t->step, &argv, t->tests[0] ? t->tests : WORDS("./..."));
    command_add(to, t, &argv, NULL);
    return true;
}

static void units_all_lines(struct target *t, const struct command *c, struct span out,
                            struct strings *to)
{
    struct span line;

    (void)c;
    while (span_line(&out, &line))
        if (span_trim(line).size > 0)
            strings_add(t->step, to, span_dup(t->step, span_trim(line)));
}

/* A subtest's time is in that of its test. */
static const char *unit_package(struct target *t, const struct result *r)
{
    (void)t;
    return *r->suite && !strchr(r->name, '/') ? r->suite : NULL;
}

/* ---- Cargo ---- */

static bool found_cargo(struct target *t, const char *dir, const char **ret_why)
{
    *ret_why = "Cargo.toml";
    return dir_has(t->step, dir, "Cargo.toml", NULL);
}

/* The test programs' own options stand behind a "--", which the user may have written, too. */
static struct strings cargo_command(struct target *t, bool *ret_has_dashes)
{
    struct strings argv = {0};

    /* Its stderr says which program the tests on stdout are of: they have to come in one stream. */
    words_add(t->step, &argv, WORDS("sh", "-c", "exec \"$@\" 2>&1", "sh"));
    words_add(t->step, &argv, t->words);
    strings_add(t->step, &argv, "--no-fail-fast");
    words_add(t->step, &argv, t->args);
    *ret_has_dashes = false;
    for (size_t i = 0; t->args[i]; i++)
        *ret_has_dashes |= strcmp(t->args[i], "--") == 0;
    return argv;
}

static bool commands_cargo(struct target *t, const struct selection *s, struct commands *to)
{
    bool has_dashes;
    struct strings argv = cargo_command(t, &has_dashes);

    if ((t->tests[0] || s->pick != PICK_ALL) && !has_dashes)
        strings_add(t->step, &argv, "--");
    if (s->pick != PICK_ALL)
        strings_add(t->step, &argv, "--exact");
    words_add(t->step, &argv,
              s->pick == PICK_UNITS ? s->units
              : s->pick == PICK_ALL ? t->tests
                                    : NULL);
    for (size_t i = 0; s->pick == PICK_TESTS && i < s->n; i++) {
        if (s->tests[i]->outcome == OUTCOME_ERROR)
            return false; /* a program that broke down */
        strings_add_once(t->step, &argv, s->tests[i]->name);
    }
    command_add(to, t, &argv, NULL);
    to->list[to->n - 1].programs = NULL;
    return true;
}

static bool list_cargo(struct target *t, struct commands *to)
{
    bool has_dashes;
    struct strings argv = cargo_command(t, &has_dashes);

    if (!has_dashes)
        strings_add(t->step, &argv, "--");
    words_add(t->step, &argv, t->tests);
    strings_add(t->step, &argv, "--list");
    command_add(to, t, &argv, NULL);
    to->list[to->n - 1].programs = NULL;
    return true;
}

/* "tests::adds: test" */
static void units_cargo(struct target *t, const struct command *c, struct span out,
                        struct strings *to)
{
    struct span line;

    (void)c;
    while (span_line(&out, &line))
        if (span_ends(line, ": test")) {
            line.size -= 6;
            strings_add(t->step, to, span_dup(t->step, line));
        }
}

static const char *unit_name(struct target *t, const struct result *r)
{
    (void)t;
    return r->name;
}

/* ---- CTest ---- */

/* The folder that CMake has configured: DIR itself, build, or one in build. */
static const char *build_folder(struct target *t, const char *dir)
{
    struct strings names = {0};
    struct dirent *e;
    DIR *d;

    if (dir_has(t->step, dir, "CTestTestfile.cmake", NULL))
        return ".";
    if (dir_has(t->step, dir, "build/CTestTestfile.cmake", NULL))
        return "build";
    d = opendir(rel_join(t->step, dir, "build"));
    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.' &&
            dir_has(t->step, dir, ost_fmt(t->step, "build/%s/CTestTestfile.cmake", e->d_name),
                    NULL))
            strings_add(t->step, &names, ost_fmt(t->step, "build/%s", e->d_name));
    if (d)
        closedir(d);
    return names.n == 1 ? names.list[0] : NULL; /* of several, the user has to say which */
}

static bool found_ctest(struct target *t, const char *dir, const char **ret_why)
{
    const char *folder = build_folder(t, dir);

    if (folder) {
        t->build = folder;
        *ret_why = rel_clean(t->step, ost_fmt(t->step, "%s/CTestTestfile.cmake", folder));
    }
    return folder != NULL;
}

static struct strings ctest_command(struct target *t)
{
    struct strings argv = command_begin(t, NULL);

    if (!t->build) /* it was asked for by name, and nobody has looked */
        t->build = build_folder(t, target_cwd(t));
    if (t->build && strcmp(t->build, ".") != 0)
        words_add(t->step, &argv, WORDS("--test-dir", t->build));
    words_add(t->step, &argv, t->args);
    return argv;
}

/* By a pattern of names. A fixture's tests come along with those that need them. */
static bool commands_ctest(struct target *t, const struct selection *s, struct commands *to)
{
    const char *report = target_report(t, ".xml"), *pattern;
    struct strings argv = ctest_command(t), names = {0};

    words_add(t->step, &argv, WORDS("--output-on-failure", "--output-junit", report));
    if (s->pick == PICK_UNITS)
        words_add(t->step, &names, s->units);
    else if (s->pick == PICK_ALL)
        words_add(t->step, &names, t->tests);
    for (size_t i = 0; s->pick == PICK_TESTS && i < s->n; i++)
        strings_add_once(t->step, &names, s->tests[i]->name);
    if (names.n > 0) {
        pattern = alternatives(t->step, &names);
        if (!pattern)
            return false;
        strings_add(t->step, &argv, "-R");
        strings_add(t->step, &argv, ost_fmt(t->step, "^%s$", pattern));
    }
    command_add(to, t, &argv, report);
    return true;
}

static bool list_ctest(struct target *t, struct commands *to)
{
    struct strings argv = ctest_command(t), names = {0};

    strings_add(t->step, &argv, "-N");
    words_add(t->step, &names, t->tests);
    if (names.n > 0) {
        const char *pattern = alternatives(t->step, &names);

        strings_add(t->step, &argv, "-R");
        strings_add(t->step, &argv, ost_fmt(t->step, "^%s$", pattern ? pattern : ""));
    }
    command_add(to, t, &argv, NULL);
    return true;
}

/* "  Test  #3: adds"; "(Disabled)" behind it */
static void units_ctest(struct target *t, const struct command *c, struct span out,
                        struct strings *to)
{
    struct span line, number;

    (void)c;
    while (span_line(&out, &line)) {
        line = span_trim(line);
        if (!span_eat(&line, "Test ") || !span_eat_until(&line, ':', &number) ||
            span_find(number, "#") == SIZE_MAX)
            continue;
        if (span_ends(line, " (Disabled)"))
            line.size -= sizeof " (Disabled)" - 1;
        strings_add(t->step, to, span_dup(t->step, span_trim(line)));
    }
}

/* ---- criterion ---- */

static bool found_nothing(struct target *t, const char *dir, const char **ret_why)
{
    (void)t, (void)dir, (void)ret_why;
    return false;
}

/* The programs are the lines of "command"; a report has nothing of them, so their names go before the suites. */
static bool begin_criterion(struct target *t, struct span *rest, struct strings *argv,
                            const char **label)
{
    struct span line;

    while (span_line(rest, &line)) {
        *argv = (struct strings){0};
        if (!words_split(t->step, span_dup(t->step, line), argv) || argv->n == 0)
            continue;
        *label = rel_name(argv->list[0]);
        return true;
    }
    return false;
}

/* criterion picks by one pattern of a shell's extended kind: "@(suite/a|suite/b)". */
static const char *pattern_of_units(struct target *t, const char *label, const char *const *units,
                                    bool *ret_any)
{
    struct sink k = {.step = t->step};
    size_t n = strlen(label);

    *ret_any = false;
    for (; *units; units++) {
        const char *name = *units;

        if (strncmp(name, label, n) != 0 || strncmp(name + n, " > ", 3) != 0)
            continue;
        name += n + 3;
        sink_addf(&k, "%s", *ret_any ? "|" : "@(");
        *ret_any = true;
        for (; *name; name++)
            if (strncmp(name, " > ", 3) == 0) {
                sink_add(&k, SPAN("/"));
                name += 2;
            } else {
                sink_addf(&k, "%s%c", strchr("*?[]()|@!+\\", *name) ? "\\" : "", *name);
            }
    }
    sink_add(&k, SPAN(")"));
    return sink_text(&k);
}

static bool add_criterion(struct target *t, const struct selection *s, struct commands *to,
                          bool list)
{
    struct span rest = span_of(t->command);
    struct strings argv, units = {0};
    const char *label;

    words_add(t->step, &units, s->pick == PICK_UNITS ? s->units : NULL);
    for (size_t i = 0; s->pick == PICK_TESTS && i < s->n; i++)
        strings_add_once(t->step, &units, result_title(t->step, s->tests[i]));
    while (begin_criterion(t, &rest, &argv, &label)) {
        const char *report = list ? NULL : target_report(t, ".xml"), *pattern;
        bool any = true;

        pattern = pattern_of_units(t, label, strings_list(&units), &any);
        if (s->pick != PICK_ALL && !any)
            continue; /* nothing in this program is wanted */
        if (strlen(pattern) > WORDS_SIZE_MAX)
            return false;
        strings_add(t->step, &argv, list ? "--list" : ost_fmt(t->step, "--xml=%s", report));
        if (s->pick != PICK_ALL)
            strings_add(t->step, &argv, ost_fmt(t->step, "--filter=%s", pattern));
        words_add(t->step, &argv, t->args);
        command_add(to, t, &argv, report);
        to->list[to->n - 1].programs = NULL;
        to->list[to->n - 1].label = label;
    }
    return true;
}

static bool commands_criterion(struct target *t, const struct selection *s, struct commands *to)
{
    return add_criterion(t, s, to, false);
}

static bool list_criterion(struct target *t, struct commands *to)
{
    return add_criterion(t, &(struct selection){.pick = PICK_ALL}, to, true);
}

/* "suite: 2 tests", then "├── first", "└── last" */
static void units_criterion(struct target *t, const struct command *c, struct span out,
                            struct strings *to)
{
    struct span line, suite = {"", 0};

    out = span_plain(t->step, out);
    while (span_line(&out, &line)) {
        if (span_eat(&line, "\xe2\x94\x9c\xe2\x94\x80\xe2\x94\x80 ") ||
            span_eat(&line, "\xe2\x94\x94\xe2\x94\x80\xe2\x94\x80 ") || span_eat(&line, "|-- ") ||
            span_eat(&line, "`-- ")) {
            if (span_ends(line, " (skipped)"))
                line.size -= sizeof " (skipped)" - 1;
            strings_add(t->step, to,
                        ost_fmt(t->step, "%s > %s > %s", c->label, span_dup(t->step, suite),
                                span_dup(t->step, span_trim(line))));
        } else {
            (void)span_eat_until(&line, ':', &suite);
        }
    }
}

static const char *unit_title(struct target *t, const struct result *r)
{
    return result_title(t->step, r);
}

/* ---- Maven, Gradle, PHPUnit ---- */

static bool found_maven(struct target *t, const char *dir, const char **ret_why)
{
    *ret_why = "pom.xml";
    return dir_has(t->step, dir, "pom.xml", NULL);
}

static bool commands_maven(struct target *t, const struct selection *s, struct commands *to)
{
    struct strings argv = command_begin(t, WORDS("-B", "-fae"));

    words_add(t->step, &argv, t->args);
    if (s->pick == PICK_TESTS || t->tests[0]) {
        struct sink k = {.step = t->step};

        for (size_t i = 0; s->pick == PICK_TESTS && i < s->n; i++)
            sink_addf(&k, "%s%s#%.*s", i ? "," : "-Dtest=", s->tests[i]->suite,
                      (int)strcspn(s->tests[i]->name, "([{ "), s->tests[i]->name);
        for (size_t i = 0; s->pick == PICK_ALL && t->tests[i]; i++)
            sink_addf(&k, "%s%s", i ? "," : "-Dtest=", t->tests[i]);
        if (k.size > WORDS_SIZE_MAX)
            return false;
        strings_add(t->step, &argv, sink_text(&k));
        strings_add(t->step, &argv, "-Dsurefire.failIfNoSpecifiedTests=false");
    }
    command_add(to, t, &argv, NULL);
    return s->pick != PICK_UNITS;
}

static bool found_gradle(struct target *t, const char *dir, const char **ret_why)
{
    *ret_why =
        dir_has(t->step, dir, "build.gradle.kts", NULL) ? "build.gradle.kts" : "build.gradle";
    return dir_has(t->step, dir, *ret_why, NULL);
}

/* Results that are up to date would not be written again: they are cleaned away first. */
static bool commands_gradle(struct target *t, const struct selection *s, struct commands *to)
{
    struct strings argv = command_begin(t, WORDS("cleanTest", "test", "--continue"));

    words_add(t->step, &argv, t->args);
    for (size_t i = 0; s->pick == PICK_ALL && t->tests[i]; i++)
        words_add(t->step, &argv, WORDS("--tests", t->tests[i]));
    for (size_t i = 0; s->pick == PICK_TESTS && i < s->n; i++)
        words_add(
            t->step, &argv,
            WORDS("--tests", ost_fmt(t->step, "%s.%.*s", s->tests[i]->suite,
                                     (int)strcspn(s->tests[i]->name, "("), s->tests[i]->name)));
    command_add(to, t, &argv, NULL);
    return s->pick != PICK_UNITS;
}

static bool found_phpunit(struct target *t, const char *dir, const char **ret_why)
{
    *ret_why = dir_has(t->step, dir, "phpunit.xml", NULL) ? "phpunit.xml" : "phpunit.xml.dist";
    return dir_has(t->step, dir, *ret_why, NULL);
}

static bool commands_phpunit(struct target *t, const struct selection *s, struct commands *to)
{
    const char *report = target_report(t, ".xml");
    struct strings argv = command_begin(t, WORDS("--log-junit", report)), names = {0};
    const char *pattern;

    words_add(t->step, &argv, t->args);
    words_add(t->step, &names, s->pick == PICK_UNITS ? s->units : NULL);
    for (size_t i = 0; s->pick == PICK_TESTS && i < s->n; i++)
        strings_add_once(t->step, &names,
                         ost_fmt(t->step, "%s::%.*s", s->tests[i]->suite,
                                 (int)strcspn(s->tests[i]->name, " "), s->tests[i]->name));
    if (names.n > 0) {
        pattern = alternatives(t->step, &names);
        if (!pattern)
            return false;
        strings_add(t->step, &argv, "--filter");
        strings_add(t->step, &argv,
                    ost_fmt(t->step, s->pick == PICK_UNITS ? "/^%s::/" : "/^%s( .*)?$/", pattern));
    } else {
        words_add(t->step, &argv, t->tests);
    }
    command_add(to, t, &argv, report);
    return true;
}

static bool list_phpunit(struct target *t, struct commands *to)
{
    struct strings argv = command_begin(t, WORDS("--list-tests"));

    words_add(t->step, &argv, t->args);
    words_add(t->step, &argv, t->tests);
    command_add(to, t, &argv, NULL);
    return true;
}

/* " - App\SumTest::testAdds" */
static void units_phpunit(struct target *t, const struct command *c, struct span out,
                          struct strings *to)
{
    struct span line;

    (void)c;
    while (span_line(&out, &line)) {
        size_t end = span_find(line, "::");

        if (!span_eat(&line, " - ") || end == SIZE_MAX)
            continue;
        line.size = end - 3;
        strings_add(t->step, to, span_dup(t->step, line));
    }
}

static const char *unit_suite(struct target *t, const struct result *r)
{
    (void)t;
    return *r->suite ? r->suite : NULL;
}

const struct runner runners_native[] = {
    {.name = "go",
     .title = "go test",
     .family = "Go",
     .words = WORDS("go", "test"),
     .install = "set Go up with actions/setup-go",
     .found = found_go,
     .stream = &format_go,
     .stream_fd = 1,
     .raw = true,
     .commands = commands_go,
     .list = list_go,
     .units = units_all_lines,
     .units_are = "packages",
     .unit = unit_package},
    {.name = "cargo",
     .title = "cargo test",
     .family = "Rust",
     .words = WORDS("cargo", "test"),
     .install = "install Rust with rustup",
     .found = found_cargo,
     .stream = &format_cargo,
     .stream_fd = 1,
     .commands = commands_cargo,
     .list = list_cargo,
     .units = units_cargo,
     .units_are = "tests",
     .unit = unit_name},
    {.name = "ctest",
     .title = "CTest",
     .family = "CMake",
     .words = WORDS("ctest"),
     .install = "apt-get install cmake",
     .found = found_ctest,
     .commands = commands_ctest,
     .list = list_ctest,
     .units = units_ctest,
     .units_are = "tests",
     .unit = unit_name},
    {.name = "criterion",
     .title = "criterion",
     .family = "criterion",
     .words = WORDS(NULL),
     .install = "build the test program in an earlier step",
     .found = found_nothing,
     .commands = commands_criterion,
     .list = list_criterion,
     .units = units_criterion,
     .units_are = "tests",
     .unit = unit_title},
    {.name = "maven",
     .title = "Maven",
     .family = "Java",
     .words = WORDS("mvn", "test"),
     .folders = WORDS("."),
     .names = WORDS("mvnw"),
     .install = "set Java up with actions/setup-java",
     .found = found_maven,
     .reports = "**/target/surefire-reports/TEST-*.xml",
     .commands = commands_maven},
    {.name = "gradle",
     .title = "Gradle",
     .family = "Java",
     .words = WORDS("gradle"),
     .folders = WORDS("."),
     .names = WORDS("gradlew"),
     .install = "add the wrapper, gradlew, to the project",
     .found = found_gradle,
     .reports = "**/build/test-results/*/TEST-*.xml",
     .commands = commands_gradle},
    {.name = "phpunit",
     .title = "PHPUnit",
     .family = "PHP",
     .words = WORDS("phpunit"),
     .folders = WORDS("vendor/bin"),
     .install = "composer install",
     .found = found_phpunit,
     .commands = commands_phpunit,
     .list = list_phpunit,
     .units = units_phpunit,
     .units_are = "classes",
     .unit = unit_suite},
    {.name = NULL},
};
