/* digest - "sha256:" and 64 hex digits, of bytes that are there or that pass by. */
#pragma once

#include <openssl/evp.h>

#include "../lib/text.h"

enum { DIGEST_SIZE = 7 + 64 + 1 }; /* with its NUL */

struct digest { /* of what was added; zeroed does nothing */
    EVP_MD_CTX *ctx;
};

void digest_begin(struct digest *d);
void digest_add(struct digest *d, const void *data, size_t size);
void digest_end(struct digest *d, char ret[DIGEST_SIZE]); /* releases; RET may be NULL */

const char *digest_of(struct ost_step *step, const void *data, size_t size);
