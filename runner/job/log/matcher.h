/* matcher - one problem matcher: what its configuration asks for, and what it finds in lines.
 *
 * A matcher has one pattern, or several that must match lines one after the other. How far it came in a
 * stream of lines is kept apart from it, in a struct progress, as several streams use one matcher. */
#pragma once

#include "base/buf.h"
#include "io/regex.h"

#include <jansson.h>

enum {
    MATCHER_PATTERNS_MAX = 16,
    MATCHER_OWNER_MAX = 200,
    MATCHER_CARRIED_MAX = 8 << 10, /* bytes of one field that wait for the last pattern's line */
};

enum match_field {
    MATCH_FILE,
    MATCH_LINE,
    MATCH_COLUMN,
    MATCH_SEVERITY,
    MATCH_CODE,
    MATCH_MESSAGE,
    MATCH_FROM_PATH,
    MATCH_FIELDS
};

/* What was captured, empty where nothing was; with the matcher's own severity and fromPath where the
 * lines gave none. Borrowed from the line and the progress: valid until the next line. */
struct match {
    struct slice fields[MATCH_FIELDS];
};

struct matcher;

/* Reads an element of "problemMatcher". ERR_INVALID and ERR_LIMIT say what is wrong with it. */
MUST_CHECK int matcher_new(const json_t *config, struct matcher **ret, struct err *err);
struct matcher *matcher_free(struct matcher *m); /* NULL is fine; returns NULL */

const char *matcher_owner(const struct matcher *m);

/* How far one matcher came in one stream. */
struct progress;
struct progress *progress_new(const struct matcher *m);
struct progress *progress_free(struct progress *p); /* NULL is fine; returns NULL */
void progress_reset(struct progress *p);

/* Shows LINE (valid UTF-8) to M, whose progress in the stream is P. REGEX_HIT: the last pattern matched,
 * and *RET is filled. REGEX_TIMEOUT: DEADLINE_MS on clock_ms() passed; the same line may be shown again. */
enum regex_result matcher_feed(struct matcher *m, struct progress *p, struct slice line,
                               int64_t deadline_ms, struct match *ret);
