#include "auth.h"
#include "refs.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ostler/test.h>
#include "kit/scratch.h"

extern const struct ost_plugin ostler_plugin_v1;

#define TOKEN "ght-of-the-unit-tests"
#define BASIC "eC1hY2Nlc3MtdG9rZW46Z2h0LW9mLXRoZS11bml0LXRlc3Rz" /* of x-access-token:TOKEN */
#define SHA "0123456789012345678901234567890123456789"

static struct ost_test *host;
static char work[8192], temp[8192];

/* The folders of a job, and a server: git takes its addresses for folders below scratch. */
static void enter(void)
{
    char home[8192], config[9000];

    scratch_enter();
    snprintf(work, sizeof work, "%s/work", scratch_path);
    snprintf(temp, sizeof temp, "%s/temp", scratch_path);
    snprintf(home, sizeof home, "%s/home", scratch_path);
    snprintf(config, sizeof config,
             "[url \"file://%s/server/\"]\n\tinsteadOf = https://git.test/\n"
             "[protocol \"file\"]\n\tallow = always\n",
             scratch_path);
    scratch_file("home/.gitconfig", config);
    cr_assert_eq(mkdir(work, 0700) | mkdir(temp, 0700), 0);
    setenv("GIT_CONFIG_SYSTEM", "/dev/null", 1);
    unsetenv("GIT_CONFIG_GLOBAL");
    setenv("RUNNER_TEMP", temp, 1);
    host = ost_test_new(&ostler_plugin_v1);
    ost_test_dir(host, OST_DIR_WORKSPACE, work);
    ost_test_dir(host, OST_DIR_TEMP, temp);
    ost_test_dir(host, OST_DIR_HOME, home);
    ost_test_context(host, "github.repository", "acme/app");
    ost_test_context(host, "github.server_url", "https://git.test");
    ost_test_with(host, "repository", "acme/lib");
    ost_test_with(host, "token", TOKEN);
}

static void leave(void)
{
    ost_test_free(host);
    scratch_leave();
}

TestSuite(checkout, .init = enter, .fini = leave, .timeout = 120);

/* What SCRIPT, run in scratch, exits with. */
static int ask_shell(const char *script)
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) {
        setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
        if (chdir(scratch_path) == 0)
            execlp("sh", "sh", "-ec", script, NULL);
        _exit(99);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static void shell(const char *script)
{
    cr_assert_eq(ask_shell(script), 0, "%s", script);
}

static void serve(void)
{
    shell(
        "mkdir -p server/acme seed && cd seed && git init -q -b main && git config user.name x && "
        "git config user.email x@y.z && echo one >file && git add -A && git commit -qm one && git "
        "tag v1 && "
        "git branch topic && git tag -a -m noted noted && echo two >file && git commit -qam two && "
        "git clone -q --bare . ../server/acme/lib && "
        "git -C ../server/acme/lib config uploadpack.allowAnySHA1InWant true");
    ost_test_exec_for_real(host, NULL);
}

static ost_status run_main(void)
{
    return ost_test_run(host, OST_PHASE_MAIN);
}

static void expect_has(const char *text, const char *part)
{
    cr_expect(text && strstr(text, part), "wanted '%s' in:\n%s", part, text ? text : "(nothing)");
}

static void refused(ost_status why, const char *text)
{
    cr_expect_eq(run_main(), why, "%s", text);
    expect_has(ost_test_failure(host), text);
}

/* What a later phase gets. */
static void hand_on(void)
{
    static const char *const more[] = {"repositoryPath", "server", NULL};

    for (const char *const *names = auth_saved, *const *end = more; names; names = end, end = NULL)
        for (const char *const *name = names; *name; name++)
            if (ost_test_kept(host, *name))
                ost_test_saved(host, *name, ost_test_kept(host, *name));
}

/* Fails if the token, or what stands for it, is in any file of the job. */
static void no_token_left(const char *when)
{
    cr_assert_eq(ask_shell("! grep -rlE 'AUTHORIZATION|" TOKEN "|" BASIC "|PRIVATE' work temp >&2"),
                 0, "%s: credentials were left behind", when);
}

/* ---- what is asked for ---- */

Test(checkout, servers_are_known_by_scheme_host_and_port)
{
    static const char *const rows[][3] = {
        {"https://github.com", "https://github.com", "github.com"},
        {"https://GitHub.com/", "https://github.com", "github.com"},
        {"HTTPS://x.test:8443/gh?a#b", "https://x.test:8443", "x.test"},
        {"https://x.test:443", "https://x.test", "x.test"},
        {"http://x.test:80/", "http://x.test", "x.test"},
        {"http://x.test:443/", "http://x.test:443", "x.test"},
        {"https://me:pw@x.test/y@z", "https://x.test", "x.test"},
        {"http://[::1]:3000/", "http://[::1]:3000", "[::1]"},
        {"http://[::1]", "http://[::1]", "[::1]"},
        {"ftp://x.test", NULL, NULL},
        {"x.test", NULL, NULL},
        {"https://", NULL, NULL},
        {"https://:80", NULL, NULL},
        {"https://x y", NULL, NULL},
        {"https://x\n.test", NULL, NULL},
        {"https://x\"y", NULL, NULL},
    };
    struct ost_step *step = ost_test_step(host);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *name = NULL, *origin = server_origin(step, rows[i][0], &name);

        cr_expect((origin == NULL) == (rows[i][1] == NULL), "%s: %s", rows[i][0], origin);
        if (origin && rows[i][1]) {
            cr_expect_str_eq(origin, rows[i][1]);
            cr_expect_str_eq(name, rows[i][2]);
        }
    }
}

Test(checkout, refspecs_are_those_of_the_action)
{
    static const struct {
        const char *ref, *commit;
        bool tags;
        const char *now, *before; /* from version 6 on, and before */
    } rows[] = {
        {"refs/heads/b", SHA, false, "+" SHA ":refs/remotes/origin/b", NULL},
        {"refs/heads/b", "", false, "+refs/heads/b:refs/remotes/origin/b", NULL},
        {"REFS/HEADS/b", SHA, false, "+" SHA ":refs/remotes/origin/b", NULL},
        {"refs/pull/7/merge", SHA, false, "+" SHA ":refs/remotes/pull/7/merge", NULL},
        {"refs/pull/7/head", "", false, "+refs/pull/7/head:refs/remotes/pull/7/head", NULL},
        {"refs/tags/t", SHA, false, "+refs/tags/t:refs/tags/t", "+" SHA ":refs/tags/t"},
        {"refs/tags/t", "", false, "+refs/tags/t:refs/tags/t", NULL},
        {"refs/notes/n", SHA, false, SHA, NULL},
        {"refs/notes/n", "", false, "+refs/notes/n:refs/notes/n", NULL},
        {"", SHA, false, SHA, NULL},
        {"x", "", false, "+refs/heads/x*:refs/remotes/origin/x* +refs/tags/x*:refs/tags/x*", NULL},
        {"x", "", true, "+refs/tags/*:refs/tags/* +refs/heads/x*:refs/remotes/origin/x*",
         "+refs/heads/x*:refs/remotes/origin/x* +refs/tags/x*:refs/tags/x*"},
        {"refs/tags/t", SHA, true, "+refs/tags/*:refs/tags/*", "+" SHA ":refs/tags/t"},
        {"refs/tags/t", "", true, "+refs/tags/*:refs/tags/*", "+refs/tags/t:refs/tags/t"},
        {"refs/heads/b", SHA, true, "+refs/tags/*:refs/tags/* +" SHA ":refs/remotes/origin/b",
         "+" SHA ":refs/remotes/origin/b"},
    };
    struct ost_step *step = ost_test_step(host);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct wanted w = {rows[i].ref, rows[i].commit};
        const char *want = rows[i].before && CHECKOUT_MAJOR < 6 ? rows[i].before : rows[i].now;
        struct strings got = {0};
        struct sink text = {.step = step};

        refs_to_fetch(step, &w, rows[i].tags, &got);
        for (size_t k = 0; k < got.n; k++)
            sink_addf(&text, "%s%s", k ? " " : "", got.list[k]);
        cr_expect_str_eq(sink_text(&text), want, "'%s' '%s': %s", rows[i].ref, rows[i].commit,
                         sink_text(&text));
    }
}

Test(checkout, mistakes_are_told_before_anything_is_done)
{
    static const char *const rows[][3] = {
        {"repository", "lib", "Expected format {owner}/{repo}"},
        {"repository", "acme/", "Expected format {owner}/{repo}"},
        {"repository", "a/b/c", "Expected format {owner}/{repo}"},
        {"path", "../out", "is not under"},
        {"path", "/etc", "is not under"},
        {"path", "a/../../out", "is not under"},
        {"ref", "--upload-pack=x", "is no ref"},
        {"ref", "a\nb", "is no ref"},
        {"github-server-url", "git.test", "is no server"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ost_test_with(host, rows[i][0], rows[i][1]);
        cr_expect_lt(run_main(), 0, "%s: %s", rows[i][0], rows[i][1]);
        expect_has(ost_test_failure(host), rows[i][2]);
        cr_expect_eq(ost_test_execs(host, "*"), 0, "%s", rows[i][1]);
        ost_test_with(host, rows[i][0], i < 3 ? "acme/lib" : "");
    }
}

Test(checkout, code_of_forks_is_refused_where_it_would_have_secrets)
{
    static const struct {
        const char *event, *inner, *repository, *ref, *allow;
        bool refused;
    } rows[] = {
        {"pull_request_target", "", "mallory/lib", "", "false", true},
        {"pull_request_target", "", "Mallory/Lib", "main", "false", true},
        {"pull_request_target", "", "mallory/lib", "", "true", false},
        {"pull_request_target", "", "acme/app", "", "false", false},
        {"pull_request_target", "", "acme/app", "main", "false", false},
        {"pull_request_target", "", "acme/app", "refs/pull/1/merge", "false", true},
        {"pull_request_target", "", "acme/app", "refs/pull/1/head", "false", true},
        {"pull_request_target", "", "acme/app", "refs/pull/1/other", "false", false},
        {"pull_request_target", "", "acme/app", SHA, "false", true},
        {"workflow_run", "pull_request", "acme/app", SHA, "false", true},
        {"workflow_run", "pull_request_target", "acme/app", SHA, "false", false},
        {"workflow_run", "push", "mallory/lib", "", "false", false},
        {"push", "", "mallory/lib", "", "false", false},
    };
    static const char *const facts[][2] = {
        {"github.event.repository.id", "1"},
        {"github.event.pull_request.head.repo.id", "2"},
        {"github.event.pull_request.head.repo.full_name", "mallory/lib"},
        {"github.event.pull_request.head.sha", SHA},
        {"github.event.workflow_run.head_repository.id", "2"},
        {"github.event.workflow_run.head_repository.full_name", "mallory/lib"},
        {"github.event.workflow_run.head_sha", SHA},
    };

    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        ost_test_context(host, facts[i][0], facts[i][1]);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct settings s;

        ost_test_context(host, "github.event_name", rows[i].event);
        ost_test_context(host, "github.event.workflow_run.event", rows[i].inner);
        ost_test_with(host, "repository", rows[i].repository);
        ost_test_with(host, "ref", rows[i].ref);
        ost_test_with(host, "allow-unsafe-pr-checkout", rows[i].allow);
        cr_expect_eq(settings_read(ost_test_step(host), &s),
                     rows[i].refused ? OST_E_DENIED : OST_OK, "row %zu", i);
    }
}

/* ---- the whole way ---- */

Test(checkout, gets_the_default_branch_and_takes_its_credentials_back)
{
    serve();
    cr_assert_eq(run_main(), OST_OK, "%s\n%s", ost_test_failure(host), ost_test_log(host));
    scratch_has("work/file", "two\n");
    cr_expect_str_eq(ost_test_masked(host, 0), BASIC);
    if (CHECKOUT_MAJOR >= 4) {
        cr_expect_str_eq(ost_test_output(host, "ref"), "refs/heads/main");
        cr_expect_eq(strlen(ost_test_output(host, "commit")), 40);
    }
    cr_expect_eq(ost_test_execs(host, "*" TOKEN "*"), 0);
    cr_expect_eq(ost_test_execs(host, "*" BASIC "*"), 0);
    shell("cat work/.git/config temp/git-credentials-*.config 2>/dev/null | grep -q '" BASIC "'");
    shell("! grep -q safe home/.gitconfig");

    hand_on();
    cr_expect_eq(ost_test_run(host, OST_PHASE_POST), OST_OK);
    cr_expect_eq(ost_test_notes(host), 0, "%s", ost_test_log(host));
    no_token_left("after the post phase");
    shell("! git -C work config --get-regexp 'includeif|extraheader'");
    shell("test -z \"$(ls temp | grep -v checkout-git.json)\"");
}

Test(checkout, each_kind_of_ref_is_checked_out)
{
    static const char *const rows[][3] = {
        {"topic", "one\n", "topic"}, {"v1", "one\n", ""},
        {"noted", "one\n", ""},      {"refs/tags/noted", "one\n", ""},
        {"main", "two\n", "main"},   {"refs/heads/topic", "one\n", "topic"},
    };
    char script[8192];

    serve();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ost_test_with(host, "ref", rows[i][0]);
        ost_test_with(host, "fetch-depth", i % 2 ? "0" : "1");
        cr_assert_eq(run_main(), OST_OK, "%s: %s\n%s", rows[i][0], ost_test_failure(host),
                     ost_test_log(host));
        scratch_has("work/file", rows[i][1]);
        snprintf(script, sizeof script, "test \"$(git -C work branch --show-current)\" = '%s'",
                 rows[i][2]);
        shell(script);
        cr_expect_eq(ost_test_execs(host, "* init *"), i == 0, "the clone is used again");
    }
    ost_test_with(host, "ref", "nosuch");
    ost_test_with(host, "fetch-depth", "1");
    refused(OST_E_NOT_FOUND, "A branch or tag with the name 'nosuch' could not be found");
    ost_test_with(host, "fetch-depth", "0");
    refused(OST_E_NOT_FOUND, "A branch or tag with the name 'nosuch' could not be found");
}

Test(checkout, a_tag_that_moved_is_not_what_was_asked_for)
{
    ost_test_context(host, "github.repository", "acme/lib");
    ost_test_context(host, "github.ref", "refs/tags/v1");
    ost_test_context(host, "github.sha", SHA);
    serve();
    if (CHECKOUT_MAJOR >= 6)
        refused(OST_E_FAILED, "does not point to the expected commit '" SHA "'");
    else
        refused(OST_E_FAILED,
                "failed with exit code 128"); /* it asks for the commit, which is not there */
}

Test(checkout, an_annotated_tag_stands_for_its_commit)
{
    FILE *file;
    char sha[64] = "";

    ost_test_context(host, "github.repository", "acme/lib");
    ost_test_context(host, "github.ref", "refs/tags/noted");
    serve();
    shell("git -C seed rev-parse noted^{commit} >sha");
    file = fopen("sha", "r");
    cr_assert(file && fgets(sha, sizeof sha, file));
    fclose(file);
    sha[strcspn(sha, "\n")] = '\0';
    ost_test_context(host, "github.sha", sha);
    cr_assert_eq(run_main(), OST_OK, "%s\n%s", ost_test_failure(host), ost_test_log(host));
    scratch_has("work/file", "one\n");
    if (CHECKOUT_MAJOR >= 6)
        shell("test \"$(git -C work cat-file -t noted)\" = tag");
}

Test(checkout, what_is_no_clone_of_it_is_removed)
{
    serve();
    scratch_file("work/left", "x");
    scratch_file("work/.hidden/left", "x");
    cr_assert_eq(run_main(), OST_OK, "%s", ost_test_failure(host));
    expect_has(ost_test_log(host), "Deleting the contents");
    shell("test ! -e work/left && test ! -e work/.hidden && test -e work/file");
    scratch_file("work/sub", "a file where the folder is to be");
    ost_test_with(host, "path", "sub");
    cr_assert_eq(run_main(), OST_OK, "%s", ost_test_failure(host));
    scratch_has("work/sub/file", "two\n");
}

Test(checkout, a_clone_that_is_broken_is_made_anew)
{
    serve();
    cr_assert_eq(run_main(), OST_OK, "%s", ost_test_failure(host));
    shell("rm -rf work/.git/objects work/.git/refs && touch work/.git/index.lock");
    cr_assert_eq(run_main(), OST_OK, "%s\n%s", ost_test_failure(host), ost_test_log(host));
    scratch_has("work/file", "two\n");
}

Test(checkout, an_ssh_key_lies_in_a_file_of_its_own)
{
    char path[4200];
    struct stat st;

    ost_test_with(host, "ssh-key", "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----");
    ost_test_with(host, "ssh-known-hosts", "git.test ssh-ed25519 AAAA");
    ost_test_with(host, "ref", "main");
    ost_test_on_exec(host, "*fetch*", .exit_code = 128,
                     .err = "git@git.test: Permission denied (publickey).\n");
    ost_test_exec_for_real(host, NULL);
    refused(OST_E_DENIED, "the server refused the SSH key");
    cr_expect_eq(ost_test_execs(host, "*fetch*"), 1);
    cr_expect_eq(ost_test_execs(host, "*remote add origin git@git.test:acme/lib.git"), 1);
    snprintf(path, sizeof path, "%s", ost_test_kept(host, "sshKeyPath"));
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0600);
    shell("grep -q 'UserKnownHostsFile=$RUNNER_TEMP/' work/.git/config && "
          "grep -q 'StrictHostKeyChecking=yes' work/.git/config && grep -q 'git.test ssh-ed25519' "
          "temp/*_known_hosts && "
          "grep -q '^github.com ssh-rsa' temp/*_known_hosts");
    hand_on();
    cr_expect_eq(ost_test_run(host, OST_PHASE_POST), OST_OK);
    no_token_left("after the post phase");
    shell("! grep -q ssh work/.git/config && test -z \"$(ls temp | grep -v checkout-git.json)\"");
}

Test(checkout, what_a_server_fails_at_is_tried_three_times)
{
    ost_test_with(host, "ref", "main");
    ost_test_exec_for_real(host, NULL);
    ost_test_on_exec(host, "*fetch*", .exit_code = 128, .err = "fatal: the remote end hung up\n");
    refused(OST_E_FAILED, "failed with exit code 128");
    cr_expect_eq(ost_test_execs(host, "*fetch*"), 3);
    ost_test_on_exec(host, "*fetch*", .exit_code = 128,
                     .err = "fatal: could not read Username for 'https://git.test': "
                            "terminal prompts disabled\n");
    refused(OST_E_DENIED, "the server refused the token");
    cr_expect_eq(ost_test_execs(host, "*fetch*"), 1);
    ost_test_with(host, "token", "");
    refused(OST_E_DENIED, "the server wants a token");
}

Test(checkout, without_git_it_says_what_to_install)
{
    ost_test_on_exec(host, "sh -c command -v git", .exit_code = 127);
    refused(OST_E_NOT_FOUND, "install git");
    ost_test_on_exec(host, "sh -c command -v git", .out = "/usr/bin/git\n");
    ost_test_on_exec(host, "/usr/bin/git version", .out = "git version 2.17.1\n");
    refused(OST_E_NOT_FOUND, "git 2.18 or newer");
    ost_test_on_exec(host, "/usr/bin/git version", .out = "git version 2.20.1 (Apple Git-1)\n");
    ost_test_with(host, "sparse-checkout", "docs");
    refused(OST_E_UNSUPPORTED, "sparse-checkout needs git 2.2");
    ost_test_with(host, "sparse-checkout", "");
    ost_test_with(host, "lfs", "true");
    ost_test_on_exec(host, "* lfs version", .exit_code = 1);
    refused(OST_E_NOT_FOUND, "install git-lfs");
}

Test(checkout, the_plan_says_what_and_where)
{
    ost_test_with(host, "ref", "topic");
    ost_test_with(host, "path", "lib");
    cr_assert_eq(ost_test_run(host, OST_PHASE_PLAN), OST_OK, "%s", ost_test_failure(host));
    cr_expect_str_eq(ost_test_planned(host, 0), "check out acme/lib at topic: into lib");
    cr_expect_eq(ost_test_execs(host, "*"), 0);
}

/* ---- the runner's mirror ---- */

static void make_mirror(void)
{
    char path[8192];

    shell("git clone -q --mirror server/acme/lib mirror && git -C mirror repack -adq");
    snprintf(path, sizeof path, "%s/mirror", scratch_path);
    ost_test_mirror(host, path);
}

Test(checkout, what_the_mirror_has_comes_from_there)
{
    static const char *const depths[] = {"0", "1"};

    serve();
    make_mirror();
    for (size_t i = 0; i < 2; i++) {
        shell("rm -rf work temp && mkdir work temp");
        ost_test_with(host, "fetch-depth", depths[i]);
        cr_assert_eq(run_main(), OST_OK, "%s\n%s", ost_test_failure(host), ost_test_log(host));
        scratch_has("work/file", "two\n");
        cr_expect_eq(ost_test_asks(host, i ? "mirror.show https://git.test/acme/lib header"
                                           : "mirror.show https://git.test/acme/lib make header"),
                     1);
        /* All is copied, some is fetched. */
        cr_expect_eq(ost_test_execs(host, i ? "*upload-pack*/mirror*" : "sh -c*/mirror*"), 1);
        cr_expect_eq(ost_test_execs(host, i ? "sh -c*/mirror*" : "*upload-pack*/mirror*"), 0);
        ost_test_said(host, "debug: The mirror of * has what is wanted");
        shell("rm -rf moved && mv mirror moved && git -C work fsck --strict && "
              "test ! -e work/.git/objects/info/alternates && mv moved mirror");
        shell(i ? "test $(git -C work rev-list --count --all) = 1"
                : "test $(git -C work rev-list --count --all) = 2 && git -C work rev-parse noted");
    }
}

Test(checkout, a_mirror_that_is_not_there_or_broken_does_not_matter)
{
    serve();
    cr_assert_eq(run_main(), OST_OK, "%s", ost_test_failure(host));
    ost_test_said(host, "debug: No mirror of https://git.test/acme/lib: there is no mirror");
    cr_expect_eq(ost_test_execs(host, "*upload-pack*"), 0);
    make_mirror();
    shell("rm -rf work temp mirror/objects/* && mkdir work temp");
    cr_assert_eq(run_main(), OST_OK, "%s", ost_test_failure(host));
    ost_test_said(host, "debug: The mirror of * has not what is wanted");
    scratch_has("work/file", "two\n");
    shell("git -C work fsck --strict && test ! -e work/.git/objects/incoming");
}

Test(checkout, a_mirror_is_for_whole_clones_over_http)
{
    serve();
    make_mirror();
    ost_test_with(host, "sparse-checkout", "docs");
    cr_assert_eq(run_main(), OST_OK, "%s", ost_test_failure(host));
    cr_expect_eq(ost_test_asks(host, "mirror.*"), 0);
}

/* ---- faults ---- */

static void start_over(struct ost_test *t, const struct ost_test_round *round, void *ctx)
{
    (void)round;
    (void)ctx;
    shell("rm -rf work temp && mkdir work temp");
    for (const char *const *name = auth_saved; *name; name++)
        ost_test_saved(t, *name, "");
}

/* Whatever failed, or when the job was cancelled: the post phase leaves nothing of the token behind. */
static void leaves_no_token(struct ost_test *t, const struct ost_test_round *round, void *ctx)
{
    char when[64];

    (void)ctx;
    snprintf(when, sizeof when, "%s %d", round->cancel ? "cancel" : "fault", round->nth);
    cr_assert_neq(round->status, round->cancel ? OST_E_FAILED : OST_E_CANCELLED, "%s", when);
    hand_on();
    cr_assert_eq(ost_test_run(t, OST_PHASE_POST), OST_OK, "%s", when);
    no_token_left(when);
}

Test(checkout, leaves_no_token_whatever_fails)
{
    serve();
    make_mirror();
    ost_test_with(host, "ref", "main");
    ost_test_each_fault(host, .phase = OST_PHASE_MAIN, .before = start_over,
                        .after = leaves_no_token);
}
