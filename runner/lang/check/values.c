/* Values of a job that GitHub takes as they are: the labels of its runner, the lines of its matrix. */
#include "lang/check/rules.h"

#include "lang/convert.h"

#include <math.h>

/* ---- runner labels ---- */

/* The runners that GitHub hosts; what has the same IMAGE may stand side by side. */
static const struct hosted {
    const char *label;
    int image;
} hosted[] = {
    {"ubuntu-latest", 1},
    {"ubuntu-24.04", 1},
    {"ubuntu-22.04", 2},
    {"ubuntu-24.04-arm", 3},
    {"ubuntu-22.04-arm", 4},
    {"ubuntu-slim", 5},
    {"windows-latest", 10},
    {"windows-2025", 10},
    {"windows-2022", 11},
    {"windows-11-arm", 12},
    {"windows-2025-vs2026", 13},
    {"macos-latest", 20},
    {"macos-latest-large", 21},
    {"macos-latest-xlarge", 22},
    {"macos-26", 23},
    {"macos-26-intel", 24},
    {"macos-26-large", 24},
    {"macos-26-xlarge", 25},
    {"macos-15", 20},
    {"macos-15-intel", 26},
    {"macos-15-large", 26},
    {"macos-15-xlarge", 22},
    {"macos-14", 27},
    {"macos-14-large", 28},
    {"macos-14-xlarge", 29},
    {"macos-13", 30},
    {"macos-13-large", 31},
    {"macos-13-xlarge", 32},
};

/* Those that every runner of one's own has, by its machine. */
static const char *const own_labels[] = {"self-hosted", "linux", "windows", "macos",
                                         "x64",         "x86",   "arm",     "arm64"};

static int image_of(struct slice label)
{
    for (size_t i = 0; i < COUNT_OF(hosted); i++)
        if (slice_eq_nocase(label, slice_of(hosted[i].label)))
            return hosted[i].image;
    return 0;
}

static bool is_own(struct slice label)
{
    for (size_t i = 0; i < COUNT_OF(own_labels); i++)
        if (slice_eq_nocase(label, slice_of(own_labels[i])))
            return true;
    return false;
}

static void check_label(struct check *c, const struct token *label)
{
    struct near_best best = near_begin(label->text);

    if (!label->text.len || image_of(label->text) || is_own(label->text))
        return;
    for (size_t i = 0; i < COUNT_OF(hosted); i++)
        near_offer(&best, slice_of(hosted[i].label));
    check_hint(check_report_at(c, CHECK_RUNNER, DIAG_INFO, label,
                               "'%.*s' is no runner that GitHub hosts", SLICE_ARG(label->text)),
               best.match.ptr ? near_hint(c->diags->arena, &best)
                              : "this is fine for a runner of your own");
}

static void report_conflict(struct check *c, const struct token *first, const struct token *label)
{
    check_hint(check_report_at(c, CHECK_RUNNER, DIAG_WARNING, label,
                               "no runner is '%.*s' and '%.*s' at once", SLICE_ARG(first->text),
                               SLICE_ARG(label->text)),
               "a list names one runner by all its labels: a matrix runs on several");
}

/* What a label of a runner that GitHub hosts can't stand beside: another image, another system. */
static bool is_other(struct slice first, struct slice label)
{
    static const char *const systems[] = {"ubuntu", "linux", "windows", "macos"};
    size_t a = COUNT_OF(systems), b = COUNT_OF(systems);

    if (image_of(label))
        return image_of(first) != image_of(label);
    for (size_t i = 0; i < COUNT_OF(systems); i++) {
        struct slice name = slice_of(systems[i]);

        if (slice_eq_nocase(slice_head(first, name.len), name))
            a = i;
        if (slice_eq_nocase(label, name))
            b = i;
    }
    return b < COUNT_OF(systems) && (a ? a : 1) != b; /* an ubuntu is a linux */
}

static const struct token *vector_of(struct check *c, struct slice written);

static void check_labels(struct check *c, const struct token *list)
{
    const struct token *first = NULL;
    bool own = false;

    for (size_t i = 0; i < list->n_items; i++)
        own |= list->items[i]->kind == TOKEN_STRING &&
               slice_eq_nocase(list->items[i]->text, SLICE("self-hosted"));
    for (size_t i = 0; i < list->n_items; i++) {
        const struct token *label = list->items[i];

        if (label->kind != TOKEN_STRING)
            continue;
        if (!own)
            check_label(c, label);
        if (first && is_other(first->text, label->text))
            report_conflict(c, first, label);
        else if (!first && image_of(label->text))
            first = label;
    }
    for (size_t i = 0; first && i < list->n_items; i++) {
        const struct token *values =
            list->items[i]->kind == TOKEN_EXPR ? vector_of(c, check_written(list->items[i])) : NULL;

        for (size_t k = 0; convert_is(values, TOKEN_SEQUENCE) && k < values->n_items; k++)
            if (values->items[k]->kind == TOKEN_STRING &&
                is_other(first->text, values->items[k]->text))
                report_conflict(c, first, values->items[k]);
    }
}

/* Values of a matrix end up as labels where `runs-on` is just one of its names. */
static const struct token *vector_of(struct check *c, struct slice written)
{
    const struct token *matrix = token_find(c->job->strategy, "matrix");
    struct slice inside;
    size_t at = 0;

    if (!template_next(written, &at, &inside) || at < written.len ||
        !slice_starts(inside, SLICE("matrix.")))
        return NULL;
    return token_find(matrix, arena_str(&c->arena, slice_from(inside, strlen("matrix."))));
}

static void check_vector(struct check *c, struct slice written)
{
    const struct token *values = vector_of(c, written);

    for (size_t i = 0; convert_is(values, TOKEN_SEQUENCE) && i < values->n_items; i++) {
        const struct token *one = values->items[i];

        if (one->kind == TOKEN_STRING)
            check_label(c, one);
        else if (one->kind == TOKEN_SEQUENCE)
            check_labels(c, one);
    }
}

static void check_runner(struct check *c, const struct token *on)
{
    const struct type *type;

    if (!on)
        return;
    if (on->kind == TOKEN_STRING) {
        check_label(c, on);
    } else if (on->kind == TOKEN_SEQUENCE) {
        check_labels(c, on);
    } else if (on->kind == TOKEN_EXPR) {
        check_vector(c, check_written(on));
        type = check_type_of(c, on);
        if (type->kind == TYPE_OBJECT && !type_member(type, SLICE("labels")) &&
            !type_member(type, SLICE("group")))
            check_hint(
                check_report_at(c, CHECK_TYPE, DIAG_ERROR, on, "`runs-on` can't be this object"),
                "it wants a label, a list of labels, or an object with `group` or `labels`");
    }
}

/* ---- matrix ---- */

static bool same(struct check *c, const struct token *x, const struct token *y);

/* FILTER names a part of VALUE: its keys, the first elements of its lists. */
static bool fits(struct check *c, const struct token *filter, const struct token *value)
{
    if (convert_has_expr(filter) || convert_has_expr(value))
        return true; /* nobody can say yet */
    if (filter->kind == TOKEN_MAPPING) {
        for (size_t i = 0; i < filter->n_pairs; i++) {
            const struct token *part = NULL;

            for (size_t k = 0; value->kind == TOKEN_MAPPING && k < value->n_pairs; k++)
                if (slice_eq_nocase(value->pairs[k].key->text, filter->pairs[i].key->text))
                    part = value->pairs[k].value;
            if (!part || !fits(c, filter->pairs[i].value, part))
                return false;
        }
        return value->kind == TOKEN_MAPPING;
    }
    if (filter->kind == TOKEN_SEQUENCE) {
        if (value->kind != TOKEN_SEQUENCE || filter->n_items > value->n_items)
            return false;
        for (size_t i = 0; i < filter->n_items; i++)
            if (!fits(c, filter->items[i], value->items[i]))
                return false;
        return true;
    }
    return value->kind != TOKEN_MAPPING && value->kind != TOKEN_SEQUENCE && same(c, filter, value);
}

static struct expr_value value_of(const struct token *tok)
{
    switch (tok->kind) {
    case TOKEN_STRING:
        return (struct expr_value){.kind = EXPR_STRING, .text = tok->text};
    case TOKEN_NUMBER:
        return (struct expr_value){.kind = EXPR_NUMBER, .number = tok->number};
    case TOKEN_BOOL:
        return (struct expr_value){.kind = EXPR_BOOL, .boolean = tok->boolean};
    default:
        return (struct expr_value){.kind = EXPR_NULL};
    }
}

/* Two scalars, by the loose == of expressions. */
static bool same(struct check *c, const struct token *x, const struct token *y)
{
    struct expr_value a = value_of(x), b = value_of(y);

    return expr_equals(&c->arena, &a, &b);
}

static void check_filter(struct check *c, const struct token *matrix, const struct token_pair *part)
{
    const struct token *values = NULL;

    for (size_t i = 0; i < matrix->n_pairs; i++)
        if (matrix->pairs[i].key->kind == TOKEN_STRING &&
            slice_eq_nocase(matrix->pairs[i].key->text, part->key->text))
            values = matrix->pairs[i].value;
    if (!convert_is(values, TOKEN_SEQUENCE))
        return;
    for (size_t i = 0; i < values->n_items; i++)
        if (fits(c, part->value, values->items[i]))
            return;
    check_hint(check_report_at(c, CHECK_MATRIX, DIAG_WARNING, part->value,
                               "no value of '%.*s' is like this, so nothing is excluded",
                               SLICE_ARG(part->key->text)),
               "write a value of the list above, or remove the line");
}

static void check_repeats(struct check *c, const struct token_pair *vector)
{
    const struct token *list = vector->value;

    for (size_t i = 1; list->kind == TOKEN_SEQUENCE && i < list->n_items && i < 256; i++)
        for (size_t k = 0; k < i; k++) {
            if (convert_has_expr(list->items[i]) || convert_has_expr(list->items[k]) ||
                list->items[i]->kind != list->items[k]->kind ||
                !fits(c, list->items[i], list->items[k]) ||
                !fits(c, list->items[k], list->items[i]))
                continue;
            check_hint(check_report_at(c, CHECK_MATRIX, DIAG_WARNING, list->items[i],
                                       "'%.*s' has this value twice", SLICE_ARG(vector->key->text)),
                       "remove one of the two, or the job runs twice");
            break;
        }
}

static void check_matrix(struct check *c, const struct token *matrix)
{
    const struct token *exclude = token_find(matrix, "exclude");

    if (!convert_is(matrix, TOKEN_MAPPING))
        return;
    check_empty_list(c, token_find(matrix, "include"), "includes");
    check_empty_list(c, exclude, "excludes");
    for (size_t i = 0; i < matrix->n_pairs; i++) {
        struct slice key = matrix->pairs[i].key->text;

        if (matrix->pairs[i].key->kind == TOKEN_STRING && !slice_eq(key, SLICE("include")) &&
            !slice_eq(key, SLICE("exclude")))
            check_repeats(c, &matrix->pairs[i]);
    }
    for (size_t i = 0; convert_is(exclude, TOKEN_SEQUENCE) && i < exclude->n_items; i++) {
        const struct token *filter = exclude->items[i];

        for (size_t k = 0; filter->kind == TOKEN_MAPPING && k < filter->n_pairs; k++)
            if (filter->pairs[k].key->kind == TOKEN_STRING)
                check_filter(c, matrix, &filter->pairs[k]);
    }
}

/* ---- needs, env ---- */

/* GitHub looks at them only when nothing else is wrong, and one job at least needs none. */
static void check_need(struct check *c, const struct token *need)
{
    const struct token *jobs = token_find(c->workflow->root, "jobs");
    struct near_best best = near_begin(need->text);

    VEC_EACH (d, &c->diags->list)
        if (d->line == need->line && d->col == need->col)
            return; /* the reader said it */
    for (size_t i = 0; convert_is(jobs, TOKEN_MAPPING) && i < jobs->n_pairs; i++) {
        if (slice_eq_nocase(jobs->pairs[i].key->text, need->text))
            return;
        near_offer(&best, jobs->pairs[i].key->text);
    }
    check_hint(check_report_at(c, CHECK_NAME, DIAG_ERROR, need, "there is no job '%.*s'",
                               SLICE_ARG(need->text)),
               near_hint(c->diags->arena, &best));
}

static void check_needs(struct check *c, const struct token *needs)
{
    check_empty_list(c, needs, "jobs");
    if (convert_is(needs, TOKEN_STRING) && needs->text.len)
        check_need(c, needs);
    for (size_t i = 0; convert_is(needs, TOKEN_SEQUENCE) && i < needs->n_items && i < 256; i++)
        if (convert_is(needs->items[i], TOKEN_STRING) && needs->items[i]->text.len)
            check_need(c, needs->items[i]);
    for (size_t i = 1; convert_is(needs, TOKEN_SEQUENCE) && i < needs->n_items && i < 256; i++)
        for (size_t k = 0; k < i; k++)
            if (slice_eq_nocase(needs->items[i]->text, needs->items[k]->text)) {
                check_hint(check_report_at(c, CHECK_VALUE, DIAG_WARNING, needs->items[i],
                                           "job '%.*s' is needed twice",
                                           SLICE_ARG(needs->items[i]->text)),
                           "remove one of the two");
                break;
            }
}

void check_env_names(struct check *c, const struct token *env)
{
    for (size_t i = 0; convert_is(env, TOKEN_MAPPING) && i < env->n_pairs; i++) {
        const struct token *key = env->pairs[i].key;
        bool fits = key->kind != TOKEN_STRING || key->text.len;

        for (size_t k = 0; key->kind == TOKEN_STRING && k < key->text.len; k++)
            fits &= !strchr("=& ", key->text.ptr[k]);
        if (!fits)
            check_hint(check_report_at(c, CHECK_VALUE, DIAG_WARNING, key,
                                       "'%.*s' is no name that a shell could ask for",
                                       SLICE_ARG(key->text)),
                       "use letters, digits and '_'");
    }
}

/* ---- shells ---- */

/* The system that the job's literal labels name; "": they don't. */
static const char *system_of(const struct token *runs_on)
{
    static const char *const systems[] = {"ubuntu", "macos", "windows"};
    const struct token *label =
        convert_is(runs_on, TOKEN_SEQUENCE) && runs_on->n_items ? runs_on->items[0] : runs_on;

    for (size_t i = 0; convert_is(label, TOKEN_STRING) && i < COUNT_OF(systems); i++)
        if (slice_starts(label->text, slice_of(systems[i])))
            return systems[i];
    return "";
}

void check_shell_name(struct check *c, const struct token *shell)
{
    static const char *const known[] = {"bash", "sh", "pwsh", "python", "powershell", "cmd"};
    const char *system = system_of(c->job ? c->job->runs_on : NULL);
    struct near_best best;
    size_t i = 0;

    if (!convert_is(shell, TOKEN_STRING) || slice_find(shell->text, SLICE("{0}")) >= 0)
        return;
    best = near_begin(shell->text);
    for (; i < COUNT_OF(known) && !slice_eq_nocase(shell->text, slice_of(known[i])); i++)
        near_offer(&best, slice_of(known[i]));
    if (i == COUNT_OF(known))
        check_hint(check_report_at(c, CHECK_VALUE, DIAG_ERROR, shell, "there is no shell '%.*s'",
                                   SLICE_ARG(shell->text)),
                   best.match.ptr ? near_hint(c->diags->arena, &best)
                                  : "write bash, sh, pwsh, python, powershell or cmd, or a command "
                                    "with {0} for the script");
    else if (i >= 4 && (*system == 'u' || *system == 'm'))
        check_hint(check_report_at(c, CHECK_VALUE, DIAG_WARNING, shell,
                                   "'%s' is only on Windows, and this job runs on %s", known[i],
                                   system),
                   "pwsh is on all of them");
}

/* ---- passwords ---- */

/* Of a container or a service: what is written in the file everybody can read. */
static void check_password(struct check *c, const struct token *container)
{
    const struct token *password = token_find(token_find(container, "credentials"), "password");

    if (convert_is(password, TOKEN_STRING) && password->text.len)
        check_hint(check_report_at(c, CHECK_VALUE, DIAG_WARNING, password,
                                   "whoever can read this file knows the password"),
                   "make it a secret, and write ${{ secrets.NAME }}");
}

static void check_passwords(struct check *c)
{
    const struct token *services = c->job->services;

    check_password(c, c->job->container);
    for (size_t i = 0; convert_is(services, TOKEN_MAPPING) && i < services->n_pairs; i++)
        check_password(c, services->pairs[i].value);
}

/* ---- numbers ---- */

static void check_parallel(struct check *c, const struct token *tok)
{
    if (convert_is(tok, TOKEN_NUMBER) && tok->number <= 0)
        check_hint(check_report_at(c, CHECK_VALUE, DIAG_WARNING, tok,
                                   "%g is no limit: all run at once", tok->number),
                   "write a number above 0, or remove the key");
    else if (convert_is(tok, TOKEN_NUMBER) && tok->number != floor(tok->number))
        check_hint(check_report_at(c, CHECK_VALUE, DIAG_WARNING, tok, "%g jobs at once can't be",
                                   tok->number),
                   "write a whole number");
}

static void check_minutes(struct check *c, const struct token *tok)
{
    if (convert_is(tok, TOKEN_NUMBER) && tok->number <= 0)
        check_hint(check_report_at(c, CHECK_VALUE, DIAG_WARNING, tok,
                                   "a time limit of %g minutes is none", tok->number),
                   "write a number above 0, or remove the key");
}

void check_job_values(struct check *c)
{
    const struct token *strategy = c->job->strategy;

    check_runner(c, c->job->runs_on);
    check_empty_list(c, c->job->runs_on, "labels");
    check_empty_list(c, token_find(c->job->runs_on, "labels"), "labels");
    check_needs(c, token_find(c->job->node, "needs"));
    check_parallel(c, token_find(strategy, "max-parallel"));
    check_matrix(c, token_find(c->job->strategy, "matrix"));
    check_minutes(c, c->job->timeout_minutes);
    check_passwords(c);
    check_shell_name(c,
                     token_find(token_find(token_find(c->job->node, "defaults"), "run"), "shell"));
    for (size_t i = 0; i < c->job->n_steps; i++)
        check_minutes(c, c->job->steps[i].timeout_minutes);
}
