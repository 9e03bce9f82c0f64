/* Vitest, Jest, Mocha, Node's own test runner, and whatever "npm test" starts. */
#include "runner.h"

#include "../lib/json.h"
#include "../lib/words.h"

#include <string.h>

enum { MANIFEST_MAX = 4 << 20 };

static const char *const modules[] = {"node_modules/.bin", NULL};

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- package.json ---- */

static const struct json *manifest(struct target *t, const char *dir)
{
    size_t size = 0;
    char *text = file_read(t->step, rel_join(t->step, dir, "package.json"), MANIFEST_MAX, &size);
    const char *why;

    return text ? json_read(t->step, text, size, false, &why) : NULL;
}

static const char *test_script(const struct json *package)
{
    return json_text(json_get(package, "scripts"), "test");
}

static bool depends_on(const struct json *package, const char *name)
{
    return json_get(json_get(package, "devDependencies"), name) ||
           json_get(json_get(package, "dependencies"), name);
}

/* True if SCRIPT starts PROGRAM as its last command, so that what is appended is the program's. */
static bool ends_with_program(struct ost_step *step, const char *script, const char *program)
{
    const char *last = script;
    struct strings words = {0};

    for (const char *at = script; (at = strstr(at, "&&")); at += 2)
        last = at + 2;
    if (strpbrk(last, "|;<>") || !words_split(step, last, &words))
        return false;
    for (size_t i = 0; i < words.n; i++) {
        const char *word = words.list[i];

        if (strcmp(rel_name(word), program) == 0)
            return true;
        if (!strchr(word, '=') && strcmp(word, "npx") != 0 && strcmp(word, "cross-env") != 0 &&
            strcmp(word, "env") != 0)
            return false;
    }
    return false;
}

/* A script that says more than the program's name keeps what it says: it is run by npm, and ours is appended. */
static void take_script(struct target *t, const char *script, const char *plain)
{
    static const char *const by_npm[] = {"npm", "run", "test", "--", NULL};

    if (!*script || strcmp(script, t->runner->words[0]) == 0 || strcmp(script, plain) == 0)
        return;
    t->words = by_npm;
    t->programs = NULL;
}

static bool found_tool(struct target *t, const char *dir, const char *const *files,
                       const char *plain, const char **ret_why)
{
    const char *tool = t->runner->words[0];
    const struct json *package = manifest(t, dir);
    const char *script = test_script(package);

    if (!package)
        return false;
    if (ends_with_program(t->step, script, tool)) {
        *ret_why = ost_fmt(t->step, "the script 'test' of package.json: %s", script);
        take_script(t, script, plain);
        return true;
    }
    for (; *files; files++)
        if (!*script && dir_has(t->step, dir, *files, NULL)) {
            *ret_why = *files;
            return true;
        }
    *ret_why = "package.json";
    return !*script && depends_on(package, tool);
}

static bool found_vitest(struct target *t, const char *dir, const char **ret_why)
{
    return found_tool(
        t, dir,
        WORDS("vitest.config.ts", "vitest.config.js", "vitest.config.mts", "vitest.config.mjs"),
        "vitest run", ret_why);
}

static bool found_jest(struct target *t, const char *dir, const char **ret_why)
{
    return found_tool(t, dir,
                      WORDS("jest.config.js", "jest.config.ts", "jest.config.mjs",
                            "jest.config.cjs", "jest.config.json"),
                      "jest", ret_why);
}

static bool found_mocha(struct target *t, const char *dir, const char **ret_why)
{
    return found_tool(
        t, dir,
        WORDS(".mocharc.js", ".mocharc.cjs", ".mocharc.json", ".mocharc.yml", ".mocharc.yaml"),
        "mocha", ret_why);
}

static bool found_node(struct target *t, const char *dir, const char **ret_why)
{
    const char *script = test_script(manifest(t, dir));
    struct strings words = {0}, options = {0}, files = {0};

    if (strncmp(script, "node ", 5) != 0 || !strstr(script, "--test") ||
        strpbrk(script, "|;<>&$*?") || !words_split(t->step, script, &words))
        return false;
    for (size_t i = 0; i < words.n; i++)
        strings_add(t->step, i > 0 && words.list[i][0] != '-' ? &files : &options, words.list[i]);
    *ret_why = ost_fmt(t->step, "the script 'test' of package.json: %s", script);
    t->words = strings_list(&options);
    if (!t->tests[0])
        t->tests = strings_list(&files);
    return true;
}

static bool found_npm(struct target *t, const char *dir, const char **ret_why)
{
    const char *script = test_script(manifest(t, dir));

    *ret_why = ost_fmt(t->step, "the script 'test' of package.json: %s", script);
    return *script && !strstr(script, "no test specified");
}

/* ---- what is common ---- */

/* "^(a b|c d)$" of the full titles; NULL: too long for one word. */
static const char *pattern_of(struct target *t, const struct selection *s)
{
    struct sink k = {.step = t->step};

    sink_add(&k, SPAN("^("));
    for (size_t i = 0; i < s->n; i++) {
        const struct result *r = s->tests[i];
        struct span suite = span_of(r->suite), part;

        sink_addf(&k, "%s", i ? "|" : "");
        for (size_t at; suite.size > 0; suite = (struct span){suite.at + at, suite.size - at}) {
            part = suite;
            at = span_find(suite, " > ");
            part.size = at == SIZE_MAX ? suite.size : at;
            at = at == SIZE_MAX ? suite.size : at + 3;
            sink_addf(&k, "%s ", regex_quote(t->step, span_dup(t->step, part)));
        }
        sink_addf(&k, "%s", regex_quote(t->step, r->name));
    }
    sink_add(&k, SPAN(")$"));
    return k.size < WORDS_SIZE_MAX ? sink_text(&k) : NULL;
}

/* The files of the tests; false: of one it is not known, or it could not even be loaded. */
static bool files_of(struct target *t, const struct selection *s, struct strings *to)
{
    for (size_t i = 0; i < s->n; i++) {
        if (!*s->tests[i]->file)
            return false;
        strings_add_once(t->step, to, s->tests[i]->file);
    }
    return true;
}

/* A file that cannot be loaded has no tests that could be picked by name. */
static bool has_broken(const struct selection *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->tests[i]->outcome == OUTCOME_ERROR)
            return true;
    return false;
}

/* Jest and Vitest: files, and a pattern. */
static bool pick_by_file(struct target *t, const struct selection *s, struct strings *argv)
{
    const char *pattern;

    words_add(t->step, argv,
              s->pick == PICK_UNITS ? s->units
              : s->pick == PICK_ALL ? t->tests
                                    : NULL);
    if (s->pick != PICK_TESTS)
        return true;
    if (!files_of(t, s, argv))
        return false;
    if (has_broken(s))
        return true; /* the files, whole */
    pattern = pattern_of(t, s);
    if (pattern) {
        strings_add(t->step, argv, "-t");
        strings_add(t->step, argv, pattern);
    }
    return true;
}

static const char *unit_file(struct target *t, const struct result *r)
{
    (void)t;
    return *r->file ? r->file : NULL;
}

/* A list of files, one a line; others among the lines are what the tool says besides. */
static void units_lines(struct target *t, const struct command *c, struct span out,
                        struct strings *to)
{
    const char *cwd = target_cwd(t);
    struct span line;

    (void)c;
    out = span_plain(t->step, out);
    while (span_line(&out, &line)) {
        const char *path;

        line = span_trim(line);
        path = rel_clean(t->step, rel_join(t->step, cwd, span_dup(t->step, line)));
        if (line.size > 0 && file_exists(path) && !file_is_folder(path))
            strings_add(t->step, to, path);
    }
}

/* ---- Vitest ---- */

static bool commands_vitest(struct target *t, const struct selection *s, struct commands *to)
{
    const char *report = target_report(t, ".json");
    struct strings argv =
        command_begin(t, OST_ARGV("--reporter=default", "--reporter=json",
                                  ost_fmt(t->step, "--outputFile.json=%s", report)));

    words_add(t->step, &argv, t->args);
    if (!pick_by_file(t, s, &argv))
        return false;
    command_add(to, t, &argv, report);
    return true;
}

static bool list_vitest(struct target *t, struct commands *to)
{
    struct strings argv = {0};

    if (!t->programs)
        return false;
    words_add(t->step, &argv, OST_ARGV("vitest", "list", "--filesOnly"));
    words_add(t->step, &argv, t->args);
    words_add(t->step, &argv, t->tests);
    command_add(to, t, &argv, NULL);
    return true;
}

/* ---- Jest ---- */

static bool commands_jest(struct target *t, const struct selection *s, struct commands *to)
{
    const char *report = target_report(t, ".json");
    struct strings argv =
        command_begin(t, OST_ARGV("--ci", "--json", ost_fmt(t->step, "--outputFile=%s", report),
                                  "--testLocationInResults"));

    words_add(t->step, &argv, t->args);
    if (s->pick != PICK_ALL)
        strings_add(t->step, &argv, "--runTestsByPath");
    if (!pick_by_file(t, s, &argv))
        return false;
    command_add(to, t, &argv, report);
    return true;
}

static bool list_jest(struct target *t, struct commands *to)
{
    struct strings argv = command_begin(t, OST_ARGV("--listTests"));

    words_add(t->step, &argv, t->args);
    words_add(t->step, &argv, t->tests);
    command_add(to, t, &argv, NULL);
    return true;
}

/* ---- Mocha ---- */

static bool commands_mocha(struct target *t, const struct selection *s, struct commands *to)
{
    const char *report = target_report(t, ".xml");
    struct strings argv = command_begin(t, OST_ARGV("--reporter", "xunit", "--reporter-option",
                                                    ost_fmt(t->step, "output=%s", report)));

    words_add(t->step, &argv, t->args);
    if (s->pick == PICK_TESTS) {
        const char *pattern = pattern_of(t, s);

        if (!pattern)
            return false;
        strings_add(t->step, &argv, "--grep");
        strings_add(t->step, &argv, pattern);
    }
    words_add(t->step, &argv, t->tests);
    command_add(to, t, &argv, report);
    return s->pick != PICK_UNITS;
}

/* ---- Node ---- */

/* Of failed tests their files are run, whole: which tests a pattern of names picks differs from version to version,
 * and in none does it reach one that another test starts. */
static bool commands_node(struct target *t, const struct selection *s, struct commands *to)
{
    const char *report = target_report(t, ".tap");
    struct strings files = {0};
    struct strings argv =
        command_begin(t, OST_ARGV("--test-reporter=spec", "--test-reporter-destination=stdout",
                                  "--test-reporter=tap",
                                  ost_fmt(t->step, "--test-reporter-destination=%s", report)));

    words_add(t->step, &argv, t->args);
    if (s->pick == PICK_TESTS && !files_of(t, s, &files))
        return false;
    words_add(t->step, &argv,
              s->pick == PICK_TESTS   ? strings_list(&files)
              : s->pick == PICK_UNITS ? s->units
                                      : t->tests);
    command_add(to, t, &argv, report);
    return true;
}

/* ---- npm ---- */

static bool commands_npm(struct target *t, const struct selection *s, struct commands *to)
{
    struct strings argv = command_begin(t, NULL);

    if (t->args[0] || t->tests[0])
        strings_add(t->step, &argv, "--");
    words_add(t->step, &argv, t->args);
    words_add(t->step, &argv, t->tests);
    command_add(to, t, &argv, NULL);
    return s->pick == PICK_ALL;
}

const struct runner runners_node[] = {
    {.name = "vitest",
     .title = "Vitest",
     .family = "Node",
     .words = WORDS("vitest", "run"),
     .folders = modules,
     .install = "npm ci, or npm install --save-dev vitest",
     .found = found_vitest,
     .prefixes = true,
     .commands = commands_vitest,
     .list = list_vitest,
     .units = units_lines,
     .units_are = "files",
     .unit = unit_file},
    {.name = "jest",
     .title = "Jest",
     .family = "Node",
     .words = WORDS("jest"),
     .folders = modules,
     .install = "npm ci, or npm install --save-dev jest",
     .found = found_jest,
     .commands = commands_jest,
     .list = list_jest,
     .units = units_lines,
     .units_are = "files",
     .unit = unit_file},
    {.name = "mocha",
     .title = "Mocha",
     .family = "Node",
     .words = WORDS("mocha"),
     .folders = modules,
     .install = "npm ci, or npm install --save-dev mocha",
     .found = found_mocha,
     .commands = commands_mocha},
    {.name = "node",
     .title = "Node's test runner",
     .family = "Node",
     .words = WORDS("node", "--test"),
     .install = "set Node up with actions/setup-node",
     .found = found_node,
     .commands = commands_node},
    {.name = "npm",
     .title = "npm test",
     .family = "Node",
     .words = WORDS("npm", "test"),
     .install = "set Node up with actions/setup-node",
     .found = found_npm,
     .commands = commands_npm},
    {.name = NULL},
};
