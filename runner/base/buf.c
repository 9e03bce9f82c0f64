#include "base/buf.h"

char buf_empty[1];

void buf_deinit(struct buf *b)
{
    if (b->ptr != buf_empty)
        free(b->ptr);
    *b = (struct buf)BUF_INIT(b->max);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->overflow = false;
    if (b->ptr != buf_empty)
        b->ptr[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t size)
{
    if (size > b->max - b->len) {
        b->overflow = true;
        return NULL;
    }
    size_t need = b->len + size + 1;

    if (need > b->cap) {
        size_t cap = b->cap + b->cap / 2;

        if (cap < need)
            cap = need < 64 ? 64 : need;
        b->ptr = mem_grow(b->ptr == buf_empty ? NULL : b->ptr, cap);
        b->cap = cap;
    }
    return b->ptr + b->len;
}

void buf_add(struct buf *b, struct slice s)
{
    char *to = buf_reserve(b, s.len);

    if (!to)
        return;
    if (s.len)
        memcpy(to, s.ptr, s.len);
    b->len += s.len;
    b->ptr[b->len] = '\0';
}

void buf_add_str(struct buf *b, const char *text)
{
    buf_add(b, slice_of(text));
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, slice_make(&c, 1));
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;

    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *to = n < 0 ? NULL : buf_reserve(b, (size_t)n);
    if (to) {
        vsnprintf(to, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void buf_cut(struct buf *b, size_t len)
{
    if (len > b->len)
        BUG("cutting %zu bytes down to %zu", b->len, len);
    b->len = len;
    if (b->ptr != buf_empty)
        b->ptr[len] = '\0';
}

void buf_consume(struct buf *b, size_t n)
{
    if (n > b->len)
        BUG("consuming %zu of %zu bytes", n, b->len);
    if (n == 0)
        return;
    b->len -= n;
    memmove(b->ptr, b->ptr + n, b->len + 1);
}

int buf_check(const struct buf *b, const char *what, struct err *err)
{
    if (b->overflow)
        return err_set(err, ERR_LIMIT, "%s is larger than %zu bytes", what, b->max);
    return ERR_OK;
}

char *buf_take(struct buf *b)
{
    char *text = b->ptr == buf_empty ? mem_dup("", 0) : b->ptr;

    *b = (struct buf)BUF_INIT(b->max);
    return text;
}
