/* member - what JSON objects hold, for readers who take a missing member and one of another kind alike. */
#pragma once

#include <jansson.h>

/* The text of OBJECT's member KEY; "" if there is none, or OBJECT is no object (NULL is fine). Borrowed from OBJECT. */
static inline const char *member_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}
