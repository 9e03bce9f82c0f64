/* token - what the clients of a run show: a token for each job, and signed addresses for single blobs.
 *
 * Both are signed with the key of the run, which only the front program and the server know. A token is
 * a JWT (HS256), because clients read their ids out of it (runtime contract 13.1). */
#pragma once

#include "base/buf.h"

#include <jansson.h>
#include <stdint.h>

enum {
    TOKEN_KEY_SIZE = 32,
    TOKEN_SIZE_MAX = 120 << 10, /* what an environment variable may hold */
    TOKEN_CLAIM_MAX = 500, /* bytes of one thing that it says: with all of them it stays below */
    TOKEN_SIGNATURE_SIZE = 44, /* of an address, with the final NUL */
};

struct token_key {
    unsigned char bytes[TOKEN_KEY_SIZE];
};

/* The JWT of CLAIMS, which are as few and short as the limits above have it; the caller frees it, and wipes it first. */
char *token_make(const struct token_key *key, const json_t *claims);

/* The claims of TOKEN (new reference) if it is one of KEY's and NOW (seconds since 1970) lies before its
 * "exp". ERR_DENIED says what is wrong with it and never what it holds. */
MUST_CHECK int token_read(const struct token_key *key, struct slice token, int64_t now,
                          json_t **ret, struct err *err);

/* The signature under which anybody may VERB ("r", "w") PATH until EXPIRES (seconds since 1970). */
void token_sign(const struct token_key *key, const char *verb, const char *path, int64_t expires,
                char ret[TOKEN_SIGNATURE_SIZE]);

/* True if SIGNATURE is that, and NOW is before EXPIRES. */
bool token_allows(const struct token_key *key, const char *verb, const char *path, int64_t expires,
                  struct slice signature, int64_t now);
