#include "queue/gitea/rows.h"

#include "base/fd.h"
#include "base/utf8.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { GIVE_BACK = 1 << 20 /* bytes that went: fewer are kept a while */ };

/* In front of each row in the file. */
struct head {
    char time[CLOCK_STAMP_SIZE];
    uint32_t size;
};

void rows_file_init(struct rows_file *f, const char *folder)
{
    *f = (struct rows_file){.folder = folder, .fd = -1};
}

void rows_file_deinit(struct rows_file *f)
{
    fd_closep(&f->fd);
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
    bool given =
        upto == r->base || fallocate(r->file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                     r->base, upto - r->base) == 0;

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

static bool open_file(struct rows_file *f)
{
    if (f->fd < 0)
        f->fd = open(f->folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    if (f->fd < 0) /* a file system that has no such files */
        f->fd = memfd_create("rows", MFD_CLOEXEC);
    return f->fd >= 0;
}

static bool write_at(struct rows *r, const void *bytes, size_t size, int64_t at)
{
    const char *p = bytes;

    while (size) {
        ssize_t n = pwrite(r->file->fd, p, size, at);

        if (n <= 0)
            return false;
        p += n;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static bool read_at(const struct rows *r, void *bytes, size_t size, int64_t at)
{
    char *p = bytes;

    while (size) {
        ssize_t n = pread(r->file->fd, p, size, at);

        if (n <= 0)
            return false;
        p += n;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static bool add_row(struct rows *r, const char *time, struct slice text)
{
    struct head head = {.size = (uint32_t)text.len};
    int64_t size = (int64_t)(sizeof head + text.len);

    snprintf(head.time, sizeof head.time, "%s", time);
    if (size > r->max - (r->end - r->base) || !open_file(r->file) ||
        !write_at(r, &head, sizeof head, r->end) ||
        !write_at(r, text.ptr, text.len, r->end + (int64_t)sizeof head)) {
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
