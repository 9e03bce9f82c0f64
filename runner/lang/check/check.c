#include "lang/check/check.h"

#include "lang/check/rules.h"

#include <stdarg.h>

const struct check_rule_info check_rules[CHECK_RULES] = {
    [CHECK_LANGUAGE] = {"language", "GitHub refuses the file"},
    [CHECK_NAME] = {"unknown-name", "a name that is never there is empty, and nobody is told"},
    [CHECK_TYPE] = {"type", "an operation that gives nothing useful for any value"},
    [CHECK_CONDITION] = {"constant-if", "a condition that is always true or always false"},
    [CHECK_UNREACHABLE] = {"unreachable-job", "it needs a job that never runs"},
    [CHECK_INPUT] = {"action-input", "inputs of a local action that are unknown or missing"},
    [CHECK_CALL] = {"workflow-call", "what a called workflow wants, and may not do"},
    [CHECK_MATRIX] = {"matrix", "an `exclude` that takes nothing out, a value given twice"},
    [CHECK_INJECTION] = {"injection", "a title or branch name becomes part of a script: strangers "
                                      "run commands"},
    [CHECK_UNPINNED] = {"unpinned-action", "whoever can move the tag of an action runs code in "
                                           "your jobs"},
    [CHECK_DEPRECATED] = {"deprecated-command", "GitHub ignores or will ignore the command"},
    [CHECK_RUNNER] = {"runner-label", "no hosted runner has the label, or no runner has both"},
    [CHECK_VALUE] = {"value", "a value that GitHub takes and that has no effect or fails later"},
    [CHECK_SHELLCHECK] = {"shellcheck", "what shellcheck says about a `run` script"},
};

enum check_rule check_rule_find(struct slice name)
{
    for (int i = CHECK_LANGUAGE + 1; i < CHECK_RULES; i++)
        if (slice_eq(name, slice_of(check_rules[i].name)))
            return (enum check_rule)i;
    return CHECK_RULES;
}

/* ---- findings ---- */

struct diag *check_report(struct check *c, enum check_rule rule, enum diag_level level, int line,
                          int col, const char *message)
{
    if (c->options->ignore & 1u << rule)
        return NULL;
    struct diag *d = diag_add_text(c->diags, level, c->file, line, col, slice_of(message));
    d->rule = check_rules[rule].name;
    return d;
}

struct diag *check_report_at(struct check *c, enum check_rule rule, enum diag_level level,
                             const struct token *at, const char *fmt, ...)
{
    char text[4 * DIAG_MESSAGE_SIZE + 8];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return check_report(c, rule, level, at->line, at->col, text);
}

void check_hint(struct diag *d, const char *hint)
{
    if (d)
        d->hint = hint;
}

static int by_place(const void *a, const void *b)
{
    const struct diag *x = a, *y = b;

    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->col != y->col)
        return x->col < y->col ? -1 : 1;
    if (x->level != y->level)
        return x->level < y->level ? -1 : 1;
    return slice_cmp(x->message, y->message);
}

void check_sort(struct diags *diags)
{
    size_t kept = 0;

    if (!diags->list.len)
        return;
    qsort(diags->list.ptr, diags->list.len, sizeof *diags->list.ptr, by_place);
    for (size_t i = 0; i < diags->list.len; i++) {
        const struct diag *d = &diags->list.ptr[i];

        if (kept && by_place(&diags->list.ptr[kept - 1], d) == 0)
            continue;
        diags->list.ptr[kept++] = *d;
    }
    diags->list.len = kept;
}

/* ---- files ---- */

static void check_init(struct check *c, struct slice text, const char *file,
                       const struct check_options *options, struct diags *diags)
{
    static const struct check_options none = {0};

    *c = (struct check){
        .options = options ? options : &none,
        .diags = diags,
        .arena = ARENA_INIT,
        .text = text,
        .file = file,
    };
    check_lines(c);
}

static void check_deinit(struct check *c)
{
    check_locals_deinit(c);
    arena_deinit(&c->arena);
}

static void unused_anchor(void *ctx, struct slice name, int line, int col)
{
    struct check *c = ctx;

    check_hint(
        check_report(c, CHECK_VALUE, DIAG_INFO, line, col,
                     arena_printf(&c->arena, "the anchor '%.*s' is never used", SLICE_ARG(name))),
        "remove it, or name it with '*'");
}

void check_workflow(struct slice text, const char *file, const struct check_options *options,
                    struct diags *diags)
{
    CLEANUP(check_deinit) struct check c;
    CLEANUP(workflow_deinit) struct workflow w;
    struct workflow_options reading = {.go_on = true,
                                       .yaml = {.unused_anchor = unused_anchor, .ctx = &c}};

    check_init(&c, text, file, options, diags);
    workflow_init(&w);
    bool sound = workflow_parse_as(&w, text, file, &reading, diags) == ERR_OK;
    if (sound || w.root) {
        c.workflow = &w;
        check_make_scope(&c);
        check_jobs(&c);
    }
    if (sound)
        check_tree(&c, &w);
    check_sort(diags);
}

/* GitHub says nothing of an input whose message is empty. */
static void check_deprecations(struct check *c, const struct token *inputs)
{
    for (size_t i = 0; inputs && inputs->kind == TOKEN_MAPPING && i < inputs->n_pairs; i++) {
        const struct token *message = token_find(inputs->pairs[i].value, "deprecationMessage");

        if (message && !slice_trim(token_text(&c->arena, message)).len)
            check_hint(check_report_at(c, CHECK_VALUE, DIAG_WARNING, message,
                                       "without a message nobody hears that the input is "
                                       "deprecated"),
                       "say what to use in its place, or remove the key");
    }
}

/* Defaults and hooks, from the text as it was written: the model keeps no places for the latter. */
static void check_manifest_values(struct check *c, const struct action *a, struct slice text)
{
    CLEANUP(diags_deinit) struct diags ignored = {.arena = &c->arena};
    struct token *raw;
    bool never;

    for (size_t i = 0; i < a->n_inputs; i++)
        check_value(c, a->inputs[i].fallback, USE_TEXT);
    if (yaml_parse(&c->arena, text, c->file, 1, NULL, &raw, &ignored) < 0)
        return;
    check_deprecations(c, token_find(raw, "inputs"));
    if (token_find(token_find(raw, "runs"), "using"))
        check_using(c, a, token_find(token_find(raw, "runs"), "using"));
    check_condition(c, token_find(token_find(raw, "runs"), "pre-if"), &never);
    check_condition(c, token_find(token_find(raw, "runs"), "post-if"), &never);
}

void check_manifest(struct slice text, const char *file, const struct check_options *options,
                    struct diags *diags)
{
    CLEANUP(check_deinit) struct check c;
    CLEANUP(action_deinit) struct action a;
    CLEANUP(diags_deinit) struct diags again = {0};

    check_init(&c, text, file, options, diags);
    action_init(&a);
    again.arena = &c.arena;
    /* strict reading says more; where it refuses, the runner's own reading may still give a model */
    bool sound = action_check(text, file, diags) == ERR_OK;
    sound |= action_parse(&a, text, file, &again) == ERR_OK;
    if (sound) {
        struct type *seen = type_object(&c.arena, NULL);

        check_make_action_scope(&c, &a);
        check_manifest_values(&c, &a, text);
        check_steps(&c, a.steps, a.n_steps, seen);
        for (size_t i = 0; i < a.n_outputs; i++)
            check_value(&c, a.outputs[i].value, USE_TEXT);
    }
    check_sort(diags);
}
