/* ostler plugin - list, describe, install and try plugins. See cmd_plugin.md. */
#pragma once

int cmd_plugin(int argc, char **argv);
