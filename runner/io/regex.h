/* regex - regular expressions over lines, by PCRE2. The one module that includes it; it is loaded when the
 * first expression is compiled.
 *
 * The dialect is that of problem matchers (.NET with its ECMAScript option): \d, \w and \s are ASCII, case
 * matters, the search is not anchored, \uXXXX is a character, `.` is anything but LF. A search has a
 * deadline that holds for expressions of any cost: most searches end within a budget of steps, at full
 * speed; the few others are done again with a look at the clock at every step of the expression. */
#pragma once

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

enum { REGEX_PATTERN_MAX = 16 << 10, REGEX_GROUPS_MAX = 200 };

struct regex;

/* ERR_INVALID says what is wrong and at which character; ERR_LIMIT: too long, or too many groups;
 * ERR_NOT_FOUND: there is no PCRE2 on this machine. */
MUST_CHECK int regex_new(struct slice pattern, struct regex **ret, struct err *err);
/* The same for texts of any bytes, by regex_search() alone: what is not ASCII counts as several characters. */
MUST_CHECK int regex_new_bytes(struct slice pattern, struct regex **ret, struct err *err);
struct regex *regex_free(struct regex *r); /* NULL is fine; returns NULL */

/* How many groups it has, the whole match among them as group 0. */
size_t regex_groups(const struct regex *r);

enum regex_result {
    REGEX_MISS,
    REGEX_HIT,
    REGEX_TIMEOUT /* the deadline passed, or the search wanted more than REGEX_HEAP_MAX */
};

enum { REGEX_HEAP_MAX = 64 << 20 };

/* Looks for R in TEXT, which must be valid UTF-8, until DEADLINE_MS on clock_ms(). */
enum regex_result regex_find(struct regex *r, struct slice text, int64_t deadline_ms);

/* Looks for R in TEXT from byte FROM on, always at full speed: REGEX_TIMEOUT after so many STEPS at one place. What a
 * step costs is bounded by the length of TEXT, so texts should be short. */
enum regex_result regex_search(struct regex *r, struct slice text, size_t from, unsigned steps);

/* Where the last hit begins in its text. */
size_t regex_at(const struct regex *r);

/* Group N of the last hit, borrowed from its text; empty when it took no part. */
struct slice regex_group(const struct regex *r, size_t n);
