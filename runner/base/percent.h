/* percent - "%41" and the like in parts of URLs and headers (RFC 3986, 2.1). */
#pragma once

#include "base/buf.h"

/* Appends TEXT to TO with each escape as the byte it stands for; what is none stays as it is. */
void percent_decode(struct slice text, struct buf *to);
