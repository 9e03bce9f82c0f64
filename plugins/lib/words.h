/* words - a command line that somebody typed, as the words a shell would make of it: '...', "..." and backslashes
 * are understood; nothing is expanded. */
#pragma once

#include "text.h"

/* Appends the words of TEXT, which may have several lines. False: a quote is not closed. */
bool words_split(struct ost_step *step, const char *text, struct strings *to);

/* The other way round: a line to show, in which words that need it are quoted. */
const char *words_join(struct ost_step *step, const char *const *words);
