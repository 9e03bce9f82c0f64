/* build_gather - asks for all that a build depends on: files, tools, variables, settings. */
#pragma once

#include "build_settings.h"

/* Fills in B's facts, sorted. Below 0 only OST_E_CANCELLED: what cannot be told is doubt. */
ost_status gather_facts(struct build *b);

/* The files of it alone, which are there to be read without running anything. */
ost_status gather_files(struct build *b);
