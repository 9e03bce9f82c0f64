/* build_image - a container image by docker, podman or buildah: their commands differ a little. */
#pragma once

#include "build_dockerfile.h"
#include "build_facts.h"

enum engine { ENGINE_AUTO, ENGINE_DOCKER, ENGINE_PODMAN, ENGINE_BUILDAH, ENGINES };
enum archive { ARCHIVE_DOCKER, ARCHIVE_OCI, ARCHIVE_LAYOUT };

struct image {
    struct ost_step *step;
    const char *workspace;         /* absolute */
    const char *at;                /* the project's folder, absolute: commands run there */
    const char *context, *file;    /* as seen from there */
    const char *target;            /* a stage; "": the last */
    const char *const *build_args; /* "NAME=value" */
    const char *const *platforms;  /* none: the engine's own; several: an image index */
    const char *const *labels;     /* "key=value": the standard ones, then the user's */
    const char *const *refs;       /* "name:tag", all that it is called; may be none */
    const char *const *args;       /* more words for the engine */
    const char *secrets;           /* "NAME=value" lines, to be mounted as files in RUN; "" */
    const char *output;            /* file or folder, as seen from the workspace; "": none */
    enum archive format;
    bool pull, no_cache;

    enum engine engine; /* ENGINE_AUTO until image_find_engine() */
    struct bases bases; /* of FILE */
    const char *id;     /* "sha256:..." once it is there; "": of several platforms */
    const char *digest; /* of its manifest, where the engine tells; "" */
};

/* Reads what of the step's inputs is about images, and FILE. Below 0: recorded. */
ost_status image_begin(struct image *i);

/* The first that answers; one that is told has to. */
ost_status image_find_engine(struct image *i);
const char *engine_name(enum engine engine);

/* The engine's version and the base images' ids. What is not here is fetched, as the build would. Below 0 only
 * OST_E_CANCELLED: what cannot be told is doubt. */
ost_status image_facts(struct image *i, struct facts *to);

/* Looks for an image that has been built of facts with that DIGEST; *RET_FOUND: it is ours, under all its names. */
ost_status image_reuse(struct image *i, const char *digest, bool *ret_found);

/* Builds it. DIGEST is noted in it; NULL: nothing is noted. */
ost_status image_build(struct image *i, const char *digest);

/* Writes the output, if there is to be one, and asks the engine for the digest. */
ost_status image_finish(struct image *i);

/* The command that image_build() runs, without what is known only then. */
const char *const *image_command(const struct image *i, const char *digest);
