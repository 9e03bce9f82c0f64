/* reach - how the processes in a container come to the services of the run (artifacts, caches, id tokens).
 *
 * They listen at this machine's loopback, which a container does not see. So ostler-init listens at the container's
 * own, at the same port, and hands that socket out to us; what connects to it is taken here and given on to the
 * front program, whose server talks with it. The addresses are the same everywhere that way, and nobody but the
 * processes of that container can come in by it: it is neither in the network of the machine nor in that of
 * other containers. What they get there they get by the token of the job. */
#pragma once

#include "job/run.h"

struct reach;

/* The port at 127.0.0.1 that containers need help to come to; 0: there is none. */
unsigned reach_port(const struct run *run);

/* For the job's container, from run->box. Nothing happens where no help is needed; what fails is noted. */
void reach_box(struct run *run);

/* For the container of one action: a socket to which its ostler-init comes. What happens later and fails is
 * noted. */
MUST_CHECK int reach_open(struct run *run, struct reach **ret, struct err *err);

/* The words behind REACH's image that begin the container's program, and the mounts it needs ("host:inside:ro"),
 * NULL-terminated, in A. */
const char *const *reach_program(const struct reach *r, struct arena *a);
MUST_CHECK int reach_mounts(const struct reach *r, struct arena *a, const char *const **ret,
                            struct err *err);
#define REACH_INIT "/__o/ostler-init" /* the container's entrypoint */

/* Nobody comes in any more; connections that are there go on. Returns NULL; NULL does nothing. */
struct reach *reach_free(struct reach *r);
