/* What goes into a store-child and what comes out of it. */
#include "store/child.h"
#include "store/fields.h"

#include <jansson.h>

#include "base/utf8.h"

static json_t *map_json(const struct strmap *map)
{
    json_t *json = json_object();

    STRMAP_EACH (i, map)
        json_object_set_new(json, i->name, field_text(i->value));
    return json;
}

static json_t *given_json(const struct store_given *given)
{
    json_t *json = json_object();

    json_object_set_new(json, "repository", field_text(given->repository));
    json_object_set_new(json, "sha", field_text(given->sha));
    json_object_set_new(json, "url", field_text(given->url));
    json_object_set_new(json, "header", field_text(given->header));
    return json;
}

/* What git may be told when a workflow names the server: how it is reached, but nothing that proves who we are. */
static const char *const *without_keys(struct arena *a, const char *const *env)
{
    static const char *const kept[] = {
        "http_proxy=",   "https_proxy=",    "no_proxy=",       "all_proxy=",     "SSL_CERT_FILE=",
        "SSL_CERT_DIR=", "CURL_CA_BUNDLE=", "GIT_SSL_CAINFO=", "GIT_SSL_CAPATH="};
    size_t n = 0, left = 0;

    while (env && env[n])
        n++;
    const char **list = arena_array(a, n + 1, sizeof *list);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < COUNT_OF(kept); k++)
            if (strncasecmp(env[i], kept[k], strlen(kept[k])) == 0)
                list[left++] = env[i];
    return list;
}

char *store_request_format(const struct store_spec *spec, const struct action_ref *ref)
{
    static const struct strmap none = STRMAP_INIT;
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    bool stranger = ref->source != NULL;
    json_t *json = json_object();
    char uses[2 * ACTION_NAME_MAX + ACTION_VERSION_MAX + 8];

    snprintf(uses, sizeof uses, "%s@%s", ref->repository, ref->ref);
    json_object_set_new(json, "folder", field_text(spec->folder));
    json_object_set_new(json, "source", field_text(stranger ? ref->source : spec->source));
    json_object_set_new(json, "login", field_text(spec->login));
    json_object_set_new(json, "header", field_text(spec->login_header));
    json_object_set_new(json, "offline", json_boolean(spec->offline));
    json_object_set_new(json, "budget", json_integer(spec->budget));
    json_object_set_new(json, "since", json_integer(spec->since));
    json_object_set_new(json, "locks", map_json(spec->locks ? spec->locks : &none));
    json_object_set_new(json, "clones", map_json(spec->clones && !stranger ? spec->clones : &none));
    json_object_set_new(json, "path", field_text(spec->git.path));
    json_object_set_new(json, "stranger", json_boolean(stranger));
    json_object_set_new(json, "home", field_text(stranger ? NULL : spec->git.home));
    json_object_set_new(json, "config", field_text(stranger ? NULL : spec->git.xdg_config_home));
    json_object_set_new(json, "env",
                        field_list(stranger ? without_keys(&a, spec->git.more) : spec->git.more));
    json_object_set_new(json, "uses", field_text(uses));
    json_object_set_new(json, "retry", json_integer(spec->retry_ms));
    if (spec->given && spec->given->url)
        json_object_set_new(json, "given", given_json(spec->given));
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

static void map_member(struct strmap *to, const json_t *json, const char *name)
{
    json_t *map = json_object_get(json, name), *value;
    const char *key;

    json_object_foreach (map, key, value)
        if (json_is_string(value))
            strmap_set(to, slice_of(key), slice_of(json_string_value(value)));
}

int store_request_parse(struct slice text, struct store_request *ret, struct err *err)
{
    struct arena *a = &ret->arena;
    json_t *json = json_loadb(text.ptr, text.len, 0, NULL);

    ret->locks = (struct strmap)STRMAP_INIT;
    ret->clones = (struct strmap)STRMAP_INIT_NOCASE;
    map_member(&ret->locks, json, "locks");
    map_member(&ret->clones, json, "clones");
    ret->spec = (struct store_spec){
        .folder = field_get_text(a, json, "folder"),
        .source = field_get_text(a, json, "source"),
        .offline = json_is_true(json_object_get(json, "offline")),
        .budget = json_integer_value(json_object_get(json, "budget")),
        .since = json_integer_value(json_object_get(json, "since")),
        .retry_ms = json_integer_value(json_object_get(json, "retry")),
        .stranger = json_is_true(json_object_get(json, "stranger")),
        .login = field_get_text(a, json, "login"),
        .login_header = field_get_text(a, json, "header"),
        .locks = &ret->locks,
        .clones = &ret->clones,
        .git = {.path = field_get_text(a, json, "path"),
                .home = field_get_text(a, json, "home"),
                .xdg_config_home = field_get_text(a, json, "config"),
                .more = field_get_list(a, json, "env")},
    };
    ret->uses = field_get_text(a, json, "uses");
    const json_t *given = json_object_get(json, "given");
    ret->given = (struct store_given){
        .repository = field_get_text(a, given, "repository"),
        .sha = field_get_text(a, given, "sha"),
        .url = field_get_text(a, given, "url"),
        .header = field_get_text(a, given, "header"),
    };
    if (given)
        ret->spec.given = &ret->given;
    json_decref(json);
    if (ret->spec.given && store_given_check(&ret->given, err) < 0)
        return err->code;
    if (!ret->spec.folder || ret->spec.folder[0] != '/' || !ret->spec.source || !ret->uses ||
        !ret->spec.login != !ret->spec.login_header)
        return err_set(err, ERR_INVALID, "that is no request to the store");
    return ERR_OK;
}

void store_request_deinit(struct store_request *r)
{
    strmap_deinit(&r->locks);
    strmap_deinit(&r->clones);
    arena_deinit(&r->arena);
}

char *store_answer_format(int r, const struct store_entry *entry, const struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    json_t *json = json_object();

    if (r < 0) { /* servers' words are in it */
        json_object_set_new(json, "code", json_integer(r));
        json_object_set_new(json, "error",
                            field_text(utf8_text(&a, arena_str(&a, slice_of(err->text)))));
    } else {
        json_object_set_new(json, "sha", field_text(entry->sha));
        json_object_set_new(json, "path", field_text(entry->path));
        if (entry->note)
            json_object_set_new(json, "note",
                                field_text(utf8_text(&a, arena_str(&a, slice_of(entry->note)))));
    }
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

int store_answer_parse(struct slice text, struct arena *a, struct store_entry *ret, struct err *err)
{
    json_t *json = json_loadb(text.ptr, text.len, 0, NULL);
    json_int_t code = json_integer_value(json_object_get(json, "code"));
    const char *sha = field_get_text(a, json, "sha"), *path = field_get_text(a, json, "path");
    const char *why = field_get_text(a, json, "error"), *note = field_get_text(a, json, "note");

    json_decref(json);
    if (why)
        return err_set(err, code >= ERR_FAILED && code < 0 ? (int)code : ERR_FAILED, "%s", why);
    if (!sha || !action_ref_is_commit(slice_of(sha)) || !path || path[0] != '/')
        return err_set(err, ERR_INVALID, "the store gave no answer that can be read");
    *ret = (struct store_entry){.path = path, .note = note};
    snprintf(ret->sha, sizeof ret->sha, "%s", sha);
    return ERR_OK;
}
