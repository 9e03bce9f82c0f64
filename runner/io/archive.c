#include "io/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/vec.h"
#include "io/late.h"

enum { BLOCK_SIZE = 256 << 10, FILES_MAX = 500000, LINK_MAX = 4095 };
static const uint64_t size_limit = 4ULL << 30;

static struct {
    __typeof__(archive_read_new) *read_new;
    __typeof__(archive_read_free) *read_free;
    __typeof__(archive_read_support_format_tar) *format_tar;
    __typeof__(archive_read_support_format_zip) *format_zip;
    __typeof__(archive_read_support_filter_gzip) *filter_gzip;
    __typeof__(archive_read_support_filter_xz) *filter_xz;
    __typeof__(archive_read_support_filter_zstd) *filter_zstd;
    __typeof__(archive_read_open_fd) *open_fd;
    __typeof__(archive_read_next_header) *next_header;
    __typeof__(archive_read_data_block) *data_block;
    __typeof__(archive_error_string) *error_string;
    __typeof__(archive_entry_pathname) *pathname;
    __typeof__(archive_entry_filetype) *filetype;
    __typeof__(archive_entry_perm) *perm;
    __typeof__(archive_entry_symlink) *symlink;
    __typeof__(archive_entry_hardlink) *hardlink; /* last, it says that all is loaded */
} lib;

int archive_load(struct err *err)
{
    static const struct late_symbol symbols[] = {
        {"archive_read_new", &lib.read_new},
        {"archive_read_free", &lib.read_free},
        {"archive_read_support_format_tar", &lib.format_tar},
        {"archive_read_support_format_zip", &lib.format_zip},
        {"archive_read_support_filter_gzip", &lib.filter_gzip},
        {"archive_read_support_filter_xz", &lib.filter_xz},
        {"archive_read_support_filter_zstd", &lib.filter_zstd},
        {"archive_read_open_fd", &lib.open_fd},
        {"archive_read_next_header", &lib.next_header},
        {"archive_read_data_block", &lib.data_block},
        {"archive_error_string", &lib.error_string},
        {"archive_entry_pathname", &lib.pathname},
        {"archive_entry_filetype", &lib.filetype},
        {"archive_entry_perm", &lib.perm},
        {"archive_entry_symlink", &lib.symlink},
        {"archive_entry_hardlink", &lib.hardlink},
        {0},
    };

    return lib.hardlink ? ERR_OK : late_load("libarchive.so.13", "libarchive13", symbols, err);
}

struct link {
    const char *path, *target;
};

struct unpack {
    const struct archive_spec *spec;
    struct archive *archive;
    struct archive_stats stats;
    uint64_t size_max;
    size_t files_max;
    struct arena arena; /* of the links' texts */
    VEC(struct link) links;
};

static int damaged(struct unpack *u, struct err *err)
{
    const char *why = lib.error_string(u->archive);

    return err_set(err, ERR_INVALID, "the archive is damaged: %s", why ? why : "no reason known");
}

/* ---- names ---- */

/* NAME without "." and the leading folders that are dropped; "": nothing is left of it. Names that lead out
 * are an error, not a place somewhere else. */
static int clean_name(struct unpack *u, const char *name, struct buf *ret, struct err *err)
{
    struct slice rest = slice_of(name), part;
    unsigned strip = u->spec->strip, depth = 0;

    buf_clear(ret);
    if (rest.len && rest.ptr[0] == '/')
        return err_set(err, ERR_INVALID, "the archive holds the absolute path '%.100s'", name);
    while (slice_split(&rest, '/', &part)) {
        if (!part.len || slice_eq(part, SLICE(".")))
            continue;
        if (slice_eq(part, SLICE("..")))
            return err_set(err, ERR_INVALID,
                           "the archive holds the path '%.100s', which leads upwards", name);
        if (strip) {
            strip--;
            continue;
        }
        if (++depth > ARCHIVE_DEPTH_MAX)
            return err_set(err, ERR_LIMIT, "in the archive are more than %d folders in each other",
                           ARCHIVE_DEPTH_MAX);
        buf_printf(ret, "%s%.*s", ret->len ? "/" : "", SLICE_ARG(part));
    }
    return buf_check(ret, "a path in the archive", err);
}

/* Whether TARGET, written in the folder of the link PATH, stays in the tree. By its text alone: what the links on
 * the way are, nobody knows yet; openat2() judges again when a file is opened. */
static bool stays_inside(const char *path, const char *target)
{
    struct slice rest = slice_of(target), part;
    int depth = 0;

    if (!*target || target[0] == '/')
        return false;
    for (const char *c = path; *c; c++)
        depth += *c == '/';
    while (slice_split(&rest, '/', &part)) {
        if (slice_eq(part, SLICE("..")))
            depth--;
        else if (part.len && !slice_eq(part, SLICE(".")))
            depth++;
        if (depth < 0)
            return false;
    }
    return true;
}

/* ---- what is written ---- */

static int make_parents(struct unpack *u, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return ERR_OK;
    CLEANUP(free_ptr) char *parent = mem_dup(path, (size_t)(slash - path));
    return path_mkdirs(u->spec->to, parent, 0755, err);
}

/* The bytes of one file. Blocks come with their offset: what lies between them is a hole. */
static int write_data(struct unpack *u, int fd, struct err *err)
{
    for (;;) {
        const void *block;
        size_t size;
        la_int64_t offset;
        uint64_t end;
        int r = lib.data_block(u->archive, &block, &size, &offset);

        if (r == ARCHIVE_EOF)
            return ERR_OK;
        if (r < ARCHIVE_WARN)
            return damaged(u, err);
        if (offset < 0 || __builtin_add_overflow((uint64_t)offset, size, &end) ||
            end > u->size_max || u->stats.size > u->size_max - size)
            return err_set(err, ERR_LIMIT, "the archive holds more than %llu bytes",
                           (unsigned long long)u->size_max);
        u->stats.size += size;
        for (size_t done = 0; done < size;) {
            ssize_t n = pwrite(fd, (const char *)block + done, size - done, offset + (off_t)done);

            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                return err_sys(err, "cannot write");
            done += (size_t)n;
        }
    }
}

/* Removes the file or link PATH; a folder stays. */
static int make_room(struct unpack *u, const char *path, struct err *err)
{
    CLEANUP(fd_closep) int parent = -1;
    const char *name = path_base(path);
    CLEANUP(free_ptr) char *dir = mem_dup(path, (size_t)(name - path));
    int r = path_open(u->spec->to, *dir ? dir : ".", O_PATH | O_DIRECTORY, 0, &parent, err);

    if (r == ERR_OK && unlinkat(parent, name, 0) < 0)
        r = err_sys(err, "cannot replace '%.150s'", path);
    return r;
}

static int create(struct unpack *u, const char *path, int *ret, struct err *err)
{
    return path_open(u->spec->to, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, ret, err);
}

static int write_file(struct unpack *u, const char *path, mode_t perm, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    int r = create(u, path, &fd, err);

    if (r < 0 && err->sys == EEXIST && u->spec->replace) {
        r = make_room(u, path, err);
        if (r == ERR_OK)
            r = create(u, path, &fd, err);
    }
    if (r < 0 && err->sys == EEXIST && !u->spec->replace)
        return err_set(err, ERR_INVALID, "the archive names '%.150s' twice", path);
    if (r == ERR_OK)
        r = write_data(u, fd, err);
    if (r == ERR_OK && fchmod(fd, perm & 0111 && !u->spec->zip ? 0755 : 0644) < 0)
        r = err_sys(err, "cannot set the mode");
    return r < 0 ? err_in(err, "'%.100s'", path) : r;
}

/* Links are made when everything else is there: then nothing can be written through one. */
static int keep_link(struct unpack *u, const char *path, const char *target, struct err *err)
{
    if (!target || strlen(target) > LINK_MAX)
        return err_set(err, ERR_INVALID, "the link '%.100s' in the archive leads nowhere", path);
    if (!stays_inside(path, target)) {
        if (!u->stats.links_left_out++)
            snprintf(u->stats.link, sizeof u->stats.link, "%s", path);
        return ERR_OK;
    }
    vec_push(&u->links, (struct link){arena_str(&u->arena, slice_of(path)),
                                      arena_str(&u->arena, slice_of(target))});
    return ERR_OK;
}

static int make_links(struct unpack *u, struct err *err)
{
    VEC_EACH (l, &u->links) {
        CLEANUP(fd_closep) int parent = -1;
        const char *name = path_base(l->path);
        CLEANUP(free_ptr) char *dir = mem_dup(l->path, (size_t)(name - l->path));
        int r = path_open(u->spec->to, *dir ? dir : ".", O_PATH | O_DIRECTORY, 0, &parent, err);

        if (r == ERR_OK && symlinkat(l->target, parent, name) < 0)
            r = errno == EEXIST
                    ? err_set(err, ERR_INVALID, "the archive names '%.150s' twice", l->path)
                    : err_sys(err, "cannot create the link '%.150s'", l->path);
        if (r < 0)
            return r;
    }
    return ERR_OK;
}

static const char *kind_name(mode_t type)
{
    return type == AE_IFIFO ? "a pipe" : type == AE_IFSOCK ? "a socket" : "a device";
}

static int take_entry(struct unpack *u, struct archive_entry *e, struct buf *path, struct err *err)
{
    const char *name = lib.pathname(e);

    if (++u->stats.files > u->files_max)
        return err_set(err, ERR_LIMIT, "the archive holds more than %zu files", u->files_max);
    if (!name)
        return err_set(err, ERR_INVALID, "the archive holds a name that cannot be read");
    int r = clean_name(u, name, path, err);
    if (r < 0 || !path->len)
        return r;
    if (lib.hardlink(e))
        return err_set(err, ERR_INVALID, "the archive holds the hard link '%.100s'", name);
    mode_t type = lib.filetype(e);
    if (type == AE_IFDIR)
        return path_mkdirs(u->spec->to, path->ptr, 0755, err);
    if (type != AE_IFREG && type != AE_IFLNK)
        return err_set(err, ERR_INVALID, "the archive holds %s, '%.100s'", kind_name(type), name);
    r = make_parents(u, path->ptr, err);
    if (r < 0)
        return r;
    return type == AE_IFLNK ? keep_link(u, path->ptr, lib.symlink(e), err)
                            : write_file(u, path->ptr, lib.perm(e), err);
}

static int read_all(struct unpack *u, struct err *err)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT(ARCHIVE_PATH_MAX);
    struct archive_entry *entry;

    if ((u->spec->zip ? lib.format_zip : lib.format_tar)(u->archive) != ARCHIVE_OK ||
        lib.filter_gzip(u->archive) < ARCHIVE_WARN || lib.filter_xz(u->archive) < ARCHIVE_WARN ||
        lib.filter_zstd(u->archive) < ARCHIVE_WARN ||
        lib.open_fd(u->archive, u->spec->in, BLOCK_SIZE) != ARCHIVE_OK)
        return damaged(u, err);
    for (;;) {
        int r = lib.next_header(u->archive, &entry);

        if (r == ARCHIVE_EOF)
            return make_links(u, err);
        if (r < ARCHIVE_WARN)
            return damaged(u, err);
        r = take_entry(u, entry, &path, err);
        if (r < 0)
            return r;
    }
}

int archive_unpack(const struct archive_spec *spec, struct archive_stats *ret, struct err *err)
{
    struct unpack u = {
        .spec = spec,
        .size_max = spec->size_max ? spec->size_max : size_limit,
        .files_max = spec->files_max ? spec->files_max : FILES_MAX,
    };
    int r = archive_load(err);

    if (r < 0)
        return r;
    u.archive = lib.read_new();
    if (!u.archive)
        return err_set(err, ERR_SYS, "libarchive has no memory");
    /* Names are UTF-8 in extended headers, and libarchive turns them into the locale's letters: in "C" there
     * are none for most of them. */
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
    r = read_all(&u, err);
    (void)lib.read_free(u.archive);
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
    vec_deinit(&u.links);
    arena_deinit(&u.arena);
    if (r == ERR_OK)
        *ret = u.stats;
    return r;
}
