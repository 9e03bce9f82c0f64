#include "report/jsonline.h"

#include "report/text.h"

static int add_chunk(const char *chunk, size_t size, void *ctx)
{
    buf_add(ctx, slice_make(chunk, size));
    return 0;
}

static void add_members(struct buf *out, const json_t *object, bool without_size, bool *first)
{
    const char *key;
    json_t *value;

    /* jansson has no const iteration; nothing is changed. */
    json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
        if (without_size && strcmp(key, "size") == 0)
            continue;
        buf_add_char(out, *first ? '{' : ',');
        *first = false;
        json_t *name = json_string(key);
        (void)json_dump_callback(name, add_chunk, out, JSON_ENCODE_ANY);
        json_decref(name);
        buf_add_char(out, ':');
        (void)json_dump_callback(value, add_chunk, out, JSON_ENCODE_ANY | JSON_COMPACT);
    }
}

/* By hand: jansson would want a checked copy first, and refuses broken UTF-8. */
static void add_text(struct buf *out, struct slice text)
{
    buf_add_char(out, '"');
    while (text.len) {
        size_t n = 0;

        while (n < text.len && text.ptr[n] >= 0x20 && text.ptr[n] < 0x7F && text.ptr[n] != '"' &&
               text.ptr[n] != '\\')
            n++;
        buf_add(out, slice_head(text, n));
        text = slice_from(text, n);
        if (!text.len)
            break;
        struct slice before = text;
        uint32_t c = text_next(&text);

        if (c == '\n')
            buf_add(out, SLICE("\\n"));
        else if (c == '\t')
            buf_add(out, SLICE("\\t"));
        else if (c < 0x20 || c == 0x7F)
            buf_printf(out, "\\u%04x", (unsigned)c);
        else if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", (char)c);
        else if (c == 0xFFFD)
            buf_add(out, SLICE("\xEF\xBF\xBD"));
        else
            buf_add(out, slice_head(before, before.len - text.len));
    }
    buf_add_char(out, '"');
}

void jsonline_add(struct buf *out, const json_t *event, const struct slice *text,
                  const json_t *extra)
{
    bool first = true;

    add_members(out, event, text != NULL, &first);
    if (extra)
        add_members(out, extra, false, &first);
    if (text) {
        buf_add_str(out, first ? "{\"text\":" : ",\"text\":");
        first = false;
        add_text(out, *text);
    }
    buf_add_str(out, first ? "{}\n" : "}\n");
}
