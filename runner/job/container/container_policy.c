#include "job/container/container_policy.h"

#include "base/path.h"
#include "job/container/container_options.h"
#include "lang/pattern.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define ENGINE_SOCKET "/var/run/docker.sock"

/* ---- members ---- */

const char *const container_policy_members[] = {"volumes", "options", "socket",
                                                "add",     "network", NULL};

static bool is_text(const json_t *value)
{
    size_t len = json_string_length(value);

    return json_is_string(value) && len && len <= CONTAINER_POLICY_TEXT_MAX &&
           !memchr(json_string_value(value), '\0', len);
}

static bool are_texts(const json_t *value, bool (*is)(const char *text))
{
    const json_t *one;
    size_t i;

    json_array_foreach (value, i, one)
        if (!is_text(one) || !is(json_string_value(one)))
            return false;
    return json_is_array(value) && json_array_size(value) <= CONTAINER_POLICY_LIST_MAX;
}

static bool is_name(const char *text)
{
    for (const char *c = text; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", *c))
            return false;
    return *text && !strchr(".-", *text);
}

static bool is_volume(const char *text)
{
    return text[0] == '/' || text[0] == '*' || !strchr(text, '/');
}

static bool is_option(const char *text)
{
    return strcmp(text, "*") == 0 ||
           (text[0] == '-' && text[1] == '-' && text[2] && text[2] != '=');
}

static bool are_options(const char *text)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct container_option *ignored;
    struct err err = ERR_INIT;
    size_t n;

    return container_options_read(&a, text, &ignored, &n, &err) == ERR_OK;
}

int container_policy_member(const char *key, const json_t *value, struct err *err)
{
    if (strcmp(key, "volumes") == 0 && !are_texts(value, is_volume))
        return err_set(err, ERR_INVALID,
                       "'volumes' lists names of volumes and whole paths: [data, /srv/cache/**]");
    if (strcmp(key, "options") == 0 && !are_texts(value, is_option))
        return err_set(err, ERR_INVALID,
                       "'options' lists options by their long names: [--privileged, --gpus=all]");
    if (strcmp(key, "socket") == 0 && !json_is_boolean(value))
        return err_set(err, ERR_INVALID, "'socket' is true or false");
    if (strcmp(key, "add") == 0 && (!is_text(value) || !are_options(json_string_value(value))))
        return err_set(
            err, ERR_INVALID,
            "'add' is options as they stand on a command line: '--add-host=a:host-gateway'");
    if (strcmp(key, "network") == 0 && (!is_text(value) || !is_name(json_string_value(value))))
        return err_set(err, ERR_INVALID, "'network' is the name of one: 'host', 'ci'");
    return ERR_OK;
}

/* ---- asking all places ---- */

typedef bool allows_fn(const json_t *said, struct slice asked, const char *value);

/* ERR_OK: it is allowed. Else *RET_FILE is who says no; NULL: nobody says anything. */
static bool is_allowed(const json_t *policies, const char *key, allows_fn *allows,
                       struct slice asked, const char *value, const char **ret_file)
{
    const json_t *place;
    bool spoken = false;
    size_t i;

    *ret_file = NULL;
    json_array_foreach (policies, i, place) {
        const json_t *said = json_object_get(place, key);

        if (!said)
            continue;
        spoken = true;
        if (!allows(said, asked, value)) {
            *ret_file = json_string_value(json_object_get(place, "file"));
            return false;
        }
    }
    return spoken;
}

static int deny(struct err *err, const char *file, const char *key, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

static int deny(struct err *err, const char *file, const char *key, const char *fmt, ...)
{
    char what[128];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    if (file)
        return err_set(err, ERR_DENIED, "%s is not allowed here: '%.60s' does not have it in '%s'",
                       what, file, key);
    return err_set(err, ERR_DENIED,
                   "%s is not allowed here: the runner's configuration may, with 'listen: "
                   "{containers: {%s: [...]}}'",
                   what, key);
}

/* ---- volumes ---- */

/* PATH (normal) without links as far as it is there, since a job may have put one where it could write. NULL: it cannot be
 * told where it leads. */
static const char *resolved(struct arena *a, const char *path)
{
    CLEANUP(free_ptr) char *head = mem_dup(path, strlen(path));
    const char *tail = "";
    struct stat st;

    for (;;) {
        CLEANUP(free_ptr) char *real = realpath(head, NULL);
        char *slash = strrchr(head, '/');

        if (real)
            return arena_printf(a, "%s%s", strcmp(real, "/") == 0 && *tail ? "" : real, tail);
        if (errno != ENOENT || lstat(head, &st) == 0)
            return NULL;
        tail = arena_printf(a, "%s%s", slash, tail);
        if (slash == head)
            return tail;
        *slash = '\0';
    }
}

/* What stands before the first star is a folder of this machine, and looked at as such. */
static struct slice pattern_of(struct arena *a, const char *text)
{
    size_t fixed = strcspn(text, "*");

    while (text[fixed] && fixed > 1 && text[fixed - 1] != '/')
        fixed--;
    if (text[0] != '/' || fixed <= 1)
        return pattern_of_stars(a, slice_of(text));
    CLEANUP(free_ptr) char *head = path_normal(arena_str(a, slice_make(text, fixed)));
    const char *real = resolved(a, head), *rest = text + fixed;
    return pattern_of_stars(
        a, slice_of(arena_printf(a, "%s%s%s", real ? real : head, *rest ? "/" : "", rest)));
}

static bool names(const json_t *list, struct slice asked, const char *value)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    const json_t *one;
    size_t i;

    (void)value;
    json_array_foreach (list, i, one)
        if (pattern_match(pattern_of(&a, json_string_value(one)), asked))
            return true;
    return false;
}

struct asking {
    struct arena *arena;
    const json_t *policies;
    const struct container_policy_own *own; /* NULL: nothing is the job's own */
    struct err *err;
};

/* *RET is what is to be mounted. */
static int check_source(struct asking *q, const char *source, const char **ret)
{
    bool path = source[0] == '/';
    const char *file, *real = source;

    if (!path && !is_name(source))
        return err_set(q->err, ERR_DENIED,
                       "'%.60s' is neither the name of a volume nor a whole path", source);
    if (path) {
        CLEANUP(free_ptr) char *normal = path_normal(source);

        *ret = arena_str(q->arena, slice_of(normal));
        if ((q->own && q->own->has(q->own->ctx, *ret)) ||
            (strcmp(*ret, ENGINE_SOCKET) == 0 && container_policy_shows_socket(q->policies)))
            return ERR_OK;
        real = resolved(q->arena, *ret);
    }
    if (!is_allowed(q->policies, "volumes", names, slice_of(real ? real : ""), NULL, &file))
        return deny(q->err, file, "volumes", "volume '%.80s'", source);
    *ret = real ? real : source;
    return ERR_OK;
}

/* "source:target[:mode]" or "target", which is a volume without a name, of this container alone. */
static int check_volume(struct asking *q, const char **volume)
{
    size_t len = strcspn(*volume, ":");
    const char *source = arena_str(q->arena, slice_make(*volume, len));

    if (!(*volume)[len])
        return ERR_OK;
    int r = check_source(q, source, &source);
    if (r == ERR_OK)
        *volume = arena_printf(q->arena, "%s%s", source, *volume + len);
    return r;
}

/* ---- options ---- */

static bool lists_option(const json_t *list, struct slice asked, const char *value)
{
    const json_t *one;
    size_t i;

    json_array_foreach (list, i, one) {
        struct slice text = slice_of(json_string_value(one));
        ssize_t at = slice_find_char(text, '=');

        if (slice_eq(text, SLICE("*")) || slice_eq(text, asked))
            return true;
        if (at > 0 && value && slice_eq(slice_head(text, (size_t)at), asked) &&
            slice_eq(slice_from(text, (size_t)at + 1), slice_of(value)))
            return true;
    }
    return false;
}

/* What stands among the options is left as it is: it has to be what was looked at. */
static int check_written(struct asking *q, const char *source)
{
    const char *real;
    int r = check_source(q, source, &real);

    if (r == ERR_OK && strcmp(real, source) != 0)
        return err_set(q->err, ERR_DENIED, "among the options '%.80s' is to be written as '%.80s'",
                       source, real);
    return r;
}

static int check_option(struct asking *q, const struct container_option *o)
{
    const char *value = o->value ? o->value : "", *source, *file;
    size_t len = strcspn(value, ":");

    if (is_allowed(q->policies, "options", lists_option, slice_of(o->name), o->value, &file) ||
        o->kind == CONTAINER_OPTION_HARMLESS)
        return ERR_OK;
    if (o->kind == CONTAINER_OPTION_OTHER)
        return deny(q->err, file, "options", "option '%.40s'", o->name);
    if (o->kind == CONTAINER_OPTION_VOLUME)
        source = value[len] ? arena_str(q->arena, slice_make(value, len)) : "";
    else if (container_options_mount(q->arena, value, &source, q->err) < 0)
        return deny(q->err, file, "options", "option '--mount' with %.80s", q->err->text);
    return *source || value[0] == ':' ? check_written(q, source) : ERR_OK;
}

/* ---- a container ---- */

static int check(struct asking *q, struct container_def *d)
{
    struct asking among_options = {q->arena, q->policies, NULL, q->err}; /* the engine's paths */
    struct container_option *options;
    size_t n;
    int r = container_options_read(q->arena, d->options, &options, &n, q->err);

    for (size_t i = 0; r == ERR_OK && i < n; i++)
        r = check_option(&among_options, &options[i]);
    for (const char **v = d->volumes; r == ERR_OK && *v; v++)
        r = check_volume(q, v);
    return r;
}

int container_policy_check(struct arena *a, const json_t *policies,
                           const struct container_policy_own *own, struct container_def *d,
                           struct err *err)
{
    struct asking q = {.arena = a, .policies = policies, .own = own, .err = err};

    if (!policies || check(&q, d) == ERR_OK)
        return ERR_OK;
    return d->alias ? err_in(err, "service '%.60s'", d->alias) : err_in(err, "`container`");
}

/* ---- what all get ---- */

static bool is_true(const json_t *said, struct slice asked, const char *value)
{
    (void)asked;
    (void)value;
    return json_is_true(said);
}

bool container_policy_shows_socket(const json_t *policies)
{
    const char *file;

    return !policies || is_allowed(policies, "socket", is_true, SLICE(""), NULL, &file);
}

const char *container_policy_added(struct arena *a, const json_t *policies)
{
    const char *all = "";
    const json_t *place;
    size_t i;

    json_array_foreach (policies, i, place) {
        const char *add = json_string_value(json_object_get(place, "add"));

        if (add)
            all = arena_printf(a, "%s%s%s", all, *all ? " " : "", add);
    }
    return all;
}

const char *container_policy_network(const json_t *policies)
{
    const char *name = NULL;
    const json_t *place;
    size_t i;

    json_array_foreach (policies, i, place)
        if (json_object_get(place, "network"))
            name = json_string_value(json_object_get(place, "network"));
    return name;
}
