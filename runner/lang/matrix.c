#include "lang/matrix.h"

#include "lang/expr/expr.h"
#include "lang/ids.h"
#include "lang/utf.h"

#include "base/buf.h"

#include <stdint.h>

struct member {
    const char *key;    /* as written */
    const char *vector; /* as the vector is spelled; NULL: it is none */
    json_t *value;      /* borrowed from the strategy */
};

/* One entry of `include` or `exclude`, taken apart. */
struct filter {
    struct member *wanted; /* members that are vectors */
    size_t n_wanted;
    struct member *extras; /* include: the others */
    size_t n_extras;
    bool used; /* include: some combination matched */
};

struct expansion {
    struct matrix *m;
    const char *job_id;
    struct err *err;
    struct member *vectors; /* in file order: the first one varies slowest */
    size_t n_vectors;
    struct filter *includes, *excludes;
    size_t n_includes, n_excludes;
    size_t product;      /* combinations of the vectors; 0 without vectors */
    size_t total;        /* configurations so far, those over the limit included */
    struct strmap names; /* of the vectors, ignoring case; the value is the spelling */
    size_t n_members;    /* of all filters */
    struct ids ids;
    struct arena scratch; /* for comparing; emptied with each combination */
};

/* ---- members ---- */

static const char *find_nocase(json_t *object, const char *key)
{
    const char *k;
    json_t *v;

    if (json_object_get(object, key))
        return key;
    json_object_foreach (object, k, v)
        if (utf_eq_nocase(slice_of(k), slice_of(key)))
            return k;
    return NULL;
}

static json_t *get_nocase(json_t *object, const char *key)
{
    const char *spelled = find_nocase(object, key);

    return spelled ? json_object_get(object, spelled) : NULL;
}

/* Sets KEY, keeping the spelling that is there. Shares VALUE. */
static void set_nocase(json_t *object, const char *key, json_t *value)
{
    const char *spelled = find_nocase(object, key);

    json_object_set_nocheck(object, spelled ? spelled : key, value);
}

/* ---- what is wrong with a value ---- */

static int fail_value(struct expansion *e, json_t *value)
{
    struct expr_value v = expr_from_json(value);

    if (json_is_object(value))
        return err_set(e->err, ERR_INVALID, "A mapping was not expected");
    if (json_is_array(value))
        return err_set(e->err, ERR_INVALID, "A sequence was not expected");
    struct slice text = expr_string(&e->m->arena, &v);
    return err_set(e->err, ERR_INVALID, "Unexpected value '%.*s'", SLICE_ARG(text));
}

/* ---- reading the strategy ---- */

static int read_vectors(struct expansion *e, json_t *matrix)
{
    const char *key;
    json_t *value;

    e->vectors = arena_array(&e->m->arena, json_object_size(matrix), sizeof *e->vectors);
    json_object_foreach (matrix, key, value) {
        if (strcmp(key, "include") == 0 || strcmp(key, "exclude") == 0)
            continue;
        if (!json_is_array(value))
            return fail_value(e, value);
        if (!json_array_size(value))
            return err_set(e->err, ERR_INVALID, "Matrix vector '%s' does not contain any values",
                           key);
        e->vectors[e->n_vectors++] = (struct member){key, key, value};
        strmap_set(&e->names, slice_of(key), slice_of(key));
    }
    return ERR_OK;
}

static int read_filter(struct expansion *e, json_t *item, struct filter *f)
{
    size_t n = json_object_size(item);
    const char *key;
    json_t *value;

    if (!json_is_object(item))
        return fail_value(e, item);
    f->wanted = arena_array(&e->m->arena, n, sizeof *f->wanted);
    f->extras = arena_array(&e->m->arena, n, sizeof *f->extras);
    json_object_foreach (item, key, value) {
        const char *vector = strmap_get(&e->names, key);

        if (vector)
            f->wanted[f->n_wanted++] = (struct member){key, vector, value};
        else
            f->extras[f->n_extras++] = (struct member){key, NULL, value};
    }
    e->n_members += n;
    return ERR_OK;
}

static int read_filters(struct expansion *e, json_t *list, struct filter **ret, size_t *ret_n)
{
    size_t n = json_array_size(list);

    if (list && !json_is_array(list))
        return fail_value(e, list);
    *ret = arena_array(&e->m->arena, n, sizeof **ret);
    *ret_n = n;
    for (size_t i = 0; i < n; i++)
        if (read_filter(e, json_array_get(list, i), &(*ret)[i]) < 0)
            return e->err->code;
    return ERR_OK;
}

static int check_filters(struct expansion *e)
{
    for (size_t i = 0; i < e->n_includes; i++)
        if (!e->includes[i].n_wanted && !e->includes[i].n_extras)
            return err_set(e->err, ERR_INVALID,
                           "Matrix include mapping does not contain any values");
    for (size_t i = 0; i < e->n_excludes; i++) {
        const struct filter *f = &e->excludes[i];

        if (!f->n_wanted && !f->n_extras)
            return err_set(e->err, ERR_INVALID, "Matrix exclude filter must not be empty");
        if (f->n_extras)
            return err_set(e->err, ERR_INVALID,
                           "Matrix exclude key '%s' does not match any key within the matrix",
                           f->extras[0].key);
    }
    return ERR_OK;
}

static int read_matrix(struct expansion *e, json_t *matrix)
{
    if (!json_is_object(matrix))
        return fail_value(e, matrix);
    if (read_vectors(e, matrix) < 0 ||
        read_filters(e, json_object_get(matrix, "include"), &e->includes, &e->n_includes) < 0 ||
        read_filters(e, json_object_get(matrix, "exclude"), &e->excludes, &e->n_excludes) < 0)
        return e->err->code;
    if (!e->n_vectors && !e->n_includes)
        return err_set(e->err, ERR_INVALID, "Matrix must define at least one vector");
    return check_filters(e);
}

/* ---- matching ---- */

/* The member KEY of an object or the element of that number of an array; NULL: null. */
static json_t *step_into(json_t *value, const char *key)
{
    if (json_is_object(value))
        return get_nocase(value, key);
    double n = json_is_array(value) ? expr_parse_number(slice_of(key)) : -1;
    return n >= 0 && n < (double)json_array_size(value) ? json_array_get(value, (size_t)n) : NULL;
}

static bool leaf_matches(struct arena *a, json_t *filter, json_t *value)
{
    static const struct expr_value none = {.kind = EXPR_NULL};
    struct expr_value x = expr_from_json(filter);
    struct expr_value y = value ? expr_from_json(value) : none;

    return expr_equals(a, &y, &x);
}

/* Each leaf of the filter against the same place in VALUE: mappings partly, sequences as a prefix.
 * Documents have a depth limit, so the recursion has one. */
static bool value_matches(struct arena *a, json_t *filter, json_t *value)
{
    const char *key;
    json_t *inner;

    if (json_is_object(filter)) {
        json_object_foreach (filter, key, inner)
            if (!value_matches(a, inner, step_into(value, key)))
                return false;
        return true;
    }
    if (!json_is_array(filter))
        return leaf_matches(a, filter, value);
    for (size_t i = 0; i < json_array_size(filter); i++) {
        json_t *element = json_is_array(value) ? json_array_get(value, i) : NULL;

        if (!value_matches(a, json_array_get(filter, i), element))
            return false;
    }
    return true;
}

static bool filter_matches(struct expansion *e, const struct filter *f, json_t *combination)
{
    for (size_t i = 0; i < f->n_wanted; i++)
        if (!value_matches(&e->scratch, f->wanted[i].value,
                           json_object_get(combination, f->wanted[i].vector)))
            return false;
    return true;
}

/* ---- names and ids ---- */

struct segments {
    struct slice *list;
    size_t n, cap;
    struct arena *arena;
};

static void add_segments(struct segments *s, json_t *value)
{
    const char *key;
    json_t *inner;
    size_t i;

    if (json_is_object(value)) {
        json_object_foreach (value, key, inner)
            add_segments(s, inner);
        return;
    }
    if (json_is_array(value)) {
        json_array_foreach (value, i, inner)
            add_segments(s, inner);
        return;
    }
    struct expr_value v = expr_from_json(value);
    struct slice text = expr_string(s->arena, &v); /* null: empty */
    if (!text.len)
        return;
    if (s->n == s->cap) {
        struct slice *more = arena_array(s->arena, s->cap * 2 + 8, sizeof *more);

        if (s->n)
            memcpy(more, s->list, s->n * sizeof *more);
        s->list = more;
        s->cap = s->cap * 2 + 8;
    }
    s->list[s->n++] = text;
}

/* A name shows a hundred characters at most, so more is never put together. */
static const char *join(struct arena *a, const struct segments *s)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(1 << 20);

    for (size_t i = 0; i < s->n && out.len < 8 * MATRIX_NAME_MAX; i++) {
        if (i)
            buf_add_str(&out, ", ");
        buf_add(&out, s->list[i]);
    }
    return arena_str(a, buf_slice(&out));
}

/* Adds a configuration; takes COMBINATION. NAMED has the values that make its name. */
static int add_config(struct expansion *e, json_t *combination, json_t *named)
{
    struct matrix *m = e->m;
    struct segments s = {.arena = &m->arena};

    if (e->total++ >= MATRIX_CONFIGS_MAX) { /* counted for the message, that is all */
        json_decref(combination);
        return ERR_OK;
    }
    struct matrix_config *config = &m->configs[m->n_configs++];
    config->matrix = combination;
    add_segments(&s, named);
    config->suffix = join(&m->arena, &s);
    config->id = ids_make(&e->ids, &m->arena, s.list, s.n, false);
    if (!config->id)
        return err_set(e->err, ERR_INVALID, "Unable to create a unique name");
    return ERR_OK;
}

/* ---- combinations ---- */

static int too_many(struct expansion *e, size_t n)
{
    return err_set(e->err, ERR_LIMIT,
                   "Strategy for job '%s' produced %zu configurations which exceeds the maximum of "
                   "%d configurations",
                   e->job_id, n, (int)MATRIX_CONFIGS_MAX);
}

/* The size of the cross product, as long as going through it is bearable. */
static int measure(struct expansion *e)
{
    size_t product = e->n_vectors > 0, each = e->n_vectors + e->n_members + 1, work;
    bool overflow = false;

    for (size_t i = 0; i < e->n_vectors; i++)
        overflow |= __builtin_mul_overflow(product, json_array_size(e->vectors[i].value), &product);
    overflow |= __builtin_mul_overflow(product, each, &work);
    if (overflow || work > MATRIX_WORK_MAX)
        return too_many(e, product);
    e->product = product;
    return ERR_OK;
}

static json_t *combination_at(const struct expansion *e, size_t index)
{
    json_t *combination = json_object();
    size_t block = e->product;

    for (size_t i = 0; i < e->n_vectors; i++) {
        size_t n = json_array_size(e->vectors[i].value);

        block /= n;
        json_object_set_nocheck(combination, e->vectors[i].key,
                                json_array_get(e->vectors[i].value, index / block % n));
    }
    return combination;
}

static bool is_excluded(struct expansion *e, json_t *combination)
{
    for (size_t i = 0; i < e->n_excludes; i++)
        if (filter_matches(e, &e->excludes[i], combination))
            return true;
    return false;
}

/* The extras of every include that matches, later ones over earlier ones. */
static json_t *extras_of(struct expansion *e, json_t *combination)
{
    json_t *extras = json_object();

    for (size_t i = 0; i < e->n_includes; i++) {
        struct filter *f = &e->includes[i];

        if (!filter_matches(e, f, combination))
            continue;
        f->used = true;
        for (size_t k = 0; k < f->n_extras; k++)
            set_nocase(extras, f->extras[k].key, f->extras[k].value);
    }
    return extras;
}

static int add_combination(struct expansion *e, size_t index)
{
    json_t *named = combination_at(e, index);
    int result = ERR_OK;

    if (!is_excluded(e, named)) {
        json_t *extras = extras_of(e, named), *whole = json_copy(named);

        json_object_update(whole, extras);
        json_decref(extras);
        result = add_config(e, whole, named);
    }
    json_decref(named);
    arena_deinit(&e->scratch);
    return result;
}

static int add_leftover(struct expansion *e, const struct filter *f)
{
    json_t *config = json_object();

    for (size_t i = 0; i < f->n_wanted; i++)
        json_object_set_nocheck(config, f->wanted[i].key, f->wanted[i].value);
    for (size_t i = 0; i < f->n_extras; i++)
        json_object_set_nocheck(config, f->extras[i].key, f->extras[i].value);
    return add_config(e, config, config);
}

static int expand(struct expansion *e)
{
    if (measure(e) < 0)
        return e->err->code;
    for (size_t i = 0; i < e->product; i++)
        if (add_combination(e, i) < 0)
            return e->err->code;
    for (size_t i = 0; i < e->n_includes; i++)
        if (!e->includes[i].used && add_leftover(e, &e->includes[i]) < 0)
            return e->err->code;
    return e->total > MATRIX_CONFIGS_MAX ? too_many(e, e->total) : ERR_OK;
}

/* ---- the strategy ---- */

static int read_settings(struct expansion *e, json_t *strategy, double *ret_parallel)
{
    json_t *fast = json_object_get(strategy, "fail-fast");
    json_t *parallel = json_object_get(strategy, "max-parallel");

    if (fast && !json_is_boolean(fast))
        return fail_value(e, fast);
    if (parallel && !json_is_number(parallel))
        return fail_value(e, parallel);
    e->m->fail_fast = !fast || json_is_true(fast);
    *ret_parallel = parallel ? json_number_value(parallel) : 0;
    return ERR_OK;
}

static int expand_strategy(struct expansion *e, json_t *strategy)
{
    json_t *matrix = json_object_get(strategy, "matrix");
    struct matrix *m = e->m;
    double parallel = 0;

    m->fail_fast = true;
    m->configs = arena_array(&m->arena, MATRIX_CONFIGS_MAX, sizeof *m->configs);
    if (strategy && !json_is_null(strategy) && !json_is_object(strategy))
        return fail_value(e, strategy);
    if (read_settings(e, strategy, &parallel) < 0)
        return e->err->code;
    if (matrix && (read_matrix(e, matrix) < 0 || expand(e) < 0))
        return e->err->code;
    if (!m->n_configs)
        m->configs[m->n_configs++] = (struct matrix_config){json_null(), "", "job"};
    m->max_parallel = (int)m->n_configs;
    if (parallel >= 1 && parallel < 1e9)
        m->max_parallel = (int)parallel;
    return ERR_OK;
}

int matrix_expand(const json_t *strategy, const char *job_id, struct matrix *ret, struct err *err)
{
    struct matrix m = {.arena = ARENA_INIT};
    struct expansion e = {
        .m = &m, .job_id = job_id, .err = err, .ids = IDS_INIT, .names = STRMAP_INIT_NOCASE};
    /* read only all the same: jansson's iterators want it without const */
    int result = expand_strategy(&e, (json_t *)(uintptr_t)strategy);

    ids_deinit(&e.ids);
    strmap_deinit(&e.names);
    if (result < 0)
        matrix_deinit(&m);
    else
        *ret = m;
    return result;
}

void matrix_deinit(struct matrix *m)
{
    for (size_t i = 0; i < m->n_configs; i++)
        json_decref(m->configs[i].matrix);
    arena_deinit(&m->arena);
    *m = (struct matrix){.arena = ARENA_INIT};
}

char *matrix_job_name(struct arena *a, const char *name, bool has_expression, const char *job_id,
                      const struct matrix_config *config)
{
    bool given = name && *name;
    char *full;
    size_t end = 0, units = 0;

    if (given && has_expression)
        return arena_str(a, slice_of(name));
    if (!given)
        name = job_id;
    full = *config->suffix ? arena_printf(a, "%s (%s)", name, config->suffix)
                           : arena_str(a, slice_of(name));
    if (utf_units(slice_of(full)) <= MATRIX_NAME_MAX)
        return full;
    for (;;) {
        size_t next = end;

        units += utf_next(slice_of(full), &next) > 0xFFFF ? 2 : 1;
        if (units > MATRIX_NAME_MAX - 3)
            return arena_printf(a, "%.*s...", (int)end, full);
        end = next;
    }
}
