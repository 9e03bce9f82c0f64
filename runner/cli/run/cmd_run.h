/* cmd_run - "ostler run": workflows of the working tree, run here. See cmd_run.md. */
#pragma once

int cmd_run(int argc, char **argv);

extern const char cmd_run_help[];
