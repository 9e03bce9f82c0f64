/* document - reading JSON that we wrote ourselves, or have checked: a member that is missing and one of another kind are alike.
 * What servers say is read with queue/loose.h. */
#pragma once

#include <jansson.h>

/* The text of OBJECT's member KEY; "" if there is none, or OBJECT is no object (NULL is fine). Borrowed from OBJECT. */
static inline const char *document_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}
