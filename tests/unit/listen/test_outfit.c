#include "listen/outfit.h"

#include "kit/scratch.h"

#include <criterion/criterion.h>

static struct loop *loop;
static struct services *services;
static struct job job;
static struct step step = {.id = "a", .uses = "actions/cache@v4"};

static void enter(void)
{
    struct err err = ERR_INIT;

    scratch_enter();
    cr_assert_eq(loop_new(&loop, &err), ERR_OK, "%s", err.text);
    job_init(&job);
    job.id = job.key = "a";
    job.contexts = json_object();
    job.steps = &step;
    job.n_steps = 1;
}

static void leave(void)
{
    job_deinit(&job);
    services_free(services);
    loop_free(loop);
    scratch_leave();
}

TestSuite(outfit, .init = enter, .fini = leave);

static void has(const char *name, const char *value)
{
    strmap_set(&job.runtime, slice_of(name), slice_of(value));
}

static void serve(void)
{
    const struct outfit o = {.caches = scratch_path, .state = scratch_path};
    struct err err = ERR_INIT;

    cr_assert_eq(outfit_serve(&o, scratch_path, loop, &job, &services, &err), ERR_OK, "%s",
                 err.text);
}

Test(outfit, adds_caches_to_the_services_that_a_queue_gives)
{
    has("ACTIONS_RUNTIME_TOKEN", "its own");
    has("ACTIONS_RESULTS_URL", "https://git.example");
    serve();
    cr_expect(services);
    cr_expect(strmap_get(&job.runtime, "ACTIONS_CACHE_URL"));
    cr_expect_str_eq(strmap_get(&job.runtime, "ACTIONS_RUNTIME_TOKEN"), "its own");
    cr_expect_str_eq(strmap_get(&job.runtime, "ACTIONS_RESULTS_URL"), "https://git.example");
}

Test(outfit, leaves_the_caches_that_a_queue_gives_alone)
{
    has("ACTIONS_RUNTIME_TOKEN", "its own");
    has("ACTIONS_CACHE_URL", "https://git.example/caches/");
    serve();
    cr_expect_null(services);
    cr_expect_eq(job.runtime.len, 2);
}

Test(outfit, leaves_caches_beside_the_artifacts_alone)
{
    has("ACTIONS_RUNTIME_TOKEN", "its own");
    has("ACTIONS_CACHE_SERVICE_V2", "True");
    serve();
    cr_expect_null(services);
    cr_expect_eq(job.runtime.len, 2);
}

Test(outfit, gives_nothing_to_a_job_that_cannot_ask)
{
    step.uses = NULL;
    serve();
    cr_expect_null(services);
    cr_expect_eq(job.runtime.len, 0);
}
