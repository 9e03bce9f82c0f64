/* Rules on the workflow as a whole and on its jobs. */
#include "lang/check/rules.h"

#include "lang/convert.h"
#include "lang/utf.h"

/* ---- the workflow's own values ---- */

static void check_call_outputs(struct check *c)
{
    const struct workflow_event *call = workflow_event_find(c->workflow, "workflow_call");
    const struct token *outputs = call ? token_find(call->config, "outputs") : NULL;

    if (!convert_is(outputs, TOKEN_MAPPING))
        return;
    c->scope.jobs = check_jobs_type(c);
    for (size_t i = 0; i < outputs->n_pairs; i++)
        check_value(c, token_find(outputs->pairs[i].value, "value"), USE_TEXT);
    c->scope.jobs = NULL;
}

/* ---- groups ---- */

/* The text or expression that names the group of a `concurrency`; NULL: none. */
static const struct token *group_of(const struct token *concurrency)
{
    const struct token *group =
        convert_is(concurrency, TOKEN_MAPPING) ? token_find(concurrency, "group") : concurrency;
    bool named = convert_is(group, TOKEN_STRING) || convert_is(group, TOKEN_EXPR);

    return named && check_written(group).len ? group : NULL;
}

/* What the run holds already can't be had by one of its jobs: GitHub starts such a run, and cancels the job.
 * Expressions of one text have one value, as a workflow sees less than its jobs. */
static void check_deadlock(struct check *c)
{
    const struct workflow *w = c->workflow;
    const struct token *outer = group_of(w->concurrency);

    for (size_t i = 0; outer && i < w->n_jobs; i++) {
        const struct token *inner = group_of(w->jobs[i].concurrency);
        struct slice name = inner ? check_written(inner) : SLICE("");

        if (!inner || !utf_eq_nocase(check_written(outer), name))
            continue;
        enum diag_level level =
            slice_eq(check_written(outer), name) ? DIAG_ERROR : DIAG_WARNING; /* as the editor */
        check_hint(check_report_at(c, CHECK_VALUE, level, outer,
                                   "Concurrency group '%.*s' is also used by job '%s'. This will "
                                   "cause a deadlock.",
                                   SLICE_ARG(name), w->jobs[i].id),
                   "give the job a group of its own");
        check_hint(check_report_at(c, CHECK_VALUE, level, inner,
                                   "Concurrency group '%.*s' is also defined at the workflow "
                                   "level. This will cause a deadlock.",
                                   SLICE_ARG(name)),
                   "give the job a group of its own");
    }
}

/* ---- jobs that never run ---- */

struct reach {
    bool *never;                        /* by job: it never runs */
    const struct workflow_job ***needs; /* by job and need; NULL: there is no such job */
    bool changed;
};

/* A condition with always() or failure() in it runs also behind a job that was skipped. */
static bool asks_status(struct check *c, const struct workflow_job *job)
{
    static const char *const asking[] = {"always(", "failure(", "cancelled("};
    const struct token *tok = token_find(job->node, "if");
    struct slice text = tok ? check_written(tok) : SLICE("");
    char *lower = arena_str(&c->arena, text);

    for (size_t i = 0; i < text.len; i++)
        if (lower[i] >= 'A' && lower[i] <= 'Z')
            lower[i] = (char)(lower[i] + ('a' - 'A'));
    for (size_t i = 0; i < COUNT_OF(asking); i++)
        if (strstr(lower, asking[i]))
            return true;
    return false;
}

static void spread(struct check *c, struct reach *r, size_t at)
{
    const struct workflow *w = c->workflow;
    const struct workflow_job *job = &w->jobs[at];
    const struct token *needs = token_find(job->node, "needs");

    for (size_t k = 0; k < job->n_needs && !r->never[at]; k++) {
        const struct workflow_job *need = r->needs[at][k];

        if (!need || !r->never[need - w->jobs] || asks_status(c, job))
            continue;
        r->never[at] = r->changed = true;
        check_hint(check_report_at(c, CHECK_UNREACHABLE, DIAG_WARNING,
                                   convert_is(needs, TOKEN_SEQUENCE) ? needs->items[k] : needs,
                                   "job '%s' never runs, as it needs '%s', which never runs",
                                   job->id, need->id),
                   "give it an `if` with always(), or remove it");
    }
}

static void check_reach(struct check *c, struct reach *r)
{
    const struct workflow *w = c->workflow;
    bool any = false;

    for (size_t i = 0; i < w->n_jobs; i++)
        any |= r->never[i];
    if (!any)
        return;
    r->needs = arena_array(&c->arena, w->n_jobs, sizeof *r->needs);
    for (size_t i = 0; i < w->n_jobs; i++) {
        r->needs[i] = arena_array(&c->arena, w->jobs[i].n_needs, sizeof *r->needs[i]);
        for (size_t k = 0; k < w->jobs[i].n_needs; k++)
            r->needs[i][k] = workflow_job_find(w, w->jobs[i].needs[k]);
    }
    do {
        r->changed = false;
        for (size_t i = 0; i < w->n_jobs; i++)
            spread(c, r, i);
    } while (r->changed);
}

/* ---- one job ---- */

static void check_normal_job(struct check *c)
{
    const struct workflow_job *job = c->job;
    struct type *seen = type_object(&c->arena, NULL);
    bool never;

    check_value(c, job->runs_on, USE_ANY);
    check_map(c, job->env);
    check_env_names(c, job->env);
    check_value(c, job->default_shell, USE_TEXT);
    check_value(c, job->container, USE_ANY);
    check_value(c, job->services, USE_ANY);
    check_value(c, token_find(job->snapshot, "image-name"), USE_TEXT);
    check_condition(c, token_find(job->snapshot, "if"), &never);
    check_value(c, job->timeout_minutes, USE_TEXT);
    check_value(c, job->cancel_timeout_minutes, USE_TEXT);
    check_job_values(c);
    check_steps(c, job->steps, job->n_steps, seen);
    check_map(c, job->outputs);
    check_value(c, job->environment, USE_ANY);
}

static void check_job(struct check *c, const struct workflow_job *job, bool *ret_never)
{
    c->job = job;
    c->scope.needs = c->scope.matrix = c->scope.steps = NULL;
    check_make_job_scope(c);
    check_condition(c, token_find(job->node, "if"), ret_never);
    check_value(c, job->strategy, USE_ANY);
    check_value(c, job->name, USE_TEXT);
    check_value(c, job->concurrency, USE_ANY);
    check_value(c, job->continue_on_error, USE_TEXT);
    if (job->uses) {
        check_map(c, job->with);
        check_map(c, convert_is(job->secrets, TOKEN_STRING) ? NULL : job->secrets);
        check_call(c, job);
    } else {
        check_normal_job(c);
    }
    c->job = NULL;
}

void check_jobs(struct check *c)
{
    const struct workflow *w = c->workflow;
    struct reach reach = {.never = arena_array(&c->arena, w->n_jobs, sizeof(bool))};

    check_value(c, w->run_name, USE_TEXT);
    check_map(c, w->env);
    check_env_names(c, w->env);
    check_value(c, w->concurrency, USE_ANY);
    check_deadlock(c);
    check_shell_name(c, token_find(token_find(token_find(w->root, "defaults"), "run"), "shell"));
    check_on(c);
    check_call_outputs(c);
    for (size_t i = 0; i < w->n_jobs; i++)
        check_job(c, &w->jobs[i], &reach.never[i]);
    check_reach(c, &reach);
}
