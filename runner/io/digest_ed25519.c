#include "io/digest_ed25519.h"

#include "base/base64.h"
#include "io/late.h"

#include <openssl/evp.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
static const char library[] = "libcrypto.so." TEXT(OPENSSL_SHLIB_VERSION);

/* Loaded with the first signature, as in digest.c: reading keys needs none of it. */
static struct {
    __typeof__(EVP_PKEY_new_raw_private_key) *private_key;
    __typeof__(EVP_PKEY_new_raw_public_key) *public_key;
    __typeof__(EVP_PKEY_free) *key_free;
    __typeof__(EVP_MD_CTX_new) *ctx_new;
    __typeof__(EVP_MD_CTX_free) *ctx_free;
    __typeof__(EVP_DigestSignInit) *sign_init;
    __typeof__(EVP_DigestSign) *sign;
    __typeof__(EVP_DigestVerifyInit) *verify_init;
    __typeof__(EVP_DigestVerify) *verify;
} crypto;

static void load(void)
{
    static const struct late_symbol symbols[] = {
        {"EVP_PKEY_new_raw_private_key", &crypto.private_key},
        {"EVP_PKEY_new_raw_public_key", &crypto.public_key},
        {"EVP_PKEY_free", &crypto.key_free},
        {"EVP_MD_CTX_new", &crypto.ctx_new},
        {"EVP_MD_CTX_free", &crypto.ctx_free},
        {"EVP_DigestSignInit", &crypto.sign_init},
        {"EVP_DigestSign", &crypto.sign},
        {"EVP_DigestVerifyInit", &crypto.verify_init},
        {"EVP_DigestVerify", &crypto.verify},
        {NULL, NULL},
    };
    struct err err = ERR_INIT;

    if (!crypto.verify && late_load(library, "OpenSSL's libraries", symbols, &err) < 0)
        BUG("%s", err.text);
}

/* ---- keys: DER of a fixed form before the 32 bytes (RFC 8410, 4 and 7) ---- */

static const unsigned char public_head[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                            0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
static const unsigned char private_head[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                             0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};

/* What stands between the lines that begin and end a KIND; false: there is none. */
static bool pem_body(struct slice text, const char *kind, struct slice *ret)
{
    char begin[64], end[64];

    snprintf(begin, sizeof begin, "-----BEGIN %s-----", kind);
    snprintf(end, sizeof end, "-----END %s-----", kind);
    ssize_t from = slice_find(text, slice_of(begin));
    if (from < 0)
        return false;
    *ret = slice_from(text, (size_t)from + strlen(begin));
    ssize_t to = slice_find(*ret, slice_of(end));
    *ret = slice_head(*ret, to < 0 ? 0 : (size_t)to);
    return to >= 0;
}

/* Base64 in lines; what it stands for is HEAD and the key, or, with HEAD_SIZE 0, the key. */
static bool take_key(struct slice body, const unsigned char *head, size_t head_size,
                     unsigned char ret[ED25519_KEY_SIZE])
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(ED25519_FILE_MAX);
    CLEANUP(buf_deinit) struct buf bytes = BUF_INIT(ED25519_FILE_MAX);
    struct err ignored;
    struct slice line;
    bool good;

    while (slice_line(&body, &line))
        buf_add(&text, slice_trim(line));
    good = base64_decode(buf_slice(&text), &bytes, &ignored) == ERR_OK &&
           bytes.len == head_size + ED25519_KEY_SIZE && memcmp(bytes.ptr, head, head_size) == 0;
    if (good)
        memcpy(ret, bytes.ptr + head_size, ED25519_KEY_SIZE);
    explicit_bzero(bytes.ptr, bytes.len); /* it may be a private key */
    explicit_bzero(text.ptr, text.len);
    return good;
}

int ed25519_public(struct slice text, unsigned char ret[ED25519_KEY_SIZE], struct err *err)
{
    struct slice body;

    if (pem_body(text, "PUBLIC KEY", &body)) {
        if (take_key(body, public_head, sizeof public_head, ret))
            return ERR_OK;
        return err_set(err, ERR_INVALID, "the public key is not one of Ed25519");
    }
    text = slice_trim(text);
    if (take_key(text, public_head, sizeof public_head, ret) || take_key(text, public_head, 0, ret))
        return ERR_OK;
    return err_set(err, ERR_INVALID,
                   "no public key ('openssl pkey -in KEY.pem -pubout' writes one)");
}

int ed25519_private(struct slice pem, unsigned char ret[ED25519_KEY_SIZE], struct err *err)
{
    struct slice body;

    if (pem_body(pem, "ENCRYPTED PRIVATE KEY", &body))
        return err_set(err, ERR_UNSUPPORTED,
                       "the key is encrypted: 'openssl pkey -in KEY.pem' decrypts it");
    if (!pem_body(pem, "PRIVATE KEY", &body))
        return err_set(err, ERR_INVALID,
                       "no private key ('openssl genpkey -algorithm ed25519' makes one)");
    if (!take_key(body, private_head, sizeof private_head, ret))
        return err_set(
            err, ERR_INVALID,
            "the private key is not one of Ed25519 ('openssl genpkey -algorithm ed25519' "
            "makes one)");
    return ERR_OK;
}

/* ---- signatures ---- */

static const unsigned char *bytes_of(struct slice s)
{
    return (const unsigned char *)(s.len ? s.ptr : "");
}

void ed25519_sign(const unsigned char key[ED25519_KEY_SIZE], struct slice text,
                  unsigned char ret[ED25519_SIGNATURE_SIZE])
{
    size_t size = ED25519_SIGNATURE_SIZE;

    load();
    EVP_PKEY *pkey = crypto.private_key(EVP_PKEY_ED25519, NULL, key, ED25519_KEY_SIZE);
    EVP_MD_CTX *ctx = crypto.ctx_new();
    if (!pkey || !ctx || crypto.sign_init(ctx, NULL, NULL, NULL, pkey) != 1 ||
        crypto.sign(ctx, ret, &size, bytes_of(text), text.len) != 1 ||
        size != ED25519_SIGNATURE_SIZE)
        BUG("libcrypto makes no Ed25519 signatures");
    crypto.ctx_free(ctx);
    crypto.key_free(pkey);
}

bool ed25519_verify(const unsigned char key[ED25519_KEY_SIZE], struct slice text,
                    struct slice signature)
{
    if (signature.len != ED25519_SIGNATURE_SIZE)
        return false;
    load();
    EVP_PKEY *pkey = crypto.public_key(EVP_PKEY_ED25519, NULL, key, ED25519_KEY_SIZE);
    EVP_MD_CTX *ctx = crypto.ctx_new();
    /* A key that is no point of the curve fails here: it has signed nothing. */
    bool good =
        pkey && ctx && crypto.verify_init(ctx, NULL, NULL, NULL, pkey) == 1 &&
        crypto.verify(ctx, bytes_of(signature), signature.len, bytes_of(text), text.len) == 1;
    crypto.ctx_free(ctx);
    crypto.key_free(pkey);
    return good;
}
