/* Rows of triggers: which events start a workflow, and which schedules there are. */
#include "conformance.h"

#include "lang/cron.h"
#include "lang/trigger.h"

/* ---- patterns/triggers.json ---- */

static const char *name_at(const json_t *row, const char *key)
{
    return json_string_value(json_object_get(row, key));
}

static struct trigger_facts facts_of(struct arena *a, const json_t *event)
{
    const json_t *changed = json_object_get(event, "changed");
    const char *base = name_at(event, "base");
    size_t n = json_array_size(changed);
    struct slice *files = arena_array(a, n + 1, sizeof *files);

    for (size_t i = 0; i < n; i++)
        files[i] = slice_of(json_string_value(json_array_get(changed, i)));
    return (struct trigger_facts){
        .event = name_at(event, "name"),
        .activity = name_at(event, "action"),
        .ref = name_at(event, "ref"),
        .branch = base ? base : name_at(event, "head_branch"),
        .workflow = name_at(event, "workflow"),
        .knows_changes = changed != NULL,
        .changed = files,
        .n_changed = n,
    };
}

static void trigger_row(struct file_run *run, const json_t *row)
{
    struct arena *a = run_arena(run);
    CLEANUP(free_ptr) char *on = json_dumps(json_object_get(row, "on"), JSON_ENCODE_ANY);
    CLEANUP(diags_deinit) struct diags diags = {.arena = a};
    struct trigger_facts facts = facts_of(a, json_object_get(row, "event"));
    bool wanted = json_is_true(json_object_get(row, "runs"));
    const char *id = id_of(row);
    struct workflow w;

    workflow_init(&w);
    /* JSON is YAML. */
    if (workflow_parse(&w, slice_of(arena_printf(a, "on: %s\njobs: {a: {runs-on: x}}\n", on)), id,
                       &diags) < 0) {
        row_fail(run, id, "is refused: %s", diag_text(a, &diags.list.ptr[0]));
    } else {
        struct trigger_verdict v = trigger_decide(a, &w, &facts);

        if (v.starts == wanted)
            row_pass(run, id);
        else
            row_fail(run, id, "%s", v.starts ? "starts" : v.reason);
    }
    workflow_deinit(&w);
}

void run_triggers(struct file_run *run)
{
    run_cases(run, trigger_row);
}

/* ---- language-facts/cron.json ---- */

static void cron_row(struct file_run *run, const json_t *row)
{
    const json_t *valid = json_object_get(row, "valid");
    const json_t *often = json_object_get(row, "under_five_minutes");
    const char *id = id_of(row);
    struct err err = ERR_INIT;
    struct cron c;
    int r = cron_parse(text_of(row, "cron"), &c, &err);

    if (valid && (r == ERR_OK) != json_is_true(valid))
        row_fail(run, id, "%s", r == ERR_OK ? "is accepted" : err.text);
    else if (often && (r < 0 || (cron_shortest_gap(&c) < 5) != json_is_true(often)))
        row_fail(run, id, "%s", r < 0 ? err.text : "has another gap");
    else
        row_pass(run, id);
}

void run_cron(struct file_run *run)
{
    run_cases(run, cron_row);
}
