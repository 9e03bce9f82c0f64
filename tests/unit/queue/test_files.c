#include "queue/local/files.h"

#include "base/path.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <unistd.h>

#define WORKFLOW ".github/workflows/x.yml"

static struct arena arena;
static struct strmap clones;
static struct git_env git = {.path = NULL};
static struct local_files files;

static void enter(void)
{
    scratch_enter();
    clones = (struct strmap)STRMAP_INIT_NOCASE;
    files = (struct local_files){.stop = -1,
                                 .root = arena_printf(&arena, "%s/app", scratch_path),
                                 .repository = "acme/app",
                                 .repositories = &clones,
                                 .git_env = &git};
}

static void leave(void)
{
    strmap_deinit(&clones);
    arena_deinit(&arena);
    scratch_leave();
}

TestSuite(files, .init = enter, .fini = leave);

static void git_in(const char *folder, const char *const *args)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(GIT_OUTPUT_MAX);
    struct err err = ERR_INIT;

    cr_assert_eq(git_run(&git, folder, args, &out, &err), ERR_OK, "%s", err.text);
}
#define GIT(folder, ...) git_in(folder, (const char *const[]){__VA_ARGS__, NULL})

/* A clone of acme/lib whose workflow says TEXT in the commit that a tag and a branch may name. */
static const char *clone(void)
{
    const char *folder = arena_printf(&arena, "%s/lib", scratch_path);

    scratch_file("lib/" WORKFLOW, "on main");
    GIT(folder, "init", "-q", "-b", "main");
    GIT(folder, "config", "user.name", "Lib");
    GIT(folder, "config", "user.email", "lib@example.com");
    GIT(folder, "add", ".");
    GIT(folder, "commit", "-q", "-m", "one");
    GIT(folder, "tag", "both");
    GIT(folder, "tag", "v1");
    GIT(folder, "checkout", "-q", "-b", "both");
    scratch_file("lib/" WORKFLOW, "on the branch");
    GIT(folder, "commit", "-q", "-a", "-m", "two");
    scratch_file("lib/" WORKFLOW, "not committed");
    strmap_set(&clones, SLICE("Acme/Lib"), slice_of(folder));
    return folder;
}

static int read_call(const char *repository, const char *ref, const char *path, struct buf *out,
                     const char **sha, struct err *err)
{
    struct call_source source = local_files_source(&files);
    struct call_ref one = {.repository = repository, .ref = ref, .path = path};

    return source.read(source.ctx, &one, &arena, out, sha, err);
}

static void reads(const char *repository, const char *ref, const char *wanted)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(1 << 16);
    struct err err = ERR_INIT;
    const char *sha = NULL;

    cr_assert_eq(read_call(repository, ref, WORKFLOW, &out, &sha, &err), ERR_OK, "%s", err.text);
    cr_expect_str_eq(out.ptr, wanted);
    cr_expect_eq(sha != NULL, repository != NULL, "the commit is known for clones");
    cr_expect(!sha || strlen(sha) == 40, "'%s'", sha);
}

static void refuses(const char *repository, const char *ref, const char *path, const char *words)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(1 << 16);
    struct err err = ERR_INIT;
    const char *sha = "untouched";

    cr_assert_neq(read_call(repository, ref, path, &out, &sha, &err), ERR_OK);
    cr_expect(strstr(err.text, words) != NULL, "'%s' lacks '%s'", err.text, words);
    cr_expect_str_eq(sha, "untouched");
}

Test(files, of_the_tree_are_read_as_they_lie)
{
    scratch_file("app/" WORKFLOW, "here");
    reads(NULL, NULL, "here");
    refuses(NULL, NULL, ".github/workflows/y.yml", "No such file");
}

Test(files, of_the_tree_lie_beneath_its_root)
{
    scratch_file("outside.yml", "secret");
    scratch_file("app/.github/workflows/z.yml", "");
    cr_assert_eq(symlink("../../../outside.yml", "app/" WORKFLOW), 0);
    refuses(NULL, NULL, WORKFLOW, "cannot read the called workflow");
    refuses(NULL, NULL, "../outside.yml", "cannot read the called workflow");
}

Test(files, of_a_clone_are_read_at_their_ref)
{
    clone();
    reads("acme/lib", "main", "on main");
    reads("ACME/lib", "v1", "on main");
    reads("acme/lib", "both", "on the branch");
    reads("acme/lib", "refs/tags/both", "on main");
}

Test(files, of_a_clone_are_read_at_a_commit)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(1 << 16);
    struct err err = ERR_INIT;
    const char *sha = NULL;

    clone();
    cr_assert_eq(read_call("acme/lib", "v1", WORKFLOW, &out, &sha, &err), ERR_OK, "%s", err.text);
    reads("acme/lib", sha, "on main");
}

Test(files, of_the_own_repository_may_be_named_by_ref)
{
    files.root = clone();
    files.repository = "acme/other";
    reads("acme/other", "v1", "on main");
    reads(NULL, NULL, "not committed");
}

Test(files, that_are_not_there_say_what_is_missing)
{
    clone();
    refuses("acme/none", "v1", WORKFLOW, "name one with --local-repository acme/none=FOLDER");
    refuses("acme/lib", "v2", WORKFLOW, "no branch, tag or commit 'v2'");
    refuses("acme/lib", "--help", WORKFLOW, "no branch, tag or commit '--help'");
    refuses("acme/lib", "v1", ".github/workflows/y.yml",
            "there is no '.github/workflows/y.yml' at 'v1'");
}

Test(files, what_has_no_clone_comes_out_of_the_store)
{
    static const char sha[] = "1111111111111111111111111111111111111111";
    struct store_spec store = {
        .folder = scratch_path, .source = "https://github.com", .offline = true};
    struct buf out = BUF_INIT(4096);
    const char *from = NULL;
    struct err err = ERR_INIT;

    scratch_file(arena_printf(&arena, "github.com/other/flows/%s/" WORKFLOW, sha), "kept");
    scratch_file("github.com/other/flows/refs", arena_printf(&arena, "%s 5 v1\n", sha));
    files.store = &store;
    cr_assert_eq(read_call("Other/flows", "v1", WORKFLOW, &out, &from, &err), ERR_OK, "%s",
                 err.text);
    cr_assert_str_eq(out.ptr, "kept");
    cr_assert_str_eq(from, sha);
    cr_assert_eq(read_call("other/flows", "v1", ".github/workflows/y.yml", &out, &from, &err),
                 ERR_NOT_FOUND);
    cr_assert(strstr(err.text, "there is no '.github/workflows/y.yml' at 'v1'"), "%s", err.text);
    cr_assert_eq(read_call("other/flows", "v2", WORKFLOW, &out, &from, &err), ERR_NOT_FOUND);
    cr_assert(strstr(err.text, "'other/flows@v2': it is not in the action store") &&
                  strstr(err.text, "--local-repository other/flows=FOLDER"),
              "%s", err.text);
    buf_deinit(&out);
}
