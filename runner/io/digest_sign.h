/* digest_sign - RSA signatures as JSON Web Tokens have them (RS256), from libcrypto. */
#pragma once

#include "base/buf.h"

struct sign_key;

enum { SIGNATURE_SIZE = 256 }; /* bytes, of a key of 2048 bits */

/* A new key of 2048 bits; takes a tenth of a second. */
struct sign_key *sign_key_new(void);
struct sign_key *sign_key_free(struct sign_key *k); /* returns NULL; NULL does nothing */

/* Appends the RSASSA-PKCS1-v1_5 signature, with SHA-256, of TEXT. */
void sign_key_sign(const struct sign_key *k, struct slice text, struct buf *to);

/* Appends the public key's modulus and exponent, big-endian without leading zeroes. */
void sign_key_public(const struct sign_key *k, struct buf *modulus, struct buf *exponent);
