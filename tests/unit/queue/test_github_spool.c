#include "queue/github/report/spool.h"

#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TIME SLICE("2026-07-08T20:12:39.6251234Z")
#define T "2026-07-08T20:12:39.6251234Z "
#define BOM "\xef\xbb\xbf"

static int dir;
static struct spool *spool;

static void open_spool(unsigned readers, int64_t max)
{
    struct err err = ERR_INIT;

    spool_free(spool);
    cr_assert_eq(spool_new(dir, readers, max, &spool, &err), ERR_OK, "%s", err.text);
}

static void enter(void)
{
    scratch_enter();
    dir = open(".", O_DIRECTORY | O_CLOEXEC);
    open_spool(1u << SPOOL_RESULTS, 0);
}

static void leave(void)
{
    spool = spool_free(spool);
    close(dir);
    scratch_leave();
}

TestSuite(github_spool, .init = enter, .fini = leave);

/* All that READER can have of L now, in blocks; the caller frees it. */
static char *take_all(struct spool_log *l, enum spool_reader reader, size_t *ret_blocks,
                      bool *ret_last)
{
    struct buf all = BUF_INIT(256 << 20);
    struct err err = ERR_INIT;
    int64_t size;

    *ret_blocks = 0;
    while ((size = spool_block(l, reader, ret_last))) {
        cr_assert_eq(spool_read(l, reader, size, &all, &err), ERR_OK, "%s", err.text);
        spool_take(l, reader, size);
        (*ret_blocks)++;
        if (*ret_last)
            break;
    }
    return buf_take(&all);
}

static void holds(struct spool_log *l, const char *wanted)
{
    size_t blocks;
    bool last;
    char *text = take_all(l, SPOOL_RESULTS, &blocks, &last);

    cr_assert_str_eq(text, wanted);
    cr_assert(last);
    free(text);
}

Test(github_spool, a_log_is_its_lines_behind_their_times)
{
    struct spool_log *l = spool_log_new(spool);

    spool_add(l, SLICE("one\n\ntwo\n"), TIME, false);
    spool_end(l);
    cr_assert_eq(spool_lines(l), 3);
    holds(l, BOM T "one\n" T "\n" T "two\n");
}

Test(github_spool, a_line_that_comes_in_parts_has_one_time)
{
    struct spool_log *l = spool_log_new(spool);

    spool_add(l, SLICE("abc"), TIME, true);
    spool_add(l, SLICE("def"), TIME, true);
    spool_add(l, SLICE("ghi\nnext\n"), TIME, false);
    spool_end(l);
    cr_assert_eq(spool_lines(l), 2);
    holds(l, BOM T "abcdefghi\n" T "next\n");
}

Test(github_spool, a_line_that_nobody_ended_is_ended)
{
    struct spool_log *l = spool_log_new(spool);

    spool_add(l, SLICE("abc"), TIME, true);
    spool_end(l);
    holds(l, BOM T "abc\n");
}

Test(github_spool, steps_that_take_turns_have_their_own_lines_and_the_job_all)
{
    struct spool_log *a = spool_log_new(spool), *b = spool_log_new(spool);

    spool_add(a, SLICE("a1\n"), TIME, false);
    spool_add(b, SLICE("b1\n"), TIME, false);
    spool_add(a, SLICE("a2\n"), TIME, false);
    spool_add(a, SLICE("a3\n"), TIME, false);
    spool_end(a);
    spool_end(b);
    spool_end(spool_job(spool));
    holds(a, BOM T "a1\n" T "a2\n" T "a3\n");
    holds(b, BOM T "b1\n");
    cr_assert_eq(spool_lines(spool_job(spool)), 4);
    holds(spool_job(spool), BOM T "a1\n" T "b1\n" T "a2\n" T "a3\n");
    cr_assert_eq(spool_waiting(spool), 0);
}

Test(github_spool, nothing_is_to_be_had_before_a_block_is_full_or_the_log_at_its_end)
{
    struct spool_log *l = spool_log_new(spool);
    bool last;

    cr_assert_eq(spool_block(l, SPOOL_RESULTS, &last), 0);
    spool_add(l, SLICE("x\n"), TIME, false);
    cr_assert_eq(spool_block(l, SPOOL_RESULTS, &last), 0);
    spool_end(l);
    cr_assert_eq(spool_block(l, SPOOL_RESULTS, &last), 3 + 29 + 2);
    cr_assert(last);
    spool_end(spool_job(spool));
    struct spool_log *empty = spool_log_new(spool);
    spool_end(empty);
    cr_assert_eq(spool_block(empty, SPOOL_RESULTS, &last), 0);
}

/* A line of its number, with something behind it. */
static void add_many(struct spool_log *l, int n, size_t width)
{
    char *line = malloc(width + 32);

    for (int i = 0; i < n; i++) {
        int len = snprintf(line, width + 32, "%08d%0*d\n", i, (int)width, 0);

        spool_add(l, slice_make(line, (size_t)len), TIME, false);
    }
    free(line);
}

Test(github_spool, blocks_end_with_lines_and_together_are_the_log)
{
    struct spool_log *l = spool_log_new(spool);
    struct err err = ERR_INIT;
    struct buf block = BUF_INIT(SPOOL_RESULTS_BLOCK);
    size_t blocks;
    bool last;

    add_many(l, 50000, 100);
    int64_t size = spool_block(l, SPOOL_RESULTS, &last);
    cr_assert(!last);
    cr_assert_leq(size, SPOOL_RESULTS_BLOCK);
    cr_assert_gt(size, SPOOL_RESULTS_BLOCK - 200);
    cr_assert_eq(spool_read(l, SPOOL_RESULTS, size, &block, &err), ERR_OK);
    cr_assert_eq(block.ptr[size - 1], '\n');
    buf_deinit(&block);
    spool_end(l);
    char *all = take_all(l, SPOOL_RESULTS, &blocks, &last);
    cr_assert_eq(strlen(all), 3 + 50000u * (29 + 8 + 100 + 1));
    cr_assert_eq(blocks, 4u);
    cr_assert(last);
    free(all);
}

Test(github_spool, a_line_of_many_blocks_is_cut_where_it_must)
{
    struct spool_log *l = spool_log_new(spool);
    size_t blocks, size = 9u << 20;
    bool last;
    char *line = malloc(size + 1);

    memset(line, 'x', size);
    line[size] = '\n';
    for (size_t at = 0; at < size; at += 1u << 20)
        spool_add(l, slice_make(line + at, 1u << 20), TIME, true);
    spool_add(l, SLICE("\n"), TIME, false);
    spool_end(l);
    char *all = take_all(l, SPOOL_RESULTS, &blocks, &last);
    cr_assert_eq(strlen(all), 3 + 29 + size + 1);
    cr_assert_eq(strspn(all + 32, "x"), size);
    cr_assert_eq(blocks, 5u);
    free(all);
    free(line);
}

Test(github_spool, both_readers_get_all_and_only_then_is_it_given_back)
{
    open_spool(1u << SPOOL_RESULTS | 1u << SPOOL_TIMELINE, 0);
    struct spool_log *l = spool_log_new(spool);
    size_t blocks;
    bool last;

    add_many(l, 10000, 100);
    spool_end(l);
    spool_end(spool_job(spool));
    int64_t waiting = spool_waiting(spool);
    free(take_all(l, SPOOL_RESULTS, &blocks, &last));
    free(take_all(spool_job(spool), SPOOL_RESULTS, &blocks, &last));
    cr_assert_eq(spool_waiting(spool), waiting);
    char *text = take_all(l, SPOOL_TIMELINE, &blocks, &last);
    cr_assert_eq(strlen(text), (size_t)waiting + 3);
    cr_assert_eq(blocks, 1u);
    free(text);
    cr_assert_eq(spool_waiting(spool), waiting);
    free(take_all(spool_job(spool), SPOOL_TIMELINE, &blocks, &last));
    cr_assert_eq(spool_waiting(spool), 0);
}

Test(github_spool, a_reader_that_leaves_holds_nothing_back)
{
    open_spool(1u << SPOOL_RESULTS | 1u << SPOOL_TIMELINE, 0);
    struct spool_log *l = spool_log_new(spool);
    size_t blocks;
    bool last;

    spool_add(l, SLICE("x\n"), TIME, false);
    spool_end(l);
    spool_end(spool_job(spool));
    free(take_all(l, SPOOL_TIMELINE, &blocks, &last));
    free(take_all(spool_job(spool), SPOOL_TIMELINE, &blocks, &last));
    cr_assert_gt(spool_waiting(spool), 0);
    spool_leave(spool, SPOOL_RESULTS);
    cr_assert_eq(spool_waiting(spool), 0);
    cr_assert_eq(spool_block(l, SPOOL_RESULTS, &last), 0);
}

/* Whoever takes blocks as they come never has much waiting, however long the log is. */
Test(github_spool, disk_is_given_back_while_the_log_grows)
{
    struct spool_log *l = spool_log_new(spool);
    size_t blocks;
    bool last;

    for (int i = 0; i < 30; i++) {
        add_many(l, 10000, 100);
        free(take_all(l, SPOOL_RESULTS, &blocks, &last));
        free(take_all(spool_job(spool), SPOOL_RESULTS, &blocks, &last));
        cr_assert_leq(spool_waiting(spool), 2 * SPOOL_RESULTS_BLOCK);
    }
    cr_assert_eq(spool_lines(l), 300000);
}

Test(github_spool, what_waits_too_long_is_left_out_and_the_log_says_so)
{
    open_spool(1u << SPOOL_RESULTS, 1000);
    struct spool_log *l = spool_log_new(spool);
    size_t blocks;
    bool last;

    add_many(l, 20, 100);
    spool_end(l);
    char *text = take_all(l, SPOOL_RESULTS, &blocks, &last);
    cr_assert_eq(spool_left_out(spool), 13);
    cr_assert(strstr(text, T "00000006"));
    cr_assert_null(strstr(text, T "00000007"));
    cr_assert(strstr(text, " ##[warning]13 lines were left out: the service did not take the log "
                           "fast enough\n"),
              "%s", text);
    free(text);
}

Test(github_spool, without_a_directory_it_lies_in_memory_and_there_is_less_room)
{
    struct err err = ERR_INIT;
    size_t blocks;
    bool last;

    spool = spool_free(spool);
    cr_assert_eq(spool_new(-1, 1u << SPOOL_RESULTS, 0, &spool, &err), ERR_OK);
    struct spool_log *l = spool_log_new(spool);
    add_many(l, 70, 1 << 20);
    cr_assert_leq(spool_waiting(spool), SPOOL_MEMORY_MAX + (1 << 20));
    cr_assert_gt(spool_left_out(spool), 0);
    free(take_all(l, SPOOL_RESULTS, &blocks, &last));
}

Test(github_spool, nothing_of_it_has_a_name)
{
    struct stat st;

    spool_add(spool_log_new(spool), SLICE("secret\n"), TIME, false);
    cr_assert_eq(fstat(dir, &st), 0);
    cr_assert_eq(scratch_count(), 0);
}
