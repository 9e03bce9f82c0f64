/* test_step - a step of the plugin for each test of a suite: .init = step_enter, .fini = step_leave. */
#pragma once

#include <ostler/test.h>

extern const struct ost_plugin ostler_plugin_v1;

static struct ost_test *host;
static struct ost_step *step; /* in a scratch folder of its own */

static inline void step_enter(void)
{
    host = ost_test_new(&ostler_plugin_v1);
    ost_test_scratch(host);
    step = ost_test_step(host);
}

static inline void step_leave(void)
{
    ost_test_free(host);
}
