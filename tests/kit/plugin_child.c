/* plugin_child - the hidden subcommands that a phase needs, without the rest of ostler. */
#include "blobs/blobs.h"
#include "plugin/child/child.h"

#include <string.h>

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "blobs-carrier") == 0)
        return blobs_carrier_main(argc - 1, argv + 1);
    if (strcmp(what, "blobs-packer") == 0)
        return blobs_packer_main(argc - 1, argv + 1);
    return plugin_child_main(argc - 1, argv + 1);
}
