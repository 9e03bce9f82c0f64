#include "cli/inputs.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/vec.h"
#include "base/wipe.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECRET_MAX = 16 << 10 };

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

bool inputs_any(void)
{
    return taken.len > 0;
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

int inputs_read_secret(const char *file, char **ret, struct err *err)
{
    CLEANUP(wipe_buf) struct buf text = BUF_INIT(SECRET_MAX);
    int r = strcmp(file, "-") == 0 ? fd_read_all(STDIN_FILENO, &text, err)
                                   : path_read_named(file, &text, err);
    struct slice secret = slice_trim(buf_slice(&text));

    if (r < 0)
        return r;
    if (secret.len == 0)
        return err_set(err, ERR_INVALID, "'%s' holds no token: it is empty", file);
    if (*ret)
        explicit_bzero(*ret, strlen(*ret));
    free(*ret);
    *ret = mem_dup(secret.ptr, secret.len);
    return ERR_OK;
}

const char *const *inputs_list(struct arena *a, const char *text)
{
    struct slice rest = slice_of(text), one;
    size_t n = 1;

    for (const char *c = text; c && *c; c++)
        n += *c == ',';
    const char **list = arena_array(a, n + 1, sizeof *list);
    for (n = 0; rest.ptr && slice_split(&rest, ',', &one);)
        if (slice_trim(one).len)
            list[n++] = arena_str(a, slice_trim(one));
    return list;
}
