#include "base/base64.h"
#include "kit/scratch.h"
#include "talk.h"

#include <criterion/criterion.h>

TestSuite(oidc, .init = scratch_enter, .fini = scratch_leave);

#define ASK "/_apis/oidc/token?api-version=2.0"

static char *token_with(json_t *oidc)
{
    json_t *claims =
        json_pack("{s:s, s:s, s:I}", "run", "r1", "job", "j1", "exp", (json_int_t)1 << 40);

    if (oidc)
        json_object_set_new(claims, "oidc", oidc);
    char *token = token_make(&talk_key, claims);
    json_decref(claims);
    return token;
}

/* Part AT of a JWT. */
static json_t *part_of(const char *jwt, int at)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(10000);
    struct slice rest = slice_of(jwt), part = SLICE("");
    struct err err = ERR_INIT;

    for (int i = 0; i <= at; i++)
        cr_assert(slice_split(&rest, '.', &part));
    cr_assert_eq(base64_decode(part, &text, &err), ERR_OK, "%s", err.text);
    return json_loadb(text.ptr, text.len, 0, NULL);
}

static const char *text_in(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text ? text : "";
}

Test(oidc, a_token_says_whose_it_is_and_for_whom)
{
    CLEANUP(free_ptr)
    char *token =
        token_with(json_pack("{s:s, s:s}", "sub", "repo:a/b:ref:refs/heads/x", "aud", "usual"));
    struct site *s = talk_open(0);
    struct answer a = talk(s, token, "GET", ASK, NULL, NULL);
    struct answer b = talk(s, token, "GET", ASK "&audience=sts.test", NULL, NULL);
    struct answer keys = talk(s, NULL, "GET", "/.well-known/jwks", NULL, NULL);

    cr_assert_eq(a.status, 200, "%s", a.text);
    json_t *head = part_of(answer_text(&a, "value"), 0),
           *body = part_of(answer_text(&a, "value"), 1);
    json_t *other = part_of(answer_text(&b, "value"), 1);
    json_t *key = json_array_get(json_object_get(keys.json, "keys"), 0);
    cr_assert_str_eq(text_in(head, "alg"), "RS256");
    cr_assert_str_eq(text_in(head, "kid"), text_in(key, "kid"));
    cr_assert_str_eq(text_in(key, "e"), "AQAB");
    cr_assert_str_eq(text_in(body, "sub"), "repo:a/b:ref:refs/heads/x");
    cr_assert_str_eq(text_in(body, "iss"), "http://127.0.0.1:1");
    cr_assert_str_eq(text_in(body, "aud"), "usual");
    cr_assert_str_eq(text_in(other, "aud"), "sts.test");
    cr_assert_str_neq(text_in(body, "jti"), text_in(other, "jti"));
    json_decref(head);
    json_decref(body);
    json_decref(other);
    answer_free(&a);
    answer_free(&b);
    answer_free(&keys);
    talk_close(s);
}

Test(oidc, jobs_without_the_permission_get_none)
{
    CLEANUP(free_ptr) char *token = token_with(NULL);
    struct site *s = talk_open(0);
    struct answer a = talk(s, token, "GET", ASK, NULL, NULL);

    cr_assert_eq(a.status, 403);
    cr_assert(strstr(answer_text(&a, "message"), "id-token: write"), "%s", a.text);
    answer_free(&a);
    a = talk(s, NULL, "GET", ASK, NULL, NULL);
    cr_assert_eq(a.status, 401);
    answer_free(&a);
    a = talk(s, NULL, "GET", "/.well-known/openid-configuration", NULL, NULL);
    cr_assert_str_eq(answer_text(&a, "jwks_uri"), "http://127.0.0.1:1/.well-known/jwks");
    answer_free(&a);
    talk_close(s);
}
