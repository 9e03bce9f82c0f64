/* guard - what ostler-init and all that it starts may do no more: privileges, system calls, staying alive. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

/* In the job's namespaces, once they are made: the capabilities that a container of Docker's gives root (none
 * to an ordinary user), the system call filter, death with the parent, no way to look into this process. */
MUST_CHECK int guard_sandbox(bool user, struct err *err);

/* At the level "host" nothing is taken from the job; only this process is not to be looked into. */
MUST_CHECK int guard_host(struct err *err);
