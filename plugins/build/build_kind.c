#include "build_kind.h"

#include "../lib/json.h"

#include <string.h>

enum { MANIFEST_SIZE_MAX = 4 << 20 };

static bool has_file(struct ost_step *step, const char *at, const char *name)
{
    return file_exists(rel_join(step, at, name));
}

static const struct json *read_json(struct ost_step *step, const char *path)
{
    const char *why;
    size_t size;
    char *text = file_read(step, path, MANIFEST_SIZE_MAX, &size);

    return text ? json_read(step, text, size, false, &why) : NULL;
}

/* ---- how each is known ---- */

static bool is_docker(struct ost_step *step, const char *at)
{
    return has_file(step, at, "Dockerfile") || has_file(step, at, "Containerfile");
}

/* A package that only has dependencies, or tests, has nothing to build. */
static bool is_npm(struct ost_step *step, const char *at)
{
    const struct json *package = read_json(step, rel_join(step, at, "package.json"));
    const char *script = step->host->input(step, "script");

    return *json_text(json_get(package, "scripts"), script) != '\0';
}

static bool is_cmake(struct ost_step *step, const char *at)
{
    return has_file(step, at, "CMakeLists.txt");
}

/* Many a pyproject.toml only configures linters. */
static bool is_python(struct ost_step *step, const char *at)
{
    size_t size;
    char *text = file_read(step, rel_join(step, at, "pyproject.toml"), MANIFEST_SIZE_MAX, &size);
    struct span rest = {text, text ? size : 0}, line;

    if (has_file(step, at, "setup.py"))
        return true;
    while (span_line(&rest, &line)) {
        line = span_trim(line);
        if (span_starts(line, "[build-system]") || span_starts(line, "[project]"))
            return true;
    }
    return false;
}

static bool is_go(struct ost_step *step, const char *at)
{
    return has_file(step, at, "go.mod");
}

/* ---- their commands ---- */

static const char *input(const struct recipe *r, const char *name)
{
    return r->step->host->input(r->step, name);
}

/* Appends the command of WORDS, with MORE, which may be NULL, behind it. */
static void add(struct recipe *r, const char *const *words, const char *const *more)
{
    struct strings argv = {0};

    for (; *words; words++)
        strings_add(r->step, &argv, *words);
    for (; more && *more; more++)
        strings_add(r->step, &argv, *more);
    r->commands[r->n_commands++] = strings_list(&argv);
}

static ost_status make_npm(struct recipe *r)
{
    bool locked = has_file(r->step, r->at, "package-lock.json") ||
                  has_file(r->step, r->at, "npm-shrinkwrap.json");
    struct strings more = {0};

    if (!locked)
        ost_log(
            r->step, OST_WARNING,
            "there is no package-lock.json in '%s': npm installs whatever is newest, and no two "
            "builds need be the same; commit the one that 'npm install' writes",
            *r->folder ? r->folder : ".");
    add(r, OST_ARGV("npm", locked ? "ci" : "install", "--no-audit", "--no-fund"), NULL);
    for (size_t i = 0; r->args[i]; i++) {
        if (i == 0)
            strings_add(r->step, &more, "--");
        strings_add(r->step, &more, r->args[i]);
    }
    add(r, OST_ARGV("npm", "run", input(r, "script")), strings_list(&more));
    return OST_OK;
}

static ost_status make_cmake(struct recipe *r)
{
    const char *preset = input(r, "preset"), *target = input(r, "target");
    const char *dir = input(r, "build-dir"), *type = input(r, "build-type");
    const char *prefix = input(r, "install-prefix");
    const char *const *more = *target ? OST_ARGV("--target", target) : NULL;

    if (*preset) {
        add(r, OST_ARGV("cmake", "--preset", preset), r->args);
        add(r, OST_ARGV("cmake", "--build", "--preset", preset, "--parallel"), more);
    } else {
        add(r,
            OST_ARGV("cmake", "-S", ".", "-B", dir,
                     ost_fmt(r->step, "-DCMAKE_BUILD_TYPE=%s", type)),
            r->args);
        add(r, OST_ARGV("cmake", "--build", dir, "--config", type, "--parallel"), more);
    }
    if (*prefix)
        add(r,
            OST_ARGV("cmake", "--install", dir, "--config", type, "--prefix",
                     rel_join(r->step, r->workspace, prefix)),
            NULL);
    return OST_OK;
}

static ost_status make_python(struct recipe *r)
{
    add(r, OST_ARGV("python3", "-m", "pip", "wheel", "--no-deps", "--wheel-dir", "dist", "."),
        r->args);
    return OST_OK;
}

static ost_status make_go(struct recipe *r)
{
    struct strings words = {0};

    strings_add(r->step, &words, "./...");
    add(r, OST_ARGV("go", "build", "-trimpath", "-o", "bin/"),
        r->args[0] ? r->args : strings_list(&words));
    return OST_OK;
}

static ost_status make_command(struct recipe *r)
{
    const char *command = input(r, "command");

    if (!*command)
        return ost_fail(r->step, OST_E_INVALID,
                        "'kind: command' needs the 'command' that builds: command: make dist");
    add(r, OST_ARGV("sh", "-e", "-c", command, "build"), r->args);
    return OST_OK;
}

/* ---- the table ---- */

#define TOOL(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct row {
    const char *name, *sign; /* SIGN: what it is found by, for people */
    bool (*is)(struct ost_step *step, const char *at);
    ost_status (*make)(struct recipe *r);
    const char *artifacts;
    const char *const *tools[3];
    const char *variables[8];
} rows[KINDS] = {
    [KIND_DOCKER] = {"docker", "a Dockerfile or Containerfile", is_docker, NULL, NULL, {0}, {0}},
    [KIND_NPM] = {"npm",
                  "a package.json with that script",
                  is_npm,
                  make_npm,
                  NULL,
                  {TOOL("node", "--version"), TOOL("npm", "--version")},
                  {"NODE_ENV", "NODE_OPTIONS"}},
    [KIND_CMAKE] = {"cmake",
                    "a CMakeLists.txt",
                    is_cmake,
                    make_cmake,
                    NULL,
                    {TOOL("cmake", "--version"), TOOL("c++", "--version")},
                    {"CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "CMAKE_GENERATOR"}},
    [KIND_PYTHON] = {"python",
                     "a setup.py, or a pyproject.toml with [build-system] or [project]",
                     is_python,
                     make_python,
                     "dist/*.whl",
                     {TOOL("python3", "--version"), TOOL("python3", "-m", "pip", "--version")},
                     {"SOURCE_DATE_EPOCH", "CFLAGS"}},
    [KIND_GO] = {"go",
                 "a go.mod",
                 is_go,
                 make_go,
                 "bin/**",
                 {TOOL("go", "version")},
                 {"GOOS", "GOARCH", "GOFLAGS", "CGO_ENABLED", "CC", "GOEXPERIMENT"}},
    [KIND_COMMAND] = {"command", "a 'command'", NULL, make_command, NULL, {0}, {0}},
};

enum kind kind_of_name(const char *name)
{
    for (int i = 0; i < KINDS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return (enum kind)i;
    return KIND_UNKNOWN;
}

const char *kind_name(enum kind kind)
{
    return rows[kind].name;
}

const char *kind_artifacts(enum kind kind)
{
    return rows[kind].artifacts;
}

const char *const *const *kind_tools(enum kind kind)
{
    return rows[kind].tools;
}

const char *const *kind_variables(enum kind kind)
{
    return rows[kind].variables;
}

/* Of two things it could be, a guess would be wrong half the time, and nobody would see it. */
ost_status kind_find(struct ost_step *step, const char *at, const char *folder, enum kind *ret)
{
    enum kind found = KIND_UNKNOWN;

    if (*step->host->input(step, "command")) {
        *ret = KIND_COMMAND;
        return OST_OK;
    }
    for (int i = 0; i < KINDS; i++) {
        if (!rows[i].is || !rows[i].is(step, at))
            continue;
        if (found != KIND_UNKNOWN)
            return ost_fail(step, OST_E_INVALID,
                            "'%s' has %s and %s: say with 'kind' which of them is to be built, %s "
                            "or %s",
                            *folder ? folder : ".", rows[found].sign, rows[i].sign,
                            rows[found].name, rows[i].name);
        found = (enum kind)i;
    }
    if (found == KIND_UNKNOWN)
        return ost_fail(step, OST_E_NOT_FOUND,
                        "there is nothing in '%s' that says how to build it (a Dockerfile, "
                        "package.json with a '%s' script, CMakeLists.txt, pyproject.toml, setup.py "
                        "or go.mod): name its folder in 'path', or give a 'command'",
                        *folder ? folder : ".", step->host->input(step, "script"));
    *ret = found;
    return OST_OK;
}

ost_status recipe_make(struct recipe *r)
{
    return rows[r->kind].make(r);
}
