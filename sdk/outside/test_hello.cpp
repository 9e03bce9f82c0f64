// A test in C++: it fails by an exception, as a framework would have it.
#include <ostler/test.h>
#include <stdexcept>
#include <string>

extern "C" const struct ost_plugin ostler_plugin_v1;

static void fail(const char *text)
{
    throw std::runtime_error(text);
}

static std::string failure_of(const char *input)
{
    OST_TEST(t, &ostler_plugin_v1);
    try {
        ost_test_with(t, input, "Ada");
    } catch (const std::runtime_error &e) {
        return e.what();
    }
    return "";
}

int main()
{
    ost_test_on_broken(fail);
    OST_TEST(t, &ostler_plugin_v1);
    ost_test_on_exec(t, "echo *", .out = "Hello, world\n");
    if (ost_test_run(t, OST_PHASE_MAIN) != OST_OK ||
        ost_test_output(t, "greeting") != std::string("Hello, world"))
        return 1;
    return failure_of("nobody") == "the plugin has no input 'nobody'" ? 0 : 1;
}
