#include "listen/outfit.h"

#include "kit/scratch.h"

#include <criterion/criterion.h>

TestSuite(outfit, .init = scratch_enter, .fini = scratch_leave);

Test(outfit, leaves_the_services_that_a_queue_gives_alone)
{
    const struct outfit o = {.caches = scratch_path, .state = scratch_path};
    struct step step = {.id = "a", .uses = "actions/cache@v4"};
    struct services *services = NULL;
    struct err err = ERR_INIT;
    struct job job;

    job_init(&job);
    job.steps = &step;
    job.n_steps = 1;
    strmap_set(&job.runtime, SLICE("ACTIONS_RUNTIME_TOKEN"), SLICE("its own"));
    cr_assert_eq(outfit_serve(&o, scratch_path, NULL, &job, &services, &err), ERR_OK);
    cr_expect_null(services);
    cr_expect_eq(job.runtime.len, 1);
    cr_expect_str_eq(strmap_get(&job.runtime, "ACTIONS_RUNTIME_TOKEN"), "its own");
    job_deinit(&job);
}
