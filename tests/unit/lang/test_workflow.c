#include "cases.h"

#include "lang/workflow/workflow.h"

#include "base/buf.h"

#include <criterion/criterion.h>

/* ---- tables ---- */

static void print_token(struct arena *a, const char *name, const struct token *tok, struct buf *out)
{
    if (!tok)
        return;
    if (tok->kind == TOKEN_EXPR) {
        buf_printf(out, " %s=${{%.*s}}", name, SLICE_ARG(tok->text));
    } else if (tok->kind == TOKEN_SEQUENCE || tok->kind == TOKEN_MAPPING) {
        buf_printf(out, " %s=%s", name, tok->kind == TOKEN_SEQUENCE ? "[]" : "{}");
    } else {
        struct slice s = token_text(a, tok);
        buf_printf(out, " %s=%.*s", name, SLICE_ARG(s));
    }
}

static void print_steps(struct arena *a, const struct step *steps, size_t n, int indent,
                        struct buf *out)
{
    static const char *const controls[CONTROLS] = {
        [CONTROL_WAIT] = " wait",
        [CONTROL_WAIT_ALL] = " wait-all",
        [CONTROL_CANCEL] = " cancel",
        [CONTROL_PARALLEL] = " parallel",
    };

    for (size_t i = 0; i < n; i++) {
        const struct step *s = &steps[i];

        buf_printf(out, "%*sstep %s if %s", indent, "", s->id, s->condition);
        if (s->control != CONTROL_NONE)
            buf_add_str(out, controls[s->control]);
        for (size_t k = 0; k < s->n_targets; k++)
            buf_printf(out, " %s", s->targets[k]);
        if (s->uses)
            buf_printf(out, " uses=%s", s->uses);
        print_token(a, "run", s->run, out);
        print_token(a, "name", s->name, out);
        print_token(a, "shell", s->shell, out);
        buf_add_str(out, s->background ? " background\n" : "\n");
        print_steps(a, s->steps, s->n_steps, indent + 2, out);
    }
}

static void print_job(struct arena *a, const struct workflow_job *job, struct buf *out)
{
    buf_printf(out, "job %s@%d:%d if %s", job->id, job->line, job->col, job->condition);
    for (size_t i = 0; i < job->n_needs; i++)
        buf_printf(out, "%s%s", i ? "," : " needs=", job->needs[i]);
    print_token(a, "name", job->name, out);
    print_token(a, "runs-on", job->runs_on, out);
    if (job->uses)
        buf_printf(out, " uses=%s", job->uses);
    print_token(a, "shell", job->default_shell, out);
    print_token(a, "working-directory", job->default_working_directory, out);
    print_token(a, "permissions", job->permissions, out);
    print_token(a, "timeout-minutes", job->timeout_minutes, out);
    print_token(a, "strategy", job->strategy, out);
    print_token(a, "env", job->env, out);
    buf_add_str(out, "\n");
    print_steps(a, job->steps, job->n_steps, 2, out);
}

static struct slice read_model(struct arena *a, struct slice document, struct diags *diags)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(1 << 20);
    CLEANUP(workflow_deinit) struct workflow w;

    workflow_init(&w);
    if (workflow_parse(&w, document, "f.yml", diags) < 0)
        return SLICE("");
    buf_printf(&out, "%s on", w.name);
    for (size_t i = 0; i < w.n_events; i++)
        buf_printf(&out, " %s%s", w.events[i].name, w.events[i].config ? "(...)" : "");
    buf_add_char(&out, '\n');
    for (size_t i = 0; i < w.n_jobs; i++)
        print_job(a, &w.jobs[i], &out);
    return arena_dup(a, slice_head(buf_slice(&out), out.len - 1));
}

Test(workflow, becomes_a_model)
{
    each_case("workflow", "models", read_model);
}

Test(workflow, schema_says_what_does_not_fit_and_what_was_meant)
{
    each_case("workflow", "schema", read_model);
}

Test(workflow, conversion_says_what_can_not_work)
{
    each_case("workflow", "conversion", read_model);
}

Test(workflow, background_steps_are_steered_by_control_steps)
{
    each_case("workflow", "background", read_model);
}

/* ---- the rest ---- */

#define SMALL "on: push\njobs:\n  Build:\n    runs-on: x\n    steps: [{run: a}]\n"

Test(workflow, jobs_are_found_ignoring_case_and_events_are_not)
{
    CLEANUP(workflow_deinit) struct workflow w;
    struct arena a = ARENA_INIT;
    struct diags diags = {.arena = &a};

    workflow_init(&w);
    cr_assert_eq(workflow_parse(&w, SLICE(SMALL), "f", &diags), ERR_OK);
    cr_assert_eq(workflow_job_find(&w, "bUILD"), &w.jobs[0]);
    cr_assert_null(workflow_job_find(&w, "other"));
    cr_assert_eq(workflow_event_find(&w, "push"), &w.events[0]);
    cr_assert_null(workflow_event_find(&w, "Push"));
    arena_deinit(&a);
}

Test(workflow, findings_outlive_the_workflow_and_a_failure_leaves_it_empty)
{
    struct workflow w;
    struct arena a = ARENA_INIT;
    struct diags diags = {.arena = &a};

    workflow_init(&w);
    cr_assert_eq(workflow_parse(&w, SLICE(SMALL), "f", &diags), ERR_OK);
    cr_assert_eq(workflow_parse(&w, SLICE("on: pusj\njobs: {}"), "dir/f.yml", &diags), ERR_INVALID);
    cr_assert_eq(w.n_jobs, 0u);
    cr_assert_eq(w.arena.size, 0u);
    cr_assert_str_eq(diag_text(&a, &diags.list.ptr[0]),
                     "dir/f.yml (Line: 1, Col: 5): Unexpected value 'pusj'");
    cr_assert_str_eq(diags.list.ptr[0].hint, "did you mean 'push'?");
    diags_deinit(&diags);
    arena_deinit(&a);
}

Test(workflow, earlier_findings_of_others_are_no_reason_to_fail)
{
    CLEANUP(workflow_deinit) struct workflow w;
    struct arena a = ARENA_INIT;
    struct diags diags = {.arena = &a};

    workflow_init(&w);
    diag_add(&diags, DIAG_ERROR, "other.yml", 1, 1, "something");
    cr_assert_eq(workflow_parse(&w, SLICE(SMALL), "f", &diags), ERR_OK);
    cr_assert_eq(diags.list.len, 1u);
    diags_deinit(&diags);
    arena_deinit(&a);
}

Test(workflow, the_estimated_size_is_held_against_the_limit)
{
    struct workflow_options tight = {.schema = {.size = 600}};
    struct workflow w;
    struct arena a = ARENA_INIT;
    struct diags diags = {.arena = &a};

    workflow_init(&w);
    cr_assert_eq(workflow_parse_as(&w, SLICE(SMALL), "f", &tight, &diags), ERR_INVALID);
    cr_assert_str_eq(diag_text(&a, &diags.list.ptr[0]), "f: Maximum object size exceeded");
    diags_deinit(&diags);
    arena_deinit(&a);
}

/* What issues a step to a job message and back. */
static void check_round_trip(struct arena *a, const struct step *s)
{
    struct step back;
    struct err err = ERR_INIT;
    json_t *json = step_to_json(s), *again;

    cr_assert_eq(step_from_json(a, json, &back, &err), ERR_OK, "%s", err.text);
    again = step_to_json(&back);
    cr_assert(json_equal(json, again), "step '%s' changes on its way through JSON", s->id);
    json_decref(json);
    json_decref(again);
}

Test(workflow, steps_survive_their_json_form)
{
    CLEANUP(workflow_deinit) struct workflow w;
    struct arena a = ARENA_INIT;
    struct diags diags = {.arena = &a};
    struct slice text = SLICE("on: push\njobs:\n  b:\n    runs-on: x\n    steps:\n"
                              "      - {id: bg, run: \"x ${{ github.ref }}\", background: true}\n"
                              "      - {uses: a/b@v1, with: {k: 1}, timeout-minutes: 5}\n"
                              "      - wait: [bg]\n      - wait-all:\n      - cancel: bg\n"
                              "      - parallel: [{run: a}, {uses: ./x}]\n");

    workflow_init(&w);
    cr_assert_eq(workflow_parse(&w, text, "f", &diags), ERR_OK);
    cr_assert_eq(w.jobs[0].n_steps, 6u);
    for (size_t i = 0; i < w.jobs[0].n_steps; i++)
        check_round_trip(&a, &w.jobs[0].steps[i]);
    arena_deinit(&a);
}

Test(workflow, reads_what_gitea_sends_as_gitea_means_it)
{
    static const char text[] =
        "name: x\non: [push]\nincomplete_matrix: true\nenable-openid-connect: true\njobs:\n"
        "  build:\n    name: b\n    runs-on: [a]\n    timeout-minutes: \"10\"\n    raw: 1\n"
        "    strategy: {fail-fast: \"false\", max-parallel: \"\", matrix: {n: [1]}}\n"
        "    steps:\n      - run: echo ${{ gitea.ref }} ${{ forgejo.sha }}\n"
        "        if: gitea.ref == 'x'\n        continue-on-error: \"true\"\n"
        "      - uses: https://git.example.com/a/b@v1\n";
    struct workflow_options options = {.reader_only = true};
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(diags_deinit) struct diags diags = {.arena = &a};
    struct workflow w;

    workflow_init(&w);
    cr_expect_eq(workflow_parse_as(&w, slice_of(text), "f", &options, &diags), ERR_INVALID);
    diags_deinit(&diags);
    diags = (struct diags){.arena = &a};
    options.schema.forge = true;
    cr_assert_eq(workflow_parse_as(&w, slice_of(text), "f", &options, &diags), ERR_OK, "%s",
                 diags.list.len ? diag_text(&a, &diags.list.ptr[0]) : "");
    const struct workflow_job *j = &w.jobs[0];
    cr_expect_eq(j->timeout_minutes->kind, TOKEN_NUMBER);
    cr_expect_eq(j->timeout_minutes->number, 10);
    cr_expect_eq(token_find(j->strategy, "fail-fast")->kind, TOKEN_BOOL);
    cr_expect_null(token_find(j->strategy, "max-parallel"));
    cr_expect_null(token_find(j->node, "raw"));
    cr_expect_eq(j->n_steps, 2);
    cr_expect_eq(j->steps[0].continue_on_error->kind, TOKEN_BOOL);
    cr_expect(strstr(j->steps[0].condition, "gitea.ref"));
    cr_expect_str_eq(j->steps[1].uses, "https://git.example.com/a/b@v1");
    workflow_deinit(&w);
}

Test(workflow, refuses_of_gitea_what_cannot_be_meant)
{
    static const char *const texts[] = {
        "on: push\njobs: {a: {runs-on: x, timeout-minutes: \"ten\", steps: [{run: a}]}}\n",
        "on: push\njobs: {a: {runs-on: x, steps: [{run: \"${{ gitae.x }}\"}]}}\n",
        "on: push\njobs: {a: {runs-on: x, steps: [{name: a}]}}\n",
    };
    const struct workflow_options options = {.reader_only = true, .schema = {.forge = true}};

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
        CLEANUP(diags_deinit) struct diags diags = {.arena = &a};
        struct workflow w;

        workflow_init(&w);
        cr_expect_eq(workflow_parse_as(&w, slice_of(texts[i]), "f", &options, &diags), ERR_INVALID,
                     "%s", texts[i]);
        cr_expect_gt(diags.list.len, 0);
    }
}
