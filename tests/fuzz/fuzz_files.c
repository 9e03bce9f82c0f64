/* File commands: any bytes, in any encoding. What was parsed and is written as heredocs parses to the
 * same again. */
#include "base/utf8.h"
#include "job/files.h"

#include <stdint.h>

enum { LIMIT = 64 << 20 };

static const char delimiter[] = "ghadelimiter_2f0c";

static int rewrite(void *ctx, struct slice name, struct slice value, struct err *err)
{
    (void)err;
    buf_add(ctx, name);
    buf_printf(ctx, "<<%s\n", delimiter);
    buf_add(ctx, value);
    buf_printf(ctx, "\n%s\n", delimiter);
    return ERR_OK;
}

/* Two texts that hold the same pairs are the same when both are rewritten. Names that a heredoc cannot
 * carry, and values that hold the delimiter, are not for this test. */
static int is_simple(void *ctx, struct slice name, struct slice value, struct err *err)
{
    (void)ctx;
    if (slice_find(name, SLICE("<<")) >= 0 || slice_find_char(name, '=') >= 0 ||
        slice_ends(name, SLICE("<")) || slice_find(value, slice_of(delimiter)) >= 0)
        return err_set(err, ERR_UNSUPPORTED, "not simple");
    return ERR_OK;
}

static int count(void *ctx, struct slice path, struct err *err)
{
    (void)err;
    *(size_t *)ctx += path.len;
    return ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(LIMIT);
    CLEANUP(buf_deinit) struct buf once = BUF_INIT(LIMIT);
    CLEANUP(buf_deinit) struct buf twice = BUF_INIT(LIMIT);
    CLEANUP(buf_deinit) struct buf shown = BUF_INIT(LIMIT);
    struct err err = ERR_INIT;
    size_t total = 0;

    files_decode(slice_make((const char *)bytes, size), &text);
    if (utf8_valid(buf_slice(&text)) != text.len)
        BUG("decoded to something else than UTF-8");
    if (files_parse_paths(buf_slice(&text), count, &total, &err) < 0 || total > text.len)
        BUG("paths longer than their file");
    struct mask *m = mask_new();
    files_scrub(buf_slice(&text), m, &shown);
    mask_free(m);
    if (shown.len > text.len + 1)
        BUG("a summary grew");
    if (files_parse_pairs(buf_slice(&text), is_simple, NULL, &err) < 0)
        return 0;
    if (files_parse_pairs(buf_slice(&text), rewrite, &once, &err) < 0 ||
        files_parse_pairs(buf_slice(&once), rewrite, &twice, &err) < 0)
        BUG("%s", err.text);
    if (!slice_eq(buf_slice(&once), buf_slice(&twice)))
        BUG("'%s' became '%s'", once.ptr, twice.ptr);
    return 0;
}
