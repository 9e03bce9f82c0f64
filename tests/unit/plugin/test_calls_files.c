/* ostler.files/1, called by a real plugin in a real sandbox. */
#include "phase.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <fnmatch.h>

BOTH(a_plugin_finds_and_hashes_the_files_of_its_job)
{
    struct phase p = PHASE_INIT;

    place_open(SANDBOX_NAMESPACES);
    cr_assert_eq(place_sh("mkdir -p a/b && printf one >a/x && printf two >a/b/y && printf h >a/.z "
                          "&& ln -s . a/back"),
                 0);
    phase_open(&p, "files");
    phase_with(&p, "patterns", "a/**\n!a/b/*\n# nothing");
    phase_with(&p, "flags", "3"); /* LINKS, INSIDE */
    phase_run(&p);
    cr_assert_eq(p.end.status, OST_OK, "%s%s", p.end.text, p.log.ptr);
    phase_said(&p, "info: found */a/.z\ninfo: found */a/x\ninfo: root */a\ninfo: hash '*");
    phase_not_said(&p, "/a/b/y");
    phase_not_said(&p, "found */a/back");
    phase_not_said(&p, "hash ''");
    phase_close(&p);
    place_close();
}

BOTH(a_pattern_that_is_none_is_the_reason_of_the_failure)
{
    struct phase p = PHASE_INIT;

    place_open(SANDBOX_NAMESPACES);
    phase_open(&p, "files");
    phase_with(&p, "patterns", "a/../b");
    phase_run(&p);
    cr_assert_eq(p.end.status, OST_E_INVALID, "%s", p.end.text);
    cr_assert_eq(fnmatch("*'.' and '..'*", p.end.text, 0), 0, "%s", p.end.text);
    phase_with(&p, "patterns", "a");
    phase_with(&p, "flags", "256");
    phase_run(&p);
    cr_assert_eq(p.end.status, OST_E_UNSUPPORTED, "%s", p.end.text);
    phase_close(&p);
    place_close();
}
