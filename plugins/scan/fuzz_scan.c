/* What git, scanners and a project's own files hold: whatever it is, reading it stays within bounds, and no finding
 * shows more than four characters of a secret. The first byte picks the reader. */
#include "scan_allow.h"
#include "scan_secrets.h"
#include "scan_vulns.h"
#include "../lib/fuzz_memory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ost_status refuse(struct ost_step *step, ost_status why, const char *text)
{
    (void)step;
    (void)text;
    return why;
}

static ost_status mask(struct ost_step *step, const char *secret)
{
    (void)step;
    (void)secret;
    return OST_OK;
}

static void read_patch(struct ost_step *step, const char *text, size_t size)
{
    static const struct allow none;
    struct secrets s = {.step = step, .allow = &none, .prefix = ""};
    struct patch p = {.step = step, .found = secrets_line, .ctx = &s};

    patch_feed(&p, text, size / 2);
    patch_feed(&p, text + size / 2, size - size / 2);
    patch_end(&p);
}

static void read_allow(struct ost_step *step, const char *text)
{
    static const struct rule rule = {"jwt", "", SEVERITY_ERROR};
    struct allow a = {0};

    if (allow_read(step, "x", span_of(text), &a) == OST_OK)
        (void)allow_has(step, &a, &rule, "tests/a/b.c", SPAN("x"));
    (void)allow_comment(span_of(text), "jwt");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ost_host host = {
        .struct_size = sizeof host, .alloc = fuzz_give, .fail = refuse, .mask = mask};
    const struct vulns_ask ask = {.target = "."};
    struct ost_step step = {&host};
    struct vulns v = {0};
    struct output o = {0};
    char *text;

    if (size == 0 || size > 100000)
        return 0;
    text = fuzz_give(&step, size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    o.data = text;
    o.size = size - 1;
    switch (data[0] % 5) {
    case 0:
        read_patch(&step, text, size - 1);
        break;
    case 1:
        read_allow(&step, text);
        break;
    case 2:
        (void)vulns_read_trivy(&step, &o, &ask, &v);
        break;
    case 3:
        (void)vulns_read_grype(&step, &o, &ask, &v);
        break;
    default: {
        static const struct allow none;
        struct secrets s = {.step = &step, .allow = &none, .prefix = ""};

        secrets_text(&s, "a/.env", (struct span){text, size - 1});
    }
    }
    fuzz_take_back();
    return 0;
}
