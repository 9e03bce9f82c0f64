/* ostler.source/1, called by a real plugin in a real sandbox. */
#include "phase.h"

#include <criterion/criterion.h>

BOTH(a_plugin_is_told_of_the_source_at_hand)
{
    struct phase p = PHASE_INIT;

    place_open(SANDBOX_NAMESPACES);
    phase_open(&p, "source");
    phase_with(&p, "repository", "acme/shown");
    phase_run(&p);
    cr_assert_eq(p.end.status, OST_OK, "%s", p.end.text);
    phase_said(&p, "source: acme/shown main /place/lib clean");
    phase_said(&p, "info: 1 '' '' 'refs/heads/main' 'abc'");
    phase_with(&p, "repository", "acme/clone");
    phase_run(&p);
    phase_said(&p, "info: 0 '/the \"clone\"' '' 'refs/heads/main' 'abc'");
    phase_close(&p);
    place_close();
}

BOTH(a_source_that_is_not_there_has_its_reason)
{
    static const struct {
        const char *repository, *odd;
        ost_status status;
        const char *text;
    } rows[] = {
        {"acme/none", "false", OST_E_NOT_FOUND, "not here"},
        {"acme/denied", "false", OST_E_DENIED, "nor there"},
        {"acme/bytes", "false", OST_E_INVALID, "the name of its folder is not UTF-8"},
        {"acme/shown", "true", OST_E_UNSUPPORTED,
         "source: this host does not know all of the flags"},
    };
    struct phase p = PHASE_INIT;

    place_open(SANDBOX_NAMESPACES);
    phase_open(&p, "source");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        phase_with(&p, "repository", rows[i].repository);
        phase_with(&p, "odd", rows[i].odd);
        phase_run(&p);
        cr_expect_eq(p.end.status, rows[i].status, "%s: %d", rows[i].repository, p.end.status);
        cr_expect_str_eq(p.end.text, rows[i].text);
    }
    phase_close(&p);
    place_close();
}
