/* serve - the rest of ostler-init's life: starts what it is told to, tells what ended, reaps orphans. */
#pragma once

#include "sandbox/init/root.h"

/* Serves the requests that come over SOCK until the other side is gone. ROOT is NULL at the level
 * "host". */
void serve(int sock, struct root *root);
