#include "queue/github/settings.h"

#include "base/base64.h"
#include "kit/scratch.h"
#include "queue/loose.h"
#include "unit/queue/official.h"

#include <criterion/criterion.h>

TestSuite(settings, .init = scratch_enter, .fini = scratch_leave);

static struct registration *folder(const char *path)
{
    struct registration *r = NULL;
    struct err err = ERR_INIT;

    cr_assert_eq(registration_load(path, &r, &err), ERR_OK, "%s", err.text);
    return r;
}

static struct github_settings *settings(const struct registration *r, bool migrated)
{
    struct github_settings *s = NULL;
    struct err err = ERR_INIT;

    cr_assert_eq(github_settings_load(r, migrated, &s, &err), ERR_OK, "%s", err.text);
    return s;
}

Test(settings, reads_what_the_official_runner_has_written)
{
    official_copy("r");
    struct registration *r = folder("r");
    struct github_settings *s = settings(r, true);

    cr_assert_eq(s->agent_id, 683);
    cr_assert_str_eq(s->agent_name, "build-01");
    cr_assert_eq(s->pool_id, 1);
    cr_assert_str_eq(s->pool_name, "Default");
    cr_assert_str_eq(s->github_url, "https://github.com/acme/widgets");
    cr_assert_str_eq(s->server_url,
                     "https://pipelinesghubeus24.actions.githubusercontent.com/AbCdEf/");
    cr_assert_str_eq(s->server_url_v2, "https://broker.actions.githubusercontent.com/");
    cr_assert_str_eq(s->work_folder, "_work");
    cr_assert(s->is_hosted && s->use_v2 && s->disable_update);
    cr_assert_not(s->ephemeral || s->use_runner_admin || s->skip_session_recover || s->fips);
    cr_assert_str_eq(s->client_id, "c11e4700-0000-4000-8000-00000000c1d1");
    cr_assert_str_eq(s->token_url, s->authorization_url);
    cr_assert_str_eq(s->access_token, "");
    cr_assert_not_null(s->key);
    github_settings_free(s);
    registration_free(r);
}

Test(settings, writes_what_it_has_read)
{
    static const char *const names[] = {".runner", ".credentials", ".credentials_rsaparams"};

    official_copy("r");
    struct registration *r = folder("r");
    struct github_settings *s = settings(r, false);
    json_t *ours[] = {github_settings_runner(s), github_settings_credentials(s),
                      github_settings_key(s->key)};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        json_t *theirs = NULL;
        struct err err = ERR_INIT;

        cr_assert_eq(registration_read(r, names[i], &theirs, &err), ERR_OK);
        cr_assert(json_equal(ours[i], theirs), "%s: %s", names[i],
                  json_dumps(ours[i], JSON_INDENT(1)));
        json_decref(theirs);
        json_decref(ours[i]);
    }
    github_settings_free(s);
    registration_free(r);
}

Test(settings, takes_what_the_service_has_replaced)
{
    official_copy("r");
    struct registration *r = folder("r");
    json_t *moved = json_pack("{s:s, s:s, s:s, s:s}", "AgentId", "684", "UseV2Flow", "true",
                              "ServerUrlV2", "https://b.ghe.com/", "Ephemeral", "True");
    struct err err = ERR_INIT;

    cr_assert_eq(registration_write(r, ".runner_migrated", moved, &err), ERR_OK);
    struct github_settings *s = settings(r, true);
    cr_assert_eq(s->agent_id, 684);
    cr_assert(s->is_hosted && s->ephemeral);
    cr_assert_str_eq(s->client_id, "c11e4700-0000-4000-8000-00000000c1d1");
    github_settings_free(s);
    s = settings(r, false);
    cr_assert_eq(s->agent_id, 683);
    github_settings_free(s);
    json_decref(moved);
    registration_free(r);
}

/* A whole configuration in memory, with one member set or (NULL) left out. */
static int with(const char *file, const char *member, json_t *take_value, struct err *err)
{
    struct github_settings *s = NULL;
    struct registration *r = NULL;
    json_t *all = json_pack("{s:{s:i, s:b, s:s, s:s}, s:{s:s, s:{s:s, s:s, s:s}}}", ".runner",
                            "agentId", 7, "useV2Flow", 1, "serverUrl", "http://h/t/", "serverUrlV2",
                            "http://h/b/", ".credentials", "scheme", "OAuthAccessToken", "data",
                            "token", "T", "clientId", "c", "authorizationUrl", "http://h/a");
    json_t *to = json_object_get(all, file);

    if (json_object_get(json_object_get(to, "data"), member))
        to = json_object_get(to, "data");
    if (take_value)
        json_object_set_new(to, member, take_value);
    else
        json_object_del(to, member);
    int failed = registration_memory("m", all, &r, err);
    if (failed == ERR_OK)
        failed = github_settings_load(r, false, &s, err);
    github_settings_free(s);
    registration_free(r);
    return failed;
}

Test(settings, says_what_is_wrong_with_a_file)
{
    struct err err = ERR_INIT;

    cr_assert_eq(with(".runner", "poolId", json_integer(1), &err), ERR_OK, "%s", err.text);
    cr_expect_eq(with(".runner", "agentId", json_integer(0), &err), ERR_INVALID);
    cr_expect_str_eq(
        err.text, "the just-in-time configuration: '.runner': it has no 'agentId': have a new one "
                  "made ('generate-jitconfig')");
    cr_expect_eq(with(".runner", "serverUrlV2", NULL, &err), ERR_INVALID);
    cr_expect(strstr(err.text, "'serverUrlV2' is no address"), "%s", err.text);
    cr_expect_eq(with(".runner", "serverUrlV2", json_string("ftp://x"), &err), ERR_INVALID);
    cr_expect_eq(with(".runner", "useV2Flow", json_string("false"), &err), ERR_OK);
    cr_expect_eq(with(".credentials", "scheme", json_string("PAT"), &err), ERR_UNSUPPORTED);
    cr_expect_eq(with(".credentials", "token", NULL, &err), ERR_INVALID);
    cr_expect_eq(with(".credentials", "scheme", json_string("OAuth"), &err), ERR_NOT_FOUND,
                 "it needs a key");
    cr_expect(strstr(err.text, ".credentials_rsaparams"), "%s", err.text);
}

Test(settings, takes_numbers_of_a_key_in_any_width_but_no_other_key)
{
    official_copy("r");
    struct registration *r = folder("r");
    struct rsa_key *key = NULL;
    json_t *doc = NULL;
    struct err err = ERR_INIT;

    cr_assert_eq(registration_read(r, ".credentials_rsaparams", &doc, &err), ERR_OK);
    json_object_set_new(doc, "exponent", json_string("AAAAAQAB"));
    cr_assert_eq(github_settings_parse_key(doc, &key, &err), ERR_OK, "%s", err.text);
    rsa_key_free(key);
    json_object_set_new(doc, "EXPONENT", json_string("AQAB"));
    json_object_del(doc, "exponent");
    cr_assert_eq(github_settings_parse_key(doc, &key, &err), ERR_OK, "%s", err.text);
    rsa_key_free(key);
    json_object_set_new(doc, "EXPONENT", json_string("AQABAA=="));
    cr_assert_eq(github_settings_parse_key(doc, &key, &err), ERR_INVALID);
    cr_assert_str_eq(err.text, "'exponent' is no number of an RSA key of 2048 bits");
    json_object_set_new(doc, "EXPONENT", json_string("AQAB"));
    json_object_set_new(doc, "d", json_string("?"));
    cr_assert_eq(github_settings_parse_key(doc, &key, &err), ERR_INVALID);
    cr_assert_eq(github_settings_parse_key(NULL, &key, &err), ERR_INVALID);
    json_decref(doc);
    registration_free(r);
}

Test(settings, knows_the_hosts_of_github)
{
    static const struct {
        const char *url;
        bool hosted;
    } rows[] = {
        {"https://github.com/acme", true},
        {"https://GitHub.com:443/acme", true},
        {"https://www.github.com/acme", true},
        {"http://github.localhost/acme", true},
        {"https://acme.ghe.com/acme", true},
        {"https://x.ghe.localhost/acme", true},
        {"https://github.com.evil.example/acme", false},
        {"https://evilgithub.com/acme", false},
        {"https://git.example/github.com", false},
        {"https://ghe.com/acme", false},
        {"http://127.0.0.1:8080/acme/widgets", false},
        {"", false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_expect_eq(github_is_hosted(slice_of(rows[i].url)), rows[i].hosted, "%s", rows[i].url);
}

/* ---- just in time ---- */

static char *coded(struct slice text)
{
    struct buf to = BUF_INIT(GITHUB_JIT_MAX + 4);

    base64_add(&to, text);
    return buf_take(&to);
}

/* {"NAME": base64 of CONTENT, ...} as it is given on a command line. */
static char *configuration(const char *const (*files)[2], size_t n)
{
    json_t *all = json_object();

    for (size_t i = 0; i < n; i++) {
        CLEANUP(free_ptr) char *content = coded(slice_of(files[i][1]));

        json_object_set_new(all, files[i][0], json_string(content));
    }
    CLEANUP(free_ptr) char *text = json_dumps(all, 0);
    json_decref(all);
    return coded(slice_of(text));
}

static const char jit_runner[] = "\xEF\xBB\xBF{\"AgentId\": \"12\", \"AgentName\": \"j\","
                                 " \"PoolId\": \"1\", \"ServerUrl\": \"https://p.actions."
                                 "githubusercontent.com/x\", \"Ephemeral\": \"true\","
                                 " \"UseV2Flow\": \"True\", \"ServerUrlV2\": \"https://b/\"}";
static const char jit_credentials[] =
    "{\"Scheme\": \"OAuthAccessToken\", \"Data\": {\"Token\": \"T\"}}";

Test(settings, of_a_just_in_time_configuration_live_in_memory)
{
    const char *const files[][2] = {
        {".runner", jit_runner}, {".credentials", jit_credentials}, {".env", "A=B"}};
    CLEANUP(free_ptr) char *text = configuration(files, COUNT_OF(files));
    json_t *all = NULL;
    struct registration *r = NULL;
    struct err err = ERR_INIT;

    cr_assert_eq(github_jit_parse(slice_of(text), &all, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(json_object_size(all), 2, "other files have nothing to say");
    cr_assert_eq(registration_memory("jit", all, &r, &err), ERR_OK, "%s", err.text);
    struct github_settings *s = settings(r, true);
    cr_assert_eq(s->agent_id, 12);
    cr_assert_str_eq(s->agent_name, "j");
    cr_assert_eq(s->pool_id, 1);
    cr_assert_str_eq(s->access_token, "T");
    cr_assert(s->is_hosted && s->ephemeral && s->use_v2);
    cr_assert_str_eq(s->server_url_v2, "https://b/");
    github_settings_free(s);
    registration_free(r);
    cr_assert_eq(scratch_count(), 0);
}

static void refuses(const char *text, int code, const char *why)
{
    struct err err = ERR_INIT;
    json_t *all = NULL;

    cr_expect_eq(github_jit_parse(slice_of(text), &all, &err), code, "%.40s", text);
    cr_expect(strstr(err.text, why), "'%s' has no '%s'", err.text, why);
    cr_expect_null(all);
}

Test(settings, refuse_a_just_in_time_configuration_that_is_none)
{
    static const char *const bad[][2][2] = {
        {{"../.runner", "{}"}, {".credentials", "{}"}},
        {{"a/b", "{}"}, {".credentials", "{}"}},
        {{"", "{}"}, {".credentials", "{}"}},
    };

    refuses("", ERR_INVALID, "is empty");
    refuses("  \n", ERR_INVALID, "is empty");
    refuses("not base64", ERR_INVALID, "is broken");
    refuses("W10=", ERR_INVALID, "is broken");    /* [] */
    refuses("e30=", ERR_INVALID, "lacks a file"); /* {} */
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        CLEANUP(free_ptr) char *text = configuration(bad[i], 2);

        refuses(text, ERR_INVALID, "leads elsewhere");
    }
    const char *const broken[][2] = {{".runner", "<html>"}, {".credentials", "{}"}};
    CLEANUP(free_ptr) char *text = configuration(broken, 2);
    refuses(text, ERR_INVALID, "a file that is broken");
    CLEANUP(free_ptr) char *number = coded(SLICE("{\".runner\": 1}"));
    refuses(number, ERR_INVALID, "a file that is broken");
    char *large = mem_new(GITHUB_JIT_MAX + 2);
    memset(large, 'A', GITHUB_JIT_MAX + 1);
    refuses(large, ERR_LIMIT, "is not larger than");
    free(large);
}
