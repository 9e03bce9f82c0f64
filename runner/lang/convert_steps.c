#include "lang/convert.h"

#include "lang/action_ref.h"
#include "lang/ids.h"
#include "lang/near.h"

/* One list of steps: the steps of a job, of a composite action, or of a parallel group. */
struct scope {
    struct convert *c;
    unsigned if_contexts;
    struct ids ids;
    struct strmap known; /* ids that were written, for wait and cancel */
};

/* ---- references ---- */

/* Takes the next non-empty path segment off *REST; '\' counts as '/'. */
static bool next_segment(struct slice *rest, struct slice *ret)
{
    size_t n = 0;

    while (rest->len && (rest->ptr[0] == '/' || rest->ptr[0] == '\\'))
        *rest = slice_from(*rest, 1);
    while (n < rest->len && rest->ptr[n] != '/' && rest->ptr[n] != '\\')
        n++;
    *ret = slice_head(*rest, n);
    *rest = slice_from(*rest, n);
    return n > 0;
}

/* Splits OWNER/REPO[/PATH]@REF; false when it is none. */
static bool split_reference(struct slice uses, struct slice *ret_owner, struct slice *ret_repo)
{
    ssize_t at = slice_find_char(uses, '@');

    if (at < 0)
        return false;
    struct slice path = slice_head(uses, (size_t)at), ref = slice_from(uses, (size_t)at + 1);
    return ref.len && slice_find_char(ref, '@') < 0 && next_segment(&path, ret_owner) &&
           next_segment(&path, ret_repo);
}

static void check_uses(struct convert *c, const struct token *uses)
{
    struct slice text = uses->text, owner, repo;
    struct diag *d;

    if (uses_kind(text) != USES_REMOTE || split_reference(text, &owner, &repo) ||
        slice_find(text, SLICE("${{")) >= 0) /* refused for that, and said */
        return;
    d = convert_error(c, uses, "Expected format {org}/{repo}[/path]@ref. Actual '%.*s'",
                      SLICE_ARG(text));
    d->hint = slice_find_char(text, '@') < 0
                  ? "add the version, as in actions/checkout@v4, or begin a local path with './'"
                  : "write owner/repository@version, as in actions/checkout@v4";
}

/* ---- ids ---- */

/* What the id of a step without one is made from. */
static const char *default_id(struct convert *c, const struct step *s)
{
    static const char *const controls[CONTROLS] = {
        [CONTROL_WAIT] = "__wait",
        [CONTROL_WAIT_ALL] = "__wait-all",
        [CONTROL_CANCEL] = "__cancel",
        [CONTROL_PARALLEL] = "__parallel",
    };
    struct slice owner, repo;

    if (s->control != CONTROL_NONE)
        return controls[s->control];
    if (!s->uses)
        return "__run";
    switch (uses_kind(slice_of(s->uses))) {
    case USES_IMAGE:
        return arena_printf(c->arena, "__%s", s->uses + strlen("docker://"));
    case USES_LOCAL:
        return "__self";
    case USES_SELF:
        return "__selfRepository";
    case USES_REMOTE:
        break;
    }
    return split_reference(slice_of(s->uses), &owner, &repo)
               ? arena_printf(c->arena, "__%.*s/%.*s", SLICE_ARG(owner), SLICE_ARG(repo))
               : "__run";
}

static void make_ids(struct scope *scope, struct step *steps, size_t n)
{
    struct convert *c = scope->c;

    for (size_t i = 0; i < n; i++) {
        if (steps[i].id)
            continue;
        struct slice segment = slice_of(default_id(c, &steps[i]));
        steps[i].id = ids_make(&scope->ids, c->arena, &segment, 1, true);
        if (!steps[i].id) {
            steps[i].id = "";
            convert_error(c, steps[i].node, "Unable to create a unique name")->hint =
                "give some of these steps an id";
        }
    }
}

static void take_id(struct scope *scope, struct step *s, const struct token *id)
{
    struct convert *c = scope->c;

    if (!id)
        return;
    enum ids_fault fault = ids_add(&scope->ids, id->text);
    s->id = convert_text(c, id);
    if (fault != IDS_OK)
        convert_error(c, id, "%s", ids_fault_text(c->arena, fault, id->text));
    else
        strmap_set(&scope->known, id->text, SLICE(""));
}

/* ---- steps that steer others ---- */

static void check_target(struct scope *scope, const struct step *s, const struct token *target)
{
    struct convert *c = scope->c;
    struct near_best best = near_begin(target->text);
    struct slice found;

    if (slice_starts(target->text, SLICE("__"))) {
        convert_error(c, target, "%s", ids_fault_text(c->arena, IDS_RESERVED, target->text));
    } else if (s->id && slice_eq_nocase(target->text, slice_of(s->id))) {
        convert_error(c, target, "Step '%s' cannot reference itself", s->id);
    } else if (!strmap_find(&scope->known, target->text, &found)) {
        struct diag *d = convert_error(c, target, "Step references unknown step ID '%.*s'",
                                       SLICE_ARG(target->text));
        if (diags_is_full(c->diags))
            return;
        STRMAP_EACH (item, &scope->known)
            near_offer(&best, strmap_name(item));
        d->hint = near_hint(c->diags->arena, &best);
    }
}

static void take_targets(struct scope *scope, struct step *s, const struct token *tok)
{
    struct convert *c = scope->c;
    size_t n = tok->kind == TOKEN_SEQUENCE ? tok->n_items : 1;

    s->targets = arena_array(c->arena, n, sizeof *s->targets);
    for (size_t i = 0; i < n; i++) {
        const struct token *target = tok->kind == TOKEN_SEQUENCE ? tok->items[i] : tok;

        check_target(scope, s, target);
        s->targets[s->n_targets++] = convert_text(c, target);
    }
}

/* Only run and uses steps may stand in a parallel group, and all of them are background steps. */
static void check_parallel(struct convert *c, const struct step *group)
{
    static const char *const names[CONTROLS] = {
        [CONTROL_WAIT] = "wait",
        [CONTROL_WAIT_ALL] = "wait-all",
        [CONTROL_CANCEL] = "cancel",
    };

    for (size_t i = 0; i < group->n_steps; i++) {
        const struct step *s = &group->steps[i];

        if (token_find(s->node, "background"))
            convert_error(c, group->node,
                          "'background' is not allowed inside a parallel block. Steps in a "
                          "parallel block are automatically run as background steps.");
        if (s->control == CONTROL_PARALLEL)
            convert_error(c, group->node, "Nested 'parallel' blocks are not allowed.");
        else if (s->control != CONTROL_NONE)
            convert_error(c, group->node, "'%s' is not allowed inside a parallel block.",
                          names[s->control]);
    }
}

static void take_control(struct scope *scope, struct step *s)
{
    static const struct {
        const char *key, *name;
        enum step_control control;
    } kinds[] = {
        {"wait", "Wait", CONTROL_WAIT},
        {"wait-all", "Wait for all", CONTROL_WAIT_ALL},
        {"cancel", "Cancel", CONTROL_CANCEL},
        {"parallel", "Parallel group", CONTROL_PARALLEL},
    };
    struct convert *c = scope->c;

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        const struct token *tok = token_find(s->node, kinds[i].key);

        if (!tok)
            continue;
        s->control = kinds[i].control;
        if (!s->name) {
            struct token *name = ARENA_NEW(c->arena, struct token);

            name->text = slice_of(kinds[i].name);
            s->name = name;
        }
        if (s->control == CONTROL_WAIT || s->control == CONTROL_CANCEL)
            take_targets(scope, s, tok);
        if (s->control == CONTROL_WAIT_ALL && convert_is(tok, TOKEN_BOOL) && !tok->boolean)
            convert_error(c, tok, "The value of 'wait-all' must be true or omitted");
        if (s->control == CONTROL_PARALLEL) {
            convert_steps(c, tok, scope->if_contexts, &s->steps, &s->n_steps);
            check_parallel(c, s);
        }
    }
}

/* ---- one step ---- */

static void take_step(struct scope *scope, const struct token *node, struct step *s)
{
    struct convert *c = scope->c;
    const struct token *uses = token_find(node, "uses");
    const struct token *background = token_find(node, "background");

    *s = (struct step){
        .name = token_find(node, "name"),
        .run = token_find(node, "run"),
        .uses = convert_text(c, uses),
        .shell = token_find(node, "shell"),
        .working_directory = token_find(node, "working-directory"),
        .with = token_find(node, "with"),
        .env = token_find(node, "env"),
        .continue_on_error = token_find(node, "continue-on-error"),
        .timeout_minutes = token_find(node, "timeout-minutes"),
        .line = node->line,
        .background = convert_is(background, TOKEN_BOOL) && background->boolean,
        .node = node,
    };
    take_id(scope, s, token_find(node, "id"));
    if (s->run || s->uses) {
        s->condition = convert_condition(c, token_find(node, "if"), scope->if_contexts);
    } else {
        s->condition = "always()";
        take_control(scope, s);
    }
    if (uses && !c->forge) /* there it may be a whole address, too */
        check_uses(c, uses);
}

void convert_steps(struct convert *c, const struct token *steps, unsigned if_contexts,
                   struct step **ret, size_t *ret_n)
{
    struct scope scope = {
        .c = c,
        .if_contexts = if_contexts,
        .ids = IDS_INIT,
        .known = STRMAP_INIT,
    };
    size_t n = steps->n_items;
    struct step *list = arena_array(c->arena, n, sizeof *list);

    for (size_t i = 0; i < n; i++)
        take_step(&scope, steps->items[i], &list[i]);
    make_ids(&scope, list, n);
    ids_deinit(&scope.ids);
    strmap_deinit(&scope.known);
    *ret = list;
    *ret_n = n;
}
