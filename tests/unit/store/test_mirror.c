/* Mirrors of a server that is a folder beside: git takes its addresses for that. */
#include "store/mirror.h"

#include "base/path.h"
#include "kit/scratch.h"
#include "store/room.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static struct arena arena;
static struct mirror_ask ask;

static char *git_in(const char *dir, const char *const *args)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(GIT_OUTPUT_MAX);
    const struct git_env env = {.path = getenv("PATH"), .home = scratch_path};
    struct err err = ERR_INIT;

    cr_assert_eq(git_run(&env, dir, args, &out, &err), ERR_OK, "git %s: %s", args[0], err.text);
    return arena_str(&arena, slice_trim(buf_slice(&out)));
}
#define GIT(dir, ...) git_in((dir), (const char *const[]){__VA_ARGS__, NULL})

static const char *full(const char *name)
{
    return arena_printf(&arena, "%s/%s", scratch_path, name);
}

static const char *commit(const char *text)
{
    const char *work = full("server/Acme/Lib");

    scratch_file("server/Acme/Lib/file", text);
    GIT(work, "add", "-A");
    GIT(work, "-c", "user.name=Al", "-c", "user.email=al@example.org", "commit", "-qm", text);
    return GIT(work, "rev-parse", "HEAD");
}

static void enter(void)
{
    static const char *env[4];

    scratch_enter();
    scratch_file("server/Acme/Lib/file", "none");
    GIT(full("server/Acme/Lib"), "init", "-q", "-b", "main");
    env[0] = "GIT_CONFIG_COUNT=1";
    env[1] = arena_printf(&arena, "GIT_CONFIG_KEY_0=url.file://%s/server/.insteadOf", scratch_path);
    env[2] = "GIT_CONFIG_VALUE_0=https://git.test/";
    ask = (struct mirror_ask){
        .folder = full("git"),
        .url = "https://git.test/Acme/Lib",
        .header = "",
        .make = true,
        .path = getenv("PATH"),
        .env = env,
    };
    commit("one");
}

static void leave(void)
{
    arena_deinit(&arena);
    scratch_leave();
}

TestSuite(mirror, .init = enter, .fini = leave, .timeout = 60);

static const char *get(void)
{
    struct err err = ERR_INIT;
    const char *path = NULL;

    cr_assert_eq(mirror_get(&ask, &arena, &path, &err), ERR_OK, "%s", err.text);
    cr_assert_str_eq(path, full("git/git.test/acme/lib/mirror"));
    return path;
}

static int refused(const char *words)
{
    struct err err = ERR_INIT;
    const char *path = NULL;
    int r = mirror_get(&ask, &arena, &path, &err);

    cr_expect_lt(r, 0);
    cr_expect(strstr(err.text, words), "'%s' is not in '%s'", words, err.text);
    return r;
}

Test(mirror, is_made_when_it_is_wanted_and_brought_up_to_date_at_each_use)
{
    ask.make = false;
    cr_expect_eq(refused("there is none yet"), ERR_NOT_FOUND);
    cr_assert_neq(access(ask.folder, F_OK), 0, "nothing was made");
    ask.make = true;
    const char *path = get();
    GIT(full("server/Acme/Lib"), "tag", "v1");
    const char *tip = commit("two");
    ask.make = false;
    get();
    cr_expect_str_eq(GIT(path, "rev-parse", "refs/heads/main"), tip);
    GIT(path, "rev-parse", "--verify", "refs/tags/v1");
    cr_expect_str_eq(GIT(path, "rev-list", "--count", "main"), "2");
    GIT(full("server/Acme/Lib"), "tag", "-d", "v1");
    get();
    cr_expect_str_eq(GIT(path, "tag"), "");
}

Test(mirror, one_that_is_damaged_is_made_again)
{
    const char *path = get();
    struct err err = ERR_INIT;

    for (int again = 0; again < 2; again++) {
        cr_assert_eq(path_remove(AT_FDCWD, arena_printf(&arena, "%s/objects", path), &err), ERR_OK);
        commit(again ? "three" : "two");
        ask.make = again;
        if (again)
            get();
        else
            refused("it was damaged and is gone");
        ask.make = true;
        get();
        GIT(path, "fsck", "--strict");
    }
}

Test(mirror, a_lock_of_a_git_that_was_killed_does_no_harm)
{
    const char *path = get();

    scratch_file("git/git.test/acme/lib/mirror/refs/heads/main.lock", "");
    scratch_file("git/git.test/acme/lib/mirror/objects/pack/tmp_pack_x", "half");
    const char *tip = commit("two");
    get();
    cr_expect_str_eq(GIT(path, "rev-parse", "refs/heads/main"), tip);
    cr_expect_neq(access(full("git/git.test/acme/lib/mirror/objects/pack/tmp_pack_x"), F_OK), 0);
}

Test(mirror, a_server_that_is_not_there_leaves_it_as_it_is)
{
    const char *path = get();
    struct err err = ERR_INIT;

    cr_assert_eq(rename(full("server"), full("away")), 0);
    refused("git failed");
    cr_assert_eq(access(path, F_OK), 0);
    cr_assert_eq(path_remove(AT_FDCWD, path, &err), ERR_OK);
    refused("git failed");
    cr_assert_neq(access(path, F_OK), 0);
}

Test(mirror, who_finds_another_at_it_does_not_wait_for_long)
{
    get();
    int fd = open(full("git/git.test/acme/lib/lock"), O_RDWR | O_CLOEXEC);

    cr_assert_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
    cr_expect_eq(refused("another job fetches into it"), ERR_TIMEOUT);
    close(fd);
    get();
}

Test(mirror, only_repositories_of_servers_over_http_have_one)
{
    static const char *const urls[] = {
        "ssh://git@git.test/acme/lib",
        "git@git.test:acme/lib",
        "file:///srv/acme/lib",
        "https://git.test/acme",
        "https://git.test/",
        "https://git.test/a/b/c",
        "https://git.test/../lib",
        "https://git.test/a/..",
        "https://u:p@git.test/acme/lib",
        "https:///acme/lib",
        "ext::sh -c id/a/b",
        "https://git.test/a/b\n",
        "",
    };

    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        ask.url = urls[i];
        cr_expect_eq(refused("mirrored"), ERR_UNSUPPORTED, "'%s'", urls[i]);
    }
    cr_expect_neq(access(ask.folder, F_OK), 0);
}

Test(mirror, the_oldest_go_when_there_is_no_room_but_none_in_use)
{
    struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    struct err err = ERR_INIT;
    const char *path = get();
    int hold = -1;

    cr_assert_eq(store_hold(path, &hold, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(utimensat(AT_FDCWD, path, old, 0), 0);
    store_make_room(ask.folder, 1);
    cr_expect_eq(access(path, F_OK), 0, "it is in use");
    close(hold);
    store_make_room(ask.folder, 1);
    cr_expect_neq(access(path, F_OK), 0);
}

/* ---- the messages ---- */

Test(mirror, a_request_is_read_as_it_was_written)
{
    struct mirror_ask back = {0};
    struct err err = ERR_INIT;

    ask.header = "Authorization: basic c2VjcmV0";
    ask.budget = (int64_t)7 << 33;
    CLEANUP(free_ptr) char *text = mirror_request_format(&ask);
    cr_assert_eq(mirror_request_parse(slice_of(text), &arena, &back, &err), ERR_OK, "%s", err.text);
    cr_expect_str_eq(back.folder, ask.folder);
    cr_expect_str_eq(back.url, ask.url);
    cr_expect_str_eq(back.header, ask.header);
    cr_expect_str_eq(back.path, ask.path);
    cr_expect(back.make);
    cr_expect_eq(back.budget, ask.budget);
    for (size_t i = 0; i < 3; i++)
        cr_expect_str_eq(back.env[i], ask.env[i]);
    cr_expect_null(back.env[3]);
    ask.url = "https://git.test/\xff/x";
    cr_expect_null(mirror_request_format(&ask));
}

Test(mirror, what_is_no_request_is_refused)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{}",
        "null",
        "{\"folder\":\"not/"
        "absolute\",\"url\":\"u\",\"header\":\"\",\"make\":true,\"budget\":0,\"path\":\"\",\"env\":"
        "[]}",
        "{\"folder\":\"/"
        "f\",\"url\":1,\"header\":\"\",\"make\":true,\"budget\":0,\"path\":\"\",\"env\":[]}"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct mirror_ask back = {0};
        struct err err = ERR_INIT;

        cr_expect_eq(mirror_request_parse(slice_of(bad[i]), &arena, &back, &err), ERR_INVALID, "%s",
                     bad[i]);
    }
}

Test(mirror, an_answer_is_a_path_or_the_error)
{
    struct err why = ERR_INIT, err = ERR_INIT;
    const char *path = NULL;

    CLEANUP(free_ptr) char *good = mirror_answer_format(ERR_OK, "/a/b", &why);
    cr_expect_eq(mirror_answer_parse(slice_of(good), &arena, &path, &err), ERR_OK);
    cr_expect_str_eq(path, "/a/b");
    (void)err_set(&why, ERR_TIMEOUT, "too late, \xff");
    CLEANUP(free_ptr) char *late = mirror_answer_format(ERR_TIMEOUT, NULL, &why);
    cr_expect_eq(mirror_answer_parse(slice_of(late), &arena, &path, &err), ERR_TIMEOUT);
    cr_expect(strncmp(err.text, "too late, ", 10) == 0, "%s", err.text);
    for (size_t i = 0; i < 4; i++) {
        static const char *const bad[] = {"", "{}", "{\"path\":\"relative\"}", "{\"path\":\"/a\""};

        err = (struct err)ERR_INIT;
        cr_expect_eq(mirror_answer_parse(slice_of(bad[i]), &arena, &path, &err), ERR_INVALID, "%s",
                     bad[i]);
    }
}
