/* marks - what a forecast cannot know yet, by the path that expressions look it up with, and what is shown in its
 * place: "needs.build.outputs.tag" is "‹known after job build›". */
#pragma once

#include "base/arena.h"
#include "base/vec.h"

#include <jansson.h>

enum { MARK_PARTS = 5 };

struct mark {
    struct slice path[MARK_PARTS]; /* compared without regard to case */
    size_t n;
    const char *text;
    const json_t *but_for; /* an object: its members at PATH are known; NULL: nothing there is */
    bool assumed;          /* conditions that take it that all goes well know it */
};

/* Zeroed: none. The texts are borrowed. */
struct marks {
    VEC(struct mark) list;
};

void marks_deinit(struct marks *m);

/* PATH is dotted; LAST, which may hold dots, is one more part behind it, or NULL. Parts beyond MARK_PARTS are
 * left out: the mark then covers more. The mark may be changed until the next one is added. */
struct mark *marks_add(struct marks *m, struct arena *a, const char *path, const char *last,
                       const char *text);

/* Takes away what was said of PATH.NAME itself: it is known now. */
void marks_drop(struct marks *m, const char *path, const char *name);

/* The first mark for the value at PATH, or for one inside of it; "*" in it is every name. NULL: it is all
 * known. ASSUME: conditions under which what is `assumed` counts as known. */
const char *marks_find(const struct marks *m, const struct slice *path, size_t n, bool assume);
