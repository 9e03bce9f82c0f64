/* clocks - this machine's clock against a server's, which tells its own with every answer. */
#pragma once

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLOCKS_SAY_SIZE = 240, CLOCKS_TEXT_SIZE = 32, CLOCKS_DIFFER_S = 30 };

/* DATE, of a header of that name, in seconds since 1970; false: it is none ("ptr NULL" is fine). */
bool clocks_date(struct slice date, int64_t *ret);

/* "2026-11-22 07:10:12 UTC" */
void clocks_text(int64_t seconds, char ret[static CLOCKS_TEXT_SIZE]);

/* What is told to whoever can set ours: both clocks, when WHOSE ("GitHub's") is AHEAD seconds ahead, and the cure. */
void clocks_say(int64_t ahead, const char *whose, char ret[static CLOCKS_SAY_SIZE]);
