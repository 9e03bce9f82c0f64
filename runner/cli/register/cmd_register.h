/* cmd_register - the subcommand "register"; its manual is cmd_register.md. */
#pragma once

int cmd_register(int argc, char **argv);

extern const char cmd_register_help[];
