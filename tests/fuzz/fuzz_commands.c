/* A step's output: whatever it is, and however it is cut into reads, the log says the same, and no byte
 * of the registered secret gets through as a whole. */
#include "base/fd.h"
#include "job/log/log.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct slice secret = SLICE_INIT("S3CR\xc3\xa9T");

static int collect(void *ctx, json_t *event, struct slice log, struct err *err)
{
    (void)err;
    buf_add(ctx, log);
    if (log.len == 0) {
        char *text = json_dumps(event, JSON_COMPACT);

        buf_add_str(ctx, text);
        free(text);
    }
    return ERR_OK;
}

static int accept_pair(void *ctx, struct slice name, struct slice value, struct err *err)
{
    (void)ctx;
    if (name.len && name.ptr[0] == '!')
        return err_set(err, ERR_DENIED, "refused for '%.*s'", SLICE_ARG(value));
    return ERR_OK;
}

/* All that comes out when DATA is read in pieces of SIZE bytes. */
static void run(struct slice data, size_t size, int fd, struct buf *out)
{
    static const struct log_handlers handlers = {.set_output = accept_pair, .set_env = accept_pair};
    CLEANUP(buf_deinit) struct buf all = BUF_INIT(64 << 20);
    struct event_writer w;
    struct event_reader r;
    struct err err = ERR_INIT;
    struct mask *m = mask_new();

    if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0 || !mask_add(m, secret))
        BUG("no scratch file");
    event_writer_init(&w, fd, "job");
    struct log_spec spec = {.events = &w,
                            .step = 1,
                            .mask = m,
                            .handlers = &handlers,
                            .workspace = "/w",
                            .debug = true,
                            .allow_insecure_commands = true};
    struct log *log = log_new(&spec);
    for (size_t at = 0; at < data.len; at += size)
        if (log_feed(log, LOG_STDOUT, slice_head(slice_from(data, at), size), &err) < 0)
            BUG("%s", err.text);
    if (log_end(log, LOG_STDOUT, &err) < 0)
        BUG("%s", err.text);
    buf_printf(out, "%d%d", log_failed(log), log_echo(log));
    log_free(log);
    event_writer_deinit(&w);
    mask_free(m);

    event_reader_init(&r, collect, out);
    if (lseek(fd, 0, SEEK_SET) < 0 || fd_read_all(fd, &all, &err) < 0 ||
        event_reader_feed(&r, buf_slice(&all), &err) < 0 || !event_reader_at_boundary(&r))
        BUG("%s", err.text);
    event_reader_deinit(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static int fd = -1;
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT(64 << 20);
    CLEANUP(buf_deinit) struct buf pieces = BUF_INIT(64 << 20);

    if (fd < 0)
        fd = memfd_create("events", MFD_CLOEXEC);
    if (size < 1)
        return 0;
    struct slice data = slice_make((const char *)bytes + 1, size - 1);
    run(data, size, fd, &whole);
    run(data, 1 + bytes[0] % 31, fd, &pieces);
    if (!slice_eq(buf_slice(&whole), buf_slice(&pieces)))
        BUG("'%s' in pieces of %d became '%s'", whole.ptr, 1 + bytes[0] % 31, pieces.ptr);
    if (slice_find(buf_slice(&whole), secret) >= 0)
        BUG("a secret came through: '%s'", whole.ptr);
    return 0;
}
