#include "lang/workflow/jobs.h"

#include "lang/ids.h"
#include "lang/near.h"
#include "lang/workflow/checks.h"

#include <stddef.h>

/* ---- defaults ---- */

/* `KEY` of a `defaults.run`. When an expression gives the whole mapping, its member is asked for. */
static const struct token *default_of(struct convert *c, const struct token *run, const char *key)
{
    if (!convert_is(run, TOKEN_EXPR))
        return token_find(run, key);
    struct token *member = ARENA_NEW(c->arena, struct token);

    *member = *run;
    member->text = slice_of(arena_printf(c->arena, "(%.*s)['%s']", SLICE_ARG(run->text), key));
    return member;
}

/* A job's `defaults.run` replaces the workflow's as a whole. */
static void take_defaults(struct convert *c, const struct workflow *w, struct workflow_job *job)
{
    const struct token *run = token_find(token_find(job->node, "defaults"), "run");

    if (!run)
        run = token_find(token_find(w->root, "defaults"), "run");
    job->default_shell = default_of(c, run, "shell");
    job->default_working_directory = default_of(c, run, "working-directory");
}

/* ---- keys ---- */

static void take_condition(struct convert *c, struct workflow_job *job, const struct token *value)
{
    job->condition = convert_condition(c, value, CTX_JOB_IF);
}

static void take_needs(struct convert *c, struct workflow_job *job, const struct token *value)
{
    size_t n = value->kind == TOKEN_SEQUENCE ? value->n_items : 1;

    job->needs = arena_array(c->arena, n, sizeof *job->needs);
    job->n_needs = n;
    for (size_t i = 0; i < n; i++)
        job->needs[i] = convert_text(c, value->kind == TOKEN_SEQUENCE ? value->items[i] : value);
}

static void take_steps(struct convert *c, struct workflow_job *job, const struct token *value)
{
    convert_steps(c, value, CTX_STEP_IF, &job->steps, &job->n_steps);
}

static void take_uses(struct convert *c, struct workflow_job *job, const struct token *value)
{
    job->uses = convert_text(c, value);
    if (!c->reader_only)
        check_calling(c, value);
}

/* What is done with each key of a job: kept as a token, looked at early, or taken apart. */
#define MEMBER(name) offsetof(struct workflow_job, name)
static const struct job_key {
    struct slice name;
    size_t member; /* where the token is kept; 0: nowhere (it is the id's place) */
    void (*check)(struct convert *c, const struct token *value);
    void (*take)(struct convert *c, struct workflow_job *job, const struct token *value);
} job_keys[] = {
    {SLICE_INIT("name"), MEMBER(name), NULL, NULL},
    {SLICE_INIT("needs"), 0, NULL, take_needs},
    {SLICE_INIT("if"), 0, NULL, take_condition},
    {SLICE_INIT("permissions"), MEMBER(permissions), NULL, NULL},
    {SLICE_INIT("concurrency"), MEMBER(concurrency), check_concurrency, NULL},
    {SLICE_INIT("strategy"), MEMBER(strategy), check_strategy, NULL},
    {SLICE_INIT("runs-on"), MEMBER(runs_on), check_runs_on, NULL},
    {SLICE_INIT("environment"), MEMBER(environment), NULL, NULL},
    {SLICE_INIT("outputs"), MEMBER(outputs), NULL, NULL},
    {SLICE_INIT("env"), MEMBER(env), NULL, NULL},
    {SLICE_INIT("steps"), 0, NULL, take_steps},
    {SLICE_INIT("timeout-minutes"), MEMBER(timeout_minutes), NULL, NULL},
    {SLICE_INIT("cancel-timeout-minutes"), MEMBER(cancel_timeout_minutes), NULL, NULL},
    {SLICE_INIT("continue-on-error"), MEMBER(continue_on_error), NULL, NULL},
    {SLICE_INIT("container"), MEMBER(container), check_container, NULL},
    {SLICE_INIT("services"), MEMBER(services), check_services, NULL},
    {SLICE_INIT("snapshot"), MEMBER(snapshot), check_snapshot, NULL},
    {SLICE_INIT("uses"), 0, NULL, take_uses},
    {SLICE_INIT("with"), MEMBER(with), NULL, NULL},
    {SLICE_INIT("secrets"), MEMBER(secrets), NULL, NULL},
};
_Static_assert(offsetof(struct workflow_job, id) == 0, "member 0 stands for none");

static void take_key(struct convert *c, struct workflow_job *job, const struct token_pair *pair)
{
    for (size_t i = 0; i < COUNT_OF(job_keys); i++) {
        const struct job_key *key = &job_keys[i];

        if (!slice_eq(pair->key->text, key->name))
            continue;
        if (key->check)
            key->check(c, pair->value);
        if (key->take)
            key->take(c, job, pair->value);
        if (key->member)
            memcpy((char *)job + key->member, &pair->value, sizeof pair->value);
        return;
    }
}

static void take_job(struct convert *c, const struct workflow *w, struct workflow_job *job,
                     const struct token_pair *pair)
{
    struct ids ids = IDS_INIT; /* that ids differ is the schema's matter: they are keys */
    enum ids_fault fault = ids_add(&ids, pair->key->text);

    if (fault != IDS_OK)
        convert_error(c, pair->key, "%s", ids_fault_text(c->arena, fault, pair->key->text));
    ids_deinit(&ids);
    *job = (struct workflow_job){
        .id = convert_text(c, pair->key),
        .line = pair->key->line,
        .col = pair->key->col,
        .condition = "success()",
        .node = pair->value,
    };
    for (size_t i = 0; i < pair->value->n_pairs && !c->stopped; i++)
        take_key(c, job, &pair->value->pairs[i]);
    if (!job->permissions)
        job->permissions = w->permissions;
    if (!job->uses)
        take_defaults(c, w, job);
}

/* ---- needs ---- */

enum { NEED_UNKNOWN = -1 };

struct graph {
    const struct workflow *w;
    int **needs; /* by job and need: the number of the job that is needed */
    bool *ready; /* by job: it can start some day */
};

static bool is_met(const struct graph *g, size_t job, size_t need)
{
    int n = g->needs[job][need];

    return n != NEED_UNKNOWN && g->ready[n];
}

/* Finds out which jobs can start at all, once those they need have ended. */
static void graph_walk(struct graph *g)
{
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < g->w->n_jobs; i++) {
            bool ready = true;

            if (g->ready[i])
                continue;
            for (size_t k = 0; ready && k < g->w->jobs[i].n_needs; k++)
                ready = is_met(g, i, k);
            g->ready[i] = ready;
            more |= ready;
        }
    }
}

static void report_need(struct convert *c, const struct graph *g, size_t job, size_t which)
{
    const struct workflow_job *j = &g->w->jobs[job];
    const struct token *needs = token_find(j->node, "needs");
    const struct token *at = needs->kind == TOKEN_SEQUENCE ? needs->items[which] : needs;
    struct near_best best = near_begin(at->text);
    struct diag *d;

    if (g->needs[job][which] != NEED_UNKNOWN) {
        convert_error(c, at,
                      "Job '%s' depends on job '%.*s' which creates a cycle in the dependency "
                      "graph.",
                      j->id, SLICE_ARG(at->text));
        return;
    }
    d = convert_error(c, at, "Job '%s' depends on unknown job '%.*s'.", j->id, SLICE_ARG(at->text));
    for (size_t i = 0; i < g->w->n_jobs && !diags_is_full(c->diags); i++)
        near_offer(&best, slice_of(g->w->jobs[i].id));
    d->hint = near_hint(c->diags->arena, &best);
}

static void check_graph(struct convert *c, struct graph *g, const struct token *jobs)
{
    size_t n_free = 0;

    for (size_t i = 0; i < g->w->n_jobs; i++)
        n_free += g->w->jobs[i].n_needs == 0;
    if (!n_free) {
        convert_error(c, jobs, "The workflow must contain at least one job with no dependencies.");
        return;
    }
    graph_walk(g);
    for (size_t i = 0; i < g->w->n_jobs; i++)
        for (size_t k = 0; !g->ready[i] && k < g->w->jobs[i].n_needs; k++)
            if (!is_met(g, i, k))
                report_need(c, g, i, k);
}

/* The number of each needed job; needs are spelled as the jobs are from here on, unknown ones as
 * they were. */
static void resolve_needs(struct convert *c, const struct strmap *numbers, struct workflow *w,
                          struct graph *g)
{
    for (size_t i = 0; i < w->n_jobs; i++) {
        struct workflow_job *job = &w->jobs[i];

        g->needs[i] = arena_array(c->arena, job->n_needs, sizeof *g->needs[i]);
        for (size_t k = 0; k < job->n_needs; k++) {
            struct slice found;

            g->needs[i][k] = NEED_UNKNOWN;
            if (!strmap_find(numbers, slice_of(job->needs[k]), &found))
                continue;
            memcpy(&g->needs[i][k], found.ptr, sizeof g->needs[i][k]);
            job->needs[k] = w->jobs[g->needs[i][k]].id;
        }
    }
}

static void take_graph(struct convert *c, struct workflow *w, const struct token *jobs)
{
    CLEANUP(strmap_deinit) struct strmap numbers = STRMAP_INIT_NOCASE;
    struct graph g = {
        .w = w,
        .needs = arena_array(c->arena, w->n_jobs, sizeof *g.needs),
        .ready = arena_array(c->arena, w->n_jobs, sizeof *g.ready),
    };

    for (size_t i = 0; i < w->n_jobs; i++) {
        int n = (int)i;
        strmap_set(&numbers, slice_of(w->jobs[i].id), slice_make((const char *)&n, sizeof n));
    }
    resolve_needs(c, &numbers, w, &g);
    check_graph(c, &g, jobs);
}

/* The job that is one too many is told, those behind it are not. */
static void count_job(struct convert *c, const struct token *id)
{
    if (c->max_jobs && *c->n_jobs == c->max_jobs)
        convert_error(c, id,
                      "Workflows may not contain more than %zu jobs across all referenced files",
                      c->max_jobs);
    ++*c->n_jobs;
}

void workflow_take_jobs(struct convert *c, struct workflow *w, const struct token *jobs)
{
    w->jobs = arena_array(c->arena, jobs->n_pairs, sizeof *w->jobs);
    for (size_t i = 0; i < jobs->n_pairs && !c->stopped; i++) {
        count_job(c, jobs->pairs[i].key);
        take_job(c, w, &w->jobs[w->n_jobs++], &jobs->pairs[i]);
    }
    if (c->diags->n_errors == c->errors_before)
        take_graph(c, w, jobs);
}
