/* hosts - which servers a plugin's requests may reach: lists of patterns ("registry.example", "*.example", with ":5000" behind
 * it that port alone), in each of which one has to fit. Pure. */
#pragma once

#include "base/slice.h"

#include <jansson.h>

/* HOSTS NULL: all may be asked. Case does not matter; PORT is in digits. */
bool hosts_allow(const json_t *hosts, struct slice host, struct slice port);

/* The same for an address "https://HOST[:PORT]/..." or "http://...". With HOSTS, false for whatever is not plainly one:
 * who goes there may read it in another way. */
bool hosts_allow_url(const json_t *hosts, const char *url);
