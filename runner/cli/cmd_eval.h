/* cmd_eval - "ostler eval": evaluates an expression and prints its value. See cmd_eval.md. */
#pragma once

int cmd_eval(int argc, char **argv);
