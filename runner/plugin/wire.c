#include "plugin/wire.h"

#define ABSENT UINT32_MAX

void wire_begin(struct buf *out, enum wire_op op, uint32_t id, size_t *ret_at)
{
    struct wire_head head = {.op = (uint32_t)op, .id = id};

    *ret_at = out->len;
    buf_add(out, slice_make((const char *)&head, sizeof head));
}

void wire_put_int(struct buf *out, int64_t n)
{
    buf_add(out, slice_make((const char *)&n, sizeof n));
}

static void put_size(struct buf *out, size_t size)
{
    uint32_t n =
        size < ABSENT ? (uint32_t)size : ABSENT - 1; /* wire_close() refuses such a frame */

    buf_add(out, slice_make((const char *)&n, sizeof n));
}

void wire_put_slice(struct buf *out, struct slice text)
{
    if (!text.ptr) {
        uint32_t absent = ABSENT;

        buf_add(out, slice_make((const char *)&absent, sizeof absent));
        return;
    }
    put_size(out, text.len);
    buf_add(out, text);
    buf_add_char(out, '\0');
}

void wire_put_text(struct buf *out, const char *text)
{
    wire_put_slice(out, slice_of(text));
}

void wire_put_bytes(struct buf *out, struct slice bytes)
{
    put_size(out, bytes.len);
    buf_add(out, bytes);
}

int wire_close(struct buf *out, size_t at, struct err *err)
{
    struct wire_head head;
    size_t size = out->len - at;

    if (out->overflow || size < sizeof head || size - sizeof head > WIRE_FRAME_MAX) {
        buf_cut(out, at);
        out->overflow = false;
        return err_set(err, ERR_LIMIT, "a message is larger than %d bytes", WIRE_FRAME_MAX);
    }
    memcpy(&head, out->ptr + at, sizeof head);
    head.size = (uint32_t)(size - sizeof head);
    memcpy(out->ptr + at, &head, sizeof head);
    return ERR_OK;
}

int wire_next(struct slice *rest, struct wire_frame *ret, struct err *err)
{
    struct wire_head head;

    if (rest->len < sizeof head)
        return 0;
    memcpy(&head, rest->ptr, sizeof head);
    if (head.size > WIRE_FRAME_MAX || head.op == 0 || head.op >= WIRE_OPS)
        return err_set(err, ERR_INVALID, "malformed message (operation %u, %u bytes)", head.op,
                       head.size);
    if (rest->len - sizeof head < head.size)
        return 0;
    *ret = (struct wire_frame){.op = (enum wire_op)head.op, .id = head.id};
    ret->rest = slice_make(rest->ptr + sizeof head, head.size);
    *rest = slice_from(*rest, sizeof head + head.size);
    return 1;
}

/* The next SIZE bytes as they are; NULL when there are not as many. */
static const char *take(struct wire_frame *f, size_t size)
{
    const char *at = f->rest.ptr;

    if (f->bad || f->rest.len < size) {
        f->bad = true;
        return NULL;
    }
    f->rest = slice_make(at + size, f->rest.len - size);
    return at;
}

int64_t wire_int(struct wire_frame *f)
{
    int64_t n = 0;
    const char *at = take(f, sizeof n);

    if (at)
        memcpy(&n, at, sizeof n);
    return n;
}

static uint32_t take_size(struct wire_frame *f)
{
    uint32_t n = 0;
    const char *at = take(f, sizeof n);

    if (at)
        memcpy(&n, at, sizeof n);
    return n;
}

struct slice wire_maybe(struct wire_frame *f)
{
    uint32_t len = take_size(f);

    if (f->bad || len == ABSENT)
        return (struct slice){0};
    const char *at = take(f, (size_t)len + 1);
    if (!at || memchr(at, '\0', (size_t)len + 1) != at + len) {
        f->bad = true;
        return (struct slice){0};
    }
    return slice_make(at, len);
}

struct slice wire_text(struct wire_frame *f)
{
    struct slice s = wire_maybe(f);

    if (!s.ptr)
        f->bad = true;
    return s.ptr ? s : SLICE("");
}

struct slice wire_bytes(struct wire_frame *f)
{
    uint32_t len = take_size(f);
    const char *at = take(f, len);

    return slice_make(at, at ? len : 0);
}

int wire_done(const struct wire_frame *f, struct err *err)
{
    if (f->bad || f->rest.len)
        return err_set(err, ERR_INVALID, "malformed message (fields of operation %u)",
                       (unsigned)f->op);
    return ERR_OK;
}
