#include "queue/shelf.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 256 << 10 };

int shelf_open(struct shelf *s, int at, const char *path, struct err *err)
{
    s->fd = path ? openat(at, path, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600) : -1;
    s->in_memory = s->fd < 0;
    if (s->in_memory)
        s->fd = memfd_create("shelf", MFD_CLOEXEC);
    return s->fd < 0 ? err_sys(err, "cannot keep what is to be sent") : ERR_OK;
}

void shelf_close(struct shelf *s)
{
    fd_closep(&s->fd);
}

/* ---- reading and writing ---- */

static bool write_at(int fd, struct slice bytes, int64_t at)
{
    while (bytes.len) {
        ssize_t n = pwrite(fd, bytes.ptr, bytes.len, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes = slice_from(bytes, (size_t)n);
        at += n;
    }
    return true;
}

int shelf_get(const struct shelf *s, void *ret, size_t size, int64_t at, struct err *err)
{
    char *to = ret;

    while (size) {
        ssize_t n = pread(s->fd, to, size, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO; /* the file has been cut: not by us */
        if (n <= 0)
            return err_sys(err, "cannot read what is to be sent");
        to += n;
        at += n;
        size -= (size_t)n;
    }
    return ERR_OK;
}

/* ---- from the disk to memory ---- */

/* Holes take no room. */
static int64_t room_taken(int fd)
{
    enum { BLOCK = 512 };
    struct stat st;

    return fstat(fd, &st) < 0 ? INT64_MAX : (int64_t)st.st_blocks * BLOCK;
}

/* What is there of FROM, to the same places of TO. */
static bool copy_data(int from, int to)
{
    CLEANUP(free_ptr) char *piece = mem_new(PIECE);

    for (off_t at = 0; (at = lseek(from, at, SEEK_DATA)) >= 0;) {
        ssize_t n = pread(from, piece, PIECE, at);

        if (n <= 0 || !write_at(to, slice_make(piece, (size_t)n), at))
            return false;
        at += n;
    }
    return errno == ENXIO; /* there is no more */
}

static bool go_to_memory(struct shelf *s)
{
    int fd = room_taken(s->fd) <= SHELF_MEMORY_MAX ? memfd_create("shelf", MFD_CLOEXEC) : -1;

    if (fd < 0)
        return false;
    s->in_memory = copy_data(s->fd, fd);
    if (s->in_memory) {
        int disk = s->fd;

        s->fd = fd;
        fd = disk;
    }
    fd_closep(&fd);
    return s->in_memory;
}

static bool has_room(const struct shelf *s, size_t size)
{
    return !s->in_memory || room_taken(s->fd) + (int64_t)size <= SHELF_MEMORY_MAX;
}

bool shelf_put(struct shelf *s, struct slice bytes, int64_t at)
{
    if (!has_room(s, bytes.len))
        return false;
    if (write_at(s->fd, bytes, at))
        return true;
    return !s->in_memory && go_to_memory(s) && has_room(s, bytes.len) && write_at(s->fd, bytes, at);
}

bool shelf_give_back(struct shelf *s, int64_t at, int64_t size)
{
    return fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)size) ==
           0;
}
