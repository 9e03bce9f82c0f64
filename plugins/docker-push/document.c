#include "document.h"

#include "digest.h"
#include "reference.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { CHILDREN_MAX = 1000, TEXT_MAX = 4096 };

static void json_free(json_t **j)
{
    json_decref(*j);
}

#define JSON __attribute__((cleanup(json_free))) json_t *

/* ---- reading ---- */

static json_t *load(struct ost_step *step, const char *data, size_t size, const char **why)
{
    json_error_t error;
    json_t *j = json_loadb(data, size, JSON_REJECT_DUPLICATES, &error);

    if (!j)
        *why = ost_fmt(step, "it is no JSON: %s", error.text);
    return j;
}

/* In phase memory; "" when it is not there or no text of a bearable length. */
static const char *text(struct ost_step *step, const json_t *j, const char *key)
{
    const json_t *value = json_object_get(j, key);
    size_t size = json_string_length(value);

    if (!value || !json_is_string(value) || size > TEXT_MAX)
        return "";
    return span_dup(step, (struct span){json_string_value(value), size});
}

static const char *read_descriptor(struct ost_step *step, const json_t *j, struct descriptor *ret)
{
    const json_t *size = json_object_get(j, "size");

    *ret = (struct descriptor){text(step, j, "mediaType"), text(step, j, "digest"), 0};
    if (!reference_is_digest(span_of(ret->digest)) || !span_starts(span_of(ret->digest), "sha256:"))
        return "a part of it has no sha256 digest";
    if (!json_is_integer(size) || json_integer_value(size) < 0)
        return "a part of it has no size";
    ret->size = json_integer_value(size);
    return NULL;
}

static struct platform read_platform(struct ost_step *step, const json_t *j)
{
    return (struct platform){text(step, j, "os"), text(step, j, "architecture"),
                             text(step, j, "variant")};
}

static const char *read_children(struct ost_step *step, const json_t *list, struct contents *ret)
{
    struct child **tail = &ret->children;
    const char *wrong = NULL;
    const json_t *one;
    size_t i;

    if (!json_is_array(list))
        return ret->index ? "it lists no manifests" : "it lists no layers";
    if (json_array_size(list) > CHILDREN_MAX)
        return "it lists too much";
    json_array_foreach (list, i, one) {
        const json_t *notes = json_object_get(one, "annotations");
        struct child *c = step->host->alloc(step, sizeof *c);

        *c = (struct child){
            .platform = read_platform(step, json_object_get(one, "platform")),
            .name = text(step, notes, "org.opencontainers.image.ref.name"),
            .full = text(step, notes, "io.containerd.image.name"),
        };
        wrong = read_descriptor(step, one, &c->d);
        if (wrong)
            return wrong;
        *tail = c;
        tail = &c->next;
    }
    return NULL;
}

const char *document_read(struct ost_step *step, const char *data, size_t size, const char *type,
                          struct contents *ret)
{
    const char *wrong = NULL;
    JSON j = load(step, data, size, &wrong);
    struct contents c = {.type = text(step, j, "mediaType")};

    if (wrong)
        return wrong;
    if (!*c.type)
        c.type = type;
    if (!*c.type) /* OCI does not demand one; what it is shows in what it holds */
        c.type = json_object_get(j, "manifests") ? TYPE_OCI_INDEX : TYPE_OCI_MANIFEST;
    c.index = type_is_index(c.type);
    c.oci = type_is_oci(c.type);
    if (json_integer_value(json_object_get(j, "schemaVersion")) != 2)
        return "its schemaVersion is not 2: this is too old, or nothing of an image's";
    if (!c.index && !type_is_manifest(c.type))
        return ost_fmt(step, "'%s' is no type of a manifest", c.type);
    if (!c.index)
        wrong = read_descriptor(step, json_object_get(j, "config"), &c.config);
    if (!wrong)
        wrong = read_children(step, json_object_get(j, c.index ? "manifests" : "layers"), &c);
    if (!wrong)
        *ret = c;
    return wrong;
}

/* NULL: it is no array of texts. */
static const char *const *read_texts(struct ost_step *step, const json_t *list)
{
    struct strings all = {0};
    const json_t *one;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) > CHILDREN_MAX)
        return NULL;
    json_array_foreach (list, i, one) {
        if (!json_is_string(one) || json_string_length(one) > TEXT_MAX)
            return NULL;
        strings_add(step, &all, span_dup(step, span_of(json_string_value(one))));
    }
    return strings_list(&all);
}

const char *config_read(struct ost_step *step, const char *data, size_t size, struct config *ret)
{
    const char *wrong = NULL;
    JSON j = load(step, data, size, &wrong);
    struct config c = {.platform = read_platform(step, j)};

    if (wrong)
        return wrong;
    c.diff_ids = read_texts(step, json_object_get(json_object_get(j, "rootfs"), "diff_ids"));
    if (!c.diff_ids)
        return "it lists no layers (rootfs.diff_ids)";
    for (size_t i = 0; c.diff_ids[i]; i++)
        if (!reference_is_digest(span_of(c.diff_ids[i])))
            return "a layer in it has no digest";
    *ret = c;
    return NULL;
}

const char *list_read(struct ost_step *step, const char *data, size_t size, struct listed **ret)
{
    const char *wrong = NULL;
    JSON j = load(step, data, size, &wrong);
    struct listed *all = NULL, **tail = &all;
    const json_t *one;
    size_t i;

    if (wrong)
        return wrong;
    if (!json_is_array(j) || json_array_size(j) == 0 || json_array_size(j) > CHILDREN_MAX)
        return "it lists no images";
    json_array_foreach (j, i, one) {
        const json_t *tags = json_object_get(one, "RepoTags");
        static const char *const none[] = {NULL};
        struct listed *l = step->host->alloc(step, sizeof *l);

        *l = (struct listed){.config = text(step, one, "Config"),
                             .tags = json_is_null(tags) || !tags ? none : read_texts(step, tags),
                             .layers = read_texts(step, json_object_get(one, "Layers"))};
        if (!*l->config || !l->tags || !l->layers)
            return "an image in it has no Config, RepoTags or Layers";
        *tail = l;
        tail = &l->next;
    }
    *ret = all;
    return NULL;
}

/* ---- writing ---- */

static void put_descriptor(json_t *to, const struct descriptor *d)
{
    (void)json_object_set_new(to, "mediaType", json_string(d->type));
    (void)json_object_set_new(to, "digest", json_string(d->digest));
    (void)json_object_set_new(to, "size", json_integer(d->size));
}

static json_t *descriptor(const struct descriptor *d)
{
    json_t *j = json_object();

    put_descriptor(j, d);
    return j;
}

static void finish(struct ost_step *step, json_t *j, const char *type, struct document *ret)
{
    char *dump = json_dumps(j, JSON_COMPACT);

    if (!dump)
        abort(); /* no memory: all texts in it have been read from JSON */
    ret->data = span_dup(step, span_of(dump));
    free(dump);
    ret->d = (struct descriptor){type, digest_of(step, ret->data, strlen(ret->data)),
                                 (int64_t)strlen(ret->data)};
}

/* The layers of OLD keep what else is said of them. */
static json_t *layers_of(const struct image *image, const json_t *old)
{
    json_t *list = json_array();
    size_t i = 0;

    for (const struct blob *b = image->layers; b; b = b->next, i++) {
        json_t *before = json_array_get(old, i);
        json_t *one = before ? json_deep_copy(before) : json_object();

        put_descriptor(one, &b->d);
        (void)json_array_append_new(list, one);
    }
    return list;
}

void manifest_write(struct ost_step *step, struct image *image, const struct document *old)
{
    const char *type = image->oci ? TYPE_OCI_MANIFEST : TYPE_DOCKER_MANIFEST;
    JSON from = old ? json_loadb(old->data, (size_t)old->d.size, 0, NULL) : NULL;
    JSON j = json_object();

    (void)json_object_set_new(j, "schemaVersion", json_integer(2));
    (void)json_object_set_new(j, "mediaType", json_string(type));
    if (from && image->oci)
        (void)json_object_update(j, from);
    (void)json_object_set_new(j, "mediaType", json_string(type));
    (void)json_object_set_new(j, "config", descriptor(&image->config->d));
    (void)json_object_set_new(
        j, "layers", layers_of(image, image->oci ? json_object_get(from, "layers") : NULL));
    finish(step, j, type, &image->manifest);
}

static json_t *platform(const struct platform *p)
{
    json_t *j = json_object();

    (void)json_object_set_new(j, "architecture", json_string(p->architecture));
    (void)json_object_set_new(j, "os", json_string(p->os));
    if (*p->variant)
        (void)json_object_set_new(j, "variant", json_string(p->variant));
    return j;
}

void index_write(struct ost_step *step, const struct image *images, bool oci, struct document *ret)
{
    const char *type = oci ? TYPE_OCI_INDEX : TYPE_DOCKER_LIST;
    JSON j = json_object();
    json_t *list = json_array();

    (void)json_object_set_new(j, "schemaVersion", json_integer(2));
    (void)json_object_set_new(j, "mediaType", json_string(type));
    for (; images; images = images->next)
        if (!images->attestation) {
            json_t *one = descriptor(&images->manifest.d);

            (void)json_object_set_new(one, "platform", platform(&images->platform));
            (void)json_array_append_new(list, one);
        }
    (void)json_object_set_new(j, "manifests", list);
    finish(step, j, type, ret);
}
