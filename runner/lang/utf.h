/* utf - UTF-8 text measured and compared the way GitHub's service does, which is written in .NET: in
 * UTF-16 units, with .NET's white space and its one-to-one, culture-free upper case.
 *
 * Never looks at the locale. Bytes that are no UTF-8 count as one unit each and are equal only to
 * themselves. */
#pragma once

#include "base/arena.h"

#include <stdint.h>

/* The code point at S[*AT], which moves behind it; AT must be inside. A stray byte b gives
 * UTF_STRAY + b. */
enum { UTF_STRAY = 0x110000 };
uint32_t utf_next(struct slice s, size_t *at);
uint32_t utf_prev(struct slice s, size_t *at); /* the one before S[*AT]; AT must not be 0 */

/* Appends the UTF-8 of CODE (also of a stray byte) at TO, which has room for 4; its length. */
size_t utf_put(char *to, uint32_t code);

/* Length in UTF-16 units: what GitHub calls characters. */
size_t utf_units(struct slice s);

/* Char.IsWhiteSpace. */
bool utf_is_space(uint32_t code);
struct slice utf_trim(struct slice s);

/* Simple upper case as StringComparison.OrdinalIgnoreCase applies it: dotless i and long s stay. */
uint32_t utf_upper(uint32_t code);

/* The whole text in upper case: equal texts (ignoring case) become equal bytes. */
struct slice utf_fold(struct arena *a, struct slice s);

bool utf_eq_nocase(struct slice a, struct slice b);
/* By upper-cased UTF-16 units: negative, 0, positive. */
int utf_cmp_nocase(struct slice a, struct slice b);
bool utf_starts_nocase(struct slice s, struct slice prefix);
bool utf_ends_nocase(struct slice s, struct slice suffix);
/* Equal texts (ignoring case) hash alike. */
uint32_t utf_hash_nocase(struct slice s);
