/* foreign - what a container left in the job's folder that is not ours.
 *
 * Containers run as root unless told otherwise. An ordinary user who may use the engine cannot remove what they
 * wrote; a container can. */
#pragma once

#include "job/run.h"

/* Removes it, by a container of run->tidy_image; nothing happens where there is nothing of the kind. What fails is
 * noted: the job's folder stays then. */
void foreign_remove(struct run *run);
