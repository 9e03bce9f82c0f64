#include "lang/expr/explain.h"

#include "base/buf.h"

enum { VALUES_MAX = 5, VALUE_TEXT_MAX = 80, NAME_TEXT_MAX = 200 };

/* The values that a condition was decided on: "github.ref is 'refs/heads/topic'". */
struct values {
    const struct expr_scope *scope;
    struct buf text, seen;
    size_t n;
};

static const json_t *member(const json_t *object, struct slice name)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
        if (slice_eq_nocase(slice_of(key), name))
            return value;
    }
    return NULL;
}

static void add_value(struct buf *text, const json_t *value)
{
    if (!value || json_is_null(value)) {
        buf_add_str(text, "is not set");
    } else if (json_is_string(value)) {
        buf_printf(text, "is '%.*s'%s", VALUE_TEXT_MAX, json_string_value(value),
                   json_string_length(value) > VALUE_TEXT_MAX ? "..." : "");
    } else {
        CLEANUP(free_ptr) char *json = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

        buf_printf(text, "is %.*s%s", VALUE_TEXT_MAX, json,
                   strlen(json) > VALUE_TEXT_MAX ? "..." : "");
    }
}

static void one_value(void *ctx, const struct slice *path, size_t n_path, size_t offset)
{
    struct values *v = ctx;
    CLEANUP(buf_deinit) struct buf name = BUF_INIT(NAME_TEXT_MAX);
    char first[32];

    (void)offset;
    if (n_path < 2 || path[0].len >= sizeof first || v->n == VALUES_MAX || !v->scope->context)
        return;
    for (size_t i = 0; i <= path[0].len; i++) { /* the scope wants lower case */
        char c = i < path[0].len ? path[0].ptr[i] : '\0';
        first[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    const json_t *value = v->scope->context(v->scope->ctx, slice_of(first));
    for (size_t i = 0; i < n_path; i++) {
        buf_printf(&name, "%s%.*s", i ? "." : "", SLICE_ARG(path[i]));
        if (i)
            value = member(value, path[i]);
    }
    buf_add_char(&name, ' ');
    if (name.overflow || slice_find(buf_slice(&v->seen), buf_slice(&name)) >= 0)
        return;
    buf_add(&v->seen, buf_slice(&name));
    buf_add_str(&v->text, v->n++ ? ", " : "");
    buf_add(&v->text, buf_slice(&name));
    add_value(&v->text, value);
}

struct slice explain_written(struct slice condition, bool *ret_wrapped)
{
    static const struct slice head = SLICE_INIT("success() && (");

    *ret_wrapped = slice_eq(condition, SLICE("success()"));
    if (!slice_starts(condition, head) || !slice_ends(condition, SLICE(")")))
        return condition;
    *ret_wrapped = true;
    return slice_make(condition.ptr + head.len, condition.len - head.len - 1);
}

char *explain_condition(struct arena *a, struct slice condition, const struct expr_scope *scope)
{
    struct values v = {.scope = scope, .text = BUF_INIT(1000), .seen = BUF_INIT(1200)};
    struct expr_error ignored; /* it was parsed before; what cannot be, has no values to show */
    const struct expr *tree;
    bool wrapped;
    struct slice written = explain_written(condition, &wrapped);

    if (expr_parse(a, written, NULL, &tree, &ignored) == ERR_OK)
        expr_each_reference(tree, one_value, &v);
    char *why = arena_printf(a, "its `if` is false: %.*s%s%s%s", SLICE_ARG(slice_trim(written)),
                             v.n ? " (" : "", v.text.ptr, v.n ? ")" : "");
    buf_deinit(&v.text);
    buf_deinit(&v.seen);
    return why;
}
