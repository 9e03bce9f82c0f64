/* cmd_complete - "ostler complete WORD...": what may stand for the last WORD behind "ostler". The shells ask for it
 * (packaging/completions/), people do not.
 *
 * There is no list of options here: they come from the tables that command lines are read with. What an option means, and what
 * kind of value it wants, is read out of the text of --help, where "FILE" is a file, and "text|json" is one of two words.
 *
 * The answer is a line "WORD TAB MEANING" for each that begins like the last word, and a line ":files" or ":folders" where names
 * of these may stand there, too. A last word "--option=BEGINNING" gets whole words back, "=" as a word of its own (as bash has
 * it) ties the two beside it. */
#pragma once

#include "cli/command.h"

int cmd_complete(const struct command *commands, size_t n_commands, int argc, char **argv);
