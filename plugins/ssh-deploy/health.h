/* health - whether a release does its work: as compose, a URL and a command see it. */
#pragma once

#include "remote.h"

/* True if there is anything to look at. */
bool health_is_asked_for(const struct settings *s);

/* The URL with the server in the place of {host}. */
const char *health_url(struct ost_step *step, const struct settings *s,
                       const struct server *server);

/* Looks at RELEASE on R until it is well, or all looks are used up: OST_E_FAILED then, with the reason in R. */
ost_status health_wait(struct remote *r, const char *release);
