#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

void *mem_new(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p)
        BUG("out of memory (%zu bytes)", size);
    return p;
}

void *mem_grow(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);
    if (!p)
        BUG("out of memory (%zu bytes)", size);
    return p;
}

char *mem_dup(const char *text, size_t len)
{
    char *p = mem_new(len + 1);
    if (len)
        memcpy(p, text, len);
    return p;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
    va_list ap;

    err->code = code;
    err->sys = 0;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    return code;
}

/* Appends ": WHY" to the N characters that are there, cut where the room ends. */
static void add_why(struct err *err, int n, const char *why)
{
    size_t used = n < 0 ? 0 : (size_t)n;

    for (const char *part = ": "; used + 1 < sizeof err->text && *part; part++)
        err->text[used++] = *part;
    for (; used + 1 < sizeof err->text && *why; why++)
        err->text[used++] = *why;
    err->text[used < sizeof err->text ? used : sizeof err->text - 1] = '\0';
}

static int code_of_errno(int sys)
{
    switch (sys) {
    case ENOENT:
        return ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    default:
        return ERR_SYS;
    }
}

int err_sys(struct err *err, const char *fmt, ...)
{
    int sys = errno;
    va_list ap;

    err->code = code_of_errno(sys);
    err->sys = sys;
    va_start(ap, fmt);
    int n = vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    add_why(err, n, strerror(sys));
    return err->code;
}

int err_in(struct err *err, const char *fmt, ...)
{
    char old[ERR_TEXT_SIZE];
    va_list ap;

    memcpy(old, err->text, sizeof old);
    va_start(ap, fmt);
    int n = vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    add_why(err, n, old);
    return err->code;
}
