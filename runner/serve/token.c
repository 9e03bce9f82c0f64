#include "serve/token.h"

#include "base/base64.h"
#include "io/digest.h"

#include <inttypes.h>

static struct slice key_slice(const struct token_key *key)
{
    return slice_make((const char *)key->bytes, sizeof key->bytes);
}

char *token_make(const struct token_key *key, const json_t *claims)
{
    CLEANUP(free_ptr) char *text = json_dumps(claims, JSON_COMPACT);
    struct buf token = BUF_INIT(TOKEN_SIZE_MAX);
    unsigned char code[DIGEST_SIZE];

    base64_url(&token, SLICE("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"));
    buf_add_char(&token, '.');
    base64_url(&token, slice_of(text));
    digest_hmac(key_slice(key), buf_slice(&token), code);
    buf_add_char(&token, '.');
    base64_url(&token, slice_make((const char *)code, sizeof code));
    if (token.overflow) /* what goes into one is ours, and bounded */
        BUG("a token of more than %d bytes", TOKEN_SIZE_MAX);
    return buf_take(&token);
}

static bool signature_is(struct slice text, const unsigned char want[DIGEST_SIZE])
{
    CLEANUP(buf_deinit) struct buf got = BUF_INIT(DIGEST_SIZE);
    struct err ignored = ERR_INIT; /* no signature is as bad as a wrong one */

    return base64_decode(text, &got, &ignored) == ERR_OK && got.len == DIGEST_SIZE &&
           digest_same((const unsigned char *)got.ptr, want);
}

int token_read(const struct token_key *key, struct slice token, int64_t now, json_t **ret,
               struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(TOKEN_SIZE_MAX);
    struct slice rest = token, header, claims, signature;
    unsigned char want[DIGEST_SIZE];

    if (token.len > TOKEN_SIZE_MAX || !slice_split(&rest, '.', &header) ||
        !slice_split(&rest, '.', &claims) || !slice_split(&rest, '.', &signature) || rest.ptr)
        return err_set(err, ERR_DENIED, "this is no token of this run");
    digest_hmac(key_slice(key), slice_head(token, header.len + 1 + claims.len), want);
    if (!signature_is(signature, want))
        return err_set(err, ERR_DENIED, "this is no token of this run");
    /* From here on it is our own writing, but its age. */
    if (base64_decode(claims, &text, err) < 0)
        return err_set(err, ERR_DENIED, "this is no token of this run");
    json_t *json = json_loadb(text.ptr, text.len, 0, NULL);
    if (now >= json_integer_value(json_object_get(json, "exp"))) {
        json_decref(json);
        return err_set(err, ERR_DENIED, "the token of this job has expired");
    }
    *ret = json;
    return ERR_OK;
}

static void sign(const struct token_key *key, const char *verb, const char *path, int64_t expires,
                 unsigned char ret[DIGEST_SIZE])
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(8192);

    /* A token has no line end in it, so no address can be signed as one, nor the other way round. */
    buf_printf(&text, "%s\n%" PRId64 "\n%s", verb, expires, path);
    digest_hmac(key_slice(key), buf_slice(&text), ret);
}

void token_sign(const struct token_key *key, const char *verb, const char *path, int64_t expires,
                char ret[TOKEN_SIGNATURE_SIZE])
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(TOKEN_SIGNATURE_SIZE);
    unsigned char code[DIGEST_SIZE];

    sign(key, verb, path, expires, code);
    base64_url(&text, slice_make((const char *)code, sizeof code));
    memcpy(ret, text.ptr, TOKEN_SIGNATURE_SIZE);
}

bool token_allows(const struct token_key *key, const char *verb, const char *path, int64_t expires,
                  struct slice signature, int64_t now)
{
    unsigned char want[DIGEST_SIZE];

    sign(key, verb, path, expires, want);
    return signature_is(signature, want) && now < expires;
}
