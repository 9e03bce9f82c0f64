#include "io/digest.h"

#include "base/attr.h"

#include <openssl/evp.h>

struct digest {
    EVP_MD_CTX *ctx;
};

struct digest *digest_new(void)
{
    struct digest *d = mem_new(sizeof *d);

    d->ctx = EVP_MD_CTX_new();
    if (!d->ctx || EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) != 1)
        BUG("libcrypto has no SHA-256");
    return d;
}

struct digest *digest_free(struct digest *d)
{
    if (d) {
        EVP_MD_CTX_free(d->ctx);
        free(d);
    }
    return NULL;
}

void digest_add(struct digest *d, struct slice bytes)
{
    if (EVP_DigestUpdate(d->ctx, bytes.ptr, bytes.len) != 1)
        BUG("a SHA-256 that is finished takes no more");
}

void digest_finish(struct digest *d, unsigned char ret[DIGEST_SIZE])
{
    if (EVP_DigestFinal_ex(d->ctx, ret, NULL) != 1)
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

void digest_sha256(struct slice bytes, unsigned char ret[DIGEST_SIZE])
{
    struct digest *d = digest_new();

    digest_add(d, bytes);
    digest_finish(d, ret);
    digest_free(d);
}
