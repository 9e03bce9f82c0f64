/* Registering with GitHub's REST interface (github-protocol.md 1.6). */
#include "queue/github/enrol/enrol.h"
#include "queue/loose.h"

enum { GROUP_DEFAULT = 1 };

/* The official runner shows the token that it was given; another client shows the tenant's. No capture tells which one
 * the service wants (12.1, 3). */
static int ask(struct enrol *e, const char *method, const char *path, const json_t *body,
               struct rest_answer *ret, struct err *err)
{
    int r =
        rest_ask(e->spec->http, &e->place, method, path, "RemoteAuth", e->token, body, ret, err);

    if (r < 0 || (ret->status != 401 && ret->status != 403))
        return r;
    rest_answer_deinit(ret);
    return rest_ask(e->spec->http, &e->place, method, path, "Bearer", e->tenant_token, body, ret,
                    err);
}

static int choose_group(struct enrol *e, struct github_settings *s, json_t *keep, struct err *err)
{
    CLEANUP(rest_answer_deinit) struct rest_answer a = {0};
    CLEANUP(buf_deinit) struct buf path = BUF_INIT(4096);
    buf_printf(&path, "%s/actions/runner-groups", e->place.entity);
    int r = ask(e, "GET", path.ptr, NULL, &a, err);
    if (r < 0)
        return r;
    if ((a.status == 403 || a.status == 404) && !e->spec->group &&
        e->place.scope == GITHUB_REPOSITORY) { /* a repository has no groups of its own (10.7) */
        s->pool_id = GROUP_DEFAULT;
        s->pool_name = "Default";
        return ERR_OK;
    }
    return enrol_choose_group(e, &a, "runner_groups", "default", s, keep, err);
}

static int find_same(struct enrol *e, int64_t *ret, struct err *err)
{
    CLEANUP(rest_answer_deinit) struct rest_answer a = {0};
    CLEANUP(buf_deinit) struct buf path = BUF_INIT(8192);
    json_t *one;
    size_t i;

    buf_printf(&path, "%s/actions/runners?name=", e->place.entity);
    github_url_escape(&path, slice_of(e->spec->name));
    int r = ask(e, "GET", path.ptr, NULL, &a, err);
    if (r < 0)
        return r;
    if (!rest_is_good(&a))
        return enrol_fail(e, &a, "cannot look whether the name is taken", err);
    *ret = 0;
    json_array_foreach (loose_find(a.json, "runners"), i, one)
        if (slice_eq_nocase(slice_of(loose_text(one, "name")), slice_of(e->spec->name)))
            *ret = loose_int(one, "id", 0);
    return ERR_OK;
}

static json_t *runner_of(const struct enrol *e, const struct github_settings *s, int64_t same)
{
    CLEANUP(loose_wipep) json_t *key = github_settings_key(s->key);
    CLEANUP(buf_deinit) struct buf xml = BUF_INIT(4096);

    buf_printf(&xml, "<RSAKeyValue><Modulus>%s</Modulus><Exponent>%s</Exponent></RSAKeyValue>",
               loose_text(key, "modulus"), loose_text(key, "exponent"));
    json_t *body =
        json_pack("{s:s, s:I, s:s, s:s, s:b, s:b, s:o, s:s}", "url", e->place.url, "group_id",
                  (json_int_t)s->pool_id, "name", e->spec->name, "version", e->spec->version,
                  "updates_disabled", 1, "ephemeral", e->spec->ephemeral, "labels",
                  enrol_labels(e->spec), "public_key", xml.ptr);
    if (same) {
        json_object_set_new(body, "runner_id", json_integer((json_int_t)same));
        json_object_set_new(body, "replace", json_true());
    }
    return body;
}

/* With the token that removes, where we can get one: the one that registers may be good for that alone. */
void enrol_take_back_from_admin(struct enrol *e, const struct github_settings *s)
{
    CLEANUP(rest_answer_deinit) struct rest_answer a = {0};
    CLEANUP(buf_deinit) struct buf path = BUF_INIT(4096);
    struct err why = ERR_INIT;

    if (!s->agent_id || (e->spec->pat && enrol_exchange(e, "remove", &why) < 0)) {
        enrol_is_left(e);
        return;
    }
    buf_printf(&path, "%s/actions/runners/%llu", e->place.entity, (unsigned long long)s->agent_id);
    if (ask(e, "DELETE", path.ptr, NULL, &a, &why) < 0 || !rest_is_good(&a))
        enrol_is_left(e);
}

/* An older address for tokens, where there is one, is the one to use; the official runner moves on to the other by
 * itself (2.7). */
static int take_runner(const struct enrol *e, struct github_settings *s, const json_t *runner,
                       json_t *more, struct err *err)
{
    const json_t *authorization = loose_find(runner, "authorization");
    const char *now = loose_text(authorization, "authorization_url");
    const char *before = loose_text(authorization, "legacy_authorization_url");

    s->agent_id = (uint64_t)loose_int(runner, "id", 0);
    s->agent_name = *loose_text(runner, "name") ? loose_text(runner, "name") : e->spec->name;
    s->server_url_v2 = loose_text(authorization, "server_url");
    s->client_id = loose_text(authorization, "client_id");
    s->authorization_url = s->token_url = *before ? before : now;
    s->use_v2 = s->use_runner_admin = s->fips = true;
    if (*before) {
        json_object_set_new(more, "enableAuthMigrationByDefault", json_string("true"));
        json_object_set_new(more, "authorizationUrlV2", json_string(now));
    }
    if (!s->agent_id || !*s->server_url_v2 || !*s->client_id || !*s->authorization_url)
        return err_set(err, ERR_FAILED,
                       "GitHub's answer does not say how this runner gets tokens and jobs");
    return ERR_OK;
}

static int send_runner(struct enrol *e, const struct github_settings *s, int64_t same,
                       struct rest_answer *ret, struct err *err)
{
    CLEANUP(loose_freep) json_t *body = runner_of(e, s, same);

    return ask(e, "POST", "actions/runners/register", body, ret, err);
}

static const struct enrol_way way = {find_same, send_runner, enrol_take_back_from_admin};

int enrol_by_admin(struct enrol *e, struct github_settings *s, json_t **keep, json_t *more,
                   struct err *err)
{
    json_t *runner = NULL;
    int64_t same = 0;

    *keep = json_object();
    int r = choose_group(e, s, *keep, err);
    if (r == ERR_OK)
        r = find_same(e, &same, err);
    if (r == ERR_OK && same)
        r = enrol_may_replace(e, err);
    if (r < 0)
        return r;
    s->key = rsa_key_new();
    r = enrol_make(e, s, &way, same, &runner, err);
    if (r < 0)
        return r;
    json_object_set_new(*keep, "runner", runner);
    r = take_runner(e, s, runner, more, err);
    if (r < 0)
        enrol_take_back_from_admin(e, s);
    return r;
}
