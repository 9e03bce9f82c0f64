/* type - what is known of an expression before its contexts have values: the type it will have,
 * names that can't be there, operations that can't work, and which values end up in its text. */
#pragma once

#include "lang/expr/expr.h"

enum type_kind {
    TYPE_ANY,
    TYPE_NULL,
    TYPE_BOOL,
    TYPE_NUMBER,
    TYPE_STRING,
    TYPE_ARRAY,
    TYPE_OBJECT
};

/* Types are values that are never changed once they are shared; they live in an arena or for ever. */
struct type {
    enum type_kind kind;
    bool filtered; /* ARRAY: made by .*, see struct expr_value */
    const struct type
        *item; /* ARRAY: its elements. OBJECT: members without a name here; NULL: there
                                are none, the object is closed */
    struct type_member *members; /* OBJECT; newest first */
};

struct type_member {
    struct slice name; /* ignores case */
    const struct type *type;
    struct type_member *next;
};

extern const struct type type_any, type_null, type_bool, type_number, type_string;
extern const struct type type_open;    /* an object of whatever */
extern const struct type type_strings; /* an object of strings */

struct type *type_object(struct arena *a, const struct type *item);
struct type *type_array(struct arena *a, const struct type *item);

/* Adds a member; one that is there gets the type that both have in common. */
void type_add(struct arena *a, struct type *object, struct slice name, const struct type *type);

/* NULL: OBJECT (any kind of type) has none of that name that would be known. */
const struct type *type_member(const struct type *object, struct slice name);

/* What holds for values of X and for values of Y. */
const struct type *type_join(struct arena *a, const struct type *x, const struct type *y);

/* Of a JSON value: objects are closed. */
const struct type *type_of_json(struct arena *a, const json_t *json);

/* "object", "string". */
const char *type_name(const struct type *t);

enum expr_finding_kind {
    EXPR_UNKNOWN_NAME, /* a member that an object will never have */
    EXPR_NEVER_WORKS,  /* an operation or argument that gives nothing useful for any value */
    EXPR_ODD,          /* allowed, with a result that is hardly the wanted one */
};
struct expr_finding {
    enum expr_finding_kind kind;
    bool has_other;      /* it stands left of a ||: there is something for when it is empty */
    size_t offset;       /* bytes into the expression's text */
    const char *message; /* in the arena */
    const char *hint;    /* or NULL */
};

struct expr_typing {
    struct arena *arena;
    /* The type of a context (its name in lower case); NULL: nothing is known. */
    const struct type *(*context)(void *ctx, struct slice name);
    void (*report)(void *ctx, const struct expr_finding *finding); /* NULL: nobody wants to know */
    void *ctx;
    bool has_other; /* see struct expr_finding; false to begin with */
};

/* The type of E; what is wrong in it is reported in the order of evaluation. Never NULL. */
const struct type *expr_type(const struct expr_typing *t, const struct expr *e);

/* True if no context and no function of the moment (success(), hashFiles()) has a say in it. */
bool expr_is_constant(const struct expr *e);

/* True for a format() with characters of its own: its text is never empty, and a text that is not empty
 * is true. */
bool expr_is_always_true(const struct expr *e);

/* Calls FN for each look-up whose value may become a part of the result's text: not for what is only
 * compared, tested or searched. A path is as in expr_each_reference(), "*" for elements of any
 * key; WHOLE: all that is below comes along (toJSON). */
void expr_each_flow(const struct expr *e,
                    void (*fn)(void *ctx, const struct slice *path, size_t n_path, bool whole,
                               size_t offset),
                    void *ctx);
