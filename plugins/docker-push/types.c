#include "types.h"

#include <string.h>

static const char *const layers[2][PACKINGS] = {
    {"application/vnd.docker.image.rootfs.diff.tar",
     "application/vnd.docker.image.rootfs.diff.tar.gzip", NULL},
    {"application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip",
     "application/vnd.oci.image.layer.v1.tar+zstd"},
};

bool type_is_index(const char *type)
{
    return strcmp(type, TYPE_OCI_INDEX) == 0 || strcmp(type, TYPE_DOCKER_LIST) == 0;
}

bool type_is_manifest(const char *type)
{
    return strcmp(type, TYPE_OCI_MANIFEST) == 0 || strcmp(type, TYPE_DOCKER_MANIFEST) == 0;
}

bool type_is_oci(const char *type)
{
    return strncmp(type, "application/vnd.oci.", 20) == 0;
}

const char *type_of_layer(bool oci, enum packing packing)
{
    return layers[oci][packing];
}

bool type_is_layer(const char *type, enum packing *ret)
{
    for (int oci = 0; oci < 2; oci++)
        for (int packing = 0; packing < PACKINGS; packing++)
            if (layers[oci][packing] && strcmp(type, layers[oci][packing]) == 0) {
                *ret = (enum packing)packing;
                return true;
            }
    return false;
}

bool type_is_foreign(const char *type)
{
    return strncmp(type, "application/vnd.docker.image.rootfs.foreign.", 44) == 0 ||
           strncmp(type, "application/vnd.oci.image.layer.nondistributable.", 49) == 0;
}
