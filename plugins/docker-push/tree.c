#include "tree.h"

#include "document.h"

#include <string.h>

const char *platform_text(struct ost_step *step, const struct platform *p)
{
    return ost_fmt(step, "%s/%s%s%s", *p->os ? p->os : "unknown",
                   *p->architecture ? p->architecture : "unknown", *p->variant ? "/" : "",
                   p->variant);
}

/* ---- platforms ---- */

/* Where none is said, arm means v7 and arm64 v8, as engines have it. */
static struct span variant_of(struct span architecture, struct span variant)
{
    if (variant.size > 0)
        return variant;
    return span_is(architecture, "arm")     ? SPAN("v7")
           : span_is(architecture, "arm64") ? SPAN("v8")
                                            : SPAN("");
}

static bool same(struct span a, struct span b)
{
    return a.size == b.size && memcmp(a.at, b.at, a.size) == 0;
}

static bool is_platform(const struct platform *p, const char *wanted)
{
    struct span rest = span_of(wanted), os = {"", 0}, architecture = rest;

    (void)span_eat_until(&rest, '/', &os);
    if (!span_eat_until(&rest, '/', &architecture)) {
        architecture = rest;
        rest = (struct span){"", 0};
    }
    return span_is(os, p->os) && span_is(architecture, p->architecture) &&
           same(variant_of(architecture, rest), variant_of(architecture, span_of(p->variant)));
}

static ost_status choose(struct ost_step *step, struct tree *tree, const char *const *wanted)
{
    struct sink there = {.step = step};

    for (const struct image *i = tree->images; i; i = i->next)
        if (!i->attestation)
            sink_addf(&there, "%s%s", there.size ? ", " : "", platform_text(step, &i->platform));
    for (size_t n = 0; wanted[n]; n++) {
        const struct image *i = tree->images;

        while (i && !is_platform(&i->platform, wanted[n]))
            i = i->next;
        if (!i)
            return ost_fail(step, OST_E_INVALID,
                            "there is no image for the platform '%s'; there is %s", wanted[n],
                            sink_text(&there));
    }
    for (struct image **at = &tree->images; *at;) {
        size_t n = 0;

        while (wanted[n] && !is_platform(&(*at)->platform, wanted[n]))
            n++;
        if (wanted[n]) {
            at = &(*at)->next;
        } else {
            *at = (*at)->next;
            tree->n_images--;
            tree->indexes = NULL;
        }
    }
    return OST_OK;
}

static ost_status no_doubles(struct ost_step *step, const struct tree *tree)
{
    for (const struct image *a = tree->images; a; a = a->next)
        for (const struct image *b = a->next; b; b = b->next)
            if (!a->attestation && !b->attestation &&
                is_platform(&b->platform, platform_text(step, &a->platform)))
                return ost_fail(step, OST_E_INVALID,
                                "'%s' and '%s' both bring an image for %s; an index has one for "
                                "each platform",
                                a->source, b->source, platform_text(step, &a->platform));
    return OST_OK;
}

/* ---- formats ---- */

/* What IMAGE was sent as is of no use any more. */
static void rewrite(struct tree *tree, struct image *image)
{
    if (image->manifest.data)
        image->old = image->manifest;
    image->manifest = (struct document){0};
    tree->indexes = NULL;
}

static ost_status convert(struct ost_step *step, struct tree *tree, struct image *image, bool oci)
{
    enum packing packing = PACKING_NONE;

    if (strcmp(image->config->d.type, TYPE_OCI_CONFIG) != 0 &&
        strcmp(image->config->d.type, TYPE_DOCKER_CONFIG) != 0)
        return ost_fail(step, OST_E_INVALID,
                        "'%s' is no image of a file system ('%s'): leave 'format' at source",
                        image->source, image->config->d.type);
    for (struct blob *b = image->layers; b; b = b->next) {
        const char *type;

        if (!*b->d.type || b->foreign) /* of an archive: it gets one when it is packed */
            continue;
        type = type_is_layer(b->d.type, &packing) ? type_of_layer(oci, packing) : NULL;
        if (!type)
            return ost_fail(step, OST_E_INVALID,
                            "%s is '%s', which the format %s has no name for; push with 'format: "
                            "oci'",
                            b->what, b->d.type, oci ? "oci" : "docker");
        b->d.type = type;
    }
    image->config->d.type = oci ? TYPE_OCI_CONFIG : TYPE_DOCKER_CONFIG;
    image->oci = oci;
    rewrite(tree, image);
    return OST_OK;
}

/* Layers that come as they are in the engine are packed. */
static void unpack(struct tree *tree, struct image *image, enum packing packing)
{
    bool any = image->manifest.data == NULL;

    for (struct blob *b = image->layers; b; b = b->next) {
        if (b->raw.size == 0 || (packing == PACKING_NONE && b->d.digest)) {
            b->raw.size = 0;
            continue;
        }
        b->d = (struct descriptor){type_of_layer(image->oci, packing), NULL, 0};
        b->bytes.size = 0;
        any = true;
    }
    if (any)
        rewrite(tree, image);
}

static ost_status check_packing(struct ost_step *step, const struct image *image,
                                enum packing packing)
{
    if (packing != PACKING_ZSTD || image->oci)
        return OST_OK;
    for (const struct blob *b = image->layers; b; b = b->next)
        if (b->raw.size > 0)
            return ost_fail(step, OST_E_INVALID,
                            "Docker's format has no layers of zstd: add 'format: oci', or leave "
                            "'compression' at gzip");
    return OST_OK;
}

/* ---- all of it ---- */

/* What they speak of is written anew, so they are not true any more. */
static void drop_attestations(struct ost_step *step, struct tree *tree)
{
    size_t n = 0;

    for (struct image **at = &tree->images; *at;) {
        if (!(*at)->attestation) {
            at = &(*at)->next;
            continue;
        }
        *at = (*at)->next;
        tree->n_images--;
        n++;
    }
    if (n > 0)
        ost_log(step, OST_INFO, "left out %zu attestations: the index they belong to changes", n);
}

ost_status tree_shape(struct ost_step *step, struct tree *tree, const struct shape *shape)
{
    ost_status r = OST_OK;

    if (tree->n_roots > 1)
        tree->indexes = NULL;
    if (shape->platforms[0])
        r = choose(step, tree, shape->platforms);
    for (struct image *i = tree->images; i && r == OST_OK; i = i->next) {
        bool oci = shape->format == FORMAT_OCI || (shape->format == FORMAT_SOURCE && i->oci);

        /* zstd is a wish for OCI where nobody says otherwise */
        if (shape->format == FORMAT_SOURCE && shape->packing == PACKING_ZSTD && !i->manifest.data)
            oci = true;
        if (!i->attestation && oci != i->oci)
            r = convert(step, tree, i, oci);
        if (r == OST_OK)
            r = check_packing(step, i, shape->packing);
        if (r == OST_OK)
            unpack(tree, i, shape->packing);
    }
    if (r == OST_OK && !tree->indexes)
        drop_attestations(step, tree);
    if (r == OST_OK && !tree->images)
        return ost_fail(step, OST_E_INVALID, "there is no image to push");
    return r == OST_OK && !tree->indexes ? no_doubles(step, tree) : r;
}

void tree_finish(struct ost_step *step, struct tree *tree)
{
    for (struct image *i = tree->images; i; i = i->next)
        if (!i->manifest.data)
            manifest_write(step, i, i->old.data ? &i->old : NULL);
    if (tree->n_images > 1 && !tree->indexes) {
        tree->indexes = step->host->alloc(step, sizeof *tree->indexes);
        *tree->indexes = (struct document){0};
        index_write(step, tree->images, tree->images->oci, tree->indexes);
    }
}

const struct document *tree_root(const struct tree *tree)
{
    const struct document *d = tree->indexes;

    while (d && d->next)
        d = d->next;
    return d ? d : &tree->images->manifest;
}
