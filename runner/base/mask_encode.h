/* mask_encode - the forms in which a secret turns up in a log (runtime contract 8.2). For mask.c. */
#pragma once

#include "base/buf.h"

/* One form of the value, borrowed for the call. */
typedef void mask_form_fn(void *ctx, struct slice form);

/* Calls FN with each encoding of VALUE that differs from it; VALUE itself is not among them. Beyond
 * GitHub's list it gives each Base64 form without its last, incomplete group: `echo $SECRET | base64`
 * encodes a line end along, which changes exactly that group. */
void mask_encodings(struct slice value, mask_form_fn *fn, void *ctx);
