#include "job/switches.h"

#include "base/buf.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(switches, loose_ones_know_more_words_for_on)
{
    static const struct {
        const char *value;
        bool strict, loose;
    } rows[] = {
        {"true", true, true}, {"TRUE", true, true},    {"1", false, true},   {"$True", false, true},
        {"0", false, false},  {"false", false, false}, {"", false, false},   {"yes", false, false},
        {NULL, false, false}, {" true", false, false}, {"11", false, false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        cr_expect_eq(switch_means_on(rows[i].value, false), rows[i].strict, "row %zu", i);
        cr_expect_eq(switch_means_on(rows[i].value, true), rows[i].loose, "row %zu", i);
    }
}

Test(switches, empty_is_not_set)
{
    setenv("ACTIONS_SOMETHING", "", 1);
    cr_expect_null(switch_text("ACTIONS_SOMETHING"));
    setenv("ACTIONS_SOMETHING", "1", 1);
    cr_expect_str_eq(switch_text("ACTIONS_SOMETHING"), "1");
    cr_expect(switch_is_on("ACTIONS_SOMETHING"));
    cr_expect_null(switch_text("ACTIONS_SOME"));
}

Test(switches, passwords_of_proxies_are_masked)
{
    static const struct {
        const char *url, *text, *wanted;
    } rows[] = {
        {"http://bob:geheim@proxy:3128", "x geheim y", "x *** y"},
        {"http://bob:geh%40im@proxy:3128/", "geh%40im geh@im", "*** ***"},
        {"http://bob:ge@he:im@proxy", "ge@he:im", "***"},
        {"bob:geheim@proxy", "geheim", "***"},
        {"http://bob@proxy:3128", "bob proxy 3128", "bob proxy 3128"},
        {"http://bob:@proxy:3128", "bob proxy 3128", "bob proxy 3128"},
        {"http://proxy:3128/a:b@c", "3128 b", "3128 b"},
        {"http://bob:100%@proxy", "100%", "***"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct mask *mask = mask_new();
        CLEANUP(buf_deinit) struct buf out = BUF_INIT(1000);

        setenv("https_proxy", rows[i].url, 1);
        switches_mask(mask);
        mask_apply(mask, slice_of(rows[i].text), &out);
        cr_expect_str_eq(out.ptr, rows[i].wanted, "row %zu", i);
        mask_free(mask);
    }
}
