/* Registering with the tenant itself (github-protocol.md 1.5). */
#include "queue/github/enrol/enrol.h"
#include "queue/github/api/token.h"
#include "queue/loose.h"

#include <sys/utsname.h>

/* ---- pools and names ---- */

/* A group of runners is a pool to the tenant. */
static int choose_pool(struct enrol *e, struct github_settings *s, json_t *keep, struct err *err)
{
    CLEANUP(rest_answer_deinit) struct rest_answer a = {0};
    struct tenant_query q = {TENANT_POOLS, "GET", {{NULL, NULL}}, "poolType=Automation", NULL};
    int r = enrol_ask(e, &q, NULL, &a, err);

    return r < 0 ? r : enrol_choose_group(e, &a, "value", "isInternal", s, keep, err);
}

/* The id of the runner that has our name, in whatever pool; 0: none has. */
static int find_same(struct enrol *e, int64_t *ret, struct err *err)
{
    CLEANUP(rest_answer_deinit) struct rest_answer a = {0};
    CLEANUP(buf_deinit) struct buf query = BUF_INIT(TENANT_URL_MAX);

    buf_add_str(&query, "agentName=");
    github_url_escape(&query, slice_of(e->spec->name));
    buf_add_str(&query, "&includeCapabilities=False");
    struct tenant_query q = {TENANT_AGENTS, "GET", {{"poolId", "0"}}, query.ptr, NULL};
    int r = enrol_ask(e, &q, NULL, &a, err);
    if (r < 0)
        return r;
    if (!rest_is_good(&a))
        return enrol_fail(e, &a, "cannot look whether the name is taken", err);
    *ret = loose_int(json_array_get(loose_find(a.json, "value"), 0), "id", 0);
    return ERR_OK;
}

/* ---- the runner itself ---- */

static json_t *agent_of(const struct enrol *e, const struct github_settings *s, int64_t id)
{
    CLEANUP(loose_wipep) json_t *key = github_settings_key(s->key);
    struct utsname u;
    char system[300] = "Linux";

    if (uname(&u) == 0)
        (void)snprintf(system, sizeof system, "%s %s %s", u.sysname, u.release, u.version);
    return json_pack("{s:I, s:s, s:s, s:s, s:b, s:b, s:i, s:i, s:s, s:s, s:o, s:{s:{s:s, s:s}}}",
                     "id", (json_int_t)id, "name", e->spec->name, "version", e->spec->version,
                     "osDescription", system, "ephemeral", e->spec->ephemeral, "disableUpdate", 1,
                     "maxParallelism", 1, "status", 0, "provisioningState", "Provisioned",
                     "createdOn", "0001-01-01T00:00:00", "labels", enrol_labels(e->spec),
                     "authorization", "publicKey", "exponent", loose_text(key, "exponent"),
                     "modulus", loose_text(key, "modulus"));
}

void enrol_take_back_from_tenant(struct enrol *e, const struct github_settings *s)
{
    CLEANUP(rest_answer_deinit) struct rest_answer a = {0};
    struct err why = ERR_INIT;
    char id[24];

    (void)snprintf(id, sizeof id, "%llu", (unsigned long long)s->agent_id);
    struct tenant_query q = {
        TENANT_AGENTS, "DELETE", {{"poolId", "0"}, {"agentId", id}}, NULL, NULL};
    if (enrol_ask(e, &q, NULL, &a, &why) < 0 || !rest_is_good(&a))
        enrol_is_left(e);
}

/* Holds what was answered against what was asked for, and takes the rest from there. */
static int take_agent(const struct enrol *e, struct github_settings *s, const json_t *agent,
                      json_t *more, struct err *err)
{
    const json_t *authorization = loose_find(agent, "authorization");
    const json_t *bag = loose_find(agent, "properties");

    s->agent_name = loose_text(agent, "name");
    if (!*s->agent_name)
        s->agent_name = e->spec->name;
    s->client_id = loose_text(authorization, "clientId");
    s->authorization_url = s->token_url = loose_text(authorization, "authorizationUrl");
    if (!*s->client_id || !*s->authorization_url)
        return err_set(err, ERR_FAILED, "GitHub's answer does not say how this runner gets tokens");
    if (e->spec->ephemeral && !loose_bool(agent, "ephemeral", false))
        return err_set(err, ERR_UNSUPPORTED,
                       "this server knows no ephemeral runners: leave out --ephemeral");
    if (!loose_bool(agent, "disableUpdate", false))
        return err_set(err, ERR_UNSUPPORTED,
                       "this server knows no runners that update themselves by other means: it is "
                       "too old");
    s->server_url_v2 = loose_text(bag, "ServerUrlV2");
    s->use_v2 = loose_bool(bag, "UseV2Flow", false) && *s->server_url_v2;
    s->fips = loose_bool(bag, "RequireFipsCryptography", true);
    if (loose_bool(bag, "EnableAuthMigrationByDefault", false)) {
        json_object_set_new(more, "enableAuthMigrationByDefault", json_string("true"));
        json_object_set_new(more, "authorizationUrlV2",
                            json_string(loose_text(bag, "AuthorizationUrlV2")));
    }
    return ERR_OK;
}

static int send_agent(struct enrol *e, const struct github_settings *s, int64_t same,
                      struct rest_answer *ret, struct err *err)
{
    CLEANUP(loose_freep) json_t *body = agent_of(e, s, same);
    char id[24], pool[24];

    (void)snprintf(id, sizeof id, "%lld", (long long)same);
    (void)snprintf(pool, sizeof pool, "%lld", (long long)s->pool_id);
    struct tenant_query q = {TENANT_AGENTS,
                             same ? "PUT" : "POST",
                             {{"poolId", pool}, {same ? "agentId" : NULL, id}},
                             NULL,
                             NULL};
    return enrol_ask(e, &q, body, ret, err);
}

static const struct enrol_way way = {find_same, send_agent, enrol_take_back_from_tenant};

/* ---- does it work? ---- */

struct proof {
    bool over;
    struct err err;
};

static void on_token(void *ctx, const char *token, enum github_token_trouble trouble,
                     const struct err *err)
{
    struct proof *p = ctx;

    (void)token;
    (void)trouble;
    p->over = true;
    if (err)
        p->err = *err;
}

/* Where the old queue will be used: a first token, with the new key. What is wrong with it is better known now than when
 * the first job waits. */
static int prove(struct enrol *e, const struct github_settings *s, struct err *err)
{
    const struct github_token_spec spec = {
        .retry_ms = e->spec->retry_ms, .note = e->spec->note, .ctx = e->spec->ctx};
    struct github_token *token = github_token_new(s, e->spec->http, e->spec->loop, &spec);
    struct proof p = {false, ERR_INIT};
    int r = ERR_OK;

    github_token_get(token, on_token, &p);
    while (!p.over && r == ERR_OK)
        r = loop_turn(e->spec->loop, INT64_MAX, err);
    github_token_free(token);
    if (r == ERR_OK && p.err.code) {
        *err = p.err;
        r = p.err.code;
    }
    return r;
}

int enrol_by_tenant(struct enrol *e, struct github_settings *s, json_t **keep, json_t *more,
                    struct err *err)
{
    json_t *agent = NULL;
    int64_t same;

    *keep = json_object();
    int r = enrol_discover(e, err);
    if (r == ERR_OK)
        r = choose_pool(e, s, *keep, err);
    if (r == ERR_OK)
        r = find_same(e, &same, err);
    if (r == ERR_OK && same)
        r = enrol_may_replace(e, err);
    if (r < 0)
        return r;
    s->key = rsa_key_new();
    r = enrol_make(e, s, &way, same, &agent, err);
    if (r < 0)
        return r;
    json_object_set_new(*keep, "agent", agent);
    s->agent_id = (uint64_t)loose_int(agent, "id", 0);
    r = take_agent(e, s, agent, more, err);
    if (r == ERR_OK && !s->use_v2)
        r = prove(e, s, err);
    if (r < 0)
        enrol_take_back_from_tenant(e, s);
    return r;
}
