/* Id tokens, for tests of what asks for them: signed by a key of this server, which tells its public half (runtime contract
 * 13.10). A cloud provider takes them only where it can reach this server, so none does. */
#include "serve/exchange.h"

#include "base/base64.h"
#include "io/digest_rsa.h"

#include <inttypes.h>
#include <sys/random.h>
#include <time.h>

enum { LIFE_S = 300, KEY_NAME_SIZE = 16, AUDIENCE_MAX = 1000 };

static const struct rsa_key *key_of(struct site *s)
{
    if (!s->sign)
        s->sign = rsa_key_new();
    return s->sign;
}

static char *url64(struct slice bytes)
{
    struct buf text = BUF_INIT(16 << 10);

    base64_url(&text, bytes);
    return buf_take(&text);
}

/* A key goes by the begin of its modulus. */
static const char *key_name(struct exchange *x)
{
    CLEANUP(buf_deinit) struct buf modulus = BUF_INIT(RSA_KEY_SIZE);
    CLEANUP(buf_deinit) struct buf exponent = BUF_INIT(RSA_KEY_SIZE);

    rsa_key_public(key_of(x->site), &modulus, &exponent);
    CLEANUP(free_ptr) char *text = url64(buf_slice(&modulus));
    return arena_str(&x->arena, slice_head(slice_of(text), KEY_NAME_SIZE));
}

static json_t *claims(struct exchange *x, const char *audience)
{
    json_t *all = json_deep_copy(json_object_get(x->claims, "oidc"));
    json_int_t now = (json_int_t)time(NULL);
    char id[16];

    if (getrandom(id, sizeof id, 0) != (ssize_t)sizeof id)
        BUG("no random numbers"); /* the front program had some */
    CLEANUP(free_ptr) char *name = url64(slice_make(id, sizeof id));
    json_object_update_new(all,
                           json_pack("{s:s, s:s, s:I, s:I, s:I}", "iss", x->request->base, "jti",
                                     name, "iat", now, "nbf", now, "exp", now + LIFE_S));
    if (audience && *audience)
        json_object_set_new(all, "aud", json_string(audience));
    return all;
}

static void add_part(struct buf *token, json_t *take_json)
{
    CLEANUP(free_ptr) char *text = json_dumps(take_json, JSON_COMPACT);

    base64_url(token, slice_of(text));
    json_decref(take_json);
}

static void give_token(struct exchange *x)
{
    CLEANUP(buf_deinit) struct buf token = BUF_INIT(TOKEN_SIZE_MAX);
    CLEANUP(buf_deinit) struct buf signature = BUF_INIT(RSA_KEY_SIZE);
    const char *audience = exchange_query(x, "audience");

    if (!json_is_object(json_object_get(x->claims, "oidc"))) {
        exchange_fail(x, 403, "permission_denied",
                      "the job may not ask for id tokens: it needs 'permissions: id-token: write'");
        return;
    }
    if (audience && strlen(audience) > AUDIENCE_MAX) {
        exchange_fail(x, 400, "invalid_argument", "the audience is longer than %d bytes",
                      AUDIENCE_MAX);
        return;
    }
    add_part(&token,
             json_pack("{s:s, s:s, s:s}", "typ", "JWT", "alg", "RS256", "kid", key_name(x)));
    buf_add_char(&token, '.');
    add_part(&token, claims(x, audience));
    rsa_key_sign(key_of(x->site), RSA_RS256, buf_slice(&token), &signature);
    buf_add_char(&token, '.');
    base64_url(&token, buf_slice(&signature));
    exchange_json(x, 200, json_pack("{s:i, s:s}", "count", 1, "value", token.ptr));
}

static void give_configuration(struct exchange *x)
{
    const char *base = x->request->base;

    exchange_json(
        x, 200,
        json_pack("{s:s, s:s, s:[s, s], s:[s], s:[s], s:[s]}", "issuer", base, "jwks_uri",
                  arena_printf(&x->arena, "%s/.well-known/jwks", base), "subject_types_supported",
                  "public", "pairwise", "response_types_supported", "id_token",
                  "id_token_signing_alg_values_supported", "RS256", "scopes_supported", "openid"));
}

static void give_keys(struct exchange *x)
{
    CLEANUP(buf_deinit) struct buf modulus = BUF_INIT(RSA_KEY_SIZE);
    CLEANUP(buf_deinit) struct buf exponent = BUF_INIT(RSA_KEY_SIZE);

    rsa_key_public(key_of(x->site), &modulus, &exponent);
    CLEANUP(free_ptr) char *n = url64(buf_slice(&modulus));
    CLEANUP(free_ptr) char *e = url64(buf_slice(&exponent));
    exchange_json(x, 200,
                  json_pack("{s:[{s:s, s:s, s:s, s:s, s:s, s:s}]}", "keys", "kty", "RSA", "use",
                            "sig", "alg", "RS256", "kid", key_name(x), "n", n, "e", e));
}

const struct service oidc_services[] = {
    {"GET", "/_apis/oidc/token", AUTH_TOKEN, BODY_NONE, .end = give_token},
    {"GET", "/.well-known/openid-configuration", AUTH_NONE, BODY_NONE, .end = give_configuration},
    {"GET", "/.well-known/jwks", AUTH_NONE, BODY_NONE, .end = give_keys},
    {0},
};
