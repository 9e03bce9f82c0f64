#include "lang/near.h"

enum { NEAR_MAX = 64 }; /* longer names are not worth a guess */

static char fold(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c + ('a' - 'A'));
    return c == '_' ? '-' : c;
}

static size_t least(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;

    return m < c ? m : c;
}

/* Edits (insert, delete, replace, swap two neighbours) from A to B, doubled; one more when only
 * letter case or the kind of dash differs somewhere. */
static size_t distance(struct slice a, struct slice b)
{
    size_t before[NEAR_MAX + 1], last[NEAR_MAX + 1], row[NEAR_MAX + 1];

    for (size_t j = 0; j <= b.len; j++)
        last[j] = before[j] = 2 * j;
    for (size_t i = 1; i <= a.len; i++) {
        row[0] = 2 * i;
        for (size_t j = 1; j <= b.len; j++) {
            char x = fold(a.ptr[i - 1]), y = fold(b.ptr[j - 1]);

            row[j] = least(last[j] + 2, row[j - 1] + 2, last[j - 1] + (x == y ? 0 : 2));
            if (i > 1 && j > 1 && x == fold(b.ptr[j - 2]) && y == fold(a.ptr[i - 2]) &&
                before[j - 2] + 2 < row[j])
                row[j] = before[j - 2] + 2;
        }
        memcpy(before, last, sizeof before);
        memcpy(last, row, sizeof last);
    }
    return last[b.len] ? last[b.len] : (size_t)!slice_eq(a, b);
}

struct near_best near_begin(struct slice word)
{
    size_t edits = (word.len + 2) / 3;

    return (struct near_best){.word = word, .distance = 2 * (edits < 3 ? edits : 3) + 1};
}

void near_offer(struct near_best *best, struct slice name)
{
    if (!best->word.len || best->word.len > NEAR_MAX || !name.len || name.len > NEAR_MAX)
        return;
    size_t d = distance(best->word, name);

    if (d < best->distance && d < 2 * name.len) { /* at least one letter stayed */
        best->distance = d;
        best->match = name;
        best->tied = false;
    } else if (d == best->distance && best->match.ptr && !slice_eq(best->match, name)) {
        best->tied = true;
    }
}

char *near_hint(struct arena *a, const struct near_best *best)
{
    if (!best->match.ptr)
        return NULL;
    return arena_printf(a, "did you mean '%.*s'?", SLICE_ARG(best->match));
}
