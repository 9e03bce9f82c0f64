/* Actions and workflows of the same repository, and what is passed to the latter. */
#include "lang/check/rules.h"

#include "lang/convert.h"

enum { LOCALS_MAX = 256 }; /* different ones in a file; further ones are unknown */

struct local {
    const char *uses;
    bool missing;
    bool is_action, is_workflow; /* it could be read as that */
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

    if (!slice_starts(rest, SLICE("./")))
        return NULL;
    while (slice_split(&rest, '/', &part)) {
        if (!part.len || slice_eq(part, SLICE(".")))
            continue;
        if (slice_eq(part, SLICE("..")) || memchr(part.ptr, '\0', part.len))
            return NULL;
        buf_printf(&path, "%s%.*s", path.len ? "/" : "", SLICE_ARG(part));
    }
    return path.overflow ? NULL : arena_str(&c->arena, buf_slice(&path));
}

static void read_local(struct check *c, struct local *l, bool workflow)
{
    static const char *const names[] = {"action.yml", "action.yaml"};
    CLEANUP(diags_deinit) struct diags diags = {.arena = &c->arena};
    const char *path = path_of(c, l->uses);
    struct slice text;

    if (!path || !c->options->read)
        return;
    if (workflow) {
        l->missing = !c->options->read(c->options->ctx, path, &text);
        l->is_workflow = !l->missing && workflow_parse(&l->workflow, text, path, &diags) == ERR_OK;
        return;
    }
    l->missing = true;
    for (size_t i = 0; l->missing && i < COUNT_OF(names); i++) {
        const char *file = arena_printf(&c->arena, "%s%s%s", path, *path ? "/" : "", names[i]);

        l->missing = !c->options->read(c->options->ctx, file, &text);
        l->is_action = !l->missing && action_parse(&l->action, text, file, &diags) == ERR_OK;
    }
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

const struct workflow *check_local_workflow(struct check *c, const char *uses)
{
    const struct local *l = find_local(c, uses, true);

    return l && l->is_workflow ? &l->workflow : NULL;
}

bool check_is_missing(struct check *c, const char *uses)
{
    const struct local *l = find_local(c, uses, true);

    return l && l->missing;
}

/* ---- what a call passes ---- */

static const struct token *find_nocase(const struct token *mapping, struct slice name)
{
    for (size_t i = 0; convert_is(mapping, TOKEN_MAPPING) && i < mapping->n_pairs; i++)
        if (mapping->pairs[i].key->kind == TOKEN_STRING &&
            slice_eq_nocase(mapping->pairs[i].key->text, name))
            return mapping->pairs[i].value;
    return NULL;
}

static bool is_required(const struct token *spec)
{
    const struct token *required = token_find(spec, "required");

    return convert_is(required, TOKEN_BOOL) && required->boolean;
}

/* WHAT is "input" or "secret": those of GIVEN that are not DECLARED, and those that are missing. */
static void compare(struct check *c, const char *what, const struct token *declared,
                    const struct token *given, const struct token *uses)
{
    char first = (char)(*what - ('a' - 'A'));

    for (size_t i = 0; convert_is(given, TOKEN_MAPPING) && i < given->n_pairs; i++) {
        const struct token *key = given->pairs[i].key;

        if (key->kind != TOKEN_STRING || find_nocase(declared, key->text))
            continue;
        struct near_best best = near_begin(key->text);
        struct diag *d =
            check_report_at(c, CHECK_CALL, DIAG_ERROR, key,
                            "Invalid %s, %.*s is not defined in the referenced workflow.", what,
                            SLICE_ARG(key->text));
        for (size_t k = 0; convert_is(declared, TOKEN_MAPPING) && k < declared->n_pairs; k++)
            near_offer(&best, declared->pairs[k].key->text);
        check_hint(d, near_hint(c->diags->arena, &best));
    }
    for (size_t i = 0; convert_is(declared, TOKEN_MAPPING) && i < declared->n_pairs; i++)
        if (is_required(declared->pairs[i].value) &&
            !find_nocase(given, declared->pairs[i].key->text))
            check_report_at(c, CHECK_CALL, DIAG_ERROR, uses,
                            "%c%s %.*s is required, but not provided while calling.", first,
                            what + 1, SLICE_ARG(declared->pairs[i].key->text));
}

static bool has_type(struct check *c, const struct token *value, struct slice type)
{
    const struct type *t = check_type_of(c, value);

    if (t->kind == TYPE_ANY || t->kind == TYPE_NULL || slice_eq(type, SLICE("string")))
        return t->kind != TYPE_OBJECT && t->kind != TYPE_ARRAY;
    return t->kind == (slice_eq(type, SLICE("boolean")) ? TYPE_BOOL : TYPE_NUMBER);
}

static void check_types(struct check *c, const struct token *declared, const struct token *given)
{
    for (size_t i = 0; convert_is(given, TOKEN_MAPPING) && i < given->n_pairs; i++) {
        const struct token *key = given->pairs[i].key, *value = given->pairs[i].value;
        const struct token *spec =
            key->kind == TOKEN_STRING ? find_nocase(declared, key->text) : NULL;
        const struct token *type = spec ? token_find(spec, "type") : NULL;

        if (convert_is(type, TOKEN_STRING) && !has_type(c, value, type->text))
            check_hint(check_report_at(c, CHECK_CALL, DIAG_ERROR, value,
                                       "input '%.*s' is a %.*s, and this is a %s",
                                       SLICE_ARG(key->text), SLICE_ARG(type->text),
                                       type_name(check_type_of(c, value))),
                       "write it without quotes, or fromJSON(...) around the expression");
    }
}

void check_call(struct check *c, const struct workflow_job *job)
{
    const struct token *uses = token_find(job->node, "uses");
    const struct workflow *w = check_local_workflow(c, job->uses);
    bool inherit = convert_is(job->secrets, TOKEN_STRING);

    if (check_is_missing(c, job->uses)) {
        check_report_at(c, CHECK_CALL, DIAG_ERROR, uses, "there is no workflow '%s'", job->uses);
        return;
    }
    if (!w)
        return;
    const struct workflow_event *call = workflow_event_find(w, "workflow_call");
    if (!call) {
        check_hint(check_report_at(c, CHECK_CALL, DIAG_ERROR, uses,
                                   "workflow_call key is not defined in the referenced workflow."),
                   "add 'workflow_call:' to its `on`");
        return;
    }
    const struct token *inputs = token_find(call->config, "inputs");
    if (job->with == NULL || convert_is(job->with, TOKEN_MAPPING)) {
        compare(c, "input", inputs, job->with, uses);
        check_types(c, inputs, job->with);
    }
    if (!inherit && (!job->secrets || convert_is(job->secrets, TOKEN_MAPPING)))
        compare(c, "secret", token_find(call->config, "secrets"), job->secrets, uses);
}
