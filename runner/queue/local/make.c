/* A configuration as the job that a worker takes in. */
#include "queue/local/plan.h"

#include "base/path.h"
#include "lang/workflow/calls.h"

/* "1-build": short, as sockets below it have short paths; the number keeps two jobs apart. */
static const char *job_dir(struct arena *a, const char *work_dir, size_t number, const char *id)
{
    CLEANUP(free_ptr) char *path = path_join(work_dir, arena_printf(a, "%zu-%.40s", number, id));

    return arena_str(a, slice_of(path));
}

/* "owner/app" gives "app/app". */
static const char *work_root(struct arena *a, const json_t *github)
{
    const char *repository = json_string_value(json_object_get(github, "repository"));
    const char *name = repository ? path_base(repository) : "";

    if (!*name)
        name = "work";
    return arena_printf(a, "%s/%s", name, name);
}

static json_t *contexts(const struct plan *p, const struct config *c)
{
    struct place place;
    json_t *github = json_copy(c->node->flow->github), *all;

    place_init(&place, p, c->node, c);
    json_object_set_new(github, "job", json_string(c->node->def->id));
    all = json_pack("{s:o, s:O, s:O, s:O, s:O, s:O, s:O}", "github", github, "vars", p->vars,
                    "needs", place.needs, "strategy", c->strategy, "matrix", c->matrix, "inputs",
                    c->node->flow->inputs, "job", c->node->flow->about);
    place_deinit(&place);
    if (p->forge)
        json_object_update_new(all,
                               json_pack("{s:b, s:b, s:b}", "gitea", 1, "forgejo", 1, "forge", 1));
    return all;
}

/* A called workflow that says nothing has what its caller has. Nobody has id tokens without asking. */
static bool may_have_id_tokens(const struct config *c)
{
    const struct token *tok = c->node->def->permissions;
    const struct flow *flow = c->node->flow;

    for (; !tok && flow->call; flow = flow->call->node->flow)
        tok = flow->call->node->def->permissions;
    struct permissions p = permissions_of(tok, CALLS_LIMITED_READ, false);
    return permissions_can_write(&p, SLICE("id-token"));
}

struct job *config_job(const struct plan *p, const struct config *c, const struct local_spec *how,
                       size_t number)
{
    const struct workflow_job *d = c->node->def;
    const struct workflow *w = c->node->flow->workflow;
    struct job *j = mem_new(sizeof *j);

    job_init(j);
    j->id = arena_str(&j->arena, slice_of(d->id));
    j->key = arena_str(&j->arena, slice_of(c->key));
    j->name = arena_str(&j->arena, slice_of(c->name));
    j->file = w->file;
    j->contexts = contexts(p, c);
    strmap_merge(&j->secrets, &c->node->flow->secrets);
    strmap_merge(&j->variables, &p->variables);
    strmap_merge(&j->repositories, &p->repositories);

    j->env = arena_array(&j->arena, 3, sizeof *j->env);
    if (w->env)
        j->env[j->n_env++] = w->env;
    if (d->env)
        j->env[j->n_env++] = d->env;
    if (p->env_override)
        j->env[j->n_env++] = p->env_override;
    j->default_shell = d->default_shell;
    j->default_working_directory = d->default_working_directory;
    j->outputs = d->outputs;
    j->environment = c->environment;
    j->environment_url = token_find(d->environment, "url");
    j->container = d->container;
    j->services = d->services;
    j->steps = d->steps;
    j->n_steps = d->n_steps;
    j->id_token = may_have_id_tokens(c);
    j->timeout_ms = c->timeout_ms;
    j->cancel_timeout_ms = c->cancel_timeout_ms;

    j->isolation = how->isolation;
    j->isolation_required = how->isolation_required;
    j->limits = how->limits;
    j->dir = job_dir(&j->arena, how->work_dir ? how->work_dir : "/", number, d->id);
    j->work_root = work_root(&j->arena, c->node->flow->github);
    j->source = how->source;
    j->source_ignored = how->source_ignored;
    j->hidden = how->hidden;
    j->plugin_path = how->plugin_path;
    if (how->plugin_prefer)
        strmap_merge(&j->plugin_prefer, how->plugin_prefer);
    j->plugin_policies = json_incref(how->plugin_policies);
    j->node = how->node;
    j->tool_cache = how->tool_cache;
    j->keep = how->keep;
    j->offline = how->offline;
    j->pull = how->pull;
    if (how->store) {
        j->store = how->store->folder;
        j->store_source = how->store->source;
        j->store_since = how->store->since;
        j->store_budget = how->store->budget;
        j->fetch_env = how->store->git.more;
        if (how->store->locks)
            strmap_merge(&j->store_locks, how->store->locks);
    }
    return j;
}
