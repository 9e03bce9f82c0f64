/* Fetching, from repositories in a folder beside. */
#include "store/store.h"

#include "base/path.h"
#include "kit/scratch.h"
#include "kit/server.h"
#include "store/lock.h"
#include "store/refs.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct arena arena;
static struct store_spec spec;
static const char *work; /* the repository acme/tools, at work */

static char *git(const char *const *args)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(GIT_OUTPUT_MAX);
    struct err err = ERR_INIT;

    cr_assert_eq(git_run(&spec.git, work, args, &out, &err), ERR_OK, "git %s: %s", args[0],
                 err.text);
    return arena_str(&arena, slice_trim(buf_slice(&out)));
}
#define GIT(...) git((const char *const[]){__VA_ARGS__, NULL})

static const char *commit(const char *text)
{
    scratch_file("git/acme/tools/action.yml", text);
    GIT("add", "-A");
    GIT("-c", "user.name=Al", "-c", "user.email=al@example.org", "commit", "-q", "-m", "x");
    return GIT("rev-parse", "HEAD");
}

static void enter(void)
{
    scratch_enter();
    scratch_file("git/acme/tools/action.yml", "one");
    work = arena_printf(&arena, "%s/git/acme/tools", scratch_path);
    spec = (struct store_spec){
        .folder = arena_printf(&arena, "%s/store", scratch_path),
        .source = arena_printf(&arena, "file://%s/git", scratch_path),
        .git = {.path = getenv("PATH"), .home = scratch_path},
    };
    GIT("init", "-q", "-b", "main");
}

static void leave(void)
{
    arena_deinit(&arena);
    scratch_leave();
}

TestSuite(get, .init = enter, .fini = leave);

static int get(const char *uses, struct store_entry *ret, struct err *err)
{
    struct action_ref ref;

    cr_assert_eq(action_ref_parse(&arena, slice_of(uses), &ref, err), ERR_OK, "%s", err->text);
    spec.since = store_now() + 1; /* what was asked before is old */
    return store_get(&spec, &ref, &arena, ret, err);
}

static void gives(const char *uses, const char *sha, const char *text)
{
    CLEANUP(buf_deinit) struct buf got = BUF_INIT(4096);
    struct store_entry entry;
    struct err err = ERR_INIT;

    cr_assert_eq(get(uses, &entry, &err), ERR_OK, "%s: %s", uses, err.text);
    cr_assert_str_eq(entry.sha, sha, "%s is %s", uses, entry.sha);
    CLEANUP(free_ptr) char *path = path_join(entry.path, "action.yml");
    cr_assert_eq(path_read(AT_FDCWD, path, &got, &err), ERR_OK, "%s", err.text);
    cr_assert_str_eq(got.ptr, text);
}

static void fails(const char *uses, int code, const char *text)
{
    struct store_entry entry;
    struct err err = ERR_INIT;

    cr_assert_eq(get(uses, &entry, &err), code, "%s", err.text);
    cr_assert(strstr(err.text, text), "'%s' is not in: %s", text, err.text);
}

/* Names in the repository's folder of the store. */
static int count(void)
{
    struct store_origin from;
    struct action_ref ref;
    struct err err = ERR_INIT;

    cr_assert_eq(action_ref_parse(&arena, SLICE("acme/tools@x"), &ref, &err), ERR_OK);
    cr_assert_eq(store_origin(&spec, &ref, &arena, &from, &err), ERR_OK);
    DIR *dir = opendir(from.folder);
    int n = 0;
    cr_assert_not_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

Test(get, branches_come_before_tags_and_tags_stand_for_commits)
{
    const char *one = commit("one");
    GIT("tag", "light");
    GIT("-c", "user.name=Al", "-c", "user.email=al@example.org", "tag", "-a", "-m", "x", "heavy");
    GIT("branch", "both");
    const char *two = commit("two");
    GIT("tag", "both");

    gives("acme/tools@light", one, "one");
    gives("acme/tools@heavy", one, "one");
    gives("acme/tools@both", one, "one");
    gives("acme/tools@refs/tags/both", two, "two");
    gives("acme/tools@main", two, "two");
    gives(arena_printf(&arena, "acme/tools@%s", one), one, "one");
}

Test(get, what_is_not_there_is_said)
{
    const char *one = commit("one");

    fails("acme/tools@v9", ERR_NOT_FOUND, "has no branch or tag 'v9'");
    fails("acme/none@v1", ERR_NOT_FOUND, "there is no repository");
    fails(arena_printf(&arena, "acme/tools@%.12s", one), ERR_NOT_FOUND, "all of its 40 digits");
    fails("acme/tools@1111111111111111111111111111111111111111", ERR_NOT_FOUND, "has no commit");
    spec.offline = true;
    fails("acme/none@v1", ERR_NOT_FOUND, "there is no repository"); /* a folder is no network */
    spec.source = "https://github.com";
    fails("acme/tools@main", ERR_NOT_FOUND, "not in the action store");
}

/* As servers were for long: nothing but the ends of branches can be asked for. */
Test(get, a_server_that_hands_out_whole_branches_will_do)
{
    static const char *const old[] = {"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=protocol.version",
                                      "GIT_CONFIG_VALUE_0=0", NULL};
    const char *one = commit("one");

    (void)commit("two");
    spec.git.more = old;
    gives(arena_printf(&arena, "acme/tools@%s", one), one, "one");
}

Test(get, what_a_killed_one_left_goes_with_the_next)
{
    const char *one = commit("one"), *two;

    gives("acme/tools@main", one, "one");
    cr_assert_eq(count(), 4); /* the commit and its size, refs, lock */
    struct store_origin from;
    struct action_ref ref;
    struct err err = ERR_INIT;
    cr_assert_eq(action_ref_parse(&arena, SLICE("acme/tools@x"), &ref, &err), ERR_OK);
    cr_assert_eq(store_origin(&spec, &ref, &arena, &from, &err), ERR_OK);
    cr_assert_eq(
        path_mkdirs(AT_FDCWD, arena_printf(&arena, "%s/new-7-7/git/x", from.folder), 0700, &err),
        ERR_OK);
    two = commit("two");
    gives("acme/tools@main", two, "two");
    cr_assert_eq(count(), 6);
}

Test(get, a_commit_that_somebody_moved_is_refused)
{
    struct strmap locks = STRMAP_INIT;
    const char *one = commit("one");

    strmap_set(&locks, SLICE("acme/tools@main"), slice_of(one));
    spec.locks = &locks;
    gives("acme/tools@main", one, "one");
    const char *two = commit("two");
    fails("acme/tools@main", ERR_DENIED, two);
    fails("ACME/Tools@main", ERR_NOT_FOUND, "no repository"); /* this folder minds case */
    strmap_deinit(&locks);
}

Test(get, a_clone_stands_for_its_server)
{
    struct strmap clones = STRMAP_INIT_NOCASE;
    const char *one = commit("one");

    strmap_set(&clones, SLICE("Other/Name"), slice_of(work));
    spec.clones = &clones;
    spec.source = "https://nowhere.invalid";
    spec.offline = true;
    gives("other/name@main", one, "one");
    strmap_deinit(&clones);
}

Test(get, links_of_the_repository_stay_inside)
{
    struct store_entry entry;
    struct err err = ERR_INIT;

    cr_assert_eq(symlink("/etc/passwd", "git/acme/tools/out"), 0);
    cr_assert_eq(symlink("action.yml", "git/acme/tools/in"), 0);
    (void)commit("one");
    cr_assert_eq(get("acme/tools@main", &entry, &err), ERR_OK, "%s", err.text);
    cr_assert(entry.note && strstr(entry.note, "1 symbolic link of it leads out"), "%s",
              entry.note);
    CLEANUP(free_ptr) char *out = path_join(entry.path, "out");
    CLEANUP(free_ptr) char *in = path_join(entry.path, "in");
    cr_assert(faccessat(AT_FDCWD, out, F_OK, AT_SYMLINK_NOFOLLOW) < 0);
    cr_assert_eq(access(in, R_OK), 0);
}

Test(get, attributes_of_the_repository_change_nothing)
{
    struct store_entry entry;
    struct err err = ERR_INIT;

    scratch_file("git/acme/tools/.gitattributes", "left export-ignore\n* filter=evil\n");
    scratch_file("git/acme/tools/left", "here\n");
    scratch_file(".gitconfig", "[filter \"evil\"]\n\tsmudge = touch evil\n\tclean = cat\n");
    (void)commit("one");
    cr_assert_eq(get("acme/tools@main", &entry, &err), ERR_OK, "%s", err.text);
    CLEANUP(free_ptr) char *left = path_join(entry.path, "left");
    cr_assert_eq(access(left, R_OK), 0);
}

/* ---- who asks ---- */

static void lets_nobody_in(int connection, const struct server_request *q)
{
    bool told = strstr(q->head, "Authorization: Basic eC1hY2Nlc3MtdG9rZW46cw==") != NULL;

    if (told)
        server_answer(connection, "403 Known", "", "", 0);
    else
        server_answer(connection, "404 Unknown", "", "", 0);
}

Test(get, only_the_server_of_the_login_is_told_it)
{
    CLEANUP(buf_deinit) struct buf header = BUF_INIT(200);

    store_login_header(SLICE("s"), &header);
    spec.source = server_start(lets_nobody_in);
    spec.login_header = header.ptr;
    spec.login = spec.source;
    fails("acme/tools@v1", ERR_FAILED, "403");
    spec.login = "http://127.0.0.1";
    fails("acme/tools@v1", ERR_NOT_FOUND, "there is no repository");
    server_stop();
}

Test(get, what_is_here_of_its_own_server_is_for_those_whom_that_lets_in)
{
    const char *sha = commit("one");
    const char *uses = arena_printf(&arena, "acme/tools@%s", sha);

    gives(uses, sha, "one");
    gives("acme/tools@main", sha, "one");
    spec.login = spec.source;
    spec.login_header = "Authorization: Basic x";
    gives(uses, sha, "one");
    spec.offline = true;
    gives(uses, sha, "one");
    gives("acme/tools@main", sha, "one");
    cr_assert_eq(rename(work, arena_printf(&arena, "%s.gone", work)), 0);
    fails("acme/tools@main", ERR_NOT_FOUND, "there is no repository");
    fails(uses, ERR_NOT_FOUND, "there is no repository");
    spec.offline = false;
    fails(uses, ERR_NOT_FOUND, "there is no repository");
    spec.login = NULL;
    gives(uses, sha, "one");
}
