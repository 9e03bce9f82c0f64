/* What the server of a websocket sends: its answer to our key, and frames. These mean the same in whatever pieces they
 * come. The first byte picks which. */
#include "io/websocket.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(void *ctx, unsigned opcode, struct slice payload)
{
    buf_printf(ctx, "%u:%zu:", opcode, payload.len);
    buf_add(ctx, payload);
}

static int read_by(struct slice bytes, size_t step, struct buf *seen)
{
    struct websocket_reader r = {0};
    struct err err = ERR_INIT;
    int result = ERR_OK;

    while (bytes.len && result == ERR_OK) {
        result = websocket_read(&r, slice_head(bytes, step), note, seen, &err);
        bytes = slice_from(bytes, step);
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data + 1, size ? size - 1 : 0);
    struct err err = ERR_INIT;

    if (!size)
        return 0;
    if (data[0] == 'a') {
        if (websocket_agreed(text, "dGhlIHNhbXBsZSBub25jZQ==", &err) != ERR_OK && !err.text[0])
            BUG("an error without a text");
        return 0;
    }
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT(16 << 20);
    CLEANUP(buf_deinit) struct buf pieces = BUF_INIT(16 << 20);
    if (read_by(text, text.len, &whole) != read_by(text, 1 + data[0] % 7, &pieces) ||
        !slice_eq(buf_slice(&whole), buf_slice(&pieces)))
        BUG("frames mean something else in pieces");
    return 0;
}
