#include "job/notice.h"

#include "base/clock.h"
#include "job/steps.h"

void notice_begin(struct notice *n, struct run *run, const char *name, const char *stage)
{
    char now[CLOCK_STAMP_SIZE];
    struct log_spec spec = {
        .events = &run->events, .mask = run->mask, .debug = run->debug, .no_commands = true};

    *n = (struct notice){
        .run = run, .name = name, .number = ++run->step_count, .started_ms = clock_ms()};
    spec.step = n->number;
    n->log = log_new(&spec);
    clock_stamp(now);
    json_t *event = json_pack("{s:s, s:i, s:s, s:s, s:s}", "event", "step.started", "step",
                              n->number, "name", name, "stage", stage, "time", now);
    if (strcmp(stage, "post") == 0)
        json_object_set_new(event, "left", json_integer(--run->own_posts));
    run_emit(run, event);
}

void notice_end(struct notice *n, enum result result)
{
    struct err err = ERR_INIT;

    if (log_flush(n->log, &err) < 0)
        run_lose(n->run);
    run_emit(n->run, json_pack("{s:s, s:i, s:s, s:s, s:s, s:I}", "event", "step.finished", "step",
                               n->number, "name", n->name, "outcome", result_name(result),
                               "conclusion", result_name(result), "elapsed_ms",
                               (json_int_t)(clock_ms() - n->started_ms)));
    n->log = log_free(n->log);
    if (result == RESULT_FAILURE)
        n->run->status = result_merge(n->run->status, RESULT_FAILURE);
}
