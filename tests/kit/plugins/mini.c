/* No plugin of any release: its table is smaller than minor 0's. */
#include <ostler/plugin.h>

OST_EXPORT const struct ost_plugin ostler_plugin_v1;
const struct ost_plugin ostler_plugin_v1 = {.struct_size = 64, .id = "acme/mini"};
