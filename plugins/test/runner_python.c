/* pytest, Django's manage.py test, and unittest itself. */
#include "runner.h"

#include <string.h>

static const char *const venvs[] = {".venv/bin", "venv/bin", NULL};

/* ---- pytest ---- */

static bool found_pytest(struct target *t, const char *dir, const char **ret_why)
{
    static const struct {
        const char *file, *text;
    } signs[] = {
        {"pytest.ini", NULL},
        {".pytest.ini", NULL},
        {"conftest.py", NULL},
        {"pyproject.toml", "[tool.pytest"},
        {"setup.cfg", "[tool:pytest]"},
        {"tox.ini", "[pytest]"},
        {"tests/conftest.py", NULL},
        {"pyproject.toml", "pytest"},
        {"requirements-dev.txt", "pytest"},
    };

    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (dir_has(t->step, dir, signs[i].file, signs[i].text)) {
            *ret_why = signs[i].file;
            return true;
        }
    return false;
}

/* pytest picks by file::class::name. The report has the first, and "tests.test_a.Class" for the second. */
static const char *node_id(struct target *t, const struct result *r)
{
    const char *path = r->file, *suffix = ".py", *class = r->suite;
    struct sink k = {.step = t->step};
    size_t n = strlen(path);

    if (n < 3 || strcmp(path + n - 3, suffix) != 0)
        return NULL;
    if (strlen(class) < n - 3)
        return NULL; /* the file could not be loaded: there is no test to pick */
    sink_addf(&k, "%s", path);
    class += n - 3;
    while (*class == '.') {
        size_t size = strcspn(++class, ".");

        sink_addf(&k, "::%.*s", (int)size, class);
        class += size;
    }
    sink_addf(&k, "::%s", r->name);
    return sink_text(&k);
}

static bool commands_pytest(struct target *t, const struct selection *s, struct commands *to)
{
    const char *report = target_report(t, ".xml");
    struct strings argv = command_begin(
        t, OST_ARGV("-o", "junit_family=xunit1", ost_fmt(t->step, "--junit-xml=%s", report)));

    words_add(t->step, &argv, t->args);
    words_add(t->step, &argv,
              s->pick == PICK_UNITS ? s->units
              : s->pick == PICK_ALL ? t->tests
                                    : NULL);
    for (size_t i = 0; s->pick == PICK_TESTS && i < s->n; i++) {
        const char *id = node_id(t, s->tests[i]);

        if (!id)
            return false;
        strings_add_once(t->step, &argv, id);
    }
    command_add(to, t, &argv, report);
    return true;
}

static bool list_pytest(struct target *t, struct commands *to)
{
    struct strings argv = command_begin(t, OST_ARGV("--collect-only", "-q"));

    words_add(t->step, &argv, t->args);
    words_add(t->step, &argv, t->tests);
    command_add(to, t, &argv, NULL);
    return true;
}

/* "tests/test_a.py::Class::test_b"; of one that could not be loaded "ERROR tests/test_c.py - why". Quieter still,
 * as with -qq, it is "tests/test_a.py: 3". */
static void units_pytest(struct target *t, const struct command *c, struct span out,
                         struct strings *to)
{
    struct span line;

    (void)c;
    out = span_plain(t->step, out);
    while (span_line(&out, &line)) {
        size_t end = span_find(line, "::");

        if (span_eat(&line, "ERROR "))
            end = span_find(line, " - ") == SIZE_MAX ? line.size : span_find(line, " - ");
        else if (end == SIZE_MAX)
            end = span_find(line, ".py: ") == SIZE_MAX ? SIZE_MAX : span_find(line, ".py: ") + 3;
        if (end < line.size + 1 && end > 0) {
            line.size = end;
            if (span_find(line, " ") == SIZE_MAX && span_find(line, ".") != SIZE_MAX)
                strings_add(t->step, to, span_dup(t->step, line));
        }
    }
}

static const char *unit_file(struct target *t, const struct result *r)
{
    (void)t;
    return *r->file ? r->file : NULL;
}

/* ---- Django and unittest ---- */

static bool found_django(struct target *t, const char *dir, const char **ret_why)
{
    *ret_why = "manage.py";
    return dir_has(t->step, dir, "manage.py", "django");
}

static bool found_unittest(struct target *t, const char *dir, const char **ret_why)
{
    (void)t, (void)dir, (void)ret_why;
    return false; /* nothing tells it from a project for pytest: it has to be named */
}

/* "app.tests.Sums.test_adds". A class or module that broke down is picked whole: "setUpClass (app.tests.Sums)",
 * "app.tests (unittest.loader._FailedTest)". */
static const char *label_of(struct target *t, const struct result *r)
{
    if (strcmp(r->suite, "unittest.loader._FailedTest") == 0)
        return r->name;
    if (strncmp(r->name, "setUp", 5) == 0 || strncmp(r->name, "tearDown", 8) == 0)
        return r->suite;
    return *r->suite ? ost_fmt(t->step, "%s.%s", r->suite, r->name) : NULL;
}

static bool commands_unittest(struct target *t, const struct selection *s, struct commands *to)
{
    bool django = strcmp(t->runner->name, "django") == 0;
    struct strings argv = command_begin(t, NULL);

    words_add(t->step, &argv, django ? OST_ARGV("-v", "2", "--noinput") : OST_ARGV("-v"));
    words_add(t->step, &argv, t->args);
    words_add(t->step, &argv,
              s->pick == PICK_UNITS ? s->units
              : s->pick == PICK_ALL ? t->tests
                                    : NULL);
    for (size_t i = 0; s->pick == PICK_TESTS && i < s->n; i++) {
        const char *label = label_of(t, s->tests[i]);

        if (!label)
            return false;
        strings_add_once(t->step, &argv, label);
    }
    command_add(to, t, &argv, NULL);
    return true;
}

#define WALK                                                                                       \
    "def walk(s):\n"                                                                               \
    "    try: tests = list(s)\n"                                                                   \
    "    except TypeError: print('ostler-test: ' + s.id())\n"                                      \
    "    else: [walk(t) for t in tests]\n"

#define MARK "ostler-test: "

/* Asks Django's own runner, or unittest's loader, what it would run. */
static bool list_unittest(struct target *t, struct commands *to)
{
    static const char for_django[] =
        WALK "from django.conf import settings\n"
             "from django.test.utils import get_runner\n"
             "walk(get_runner(settings)(verbosity=0, interactive=False).build_suite(%s))\n";
    static const char for_unittest[] =
        "import sys, unittest\nsys.path.insert(0, '')\n" WALK "l = unittest.defaultTestLoader\n"
        "n = %s\nwalk(l.loadTestsFromNames(n) if n else l.discover('.'))\n";
    struct sink names = {.step = t->step};
    struct strings argv = {0};
    size_t n = 0;

    for (size_t i = 0; t->tests[i];
         i++) /* as a list of Python's; quotes have no place in a label */
        sink_addf(&names, "%s'%.*s'", i ? ", " : "[", (int)strcspn(t->tests[i], "'\\\n"),
                  t->tests[i]);
    sink_addf(&names, "%s", names.size ? "]" : "[]");
    while (t->words[n])
        n++;
    if (strcmp(t->runner->name, "django") == 0) {
        if (n < 2 || strcmp(t->words[n - 1], "test") != 0)
            return false; /* a command that is not "... manage.py test" */
        for (size_t i = 0; i + 1 < n; i++)
            strings_add(t->step, &argv, t->words[i]);
        strings_add(t->step, &argv, "shell");
        strings_add(t->step, &argv, "-c");
        strings_add(t->step, &argv, ost_fmt(t->step, for_django, sink_text(&names)));
    } else {
        if (n != 3 || strcmp(t->words[1], "-m") != 0)
            return false;
        strings_add(t->step, &argv, t->words[0]);
        strings_add(t->step, &argv, "-c");
        strings_add(t->step, &argv, ost_fmt(t->step, for_unittest, sink_text(&names)));
    }
    command_add(to, t, &argv, NULL);
    return true;
}

/* A unit is a class: what it sets up is set up once. */
static void units_unittest(struct target *t, const struct command *c, struct span out,
                           struct strings *to)
{
    struct span line;

    (void)c;
    while (span_line(&out, &line)) {
        const char *dot;

        if (!span_eat(&line, MARK))
            continue;
        if (span_eat(&line, "unittest.loader._FailedTest.")) {
            strings_add(t->step, to, span_dup(t->step, line));
            continue;
        }
        dot = line.size ? memrchr(line.at, '.', line.size) : NULL;
        if (dot)
            line.size = (size_t)(dot - line.at);
        strings_add(t->step, to, span_dup(t->step, line));
    }
}

static const char *unit_class(struct target *t, const struct result *r)
{
    (void)t;
    return strcmp(r->suite, "unittest.loader._FailedTest") == 0 ? r->name
           : *r->suite                                          ? r->suite
                                                                : NULL;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

const struct runner runners_python[] = {
    {.name = "pytest",
     .title = "pytest",
     .family = "Python",
     .words = WORDS("pytest"),
     .folders = venvs,
     .names = WORDS("py.test"),
     .install = "pip install pytest",
     .found = found_pytest,
     .lines_from_zero = true,
     .commands = commands_pytest,
     .list = list_pytest,
     .units = units_pytest,
     .units_are = "files",
     .lists_broken = true,
     .unit = unit_file},
    {.name = "django",
     .title = "Django",
     .family = "Python",
     .words = WORDS("python", "manage.py", "test"),
     .folders = venvs,
     .names = WORDS("python3"),
     .install = "set Python up with actions/setup-python",
     .found = found_django,
     .stream = &format_unittest,
     .stream_fd = 2,
     .commands = commands_unittest,
     .list = list_unittest,
     .units = units_unittest,
     .units_are = "classes",
     .unit = unit_class},
    {.name = "unittest",
     .title = "unittest",
     .family = "Python",
     .words = WORDS("python", "-m", "unittest"),
     .folders = venvs,
     .names = WORDS("python3"),
     .install = "set Python up with actions/setup-python",
     .found = found_unittest,
     .stream = &format_unittest,
     .stream_fd = 2,
     .commands = commands_unittest,
     .list = list_unittest,
     .units = units_unittest,
     .units_are = "classes",
     .unit = unit_class},
    {.name = NULL},
};
