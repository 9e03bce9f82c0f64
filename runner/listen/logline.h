/* logline - what a listener has to say, a line each: for people, for the journal, or as JSON.
 *
 *     2026-11-22T04:30:00Z warning no answer since 3 min registration=here
 *     <4>no answer since 3 min registration=here
 *     {"time":"2026-11-22T04:30:00.1234567Z","level":"warning","message":"no answer since 3 min","registration":"here"}
 *
 * Nothing in a text can begin a line of its own or move a cursor. The level's number is syslog's, as sd-daemon(3) has it. */
#pragma once

#include "base/buf.h"

enum logline_format { LOGLINE_TEXT, LOGLINE_JOURNAL, LOGLINE_JSON };
enum logline_level { LOGLINE_DEBUG, LOGLINE_INFO, LOGLINE_WARNING, LOGLINE_ERROR };

enum { LOGLINE_MAX = 64 << 10 };

enum logline_kind { LOGLINE_STRING, LOGLINE_NUMBER };

struct logline_field {
    const char *name, *value; /* a value that is NULL is left out */
    enum logline_kind kind;   /* what it is in JSON */
};

/* Appends MESSAGE and FIELDS, the last of which has no name, to OUT, which should have room for LOGLINE_MAX. STAMP is
 * clock_stamp()'s; the journal has its own. */
void logline_add(struct buf *out, enum logline_format format, enum logline_level level,
                 const char *stamp, const char *message, const struct logline_field *fields);
