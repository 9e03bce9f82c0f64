/* rich - a message before it is anybody's markup: runs of text with a style. Each messenger has a dialect of its own
 * and its own characters to escape, so that a message is put together once, as this, and written for each. Text in it
 * is valid UTF-8 without control characters but newline and tab, whatever was added. */
#pragma once

#include "../lib/text.h"

enum {
    RICH_BOLD = 1 << 0,
    RICH_ITALIC = 1 << 1,
    RICH_CODE = 1 << 2,
    RICH_PRE = 1 << 3, /* a block of code */
    RICH_VALUE =
        1 << 4 /* came from the job, not from who wrote the template: nobody is called by it */
};

struct rich_run {
    struct span text;
    uint32_t style;
    const char *href; /* NULL: no link */
};

struct rich { /* zeroed but for STEP is empty */
    struct ost_step *step;
    struct rich_run *runs;
    size_t n, room;
};

/* TEXT is copied where it has to be mended, else borrowed; HREF is borrowed. */
void rich_add(struct rich *r, struct span text, uint32_t style, const char *href);

/* How long it is to a messenger: in UTF-16 code units, without markup. */
size_t rich_units(const struct rich *r);
size_t units_of(struct span text); /* of valid UTF-8 */

/* Takes a part of at most MAX units (2 at least) off the front of R, at the end of a line or of a word if there is
 * one in its second half. False: R was empty. */
bool rich_part(struct rich *r, size_t max, struct rich *ret);

/* S as rich_add() mends it. */
struct span rich_clean(struct ost_step *step, struct span s);
