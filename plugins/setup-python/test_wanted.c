#include "wanted.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/test_step.h"
#include "toml.h"

TestSuite(wanted, .init = step_enter, .fini = step_leave);

Test(wanted, reads_versions_as_people_write_them)
{
    static const struct {
        const char *text, *range, *with_prereleases;
        bool freethreaded;
    } rows[] = {
        {"3.12", "3.12", "~3.12.0-0", false},
        {"3.12.4", "3.12.4", "3.12.4", false},
        {"3.x", "3.x", "3.x", false},
        {"3", "3", "3", false},
        {"x", "x", "x", false},
        {">=3.9 <3.12", ">=3.9 <3.12", ">=3.9 <3.12", false},
        {"3.9 - 3.11", "3.9 - 3.11", "3.9 - 3.11", false},
        {"3.13-dev", "~3.13.0-0", "~3.13.0-0", false},
        {"3.13t", "3.13", "~3.13.0-0", true},
        {"3.13.1t", "3.13.1", "3.13.1", true},
        {"3.14t-dev", "~3.14.0-0", "~3.14.0-0", true},
        {"3.13.0rc2", "3.13.0-rc.2", "3.13.0-rc.2", false},
        {"3.13.0a1 - 3.13.0", "3.13.0-alpha.1 - 3.13.0", "3.13.0-alpha.1 - 3.13.0", false},
        {">=3.13.0b1", ">=3.13.0-beta.1", ">=3.13.0-beta.1", false},
        {"3.13.0-rc.2", "3.13.0-rc.2", "3.13.0-rc.2", false},
    };

    for (size_t i = 0; i < OST_COUNT(rows); i++) {
        struct wanted w, with;

        cr_assert(wanted_parse(step, rows[i].text, false, &w), "%s", rows[i].text);
        cr_assert(wanted_parse(step, rows[i].text, true, &with), "%s", rows[i].text);
        cr_expect_str_eq(w.range, rows[i].range, "%s gave %s", rows[i].text, w.range);
        cr_expect_str_eq(with.range, rows[i].with_prereleases, "%s gave %s", rows[i].text,
                         with.range);
        cr_expect_eq(w.freethreaded, rows[i].freethreaded, "%s", rows[i].text);
        cr_expect_str_eq(w.text, rows[i].text);
    }
}

Test(wanted, refuses_what_is_no_version)
{
    static const char *const rows[] = {"",     "three",       "3.12.1.1", "3-dev", "3.12.1-dev t",
                                       "3t.1", "3.13.1t-dev", "python3",  "!=3.9", "3.12,3.13"};
    struct wanted w;

    for (size_t i = 0; i < OST_COUNT(rows); i++)
        cr_expect_not(wanted_parse(step, rows[i], false, &w), "'%s' was taken", rows[i]);
}

/* The versions in a file NAME, joined by "|"; "broken" when it was refused. */
static const char *in_file(const char *name, const char *text)
{
    struct strings versions = {0};
    struct sink k = {.step = step};

    if (wanted_in_file(step, name, span_of(text), &versions) < 0)
        return "broken";
    for (size_t i = 0; i < versions.n; i++)
        sink_addf(&k, "%s%s", i ? "|" : "", versions.list[i]);
    return sink_text(&k);
}

Test(wanted, reads_version_files)
{
    static const struct {
        const char *name, *text, *versions;
    } rows[] = {
        {".python-version", "3.12.1\n", "3.12.1"},
        {".python-version", "# ours\r\n\r\n 3.11 \r\n3.12\r\n", "3.11|3.12"},
        {".python-version", "3.10/envs/web\n", "3.10"},
        {".python-version", "", ""},
        {"x/.tool-versions", "nodejs 20\npython 3.12.1\npython 3.11\n", "3.12.1"},
        {".tool-versions", "# python 3.9\n  python\tv3.12\n", "3.12"},
        {".tool-versions", "python 3.12 3.11\n", ""},
        {"Pipfile", "[packages]\nx = \"*\"\n[requires]\npython_version = \"3.9\"\n", "3.9"},
        {"Pipfile", "[requires]\npython_version = '3.9'\npython_full_version = '3.9.2'\n", "3.9.2"},
        {"Pipfile", "requires = {python_version = \"3.9\"}\n", "3.9"},
        {"Pipfile", "[packages]\n", ""},
        {"pyproject.toml", "[project]\nname = \"x\"\nrequires-python = \">=3.9,<3.12\"\n",
         ">=3.9 <3.12"},
        {"pyproject.toml", "\xef\xbb\xbfproject . \"requires-python\" = '==3.11.*' # why\n",
         "==3.11.*"},
        {"pyproject.toml", "[tool.poetry.dependencies]\npython = \"^3.9\"\n", "^3.9"},
        {"pyproject.toml", "[tool]\npoetry.dependencies = { x = [1, {a = 1}], python = \"~3.9\" }",
         "~3.9"},
        /* What a project says of itself counts alone. */
        {"pyproject.toml", "[project]\nname = 'x'\n[tool.poetry.dependencies]\npython = \"^3.9\"\n",
         ""},
        {"pyproject.toml", "[project]\nrequires-python = \">=3.8, !=3.9.*\"\n", ""},
        /* Texts, arrays and comments that look like the key are none. */
        {"pyproject.toml",
         "[a]\nb = \"\"\"\n[project]\nrequires-python = \"1\"\n\\\"\"\"\"\"\"\nc = '''\n[x'''\n"
         "d = [ # ]\n  \"[project]\", 'x', [1, 2],\n  {project = 1},\n]\n"
         "# [project]\n[[tool.y]]\nz = 1979-05-27T07:32:00Z\n"
         "[tool.poetry.dependencies]\npython = \"3.1\\\"2\"\npython = \"3.12\"",
         "3.12"},
        {"pyproject.toml", "[project\n", "broken"},
        {"pyproject.toml", "a = \"x\nb = 1\n", "broken"},
        {"pyproject.toml", "a = 1 b = [2] 3\n= 4", "broken"},
        {"pyproject.toml", "a = [1, 2\n", "broken"},
        {"pyproject.toml", "a = '''x", "broken"},
        {"Pipfile", "{}", "broken"},
    };

    for (size_t i = 0; i < OST_COUNT(rows); i++) {
        const char *got = in_file(rows[i].name, rows[i].text);

        cr_expect_str_eq(got, rows[i].versions, "row %zu wanted '%s', got '%s'", i,
                         rows[i].versions, got);
    }
}

Test(wanted, names_the_line_where_a_file_is_broken)
{
    cr_expect_str_eq(in_file("pyproject.toml", "[project]\nx = 1\n\ny ? 2\n"), "broken");
    cr_expect_str_eq(ost_test_failure(host), "'pyproject.toml' is no TOML: see its line 4");
}

static void ignore(void *ctx, const char *path, const char *value)
{
    size_t *seen = ctx;

    cr_assert_not_null(path);
    *seen += 1 + (value ? strlen(value) : 0);
}

Test(wanted, survives_any_toml)
{
    static const char alphabet[] = "ab.=[]{}\"'\\#,\n 1";
    unsigned seed = 7;
    size_t taken = 0;

    for (int i = 0; i < 20000; i++) {
        char text[40];
        size_t n = (size_t)rand_r(&seed) % sizeof text, seen = 0;
        uint32_t line = 0;

        for (size_t j = 0; j < n; j++)
            text[j] = alphabet[(size_t)rand_r(&seed) % (sizeof alphabet - 1)];
        if (toml_read(step, (struct span){text, n}, ignore, &seen, &line))
            taken++;
        else
            cr_assert(line >= 1 && line <= n + 1, "line %u of %zu bytes", line, n);
    }
    cr_expect_gt(taken, 10);
}

Test(wanted, bounds_the_depth_of_toml)
{
    struct sink k = {.step = step};
    uint32_t line = 0;
    size_t seen = 0;

    sink_add(&k, SPAN("a = "));
    for (int i = 0; i < 100000; i++)
        sink_add(&k, SPAN("["));
    cr_expect_not(toml_read(step, (struct span){k.data, k.size}, ignore, &seen, &line));
    cr_expect_eq(line, 1);
}
