/* Inputs are checked here, before any phase runs: a plugin's getters cannot fail. */
#include "plugin/plugin.h"

#include "base/num.h"
#include "base/path.h"
#include "plugin/rules.h"

static const struct slice truths[] = {SLICE_INIT("true"), SLICE_INIT("True"), SLICE_INIT("TRUE")};
static const struct slice lies[] = {SLICE_INIT("false"), SLICE_INIT("False"), SLICE_INIT("FALSE")};

/* Refuses a value. A secret one is not repeated. */
static int refuse(const struct plugin_input *in, struct slice value, const char *allowed,
                  struct err *err)
{
    if (in->flags & OST_SECRET)
        return err_set(err, ERR_INVALID,
                       "the input '%s' has a value that is not allowed: it must be %s", in->name,
                       allowed);
    return err_set(err, ERR_INVALID, "the input '%s' cannot be '%.*s': it must be %s", in->name,
                   SLICE_ARG(slice_head(value, 60)), allowed);
}

static bool is_one_of(struct slice value, const struct slice *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(value, words[i]))
            return true;
    return false;
}

static int check_bool(const struct plugin_input *in, struct slice *value, struct err *err)
{
    if (is_one_of(*value, truths, COUNT_OF(truths)))
        *value = SLICE("true");
    else if (is_one_of(*value, lies, COUNT_OF(lies)))
        *value = SLICE("false");
    else
        return refuse(in, *value,
                      "true or false (YAML 1.2 core schema: true | True | TRUE | false | False | "
                      "FALSE)",
                      err);
    return ERR_OK;
}

static int check_int(const struct plugin_input *in, struct slice *value, char text[24],
                     struct err *err)
{
    struct err why;
    int64_t n;
    bool plus = slice_starts(*value, SLICE("+"));
    struct slice digits = slice_from(*value, plus);

    if ((plus && slice_starts(digits, SLICE("-"))) ||
        num_parse_i64(digits, INT64_MIN + 1, INT64_MAX, &n, &why) < 0)
        return refuse(in, *value, "a whole number", err);
    snprintf(text, 24, "%lld", (long long)n);
    *value = slice_of(text);
    return ERR_OK;
}

static int check_choice(const struct plugin_input *in, struct slice value, struct err *err)
{
    CLEANUP(buf_deinit) struct buf allowed = BUF_INIT(120);

    for (const char *const *c = in->choices; *c; c++) {
        if (slice_eq(value, slice_of(*c)))
            return ERR_OK;
        buf_printf(&allowed, "%s'%s'", allowed.len ? ", " : "one of ", *c);
    }
    return refuse(in, value, allowed.ptr, err);
}

static bool lies_in(const char *path, const char *place)
{
    return place && *place && path_below(path, place);
}

/* A path may not lead out of the workspace by its text; an absolute one may also name the job's other
 * places. Symbolic links are the file system's business: the plugin sees only what the job sees. */
static int check_path(const struct plugin_input *in, struct slice value,
                      const struct plugin_places *places, struct err *err)
{
    CLEANUP(free_ptr) char *text = mem_dup(value.ptr, value.len);
    CLEANUP(free_ptr) char *path = path_normal(text);

    if (path[0] == '/') {
        if (lies_in(path, places->workspace) || lies_in(path, places->temp) ||
            lies_in(path, places->tools) || lies_in(path, places->home))
            return ERR_OK;
    } else if (strncmp(path, "..", 2) != 0 || (path[2] && path[2] != '/')) {
        return ERR_OK;
    }
    return refuse(in, value, "a path inside the workspace", err);
}

static int check_value(const struct plugin_input *in, struct slice *value,
                       const struct plugin_places *places, char number[24], struct err *err)
{
    switch (in->type) {
    case OST_BOOL:
        return check_bool(in, value, err);
    case OST_INT:
        return check_int(in, value, number, err);
    case OST_CHOICE:
        return check_choice(in, *value, err);
    case OST_PATH:
        return check_path(in, *value, places, err);
    default:
        return ERR_OK;
    }
}

int plugin_check_inputs(const struct plugin *p, const struct strmap *given,
                        const struct plugin_places *places, struct strmap *ret, struct err *err)
{
    for (size_t i = 0; i < p->n_inputs; i++) {
        const struct plugin_input *in = &p->inputs[i];
        struct slice value = {0};
        char number[24];

        if (strmap_find(given, slice_of(in->name), &value))
            value = slice_trim(value);
        if (value.len > PLUGIN_VALUE_MAX)
            return err_set(err, ERR_LIMIT, "the input '%s' is larger than %d bytes", in->name,
                           PLUGIN_VALUE_MAX);
        if (value.len && memchr(value.ptr, '\0', value.len))
            return err_set(err, ERR_INVALID, "the input '%s' has a NUL byte in it", in->name);
        if (!value.len && (in->flags & OST_REQUIRED))
            return err_set(err, ERR_INVALID, "the input '%s' is required and has no value (%s)",
                           in->name, in->description ? in->description : "a value under `with:`");
        if (value.len) {
            int r = check_value(in, &value, places, number, err);

            if (r < 0)
                return r;
        }
        strmap_set(ret, slice_of(in->name), value);
    }
    return ERR_OK;
}
