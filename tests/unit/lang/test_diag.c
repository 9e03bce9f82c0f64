#include "lang/diag.h"

#include <criterion/criterion.h>

static struct arena arena;
static struct diags diags = {.arena = &arena};

static void clean(void)
{
    diags_deinit(&diags);
    arena_deinit(&arena);
}

TestSuite(diag, .fini = clean);

Test(diag, texts_are_written_as_github_writes_them)
{
    struct diag bare = {.file = "f", .line = 2, .col = 3, .bare = true, .message = SLICE_INIT("m")};

    cr_assert_str_eq(diag_text(&arena, diag_add(&diags, DIAG_ERROR, "f", 2, 3, "m %d", 1)),
                     "f (Line: 2, Col: 3): m 1");
    cr_assert_str_eq(diag_text(&arena, diag_add(&diags, DIAG_ERROR, "f", 0, 0, "m")), "f: m");
    cr_assert_str_eq(diag_text(&arena, diag_add(&diags, DIAG_ERROR, NULL, 1, 1, "m")), "m");
    cr_assert_str_eq(diag_text(&arena, &bare), "f: m");
}

Test(diag, long_messages_are_cut_by_characters)
{
    char text[1201];

    for (size_t i = 0; i < 600; i++)
        memcpy(text + 2 * i, "ä", 2);
    struct diag *d = diag_add_text(&diags, DIAG_ERROR, "f", 1, 1, slice_make(text, 1200));
    cr_assert_eq(d->message.len, 1000u + 5);
    cr_assert(slice_ends(d->message, SLICE("ä[...]")));
    d = diag_add_text(&diags, DIAG_ERROR, "f", 1, 1, slice_make(text, 1000));
    cr_assert_eq(d->message.len, 1000u, "500 characters are whole");
    const char *whole = diag_text(&arena, d);
    cr_assert_eq(strlen(whole), 1000u - strlen("f (Line: 1, Col: 1): ") + 5, "%zu", strlen(whole));
    for (size_t i = 0; i < 300; i++)
        memcpy(text + 4 * i, "\xF0\x9F\x98\x80", 4);
    d = diag_add_text(&diags, DIAG_ERROR, "f", 1, 1, slice_make(text, 1200));
    cr_assert_eq(d->message.len, 1000u + 5, "what is beyond 16 bits counts as two");
}

Test(diag, a_flood_is_counted_and_not_kept)
{
    for (int i = 0; i < 3 * DIAG_MAX; i++)
        diag_add(&diags, DIAG_ERROR, "f", i, 1, "x")->hint = "h";
    cr_assert_eq(diags.list.len, (size_t)DIAG_MAX);
    cr_assert_eq(diags.n_errors, 3u * DIAG_MAX);
    diag_add(&diags, DIAG_WARNING, "f", 1, 1, "x");
    cr_assert_eq(diags.n_errors, 3u * DIAG_MAX, "a warning is no error");
}
