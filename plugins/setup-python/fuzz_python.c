/* Version files of a project, and the versions in them: whatever they hold, reading them stays within bounds
 * and ends, and what was taken for a range can be asked about a version. The first byte picks the kind of
 * file. */
#include "wanted.h"
#include "../lib/fuzz_memory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hear(struct ost_step *step, int32_t level, const char *text)
{
    (void)step, (void)level, (void)text;
}

static ost_status fail(struct ost_step *step, ost_status why, const char *message)
{
    (void)step, (void)message;
    return why;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"pyproject.toml", "Pipfile", ".tool-versions",
                                        ".python-version"};
    static const struct ost_host services = {
        .struct_size = sizeof services, .alloc = fuzz_give, .log = hear, .fail = fail};
    struct ost_step step = {&services};
    const struct semver version = {3, 13, 0, SPAN("rc.1")};
    struct strings versions = {0};
    char *text;

    if (size < 1)
        return 0;
    text = fuzz_give(&step, size - 1); /* to the byte, so that a read past the end is seen */
    memcpy(text, data + 1, size - 1);
    if (wanted_in_file(&step, names[data[0] % OST_COUNT(names)], (struct span){text, size - 1},
                       &versions) == OST_OK)
        for (size_t i = 0; i < versions.n; i++) {
            struct wanted w;
            bool valid;

            if (!wanted_parse(&step, versions.list[i], data[0] & 0x80, &w))
                continue;
            (void)semver_in(span_of(w.range), &version, &valid);
            if (!valid)
                abort();
        }
    fuzz_take_back();
    return 0;
}
