#include "digest.h"

#include <stdlib.h>
#include <string.h>

void digest_begin(struct digest *d)
{
    d->ctx = EVP_MD_CTX_new();
    if (!d->ctx || EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) != 1)
        abort(); /* no memory, or a libcrypto without SHA-256 */
}

void digest_add(struct digest *d, const void *data, size_t size)
{
    if (EVP_DigestUpdate(d->ctx, data, size) != 1)
        abort();
}

void digest_end(struct digest *d, char ret[DIGEST_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (d->ctx && ret) {
        if (EVP_DigestFinal_ex(d->ctx, raw, &n) != 1 || n != 32)
            abort();
        memcpy(ret, "sha256:", 7);
        for (unsigned i = 0; i < n; i++) {
            ret[7 + 2 * i] = hex[raw[i] >> 4];
            ret[8 + 2 * i] = hex[raw[i] & 15];
        }
        ret[DIGEST_SIZE - 1] = '\0';
    }
    EVP_MD_CTX_free(d->ctx);
    d->ctx = NULL;
}

const char *digest_of(struct ost_step *step, const void *data, size_t size)
{
    char *text = step->host->alloc(step, DIGEST_SIZE);
    struct digest d = {0};

    digest_begin(&d);
    digest_add(&d, data, size);
    digest_end(&d, text);
    return text;
}
