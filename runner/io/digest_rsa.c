#include "io/digest_rsa.h"

#include "io/late.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

enum { KEY_BITS = 8 * RSA_KEY_SIZE, SALT_SIZE = 32, NUMBERS = 8 };

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
static const char library[] = "libcrypto.so." TEXT(OPENSSL_SHLIB_VERSION);

/* Loaded with the first key, as in digest.c. */
static struct {
    __typeof__(EVP_PKEY_Q_keygen) *keygen;
    __typeof__(EVP_PKEY_free) *key_free;
    __typeof__(EVP_PKEY_get_bn_param) *get_number;
    __typeof__(EVP_PKEY_CTX_new_from_name) *ctx_named;
    __typeof__(EVP_PKEY_CTX_new_from_pkey) *ctx_of;
    __typeof__(EVP_PKEY_CTX_free) *ctx_free;
    __typeof__(EVP_PKEY_fromdata_init) *load_init;
    __typeof__(EVP_PKEY_fromdata) *load;
    __typeof__(EVP_PKEY_pairwise_check) *check;
    __typeof__(OSSL_PARAM_BLD_new) *list_new;
    __typeof__(OSSL_PARAM_BLD_free) *list_free;
    __typeof__(OSSL_PARAM_BLD_push_BN) *list_add;
    __typeof__(OSSL_PARAM_BLD_to_param) *list_end;
    __typeof__(OSSL_PARAM_free) *params_free;
    __typeof__(EVP_MD_CTX_new) *md_ctx_new;
    __typeof__(EVP_MD_CTX_free) *md_ctx_free;
    __typeof__(EVP_sha1) *sha1;
    __typeof__(EVP_sha256) *sha256;
    __typeof__(EVP_DigestSignInit) *sign_init;
    __typeof__(EVP_DigestSign) *sign;
    __typeof__(EVP_DigestVerifyInit) *verify_init;
    __typeof__(EVP_DigestVerify) *verify;
    __typeof__(EVP_PKEY_CTX_set_rsa_padding) *set_padding;
    __typeof__(EVP_PKEY_CTX_set_rsa_pss_saltlen) *set_salt;
    __typeof__(EVP_PKEY_CTX_set_rsa_mgf1_md) *set_mgf1;
    __typeof__(EVP_PKEY_CTX_set_rsa_oaep_md) *set_oaep;
    __typeof__(EVP_PKEY_decrypt_init) *decrypt_init;
    __typeof__(EVP_PKEY_decrypt) *decrypt;
    __typeof__(BN_num_bits) *num_bits;
    __typeof__(BN_bin2bn) *from_bytes;
    __typeof__(BN_bn2bin) *to_bytes;
    __typeof__(BN_bn2binpad) *to_padded;
    __typeof__(BIO_new_mem_buf) *text_new;
    __typeof__(BIO_free) *text_free;
    __typeof__(PEM_read_bio_PrivateKey) *read_pem;
    __typeof__(EVP_PKEY_get_bits) *key_bits;
    __typeof__(EVP_PKEY_is_a) *key_is_a;
    __typeof__(BN_clear_free) *number_free;
} crypto;

struct rsa_key {
    EVP_PKEY *key;
};

static void load(void)
{
    static const struct late_symbol symbols[] = {
        {"EVP_PKEY_Q_keygen", &crypto.keygen},
        {"EVP_PKEY_free", &crypto.key_free},
        {"EVP_PKEY_get_bn_param", &crypto.get_number},
        {"EVP_PKEY_CTX_new_from_name", &crypto.ctx_named},
        {"EVP_PKEY_CTX_new_from_pkey", &crypto.ctx_of},
        {"EVP_PKEY_CTX_free", &crypto.ctx_free},
        {"EVP_PKEY_fromdata_init", &crypto.load_init},
        {"EVP_PKEY_fromdata", &crypto.load},
        {"EVP_PKEY_pairwise_check", &crypto.check},
        {"OSSL_PARAM_BLD_new", &crypto.list_new},
        {"OSSL_PARAM_BLD_free", &crypto.list_free},
        {"OSSL_PARAM_BLD_push_BN", &crypto.list_add},
        {"OSSL_PARAM_BLD_to_param", &crypto.list_end},
        {"OSSL_PARAM_free", &crypto.params_free},
        {"EVP_MD_CTX_new", &crypto.md_ctx_new},
        {"EVP_MD_CTX_free", &crypto.md_ctx_free},
        {"EVP_sha1", &crypto.sha1},
        {"EVP_sha256", &crypto.sha256},
        {"EVP_DigestSignInit", &crypto.sign_init},
        {"EVP_DigestSign", &crypto.sign},
        {"EVP_DigestVerifyInit", &crypto.verify_init},
        {"EVP_DigestVerify", &crypto.verify},
        {"EVP_PKEY_CTX_set_rsa_padding", &crypto.set_padding},
        {"EVP_PKEY_CTX_set_rsa_pss_saltlen", &crypto.set_salt},
        {"EVP_PKEY_CTX_set_rsa_mgf1_md", &crypto.set_mgf1},
        {"EVP_PKEY_CTX_set_rsa_oaep_md", &crypto.set_oaep},
        {"EVP_PKEY_decrypt_init", &crypto.decrypt_init},
        {"EVP_PKEY_decrypt", &crypto.decrypt},
        {"BN_num_bits", &crypto.num_bits},
        {"BN_bin2bn", &crypto.from_bytes},
        {"BN_bn2bin", &crypto.to_bytes},
        {"BN_bn2binpad", &crypto.to_padded},
        {"BIO_new_mem_buf", &crypto.text_new},
        {"BIO_free", &crypto.text_free},
        {"PEM_read_bio_PrivateKey", &crypto.read_pem},
        {"EVP_PKEY_get_bits", &crypto.key_bits},
        {"EVP_PKEY_is_a", &crypto.key_is_a},
        {"BN_clear_free", &crypto.number_free},
        {NULL, NULL},
    };
    struct err err = ERR_INIT;

    if (!crypto.number_free && late_load(library, "OpenSSL's libraries", symbols, &err) < 0)
        BUG("%s", err.text);
}

/* ---- keys ---- */

struct rsa_key *rsa_key_new(void)
{
    struct rsa_key *k = mem_new(sizeof *k);

    load();
    k->key = crypto.keygen(NULL, NULL, "RSA", (size_t)KEY_BITS);
    if (!k->key)
        BUG("libcrypto makes no RSA keys");
    return k;
}

/* Without it libcrypto asks at the terminal. */
static int no_passphrase(char *text, int size, int writes, void *ctx)
{
    (void)text;
    (void)size;
    (void)writes;
    (void)ctx;
    return -1;
}

int rsa_key_parse_pem(struct slice text, struct rsa_key **ret, struct err *err)
{
    load();
    BIO *bio = text.len && text.len < INT_MAX ? crypto.text_new(text.ptr, (int)text.len) : NULL;
    EVP_PKEY *key = bio ? crypto.read_pem(bio, NULL, no_passphrase, NULL) : NULL;

    if (bio)
        crypto.text_free(bio);
    if (!key || !crypto.key_is_a(key, "RSA") || crypto.key_bits(key) != KEY_BITS) {
        crypto.key_free(key);
        return err_set(err, ERR_INVALID, "this is no RSA key of %d bits in PEM", KEY_BITS);
    }
    struct rsa_key *k = mem_new(sizeof *k);
    k->key = key;
    *ret = k;
    return ERR_OK;
}

struct rsa_key *rsa_key_free(struct rsa_key *k)
{
    if (k) {
        crypto.key_free(k->key);
        free(k);
    }
    return NULL;
}

/* Where each number stands, and what libcrypto calls it. */
static const struct number {
    const char *name;
    size_t at, size;
} numbers[NUMBERS] = {
#define NUMBER(name, member)                                                                       \
    {                                                                                              \
        name, offsetof(struct rsa_numbers, member), sizeof(((struct rsa_numbers *)0)->member)      \
    }
    NUMBER(OSSL_PKEY_PARAM_RSA_N, modulus),    NUMBER(OSSL_PKEY_PARAM_RSA_E, exponent),
    NUMBER(OSSL_PKEY_PARAM_RSA_D, d),          NUMBER(OSSL_PKEY_PARAM_RSA_FACTOR1, p),
    NUMBER(OSSL_PKEY_PARAM_RSA_FACTOR2, q),    NUMBER(OSSL_PKEY_PARAM_RSA_EXPONENT1, dp),
    NUMBER(OSSL_PKEY_PARAM_RSA_EXPONENT2, dq), NUMBER(OSSL_PKEY_PARAM_RSA_COEFFICIENT1, inverse_q),
#undef NUMBER
};

static bool is_sound(EVP_PKEY *key)
{
    EVP_PKEY_CTX *ctx = crypto.ctx_of(NULL, key, NULL);
    bool sound = ctx && crypto.check(ctx) == 1;

    crypto.ctx_free(ctx);
    return sound;
}

static EVP_PKEY *key_of(OSSL_PARAM *params)
{
    EVP_PKEY_CTX *ctx = crypto.ctx_named(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;

    if (!ctx || crypto.load_init(ctx) != 1 || crypto.load(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
        key = NULL;
    crypto.ctx_free(ctx);
    return key;
}

int rsa_key_load(const struct rsa_numbers *from, struct rsa_key **ret, struct err *err)
{
    BIGNUM *list[NUMBERS] = {NULL};

    load();
    OSSL_PARAM_BLD *build = crypto.list_new();
    bool good = build != NULL;
    for (size_t i = 0; good && i < NUMBERS; i++) {
        list[i] = crypto.from_bytes((const unsigned char *)from + numbers[i].at,
                                    (int)numbers[i].size, NULL);
        good = list[i] && crypto.list_add(build, numbers[i].name, list[i]) == 1;
    }
    OSSL_PARAM *params = good ? crypto.list_end(build) : NULL;
    /* A shorter modulus would sign what is no 256 bytes. */
    EVP_PKEY *key = params && crypto.num_bits(list[0]) == KEY_BITS ? key_of(params) : NULL;
    crypto.params_free(params);
    crypto.list_free(build);
    for (size_t i = 0; i < NUMBERS; i++)
        crypto.number_free(list[i]);
    if (!key || !is_sound(key)) {
        crypto.key_free(key);
        return err_set(err, ERR_INVALID, "its numbers are not those of one RSA key of %d bits",
                       KEY_BITS);
    }
    *ret = mem_new(sizeof **ret);
    (*ret)->key = key;
    return ERR_OK;
}

static BIGNUM *number_of(const struct rsa_key *k, const char *name, size_t size)
{
    BIGNUM *number = NULL;

    if (crypto.get_number(k->key, name, &number) != 1 || crypto.num_bits(number) > 8 * (int)size)
        BUG("an RSA key without '%s'", name);
    return number;
}

void rsa_key_numbers(const struct rsa_key *k, struct rsa_numbers *ret)
{
    for (size_t i = 0; i < NUMBERS; i++) {
        BIGNUM *number = number_of(k, numbers[i].name, numbers[i].size);

        (void)crypto.to_padded(number, (unsigned char *)ret + numbers[i].at, (int)numbers[i].size);
        crypto.number_free(number);
    }
}

static void add_number(const struct rsa_key *k, const char *name, struct buf *to)
{
    unsigned char bytes[RSA_KEY_SIZE];
    BIGNUM *number = number_of(k, name, sizeof bytes);
    int n = crypto.to_bytes(number, bytes);

    crypto.number_free(number);
    buf_add(to, slice_make((const char *)bytes, (size_t)n));
}

void rsa_key_public(const struct rsa_key *k, struct buf *modulus, struct buf *exponent)
{
    add_number(k, OSSL_PKEY_PARAM_RSA_N, modulus);
    add_number(k, OSSL_PKEY_PARAM_RSA_E, exponent);
}

/* ---- signatures ---- */

static bool set_scheme(EVP_PKEY_CTX *ctx, enum rsa_scheme scheme)
{
    return scheme == RSA_RS256 ||
           (crypto.set_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
            crypto.set_salt(ctx, SALT_SIZE) == 1 && crypto.set_mgf1(ctx, crypto.sha256()) == 1);
}

static const unsigned char *bytes_of(struct slice s)
{
    return (const unsigned char *)(s.len ? s.ptr : "");
}

void rsa_key_sign(const struct rsa_key *k, enum rsa_scheme scheme, struct slice text,
                  struct buf *to)
{
    EVP_MD_CTX *ctx = crypto.md_ctx_new();
    EVP_PKEY_CTX *more = NULL; /* lives as long as CTX */
    unsigned char signature[RSA_KEY_SIZE];
    size_t size = sizeof signature;

    if (!ctx || crypto.sign_init(ctx, &more, crypto.sha256(), NULL, k->key) != 1 ||
        !set_scheme(more, scheme) ||
        crypto.sign(ctx, signature, &size, bytes_of(text), text.len) != 1)
        BUG("libcrypto does not sign");
    crypto.md_ctx_free(ctx);
    buf_add(to, slice_make((const char *)signature, size));
}

bool rsa_key_verify(const struct rsa_key *k, enum rsa_scheme scheme, struct slice text,
                    struct slice signature)
{
    EVP_MD_CTX *ctx = crypto.md_ctx_new();
    EVP_PKEY_CTX *more = NULL;
    bool good =
        ctx && crypto.verify_init(ctx, &more, crypto.sha256(), NULL, k->key) == 1 &&
        set_scheme(more, scheme) &&
        crypto.verify(ctx, bytes_of(signature), signature.len, bytes_of(text), text.len) == 1;

    crypto.md_ctx_free(ctx);
    return good;
}

/* ---- what is for us alone ---- */

int rsa_key_decrypt(const struct rsa_key *k, enum rsa_hash hash, struct slice bytes, struct buf *to,
                    struct err *err)
{
    const EVP_MD *md = hash == RSA_SHA1 ? crypto.sha1() : crypto.sha256();
    EVP_PKEY_CTX *ctx = crypto.ctx_of(NULL, k->key, NULL);
    unsigned char plain[RSA_KEY_SIZE];
    size_t size = sizeof plain;

    bool good = ctx && crypto.decrypt_init(ctx) == 1 &&
                crypto.set_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
                crypto.set_oaep(ctx, md) == 1 && crypto.set_mgf1(ctx, md) == 1 &&
                crypto.decrypt(ctx, plain, &size, bytes_of(bytes), bytes.len) == 1;
    crypto.ctx_free(ctx);
    if (good)
        buf_add(to, slice_make((const char *)plain, size));
    explicit_bzero(plain, sizeof plain);
    if (!good)
        return err_set(err, ERR_INVALID, "this was not encrypted for this key");
    return buf_check(to, "what was decrypted", err);
}
