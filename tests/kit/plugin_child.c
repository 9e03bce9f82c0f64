/* plugin_child - "ostler plugin-child" without the rest of ostler. */
#include "plugin/host.h"

int main(int argc, char **argv)
{
    return plugin_child_main(argc - 1, argv + 1);
}
