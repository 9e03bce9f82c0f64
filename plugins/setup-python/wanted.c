#include "wanted.h"

#include "toml.h"

#include <string.h>

/* ---- versions ---- */

/* Takes "3.12" off the front of S; PARTS is how many numbers, at the most 3, it had. */
static int eat_numbers(struct span *s)
{
    uint32_t n;
    int parts = 0;

    while (parts < 3) {
        struct span next = *s;

        if ((parts > 0 && !span_eat(&next, ".")) || !span_eat_number(&next, &n))
            break;
        *s = next;
        parts++;
    }
    return parts;
}

/* TEXT without the t of "3.13t", "3.13.1t" and "3.13t-dev". */
static const char *without_t(struct ost_step *step, const char *text, bool *ret_freethreaded)
{
    struct span rest = span_of(text), numbers = rest;
    int parts = eat_numbers(&rest);

    numbers.size -= rest.size;
    if (parts < 2 || !span_eat(&rest, "t") ||
        (rest.size > 0 && (parts > 2 || !span_is(rest, "-dev"))))
        return text;
    *ret_freethreaded = true;
    return ost_fmt(step, "%.*s%s", (int)numbers.size, numbers.at, rest.at);
}

/* Python writes 3.13.0rc1 where the tool cache has 3.13.0-rc.1, and a for alpha, b for beta. */
static const char *with_semantic_prereleases(struct ost_step *step, const char *text)
{
    static const struct {
        const char *python, *semantic;
    } stages[] = {{"a", "alpha"}, {"b", "beta"}, {"rc", "rc"}};
    struct sink k = {.step = step};
    struct span rest = span_of(text);

    while (rest.size > 0) {
        struct span from = rest;
        int parts = eat_numbers(&rest);
        uint32_t n;

        if (parts == 0) {
            rest.at++;
            rest.size--;
        }
        sink_add(&k, (struct span){from.at, from.size - rest.size});
        for (size_t i = 0; parts == 3 && i < sizeof stages / sizeof stages[0]; i++) {
            struct span next = rest;

            if (!span_eat(&next, stages[i].python) || !span_eat_number(&next, &n))
                continue;
            sink_addf(&k, "-%s.%u", stages[i].semantic, n);
            rest = next;
            break;
        }
    }
    return sink_text(&k);
}

bool wanted_parse(struct ost_step *step, const char *version, bool prereleases, struct wanted *ret)
{
    struct wanted w = {.text = version};
    const char *text = without_t(step, version, &w.freethreaded);
    struct span rest = span_of(text), numbers = rest;
    int parts = eat_numbers(&rest);

    numbers.size -= rest.size;
    if (parts == 2 && (span_is(rest, "-dev") || (prereleases && rest.size == 0)))
        w.range = ost_fmt(step, "~%.*s.0-0", (int)numbers.size, numbers.at);
    else
        w.range = with_semantic_prereleases(step, text);
    if (!*version || !semver_is_range(span_of(w.range)))
        return false;
    *ret = w;
    return true;
}

/* ---- files ---- */

struct manifest {
    bool has_project, has_requires;
    const char *project, *poetry, *pipfile, *pipfile_full; /* NULL: not there */
};

static void note_key(void *ctx, const char *path, const char *value)
{
    struct manifest *m = ctx;

    m->has_project |= strcmp(path, "project") == 0 || strncmp(path, "project.", 8) == 0;
    m->has_requires |= strcmp(path, "requires") == 0 || strncmp(path, "requires.", 9) == 0;
    if (strcmp(path, "project.requires-python") == 0)
        m->project = value;
    if (strcmp(path, "tool.poetry.dependencies.python") == 0)
        m->poetry = value;
    if (strcmp(path, "requires.python_version") == 0)
        m->pipfile = value;
    if (strcmp(path, "requires.python_full_version") == 0)
        m->pipfile_full = value;
}

/* ">=3.9,<3.12" as npm writes it: blanks for commas. */
static const char *without_commas(struct ost_step *step, const char *text)
{
    struct sink k = {.step = step};

    for (; *text; text++)
        sink_add(&k, *text == ',' ? SPAN(" ") : (struct span){text, 1});
    return sink_text(&k);
}

static ost_status read_manifest(struct ost_step *step, const char *name, struct span text,
                                struct manifest *ret)
{
    uint32_t line;

    *ret = (struct manifest){0};
    if (toml_read(step, text, note_key, ret, &line))
        return OST_OK;
    return ost_fail(step, OST_E_INVALID, "'%s' is no TOML: see its line %u", name, line);
}

/* A project's own range is meant for pip, which knows more than a range of versions can say, "!=" first of
 * all. The action passes over what it cannot read, too. */
static ost_status add_project(struct ost_step *step, const char *name, struct span text,
                              struct strings *to)
{
    struct manifest m;
    struct wanted w;
    const char *range;
    ost_status r = read_manifest(step, name, text, &m);

    if (r < 0)
        return r;
    range = m.has_project ? m.project : m.poetry;
    if (!range)
        return OST_OK;
    range = without_commas(step, range);
    if (wanted_parse(step, range, false, &w))
        strings_add(step, to, range);
    else
        ost_log(step, OST_WARNING,
                "'%s' in %s is no range of versions that is understood here: give python-version",
                range, name);
    return OST_OK;
}

static ost_status add_pipfile(struct ost_step *step, const char *name, struct span text,
                              struct strings *to)
{
    struct manifest m;
    ost_status r = read_manifest(step, name, text, &m);

    if (r == OST_OK && (m.pipfile_full || m.pipfile))
        strings_add(step, to, m.pipfile_full ? m.pipfile_full : m.pipfile);
    return r;
}

/* "python 3.12.1" of .tool-versions: the first such line counts, and has one version. */
static void add_tool_version(struct ost_step *step, struct span text, struct strings *to)
{
    struct span line;

    while (to->n == 0 && span_line(&text, &line)) {
        line = span_trim(line);
        if (!span_eat(&line, "python"))
            continue;
        line = span_trim(line);
        if (span_eat(&line, "v"))
            line = span_trim(line);
        if (line.size > 0 && span_find(line, " ") == SIZE_MAX && span_find(line, "\t") == SIZE_MAX)
            strings_add(step, to, span_dup(step, line));
    }
}

/* One version a line; what stands behind a slash is an environment of pyenv-virtualenv. */
static void add_lines(struct ost_step *step, struct span text, struct strings *to)
{
    struct span line, before;

    while (span_line(&text, &line)) {
        line = span_trim(line);
        if (span_eat_until(&line, '/', &before))
            line = before;
        if (line.size > 0 && line.at[0] != '#')
            strings_add(step, to, span_dup(step, line));
    }
}

ost_status wanted_in_file(struct ost_step *step, const char *name, struct span text,
                          struct strings *to)
{
    if (span_ends(span_of(name), ".toml"))
        return add_project(step, name, text, to);
    if (strstr(name, ".tool-versions"))
        add_tool_version(step, text, to);
    else if (strstr(name, "Pipfile"))
        return add_pipfile(step, name, text, to);
    else
        add_lines(step, text, to);
    return OST_OK;
}

static ost_status read_file(struct ost_step *step, const char *file, struct strings *to)
{
    const char *workspace = step->host->dir(step, OST_DIR_WORKSPACE);
    const char *path = rel_clean(step, rel_join(step, workspace, file));
    struct sink k = {.step = step};
    size_t size = 0;
    char *text = file_read(step, path, VERSION_FILE_MAX, &size);
    ost_status r;

    if (!text)
        return ost_fail(step, OST_E_NOT_FOUND,
                        "The specified python version file at: %s doesn't exist%s", file,
                        file_exists(path) ? ", or is no file that can be read" : "");
    r = wanted_in_file(step, file, (struct span){text, size}, to);
    if (r < 0)
        return r;
    for (size_t i = 0; i < to->n; i++)
        sink_addf(&k, "%s%s", i ? ", " : "", to->list[i]);
    if (to->n > 0)
        ost_log(step, OST_INFO, "Resolved %s as %s", file, sink_text(&k));
    else
        ost_log(step, OST_WARNING, "No Python version found in %s", file);
    return OST_OK;
}

static ost_status read_default_file(struct ost_step *step, struct strings *to)
{
    const char *workspace = step->host->dir(step, OST_DIR_WORKSPACE);

    ost_log(step, OST_INFO,
            "Neither 'python-version' nor 'python-version-file' inputs were supplied. Attempting "
            "to find '.python-version' file.");
    if (file_exists(rel_join(step, workspace, ".python-version")))
        return read_file(step, ".python-version", to);
    ost_log(step, OST_INFO, ".python-version doesn't exist.");
    return OST_OK;
}

/* ---- inputs ---- */

static ost_status add_wanted(struct ost_step *step, const char *version, struct wanteds *to)
{
    struct span s = span_of(version);
    struct wanted w;

    if (span_starts(s, "pypy") || span_starts(s, "graalpy"))
        return ost_fail(step, OST_E_UNSUPPORTED,
                        "'%s' is not served by this plugin, which knows CPython only: ask for a "
                        "version like '3.12' in 'python-version', or let the action itself "
                        "download it (--plugins actions/setup-python=never)",
                        version);
    if (!wanted_parse(step, version, ost_input_bool(step, "allow-prereleases"), &w))
        return ost_fail(step, OST_E_INVALID,
                        "'%s' is no version of Python: write one like '3.12', '3.x', "
                        "'>=3.9 <3.13', '3.13-dev' or '3.13t'",
                        version);
    if (to->n == VERSIONS_MAX)
        return ost_fail(step, OST_E_LIMIT, "more than %d versions of Python in one step",
                        VERSIONS_MAX);
    to->list[to->n++] = w;
    return OST_OK;
}

ost_status wanted_read(struct ost_step *step, struct wanteds *ret)
{
    struct span rest = span_of(step->host->input(step, "python-version")), line;
    const char *file = step->host->input(step, "python-version-file");
    struct strings versions = {0};
    ost_status r = OST_OK;

    ret->n = 0;
    while (span_line(&rest, &line))
        if (span_trim(line).size > 0)
            strings_add(step, &versions, span_dup(step, span_trim(line)));
    if (versions.n > 0 && *file)
        ost_log(step, OST_WARNING,
                "Both python-version and python-version-file inputs are specified, only "
                "python-version will be used.");
    if (versions.n == 0)
        r = *file ? read_file(step, file, &versions) : read_default_file(step, &versions);
    for (size_t i = 0; r == OST_OK && i < versions.n; i++)
        r = add_wanted(step, versions.list[i], ret);
    return r;
}
