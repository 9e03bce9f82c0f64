#include "lang/workflow/checks.h"

#include "lang/near.h"
#include "lang/utf.h"

#include "base/strmap.h"

/* ---- runs-on ---- */

static void check_group(struct convert *c, const struct token *group)
{
    static const char *const owners[] = {"org", "organization", "ent", "enterprise"};
    struct slice rest = group->text, owner, name = SLICE(""), more;

    if (!slice_split(&rest, '/', &owner) || !slice_split(&rest, '/', &name))
        return; /* no slash: any group of that name */
    bool deeper = slice_split(&rest, '/', &more), known = false;
    for (size_t i = 0; i < COUNT_OF(owners); i++)
        known |= slice_eq(owner, slice_of(owners[i]));
    if (!deeper && !name.len)
        convert_error(c, group, "Invalid runs-on group name '%.*s'.", SLICE_ARG(group->text))
            ->hint = "write the group's name behind the slash";
    else if (deeper || !known)
        convert_error(c, group,
                      "Invalid runs-on group name '%.*s'. Please use 'organization/' or "
                      "'enterprise/' prefix to target a single runner group.",
                      SLICE_ARG(group->text));
}

void check_runs_on(struct convert *c, const struct token *tok)
{
    struct slice key;

    if (tok->kind != TOKEN_MAPPING)
        return;
    for (size_t i = 0; i < tok->n_pairs && !c->stopped; i++)
        if (convert_key(c, tok->pairs[i].key, "job runs-on property name", &key) &&
            slice_eq(key, SLICE("group")) && tok->pairs[i].value->kind == TOKEN_STRING)
            check_group(c, tok->pairs[i].value);
}

/* ---- container, services ---- */

/* An empty image switches a job's container off, but a bare "docker://" is a slip, and a service that is
 * never there needs no lines in a workflow. */
static void check_image(struct convert *c, const struct token *at, const struct token *image,
                        bool service)
{
    struct slice text = image ? image->text : SLICE("");
    bool bare = slice_eq(text, SLICE("docker://"));

    if (bare || (service && !text.len))
        convert_error(c, at, "Container image cannot be empty")->hint =
            "name an image, as in 'node:20'";
}

static void check_one_container(struct convert *c, const struct token *tok, bool service)
{
    if (convert_has_expr(tok))
        return;
    if (tok->kind == TOKEN_STRING)
        check_image(c, tok, tok, service);
    else
        check_image(c, tok, token_find(tok, "image"), service);
}

void check_container(struct convert *c, const struct token *tok)
{
    check_one_container(c, tok, false);
}

void check_services(struct convert *c, const struct token *tok)
{
    if (convert_has_expr(tok))
        return;
    for (size_t i = 0; i < tok->n_pairs; i++)
        check_one_container(c, tok->pairs[i].value, true);
}

/* ---- snapshot ---- */

static bool is_major_version(struct slice text)
{
    size_t digits = 0;

    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    return digits && digits < 10 && slice_eq(slice_from(text, digits), SLICE(".*"));
}

void check_snapshot(struct convert *c, const struct token *tok)
{
    struct slice key;

    if (tok->kind != TOKEN_MAPPING)
        return;
    for (size_t i = 0; i < tok->n_pairs; i++) {
        const struct token *value = tok->pairs[i].value;

        if (!convert_key(c, tok->pairs[i].key, "job snapshot key", &key))
            return;
        if (slice_eq(key, SLICE("if")))
            (void)convert_condition(c, value, CTX_STEP_IF); /* for its findings */
        else if (value->kind != TOKEN_STRING)
            return;
        else if (slice_eq(key, SLICE("version")) && !is_major_version(value->text))
            convert_error(c, tok, "Expected format '{major-version}.*' Actual '%.*s'",
                          SLICE_ARG(value->text));
    }
}

/* ---- concurrency ---- */

enum { GROUP_MAX = 400 };

/* The literal group of a `concurrency`; NULL: none. */
static const struct token *literal_group(const struct token *tok)
{
    const struct token *group = convert_is(tok, TOKEN_MAPPING) ? token_find(tok, "group") : tok;

    return convert_is(group, TOKEN_STRING) && group->text.len ? group : NULL;
}

static void check_queue(struct convert *c, const struct token *tok)
{
    const struct token *cancel = token_find(tok, "cancel-in-progress");

    if (!convert_is(cancel, TOKEN_BOOL) || !cancel->boolean)
        return;
    for (size_t i = 0; i < tok->n_pairs; i++)
        if (slice_eq(tok->pairs[i].key->text, SLICE("queue")) &&
            slice_eq(tok->pairs[i].value->text, SLICE("max")))
            convert_error(c, tok->pairs[i].key,
                          "'queue: max' cannot be combined with 'cancel-in-progress: true'.")
                ->hint = "remove one of the two";
}

void check_concurrency(struct convert *c, const struct token *tok)
{
    struct slice key;

    if (tok->kind == TOKEN_MAPPING) {
        for (size_t i = 0; i < tok->n_pairs; i++)
            if (!convert_key(c, tok->pairs[i].key, "concurrency key", &key))
                return;
        check_queue(c, tok);
    }
    const struct token *group = literal_group(tok);
    if (group && utf_units(group->text) > GROUP_MAX)
        convert_error(c, tok, "Concurrency group name must be less than 400 characters");
}

/* ---- strategy ---- */

/* The names of the vectors, as keys of a map that ignores case. */
static void collect_vectors(const struct token *matrix, struct strmap *to)
{
    for (size_t i = 0; i < matrix->n_pairs; i++) {
        struct slice key = matrix->pairs[i].key->text;

        if (!slice_eq(key, SLICE("include")) && !slice_eq(key, SLICE("exclude")))
            strmap_set(to, key, SLICE(""));
    }
}

static void check_include(struct convert *c, const struct token *list)
{
    for (size_t i = 0; list && i < list->n_items; i++)
        if (!list->items[i]->n_pairs)
            convert_error(c, list->items[i], "Matrix include mapping does not contain any values");
}

static void report_no_vector(struct convert *c, const struct token *key,
                             const struct strmap *vectors)
{
    struct near_best best = near_begin(key->text);
    struct diag *d =
        convert_error(c, key, "Matrix exclude key '%.*s' does not match any key within the matrix",
                      SLICE_ARG(key->text));

    if (diags_is_full(c->diags))
        return;
    STRMAP_EACH (vector, vectors)
        near_offer(&best, strmap_name(vector));
    d->hint = near_hint(c->diags->arena, &best);
}

static void check_exclude(struct convert *c, const struct token *matrix, const struct token *list)
{
    CLEANUP(strmap_deinit) struct strmap vectors = STRMAP_INIT_NOCASE;
    struct slice found;

    collect_vectors(matrix, &vectors);
    for (size_t i = 0; list && i < list->n_items; i++) {
        const struct token *filter = list->items[i];

        if (!filter->n_pairs)
            convert_error(c, filter, "Matrix exclude filter must not be empty");
        for (size_t k = 0; k < filter->n_pairs; k++)
            if (!strmap_find(&vectors, filter->pairs[k].key->text, &found))
                report_no_vector(c, filter->pairs[k].key, &vectors);
    }
}

static void check_matrix(struct convert *c, const struct token *matrix)
{
    bool has_vector = false, has_include = false;

    for (size_t i = 0; i < matrix->n_pairs; i++) {
        const struct token *key = matrix->pairs[i].key, *value = matrix->pairs[i].value;
        bool open = convert_has_expr(value);

        if (key->kind == TOKEN_STRING && slice_eq(key->text, SLICE("exclude")))
            continue;
        if (key->kind == TOKEN_STRING && slice_eq(key->text, SLICE("include"))) {
            has_include = open || value->n_items > 0;
            continue;
        }
        has_vector = true;
        if (!open && !value->n_items && key->kind == TOKEN_STRING)
            convert_error(c, value, "Matrix vector '%.*s' does not contain any values",
                          SLICE_ARG(key->text));
    }
    if (!has_vector && !has_include)
        convert_error(c, matrix, "Matrix must define at least one vector");
}

void check_strategy(struct convert *c, const struct token *tok)
{
    const struct token *matrix = convert_is(tok, TOKEN_MAPPING) ? token_find(tok, "matrix") : NULL;

    if (!convert_is(matrix, TOKEN_MAPPING))
        return;
    check_matrix(c, matrix);
    if (convert_has_expr(tok))
        return;
    check_include(c, token_find(matrix, "include"));
    check_exclude(c, matrix, token_find(matrix, "exclude"));
}
