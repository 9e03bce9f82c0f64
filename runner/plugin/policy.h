/* policy - trust policies on their way to a job: as JSON, made by whoever reads the configuration.
 *
 *     [{"file": "/etc/ostler/config.yml", "mode": "allow-list", "workspace": false,
 *       "signers": {"acme": "BASE64 OF THE PUBLIC KEY"},
 *       "allow": [{"id": "acme/push", "version": ">=1.4 <2", "sha256": ["9f2c..."], "signer": "acme",
 *                  "network": ["registry.example"]}]}]
 *
 * one object for each file that states one. All members but "file" may be missing. */
#pragma once

#include "base/arena.h"
#include "plugin/trust.h"

/* The policies in the list JSON (NULL: none), in A; *RET is NULL when there is none. ERR_INVALID: it is no such list. */
MUST_CHECK int policy_read(struct arena *a, const json_t *json, const struct trust_policy **ret,
                           struct err *err);

/* True for a host that a rule may name: "registry.example", "*.example", each with ":5000" behind it or without. */
bool policy_is_host(struct slice s);
