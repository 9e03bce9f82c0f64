#include "build_settings.h"

#include "build_labels.h"
#include "build_provenance.h"

#include <string.h>

static const char *input(const struct build *b, const char *name)
{
    return b->step->host->input(b->step, name);
}

static const char *const *list(const struct build *b, const char *name)
{
    const char *const *items;
    struct strings copy = {0};
    size_t n = b->step->host->input_list(b->step, name, &items);

    for (size_t i = 0; i < n; i++)
        strings_add(b->step, &copy, items[i]);
    return strings_list(&copy);
}

/* PATH in the workspace, relative to it; an absolute one has been checked by the host to lie in the job's places. */
static const char *in_workspace(const struct build *b, const char *path)
{
    path = rel_clean(b->step, path);
    if (path[0] == '/' && rel_below(b->workspace, path))
        return strcmp(path, b->workspace) == 0 ? "" : rel_from(b->workspace, path);
    return path;
}

/* Patterns are written as seen from the project's folder. */
static void add_pattern(struct build *b, struct strings *to, const char *pattern)
{
    bool negated = pattern[0] == '!';
    const char *rest = negated ? pattern + 1 : pattern;

    if (rest[0] != '/')
        rest = rel_join(b->step, b->recipe.folder, rest);
    strings_add(b->step, to, negated ? ost_fmt(b->step, "!%s", rest) : rest);
}

static const char *const *patterns(struct build *b, const char *name)
{
    struct strings all = {0};

    for (const char *const *pattern = list(b, name); *pattern; pattern++)
        add_pattern(b, &all, *pattern);
    return strings_list(&all);
}

/* ---- image ---- */

static ost_status read_build_args(struct build *b)
{
    b->image.build_args = list(b, "build-args");
    for (const char *const *arg = b->image.build_args; *arg; arg++)
        if (**arg == '=' || !strchr(*arg, '='))
            return ost_fail(b->step, OST_E_INVALID, "'%s' in 'build-args' is not NAME=value", *arg);
    return OST_OK;
}

static ost_status read_names(struct build *b)
{
    struct image_facts facts = image_facts_get(b->step);
    struct strings tags = {0};
    ost_status r = image_tags(b->step, list(b, "tags"), &facts, &tags);

    if (r == OST_OK)
        r = labels_refs(b->step, input(b, "image"), &tags, &b->refs);
    if (r == OST_OK)
        r = labels_make(b->step, tags.n > 0 ? tags.list[0] : "", list(b, "labels"), &b->labels);
    if (r == OST_OK && *input(b, "image") && b->refs.n == 0)
        ost_log(
            b->step, OST_WARNING,
            "none of the rules in 'tags' says anything about this run: the image stays without a "
            "name");
    b->image.refs = strings_list(&b->refs);
    b->image.labels = strings_list(&b->labels);
    return r;
}

static ost_status read_image(struct build *b)
{
    static const char *const formats[] = {"docker-archive", "oci-archive", "oci-layout"};
    struct image *i = &b->image;
    ost_status r;

    *i = (struct image){
        .step = b->step,
        .workspace = b->workspace,
        .at = b->recipe.at,
        .context = input(b, "context"),
        .file = input(b, "file"),
        .target = input(b, "target"),
        .platforms = list(b, "platforms"),
        .args = b->recipe.args,
        .secrets = input(b, "secrets"),
        .output = *input(b, "output") ? in_workspace(b, input(b, "output")) : "",
        .pull = ost_input_bool(b->step, "pull"),
        .no_cache = ost_input_bool(b->step, "no-cache"),
    };
    for (int e = ENGINE_DOCKER; e < ENGINES; e++)
        if (strcmp(input(b, "engine"), engine_name((enum engine)e)) == 0)
            i->engine = (enum engine)e;
    for (size_t f = 0; f < OST_COUNT(formats); f++)
        if (strcmp(input(b, "output-format"), formats[f]) == 0)
            i->format = (enum archive)f;
    r = read_build_args(b);
    if (r == OST_OK)
        r = read_names(b);
    return r == OST_OK ? image_begin(i) : r;
}

/* ---- what is found, and when it may be skipped ---- */

static void read_results(struct build *b)
{
    struct strings all = {0};

    for (const char *const *p = patterns(b, "artifacts"); *p; p++)
        strings_add(b->step, &all, *p);
    if (b->recipe.kind == KIND_DOCKER) {
        if (*b->image.output)
            strings_add(b->step, &all, b->image.output);
    } else if (all.n == 0 && kind_artifacts(b->recipe.kind)) {
        add_pattern(b, &all, kind_artifacts(b->recipe.kind));
    }
    b->artifacts = strings_list(&all);
}

static void read_skipping(struct build *b)
{
    const char *const what[] = {
        input(b, "name"),      kind_name(b->recipe.kind), b->recipe.folder,
        input(b, "artifacts"), input(b, "checksums"),     input(b, "provenance"),
        input(b, "image"),     input(b, "matrix"),        NULL};

    b->id = skip_id(b->step, what);
    b->inputs = patterns(b, "inputs");
    if (!b->inputs[0])
        b->never = "'inputs' is not set, so it is built every time";
    else if (b->recipe.kind != KIND_DOCKER && !b->artifacts[0])
        b->never = "'artifacts' names nothing that could be restored";
    else if (b->recipe.kind == KIND_DOCKER && *b->image.secrets)
        b->never = "whether a secret changed is nobody's business";
}

ost_status settings_read(struct ost_step *step, struct build *ret)
{
    const char *workspace = step->host->dir(step, OST_DIR_WORKSPACE);
    struct build *b = ret;
    ost_status r = OST_OK;

    *b = (struct build){.step = step, .workspace = rel_clean(step, workspace ? workspace : ".")};
    b->recipe = (struct recipe){.step = step, .workspace = b->workspace};
    b->recipe.folder = in_workspace(b, input(b, "path"));
    b->recipe.at =
        rel_clean(step, rel_join(step, b->workspace, *b->recipe.folder ? b->recipe.folder : "."));
    b->recipe.args = list(b, "arguments");
    b->recipe.kind = kind_of_name(input(b, "kind"));
    if (!file_is_folder(b->recipe.at))
        return ost_fail(
            step, OST_E_NOT_FOUND,
            "there is no folder '%s' in the workspace, which is empty until a step with "
            "actions/checkout has run",
            input(b, "path"));
    if (b->recipe.kind == KIND_UNKNOWN)
        r = kind_find(step, b->recipe.at, b->recipe.folder, &b->recipe.kind);
    if (r == OST_OK)
        r = b->recipe.kind == KIND_DOCKER ? read_image(b) : recipe_make(&b->recipe);
    if (r < 0)
        return r;
    b->sums = in_workspace(b, input(b, "checksums"));
    b->provenance = *input(b, "provenance") ? in_workspace(b, input(b, "provenance")) : "";
    read_results(b);
    read_skipping(b);
    return OST_OK;
}

/* ---- parameters ---- */

static const struct {
    const char *name;
    bool of_facts; /* else it only says what becomes of the result */
} parameters[] = {
    {"kind", true},           {"path", true},       {"command", true},        {"arguments", true},
    {"script", true},         {"preset", true},     {"build-type", true},     {"build-dir", true},
    {"target", true},         {"engine", true},     {"install-prefix", true}, {"context", true},
    {"file", true},           {"build-args", true}, {"platforms", true},      {"labels", true},
    {"artifacts", true},      {"image", false},     {"tags", false},          {"output", false},
    {"output-format", false}, {"pull", false},      {"no-cache", false},
};

size_t settings_parameters(const struct build *b, bool of_facts, const struct parameter **ret)
{
    struct parameter *all = b->step->host->alloc(b->step, sizeof parameters);
    size_t n = 0;

    for (size_t i = 0; i < OST_COUNT(parameters); i++)
        if ((parameters[i].of_facts || !of_facts) && *input(b, parameters[i].name))
            all[n++] = (struct parameter){parameters[i].name, input(b, parameters[i].name)};
    *ret = all;
    return n;
}
