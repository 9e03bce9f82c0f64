#include "io/digest.h"

#include "io/late.h"

#include <openssl/evp.h>

/* libcrypto takes 0.65 ms of a program's start, more than the rest of it, and most of ours never hash
 * anything: it is loaded when the first digest is made. */
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
static const char library[] = "libcrypto.so." TEXT(OPENSSL_SHLIB_VERSION);

static struct {
    __typeof__(EVP_MD_CTX_new) *ctx_new;
    __typeof__(EVP_MD_CTX_free) *ctx_free;
    __typeof__(EVP_sha1) *sha1;
    __typeof__(EVP_sha256) *sha256;
    __typeof__(EVP_DigestInit_ex) *init;
    __typeof__(EVP_DigestUpdate) *update;
    __typeof__(EVP_DigestFinal_ex) *final;
} crypto;

struct digest {
    EVP_MD_CTX *ctx;
};

static void load(void)
{
    static const struct late_symbol symbols[] = {
        {"EVP_MD_CTX_new", &crypto.ctx_new},
        {"EVP_MD_CTX_free", &crypto.ctx_free},
        {"EVP_sha1", &crypto.sha1},
        {"EVP_sha256", &crypto.sha256},
        {"EVP_DigestInit_ex", &crypto.init},
        {"EVP_DigestUpdate", &crypto.update},
        {"EVP_DigestFinal_ex", &crypto.final},
        {NULL, NULL},
    };
    struct err err = ERR_INIT;

    if (late_load(library, "OpenSSL's libraries", symbols, &err) < 0)
        BUG("%s", err.text);
}

static struct digest *digest_with(bool sha1)
{
    struct digest *d = mem_new(sizeof *d);

    if (!crypto.ctx_new)
        load();
    d->ctx = crypto.ctx_new();
    if (!d->ctx || crypto.init(d->ctx, sha1 ? crypto.sha1() : crypto.sha256(), NULL) != 1)
        BUG("libcrypto has no SHA-%d", sha1 ? 1 : 256);
    return d;
}

struct digest *digest_new(void)
{
    return digest_with(false);
}

struct digest *digest_free(struct digest *d)
{
    if (d) {
        crypto.ctx_free(d->ctx);
        free(d);
    }
    return NULL;
}

void digest_add(struct digest *d, struct slice bytes)
{
    if (crypto.update(d->ctx, bytes.ptr, bytes.len) != 1)
        BUG("a SHA-256 that is finished takes no more");
}

void digest_finish(struct digest *d, unsigned char ret[DIGEST_SIZE])
{
    if (crypto.final(d->ctx, ret, NULL) != 1)
        BUG("a SHA-256 can be finished once");
}

void digest_hex(const unsigned char digest[DIGEST_SIZE], char ret[DIGEST_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        ret[2 * i] = digits[digest[i] >> 4];
        ret[2 * i + 1] = digits[digest[i] & 15];
    }
    ret[DIGEST_HEX_SIZE - 1] = '\0';
}

void digest_sha1(struct slice bytes, unsigned char ret[DIGEST_SHA1_SIZE])
{
    struct digest *d = digest_with(true);

    digest_add(d, bytes);
    if (crypto.final(d->ctx, ret, NULL) != 1)
        BUG("libcrypto cannot make a SHA-1");
    digest_free(d);
}

void digest_sha256(struct slice bytes, unsigned char ret[DIGEST_SIZE])
{
    struct digest *d = digest_new();

    digest_add(d, bytes);
    digest_finish(d, ret);
    digest_free(d);
}

void digest_hmac(struct slice key, struct slice text, unsigned char ret[DIGEST_SIZE])
{
    enum { BLOCK = 64, INNER = 0x36, OUTER = 0x5c };
    char pad[BLOCK] = {0};
    unsigned char short_key[DIGEST_SIZE];

    if (key.len > BLOCK) {
        digest_sha256(key, short_key);
        key = slice_make((const char *)short_key, DIGEST_SIZE);
    }
    if (key.len)
        memcpy(pad, key.ptr, key.len);
    for (int i = 0; i < BLOCK; i++)
        pad[i] ^= INNER;
    struct digest *d = digest_new();
    digest_add(d, slice_make(pad, BLOCK));
    digest_add(d, text);
    digest_finish(d, ret);
    digest_free(d);
    for (int i = 0; i < BLOCK; i++)
        pad[i] ^= INNER ^ OUTER;
    d = digest_new();
    digest_add(d, slice_make(pad, BLOCK));
    digest_add(d, slice_make((const char *)ret, DIGEST_SIZE));
    digest_finish(d, ret);
    digest_free(d);
    explicit_bzero(pad, sizeof pad);
    explicit_bzero(short_key, sizeof short_key);
}

bool digest_same(const unsigned char a[DIGEST_SIZE], const unsigned char b[DIGEST_SIZE])
{
    unsigned char differs = 0;

    for (size_t i = 0; i < DIGEST_SIZE; i++)
        differs |= a[i] ^ b[i];
    return differs == 0;
}
