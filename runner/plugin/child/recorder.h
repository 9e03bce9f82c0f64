/* recorder - stands between a phase and its services, and tells the runner of every call (transcript.h). */
#pragma once

#include <ostler/plugin.h>

/* STEP's table is replaced by one that records and passes on to it. */
void recorder_begin(struct ost_step *step);

/* The phase is over, with STATUS. */
void recorder_end(ost_status status);
