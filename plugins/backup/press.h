/* press - compresses a stream, and takes it apart again, by libarchive, in one pass and with little memory. */
#pragma once

#include "../lib/text.h"

/* Takes what comes out. Below 0 ends it. */
typedef ost_status press_fn(void *ctx, struct span bytes);

struct press;

/* HOW: "zstd", "gzip", "none". NULL: libarchive cannot. Ended by press_free(). */
struct press *press_new(const char *how, press_fn *to, void *ctx);
/* What TO returned, or OST_E_FAILED. */
ost_status press_add(struct press *p, struct span bytes);
ost_status press_end(struct press *p);     /* and all has come out */
struct press *press_free(struct press *p); /* returns NULL; NULL does nothing */

/* Takes apart what is in FD from its start, whatever it was compressed with. *RET_WHY: why it cannot be, if that is
 * the reason; else TO's status is returned. */
ost_status press_open(struct ost_step *step, int fd, press_fn *to, void *ctx, const char **ret_why);
