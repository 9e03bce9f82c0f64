#include "io/git_changes.h"

#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct git_env env;
static struct arena arena;

static void enter(void)
{
    static const char *const more[] = {"GIT_CONFIG_NOSYSTEM=1",
                                       NULL}; /* git-lfs has filters there */

    scratch_enter();
    env = (struct git_env){.path = getenv("PATH"), .home = scratch_path, .more = more};
}

static void leave(void)
{
    arena_deinit(&arena);
    scratch_leave();
}

TestSuite(git_changes, .init = enter, .fini = leave);

static const char *git(const char *const *args)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(1 << 16);
    struct err err = ERR_INIT;

    cr_assert_eq(git_run(&env, scratch_path, args, &out, &err), ERR_OK, "git %s: %s", args[0],
                 err.text);
    return arena_str(&arena, slice_trim(buf_slice(&out)));
}
#define GIT(...) git((const char *const[]){__VA_ARGS__, NULL})

static const char *commit(void)
{
    static int number; /* in one second two commits could be the same */

    GIT("add", "-A");
    GIT("commit", "-q", "--allow-empty", "-m", arena_printf(&arena, "%d", number++));
    return GIT("rev-parse", "HEAD");
}

static void repository(void)
{
    scratch_file(".gitconfig", "[user]\n\tname = Ada\n\temail = ada@example.org\n");
    GIT("init", "-q", "-b", "main", ".");
    scratch_file(".gitignore", ".gitconfig\nignored\n");
}

/* "a, b", newlines as "|". */
static void changed(const char *below, const char *tree, const char *wanted)
{
    CLEANUP(buf_deinit) struct buf got = BUF_INIT(1 << 16);
    const char *dir = arena_printf(&arena, "%s%s", scratch_path, below);
    struct err err = ERR_INIT;
    struct slice *list;
    size_t n;

    cr_assert_eq(git_changed_files(&env, dir, tree, &arena, &list, &n, &err), ERR_OK, "%s",
                 err.text);
    for (size_t i = 0; i < n; i++) {
        buf_add_str(&got, i ? ", " : "");
        buf_add(&got, list[i]);
    }
    for (size_t i = 0; i < got.len; i++)
        got.ptr[i] = got.ptr[i] == '\n' ? '|' : got.ptr[i];
    cr_assert_str_eq(got.ptr, wanted, "wanted %s, got %s", wanted, got.ptr);
}

Test(git_changes, the_working_tree_is_compared_as_it_is)
{
    repository();
    scratch_file("kept", "1");
    scratch_file("edited", "1");
    scratch_file("gone", "1");
    scratch_file("old name", "many words that stay the same\n");
    const char *first = commit();

    changed("", first, "");
    changed("", git_empty_tree(first), ".gitignore, edited, gone, kept, old name");
    scratch_file("committed", "1");
    GIT("mv", "old name", "new name");
    commit();
    scratch_file("edited", "2");
    scratch_file("staged", "1");
    GIT("add", "staged");
    scratch_file("new\nline", "1");
    scratch_file("\xff\xc3\xa9", "1");
    scratch_file("ignored", "1");
    cr_assert_eq(unlinkat(scratch_dir, "gone", 0), 0);
    changed("", first,
            "committed, edited, gone, new|line, new name, old name, staged, \xff\xc3\xa9");
    GIT("rm", "-q", "--cached", "kept");
    changed("", first,
            "committed, edited, gone, kept, new|line, new name, old name, staged, \xff\xc3\xa9");
}

Test(git_changes, a_folder_knows_its_own_files_only)
{
    repository();
    scratch_file("outside", "1");
    const char *first = commit();

    mkdirat(scratch_dir, "sub", 0755);
    scratch_file("sub/a", "1");
    scratch_file("outside", "2");
    commit();
    scratch_file("sub/b", "1");
    changed("/sub", first, "a, b");
}

Test(git_changes, a_repository_without_a_commit_has_new_files_only)
{
    repository();
    scratch_file("a", "1");
    GIT("add", "a");
    scratch_file("b", "1");
    changed("", git_empty_tree(""), ".gitignore, a, b");
}

Test(git_changes, filters_of_the_repository_start_nothing)
{
    const char *mark = arena_printf(&arena, "%s/started", scratch_path);
    const char *command = arena_printf(&arena, "touch %s; cat", mark);
    struct err err = ERR_INIT;
    struct slice *list;
    size_t n;

    repository();
    scratch_file(".gitattributes", "* filter=x.y\n");
    scratch_file("a", "1");
    const char *first = commit();
    GIT("config", "filter.x.y.clean", command);
    GIT("config", "filter.x.y.required", "true");
    GIT("config", "diff.external", command);
    scratch_file("a", "2");
    changed("", first, "a");
    cr_assert_neq(access(mark, F_OK), 0, "the filter was started");

    GIT("config", "filter.a=b.process", command);
    cr_assert_eq(git_changed_files(&env, scratch_path, first, &arena, &list, &n, &err),
                 ERR_UNSUPPORTED);
    GIT("config", "--unset", "filter.a=b.process");
    for (int i = 0; i < GIT_FILTERS_MAX; i++)
        GIT("config", arena_printf(&arena, "filter.f%d.clean", i), command);
    cr_assert_eq(git_changed_files(&env, scratch_path, first, &arena, &list, &n, &err),
                 ERR_UNSUPPORTED);
    GIT("config", "--unset", "filter.f0.clean");
    changed("", first, "a");
}

Test(git_changes, commits_are_found_and_counted)
{
    char sha[GIT_SHA_SIZE] = "untouched";
    struct err err = ERR_INIT;
    int64_t n;

    repository();
    const char *first = commit(), *second = commit(), *third = commit();
    cr_assert_eq(git_commit_find(&env, scratch_path, "-x", sha, &err), ERR_NOT_FOUND);
    cr_assert_str_eq(err.text, "there is no commit '-x' here");
    cr_assert_str_eq(sha, "untouched");
    cr_assert_eq(git_commit_find(&env, scratch_path, "HEAD~1", sha, &err), ERR_OK);
    cr_assert_str_eq(sha, second);
    cr_assert_eq(git_count_commits(&env, scratch_path, first, 100, &n, &err), ERR_OK);
    cr_assert_eq(n, 2);
    cr_assert_eq(git_count_commits(&env, scratch_path, first, 1, &n, &err), ERR_OK);
    cr_assert_eq(n, 1, "it stops");
    GIT("checkout", "-q", "-b", "topic", first);
    commit();
    cr_assert_eq(git_merge_base(&env, scratch_path, third, "HEAD", sha, &err), ERR_OK);
    cr_assert_str_eq(sha, first);
    GIT("checkout", "-q", "--orphan", "apart");
    commit();
    cr_assert_eq(git_merge_base(&env, scratch_path, third, "HEAD", sha, &err), ERR_NOT_FOUND);
}

Test(git_changes, unpushed_commits_have_a_deepest_parent)
{
    char sha[GIT_SHA_SIZE];
    struct err err = ERR_INIT;
    int64_t n;

    repository();
    const char *first = commit();
    cr_assert_eq(git_unpushed(&env, scratch_path, sha, &n, &err), ERR_OK);
    cr_assert_str_eq(sha, "", "the first commit has no parent");
    GIT("update-ref", "refs/remotes/origin/main", first);
    cr_assert_eq(git_unpushed(&env, scratch_path, sha, &n, &err), ERR_NOT_FOUND);
    commit();
    commit();
    cr_assert_eq(git_unpushed(&env, scratch_path, sha, &n, &err), ERR_OK);
    cr_assert_str_eq(sha, first);
    cr_assert_eq(n, 2);
}
