/* cmd_listen - "ostler listen"; see cmd_listen.md. */
#pragma once

int cmd_listen(int argc, char **argv);

extern const char cmd_listen_help[];
