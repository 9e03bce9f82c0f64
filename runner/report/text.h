/* text - a job's words made safe to show: nothing in them can move the cursor, set a title or hide what
 * follows. Colours may stay. */
#pragma once

#include "base/buf.h"

#include <stdint.h>

/* What the place that text goes to can show. */
struct text_style {
    bool color; /* SGR sequences (ESC [ ... m) are let through */
    bool utf8;  /* else everything beyond ASCII becomes '?' */
};

/* Appends LINE (no line end in it) to OUT: escape sequences but SGR, control characters but tab, text
 * direction overrides and broken UTF-8 are taken out or replaced; of a line that was overwritten by
 * carriage returns the last state stays. A colour that is still on at the end is switched off. */
void text_clean(struct buf *out, struct slice line, struct text_style style);

/* Columns that cleaned TEXT takes; a tab counts as one. */
int text_width(struct slice text);

/* Appends cleaned TEXT cut to WIDTH columns, the last of them an ellipsis where something is missing.
 * Tabs become single spaces. Colours are kept and switched off. Returns the columns used. */
int text_cut(struct buf *out, struct slice text, int width, struct text_style style);

/* Decodes one character at the front of *S and moves behind it; U+FFFD for a broken byte. S must not be
 * empty. */
uint32_t text_next(struct slice *s);

/* Appends cleaned TEXT, broken at spaces where it would pass WIDTH columns; what goes on begins behind INDENT columns. A
 * word that is longer than a line stays whole. No line end behind the last line. */
void text_fold(struct buf *out, struct slice text, int width, int indent);
