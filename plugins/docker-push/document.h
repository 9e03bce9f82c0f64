/* document - manifests, indexes and configurations: read, and written where there is none that could be sent as it
 * came. What is read may come from anybody. */
#pragma once

#include "image.h"
#include "types.h"

struct child { /* what a document refers to, in its order */
    struct child *next;
    struct descriptor d;
    struct platform platform; /* of an index */
    const char *name;         /* of an index: its tag or name as the layout has it; "" */
    const char *full;         /* the same with repository, as engines write it; "" */
};

struct contents { /* of a manifest or an index */
    bool index;
    bool oci;
    const char *type;
    struct descriptor config; /* of a manifest */
    struct child *children;   /* layers, bottom first; or manifests */
};

/* Reads a document; TYPE is what it was said to be, for those that do not say it themselves ("": nothing was said).
 * NULL, or what is wrong with it. */
const char *document_read(struct ost_step *step, const char *data, size_t size, const char *type,
                          struct contents *ret);

struct config { /* of an image: the part of it that matters here */
    struct platform platform;
    const char *const *diff_ids; /* NULL-terminated, bottom first */
};

const char *config_read(struct ost_step *step, const char *data, size_t size, struct config *ret);

struct listed { /* one image of docker-archive's manifest.json */
    struct listed *next;
    const char *config;
    const char *const *tags;   /* NULL-terminated */
    const char *const *layers; /* names of files */
};

const char *list_read(struct ost_step *step, const char *data, size_t size, struct listed **ret);

/* Fills in IMAGE's manifest out of its config and layers, whose digests are known; of the manifest that it came with
 * (OLD, NULL: none) annotations stay. */
void manifest_write(struct ost_step *step, struct image *image, const struct document *old);

/* An index of IMAGES, attestations left out. */
void index_write(struct ost_step *step, const struct image *images, bool oci, struct document *ret);
