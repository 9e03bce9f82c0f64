/* Messages of a runner scale set, and what its tokens say of themselves. The first byte picks which. */
#include "base/attr.h"
#include "queue/github/scale/admin.h"
#include "queue/github/scale/message.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_figure(int64_t n)
{
    if (n < 0 || n > SCALE_COUNT_MAX)
        BUG("a figure of %lld", (long long)n);
}

static void message(struct slice text)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct scale_message m = {0};
    struct err err = ERR_INIT;

    if (scale_message_parse(&a, text, &m, &err) < 0) {
        if (m.id || m.jobs || !err.text[0])
            BUG("half a message, or an error without a text");
        return;
    }
    if (m.id <= 0 || m.n_jobs > SCALE_JOBS_MAX || (m.n_jobs && !m.jobs))
        BUG("message %lld of %zu jobs", (long long)m.id, m.n_jobs);
    check_figure(m.statistics.assigned);
    check_figure(m.statistics.registered);
    for (size_t i = 0; i < m.n_jobs; i++) {
        const struct scale_job *j = &m.jobs[i];

        if (j->event >= SCALE_EVENTS || !j->runner || !j->result || !j->owner || !j->repository ||
            !j->name || !j->trigger || j->waited_s < -1)
            BUG("job %zu is half there", i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    if (data[0] == 't') {
        CLEANUP(free_ptr) char *token = mem_dup((const char *)data + 1, size - 1);

        if (scale_token_life(token) < 0)
            BUG("a token that ends before it begins");
    } else {
        message(slice_make((const char *)data + 1, size - 1));
    }
    return 0;
}
