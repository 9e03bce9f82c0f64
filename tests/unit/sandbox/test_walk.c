#include "sandbox/walk.h"

#include "base/buf.h"
#include "base/clock.h"
#include "sandbox/hash.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(walk, .init = scratch_enter, .fini = scratch_leave);

struct told {
    struct buf text;
    size_t n, fail_at;
};

static int on_found(void *ctx, const char *path, struct err *err)
{
    struct told *t = ctx;

    if (++t->n == t->fail_at)
        return err_set(err, ERR_FAILED, "enough");
    buf_printf(&t->text, "%s ", path + 1);
    return ERR_OK;
}

/* The scratch folder is the job's "/". */
static int walk(struct told *t, const char *patterns, struct walk_spec spec, bool alone,
                struct err *err)
{
    CLEANUP(glob_deinit) struct glob glob = {.alone = alone};

    *t = (struct told){.text = BUF_INIT(1 << 16), .fail_at = t->fail_at};
    cr_assert_eq(glob_add(&glob, slice_of(patterns), "/", "/home", err), ERR_OK, "%s", err->text);
    spec.root = scratch_dir;
    spec.glob = &glob;
    spec.deadline_ms = spec.deadline_ms ? spec.deadline_ms : CLOCK_NEVER;
    spec.found = on_found;
    spec.ctx = t;
    return walk_files(&spec, err);
}

static void finds(const char *patterns, struct walk_spec spec, bool alone, const char *wanted)
{
    struct err err = ERR_INIT;
    struct told t = {0};

    cr_assert_eq(walk(&t, patterns, spec, alone, &err), ERR_OK, "%s", err.text);
    cr_expect_str_eq(t.text.ptr, wanted, "%s: wanted '%s', got '%s'", patterns, wanted, t.text.ptr);
    buf_deinit(&t.text);
}

static void some_files(void)
{
    scratch_file("a/x", "1");
    scratch_file("a/b/y", "2");
    scratch_file("a/.hid/z", "3");
    scratch_file("b/w", "4");
    scratch_file("B", "5");
}

Test(walk, goes_depth_first_by_bytes_and_by_the_order_of_the_patterns)
{
    some_files();
    finds("b\na\nB", (struct walk_spec){0}, false, "b/w a/.hid/z a/b/y a/x B ");
    finds("**", (struct walk_spec){0}, false, "B a/.hid/z a/b/y a/x b/w ");
    finds("a\n!a/b", (struct walk_spec){0}, false, "a/.hid/z a/x ");
}

Test(walk, a_folder_alone_stands_for_itself)
{
    some_files();
    finds("a\na/b", (struct walk_spec){.folders = true}, true, "a a/b ");
    finds("a/*", (struct walk_spec){.folders = true}, true, "a/.hid a/b a/x ");
    finds("a/*/", (struct walk_spec){.folders = true}, true, "a/.hid a/b ");
}

Test(walk, hidden_names_are_passed_over_also_at_the_start_of_the_walk)
{
    some_files();
    finds("a", (struct walk_spec){.no_hidden = true}, false, "a/b/y a/x ");
    finds("a/.hid", (struct walk_spec){.no_hidden = true}, false, "");
    finds("a/.hid/z", (struct walk_spec){.no_hidden = true}, false, "a/.hid/z ");
}

Test(walk, links_are_followed_when_asked_and_never_in_circles_or_out)
{
    some_files();
    cr_assert_eq(symlink("../b", "a/to-b"), 0);
    cr_assert_eq(symlink("..", "a/up"), 0);
    cr_assert_eq(symlink("nowhere", "a/dead"), 0);
    cr_assert_eq(symlink("../../../../b", "a/out"), 0);
    finds("a\n!a/.hid\n!a/b", (struct walk_spec){0}, false, "a/dead a/out a/to-b a/up a/x ");
    finds("a\n!a/.hid\n!a/b", (struct walk_spec){.follow = true}, false,
          "a/out/w a/to-b/w a/up/B a/up/b/w a/x ");
}

Test(walk, what_is_not_there_matches_nothing)
{
    scratch_file("f", "1");
    finds("none\nf/below/it\nf", (struct walk_spec){0}, false, "f ");
}

Test(walk, ends_with_the_error_of_what_was_found_and_with_time)
{
    struct err err = ERR_INIT;
    struct told t = {.fail_at = 2};

    some_files();
    cr_assert_eq(walk(&t, "**", (struct walk_spec){0}, false, &err), ERR_FAILED);
    cr_assert_str_eq(err.text, "enough");
    cr_assert_str_eq(t.text.ptr, "B ");
    buf_deinit(&t.text);
    t.fail_at = 0;
    cr_assert_eq(walk(&t, "**", (struct walk_spec){.deadline_ms = 1}, false, &err), ERR_TIMEOUT);
    buf_deinit(&t.text);
}

Test(walk, folders_nested_too_deep_are_an_error)
{
    struct err err = ERR_INIT;
    struct told t = {0};
    int at = openat(scratch_dir, ".", O_PATH | O_CLOEXEC);

    for (int i = 0; i <= WALK_DEPTH_MAX; i++) {
        cr_assert_eq(mkdirat(at, "d", 0755), 0);
        int next = openat(at, "d", O_PATH | O_CLOEXEC);
        close(at);
        at = next;
    }
    close(at);
    cr_assert_eq(walk(&t, "**", (struct walk_spec){0}, false, &err), ERR_LIMIT, "%s", err.text);
    buf_deinit(&t.text);
}

/* ---- hash ---- */

static const char *hash(const char *first, const char *second)
{
    static struct arena arena;
    struct slice patterns[] = {slice_of(first), slice_of(second)}, ret;
    struct err err = ERR_INIT;

    cr_assert_eq(hash_job_files(scratch_dir, "/a", "/home", patterns, 2, &arena, &ret, &err),
                 ERR_OK, "%s", err.text);
    return arena_str(&arena, ret);
}

Test(walk, hashes_the_digests_of_what_lies_in_the_workspace)
{
    some_files();
    cr_assert_eq(symlink("../b", "a/to-b"), 0);
    /* sha256 of the binary sha256 of "1" */
    cr_assert_str_eq(hash("x", "/b/w"),
                     "9c2e4d8fe97d881430de4e754b4205b9c27ce96715231cffc4337340cb110280");
    cr_assert_str_eq(hash("none", "/b"), "");
    cr_assert_str_eq(hash("x", "to-b/*"), hash("x", ""));
    cr_assert_str_neq(hash("--follow-symbolic-links", "**"), hash("**", ""));
}
