#include "listen/share.h"

/* The next one in turn among those that have had as many as anybody; NULL: nobody can take more. */
static struct share *next_of(struct share *list, size_t n)
{
    struct share *best = NULL;

    for (size_t i = 0; i < n; i++) {
        struct share *s = &list[i];

        if (s->given >= s->most)
            continue;
        if (!best || s->given < best->given || (s->given == best->given && s->turn < best->turn))
            best = s;
    }
    return best;
}

bool share_deal(struct share *list, size_t n, int free)
{
    bool had_some = free > 0, lacking = false;
    struct share *next;

    for (size_t i = 0; i < n; i++)
        list[i].given = 0;
    for (; free > 0 && (next = next_of(list, n)); free--)
        next->given++;
    for (size_t i = 0; i < n; i++)
        lacking |= list[i].most > 0 && list[i].given == 0;
    return had_some && lacking;
}
