#include "serve/ranges.h"

#include "base/num.h"

static bool number(struct slice text, int64_t *ret)
{
    struct err ignored = ERR_INIT; /* the caller has words for the whole of it */

    return num_parse_i64(text, 0, RANGE_SIZE_MAX, ret, &ignored) == ERR_OK;
}

int range_parse_content(struct slice text, int64_t *ret_start, int64_t *ret_size,
                        int64_t *ret_total, struct err *err)
{
    struct slice rest = slice_trim(text), range;
    int64_t start, last, total = -1;

    if (!slice_starts(rest, SLICE("bytes ")))
        return err_set(err, ERR_INVALID, "the Content-Range has to begin with 'bytes '");
    rest = slice_from(rest, 6);
    if (!slice_split(&rest, '/', &range) || !rest.ptr ||
        (!slice_eq(rest, SLICE("*")) && !number(rest, &total)))
        return err_set(err, ERR_INVALID, "the Content-Range has no size behind its '/'");
    ssize_t dash = slice_find_char(range, '-');
    if (dash < 0 || !number(slice_head(range, (size_t)dash), &start))
        return err_set(err, ERR_INVALID, "the Content-Range has no place to begin");
    struct slice end = slice_from(range, (size_t)dash + 1);
    if (start == 0 && total <= 0 && slice_eq(end, SLICE("-1")))
        last = -1;
    else if (!number(end, &last) || last < start || (total >= 0 && last >= total))
        return err_set(err, ERR_INVALID, "the Content-Range ends at no place of the file");
    *ret_start = start;
    *ret_size = last - start + 1;
    *ret_total = total;
    return ERR_OK;
}

bool range_parse(struct slice text, int64_t total, int64_t *ret_start, int64_t *ret_size)
{
    int64_t start = 0, last = total - 1, suffix;
    struct slice range = slice_from(slice_trim(text), 6);
    ssize_t dash = slice_find_char(range, '-');

    *ret_start = 0;
    *ret_size = total;
    if (!slice_starts(slice_trim(text), SLICE("bytes=")) || dash < 0)
        return true;
    struct slice from = slice_head(range, (size_t)dash), to = slice_from(range, (size_t)dash + 1);
    if (!from.len) {
        if (!number(to, &suffix))
            return true;
        start = suffix < total ? total - suffix : 0;
    } else if (!number(from, &start) || (to.len && (!number(to, &last) || last < start))) {
        return true;
    }
    if (start >= total)
        return false;
    if (last >= total)
        last = total - 1;
    *ret_start = start;
    *ret_size = last - start + 1;
    return true;
}

/* ---- block lists ---- */

/* Takes one tag off the front of *REST, after white space: "<Latest>" gives "Latest". */
static bool take_tag(struct slice *rest, struct slice *ret)
{
    *rest = slice_trim(*rest);
    ssize_t end = slice_find_char(*rest, '>');

    if (!rest->len || rest->ptr[0] != '<' || end < 2)
        return false;
    *ret = slice_make(rest->ptr + 1, (size_t)end - 1);
    *rest = slice_from(*rest, (size_t)end + 1);
    return true;
}

static bool is_entry(struct slice tag)
{
    return slice_eq(tag, SLICE("Latest")) || slice_eq(tag, SLICE("Uncommitted")) ||
           slice_eq(tag, SLICE("Committed"));
}

/* The id behind the opening TAG, and its closing tag. */
static bool take_id(struct slice *rest, struct slice tag, struct slice *ret)
{
    ssize_t end = slice_find_char(*rest, '<');
    struct slice close;

    if (end < 0)
        return false;
    *ret = slice_trim(slice_head(*rest, (size_t)end));
    *rest = slice_from(*rest, (size_t)end);
    return take_tag(rest, &close) && close.len && close.ptr[0] == '/' &&
           slice_eq(slice_from(close, 1), tag);
}

static size_t count(struct slice text, char c)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == c;
    return n;
}

int blocks_parse(struct arena *a, struct slice text, struct slice **ret, size_t *ret_n,
                 struct err *err)
{
    struct slice rest = text, tag = SLICE("");
    size_t n = 0;

    if (text.len > BLOCK_LIST_MAX)
        return err_set(err, ERR_LIMIT, "the block list is larger than %d bytes", BLOCK_LIST_MAX);
    size_t most = count(text, '<') / 2;
    if (most > BLOCKS_MAX + 2)
        return err_set(err, ERR_LIMIT, "the blob has more than %d blocks", BLOCKS_MAX);
    struct slice *list = arena_array(a, most + 1, sizeof *list);

    if (!take_tag(&rest, &tag) || (tag.ptr[0] == '?' && !take_tag(&rest, &tag)))
        return err_set(err, ERR_INVALID, "the block list is no XML");
    if (slice_eq(tag, SLICE("BlockList/")))
        tag = SLICE("/BlockList");
    else if (!slice_eq(tag, SLICE("BlockList")) || !take_tag(&rest, &tag))
        return err_set(err, ERR_INVALID, "the block list has no <BlockList>");
    for (; is_entry(tag); n++) {
        if (n >= most || !take_id(&rest, tag, &list[n]) || !take_tag(&rest, &tag))
            return err_set(err, ERR_INVALID, "entry %zu of the block list is broken", n + 1);
        if (!list[n].len || list[n].len > BLOCK_ID_MAX)
            return err_set(err, ERR_INVALID, "block %zu has an id of %zu bytes (1 to %d)", n + 1,
                           list[n].len, BLOCK_ID_MAX);
    }
    if (!slice_eq(tag, SLICE("/BlockList")) || slice_trim(rest).len)
        return err_set(err, ERR_INVALID, "the block list does not end as one");
    *ret = list;
    *ret_n = n;
    return ERR_OK;
}
