/* What linters and git print: whatever it is, reading it stays within bounds, and what was read can be
 * written as SARIF. The first byte picks the reader. */
#include "../lib/changes.h"
#include "lint_read.h"
#include "lint_sarif.h"
#include "lint_tool.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A host that gives memory, and takes it all back. */
static void **blocks;
static size_t n_blocks;

static void *give(struct ost_step *step, size_t size)
{
    (void)step;
    blocks = realloc(blocks, (n_blocks + 1) * sizeof *blocks);
    if (!blocks)
        abort();
    blocks[n_blocks] = malloc(size ? size : 1);
    if (!blocks[n_blocks])
        abort();
    return memset(blocks[n_blocks++], 0xa5, size);
}

static void take_back(void)
{
    while (n_blocks > 0)
        free(blocks[--n_blocks]);
    free(blocks);
    blocks = NULL;
}

static void read_one(struct ost_step *step, const struct tool *tool, const char *text, size_t size)
{
    struct check c = {.tool = tool, .root = "web", .argv = OST_ARGV("x"), .exit_code = 1};
    struct checks checks = {.list = &c, .n = 1};

    c.out.data = memcpy(give(step, size + 1), text, size + 1); /* readers of JSON write into it */
    c.err.data = memcpy(give(step, size + 1), text, size + 1);
    c.out.size = c.err.size = size;
    read_check(step, &c, "/w");
    for (size_t i = 0; tool->help && i < c.findings.n; i++)
        c.findings.list[i].help = tool->help(step, c.findings.list[i].rule);
    (void)lint_sarif(step, &checks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ost_host host = {.struct_size = sizeof host, .alloc = give};
    struct ost_step step = {&host};
    size_t n_tools = 0, which;
    char *text;

    if (size == 0 || size > 100000)
        return 0;
    while (tools[n_tools].name)
        n_tools++;
    which = data[0] % (n_tools + 1);
    text = give(&step, size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (which == n_tools) {
        struct finding f = {.file = "a", .line = 1, .rule = "", .message = "", .help = ""};
        struct changes changes = {0};

        changes_read(&step, (struct span){text, size - 1}, "", &changes);
        (void)changes_touch(&changes, &f);
    } else {
        read_one(&step, &tools[which], text, size - 1);
    }
    take_back();
    return 0;
}
