#include "queue/local/plan.h"

#include "base/path.h"
#include "lang/template.h"

#include <strings.h>

/* ---- building ---- */

static const char *stem(struct arena *a, const char *file)
{
    const char *base = path_base(file), *dot = strrchr(base, '.');

    return arena_str(a, slice_make(base, dot && dot > base ? (size_t)(dot - base) : strlen(base)));
}

/* "pipelines/ci.yml" as GitHub names it: relative to the repository. */
static const char *repository_path(const char *file, const char *source)
{
    const char *below = source && file[0] == '/' ? path_below(file, source) : NULL;

    while (strncmp(file, "./", 2) == 0)
        file += 2;
    return below && *below ? below : file;
}

/* For the job context: the file that a job is written in. */
static json_t *about(const struct workflow *w, const json_t *github)
{
    const char *repository = json_string_value(json_object_get(github, "repository"));
    const char *ref = json_string_value(json_object_get(github, "ref"));
    const char *sha = json_string_value(json_object_get(github, "sha"));
    const char *path = w->path ? w->path : "";

    if (w->repository) {
        repository = w->repository;
        ref = w->ref;
        sha = w->sha;
    }
    return json_pack("{s:o, s:s, s:s, s:s}", "workflow_ref",
                     json_sprintf("%s/%s@%s", repository ? repository : "", path, ref ? ref : ""),
                     "workflow_sha", sha ? sha : "", "workflow_repository",
                     repository ? repository : "", "workflow_file_path", path);
}

static struct node *find_node(const struct flow *f, const char *id)
{
    for (size_t i = 0; i < f->n_nodes; i++)
        if (strcasecmp(f->nodes[i].def->id, id) == 0)
            return &f->nodes[i];
    return NULL;
}

static void link_needs(struct plan *p, struct node *n)
{
    n->needs = arena_array(&p->arena, n->def->n_needs, sizeof *n->needs);
    for (; n->n_needs < n->def->n_needs; n->n_needs++)
        n->needs[n->n_needs] = find_node(n->flow, n->def->needs[n->n_needs]);
}

struct flow *plan_add_flow(struct plan *p, const struct outline *outline, struct config *call)
{
    struct flow *f = ARENA_NEW(&p->arena, struct flow);

    *f = (struct flow){
        .outline = outline,
        .workflow = outline->workflow,
        .call = call,
        .prefix = call ? arena_printf(&p->arena, "%s/", call->key) : "",
        .title = call ? arena_printf(&p->arena, "%s / ", call->name) : "",
        .secrets = STRMAP_INIT_NOCASE,
        .nodes = arena_array(&p->arena, outline->workflow->n_jobs, sizeof *f->nodes),
    };
    f->claim.flow = f;
    for (; f->n_nodes < outline->workflow->n_jobs; f->n_nodes++)
        f->nodes[f->n_nodes] = (struct node){.flow = f,
                                             .def = outline->jobs[f->n_nodes].def,
                                             .inner = outline->jobs[f->n_nodes].inner,
                                             .chosen = outline->jobs[f->n_nodes].chosen,
                                             .open = STRMAP_INIT_NOCASE};
    for (size_t i = 0; i < f->n_nodes; i++)
        link_needs(p, &f->nodes[i]);
    if (call) {
        f->github = json_copy(call->node->flow->github);
        f->about = about(f->workflow, f->github);
        json_object_set(f->github, "job_workflow_sha", json_object_get(f->about, "workflow_sha"));
    }
    vec_push(&p->flows, f);
    return f;
}

/* The flow of workflow number AT that the run named. */
static struct flow *add_named(struct plan *p, const struct local_spec *spec, size_t at)
{
    const struct workflow *w = spec->workflows[at];
    struct flow *f = plan_add_flow(p, p->outlines[at], NULL);
    const char *repository = json_string_value(json_object_get(spec->github, "repository"));
    const char *ref = json_string_value(json_object_get(spec->github, "ref"));
    const char *path = repository_path(w->file, spec->source);
    json_t *sha = json_object_get(spec->github, "sha");
    bool many = spec->n_workflows > 1;
    const char *name = stem(&p->arena, w->file);

    p->n_named++;
    f->prefix = many ? arena_printf(&p->arena, "%s/", name) : "";
    for (size_t i = 0; i < at; i++) { /* a/ci.yml and b/ci.yml */
        if (strcmp(p->flows.ptr[i]->prefix, f->prefix) == 0 && many)
            f->prefix = arena_printf(&p->arena, "%s-%zu/", name, at + 1);
    }
    f->title = many ? arena_printf(&p->arena, "%s / ", w->name) : "";
    strmap_merge(&f->secrets, &p->secrets);
    f->github = spec->github ? json_deep_copy(spec->github) : json_object();
    json_object_set_new(f->github, "workflow", json_string(w->name));
    json_object_set_new(
        f->github, "workflow_ref",
        json_sprintf("%s/%s@%s", repository ? repository : "", path, ref ? ref : ""));
    if (sha)
        json_object_set(f->github, "workflow_sha", sha);
    f->about = about(w, f->github);
    json_object_set(f->about, "workflow_ref", json_object_get(f->github, "workflow_ref"));
    json_object_set_new(f->about, "workflow_file_path", json_string(path));
    return f;
}

int flow_read_group(struct plan *p, struct flow *f, struct err *err)
{
    CLEANUP(place_deinit) struct place place = {.plan = p, .flow = f};
    struct err why = ERR_INIT;

    if (group_read(&place, f->workflow->concurrency, &p->arena, &f->claim.group, &why) == ERR_OK)
        return ERR_OK;
    return err_set(err, why.code, "Error when evaluating 'concurrency' of the workflow. %s%s%s",
                   f->workflow->file, why.text[0] == '(' ? " " : ": ", why.text);
}

/* Which schedule FIRED may not be known (NULL): the first one, unless the event file says. */
static void add_schedule(struct plan *p, struct flow *f, const char *fired)
{
    const struct workflow_event *e = workflow_event_find(f->workflow, "schedule");
    json_t *event = json_object_get(f->github, "event");
    const char *name = json_string_value(json_object_get(f->github, "event_name"));
    const struct token *cron = NULL;

    if (fired) {
        json_object_set_new(event, "schedule", json_string(fired));
        return;
    }
    if (e && e->config && e->config->kind == TOKEN_SEQUENCE && e->config->n_items)
        cron = token_find(e->config->items[0], "cron");
    if (cron && name && strcmp(name, "schedule") == 0 && !json_object_get(event, "schedule"))
        json_object_set_new(event, "schedule",
                            json_string(arena_str(&p->arena, token_text(&p->arena, cron))));
}

/* ---- choosing ---- */

static int unknown_job(const struct plan *p, const struct local_spec *spec, const char *id,
                       struct err *err)
{
    CLEANUP(buf_deinit) struct buf known = BUF_INIT(160);
    bool one =
        spec->n_workflows == 1 && spec->workflows[0]->n_jobs == 1 && !p->outlines[0]->jobs[0].inner;

    for (size_t i = 0; i < spec->n_workflows; i++)
        outline_names(p->outlines[i], &known);
    return err_set(err, ERR_INVALID, "no job '%s' in %s; there %s: %s%s", id,
                   spec->n_workflows == 1 ? spec->workflows[0]->file : "the workflows",
                   one ? "is only" : "are", known.ptr, known.overflow ? ", ..." : "");
}

static int choose_jobs(struct plan *p, const struct local_spec *spec, struct err *err)
{
    bool all = !spec->jobs || !spec->jobs[0];

    p->outlines = arena_array(&p->arena, spec->n_workflows, sizeof *p->outlines);
    for (size_t i = 0; i < spec->n_workflows; i++) {
        p->outlines[i] = outline_new(&p->arena, spec->workflows[i]);
        if (all)
            outline_choose_all(p->outlines[i]);
    }
    for (const char *const *id = spec->jobs; !all && *id; id++) {
        bool found = false;

        for (size_t i = 0; i < spec->n_workflows; i++)
            found |= outline_choose(p->outlines[i], slice_of(*id));
        if (!found)
            return unknown_job(p, spec, *id, err);
    }
    return ERR_OK;
}

/* ---- settings ---- */

/* A mapping of literal texts. */
static const struct token *literal_map(struct arena *a, const struct strmap *m)
{
    struct token *map = ARENA_NEW(a, struct token);

    if (!m || !m->len)
        return NULL;
    map->kind = TOKEN_MAPPING;
    map->pairs = arena_array(a, m->len, sizeof *map->pairs);
    STRMAP_EACH (i, m) {
        struct token *pair = arena_array(a, 2, sizeof *pair);

        pair[0].text = pair[0].source = arena_dup(a, strmap_name(i));
        pair[1].text = pair[1].source = arena_dup(a, strmap_value(i));
        map->pairs[map->n_pairs++] = (struct token_pair){&pair[0], &pair[1]};
    }
    return map;
}

static json_t *text_object(const struct strmap *m)
{
    json_t *o = json_object();

    if (m)
        STRMAP_EACH (i, m)
            json_object_set_new(o, i->name, json_stringn(i->value, i->value_len));
    return o;
}

static void keep_settings(struct plan *p, const struct local_spec *spec)
{
    p->secrets = (struct strmap)STRMAP_INIT_NOCASE;
    p->repositories = (struct strmap)STRMAP_INIT_NOCASE;
    if (spec->secrets)
        strmap_merge(&p->secrets, spec->secrets);
    if (spec->variables)
        strmap_merge(&p->variables, spec->variables);
    if (spec->repositories)
        strmap_merge(&p->repositories, spec->repositories);
    p->mask = mask_new();
    STRMAP_EACH (i, &p->secrets)
        (void)!mask_add(p->mask, strmap_value(i)); /* beyond its limit everything is masked */
    p->vars = text_object(spec->vars);
    p->needs = json_deep_copy(spec->needs);
    p->forge = spec->forge;
    p->env_override = literal_map(&p->arena, spec->env);
    p->only = arena_array(&p->arena, spec->n_matrix, sizeof *p->only);
    p->only_met = arena_array(&p->arena, spec->n_matrix, sizeof *p->only_met);
    for (; p->n_only < spec->n_matrix; p->n_only++)
        p->only[p->n_only] = (struct local_pair){
            arena_str(&p->arena, slice_of(spec->matrix[p->n_only].name)),
            arena_str(&p->arena, slice_of(spec->matrix[p->n_only].value)),
        };
}

int plan_init(struct plan *p, const struct local_spec *spec, struct err *err)
{
    const char *token;

    keep_settings(p, spec);
    token = strmap_get(&p->secrets, "GITHUB_TOKEN");
    if (choose_jobs(p, spec, err) != ERR_OK)
        return err->code;
    for (size_t i = 0; i < spec->n_workflows; i++) {
        struct flow *f = add_named(p, spec, i);

        add_schedule(p, f, spec->schedules ? spec->schedules[i] : NULL);
        json_object_set_new(f->github, "token", json_string(token ? token : ""));
        if (plan_inputs(p, f, spec, err) != ERR_OK)
            return err->code;
    }
    return plan_check_choices(p, err);
}

static void flow_deinit(struct flow *f)
{
    for (size_t i = 0; i < f->n_nodes; i++) {
        struct node *n = &f->nodes[i];

        for (size_t k = 0; k < n->n_configs; k++) {
            json_decref(n->configs[k].matrix);
            json_decref(n->configs[k].strategy);
            json_decref(n->configs[k].outputs);
        }
        json_decref(n->outputs);
        marks_deinit(&n->marks);
        strmap_deinit(&n->open);
    }
    marks_deinit(&f->marks);
    json_decref(f->github);
    json_decref(f->inputs);
    json_decref(f->about);
    strmap_deinit(&f->secrets);
}

void plan_deinit(struct plan *p)
{
    for (size_t i = 0; i < p->flows.len; i++)
        flow_deinit(p->flows.ptr[i]);
    vec_deinit(&p->flows);
    marks_deinit(&p->marks);
    json_decref(p->vars);
    json_decref(p->needs);
    strmap_deinit(&p->secrets);
    strmap_deinit(&p->variables);
    strmap_deinit(&p->repositories);
    p->mask = mask_free(p->mask);
    arena_deinit(&p->arena);
}

/* ---- the graph ---- */

const struct node **node_ancestors(const struct node *n, struct arena *a, size_t *ret_n)
{
    const struct flow *f = n->flow;
    const struct node **list = arena_array(a, f->n_nodes, sizeof *list);
    bool *seen = arena_array(a, f->n_nodes, sizeof *seen);
    size_t len = 0;

    for (size_t next = 0;; next++) { /* the list is also the queue of those still to be looked at */
        for (size_t i = 0; i < n->n_needs; i++) {
            if (!seen[n->needs[i] - f->nodes])
                list[len++] = n->needs[i];
            seen[n->needs[i] - f->nodes] = true;
        }
        if (next == len)
            break;
        n = list[next];
    }
    *ret_n = len;
    return list;
}

bool node_is_ready(const struct node *n)
{
    if (!n->chosen || n->state != NODE_WAITING)
        return false;
    for (size_t i = 0; i < n->n_needs; i++) {
        if (n->needs[i]->state != NODE_OVER)
            return false;
    }
    return true;
}

bool flow_is_cancelled(const struct plan *p, const struct flow *f)
{
    for (; f; f = f->call ? f->call->node->flow : NULL)
        if (f->stopped)
            return true;
    return p->cancelled;
}

bool flow_is_over(const struct flow *f)
{
    for (size_t i = 0; i < f->n_nodes; i++)
        if (f->nodes[i].chosen && f->nodes[i].state != NODE_OVER)
            return false;
    return true;
}

enum queue_result flow_result(const struct flow *f)
{
    size_t count[QUEUE_RESULTS] = {0};

    for (size_t i = 0; i < f->n_nodes; i++)
        count[f->nodes[i].result] += f->nodes[i].chosen;
    if (count[QUEUE_FAILURE])
        return QUEUE_FAILURE;
    if (count[QUEUE_CANCELLED])
        return QUEUE_CANCELLED;
    return count[QUEUE_SUCCESS] ? QUEUE_SUCCESS : QUEUE_SKIPPED;
}
