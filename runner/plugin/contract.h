/* contract - what is wrong with a plugin's contract beyond what its reader refuses. Pure.
 *
 * What no runner could work with (ids, versions, names, types, what is declared twice) never gets as far as a
 * struct plugin: plugin_from_json() refuses it. This is about what would surprise its users. */
#pragma once

#include "lang/action.h"
#include "plugin/plugin.h"

enum contract_part {
    CONTRACT_TABLES,       /* defaults, choices, conditions, names that others have taken */
    CONTRACT_DESCRIPTIONS, /* what people read */
    CONTRACT_AGAINST,      /* the action that it replaces */
};

/* ERROR: it is to be mended; else it is worth knowing. TEXT names the subject; CURE says what to do about it. Both are
 * borrowed for the call. */
typedef void contract_fn(void *ctx, enum contract_part part, bool error, const char *text,
                         const char *cure);

/* Looks at the tables and descriptions of P. */
void contract_check(const struct plugin *p, contract_fn *fn, void *ctx);

/* Compares P with ACTION: whatever a workflow can say to the one or read from it must work with the other. */
void contract_against(const struct plugin *p, const struct action *action, contract_fn *fn,
                      void *ctx);
