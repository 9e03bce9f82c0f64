#include "io/git.h"
#include "io/git_config.h"

#include "base/fd.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct git_env env;
static struct git_facts facts;

static void enter(void)
{
    scratch_enter();
    env = (struct git_env){.path = getenv("PATH"), .home = scratch_path};
    git_facts_init(&facts);
}

static void leave(void)
{
    git_facts_deinit(&facts);
    scratch_leave();
}

TestSuite(git, .init = enter, .fini = leave);

/* git with a fixed identity, in the scratch folder; what it says, trimmed. */
static char *git(const char *const *args)
{
    static char text[4096];
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(sizeof text - 1);
    struct err err = ERR_INIT;

    cr_assert_eq(git_run(&env, scratch_path, args, &out, &err), ERR_OK, "git %s: %s", args[0],
                 err.text);
    struct slice s = slice_trim(buf_slice(&out));
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    return text;
}
#define GIT(...) git((const char *const[]){__VA_ARGS__, NULL})

static void repository(void)
{
    scratch_file(".gitconfig", "[user]\n\tname = Ada Lovelace\n\temail = ada@example.org\n");
    GIT("init", "-q", "-b", "main", ".");
}

static void commit(const char *message)
{
    GIT("commit", "-q", "--allow-empty", "-m", message);
}

static void read_facts(const char *dir)
{
    struct err err = ERR_INIT;

    git_facts_deinit(&facts);
    cr_assert_eq(git_facts_read(&env, dir, &facts, &err), ERR_OK, "%s", err.text);
}

Test(git, a_folder_without_repository_is_a_fact)
{
    struct err err = ERR_INIT;

    read_facts(scratch_path);
    cr_assert_null(facts.root);
    cr_assert_null(facts.git_dir);
    cr_assert_str_eq(facts.sha, "");
    cr_assert_str_eq(facts.dir, scratch_path);
    cr_assert_eq(git_facts_commit(&env, &facts, &err), ERR_OK);
    cr_assert_null(facts.message);
}

Test(git, a_folder_that_is_missing_is_an_error_that_names_it)
{
    struct err err = ERR_INIT;

    cr_assert_eq(git_facts_read(&env, "nowhere", &facts, &err), ERR_NOT_FOUND);
    cr_assert_str_eq(err.text, "cannot find 'nowhere': No such file or directory");
}

Test(git, a_repository_without_commits_has_a_branch_and_no_sha)
{
    repository();
    read_facts(scratch_path);
    cr_assert_str_eq(facts.head_ref, "refs/heads/main");
    cr_assert_str_eq(facts.sha, "");
    cr_assert_not(facts.detached);
    cr_assert_str_eq(facts.user_name, "Ada Lovelace");
}

Test(git, reads_what_git_itself_says_loose_and_packed_from_a_folder_below)
{
    struct err err = ERR_INIT;

    repository();
    commit("one");
    commit("two\n\nwith a body");
    scratch_file("src/deep/file", "x");
    for (int packed = 0; packed < 2; packed++) {
        if (packed)
            GIT("pack-refs", "--all");
        read_facts("src/deep");
        cr_assert_str_eq(facts.sha, GIT("rev-parse", "HEAD"), "packed: %d", packed);
        cr_assert_str_eq(facts.root, scratch_path);
        cr_assert_str_eq(facts.default_branch, "main");
    }
    cr_assert_eq(git_facts_commit(&env, &facts, &err), ERR_OK, "%s", err.text);
    cr_assert_str_eq(facts.message, "two\n\nwith a body");
    cr_assert_str_eq(facts.parent, GIT("rev-parse", "HEAD^"));
    cr_assert_str_eq(facts.tree, GIT("rev-parse", "HEAD^{tree}"));
    cr_assert_str_eq(facts.author_name, "Ada Lovelace");
    cr_assert_str_eq(facts.committer_email, "ada@example.org");
}

Test(git, a_detached_head_has_a_sha_and_no_branch)
{
    repository();
    commit("one");
    GIT("checkout", "-q", "--detach");
    read_facts(scratch_path);
    cr_assert(facts.detached);
    cr_assert_null(facts.head_ref);
    cr_assert_str_eq(facts.sha, GIT("rev-parse", "HEAD"));
}

Test(git, a_linked_worktree_shares_the_repository)
{
    CLEANUP(free_ptr) char *common = NULL;

    repository();
    commit("one");
    GIT("worktree", "add", "-q", "-b", "topic", "other");
    read_facts("other");
    cr_assert_str_eq(facts.head_ref, "refs/heads/topic");
    cr_assert_str_eq(facts.sha, GIT("rev-parse", "topic"));
    cr_assert(asprintf(&common, "%s/.git", scratch_path) > 0);
    cr_assert_str_eq(facts.common_dir, common);
    cr_assert_str_neq(facts.git_dir, common);
    cr_assert_str_eq(facts.default_branch, "main");
}

Test(git, the_origin_comes_without_credentials_and_tells_the_default_branch)
{
    repository();
    commit("one");
    GIT("remote", "add", "origin", "https://ada:s3cret@git.example.org/horoscopus/app.git");
    GIT("update-ref", "refs/remotes/origin/trunk", "HEAD");
    GIT("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk");
    read_facts(scratch_path);
    cr_assert_str_eq(facts.origin, "https://git.example.org/horoscopus/app.git");
    cr_assert_str_eq(facts.default_branch, "trunk");
}

Test(git, a_ref_name_cannot_lead_out_of_the_repository)
{
    static const char *const bad[] = {"HEAD",           "refs/../../secret", "refs/heads/../x",
                                      "/etc/passwd",    "refs//heads",       "refs/heads/.x",
                                      "refs/heads/none"};
    char sha[GIT_SHA_SIZE];

    repository();
    commit("one");
    scratch_file("secret", "0123456789012345678901234567890123456789");
    read_facts(scratch_path);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct err err = ERR_INIT;
        cr_assert_eq(git_ref_read(&facts, bad[i], sha, &err), ERR_NOT_FOUND, "%s", bad[i]);
    }
}

Test(git, a_head_that_is_neither_is_an_error)
{
    struct err err = ERR_INIT;

    repository();
    scratch_file(".git/HEAD", "rubbish\n");
    cr_assert_eq(git_facts_read(&env, scratch_path, &facts, &err), ERR_INVALID);
    cr_assert(strstr(err.text, "/.git/HEAD' names neither a branch nor a commit"), "%s", err.text);
}

Test(git, a_missing_program_and_a_failure_are_told_apart)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(100);
    struct git_env none = {.path = "/nowhere"};
    struct err err = ERR_INIT;

    cr_assert_eq(git_run(&none, "/", (const char *const[]){"version", NULL}, &out, &err),
                 ERR_NOT_FOUND, "%s", err.text);
    cr_assert_eq(git_run(&env, scratch_path, (const char *const[]){"log", NULL}, &out, &err),
                 ERR_FAILED);
    cr_assert(strstr(err.text, "not a git repository"), "%s", err.text);
}

Test(git, output_is_bounded)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(10);
    struct err err = ERR_INIT;

    cr_assert_eq(
        git_run(&env, "/", (const char *const[]){"version", "--build-options", NULL}, &out, &err),
        ERR_LIMIT, "%s", err.text);
}

Test(git, variables_of_git_do_not_reach_it)
{
    setenv("GIT_DIR", "/nowhere", 1);
    repository();
    cr_assert_str_eq(GIT("rev-parse", "--git-dir"), ".git");
}

/* What git itself makes of the same file is the measure. */
Test(git, reads_settings_as_git_does)
{
    static const char *const files[] = {
        "[user]\n  name = plain\n",
        "[user]\n  name = \"quoted  text\"  ; comment\n",
        "[USER]\n\tNAME=no blanks # comment\n",
        "[user]\n  name = a\\\n b\n",
        "[user]\n  name = a\\tb\\\"c\\\\d\n",
        "[user]\n  name = trailing blanks   \n",
        "[user]\n  name = one\n  name = two\n",
        "[user \"sub\"]\n  name = not this\n[user]\n name = this\n",
        "; comment\n[user]\n# name = no\nname = \"a;b#c\"\n",
        "[user]\n name = crlf\r\n",
        "[include]\n path = more\n",
        "[user]\n name = first\n[include]\n path = more\n",
    };

    scratch_file("more", "[user]\n name = included\n");
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct arena a = ARENA_INIT;
        struct git_config c = {.arena = &a};
        const char *want;

        scratch_file(".gitconfig", files[i]);
        want = GIT("config", "--includes", "user.name");
        git_config_parse(&c, slice_of(files[i]), scratch_path);
        cr_assert_str_eq(c.user_name ? c.user_name : "(none)", want, "row %zu", i);
        arena_deinit(&a);
    }
}

/* ---- output that somebody else reads ---- */

Test(git, output_can_be_read_from_a_pipe)
{
    static const char *const args[] = {"archive", "--format=tar", "HEAD", NULL};
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(1 << 20);
    struct git_pipe pipe;
    struct err err = ERR_INIT;

    repository();
    scratch_file("big", "x");
    cr_assert_eq(truncate("big", 500000), 0); /* more than a pipe holds */
    GIT("add", "big");
    commit("one");
    cr_assert_eq(git_pipe_start(&env, scratch_path, args, &pipe, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(fd_read_all(pipe.out, &out, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(git_pipe_end(&pipe, &err), ERR_OK, "%s", err.text);
    cr_assert_gt(out.len, 500000);
}

Test(git, a_pipe_that_fails_says_why)
{
    static const char *const args[] = {"archive", "--format=tar", "nothing", NULL};
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(1 << 20);
    struct git_pipe pipe;
    struct err err = ERR_INIT;

    repository();
    cr_assert_eq(git_pipe_start(&env, scratch_path, args, &pipe, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(fd_read_all(pipe.out, &out, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(git_pipe_end(&pipe, &err), ERR_FAILED);
    cr_assert(strstr(err.text, "git failed: ") && strstr(err.text, "nothing"), "%s", err.text);
}

Test(git, a_pipe_can_be_ended_before_its_end)
{
    static const char *const args[] = {"archive", "--format=tar", "HEAD", NULL};
    struct git_pipe pipe;
    struct err err = ERR_INIT;

    repository();
    scratch_file("big", "x");
    cr_assert_eq(truncate("big", 500000), 0);
    GIT("add", "big");
    commit("one");
    cr_assert_eq(git_pipe_start(&env, scratch_path, args, &pipe, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(git_pipe_end(&pipe, &err), ERR_FAILED); /* nobody read the rest */
}

Test(git, more_variables_go_with_it)
{
    static const char *const more[] = {"GIT_AUTHOR_NAME=Grace", "GIT_AUTHOR_EMAIL=g@example.org",
                                       NULL};

    repository();
    env.more = more;
    commit("one");
    cr_assert_str_eq(GIT("log", "-1", "--format=%an <%ae>"), "Grace <g@example.org>");
}
