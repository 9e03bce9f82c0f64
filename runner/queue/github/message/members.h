/* members - what loose.h reads, for documents in which a member of the wrong kind is an error to be told. */
#pragma once

#include "queue/loose.h"

/* A text without NUL that is not empty; NULL: there is none. Borrowed. */
const char *member_text(const json_t *object, const char *name);

/* Whether LIST has an object whose member "name" is NAME; ASCII case is ignored. */
bool member_named(const json_t *list, const char *name);

/* A list (*RET is NULL when it is missing), or ERR_INVALID "NAME: must be a list". The same for an object. Borrowed. */
MUST_CHECK int member_list(const json_t *object, const char *name, json_t **ret, struct err *err);
MUST_CHECK int member_object(const json_t *object, const char *name, json_t **ret, struct err *err);
