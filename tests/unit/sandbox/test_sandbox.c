#include "place.h"

#include "base/clock.h"
#include "base/path.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(root, .timeout = 60);
TestSuite(user, .timeout = 60);

#define SAYS(script, text)                                                                         \
    do {                                                                                           \
        int code_ = place_sh(script);                                                              \
        cr_expect_str_eq(place_out.ptr, text, "%s\nwanted: %s\ngot:    %s", script, text,          \
                         place_out.ptr);                                                           \
        cr_expect_eq(code_, 0, "%s: exit %d", script, code_);                                      \
    } while (0)

BOTH(runs_a_command_and_tells_its_exit)
{
    place_open(SANDBOX_NAMESPACES);
    cr_expect_eq(place_sh("exit 42"), 42);
    cr_expect_eq(place_sh("kill -TERM $$"), 128 + SIGTERM);
    SAYS("pwd; id -u", geteuid() == 0 ? "/home/runner/work\n0\n" : "/home/runner/work\n54321\n");
    cr_expect_str_eq(place_notes, "");
}
