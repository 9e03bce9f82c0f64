#include "lint_help.h"

#include <criterion/criterion.h>

#include <ostler/test.h>

extern const struct ost_plugin ostler_plugin_v1;

Test(lint_help, knows_where_rules_are_explained)
{
    struct ost_test *host = ost_test_new(&ostler_plugin_v1);
    struct ost_step *step = ost_test_step(host);
    static const struct {
        help_fn *help;
        const char *rule, *url;
    } rows[] = {
        {help_eslint, "eqeqeq", "https://eslint.org/docs/latest/rules/eqeqeq"},
        {help_eslint, "@typescript-eslint/no-explicit-any",
         "https://typescript-eslint.io/rules/no-explicit-any"},
        {help_eslint, "@acme/own", ""},
        {help_eslint, "", ""},
        {help_flake8, "E251", "https://www.flake8rules.com/rules/E251.html"},
        {help_flake8, "SIM101", ""},
        {help_hadolint, "SC2086", "https://www.shellcheck.net/wiki/SC2086"},
        {help_hadolint, "DL3006", "https://github.com/hadolint/hadolint/wiki/DL3006"},
        {help_yamllint, "key-duplicates",
         "https://yamllint.readthedocs.io/en/stable/"
         "rules.html#module-yamllint.rules.key_duplicates"},
        {help_clang_tidy, "bugprone-argument-comment",
         "https://clang.llvm.org/extra/clang-tidy/checks/bugprone/argument-comment.html"},
        {help_clang_tidy, "clang-analyzer-core.NullDereference",
         "https://clang.llvm.org/extra/clang-tidy/checks/clang-analyzer/core.NullDereference.html"},
        {help_clang_tidy, "clang-diagnostic-error", ""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect_str_eq(rows[i].help(step, rows[i].rule), rows[i].url, "%s: %s", rows[i].rule,
                         rows[i].help(step, rows[i].rule));
    ost_test_free(host);
}
