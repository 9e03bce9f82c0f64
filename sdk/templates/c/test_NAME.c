/* What @NAME@ does, in a host that lives in memory: <ostler/test.h> says what else it can do. */
#undef NDEBUG /* a release build tests, too */
#include <ostler/test.h>

#include <assert.h>
#include <string.h>

extern const struct ost_plugin ostler_plugin_v1;

static void is_greeted_with(struct ost_test *t, const char *greeting)
{
    assert(ost_test_run(t, OST_PHASE_MAIN) == OST_OK);
    assert(strcmp(ost_test_output(t, "greeting"), greeting) == 0);
}

static void greets_the_world(void)
{
    OST_TEST(t, &ostler_plugin_v1);

    ost_test_on_exec(t, "uname *", .out = "Linux\n");
    is_greeted_with(t, "Hello, world, from Linux.");
}

static void shouts(void)
{
    OST_TEST(t, &ostler_plugin_v1);

    ost_test_on_exec(t, "uname *", .out = "Linux\n");
    ost_test_with(t, "who", "Ada");
    ost_test_with(t, "loud", "true");
    is_greeted_with(t, "Hello, Ada, from Linux!");
}

static void greets_nobody_when_uname_fails(void)
{
    OST_TEST(t, &ostler_plugin_v1);

    ost_test_on_exec(t, "uname *", .exit_code = 1);
    assert(ost_test_run(t, OST_PHASE_MAIN) == OST_E_EXIT);
    assert(ost_test_output(t, "greeting") == NULL);
}

/* Each call fails once, and the job is cancelled before each. */
static void survives_every_fault(void)
{
    OST_TEST(t, &ostler_plugin_v1);

    assert(ost_test_each_fault(t, .phase = OST_PHASE_MAIN) > 0);
}

int main(void)
{
    greets_the_world();
    shouts();
    greets_nobody_when_uname_fails();
    survives_every_fault();
    return 0;
}
