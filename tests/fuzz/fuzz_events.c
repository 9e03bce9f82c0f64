/* An event stream from a worker: read in any pieces, it gives the same events and the same verdict. */
#include "job/event.h"

#include <stdint.h>

enum { LIMIT = 256 << 20 };

static int collect(void *ctx, json_t *event, struct slice log, struct err *err)
{
    char *text = json_dumps(event, JSON_COMPACT);

    (void)err;
    buf_add_str(ctx, text ? text : "?");
    buf_add(ctx, log);
    free(text);
    return ERR_OK;
}

static int read_all(struct slice data, size_t piece, struct buf *out)
{
    struct event_reader r;
    struct err err = ERR_INIT;
    int code = ERR_OK;

    event_reader_init(&r, collect, out);
    for (size_t at = 0; at < data.len && code == ERR_OK; at += piece)
        code = event_reader_feed(&r, slice_head(slice_from(data, at), piece), &err);
    buf_printf(out, "%d%d", code, code == ERR_OK && event_reader_at_boundary(&r));
    event_reader_deinit(&r);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT(LIMIT);
    CLEANUP(buf_deinit) struct buf pieces = BUF_INIT(LIMIT);

    if (size < 1)
        return 0;
    struct slice data = slice_make((const char *)bytes + 1, size - 1);
    (void)read_all(data, size, &whole);
    (void)read_all(data, 1 + bytes[0] % 61, &pieces);
    if (!slice_eq(buf_slice(&whole), buf_slice(&pieces)))
        BUG("'%s' in pieces became '%s'", whole.ptr, pieces.ptr);
    return 0;
}
