/* Reports of programs that know little of XML: whatever it is, reading it stays within bounds, and what is handed on
 * is UTF-8. The first byte is the size of a portion. */
#include "xml.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *give(struct ost_step *step, size_t size)
{
    (void)step;
    return calloc(1, size ? size : 1);
}

static bool is_utf8(struct span s)
{
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.at[i];
        size_t more = c < 0x80 ? 0 : c < 0xc2 ? 9 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf5 ? 3 : 9;

        if (more >= s.size - i)
            return false;
        for (; more > 0; more--)
            if (((unsigned char)s.at[++i] & 0xc0) != 0x80)
                return false;
    }
    return true;
}

static void on_text(void *ctx, struct span text)
{
    (void)ctx;
    if (!is_utf8(text))
        abort();
}

static void on_open(void *ctx, const char *name, const char *const *attributes)
{
    on_text(ctx, span_of(name));
    for (; *attributes; attributes++)
        on_text(ctx, span_of(*attributes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ost_host host = {.struct_size = sizeof host, .alloc = give};
    static const struct xml_events events = {on_open, NULL, on_text};
    struct ost_step step = {&host};
    struct span s = {(const char *)data + 1, size - 1};
    struct xml *x;
    size_t portion;
    void *wrong;

    if (size == 0 || size > 100000)
        return 0;
    portion = (size_t)data[0] + 1;
    x = xml_new(&step, &events, NULL);
    for (; s.size > portion; s = (struct span){s.at + portion, s.size - portion})
        (void)xml_feed(x, (struct span){s.at, portion}, false);
    (void)xml_feed(x, s, true);
    wrong = (void *)(uintptr_t)xml_wrong(x);
    xml_free(x);
    free(wrong);
    free(x);
    return 0;
}
