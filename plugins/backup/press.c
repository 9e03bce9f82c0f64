#include "press.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct press {
    struct archive *archive; /* NULL: nothing is compressed */
    press_fn *to;
    void *ctx;
    ost_status status; /* of the first failure */
    bool open;
};

static ssize_t on_bytes(struct archive *a, void *ctx, const void *data, size_t size)
{
    struct press *p = ctx;

    if (p->status == OST_OK)
        p->status = p->to(p->ctx, (struct span){data, size});
    if (p->status < 0) {
        archive_set_error(a, 1, "stopped");
        return -1;
    }
    return (ssize_t)size;
}

static bool begin(struct press *p, const char *how)
{
    struct archive_entry *entry = archive_entry_new();
    bool zstd = strcmp(how, "zstd") == 0;
    bool good = entry && archive_write_set_format_raw(p->archive) == ARCHIVE_OK &&
                (zstd ? archive_write_add_filter_zstd(p->archive)
                      : archive_write_add_filter_gzip(p->archive)) == ARCHIVE_OK &&
                archive_write_set_bytes_in_last_block(p->archive, 1) == ARCHIVE_OK &&
                archive_write_open(p->archive, p, NULL, on_bytes, NULL) == ARCHIVE_OK;

    if (good) {
        archive_entry_set_pathname(entry, "data");
        archive_entry_set_filetype(entry, AE_IFREG);
        p->open = good = archive_write_header(p->archive, entry) == ARCHIVE_OK;
    }
    archive_entry_free(entry);
    return good;
}

struct press *press_new(const char *how, press_fn *to, void *ctx)
{
    struct press *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->to = to;
    p->ctx = ctx;
    if (strcmp(how, "none") == 0)
        return p;
    p->archive = archive_write_new();
    if (!p->archive || !begin(p, how))
        return press_free(p);
    return p;
}

ost_status press_add(struct press *p, struct span bytes)
{
    if (p->status < 0)
        return p->status;
    if (!p->archive)
        return p->status = p->to(p->ctx, bytes);
    while (bytes.size > 0) {
        la_ssize_t n = archive_write_data(p->archive, bytes.at, bytes.size);

        if (n <= 0)
            return p->status = p->status < 0 ? p->status : OST_E_FAILED;
        bytes = (struct span){bytes.at + n, bytes.size - (size_t)n};
    }
    return OST_OK;
}

ost_status press_end(struct press *p)
{
    if (p->archive && p->status == OST_OK &&
        (archive_write_finish_entry(p->archive) != ARCHIVE_OK ||
         archive_write_close(p->archive) != ARCHIVE_OK) &&
        p->status == OST_OK)
        p->status = OST_E_FAILED;
    return p->status;
}

struct press *press_free(struct press *p)
{
    if (!p)
        return NULL;
    if (p->status == OST_OK && p->archive && p->open)
        p->status = OST_E_CANCELLED; /* what libarchive would still write now is nobody's */
    if (p->archive)
        (void)archive_write_free(p->archive);
    free(p);
    return NULL;
}

ost_status press_open(struct ost_step *step, int fd, press_fn *to, void *ctx, const char **ret_why)
{
    enum { BLOCK = 64 << 10 };
    char chunk[BLOCK];
    struct archive *a = archive_read_new();
    struct archive_entry *entry;
    ost_status r = OST_OK;
    la_ssize_t n = 0;

    *ret_why = NULL;
    if (!a || lseek(fd, 0, SEEK_SET) < 0 || archive_read_support_filter_zstd(a) != ARCHIVE_OK ||
        archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
        archive_read_support_format_raw(a) != ARCHIVE_OK ||
        archive_read_support_format_empty(a) != ARCHIVE_OK ||
        archive_read_open_fd(a, fd, BLOCK) != ARCHIVE_OK)
        r = OST_E_FAILED;
    switch (r == OST_OK ? archive_read_next_header(a, &entry) : ARCHIVE_FATAL) {
    case ARCHIVE_OK:
        while (r == OST_OK && (n = archive_read_data(a, chunk, sizeof chunk)) > 0)
            r = to(ctx, (struct span){chunk, (size_t)n});
        break;
    case ARCHIVE_EOF:
        break; /* there is nothing in it */
    default:
        n = -1;
    }
    if (r == OST_OK ? n < 0 : n <= 0) {
        *ret_why =
            ost_fmt(step, "%s",
                    a && archive_error_string(a) ? archive_error_string(a) : "it cannot be read");
        r = OST_E_FAILED;
    }
    if (a)
        (void)archive_read_free(a);
    return r;
}
