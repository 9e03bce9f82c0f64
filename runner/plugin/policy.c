#include "plugin/policy.h"

#include "plugin/version.h"

#include <ctype.h>

enum { RULES_MAX = 10000, TEXTS_MAX = 1000 };

struct reading {
    struct arena *arena;
    const char *file;
    struct err *err;
};

static int wrong(const struct reading *r, const char *what)
{
    return err_set(r->err, ERR_INVALID, "the plugin policy of '%s': %s", r->file, what);
}

static bool is_port(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!isdigit((unsigned char)s.ptr[i]))
            return false;
    return s.len > 0 && s.len <= 5;
}

bool policy_is_host(struct slice s)
{
    ssize_t colon = s.len && s.ptr[0] == '[' ? -1 : slice_find_char(s, ':');

    if (colon >= 0) {
        if (!is_port(slice_from(s, (size_t)colon + 1)))
            return false;
        s = slice_head(s, (size_t)colon);
    }
    if (slice_starts(s, SLICE("*.")))
        s = slice_from(s, 2);
    for (size_t i = 0; i < s.len; i++)
        if (!isalnum((unsigned char)s.ptr[i]) && !strchr("-._[]:", s.ptr[i]))
            return false;
    return s.len > 0 && s.len <= 253;
}

static const char *text_of(const struct reading *r, const json_t *from, const char *key)
{
    const json_t *j = json_object_get(from, key);

    return json_is_string(j) ? arena_str(r->arena, slice_of(json_string_value(j))) : NULL;
}

/* A list of texts; NULL: there is none. */
static int texts_of(const struct reading *r, const json_t *from, const char *key,
                    const char *const **ret)
{
    const json_t *list = json_object_get(from, key);
    size_t n = json_array_size(list);

    *ret = NULL;
    if (!list)
        return ERR_OK;
    if (!json_is_array(list) || n > TEXTS_MAX)
        return wrong(r, "a list is none, or too long");
    const char **texts = arena_array(r->arena, n + 1, sizeof *texts);
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(list, i));

        if (!text)
            return wrong(r, "a list holds what is no text");
        texts[i] = arena_str(r->arena, slice_of(text));
    }
    *ret = texts;
    return ERR_OK;
}

static int read_rule(const struct reading *r, const json_t *from, struct trust_rule *ret)
{
    ret->id = text_of(r, from, "id");
    ret->version = text_of(r, from, "version");
    ret->signer = text_of(r, from, "signer");
    if (!ret->id)
        return wrong(r, "a rule names no plugin");
    if (ret->version && !range_is_valid(slice_of(ret->version)))
        return wrong(r, "a rule's versions are no range");
    if (texts_of(r, from, "sha256", &ret->sha256) < 0)
        return r->err->code;
    return texts_of(r, from, "network", &ret->network);
}

static int read_rules(const struct reading *r, const json_t *list, struct trust_policy *ret)
{
    size_t n = json_array_size(list);

    if (list && (!json_is_array(list) || n > RULES_MAX))
        return wrong(r, "'allow' is no list, or too long");
    struct trust_rule *rules = arena_array(r->arena, n, sizeof *rules);
    ret->rules = rules;
    for (; ret->n_rules < n; ret->n_rules++)
        if (read_rule(r, json_array_get(list, ret->n_rules), &rules[ret->n_rules]) < 0)
            return r->err->code;
    return ERR_OK;
}

static int read_signers(const struct reading *r, json_t *object, struct trust_policy *ret)
{
    size_t n = json_object_size(object);
    struct trust_signer *signers = arena_array(r->arena, n, sizeof *signers);
    const char *name;
    json_t *key;

    ret->signers = signers;
    json_object_foreach (object, name, key) {
        struct trust_signer *one = &signers[ret->n_signers++];

        one->name = arena_str(r->arena, slice_of(name));
        if (ed25519_public(slice_of(json_string_value(key)), one->key, r->err) < 0)
            return wrong(r, "a signer's key is none");
    }
    return ERR_OK;
}

static int read_one(const struct reading *r, json_t *from, struct trust_policy *ret)
{
    const char *mode = text_of(r, from, "mode");
    const json_t *workspace = json_object_get(from, "workspace");

    ret->file = r->file;
    if (mode && strcmp(mode, "allow-list") == 0)
        ret->mode = TRUST_ALLOW_LIST;
    else if (mode && strcmp(mode, "installed") != 0)
        return wrong(r, "its mode is unknown");
    if (json_is_boolean(workspace))
        ret->workspace = json_is_true(workspace) ? TRUST_WORKSPACE_YES : TRUST_WORKSPACE_NO;
    if (read_signers(r, json_object_get(from, "signers"), ret) < 0)
        return r->err->code;
    return read_rules(r, json_object_get(from, "allow"), ret);
}

int policy_read(struct arena *a, const json_t *json, const struct trust_policy **ret,
                struct err *err)
{
    struct trust_policy *last = NULL;
    const struct trust_policy *first = NULL;
    struct reading r = {a, "?", err};
    json_t *one;
    size_t i;

    json_array_foreach (json, i, one) {
        struct trust_policy *p = ARENA_NEW(a, struct trust_policy);
        const char *file = text_of(&r, one, "file");

        r.file = file ? file : "?";
        if (read_one(&r, one, p) < 0)
            return err->code;
        if (last)
            last->next = p;
        else
            first = p;
        last = p;
    }
    *ret = first;
    return ERR_OK;
}
