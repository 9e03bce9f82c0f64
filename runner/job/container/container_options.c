#include "job/container/container_options.h"

#include "base/vec.h"
#include "job/shell.h"

/* ---- what there is ---- */

enum form { FLAG, VALUE };

/* Those of `docker create` (docker/cli, cli/command/container/opts.go) that do no harm, and of the others those whose next
 * word is their value. What is not here is taken for a flag that does: should it have a value in the next word, that one
 * is no option, and refused.
 *
 * Not harmless, though it may look so: "--env-file" and "--label-file" (files of this machine), "--network" (this machine's own,
 * or another container's), "--cgroup-parent" (out of the job's limits), "--log-driver" (anywhere), "--pull" (has a value for
 * docker, and none for podman). */
static const struct known {
    const char *name;
    char brief; /* its short name; 0: none */
    enum form form;
    enum container_option_kind kind;
    const char *values; /* the only harmless ones, separated by "|"; NULL: all */
} known[] = {
    {"--add-host", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--annotation", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--attach", 'a', VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--blkio-weight", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--cap-add", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--cap-drop", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--cgroup-parent", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--cgroupns", 0, VALUE, CONTAINER_OPTION_HARMLESS, "private"},
    {"--cidfile", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--cpu-period", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--cpu-quota", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--cpu-rt-period", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--cpu-rt-runtime", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--cpu-shares", 'c', VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--cpus", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--cpuset-cpus", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--cpuset-mems", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--device", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--device-cgroup-rule", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--dns", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--dns-opt", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--dns-option", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--dns-search", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--domainname", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--entrypoint", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--env", 'e', VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--env-file", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--expose", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--gpus", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--group-add", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--health-cmd", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--health-interval", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--health-retries", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--health-start-interval", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--health-start-period", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--health-timeout", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--hostname", 'h', VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--init", 0, FLAG, CONTAINER_OPTION_HARMLESS, NULL},
    {"--interactive", 'i', FLAG, CONTAINER_OPTION_HARMLESS, NULL},
    {"--ip", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--ip6", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--ipc", 0, VALUE, CONTAINER_OPTION_HARMLESS, "none|private|shareable"},
    {"--isolation", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--label", 'l', VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--label-file", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--link", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--log-driver", 0, VALUE, CONTAINER_OPTION_HARMLESS, "json-file|local|none"},
    {"--log-opt", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--mac-address", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--memory", 'm', VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--memory-reservation", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--memory-swap", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--memory-swappiness", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--mount", 0, VALUE, CONTAINER_OPTION_MOUNT, NULL},
    {"--name", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--net", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--network", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--network-alias", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--no-healthcheck", 0, FLAG, CONTAINER_OPTION_HARMLESS, NULL},
    {"--oom-score-adj", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--pid", 0, VALUE, CONTAINER_OPTION_HARMLESS, "private"},
    {"--pids-limit", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--platform", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--publish", 'p', VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--publish-all", 'P', FLAG, CONTAINER_OPTION_HARMLESS, NULL},
    {"--read-only", 0, FLAG, CONTAINER_OPTION_HARMLESS, NULL},
    {"--restart", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--rm", 0, FLAG, CONTAINER_OPTION_HARMLESS, NULL},
    {"--runtime", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--security-opt", 0, VALUE, CONTAINER_OPTION_HARMLESS,
     "no-new-privileges|no-new-privileges:true|no-new-privileges=true"},
    {"--shm-size", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--stop-signal", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--stop-timeout", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--storage-opt", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--sysctl", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--tmpfs", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--tty", 't', FLAG, CONTAINER_OPTION_HARMLESS, NULL},
    {"--ulimit", 0, VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--user", 'u', VALUE, CONTAINER_OPTION_HARMLESS, NULL},
    {"--userns", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--uts", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--volume", 'v', VALUE, CONTAINER_OPTION_VOLUME, NULL},
    {"--volume-driver", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--volumes-from", 0, VALUE, CONTAINER_OPTION_OTHER, NULL},
    {"--workdir", 'w', VALUE, CONTAINER_OPTION_HARMLESS, NULL},
};

static const struct known *find_long(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (slice_eq(slice_of(known[i].name), name))
            return &known[i];
    return NULL;
}

static const struct known *find_brief(char c)
{
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (known[i].brief == c)
            return &known[i];
    return NULL;
}

static bool is_among(const char *values, const char *value)
{
    struct slice rest = slice_of(values), one;

    while (value && slice_split(&rest, '|', &one))
        if (slice_eq(one, slice_of(value)))
            return true;
    return false;
}

/* ---- reading ---- */

struct reading {
    struct arena *arena;
    const char **words; /* NULL-terminated; the next one */
    VEC(struct container_option) list;
    struct err *err;
};

static void put(struct reading *r, const char *name, const struct known *k, const char *value)
{
    enum container_option_kind kind = k ? k->kind : CONTAINER_OPTION_OTHER;

    if (k && k->values && !is_among(k->values, value))
        kind = CONTAINER_OPTION_OTHER;
    vec_push(&r->list, (struct container_option){kind, name, value});
}

static int next_value(struct reading *r, const char *name, const char **ret)
{
    if (!*r->words)
        return err_set(r->err, ERR_INVALID, "option '%.60s' wants a value", name);
    *ret = *r->words++;
    return ERR_OK;
}

static int read_long(struct reading *r, const char *word)
{
    size_t len = strcspn(word, "=");
    const char *name = arena_str(r->arena, slice_make(word, len));
    const struct known *k = find_long(slice_make(word, len));
    const char *value = word[len] ? word + len + 1 : NULL;

    if (!value && k && k->form == VALUE && next_value(r, name, &value) < 0)
        return r->err->code;
    put(r, name, k, value);
    return ERR_OK;
}

/* The value of the last one stands in the same word, or is the next. */
static int read_brief(struct reading *r, const char *word)
{
    for (const char *c = word + 1; *c; c++) {
        const struct known *k = find_brief(*c);
        const char *name = k ? k->name : arena_printf(r->arena, "-%c", *c), *value = NULL;

        if (c[1] == '=' || (c[1] && k && k->form == VALUE))
            value = c[1] == '=' ? c + 2 : c + 1;
        else if (k && k->form == VALUE && next_value(r, name, &value) < 0)
            return r->err->code;
        put(r, name, k, value);
        if (value)
            break;
    }
    return ERR_OK;
}

int container_options_read(struct arena *a, const char *text, struct container_option **ret,
                           size_t *ret_n, struct err *err)
{
    struct reading r = {.arena = a, .err = err};
    size_t n;
    int result = ERR_OK;

    r.words = shell_split(a, slice_of(text), &n);
    while (result == ERR_OK && *r.words) {
        const char *word = *r.words++;

        if (word[0] == '-' && word[1] == '-' && word[2])
            result = read_long(&r, word);
        else if (word[0] == '-' && word[1] && word[1] != '-')
            result = read_brief(&r, word);
        else
            result = err_set(err, ERR_INVALID, "'%.60s' is no option", word);
    }
    *ret = arena_array(a, r.list.len + 1, sizeof **ret);
    if (r.list.len)
        memcpy(*ret, r.list.ptr, r.list.len * sizeof **ret);
    *ret_n = r.list.len;
    vec_deinit(&r.list);
    return result;
}

/* ---- mounts ---- */

static bool is_one_of(struct slice text, const char *const *list)
{
    for (; *list; list++)
        if (slice_eq(text, slice_of(*list)))
            return true;
    return false;
}

int container_options_mount(struct arena *a, const char *value, const char **ret, struct err *err)
{
    static const char *const plain[] = {
        "readonly", "ro", "target", "dst", "destination", "type", "tmpfs-size", "tmpfs-mode", NULL};
    static const char *const sources[] = {"source", "src", NULL};
    static const char *const types[] = {"bind", "volume", "tmpfs", NULL};
    struct slice rest = slice_of(value), part;

    *ret = "";
    while (slice_split(&rest, ',', &part)) {
        ssize_t at = slice_find_char(part, '=');
        struct slice key = slice_head(part, at < 0 ? part.len : (size_t)at);
        struct slice said = slice_from(part, at < 0 ? part.len : (size_t)at + 1);
        bool known_type = !slice_eq(key, SLICE("type")) || is_one_of(said, types);

        if (is_one_of(key, sources) && slice_find_char(said, '"') < 0)
            *ret = arena_str(a, said);
        else if (!is_one_of(key, plain) || !known_type)
            return err_set(err, ERR_DENIED, "'%.*s' of a mount", SLICE_ARG(slice_head(part, 60)));
    }
    return ERR_OK;
}
