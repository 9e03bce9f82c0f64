#include "lang/ids.h"

#include "base/buf.h"
#include "base/num.h"

#include <stdio.h>

/* Any segment is cut here before it is put together: more can not be in the result. */
enum { SEGMENT_MAX = IDS_MAX_LENGTH };

void ids_deinit(struct ids *ids)
{
    strmap_deinit(&ids->taken);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_more(char c)
{
    return (c >= '0' && c <= '9') || c == '-';
}

static bool is_wellformed(struct slice id)
{
    if (!id.len || id.len >= IDS_MAX_LENGTH || !is_letter(id.ptr[0]))
        return false;
    for (size_t i = 1; i < id.len; i++)
        if (!is_letter(id.ptr[i]) && !is_more(id.ptr[i]))
            return false;
    return true;
}

enum ids_fault ids_add(struct ids *ids, struct slice id)
{
    struct slice known;

    if (!is_wellformed(id))
        return IDS_MALFORMED;
    if (slice_starts(id, SLICE("__")))
        return IDS_RESERVED;
    if (strmap_find(&ids->taken, id, &known))
        return IDS_TAKEN;
    strmap_set(&ids->taken, id, SLICE(""));
    return IDS_OK;
}

char *ids_fault_text(struct arena *a, enum ids_fault fault, struct slice id)
{
    switch (fault) {
    case IDS_MALFORMED:
        return arena_printf(a,
                            "The identifier '%.*s' is invalid. IDs may only contain alphanumeric "
                            "characters, '_', and '-'. IDs must start with a letter or '_' and "
                            "must be less than 100 characters.",
                            SLICE_ARG(id));
    case IDS_RESERVED:
        return arena_printf(
            a, "The identifier '%.*s' is invalid. IDs starting with '__' are reserved.",
            SLICE_ARG(id));
    case IDS_TAKEN:
        return arena_printf(
            a, "The identifier '%.*s' may not be used more than once within the same scope.",
            SLICE_ARG(id));
    case IDS_OK:
        break;
    }
    BUG("no fault in '%.*s'", SLICE_ARG(id));
}

/* One segment, illegal characters as '_'. A character outside the basic plane is two UTF-16 units
 * there, so two underscores here. */
static void add_segment(struct buf *to, struct slice segment)
{
    char first = segment.ptr[0];

    if (to->len)
        buf_add_char(to, '_');
    else if (is_more(first))
        buf_add_char(to, '_');
    for (size_t i = 0; i < segment.len && to->len < SEGMENT_MAX; i++) {
        unsigned char c = (unsigned char)segment.ptr[i];

        if (c >= 0x80 && c < 0xC0) /* inside a character that was counted at its first byte */
            continue;
        buf_add_char(to, is_letter((char)c) || is_more((char)c) ? (char)c : '_');
        if (c >= 0xF0)
            buf_add_char(to, '_');
    }
}

/* "__a" may not be made: its underscores become one. */
static void drop_reserved(struct buf *name)
{
    size_t n = 0;

    if (!slice_starts(buf_slice(name), SLICE("__")))
        return;
    while (n < name->len && name->ptr[n] == '_')
        n++;
    buf_consume(name, n - 1);
}

/* How often BASE was made before, which saves trying those suffixes again. */
static uint64_t attempts_so_far(const struct ids *ids, struct slice base)
{
    struct slice text;
    uint64_t n = 0;
    struct err err = ERR_INIT;

    if (!strmap_find(&ids->taken, base, &text))
        return 0;
    if (num_parse_u64(text, IDS_MAX_ATTEMPTS, &n, &err) < 0)
        n = 1; /* written by hand, or made as the suffix of another */
    return n;
}

const char *ids_make(struct ids *ids, struct arena *a, const struct slice *segments,
                     size_t n_segments, bool reserved)
{
    CLEANUP(buf_deinit) struct buf name = BUF_INIT(4 * SEGMENT_MAX);
    struct slice known;

    for (size_t i = 0; i < n_segments && name.len < SEGMENT_MAX; i++)
        if (segments[i].len)
            add_segment(&name, segments[i]);
    if (!name.len)
        buf_add_str(&name, "job");
    if (!reserved)
        drop_reserved(&name);

    struct slice base = slice_head(buf_slice(&name), IDS_MAX_LENGTH);
    bool bare = !reserved && slice_eq(base, SLICE("_")); /* "__2" would be reserved */

    for (uint64_t n = attempts_so_far(ids, base) + 1; n <= IDS_MAX_ATTEMPTS; n++) {
        char suffix[8] = "", count[8];

        snprintf(count, sizeof count, "%u", (unsigned)n);
        if (n > 1)
            snprintf(suffix, sizeof suffix, "%s%u", bare ? "" : "_", (unsigned)n);
        struct slice head = slice_head(base, IDS_MAX_LENGTH - strlen(suffix));
        const char *id = arena_printf(a, "%.*s%s", SLICE_ARG(head), suffix);

        if (n > 1 && strmap_find(&ids->taken, slice_of(id), &known))
            continue;
        strmap_set(&ids->taken, slice_of(id), SLICE("1"));
        strmap_set(&ids->taken, base, slice_of(count));
        return id;
    }
    return NULL;
}
