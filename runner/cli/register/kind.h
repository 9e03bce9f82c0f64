/* register_kind - which kind of server an address belongs to. */
#pragma once

#include "io/http.h"
#include "queue/registration.h"

/* GitHub's own hosts are known by their names; others are asked. ERR_INVALID: it is no address, or neither kind of server
 * answers there, and what can be done. */
MUST_CHECK int register_kind_find(struct http *http, const char *url, enum registration_kind *ret,
                                  struct err *err);
