/* reading - a configuration or manifest, taken from its located tree piece by piece: what is wrong is told with its place. */
#pragma once

#include "lang/near.h"
#include "lang/token.h"

struct reading { /* all is borrowed */
    struct arena *arena;
    const char *file; /* as messages name it */
    struct err *err;
};

/* The error "FILE:LINE:COL: TEXT", as ERR_INVALID; AT is the place. Returns its code. */
int reading_wrong(const struct reading *r, const struct token *at, const char *text);

/* The same of KEY, which WHERE ("a rule") does not have; BEST was offered what it does have. */
int reading_unknown(const struct reading *r, const struct token *key, const char *where,
                    const struct near_best *best);

/* The scalar AT as text, in the arena: valid UTF-8, not empty, without NUL. ptr NULL: it is no such text, which is the
 * error now; WHAT ("an event") names it there. */
struct slice reading_text(const struct reading *r, const struct token *at, const char *what);
