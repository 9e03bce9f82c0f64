/* Checking of workflows and manifests: whatever the bytes are, nothing crashes, and
 *   - findings stand at places of the file, in order, each with words and at most once;
 *   - a workflow with findings of its reader is refused by the reader, and the other way round;
 *   - the lines of a script have places in the file. */
#include "lang/check/check.h"
#include "lang/workflow/workflow.h"

#include <stdint.h>
#include <stdlib.h>

enum { MEMORY_MAX = 512 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds, const char *what)
{
    if (!holds)
        BUG("%s", what);
}

struct world {
    struct slice text; /* every other file has it too */
    int n_lines;
    int asked;
};

static bool read_other(void *ctx, const char *path, struct slice *ret)
{
    struct world *w = ctx;

    expect(path[0] != '/' && strncmp(path, "../", 3) != 0 && !strstr(path, "/../"),
           "a path that leads out of the repository");
    *ret = w->text;
    return w->asked++ % 3 != 2; /* some are missing */
}

static void take_call(void *ctx, const char *path, int line, int col)
{
    const struct world *w = ctx;

    expect(*path != '/' && strncmp(path, "../", 3) != 0 && !strstr(path, "/../"),
           "a call that leads out of the repository");
    expect(line > 0 && line <= w->n_lines + 1 && col > 0, "a call without a place");
}

static void take_elsewhere(void *ctx, const struct diag *d)
{
    (void)ctx;
    expect(strcmp(d->file, "f") != 0, "a finding of the file itself that is told as another's");
    expect(d->message.len && d->line > 0 && d->col > 0, "a finding elsewhere without a place");
}

/* A plugin for every other reference, with whatever manifest. */
static bool serve(void *ctx, const char *uses, struct slice *ret)
{
    const struct world *w = ctx;

    *ret = w->text;
    return strlen(uses) % 2;
}

/* The rest of them lie on the disk, or their commit is known at least. */
static const char *find_stored(void *ctx, const char *uses, struct slice *ret)
{
    const struct world *w = ctx;

    if (strlen(uses) % 3)
        *ret = w->text;
    return strlen(uses) % 5 ? "0123456789012345678901234567890123456789" : NULL;
}

static void take_script(void *ctx, const struct check_script *script)
{
    const struct world *w = ctx;
    size_t n = 1;

    for (size_t i = 0; i < script->text.len; i++)
        n += script->text.ptr[i] == '\n';
    expect(n == script->n_lines, "a script with more or fewer lines than places");
    for (size_t i = 0; i < n; i++)
        expect(script->lines[i].line > 0 && script->lines[i].line <= w->n_lines &&
                   script->lines[i].col > 0,
               "a line of a script without a place");
}

static bool has_zone(void *ctx, const char *name)
{
    (void)ctx;
    return *name == 'E';
}

static void expect_findings(const struct world *w, const struct diags *diags)
{
    for (size_t i = 0; i < diags->list.len; i++) {
        const struct diag *d = &diags->list.ptr[i], *before = i ? d - 1 : NULL;

        expect(d->message.len > 0, "a finding without words");
        expect(d->line >= 0 && d->line <= w->n_lines + 1, "a finding outside of the file");
        expect((d->line > 0) == (d->col > 0), "half a place");
        expect(!d->fix.len || d->misspelt.len, "a cure for nothing");
        expect(!before || before->line < d->line ||
                   (before->line == d->line && before->col <= d->col),
               "findings out of order");
    }
}

static bool read_alone(struct slice text)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(diags_deinit) struct diags diags = {.arena = &a};
    CLEANUP(workflow_deinit) struct workflow w;

    workflow_init(&w);
    return workflow_parse(&w, text, "f", &diags) == ERR_OK;
}

static void fuzz(struct world *w, bool manifest)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(diags_deinit) struct diags diags = {.arena = &a};
    struct check_options options = {.read = read_other,
                                    .called = take_call,
                                    .elsewhere = take_elsewhere,
                                    .served = serve,
                                    .stored = find_stored,
                                    .script = take_script,
                                    .zone = has_zone,
                                    .ctx = w};
    bool refused = false;

    if (manifest)
        check_manifest(w->text, "f", &options, &diags);
    else
        check_workflow(w->text, "f", &options, &diags);
    expect(a.size < MEMORY_MAX, "findings that are too large");
    expect_findings(w, &diags);
    VEC_EACH (d, &diags.list)
        refused |= !d->rule && d->level == DIAG_ERROR;
    if (!manifest && !diags_is_full(&diags))
        expect(refused != read_alone(w->text), "reader and check disagree");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of exact size, so that a step beyond the end is seen. */
    CLEANUP(free_ptr) char *copy = mem_new(size ? size : 1);
    struct world w = {.text = slice_make(copy, size), .n_lines = 1};

    memcpy(copy, data, size);
    for (size_t i = 0; i < size; i++)
        w.n_lines +=
            strchr("\n\r\x85\xA8\xA9", copy[i]) && copy[i]; /* or more: all breaks of YAML */
    fuzz(&w, false);
    fuzz(&w, true);
    return 0;
}
