#include "base/random.h"

#include <criterion/criterion.h>
#include <string.h>

Test(random, a_uuid_is_of_version_4_and_never_the_same)
{
    char a[RANDOM_UUID_SIZE], b[RANDOM_UUID_SIZE];

    random_uuid(a);
    random_uuid(b);
    cr_expect_eq(strlen(a), 36);
    cr_expect(a[8] == '-' && a[13] == '-' && a[18] == '-' && a[23] == '-', "%s", a);
    cr_expect_eq(a[14], '4');
    cr_expect(strchr("89ab", a[19]));
    cr_expect_eq(strspn(a, "0123456789abcdef-"), 36);
    cr_expect_str_neq(a, b);
}

Test(random, a_number_lies_between_both_ends_and_reaches_them)
{
    bool low = false, high = false;

    for (int i = 0; i < 500; i++) {
        int64_t n = random_between(-1, 2);

        cr_assert(n >= -1 && n <= 2);
        low |= n == -1;
        high |= n == 2;
    }
    cr_expect(low && high);
    cr_expect_eq(random_between(7, 7), 7);
    for (int i = 0; i < 100; i++)
        (void)random_between(INT64_MIN, INT64_MAX); /* nothing runs over */
}
