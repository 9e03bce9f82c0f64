/* source - the source code that a local run has at hand: its own working tree, and the clones that it was told of.
 *
 * The working tree appears as it is now, as an overlay: it costs the same for any size, and the user's files stay as
 * they are; what git ignores is left out. Other commits are fetched, by whoever asks, from the clone's folder. */
#pragma once

#include "job/run.h"

/* Finds what QUERY asks for, and shows it where that can be. Texts of *RET live as long as S. ERR_NOT_FOUND: it is not
 * here, but may be fetched; ERR_DENIED: it may not, or there is nowhere to fetch it from. */
MUST_CHECK int source_find(struct step_run *s, const struct plugin_source_query *query,
                           struct plugin_source *ret, struct err *err);
