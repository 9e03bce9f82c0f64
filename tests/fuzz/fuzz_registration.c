/* What a registration at GitHub is read from: its files, in a just-in-time configuration too, and where the tenant says that
 * its services are. What was read and is written reads as the same again. */
#include "base/base64.h"
#include "queue/github/settings.h"
#include "queue/github/api/tenant.h"
#include "queue/loose.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_say_why(const struct err *err)
{
    if (!err->code || !err->text[0])
        BUG("an error that says nothing");
}

/* NULL: these files are none of a registration at GitHub. */
static struct github_settings *load(const json_t *files)
{
    struct github_settings *s = NULL;
    struct registration *r = NULL;
    struct err err = ERR_INIT;

    if (registration_memory("fuzz", json_deep_copy(files), &r, &err) < 0 ||
        github_settings_load(r, true, &s, &err) < 0)
        must_say_why(&err);
    registration_free(r);
    return s;
}

/* Whether a server is GitHub's own is found out from the addresses where the file does not say it, and it need not say
 * what they do. */
static json_t *written(const struct github_settings *s)
{
    json_t *runner = github_settings_runner(s);

    json_object_del(runner, "isHostedServer");
    return json_pack("{s:o, s:o}", ".runner", runner, ".credentials",
                     *s->access_token ? json_pack("{s:s, s:{s:s}}", "scheme", "OAuthAccessToken",
                                                  "data", "token", s->access_token)
                                      : github_settings_credentials(s));
}

static void read_twice(const json_t *files)
{
    struct github_settings *s = load(files), *again;

    if (!s)
        return;
    json_t *once = written(s);
    if (s->key)
        json_object_set_new(once, ".credentials_rsaparams", github_settings_key(s->key));
    again = load(once);
    if (!again)
        BUG("what was written is not read");
    json_object_del(once, ".credentials_rsaparams");
    json_t *twice = written(again);
    if (!json_equal(once, twice))
        BUG("what was written is read as something else");
    json_decref(twice);
    json_decref(once);
    github_settings_free(again);
    github_settings_free(s);
}

static void add_file(json_t *to, const char *name, const json_t *document)
{
    struct buf coded = BUF_INIT(GITHUB_JIT_MAX);
    char *text = json_dumps(document, JSON_ENCODE_ANY);

    base64_add(&coded, slice_of(text));
    json_object_set_new(to, name, json_string(coded.ptr));
    buf_deinit(&coded);
    free(text);
}

/* As GitHub gives them out. */
static void read_just_in_time(const json_t *files)
{
    const json_t *runner = json_object_get(files, ".runner");
    const json_t *credentials = json_object_get(files, ".credentials");
    struct buf coded = BUF_INIT(GITHUB_JIT_MAX);
    json_t *outer = json_object(), *got = NULL;
    struct err err = ERR_INIT;

    add_file(outer, ".runner", runner);
    add_file(outer, ".credentials", credentials);
    char *text = json_dumps(outer, 0);
    base64_add(&coded, slice_of(text));
    if (github_jit_parse(buf_slice(&coded), &got, &err) < 0)
        BUG("%s", err.text);
    if (!json_equal(json_object_get(got, ".runner"), runner) ||
        !json_equal(json_object_get(got, ".credentials"), credentials))
        BUG("a just-in-time configuration is read as something else");
    json_decref(got);
    json_decref(outer);
    free(text);
    buf_deinit(&coded);
}

static void ask_all(const struct tenant *t)
{
    for (int i = 0; i < TENANT_RESOURCES; i++) {
        struct tenant_query q = {.resource = (enum tenant_resource)i,
                                 .method = "GET",
                                 .values = {{"poolId", "1"}, {"planId", "a/b"}},
                                 .token = "t"};
        struct tenant_request r;
        struct err err = ERR_INIT;

        if (tenant_prepare(t, &q, &r, &err) < 0) {
            must_say_why(&err);
            continue;
        }
        if (!slice_starts(buf_slice(&r.url), SLICE("http://h/t/")))
            BUG("'%s' leads elsewhere", r.url.ptr);
        tenant_request_deinit(&r);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = mem_dup((const char *)data, size); /* its own allocation, for the sanitizer */
    struct slice text = slice_make(copy, size);
    struct tenant *t = tenant_new("http://h/t");
    json_t *json = NULL, *jit = NULL;
    struct err err = ERR_INIT;

    if (github_jit_parse(text, &jit, &err) < 0)
        must_say_why(&err);
    if (loose_parse(text, &json, &err) == ERR_OK && json_is_object(json)) {
        read_twice(json);
        if (json_object_get(json, ".runner") && json_object_get(json, ".credentials"))
            read_just_in_time(json);
    }
    (void)tenant_learn(t, text, &err); /* it may well be none */
    ask_all(t);
    tenant_free(t);
    json_decref(jit);
    json_decref(json);
    free(copy);
    return 0;
}
