#include "queue/github/settings.h"

#include "base/arena.h"
#include "base/base64.h"
#include "queue/loose.h"

#include <stddef.h>

static const char runner_file[] = ".runner", credentials_file[] = ".credentials",
                  key_file[] = ".credentials_rsaparams";

struct own {                      /* settings as they are here */
    struct github_settings shown; /* first */
    struct arena arena;
};

static void wipe(struct buf *b)
{
    explicit_bzero(b->ptr, b->len);
    buf_deinit(b);
}

/* ---- hosts ---- */

/* "github.com" of "https://github.com:443/acme". */
static struct slice host_of(struct slice url)
{
    ssize_t at = slice_find(url, SLICE("://"));
    size_t n = 0;

    url = slice_from(url, at < 0 ? 0 : (size_t)at + 3);
    while (n < url.len && !strchr("/?#:", url.ptr[n]))
        n++;
    return slice_head(url, n);
}

static bool ends_in(struct slice host, const char *const *ends)
{
    for (; *ends; ends++) {
        struct slice end = slice_of(*ends);

        if (host.len >= end.len && slice_eq_nocase(slice_from(host, host.len - end.len), end))
            return true;
    }
    return false;
}

bool github_is_hosted(struct slice url)
{
    static const char *const names[] = {"github.com", "www.github.com", "github.localhost"};
    static const char *const ends[] = {".ghe.com", ".ghe.localhost", NULL};
    struct slice host = host_of(url);

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (slice_eq_nocase(host, slice_of(names[i])))
            return true;
    return ends_in(host, ends);
}

/* As the official runner finds it out where the file does not say it; just-in-time configurations do not. */
static bool is_hosted(const struct github_settings *s)
{
    static const char *const tenants[] = {".actions.githubusercontent.com", ".codedev.ms", NULL};
    static const char *const brokers[] = {".actions.githubusercontent.com",
                                          ".githubapp.com",
                                          ".ghe.com",
                                          ".actions.localhost",
                                          ".ghe.localhost",
                                          NULL};

    if (*s->github_url)
        return github_is_hosted(slice_of(s->github_url));
    if (*s->server_url)
        return ends_in(host_of(slice_of(s->server_url)), tenants);
    return !*s->server_url_v2 || ends_in(host_of(slice_of(s->server_url_v2)), brokers);
}

/* ---- keys ---- */

static const struct number { /* by the names that .NET gives them */
    const char *name;
    size_t at, size;
} numbers[] = {
#define NUMBER(name, member)                                                                       \
    {                                                                                              \
        name, offsetof(struct rsa_numbers, member), sizeof(((struct rsa_numbers *)0)->member)      \
    }
    NUMBER("d", d),
    NUMBER("dp", dp),
    NUMBER("dq", dq),
    NUMBER("exponent", exponent),
    NUMBER("inverseQ", inverse_q),
    NUMBER("modulus", modulus),
    NUMBER("p", p),
    NUMBER("q", q),
#undef NUMBER
};

/* BYTES of any width, made as wide as they have to be. */
static bool put_number(struct slice bytes, unsigned char *to, size_t size)
{
    while (bytes.len > size && bytes.ptr[0] == 0)
        bytes = slice_from(bytes, 1);
    if (bytes.len == 0 || bytes.len > size)
        return false;
    memset(to, 0, size - bytes.len);
    memcpy(to + size - bytes.len, bytes.ptr, bytes.len);
    return true;
}

static int parse_numbers(const json_t *document, struct rsa_numbers *ret, struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        CLEANUP(wipe) struct buf bytes = BUF_INIT(4 * RSA_KEY_SIZE);
        struct err ignored = ERR_INIT; /* what is wrong is said below, for all ways to be wrong */
        struct slice text = slice_of(loose_text(document, numbers[i].name));

        if (base64_decode(text, &bytes, &ignored) < 0 ||
            !put_number(buf_slice(&bytes), (unsigned char *)ret + numbers[i].at, numbers[i].size))
            return err_set(err, ERR_INVALID, "'%s' is no number of an RSA key of %d bits",
                           numbers[i].name, 8 * RSA_KEY_SIZE);
    }
    return ERR_OK;
}

int github_settings_parse_key(const json_t *document, struct rsa_key **ret, struct err *err)
{
    struct rsa_numbers all;
    int r = parse_numbers(document, &all, err);

    if (r == ERR_OK)
        r = rsa_key_load(&all, ret, err);
    explicit_bzero(&all, sizeof all);
    return r;
}

json_t *github_settings_key(const struct rsa_key *key)
{
    json_t *document = json_object();
    struct rsa_numbers all;

    rsa_key_numbers(key, &all);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        CLEANUP(wipe) struct buf text = BUF_INIT(4 * RSA_KEY_SIZE);

        base64_add(&text, slice_make((const char *)&all + numbers[i].at, numbers[i].size));
        json_object_set_new(document, numbers[i].name, json_string(text.ptr));
    }
    explicit_bzero(&all, sizeof all);
    return document;
}

/* ---- reading ---- */

static const char *text_of(struct own *o, const json_t *object, const char *name)
{
    return arena_str(&o->arena, slice_of(loose_text(object, name)));
}

static bool is_address(const char *url)
{
    return slice_starts(slice_of(url), SLICE("https://")) ||
           slice_starts(slice_of(url), SLICE("http://"));
}

static bool is_secure(const char *url)
{
    return slice_starts(slice_of(url), SLICE("https://"));
}

static int take_runner(struct own *o, const json_t *doc, struct err *err)
{
    struct github_settings *s = &o->shown;
    int64_t agent = loose_int(doc, "agentId", 0);

    s->agent_id = agent > 0 ? (uint64_t)agent : 0;
    s->agent_name = text_of(o, doc, "agentName");
    s->pool_id = loose_int(doc, "poolId", 0);
    s->pool_name = text_of(o, doc, "poolName");
    s->github_url = text_of(o, doc, "gitHubUrl");
    s->server_url = text_of(o, doc, "serverUrl");
    s->server_url_v2 = text_of(o, doc, "serverUrlV2");
    s->work_folder = text_of(o, doc, "workFolder");
    s->ephemeral = loose_bool(doc, "ephemeral", false);
    s->disable_update = loose_bool(doc, "disableUpdate", false);
    s->skip_session_recover = loose_bool(doc, "skipSessionRecover", false);
    s->use_v2 = loose_bool(doc, "useV2Flow", false);
    s->use_runner_admin = loose_bool(doc, "useRunnerAdminFlow", false);
    s->is_hosted = loose_bool(doc, "isHostedServer", is_hosted(s));
    if (!s->agent_id)
        return err_set(err, ERR_INVALID, "it has no 'agentId'");
    if (!is_address(s->use_v2 ? s->server_url_v2 : s->server_url))
        return err_set(err, ERR_INVALID, "'%s' is no address",
                       s->use_v2 ? "serverUrlV2" : "serverUrl");
    return ERR_OK;
}

static int take_credentials(struct own *o, const json_t *doc, struct err *err)
{
    struct github_settings *s = &o->shown;
    const json_t *data = loose_find(doc, "data");
    struct slice scheme = slice_of(loose_text(doc, "scheme"));

    s->access_token = "";
    s->client_id = text_of(o, data, "clientId");
    s->authorization_url = text_of(o, data, "authorizationUrl");
    s->token_url = text_of(o, data, "oauthEndpointUrl");
    s->authorization_url_v2 = text_of(o, data, "authorizationUrlV2");
    s->migrates = loose_bool(data, "enableAuthMigrationByDefault", false);
    s->fips = loose_bool(data, "requireFipsCryptography", false);
    if (!is_address(s->authorization_url_v2) ||
        (is_secure(s->authorization_url) && !is_secure(s->authorization_url_v2)))
        s->authorization_url_v2 = "";
    if (!*s->token_url)
        s->token_url = s->authorization_url;
    if (slice_eq_nocase(scheme, SLICE("OAuthAccessToken"))) {
        s->access_token = text_of(o, data, "token");
        return *s->access_token ? ERR_OK : err_set(err, ERR_INVALID, "it has no 'token'");
    }
    if (!slice_eq_nocase(scheme, SLICE("OAuth")))
        return err_set(err, ERR_UNSUPPORTED, "its scheme is not 'OAuth'");
    if (!*s->client_id || !is_address(s->token_url))
        return err_set(err, ERR_INVALID, "it has no 'clientId' or no 'authorizationUrl'");
    return ERR_OK;
}

typedef int take_fn(struct own *o, const json_t *document, struct err *err);

static int take_key(struct own *o, const json_t *document, struct err *err)
{
    return github_settings_parse_key(document, &o->shown.key, err);
}

/* The file NAME, or what the service has put in its place. */
static int take_file(struct own *o, const struct registration *r, const char *name, bool migrated,
                     take_fn *take, struct err *err)
{
    CLEANUP(loose_wipep) json_t *document = NULL;
    char other[64];
    struct err why = ERR_INIT;
    int failed = ERR_NOT_FOUND;

    (void)snprintf(other, sizeof other, "%s_migrated", name);
    if (migrated)
        failed = registration_read(r, other, &document, &why);
    if (failed == ERR_OK && name == runner_file)
        o->shown.migrated = true;
    if (failed == ERR_NOT_FOUND)
        failed = registration_read(r, name, &document, err);
    else if (failed < 0)
        *err = why;
    if (failed < 0)
        return failed;
    failed = take(o, document, err);
    return failed < 0 ? registration_broken(r, name, err) : ERR_OK;
}

int github_settings_load(const struct registration *r, bool migrated, struct github_settings **ret,
                         struct err *err)
{
    struct own *o = mem_new(sizeof *o);
    int failed = take_file(o, r, runner_file, migrated, take_runner, err);

    if (failed == ERR_OK)
        failed = take_file(o, r, credentials_file, migrated, take_credentials, err);
    if (failed == ERR_OK && !*o->shown.access_token)
        failed = take_file(o, r, key_file, false, take_key, err);
    if (failed < 0) {
        github_settings_free(&o->shown);
        return failed;
    }
    *ret = &o->shown;
    return ERR_OK;
}

struct github_settings *github_settings_free(struct github_settings *s)
{
    if (s) {
        struct own *o = (struct own *)s;

        rsa_key_free(s->key);
        if (s->access_token) /* in our own arena */
            explicit_bzero((void *)(uintptr_t)s->access_token, strlen(s->access_token));
        arena_deinit(&o->arena);
        free(o);
    }
    return NULL;
}

/* ---- writing ---- */

static void set_text(json_t *to, const char *name, const char *text)
{
    if (text && *text)
        json_object_set_new(to, name, json_string(text));
}

static void set_number(json_t *to, const char *name, int64_t number)
{
    if (number)
        json_object_set_new(to, name, json_integer((json_int_t)number));
}

static void set_flag(json_t *to, const char *name, bool flag)
{
    if (flag)
        json_object_set_new(to, name, json_true());
}

json_t *github_settings_runner(const struct github_settings *s)
{
    json_t *to = json_object();

    if (!s->is_hosted)
        json_object_set_new(to, "isHostedServer", json_false());
    set_number(to, "agentId", (int64_t)s->agent_id);
    set_text(to, "agentName", s->agent_name);
    set_flag(to, "skipSessionRecover", s->skip_session_recover);
    set_number(to, "poolId", s->pool_id);
    set_text(to, "poolName", s->pool_name);
    set_flag(to, "disableUpdate", s->disable_update);
    set_flag(to, "ephemeral", s->ephemeral);
    set_text(to, "serverUrl", s->server_url);
    set_text(to, "gitHubUrl", s->github_url);
    set_text(to, "workFolder", s->work_folder);
    set_flag(to, "useV2Flow", s->use_v2);
    set_flag(to, "useRunnerAdminFlow", s->use_runner_admin);
    set_text(to, "serverUrlV2", s->server_url_v2);
    return to;
}

json_t *github_settings_credentials(const struct github_settings *s)
{
    json_t *data = json_object();

    set_text(data, "clientId", s->client_id);
    set_text(data, "authorizationUrl", s->authorization_url);
    if (s->token_url && s->authorization_url && strcmp(s->token_url, s->authorization_url) != 0)
        set_text(data, "oauthEndpointUrl", s->token_url);
    /* A text, as all values here are. */
    set_text(data, "requireFipsCryptography", s->fips ? "True" : "False");
    return json_pack("{s:s, s:o}", "scheme", "OAuth", "data", data);
}

/* ---- just in time ---- */

static int wrong_jit(struct err *err, const char *why)
{
    return err_set(err, ERR_INVALID,
                   "the just-in-time configuration %s: pass on 'encoded_jit_config' of the answer "
                   "to 'generate-jitconfig' as it is",
                   why);
}

static int decode(struct slice text, struct buf *bytes, json_t **ret)
{
    struct err ignored = ERR_INIT; /* the caller says what it is that is none */

    if (base64_decode(text, bytes, &ignored) < 0)
        return ERR_INVALID;
    return loose_parse(buf_slice(bytes), ret, &ignored);
}

/* A file of the three is kept; others have nothing to say here, but none may aim elsewhere. */
static int take_jit_file(json_t *to, const char *name, const json_t *value, struct err *err)
{
    static const char *const known[] = {runner_file, credentials_file, key_file};
    CLEANUP(wipe) struct buf bytes = BUF_INIT(REGISTRATION_FILE_MAX);

    if (!*name || strchr(name, '/') || slice_starts(slice_of(name), SLICE("..")))
        return wrong_jit(err, "has a file that leads elsewhere");
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        json_t *document;

        if (strcmp(name, known[i]) != 0)
            continue;
        if (!json_is_string(value) ||
            decode(slice_make(json_string_value(value), json_string_length(value)), &bytes,
                   &document) < 0)
            return wrong_jit(err, "has a file that is broken");
        json_object_set_new(to, name, document);
    }
    return ERR_OK;
}

int github_jit_parse(struct slice text, json_t **ret, struct err *err)
{
    CLEANUP(wipe) struct buf bytes = BUF_INIT(GITHUB_JIT_MAX);
    CLEANUP(loose_wipep) json_t *outer = NULL;
    CLEANUP(loose_wipep) json_t *found = json_object();
    const char *name;
    json_t *value;

    text = slice_trim(text);
    if (text.len == 0)
        return wrong_jit(err, "is empty");
    if (text.len > GITHUB_JIT_MAX)
        return err_set(err, ERR_LIMIT, "a just-in-time configuration is not larger than %d bytes",
                       GITHUB_JIT_MAX);
    if (decode(text, &bytes, &outer) < 0 || !json_is_object(outer))
        return wrong_jit(err, "is broken");
    json_object_foreach (outer, name, value) {
        int r = take_jit_file(found, name, value, err);

        if (r < 0)
            return r;
    }
    if (!json_object_get(found, runner_file) || !json_object_get(found, credentials_file))
        return wrong_jit(err, "lacks a file");
    *ret = found;
    found = NULL;
    return ERR_OK;
}
