/* digest - SHA-256 and HMAC, from libcrypto. With digest_rsa, digest_aes and digest_ed25519, the one module that includes it. */
#pragma once

#include "base/slice.h"

enum { DIGEST_SIZE = 32, DIGEST_HEX_SIZE = 2 * DIGEST_SIZE + 1 };

struct digest; /* a running SHA-256 */

struct digest *digest_new(void);
struct digest *digest_free(struct digest *d); /* returns NULL; NULL does nothing */
void digest_add(struct digest *d, struct slice bytes);

/* The end: 32 bytes. D takes nothing more. */
void digest_finish(struct digest *d, unsigned char ret[DIGEST_SIZE]);

/* Lower-case, NUL-terminated. */
void digest_hex(const unsigned char digest[DIGEST_SIZE], char ret[DIGEST_HEX_SIZE]);

/* All in one. */
void digest_sha256(struct slice bytes, unsigned char ret[DIGEST_SIZE]);

/* SHA-1, for old protocols that ask for it; nothing is safe that only this holds together. */
enum { DIGEST_SHA1_SIZE = 20 };
void digest_sha1(struct slice bytes, unsigned char ret[DIGEST_SHA1_SIZE]);

/* HMAC-SHA-256 (RFC 2104). */
void digest_hmac(struct slice key, struct slice text, unsigned char ret[DIGEST_SIZE]);

/* Compares in a time that does not tell where the two differ. */
bool digest_same(const unsigned char a[DIGEST_SIZE], const unsigned char b[DIGEST_SIZE]);
