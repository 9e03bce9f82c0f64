/* filter - the system calls that a process does without that is shut in. */
#pragma once

#include <stdbool.h>

/* Installs it for this process, for good; no_new_privs is set already. 0, or -1 where the kernel or the
 * machine has no such filters. */
int filter_install(bool network);
