/* Actions and workflows of the same repository, and what is passed to the latter. */
#include "lang/workflow/calls.h"
#include "lang/check/rules.h"

#include "lang/convert.h"

/* A folder with one of these and no manifest is an action, too. */
static const char *const dockerfiles[] = {"Dockerfile", "dockerfile"};

enum { LOCALS_MAX = 256 }; /* different ones in a file; further ones are unknown */

struct local {
    const char *uses, *path; /* path: from the root of the repository; NULL: it is none of it */
    struct slice text;
    bool missing;
    bool served;                 /* by a plugin */
    const char *commit;          /* of another repository; NULL: not known */
    const char *broken;          /* its first error; NULL: none */
    const char *odd;             /* the first thing that GitHub's editor would say; NULL: nothing */
    bool is_action, is_workflow; /* it could be read as that, in parts at least */
    struct action action;
    struct workflow workflow;
};

void check_locals_deinit(struct check *c)
{
    for (size_t i = 0; i < c->n_locals; i++) {
        action_deinit(&c->locals[i].action);
        workflow_deinit(&c->locals[i].workflow);
    }
    free(c->locals);
    c->locals = NULL;
    c->n_locals = 0;
}

/* "./a/../b/" as "b"; NULL: it is no path of the repository. */
static const char *path_of(struct check *c, const char *uses)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT(4096);
    struct slice rest = slice_of(uses), part;

    if (!slice_starts(rest, SLICE("./")) && !slice_starts(rest, SLICE("$/")))
        return NULL;
    rest = slice_from(rest, 2);
    while (slice_split(&rest, '/', &part)) {
        if (!part.len || slice_eq(part, SLICE(".")))
            continue;
        if (slice_eq(part, SLICE("..")) || memchr(part.ptr, '\0', part.len))
            return NULL;
        buf_printf(&path, "%s%.*s", path.len ? "/" : "", SLICE_ARG(part));
    }
    return path.overflow ? NULL : arena_str(&c->arena, buf_slice(&path));
}

static const char *first_error(struct check *c, const struct diags *diags)
{
    VEC_EACH (d, &diags->list)
        if (d->level == DIAG_ERROR)
            return arena_printf(&c->arena, "%s:%d: %.*s", d->file, d->line, SLICE_ARG(d->message));
    return NULL;
}

static void read_workflow(struct check *c, struct local *l, struct diags *diags)
{
    static const struct workflow_options reading = {.go_on = true};

    l->missing = !c->options->read(c->options->ctx, l->path, &l->text);
    l->is_workflow = !l->missing && (workflow_parse_as(&l->workflow, l->text, l->path, &reading,
                                                       diags) == ERR_OK ||
                                     l->workflow.root);
}

static void read_action(struct check *c, struct local *l, struct diags *diags)
{
    static const char *const names[] = {"action.yml", "action.yaml"};
    CLEANUP(diags_deinit) struct diags strict = {.arena = &c->arena};

    l->missing = true;
    for (size_t i = 0; l->missing && i < COUNT_OF(names); i++) {
        const char *file =
            arena_printf(&c->arena, "%s%s%s", l->path, *l->path ? "/" : "", names[i]);

        l->missing = !c->options->read(c->options->ctx, file, &l->text);
        l->is_action = !l->missing && action_parse(&l->action, l->text, file, diags) == ERR_OK;
        if (l->is_action && action_check(l->text, file, &strict) != ERR_OK)
            l->odd = first_error(c, &strict);
    }
}

/* Of another repository: a plugin stands for it, or it lies on this disk. */
static void read_remote(struct check *c, struct local *l, struct diags *diags)
{
    CLEANUP(diags_deinit) struct diags theirs = {.arena = &c->arena};
    const struct check_options *o = c->options;

    l->served = o->served && o->served(o->ctx, l->uses, &l->text);
    if (l->served) {
        l->is_action = action_parse(&l->action, l->text, l->uses, diags) == ERR_OK;
        return;
    }
    if (o->stored)
        l->commit = o->stored(o->ctx, l->uses, &l->text);
    if (l->commit && l->text.len) /* what is wrong in it is not ours to mend */
        l->is_action = action_parse(&l->action, l->text, l->uses, &theirs) == ERR_OK;
}

static void read_local(struct check *c, struct local *l, bool workflow)
{
    CLEANUP(diags_deinit) struct diags diags = {.arena = &c->arena};

    l->path = path_of(c, l->uses);
    if (!l->path && !workflow) {
        read_remote(c, l, &diags);
    } else if (l->path && c->options->read && workflow) {
        read_workflow(c, l, &diags);
    } else if (l->path && c->options->read) {
        read_action(c, l, &diags);
    }
    l->broken = first_error(c, &diags);
}

static const struct local *find_local(struct check *c, const char *uses, bool workflow)
{
    for (size_t i = 0; i < c->n_locals; i++)
        if (strcmp(c->locals[i].uses, uses) == 0)
            return &c->locals[i];
    if (c->n_locals == LOCALS_MAX)
        return NULL;
    c->locals = mem_grow(c->locals, (c->n_locals + 1) * sizeof *c->locals);
    struct local *l = &c->locals[c->n_locals++];
    *l = (struct local){.uses = arena_str(&c->arena, slice_of(uses))};
    action_init(&l->action);
    workflow_init(&l->workflow);
    read_local(c, l, workflow);
    return l;
}

const struct action *check_local_action(struct check *c, const char *uses)
{
    const struct local *l = find_local(c, uses, false);

    return l && l->is_action ? &l->action : NULL;
}

const char *check_stored_commit(struct check *c, const char *uses)
{
    const struct local *l = find_local(c, uses, false);

    return l ? l->commit : NULL;
}

bool check_is_served(struct check *c, const char *uses)
{
    const struct local *l = find_local(c, uses, false);

    return l && l->served;
}

bool check_local_text(struct check *c, const char *path, struct slice *ret)
{
    const struct local *l = find_local(c, arena_printf(&c->arena, "./%s", path), true);

    if (!l || !l->path || l->missing)
        return false;
    *ret = l->text;
    return true;
}

const struct workflow *check_local_workflow(struct check *c, const char *uses)
{
    const struct local *l = find_local(c, uses, true);

    return l && l->is_workflow ? &l->workflow : NULL;
}

/* ---- what a call passes ---- */

static bool has_type(struct check *c, const struct token *value, struct slice type)
{
    const struct type *t = check_type_of(c, value);

    if (t->kind == TYPE_ANY || t->kind == TYPE_NULL || slice_eq(type, SLICE("string")))
        return t->kind != TYPE_OBJECT && t->kind != TYPE_ARRAY;
    return t->kind == (slice_eq(type, SLICE("boolean")) ? TYPE_BOOL : TYPE_NUMBER);
}

/* What is no text becomes one: a version 3.10 is a number, and its text is 3.1. */
static void check_text(struct check *c, const struct token *key, const struct token *value)
{
    struct slice text = token_text(&c->arena, value), written = check_written(value);
    bool null = value->kind == TOKEN_STRING && !text.len && written.len; /* the reader made it "" */
    bool other = value->kind == TOKEN_NUMBER && !slice_eq(text, written);

    if (value->kind == TOKEN_NUMBER || value->kind == TOKEN_BOOL || null)
        check_hint(check_report_at(c, CHECK_CALL, other ? DIAG_WARNING : DIAG_INFO, value,
                                   "input '%.*s' is a string, and '%.*s' gives it the text '%.*s'",
                                   SLICE_ARG(key->text), SLICE_ARG(written), SLICE_ARG(text)),
                   "write it in quotes");
}

/* The types of expressions; literals are looked at with all other values. */
static void check_types(struct check *c, const struct workflow *called, const struct token *given)
{
    const struct token *declared = call_declares(called, "inputs");

    for (size_t i = 0; convert_is(given, TOKEN_MAPPING) && i < given->n_pairs; i++) {
        const struct token *key = given->pairs[i].key, *value = given->pairs[i].value;
        const struct token_pair *input =
            key->kind == TOKEN_STRING ? call_pair(declared, key->text) : NULL;

        if (!input)
            continue;
        struct slice type = call_input_type(input->value);
        if (slice_eq(type, SLICE("string")))
            check_text(c, key, value);
        if (value->kind == TOKEN_EXPR && !has_type(c, value, type))
            check_hint(check_report_at(c, CHECK_CALL, DIAG_ERROR, value,
                                       "input '%.*s' is a %.*s, and this is a %s",
                                       SLICE_ARG(key->text), SLICE_ARG(type),
                                       type_name(check_type_of(c, value))),
                       "fromJSON() turns a text into a number or boolean");
    }
}

/* What the language itself asks of a call, as findings of this rule. */
static void check_values(struct check *c, const struct workflow_job *job,
                         const struct workflow *called)
{
    size_t n = c->diags->list.len;

    check_call_values(c->workflow, job, called, c->diags);
    while (n < c->diags->list.len) {
        if (c->diags->list.ptr[n].caller) { /* the called file's own check says it */
            vec_remove(&c->diags->list, n);
            c->diags->n_errors--;
            continue;
        }
        c->diags->list.ptr[n++].rule = check_rules[CHECK_CALL].name;
    }
}

void check_call(struct check *c, const struct workflow_job *job)
{
    const struct token *uses = token_find(job->node, "uses");
    const struct local *l = find_local(c, job->uses, true);

    if (l && l->path && !l->missing && c->options->called)
        c->options->called(c->options->ctx, l->path, uses->line, uses->col);
    if (!l || c->options->ignore & 1u << CHECK_CALL)
        return;
    if (l->missing)
        check_report_at(c, CHECK_CALL, DIAG_ERROR, uses, "there is no workflow '%s'", l->path);
    else if (l->broken)
        check_report_at(c, CHECK_CALL, DIAG_ERROR, uses, "'%s' can't be called: %s", job->uses,
                        l->broken);
    if (!l->is_workflow)
        return;
    if (workflow_event_find(&l->workflow, "workflow_call")) {
        check_values(c, job, &l->workflow);
        check_types(c, &l->workflow, job->with);
    } else {
        check_hint(check_report_at(c, CHECK_CALL, DIAG_ERROR, uses,
                                   "workflow_call key is not defined in the referenced workflow."),
                   "add 'workflow_call:' to its `on`");
    }
}

const char *check_local_fault(struct check *c, const char *uses, bool *ret_works)
{
    const struct local *l = find_local(c, uses, false);

    *ret_works = l && l->is_action;
    return !l ? NULL : l->broken ? l->broken : l->odd;
}

bool check_local_is_missing(struct check *c, const char *uses)
{
    const struct local *l = find_local(c, uses, false);

    if (!l || !l->missing)
        return false;
    for (size_t i = 0; i < COUNT_OF(dockerfiles); i++) {
        struct slice ignored;
        const char *file =
            arena_printf(&c->arena, "%s%s%s", l->path, *l->path ? "/" : "", dockerfiles[i]);

        if (c->options->read(c->options->ctx, file, &ignored))
            return false;
    }
    return true;
}
