#include "cli/plugin_policy.h"

#include "base/base64.h"
#include "cli/settings.h"
#include "io/digest_ed25519.h"
#include "lang/reading.h"
#include "plugin/policy.h"
#include "plugin/rules.h"
#include "plugin/version.h"

#include <ctype.h>

struct taking {
    struct reading in;
    struct config *to;
    json_t *policy; /* borrowed */
    bool says;      /* it says more than where to look and whom to prefer */
};

typedef int take_fn(struct taking *t, const struct token *value);

struct key {
    const char *name;
    take_fn *take;
};

static int take_keys(struct taking *t, const struct token *map, const struct key *keys, size_t n,
                     const char *what, json_t *into)
{
    for (size_t i = 0; i < map->n_pairs; i++) {
        struct slice name = token_text(t->in.arena, map->pairs[i].key);
        struct near_best best = near_begin(name);
        size_t k = 0;

        while (k < n && !slice_eq(name, slice_of(keys[k].name)))
            near_offer(&best, slice_of(keys[k++].name));
        if (k == n) {
            return reading_unknown(&t->in, map->pairs[i].key, what, &best);
        }
        json_t *outer = t->policy;
        t->policy = into;
        int r = keys[k].take(t, map->pairs[i].value);
        t->policy = outer;
        if (r < 0)
            return r;
    }
    return ERR_OK;
}

static void put(struct taking *t, const char *key, json_t *value)
{
    json_object_set_new(t->policy, key, value);
    t->says = true;
}

static json_t *text_json(struct slice s)
{
    return json_stringn(s.ptr, s.len);
}

/* ---- a rule ---- */

static bool is_pattern(struct slice s)
{
    if (slice_eq(s, SLICE("*")))
        return true;
    if (slice_ends(s, SLICE("/*"))) { /* of an owner, or deeper */
        CLEANUP(buf_deinit) struct buf whole = BUF_INIT(1024);

        buf_add(&whole, slice_head(s, s.len - 1));
        buf_add_char(&whole, 'x');
        return rules_is_id(buf_slice(&whole));
    }
    return rules_is_id(s);
}

static int take_id(struct taking *t, const struct token *value)
{
    struct slice s = reading_text(&t->in, value, "the id of a plugin");

    if (!s.ptr)
        return t->in.err->code;
    if (!is_pattern(s))
        return reading_wrong(&t->in, value, "an id is 'owner/name', 'owner/*' or '*'");
    put(t, "id", text_json(s));
    return ERR_OK;
}

static int take_version(struct taking *t, const struct token *value)
{
    struct slice s = reading_text(&t->in, value, "a range of versions");

    if (!s.ptr)
        return t->in.err->code;
    if (!range_is_valid(s))
        return reading_wrong(&t->in, value,
                             "versions are compared with whole ones: '1.4.2', '>=1.4 <2'");
    put(t, "version", text_json(s));
    return ERR_OK;
}

static bool is_sha256(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!isxdigit((unsigned char)s.ptr[i]))
            return false;
    return s.len == 64;
}

/* A text, or a list of them, each of which IS one. */
static int take_texts(struct taking *t, const struct token *value, const char *key,
                      bool (*is)(struct slice), const char *what, const char *cure)
{
    bool many = value->kind == TOKEN_SEQUENCE;
    json_t *list = json_array();
    int r = ERR_OK;

    for (size_t i = 0; r == ERR_OK && i < (many ? value->n_items : 1); i++) {
        const struct token *one = many ? value->items[i] : value;
        struct slice s = reading_text(&t->in, one, what);

        if (!s.ptr)
            r = t->in.err->code;
        else if (!is(s))
            r = reading_wrong(&t->in, one, cure);
        else
            json_array_append_new(list, text_json(s));
    }
    if (r == ERR_OK)
        put(t, key, json_incref(list));
    json_decref(list);
    return r;
}

static int take_sha256(struct taking *t, const struct token *value)
{
    return take_texts(t, value, "sha256", is_sha256, "a SHA-256",
                      "a SHA-256 is 64 hex digits ('ostler plugin info' shows it)");
}

static int take_network(struct taking *t, const struct token *value)
{
    return take_texts(t, value, "network", policy_is_host, "a host",
                      "a host is 'registry.example', '*.example', or with a port behind it "
                      "'registry.example:5000'");
}

static int take_signer(struct taking *t, const struct token *value)
{
    struct slice s = reading_text(&t->in, value, "the name of a signer");

    if (!s.ptr)
        return t->in.err->code;
    put(t, "signer", text_json(s));
    return ERR_OK;
}

static int take_allow(struct taking *t, const struct token *value)
{
    static const struct key keys[] = {
        {"id", take_id},         {"version", take_version}, {"sha256", take_sha256},
        {"signer", take_signer}, {"network", take_network},
    };
    json_t *rules = json_array();

    if (value->kind != TOKEN_SEQUENCE) {
        json_decref(rules);
        return reading_wrong(
            &t->in, value, "'allow' is a list of rules: '- {id: acme/push, version: \">=1 <2\"}'");
    }
    put(t, "allow", rules);
    for (size_t i = 0; i < value->n_items; i++) {
        const struct token *one = value->items[i];
        json_t *rule = json_object();

        json_array_append_new(rules, rule);
        if (one->kind != TOKEN_MAPPING)
            return reading_wrong(&t->in, one, "a rule is a mapping: '{id: acme/push}'");
        if (take_keys(t, one, keys, COUNT_OF(keys), "a rule", rule) < 0)
            return t->in.err->code;
        if (!json_object_get(rule, "id"))
            return reading_wrong(&t->in, one, "a rule names the plugin: '{id: acme/push}'");
    }
    return ERR_OK;
}

/* ---- the rest ---- */

static int take_mode(struct taking *t, const struct token *value)
{
    struct slice s = reading_text(&t->in, value, "'mode'");

    if (!s.ptr)
        return t->in.err->code;
    if (!slice_eq(s, SLICE("installed")) && !slice_eq(s, SLICE("allow-list")))
        return reading_wrong(&t->in, value, "'mode' is 'installed' or 'allow-list'");
    put(t, "mode", text_json(s));
    return ERR_OK;
}

static int take_workspace(struct taking *t, const struct token *value)
{
    if (value->kind != TOKEN_BOOL)
        return reading_wrong(&t->in, value, "'workspace' is true or false");
    put(t, "workspace", json_boolean(value->boolean));
    return ERR_OK;
}

/* A key as it stands, or the absolute path of the file that it is in. */
static int read_key(struct taking *t, const struct token *at, struct slice said,
                    unsigned char ret[ED25519_KEY_SIZE])
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(ED25519_FILE_MAX);
    const char *path = arena_str(t->in.arena, said);
    int r = ERR_OK;

    if (path[0] == '/')
        r = config_load(path, &text, t->in.err);
    else
        buf_add(&text, said);
    if (r == ERR_OK)
        r = ed25519_public(buf_slice(&text), ret, t->in.err);
    if (r == ERR_OK)
        return r;
    const char *why = arena_str(t->in.arena, slice_of(t->in.err->text));
    return reading_wrong(&t->in, at,
                         arena_printf(t->in.arena, "%s%s%s", path[0] == '/' ? path : "",
                                      path[0] == '/' ? ": " : "", why));
}

static int take_signers(struct taking *t, const struct token *value)
{
    json_t *signers = json_object();

    put(t, "signers", signers);
    if (value->kind != TOKEN_MAPPING)
        return reading_wrong(&t->in, value,
                             "'signers' are names and keys: '{acme: /etc/ostler/acme.pub.pem}'");
    for (size_t i = 0; i < value->n_pairs; i++) {
        struct slice name = reading_text(&t->in, value->pairs[i].key, "the name of a signer");
        struct slice said =
            name.ptr ? reading_text(&t->in, value->pairs[i].value, "a key, or the file of one,")
                     : name;
        CLEANUP(buf_deinit) struct buf text = BUF_INIT(256);
        unsigned char key[ED25519_KEY_SIZE];

        if (!said.ptr || read_key(t, value->pairs[i].value, said, key) < 0)
            return t->in.err->code;
        base64_url(&text, slice_make((const char *)key, sizeof key));
        json_object_set_new(signers, arena_str(t->in.arena, name), json_string(text.ptr));
    }
    return ERR_OK;
}

static int take_path(struct taking *t, const struct token *value)
{
    bool many = value->kind == TOKEN_SEQUENCE;

    for (size_t i = 0; i < (many ? value->n_items : 1); i++) {
        const struct token *one = many ? value->items[i] : value;
        struct slice s = reading_text(&t->in, one, "a folder");

        if (!s.ptr)
            return t->in.err->code;
        if (s.ptr[0] != '/')
            return reading_wrong(&t->in, one, "'path' wants absolute paths in a configuration");
        vec_push(&t->to->plugin_path, arena_str(t->in.arena, s));
    }
    return ERR_OK;
}

static void prefer(struct taking *t, const struct token *at, struct slice action, struct slice what)
{
    vec_push(&t->to->options,
             (struct config_option){.name = "plugins",
                                    .value = action.ptr
                                                 ? arena_printf(t->in.arena, "%.*s=%.*s",
                                                                SLICE_ARG(action), SLICE_ARG(what))
                                                 : arena_str(t->in.arena, what),
                                    .file = t->in.file,
                                    .line = at->line,
                                    .col = at->col});
}

static int take_preference(struct taking *t, const struct token_pair *pair)
{
    struct slice what = reading_text(&t->in, pair->value, "'installed', 'never' or 'only'");

    if (!what.ptr)
        return t->in.err->code;
    prefer(t, pair->value, token_text(t->in.arena, pair->key), what);
    return ERR_OK;
}

static int take_prefer(struct taking *t, const struct token *value)
{
    if (value->kind == TOKEN_MAPPING) {
        for (size_t i = 0; i < value->n_pairs; i++)
            if (take_preference(t, &value->pairs[i]) < 0)
                return t->in.err->code;
        return ERR_OK;
    }
    struct slice what = reading_text(&t->in, value, "'installed', 'never' or 'only'");
    if (!what.ptr)
        return t->in.err->code;
    prefer(t, value, (struct slice){0}, what);
    return ERR_OK;
}

/* ---- all of it ---- */

static int check_signers(struct taking *t, const struct token *map)
{
    const struct token *rules = token_find(map, "allow");
    const json_t *known = json_object_get(t->policy, "signers");

    for (size_t i = 0; rules && i < rules->n_items; i++) {
        const struct token *signer = token_find(rules->items[i], "signer");
        const char *name = signer ? arena_str(t->in.arena, token_text(t->in.arena, signer)) : NULL;

        if (name && !json_object_get(known, name))
            return reading_wrong(
                &t->in, signer,
                arena_printf(t->in.arena, "no key of '%.60s' is in 'signers'", name));
    }
    return ERR_OK;
}

/* The short form: names of actions beside the keys, as they are below `prefer`. */
static bool is_action(const struct taking *t, const struct token_pair *pair)
{
    return slice_find_char(token_text(t->in.arena, pair->key), '/') >= 0;
}

int plugin_policy_take(struct arena *a, const char *file, const struct token *map,
                       struct config *to, struct err *err)
{
    static const struct key keys[] = {
        {"path", take_path},           {"prefer", take_prefer},   {"mode", take_mode},
        {"workspace", take_workspace}, {"signers", take_signers}, {"allow", take_allow},
    };
    json_t *policy = json_pack("{s:s}", "file", file);
    struct taking t = {.in = {.arena = a, .file = file, .err = err}, .to = to, .policy = policy};
    struct token rest = *map;
    int r = ERR_OK;

    if (!policy)
        return err_set(err, ERR_INVALID, "the name of a configuration is not UTF-8");
    rest.pairs = arena_array(a, map->n_pairs, sizeof *rest.pairs);
    rest.n_pairs = 0;
    for (size_t i = 0; r == ERR_OK && i < map->n_pairs; i++) {
        if (is_action(&t, &map->pairs[i]))
            r = take_preference(&t, &map->pairs[i]);
        else
            rest.pairs[rest.n_pairs++] = map->pairs[i];
    }
    if (r == ERR_OK)
        r = take_keys(&t, &rest, keys, COUNT_OF(keys), "'plugins'", policy);
    if (r == ERR_OK)
        r = check_signers(&t, map);
    if (r == ERR_OK && t.says) {
        to->policies = to->policies ? to->policies : json_array();
        json_array_append(to->policies, policy);
    }
    json_decref(policy);
    return r;
}

int plugin_policy_read(struct arena *a, const char *path, struct config *to, struct err *err)
{
    struct token *map;
    int r = config_tree(a, path, &map, err);

    if (r < 0 || !map)
        return r;
    return plugin_policy_take(a, arena_str(a, slice_of(path)), map, to, err);
}

int plugin_policy_load(struct arena *a, const char *named, const char *policy, struct config *to,
                       struct err *err)
{
    const char *const one[] = {named, NULL};
    const char *const *files = named ? one : settings_config_files(a);

    for (; *files; files++) {
        int r = config_read(a, *files, to, err);

        if (r < 0 && (named || r != ERR_NOT_FOUND))
            return r;
        *err = (struct err)ERR_INIT;
    }
    return policy ? plugin_policy_read(a, policy, to, err) : ERR_OK;
}
