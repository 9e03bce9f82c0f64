/* official - a registration as the official runner has written it, in the folder of the test. */
#pragma once

/* Makes it in the folder TO, with modes that are safe, whatever those of the working tree are. */
void official_copy(const char *to);
