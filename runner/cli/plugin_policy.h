/* plugin_policy - `plugins:` of a configuration: where plugins are looked for, and which of them may run.
 *
 *     plugins:
 *       path: [/srv/ostler/plugins]             # looked at before the usual folders
 *       prefer: {actions/cache: never}          # as --plugins has it; or for all: `prefer: only`
 *       mode: allow-list                        # only what a rule allows; installed: all that is installed
 *       workspace: false                        # may a job run plugins of its own files?
 *       signers:
 *         acme: /etc/ostler/acme.pub.pem        # or the key itself, in Base64
 *       allow:
 *         - id: acme/docker-push                # or acme/..., with a star in place of the name
 *           version: ">=1.4 <2"
 *           sha256: [9f2c...]
 *           signer: acme
 *           network: [registry.example, "*.cdn.example:443"]
 *
 * A file with these keys alone is what --plugin-policy names. Each file that says something of mode, workspace, signers
 * or allow is a policy of its own, and each has to allow a plugin: a later file never takes back what an earlier forbids. */
#pragma once

#include "cli/config.h"
#include "lang/token.h"

/* Adds what MAP, of FILE, says to TO. ERR_INVALID with file, line, column and cure. */
MUST_CHECK int plugin_policy_take(struct arena *a, const char *file, const struct token *map,
                                  struct config *to, struct err *err);

/* The whole file PATH, for --plugin-policy. Errors as those of config_read(). */
MUST_CHECK int plugin_policy_read(struct arena *a, const char *path, struct config *to,
                                  struct err *err);

/* What the configuration of this machine and user says of plugins (NAMED: that file instead, which has to be there);
 * then POLICY, unless it is NULL. For the subcommands of "ostler plugin". */
MUST_CHECK int plugin_policy_load(struct arena *a, const char *named, const char *policy,
                                  struct config *to, struct err *err);
