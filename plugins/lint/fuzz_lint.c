/* What linters and git print: whatever it is, reading it stays within bounds, and what was read can be
 * written as SARIF. The first byte picks the reader. */
#include "../lib/changes.h"
#include "lint_read.h"
#include "lint_sarif.h"
#include "lint_tool.h"
#include "../lib/fuzz_memory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_one(struct ost_step *step, const struct tool *tool, const char *text, size_t size)
{
    struct check c = {.tool = tool, .root = "web", .argv = OST_ARGV("x"), .exit_code = 1};
    struct checks checks = {.list = &c, .n = 1};

    c.out.data =
        memcpy(fuzz_give(step, size + 1), text, size + 1); /* readers of JSON write into it */
    c.err.data = memcpy(fuzz_give(step, size + 1), text, size + 1);
    c.out.size = c.err.size = size;
    read_check(step, &c, "/w");
    for (size_t i = 0; tool->help && i < c.findings.n; i++)
        c.findings.list[i].help = tool->help(step, c.findings.list[i].rule);
    (void)lint_sarif(step, &checks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ost_host host = {.struct_size = sizeof host, .alloc = fuzz_give};
    struct ost_step step = {&host};
    size_t n_tools = 0, which;
    char *text;

    if (size == 0 || size > 100000)
        return 0;
    while (tools[n_tools].name)
        n_tools++;
    which = data[0] % (n_tools + 1);
    text = fuzz_give(&step, size);
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
    fuzz_take_back();
    return 0;
}
