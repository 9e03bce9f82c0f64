#include "tarball.h"

#include "spool.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 256 << 10 };

struct entry {
    const char *name; /* clean */
    const char *link; /* the entry it stands for, clean; NULL: it is a file */
    struct piece bytes;
};

struct tarball {
    struct entry *entries; /* by name; of equal ones the later first, as unpacking would leave it */
    size_t n, room;
    int fd;
};

struct opened { /* the state of one walk through the file */
    int fd;
    int64_t at, size;
    char buffer[BLOCK];
};

/* ---- libarchive reads FD without moving it ---- */

static la_ssize_t on_read(struct archive *a, void *ctx, const void **ret)
{
    struct opened *o = ctx;
    struct piece all = {.fd = o->fd, .size = o->size};
    int64_t n = piece_read(&all, o->at, o->buffer, sizeof o->buffer);

    if (n < 0) {
        archive_set_error(a, errno, "cannot be read");
        return ARCHIVE_FATAL;
    }
    *ret = o->buffer;
    o->at += n;
    return (la_ssize_t)n;
}

static la_int64_t on_skip(struct archive *a, void *ctx, la_int64_t n)
{
    struct opened *o = ctx;

    (void)a;
    if (n > o->size - o->at)
        n = o->size - o->at;
    o->at += n;
    return n;
}

static void reader_free(struct archive **a)
{
    archive_read_free(*a);
}

static void opened_free(struct opened **o)
{
    free(*o);
}

#define READER __attribute__((cleanup(reader_free))) struct archive *
#define OPENED __attribute__((cleanup(opened_free))) struct opened *

static struct opened *opened_new(int fd, int64_t size)
{
    struct opened *o = calloc(1, sizeof *o);

    if (!o)
        abort();
    o->fd = fd;
    o->size = size;
    return o;
}

static struct archive *reader_new(void)
{
    struct archive *a = archive_read_new();

    if (!a)
        abort();
    return a;
}

static bool reader_open(struct archive *a, struct opened *o)
{
    archive_read_set_callback_data(a, o);
    archive_read_set_read_callback(a, on_read);
    archive_read_set_skip_callback(a, on_skip);
    return archive_read_open1(a) == ARCHIVE_OK;
}

static ost_status broken(struct ost_step *step, const char *name, struct archive *a)
{
    const char *why = archive_error_string(a);

    return ost_fail(step, OST_E_INVALID,
                    "'%s' is no archive of an image, or it is damaged: %s; make one with 'docker "
                    "save -o FILE IMAGE'",
                    name, why ? why : "nothing is in it");
}

/* ---- compressed as a whole ---- */

static ost_status unpack(struct ost_step *step, struct archive *a, const char *name, int to)
{
    const void *data;
    size_t size;
    la_int64_t at;
    int r;

    while ((r = archive_read_data_block(a, &data, &size, &at)) == ARCHIVE_OK) {
        if (step->host->cancelled(step))
            return OST_E_CANCELLED;
        if (!spool_write(to, data, size))
            return ost_fail(step, OST_E_IO, "cannot unpack '%s': %s", name, strerror(errno));
    }
    return r == ARCHIVE_EOF ? OST_OK : broken(step, name, a);
}

/* *FD becomes one that is not compressed. */
static ost_status plain(struct ost_step *step, const char *name, int *fd, int64_t *size)
{
    OPENED o = opened_new(*fd, *size);
    READER a = reader_new();
    struct archive_entry *entry;
    struct stat st;
    int to = -1;
    ost_status r;

    archive_read_support_format_raw(a);
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_zstd(a);
    archive_read_support_filter_xz(a);
    archive_read_support_filter_bzip2(a);
    if (!reader_open(a, o) || archive_read_next_header(a, &entry) != ARCHIVE_OK)
        return broken(step, name, a);
    if (archive_filter_code(a, 0) == ARCHIVE_FILTER_NONE)
        return OST_OK;
    r = spool_new(step, &to);
    if (r == OST_OK)
        r = unpack(step, a, name, to);
    if (r < 0 || fstat(to, &st) < 0) {
        if (to >= 0)
            close(to);
        return r < 0 ? r : ost_fail(step, OST_E_IO, "cannot look at what '%s' holds", name);
    }
    close(*fd);
    *fd = to;
    *size = st.st_size;
    return OST_OK;
}

/* ---- the list ---- */

static struct entry *add(struct ost_step *step, struct tarball *t)
{
    if (t->n == t->room) {
        size_t room = t->room ? t->room * 2 : 64;
        struct entry *more = step->host->alloc(step, room * sizeof *more);

        if (t->n > 0)
            memcpy(more, t->entries, t->n * sizeof *more);
        t->entries = more;
        t->room = room;
    }
    return &t->entries[t->n++];
}

/* A path in the archive; NULL: it would leave it. */
static const char *inside(struct ost_step *step, const char *path)
{
    const char *clean;

    if (!path || strlen(path) > TAR_NAME_MAX || path[0] == '/')
        return NULL;
    clean = rel_clean(step, path);
    return rel_below("", clean) ? clean : NULL;
}

/* A file's bytes begin where libarchive stands after its header. */
static void add_entry(struct ost_step *step, struct tarball *t, struct archive *a,
                      struct archive_entry *e, const struct opened *o)
{
    const char *name = inside(step, archive_entry_pathname(e));
    const char *symlink = archive_entry_symlink(e), *hardlink = archive_entry_hardlink(e);
    const char *link = NULL;
    int64_t at = archive_filter_bytes(a, 0), size = archive_entry_size(e);

    if (!name)
        return; /* nobody can ask for it */
    if (symlink && symlink[0] != '/')
        link = inside(step, rel_join(step, rel_parent(step, name), symlink));
    else if (hardlink)
        link = inside(step, hardlink);
    else if (!symlink && archive_entry_filetype(e) != AE_IFREG)
        return;
    if ((symlink || hardlink) && !link)
        return; /* it leads out of the archive */
    if (!link && (size < 0 || at < 0 || at > o->size || size > o->size - at))
        return; /* cut off: what it announces is not there */
    *add(step, t) = (struct entry){name, link, {.fd = o->fd, .at = at, .size = link ? 0 : size}};
}

static int by_name(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order ? order : x->bytes.at < y->bytes.at ? 1 : x->bytes.at > y->bytes.at ? -1 : 0;
}

static ost_status list(struct ost_step *step, struct tarball *t, int fd, int64_t size,
                       const char *name)
{
    OPENED o = opened_new(fd, size);
    READER a = reader_new();
    struct archive_entry *e;
    int r = ARCHIVE_FATAL;

    archive_read_support_format_tar(a);
    if (!reader_open(a, o))
        return broken(step, name, a);
    while ((r = archive_read_next_header(a, &e)) == ARCHIVE_OK || r == ARCHIVE_WARN) {
        if (step->host->cancelled(step))
            return OST_E_CANCELLED;
        if (t->n >= TAR_ENTRIES_MAX)
            return ost_fail(step, OST_E_LIMIT, "'%s' holds more than %d files", name,
                            TAR_ENTRIES_MAX);
        add_entry(step, t, a, e, o);
    }
    return r == ARCHIVE_EOF && t->n > 0 ? OST_OK : broken(step, name, a);
}

ost_status tarball_open(struct ost_step *step, int fd, const char *name, struct tarball **ret)
{
    struct tarball *t = step->host->alloc(step, sizeof *t);
    struct stat st;
    int64_t size;
    ost_status r;

    *t = (struct tarball){0};
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return ost_fail(step, OST_E_INVALID, "'%s' is no file", name);
    }
    size = st.st_size;
    r = plain(step, name, &fd, &size);
    if (r == OST_OK)
        r = list(step, t, fd, size, name);
    if (r < 0) {
        close(fd);
        return r;
    }
    qsort(t->entries, t->n, sizeof *t->entries, by_name);
    t->fd = fd;
    *ret = t;
    return OST_OK;
}

int tarball_fd(const struct tarball *t)
{
    return t->fd;
}

static const struct entry *find(const struct tarball *t, const char *name)
{
    size_t low = 0, high = t->n;

    while (low < high) { /* the first that is not before NAME */
        size_t middle = low + (high - low) / 2;

        if (strcmp(t->entries[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->n && strcmp(t->entries[low].name, name) == 0 ? &t->entries[low] : NULL;
}

bool tarball_find(struct ost_step *step, const struct tarball *t, const char *name,
                  struct piece *ret)
{
    const char *wanted = inside(step, name);
    const struct entry *e = wanted ? find(t, wanted) : NULL;

    for (int links = 0; e && e->link; e = find(t, e->link))
        if (++links > TAR_LINKS_MAX)
            return false;
    if (e)
        *ret = e->bytes;
    return e != NULL;
}
