/* Documents: whatever the bytes are, nothing crashes, memory stays within the limits, and
 *   - what failed says why, at a place; what did not fail says no error;
 *   - conditions of what was accepted are expressions, steps survive their JSON form;
 *   - a manifest that checking accepts can be read;
 *   - a strategy gives at least one configuration, and no two with the same id. */
#include "lang/action.h"
#include "lang/matrix.h"
#include "lang/workflow/workflow.h"

#include <stdint.h>

enum { MEMORY_MAX = 256 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds, const char *what)
{
    if (!holds)
        BUG("%s", what);
}

/* One reading's findings, next to its outcome. */
static void check_findings(const struct diags *diags, int result)
{
    expect((result < 0) == (diags->n_errors > 0), "an outcome that its findings do not fit");
    VEC_EACH (d, &diags->list) {
        expect(d->message.len > 0, "a finding without words");
        expect((d->line > 0) == (d->col > 0), "half a place");
    }
}

static void check_token(const struct token *t)
{
    expect(t->kind < TOKEN_KINDS && t->line > 0 && t->col > 0, "a token without a place");
    for (size_t i = 0; t->kind == TOKEN_SEQUENCE && i < t->n_items; i++)
        check_token(t->items[i]);
    for (size_t i = 0; t->kind == TOKEN_MAPPING && i < t->n_pairs; i++) {
        expect(t->pairs[i].key->kind == TOKEN_STRING, "a key that is no text");
        check_token(t->pairs[i].value);
    }
}

static void fuzz_tree(struct slice text)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(diags_deinit) struct diags diags = {.arena = &a};
    struct token *root;
    int result = yaml_parse(&a, text, "f", 1, NULL, &root, &diags);

    check_findings(&diags, result);
    expect(a.size < MEMORY_MAX, "a tree that is too large");
    if (result == ERR_OK)
        check_token(root);
}

static void check_steps(struct arena *a, const struct step *steps, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct expr_error error;
        const struct expr *e;
        struct step back;
        struct err err = ERR_INIT;
        struct slice condition = slice_of(steps[i].condition);

        expect(steps[i].id && *steps[i].id, "a step without an id");
        expect(expr_parse(a, condition, NULL, &e, &error) == ERR_OK ||
                   slice_starts(error.message, SLICE("Exceeded max")),
               "a condition that is no expression");
        json_t *json = step_to_json(&steps[i]);
        /* jansson takes no text that is not UTF-8; a document is always UTF-8 */
        expect(step_from_json(a, json, &back, &err) == ERR_OK, err.text);
        json_decref(json);
    }
}

static void fuzz_workflow(struct slice text)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(diags_deinit) struct diags diags = {.arena = &a};
    CLEANUP(workflow_deinit) struct workflow w;

    workflow_init(&w);
    int result = workflow_parse(&w, text, "f", &diags);
    check_findings(&diags, result);
    expect(w.arena.size < MEMORY_MAX && a.size < MEMORY_MAX, "a workflow that is too large");
    expect((w.n_jobs > 0) == (result == ERR_OK), "a workflow without jobs, or jobs in none");
    for (size_t i = 0; i < w.n_jobs; i++) {
        expect(workflow_job_find(&w, w.jobs[i].id) == &w.jobs[i], "a job that is not found");
        for (size_t k = 0; k < w.jobs[i].n_needs; k++)
            expect(workflow_job_find(&w, w.jobs[i].needs[k]) != NULL, "a need that is no job");
        check_steps(&a, w.jobs[i].steps, w.jobs[i].n_steps);
    }
}

static void fuzz_action(struct slice text)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(diags_deinit) struct diags diags = {.arena = &a};
    CLEANUP(diags_deinit) struct diags strict = {.arena = &a};
    CLEANUP(action_deinit) struct action action;

    action_init(&action);
    int result = action_parse(&action, text, "f", &diags);
    check_findings(&diags, result);
    int checked = action_check(text, "f", &strict);
    check_findings(&strict, checked);
    expect(checked < 0 || result == ERR_OK, "a checked manifest that can not be read");
    check_steps(&a, action.steps, action.n_steps);
}

static void fuzz_matrix(struct slice text)
{
    json_t *strategy = json_loadb(text.ptr, text.len, JSON_DECODE_INT_AS_REAL, NULL);
    struct err err = ERR_INIT;
    struct matrix m;

    if (!strategy)
        return;
    if (matrix_expand(strategy, "job", &m, &err) == ERR_OK) {
        expect(m.n_configs > 0 && m.n_configs <= MATRIX_CONFIGS_MAX,
               "no or too many configurations");
        for (size_t i = 1; i < m.n_configs; i++)
            expect(!slice_eq_nocase(slice_of(m.configs[0].id), slice_of(m.configs[i].id)),
                   "two configurations with one id");
        matrix_deinit(&m);
    }
    json_decref(strategy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of exact size, so that a step beyond the end is seen. */
    CLEANUP(free_ptr) char *copy = mem_new(size ? size : 1);
    struct slice text = slice_make(copy, size);

    memcpy(copy, data, size);
    fuzz_tree(text);
    fuzz_workflow(text);
    fuzz_action(text);
    fuzz_matrix(text);
    return 0;
}
