#include "queue/gitea/labels.h"

static const char docker[] = "docker";
static const char slashes[] = "//";

static int refuse(const char *text, struct err *err, const char *why)
{
    return err_set(err, ERR_INVALID,
                   "label '%.80s' %s: write NAME:host or NAME:docker://IMAGE, as in "
                   "ubuntu-latest:docker://node:22-bookworm",
                   text, why);
}

static bool is_name(struct slice name)
{
    if (name.len == 0 || name.len > LABEL_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] <= ' ' || name.ptr[i] == ',' || name.ptr[i] == 0x7f)
            return false;
    return true;
}

int label_parse(struct arena *a, const char *text, struct label *ret, struct err *err)
{
    struct slice rest = slice_of(text), name = SLICE(""), schema = SLICE("");

    if (!slice_split(&rest, ':', &name) || !is_name(name))
        return refuse(text, err, "has no name");
    *ret = (struct label){.name = arena_str(a, name), .place = LABEL_HOST};
    if (!rest.ptr || !slice_split(&rest, ':', &schema))
        return ERR_OK;
    if (slice_eq(schema, SLICE("host")))
        return rest.ptr ? refuse(text, err, "has something behind 'host'") : ERR_OK;
    if (slice_eq(schema, SLICE("lxc")))
        return err_set(err, ERR_UNSUPPORTED,
                       "label '%.80s': there are no LXC containers here; use docker or host", text);
    if (!slice_eq(schema, slice_of(docker)))
        return refuse(text, err, "has a schema that is not known");
    if (slice_starts(rest, slice_of(slashes)))
        rest = slice_from(rest, strlen(slashes));
    if (rest.len == 0)
        return refuse(text, err, "names no image");
    ret->place = LABEL_CONTAINER;
    ret->image = arena_str(a, rest);
    return ERR_OK;
}

static const struct label *find(const struct label *labels, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq_nocase(slice_of(labels[i].name), name))
            return &labels[i];
    return NULL;
}

int labels_parse(struct arena *a, const char *const *texts, struct label **ret, size_t *ret_n,
                 struct err *err)
{
    struct label *list;
    size_t n = 0;

    while (texts && texts[n])
        if (++n > LABELS_MAX)
            return err_set(err, ERR_LIMIT, "there are more than %d labels", LABELS_MAX);
    list = arena_array(a, n, sizeof *list);
    for (size_t i = 0; i < n; i++) {
        if (label_parse(a, texts[i], &list[i], err) != ERR_OK)
            return err->code;
        if (find(list, i, slice_of(list[i].name)))
            return err_set(err, ERR_INVALID, "label '%s' is given twice", list[i].name);
    }
    *ret = list;
    *ret_n = n;
    return ERR_OK;
}

const struct label *labels_choose(const struct label *labels, size_t n, const struct slice *runs_on,
                                  size_t n_runs_on)
{
    for (size_t i = 0; i < n_runs_on; i++) {
        const struct label *found = find(labels, n, runs_on[i]);

        if (found)
            return found;
    }
    return NULL;
}
