#include "queue/clocks.h"

#include <criterion/criterion.h>
#include <string.h>

Test(clocks, a_date_of_a_server_is_read)
{
    int64_t at = 0;

    cr_assert(clocks_date(SLICE("Sun, 22 Nov 2026 07:10:12 GMT"), &at));
    cr_assert_eq(at, 1795331412);
    cr_assert_not(clocks_date(SLICE("yesterday"), &at));
    cr_assert_not(clocks_date(slice_make(NULL, 0), &at));
    cr_assert_eq(at, 1795331412, "what is no date changed it");
}

Test(clocks, both_clocks_are_named_and_which_is_off)
{
    char text[CLOCKS_SAY_SIZE], at[CLOCKS_TEXT_SIZE];

    clocks_text(1795331412, at);
    cr_assert_str_eq(at, "2026-11-22 07:10:12 UTC");
    clocks_say(600, "GitHub's", text);
    cr_assert(strstr(text, "GitHub's 20"), "%s", text);
    cr_assert(strstr(text, "600 s behind; set it"), "%s", text);
    clocks_say(-600, "GitHub's", text);
    cr_assert(strstr(text, "600 s ahead; set it"), "%s", text);
}
