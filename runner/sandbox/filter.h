/* filter - the system calls that a process does without that is shut in. */
#pragma once

#include <stdbool.h>

/* Installs it for this process, for good; no_new_privs is set already. 0, or -1 where the kernel or the
 * machine has no such filters. EXECUTE: it may become another program, which is held by the filter, too. */
int filter_install(bool network, bool execute);
