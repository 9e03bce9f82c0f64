#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

ost_status spool_new(struct ost_step *step, int *ret)
{
    const char *dir = step->host->dir(step, OST_DIR_TEMP);
    int fd = dir ? open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;
    const char *path;

    if (fd < 0 && (path = step->host->temp(step, ".layer"))) { /* no O_TMPFILE: overlays of old */
        fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        (void)unlink(path);
    }
    if (fd < 0)
        return ost_fail(step, OST_E_IO, "cannot make a temporary file in '%s': %s",
                        dir ? dir : "the temporary folder", strerror(errno));
    *ret = fd;
    return OST_OK;
}

bool spool_write(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t n = write(fd, at, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

int64_t piece_read(const struct piece *p, int64_t at, void *to, size_t size)
{
    size_t done = 0;

    if (at >= p->size)
        return 0;
    if ((int64_t)size > p->size - at)
        size = (size_t)(p->size - at);
    if (p->data) {
        memcpy(to, p->data + at, size);
        return (int64_t)size;
    }
    while (done < size) {
        ssize_t n = pread(p->fd, (char *)to + done, size - done, p->at + at + (int64_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (int64_t)done;
}

char *piece_load(struct ost_step *step, const struct piece *p, int64_t limit, const char *what)
{
    char *data;

    if (p->size > limit) {
        ost_fail(step, OST_E_LIMIT, "%s is larger than %lld bytes", what, (long long)limit);
        return NULL;
    }
    data = step->host->alloc(step, (size_t)p->size + 1);
    if (piece_read(p, 0, data, (size_t)p->size) != p->size) {
        ost_fail(step, OST_E_IO, "cannot read %s: it is cut off", what);
        return NULL;
    }
    data[p->size] = '\0';
    return data;
}
