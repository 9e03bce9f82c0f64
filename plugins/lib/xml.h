/* xml - reads XML as it comes, portion by portion, through expat; nothing of it is kept here. It comes from
 * programs that know little of XML, and from jobs that may be hostile: entities cannot be declared, nothing is
 * loaded, and bytes that no XML may hold (a NUL, an escape sequence, broken UTF-8) are read as '?'. */
#pragma once

#include "text.h"

enum {
    XML_DEPTH_MAX = 100,       /* elements in each other */
    XML_TAG_MAX = 1 << 20,     /* bytes of one tag with its attributes, or of one comment */
    XML_SIZE_MAX = 1024 << 20, /* bytes of a document */
};

/* Called while a document is read; each may be NULL. Texts are UTF-8, borrowed for the call. */
struct xml_events {
    void (*open)(void *ctx, const char *name, const char *const *attributes); /* see xml_get() */
    void (*close)(void *ctx, const char *name);
    void (*text)(void *ctx, struct span text); /* what stands between tags, in pieces */
};

struct xml; /* a document that is being read */

/* Ended by xml_free(). */
struct xml *xml_new(struct ost_step *step, const struct xml_events *events, void *ctx);

/* The next portion; LAST: and there is no more. False once something is wrong; what follows is ignored. */
bool xml_feed(struct xml *x, struct span bytes, bool last);

/* Where and why it is no XML, "line 3: mismatched tag"; NULL: it is, so far. Phase memory. */
const char *xml_wrong(const struct xml *x);

struct xml *xml_free(struct xml *x); /* returns NULL; NULL does nothing */

/* The value of an attribute; "": not there. */
const char *xml_get(const char *const *attributes, const char *name);
