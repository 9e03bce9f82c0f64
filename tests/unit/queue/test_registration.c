#include "queue/registration.h"

#include "kit/scratch.h"
#include "queue/loose.h"
#include "unit/queue/official.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <libgen.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(registration, .init = scratch_enter, .fini = scratch_leave);

static struct registration *load(const char *path)
{
    struct registration *r = NULL;
    struct err err = ERR_INIT;

    cr_assert_eq(registration_load(path, &r, &err), ERR_OK, "%s", err.text);
    return r;
}

static void fails(const char *path, int code, const char *why)
{
    struct registration *r = NULL;
    struct err err = ERR_INIT;

    cr_expect_eq(registration_load(path, &r, &err), code, "%s: %d", path, err.code);
    cr_expect(strstr(err.text, why), "%s: '%s' has no '%s'", path, err.text, why);
    cr_expect_null(r);
}

static void make(const char *name, const char *text)
{
    CLEANUP(free_ptr) char *folder = mem_dup(name, strlen(name));

    scratch_file(name, text);
    cr_assert_eq(chmod(name, 0600), 0);
    if (strchr(name, '/'))
        cr_assert_eq(chmod(dirname(folder), 0700), 0); /* whatever the umask here is */
}

/* ---- reading ---- */

Test(registration, reads_what_the_official_runner_has_written)
{
    official_copy("official");
    struct registration *r = load("official");

    cr_assert_eq(r->kind, REGISTRATION_GITHUB);
    cr_assert_str_eq(r->id, "official");
    cr_assert_str_eq(r->name, "build-01");
    cr_assert_str_eq(r->url, "https://github.com/acme/widgets");
    cr_assert_null(r->labels[0]);
    cr_assert_not(r->ephemeral);
    cr_assert_eq(r->capacity, 1);
    registration_free(r);
}

Test(registration, reads_what_act_runner_has_written)
{
    make("one/.runner", "{\"WARNING\": \"...\", \"id\": 7, \"uuid\": \"6b1e\", \"name\": \"box\","
                        " \"token\": \"t\", \"address\": \"https://gitea.example/\","
                        " \"labels\": [\"ubuntu-latest:docker://node:20\", \"gpu:host\"],"
                        " \"ephemeral\": true, \"capacity\": 4}");
    struct registration *r = load("one");

    cr_assert_eq(r->kind, REGISTRATION_GITEA);
    cr_assert_str_eq(registration_kind_name(r->kind), "gitea");
    cr_assert_str_eq(r->id, "one");
    cr_assert_str_eq(r->name, "box");
    cr_assert_str_eq(r->url, "https://gitea.example/");
    cr_assert_str_eq(r->labels[0], "ubuntu-latest:docker://node:20");
    cr_assert_str_eq(r->labels[1], "gpu:host");
    cr_assert_null(r->labels[2]);
    cr_assert(r->ephemeral);
    cr_assert_eq(r->capacity, 4);
    registration_free(r);
}

Test(registration, takes_texts_where_numbers_are_meant)
{
    make("a/.runner", "{\"AgentId\": \"7\", \"AgentName\": \"x\", \"Ephemeral\": \"True\"}");
    struct registration *r = load("a");

    cr_assert_eq(r->kind, REGISTRATION_GITHUB);
    cr_assert_str_eq(r->name, "x");
    cr_assert_str_eq(r->url, "");
    cr_assert(r->ephemeral);
    registration_free(r);
}

Test(registration, says_what_is_wrong_with_one)
{
    fails("nothing", ERR_NOT_FOUND, "'nothing'");
    cr_assert_eq(mkdir("empty", 0700), 0);
    fails("empty", ERR_NOT_FOUND, ".runner");
    make("html/.runner", "<html>");
    fails("html", ERR_INVALID, "html/.runner': line 1");
    make("other/.runner", "{\"id\": 1}");
    fails("other", ERR_INVALID, "register this machine anew");
    make("list/.runner", "[]");
    fails("list", ERR_INVALID, "list/.runner'");
    make("many/.runner", "{\"uuid\": \"u\", \"address\": \"a\", \"capacity\": 100000}");
    fails("many", ERR_INVALID, "'capacity'");
}

Test(registration, tells_the_way_out_of_a_broken_one_and_can_go_it)
{
    struct registration *held;
    struct err err = ERR_INIT;

    make("html/.runner", "<html>");
    make("html/.credentials", "{}");
    fails("html", ERR_INVALID,
          "this is no JSON: have it back from a copy, or register this machine anew ('ostler "
          "unregister --local' first)");
    cr_assert_eq(registration_discard("html", &err), ERR_OK, "%s", err.text);
    cr_expect_neq(access("html", F_OK), 0);

    make("half/.runner", "{\"agentId\": 7}");
    held = load("half");
    cr_assert_eq(registration_lock(held, &err), ERR_OK);
    cr_expect_eq(registration_discard("half", &err), ERR_DENIED, "a listener has it");
    cr_expect_eq(access("half/.runner", F_OK), 0);
    json_t *document = NULL;
    cr_expect_eq(registration_read(held, ".credentials", &document, &err), ERR_NOT_FOUND);
    cr_expect(strstr(err.text, "half/.credentials': it is not there: have it back"), "%s",
              err.text);
    registration_free(held);
}

Test(registration, is_not_read_if_others_may_write_it)
{
    make("a/.runner", "{\"agentId\": 7}");
    cr_assert_eq(chmod("a/.runner", 0620), 0);
    fails("a", ERR_DENIED, "chmod go-w");
    cr_assert_eq(chmod("a/.runner", 0644), 0);
    registration_free(load("a"));
    cr_assert_eq(chmod("a", 0777), 0);
    fails("a", ERR_DENIED, "chmod go-w");
}

Test(registration, follows_no_link_out_of_its_folder)
{
    make("secret", "{\"agentId\": 7}");
    cr_assert_eq(mkdir("a", 0700), 0);
    cr_assert_eq(symlink("../secret", "a/.runner"), 0);
    struct registration *r = NULL;
    struct err err = ERR_INIT;
    cr_assert_lt(registration_load("a", &r, &err), 0);
    /* A secret of Kubernetes is a link within its folder. */
    make("b/..data/.runner", "{\"agentId\": 7}");
    cr_assert_eq(symlink("..data/.runner", "b/.runner"), 0);
    registration_free(load("b"));
}

Test(registration, lists_those_below_a_folder_by_name)
{
    char **list = NULL;
    struct err err = ERR_INIT;

    make(".runner", "{\"agentId\": 7}");
    make("b/.runner", "{\"agentId\": 7}");
    make("a/.runner", "broken");
    make("c/other", "");
    make("d", "");
    cr_assert_eq(registration_list(".", &list, &err), ERR_OK, "%s", err.text);
    cr_assert_str_eq(list[0], ".");
    cr_assert_str_eq(list[1], "./a");
    cr_assert_str_eq(list[2], "./b");
    cr_assert_null(list[3]);
    free(list);
    cr_assert_eq(registration_list("missing", &list, &err), ERR_NOT_FOUND);
}

/* ---- locks ---- */

Test(registration, has_one_listener)
{
    make("a/.runner", "{\"agentId\": 7}");
    struct registration *one = load("a"), *two = load("a");
    struct err err = ERR_INIT;

    cr_assert_eq(registration_lock(one, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(registration_lock(two, &err), ERR_DENIED);
    cr_assert(strstr(err.text, "another listener"), "%s", err.text);
    registration_free(one);
    cr_assert_eq(registration_lock(two, &err), ERR_OK);
    registration_free(two);
}

/* ---- writing ---- */

static mode_t mode_of(const char *path)
{
    struct stat st;

    cr_assert_eq(stat(path, &st), 0, "%s", path);
    return st.st_mode & 07777;
}

static json_t *documents(void)
{
    return json_pack("{s:{s:i, s:s}, s:{s:s}, s:{s:s}}", ".runner", "agentId", 7, "agentName", "n",
                     ".credentials", "scheme", "OAuth", ".credentials_rsaparams", "d", "AA==");
}

Test(registration, is_made_for_its_owner_alone)
{
    json_t *all = documents(), *back = NULL;
    struct err err = ERR_INIT;

    cr_assert_eq(registration_prepare("x/new", &err), ERR_OK, "%s", err.text);
    cr_assert_eq(registration_create("x/new", REGISTRATION_GITHUB, all, &err), ERR_OK, "%s",
                 err.text);
    cr_assert_eq(mode_of("x/new"), 0700);
    cr_assert_eq(mode_of("x/new/.runner"), 0600);
    cr_assert_eq(mode_of("x/new/.credentials"), 0600);
    cr_assert_eq(mode_of("x/new/.credentials_rsaparams"), 0600);
    scratch_has("x/new/.credentials", "\xEF\xBB\xBF{\n  \"scheme\": \"OAuth\"\n}");
    struct registration *r = load("x/new");
    cr_assert_eq(registration_read(r, ".credentials", &back, &err), ERR_OK, "%s", err.text);
    cr_assert(json_equal(back, json_object_get(all, ".credentials")));
    json_decref(back);
    cr_assert_eq(registration_read(r, ".other", &back, &err), ERR_NOT_FOUND);
    cr_assert_eq(registration_prepare("x/new", &err), ERR_DENIED);
    cr_assert(strstr(err.text, "unregister"), "%s", err.text);
    cr_assert_eq(registration_write(r, ".runner_migrated", json_object_get(all, ".runner"), &err),
                 ERR_OK);
    cr_assert_eq(mode_of("x/new/.runner_migrated"), 0600);
    cr_assert_eq(registration_remove(r, &err), ERR_OK, "%s", err.text);
    cr_assert_neq(access("x/new", F_OK), 0);
    registration_free(r);
    json_decref(all);
}

Test(registration, of_gitea_has_no_byte_order_mark)
{
    json_t *all = json_pack("{s:{s:s, s:s}}", ".runner", "uuid", "u", "address", "a");
    struct err err = ERR_INIT;

    cr_assert_eq(registration_prepare("g", &err), ERR_OK);
    cr_assert_eq(registration_create("g", REGISTRATION_GITEA, all, &err), ERR_OK);
    scratch_has("g/.runner", "{\n  \"uuid\": \"u\",\n  \"address\": \"a\"\n}");
    json_decref(all);
}

Test(registration, is_written_whole_or_not_at_all)
{
    json_t *all = documents();
    struct err err = ERR_INIT;

    cr_assert_eq(registration_prepare("a", &err), ERR_OK);
    make("a/.runner/in-the-way", "");
    cr_assert_lt(registration_create("a", REGISTRATION_GITHUB, all, &err), 0);
    cr_assert_neq(access("a/.credentials", F_OK), 0);
    cr_assert_neq(access("a/.credentials_rsaparams", F_OK), 0);
    json_decref(all);
}

Test(registration, leaves_alone_what_is_not_its_own)
{
    make("a/.runner", "{\"agentId\": 7}");
    make("a/_work/file", "mine");
    struct registration *r = load("a");
    struct err err = ERR_INIT;

    cr_assert_eq(registration_remove(r, &err), ERR_OK);
    cr_assert_neq(access("a/.runner", F_OK), 0);
    scratch_has("a/_work/file", "mine");
    registration_free(r);
}

Test(registration, can_live_in_memory)
{
    struct registration *r = NULL;
    json_t *back = NULL;
    struct err err = ERR_INIT;

    cr_assert_eq(registration_memory("jit", documents(), &r, &err), ERR_OK, "%s", err.text);
    cr_assert_null(r->path);
    cr_assert_str_eq(r->id, "jit");
    cr_assert_str_eq(r->name, "n");
    cr_assert_eq(registration_lock(r, &err), ERR_OK);
    cr_assert_eq(registration_read(r, ".credentials", &back, &err), ERR_OK);
    cr_assert_str_eq(loose_text(back, "scheme"), "OAuth");
    loose_wipe(back);
    cr_assert_eq(registration_read(r, ".credentials", &back, &err), ERR_OK);
    cr_assert_str_eq(loose_text(back, "scheme"), "OAuth", "wiping a copy leaves it as it is");
    loose_wipe(back);
    cr_assert_eq(registration_read(r, ".credentials_migrated", &back, &err), ERR_NOT_FOUND);
    cr_assert_eq(registration_remove(r, &err), ERR_OK);
    cr_assert_eq(registration_read(r, ".credentials", &back, &err), ERR_NOT_FOUND);
    registration_free(r);
    cr_assert_eq(registration_memory("jit", json_object(), &r, &err), ERR_NOT_FOUND);
    cr_assert_eq(scratch_count(), 0);
}
