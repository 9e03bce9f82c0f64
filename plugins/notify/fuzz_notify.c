/* A message: whatever its template and the job's values are, it is made within bounds, and what comes out is JSON, UTF-8,
 * no longer than the target takes. The input is the template, a NUL, and the values. */
#include "template.h"
#include "webhook.h"
#include "write.h"
#include "../lib/fuzz_memory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *value;

static const char *context(struct ost_step *step, const char *name)
{
    (void)step;
    return strcmp(name, "job.status") == 0 ? "failure" : value;
}

static const char *saved(struct ost_step *step, const char *name)
{
    (void)step;
    (void)name;
    return NULL;
}

static int32_t phase(struct ost_step *step)
{
    (void)step;
    return OST_PHASE_MAIN;
}

static const void *extension(struct ost_step *step, const char *id)
{
    (void)step;
    (void)id;
    return NULL;
}

static void write_all(const struct rich *r)
{
    static write_fn *const dialects[] = {write_plain, write_telegram_html, write_telegram_markdown,
                                         write_slack, write_discord,       write_mattermost,
                                         write_html};

    for (size_t i = 0; i < sizeof dialects / sizeof dialects[0]; i++) {
        struct parts p = {.rest = *r, .write = dialects[i], .max = 200, .markup_counts = i > 2};
        struct span text;

        while (parts_next(&p, &text))
            if (rich_clean(r->step, text).at != text.at)
                abort(); /* it had to be mended */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ost_host host = {
        .struct_size = sizeof host,
        .alloc = fuzz_give,
        .context = context,
        .saved = saved,
        .phase = phase,
        .extension = extension,
    };
    struct ost_step step = {&host};
    struct facts facts;
    struct rich r;
    struct span body;
    char *text;

    if (size > 4000)
        return 0;
    text = fuzz_give(&step, size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    value = strlen(text) < size ? text + strlen(text) + 1 : "";
    facts_load(&facts, &step);
    if (!template_render(&facts, text, true, &r))
        write_all(&r);
    (void)webhook_body(&facts, text, &body);
    if (webhook_body(&facts, "{\"a\":\"{{ actor }}\"}", &body))
        abort(); /* a value broke out of its quotes */
    fuzz_take_back();
    return 0;
}
