/* cmd_eval - "ostler eval": evaluates an expression and prints its value. See cmd_eval.md. */
#pragma once

#include <getopt.h>

int cmd_eval(int argc, char **argv);

extern const char cmd_eval_help[];
extern const struct option cmd_eval_options[];
