/* What comes back from storage: whatever it is, counting it and reading it as a manifest stays within bounds, where a
 * dump is cut makes no difference, and a manifest that was read is read again as it is written. The first byte picks. */
#include "manifest.h"
#include "../lib/fuzz_memory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(struct ost_step *step, enum kind kind, struct span dump)
{
    struct rows whole, cut;

    rows_begin(&whole, step, kind);
    rows_feed(&whole, dump);
    rows_begin(&cut, step, kind);
    for (size_t i = 0; i < dump.size; i++)
        rows_feed(&cut, (struct span){dump.at + i, 1});
    if (whole.n != cut.n || rows_total(&whole) != rows_total(&cut) || whole.entries != cut.entries)
        abort();
    for (size_t i = 0; i < whole.n; i++)
        if (!rows_is_name(kind, whole.tables[i].name))
            abort(); /* it goes into a statement */
}

static void read_manifest(struct ost_step *step, char *text)
{
    struct manifest m, again;
    struct span written;
    char *copy;

    if (manifest_parse(step, text, &m))
        return;
    written = span_of(manifest_format(step, "name", &m));
    copy = fuzz_give(step, written.size + 1);
    memcpy(copy, written.at, written.size + 1);
    if (manifest_parse(step, copy, &again) || again.size != m.size ||
        strcmp(again.file, m.file) != 0 || again.rows.n != m.rows.n)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ost_host host = {.struct_size = sizeof host, .alloc = fuzz_give};
    struct ost_step step = {&host};
    char *text;

    if (size == 0 || size > 20000)
        return 0;
    text = fuzz_give(&step, size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] % 4 == 3)
        read_manifest(&step, text);
    else
        count(&step, (enum kind)(data[0] % 4), (struct span){text, size - 1});
    fuzz_take_back();
    return 0;
}
