#include "io/digest_aes.h"

#include "io/late.h"

#include <openssl/evp.h>

enum { PIECE_SIZE = 1 << 20 }; /* libcrypto counts in int */

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
static const char library[] = "libcrypto.so." TEXT(OPENSSL_SHLIB_VERSION);

static struct {
    __typeof__(EVP_CIPHER_CTX_new) *ctx_new;
    __typeof__(EVP_CIPHER_CTX_free) *ctx_free;
    __typeof__(EVP_CIPHER_CTX_set_padding) *set_padding;
    __typeof__(EVP_aes_256_cbc) *aes_256_cbc;
    __typeof__(EVP_DecryptInit_ex) *init;
    __typeof__(EVP_DecryptUpdate) *update;
} crypto;

static void load(void)
{
    static const struct late_symbol symbols[] = {
        {"EVP_CIPHER_CTX_new", &crypto.ctx_new},
        {"EVP_CIPHER_CTX_free", &crypto.ctx_free},
        {"EVP_CIPHER_CTX_set_padding", &crypto.set_padding},
        {"EVP_aes_256_cbc", &crypto.aes_256_cbc},
        {"EVP_DecryptInit_ex", &crypto.init},
        {"EVP_DecryptUpdate", &crypto.update},
        {NULL, NULL},
    };
    struct err err = ERR_INIT;

    if (!crypto.update && late_load(library, "OpenSSL's libraries", symbols, &err) < 0)
        BUG("%s", err.text);
}

/* How many bytes at the end of TEXT are padding. */
static size_t padding_of(struct slice text)
{
    size_t n = text.len ? (unsigned char)text.ptr[text.len - 1] : 0;

    if (n == 0 || n > AES_BLOCK_SIZE || n > text.len)
        return 0;
    for (size_t i = text.len - n; i < text.len; i++)
        if ((unsigned char)text.ptr[i] != n)
            return 0;
    return n;
}

int aes_decrypt(const unsigned char key[AES_KEY_SIZE], const unsigned char iv[AES_BLOCK_SIZE],
                struct slice bytes, struct buf *to, struct err *err)
{
    size_t from = to->len;

    if (bytes.len == 0 || bytes.len % AES_BLOCK_SIZE)
        return err_set(err, ERR_INVALID, "%zu bytes are no whole number of AES blocks", bytes.len);
    char *room = buf_reserve(to, bytes.len);
    if (!room)
        return buf_check(to, "what was decrypted", err);

    load();
    EVP_CIPHER_CTX *ctx = crypto.ctx_new();
    if (!ctx || crypto.init(ctx, crypto.aes_256_cbc(), NULL, key, iv) != 1 ||
        crypto.set_padding(ctx, 0) != 1)
        BUG("libcrypto knows no AES");
    for (size_t at = 0; at < bytes.len;) {
        size_t left = bytes.len - at;
        int got = 0;

        if (crypto.update(ctx, (unsigned char *)room + at, &got,
                          (const unsigned char *)bytes.ptr + at,
                          (int)(left < PIECE_SIZE ? left : PIECE_SIZE)) != 1 ||
            got <= 0)
            BUG("libcrypto does not decrypt");
        at += (size_t)got;
    }
    crypto.ctx_free(ctx); /* wipes its copy of the key */
    to->len += bytes.len;
    buf_cut(to, to->len - padding_of(slice_from(buf_slice(to), from)));
    return ERR_OK;
}
