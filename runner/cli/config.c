#include "cli/config.h"

#include "base/fd.h"
#include "base/path.h"
#include "cli/plugin_policy.h"
#include "lang/reading.h"
#include "lang/yaml.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum form { FLAG = 1, SCALAR = 2, PAIRS = 4 };

static const struct key {
    const char *name;
    int forms; /* what the value may be: enum form */
    bool
        absolute; /* the value, or that of each pair, is a path: no folder to be relative to is obvious */
} keys[] = {
    {"action-source", SCALAR, false},
    {"cache-size", SCALAR, false},
    {"isolation", SCALAR, false},
    {"jobs", SCALAR, false},
    {"limit", PAIRS, false},
    {"listen", PAIRS, false}, /* a mapping of its own: listen/policy.h */
    {"local-repository", PAIRS, true},
    {"node", SCALAR, true},
    {"offline", FLAG, false},
    {"plugins", SCALAR, false}, /* and a mapping: plugin_policy.h */
    {"pull", FLAG, false},
    {"secret-file", SCALAR, true},
    {"store-size", SCALAR, false},
    {"var", PAIRS, false},
};

/* Of `listen:`, beside its policy. */
static const struct key listen_keys[] = {
    {"address", SCALAR, false},
    {"app-id", SCALAR, false},
    {"app-installation", SCALAR, false},
    {"app-key-file", SCALAR, true},
    {"labels", SCALAR, false},
    {"log", SCALAR, false},
    {"max", SCALAR, false},
    {"min", SCALAR, false},
    {"drain-time", SCALAR, false},
    {"min-free", SCALAR, false},
    {"pat-file", SCALAR, true},
    {"records", SCALAR, false},
    {"runner-version", SCALAR, false},
    {"runnergroup", SCALAR, false},
    {"scale-set", SCALAR, false},
    {"slots", SCALAR, false},
    {"socket", SCALAR, true},
    {"token-file", SCALAR, true},
    {"url", SCALAR, false},
    {"work", SCALAR, true},
};

struct loading {
    struct reading in;
    struct config *to;
};

static const struct key *find_key(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (slice_eq(name, slice_of(keys[i].name)))
            return &keys[i];
    return NULL;
}

static int unknown_key(const struct reading *r, const struct token *at)
{
    struct near_best best = near_begin(token_text(r->arena, at));

    for (size_t i = 0; i < COUNT_OF(keys); i++)
        near_offer(&best, slice_of(keys[i].name));
    return reading_unknown(r, at, "a configuration", &best);
}

static int add(const struct loading *l, const struct key *key, struct slice name,
               const struct token *value)
{
    struct slice text = token_text(l->in.arena, value);

    if (!text.ptr || value->kind == TOKEN_NULL)
        return reading_wrong(
            &l->in, value,
            arena_printf(l->in.arena, "'%s' wants a text or a number here", key->name));
    if (memchr(text.ptr, '\0', text.len))
        return reading_wrong(&l->in, value, "a NUL has no place in a value");
    if (key->absolute && (!text.len || text.ptr[0] != '/'))
        return reading_wrong(
            &l->in, value,
            arena_printf(l->in.arena, "'%s' wants an absolute path in a configuration, not '%.*s'",
                         key->name, SLICE_ARG(slice_head(text, 60))));
    vec_push(&l->to->options, (struct config_option){
                                  .name = key->name,
                                  .value = name.ptr ? arena_printf(l->in.arena, "%.*s=%.*s",
                                                                   SLICE_ARG(name), SLICE_ARG(text))
                                                    : arena_str(l->in.arena, text),
                                  .file = l->in.file,
                                  .line = value->line,
                                  .col = value->col});
    return ERR_OK;
}

static int take_pairs(const struct loading *l, const struct key *key, const struct token *map)
{
    for (size_t i = 0; i < map->n_pairs; i++) {
        struct slice name = token_text(l->in.arena, map->pairs[i].key);
        int result = add(l, key, name, map->pairs[i].value);

        if (result < 0)
            return result;
    }
    return ERR_OK;
}

static int take_listen_option(const struct loading *l, const struct key *key,
                              const struct token *value)
{
    struct config *to = l->to;
    int result = add(l, key, (struct slice){0}, value);

    if (result == ERR_OK)
        vec_push(&to->listen_options, to->options.ptr[--to->options.len]);
    return result;
}

/* What are options of "ostler listen" is taken here, the rest is its policy. */
static int take_listen(const struct loading *l, const struct token *map)
{
    struct token rest = *map;

    if (map->kind != TOKEN_MAPPING)
        return listen_policy_take(l->in.arena, l->in.file, map, &l->to->listen, l->in.err);
    rest.pairs = arena_array(l->in.arena, map->n_pairs + 1, sizeof *rest.pairs);
    rest.n_pairs = 0;
    for (size_t i = 0; i < map->n_pairs; i++) {
        const struct token_pair *pair = &map->pairs[i];
        struct slice name = token_text(l->in.arena, pair->key);
        const struct key *key = NULL;

        for (size_t k = 0; k < COUNT_OF(listen_keys); k++)
            if (slice_eq(name, slice_of(listen_keys[k].name)))
                key = &listen_keys[k];
        if (!key)
            rest.pairs[rest.n_pairs++] = *pair;
        else if (take_listen_option(l, key, pair->value) < 0)
            return l->in.err->code;
    }
    return rest.n_pairs
               ? listen_policy_take(l->in.arena, l->in.file, &rest, &l->to->listen, l->in.err)
               : ERR_OK;
}

static int take_key(const struct loading *l, const struct token_pair *pair)
{
    struct slice name = token_text(l->in.arena, pair->key);
    const struct token *value = pair->value;
    const struct key *key = find_key(name);

    if (!key)
        return unknown_key(&l->in, pair->key);
    if (strcmp(key->name, "listen") == 0)
        return take_listen(l, value);
    if (key->forms & FLAG) {
        if (value->kind != TOKEN_BOOL)
            return reading_wrong(&l->in, value,
                                 arena_printf(l->in.arena, "'%s' is true or false", key->name));
        if (value->boolean)
            vec_push(&l->to->options, (struct config_option){.name = key->name,
                                                             .file = l->in.file,
                                                             .line = value->line,
                                                             .col = value->col});
        return ERR_OK;
    }
    if (value->kind == TOKEN_MAPPING && strcmp(key->name, "plugins") == 0)
        return plugin_policy_take(l->in.arena, l->in.file, value, l->to, l->in.err);
    if (value->kind == TOKEN_MAPPING && (key->forms & PAIRS))
        return take_pairs(l, key, value);
    if (!(key->forms & SCALAR))
        return reading_wrong(
            &l->in, value,
            arena_printf(l->in.arena, "'%s' wants names and values: {name: value}", key->name));
    return add(l, key, (struct slice){0}, value);
}

int config_load(const char *path, struct buf *text, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    struct stat st;
    int r = path_open_named(path, &fd, err);

    if (r < 0)
        return r;
    if (fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at '%s'", path);
    if ((st.st_uid != getuid() && st.st_uid != 0) || (S_ISREG(st.st_mode) && (st.st_mode & 022)))
        return err_set(
            err, ERR_DENIED,
            "'%s' can be written by others: it has to be this user's or root's, and chmod go-w",
            path);
    r = fd_read_all(fd, text, err);
    return r < 0 ? err_in(err, "'%s'", path) : r;
}

/* Comments and blank lines: to YAML that is no document at all. */
static bool says_nothing(struct slice text)
{
    struct slice line;

    while (slice_line(&text, &line)) {
        line = slice_trim(line);
        if (line.len && line.ptr[0] != '#')
            return false;
    }
    return true;
}

void config_deinit(struct config *c)
{
    vec_deinit(&c->options);
    vec_deinit(&c->plugin_path);
    json_decref(c->policies);
    listen_policy_deinit(&c->listen);
    vec_deinit(&c->listen_options);
    *c = (struct config){0};
}

int config_tree(struct arena *a, const char *path, struct token **ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(CONFIG_SIZE_MAX);
    const struct reading reading = {.arena = a, .file = path, .err = err};
    struct diags diags = {.arena = a};
    struct token *root = NULL;
    int r = config_load(path, &text, err);

    *ret = NULL;
    if (r < 0 || says_nothing(buf_slice(&text)))
        return r;
    r = yaml_parse(a, arena_dup(a, buf_slice(&text)), path, 0, NULL, &root, &diags);
    if (r < 0 && diags.list.len)
        r = err_set(err, ERR_INVALID, "%s:%d:%d: %.*s", path, diags.list.ptr[0].line,
                    diags.list.ptr[0].col, SLICE_ARG(diags.list.ptr[0].message));
    else if (r == ERR_OK && root->kind != TOKEN_MAPPING)
        r = reading_wrong(&reading, root, "a configuration is a mapping: 'jobs: 4'");
    diags_deinit(&diags);
    if (r == ERR_OK)
        *ret = root;
    return r;
}

int config_read(struct arena *a, const char *path, struct config *ret, struct err *err)
{
    const struct loading loading = {
        .in = {.arena = a, .file = arena_str(a, slice_of(path)), .err = err}, .to = ret};
    struct token *root;
    int r = config_tree(a, path, &root, err);

    for (size_t i = 0; r == ERR_OK && root && i < root->n_pairs; i++)
        r = take_key(&loading, &root->pairs[i]);
    return r;
}
