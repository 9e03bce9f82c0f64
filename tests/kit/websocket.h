/* websocket - the server's side of a websocket, for server_fn; needs a program that links io. */
#pragma once

#include "kit/server.h"

/* Agrees to what Q asks for. */
void websocket_agree(int connection, const struct server_request *q);

/* Writes what comes to the file NAME, until the other side is gone or N messages (0: no limit) have come: each message
 * and a line end, "<pong>" in front of what a pong says, "<close>". Frames that break the protocol are "<bad frame>". */
void websocket_listen(int connection, const char *name, int n);
