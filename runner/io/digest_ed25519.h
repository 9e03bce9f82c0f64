/* digest_ed25519 - Ed25519 signatures (RFC 8032), from libcrypto; keys as openssl writes them (RFC 8410).
 *
 *     openssl genpkey -algorithm ed25519 -out key.pem
 *     openssl pkey -in key.pem -pubout -out key.pub.pem
 *     openssl pkeyutl -sign -rawin -inkey key.pem -in FILE -out FILE.sig
 *     openssl pkeyutl -verify -rawin -pubin -inkey key.pub.pem -in FILE -sigfile FILE.sig
 *
 * make and check the same signatures: 64 bytes, over the text itself. */
#pragma once

#include "base/err.h"
#include "base/slice.h"

enum { ED25519_KEY_SIZE = 32, ED25519_SIGNATURE_SIZE = 64, ED25519_FILE_MAX = 64 << 10 };

/* TEXT is a PEM file with one "PUBLIC KEY", or Base64: of what stands in such a file, or of the 32 bytes alone.
 * ERR_INVALID: it is neither, or of another kind of key. */
MUST_CHECK int ed25519_public(struct slice text, unsigned char ret[ED25519_KEY_SIZE],
                              struct err *err);

/* PEM is a file with one "PRIVATE KEY", not encrypted. The caller wipes RET. */
MUST_CHECK int ed25519_private(struct slice pem, unsigned char ret[ED25519_KEY_SIZE],
                               struct err *err);

/* Signs TEXT with the private KEY. */
void ed25519_sign(const unsigned char key[ED25519_KEY_SIZE], struct slice text,
                  unsigned char ret[ED25519_SIGNATURE_SIZE]);

/* True if SIGNATURE, of whatever size it comes in, is that of TEXT by the private half of the public KEY. */
bool ed25519_verify(const unsigned char key[ED25519_KEY_SIZE], struct slice text,
                    struct slice signature);
