#include "io/archive_pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <sched.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/strmap.h"
#include "io/late.h"

enum { BLOCK_SIZE = 256 << 10, THREADS_MAX = 8, NAME_SIZE = 64 << 10, LINK_SIZE = 4096 };

static struct {
    __typeof__(archive_write_new) *write_new;
    __typeof__(archive_write_free) *write_free;
    __typeof__(archive_write_close) *write_close;
    __typeof__(archive_write_set_format_zip) *format_zip;
    __typeof__(archive_write_set_format_pax) *format_pax;
    __typeof__(archive_write_add_filter_gzip) *filter_gzip;
    __typeof__(archive_write_add_filter_zstd) *filter_zstd;
    __typeof__(archive_write_set_format_option) *format_option;
    __typeof__(archive_write_set_filter_option) *filter_option;
    __typeof__(archive_write_set_bytes_per_block) *block_size;
    __typeof__(archive_write_set_bytes_in_last_block) *last_block_size;
    __typeof__(archive_write_open_fd) *write_open_fd;
    __typeof__(archive_write_header) *write_header;
    __typeof__(archive_write_data) *write_data;
    __typeof__(archive_write_finish_entry) *finish_entry;
    __typeof__(archive_write_disk_new) *disk_new;
    __typeof__(archive_write_disk_set_options) *disk_options;
    __typeof__(archive_write_data_block) *write_block;
    __typeof__(archive_read_new) *read_new;
    __typeof__(archive_read_free) *read_free;
    __typeof__(archive_read_support_format_tar) *read_tar;
    __typeof__(archive_read_support_filter_gzip) *read_gzip;
    __typeof__(archive_read_support_filter_zstd) *read_zstd;
    __typeof__(archive_read_open_fd) *read_open_fd;
    __typeof__(archive_read_next_header) *next_header;
    __typeof__(archive_read_data_block) *read_block;
    __typeof__(archive_error_string) *error_string;
    __typeof__(archive_errno) *error_number;
    __typeof__(archive_entry_new) *entry_new;
    __typeof__(archive_entry_free) *entry_free;
    __typeof__(archive_entry_clear) *entry_clear;
    __typeof__(archive_entry_copy_pathname) *set_pathname;
    __typeof__(archive_entry_copy_hardlink) *set_hardlink;
    __typeof__(archive_entry_copy_symlink) *set_symlink;
    __typeof__(archive_entry_set_filetype) *set_filetype;
    __typeof__(archive_entry_set_perm) *set_perm;
    __typeof__(archive_entry_set_size) *set_size;
    __typeof__(archive_entry_set_mtime) *set_mtime;
    __typeof__(archive_entry_set_uid) *set_uid;
    __typeof__(archive_entry_set_gid) *set_gid;
    __typeof__(archive_entry_pathname) *pathname;
    __typeof__(archive_entry_filetype) *filetype; /* last, it says that all is loaded */
} lib;

int pack_load(struct err *err)
{
    static const struct late_symbol symbols[] = {
        {"archive_write_new", &lib.write_new},
        {"archive_write_free", &lib.write_free},
        {"archive_write_close", &lib.write_close},
        {"archive_write_set_format_zip", &lib.format_zip},
        {"archive_write_set_format_pax", &lib.format_pax},
        {"archive_write_add_filter_gzip", &lib.filter_gzip},
        {"archive_write_add_filter_zstd", &lib.filter_zstd},
        {"archive_write_set_format_option", &lib.format_option},
        {"archive_write_set_filter_option", &lib.filter_option},
        {"archive_write_set_bytes_per_block", &lib.block_size},
        {"archive_write_set_bytes_in_last_block", &lib.last_block_size},
        {"archive_write_open_fd", &lib.write_open_fd},
        {"archive_write_header", &lib.write_header},
        {"archive_write_data", &lib.write_data},
        {"archive_write_finish_entry", &lib.finish_entry},
        {"archive_write_disk_new", &lib.disk_new},
        {"archive_write_disk_set_options", &lib.disk_options},
        {"archive_write_data_block", &lib.write_block},
        {"archive_read_new", &lib.read_new},
        {"archive_read_free", &lib.read_free},
        {"archive_read_support_format_tar", &lib.read_tar},
        {"archive_read_support_filter_gzip", &lib.read_gzip},
        {"archive_read_support_filter_zstd", &lib.read_zstd},
        {"archive_read_open_fd", &lib.read_open_fd},
        {"archive_read_next_header", &lib.next_header},
        {"archive_read_data_block", &lib.read_block},
        {"archive_error_string", &lib.error_string},
        {"archive_errno", &lib.error_number},
        {"archive_entry_new", &lib.entry_new},
        {"archive_entry_free", &lib.entry_free},
        {"archive_entry_clear", &lib.entry_clear},
        {"archive_entry_copy_pathname", &lib.set_pathname},
        {"archive_entry_copy_hardlink", &lib.set_hardlink},
        {"archive_entry_copy_symlink", &lib.set_symlink},
        {"archive_entry_set_filetype", &lib.set_filetype},
        {"archive_entry_set_perm", &lib.set_perm},
        {"archive_entry_set_size", &lib.set_size},
        {"archive_entry_set_mtime", &lib.set_mtime},
        {"archive_entry_set_uid", &lib.set_uid},
        {"archive_entry_set_gid", &lib.set_gid},
        {"archive_entry_pathname", &lib.pathname},
        {"archive_entry_filetype", &lib.filetype},
        {0},
    };

    return lib.filetype ? ERR_OK : late_load("libarchive.so.13", "libarchive13", symbols, err);
}

/* Names are UTF-8 in archives, and libarchive takes them for the locale's letters. */
struct letters {
    locale_t utf8, before;
};

static struct letters letters_set(void)
{
    struct letters l = {.utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0)};

    if (l.utf8)
        l.before = uselocale(l.utf8);
    return l;
}

static void letters_reset(struct letters *l)
{
    if (!l->utf8)
        return;
    uselocale(l->before);
    freelocale(l->utf8);
}

static int failed(struct archive *a, const char *what, struct err *err)
{
    const char *why = lib.error_string(a);

    /* the errno is for requests_code() and its like; what libarchive made up itself has none */
    errno = lib.error_number(a);
    int r = err_set(err, ERR_SYS, "%s: %s", what, why ? why : "no reason known");
    err->sys = errno > 0 ? errno : 0;
    return r;
}

/* ---- writing ---- */

struct pack {
    enum pack_kind kind;
    struct archive *archive;
    struct archive_entry *entry;
    struct strmap links; /* "device:inode" to the name it was first packed under */
    char block[BLOCK_SIZE];
};

static const char *threads(void)
{
    static const char *const names[] = {"1", "2", "3", "4", "5", "6", "7", "8"};
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

    return names[(n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : n) - 1];
}

static int set_up(struct pack *p, int level, int out, struct err *err)
{
    struct archive *a = p->archive;
    const char digit[2] = {(char)('0' + level), '\0'};
    int r;

    if (p->kind == PACK_ZIP) {
        r = lib.format_zip(a);
        if (r == ARCHIVE_OK)
            r = lib.format_option(a, "zip", "compression-level", digit);
        if (r == ARCHIVE_OK)
            r = lib.format_option(a, "zip", "hdrcharset", "UTF-8");
    } else {
        r = lib.format_pax(a);
        if (r == ARCHIVE_OK) /* a warning means that a program would be started for it */
            r = p->kind == PACK_TAR_GZIP ? lib.filter_gzip(a) : lib.filter_zstd(a);
        if (r == ARCHIVE_OK && p->kind == PACK_TAR_ZSTD) /* older libraries have no threads */
            (void)lib.filter_option(a, "zstd", "threads", threads());
    }
    if (r == ARCHIVE_OK)
        r = lib.block_size(a, BLOCK_SIZE);
    if (r == ARCHIVE_OK)
        r = lib.last_block_size(a, 1);
    if (r == ARCHIVE_OK)
        r = lib.write_open_fd(a, out);
    return r == ARCHIVE_OK ? ERR_OK : failed(a, "cannot begin an archive", err);
}

int pack_new(enum pack_kind kind, int level, int out, struct pack **ret, struct err *err)
{
    int r = pack_load(err);

    if (r < 0)
        return r;
    if (level < 0 || level > 9)
        return err_set(err, ERR_INVALID, "%d is no level of compression: 0 to 9 are", level);
    struct pack *p = mem_new(sizeof *p);
    p->kind = kind;
    p->links = (struct strmap)STRMAP_INIT;
    p->archive = lib.write_new();
    p->entry = lib.entry_new();
    struct letters l = letters_set(); /* charsets are looked up here, too */
    r = p->archive && p->entry ? set_up(p, level, out, err)
                               : err_set(err, ERR_FAILED, "libarchive has no memory");
    letters_reset(&l);
    if (r < 0)
        pack_free(p);
    else
        *ret = p;
    return r;
}

struct pack *pack_free(struct pack *p)
{
    if (!p)
        return NULL;
    if (p->archive)
        (void)lib.write_free(p->archive);
    if (p->entry)
        lib.entry_free(p->entry);
    strmap_deinit(&p->links);
    free(p);
    return NULL;
}

int pack_finish(struct pack *p, struct err *err)
{
    struct letters l = letters_set();
    int r = lib.write_close(p->archive);

    letters_reset(&l);
    return r == ARCHIVE_OK ? ERR_OK : failed(p->archive, "cannot end the archive", err);
}

static int write_header(struct pack *p, const char *name, struct err *err)
{
    struct letters l = letters_set();

    lib.set_pathname(p->entry, name);
    int r = lib.write_header(p->archive, p->entry);
    letters_reset(&l);
    /* a warning: the name is no UTF-8, and kept as it is */
    return r >= ARCHIVE_WARN ? ERR_OK : failed(p->archive, "cannot write to the archive", err);
}

/* SIZE bytes of FD: what a file got more meanwhile is left out. */
static int write_content(struct pack *p, int fd, int64_t size, const char *name, struct err *err)
{
    while (size > 0) {
        ssize_t n = read(fd, p->block, size < BLOCK_SIZE ? (size_t)size : BLOCK_SIZE);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, "cannot read '%s'", name);
        if (n == 0)
            return err_set(err, ERR_FAILED, "'%s' got shorter while it was packed", name);
        if (lib.write_data(p->archive, p->block, (size_t)n) != n)
            return failed(p->archive, "cannot write to the archive", err);
        size -= n;
    }
    return lib.finish_entry(p->archive) >= ARCHIVE_WARN
               ? ERR_OK
               : failed(p->archive, "cannot write to the archive", err);
}

int pack_file(struct pack *p, int fd, const struct stat *st, const char *name, struct err *err)
{
    lib.entry_clear(p->entry);
    lib.set_filetype(p->entry, AE_IFREG);
    lib.set_perm(p->entry, 0644);
    lib.set_size(p->entry, st->st_size);
    lib.set_mtime(p->entry, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
    int r = write_header(p, name, err);
    return r < 0 ? r : write_content(p, fd, st->st_size, name, err);
}

/* ---- trees ---- */

static void describe(struct pack *p, const struct stat *st)
{
    lib.entry_clear(p->entry);
    lib.set_filetype(p->entry, st->st_mode & S_IFMT);
    lib.set_perm(p->entry, st->st_mode & 07777);
    lib.set_size(p->entry, S_ISREG(st->st_mode) ? st->st_size : 0);
    lib.set_mtime(p->entry, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
    lib.set_uid(p->entry, st->st_uid);
    lib.set_gid(p->entry, st->st_gid);
}

/* A file with several names is packed once. True: the entry is a link to the first of them. */
static bool is_packed(struct pack *p, const struct stat *st, const char *name)
{
    char key[64];
    const char *first;

    if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
        return false;
    snprintf(key, sizeof key, "%llx:%llx", (unsigned long long)st->st_dev,
             (unsigned long long)st->st_ino);
    first = strmap_get(&p->links, key);
    if (!first) {
        strmap_set(&p->links, slice_of(key), slice_of(name));
        return false;
    }
    lib.set_size(p->entry, 0);
    lib.set_hardlink(p->entry, first);
    return true;
}

static int tree_file(struct pack *p, int fd, const struct stat *st, const char *path,
                     struct err *err)
{
    bool link = is_packed(p, st, path);
    int r = write_header(p, path, err);

    return r < 0 || link ? r : write_content(p, fd, st->st_size, path, err);
}

static int tree_link(struct pack *p, int fd, const struct stat *st, const char *path,
                     struct err *err)
{
    char target[LINK_SIZE];
    ssize_t n = readlinkat(fd, "", target, sizeof target - 1);

    if (n < 0)
        return err_sys(err, "cannot read the link '%s'", path);
    target[n] = '\0';
    if (!is_packed(p, st, path))
        lib.set_symlink(p->entry, target);
    return write_header(p, path, err);
}

static int tree_visit(struct pack *p, int dir, const char *name, const char *path, int depth,
                      struct err *err);

static void closedir_ptr(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

/* *FD goes to the folder's list. */
static int tree_folder(struct pack *p, int *fd, const char *path, int depth, struct err *err)
{
    CLEANUP(buf_deinit) struct buf child = BUF_INIT(NAME_SIZE);
    CLEANUP(closedir_ptr) DIR *list = fdopendir(*fd);

    if (!list)
        return err_sys(err, "cannot read the folder '%s'", path);
    *fd = -1;
    int r = write_header(p, path, err);
    for (struct dirent *e; r == ERR_OK && (e = readdir(list));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        buf_clear(&child);
        buf_printf(&child, "%s/%s", path, e->d_name);
        r = buf_check(&child, "a path", err);
        if (r == ERR_OK)
            r = tree_visit(p, dirfd(list), e->d_name, child.ptr, depth + 1, err);
    }
    return r;
}

/* Looked at before it is opened: opening a pipe or a device does things. */
static int tree_visit(struct pack *p, int dir, const char *name, const char *path, int depth,
                      struct err *err)
{
    CLEANUP(fd_closep) int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd < 0 && errno == ENOENT)
        return ERR_OK;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at '%s'", path);
    if (depth > PACK_DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "folders deeper in each other than %d: '%.100s...'",
                       PACK_DEPTH_MAX, path);
    describe(p, &st);
    if (S_ISLNK(st.st_mode))
        return tree_link(p, fd, &st, path, err);
    if (S_ISSOCK(st.st_mode) || S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode))
        return ERR_OK;
    if (S_ISFIFO(st.st_mode))
        return write_header(p, path, err);
    fd_closep(&fd);
    fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return ERR_OK;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, "cannot open '%s'", path);
    if (S_ISDIR(st.st_mode))
        return tree_folder(p, &fd, path, depth, err);
    if (!S_ISREG(st.st_mode)) /* it was replaced between the two */
        return ERR_OK;
    describe(p, &st);
    return tree_file(p, fd, &st, path, err);
}

int pack_tree(struct pack *p, const char *path, struct err *err)
{
    return tree_visit(p, AT_FDCWD, path, path, 0, err);
}

/* ---- back in its place ---- */

struct restore {
    struct archive *in, *disk;
    uint64_t size;
    size_t files;
};

static int damaged(struct restore *x, struct err *err)
{
    const char *why = lib.error_string(x->in);

    return err_set(err, ERR_INVALID, "the archive is damaged: %s", why ? why : "no reason known");
}

static int copy_content(struct restore *x, struct err *err)
{
    for (;;) {
        const void *block;
        size_t size;
        la_int64_t offset;
        int r = lib.read_block(x->in, &block, &size, &offset);

        if (r == ARCHIVE_EOF)
            return ERR_OK;
        if (r < ARCHIVE_WARN)
            return damaged(x, err);
        if (x->size > RESTORE_SIZE_MAX - size)
            return err_set(err, ERR_LIMIT, "the archive holds more than %llu bytes",
                           RESTORE_SIZE_MAX);
        x->size += size;
        if (lib.write_block(x->disk, block, size, offset) < ARCHIVE_WARN)
            return failed(x->disk, "cannot write", err);
    }
}

static int restore_entry(struct restore *x, struct archive_entry *e, struct err *err)
{
    const char *name = lib.pathname(e);
    mode_t type = lib.filetype(e);

    if (++x->files > RESTORE_FILES_MAX)
        return err_set(err, ERR_LIMIT, "the archive holds more than %d files", RESTORE_FILES_MAX);
    if (!name)
        return err_set(err, ERR_INVALID, "the archive holds a name that cannot be read");
    if (type == AE_IFCHR || type == AE_IFBLK)
        return err_set(err, ERR_INVALID, "the archive holds a device, '%.100s'", name);
    int r = lib.write_header(x->disk, e) < ARCHIVE_WARN ? failed(x->disk, "cannot create", err)
                                                        : copy_content(x, err);
    if (r == ERR_OK && lib.finish_entry(x->disk) < ARCHIVE_WARN)
        r = failed(x->disk, "cannot write", err);
    return r < 0 && r != ERR_INVALID ? err_in(err, "'%.80s'", name) : r;
}

static int restore_all(struct restore *x, int in, struct err *err)
{
    /* As tar has it: root gets owners and modes as they were, others their umask's. */
    int flags = ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_UNLINK |
                (geteuid() == 0 ? ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM : 0);
    struct archive_entry *e;

    if (lib.read_tar(x->in) != ARCHIVE_OK || lib.read_gzip(x->in) < ARCHIVE_WARN ||
        lib.read_zstd(x->in) < ARCHIVE_WARN ||
        lib.read_open_fd(x->in, in, BLOCK_SIZE) != ARCHIVE_OK ||
        lib.disk_options(x->disk, flags) != ARCHIVE_OK)
        return damaged(x, err);
    for (;;) {
        int r = lib.next_header(x->in, &e);

        if (r == ARCHIVE_EOF) /* modes and times of folders are set now */
            return lib.write_close(x->disk) < ARCHIVE_WARN ? failed(x->disk, "cannot finish", err)
                                                           : ERR_OK;
        if (r < ARCHIVE_WARN)
            return damaged(x, err);
        r = restore_entry(x, e, err);
        if (r < 0)
            return r;
    }
}

int pack_restore(int in, struct err *err)
{
    int r = pack_load(err);

    if (r < 0)
        return r;
    struct letters l = letters_set();
    struct restore x = {.in = lib.read_new(), .disk = lib.disk_new()};
    r = x.in && x.disk ? restore_all(&x, in, err)
                       : err_set(err, ERR_FAILED, "libarchive has no memory");
    if (x.in)
        (void)lib.read_free(x.in);
    if (x.disk)
        (void)lib.write_free(x.disk);
    letters_reset(&l);
    return r;
}
