#include "lang/schema/schema.h"

#include "lang/near.h"
#include "lang/template.h"
#include "lang/utf.h"
#include "lang/yaml.h"

#include "base/buf.h"
#include "base/strmap.h"

enum {
    LIMIT_SIZE = 10 << 20,
    CHOICES_MAX = 48, /* most alternatives of one place: the names of events */
    PLACES_MAX = 24,
    /* GitHub's estimate of what a token weighs in its memory */
    COST_OBJECT = 24,
    COST_TEXT = 26,
    COST_CHAR = 2,
};

struct choices {
    const struct schema *list[CHOICES_MAX];
    size_t n;
};

/* A definition at its place in the tree. */
struct spot {
    const struct schema *def;
    unsigned contexts;
};

struct reader {
    struct arena *arena;
    struct diags *diags;
    const char *file;
    struct schema_options options;
    size_t left;                 /* of the estimated size */
    const struct token *mapping; /* whose pair is being read */
    struct {
        unsigned contexts;
        const struct expr_place *place;
    } places[PLACES_MAX]; /* made so far */
    size_t n_places;
};

static struct spot below(struct spot above, const struct schema *def)
{
    return (struct spot){def, above.contexts | def->contexts};
}

/* The alternatives of DEF that are of KIND, nested ones included. */
static void choices_add(struct choices *c, const struct schema *def, enum schema_kind kind)
{
    if (def->kind == kind) {
        if (c->n == CHOICES_MAX)
            BUG("more than %d alternatives", CHOICES_MAX);
        c->list[c->n++] = def;
    }
    if (def->kind == SCHEMA_ONE_OF)
        for (const struct schema *const *choice = def->choices; *choice; choice++)
            choices_add(c, *choice, kind);
}

static struct choices choices_of(const struct schema *def, enum schema_kind kind)
{
    struct choices c = {.n = 0};

    choices_add(&c, def, kind);
    return c;
}

/* ---- findings ---- */

static struct diag *report(struct reader *r, const struct token *at, const char *message)
{
    return diag_add(r->diags, DIAG_ERROR, r->file, at->line, at->col, "%s", message);
}

static struct diag *report_value(struct reader *r, const struct token *at, struct slice value)
{
    return diag_add(r->diags, DIAG_ERROR, r->file, at->line, at->col, "Unexpected value '%.*s'",
                    SLICE_ARG(value));
}

/* Takes COST off what is left; ERR_LIMIT once nothing is. */
static int spend(struct reader *r, size_t cost)
{
    if (cost > r->left) {
        diag_add(r->diags, DIAG_ERROR, r->file, 0, 0, "Maximum object size exceeded");
        return ERR_LIMIT;
    }
    r->left -= cost;
    return ERR_OK;
}

static size_t text_cost(struct slice text)
{
    return COST_TEXT + COST_CHAR * utf_units(text);
}

static int spend_token(struct reader *r, const struct token *t)
{
    size_t cost = COST_OBJECT;

    if (t->kind == TOKEN_STRING || t->kind == TOKEN_EXPR)
        cost += text_cost(t->text);
    return spend(r, cost);
}

/* ---- expressions ---- */

static const struct expr_place *place_of(struct reader *r, unsigned contexts)
{
    for (size_t i = 0; i < r->n_places; i++)
        if (r->places[i].contexts == contexts)
            return r->places[i].place;
    const struct expr_place *place =
        schema_place(r->arena, contexts | (r->options.forge ? CTX_FORGE : 0u));
    if (r->n_places < PLACES_MAX) {
        r->places[r->n_places].contexts = contexts;
        r->places[r->n_places++].place = place;
    }
    return place;
}

/* Takes the next ${{ }} off *REST: its trimmed inside; false at the end or when it is not closed.
 * *RET_BEGINS: nothing stands before it. */
static bool next_segment(struct slice *rest, struct slice *ret, bool *ret_begins)
{
    ssize_t begin = slice_find(*rest, SLICE("${{"));
    bool in_text = false;

    if (begin < 0)
        return false;
    *ret_begins = begin == 0;
    *rest = slice_from(*rest, (size_t)begin + 3);
    for (size_t i = 0; i + 1 < rest->len; i++) {
        if (rest->ptr[i] == '\'')
            in_text = !in_text;
        if (in_text || rest->ptr[i] != '}' || rest->ptr[i + 1] != '}')
            continue;
        *ret = slice_trim(slice_head(*rest, i));
        *rest = slice_from(*rest, i + 2);
        return true;
    }
    return false;
}

enum insert { INSERT_NONE, INSERT_WHOLE, INSERT_WRONG };

/* Looks for the directive ${{ insert }}, which is no expression. */
static enum insert find_insert(struct reader *r, const struct token *at)
{
    struct slice rest = at->text, inside;
    bool first, all_before = true;

    if (slice_find(at->text, SLICE("insert")) < 0)
        return INSERT_NONE;
    for (; next_segment(&rest, &inside, &first); all_before = false) {
        struct slice more = slice_from(inside, strlen("insert"));

        if (!slice_starts(inside, SLICE("insert")) || (more.len && !strchr(" \t\r\n", *more.ptr)))
            continue;
        if (more.len) {
            report(r, at,
                   "Exactly 0 parameter(s) were expected following the directive 'insert'. "
                   "Actual parameter count: 1");
            return INSERT_WRONG;
        }
        if (all_before && first && !rest.len)
            return INSERT_WHOLE;
        report(r, at,
               "The directive 'insert' is not allowed in this context. Directives are not "
               "supported for expressions that are embedded within a string. Directives are only "
               "supported when the entire value is an expression.");
        return INSERT_WRONG;
    }
    return INSERT_NONE;
}

static void report_expr(struct reader *r, const struct token *at, const struct expr_place *place,
                        struct slice message)
{
    diag_add_text(r->diags, DIAG_ERROR, r->file, at->line, at->col, message)->hint =
        schema_expr_hint(r->diags->arena, place, message);
}

/* What is wrong with each expression of a scalar, FIRST being the fault that compiling stopped at. */
static void report_exprs(struct reader *r, const struct token *at, const struct expr_place *place,
                         const struct expr_error *first)
{
    struct slice rest = at->text, inside;
    const struct expr *e;
    struct expr_error error;
    bool begins, seen = false;

    report_expr(r, at, place, first->message);
    while (next_segment(&rest, &inside, &begins)) {
        if (expr_parse(r->arena, inside, place, &e, &error) == ERR_OK)
            continue;
        if (seen)
            report_expr(r, at, place, error.message);
        seen = true;
    }
}

/* The scalar with what is in ${{ }} compiled: a literal, an expression, the insert directive. After
 * an error it is the text itself, so that reading can go on. */
static const struct token *compile(struct reader *r, const struct token *raw, unsigned contexts)
{
    const struct expr_place *place = place_of(r, contexts);
    struct slice literal, expr;
    struct expr_error error = {0};
    struct token *t;

    if (raw->kind != TOKEN_STRING || slice_find(raw->text, SLICE("${{")) < 0)
        return raw;
    enum insert insert = find_insert(r, raw);
    if (insert == INSERT_WRONG)
        return raw;
    if (insert == INSERT_NONE &&
        template_compile(r->arena, raw->text, place, &literal, &expr, &error) < 0) {
        report_exprs(r, raw, place, &error);
        return raw;
    }
    t = ARENA_NEW(r->arena, struct token);
    *t = *raw;
    if (insert == INSERT_WHOLE) {
        t->kind = TOKEN_INSERT;
    } else {
        t->kind = expr.ptr ? TOKEN_EXPR : TOKEN_STRING;
        t->text = expr.ptr ? expr : literal;
    }
    return t;
}

/* ---- scalars ---- */

static bool string_fits(const struct schema *def, struct slice text)
{
    if (!def->values)
        return text.len || !def->non_empty;
    for (const char *const *v = def->values; *v; v++)
        if (slice_eq(text, slice_of(*v)))
            return true;
    return false;
}

static bool scalar_fits(const struct schema *def, const struct token *t)
{
    switch (def->kind) {
    case SCHEMA_NULL:
        return t->kind == TOKEN_NULL;
    case SCHEMA_BOOL:
        return t->kind == TOKEN_BOOL;
    case SCHEMA_NUMBER:
        return t->kind == TOKEN_NUMBER;
    case SCHEMA_STRING:
        return t->kind == TOKEN_STRING && string_fits(def, t->text);
    case SCHEMA_ONE_OF:
        for (const struct schema *const *choice = def->choices; *choice; choice++)
            if (scalar_fits(*choice, t))
                return true;
        return false;
    case SCHEMA_SEQUENCE:
    case SCHEMA_MAPPING:
        return false;
    }
    return false;
}

static const char *value_hint(struct reader *r, const struct schema *def, const struct token *t)
{
    struct choices strings = choices_of(def, SCHEMA_STRING);
    struct near_best best = near_begin(t->text);

    if (diags_is_full(r->diags) || (t->source.ptr && slice_find(t->source, SLICE("${{")) >= 0))
        return NULL; /* the expression's own finding says more */
    if (!t->text.len)
        return "write a value, or remove the key";
    for (size_t i = 0; i < strings.n; i++)
        for (const char *const *v = strings.list[i]->values; v && *v; v++)
            near_offer(&best, slice_of(*v));
    if (best.match.ptr)
        return near_hint(r->diags->arena, &best);
    if (choices_of(def, SCHEMA_BOOL).n && !strings.n)
        return "write true or false, without quotes";
    if (choices_of(def, SCHEMA_NUMBER).n && !strings.n)
        return "write a number, without quotes";
    if (choices_of(def, SCHEMA_SEQUENCE).n && !strings.n)
        return "write a list: '- item' on lines of its own, or [item, item]";
    if (choices_of(def, SCHEMA_MAPPING).n && !strings.n)
        return "write 'key: value' on lines of its own below";
    return NULL;
}

/* "10", where a number is wanted. */
static bool unquoted_fits(struct reader *r, const struct token **t, const struct schema *def)
{
    struct token *plain = ARENA_NEW(r->arena, struct token);

    *plain = **t;
    if (!yaml_plain((*t)->text, plain) || !scalar_fits(def, plain))
        return false;
    plain->file = (*t)->file;
    plain->line = (*t)->line;
    plain->col = (*t)->col;
    *t = plain;
    return true;
}

/* Holds a compiled scalar against its definition; *T becomes text where only text is wanted. False: it
 * was refused. */
static bool check_scalar(struct reader *r, const struct token **t, struct spot spot)
{
    if ((*t)->kind == TOKEN_EXPR) {
        if (!spot.contexts)
            report(r, *t, "A template expression is not allowed in this context")->hint =
                "write the value itself, without ${{ }}";
        return spot.contexts;
    }
    if ((*t)->kind == TOKEN_INSERT) {
        report_value(r, *t, SLICE("${{ insert }}"));
        return false;
    }
    if (scalar_fits(spot.def, *t))
        return true;
    if ((*t)->kind != TOKEN_STRING) {
        struct token *text = ARENA_NEW(r->arena, struct token);

        *text = **t;
        text->kind = TOKEN_STRING;
        text->text = token_text(r->arena, *t);
        *t = text;
        if (scalar_fits(spot.def, text))
            return true;
    }
    if (r->options.forge && (*t)->text.len == 0 && choices_of(spot.def, SCHEMA_STRING).n == 0)
        return false;
    if (r->options.forge && unquoted_fits(r, t, spot.def))
        return true;
    report_value(r, *t, (*t)->text)->hint = value_hint(r, spot.def, *t);
    return false;
}

/* ---- collections ---- */

/* *RET is NULL for what was refused, when the tree is to be pruned. */
static int read_value(struct reader *r, const struct token *raw, struct spot spot,
                      struct token **ret);

static struct token *token_like(struct reader *r, const struct token *raw)
{
    struct token *t = ARENA_NEW(r->arena, struct token);

    *t = *raw;
    return t;
}

static int read_sequence(struct reader *r, const struct token *raw, struct spot spot,
                         struct token **ret)
{
    struct choices c = choices_of(spot.def, SCHEMA_SEQUENCE);
    struct token *t = token_like(r, raw);

    if (spend_token(r, t) < 0)
        return ERR_LIMIT;
    *ret = r->options.prune && !c.n ? NULL : t;
    t->items = arena_array(r->arena, raw->n_items, sizeof *t->items);
    t->n_items = 0;
    if (!c.n)
        report(r, raw, "A sequence was not expected")->hint = "write one value instead of a list";
    for (size_t i = 0; c.n && i < raw->n_items; i++) {
        if (read_value(r, raw->items[i], below(spot, c.list[0]->item), &t->items[t->n_items]) < 0)
            return ERR_LIMIT;
        t->n_items += t->items[t->n_items] != NULL;
    }
    return ERR_OK;
}

static const struct schema_key *key_find(const struct schema *def, struct slice name)
{
    for (size_t i = 0; i < def->n_keys; i++)
        if (slice_eq(def->keys[i].name, name))
            return &def->keys[i];
    return NULL;
}

static bool is_off(const struct reader *r, const struct schema_key *key)
{
    return (key->flags & KEY_BACKGROUND) && r->options.no_background;
}

/* The key NAME among the candidates; those that do not know it drop out, if one does. */
static const struct schema_key *narrow(struct choices *c, struct slice name)
{
    const struct schema_key *found = NULL;
    struct choices left = {.n = 0};

    for (size_t i = 0; i < c->n; i++) {
        const struct schema_key *key = key_find(c->list[i], name);

        if (!key)
            continue;
        if (!found)
            found = key;
        left.list[left.n++] = c->list[i];
    }
    if (found)
        *c = left;
    return found;
}

static bool has_key(const struct token *mapping, struct slice name)
{
    for (size_t i = 0; i < mapping->n_pairs; i++)
        if (slice_eq(mapping->pairs[i].key->text, name))
            return true;
    return false;
}

static void report_key(struct reader *r, const struct token *key, const struct choices *c)
{
    struct near_best best = near_begin(key->text);

    for (size_t i = 0; i < c->n && !diags_is_full(r->diags); i++)
        for (size_t k = 0; k < c->list[i]->n_keys; k++)
            if (!is_off(r, &c->list[i]->keys[k]))
                near_offer(&best, c->list[i]->keys[k].name);
    struct diag *d = report_value(r, key, key->text);
    d->hint = near_hint(r->diags->arena, &best);
    if (best.match.ptr && !best.tied && !has_key(r->mapping, best.match)) {
        d->misspelt = arena_dup(r->diags->arena, key->text);
        d->fix = best.match; /* of a table: it lives for ever */
    }
}

static int by_name(const void *x, const void *y)
{
    const struct slice *a = x, *b = y;

    return slice_cmp(*a, *b);
}

/* Several kinds of mapping are still possible: names the keys that would decide. */
static void report_ambiguous(struct reader *r, const struct token *at, const struct choices *c)
{
    CLEANUP(buf_deinit) struct buf list = BUF_INIT(4096);
    VEC(struct slice) names = {0};

    for (size_t i = 0; i < c->n; i++) {
        for (size_t k = 0; k < c->list[i]->n_keys; k++) {
            const struct schema_key *key = &c->list[i]->keys[k];
            size_t hits = 0;

            for (size_t other = 0; other < c->n; other++)
                hits += key_find(c->list[other], key->name) != NULL;
            if (hits == 1 && !is_off(r, key))
                vec_push(&names, key->name);
        }
    }
    if (names.len)
        qsort(names.ptr, names.len, sizeof *names.ptr, by_name);
    VEC_EACH (name, &names)
        buf_printf(&list, "%s%.*s", list.len ? ", " : "", SLICE_ARG(*name));
    vec_deinit(&names);
    diag_add(r->diags, DIAG_ERROR, r->file, at->line, at->col,
             "There's not enough info to determine what you meant. Add one of these properties: "
             "%s",
             list.ptr);
}

/* RAW also has the keys that were refused: a misspelt "Runs-On" is one error, not two. */
static void check_required(struct reader *r, const struct token *raw, const struct schema *def)
{
    for (size_t i = 0; i < def->n_keys; i++) {
        const struct schema_key *key = &def->keys[i];
        bool given = !(key->flags & KEY_REQUIRED);

        for (size_t p = 0; !given && p < raw->n_pairs; p++)
            given = slice_eq_nocase(raw->pairs[p].key->text, key->name);
        if (!given)
            diag_add(r->diags, DIAG_ERROR, r->file, raw->line, raw->col,
                     "Required property is missing: %.*s", SLICE_ARG(key->name))
                ->hint =
                arena_printf(r->diags->arena, "add '%.*s:' to this mapping", SLICE_ARG(key->name));
    }
}

static int add_pair(struct reader *r, struct token *to, const struct token *key,
                    const struct token *raw_value, struct spot spot)
{
    struct token *value;

    if (spend_token(r, key) < 0 || read_value(r, raw_value, spot, &value) < 0)
        return ERR_LIMIT;
    if (!value)
        return ERR_OK;
    to->pairs[to->n_pairs++] = (struct token_pair){token_like(r, key), value};
    return ERR_OK;
}

/* A key that is an expression or the insert directive. */
static int read_expr_pair(struct reader *r, struct token *to, const struct token *key,
                          const struct token *value, struct spot spot, const struct schema *def)
{
    if (!spot.contexts) {
        report(r, key, "A template expression is not allowed in this context")->hint =
            "write the key itself, without ${{ }}";
        return ERR_OK;
    }
    /* with known keys, nobody can say yet which of them this is */
    return add_pair(r, to, key, value, below(spot, def->n_keys ? &schema_any : def->loose));
}

static bool is_duplicate(struct reader *r, struct strmap *seen, const struct token *key)
{
    struct slice known;

    if (!strmap_find(seen, key->text, &known)) {
        strmap_set(seen, key->text, SLICE(""));
        return false;
    }
    diag_add(r->diags, DIAG_ERROR, r->file, key->line, key->col, "'%.*s' is already defined",
             SLICE_ARG(key->text))
        ->hint = "remove one of the two; keys that differ only in letter case count as the same";
    return true;
}

static int read_pair(struct reader *r, const struct token_pair *raw, struct spot spot,
                     struct choices *c, struct strmap *seen, struct token *to, bool *has_expr)
{
    const struct schema *first = c->list[0];
    const struct token *key = compile(r, raw->key, spot.contexts);

    if (key->kind == TOKEN_EXPR || key->kind == TOKEN_INSERT) {
        *has_expr = true;
        return read_expr_pair(r, to, key, raw->value, spot, first);
    }
    if (is_duplicate(r, seen, key))
        return ERR_OK;
    /* Gitea writes 'runs-on: []' into a job that calls a workflow. */
    if (r->options.forge && raw->value->kind == TOKEN_SEQUENCE && raw->value->n_items == 0 &&
        token_find(r->mapping, "uses"))
        return ERR_OK;
    const struct schema_key *known = narrow(c, key->text);
    if (known && !is_off(r, known))
        return add_pair(r, to, key, raw->value, below(spot, known->value));
    if (!known && !first->loose_key && r->options.forge)
        return ERR_OK;
    if (known || !first->loose_key) {
        report_key(r, key, c);
        return ERR_OK;
    }
    (void)check_scalar(r, &key, below(spot, first->loose_key)); /* the pair is kept: it is text */
    return add_pair(r, to, key, raw->value, below(spot, first->loose));
}

static int read_mapping(struct reader *r, const struct token *raw, struct spot spot,
                        struct token **ret)
{
    CLEANUP(strmap_deinit) struct strmap seen = STRMAP_INIT_NOCASE;
    struct choices c = choices_of(spot.def, SCHEMA_MAPPING);
    struct token *t = token_like(r, raw);
    bool has_expr = false;

    if (spend_token(r, t) < 0)
        return ERR_LIMIT;
    *ret = t;
    t->n_pairs = 0;
    t->pairs = arena_array(r->arena, raw->n_pairs, sizeof *t->pairs);
    if (!c.n) {
        report(r, raw, "A mapping was not expected")->hint = "write one value instead of keys";
        if (r->options.prune)
            *ret = NULL;
        return ERR_OK;
    }
    for (size_t i = 0; i < raw->n_pairs; i++) {
        r->mapping = raw;
        if (read_pair(r, &raw->pairs[i], spot, &c, &seen, t, &has_expr) < 0)
            return ERR_LIMIT;
    }
    if (c.n > 1)
        report_ambiguous(r, raw, &c);
    else if (!has_expr)
        check_required(r, raw, c.list[0]);
    return ERR_OK;
}

static int read_value(struct reader *r, const struct token *raw, struct spot spot,
                      struct token **ret)
{
    const struct token *t;

    if (raw->kind == TOKEN_SEQUENCE)
        return read_sequence(r, raw, spot, ret);
    if (raw->kind == TOKEN_MAPPING)
        return read_mapping(r, raw, spot, ret);
    t = compile(r, raw, spot.contexts);
    bool fits = check_scalar(r, &t, spot);
    if (spend_token(r, t) < 0)
        return ERR_LIMIT;
    bool kept = fits || !(r->options.prune || r->options.forge);
    *ret = kept ? token_like(r, t) : NULL;
    return ERR_OK;
}

int schema_read(struct arena *a, const struct token *raw, const struct schema *def,
                const char *file, const struct schema_options *options, struct token **ret,
                struct diags *diags)
{
    struct reader r = {.arena = a, .diags = diags, .file = file};
    struct spot spot = {def, def->contexts};
    struct token *root;

    if (options)
        r.options = *options;
    size_t size = r.options.size ? r.options.size : LIMIT_SIZE, nothing = 0;
    size_t *spent = r.options.spent ? r.options.spent : &nothing;
    r.left = *spent < size ? size - *spent : 0;
    if (spend(&r, text_cost(slice_of(file))) < 0 || read_value(&r, raw, spot, &root) < 0 || !root)
        return ERR_LIMIT;
    *spent = size - r.left;
    *ret = root;
    return ERR_OK;
}
