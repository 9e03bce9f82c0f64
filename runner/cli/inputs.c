#include "cli/inputs.h"

#include "base/slice.h"
#include "base/vec.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct slice prefix = SLICE_INIT("ACTIONS_RUNNER_INPUT_");

struct input {
    char *name, *value;
};

static VEC(struct input) taken;

static void take(char *variable, size_t equals)
{
    char *name = mem_dup(variable + prefix.len, equals - prefix.len);
    CLEANUP(free_ptr) char *whole = mem_dup(variable, equals);
    char *value = variable + equals + 1;

    for (char *c = name; *c; c++)
        if (*c == '_')
            *c = '-';
    vec_push(&taken, (struct input){name, mem_dup(value, strlen(value))});
    explicit_bzero(value, strlen(value));
    (void)unsetenv(whole); /* it cannot fail for a name that is there */
}

void inputs_take(void)
{
    /* The list closes up behind what is removed. */
    for (char **at = environ; at && *at;) {
        struct slice one = slice_of(*at);
        ssize_t equals = slice_find_char(one, '=');

        if (equals > (ssize_t)prefix.len && slice_eq_nocase(slice_head(one, prefix.len), prefix))
            take(*at, (size_t)equals);
        else
            at++;
    }
}

const char *inputs_get(const char *name)
{
    VEC_EACH (one, &taken) {
        if (*one->value && slice_eq_nocase(slice_of(one->name), slice_of(name)))
            return one->value;
    }
    return NULL;
}

bool inputs_flag(const char *name)
{
    struct slice value = slice_of(inputs_get(name));

    return slice_eq(value, SLICE("1")) || slice_eq_nocase(value, SLICE("true"));
}

void inputs_wipe(void)
{
    VEC_EACH (one, &taken) {
        explicit_bzero(one->value, strlen(one->value));
        free(one->value);
        free(one->name);
    }
    vec_deinit(&taken);
}
