#include "reuse.h"

#include "digest.h"
#include "document.h"

#include <string.h>

struct look {
    struct registry *registry;
    struct ost_step *step;
    const char *name;
};

/* The document REFERENCE; false: it is not there or not to be read. */
static bool get_document(struct look *l, const char *reference, struct contents *ret,
                         ost_status *error)
{
    static const char *const headers[] = {TYPES_ACCEPT, NULL};
    struct web_answer a;

    registry_do(l->registry,
                &(struct ask){.method = "GET",
                              .path = ost_fmt(l->step, "/v2/%s/manifests/%s", l->name, reference),
                              .scope = registry_scope(l->step, l->name, "pull,push"),
                              .headers = headers,
                              .flags = WEB_FOLLOW},
                &a);
    *error = a.error;
    return a.error == OST_OK && a.status == 200 && a.body.size <= DOCUMENT_MAX &&
           document_read(l->step, a.body.at, a.body.size,
                         span_dup(l->step, web_header(&a, "Content-Type")), ret) == NULL;
}

static bool get_config(struct look *l, const struct descriptor *d, struct config *ret,
                       ost_status *error)
{
    struct web_answer a;

    if (d->size > CONFIG_MAX)
        return false;
    registry_do(l->registry,
                &(struct ask){.method = "GET",
                              .path = ost_fmt(l->step, "/v2/%s/blobs/%s", l->name, d->digest),
                              .scope = registry_scope(l->step, l->name, "pull,push"),
                              .flags = WEB_FOLLOW},
                &a);
    *error = a.error;
    return a.error == OST_OK && a.status == 200 &&
           strcmp(digest_of(l->step, a.body.at, a.body.size), d->digest) == 0 &&
           config_read(l->step, a.body.at, a.body.size, ret) == NULL;
}

static const struct child *of_platform(const struct contents *index, const struct platform *p)
{
    const struct child *c = index->children;

    while (c && (strcmp(c->platform.os, p->os) != 0 ||
                 strcmp(c->platform.architecture, p->architecture) != 0 ||
                 (*p->variant && strcmp(c->platform.variant, p->variant) != 0)))
        c = c->next;
    return c;
}

static bool get_manifest(struct look *l, const char *tag, const struct platform *platform,
                         struct contents *ret, ost_status *error)
{
    const struct child *c;

    if (!get_document(l, tag, ret, error))
        return false;
    if (!ret->index)
        return true;
    c = of_platform(ret, platform);
    return c && get_document(l, c->d.digest, ret, error) && !ret->index;
}

ost_status reuse_look(struct registry *r, struct ost_step *step, const char *name, const char *tag,
                      const struct platform *platform, struct known **ret)
{
    struct look l = {.registry = r, .step = step, .name = name};
    struct contents manifest;
    struct config config;
    const struct child *layer;
    ost_status error = OST_OK;

    *ret = NULL;
    if (!get_manifest(&l, tag, platform, &manifest, &error) ||
        !get_config(&l, &manifest.config, &config, &error))
        return error == OST_E_CANCELLED ? error : OST_OK;
    layer = manifest.children;
    for (size_t i = 0; layer && config.diff_ids[i]; i++, layer = layer->next) {
        struct known *k = step->host->alloc(step, sizeof *k);

        *k = (struct known){.next = *ret, .diff_id = config.diff_ids[i], .d = layer->d};
        *ret = k;
    }
    return OST_OK;
}

const struct descriptor *reuse_find(const struct known *all, const char *diff_id, const char *type)
{
    enum packing ours = PACKING_NONE, theirs = PACKING_NONE;

    for (; all; all = all->next)
        if (strcmp(all->diff_id, diff_id) == 0 && type_is_layer(type, &ours) &&
            type_is_layer(all->d.type, &theirs) && ours == theirs)
            return &all->d;
    return NULL;
}
