#include "settings.h"

#include <stdlib.h>
#include <string.h>

const char *const strategy_names[STRATEGIES + 1] = {"compose", "release", "command", NULL};

/* Letters, digits, and OTHERS. */
static bool is_made_of(const char *text, const char *others)
{
    for (; *text; text++)
        if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
              (*text >= '0' && *text <= '9') || strchr(others, *text)))
            return false;
    return true;
}

static bool is_name(const char *text, const char *others)
{
    return *text && *text != '-' && is_made_of(text, others);
}

/* Of an input; absent it is FALLBACK. */
static ost_status read_number(struct ost_step *step, const char *input, uint32_t min, uint32_t max,
                              uint32_t *ret)
{
    const char *text = step->host->input(step, input);
    struct span s = span_of(text);

    if (span_eat_number(&s, ret) && s.size == 0 && *ret >= min && *ret <= max)
        return OST_OK;
    return ost_fail(step, OST_E_INVALID, "'%s' is '%s': it has to be a number from %u to %u", input,
                    text, min, max);
}

/* "500ms", "30s", "10m", "1h", "30": seconds. */
static ost_status read_duration(struct ost_step *step, const char *input, int64_t *ret_ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    const char *text = step->host->input(step, input);
    struct span s = span_of(text);
    uint32_t n;

    if (span_eat_number(&s, &n) && n <= 100000)
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
            if (span_is(s, units[i].unit)) {
                *ret_ms = n * units[i].ms;
                return OST_OK;
            }
    return ost_fail(step, OST_E_INVALID, "'%s' is '%s': it has to be a time such as 30s, 10m or 1h",
                    input, text);
}

/* The items of a list that may also be written in one line, with commas. */
static const char *const *read_words(struct ost_step *step, const char *input)
{
    const char *const *items;
    struct strings words = {0};
    size_t n = step->host->input_list(step, input, &items);

    for (size_t i = 0; i < n; i++)
        for (const char *at = items[i] + strspn(items[i], ", \t"); *at; at += strspn(at, ", \t")) {
            size_t size = strcspn(at, ", \t");

            strings_add(step, &words, span_dup(step, (struct span){at, size}));
            at += size;
        }
    return strings_list(&words);
}

static const char *const *read_lines(struct ost_step *step, const char *input)
{
    const char *const *items;
    struct strings lines = {0};
    size_t n = step->host->input_list(step, input, &items);

    for (size_t i = 0; i < n; i++)
        strings_add(step, &lines, items[i]);
    return strings_list(&lines);
}

static ost_status check_words(struct ost_step *step, const char *input, const char *const *words,
                              const char *others)
{
    for (; *words; words++)
        if (!is_name(*words, others))
            return ost_fail(step, OST_E_INVALID,
                            "'%s' names '%s': letters, digits and %s are possible", input, *words,
                            others);
    return OST_OK;
}

/* ---- servers ---- */

/* [USER@]NAME[:PORT], an IPv6 address in brackets where a port follows. */
static ost_status parse_server(struct ost_step *step, const char *text, const char *user,
                               uint32_t port, struct server *ret)
{
    const char *at = strrchr(text, '@'), *name = at ? at + 1 : text, *colon = strrchr(name, ':');
    bool bracketed = *name == '[' && strchr(name, ']');

    if (at)
        user = span_dup(step, (struct span){text, (size_t)(at - text)});
    if (bracketed) {
        const char *end = strchr(name, ']');

        colon = end[1] == ':' ? end + 1 : NULL;
        if (end[1] && !colon)
            return ost_fail(step, OST_E_INVALID, "'host' names '%s': it has to be USER@HOST:PORT",
                            text);
        name = span_dup(step, (struct span){name + 1, (size_t)(end - name - 1)});
    } else if (colon && strchr(name, ':') != colon) {
        colon = NULL; /* an IPv6 address */
    } else if (colon) {
        name = span_dup(step, (struct span){name, (size_t)(colon - name)});
    }
    if (colon) {
        struct span s = span_of(colon + 1);

        if (!span_eat_number(&s, &port) || s.size || port < 1 || port > 65535)
            return ost_fail(step, OST_E_INVALID, "'host' names '%s': a port is 1 to 65535", text);
    }
    if (!is_name(name, "._:-") || (*user && !is_name(user, "._@+-")) || (at && !*user))
        return ost_fail(step, OST_E_INVALID, "'host' names '%s': it has to be USER@HOST:PORT",
                        text);
    *ret = (struct server){user, name, port, NULL};
    return OST_OK;
}

static bool is_same(const struct server *a, const struct server *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->user, b->user) == 0 && a->port == b->port;
}

/* As short as it can be and still be unlike all others. */
static const char *make_label(struct ost_step *step, const struct server *list, size_t n, size_t i)
{
    bool name = true, port = true;

    for (size_t j = 0; j < n; j++)
        if (j != i && strcmp(list[i].name, list[j].name) == 0) {
            name = false;
            port &= list[i].port != list[j].port;
        }
    if (name)
        return list[i].name;
    if (port)
        return ost_fmt(step, "%s:%u", list[i].name, list[i].port);
    return ost_fmt(step, "%s@%s:%u", list[i].user, list[i].name, list[i].port);
}

static ost_status read_servers(struct ost_step *step, struct settings *s)
{
    const char *const *words = read_words(step, "host");
    const char *user = step->host->input(step, "username");
    struct server *list = step->host->alloc(step, HOSTS_MAX * sizeof *list);
    uint32_t port;
    size_t n = 0;
    ost_status r = read_number(step, "port", 1, 65535, &port);

    for (; *words && r == OST_OK; words++) {
        if (n == HOSTS_MAX)
            return ost_fail(step, OST_E_LIMIT, "'host' names more than %d servers", HOSTS_MAX);
        r = parse_server(step, *words, user, port, &list[n]);
        for (size_t i = 0; i < n && r == OST_OK; i++)
            if (is_same(&list[i], &list[n]))
                r = ost_fail(step, OST_E_INVALID, "'host' names '%s' twice", *words);
        n++;
    }
    if (r == OST_OK && n == 0)
        r = ost_fail(step, OST_E_INVALID, "'host' names no server");
    for (size_t i = 0; i < n && r == OST_OK; i++)
        list[i].label = make_label(step, list, n, i);
    s->servers = list;
    s->n_servers = n;
    return r;
}

static ost_status read_jump(struct ost_step *step, struct settings *s)
{
    const char *host = step->host->input(step, "proxy_host");
    struct server *jump;
    uint32_t port;
    ost_status r;

    if (!*host)
        return OST_OK;
    jump = step->host->alloc(step, sizeof *jump);
    r = read_number(step, "proxy_port", 1, 65535, &port);
    if (r == OST_OK)
        r = parse_server(step, host, step->host->input(step, "proxy_username"), port, jump);
    jump->label = jump->name;
    s->jump_server = jump;
    return r;
}

const char *settings_keyscan(struct ost_step *step, const struct server *server)
{
    if (server->port == 22)
        return ost_fmt(step, "ssh-keyscan %s", server->name);
    return ost_fmt(step, "ssh-keyscan -p %u %s", server->port, server->name);
}

static ost_status read_pins(struct ost_step *step, const char *input, struct identity *i)
{
    i->pins = read_words(step, input);
    for (const char *const *pin = i->pins; *pin; pin++)
        if (strncmp(*pin, "SHA256:", 7) != 0 || strlen(*pin) != 7 + 43 ||
            !is_made_of(*pin + 7, "+/"))
            return ost_fail(step, OST_E_INVALID,
                            "'%s' has '%s': a fingerprint is 'SHA256:' and 43 characters, as "
                            "'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' prints it on the "
                            "server",
                            input, *pin);
    return OST_OK;
}

/* A key that nobody compared is no proof of whom we talk to, so there is no way round this. */
static ost_status demand_pin(struct ost_step *step, const struct settings *s,
                             const struct identity *i, const struct server *server,
                             const char *input)
{
    if (*i->pins || *s->known_hosts)
        return OST_OK;
    return ost_fail(step, OST_E_DENIED,
                    "nothing tells which key is that of '%s': run '%s', compare what 'ssh-keygen "
                    "-lf -' makes of "
                    "it with what 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' prints on the "
                    "server itself, "
                    "and give the line as 'known-hosts' or its SHA256 as '%s'",
                    server->name, settings_keyscan(step, server), input);
}

static ost_status read_identities(struct ost_step *step, struct settings *s)
{
    const struct ost_host *h = step->host;
    ost_status r = read_pins(step, "fingerprint", &s->self);

    s->known_hosts = h->input(step, "known-hosts");
    s->self.key = h->input(step, "key");
    s->self.passphrase = h->input(step, "passphrase");
    if (r == OST_OK)
        r = read_pins(step, "proxy_fingerprint", &s->jump);
    s->jump.key = h->input(step, "proxy_key");
    s->jump.passphrase = h->input(step, "proxy_passphrase");
    if (!*s->jump.key) {
        s->jump.key = s->self.key;
        s->jump.passphrase = s->self.passphrase;
    }
    if (r == OST_OK)
        r = demand_pin(step, s, &s->self, &s->servers[0], "fingerprint");
    if (r == OST_OK && s->jump_server)
        r = demand_pin(step, s, &s->jump, s->jump_server, "proxy_fingerprint");
    return r;
}

/* ---- what is deployed ---- */

/* A path below the workspace, or below a folder of the server: nothing absolute, nothing that climbs. */
static ost_status check_paths(struct ost_step *step, const char *input, const char *const *given,
                              const char *const **ret)
{
    struct strings paths = {0};

    for (; *given; given++) {
        const char *path = rel_clean(step, *given);

        if (!*path || !rel_below("", path) || strpbrk(path, "\n\r"))
            return ost_fail(step, OST_E_INVALID, "'%s' names '%s': it has to be below the folder",
                            input, *given);
        strings_add(step, &paths, path);
    }
    *ret = strings_list(&paths);
    return OST_OK;
}

/* Whether what is deployed has to be in the workspace: before the run, a step may still have to build it. */
static bool is_needed(struct ost_step *step, const struct settings *s)
{
    return !s->rollback && step->host->phase(step) != OST_PHASE_PLAN;
}

static ost_status read_compose_files(struct ost_step *step, struct settings *s)
{
    static const char *const usual[] = {"compose.yaml", "compose.yml", "docker-compose.yml",
                                        "docker-compose.yaml", NULL};
    ost_status r =
        check_paths(step, "compose-files", read_lines(step, "compose-files"), &s->compose_files);
    struct strings found = {0};

    for (const char *const *name = usual; *name && r == OST_OK && !*s->compose_files; name++)
        if (file_exists(ost_fmt(step, "%s/%s", s->workspace, *name))) {
            strings_add(step, &found, *name);
            s->compose_files = strings_list(&found);
        }
    if (r == OST_OK && !*s->compose_files && s->strategy == STRATEGY_COMPOSE && is_needed(step, s))
        r = ost_fail(step, OST_E_NOT_FOUND,
                     "the workspace has no compose.yaml or docker-compose.yml: name the file in "
                     "'compose-files', and have a step with actions/checkout before this one");
    return r;
}

/* Ours begin with a small letter; and a shell without these is lost. */
static bool is_variable(const char *name)
{
    static const char *const taken[] = {"IFS", "PATH", "HOME", "ENV", "PWD", NULL};

    for (const char *const *t = taken; *t; t++)
        if (strcmp(name, *t) == 0)
            return false;
    return ((*name >= 'A' && *name <= 'Z') || *name == '_') && is_made_of(name, "_") &&
           strncmp(name, "OSTLER_", 7) != 0;
}

static ost_status read_env(struct ost_step *step, struct settings *s)
{
    struct strings pairs = {0};

    for (const char *const *line = read_lines(step, "env"); *line; line++) {
        const char *equals = strchr(*line, '=');
        const char *name =
            equals ? span_dup(step, (struct span){*line, (size_t)(equals - *line)}) : "";

        if (!is_variable(name))
            return ost_fail(step, OST_E_INVALID,
                            "'env' has '%s': it has to be NAME=value, the name beginning with a "
                            "capital letter and not one that shells need",
                            equals ? name : *line);
        strings_add(step, &pairs, name);
        strings_add(step, &pairs, equals + 1);
    }
    s->env = strings_list(&pairs);
    return OST_OK;
}

static ost_status read_compose(struct ost_step *step, struct settings *s)
{
    const struct ost_host *h = step->host;
    ost_status r = read_compose_files(step, s);

    s->services = read_words(step, "services");
    s->profiles = read_words(step, "profiles");
    s->project = h->input(step, "project");
    s->registry = h->input(step, "registry");
    s->username = h->input(step, "registry-username");
    s->password = h->input(step, "registry-password");
    if (r == OST_OK)
        r = check_words(step, "services", s->services, "._-");
    if (r == OST_OK)
        r = check_words(step, "profiles", s->profiles, "._-");
    if (r == OST_OK && *s->project && !is_name(s->project, "_-"))
        r = ost_fail(step, OST_E_INVALID,
                     "'project' is '%s': letters, digits, _ and - are possible", s->project);
    if (r == OST_OK && *s->registry && !is_name(s->registry, "._:/-"))
        r = ost_fail(step, OST_E_INVALID, "'registry' is '%s': it has to be HOST or HOST:PORT",
                     s->registry);
    if (r == OST_OK && !*s->username != !*s->password)
        r = ost_fail(step, OST_E_INVALID,
                     "give 'registry-username' and 'registry-password' together");
    if (r == OST_OK && strchr(s->password, '\n'))
        r = ost_fail(step, OST_E_INVALID, "'registry-password' has more than one line");
    return r;
}

static ost_status read_release(struct ost_step *step, struct settings *s)
{
    const char *source = rel_clean(step, step->host->input(step, "source"));
    ost_status r = check_paths(step, "shared", read_lines(step, "shared"), &s->shared);

    s->exclude = read_lines(step, "exclude");
    if (source[0] != '/' && !rel_below("", source))
        return ost_fail(step, OST_E_INVALID, "'source' is '%s': it has to be in the workspace",
                        source);
    s->source = rel_join(step, s->workspace, *source ? source : ".");
    if (r == OST_OK && s->strategy == STRATEGY_RELEASE && is_needed(step, s) &&
        !file_is_folder(s->source))
        r = ost_fail(step, OST_E_NOT_FOUND,
                     "'source': there is no folder '%s'; is a step that builds it missing?",
                     source);
    return r;
}

static ost_status read_health(struct ost_step *step, struct settings *s)
{
    const struct ost_host *h = step->host;
    struct health *c = &s->health;
    ost_status r = read_number(step, "health-retries", 0, 10000, &c->retries);

    c->url = h->input(step, "health-url");
    c->from_server = strcmp(h->input(step, "health-from"), "server") == 0;
    c->command = h->input(step, "health-command");
    c->containers = s->strategy == STRATEGY_COMPOSE && ost_input_bool(step, "health-containers");
    if (r == OST_OK)
        r = read_duration(step, "health-interval", &c->interval_ms);
    if (r == OST_OK)
        r = read_duration(step, "health-timeout", &c->timeout_ms);
    if (r == OST_OK && *c->url && strncmp(c->url, "http://", 7) != 0 &&
        strncmp(c->url, "https://", 8) != 0)
        r = ost_fail(step, OST_E_INVALID,
                     "'health-url' is '%s': it has to begin with http:// or https://", c->url);
    return r;
}

/* ---- all ---- */

static enum strategy read_strategy(struct ost_step *step)
{
    const char *name = step->host->input(step, "strategy");
    int i = 0;

    while (strategy_names[i + 1] && strcmp(strategy_names[i], name) != 0)
        i++;
    return (enum strategy)i;
}

static ost_status read_commands(struct ost_step *step, struct settings *s)
{
    const struct ost_host *h = step->host;

    s->script = h->input(step, "script");
    s->pre = h->input(step, "pre-commands");
    s->post = h->input(step, "post-commands");
    s->undo = h->input(step, "rollback-commands");
    if (!*s->undo && s->strategy == STRATEGY_RELEASE)
        s->undo = s->post; /* what made the new one work makes the old one work */
    s->commands_once = strcmp(h->input(step, "commands-on"), "first") == 0;
    if (s->strategy == STRATEGY_COMMAND && !*s->script)
        return ost_fail(step, OST_E_INVALID, "the strategy 'command' needs a 'script'");
    if (s->strategy != STRATEGY_COMMAND && *s->script)
        return ost_fail(step, OST_E_INVALID,
                        "a 'script' goes with 'strategy: command'; else there are "
                        "'pre-commands' and 'post-commands'");
    if (s->strategy == STRATEGY_COMMAND && s->rollback && !*s->undo)
        return ost_fail(step, OST_E_INVALID,
                        "to go back, the strategy 'command' needs 'rollback-commands'");
    return OST_OK;
}

static ost_status read_times(struct ost_step *step, struct settings *s)
{
    ost_status r = read_duration(step, "timeout", &s->connect_ms);

    if (r == OST_OK)
        r = read_duration(step, "command_timeout", &s->command_ms);
    if (r == OST_OK)
        r = read_duration(step, "lock-timeout", &s->lock_ms);
    if (strcmp(step->host->input(step, "on-locked"), "refuse") == 0)
        s->lock_ms = 0;
    if (r == OST_OK)
        r = read_number(step, "keep", 1, KEEP_MAX, &s->keep);
    if (r == OST_OK)
        r = read_number(step, "max-unavailable", 1, HOSTS_MAX, &s->max_unavailable);
    return r;
}

static ost_status read_folder(struct ost_step *step, struct settings *s)
{
    s->folder = step->host->input(step, "folder");
    if (*s->folder && !strpbrk(s->folder, "\n\r") && strcmp(s->folder, "/") != 0)
        return OST_OK;
    return ost_fail(step, OST_E_INVALID,
                    "'folder' has to be a folder of the server, such as /srv/app");
}

ost_status settings_read(struct ost_step *step, struct settings *ret)
{
    static ost_status (*const parts[])(struct ost_step *, struct settings *) = {
        read_servers, read_jump,    read_identities, read_folder, read_times,
        read_compose, read_release, read_health,     read_env,    read_commands,
    };
    const char *workspace = step->host->dir(step, OST_DIR_WORKSPACE);
    ost_status r;

    *ret = (struct settings){
        .strategy = read_strategy(step),
        .pull = ost_input_bool(step, "pull"),
        .prune = ost_input_bool(step, "prune"),
        .remove_orphans = ost_input_bool(step, "remove-orphans"),
        .rollback = ost_input_bool(step, "rollback"),
        .url = step->host->input(step, "url"),
        .workspace = workspace ? workspace : ".",
    };
    r = check_paths(step, "files", read_lines(step, "files"), &ret->files);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && r == OST_OK; i++)
        r = parts[i](step, ret);
    return r;
}
