/* plan_parts - what the files of cmd_plan.h share. The plan is one JSON document (plan.schema.json); what is
 * shown is made from it. */
#pragma once

#include "cli/start/start.h"
#include "queue/local/forecast.h"
#include "report/report.h"

/* For people. VERBOSE: every configuration with all its steps, and whole scripts. */
void plan_print(const json_t *plan, const struct report_screen *screen, bool verbose);

/* The jobs and what they need. FORMAT: "mermaid", "dot" or "ascii". */
void plan_graph(const json_t *plan, const char *format);

/* The next firings of the schedules of S's workflows after AFTER: {"version", "next": [...]}; new reference.
 * ERR_NOT_FOUND: a zone that there is not. */
MUST_CHECK int plan_next(const struct start *s, int64_t after, int count, json_t **ret,
                         struct err *err);

/* Asks plugins for their part of a plan, each in a process of its own. To be made before any secret is read, as
 * it is a copy of this process; ARGV is main()'s. */
struct plan_asker;
MUST_CHECK int plan_asker_new(char **argv, struct plan_asker **ret, struct err *err);
struct plan_asker *plan_asker_free(struct plan_asker *a); /* returns NULL */
/* SOURCE: the working tree, which plugins can read and not write. Borrowed. */
struct forecast_asker plan_asker_for(struct plan_asker *a, const char *source, json_t *policies);
