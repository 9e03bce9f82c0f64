/* screen - a small terminal in memory: what a user would see of what a program wrote.
 *
 * Knows the sequences that our terminal report uses and fails the test on any other, so that nothing a
 * job prints can slip through unseen. Colours are checked for form and forgotten. */
#pragma once

#include "base/buf.h"

struct screen {
    int width, height, row, col;
    bool cursor_hidden, no_wrap;
    char ***cells;     /* height x width texts of one character each; "" behind a wide one */
    struct buf before; /* lines that have scrolled off the top */
};

void screen_init(struct screen *s, int width, int height);
void screen_deinit(struct screen *s);

void screen_feed(struct screen *s, struct slice bytes);

/* All lines from the first one on, blanks at their ends and empty lines at the end left out. */
void screen_text(const struct screen *s, struct buf *to);
