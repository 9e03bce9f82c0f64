/* program - a plugin that is a program of its own and speaks JSON lines: started beside the plugin's process, shut in as that
 * is, and served by it. To the runner the two are one: this one calls the services of the host as any plugin does, and
 * when it ends, however it ends, the kernel kills the program.
 *
 * The program comes from the sealed copy. It cannot start processes; it may become another program, as a script becomes its
 * interpreter. Its standard input and output are the protocol, standard error is log. */
#pragma once

#include "plugin/child/child.h"

/* Starts the program of START, before this process shuts itself in. Both stay as they are until the process ends: START is
 * looked at by the program's first moments, too. ERR_...: it could not be started; what goes wrong later is said by the
 * program's own end. */
MUST_CHECK int program_start(const struct child_start *start, struct err *err);

/* Every phase of it; lives until the program has said that it is over, or has ended. */
extern const struct ost_plugin program_plugin;
