/* cmd_status - "ostler status": how the listeners of this machine are. See cmd_status.md. */
#pragma once

int cmd_status(int argc, char **argv);
