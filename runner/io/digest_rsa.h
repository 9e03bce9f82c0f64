/* digest_rsa - RSA keys of 2048 bits, from libcrypto: the signatures of JSON Web Tokens (RS256, PS256), and texts that
 * were encrypted for us (OAEP). Keys come and go as the numbers they are made of (RFC 8017, 3.2). */
#pragma once

#include "base/buf.h"

struct rsa_key;

enum {
    RSA_KEY_SIZE = 256,    /* bytes of a modulus, a signature, an encrypted text */
    RSA_PRIME_SIZE = 128,  /* bytes of a prime */
    RSA_EXPONENT_SIZE = 3, /* bytes of the public exponent, 65537 */
};

/* The numbers of a private key, big-endian, each filled up with zeroes in front. Whoever has one wipes it. */
struct rsa_numbers {
    unsigned char modulus[RSA_KEY_SIZE], exponent[RSA_EXPONENT_SIZE];
    unsigned char d[RSA_KEY_SIZE];
    unsigned char p[RSA_PRIME_SIZE], q[RSA_PRIME_SIZE];
    unsigned char dp[RSA_PRIME_SIZE], dq[RSA_PRIME_SIZE], inverse_q[RSA_PRIME_SIZE];
};

enum rsa_scheme {
    RSA_RS256, /* RSASSA-PKCS1-v1_5 with SHA-256 */
    RSA_PS256, /* RSASSA-PSS with SHA-256, MGF1 of SHA-256, a salt of 32 bytes */
};

enum rsa_hash { RSA_SHA1, RSA_SHA256 }; /* of OAEP and its MGF1; the label is empty */

/* A new key; takes a tenth of a second. */
struct rsa_key *rsa_key_new(void);

/* ERR_INVALID: the numbers are not those of one key. */
MUST_CHECK int rsa_key_load(const struct rsa_numbers *numbers, struct rsa_key **ret,
                            struct err *err);

/* One in PEM (PKCS #1 or #8, not encrypted), as programs keep it in a file. ERR_INVALID: it is none, or not of 2048
 * bits. */
MUST_CHECK int rsa_key_parse_pem(struct slice text, struct rsa_key **ret, struct err *err);

/* Wiped. Returns NULL; NULL does nothing. */
struct rsa_key *rsa_key_free(struct rsa_key *k);

void rsa_key_numbers(const struct rsa_key *k, struct rsa_numbers *ret);

/* Appends the public half, big-endian without leading zeroes. */
void rsa_key_public(const struct rsa_key *k, struct buf *modulus, struct buf *exponent);

/* Appends the signature of TEXT, RSA_KEY_SIZE bytes. */
void rsa_key_sign(const struct rsa_key *k, enum rsa_scheme scheme, struct slice text,
                  struct buf *to);
bool rsa_key_verify(const struct rsa_key *k, enum rsa_scheme scheme, struct slice text,
                    struct slice signature);

/* Appends what was encrypted for K with OAEP; the caller wipes it. ERR_INVALID: it is not for this key, or for another
 * hash. */
MUST_CHECK int rsa_key_decrypt(const struct rsa_key *k, enum rsa_hash hash, struct slice bytes,
                               struct buf *to, struct err *err);
