/* service - GitHub's results service, as its own clients speak with it: twirp, which is JSON over POST (runtime
 * contract 13.0 to 13.2). */
#pragma once

#include "blobs/carrier.h"

enum { SERVICE_TRIES = 5 };

/* Finds the origin and the header for the token in the request; *RET_ERR_INVALID for an address or token that is none. */
MUST_CHECK int service_open(struct carrier *c, const json_t *service, struct err *err);
void service_close(struct carrier *c);

/* The ids that requests for artifacts carry, out of the token, in ASK. */
MUST_CHECK int service_add_ids(struct carrier *c, json_t *ask, struct err *err);

/* METHOD of "ArtifactService" or "CacheService". TAKE_ASK is dropped. *RET, an object, is the caller's.
 * ERR_DENIED: 409, there is one already; ERR_NOT_FOUND: 404; ERR_SYS: any other refusal, with what the server
 * says; or what http.h says. */
MUST_CHECK int service_call(struct carrier *c, const char *service, const char *method,
                            json_t *take_ask, json_t **ret, struct err *err);

/* Members of answers, in snake_case here; servers may have camelCase. NULL, -1: not there, or of another kind. */
const char *service_text(const json_t *answer, const char *name);
int64_t service_number(const json_t *answer, const char *name); /* int64 are texts on this wire */
bool service_is_ok(const json_t *answer);
