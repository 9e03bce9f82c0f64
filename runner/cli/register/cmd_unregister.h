/* cmd_unregister - the subcommand "unregister"; its manual is cmd_unregister.md. */
#pragma once

int cmd_unregister(int argc, char **argv);

extern const char cmd_unregister_help[];
