/* plugin_sign - "ostler plugin sign": makes a plugin's object a signed release (plugin/release.h). */
#pragma once

/* argv[0] is "sign". Returns the exit code. */
int plugin_sign(int argc, char **argv);
