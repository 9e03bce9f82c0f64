/* plugin_record - the transcripts of "plugin run --record": a file for each phase, PHASE.jsonl (plugin/transcript.h). */
#pragma once

#include "base/mask.h"
#include "base/strmap.h"
#include "plugin/plugin.h"

struct plugin_record { /* works when zeroed */
    struct buf lines;  /* as they came: what is a secret may turn out later */
};

struct plugin_record_places {
    const char *workspace, *temp, *tools, *home; /* the job's */
};

/* What stands in front. */
void plugin_record_begin(struct plugin_record *r, const struct plugin *p, int phase,
                         const struct strmap *inputs, const struct plugin_record_places *places);
void plugin_record_line(struct plugin_record *r, struct slice line);

/* Writes FOLDER/PHASE.jsonl, made with the folders on the way, with what MASK knows now as "***"; R is empty then.
 * ERR_LIMIT: it was more than 64 MiB. */
MUST_CHECK int plugin_record_end(struct plugin_record *r, const char *folder, int phase,
                                 const struct mask *mask, struct err *err);
void plugin_record_deinit(struct plugin_record *r);
