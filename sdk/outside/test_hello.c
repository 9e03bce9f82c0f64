/* No framework: a test is a program that does not abort. */
#include <ostler/test.h>
#include <string.h>

extern const struct ost_plugin ostler_plugin_v1;

static void expect(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "test_hello: %s\n", what);
        __builtin_trap();
    }
}

/* These names are the runner's, too: the kit may not mind. */
const char *buf_add(void);
const char *buf_add(void)
{
    return "mine";
}

int main(void)
{
    OST_TEST(t, &ostler_plugin_v1);
    ost_test_with(t, "who", "Ada");
    ost_test_on_exec(t, "echo *", .out = "Hello, Ada\n");

    expect(ost_test_run(t, OST_PHASE_MAIN) == OST_OK, "main fails");
    expect(strcmp(ost_test_output(t, "greeting"), "Hello, Ada") == 0, "it says something else");
    expect(ost_test_execs(t, "echo Hello, Ada") == 1, "it does not ask echo");
    expect(ost_test_each_fault(t, .phase = OST_PHASE_MAIN) == 5, "it makes more or fewer calls");
    return *buf_add() == 'm' ? 0 : 1;
}
