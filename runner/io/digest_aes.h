/* digest_aes - AES-256-CBC, from libcrypto: the messages of GitHub's older queue. */
#pragma once

#include "base/buf.h"

enum { AES_KEY_SIZE = 32, AES_BLOCK_SIZE = 16 };

/* Appends what BYTES stand for, without their padding (PKCS#7; where there is none that can be one, all of it). ERR_INVALID:
 * they are no whole number of blocks. Nothing here tells a wrong key: look at what comes out. */
MUST_CHECK int aes_decrypt(const unsigned char key[AES_KEY_SIZE],
                           const unsigned char iv[AES_BLOCK_SIZE], struct slice bytes,
                           struct buf *to, struct err *err);
