#include "job/container/container_def.h"

#include "base/buf.h"
#include "base/vec.h"
#include "job/shell.h"

/* ---- reading ---- */

/* A scalar as text, by the rules of expressions; NULL for lists and mappings. */
static const char *text_of(struct arena *a, const json_t *value)
{
    if (json_is_string(value))
        return arena_str(a, slice_make(json_string_value(value), json_string_length(value)));
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    if (json_is_integer(value))
        return arena_printf(a, "%lld", (long long)json_integer_value(value));
    if (json_is_real(value))
        return arena_printf(a, "%.15g", json_real_value(value));
    return value && !json_is_null(value) ? NULL : "";
}

static int no_text(const struct container_def *d, const char *what, struct err *err)
{
    if (d->alias)
        return err_set(err, ERR_INVALID, "service '%.80s': `%.80s` has to be a text", d->alias,
                       what);
    return err_set(err, ERR_INVALID, "`container`: `%.80s` has to be a text", what);
}

/* The text of member NAME into *RET, which stays as it is when there is none, or an empty one. */
static int member(struct arena *a, const struct container_def *d, const json_t *object,
                  const char *name, const char **ret, struct err *err)
{
    const char *text = text_of(a, json_object_get(object, name));

    if (!text)
        return no_text(d, name, err);
    if (*text)
        *ret = text;
    return ERR_OK;
}

/* A list of texts; a lone one is a list, too. */
static int texts(struct arena *a, const struct container_def *d, const json_t *object,
                 const char *name, const char ***ret, struct err *err)
{
    const json_t *list = json_object_get(object, name), *item;
    size_t n = json_array_size(list), at;

    *ret = arena_array(a, n + 2, sizeof **ret);
    if (!json_is_array(list))
        return member(a, d, object, name, *ret, err);
    json_array_foreach (list, at, item) {
        (*ret)[at] = text_of(a, item);
        if (!(*ret)[at])
            return no_text(d, name, err);
    }
    return ERR_OK;
}

static int read_env(struct arena *a, struct container_def *d, const json_t *env, struct err *err)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)(size_t)env, name, value) {
        const char *text = text_of(a, value);

        if (!text)
            return no_text(d, name, err);
        strmap_set(&d->env, slice_of(name),
                   json_is_string(value) ? slice_make(text, json_string_length(value))
                                         : slice_of(text));
    }
    return ERR_OK;
}

static const char *without_scheme(const char *image)
{
    return strncmp(image, "docker://", 9) == 0 ? image + 9 : image;
}

static int read_object(struct arena *a, struct container_def *d, const json_t *value,
                       struct err *err)
{
    const json_t *credentials = json_object_get(value, "credentials");
    int r = member(a, d, value, "image", &d->image, err);

    if (r == ERR_OK)
        r = member(a, d, value, "options", &d->options, err);
    if (r == ERR_OK)
        r = member(a, d, value, "entrypoint", &d->entrypoint, err);
    if (r == ERR_OK)
        r = member(a, d, value, "command", &d->command, err);
    if (r == ERR_OK)
        r = member(a, d, credentials, "username", &d->username, err);
    if (r == ERR_OK)
        r = member(a, d, credentials, "password", &d->password, err);
    if (r == ERR_OK)
        r = texts(a, d, value, "ports", &d->ports, err);
    if (r == ERR_OK)
        r = texts(a, d, value, "volumes", &d->volumes, err);
    return r < 0 ? r : read_env(a, d, json_object_get(value, "env"), err);
}

int container_def_read(struct arena *a, const char *alias, const json_t *value,
                       struct container_def *ret, struct err *err)
{
    struct container_def d = {.alias = alias, .image = "", .options = "", .env = STRMAP_INIT};
    int r = ERR_OK;

    d.ports = d.volumes = arena_array(a, 1, sizeof *d.ports);
    if (json_is_object(value))
        r = read_object(a, &d, value, err);
    else if ((d.image = text_of(a, value)) == NULL)
        r = no_text(&d, "image", err);
    struct slice image = slice_trim(slice_of(r == ERR_OK ? without_scheme(d.image) : ""));
    if (r == ERR_OK && slice_starts(image, SLICE("-"))) /* the engine would read an option */
        r = err_set(err, ERR_INVALID, "'%.*s' is no image", SLICE_ARG(slice_head(image, 80)));
    if (r < 0) {
        container_def_deinit(&d);
        return r;
    }
    d.image = arena_str(a, image);
    *ret = d;
    return ERR_OK;
}

void container_def_deinit(struct container_def *d)
{
    strmap_deinit(&d->env);
}

/* ---- names ---- */

const char *container_registry(struct arena *a, const char *image)
{
    const char *slash = strchr(image, '/');
    struct slice first = slice_make(image, slash ? (size_t)(slash - image) : 0);

    if (slash && (slice_find_char(first, '.') >= 0 || slice_find_char(first, ':') >= 0 ||
                  strchr(slash + 1, '/')))
        return arena_str(a, first);
    return "";
}

const char *container_name(struct arena *a, const char *before, const char *image,
                           const char *after)
{
    CLEANUP(buf_deinit) struct buf name = BUF_INIT(256);

    if (before)
        buf_printf(&name, "%.32s_", before);
    size_t begin = name.len;
    for (const char *c = image; *c && name.len < 200; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_';

        if (letter || (*c >= '0' && *c <= '9' && name.len > begin))
            buf_add_char(&name, *c);
    }
    buf_printf(&name, "_%.6s", after);
    return arena_str(a, buf_slice(&name));
}

/* ---- arguments ---- */

void args_add(struct args *args, const char *option, const char *value)
{
    if (option)
        vec_push(&args->list, option);
    if (value)
        vec_push(&args->list, value);
}

static void add_split(struct args *args, struct arena *a, const char *text)
{
    size_t n;
    const char **words = shell_split(a, slice_of(text), &n);

    for (size_t i = 0; i < n; i++)
        args_add(args, NULL, words[i]);
}

static void add_each(struct args *args, const char *option, const char *const *values)
{
    for (; values && *values; values++)
        if (**values)
            args_add(args, option, *values);
}

bool container_network_has_names(const char *network)
{
    static const char *const without[] = {"host", "bridge", "none", "default"};

    for (size_t i = 0; i < COUNT_OF(without); i++)
        if (strcmp(network, without[i]) == 0)
            return false;
    return true;
}

const char *const *container_create_args(struct arena *a, const struct container_def *d,
                                         const struct container_setting *s)
{
    struct args args = {0};

    args_add(&args, NULL, "create");
    args_add(&args, "--name", s->name);
    args_add(&args, "--label", s->label);
    if (s->workdir)
        args_add(&args, "--workdir", s->workdir);
    args_add(&args, "--network", s->network);
    if (d->alias && container_network_has_names(s->network))
        args_add(&args, "--network-alias", d->alias);
    add_each(&args, "-p", (const char *const *)d->ports);
    add_split(&args, a, d->options);
    for (const char *const *word = s->limits; word && *word; word++)
        args_add(&args, NULL, *word);
    args_add(&args, "--env-file", s->env_file);
    add_each(&args, "-v", (const char *const *)d->volumes);
    add_each(&args, "-v", s->mounts);
    if (s->program)
        args_add(&args, "--entrypoint", s->program[0]);
    else if (d->entrypoint)
        args_add(&args, "--entrypoint", d->entrypoint);
    args_add(&args, NULL, d->image);
    if (s->program)
        for (const char *const *arg = s->program + 1; *arg; arg++)
            args_add(&args, NULL, *arg);
    else if (d->command)
        add_split(&args, a, d->command);
    const char **ret = arena_array(a, args.list.len + 1, sizeof *ret);
    memcpy(ret, args.list.ptr, args.list.len * sizeof *ret);
    vec_deinit(&args.list);
    return ret;
}

json_t *container_ports_read(struct slice text)
{
    json_t *ports = json_object();
    struct slice line;

    while (slice_line(&text, &line)) {
        ssize_t slash = slice_find_char(line, '/'), arrow = slice_find(line, SLICE(" -> "));
        size_t colon = line.len;

        while (colon > 0 && line.ptr[colon - 1] != ':')
            colon--;
        if (slash <= 0 || arrow < slash || colon <= (size_t)arrow)
            continue;
        struct slice address =
            slice_head(slice_from(line, (size_t)arrow + 4), colon - 1 - ((size_t)arrow + 4));
        CLEANUP(free_ptr) char *inside = mem_dup(line.ptr, (size_t)slash);
        struct slice outside = slice_trim(slice_from(line, colon));

        if (slice_find_char(address, ':') >= 0 && json_object_get(ports, inside))
            continue; /* of IPv6, which Docker before 23 may give a port of its own: most ask at 127.0.0.1 */
        json_object_set_new(ports, inside, json_stringn(outside.ptr, outside.len));
    }
    return ports;
}

/* ---- for hooks ---- */

json_t *container_volume_json(const char *text)
{
    struct slice rest = slice_of(text);
    bool read_only = slice_ends(rest, SLICE(":ro"));

    if (read_only)
        rest.len -= 3;
    ssize_t at = slice_find_char(rest, ':');
    struct slice source = slice_head(rest, at < 0 ? 0 : (size_t)at);
    struct slice target = slice_from(rest, (size_t)(at + 1));

    return json_pack("{s:s%, s:s%, s:b}", "sourceVolumePath", source.ptr, source.len,
                     "targetVolumePath", target.ptr, target.len, "readOnly", (int)read_only);
}

static json_t *volumes_json(const struct container_def *d)
{
    json_t *list = json_array();

    for (const char **v = d->volumes; *v; v++) {
        json_t *one = container_volume_json(*v);

        json_object_set_new(one, "userProvidedValue", json_string(*v));
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *registry_json(const struct container_def *d)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;

    if (!d->username || !d->password)
        return json_null();
    return json_pack("{s:s, s:s, s:s}", "username", d->username, "password", d->password,
                     "serverUrl", container_registry(&a, d->image));
}

json_t *container_def_json(const struct container_def *d)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    json_t *ports = json_array(), *env = json_object(), *args = json_array();
    size_t n = 0;
    const char **words = d->command ? shell_split(&a, slice_of(d->command), &n) : NULL;

    for (const char **p = d->ports; *p; p++)
        json_array_append_new(ports, json_string(*p));
    STRMAP_EACH (i, &d->env)
        json_object_set_new(env, i->name, json_stringn(i->value, i->value_len));
    for (size_t i = 0; i < n; i++)
        json_array_append_new(args, json_string(words[i]));
    return json_pack("{s:s, s:n, s:o, s:s?, s:s, s:o, s:o, s:o, s:o}", "image", d->image,
                     "dockerfile", "entryPointArgs", args, "entryPoint", d->entrypoint,
                     "createOptions", d->options, "environmentVariables", env, "registry",
                     registry_json(d), "portMappings", ports, "userMountVolumes", volumes_json(d));
}
