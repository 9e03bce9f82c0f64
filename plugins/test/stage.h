/* stage - one run of ostler/test: what its parts hand on to each other. */
#pragma once

#include "coverage.h"
#include "project.h"
#include "report.h"
#include "run.h"
#include "settings.h"
#include "times.h"

struct stage {
    struct ost_step *step;
    struct settings set;
    struct target target;
    struct selection selection;
    struct commands *commands;
    struct times_query times; /* ID NULL: no shard */
    struct run run;
    struct coverage coverage;
    struct report report;
    const char *report_path;
    bool empty_shard; /* there is nothing for this one */
};

/* "pytest in backend", "shard 2/5" or "". */
const char *stage_title(const struct stage *x);
const char *stage_shard(const struct stage *x);

/* Lists the tests, agrees with the other shards on how to split them, and makes the selection this one's. */
ost_status stage_choose(struct stage *x);

/* Adds to the plan how that would be done. */
ost_status stage_plan_choice(struct stage *x);

/* Takes from the results those that are another shard's: some runners tell of what was not picked as skipped. */
void stage_drop_others(struct stage *x);

/* Keeps for later runs how long everything took. Below 0 only OST_E_CANCELLED. */
ost_status stage_keep_times(struct stage *x);

/* What all of it comes to: OST_OK, or the failure, which has been recorded. COVERED is how reading the coverage
 * went; failed tests say more. */
ost_status stage_judge(struct stage *x, ost_status covered);
