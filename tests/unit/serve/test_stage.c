#include "base/fd.h"
#include "base/path.h"
#include "kit/scratch.h"
#include "serve/stage.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

TestSuite(stage, .init = scratch_enter, .fini = scratch_leave);

static struct stage *open_stage(void)
{
    struct err err = ERR_INIT;
    struct stage *s = NULL;

    cr_assert_eq(path_mkdirs(scratch_dir, "stage", 0700, &err), ERR_OK);
    int dir = openat(scratch_dir, "stage", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_eq(stage_open(dir, &s, &err), ERR_OK, "%s", err.text);
    return s;
}

static struct upload *add(struct stage *s)
{
    struct err err = ERR_INIT;
    struct upload *u = NULL;

    cr_assert_eq(stage_add(s, 1, json_pack("{s:s}", "what", "a test"), &u, &err), ERR_OK, "%s",
                 err.text);
    return u;
}

static void send(struct upload *u, const char *name, const char *text)
{
    struct err err = ERR_INIT;
    struct piece *p = NULL;

    cr_assert_eq(piece_new(u, slice_of(name), &p, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(piece_add(p, slice_of(text), &err), ERR_OK);
    cr_assert_eq(piece_keep(p, &err), ERR_OK, "%s", err.text);
    piece_free(p);
}

static void assemble(struct upload *u, const struct slice *names, size_t n)
{
    struct err err = ERR_INIT;
    int r = upload_assemble(u, names, n, &err);

    while (r == 0)
        r = upload_work(u, &err);
    cr_assert_eq(r, 1, "%s", err.text);
}

static void whole_is(struct upload *u, const char *text)
{
    struct err err = ERR_INIT;

    cr_assert_eq(upload_move(u, scratch_dir, "out", &err), ERR_OK, "%s", err.text);
    scratch_has("out", text);
    cr_assert_eq(u->size, (int64_t)strlen(text));
}

Test(stage, pieces_come_in_any_order_and_more_than_once)
{
    const struct slice names[] = {SLICE("a/+="), SLICE("b"), SLICE("c")};
    struct stage *s = open_stage();
    struct upload *u = add(s);

    send(u, "c", "three");
    send(u, "a/+=", "wrong");
    send(u, "b", "two ");
    send(u, "a/+=", "one ");
    assemble(u, names, 3);
    cr_assert_str_eq(u->digest, "6899ee404683a14e8c2a03149860df25d67d34d9cd4dae7350cbe91e4b3976be");
    whole_is(u, "one two three");
    stage_free(s);
}

Test(stage, the_digest_is_that_of_the_whole)
{
    const struct slice names[] = {SLICE("1"), SLICE("2")};
    struct stage *s = open_stage();
    struct upload *u = add(s);

    send(u, "2", "c");
    send(u, "1", "ab");
    assemble(u, names, 2);
    cr_assert_str_eq(u->digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    stage_free(s);
}

Test(stage, an_empty_list_is_an_empty_file)
{
    struct stage *s = open_stage();
    struct upload *u = add(s);

    assemble(u, NULL, 0);
    whole_is(u, "");
    stage_free(s);
}

Test(stage, a_list_with_a_block_that_never_came_is_refused)
{
    const struct slice names[] = {SLICE("a"), SLICE("b")};
    struct stage *s = open_stage();
    struct upload *u = add(s);
    struct err err = ERR_INIT;

    send(u, "a", "x");
    cr_assert_eq(upload_assemble(u, names, 2, &err), ERR_NOT_FOUND);
    cr_assert_str_eq(err.text, "block 'b' was never sent");
    cr_assert_null(u->whole);
    stage_free(s);
}

Test(stage, the_same_list_twice_is_done_once)
{
    const struct slice names[] = {SLICE("a"), SLICE("b")};
    struct stage *s = open_stage();
    struct upload *u = add(s);
    struct err err = ERR_INIT;

    send(u, "a", "x");
    send(u, "b", "y");
    assemble(u, names, 2);
    cr_assert_eq(upload_assemble(u, names, 2, &err), 1, "its pieces are gone, but it is whole");
    cr_assert_eq(upload_assemble(u, names, 1, &err), ERR_NOT_FOUND);
    whole_is(u, "xy");
    stage_free(s);
}

Test(stage, what_was_not_kept_is_not_there)
{
    const struct slice name = SLICE("a");
    struct stage *s = open_stage();
    struct upload *u = add(s);
    struct err err = ERR_INIT;
    struct piece *p = NULL;

    cr_assert_eq(piece_new(u, SLICE("a"), &p, &err), ERR_OK);
    cr_assert_eq(piece_add(p, SLICE("half of it"), &err), ERR_OK);
    piece_free(p);
    cr_assert_eq(upload_assemble(u, &name, 1, &err), ERR_NOT_FOUND);
    stage_free(s);
}

/* A server that was killed leaves its files as they are: a stage that is opened anew sees what it saw. */
Test(stage, another_server_goes_on_where_this_one_ended)
{
    const struct slice names[] = {SLICE("a"), SLICE("b")};
    struct stage *s = open_stage();
    struct upload *u = add(s);
    int64_t id = u->id;

    send(u, "a", "one ");
    scratch_file("stage/1/i-77", "half of a pie");
    scratch_file("stage/1/i-whole", "half of the whole");
    stage_free(s);

    s = open_stage();
    u = stage_find(s, id);
    cr_assert_not_null(u);
    cr_assert_str_eq(json_string_value(json_object_get(u->about, "what")), "a test");
    cr_assert_eq(u->pieces.len, 1, "what was being received is gone");
    cr_assert_neq(access("stage/1/i-77", F_OK), 0);
    send(u, "b", "two");
    assemble(u, names, 2);
    stage_free(s);

    s = open_stage();
    u = stage_find(s, id);
    cr_assert_not_null(u->whole);
    cr_assert_eq(add(s)->id, id + 1, "no number is given out twice");
    whole_is(u, "one two");
    stage_free(s);
}

Test(stage, an_upload_without_a_description_is_removed)
{
    struct stage *s;

    scratch_file("stage/7/p-61", "x");
    scratch_file("stage/8/about.json", "{");
    s = open_stage();
    cr_assert_null(stage_first(s));
    cr_assert_neq(access("stage/7", F_OK), 0);
    cr_assert_neq(access("stage/8", F_OK), 0);
    stage_free(s);
}

Test(stage, an_upload_may_be_dropped_while_it_is_being_received)
{
    struct stage *s = open_stage();
    struct upload *u = add(s);
    struct err err = ERR_INIT;
    struct piece *p = NULL;

    cr_assert_eq(piece_new(u, SLICE("a"), &p, &err), ERR_OK);
    stage_drop(u);
    cr_assert_null(stage_first(s));
    cr_assert_eq(piece_add(p, SLICE("x"), &err), ERR_NOT_FOUND);
    cr_assert_eq(piece_keep(p, &err), ERR_NOT_FOUND);
    piece_free(p);
    stage_free(s);
}

Test(stage, names_of_pieces_are_held_against_their_limit)
{
    static char name[PIECE_NAME_MAX + 2];
    struct stage *s = open_stage();
    struct upload *u = add(s);
    struct err err = ERR_INIT;
    struct piece *p = NULL;

    memset(name, 'x', PIECE_NAME_MAX + 1);
    cr_assert_eq(piece_new(u, slice_of(name), &p, &err), ERR_INVALID);
    cr_assert_eq(piece_new(u, SLICE(""), &p, &err), ERR_INVALID);
    cr_assert_eq(piece_new(u, SLICE("a\0b"), &p, &err), ERR_INVALID);
    name[PIECE_NAME_MAX] = '\0';
    send(u, name, "fits");
    stage_free(s);
}

/* More than is done in one go, and pieces that are larger than what is read at once. */
Test(stage, large_ones_are_put_together_bit_by_bit)
{
    enum { SIZE = 5 << 20 };
    const struct slice names[] = {SLICE("b"), SLICE("a")};
    char *text = mem_new(SIZE + 1);
    struct stage *s = open_stage();
    struct upload *u = add(s);
    struct err err = ERR_INIT;
    struct stat st;
    int rounds = 1, r;

    memset(text, 'x', SIZE);
    send(u, "a", text);
    send(u, "b", text);
    cr_assert_eq(upload_assemble(u, names, 2, &err), 0);
    cr_assert_eq(upload_assemble(u, names, 1, &err), ERR_INVALID, "one list at a time");
    while ((r = upload_work(u, &err)) == 0)
        rounds++;
    cr_assert_eq(r, 1, "%s", err.text);
    cr_assert_gt(rounds, 2);
    cr_assert_eq(upload_move(u, scratch_dir, "out", &err), ERR_OK);
    cr_assert(stat("out", &st) == 0 && st.st_size == 2 * SIZE);
    stage_free(s);
    free(text);
}
