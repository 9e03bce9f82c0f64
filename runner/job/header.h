/* header - the group at the top of a step's log: what is about to run (runtime contract 4.7). */
#pragma once

#include "job/run.h"

/* "Run FIRST LINE", the script in colour, "shell:", "env:". */
void header_script(struct step_run *s, struct slice script, const char *program,
                   const char *format);

/* "Run 'PATH'", "shell:" of an administrator's script. */
void header_hook(struct step_run *s, const char *path, const char *program, const char *format);

/* "Run owner/repo@ref", "with:" from s->inputs, "env:". A post stage says "Post job cleanup." only. */
void header_action(struct step_run *s);
