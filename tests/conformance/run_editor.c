/* Rows of GitHub's editor: whole files and the errors it shows. Ours must stand in the same lines, and files
 * it shows none for must have none here. Its warnings are advice, and other than ours. */
#include "conformance.h"

#include "base/path.h"
#include "lang/check/check.h"
#include "lang/workflow.h"

#include <fcntl.h>

#define DISPATCH "the dispatcher refuses it: workflow-language.md 6.2, 6.7"
#define EXCLUDE "the service refuses it: workflow-language.md 10.2"
#define NEWER "the service accepts it: conformance README, known differences"
#define PLACE "GitHub finds called workflows nowhere else: workflow-language.md 12"
static const char broken[] = "what is no YAML is refused as well, in the line where our reader "
                             "notices it";
static const struct {
    const char *row, *reason; /* a part of the row's id */
} known[] = {
    {"err/exclusive_webhook_filters.yaml", DISPATCH},
    {"err/workflow_dispatch_more_than_25_inputs.yaml", DISPATCH},
    {"err/matrix_exclude_mismatch.yaml", EXCLUDE},
    {"examples/matrix_checks.yaml", EXCLUDE},
    {"deeply nested matrix exclude value", EXCLUDE},
    {"examples/invalid_action_format.yaml", "the service refuses it: workflow-language.md 11.3"},
    {"ok/anchors.yaml", NEWER},
    {"ok/issue-402-expression-in-services.yaml", NEWER},
    {"ok/events_with_no_config.yaml", NEWER},
    {"ok/nested_workflow_call.yaml", PLACE},
    {"ok/workflow_call_job.yaml", PLACE},
    {"block scalar chomping",
     "`matrix` of a job without one, and an object written as text: advice "
     "there, errors here"},
    {"validate concurrency deadlock", "a warning here: GitHub starts such a run"},
    {"background step keywords are rejected when disabled", "they are switched on here"},
    {"reports error for invalid YAML syntax", broken},
    {"YAML anchors and aliases", broken},
};

static const char *known_reason(const char *id)
{
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strstr(id, known[i].row))
            return known[i].reason;
    return NULL;
}

static void fail_or_differ(struct file_run *run, const char *id, const char *text)
{
    const char *reason = known_reason(id);

    if (reason)
        row_differs(run, id, reason);
    else
        row_fail(run, id, "%s", text);
}

static const struct diag *error_in(const struct diags *diags, int line)
{
    VEC_EACH (d, &diags->list)
        if (d->level == DIAG_ERROR && (!line || d->line == line))
            return d;
    return NULL;
}

/* ---- editor-validation/NAME.json ---- */

/* The lines of what the editor calls errors, against ours. */
static void compare(struct file_run *run, const char *id, const json_t *wanted,
                    const struct diags *diags)
{
    struct arena *a = run_arena(run);
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(wanted); i++) {
        const json_t *one = json_array_get(wanted, i);
        int line = (int)json_number_value(json_array_get(json_object_get(one, "start"), 0));

        if (!slice_eq(text_of(one, "severity"), SLICE("error")))
            continue;
        n++;
        if (!error_in(diags, line) && !diags->n_errors && known_reason(id) == broken) {
            row_fail(run, id, "it is not refused at all");
            return;
        }
        if (!error_in(diags, line)) {
            fail_or_differ(run, id,
                           arena_printf(a, "no error in line %d: %.*s", line,
                                        SLICE_ARG(text_of(one, "message"))));
            return;
        }
    }
    const struct diag *ours = n ? NULL : error_in(diags, 0);
    if (ours)
        fail_or_differ(
            run, id,
            arena_printf(a, "refused in line %d: %.*s", ours->line, SLICE_ARG(ours->message)));
    else
        row_pass(run, id);
}

static void case_row(struct file_run *run, const json_t *row)
{
    CLEANUP(diags_deinit) struct diags diags = {.arena = run_arena(run)};
    const char *file = json_string_value(json_object_get(row, "file"));
    struct slice text = text_of(row, "text");

    if (json_object_get(row, "needs")) {
        row_skip(run, id_of(row), "the editor saw files that the row does not have");
        return;
    }
    if (strstr(file ? file : "", "action.y"))
        check_manifest(text, "action.yml", NULL, &diags);
    else
        check_workflow(text, "wf.yaml", NULL, &diags);
    compare(run, id_of(row), json_object_get(row, "diagnostics"), &diags);
}

void run_editor(struct file_run *run)
{
    run_cases(run, case_row);
}

/* ---- actionlint/github-editor-verdict.json: what the editor's parser says about the files there ---- */

static void verdict_row(struct file_run *run, const char *name, const json_t *messages)
{
    CLEANUP(diags_deinit) struct diags diags = {.arena = run_arena(run)};
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 22);
    CLEANUP(workflow_deinit) struct workflow w;
    struct arena *a = run_arena(run);
    struct err err = ERR_INIT;

    workflow_init(&w);
    if (path_read(AT_FDCWD, arena_printf(a, "%s/actionlint/%s", run_folder(run), name), &text,
                  &err) < 0) {
        row_fail(run, name, "%s", err.text);
        return;
    }
    bool sound = workflow_parse(&w, buf_slice(&text), "wf.yaml", &diags) == ERR_OK;
    const struct diag *ours = error_in(&diags, 0);
    if (sound == !json_array_size(messages))
        row_pass(run, name);
    else if (sound)
        fail_or_differ(run, name,
                       arena_printf(a, "accepted, and the editor says: %s",
                                    json_string_value(json_array_get(messages, 0))));
    else
        fail_or_differ(run, name,
                       arena_printf(a, "refused in line %d: %.*s", ours ? ours->line : 0,
                                    SLICE_ARG(ours ? ours->message : SLICE(""))));
}

void run_editor_verdict(struct file_run *run)
{
    json_t *files = json_object_get(run_json(run), "files"), *messages;
    const char *name;

    json_object_foreach (files, name, messages) {
        verdict_row(run, name, messages);
    }
}
