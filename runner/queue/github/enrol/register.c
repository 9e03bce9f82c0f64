#include "queue/github/enrol/register.h"

#include "queue/github/enrol/enrol.h"
#include "queue/loose.h"

/* ---- what is asked for ---- */

bool github_is_clean(const char *text, size_t max)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    return len > 0 && len <= max;
}

static int check_spec(const struct github_register_spec *s, struct err *err)
{
    size_t n = 0;

    if (!github_is_clean(s->name, GITHUB_NAME_MAX))
        return err_set(err, ERR_INVALID,
                       "a runner's name has 1 to %d bytes and no control characters: choose one "
                       "with --name",
                       GITHUB_NAME_MAX);
    for (const char *const *one = s->labels; one && *one; one++, n++)
        if (!github_is_clean(*one, GITHUB_LABEL_MAX) || strchr(*one, ','))
            return err_set(err, ERR_INVALID,
                           "'%.60s' is no label: one has 1 to %d bytes, no comma and no control "
                           "characters",
                           *one, GITHUB_LABEL_MAX);
    if (n > GITHUB_LABELS_MAX)
        return err_set(err, ERR_LIMIT, "a runner has at most %d labels", GITHUB_LABELS_MAX);
    if (n == 0 && s->no_default_labels)
        return err_set(err, ERR_INVALID,
                       "without the default labels a runner needs others: name them with --labels");
    return ERR_OK;
}

/* ---- registering ---- */

static json_t *documents(const struct github_settings *s, const json_t *more,
                         const struct github_register_spec *spec)
{
    json_t *runner = github_settings_runner(s), *credentials = github_settings_credentials(s);
    json_t *labels = json_array();

    /* Beyond what the official runner keeps, and passes over: it is shown to people. */
    for (const char *const *one = spec->labels; one && *one; one++)
        json_array_append_new(labels, json_string(*one));
    json_object_set_new(runner, "labels", labels);
    json_object_update(json_object_get(credentials, "data"), (json_t *)(uintptr_t)more);
    return json_pack("{s:o, s:o, s:o}", ".runner", runner, ".credentials", credentials,
                     ".credentials_rsaparams", github_settings_key(s->key));
}

static int keep_it(struct enrol *e, const struct github_settings *s, const json_t *more,
                   json_t **ret, struct err *err)
{
    json_t *files = documents(s, more, e->spec);
    int r = e->spec->keep ? e->spec->keep(e->spec->keep_ctx, files, err) : ERR_OK;

    if (r == ERR_OK) {
        *ret = files;
        return ERR_OK;
    }
    loose_wipe(files);
    if (e->use_v2_flow)
        enrol_take_back_from_admin(e, s);
    else
        enrol_take_back_from_tenant(e, s);
    return r;
}

int github_register(const struct github_register_spec *spec, json_t **ret, struct err *err)
{
    CLEANUP(enrol_deinit) struct enrol e = {.spec = spec};
    CLEANUP(loose_freep) json_t *keep = NULL;
    CLEANUP(loose_freep) json_t *more = json_object();
    int r = check_spec(spec, err);

    if (r == ERR_OK)
        r = enrol_begin(&e, "register", err);
    if (r < 0)
        return r;
    struct github_settings s = {
        .github_url = e.place.url,
        .server_url = e.tenant_url,
        .work_folder = spec->work_folder,
        .is_hosted = e.place.hosted,
        .ephemeral = spec->ephemeral,
        .disable_update = true, /* a release of ours is not replaced by one of theirs (9.5) */
        .access_token = "",
    };
    r = e.use_v2_flow ? enrol_by_admin(&e, &s, &keep, more, err)
                      : enrol_by_tenant(&e, &s, &keep, more, err);
    if (r == ERR_OK)
        r = keep_it(&e, &s, more, ret, err);
    rsa_key_free(s.key);
    return r;
}

/* ---- removing ---- */

static int remove_by_admin(const struct enrol *e, const struct github_settings *s, struct err *err)
{
    CLEANUP(rest_answer_deinit) struct rest_answer a = {0};
    CLEANUP(buf_deinit) struct buf path = BUF_INIT(4096);

    buf_printf(&path, "%s/actions/runners/%llu", e->place.entity, (unsigned long long)s->agent_id);
    int r = rest_ask(e->spec->http, &e->place, "DELETE", path.ptr, "RemoteAuth", e->token, NULL, &a,
                     err);
    if (r < 0 || rest_is_good(&a) || a.status == 404)
        return r;
    return enrol_fail(e, &a, "cannot remove the runner", err);
}

/* Is it there still, as far as the tenant knows? */
static int find_agent(const struct enrol *e, const struct github_settings *s, bool *ret,
                      struct err *err)
{
    CLEANUP(rest_answer_deinit) struct rest_answer a = {0};
    CLEANUP(buf_deinit) struct buf query = BUF_INIT(TENANT_URL_MAX);
    json_t *one;
    size_t i;

    buf_add_str(&query, "agentName=");
    github_url_escape(&query, slice_of(s->agent_name));
    struct tenant_query q = {TENANT_AGENTS, "GET", {{"poolId", "0"}}, query.ptr, NULL};
    int r = enrol_ask(e, &q, NULL, &a, err);
    if (r < 0)
        return r;
    if (!rest_is_good(&a))
        return enrol_fail(e, &a, "cannot look for the runner", err);
    *ret = false;
    json_array_foreach (loose_find(a.json, "value"), i, one)
        *ret = *ret || (uint64_t)loose_int(one, "id", 0) == s->agent_id;
    return ERR_OK;
}

static int remove_by_tenant(struct enrol *e, const struct github_settings *s, struct err *err)
{
    CLEANUP(rest_answer_deinit) struct rest_answer a = {0};
    char id[24];
    bool there;
    int r = enrol_discover(e, err);

    if (r == ERR_OK)
        r = find_agent(e, s, &there, err);
    if (r < 0 || !there)
        return r;
    (void)snprintf(id, sizeof id, "%llu", (unsigned long long)s->agent_id);
    struct tenant_query q = {
        TENANT_AGENTS, "DELETE", {{"poolId", "0"}, {"agentId", id}}, NULL, NULL};
    r = enrol_ask(e, &q, NULL, &a, err);
    if (r < 0 || rest_is_good(&a) || a.status == 404)
        return r;
    return enrol_fail(e, &a, "cannot remove the runner", err);
}

static void free_settings(struct github_settings **s)
{
    github_settings_free(*s);
}

int github_unregister(const struct registration *registration,
                      const struct github_register_spec *spec, struct err *err)
{
    CLEANUP(free_settings) struct github_settings *s = NULL;
    struct github_register_spec with_url = *spec;
    CLEANUP(enrol_deinit) struct enrol e = {.spec = &with_url};
    int r = github_settings_load(registration, true, &s, err);

    if (r < 0)
        return r;
    with_url.url = s->github_url;
    /* The way that it came: the tenant of one that came by the other need not be there any more. */
    r = s->use_runner_admin ? enrol_place(&e, "remove", err) : enrol_begin(&e, "remove", err);
    if (r < 0)
        return r;
    return s->use_runner_admin ? remove_by_admin(&e, s, err) : remove_by_tenant(&e, s, err);
}
