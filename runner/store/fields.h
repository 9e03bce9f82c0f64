/* fields - the members of the messages between the store and its processes. */
#pragma once

#include "base/arena.h"

#include <jansson.h>

/* New references. What is no UTF-8 is null, and so is NULL. */
json_t *field_text(const char *text);
json_t *field_list(const char *const *list); /* NULL-terminated; NULL: none */

/* The text NAME of JSON, in A; NULL: there is none. */
const char *field_get_text(struct arena *a, const json_t *json, const char *name);
/* The texts in the list NAME, in A, NULL-terminated; nothing for what is no list. */
const char *const *field_get_list(struct arena *a, const json_t *json, const char *name);
