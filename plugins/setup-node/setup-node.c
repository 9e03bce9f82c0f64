/* setup-node - actions/setup-node for a machine that has the wanted Node already, in its tool cache or on
 * PATH: the same inputs, outputs and effects on later steps, and no Node needed to run it. It downloads
 * nothing: a version that is not there is an error that says what is. */
#include "../lib/job.h"
#include "found.h"
#include "matchers.h"
#include "packages.h"

#include <string.h>

static const struct ost_input inputs[] = {
#if SETUP_NODE_MAJOR < 6 /* npm no longer knows it */
    {.name = "always-auth", .fallback = "false", .description = "Set always-auth in npmrc"},
#endif
    {.name = "node-version",
     .description = "Version to use: 20, 20.x, 20.11.1, >=18 <21, lts/*, lts/jod"},
    {.name = "node-version-file",
     .description =
         "File with the version: package.json, .nvmrc, .node-version, .tool-versions, mise.toml"},
    {.name = "architecture",
     .description = "Architecture to use: x64, arm64, ...; default: the machine's"},
    {.name = "check-latest",
     .type = OST_BOOL,
     .fallback = "false",
     .description =
         "Look for a newer version than those on the machine; not served, with a warning"},
    {.name = "registry-url", .description = "Registry to set up for authentication"},
    {.name = "scope", .description = "Scope to authenticate against, for example @owner"},
    {.name = "token", .flags = OST_SECRET, .description = "Used for downloads; not needed here"},
    {.name = "cache", .description = "Package manager whose downloads to cache: npm, yarn, pnpm"},
#if SETUP_NODE_MAJOR >= 5
    {.name = "package-manager-cache",
     .type = OST_BOOL,
     .fallback = "true",
     .description = "Cache also for the package manager that package.json names"},
#endif
    {.name = "cache-dependency-path",
     .description = "Lock files that the cache depends on, one a line; patterns will do"},
#if SETUP_NODE_MAJOR >= 4
    {.name = "mirror", .description = "Used for downloads; not needed here"},
    {.name = "mirror-token",
     .flags = OST_SECRET,
     .description = "Used for downloads; not needed here"},
#endif
};

static const struct ost_output outputs[] = {
    {"cache-hit", "Whether a cache was found; empty when none was wanted"},
#if SETUP_NODE_MAJOR >= 7
    {"cache-primary-key", "The key that was looked for"},
    {"cache-matched-key", "The key that was found; empty when none was"},
#endif
    {"node-version", "The version that is in use, as 'v20.11.1'"},
};

/* ---- choosing ---- */

struct choice {
    struct wanted wanted;
    const char *arch;
    struct nodes *cached;
    struct node on_path; /* TEXT NULL: none */
    struct node node;    /* the one */
};

/* Does the Node on PATH fit? It is the machine's, so another architecture has to come from the cache. */
static bool path_fits(struct ost_step *step, const struct choice *c)
{
    struct nodes *one = step->host->alloc(step, sizeof *one);

    if (!c->on_path.text || strcmp(c->arch, job_arch(step)) != 0)
        return false;
    one->n = 1;
    one->list[0] = c->on_path;
    return nodes_choose(one, &c->wanted) != NULL;
}

static ost_status nothing_fits(struct ost_step *step, const struct choice *c)
{
    const char *cached = nodes_list(step, c->cached);
    const char *tools = step->host->dir(step, OST_DIR_TOOLS);

    return ost_fail(
        step, OST_E_NOT_FOUND,
        "no Node %s for %s on this machine: the tool cache '%s/node' has %s, PATH has %s. "
        "Install one there, ask for another in 'node-version', or let the action itself "
        "download it (--plugins actions/setup-node=never)",
        c->wanted.text, c->arch, tools ? tools : "", *cached ? cached : "none",
        c->on_path.text ? c->on_path.text : "none");
}

/* The tool cache comes first, as with the action itself; the one on PATH comes last, and does best when
 * nothing is asked for. */
static ost_status choose(struct ost_step *step, struct choice *c)
{
    const char *tools = step->host->dir(step, OST_DIR_TOOLS);
    const char *arch = step->host->input(step, "architecture");
    const struct node *best;
    ost_status r = wanted_read(step, &c->wanted);

    if (r < 0)
        return r;
    c->arch = *arch ? arch : job_arch(step);
    c->cached = step->host->alloc(step, sizeof *c->cached);
    c->cached->n = 0;
    c->node = c->on_path = (struct node){0};
    if (tools && *c->wanted.text)
        nodes_in_cache(step, tools, c->arch, c->cached);
    best = nodes_choose(c->cached, &c->wanted);
    if (best) {
        c->node = *best;
        return OST_OK;
    }
    r = node_on_path(step, &c->on_path);
    if (r < 0 && r != OST_E_NOT_FOUND)
        return ost_fail(step, r, "cannot run node: %s", step->host->last_error(step));
    if (!*c->wanted.text || path_fits(step, c)) {
        c->node = c->on_path;
        return OST_OK;
    }
    return nothing_fits(step, c);
}

/* ---- effects ---- */

/* Prints what a tool of the chosen Node says its version is; *RET is that, "" without such a tool. */
static ost_status tell_version(struct ost_step *step, const struct choice *c, const char *tool,
                               const char **ret)
{
    struct ost_exec_result res = OST_RESULT;
    const char *bin = c->node.dir ? ost_fmt(step, "%s/bin", c->node.dir) : NULL;
    const char *path = bin ? ost_fmt(step, "%s/%s", bin, tool) : tool;
    ost_status r = OST_E_NOT_FOUND;

    /* The tools of the cache are scripts for the Node beside them, which is not on PATH yet. */
    if (bin && strcmp(tool, "node") != 0 && file_exists(path))
        r = ost_exec(step, &res, .flags = OST_EXEC_QUIET | OST_EXEC_CAPTURE,
                     .argv = OST_ARGV(ost_fmt(step, "%s/node", bin), path, "--version"));
    else if (!bin || strcmp(tool, "node") == 0)
        r = ost_exec(step, &res, .flags = OST_EXEC_QUIET | OST_EXEC_CAPTURE,
                     .argv = OST_ARGV(path, "--version"));
    if (r < 0 && r != OST_E_NOT_FOUND)
        return ost_fail(step, r, "cannot run %s: %s", tool, step->host->last_error(step));
    *ret = r == OST_OK && res.exit_code == 0 ? res.out : "";
    ost_log(step, OST_INFO, "%s: %s", tool, *ret);
    return OST_OK;
}

static ost_status tell_environment(struct ost_step *step, const struct choice *c)
{
    const char *version = "", *other;
    ost_status r;

    step->host->group(step, "Environment details");
    r = tell_version(step, c, "node", &version);
    if (r == OST_OK)
        r = tell_version(step, c, "npm", &other);
    if (r == OST_OK)
        r = tell_version(step, c, "yarn", &other);
    step->host->group(step, NULL);
    return r == OST_OK ? step->host->output(step, "node-version", version) : r;
}

/* "@owner:" for a scope, "" for none. GitHub's own registry knows packages by their owner only. */
static const char *registry_scope(struct ost_step *step, const char *registry)
{
    const char *scope = step->host->input(step, "scope");
    const char *owner = step->host->context(step, "github.repository_owner");
    char *text;

    if (!*scope && strstr(registry, "npm.pkg.github.com") && owner)
        scope = owner;
    if (!*scope)
        return "";
    text = step->host->alloc(step, strlen(scope) + 3);
    snprintf(text, strlen(scope) + 3, "%s%s:", scope[0] == '@' ? "" : "@", scope);
    for (char *c = text; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c | 32);
    return text;
}

/* The lines of the npmrc that is there, but for the one that sets the registry of SCOPE. */
static void keep_lines(struct ost_step *step, const char *path, const char *scope, struct sink *to)
{
    size_t size = 0;
    char *text = file_read(step, path, VERSION_FILE_MAX, &size);
    struct span rest = {text, text ? size : 0}, line;
    const char *key = ost_fmt(step, "%sregistry", scope);

    while (span_line(&rest, &line))
        if (!span_starts(line, key)) {
            sink_add(to, line);
            sink_add(to, SPAN("\n"));
        }
}

/* Version 6 left out always-auth, which npm no longer knows, and the stand-in for the token. */
static const bool is_older_than_6 = SETUP_NODE_MAJOR < 6;

/* The token stays in the environment, where npm looks it up: the file only names the variable. */
static ost_status pass_on_token(struct ost_step *step)
{
    struct ost_exec_result res = OST_RESULT;
    ost_status r = ost_exec(step, &res, .flags = OST_EXEC_QUIET | OST_EXEC_CAPTURE,
                            .argv = OST_ARGV("printenv", "NODE_AUTH_TOKEN"));

    if (r < 0)
        return ost_fail(step, r, "cannot look up NODE_AUTH_TOKEN: %s",
                        step->host->last_error(step));
    if (res.exit_code == 0 && *res.out)
        return step->host->env(step, "NODE_AUTH_TOKEN", res.out);
    return is_older_than_6 ? step->host->env(step, "NODE_AUTH_TOKEN", "XXXXX-XXXXX-XXXXX-XXXXX")
                           : OST_OK;
}

static ost_status set_registry(struct ost_step *step, const char *registry)
{
    const char *path = ost_fmt(step, "%s/.npmrc", step->host->dir(step, OST_DIR_TEMP));
    const char *scope = registry_scope(step, registry), *host = strstr(registry, "//");
    struct sink k = {.step = step};
    ost_status r;

    if (!host)
        return ost_fail(step, OST_E_INVALID,
                        "the registry-url '%s' is no address: write it with https://", registry);
    if (registry[strlen(registry) - 1] != '/') {
        registry = ost_fmt(step, "%s/", registry);
        host = strstr(registry, "//");
    }
    keep_lines(step, path, scope, &k);
    sink_addf(&k, "%s:_authToken=${NODE_AUTH_TOKEN}\n%sregistry=%s\n", host, scope, registry);
#if SETUP_NODE_MAJOR < 6
    sink_addf(&k, "always-auth=%s\n", step->host->input(step, "always-auth"));
#endif
    r = job_write_file(step, path, sink_text(&k));
    if (r == OST_OK)
        r = step->host->env(step, "NPM_CONFIG_USERCONFIG", path);
    return r == OST_OK ? pass_on_token(step) : r;
}

/* What was asked for and is not done here, said plainly. */
static void tell_limits(struct ost_step *step, const struct choice *c)
{
    if (*step->host->input(step, "architecture") && !*c->wanted.text)
        ost_log(
            step, OST_WARNING,
            "`architecture` is provided but `node-version` is missing. In this configuration, the "
            "version/architecture of Node will not be changed. To fix this, provide `architecture` "
            "in "
            "combination with `node-version`");
    if (ost_input_bool(step, "check-latest"))
        ost_log(step, OST_WARNING,
                "check-latest is not served: going on with what this machine has");
    else if (c->wanted.newest)
        ost_log(step, OST_NOTICE, "'%s' means the newest Node of this machine here",
                c->wanted.text);
}

static ost_status use(struct ost_step *step, const struct choice *c)
{
    if (!c->node.dir) {
        if (c->node.text && *c->wanted.text)
            ost_log(step, OST_INFO, "Using Node %s, which is on PATH", c->node.text);
        return OST_OK;
    }
    ost_log(step, OST_INFO, "Found in cache @ %s", c->node.dir);
    return step->host->path(step, ost_fmt(step, "%s/bin", c->node.dir));
}

/* ---- phases ---- */

static ost_status setup_main(struct ost_step *step)
{
    const char *registry = step->host->input(step, "registry-url"), *manager;
    struct choice c;
    ost_status r = choose(step, &c);

    if (r < 0)
        return r;
    tell_limits(step, &c);
    r = use(step, &c);
    if (r == OST_OK)
        r = tell_environment(step, &c);
    if (r == OST_OK && *registry)
        r = set_registry(step, registry);
    manager = r == OST_OK ? packages_wanted(step) : "";
    if (*manager)
        r = packages_restore(step, manager,
                             c.node.dir ? ost_fmt(step, "%s/bin", c.node.dir) : NULL);
    return r == OST_OK ? job_add_matchers(step, "setup-node-matchers.json", matchers_json) : r;
}

static ost_status plan_node(struct ost_step *step)
{
    const char *tools = step->host->dir(step, OST_DIR_TOOLS);
    const char *arch = step->host->input(step, "architecture");
    struct nodes *cached = step->host->alloc(step, sizeof *cached);
    const struct node *best = NULL;
    struct wanted wanted;
    ost_status r = wanted_read(step, &wanted);

    cached->n = 0;
    if (r < 0)
        return r;
    if (tools && *wanted.text)
        nodes_in_cache(step, tools, *arch ? arch : job_arch(step), cached);
    best = nodes_choose(cached, &wanted);
    if (best)
        return step->host->plan(step, "use", ost_fmt(step, "Node %s", best->text), best->dir);
    return step->host->plan(step, "use", "the Node on PATH",
                            *wanted.text ? ost_fmt(step, "if it is %s", wanted.text) : "");
}

static ost_status setup_plan(struct ost_step *step)
{
    const char *manager = packages_wanted(step);
    ost_status r = plan_node(step);

    if (r == OST_OK && *manager)
        r = step->host->plan(step, "restore", ost_fmt(step, "the cache of %s", manager),
                             "and keep it at the end of the job");
    return r;
}

OST_PLUGIN(.id = "actions/setup-node", .version = SETUP_NODE_VERSION,
           .title = "Setup Node.js environment",
           .description = "Puts the wanted Node of this machine on PATH", .author = "Ostler",
           OST_INPUTS(inputs), OST_OUTPUTS(outputs), .plan = setup_plan, .main = setup_main,
           .traits = OST_POST_IF_SAVED, .post = packages_save, .post_if = "success()");
