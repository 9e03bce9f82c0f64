/* A workflow of anyone and an event of anyone (lines, before a line of dashes): a verdict is given, it is the same
 * twice, a no has its words and a yes has none. */
#include "lang/trigger.h"

#include "base/utf8.h"

#include <stdint.h>

enum { FILES_MAX = 400 };

static int zone_of(void *ctx, const char *name, const struct cron_zone **ret, struct err *err)
{
    static const struct cron_offset offsets[] = {{0, 3600}, {1774746000, 7200}};
    static const struct cron_zone zone = {offsets, COUNT_OF(offsets)};

    (void)ctx;
    if (strlen(name) > 20)
        return err_set(err, ERR_NOT_FOUND, "there is no time zone '%s'", name);
    *ret = &zone;
    return ERR_OK;
}

static const char *next_text(struct arena *a, struct slice *rest)
{
    struct slice line;

    return slice_line(rest, &line) && line.len ? arena_str(a, line) : NULL;
}

static struct trigger_facts read_facts(struct arena *a, struct slice rest)
{
    struct slice *files = arena_array(a, FILES_MAX, sizeof *files), line;
    const char *event = next_text(a, &rest);
    struct trigger_facts f = {.event = event ? event : "push", .zone = zone_of, .changed = files};

    f.activity = next_text(a, &rest);
    f.ref = next_text(a, &rest);
    f.branch = next_text(a, &rest);
    f.workflow = next_text(a, &rest);
    f.message = next_text(a, &rest);
    f.has_time = next_text(a, &rest) != NULL;
    f.time = 1774745000;
    f.knows_changes = slice_line(&rest, &line);
    for (; slice_line(&rest, &line) && f.n_changed < FILES_MAX; f.n_changed++)
        files[f.n_changed] = line;
    return f;
}

static void look(const struct workflow *w, const struct trigger_facts *f)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct trigger_verdict v = trigger_decide(&a, w, f), again = trigger_decide(&a, w, f);
    const char *text = trigger_text(&a, f, &v, "ci.yml");

    if (v.starts != again.starts || v.filter != again.filter || v.line != again.line)
        BUG("two verdicts");
    if (v.starts != !v.reason || v.starts != !text || v.starts != (v.filter == TRIGGER_NOTHING))
        BUG("a yes with a reason, or a no without");
    if (v.reason && utf8_valid(slice_of(v.reason)) != strlen(v.reason))
        BUG("the reason ends inside a character");
    if (!workflow_event_find(w, f->event) && v.filter != TRIGGER_ON)
        BUG("it starts without listening");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(diags_deinit) struct diags diags = {.arena = &a};
    struct slice data = slice_make((const char *)bytes, size);
    ssize_t cut = slice_find(data, SLICE("\n---\n"));
    struct trigger_facts f;
    struct workflow w;

    if (cut < 0)
        return 0;
    f = read_facts(&a, slice_head(data, (size_t)cut));
    workflow_init(&w);
    if (workflow_parse(&w, slice_from(data, (size_t)cut + 5), "ci.yml", &diags) == ERR_OK)
        look(&w, &f);
    workflow_deinit(&w);
    return 0;
}
