#include "lang/schema/schema.h"

#include "lang/near.h"

#include "base/buf.h"

/* In the order of enum schema_context. */
static const char *const context_names[] = {
    "github",  "inputs", "vars", "needs",  "strategy", "matrix",
    "secrets", "steps",  "job",  "runner", "env",      "jobs",
};

/* With CTX_FORGE, wherever there is github. */
static const char *const forge_names[] = {"gitea", "forgejo", "forge"};

static const char *const function_names[] = {
    "contains", "startsWith", "endsWith", "format",  "join",    "toJSON",    "fromJSON",
    "case",     "hashFiles",  "always",   "success", "failure", "cancelled",
};

struct expr_place *schema_place(struct arena *a, unsigned contexts)
{
    const char **names =
        arena_array(a, COUNT_OF(context_names) + COUNT_OF(forge_names) + 1, sizeof *names);
    struct expr_place *place = ARENA_NEW(a, struct expr_place);
    size_t n = 0;

    for (size_t i = 0; i < COUNT_OF(context_names); i++)
        if (contexts & (1u << i))
            names[n++] = context_names[i];
    for (size_t i = 0; i < COUNT_OF(forge_names); i++)
        if ((contexts & CTX_FORGE) && (contexts & CTX_GITHUB))
            names[n++] = forge_names[i];
    place->contexts = names;
    if (contexts & CTX_JOB_STATUS)
        place->special |= EXPR_FN_JOB_STATUS;
    else if (contexts & CTX_STATUS)
        place->special |= EXPR_FN_STATUS;
    if (contexts & CTX_HASHFILES)
        place->special |= EXPR_FN_HASHFILES;
    return place;
}

/* What stands in the first quotes of MESSAGE, "Unrecognized named-value: 'x'. Located at ...". */
static struct slice quoted(struct slice message)
{
    ssize_t begin = slice_find_char(message, '\'');

    if (begin < 0)
        return SLICE("");
    struct slice rest = slice_from(message, (size_t)begin + 1);
    ssize_t end = slice_find_char(rest, '\'');
    return end < 0 ? SLICE("") : slice_head(rest, (size_t)end);
}

static bool is_context(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(context_names); i++)
        if (slice_eq_nocase(name, slice_of(context_names[i])))
            return true;
    return false;
}

static char *known_here(struct arena *a, const struct expr_place *place, struct slice name)
{
    CLEANUP(buf_deinit) struct buf list = BUF_INIT(512);

    for (size_t i = 0; place->contexts[i]; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", place->contexts[i]);
    return arena_printf(a, "'%.*s' is not available here, but these are: %s", SLICE_ARG(name),
                        list.ptr);
}

static char *context_hint(struct arena *a, const struct expr_place *place, struct slice name)
{
    struct near_best best = near_begin(name);

    if (is_context(name))
        return known_here(a, place, name);
    for (size_t i = 0; place->contexts[i]; i++)
        near_offer(&best, slice_of(place->contexts[i]));
    if (best.match.ptr)
        return near_hint(a, &best);
    return arena_printf(a, "a text is written '%.*s', in single quotes", SLICE_ARG(name));
}

static char *function_hint(struct arena *a, struct slice name)
{
    struct near_best best = near_begin(name);

    for (size_t i = 0; i < COUNT_OF(function_names); i++)
        near_offer(&best, slice_of(function_names[i]));
    if (best.match.ptr && slice_eq_nocase(best.match, name))
        return arena_printf(a, "%.*s() is not available here", SLICE_ARG(best.match));
    return near_hint(a, &best);
}

/* Faults that always have the same cure, by the beginning of their text. */
static const struct {
    const char *message, *hint;
} cures[] = {
    {"Unexpected symbol: '\"", "texts in expressions are written in single quotes"},
    {"Unexpected symbol: ''", "the text is never closed: add a single quote"},
    {"Unexpected symbol: '='", "compare with '=='"},
    {"The expression is not closed",
     "add the closing }}, and look for an odd number of single quotes"},
    {"An expression was expected", "write an expression between ${{ and }}, or remove them"},
};

char *schema_expr_hint(struct arena *a, const struct expr_place *place, struct slice message)
{
    bool name = slice_starts(message, SLICE("Unrecognized named-value"));
    bool function = slice_starts(message, SLICE("Unrecognized function"));

    if ((name || function) && !place->contexts[0])
        return arena_str(a, SLICE("expressions are not possible here: write the value itself"));
    if (name)
        return context_hint(a, place, quoted(message));
    if (function)
        return function_hint(a, quoted(message));
    for (size_t i = 0; i < COUNT_OF(cures); i++)
        if (slice_starts(message, slice_of(cures[i].message)))
            return arena_str(a, slice_of(cures[i].hint));
    return NULL;
}
