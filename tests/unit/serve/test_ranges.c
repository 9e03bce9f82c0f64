#include "serve/ranges.h"

#include <criterion/criterion.h>

Test(ranges, of_an_upload_are_read)
{
    static const struct row {
        const char *text;
        int64_t start, size, total;
    } rows[] = {
        {"bytes 0-1023/4096", 0, 1024, 4096}, {"bytes 1024-4095/4096", 1024, 3072, 4096},
        {"bytes 0-1023/*", 0, 1024, -1},      {"bytes 0--1/0", 0, 0, 0},
        {" bytes 5-5/6 ", 5, 1, 6},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t start = -2, size = -2, total = -2;
        struct err err = ERR_INIT;

        cr_assert_eq(range_parse_content(slice_of(rows[i].text), &start, &size, &total, &err),
                     ERR_OK, "'%s': %s", rows[i].text, err.text);
        cr_assert(start == rows[i].start && size == rows[i].size && total == rows[i].total,
                  "'%s': %ld %ld %ld", rows[i].text, start, size, total);
    }
}

Test(ranges, of_an_upload_that_name_no_place_are_refused)
{
    static const char *const rows[] = {
        "",
        "bytes",
        "bytes 0-10",
        "0-10/20",
        "bytes 10-5/20",
        "bytes 0-20/20",
        "bytes -1-5/20",
        "bytes 5--1/20",
        "bytes 0-x/20",
        "bytes 0-10/x",
        "bytes */20",
        "bytes 0-99999999999999999999/*",
        "bytes 0-10/20, 11-19/20",
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t start, size, total;
        struct err err = ERR_INIT;

        cr_assert_eq(range_parse_content(slice_of(rows[i]), &start, &size, &total, &err),
                     ERR_INVALID, "'%s'", rows[i]);
    }
}

Test(ranges, of_a_download_are_read_as_the_standard_has_it)
{
    static const struct row {
        const char *text;
        bool some;
        int64_t start, size;
    } rows[] = {
        {"bytes=0-9", true, 0, 10},     {"bytes=90-", true, 90, 10},
        {"bytes=-30", true, 70, 30},    {"bytes=-500", true, 0, 100},
        {"bytes=50-500", true, 50, 50}, {"bytes=100-", false, 0, 0},
        {"bytes=100-200", false, 0, 0}, {"bytes=-0", false, 0, 0},
        {"bytes=9-5", true, 0, 100},    {"bytes=0-1,5-6", true, 0, 100},
        {"lines=0-9", true, 0, 100},    {"", true, 0, 100},
        {"bytes=x-", true, 0, 100},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t start = -2, size = -2;

        cr_assert_eq(range_parse(slice_of(rows[i].text), 100, &start, &size), rows[i].some, "'%s'",
                     rows[i].text);
        if (rows[i].some)
            cr_assert(start == rows[i].start && size == rows[i].size, "'%s': %ld %ld", rows[i].text,
                      start, size);
    }
}

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>"

Test(blocks, keep_the_order_of_the_list)
{
    struct arena a = ARENA_INIT;
    struct err err = ERR_INIT;
    struct slice *list;
    size_t n;

    cr_assert_eq(blocks_parse(&a,
                              SLICE(HEAD "<BlockList><Latest>bb==</Latest>\n <Latest>aa==</Latest>"
                                         "<Uncommitted>bb==</Uncommitted></BlockList>\n"),
                              &list, &n, &err),
                 ERR_OK, "%s", err.text);
    cr_assert_eq(n, 3);
    cr_assert(slice_eq(list[0], SLICE("bb==")) && slice_eq(list[1], SLICE("aa==")) &&
              slice_eq(list[2], SLICE("bb==")));
    arena_deinit(&a);
}

Test(blocks, a_list_may_be_empty)
{
    static const char *const rows[] = {HEAD "<BlockList></BlockList>", "<BlockList/>",
                                       "<BlockList> </BlockList>"};
    struct arena a = ARENA_INIT;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;
        struct slice *list;
        size_t n = 9;

        cr_assert_eq(blocks_parse(&a, slice_of(rows[i]), &list, &n, &err), ERR_OK, "%s: %s",
                     rows[i], err.text);
        cr_assert_eq(n, 0);
    }
    arena_deinit(&a);
}

Test(blocks, what_is_no_list_is_refused)
{
    static const char *const rows[] = {
        "",
        "<",
        "<>",
        "BlockList",
        "<BlockList>",
        "<BlockList></BlockList>x",
        "<BlockList><Latest>a</Latest>",
        "<BlockList><Latest>a</BlockList>",
        "<BlockList><Latest>a</Uncommitted></BlockList>",
        "<BlockList><Latest></Latest></BlockList>",
        "<BlockList><Other>a</Other></BlockList>",
        "<Blocks><Latest>a</Latest></Blocks>",
        HEAD HEAD "<BlockList></BlockList>",
    };
    struct arena a = ARENA_INIT;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;
        struct slice *list;
        size_t n;

        cr_assert_eq(blocks_parse(&a, slice_of(rows[i]), &list, &n, &err), ERR_INVALID, "%s",
                     rows[i]);
    }
    arena_deinit(&a);
}
