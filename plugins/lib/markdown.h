/* markdown - texts of others in a step's summary, so that they stay texts. */
#pragma once

#include "text.h"

/* The first line of TEXT. */
void markdown_plain(struct sink *k, const char *text);

/* The first line of TEXT as code: no backtick may end it, no bar may end a table's cell. */
void markdown_code(struct sink *k, const char *text);
