#include "cli/cmd_plugin.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "cli/exit.h"
#include "cli/plugin_policy.h"
#include "cli/plugin_run.h"
#include "cli/plugin_sign.h"
#include "cli/settings.h"
#include "plugin/install.h"
#include "plugin/policy.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "Usage: ostler plugin list [--json]\n"
    "       ostler plugin info ID|FILE [--format text|yaml|json]\n"
    "       ostler plugin install FILE [--to DIR] [--serves COMMIT]...\n"
    "       ostler plugin run ID|FILE [--with NAME=VALUE]... [options]\n"
    "       ostler plugin sign FILE --key KEY.pem [--serves COMMIT]...\n"
    "\n"
    "ID is 'owner/name', or 'owner/name@v1'; FILE is a shared object.\n"
    "\n"
    "  --format F        how info shows the contract: text (default), yaml, json\n"
    "  --json            the list as JSON\n"
    "  --to DIR          folder to install into (default: the user's plugin folder)\n"
    "  --serves COMMIT   the plugin also serves this commit of the action it replaces\n"
    "\n"
    "  --config FILE     what to read of plugins instead of the usual configurations\n"
    "  --plugin-policy FILE  which plugins may run, besides what configurations say\n"
    "\n"
    "  --with N=V        an input; '--with N=@FILE' takes its value from a file\n"
    "  --env N=V         a variable of the job\n"
    "  --phase P         pre, main or post (default: each that the plugin has)\n"
    "  --plan            show what it would do, without doing it\n"
    "  --workspace DIR   a folder to show as the workspace; it stays as it is\n"
    "  --timeout SECONDS cancel it then (default: no limit)\n"
    "  --debug           show its debug lines too\n"
    "\n"
    "run prints the log to stderr and outputs to stdout. Exit codes: 0 done, 1 a phase\n"
    "failed, 2 wrong usage or no such plugin, 3 cancelled, 4 this machine lacks something.\n";

struct options {
    const char *target; /* ID or FILE; NULL: none */
    const char *format, *to;
    const char *config_file, *policy_file;
    struct config config;
    const struct trust_policy *policy; /* NULL: none */
    const char **serves;
    bool json, help, plan;
    struct plugin_run_options run;
};

static void options_deinit(struct options *o)
{
    strmap_deinit(&o->run.with);
    strmap_deinit(&o->run.env);
    config_deinit(&o->config);
}

static int fail(const struct err *err)
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
        int r = path_read(AT_FDCWD, value.ptr + 1, &content, err);

        if (r < 0)
            return r;
        value = buf_slice(&content);
    }
    strmap_set(map, slice_head(all, (size_t)at), value);
    return ERR_OK;
}

static int set_phase(struct options *o, const char *name, struct err *err)
{
    for (int phase = OST_PHASE_PRE; phase <= OST_PHASE_POST; phase++) {
        if (strcmp(name, plugin_phase_name(phase)) == 0) {
            o->run.phases[phase] = true;
            return ERR_OK;
        }
    }
    return err_set(err, ERR_INVALID, "'%.40s' is no phase: it is pre, main or post", name);
}

static int set_timeout(struct options *o, const char *text, struct err *err)
{
    int64_t seconds;
    int r = num_parse_i64(slice_of(text), 1, 1000000, &seconds, err);

    if (r < 0)
        return err_in(err, "--timeout");
    o->run.timeout_ms = seconds * 1000;
    return ERR_OK;
}

static int set_option(struct arena *a, struct options *o, int c, struct err *err)
{
    size_t n = 0;

    switch (c) {
    case 'f':
        o->format = optarg;
        return ERR_OK;
    case 't':
        o->to = optarg;
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
    case 'T':
        return set_timeout(o, optarg, err);
    case 'P':
        o->plan = o->run.phases[OST_PHASE_PLAN] = true;
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

/* Which options a subcommand takes, besides --help. */
static const struct sub {
    const char *name, *takes;
    bool target;
} subs[] = {
    {"list", "jCY", false},
    {"info", "fCY", true},
    {"install", "tsCY", true},
    {"run", "wepWTPdCY", true},
};

static int parse_options(struct arena *a, const struct sub *sub, int argc, char **argv,
                         struct options *o, struct err *err)
{
    static const struct option known[] = {{"format", required_argument, NULL, 'f'},
                                          {"to", required_argument, NULL, 't'},
                                          {"serves", required_argument, NULL, 's'},
                                          {"config", required_argument, NULL, 'C'},
                                          {"plugin-policy", required_argument, NULL, 'Y'},
                                          {"with", required_argument, NULL, 'w'},
                                          {"env", required_argument, NULL, 'e'},
                                          {"phase", required_argument, NULL, 'p'},
                                          {"workspace", required_argument, NULL, 'W'},
                                          {"timeout", required_argument, NULL, 'T'},
                                          {"plan", no_argument, NULL, 'P'},
                                          {"debug", no_argument, NULL, 'd'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int c, r;

    opterr = 0;
    optind = 1;
    while ((c = getopt_long(argc, argv, ":h", known, NULL)) >= 0) {
        if (c == ':')
            return err_set(err, ERR_INVALID, "option '%s' needs a value", argv[optind - 1]);
        if (c == '?' || (c != 'h' && !strchr(sub->takes, c)))
            return err_set(err, ERR_INVALID, "'%s' does not know the option '%s'", sub->name,
                           argv[optind - 1]);
        if ((r = set_option(a, o, c, err)) < 0)
            return r;
    }
    if (o->help)
        return ERR_OK;
    if (sub->target && optind == argc)
        return err_set(err, ERR_INVALID, "'%s' needs %s", sub->name,
                       strcmp(sub->name, "install") == 0 ? "a shared object" : "a plugin");
    if (sub->target)
        o->target = argv[optind++];
    if (optind < argc)
        return err_set(err, ERR_INVALID, "'%s' does not know what to do with '%s'", sub->name,
                       argv[optind]);
    return ERR_OK;
}

/* ---- what the configuration says ---- */

static int read_policy(struct arena *a, struct options *o, struct err *err)
{
    int r = plugin_policy_load(a, o->config_file, o->policy_file, &o->config, err);

    return r < 0 ? r : policy_read(a, o->config.policies, &o->policy, err);
}

/* ---- the plugin that is meant ---- */

struct found {
    struct plugin *plugin;
    int object; /* sealed; -1: not opened yet */
};

static void found_deinit(struct found *f)
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

static int look(const char *file, struct found *ret, struct err *err)
{
    struct loop *loop;
    int r = loop_new(&loop, err);

    if (r < 0)
        return r;
    r = install_look(file, NULL, loop, &ret->plugin, &ret->object, err);
    loop_free(loop);
    return r;
}

static int find(struct arena *a, const struct options *o, struct found *ret, struct err *err)
{
    if (is_file(o->target))
        return look(o->target, ret, err);
    return plugin_find_id(settings_plugin_path(a, &o->config), o->target, &ret->plugin, err);
}

/* ---- list ---- */

static void warn_bad(void *ctx, const struct err *err)
{
    (void)ctx;
    fprintf(stderr, "ostler plugin: left out: %s\n", err->text);
}

static void needs_text(const struct plugin *p, struct buf *to)
{
    if (p->needs & OST_NEED_NETWORK)
        buf_add_str(to, "network");
    if (p->needs & OST_NEED_WORKSPACE_WRITE)
        buf_printf(to, "%sworkspace-write", to->len ? "," : "");
    if (!to->len)
        buf_add_char(to, '-');
}

/* "allowed", or why not, looking at the files as a run would. */
static void verdict_of(const struct plugin *p, const struct trust_policy *policy, struct err *ret)
{
    CLEANUP(fd_closep) int object = -1;

    (void)err_set(ret, ERR_OK, "allowed");
    (void)!trust_open(policy, p, &object, ret); /* its text is the verdict */
}

static void list_json(const struct plugin_list *l, const struct trust_policy *policy)
{
    json_t *all = json_array();

    VEC_EACH (one, &l->list) {
        json_t *j = plugin_to_json(*one);
        CLEANUP(free_ptr) char *folder = path_join((*one)->root, (*one)->folder);
        struct err verdict;

        verdict_of(*one, policy, &verdict);
        json_object_set_new(j, "folder", json_string(folder));
        json_object_set_new(j, "allowed", json_boolean(verdict.code == ERR_OK));
        json_object_set_new(j, "verdict", json_string(verdict.text));
        json_array_append_new(all, j);
    }
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

static void list_text(const struct plugin_list *l, const struct trust_policy *policy)
{
    int wide = 6, version = 7, needs_width = 5;

    VEC_EACH (one, &l->list) {
        CLEANUP(buf_deinit) struct buf needs = BUF_INIT(64);

        needs_text(*one, &needs);
        if ((int)strlen((*one)->id) > wide)
            wide = (int)strlen((*one)->id);
        if ((int)strlen((*one)->version) > version)
            version = (int)strlen((*one)->version);
        if ((int)needs.len > needs_width)
            needs_width = (int)needs.len;
    }
    printf("%-*s  %-*s  %-*s  FOLDER\n", wide, "PLUGIN", version, "VERSION", needs_width, "NEEDS");
    VEC_EACH (one, &l->list) {
        CLEANUP(buf_deinit) struct buf needs = BUF_INIT(64);
        CLEANUP(free_ptr) char *folder = path_join((*one)->root, (*one)->folder);
        struct err verdict;

        needs_text(*one, &needs);
        verdict_of(*one, policy, &verdict);
        printf("%-*s  %-*s  %-*s  %s\n", wide, (*one)->id, version, (*one)->version, needs_width,
               needs.ptr, folder);
        if (verdict.code < 0)
            printf("%*s  may not run: %s\n", wide, "", verdict.text);
    }
}

static int do_list(struct arena *a, const struct options *o)
{
    const char *const *roots = settings_plugin_path(a, &o->config);
    struct plugin_list list = {0};

    plugin_list_load(roots, &list, warn_bad, NULL);
    if (o->json) {
        list_json(&list, o->policy);
    } else if (list.list.len) {
        list_text(&list, o->policy);
    } else {
        fprintf(stderr, "No plugins are installed. Searched:\n");
        for (; *roots; roots++)
            fprintf(stderr, "  %s\n", *roots);
    }
    plugin_list_deinit(&list);
    return EXIT_OK;
}

/* ---- info ---- */

static void print_inputs(const struct plugin *p)
{
    for (size_t i = 0; i < p->n_inputs; i++) {
        const struct plugin_input *in = &p->inputs[i];

        printf("%s%-20s %s%s%s", i ? "             " : "inputs       ", in->name,
               plugin_type_name(in->type), in->flags & OST_REQUIRED ? ", required" : "",
               in->flags & OST_SECRET ? ", secret" : "");
        for (const char *const *c = in->choices; c && *c; c++)
            printf("%s%s", c == in->choices ? ": " : " | ", *c);
        if (in->fallback)
            printf(", default '%s'", in->fallback);
        putchar('\n');
        if (in->description)
            printf("%34s%s\n", "", in->description);
        if (in->deprecation)
            printf("%34sdeprecated: %s\n", "", in->deprecation);
    }
}

static void print_phases(const struct plugin *p)
{
    printf("phases      ");
    for (int phase = OST_PHASE_PLAN; phase <= OST_PHASE_POST; phase++)
        if (plugin_has_phase(p, phase))
            printf(" %s", plugin_phase_name(phase));
    printf("%s\n", p->traits & OST_EFFECTS_VIA_HOST ? "; a plan from main itself" : "");
}

/* "v1, v1.4, v1.4.2": the references that a workflow may use. */
static void print_serves(const struct plugin *p)
{
    struct slice rest = slice_of(p->version), major, minor;

    (void)!slice_split(&rest, '.', &major); /* a checked version has both */
    (void)!slice_split(&rest, '.', &minor);
    printf("serves       ");
    if (!strchr(p->version, '-'))
        printf("%s@v%.*s, @v%.*s.%.*s, ", p->id, SLICE_ARG(major), SLICE_ARG(major),
               SLICE_ARG(minor));
    printf("@v%s\n", p->version);
    for (const char *const *c = p->serves; c && *c; c++)
        printf("             @%s\n", *c);
}

static void info_text(const struct plugin *p)
{
    CLEANUP(buf_deinit) struct buf needs = BUF_INIT(64);
    CLEANUP(free_ptr) char *object = plugin_object_path(p);

    needs_text(p, &needs);
    printf("%s %s%s%s\n", p->id, p->version, p->description ? ": " : "",
           p->description ? p->description : "");
    print_inputs(p);
    for (size_t i = 0; i < p->n_outputs; i++)
        printf("%s%-20s %s\n", i ? "             " : "outputs      ", p->outputs[i].name,
               p->outputs[i].description ? p->outputs[i].description : "");
    print_phases(p);
    printf("needs        %s\n", needs.ptr);
    print_serves(p);
    printf("file         %s\nsha256       %s\n", object, p->sha256);
}

static int do_info(struct arena *a, const struct options *o)
{
    CLEANUP(found_deinit) struct found f = {.object = -1};
    const char *format = o->format ? o->format : "text";
    struct err err = ERR_INIT;

    if (strcmp(format, "text") && strcmp(format, "yaml") && strcmp(format, "json")) {
        (void)err_set(&err, ERR_INVALID, "'%.40s' is no format: it is text, yaml or json", format);
        return fail(&err);
    }
    if (find(a, o, &f, &err) < 0)
        return fail(&err);
    if (strcmp(format, "json") == 0) {
        json_t *j = plugin_to_json(f.plugin);

        json_dumpf(j, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(j);
    } else if (strcmp(format, "yaml") == 0) {
        CLEANUP(free_ptr) char *yaml = plugin_to_yaml(f.plugin);

        fputs(yaml, stdout);
    } else {
        info_text(f.plugin);
    }
    return EXIT_OK;
}

/* ---- install ---- */

static const char *user_folder(struct arena *a)
{
    const char *data = settings_env("XDG_DATA_HOME");

    return data && data[0] == '/'
               ? arena_printf(a, "%s/ostler/plugins", data)
               : arena_printf(a, "%s/.local/share/ostler/plugins", settings_home());
}

static int do_install(struct arena *a, const struct options *o)
{
    struct install_spec spec = {.file = o->target, .serves = o->serves};
    CLEANUP(free_ptr) char *cwd = realpath(".", NULL);
    CLEANUP(free_ptr) char *to = o->to ? path_join(cwd ? cwd : "/", o->to) : NULL;
    struct plugin *p = NULL;
    struct loop *loop = NULL;
    struct err err = ERR_INIT;

    spec.root = to ? to : user_folder(a);
    int r = loop_new(&loop, &err);
    if (r == ERR_OK)
        r = install_plugin(&spec, loop, &p, &err);
    loop_free(loop);
    if (r < 0)
        return fail(&err);
    fprintf(stderr, "installed %s %s in %s/%s\n", p->id, p->version, p->root, p->folder);
    struct err verdict = ERR_INIT;
    verdict_of(p, o->policy, &verdict);
    if (verdict.code < 0)
        fprintf(stderr, "it may not run here: %s\n", verdict.text);
    plugin_free(p);
    return EXIT_OK;
}

/* ---- run ---- */

static int do_run(struct arena *a, struct options *o)
{
    CLEANUP(found_deinit) struct found f = {.object = -1};
    bool any = false;
    struct err err = ERR_INIT;

    if (find(a, o, &f, &err) < 0 ||
        (f.object < 0 && trust_open(o->policy, f.plugin, &f.object, &err) < 0))
        return fail(&err);
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
    struct options o = {.run = {.with = STRMAP_INIT_NOCASE, .env = STRMAP_INIT}};
    const struct sub *sub = find_sub(argc, argv);
    struct err err = ERR_INIT;

    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(help, stdout);
        return EXIT_OK;
    }
    if (argc > 1 && strcmp(argv[1], "sign") == 0)
        return plugin_sign(argc - 1, argv + 1);
    if (!sub) {
        fprintf(stderr, "ostler plugin: say what to do: list, info, install, run or sign%s%s\n",
                argc > 1 ? ", not " : "", argc > 1 ? argv[1] : "");
        return EXIT_USAGE;
    }
    if (parse_options(&a, sub, argc - 1, argv + 1, &o, &err) < 0)
        return fail(&err);
    if (o.help) {
        fputs(help, stdout);
        return EXIT_OK;
    }
    if (read_policy(&a, &o, &err) < 0)
        return fail(&err);
    switch (sub - subs) {
    case 0:
        return do_list(&a, &o);
    case 1:
        return do_info(&a, &o);
    case 2:
        return do_install(&a, &o);
    default:
        return do_run(&a, &o);
    }
}
