/* The install record: a plugin's contract as JSON, and as the action.yml that lies beside it. */
#include "plugin/plugin.h"

#include "base/buf.h"
#include "plugin/rules.h"
#include "plugin/version.h"

enum { RECORD_SCHEMA = 1 };

struct flag {
    uint32_t bit;
    const char *name;
};

static const struct flag need_names[] = {
    {OST_NEED_NETWORK, "network"},
    {OST_NEED_WORKSPACE_WRITE, "workspace-write"},
};
static const struct flag trait_names[] = {{OST_EFFECTS_VIA_HOST, "effects-via-host"},
                                          {OST_POST_IF_SAVED, "post-if-saved"}};
static const struct flag phase_flags[] = {
    {1u << OST_PHASE_PLAN, "plan"},
    {1u << OST_PHASE_PRE, "pre"},
    {1u << OST_PHASE_MAIN, "main"},
    {1u << OST_PHASE_POST, "post"},
};

const char *plugin_protocol_name(enum plugin_protocol protocol)
{
    static const char *const names[PLUGIN_PROTOCOLS] = {
        [PLUGIN_OBJECT] = "object", [PLUGIN_LINES] = "json-lines", [PLUGIN_ENV] = "plugin-env"};

    return protocol < PLUGIN_PROTOCOLS ? names[protocol] : NULL;
}

/* ---- out ---- */

static void set_text(json_t *to, const char *key, const char *text)
{
    if (text)
        json_object_set_new(to, key, json_string(text));
}

static json_t *flags_json(uint32_t bits, const struct flag *names, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        if (bits & names[i].bit)
            json_array_append_new(list, json_string(names[i].name));
    return list;
}

static json_t *input_json(const struct plugin_input *in)
{
    json_t *j = json_object();

    set_text(j, "name", in->name);
    set_text(j, "type", plugin_type_name(in->type));
    json_object_set_new(j, "required", json_boolean(in->flags & OST_REQUIRED));
    json_object_set_new(j, "secret", json_boolean(in->flags & OST_SECRET));
    set_text(j, "default", in->fallback);
    set_text(j, "description", in->description);
    set_text(j, "deprecation", in->deprecation);
    if (in->choices) {
        json_t *list = json_array();

        for (const char *const *c = in->choices; *c; c++)
            json_array_append_new(list, json_string(*c));
        json_object_set_new(j, "choices", list);
    }
    return j;
}

json_t *plugin_to_json(const struct plugin *p)
{
    json_t *j = json_object(), *inputs = json_array(), *outputs = json_array();

    json_object_set_new(j, "schema", json_integer(RECORD_SCHEMA));
    set_text(j, "id", p->id);
    set_text(j, "version", p->version);
    set_text(j, "title", p->title);
    set_text(j, "description", p->description);
    set_text(j, "author", p->author);
    for (size_t i = 0; i < p->n_inputs; i++)
        json_array_append_new(inputs, input_json(&p->inputs[i]));
    json_object_set_new(j, "inputs", inputs);
    for (size_t i = 0; i < p->n_outputs; i++) {
        json_t *one = json_object();

        set_text(one, "name", p->outputs[i].name);
        set_text(one, "description", p->outputs[i].description);
        json_array_append_new(outputs, one);
    }
    json_object_set_new(j, "outputs", outputs);
    json_object_set_new(j, "needs", flags_json(p->needs, need_names, COUNT_OF(need_names)));
    json_object_set_new(j, "traits", flags_json(p->traits, trait_names, COUNT_OF(trait_names)));
    json_object_set_new(j, "phases", flags_json(p->phases, phase_flags, COUNT_OF(phase_flags)));
    set_text(j, "pre_if", p->pre_if);
    set_text(j, "post_if", p->post_if);
    if (p->protocol != PLUGIN_OBJECT)
        set_text(j, "protocol", plugin_protocol_name(p->protocol));
    set_text(j, "sha256", p->sha256);
    set_text(j, "object", p->object);
    if (p->serves) {
        json_t *list = json_array();

        for (const char *const *c = p->serves; *c; c++)
            json_array_append_new(list, json_string(*c));
        json_object_set_new(j, "serves", list);
    }
    return j;
}

/* ---- in: nothing here is believed ---- */

/* A text, or NULL when it is absent. */
static int get_text(struct arena *a, const json_t *from, const char *key, const char **ret,
                    struct err *err)
{
    const json_t *j = json_object_get(from, key);
    struct slice s = {json_string_value(j), json_string_length(j)};

    if (!j)
        return ERR_OK;
    if (!json_is_string(j))
        return err_set(err, ERR_INVALID, "'%s' is not a text", key);
    if (s.len > PLUGIN_TEXT_MAX)
        return err_set(err, ERR_LIMIT, "'%s' is larger than %d bytes", key, PLUGIN_TEXT_MAX);
    if (memchr(s.ptr, '\0', s.len))
        return err_set(err, ERR_INVALID, "'%s' has a NUL byte in it", key);
    *ret = arena_str(a, s);
    return ERR_OK;
}

static int get_list(const json_t *from, const char *key, size_t max, const json_t **ret,
                    struct err *err)
{
    const json_t *j = json_object_get(from, key);

    if (j && !json_is_array(j))
        return err_set(err, ERR_INVALID, "'%s' is not a list", key);
    if (json_array_size(j) > max)
        return err_set(err, ERR_LIMIT, "'%s' has more than %zu entries", key, max);
    *ret = j;
    return ERR_OK;
}

static int get_texts(struct arena *a, const json_t *from, const char *key, size_t max,
                     const char *const **ret, struct err *err)
{
    const json_t *list;
    int r = get_list(from, key, max, &list, err);
    size_t n = json_array_size(list);
    const char **texts = arena_array(a, n + 1, sizeof *texts);

    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(list, i));

        if (!text || strlen(text) > PLUGIN_TEXT_MAX)
            return err_set(err, ERR_INVALID, "'%s' does not hold texts only", key);
        texts[i] = arena_str(a, slice_of(text));
    }
    *ret = texts;
    return ERR_OK;
}

static int get_flags(const json_t *from, const char *key, const struct flag *names, size_t n,
                     uint32_t *ret, struct err *err)
{
    const json_t *list;
    int r = get_list(from, key, 32, &list, err);
    uint32_t bits = 0;

    if (r < 0)
        return r;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        size_t at = 0;

        while (at < n && (!text || strcmp(text, names[at].name) != 0))
            at++;
        if (at == n)
            return err_set(err, ERR_INVALID, "'%s' holds '%.40s', which this runner does not know",
                           key, text ? text : "?");
        bits |= names[at].bit;
    }
    *ret = bits;
    return ERR_OK;
}

static bool get_bool(const json_t *from, const char *key)
{
    return json_is_true(json_object_get(from, key));
}

static int type_of(const char *name)
{
    for (int type = 0; plugin_type_name(type); type++)
        if (name && strcmp(name, plugin_type_name(type)) == 0)
            return type;
    return -1;
}

static int check_choices(const struct plugin_input *in, struct err *err)
{
    if (in->type != OST_CHOICE)
        return ERR_OK;
    if (!in->choices || !in->choices[0])
        return err_set(err, ERR_INVALID, "input '%s' is a choice without choices", in->name);
    return ERR_OK;
}

static int read_input(struct arena *a, const json_t *j, struct plugin_input *in, struct err *err)
{
    const char *type = NULL;
    int r = get_text(a, j, "name", &in->name, err);

    if (r < 0)
        return r;
    if (!in->name || !rules_is_name(slice_of(in->name)))
        return err_set(err, ERR_INVALID, "'%.60s' is no name for an input",
                       in->name ? in->name : "");
    if ((r = get_text(a, j, "type", &type, err)) < 0 ||
        (r = get_text(a, j, "default", &in->fallback, err)) < 0 ||
        (r = get_text(a, j, "description", &in->description, err)) < 0 ||
        (r = get_text(a, j, "deprecation", &in->deprecation, err)) < 0)
        return err_in(err, "input '%s'", in->name);
    in->type = type_of(type);
    if (in->type < 0)
        return err_set(err, ERR_INVALID, "input '%s' has a type that this runner does not know",
                       in->name);
    in->flags =
        (get_bool(j, "required") ? OST_REQUIRED : 0u) | (get_bool(j, "secret") ? OST_SECRET : 0u);
    if (json_object_get(j, "choices")) {
        r = get_texts(a, j, "choices", PLUGIN_CHOICES_MAX, &in->choices, err);
        if (r < 0)
            return err_in(err, "input '%s'", in->name);
    }
    return check_choices(in, err);
}

static int read_inputs(struct plugin *p, const json_t *j, struct err *err)
{
    const json_t *list;
    int r = get_list(j, "inputs", PLUGIN_INPUTS_MAX, &list, err);
    size_t n = json_array_size(list);

    if (r < 0)
        return r;
    struct plugin_input *inputs = arena_array(&p->arena, n, sizeof *inputs);
    p->inputs = inputs;
    for (size_t i = 0; i < n; i++) {
        r = read_input(&p->arena, json_array_get(list, i), &inputs[i], err);
        if (r < 0)
            return r;
        if (plugin_input_find(p, inputs[i].name)) /* n_inputs counts those before this one */
            return err_set(err, ERR_INVALID, "the input '%s' is declared twice", inputs[i].name);
        p->n_inputs++;
    }
    return ERR_OK;
}

static int read_outputs(struct plugin *p, const json_t *j, struct err *err)
{
    const json_t *list;
    int r = get_list(j, "outputs", PLUGIN_INPUTS_MAX, &list, err);
    size_t n = json_array_size(list);

    if (r < 0)
        return r;
    struct plugin_output *outputs = arena_array(&p->arena, n, sizeof *outputs);
    p->outputs = outputs;
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(list, i);

        if ((r = get_text(&p->arena, one, "name", &outputs[i].name, err)) < 0 ||
            (r = get_text(&p->arena, one, "description", &outputs[i].description, err)) < 0)
            return err_in(err, "an output");
        if (!outputs[i].name || !rules_is_name(slice_of(outputs[i].name)))
            return err_set(err, ERR_INVALID, "'%.60s' is no name for an output",
                           outputs[i].name ? outputs[i].name : "");
        if (plugin_output_find(p, outputs[i].name))
            return err_set(err, ERR_INVALID, "the output '%s' is declared twice", outputs[i].name);
        p->n_outputs++;
    }
    return ERR_OK;
}

static int read_protocol(struct plugin *p, const json_t *j, struct err *err)
{
    const char *name = NULL;
    int r = get_text(&p->arena, j, "protocol", &name, err);

    if (r < 0 || !name)
        return r;
    while (p->protocol < PLUGIN_PROTOCOLS && strcmp(plugin_protocol_name(p->protocol), name) != 0)
        p->protocol++;
    if (p->protocol < PLUGIN_PROTOCOLS)
        return ERR_OK;
    return err_set(err, ERR_INVALID,
                   "the protocol '%.60s' is none: 'json-lines' and 'plugin-env' are", name);
}

static int read_head(struct plugin *p, const json_t *j, struct err *err)
{
    struct arena *a = &p->arena;
    struct version v;
    int r;

    if (json_integer_value(json_object_get(j, "schema")) != RECORD_SCHEMA)
        return err_set(err, ERR_UNSUPPORTED, "it is not of schema %d", RECORD_SCHEMA);
    if ((r = get_text(a, j, "id", &p->id, err)) < 0 ||
        (r = get_text(a, j, "version", &p->version, err)) < 0 ||
        (r = get_text(a, j, "title", &p->title, err)) < 0 ||
        (r = get_text(a, j, "description", &p->description, err)) < 0 ||
        (r = get_text(a, j, "author", &p->author, err)) < 0 ||
        (r = get_text(a, j, "pre_if", &p->pre_if, err)) < 0 ||
        (r = get_text(a, j, "post_if", &p->post_if, err)) < 0 ||
        (r = get_text(a, j, "sha256", &p->sha256, err)) < 0 ||
        (r = get_text(a, j, "object", &p->object, err)) < 0)
        return r;
    if (!p->id || !rules_is_id(slice_of(p->id)))
        return err_set(err, ERR_INVALID, "the id '%.60s' is not of the form 'owner/name'",
                       p->id ? p->id : "");
    if (!p->version || strlen(p->version) > 100 || !version_parse(slice_of(p->version), &v))
        return err_set(err, ERR_INVALID, "the version '%.60s' is not of the form '1.4.2'",
                       p->version ? p->version : "");
    if (p->sha256 && (strlen(p->sha256) != 64 || ref_kind(slice_of(p->sha256)) != REF_COMMIT))
        return err_set(err, ERR_INVALID, "'sha256' is not a SHA-256 in hex");
    if (p->object && (strchr(p->object, '/') || p->object[0] == '.' || !p->object[0]))
        return err_set(err, ERR_INVALID, "'object' is not the name of a file beside the record");
    return ERR_OK;
}

static int read_all(struct plugin *p, const json_t *j, struct err *err)
{
    int r = read_head(p, j, err);

    if (r < 0 || (r = read_protocol(p, j, err)) < 0 || (r = read_inputs(p, j, err)) < 0 ||
        (r = read_outputs(p, j, err)) < 0 ||
        (r = get_flags(j, "needs", need_names, COUNT_OF(need_names), &p->needs, err)) < 0 ||
        (r = get_flags(j, "traits", trait_names, COUNT_OF(trait_names), &p->traits, err)) < 0 ||
        (r = get_flags(j, "phases", phase_flags, COUNT_OF(phase_flags), &p->phases, err)) < 0 ||
        (r = get_texts(&p->arena, j, "serves", 10000, &p->serves, err)) < 0)
        return r;
    if (!plugin_has_phase(p, OST_PHASE_MAIN))
        return err_set(err, ERR_INVALID, "it has no main phase");
    return ERR_OK;
}

int plugin_from_json(const json_t *json, struct plugin **ret, struct err *err)
{
    struct arena arena = ARENA_INIT;
    struct plugin *p = ARENA_NEW(&arena, struct plugin);

    p->arena = arena;
    int r = json_is_object(json) ? read_all(p, json, err)
                                 : err_set(err, ERR_INVALID, "it is not a JSON object");
    if (r < 0) {
        plugin_free(p);
        return r;
    }
    *ret = p;
    return ERR_OK;
}

/* ---- action.yml ---- */

/* A JSON string is a YAML double-quoted scalar. The caller frees it. */
static char *quoted(const char *text)
{
    json_t *j = json_string(text);
    char *out = json_dumps(j, JSON_ENCODE_ANY);

    json_decref(j);
    return out;
}

static void yaml_line(struct buf *to, int indent, const char *key, const char *text)
{
    CLEANUP(free_ptr) char *value = text ? quoted(text) : NULL;

    if (value)
        buf_printf(to, "%*s%s: %s\n", indent, "", key, value);
}

static void yaml_item(struct buf *to, const char *text)
{
    CLEANUP(free_ptr) char *value = quoted(text);

    buf_printf(to, "      - %s\n", value);
}

static void yaml_input(struct buf *to, const struct plugin_input *in)
{
    buf_printf(to, "  %s:\n", in->name);
    yaml_line(to, 4, "description", in->description);
    buf_printf(to, "    required: %s\n", in->flags & OST_REQUIRED ? "true" : "false");
    buf_printf(to, "    type: %s\n", plugin_type_name(in->type));
    if (in->flags & OST_SECRET)
        buf_add_str(to, "    secret: true\n");
    yaml_line(to, 4, "default", in->fallback);
    yaml_line(to, 4, "deprecationMessage", in->deprecation);
    if (in->choices)
        buf_add_str(to, "    choices:\n");
    for (const char *const *c = in->choices; c && *c; c++)
        yaml_item(to, *c);
}

static void yaml_outputs(struct buf *to, const struct plugin *p)
{
    if (p->n_outputs)
        buf_add_str(to, "outputs:\n");
    for (size_t i = 0; i < p->n_outputs; i++) {
        buf_printf(to, "  %s:\n", p->outputs[i].name);
        yaml_line(to, 4, "description", p->outputs[i].description ? p->outputs[i].description : "");
    }
}

static void yaml_flags(struct buf *to, const char *key, uint32_t bits, const struct flag *names,
                       size_t n)
{
    if (bits)
        buf_printf(to, "  %s:\n", key);
    for (size_t i = 0; i < n; i++)
        if (bits & names[i].bit)
            buf_printf(to, "    - %s\n", names[i].name);
}

/* What a shared object has in itself. */
static void yaml_program(struct buf *to, const struct plugin *p)
{
    if (p->protocol == PLUGIN_OBJECT)
        return;
    yaml_line(to, 2, "protocol", plugin_protocol_name(p->protocol));
    yaml_line(to, 2, "id", p->id);
    yaml_line(to, 2, "version", p->version);
    yaml_flags(to, "needs", p->needs, need_names, COUNT_OF(need_names));
    yaml_flags(to, "traits", p->traits, trait_names, COUNT_OF(trait_names));
    if (plugin_has_phase(p, OST_PHASE_PLAN))
        buf_add_str(to, "  plan: true\n");
}

char *plugin_to_yaml(const struct plugin *p)
{
    struct buf out = BUF_INIT(8 * PLUGIN_RECORD_MAX);
    const char *object = p->object ? p->object : "plugin.so";

    yaml_line(&out, 0, "name", p->title ? p->title : strrchr(p->id, '/') + 1);
    yaml_line(&out, 0, "description", p->description ? p->description : "");
    yaml_line(&out, 0, "author", p->author);
    if (p->n_inputs)
        buf_add_str(&out, "inputs:\n");
    for (size_t i = 0; i < p->n_inputs; i++)
        yaml_input(&out, &p->inputs[i]);
    yaml_outputs(&out, p);
    buf_add_str(&out, "runs:\n  using: ostler/1\n");
    yaml_program(&out, p);
    yaml_line(&out, 2, "main", object);
    if (plugin_has_phase(p, OST_PHASE_PRE))
        yaml_line(&out, 2, "pre", object);
    yaml_line(&out, 2, "pre-if", p->pre_if);
    if (plugin_has_phase(p, OST_PHASE_POST))
        yaml_line(&out, 2, "post", object);
    yaml_line(&out, 2, "post-if", p->post_if);
    return buf_take(&out);
}
