/* manifest - of a plugin that is a program: an action.yml which says what a shared object has in its tables.
 *
 *     name: greet
 *     description: Says hello
 *     inputs:
 *       who: {description: Whom to greet, type: string, default: world}
 *       token: {secret: true}
 *     outputs:
 *       greeting: {description: What was said}
 *     runs:
 *       using: ostler/1
 *       protocol: json-lines          # or plugin-env; sdk/json-lines.md, sdk/plugin-env.md
 *       id: acme/greet
 *       version: 1.0.0
 *       main: greet.py                # a program beside this file; `pre` and `post` name the same one
 *       plan: true                    # it has a plan phase
 *       needs: [network]              # or workspace-write
 *
 * Inputs may have the types of ostler/plugin.h; the rest of the keys is that of any action. */
#pragma once

#include "plugin/plugin.h"

/* The contract that TEXT, of FILE, states; the caller's. It has an object and a protocol. ERR_INVALID: it is none, with
 * the line and the cure. ERR_NOT_FOUND: it is a manifest, but not of such a plugin. */
MUST_CHECK int manifest_contract(struct slice text, const char *file, struct plugin **ret,
                                 struct err *err);
