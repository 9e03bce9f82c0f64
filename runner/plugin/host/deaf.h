/* deaf - what a phase can ask for when nobody listens: everything succeeds, nothing is kept, nothing is known. Who wants
 * to hear something takes a copy and puts their own members in. */
#pragma once

#include "plugin/host/host.h"

extern const struct plugin_services plugin_deaf;
