/* containers - `containers:` of a policy (policy.h): what of this machine the containers of jobs may have.
 *
 *     containers:
 *       volumes: [data, /srv/cache]
 *       options: [--privileged, --gpus=all]
 *       socket: true
 *       add: --add-host=git.example.org:host-gateway
 *       network: ci
 *
 * What they mean says job/container/container_policy.h, and the manual cli/listen/policy.md. */
#pragma once

#include "base/err.h"
#include "lang/token.h"

/* MAP of FILE as an object of container_policy.h, "file" included: a new reference. ERR_INVALID with file, line, column
 * and cure. */
MUST_CHECK int listen_containers_read(struct arena *a, const char *file, const struct token *map,
                                      json_t **ret, struct err *err);
