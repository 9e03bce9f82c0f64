#include "cli/plugin/cmd_plugin.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "cli/exit.h"
#include "cli/plugin/cmds.h"
#include "cli/plugin_policy.h"
#include "cli/settings.h"
#include "cli/wrong_option.h"
#include "plugin/install.h"
#include "plugin/policy.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>

const char cmd_plugin_help[] =
    "Usage: ostler plugin list [--json]\n"
    "       ostler plugin info ID|FILE [--format text|yaml|json]\n"
    "       ostler plugin new OWNER/NAME [--lang c|cpp|rust] [--dir DIR]\n"
    "       ostler plugin check FILE [--against A] [--with NAME=VALUE]... [--json]\n"
    "       ostler plugin install FILE [--to DIR] [--serves COMMIT]... [--no-check]\n"
    "       ostler plugin remove ID[@VERSION] [--from DIR] [--all]\n"
    "       ostler plugin run ID|FILE [--with NAME=VALUE]... [options]\n"
    "       ostler plugin sign FILE --key KEY.pem [--serves COMMIT]...\n"
    "\n"
    "ID is 'owner/name', or 'owner/name@v1'; FILE is a shared object, or a\n"
    "program whose action.yml, beside it, says 'using: ostler/1' and a 'protocol'.\n"
    "\n"
    "  --format text|yaml|json  how info shows the contract (default: text)\n"
    "  --json            the list, or what check found, as JSON\n"
    "  --lang c|cpp|rust  language of the new plugin (default: c)\n"
    "  --dir DIR         folder of the new plugin (default: NAME)\n"
    "  --against A       the action that it replaces: owner/name@v1, or its\n"
    "                    action.yml, the folder of that, or its address: all that it\n"
    "                    has must be there\n"
    "  --to DIR          folder to install into (default: the user's plugin folder)\n"
    "  --serves COMMIT   the plugin also serves this commit of the action it replaces\n"
    "  --key FILE        the private key to sign with, PEM (Ed25519)\n"
    "  --no-check        install what 'plugin check' finds fault with, too\n"
    "  --from DIR        folder to remove from (default: where it is found first)\n"
    "  --all             remove every version\n"
    "\n"
    "  --config FILE     what to read of plugins instead of the usual configurations\n"
    "  --plugin-policy FILE  which plugins may run, besides what configurations say\n"
    "\n"
    "  --with N=V        an input; '--with N=@FILE' takes its value from a file\n"
    "  --env N=V         a variable of the job\n"
    "  --phase pre|main|post  (default: each that the plugin has)\n"
    "  --plan            show what it would do, without doing it\n"
    "  --workspace DIR   a folder to show as the workspace; it stays as it is\n"
    "  --record DIR      write what it asked and was answered to DIR, for tests\n"
    "  --timeout SECONDS cancel it then (default: no limit; check: 10 a phase)\n"
    "  --debug           show its debug lines too\n"
    "  --help            this text\n"
    "\n"
    "run prints the log to stderr and outputs to stdout. Exit codes: 0 done, 1 a\n"
    "phase or a check failed, 2 wrong usage or no such plugin, 3 cancelled, 4 this\n"
    "machine lacks something.\n";

static void options_deinit(struct plugin_options *o)
{
    strmap_deinit(&o->run.with);
    strmap_deinit(&o->run.env);
    config_deinit(&o->config);
}

int plugin_fail(const struct err *err)
{
    fprintf(stderr, "ostler plugin: %s\n", err->text);
    return EXIT_USAGE;
}

/* ---- options ---- */

enum { VALUE_FILE_MAX = PLUGIN_VALUE_MAX };

/* "NAME=VALUE", or with FILES "NAME=@FILE". */
static int set_pair(struct strmap *map, const char *text, bool files, struct err *err)
{
    CLEANUP(buf_deinit) struct buf content = BUF_INIT(VALUE_FILE_MAX);
    struct slice all = slice_of(text);
    ssize_t at = slice_find_char(all, '=');

    if (at <= 0)
        return err_set(err, ERR_INVALID, "'%.80s' is not of the form NAME=VALUE", text);
    struct slice value = slice_from(all, (size_t)at + 1);
    if (files && slice_starts(value, SLICE("@"))) {
        int r = path_read_named(value.ptr + 1, &content, err);

        if (r < 0)
            return r;
        value = buf_slice(&content);
    }
    strmap_set(map, slice_head(all, (size_t)at), value);
    return ERR_OK;
}

static int set_phase(struct plugin_options *o, const char *name, struct err *err)
{
    for (int phase = OST_PHASE_PRE; phase <= OST_PHASE_POST; phase++) {
        if (strcmp(name, plugin_phase_name(phase)) == 0) {
            o->run.phases[phase] = true;
            return ERR_OK;
        }
    }
    return err_set(err, ERR_INVALID, "'%.40s' is no phase: it is pre, main or post", name);
}

static int set_timeout(struct plugin_options *o, const char *text, struct err *err)
{
    int64_t seconds;
    int r = num_parse_i64(slice_of(text), 1, 1000000, &seconds, err);

    if (r < 0)
        return err_in(err, "--timeout");
    o->run.timeout_ms = seconds * 1000;
    return ERR_OK;
}

static int set_option(struct arena *a, struct plugin_options *o, int c, struct err *err)
{
    size_t n = 0;

    switch (c) {
    case 'f':
        o->format = optarg;
        return ERR_OK;
    case 't':
        o->to = optarg;
        return ERR_OK;
    case 'F':
        o->to = optarg;
        return ERR_OK;
    case 'l':
        o->lang = optarg;
        return ERR_OK;
    case 'D':
        o->dir = optarg;
        return ERR_OK;
    case 'a':
        o->against = optarg;
        return ERR_OK;
    case 'k':
        o->key = optarg;
        return ERR_OK;
    case 'n':
        o->no_check = true;
        return ERR_OK;
    case 'A':
        o->all = true;
        return ERR_OK;
    case 's':
        while (o->serves && o->serves[n])
            n++;
        const char **more = arena_array(a, n + 2, sizeof *more);
        for (size_t i = 0; i < n; i++)
            more[i] = o->serves[i];
        more[n] = optarg;
        o->serves = more;
        return ERR_OK;
    case 'C':
        o->config_file = optarg;
        return ERR_OK;
    case 'Y':
        o->policy_file = optarg;
        return ERR_OK;
    case 'w':
        return set_pair(&o->run.with, optarg, true, err);
    case 'e':
        return set_pair(&o->run.env, optarg, false, err);
    case 'p':
        return set_phase(o, optarg, err);
    case 'W':
        o->run.workspace = optarg;
        return ERR_OK;
    case 'R':
        o->run.record = optarg;
        return ERR_OK;
    case 'T':
        return set_timeout(o, optarg, err);
    case 'P':
        o->run.phases[OST_PHASE_PLAN] = true;
        return ERR_OK;
    case 'd':
        o->run.debug = true;
        return ERR_OK;
    case 'j':
        o->json = true;
        return ERR_OK;
    default:
        o->help = true;
        return ERR_OK;
    }
}

static int cmd_run_alone(struct arena *a, struct plugin_options *o);

/* Which options a subcommand takes, besides --help; what it is about, NULL: nothing. */
static const struct sub {
    const char *name, *takes, *target;
    int (*run)(struct arena *a, struct plugin_options *o);
} subs[] = {
    {"list", "jCY", NULL, plugin_cmd_list},
    {"info", "fCY", "a plugin", plugin_cmd_info},
    {"new", "lD", "a name of the form 'owner/name'", plugin_cmd_new},
    {"check", "ajwT", "a shared object", plugin_cmd_check},
    {"install", "tsnCY", "a shared object", plugin_cmd_install},
    {"remove", "FAC", "the id of a plugin", plugin_cmd_remove},
    {"run", "wepWRTPdCY", "a plugin", cmd_run_alone},
    {"sign", "ks", "a shared object", plugin_cmd_sign},
};

static const struct option known[] = {
    {"format", required_argument, NULL, 'f'},
    {"to", required_argument, NULL, 't'},
    {"from", required_argument, NULL, 'F'},
    {"lang", required_argument, NULL, 'l'},
    {"dir", required_argument, NULL, 'D'},
    {"against", required_argument, NULL, 'a'},
    {"no-check", no_argument, NULL, 'n'},
    {"all", no_argument, NULL, 'A'},
    {"serves", required_argument, NULL, 's'},
    {"key", required_argument, NULL, 'k'},
    {"config", required_argument, NULL, 'C'},
    {"plugin-policy", required_argument, NULL, 'Y'},
    {"with", required_argument, NULL, 'w'},
    {"env", required_argument, NULL, 'e'},
    {"phase", required_argument, NULL, 'p'},
    {"workspace", required_argument, NULL, 'W'},
    {"record", required_argument, NULL, 'R'},
    {"timeout", required_argument, NULL, 'T'},
    {"plan", no_argument, NULL, 'P'},
    {"debug", no_argument, NULL, 'd'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static int parse_options(struct arena *a, const struct sub *sub, int argc, char **argv,
                         struct plugin_options *o, struct err *err)
{
    int c, r;

    opterr = 0;
    optind = 1;
    while ((c = getopt_long(argc, argv, ":h", known, NULL)) >= 0) {
        if (c == ':' || c == '?')
            return wrong_option(c, argv, "plugin", cmd_plugin_options(sub->name), err);
        if (c != 'h' && !strchr(sub->takes, c))
            return err_set(err, ERR_INVALID, "'%s' does not know the option '%s'", sub->name,
                           argv[optind - 1]);
        if ((r = set_option(a, o, c, err)) < 0)
            return r;
    }
    if (o->help)
        return ERR_OK;
    if (sub->target && optind == argc)
        return err_set(err, ERR_INVALID, "'%s' needs %s", sub->name, sub->target);
    if (sub->target)
        o->target = argv[optind++];
    if (optind < argc)
        return err_set(err, ERR_INVALID, "'%s' does not know what to do with '%s'", sub->name,
                       argv[optind]);
    return ERR_OK;
}

/* ---- what the configuration says ---- */

static int read_policy(struct arena *a, struct plugin_options *o, struct err *err)
{
    int r = plugin_policy_load(a, o->config_file, o->policy_file, &o->config, err);

    return r < 0 ? r : policy_read(a, o->config.policies, &o->policy, err);
}

/* ---- the plugin that is meant ---- */

void plugin_found_deinit(struct plugin_found *f)
{
    f->plugin = plugin_free(f->plugin);
    fd_closep(&f->object);
}

/* An id looks like "owner/name" too, so what exists as a file, or ends like one, is a file. */
static bool is_file(const char *target)
{
    struct stat st;

    return slice_ends(slice_of(target), SLICE(".so")) ||
           (stat(target, &st) == 0 && S_ISREG(st.st_mode));
}

static int look(const char *file, struct plugin_found *ret, struct err *err)
{
    struct loop *loop;
    int r = loop_new(&loop, err);

    if (r < 0)
        return r;
    r = install_look(file, NULL, loop, &ret->plugin, &ret->object, err);
    loop_free(loop);
    return r;
}

int plugin_target(struct arena *a, const struct plugin_options *o, struct plugin_found *ret,
                  struct err *err)
{
    if (is_file(o->target))
        return look(o->target, ret, err);
    return plugin_find_id(settings_plugin_path(a, &o->config), o->target, &ret->plugin, err);
}

/* ---- run ---- */

static int cmd_run_alone(struct arena *a, struct plugin_options *o)
{
    CLEANUP(plugin_found_deinit) struct plugin_found f = PLUGIN_FOUND_INIT;
    bool any = false;
    struct err err = ERR_INIT;

    if (plugin_target(a, o, &f, &err) < 0 ||
        (f.object < 0 && trust_open(o->policy, f.plugin, &f.object, &err) < 0))
        return plugin_fail(&err);
    for (int phase = OST_PHASE_PLAN; phase <= OST_PHASE_POST; phase++)
        any = any || o->run.phases[phase];
    for (int phase = OST_PHASE_PRE; !any && phase <= OST_PHASE_POST; phase++)
        o->run.phases[phase] = plugin_has_phase(f.plugin, phase);
    json_t *hosts = trust_hosts(o->policy, f.plugin);
    o->run.hosts = hosts;
    int code = plugin_run_alone(f.plugin, f.object, &o->run);
    json_decref(hosts);
    return code;
}

/* ---- which ---- */

const char *cmd_plugin_sub(size_t i)
{
    return i < COUNT_OF(subs) ? subs[i].name : NULL;
}

const struct option *cmd_plugin_options(const char *sub)
{
    static struct option list[COUNT_OF(known)];
    size_t n = 0;

    for (size_t s = 0; s < COUNT_OF(subs); s++)
        for (const struct option *o = known; strcmp(subs[s].name, sub) == 0 && o->name; o++)
            if (o->val == 'h' || strchr(subs[s].takes, o->val))
                list[n++] = *o;
    list[n] = (struct option){0};
    return list;
}

static const struct sub *find_sub(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < COUNT_OF(subs); i++)
        if (strcmp(argv[1], subs[i].name) == 0)
            return &subs[i];
    return NULL;
}

int cmd_plugin(int argc, char **argv)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(options_deinit)
    struct plugin_options o = {.run = {.with = STRMAP_INIT_NOCASE, .env = STRMAP_INIT}};
    const struct sub *sub = find_sub(argc, argv);
    struct err err = ERR_INIT;

    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(cmd_plugin_help, stdout);
        return EXIT_OK;
    }
    if (!sub) {
        fprintf(stderr,
                "ostler plugin: say what to do: list, info, new, check, install, remove, run or "
                "sign%s%s\n",
                argc > 1 ? ", not " : "", argc > 1 ? argv[1] : "");
        return EXIT_USAGE;
    }
    if (parse_options(&a, sub, argc - 1, argv + 1, &o, &err) < 0)
        return plugin_fail(&err);
    if (o.help) {
        fputs(cmd_plugin_help, stdout);
        return EXIT_OK;
    }
    if (read_policy(&a, &o, &err) < 0)
        return plugin_fail(&err);
    return sub->run(&a, &o);
}
