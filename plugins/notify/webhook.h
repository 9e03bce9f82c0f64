/* webhook - the parts of a webhook's request that can be right or wrong. */
#pragma once

#include "facts.h"

/* TEXT, "" for the standard one, as JSON with FACTS in it. NULL, or why it is none. */
const char *webhook_body(const struct facts *facts, const char *text, struct span *ret);

/* "sha256=" and the HMAC of BODY, lower-case hex. */
const char *webhook_signature(struct ost_step *step, const char *secret, struct span body);
