/* calls - what the services of a plugin's process have in common; calls.c has those of ost_host. */
#pragma once

#include "plugin/child.h"

#include <ostler/ext.h>

/* What the phase was started with. */
const struct child_start *calls_start(struct ost_step *step);

/* Notes TEXT for last_error(); returns WHY. */
ost_status calls_failed(struct ost_step *step, ost_status why, const char *text);

/* hashFiles() by the runner, for PATTERNS, one a line. */
ost_status calls_hash(struct ost_step *step, const char *patterns, const char **ret);

extern const struct ost_files_v1 calls_files; /* calls_files.c */
