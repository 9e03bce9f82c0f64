#include "queue/gitea/rows.h"

#include "base/utf8.h"

#include <fcntl.h>

enum { GIVE_BACK = 1 << 20 /* bytes that went: fewer are kept a while */ };

/* In front of each row in the file. */
struct head {
    char time[CLOCK_STAMP_SIZE];
    uint32_t size;
};

void rows_file_init(struct rows_file *f, const char *folder)
{
    *f = (struct rows_file){.folder = folder, .shelf.fd = -1};
}

void rows_file_deinit(struct rows_file *f)
{
    shelf_close(&f->shelf);
}

static void reset(struct rows *r)
{
    *r = (struct rows){
        .file = r->file, .base = r->base, .begin = r->base, .end = r->base, .max = r->max};
}

void rows_init(struct rows *r, struct rows_file *file, size_t nth)
{
    *r = (struct rows){.file = file, .base = (int64_t)nth * ROWS_MAX, .max = ROWS_MAX};
    reset(r);
}

/* Up to UPTO nothing is needed any more. False: this file system knows no holes. */
static bool give_back(struct rows *r, int64_t upto)
{
    bool given = upto == r->base || shelf_give_back(&r->file->shelf, r->base, upto - r->base);

    if (given)
        r->base = upto;
    return given;
}

void rows_deinit(struct rows *r)
{
    int64_t base = r->base;

    (void)give_back(r, r->end); /* else it is kept until all of the file goes */
    r->base = base;
    reset(r);
}

/* ---- the file ---- */

static bool is_open(struct rows_file *f)
{
    struct err ignored = ERR_INIT; /* what cannot be kept is counted */

    return f->shelf.fd >= 0 || shelf_open(&f->shelf, AT_FDCWD, f->folder, &ignored) == ERR_OK;
}

static bool read_at(const struct rows *r, void *ret, size_t size, int64_t at)
{
    struct err ignored = ERR_INIT; /* such a row is the end of all */

    return shelf_get(&r->file->shelf, ret, size, at, &ignored) == ERR_OK;
}

static bool add_row(struct rows *r, const char *time, struct slice text)
{
    struct head head = {.size = (uint32_t)text.len};
    int64_t size = (int64_t)(sizeof head + text.len);

    snprintf(head.time, sizeof head.time, "%s", time);
    if (size > r->max - (r->end - r->base) || !is_open(r->file) ||
        !shelf_put(&r->file->shelf, slice_make((const char *)&head, sizeof head), r->end) ||
        !shelf_put(&r->file->shelf, text, r->end + (int64_t)sizeof head)) {
        r->left_out++;
        return false;
    }
    r->end += size;
    r->count++;
    return true;
}

static bool read_head(const struct rows *r, int64_t at, struct head *ret)
{
    return read_at(r, ret, sizeof *ret, at) && ret->size <= ROWS_LINE_MAX;
}

/* ---- rows ---- */

/* A stamp that the server would not understand stands for now. */
static bool is_time(const char *time)
{
    size_t n = time ? strlen(time) : 0;

    return n >= 20 && n < CLOCK_STAMP_SIZE && time[10] == 'T' && time[n - 1] == 'Z' &&
           strspn(time, "0123456789-T:.Z") == n;
}

int64_t rows_add(struct rows *r, const char *time, struct slice text)
{
    CLEANUP(buf_deinit) struct buf clean = BUF_INIT(3 * text.len + 1);
    char now[CLOCK_STAMP_SIZE];
    int64_t n = 0;

    if (!is_time(time)) {
        clock_stamp(now);
        time = now;
    }
    if (utf8_valid(text) != text.len) {
        utf8_clean(text, &clean);
        text = buf_slice(&clean);
    }
    do {
        struct slice part = utf8_head(text, ROWS_LINE_MAX);

        n += add_row(r, time, part);
        text = slice_from(text, part.len);
    } while (text.len);
    return n;
}

int64_t rows_move(struct rows *r, struct rows *from)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(ROWS_LINE_MAX);
    int64_t n = 0;

    for (int64_t at = from->begin; at < from->end;) {
        struct head head;

        buf_clear(&text);
        if (!read_head(from, at, &head) || !buf_reserve(&text, head.size) ||
            !read_at(from, text.ptr, head.size, at + (int64_t)sizeof head))
            break;
        text.len = head.size;
        n += add_row(r, head.time, buf_slice(&text));
        at += (int64_t)(sizeof head + head.size);
    }
    r->left_out += from->left_out;
    rows_deinit(from);
    return n;
}

/* The bytes that a row takes as JSON. */
static size_t weight(struct slice text)
{
    size_t n = text.len + 70; /* its time and the names */

    for (size_t i = 0; i < text.len; i++)
        n += (unsigned char)text.ptr[i] < ' '            ? 5
             : text.ptr[i] == '"' || text.ptr[i] == '\\' ? 1
                                                         : 0;
    return n;
}

json_t *rows_batch(const struct rows *r, int64_t max_rows, size_t max_bytes, int64_t *ret_n)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(ROWS_LINE_MAX);
    json_t *list = json_array();
    size_t bytes = 0;
    int64_t n = 0;

    for (int64_t at = r->begin; at < r->end && n < max_rows; n++) {
        struct head head;

        buf_clear(&text);
        if (!read_head(r, at, &head) || !buf_reserve(&text, head.size) ||
            !read_at(r, text.ptr, head.size, at + (int64_t)sizeof head))
            break;
        text.len = head.size;
        bytes += weight(buf_slice(&text));
        if (n && bytes > max_bytes)
            break;
        head.time[sizeof head.time - 1] = '\0';
        json_array_append_new(list, json_pack("{s:s, s:s%}", "time", head.time, "content", text.ptr,
                                              (size_t)head.size));
        at += (int64_t)(sizeof head + head.size);
    }
    *ret_n = n;
    return list;
}

void rows_drop(struct rows *r, int64_t n)
{
    struct head head;

    for (; n > 0 && r->begin < r->end && read_head(r, r->begin, &head); n--) {
        r->begin += (int64_t)(sizeof head + head.size);
        r->count--;
    }
    if (r->begin - r->base >= GIVE_BACK || r->begin - r->base >= r->max / 2)
        (void)give_back(r, r->begin); /* else it counts as waiting until it can be written over */
    if (r->begin < r->end)
        return;
    r->count = 0;
    r->begin = r->end = r->base;
}
