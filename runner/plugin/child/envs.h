/* envs - plugins as Drone and Woodpecker have them: a program that finds its settings in variables PLUGIN_NAME, what is
 * built in CI_ and DRONE_ ones, and says by its exit code how it went. It runs as a command of the job, in the job's place.
 *
 * Names and forms: woodpecker-ci.org, "Creating plugins" and "Environment variables"; docs.drone.io, "Reference". See
 * sdk/plugin-env.md. */
#pragma once

#include "base/buf.h"

#include <ostler/plugin.h>

/* Its plan and main phases run the program whose sealed copy this process has as CHILD_OBJECT. */
extern const struct ost_plugin envs_plugin;

/* Adds "PLUGIN_SOME_NAME=VALUE" for the input NAME: an OST_LIST, one item a line, is joined by commas. */
void envs_setting(struct buf *to, const char *name, int type, struct slice value);
