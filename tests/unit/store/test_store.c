/* What the store knows without asking anybody, and the texts that it reads and writes. */
#include "store/store.h"

#include "kit/scratch.h"
#include "store/child.h"
#include "store/lock.h"
#include "store/refs.h"
#include "store/source.h"
#include "store/web.h"

#include <criterion/criterion.h>
#include <unistd.h>

#define ONE "1111111111111111111111111111111111111111"
#define TWO "2222222222222222222222222222222222222222"

static struct arena arena;

static void enter(void)
{
    scratch_enter();
    arena = (struct arena)ARENA_INIT;
}

static void leave(void)
{
    arena_deinit(&arena);
    scratch_leave();
}

TestSuite(store, .init = enter, .fini = leave);

static struct action_ref ref_of(const char *uses)
{
    struct err err = ERR_INIT;
    struct action_ref ref;

    cr_assert_eq(action_ref_parse(&arena, slice_of(uses), &ref, &err), ERR_OK, "%s", err.text);
    return ref;
}

/* ---- refs ---- */

Test(store, the_last_line_of_a_name_counts)
{
    static const struct slice text =
        SLICE_INIT(ONE " 100 main\nnonsense\n" TWO " 200 v1\n\n" TWO " 300 main\n" ONE
                       " -1 bad\n" ONE " 9 a b\nshort 1 x\n");
    struct ref_known known = {0};

    cr_assert(refs_find(text, SLICE("main"), &known));
    cr_assert_str_eq(known.sha, TWO);
    cr_assert_eq(known.at, 300);
    cr_assert(refs_find(text, SLICE("v1"), &known));
    cr_assert_eq(known.at, 200);
    cr_assert_not(refs_find(text, SLICE("mai"), &known));
    cr_assert_not(refs_find(text, SLICE("bad"), &known));
    cr_assert_not(refs_find(text, SLICE("x"), &known));
}

Test(store, an_update_replaces_and_forgets_the_oldest)
{
    struct buf text = BUF_INIT(REFS_SIZE_MAX), new = BUF_INIT(REFS_SIZE_MAX);
    struct ref_known known = {.sha = TWO, .at = 7}, found;

    for (int i = 0; i < REFS_MAX + 10; i++)
        buf_printf(&text, ONE " %d r%d\n", i, i);
    refs_update(buf_slice(&text), SLICE("r100"), &known, &new);
    cr_assert(refs_find(buf_slice(&new), SLICE("r100"), &found));
    cr_assert_str_eq(found.sha, TWO);
    cr_assert_not(refs_find(buf_slice(&new), SLICE("r0"), &found));
    cr_assert(refs_find(buf_slice(&new), SLICE("r2009"), &found));
    size_t lines = 0;
    struct slice rest = buf_slice(&new), line;
    while (slice_line(&rest, &line))
        lines++;
    cr_assert_eq(lines, REFS_MAX);
    buf_deinit(&text);
    buf_deinit(&new);
}

/* ---- the lock ---- */

Test(store, a_lock_has_a_commit_for_a_reference)
{
    struct strmap lock = STRMAP_INIT;
    struct err err = ERR_INIT;
    struct action_ref ref = ref_of("ACME/Tools/sub@Main");

    cr_assert_eq(lock_parse(SLICE("# all of them\n\n  acme/TOOLS@Main \t" ONE
                                  "  # why\r\nacme/tools@Main " ONE "\nacme/tools@main " TWO),
                            "lock", &lock, &err),
                 ERR_OK, "%s", err.text);
    cr_assert_eq(lock.len, 2);
    cr_assert_str_eq(strmap_get(&lock, lock_key(&arena, &ref)), ONE);
    strmap_deinit(&lock);
}

Test(store, a_wrong_lock_is_told_with_its_line)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"a/b@v1\n", "lock:1: behind 'a/b@v1' comes the commit"},
        {"\na/b@v1 v1\n", "lock:2: behind 'a/b@v1' comes the commit"},
        {"a/b@v1 " ONE " x\n", "lock:1: behind 'a/b@v1' comes the commit"},
        {"a/b/c@v1 " ONE "\n", "lock:1: a lock is for a whole repository: write 'a/b@v1'"},
        {"a/b@v1 " ONE "\nA/b@v1 " TWO "\n", "lock:2: 'A/b@v1' stands here twice"},
        {"a@v1 " ONE "\n", "lock:1: 'a@v1' names no repository"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct strmap lock = STRMAP_INIT;
        struct err err = ERR_INIT;

        cr_assert_eq(lock_parse(slice_of(rows[i].text), "lock", &lock, &err), ERR_INVALID, "%s",
                     rows[i].text);
        cr_assert(strncmp(err.text, rows[i].error, strlen(rows[i].error)) == 0, "wanted %s, got %s",
                  rows[i].error, err.text);
        strmap_deinit(&lock);
    }
}

Test(store, no_lock_is_an_empty_one_and_a_folder_is_none)
{
    struct strmap lock = STRMAP_INIT;
    struct err err = ERR_INIT;

    cr_assert_eq(lock_load(scratch_path, &lock, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(lock.len, 0);
    scratch_file(LOCK_PATH "/x", "");
    cr_assert_eq(lock_load(scratch_path, &lock, &err), ERR_INVALID);
    strmap_deinit(&lock);
}

/* ---- sources ---- */

Test(store, a_source_is_an_address_and_a_folder_name)
{
    static const struct {
        const char *text, *host, *address, *shown;
    } rows[] = {
        {"https://github.com", "github.com", "https://github.com/acme/tools", NULL},
        {"https://github.com/", "github.com", "https://github.com/acme/tools", NULL},
        {"http://github.com", "http%3A%2F%2Fgithub.com", "http://github.com/acme/tools", NULL},
        {"https://al:pass@host:8443/a/b", "host%3A8443%2Fa%2Fb",
         "https://al:pass@host:8443/a/b/acme/tools", "https://host:8443/a/b/acme/tools"},
        {"git@github.com:", "git%40github.com%3A", "git@github.com:acme/tools", NULL},
        {"ssh://git@github.com", "ssh%3A%2F%2Fgithub.com", "ssh://git@github.com/acme/tools",
         "ssh://github.com/acme/tools"},
        {"/srv/git", "file%3A%2F%2F%2Fsrv%2Fgit", "file:///srv/git/acme/tools", NULL},
        {"https://..", "%2E.", "https://../acme/tools", NULL},
    };
    struct action_ref ref = ref_of("acme/tools/x@v1");

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;
        const char *source, *host;

        cr_assert_eq(source_parse(&arena, rows[i].text, &source, &err), ERR_OK, "%s", err.text);
        cr_assert_eq(source_host(&arena, source, &host, &err), ERR_OK, "%s", err.text);
        cr_assert_str_eq(host, rows[i].host);
        cr_assert_str_eq(source_address(&arena, source, &ref), rows[i].address);
        cr_assert_str_eq(source_shown(&arena, source, &ref),
                         rows[i].shown ? rows[i].shown : rows[i].address);
    }
}

Test(store, what_could_be_an_option_or_a_program_is_no_source)
{
    static const char *const rows[] = {
        "",
        "nowhere",
        "--upload-pack=x",
        "-x:y",
        "ext::sh -c x",
        "fd::3",
        "https://",
        "https://-x",
        "ssh://-oProxyCommand=x",
        "a b",
        "file://host/x",
        "./here",
        "https://al:pw@",
        "https://al@-x",
        "https:///x",
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;
        const char *source = NULL;

        cr_assert_eq(source_parse(&arena, rows[i], &source, &err), ERR_INVALID, "'%s'", rows[i]);
    }
}

/* ---- archives ---- */

Test(store, sources_of_archives_are_known_by_their_form)
{
    static const struct {
        const char *source, *name, *archive; /* NULL: none */
    } rows[] = {
        {"https://github.com", NULL, NULL},
        {"https://api.github.com/", "https://api.github.com/repos/acme/tools/commits/v1/x%2By",
         "https://api.github.com/repos/acme/tools/tarball/" ONE},
        {"https://al:pw@api.github.com",
         "https://al:pw@api.github.com/repos/acme/tools/commits/v1/x%2By",
         "https://al:pw@api.github.com/repos/acme/tools/tarball/" ONE},
        {"https://api.github.com.evil.example", NULL, NULL},
        {"https://git.example/api/v3",
         "https://git.example/api/v3/repos/acme/tools/commits/v1/x%2By",
         "https://git.example/api/v3/repos/acme/tools/tarball/" ONE},
        {"ssh://git@host/api/v3", NULL, NULL},
        {"http://m.example/a/{owner}_{repo}/{sha}.tgz", NULL,
         "http://m.example/a/acme_tools/" ONE ".tgz"},
    };
    struct action_ref ref = ref_of("acme/tools/x@v1/x+y");

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *source = rows[i].source;

        cr_assert_eq(web_is(source), rows[i].archive != NULL, "'%s'", source);
        cr_assert_eq(web_knows_names(source), rows[i].name != NULL, "'%s'", source);
        if (rows[i].name)
            cr_assert_str_eq(web_name_address(&arena, source, &ref), rows[i].name);
        if (rows[i].archive)
            cr_assert_str_eq(web_archive_address(&arena, source, &ref, ONE), rows[i].archive);
    }
}

/* ---- looking ---- */

static struct store_spec spec_of(void)
{
    return (struct store_spec){.folder = scratch_path, .source = "https://github.com"};
}

static const char *sha_of(const struct store_spec *spec, const char *uses)
{
    static struct store_entry entry;
    struct action_ref ref = ref_of(uses);
    struct err err = ERR_INIT;

    return store_find(spec, &ref, &arena, &entry, &err) == ERR_OK ? entry.sha : "";
}

Test(store, finds_commits_and_names_that_were_asked_for)
{
    struct store_spec spec = spec_of();

    scratch_file("github.com/acme/tools/" ONE "/action.yml", "x");
    scratch_file("github.com/acme/tools/refs", ONE " 1000 v1\n" TWO " 1000 gone\n");
    spec.since = 1000;
    cr_assert_str_eq(sha_of(&spec, "acme/tools@" ONE), ONE);
    cr_assert_str_eq(sha_of(&spec, "ACME/tools/sub@v1"), ONE);
    cr_assert_str_eq(sha_of(&spec, "acme/tools@v2"), "");
    cr_assert_str_eq(sha_of(&spec, "acme/tools@gone"), "");
    cr_assert_str_eq(sha_of(&spec, "acme/tools@" TWO), "");
    spec.since = 1001; /* too old: it may have moved */
    cr_assert_str_eq(sha_of(&spec, "acme/tools@v1"), "");
    cr_assert_str_eq(sha_of(&spec, "acme/tools@" ONE), ONE);
    spec.offline = true;
    cr_assert_str_eq(sha_of(&spec, "acme/tools@v1"), ONE);
    spec.source = "https://elsewhere.example";
    cr_assert_str_eq(sha_of(&spec, "acme/tools@v1"), "");
}

Test(store, a_file_or_a_link_in_its_place_is_no_entry)
{
    struct store_spec spec = spec_of();

    scratch_file("github.com/acme/tools/" ONE, "x");
    cr_assert_eq(symlink("/", "github.com/acme/tools/" TWO), 0);
    cr_assert_str_eq(sha_of(&spec, "acme/tools@" ONE), "");
    cr_assert_str_eq(sha_of(&spec, "acme/tools@" TWO), "");
}

Test(store, the_lock_decides_offline_and_objects_else)
{
    struct strmap locks = STRMAP_INIT;
    struct store_spec spec = spec_of();
    struct action_ref ref = ref_of("acme/tools@v1");
    struct store_entry entry;
    struct err err = ERR_INIT;

    scratch_file("github.com/acme/tools/" ONE "/x", "x");
    scratch_file("github.com/acme/tools/" TWO "/x", "x");
    scratch_file("github.com/acme/tools/refs", ONE " 1000 v1\n");
    strmap_set(&locks, SLICE("acme/tools@v1"), SLICE(TWO));
    spec.locks = &locks;
    cr_assert_eq(store_find(&spec, &ref, &arena, &entry, &err), ERR_DENIED);
    cr_assert(strstr(err.text, ONE) && strstr(err.text, TWO) && strstr(err.text, LOCK_PATH), "%s",
              err.text);
    spec.offline = true;
    cr_assert_str_eq(sha_of(&spec, "acme/tools@v1"), TWO);
    strmap_deinit(&locks);
}

/* ---- messages ---- */

Test(store, a_request_survives_the_way)
{
    static const char *const more[] = {"https_proxy=http://x", "SSH_AUTH_SOCK=/run/y", NULL};
    struct strmap locks = STRMAP_INIT;
    struct store_request r = {0};
    struct err err = ERR_INIT;
    struct action_ref ref = ref_of("acme/tools/sub@v1");
    struct store_spec spec = spec_of();

    strmap_set(&locks, SLICE("acme/tools@v1"), SLICE(ONE));
    spec.locks = &locks;
    spec.offline = true;
    spec.since = 42;
    spec.budget = 17;
    spec.git = (struct git_env){.path = "/bin", .home = "/root", .more = more};
    CLEANUP(free_ptr) char *text = store_request_format(&spec, &ref);
    cr_assert_eq(store_request_parse(slice_of(text), &r, &err), ERR_OK, "%s", err.text);
    cr_assert_str_eq(r.uses, "acme/tools@v1");
    cr_assert_str_eq(r.spec.folder, scratch_path);
    cr_assert_str_eq(r.spec.source, "https://github.com");
    cr_assert(r.spec.offline && r.spec.since == 42 && r.spec.budget == 17);
    cr_assert_str_eq(strmap_get(r.spec.locks, "acme/tools@v1"), ONE);
    cr_assert_str_eq(r.spec.git.path, "/bin");
    cr_assert_str_eq(r.spec.git.home, "/root");
    cr_assert_null(r.spec.git.xdg_config_home);
    cr_assert_str_eq(r.spec.git.more[1], more[1]);
    cr_assert_null(r.spec.git.more[2]);
    store_request_deinit(&r);
    strmap_deinit(&locks);
}

Test(store, a_server_that_a_workflow_names_is_told_nothing_of_us)
{
    static const char *const more[] = {"https_proxy=http://x", "SSH_AUTH_SOCK=/run/y",
                                       "GIT_ASKPASS=/bin/z", "SSL_CERT_FILE=/ca", NULL};
    struct strmap clones = STRMAP_INIT_NOCASE;
    struct store_request r = {0};
    struct err err = ERR_INIT;
    struct action_ref ref = ref_of("acme/tools@v1");
    struct store_spec spec = spec_of();

    strmap_set(&clones, SLICE("acme/tools"), SLICE("/clone"));
    ref.source = "https://git.example.org";
    spec.clones = &clones;
    spec.login = "https://mine.example.org";
    spec.login_header = "Authorization: Basic x";
    spec.git = (struct git_env){.home = "/home", .xdg_config_home = "/config", .more = more};
    CLEANUP(free_ptr) char *text = store_request_format(&spec, &ref);
    cr_assert_eq(store_request_parse(slice_of(text), &r, &err), ERR_OK, "%s", err.text);
    cr_expect_str_eq(r.spec.source, "https://git.example.org");
    cr_expect_str_eq(r.spec.login, "https://mine.example.org");
    cr_expect_str_eq(r.spec.login_header, "Authorization: Basic x");
    cr_expect(r.spec.stranger);
    cr_expect_null(r.spec.git.home);
    cr_expect_null(r.spec.git.xdg_config_home);
    cr_expect_null(strmap_get(r.spec.clones, "acme/tools"));
    cr_expect_str_eq(r.spec.git.more[0], more[0]);
    cr_expect_str_eq(r.spec.git.more[1], more[3]);
    cr_expect_null(r.spec.git.more[2]);
    store_request_deinit(&r);
    strmap_deinit(&clones);
}

Test(store, an_answer_is_an_entry_or_an_error)
{
    struct store_entry entry = {.sha = ONE, .path = "/store/x", .note = "by the way"}, back;
    struct err err = ERR_INIT, told = ERR_INIT;

    CLEANUP(free_ptr) char *good = store_answer_format(ERR_OK, &entry, &err);
    cr_assert_eq(store_answer_parse(slice_of(good), &arena, &back, &err), ERR_OK, "%s", err.text);
    cr_assert_str_eq(back.sha, ONE);
    cr_assert_str_eq(back.path, "/store/x");
    cr_assert_str_eq(back.note, "by the way");
    int r = err_set(&told, ERR_DENIED, "no \xff way");
    CLEANUP(free_ptr) char *bad = store_answer_format(r, &entry, &told);
    cr_assert_eq(store_answer_parse(slice_of(bad), &arena, &back, &err), ERR_DENIED);
    cr_assert(strstr(err.text, "no ") && strstr(err.text, " way"), "%s", err.text);
    cr_assert_eq(store_answer_parse(SLICE(""), &arena, &back, &err), ERR_INVALID);
    cr_assert_eq(store_answer_parse(SLICE("{\"sha\":\"x\",\"path\":\"/x\"}"), &arena, &back, &err),
                 ERR_INVALID);
    cr_assert_eq(store_answer_parse(SLICE("{\"code\":7,\"error\":\"x\"}"), &arena, &back, &err),
                 ERR_FAILED);
}
