/* OCI layouts, in a folder or a tar: index.json leads to indexes and manifests, all of them files named by digest. */
#include "digest.h"
#include "document.h"
#include "source.h"
#include "spool.h"

#include <string.h>

struct walk {
    struct ost_step *step;
    const struct store *store;
    struct tree *tree;
    size_t n_documents;
};

static ost_status damaged(struct walk *w, const char *what, const char *why)
{
    return ost_fail(w->step, OST_E_INVALID, "%s of '%s' is damaged: %s", what, w->store->name, why);
}

static bool find(struct walk *w, const struct descriptor *d, struct piece *ret)
{
    return store_find(w->step, w->store,
                      ost_fmt(w->step, "blobs/sha256/%s", d->digest + strlen("sha256:")), ret);
}

/* Its bytes, which are what the digest says. */
static ost_status load(struct walk *w, const struct descriptor *d, int64_t limit,
                       struct piece *ret_piece, const char **ret)
{
    const char *what = ost_fmt(w->step, "'%s' of '%s'", d->digest, w->store->name), *data;

    if (!find(w, d, ret_piece))
        return damaged(w, ost_fmt(w->step, "'%s'", d->digest), "the file is not there");
    data = piece_load(w->step, ret_piece, limit, what);
    if (!data)
        return OST_E_INVALID;
    if (strcmp(digest_of(w->step, data, (size_t)ret_piece->size), d->digest) != 0)
        return damaged(w, ost_fmt(w->step, "'%s'", d->digest), "its content is another");
    *ret = data;
    return OST_OK;
}

static ost_status add_layer(struct walk *w, const struct child *c, size_t nth, const char *diff_id,
                            struct blob **ret)
{
    struct blob *b = tree_blob(w->step, w->tree);
    enum packing packing;

    if (!b)
        return OST_E_LIMIT;
    b->d = c->d;
    b->what = ost_fmt(w->step, "layer %zu of '%s'", nth, w->store->name);
    b->foreign = type_is_foreign(c->d.type);
    *ret = b;
    if (b->foreign)
        return OST_OK;
    if (!find(w, &c->d, &b->bytes))
        return damaged(w, b->what, "the file is not there");
    if (b->bytes.size != c->d.size)
        return damaged(w, b->what, "it has another size than announced");
    if (type_is_layer(c->d.type, &packing) && packing == PACKING_NONE && diff_id) {
        b->raw = b->bytes;
        b->diff_id = diff_id;
    }
    return OST_OK;
}

static ost_status add_manifest(struct walk *w, const struct child *at, const char *data,
                               const struct contents *m)
{
    struct image *image = tree_add(w->step, w->tree, w->store->name);
    struct blob *b = image ? tree_blob(w->step, w->tree) : NULL, **tail;
    struct config config = {.platform = {"", "", ""}};
    const char *text, *wrong = NULL;
    size_t i = 0, n = 0;
    ost_status r;

    if (!b)
        return OST_E_LIMIT;
    b->d = m->config;
    b->what = ost_fmt(w->step, "the configuration of '%s'", w->store->name);
    if ((r = load(w, &b->d, CONFIG_MAX, &b->bytes, &text)) < 0)
        return r;
    /* Attestations and other artifacts have a configuration of their own kind. */
    if (config_read(w->step, text, (size_t)b->bytes.size, &config) != NULL)
        config.diff_ids = NULL;
    while (config.diff_ids && config.diff_ids[n])
        n++;
    *image = (struct image){.next = image->next,
                            .platform = *at->platform.os ? at->platform : config.platform,
                            .oci = m->oci,
                            .config = b,
                            .source = w->store->name,
                            .manifest = {.d = at->d, .data = data}};
    image->manifest.d.type = m->type;
    image->attestation = strcmp(image->platform.os, "unknown") == 0;
    tail = &image->layers;
    for (const struct child *c = m->children; c && !wrong; c = c->next, i++) {
        r = add_layer(w, c, i + 1, i < n ? config.diff_ids[i] : NULL, tail);
        if (r < 0)
            return r;
        tail = &(*tail)->next;
    }
    return OST_OK;
}

static void add_index(struct walk *w, const struct child *at, const char *data, const char *type)
{
    struct document *d = w->step->host->alloc(w->step, sizeof *d), **tail = &w->tree->indexes;

    *d = (struct document){.d = at->d, .data = data};
    d->d.type = type;
    while (*tail)
        tail = &(*tail)->next;
    *tail = d;
}

static ost_status walk(struct walk *w, const struct child *at, int depth)
{
    struct contents c;
    struct piece piece;
    const char *data, *wrong;
    ost_status r;

    if (depth > INDEX_DEPTH_MAX || ++w->n_documents > 4 * IMAGES_MAX)
        return damaged(w, "the index", "it is nested too deeply");
    if ((r = load(w, &at->d, DOCUMENT_MAX, &piece, &data)) < 0)
        return r;
    if ((wrong = document_read(w->step, data, (size_t)piece.size, at->d.type, &c)))
        return damaged(w, ost_fmt(w->step, "'%s'", at->d.digest), wrong);
    if (!c.index)
        return add_manifest(w, at, data, &c);
    for (const struct child *one = c.children; one && r == OST_OK; one = one->next)
        r = walk(w, one, depth + 1);
    if (r == OST_OK)
        add_index(w, at, data, c.type);
    return r;
}

/* ---- which of them ---- */

static bool is_wanted(const struct child *c, const char *wanted)
{
    return !*wanted || strcmp(c->name, wanted) == 0 || strcmp(c->full, wanted) == 0;
}

/* The first of those with its digest: one image often stands there under several tags. */
static bool is_first(const struct child *all, const struct child *c, const char *wanted)
{
    for (; all != c; all = all->next)
        if (is_wanted(all, wanted) && strcmp(all->d.digest, c->d.digest) == 0)
            return false;
    return true;
}

static ost_status add_chosen(struct walk *w, const struct child *all, const char *wanted)
{
    struct sink names = {.step = w->step};
    size_t n = 0, with_platform = 0;
    ost_status r = OST_OK;

    for (const struct child *c = all; c; c = c->next) {
        if (names.size < 1000)
            sink_addf(&names, "%s'%s'", names.size ? ", " : "", *c->full ? c->full : c->name);
        if (!is_wanted(c, wanted) || !is_first(all, c, wanted))
            continue;
        n++;
        with_platform += *c->platform.os != '\0';
    }
    if (n == 0)
        return ost_fail(w->step, OST_E_INVALID, "'%s' holds no image '%s'; it has %s",
                        w->store->name, wanted, sink_text(&names));
    if (n > 1 && with_platform < n)
        return ost_fail(w->step, OST_E_INVALID,
                        "'%s' holds several images: name one of them as 'FILE#NAME': %s",
                        w->store->name, sink_text(&names));
    for (const struct child *c = all; c && r == OST_OK; c = c->next)
        if (is_wanted(c, wanted) && is_first(all, c, wanted)) {
            w->tree->n_roots++;
            r = walk(w, c, 1);
        }
    return r;
}

ost_status source_oci(struct ost_step *step, const struct store *s, const char *wanted,
                      struct tree *tree)
{
    struct walk w = {.step = step, .store = s, .tree = tree};
    struct contents index;
    struct piece piece;
    const char *data, *wrong;

    if (!store_find(step, s, "index.json", &piece))
        return damaged(&w, "'index.json'", "it is gone");
    data = piece_load(step, &piece, DOCUMENT_MAX, ost_fmt(step, "'index.json' of '%s'", s->name));
    if (!data)
        return OST_E_INVALID;
    if ((wrong = document_read(step, data, (size_t)piece.size, TYPE_OCI_INDEX, &index)))
        return damaged(&w, "'index.json'", wrong);
    if (!index.index)
        return damaged(&w, "'index.json'", "it is no index");
    return add_chosen(&w, index.children, wanted);
}
