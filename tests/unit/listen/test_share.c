#include "listen/share.h"

#include <criterion/criterion.h>

enum { MOST = 4 };

Test(share, deals_free_slots_out_in_turn)
{
    static const struct {
        const char *what;
        int free, n, most[MOST], turn[MOST], given[MOST];
        bool lacking;
    } rows[] = {
        {"one has them all", 5, 1, {9}, {1}, {5}, false},
        {"no more than it can take", 5, 1, {2}, {1}, {2}, false},
        {"all have as many", 6, 3, {9, 9, 9}, {1, 2, 3}, {2, 2, 2}, false},
        {"what is left goes by turn", 4, 3, {9, 9, 9}, {3, 1, 2}, {1, 2, 1}, false},
        {"what one cannot take the others have", 6, 3, {1, 9, 9}, {1, 2, 3}, {1, 3, 2}, false},
        {"too few go by turn", 1, 3, {1, 1, 1}, {5, 4, 6}, {0, 1, 0}, true},
        {"who can take none lacks none", 1, 3, {0, 1, 0}, {1, 2, 3}, {0, 1, 0}, false},
        {"none are none", 0, 2, {1, 1}, {1, 2}, {0, 0}, false},
        {"nor are fewer", -3, 2, {1, 1}, {1, 2}, {0, 0}, false},
        {"nobody is there", 3, 0, {0}, {0}, {0}, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct share list[MOST] = {0};

        for (int k = 0; k < rows[i].n; k++)
            list[k] = (struct share){
                .most = rows[i].most[k], .turn = rows[i].turn[k], .given = 7 /* of before */};
        bool lacking = share_deal(list, (size_t)rows[i].n, rows[i].free);
        cr_expect_eq(lacking, rows[i].lacking, "%s: lacking", rows[i].what);
        for (int k = 0; k < rows[i].n; k++)
            cr_expect_eq(list[k].given, rows[i].given[k], "%s: %d got %d", rows[i].what, k,
                         list[k].given);
    }
}
