/* A plugin in a test, answered as a real run was: the folder with its transcript is the argument. */
#include <ostler/test.h>
#include <stdlib.h>

extern const struct ost_plugin ostler_plugin_v1;

static void give_up(const char *text)
{
    fprintf(stderr, "test_replay: %s\n", text);
    exit(1);
}

int main(int argc, char **argv)
{
    OST_TEST(t, &ostler_plugin_v1);

    if (argc < 2)
        return 2;
    ost_test_on_broken(give_up);
    ost_test_scratch(t);
    ost_test_replay(t, argv[1]);
    ost_status r = ost_test_run(t, OST_PHASE_MAIN);
    if (r != OST_OK)
        fprintf(stderr, "test_replay: main returned %d: %s\n", (int)r, ost_test_failure(t));
    if (ost_test_unplayed(t, "*"))
        fprintf(stderr, "test_replay: %zu calls were not made again\n", ost_test_unplayed(t, "*"));
    return r == OST_OK && !ost_test_unplayed(t, "*") ? 0 : 1;
}
