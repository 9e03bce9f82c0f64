#include "lint_help.h"

#include <string.h>

/* ESLint's plugins by the prefix of their rules; %s is the rest of the rule. */
static const struct {
    const char *prefix, *before, *after;
} eslint_plugins[] = {
    {"@typescript-eslint/", "https://typescript-eslint.io/rules/", ""},
    {"react-hooks/", "https://react.dev/reference/eslint-plugin-react-hooks/lints/", ""},
    {"react/", "https://github.com/jsx-eslint/eslint-plugin-react/blob/master/docs/rules/", ".md"},
    {"import/", "https://github.com/import-js/eslint-plugin-import/blob/main/docs/rules/", ".md"},
    {"jsx-a11y/", "https://github.com/jsx-eslint/eslint-plugin-jsx-a11y/blob/main/docs/rules/",
     ".md"},
    {"unicorn/", "https://github.com/sindresorhus/eslint-plugin-unicorn/blob/main/docs/rules/",
     ".md"},
    {"vue/", "https://eslint.vuejs.org/rules/", ".html"},
};

const char *help_eslint(struct ost_step *step, const char *rule)
{
    for (size_t i = 0; i < sizeof eslint_plugins / sizeof eslint_plugins[0]; i++) {
        size_t n = strlen(eslint_plugins[i].prefix);

        if (strncmp(rule, eslint_plugins[i].prefix, n) == 0)
            return ost_fmt(step, "%s%s%s", eslint_plugins[i].before, rule + n,
                           eslint_plugins[i].after);
    }
    if (!*rule || strchr(rule, '/'))
        return "";
    return ost_fmt(step, "https://eslint.org/docs/latest/rules/%s", rule);
}

/* E, W, F and C are its own; other letters are plugins, each with its own documentation. */
const char *help_flake8(struct ost_step *step, const char *rule)
{
    if (!*rule || !strchr("EWFC", rule[0]) || rule[1] < '0' || rule[1] > '9')
        return "";
    return ost_fmt(step, "https://www.flake8rules.com/rules/%s.html", rule);
}

const char *help_mypy(struct ost_step *step, const char *rule)
{
    return *rule ? ost_fmt(step, "https://mypy.readthedocs.io/en/stable/_refs.html#code-%s", rule)
                 : "";
}

const char *help_shellcheck(struct ost_step *step, const char *rule)
{
    return ost_fmt(step, "https://www.shellcheck.net/wiki/%s", rule);
}

const char *help_hadolint(struct ost_step *step, const char *rule)
{
    if (strncmp(rule, "SC", 2) == 0)
        return help_shellcheck(step, rule);
    return *rule ? ost_fmt(step, "https://github.com/hadolint/hadolint/wiki/%s", rule) : "";
}

const char *help_yamllint(struct ost_step *step, const char *rule)
{
    static const char page[] =
        "https://yamllint.readthedocs.io/en/stable/rules.html#module-yamllint.rules.";
    char *url;

    if (!*rule || strcmp(rule, "syntax") == 0)
        return "";
    url = step->host->alloc(step, sizeof page + strlen(rule));
    memcpy(url, page, sizeof page - 1);
    url += sizeof page - 1;
    for (size_t i = 0; i <= strlen(rule); i++) /* a rule is a Python module there */
        url[i] = rule[i] == '-' ? '_' : rule[i];
    return url - (sizeof page - 1);
}

/* "bugprone-argument-comment" is a page of its module's folder; the compiler's diagnostics have none. */
const char *help_clang_tidy(struct ost_step *step, const char *rule)
{
    static const char *const modules[] = {
        "abseil",         "altera",      "android",
        "boost",          "bugprone",    "cert",
        "clang-analyzer", "concurrency", "cppcoreguidelines",
        "darwin",         "fuchsia",     "google",
        "hicpp",          "linuxkernel", "llvm",
        "misc",           "modernize",   "mpi",
        "objc",           "openmp",      "performance",
        "portability",    "readability", "zircon",
    };

    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++) {
        size_t n = strlen(modules[i]);

        if (strncmp(rule, modules[i], n) == 0 && rule[n] == '-')
            return ost_fmt(step, "https://clang.llvm.org/extra/clang-tidy/checks/%s/%s.html",
                           modules[i], rule + n + 1);
    }
    return "";
}
