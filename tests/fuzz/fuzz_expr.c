/* Expressions and templates: whatever the bytes are, nothing crashes, and what can be said twice comes out
 * the same:
 *   - the printed form of a tree, where it parses, prints as itself;
 *   - fromJSON(toJSON(x)) is x, as far as JSON goes;
 *   - a scalar that compiles to an expression compiles to the same again. */
#include "lang/template.h"

#include <stdint.h>

enum { FUZZ_MEMORY = 256 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *contexts;

static const json_t *find_context(void *ctx, struct slice name)
{
    (void)ctx;
    return json_object_getn(contexts, name.ptr, name.len);
}

static const struct expr_scope scope = {.context = find_context, .memory_limit = FUZZ_MEMORY};

static void expect(bool holds, const char *what, struct slice text)
{
    if (!holds)
        BUG("%s: %.*s", what, SLICE_ARG(text));
}

/* The value as text; errors too. */
static struct slice outcome(struct arena *a, const struct expr *e, struct expr_value *ret, bool *ok)
{
    struct expr_error error;

    *ok = expr_eval(e, &scope, a, ret, &error) == ERR_OK;
    return *ok ? expr_json_line(a, ret) : error.message;
}

/* GitHub's printed form is made for people and need not parse: ('x').y loses its parentheses. Where it
 * does, it prints as itself. */
static void check_print(struct arena *a, struct slice text, const struct expr *e)
{
    struct slice printed = expr_text(a, e);
    struct expr_error error;
    const struct expr *again;

    if (expr_parse(a, printed, NULL, &again, &error) == ERR_OK)
        expect(slice_eq(printed, expr_text(a, again)), "the printed form prints otherwise", text);
}

static void check_value(struct arena *a, struct slice text, const struct expr *e)
{
    struct expr_value v, back;
    struct expr_error error;
    const struct expr *round;
    bool ok;
    struct slice got = outcome(a, e, &v, &ok);

    if (!ok)
        return;
    expect(slice_eq(got, expr_json_line(a, &v)), "two ways to write a value", text);
    expect(expr_truthy(&v) || v.kind < EXPR_ARRAY, "a collection that is falsy", text);
    if (v.kind != EXPR_NUMBER || expr_number(&v) == expr_number(&v))
        expect(expr_equals(a, &v, &v), "a value that is not itself", text);

    /* The value once more, through its own JSON. */
    json_t *json = expr_to_json(a, &v);
    json_object_set(contexts, "value", json);
    if (expr_parse(a, SLICE("fromJSON(toJSON(value))"), NULL, &round, &error) == ERR_OK &&
        expr_eval(round, &scope, a, &back, &error) == ERR_OK) {
        struct expr_value plain = expr_from_json(json);
        expect(slice_eq(expr_json_line(a, &plain), expr_json_line(a, &back)),
               "fromJSON(toJSON(x)) is not x", text);
    }
    json_object_del(contexts, "value");
    json_decref(json);
}

static void check_template(struct arena *a, struct slice text)
{
    struct slice literal, expr, literal_again, expr_again, condition;
    struct expr_error error;

    if (template_compile(a, text, NULL, &literal, &expr, &error) == ERR_OK && expr.ptr) {
        struct slice wrapped = slice_of(arena_printf(a, "${{ %.*s }}", SLICE_ARG(expr)));

        if (memchr(expr.ptr, '\0', expr.len))
            return; /* arena_printf stops there */
        expect(template_compile(a, wrapped, NULL, &literal_again, &expr_again, &error) == ERR_OK &&
                   (!expr_again.ptr || slice_eq(expr_again, expr)),
               "a compiled scalar compiles otherwise", text);
    }
    if (template_condition(a, text, NULL, &condition, &error) == ERR_OK) {
        const struct expr *e;

        expect(expr_parse(a, condition, NULL, &e, &error) == ERR_OK ||
                   slice_starts(error.message, SLICE("Exceeded max")) ||
                   memchr(condition.ptr, '\0', condition.len) || memchr(text.ptr, '\0', text.len),
               "a condition that does not parse", text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    /* A copy of exact size, so that a step beyond the end is seen. */
    CLEANUP(free_ptr) char *copy = mem_new(size ? size : 1);
    struct slice text = slice_make(copy, size);
    struct expr_error error;
    const struct expr *e;

    memcpy(copy, data, size);
    if (!contexts)
        contexts = json_loads(
            "{\"github\": {\"ref\": \"refs/heads/main\", \"event\": {\"list\": [1, {\"a\": "
            "\"b\"}, [null, true]]}}, \"env\": {\"PATH\": \"x\", \"\u00e9\": \"y\"}, "
            "\"matrix\": {\"n\": 1.5, \"0\": []}}",
            0, NULL);
    if (expr_parse(&a, text, NULL, &e, &error) == ERR_OK && !expr_is_empty(e)) {
        check_print(&a, text, e);
        check_value(&a, text, e);
    }
    check_template(&a, text);
    return 0;
}
