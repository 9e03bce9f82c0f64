#include "cli/check/cmd_check.h"

#include "cli/check/files.h"
#include "cli/exit.h"
#include "cli/settings.h"
#include "cli/wrong_option.h"

#include <stdio.h>
#include <unistd.h>

const char cmd_check_help[] =
    "Usage: ostler check [options] [FILE|FOLDER...]\n"
    "\n"
    "Says what is wrong with workflows and manifests of actions (action.yml). Without\n"
    "FILE: those of the repository around this folder.\n"
    "\n"
    "  --ignore RULE   leave a rule out; may be repeated, or a list with commas\n"
    "  --strict        warnings count as findings too\n"
    "  --fix           mend what is safe: misspelt keys that can only mean one other,\n"
    "                  versions of actions whose commit is known here\n"
    "  --json          findings as one JSON document\n"
    "  --sarif         findings as SARIF 2.1.0, for code scanning\n"
    "  --rules         list the rules\n"
    "  --help          this text\n"
    "\n"
    "Exit codes: 0 nothing found (warnings are allowed), 1 findings, 2 wrong usage or\n"
    "no such file.\n";

enum option_id { OPT_IGNORE = 256, OPT_STRICT, OPT_FIX, OPT_JSON, OPT_SARIF, OPT_RULES };

struct options {
    unsigned ignore;
    bool strict, fix, json, sarif, rules, help;
    char **files;
    int n_files;
};

static int add_ignored(struct options *o, const char *list, struct err *err)
{
    struct slice rest = slice_of(list), name;

    while (slice_split(&rest, ',', &name)) {
        enum check_rule rule = check_rule_find(slice_trim(name));

        if (rule == CHECK_RULES)
            return err_set(err, ERR_INVALID,
                           "--ignore: there is no rule '%.*s' to leave out: see 'ostler check "
                           "--rules'",
                           SLICE_ARG(name));
        o->ignore |= 1u << rule;
    }
    return ERR_OK;
}

static int take_option(struct options *o, int c, char **argv, struct err *err)
{
    switch (c) {
    case OPT_IGNORE:
        return add_ignored(o, optarg, err);
    case OPT_STRICT:
        o->strict = true;
        return ERR_OK;
    case OPT_FIX:
        o->fix = true;
        return ERR_OK;
    case OPT_JSON:
        o->json = true;
        return ERR_OK;
    case OPT_SARIF:
        o->sarif = true;
        return ERR_OK;
    case OPT_RULES:
        o->rules = true;
        return ERR_OK;
    case 'h':
        o->help = true;
        return ERR_OK;
    default:
        return wrong_option(c, argv, "check", cmd_check_options, err);
    }
}

const struct option cmd_check_options[] = {
    {"ignore", required_argument, NULL, OPT_IGNORE},
    {"strict", no_argument, NULL, OPT_STRICT},
    {"fix", no_argument, NULL, OPT_FIX},
    {"json", no_argument, NULL, OPT_JSON},
    {"sarif", no_argument, NULL, OPT_SARIF},
    {"rules", no_argument, NULL, OPT_RULES},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static int parse_options(int argc, char **argv, struct options *ret, struct err *err)
{
    struct options o = {0};
    int c, r;

    opterr = 0;
    optind = 1;
    while ((c = getopt_long(argc, argv, ":h", cmd_check_options, NULL)) >= 0)
        if ((r = take_option(&o, c, argv, err)) < 0)
            return r;
    if (o.json && o.sarif)
        return err_set(err, ERR_INVALID,
                       "--json and --sarif are two forms of the same: choose one");
    o.files = argv + optind;
    o.n_files = argc - optind;
    *ret = o;
    return ERR_OK;
}

static int print_rules(void)
{
    for (int i = 1; i < CHECK_RULES; i++)
        printf("%-20s %s\n", check_rules[i].name, check_rules[i].reason);
    return EXIT_OK;
}

static int gather(struct check_run *r, const struct options *o, struct err *err)
{
    int result = o->n_files ? ERR_OK : check_find(r, err);

    for (int i = 0; i < o->n_files && result == ERR_OK; i++)
        result = check_add(r, o->files[i], err);
    return result;
}

static int look(struct check_run *r, struct err *err)
{
    const char *tmp = settings_env("TMPDIR"), *search = settings_env("PATH");
    struct err shell = ERR_INIT;
    int result = check_all(r, err);

    if (result < 0)
        return result;
    /* a linter that is not there or that fails is no reason to say nothing at all */
    result = check_shell(r, search ? search : "/usr/bin:/bin", tmp && *tmp ? tmp : "/tmp", &shell);
    if (result < 0 && result != ERR_NOT_FOUND)
        fprintf(stderr, "ostler check: warning: %s; scripts were not looked at\n", shell.text);
    check_count(r);
    return ERR_OK;
}

/* What is in a misspelt key is read once the key is right, so mending goes on until nothing is left to
 * mend: a second call has nothing to do. */
static int mend(struct check_run *r, struct err *err)
{
    enum { ROUNDS_MAX = 64 }; /* deeper than any document can be */
    size_t n = 1;
    int result = ERR_OK;

    for (int i = 0; i < ROUNDS_MAX && n && result == ERR_OK; i++) {
        result = check_fix(r, &n, err);
        if (result == ERR_OK && n)
            result = look(r, err);
    }
    return result;
}

static int show(const struct check_run *r, const struct options *o, struct err *err)
{
    struct report_env env;
    struct report_screen screen;

    if (o->json)
        return check_print_json(r, err);
    if (o->sarif)
        return check_print_sarif(r, OSTLER_VERSION, err);
    settings_report_env(&env);
    report_screen_init(&screen, STDOUT_FILENO, &env);
    check_print_text(r, &screen);
    return fflush(stdout) == 0 ? ERR_OK : err_sys(err, "cannot write the findings");
}

int cmd_check(int argc, char **argv)
{
    CLEANUP(check_run_deinit) struct check_run run = {.arena = ARENA_INIT};
    struct err err = ERR_INIT;
    struct options o;
    int r = parse_options(argc, argv, &o, &err);

    if (r == ERR_OK && o.help) {
        fputs(cmd_check_help, stdout);
        return EXIT_OK;
    }
    if (r == ERR_OK && o.rules)
        return print_rules();
    if (r == ERR_OK) {
        run.ignore = o.ignore;
        r = gather(&run, &o, &err);
    }
    if (r == ERR_OK)
        r = look(&run, &err);
    if (r == ERR_OK && o.fix)
        r = mend(&run, &err);
    if (r == ERR_OK)
        r = show(&run, &o, &err);
    if (r < 0) {
        fprintf(stderr, "ostler check: %s\n", err.text);
        return EXIT_USAGE;
    }
    return run.n_errors || (o.strict && run.n_warnings) ? EXIT_RUN_FAILED : EXIT_OK;
}
