/* Archives of `docker save` before version 25, of skopeo and of buildah: manifest.json names a configuration and
 * uncompressed layers; nothing else in them matters. */
#include "digest.h"
#include "document.h"
#include "source.h"
#include "spool.h"

#include <string.h>

static ost_status damaged(struct ost_step *step, const struct store *s, const char *what,
                          const char *why)
{
    return ost_fail(step, OST_E_INVALID, "%s of '%s' is damaged: %s", what, s->name, why);
}

/* NAME is a whole reference as in RepoTags, or all of it but the tag. */
static bool has_name(const struct listed *l, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; l->tags[i]; i++)
        if (strcmp(l->tags[i], name) == 0 || (strncmp(l->tags[i], name, n) == 0 &&
                                              l->tags[i][n] == ':' && !strchr(l->tags[i] + n, '/')))
            return true;
    return false;
}

static ost_status choose(struct ost_step *step, const struct store *s, const struct listed *all,
                         const char *wanted, const struct listed **ret)
{
    struct sink names = {.step = step};

    if (!*wanted && !all->next) {
        *ret = all;
        return OST_OK;
    }
    for (; all; all = all->next) {
        if (*wanted && has_name(all, wanted)) {
            *ret = all;
            return OST_OK;
        }
        for (size_t i = 0; all->tags[i] && names.size < 1000; i++)
            sink_addf(&names, "%s'%s'", names.size ? ", " : "", all->tags[i]);
    }
    return ost_fail(step, OST_E_INVALID,
                    *wanted ? "'%s' holds no image '%s'; it has %s"
                            : "'%s' holds several images: name one of them "
                              "as 'FILE#NAME'%s: %s",
                    s->name, *wanted ? wanted : "", sink_text(&names));
}

static ost_status add_layers(struct ost_step *step, const struct store *s, const struct listed *l,
                             const struct config *c, struct image *image, struct tree *tree)
{
    struct blob **tail = &image->layers;

    for (size_t i = 0; l->layers[i] || c->diff_ids[i]; i++) {
        struct blob *b;

        if (!l->layers[i] || !c->diff_ids[i])
            return damaged(step, s, "the list of layers", "the configuration has another number");
        b = tree_blob(step, tree);
        if (!b)
            return OST_E_LIMIT;
        b->what = ost_fmt(step, "layer %zu of '%s'", i + 1, s->name);
        b->diff_id = c->diff_ids[i];
        if (!store_find(step, s, l->layers[i], &b->raw) || b->raw.size == 0)
            return damaged(step, s, ost_fmt(step, "layer %zu", i + 1), "it is not in the archive");
        *tail = b;
        tail = &b->next;
    }
    return OST_OK;
}

static ost_status add_image(struct ost_step *step, const struct store *s, const struct listed *l,
                            struct tree *tree)
{
    struct image *image = tree_add(step, tree, s->name);
    struct blob *b = image ? tree_blob(step, tree) : NULL;
    struct config c;
    const char *data, *wrong;

    if (!b)
        return OST_E_LIMIT;
    if (!store_find(step, s, l->config, &b->bytes))
        return damaged(step, s, "the configuration", "it is not in the archive");
    b->what = ost_fmt(step, "the configuration of '%s'", s->name);
    data = piece_load(step, &b->bytes, CONFIG_MAX, b->what);
    if (!data)
        return OST_E_INVALID;
    b->d = (struct descriptor){TYPE_DOCKER_CONFIG, digest_of(step, data, (size_t)b->bytes.size),
                               b->bytes.size};
    if ((wrong = config_read(step, data, (size_t)b->bytes.size, &c)))
        return damaged(step, s, "the configuration", wrong);
    tree->n_roots++;
    image->config = b;
    image->platform = c.platform;
    return add_layers(step, s, l, &c, image, tree);
}

ost_status source_docker(struct ost_step *step, const struct store *s, const char *wanted,
                         struct tree *tree)
{
    struct listed *all;
    const struct listed *one;
    struct piece list;
    const char *data, *wrong;
    ost_status r;

    if (!store_find(step, s, "manifest.json", &list))
        return damaged(step, s, "'manifest.json'", "it is gone");
    data = piece_load(step, &list, DOCUMENT_MAX, ost_fmt(step, "'manifest.json' of '%s'", s->name));
    if (!data)
        return OST_E_INVALID;
    if ((wrong = list_read(step, data, (size_t)list.size, &all)))
        return damaged(step, s, "'manifest.json'", wrong);
    r = choose(step, s, all, wanted, &one);
    return r < 0 ? r : add_image(step, s, one, tree);
}
