/* ask - questions to whoever sits at the terminal. On stderr, as talk; the answers come from stdin. */
#pragma once

#include <stdbool.h>

/* True if somebody sits there. */
bool ask_possible(void);

/* The answer, FALLBACK ("": none) when it is empty. NULL at the end of stdin. The caller's to free. */
char *ask_text(const char *question, const char *fallback);

/* The same without showing what is typed; the caller wipes it. */
char *ask_secret(const char *question);

/* "y" or "yes"; all else is no. */
bool ask_yes(const char *question);
