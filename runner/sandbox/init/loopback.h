/* loopback - a listening socket at this place's own 127.0.0.1, to be handed out of it. */
#pragma once

#include "base/err.h"

#include <stdint.h>

/* Says DONE with a socket that listens at PORT, with none where somebody does already (as where the network is the
 * machine's own), or FAILED, as the answer ID to SOCK. */
MUST_CHECK int loopback_hand_out(int sock, uint32_t id, unsigned port, struct err *err);
