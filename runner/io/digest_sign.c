#include "io/digest_sign.h"

#include "io/late.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

enum { KEY_BITS = 2048 };

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
static const char library[] = "libcrypto.so." TEXT(OPENSSL_SHLIB_VERSION);

/* Loaded with the first key, as in digest.c. */
static struct {
    __typeof__(EVP_PKEY_Q_keygen) *keygen;
    __typeof__(EVP_PKEY_free) *key_free;
    __typeof__(EVP_PKEY_get_bn_param) *get_number;
    __typeof__(EVP_MD_CTX_new) *ctx_new;
    __typeof__(EVP_MD_CTX_free) *ctx_free;
    __typeof__(EVP_sha256) *sha256;
    __typeof__(EVP_DigestSignInit) *sign_init;
    __typeof__(EVP_DigestSign) *sign;
    __typeof__(BN_num_bits) *num_bits;
    __typeof__(BN_bn2bin) *to_bytes;
    __typeof__(BN_free) *number_free;
} crypto;

struct sign_key {
    EVP_PKEY *key;
};

static void load(void)
{
    static const struct late_symbol symbols[] = {
        {"EVP_PKEY_Q_keygen", &crypto.keygen},
        {"EVP_PKEY_free", &crypto.key_free},
        {"EVP_PKEY_get_bn_param", &crypto.get_number},
        {"EVP_MD_CTX_new", &crypto.ctx_new},
        {"EVP_MD_CTX_free", &crypto.ctx_free},
        {"EVP_sha256", &crypto.sha256},
        {"EVP_DigestSignInit", &crypto.sign_init},
        {"EVP_DigestSign", &crypto.sign},
        {"BN_num_bits", &crypto.num_bits},
        {"BN_bn2bin", &crypto.to_bytes},
        {"BN_free", &crypto.number_free},
        {NULL, NULL},
    };
    struct err err = ERR_INIT;

    if (late_load(library, "OpenSSL's libraries", symbols, &err) < 0)
        BUG("%s", err.text);
}

struct sign_key *sign_key_new(void)
{
    struct sign_key *k = mem_new(sizeof *k);

    if (!crypto.keygen)
        load();
    k->key = crypto.keygen(NULL, NULL, "RSA", (size_t)KEY_BITS);
    if (!k->key)
        BUG("libcrypto makes no RSA keys");
    return k;
}

struct sign_key *sign_key_free(struct sign_key *k)
{
    if (k) {
        crypto.key_free(k->key);
        free(k);
    }
    return NULL;
}

void sign_key_sign(const struct sign_key *k, struct slice text, struct buf *to)
{
    EVP_MD_CTX *ctx = crypto.ctx_new();
    unsigned char signature[SIGNATURE_SIZE];
    size_t size = sizeof signature;

    if (!ctx || crypto.sign_init(ctx, NULL, crypto.sha256(), NULL, k->key) != 1 ||
        crypto.sign(ctx, signature, &size, (const unsigned char *)(text.len ? text.ptr : ""),
                    text.len) != 1)
        BUG("libcrypto does not sign");
    crypto.ctx_free(ctx);
    buf_add(to, slice_make((const char *)signature, size));
}

static void add_number(const struct sign_key *k, const char *name, struct buf *to)
{
    unsigned char bytes[KEY_BITS / 8];
    BIGNUM *number = NULL;

    if (crypto.get_number(k->key, name, &number) != 1 || crypto.num_bits(number) > KEY_BITS)
        BUG("an RSA key without '%s'", name);
    int n = crypto.to_bytes(number, bytes);
    crypto.number_free(number);
    buf_add(to, slice_make((const char *)bytes, (size_t)n));
}

void sign_key_public(const struct sign_key *k, struct buf *modulus, struct buf *exponent)
{
    add_number(k, OSSL_PKEY_PARAM_RSA_N, modulus);
    add_number(k, OSSL_PKEY_PARAM_RSA_E, exponent);
}
