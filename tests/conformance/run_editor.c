/* Rows of GitHub's editor: whole files and the errors it shows. Ours must stand in the same lines, and files
 * it shows none for must have none here. Its warnings are advice, and other than ours. */
#include "conformance.h"

#include "base/path.h"
#include "lang/check/check.h"
#include "lang/workflow/workflow.h"

#include <fcntl.h>

#define NEWER "the service accepts it: conformance README, known differences"
#define ADVICE "what can't be meant is an error of `ostler check`; the editor does not look for it"
static const char broken[] = "what is no YAML is refused as well, in the line where our reader "
                             "notices it";

/* What the two say differently on purpose: a part of the row's id ("": any), a part of what one says alone,
 * and why. */
static const struct {
    const char *row, *text, *reason;
} known[] = {
    {"", "Matrix exclude key '", "the service refuses it: workflow-language.md 10.2"},
    {"", "Expected format {org}/{repo}", "the service refuses it: workflow-language.md 11.3"},
    {"", "The type 'MappingToken' was expected", NEWER},
    {"", "Unexpected value 'repository_dispatch'", NEWER},
    {"", "so this is always empty", ADVICE},
    {"", "an object can't be written as text", ADVICE},
    {"when disabled", "Unexpected value 'background'", "it is switched on here"},
    {"invalid YAML syntax", "", broken},
    {"YAML anchors and aliases", "", broken},
};

static const char *known_reason(const char *id, const char *text)
{
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strstr(id, known[i].row) && strstr(text, known[i].text))
            return known[i].reason;
    return NULL;
}

static void fail_or_differ(struct file_run *run, const char *id, const char *text)
{
    const char *reason = known_reason(id, text);

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
        if (!error_in(diags, line) && !diags->n_errors && known_reason(id, "") == broken) {
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

static bool reads(struct slice text, bool reader_only, struct diags *diags)
{
    const struct workflow_options reading = {.reader_only = reader_only};
    CLEANUP(workflow_deinit) struct workflow w;

    workflow_init(&w);
    return workflow_parse_as(&w, text, "wf.yaml", &reading, diags) == ERR_OK;
}

static void verdict_row(struct file_run *run, const char *name, const json_t *messages)
{
    CLEANUP(diags_deinit) struct diags diags = {.arena = run_arena(run)};
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 22);
    struct arena *a = run_arena(run);
    struct err err = ERR_INIT;
    if (path_read(AT_FDCWD, arena_printf(a, "%s/actionlint/%s", run_folder(run), name), &text,
                  &err) < 0) {
        row_fail(run, name, "%s", err.text);
        return;
    }
    /* the parser looks at a few of the values that are ours to look at when it comes to a run */
    bool sound = reads(buf_slice(&text), true, &diags);
    if (sound && json_array_size(messages))
        sound = reads(buf_slice(&text), false, &diags);
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
