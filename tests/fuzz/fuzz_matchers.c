/* A matcher file of anyone, and the lines after it (a NUL byte between them): what is found has its texts,
 * a second stream finds the same, and removing by the same file leaves nothing. */
#include "base/utf8.h"
#include "job/log/matchers.h"

#include <stdint.h>

enum { LINES_MAX = 64, TIMEOUT_MS = 20 };

/* What was said is a text; one that is about time may come or not. */
static void note(void *ctx, bool warning, const char *text)
{
    bool *slow = ctx;

    *slow |= warning || slice_starts(slice_of(text), SLICE("Timeout"));
    if (!text[0])
        BUG("an empty note");
}

static void record(const struct finding *f, struct buf *out)
{
    const struct annotation *a = &f->annotation;
    const struct slice texts[] = {a->message, a->file, a->code, f->from_path};

    if (a->level >= ANNOTATION_LEVELS || a->line < 0 || a->col < 0 || a->message.len == 0)
        BUG("no finding");
    buf_printf(out, "%d %lld %lld", (int)a->level, (long long)a->line, (long long)a->col);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (utf8_valid(texts[i]) != texts[i].len)
            BUG("a field ends inside a character");
        buf_add_char(out, '|');
        buf_add(out, texts[i]);
    }
    buf_add_char(out, '\n');
}

/* All that LINES say. */
static void scan_all(struct matchers *m, struct slice lines, struct buf *out, bool *slow)
{
    CLEANUP(buf_deinit) struct buf clean = BUF_INIT(16 << 20);
    CLEANUP(buf_deinit) struct buf plain = BUF_INIT(16 << 20);
    struct scan *s = scan_new(m);
    struct slice line;

    utf8_clean(lines, &clean);
    lines = buf_slice(&clean);
    for (int i = 0; i < LINES_MAX && slice_line(&lines, &line); i++) {
        struct finding f;

        if (scan_line(s, matchers_plain(line, &plain), note, slow, &f))
            record(&f, out);
        buf_add_char(out, '.');
    }
    scan_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    CLEANUP(buf_deinit) struct buf owners = BUF_INIT(1 << 20);
    CLEANUP(buf_deinit) struct buf first = BUF_INIT(64 << 20);
    CLEANUP(buf_deinit) struct buf second = BUF_INIT(64 << 20);
    struct slice data = slice_make((const char *)bytes, size);
    ssize_t end = slice_find_char(data, '\0');
    struct slice json = slice_head(data, end < 0 ? size : (size_t)end);
    struct slice lines = slice_from(data, json.len + 1);
    struct matchers *m = matchers_new(&(struct matchers_spec){.timeout_ms = TIMEOUT_MS});
    struct err err = ERR_INIT;
    bool slow = false;

    if (matchers_add(m, json, &owners, &err) == ERR_OK) {
        scan_all(m, lines, &first, &slow);
        scan_all(m, lines, &second, &slow);
        if (!slow && !slice_eq(buf_slice(&first), buf_slice(&second)))
            BUG("'%s' became '%s'", first.ptr, second.ptr);
        if (matchers_remove_all(m, json, &owners, &err) < 0)
            BUG("%s", err.text);
    }
    if (matchers_any(m))
        BUG("something is left of '%s'", owners.ptr);
    (void)matchers_timeout(lines);
    matchers_free(m);
    return 0;
}
