#include "changes.h"

#include <criterion/criterion.h>
#include <string.h>

#include <ostler/test.h>
#include "kit/scratch.h"

static const struct ost_plugin plugin;

static struct ost_test *host;
static struct ost_step *step;

static void enter(void)
{
    scratch_enter();
    host = ost_test_new(&plugin);
    step = ost_test_step(host);
    ost_test_exec_for_real(host, NULL);
}

static void leave(void)
{
    ost_test_free(host);
    scratch_leave();
}

TestSuite(changes, .init = enter, .fini = leave);

/* "a.c 1-3 7-7", "new.c *", one file a line. */
static const char *show(const struct changes *c)
{
    struct sink k = {.step = step};

    for (size_t i = 0; i < c->n; i++) {
        sink_addf(&k, "%s%s", c->list[i].path, c->list[i].whole ? " *" : "");
        for (size_t j = 0; j < c->list[i].n; j++)
            sink_addf(&k, " %u-%u", c->list[i].lines[j].first, c->list[i].lines[j].last);
        sink_addf(&k, "\n");
    }
    return sink_text(&k);
}

Test(changes, reads_diffs)
{
    static const char diff[] =
        "diff --git a/a.c b/a.c\nindex 1..2 100644\n--- a/a.c\n+++ b/a.c\n"
        "@@ -1,2 +1,3 @@ int f(void)\n-x\n-y\n+x\n+++ b/trap\n+z\n@@ -9 +10 @@\n-q\n+r\n"
        "@@ -20,3 +20,0 @@\n-1\n-2\n-3\n"
        "diff --git a/old.c b/new.c\nsimilarity index 90%\nrename from old.c\nrename to new.c\n"
        "--- a/old.c\n+++ b/new.c\n@@ -4,0 +5,2 @@\n+1\n+2\n\\ No newline at end of file\n"
        "diff --git a/moved.c b/away.c\nsimilarity index 100%\nrename from moved.c\nrename to "
        "away.c\n"
        "diff --git a/gone.c b/gone.c\n--- a/gone.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        "diff --git \"a/t\\tab \\303\\244.c\" \"b/t\\tab \\303\\244.c\"\n--- \"a/t\\tab "
        "\\303\\244.c\"\n"
        "+++ \"b/t\\tab \\303\\244.c\"\n@@ -1 +1 @@\n-x\n+y\n"
        "diff --git a/with blank b/with blank\n--- a/with blank\t\n+++ b/with blank\t\n@@ -0,0 +1 "
        "@@\n+x\n"
        "diff --git a/p.png b/p.png\nBinary files a/p.png and b/p.png differ\n";
    struct changes c = {0};

    changes_read(step, SPAN(diff), "sub", &c);
    cr_expect_str_eq(
        show(&c),
        "sub/a.c 1-3 10-10\nsub/new.c 5-6\nsub/t\tab \xc3\xa4.c 1-1\nsub/with blank 1-1\n", "%s",
        show(&c));
}

Test(changes, survives_any_diff)
{
    static const char *const rows[] = {"",
                                       "@@",
                                       "@@ -1 +1 @@\n+x",
                                       "+++ b/x\n@@ -1,99999999999 +4294967295,9 @@",
                                       "+++ \"b/x\\",
                                       "+++ \"b/\\777\\",
                                       "+++ ",
                                       "@@ -a +b @@",
                                       "+++ \"\"\n@@ -1 +1 @@"};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct changes c = {0};

        changes_read(step, span_of(rows[i]), "", &c);
        cr_expect_leq(c.n, 1, "%s", rows[i]);
    }
}

Test(changes, holds_against_a_change_what_touches_it)
{
    struct changes c = {0};
    static const struct {
        const char *file;
        uint32_t line, end_line;
        bool touches;
    } rows[] = {
        {"a.c", 4, 0, false}, {"a.c", 5, 0, true},  {"a.c", 6, 0, true}, {"a.c", 7, 0, false},
        {"a.c", 1, 9, true},  {"a.c", 1, 4, false}, {"a.c", 0, 0, true}, {"b.c", 5, 0, false},
        {"b.c", 0, 0, false}, {"", 0, 0, true},
    };

    changes_read(step, SPAN("+++ b/a.c\n@@ -5,2 +5,2 @@\n"), "", &c);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct finding f = {
            .file = rows[i].file, .line = rows[i].line, .end_line = rows[i].end_line};

        cr_expect_eq(changes_touch(&c, &f), rows[i].touches, "%s:%u-%u", f.file, f.line,
                     f.end_line);
    }
}

static ost_status load(const char *workspace, const char *dir, const char *base,
                       struct changes *ret)
{
    return changes_load(step, &(struct changes_ask){workspace, dir, base, "'changed-only'"}, ret);
}

/* Runs a script in the scratch folder. */
static void sh(const char *script)
{
    struct ost_exec_result res = OST_RESULT;

    cr_assert_eq(ost_exec(step, &res, .argv = OST_ARGV("sh", "-ec", script)), OST_OK);
    cr_assert_eq(res.exit_code, 0, "%s", script);
}

#define GIT                                                                                        \
    "git -c user.name=T -c user.email=t@t -c init.defaultBranch=main -c commit.gpgsign=false "

static void make_repository(void)
{
    sh(GIT
       "init -q . && seq 9 > a.txt && seq 5 > b.txt && git add . && " GIT "commit -qm one && "
       "git checkout -qb topic && sed -i 's/^3$/drei/' a.txt && git mv b.txt c.txt && " GIT
       "commit -qam two && sed -i 's/^7$/sieben/' a.txt && echo x > new.txt && echo 6 >> c.txt && "
       "printf 'build/\\n' > .gitignore && mkdir build && echo x > build/out.txt");
}

Test(changes, asks_git_for_commits_edits_and_new_files)
{
    struct changes c = {0};

    make_repository();
    cr_assert_eq(load(scratch_path, "", "main", &c), OST_OK, "%s", ost_test_failure(host));
    cr_expect_str_eq(show(&c), "a.txt 3-3 7-7\nc.txt 6-6\n.gitignore *\nnew.txt *\n", "%s",
                     show(&c));
}

Test(changes, compares_with_where_the_branch_left_the_base)
{
    struct changes c = {0};

    make_repository();
    sh(GIT "stash -q && git checkout -q main && seq 20 > a.txt && " GIT
           "commit -qam three && git checkout -q topic "
           "&& git stash pop -q");
    cr_assert_eq(load(scratch_path, "", "main", &c), OST_OK, "%s", ost_test_failure(host));
    cr_expect(strstr(show(&c), "a.txt 3-3 7-7\n"), "%s", show(&c));
}

Test(changes, sees_a_repository_in_a_folder_and_a_folder_in_a_repository)
{
    struct changes c = {0};
    const char *top = ost_fmt(step, "%s/top", scratch_path);

    sh("mkdir -p top/sub && cd top && " GIT
       "init -q . && seq 3 > sub/a && seq 3 > b && git add . && " GIT
       "commit -qm one && seq 4 > sub/a && seq 4 > b");
    cr_assert_eq(load(scratch_path, "top/sub", "HEAD", &c), OST_OK, "%s", ost_test_failure(host));
    cr_expect_str_eq(show(&c), "top/b 4-4\ntop/sub/a 4-4\n", "%s", show(&c));
    c = (struct changes){0};
    cr_assert_eq(load(ost_fmt(step, "%s/sub", top), "", "HEAD", &c), OST_OK);
    cr_expect_str_eq(show(&c), "a 4-4\n", "%s", show(&c));
}

Test(changes, takes_the_base_from_the_event)
{
    struct changes c = {0};

    make_repository();
    ost_test_context(host, "github.event.repository.default_branch", "main");
    ost_test_context(host, "github.event.before", "0000000000000000000000000000000000000000");
    cr_assert_eq(load(scratch_path, "", "", &c), OST_OK, "%s", ost_test_failure(host));
    cr_expect(strstr(ost_test_log(host), "since 'main'"), "%s", ost_test_log(host));

    /* The commit before the push is the base even where it is not known here: another would hide things. */
    ost_test_context(host, "github.event.before", "1234567890123456789012345678901234567890");
    cr_expect_eq(load(scratch_path, "", "", &c), OST_E_NOT_FOUND);
    cr_expect(strstr(ost_test_failure(host), "does not know the base '1234567890"), "%s",
              ost_test_failure(host));

    ost_test_context(host, "github.base_ref", "main");
    cr_expect_eq(load(scratch_path, "", "", &c), OST_OK);
}

Test(changes, names_the_cure_for_a_shallow_clone)
{
    struct changes c = {0};

    make_repository();
    sh("cd .. && git clone -q --depth 1 --branch topic file://$OLDPWD shallow-$$ && mv shallow-$$ "
       "$OLDPWD/clone");
    sh("cd clone && git fetch -q --depth 1 origin main:refs/remotes/origin/main");
    cr_expect_eq(load(ost_fmt(step, "%s/clone", scratch_path), "", "main", &c), OST_E_NOT_FOUND);
    cr_expect(strstr(ost_test_failure(host), "shallow") &&
                  strstr(ost_test_failure(host), "fetch-depth: 0"),
              "%s", ost_test_failure(host));
    cr_expect_eq(load(ost_fmt(step, "%s/clone", scratch_path), "", "release", &c), OST_E_NOT_FOUND);
    cr_expect(strstr(ost_test_failure(host), "'release'") &&
                  strstr(ost_test_failure(host), "fetch-depth: 0"),
              "%s", ost_test_failure(host));
}

Test(changes, says_when_there_is_no_repository_or_no_git)
{
    struct changes c = {0};

    ost_test_exec_for_real(host, "/usr/bin:/bin");
    cr_expect_eq(load(scratch_path, "", "main", &c), OST_E_INVALID);
    cr_expect(strstr(ost_test_failure(host), "actions/checkout"), "%s", ost_test_failure(host));
    ost_test_on_exec(host, "git *", .status = OST_E_NOT_FOUND);
    cr_expect_eq(load(scratch_path, "", "main", &c), OST_E_NOT_FOUND);
    cr_expect(strstr(ost_test_failure(host), "no git in this job"), "%s", ost_test_failure(host));
}

Test(changes, takes_no_base_for_an_option)
{
    struct changes c = {0};

    make_repository();
    cr_expect_eq(load(scratch_path, "", "--all", &c), OST_E_NOT_FOUND);
}
