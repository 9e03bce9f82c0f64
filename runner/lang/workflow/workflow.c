#include "lang/workflow/workflow.h"

#include "lang/convert.h"
#include "lang/workflow/checks.h"
#include "lang/workflow/jobs.h"

void workflow_init(struct workflow *w)
{
    *w = (struct workflow){.arena = ARENA_INIT};
}

void workflow_drop_calls(struct workflow *w)
{
    for (size_t i = 0; i < w->n_jobs; i++) {
        struct workflow *called = w->jobs[i].called;

        w->jobs[i].called = NULL;
        if (called)
            workflow_deinit(called); /* no deeper than CALLS_DEPTH_MAX */
        free(called);
    }
}

void workflow_deinit(struct workflow *w)
{
    workflow_drop_calls(w);
    arena_deinit(&w->arena);
    workflow_init(w);
}

/* ---- on ---- */

static struct workflow_event event_of(struct convert *c, const struct token *name,
                                      const struct token *config)
{
    bool given = convert_is(config, TOKEN_MAPPING) || convert_is(config, TOKEN_SEQUENCE);

    return (struct workflow_event){convert_text(c, name), given ? config : NULL};
}

static void take_events(struct convert *c, struct workflow *w, const struct token *on)
{
    size_t n = on->kind == TOKEN_MAPPING ? on->n_pairs : on->kind == TOKEN_STRING ? 1 : on->n_items;

    if (!c->reader_only)
        check_events(c, on);
    w->events = arena_array(&w->arena, n, sizeof *w->events);
    w->n_events = n;
    for (size_t i = 0; i < n; i++) {
        if (on->kind == TOKEN_MAPPING)
            w->events[i] = event_of(c, on->pairs[i].key, on->pairs[i].value);
        else
            w->events[i] = event_of(c, on->kind == TOKEN_STRING ? on : on->items[i], NULL);
    }
}

/* ---- the file ---- */

static void convert_workflow(struct convert *c, struct workflow *w)
{
    const struct token *root = w->root;
    const char *name = convert_text(c, token_find(root, "name"));

    w->name = name && *name ? name : w->file;
    w->run_name = token_find(root, "run-name");
    w->permissions = token_find(root, "permissions");
    w->env = token_find(root, "env");
    w->concurrency = token_find(root, "concurrency");
    for (size_t i = 0; i < root->n_pairs && !c->stopped; i++) {
        struct slice key = root->pairs[i].key->text;
        const struct token *value = root->pairs[i].value;

        if (slice_eq(key, SLICE("on")))
            take_events(c, w, value);
        else if (slice_eq(key, SLICE("concurrency")))
            check_concurrency(c, value);
        else if (slice_eq(key, SLICE("jobs")))
            workflow_take_jobs(c, w, value);
    }
}

static int read_workflow(struct workflow *w, struct slice text,
                         const struct workflow_options *options, struct diags *diags)
{
    size_t n_jobs = 0;
    struct convert c = {
        .arena = &w->arena,
        .diags = diags,
        .file = w->file,
        .errors_before = diags->n_errors,
        .reader_only = options->reader_only,
        .forge = options->schema.forge,
        .max_jobs = options->max_jobs,
        .n_jobs = options->n_jobs ? options->n_jobs : &n_jobs,
    };
    struct yaml_limits limits = options->yaml;
    struct schema_options reading = options->schema;
    struct token *raw, *root;

    if (!reading.spent)
        reading.spent = &w->size;
    limits.any_keys = true; /* the schema reader says which are duplicates */
    reading.prune = options->go_on;
    if (yaml_parse(&w->arena, text, w->file, options->file_index ? options->file_index : 1, &limits,
                   &raw, diags) < 0 ||
        schema_read(&w->arena, raw, &schema_workflow, w->file, &reading, &root, diags) < 0)
        return ERR_INVALID;
    if (diags->n_errors == c.errors_before || options->go_on) {
        w->root = root;
        convert_workflow(&c, w);
    }
    return diags->n_errors == c.errors_before ? ERR_OK : ERR_INVALID;
}

int workflow_parse_as(struct workflow *w, struct slice text, const char *file,
                      const struct workflow_options *options, struct diags *diags)
{
    static const struct workflow_options usual = {0};

    workflow_deinit(w);
    w->file = arena_str(&w->arena, slice_of(file));
    if (read_workflow(w, text, options ? options : &usual, diags) == ERR_OK)
        return ERR_OK;
    if (!options || !options->go_on)
        workflow_deinit(w);
    return ERR_INVALID;
}

int workflow_parse(struct workflow *w, struct slice text, const char *file, struct diags *diags)
{
    return workflow_parse_as(w, text, file, NULL, diags);
}

const struct workflow_job *workflow_job_find(const struct workflow *w, const char *id)
{
    for (size_t i = 0; i < w->n_jobs; i++)
        if (slice_eq_nocase(slice_of(w->jobs[i].id), slice_of(id)))
            return &w->jobs[i];
    return NULL;
}

const struct workflow_event *workflow_event_find(const struct workflow *w, const char *name)
{
    for (size_t i = 0; i < w->n_events; i++)
        if (strcmp(w->events[i].name, name) == 0)
            return &w->events[i];
    return NULL;
}
