/* message_steps - the steps of GitHub's job message; a part of message.h. */
#pragma once

#include "queue/github/message.h"

#include <jansson.h>

/* Reads member "steps" of MESSAGE into the steps of J and G. J's contexts and defaults are there already. */
MUST_CHECK int message_steps(const json_t *message, struct job *j, struct github_job *g,
                             struct err *err);

/* A GUID in small letters, in A; NULL: TEXT, which may be NULL, is none. */
const char *message_guid(struct arena *a, const char *text);
