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

static void add_flow(struct plan *p, struct flow *f, const struct local_spec *spec, size_t at)
{
    const struct workflow *w = spec->workflows[at];
    const char *repository = json_string_value(json_object_get(spec->github, "repository"));
    const char *ref = json_string_value(json_object_get(spec->github, "ref"));
    json_t *sha = json_object_get(spec->github, "sha");
    bool many = spec->n_workflows > 1;
    const char *name = stem(&p->arena, w->file);

    f->workflow = w;
    f->prefix = many ? arena_printf(&p->arena, "%s/", name) : "";
    for (size_t i = 0; i < at; i++) { /* a/ci.yml and b/ci.yml */
        if (strcmp(p->flows[i].prefix, f->prefix) == 0 && many)
            f->prefix = arena_printf(&p->arena, "%s-%zu/", name, at + 1);
    }
    f->title = many ? arena_printf(&p->arena, "%s / ", w->name) : "";
    f->github = spec->github ? json_deep_copy(spec->github) : json_object();
    json_object_set_new(f->github, "workflow", json_string(w->name));
    json_object_set_new(f->github, "workflow_ref",
                        json_sprintf("%s/%s@%s", repository ? repository : "",
                                     repository_path(w->file, spec->source), ref ? ref : ""));
    if (sha)
        json_object_set(f->github, "workflow_sha", sha);
}

/* Which cron line fired cannot be known: the first one, unless the event file says. */
static void add_schedule(struct plan *p, struct flow *f)
{
    const struct workflow_event *e = workflow_event_find(f->workflow, "schedule");
    json_t *event = json_object_get(f->github, "event");
    const char *name = json_string_value(json_object_get(f->github, "event_name"));
    const struct token *cron = NULL;

    if (e && e->config && e->config->kind == TOKEN_SEQUENCE && e->config->n_items)
        cron = token_find(e->config->items[0], "cron");
    if (cron && name && strcmp(name, "schedule") == 0 && !json_object_get(event, "schedule"))
        json_object_set_new(event, "schedule",
                            json_string(arena_str(&p->arena, token_text(&p->arena, cron))));
}

static size_t count_jobs(const struct local_spec *spec)
{
    size_t n = 0;

    for (size_t i = 0; i < spec->n_workflows; i++)
        n += spec->workflows[i]->n_jobs;
    return n;
}

static struct node *find_node(struct plan *p, const struct flow *f, const char *id)
{
    for (size_t i = 0; i < p->n_nodes; i++) {
        if (p->nodes[i].flow == f && strcasecmp(p->nodes[i].def->id, id) == 0)
            return &p->nodes[i];
    }
    return NULL;
}

static void link_needs(struct plan *p)
{
    for (size_t i = 0; i < p->n_nodes; i++) {
        struct node *n = &p->nodes[i];

        n->needs = arena_array(&p->arena, n->def->n_needs, sizeof *n->needs);
        for (size_t k = 0; k < n->def->n_needs; k++) {
            struct node *other = find_node(p, n->flow, n->def->needs[k]);

            if (!other)
                BUG("job '%s' needs '%s', which the workflow's reader let pass", n->def->id,
                    n->def->needs[k]);
            n->needs[n->n_needs++] = other;
        }
    }
}

static void choose(struct node *n)
{
    if (n->chosen)
        return;
    n->chosen = true;
    for (size_t i = 0; i < n->n_needs; i++)
        choose(n->needs[i]); /* ends: the reader refuses cycles */
}

static int unknown_job(const struct plan *p, const char *id, struct err *err)
{
    CLEANUP(buf_deinit) struct buf known = BUF_INIT(160);

    for (size_t i = 0; i < p->n_nodes; i++)
        buf_printf(&known, "%s%s", i ? ", " : "", p->nodes[i].def->id);
    return err_set(err, ERR_INVALID, "no job '%s' in %s; there %s: %s%s", id,
                   p->n_flows == 1 ? p->flows[0].workflow->file : "the workflows",
                   p->n_nodes == 1 ? "is only" : "are", known.ptr, known.overflow ? ", ..." : "");
}

/* Marks the wanted jobs with all they need, and drops the others. */
static int choose_jobs(struct plan *p, const struct local_spec *spec, struct err *err)
{
    for (const char *const *id = spec->jobs; id && *id; id++) {
        bool found = false;

        for (size_t i = 0; i < p->n_flows; i++) {
            struct node *n = find_node(p, &p->flows[i], *id);

            if (n)
                choose(n);
            found = found || n;
        }
        if (!found)
            return unknown_job(p, *id, err);
    }
    for (size_t i = 0; i < p->n_nodes && (!spec->jobs || !spec->jobs[0]); i++)
        p->nodes[i].chosen = true;
    return ERR_OK;
}

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
    p->flows = arena_array(&p->arena, spec->n_workflows, sizeof *p->flows);
    p->nodes = arena_array(&p->arena, count_jobs(spec), sizeof *p->nodes);
    token = strmap_get(&p->secrets, "GITHUB_TOKEN");
    for (size_t i = 0; i < spec->n_workflows; i++) {
        struct flow *f = &p->flows[i];

        add_flow(p, f, spec, i);
        p->n_flows++;
        add_schedule(p, f);
        json_object_set_new(f->github, "token", json_string(token ? token : ""));
        if (plan_inputs(p, f, spec, err) != ERR_OK)
            return err->code;
        for (size_t k = 0; k < f->workflow->n_jobs; k++)
            p->nodes[p->n_nodes++] = (struct node){.flow = f, .def = &f->workflow->jobs[k]};
    }
    link_needs(p);
    if (choose_jobs(p, spec, err) != ERR_OK)
        return err->code;
    if (plan_check_choices(p, err) != ERR_OK)
        return err->code;
    return plan_refuse_unsupported(p, err);
}

void plan_deinit(struct plan *p)
{
    for (size_t i = 0; i < p->n_nodes; i++) {
        struct node *n = &p->nodes[i];

        for (size_t k = 0; k < n->n_configs; k++) {
            json_decref(n->configs[k].matrix);
            json_decref(n->configs[k].strategy);
            json_decref(n->configs[k].outputs);
        }
        json_decref(n->outputs);
    }
    for (size_t i = 0; i < p->n_flows; i++) {
        json_decref(p->flows[i].github);
        json_decref(p->flows[i].inputs);
    }
    json_decref(p->vars);
    strmap_deinit(&p->secrets);
    strmap_deinit(&p->variables);
    strmap_deinit(&p->repositories);
    p->mask = mask_free(p->mask);
    arena_deinit(&p->arena);
}

const struct node **node_ancestors(const struct plan *p, const struct node *n, struct arena *a,
                                   size_t *ret_n)
{
    const struct node **list = arena_array(a, p->n_nodes, sizeof *list);
    bool *seen = arena_array(a, p->n_nodes, sizeof *seen);
    size_t len = 0;

    for (size_t next = 0;; next++) { /* the list is also the queue of those still to be looked at */
        for (size_t i = 0; i < n->n_needs; i++) {
            if (!seen[n->needs[i] - p->nodes])
                list[len++] = n->needs[i];
            seen[n->needs[i] - p->nodes] = true;
        }
        if (next == len)
            break;
        n = list[next];
    }
    *ret_n = len;
    return list;
}

/* ---- what this version does not run yet ---- */

static int unsupported(const struct node *n, const struct token *at, const char *what,
                       struct err *err)
{
    const char *file = n->flow->workflow->file;

    return err_set(err, ERR_UNSUPPORTED,
                   "%s:%d:%d: job '%s' %s, which this version does not run yet", file,
                   at && at->line ? at->line : n->def->line, at && at->line ? at->col : n->def->col,
                   n->def->id, what);
}

/* An empty image means no container; only an expression could still come to that. */
static bool names_container(const struct token *t)
{
    return t && t->kind != TOKEN_NULL && !(t->kind == TOKEN_STRING && !slice_trim(t->text).len);
}

int plan_refuse_unsupported(const struct plan *p, struct err *err)
{
    for (size_t i = 0; i < p->n_nodes; i++) {
        const struct node *n = &p->nodes[i];
        const struct workflow_job *d = n->def;

        if (!n->chosen)
            continue;
        if (d->uses)
            return unsupported(n, token_find(d->node, "uses"), "calls a workflow (`uses`)", err);
        if (names_container(d->container))
            return unsupported(n, d->container, "wants a `container`", err);
        if (d->services && !(d->services->kind == TOKEN_MAPPING && d->services->n_pairs == 0) &&
            d->services->kind != TOKEN_NULL)
            return unsupported(n, d->services, "wants `services`", err);
    }
    return ERR_OK;
}
