/* web - how this site reaches servers: the proxies and certificates that its environment names. */
#pragma once

#include "io/http.h"

/* A client for LOOP that calls itself AGENT; RETRY_MS as in struct http_spec, of minutes as settings_minute_ms() has
 * them. Loopback never goes through a proxy, whatever no_proxy says, as with the official
 * runner. ERR_NOT_FOUND: there is no libcurl. */
MUST_CHECK int web_open(struct loop *loop, const char *agent, int64_t retry_ms, struct http **ret,
                        struct err *err);

/* The same, where the environment ENV says how. */
MUST_CHECK int web_open_with(struct loop *loop, const char *agent, int64_t retry_ms,
                             const char *const *env, struct http **ret, struct err *err);
