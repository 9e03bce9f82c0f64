/* types - media types of images. There are two families, OCI's and Docker's, which never mix in one document. Pure. */
#pragma once

#include <stdbool.h>

#define TYPE_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define TYPE_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define TYPE_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define TYPE_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define TYPE_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define TYPE_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"

/* All four that an answer to a request for a manifest may have. */
#define TYPES_ACCEPT                                                                               \
    "Accept: " TYPE_OCI_MANIFEST ", " TYPE_OCI_INDEX ", " TYPE_DOCKER_MANIFEST ","                 \
    " " TYPE_DOCKER_LIST

enum packing { PACKING_NONE, PACKING_GZIP, PACKING_ZSTD, PACKINGS };

bool type_is_index(const char *type);
bool type_is_manifest(const char *type);
bool type_is_oci(const char *type);

/* The type of a layer; NULL: Docker has none for zstd. */
const char *type_of_layer(bool oci, enum packing packing);
/* False: it is no layer of a file system, and goes as it is. */
bool type_is_layer(const char *type, enum packing *ret);
/* A layer that registries do not keep, such as Windows' own. */
bool type_is_foreign(const char *type);
