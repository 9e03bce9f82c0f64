#include "job/kinds/handlers.h"

#include "base/path.h"
#include "job/container/box_hook.h"
#include "job/container/docker_image.h"
#include "job/contexts.h"
#include "job/kinds/actions.h"
#include "job/kinds/manifest.h"
#include "job/kinds/plugin_local.h"
#include "job/steps.h"
#include "lang/action_ref.h"

/* ---- what serves a `uses` ---- */

static enum uses_kind kind_of(const struct step *def)
{
    return uses_kind(slice_of(def->uses));
}

/* "actions/checkout@v4" but not "actions/checkout/sub@v4". */
static bool is_checkout(const char *uses)
{
    return strncmp(uses, "actions/checkout@", 17) == 0;
}

/* The working tree is something that the action itself could not show. So where there is one, ours does, whatever
 * version of it is named and whatever is said of plugins, unless it is said of this one. */
static bool shows_the_tree(const struct run *run, const char *uses)
{
    struct slice rule;

    return run->job->source && is_checkout(uses) &&
           !strmap_find(&run->job->plugin_prefer, SLICE("actions/checkout"), &rule);
}

static int find_checkout(struct run *run, struct instance *i, struct err *err)
{
    struct err why = ERR_INIT;
    int r = plugin_find(run->job->plugin_path, i->def->uses, &i->plugin, &why);

    if (r == ERR_NOT_FOUND)
        r = plugin_find_id(run->job->plugin_path, "actions/checkout", &i->plugin, &why);
    if (r == ERR_NOT_FOUND)
        return err_set(err, ERR_NOT_FOUND,
                       "line %d: '%s' shows your working tree by a plugin, which is not installed: "
                       "'ostler plugin install checkout.so', as it was built with ostler",
                       i->def->line, i->def->uses);
    if (r < 0) {
        *err = why;
        return err_in(err, "'%s'", i->def->uses);
    }
    return ERR_OK;
}

/* Loads the manifest of "./path", relative to the workspace even inside a composite. */
static int load_local(struct step_run *s, struct err *err)
{
    struct instance *i = s->instance;
    CLEANUP(free_ptr) char *relative = mem_dup(i->def->uses, strlen(i->def->uses));

    for (char *c = relative; *c; c++)
        if (*c == '\\')
            *c = '/';
    CLEANUP(free_ptr) char *joined = path_join(s->run->workspace, relative);
    free(i->action_dir);
    i->action_dir = path_normal(joined);
    int r = manifest_load(s->run, i->action_dir, s->log, &i->action, err);
    if (r == ERR_NOT_FOUND)
        return err_set(err, r,
                       "%s Did you forget to run actions/checkout before running your "
                       "local action?",
                       arena_str(&s->arena, slice_of(err->text)));
    return r;
}

const struct handler *handler_of_action(const struct instance *i, struct err *err)
{
    switch (i->action->kind) {
    case ACTION_COMPOSITE:
        if (i->frame->depth >= COMPOSITE_DEPTH_MAX) {
            (void)err_set(err, ERR_LIMIT, "Composite action depth exceeded max depth %d",
                          COMPOSITE_DEPTH_MAX);
            return NULL;
        }
        return &handler_composite;
    case ACTION_NODE:
        return &handler_node;
    case ACTION_DOCKER:
        return &handler_docker;
    default:
        (void)err_set(err, ERR_UNSUPPORTED, "'%s' is a plugin, and it is not installed",
                      i->def->uses);
        return NULL;
    }
}

const struct handler *handler_for(struct step_run *s, struct err *err)
{
    const char *uses = s->def->uses;

    if (s->instance->box_command)
        return &handler_box;
    if (s->instance->hook)
        return &handler_hook;
    if (s->def->control != CONTROL_NONE)
        return &handler_control;
    if (!uses)
        return &handler_script;
    if (s->instance->plugin)
        return &handler_plugin;
    if (kind_of(s->def) == USES_IMAGE)
        return &handler_docker;
    if (s->instance->remote)
        return handler_of_action(s->instance, err);
    if (kind_of(s->def) == USES_LOCAL) {
        if (!s->instance->action && load_local(s, err) < 0)
            return NULL;
        if (s->instance->action->kind == ACTION_PLUGIN && s->instance->action->using)
            return plugin_local_load(s, err) < 0 ? NULL : &handler_plugin;
        return handler_of_action(s->instance, err);
    }
    (void)err_set(err, ERR_UNSUPPORTED, "nothing here serves '%s'", uses);
    return NULL;
}

/* ---- before the first step ---- */

/* Its plugin is not on the allow-list: it is as if it were not installed. */
static int not_named(struct run *run, struct instance *i, struct err *err)
{
    (void)!trust_allows(run->policy, i->plugin, err); /* its text says why */
    i->plugin = plugin_free(i->plugin);
    return err->code = ERR_NOT_FOUND;
}

static int prepare(struct run *run, struct instance *i, struct err *err)
{
    const struct step *def = i->def;

    if (!def->uses || kind_of(def) == USES_LOCAL || kind_of(def) == USES_IMAGE)
        return ERR_OK;
    if (shows_the_tree(run, def->uses))
        return find_checkout(run, i, err);
    const char *prefer = plugin_preference(&run->job->plugin_prefer, def->uses);
    struct err why = ERR_INIT;
    int r = strcmp(prefer, "never") == 0
                ? err_set(&why, ERR_NOT_FOUND, "plugins are switched off for it")
                : plugin_find(run->job->plugin_path, def->uses, &i->plugin, &why);
    bool forbidden = r == ERR_OK && !trust_names(run->policy, i->plugin);
    if (forbidden)
        r = not_named(run, i, &why);
    else if (r == ERR_OK)
        r = trust_allows(run->policy, i->plugin, &why);
    if (r == ERR_OK)
        return ERR_OK;
    if (r != ERR_NOT_FOUND) {
        *err = why;
        return err_in(err, "'%s'", def->uses);
    }
    i->remote = run->job->store && strcmp(prefer, "only") != 0 && kind_of(def) == USES_REMOTE;
    if (i->remote) {
        if (forbidden)
            run_emit(run, json_pack("{s:s, s:o}", "event", "note", "text",
                                    json_sprintf("%s: the action itself serves '%s'", why.text,
                                                 def->uses)));
        return ERR_OK;
    }
    return err_set(err, ERR_NOT_FOUND,
                   "line %d: no installed plugin serves '%s' (%s), and no action may be fetched",
                   def->line, def->uses, why.text);
}

int frame_prepare(struct run *run, struct frame *frame, struct err *err)
{
    for (size_t i = 0; i < frame->n_instances; i++) {
        int r = prepare(run, &frame->instances[i], err);

        if (r < 0)
            return r;
    }
    return ERR_OK;
}

/* ---- stages around the main one ---- */

/* Kinds whose manifest names a program for each stage. */
static bool has_scripts(const struct action *action)
{
    return action->kind == ACTION_NODE || action->kind == ACTION_DOCKER;
}

const char *instance_pre_if(const struct instance *i)
{
    const char *condition = i->plugin ? i->plugin->pre_if : i->action ? i->action->pre_if : NULL;
    return condition ? condition : "always()";
}

const char *instance_post_if(const struct instance *i)
{
    const char *condition = i->plugin ? i->plugin->post_if : i->action ? i->action->post_if : NULL;
    return condition ? condition : "always()";
}

bool instance_has_pre(const struct instance *i)
{
    if (i->plugin)
        return plugin_has_phase(i->plugin, OST_PHASE_PRE);
    if (!i->remote || !i->action) /* a local action is not there yet when pre stages run */
        return false;
    for (size_t k = 0; i->inner && k < i->inner->n_instances; k++)
        if (instance_has_pre(&i->inner->instances[k]))
            return true;
    return has_scripts(i->action) && i->action->pre;
}

static bool has_post(const struct instance *i)
{
    if (i->plugin)
        return plugin_has_phase(i->plugin, OST_PHASE_POST);
    return i->action && has_scripts(i->action) && i->action->post;
}

/* A composite's post runs those of its inner actions, so it is registered with the first of them. */
static void register_post(struct run *run, struct instance *i, struct step_run *owner)
{
    if (i->post_registered)
        return;
    i->post_registered = true;
    if (!owner) {
        vec_push(&run->posts, (struct sequence_item){i, STAGE_POST});
        return;
    }
    vec_push(&i->frame->posts, i);
    register_post(run, owner->instance, owner->seq->owner);
}

void handler_register_post(struct step_run *s)
{
    if (s->stage != STAGE_POST && has_post(s->instance))
        register_post(s->run, s->instance, s->seq->owner);
}

/* ---- inputs ---- */

static const struct action_input *input_find(const struct action_input *list, size_t n,
                                             struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq_nocase(slice_of(list[i].id), name))
            return &list[i];
    return NULL;
}

static void warn_of_unexpected(struct step_run *s, const struct action_input *declared, size_t n)
{
    CLEANUP(buf_deinit) struct buf odd = BUF_INIT(4096);
    CLEANUP(buf_deinit) struct buf valid = BUF_INIT(64 << 10);

    STRMAP_EACH (i, &s->inputs) {
        const struct action_input *known = input_find(declared, n, strmap_name(i));
        bool own =
            docker_is(s->instance) && (slice_eq_nocase(strmap_name(i), SLICE("entrypoint")) ||
                                       slice_eq_nocase(strmap_name(i), SLICE("args")));

        if (own && !known)
            continue;
        if (!known)
            buf_printf(&odd, "%s'%s'", odd.len ? ", " : "", i->name);
        else if (known->deprecation)
            log_issue(s->log, ANNOTATION_WARNING, "Input '%s' has been deprecated with message: %s",
                      known->id, known->deprecation);
    }
    for (size_t i = 0; i < n; i++)
        buf_printf(&valid, "%s'%s'", i ? ", " : "", declared[i].id);
    if (odd.len)
        log_issue(s->log, ANNOTATION_WARNING, "Unexpected input(s) %s, valid inputs are [%s]",
                  odd.ptr, valid.ptr);
}

int inputs_evaluate(struct step_run *s, const struct action_input *declared, size_t n,
                    struct err *err)
{
    CLEANUP(eval_deinit) struct eval e;

    eval_init(&e, s->run, s->frame, s, &s->arena);
    int r = template_map(&e.template, s->def->with, &s->inputs, err);
    if (r < 0)
        return r;
    if (s->stage == STAGE_MAIN && kind_of(s->def) != USES_IMAGE) /* an image declares nothing */
        warn_of_unexpected(s, declared, n);
    for (size_t i = 0; i < n; i++) {
        struct slice given, value = SLICE("");

        if (strmap_find(&s->inputs, slice_of(declared[i].id), &given))
            continue;
        r = template_string(&e.template, declared[i].fallback, &value, err);
        if (r < 0)
            return err_in(err, "default of input '%s'", declared[i].id);
        strmap_set(&s->inputs, slice_of(declared[i].id), value);
    }
    return ERR_OK;
}
