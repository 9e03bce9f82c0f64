/* What goes into a store-child and what comes out of it. */
#include "store/child.h"

#include <jansson.h>

#include "base/utf8.h"

static json_t *text_json(const char *text)
{
    json_t *json = text ? json_string(text) : NULL; /* NULL for what is no UTF-8, too */

    return json ? json : json_null();
}

static json_t *list_json(const char *const *list)
{
    json_t *json = json_array();

    for (; list && *list; list++)
        json_array_append_new(json, text_json(*list));
    return json;
}

static json_t *map_json(const struct strmap *map)
{
    json_t *json = json_object();

    STRMAP_EACH (i, map)
        json_object_set_new(json, i->name, text_json(i->value));
    return json;
}

static json_t *given_json(const struct store_given *given)
{
    json_t *json = json_object();

    json_object_set_new(json, "repository", text_json(given->repository));
    json_object_set_new(json, "sha", text_json(given->sha));
    json_object_set_new(json, "url", text_json(given->url));
    json_object_set_new(json, "header", text_json(given->header));
    return json;
}

char *store_request_format(const struct store_spec *spec, const struct action_ref *ref)
{
    static const struct strmap none = STRMAP_INIT;
    json_t *json = json_object();
    char uses[2 * ACTION_NAME_MAX + ACTION_VERSION_MAX + 8];

    snprintf(uses, sizeof uses, "%s@%s", ref->repository, ref->ref);
    json_object_set_new(json, "folder", text_json(spec->folder));
    json_object_set_new(json, "source", text_json(spec->source));
    json_object_set_new(json, "offline", json_boolean(spec->offline));
    json_object_set_new(json, "budget", json_integer(spec->budget));
    json_object_set_new(json, "since", json_integer(spec->since));
    json_object_set_new(json, "locks", map_json(spec->locks ? spec->locks : &none));
    json_object_set_new(json, "clones", map_json(spec->clones ? spec->clones : &none));
    json_object_set_new(json, "path", text_json(spec->git.path));
    json_object_set_new(json, "home", text_json(spec->git.home));
    json_object_set_new(json, "config", text_json(spec->git.xdg_config_home));
    json_object_set_new(json, "env", list_json(spec->git.more));
    json_object_set_new(json, "uses", text_json(uses));
    json_object_set_new(json, "retry", json_integer(spec->retry_ms));
    if (spec->given && spec->given->url)
        json_object_set_new(json, "given", given_json(spec->given));
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

/* In the arena; NULL: there is none. */
static const char *member(struct arena *a, const json_t *json, const char *name)
{
    const json_t *value = json_object_get(json, name);

    return json_is_string(value) ? arena_str(a, slice_of(json_string_value(value))) : NULL;
}

static const char *const *list_member(struct arena *a, const json_t *json, const char *name)
{
    const json_t *list = json_object_get(json, name);
    const char **ret = arena_array(a, json_array_size(list) + 1, sizeof *ret);
    size_t i, n = 0;
    json_t *item;

    json_array_foreach (list, i, item)
        if (json_is_string(item))
            ret[n++] = arena_str(a, slice_of(json_string_value(item)));
    return ret;
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
        .folder = member(a, json, "folder"),
        .source = member(a, json, "source"),
        .offline = json_is_true(json_object_get(json, "offline")),
        .budget = json_integer_value(json_object_get(json, "budget")),
        .since = json_integer_value(json_object_get(json, "since")),
        .retry_ms = json_integer_value(json_object_get(json, "retry")),
        .locks = &ret->locks,
        .clones = &ret->clones,
        .git = {.path = member(a, json, "path"),
                .home = member(a, json, "home"),
                .xdg_config_home = member(a, json, "config"),
                .more = list_member(a, json, "env")},
    };
    ret->uses = member(a, json, "uses");
    const json_t *given = json_object_get(json, "given");
    ret->given = (struct store_given){
        .repository = member(a, given, "repository"),
        .sha = member(a, given, "sha"),
        .url = member(a, given, "url"),
        .header = member(a, given, "header"),
    };
    if (given)
        ret->spec.given = &ret->given;
    json_decref(json);
    if (ret->spec.given && store_given_check(&ret->given, err) < 0)
        return err->code;
    if (!ret->spec.folder || ret->spec.folder[0] != '/' || !ret->spec.source || !ret->uses)
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
                            text_json(utf8_text(&a, arena_str(&a, slice_of(err->text)))));
    } else {
        json_object_set_new(json, "sha", text_json(entry->sha));
        json_object_set_new(json, "path", text_json(entry->path));
        if (entry->note)
            json_object_set_new(json, "note",
                                text_json(utf8_text(&a, arena_str(&a, slice_of(entry->note)))));
    }
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

int store_answer_parse(struct slice text, struct arena *a, struct store_entry *ret, struct err *err)
{
    json_t *json = json_loadb(text.ptr, text.len, 0, NULL);
    json_int_t code = json_integer_value(json_object_get(json, "code"));
    const char *sha = member(a, json, "sha"), *path = member(a, json, "path");
    const char *why = member(a, json, "error"), *note = member(a, json, "note");

    json_decref(json);
    if (why)
        return err_set(err, code >= ERR_FAILED && code < 0 ? (int)code : ERR_FAILED, "%s", why);
    if (!sha || !action_ref_is_commit(slice_of(sha)) || !path || path[0] != '/')
        return err_set(err, ERR_INVALID, "the store gave no answer that can be read");
    *ret = (struct store_entry){.path = path, .note = note};
    snprintf(ret->sha, sizeof ret->sha, "%s", sha);
    return ERR_OK;
}
