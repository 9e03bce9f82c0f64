/* switches - what the administrator of this machine has set in the runner's own environment (runtime contract 11).
 *
 * That is the worker's environment: cli/settings.c decides which names get here. What a workflow sets under such
 * a name is not looked at. */
#pragma once

#include "base/mask.h"

#include <stdbool.h>

/* Borrowed; NULL: not set, or empty. */
const char *switch_text(const char *name);

/* Registers the passwords in proxies' URLs, as they stand there and what they stand for. */
void switches_mask(struct mask *mask);

/* Loose: "1", "true" or "$true" in any case. */
bool switch_is_on(const char *name);

/* What counts as on: strict is "true" alone, in any case. */
bool switch_means_on(const char *value, bool loose);
