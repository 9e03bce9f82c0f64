/* toml - looks up texts in a TOML file: enough of the language to step over everything else in it. */
#pragma once

#include "../lib/text.h"

enum {
    TOML_DEPTH_MAX = 32, /* brackets in one another */
};

/* PATH is "tool.poetry.dependencies.python". VALUE is the text that stands there; NULL: something else
 * does, or it is a table's heading. */
typedef void toml_visit(void *ctx, const char *path, const char *value);

/* Calls VISIT for every key and every table of TEXT, in order. False when it is no TOML, with *RET_LINE the
 * line, from 1, where that shows. */
bool toml_read(struct ost_step *step, struct span text, toml_visit *visit, void *ctx,
               uint32_t *ret_line);
