/* steps - the steps of GitHub's job message; a part of message.h. */
#pragma once

#include "queue/github/message/message.h"

#include <jansson.h>

/* Reads member "steps" of MESSAGE into the steps of J and G. J's contexts and defaults are there already. */
MUST_CHECK int message_steps(const json_t *message, struct job *j, struct github_job *g,
                             struct err *err);

/* A GUID in small letters, in A; NULL: TEXT, which may be NULL, is none. */
const char *message_guid(struct arena *a, const char *text);

/* The template that FROM has as NAME, in A; NULL: it is missing, or null. The error begins with NAME. */
MUST_CHECK int message_token(struct arena *a, const json_t *from, const char *name,
                             const struct token **ret, struct err *err);
