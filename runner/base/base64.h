/* base64 - RFC 4648, both alphabets. */
#pragma once

#include "base/buf.h"

/* Appends BYTES in the alphabet for URLs and file names, without padding, as tokens have them. */
void base64_url(struct buf *to, struct slice bytes);

/* Appends BYTES in the ordinary alphabet, padded, as JSON documents and HTTP headers have them. */
void base64_add(struct buf *to, struct slice bytes);

/* Appends what TEXT stands for: either alphabet, padded or not. ERR_INVALID: it is no Base64; then some
 * of it may have been appended. */
MUST_CHECK int base64_decode(struct slice text, struct buf *to, struct err *err);
