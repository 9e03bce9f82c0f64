/* refresh - RunnerRefreshConfig: the service replaces a file of the registration (github-protocol.md 3.7).
 *
 * The present document goes to the tenant, the new one comes back. What does not belong to this runner, or would lead
 * away from https://, is refused. */
#pragma once

#include "queue/github/settings.h"

struct github_refresh { /* what a message asks for */
    const char *file;   /* ".runner" or ".credentials" */
    const char *kind;   /* the same, as the tenant calls it */
};

/* Reads DOC, the message's body, for the runner AGENT_ID. ERR_INVALID, ERR_UNSUPPORTED: it is not for us, with why. */
MUST_CHECK int github_refresh_read(const json_t *doc, uint64_t agent_id, struct github_refresh *ret,
                                   struct err *err);

/* What the tenant is sent: NOW, the present document, as a JSON text. A new reference; loose_wipe() it. */
json_t *github_refresh_question(const json_t *now);

/* The new document in the tenant's ANSWER, held against NOW, the present one in FILE. *RET: a new reference, NULL: nothing
 * is to be changed. ERR_INVALID: it is none, or another runner's; the error holds none of it. */
MUST_CHECK int github_refresh_answer(struct slice answer, const char *file, const json_t *now,
                                     json_t **ret, struct err *err);
