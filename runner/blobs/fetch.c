#include "blobs/fetch.h"

#include "base/fd.h"
#include "base/percent.h"
#include "base/utf8.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- names ---- */

/* What a name may not be, nor hold. */
static bool is_name(struct slice s)
{
    if (!s.len || s.len > 255 || slice_eq(s, SLICE(".")) || slice_eq(s, SLICE("..")))
        return false;
    return !memchr(s.ptr, '\0', s.len) && utf8_valid(s) == s.len;
}

void fetch_file_name(struct slice header, char ret[256])
{
    CLEANUP(buf_deinit) struct buf plain = BUF_INIT(HTTP_HEADERS_MAX);
    CLEANUP(buf_deinit) struct buf extended = BUF_INIT(HTTP_HEADERS_MAX);
    struct slice part;

    ret[0] = '\0';
    while (slice_split(&header, ';', &part)) {
        ssize_t is = slice_find_char(part, '=');
        struct slice name = slice_trim(slice_head(part, is < 0 ? 0 : (size_t)is));
        struct slice value = slice_trim(slice_from(part, (size_t)(is + 1)));

        if (slice_eq_nocase(name, SLICE("filename*")) && value.len > 7 &&
            slice_eq_nocase(slice_head(value, 7), SLICE("UTF-8''")))
            percent_decode(slice_from(value, 7), &extended);
        if (!slice_eq_nocase(name, SLICE("filename")))
            continue;
        if (value.len > 1 && (value.ptr[0] == '"' || value.ptr[0] == '\''))
            value = slice_make(value.ptr + 1, value.len - 2);
        buf_add(&plain, value);
    }
    struct slice all = buf_slice(extended.len ? &extended : &plain);
    for (ssize_t slash; (slash = slice_find_char(all, '/')) >= 0;)
        all = slice_from(all, (size_t)slash + 1);
    if (is_name(all))
        snprintf(ret, 256, "%.*s", SLICE_ARG(all));
}

static void take_type(struct slice header, char ret[128])
{
    struct slice type = header;
    size_t n = 0;

    (void)slice_split(&header, ';', &type);
    type = slice_trim(type);
    for (; n < type.len && n < 127; n++)
        ret[n] = (char)tolower((unsigned char)type.ptr[n]);
    ret[n] = '\0';
}

/* ---- the file ---- */

int fetch_spool(int *ret, struct err *err)
{
    int fd = openat(CARRIER_SPOOL, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) { /* not every file system has them */
        static const char name[] = ".ostler-blob";

        (void)unlinkat(CARRIER_SPOOL, name, 0); /* of one that was killed just here */
        fd = openat(CARRIER_SPOOL, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0)
            (void)unlinkat(CARRIER_SPOOL, name, 0);
    }
    if (fd < 0)
        return err_sys(err, "cannot create a file in the temporary folder");
    *ret = fd;
    return ERR_OK;
}

struct spool {
    int fd;
    struct digest *digest;
};

static int on_bytes(void *ctx, struct slice bytes, struct err *err)
{
    struct spool *s = ctx;

    digest_add(s->digest, bytes);
    return fd_write_all(s->fd, bytes, err);
}

/* Said only of what is told apart by it: addresses are secrets. */
static int refused(const struct http_answer *a, struct err *err)
{
    struct slice code = slice_head(http_header(a, "x-ms-error-code"), 60);

    return err_set(err, ERR_SYS, "the download was answered with %d%s%.*s", a->status,
                   code.len ? " " : "", SLICE_ARG(code));
}

int fetch(struct carrier *c, const char *url, struct fetched *ret, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    CLEANUP(http_answer_deinit) struct http_answer answer = {0};
    unsigned char sum[DIGEST_SIZE];
    int r = fetch_spool(&fd, err);

    if (r < 0)
        return r;
    struct spool spool = {fd, digest_new()};
    struct http_request q = {
        .url = url,
        .sink = on_bytes,
        .tries = FETCH_TRIES,
        .follow = true,
        .idle_ms = FETCH_IDLE_MS,
        .retry = carrier_say_retry,
        .ctx = &spool,
    };
    r = http_do(c->http, &q, &answer, err);
    digest_finish(spool.digest, sum);
    digest_free(spool.digest);
    if (r < 0)
        return err_in(err, "the download");
    if (answer.status != 200)
        return refused(&answer, err);
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_sys(err, "cannot rewind the download");
    digest_hex(sum, ret->digest);
    take_type(http_header(&answer, "Content-Type"), ret->type);
    fetch_file_name(http_header(&answer, "Content-Disposition"), ret->name);
    ret->size = answer.size;
    ret->fd = fd;
    fd = -1;
    return ERR_OK;
}
