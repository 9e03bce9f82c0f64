/* GitHub's job message: what is read of it is a job that a worker can take, and its tokens are masked. */
#include "queue/github/message/message.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static bool is_masked(const struct job *j, const char *value)
{
    STRMAP_EACH (i, &j->masks)
        if (strcmp(i->value, value) == 0)
            return true;
    return false;
}

static void check(struct job *j, const struct github_job *g)
{
    struct err err = ERR_INIT;
    struct job again;
    size_t size;

    if (!github_job_can_be_told(g) || g->n_steps != j->n_steps)
        BUG("a job that nobody can be told of");
    if (!is_masked(j, g->token))
        BUG("the job's token would show");
    for (size_t i = 0; i < j->n_steps; i++)
        if (!github_step_find(g, j->steps[i].record))
            BUG("step %zu has no record", i);
    j->dir = "/job"; /* the listener's part */
    char *text = job_format(j, &size);
    job_init(&again);
    if (job_parse(&again, slice_make(text, size), &err) < 0)
        BUG("the worker would say: %s", err.text);
    job_deinit(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct github_origin place = {
        .registration = "r", .runner = "box", .url = "https://github.com/a/b"};
    struct err err = ERR_INIT;
    struct github_job g;
    struct job j;

    if (github_message_parse(slice_make((const char *)bytes, size), &place, &j, &g, &err) == ERR_OK)
        check(&j, &g);
    job_deinit(&j);
    github_job_deinit(&g);
    return 0;
}
