/* Install, find, list, trust: what lies in the search path, and what may run of it. */
#include "base/fd.h"
#include "base/path.h"
#include "io/digest.h"
#include "kit/scratch.h"
#include "phase.h"
#include "plugin/install.h"
#include "plugin/trust.h"
#include "plugin/wire.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct loop *loop;
static char root[4200], second[4200];
static const char *roots[3];

static void enter(void)
{
    struct err err = ERR_INIT;

    scratch_enter();
    umask(022);
    chmod(scratch_path, 0755);
    snprintf(root, sizeof root, "%s/plugins", scratch_path);
    snprintf(second, sizeof second, "%s/second", scratch_path);
    roots[0] = root;
    roots[1] = second;
    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
}

static void leave(void)
{
    loop = loop_free(loop);
    scratch_leave();
}

TestSuite(registry, .init = enter, .fini = leave);
TestSuite(trust, .init = enter, .fini = leave);

/* A record without an object: enough for everything that loads no code. */
static void record(const char *base, const char *id, const char *version, const char *more)
{
    CLEANUP(buf_deinit) struct buf name = BUF_INIT(8192);
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(8192);

    buf_printf(&name, "%s/%s/%s/install.json", base, id, version);
    for (char *c = name.ptr + strlen(base); *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + 32);
    buf_printf(&text,
               "{\"schema\": 1, \"id\": \"%s\", \"version\": \"%s\", \"phases\": [\"main\"],"
               "\"sha256\": \"%064d\", \"object\": \"x.so\"%s}",
               id, version, 0, more);
    scratch_file(name.ptr, text.ptr);
}

static void finds(const char *uses, const char *version)
{
    struct err err = ERR_INIT;
    struct plugin *p = NULL;

    cr_assert_eq(plugin_find(roots, uses, &p, &err), ERR_OK, "%s: %s", uses, err.text);
    cr_assert_str_eq(p->version, version, "%s", uses);
    plugin_free(p);
}

static void finds_not(const char *uses, int code, const char *text)
{
    struct err err = ERR_INIT;
    struct plugin *p = NULL;

    cr_assert_eq(plugin_find(roots, uses, &p, &err), code, "%s", uses);
    cr_assert_eq(fnmatch(text, err.text, 0), 0, "%s: wanted '%s', got '%s'", uses, text, err.text);
    cr_assert_null(p);
}

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

Test(registry, the_newest_that_fits_serves_in_the_first_root_that_has_one)
{
    record("plugins", "acme/push", "1.4.2", ", \"serves\": [\"" COMMIT "\"]");
    record("plugins", "acme/push", "1.10.0", "");
    record("plugins", "acme/push", "2.0.0-rc.1", "");
    record("plugins", "acme/push/sub", "3.0.0", "");
    record("second", "acme/push", "1.99.0", "");
    record("second", "acme/push", "4.0.0", "");
    record("second", "Acme/Case", "1.0.0", "");

    finds("acme/push@v1", "1.10.0");
    finds("acme/push@1", "1.10.0");
    finds("acme/push@v1.4", "1.4.2");
    finds("acme/push@v1.4.2", "1.4.2");
    finds("acme/push@v1.99", "1.99.0");
    finds("acme/push@v4", "4.0.0");
    finds("acme/push@v2.0.0-rc.1", "2.0.0-rc.1");
    finds("acme/push/sub@v3", "3.0.0");
    finds("ACME/Push@v1", "1.10.0");
    finds("acme/case@v1", "1.0.0");
    finds("acme/push@" COMMIT, "1.4.2");

    finds_not("acme/push@v2", ERR_NOT_FOUND,
              "no installed plugin 'acme/push' serves 'v2' (installed: *");
    finds_not("acme/push@main", ERR_NOT_FOUND, "*is not a reference that plugins serve");
    finds_not("acme/push@"
              "1" COMMIT,
              ERR_NOT_FOUND, "*is not a reference*");
    finds_not("acme/push@fedcba9876543210fedcba9876543210fedcba98", ERR_NOT_FOUND, "no installed*");
    finds_not("acme/other@v1", ERR_NOT_FOUND, "no plugin 'acme/other' is installed");
    finds_not("docker://acme/push@v1", ERR_NOT_FOUND, "*");
    finds_not("./acme/push@v1", ERR_NOT_FOUND, "*");
    finds_not("../acme@v1", ERR_NOT_FOUND, "*");
    finds_not("acme/push", ERR_NOT_FOUND, "*");
    finds_not("acme@v1", ERR_NOT_FOUND, "*");
}

Test(registry, a_record_that_cannot_be_used_is_named_with_the_cure)
{
    static const struct {
        const char *version, *text, *why;
    } rows[] = {
        {"1.0.0", "{",
         "*install record '*acme/bad/1.0.0/install.json' (install the plugin again): line *"},
        {"2.0.0", "{}", "*it is not of schema 1"},
        {"3.0.0", "[]", "*it is not a JSON object"},
        {"4.0.0", "{\"schema\":1,\"id\":\"acme/bad\",\"version\":\"4.0.1\",\"phases\":[\"main\"]}",
         "*it says that it is 'acme/bad 4.0.1'"},
        {"5.0.0", "{\"schema\":1,\"id\":\"acme/bad\",\"version\":\"5.0.0\",\"phases\":[\"main\"]}",
         "*it names no object and SHA-256"},
        {"6.0.0",
         "{\"schema\":1,\"id\":\"acme/"
         "bad\",\"version\":\"6.0.0\",\"phases\":[\"main\"],\"object\":\"../x\"}",
         "*'object' is not the name of a file*"},
        {"7.0.0", "{\"schema\":1,\"id\":\"acme/bad\",\"version\":\"7.0.0\",\"phases\":[]}",
         "*it has no main phase"},
        {"8.0.0", "{\"schema\":1,\"id\":\"acme/bad\",\"version\":\"8.0.0\",\"needs\":[\"magic\"]}",
         "*'needs' holds 'magic', which this runner does not know"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char name[200], uses[200];

        snprintf(name, sizeof name, "plugins/acme/bad/%s/install.json", rows[i].version);
        snprintf(uses, sizeof uses, "acme/bad@v%s", rows[i].version);
        scratch_file(name, rows[i].text);
        struct err err = ERR_INIT;
        struct plugin *p;
        cr_assert_lt(plugin_find(roots, uses, &p, &err), 0);
        cr_assert_eq(fnmatch(rows[i].why, err.text, 0), 0, "%s: %s", uses, err.text);
    }
}

static void count_bad(void *ctx, const struct err *err)
{
    (void)err;
    ++*(int *)ctx;
}

Test(registry, lists_all_in_order_and_tells_what_it_left_out)
{
    struct plugin_list l = {0};
    int bad = 0;

    record("plugins", "acme/push", "1.4.2", "");
    record("plugins", "acme/push", "1.10.0", "");
    record("plugins", "acme/a", "1.0.0", "");
    record("plugins", "acme/a/deep/er", "1.0.0", "");
    record("second", "acme/a", "9.0.0", "");
    scratch_file("plugins/acme/bad/1.0.0/install.json", "{");
    scratch_file("plugins/.new-7/install.json", "{");
    plugin_list_load(roots, &l, count_bad, &bad);
    cr_assert_eq(bad, 1);
    static const char *const want[] = {"acme/a 1.0.0", "acme/a/deep/er 1.0.0", "acme/push 1.10.0",
                                       "acme/push 1.4.2", "acme/a 9.0.0"};
    cr_assert_eq(l.list.len, COUNT_OF(want));
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        char got[100];

        snprintf(got, sizeof got, "%s %s", l.list.ptr[i]->id, l.list.ptr[i]->version);
        cr_assert_str_eq(got, want[i]);
    }
    plugin_list_deinit(&l);
}

/* ---- install ---- */

static struct plugin *install(const char *name)
{
    struct install_spec spec = {.file = phase_object(name), .root = root, .child = phase_child};
    struct err err = ERR_INIT;
    struct plugin *p = NULL;

    cr_assert_eq(install_plugin(&spec, loop, &p, &err), ERR_OK, "%s", err.text);
    return p;
}

Test(registry, installs_what_it_can_find_again)
{
    struct plugin *p = install("phases"), *q = NULL;
    struct err err = ERR_INIT;

    cr_assert_str_eq(p->folder, "acme/tools/phases/1.4.2");
    cr_assert_eq(plugin_find(roots, "acme/tools/phases@v1", &q, &err), ERR_OK, "%s", err.text);
    json_t *a = plugin_to_json(p), *b = plugin_to_json(q);
    cr_assert(json_equal(a, b));
    json_decref(a);
    json_decref(b);
    cr_assert_eq(q->needs, OST_NEED_NETWORK | OST_NEED_WORKSPACE_WRITE);
    cr_assert(plugin_has_phase(q, OST_PHASE_PRE) && plugin_has_phase(q, OST_PHASE_POST));
    cr_assert_str_eq(q->post_if, "success()");
    cr_assert_str_eq(plugin_input_find(q, "COLOUR")->choices[1], "green");
    cr_assert_eq(scratch_count(), 1, "nothing but the folder of plugins");
    plugin_free(q);
    q = install("phases"); /* again: replaced by one rename */
    plugin_free(q);
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 16);
    cr_assert_eq(path_read(scratch_dir, "plugins/acme/tools/phases/1.4.2/action.yml", &text, &err),
                 ERR_OK);
    cr_assert_eq(fnmatch("name: \"Phases\"\n*  token:\n    required: false\n    type: string\n    "
                         "secret: true\n*"
                         "runs:\n  using: ostler/1\n  main: \"phases.so\"\n*",
                         text.ptr, 0),
                 0, "%s", text.ptr);
    plugin_free(p);
}

Test(registry, installs_nothing_that_is_no_sound_plugin)
{
    static const struct {
        const char *file, *why;
    } rows[] = {
        {"stranger", "*exports no 'ostler_plugin_v1': it is no plugin, or one for another ABI"},
        {"mini", "*its table has 64 bytes: was OST_PLUGIN() used?"},
        {"constructor", "constructor.so crashed in describe (SIGABRT)"},
        {"text", "*'text.so' is not a shared object"},
        {"empty", "*'empty.so' is empty"},
        {"none", "cannot open '*none.so': No such file or directory"},
    };
    struct plugin *p = NULL;

    scratch_file("text.so", "#!/bin/sh\n");
    scratch_file("empty.so", "");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char own[4400];
        struct err err = ERR_INIT;

        snprintf(own, sizeof own, "%s/%s.so", scratch_path, rows[i].file);
        struct install_spec spec = {
            .file = i < 3 ? phase_object(rows[i].file) : own, .root = root, .child = phase_child};
        cr_assert_lt(install_plugin(&spec, loop, &p, &err), 0, "%s", rows[i].file);
        cr_assert_eq(fnmatch(rows[i].why, err.text, 0), 0, "%s: %s", rows[i].file, err.text);
    }
    cr_assert_null(p);
    cr_assert_eq(access("plugins", F_OK), -1, "not even a folder is left");
}

/* Cut short at any place, an object is refused, not trusted and not a crash. */
Test(registry, damaged_objects_are_refused)
{
    CLEANUP(buf_deinit) struct buf whole = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;

    cr_assert_eq(path_read(AT_FDCWD, phase_object("hello"), &whole, &err), ERR_OK);
    for (size_t n = 64; n < whole.len; n += whole.len / 12) {
        char own[4400];
        struct plugin *p = NULL;

        snprintf(own, sizeof own, "%s/cut.so", scratch_path);
        cr_assert_eq(
            path_write(scratch_dir, "cut.so", slice_head(buf_slice(&whole), n), 0644, &err),
            ERR_OK);
        struct install_spec spec = {.file = own, .root = root, .child = phase_child};
        if (install_plugin(&spec, loop, &p, &err) == ERR_OK)
            plugin_free(p); /* all that is loaded was there: section headers come last */
    }
}

/* ---- trust ---- */

static int trust(const struct plugin *p, const struct trust_policy *policy, struct err *err)
{
    int fd = -1, r = trust_open(policy, p, &fd, err);

    cr_assert_eq(fd >= 0, r == ERR_OK);
    fd_closep(&fd);
    return r;
}

static void refused(const struct plugin *p, const char *why)
{
    struct err err = ERR_INIT;

    cr_assert_eq(trust(p, NULL, &err), ERR_DENIED, "%s", err.text);
    cr_assert_eq(fnmatch(why, err.text, 0), 0, "wanted '%s', got '%s'", why, err.text);
}

static void trusted(const struct plugin *p)
{
    struct err err = ERR_INIT;

    cr_assert_eq(trust(p, NULL, &err), ERR_OK, "%s", err.text);
}

static struct plugin *hello;

static void enter_trust(void)
{
    enter();
    hello = install("hello");
}

static void leave_trust(void)
{
    plugin_free(hello);
    leave();
}

TestSuite(trusting, .init = enter_trust, .fini = leave_trust);

#define FOLDER "plugins/acme/hello/1.0.0"

Test(trusting, the_copy_is_sealed)
{
    struct err err = ERR_INIT;
    int fd = -1;

    cr_assert_eq(trust_open(NULL, hello, &fd, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(write(fd, "x", 1), -1);
    cr_assert_eq(ftruncate(fd, 0), -1);
    cr_assert_eq(mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    cr_assert_eq(fcntl(fd, F_GET_SEALS), F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
    close(fd);
}

Test(trusting, nothing_may_be_writable_by_others)
{
    static const char *const parts[] = {FOLDER "/hello.so", FOLDER,    "plugins/acme/hello",
                                        "plugins/acme",     "plugins", "."};
    trusted(hello);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        struct stat st;

        cr_assert_eq(stat(parts[i], &st), 0);
        cr_assert_eq(chmod(parts[i], st.st_mode | 020), 0);
        refused(hello, "*can be written by others (chmod go-w '*')");
        cr_assert_eq(chmod(parts[i], (st.st_mode & 07777) | 002), 0);
        refused(hello, "*can be written by others*");
        cr_assert_eq(chmod(parts[i], st.st_mode & 07777), 0);
        trusted(hello);
    }
}

Test(trusting, sticky_folders_are_fine_on_the_way_but_not_as_the_root)
{
    cr_assert_eq(chmod(".", 01777), 0); /* as /tmp is */
    trusted(hello);
    cr_assert_eq(chmod("plugins", 01777), 0);
    refused(hello, "*/plugins' can be written by others*");
    cr_assert_eq(chmod("plugins", 0755), 0);
    cr_assert_eq(chmod(".", 0755), 0);
}

Test(trusting, files_and_folders_of_other_users_are_refused)
{
    static const char *const parts[] = {FOLDER "/hello.so", FOLDER, "plugins"};

    if (geteuid() != 0)
        cr_skip_test("needs root");
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        cr_assert_eq(chown(parts[i], 4711, 0), 0);
        refused(hello, "*belongs to user 4711, neither to root nor to us (chown root '*')");
        cr_assert_eq(chown(parts[i], 0, 0), 0);
    }
    trusted(hello);
}

Test(trusting, no_symbolic_link_is_followed)
{
    cr_assert_eq(rename(FOLDER "/hello.so", "elsewhere.so"), 0);
    cr_assert_eq(symlink("../../../../elsewhere.so", FOLDER "/hello.so"), 0);
    refused(hello, "*/hello.so' is reached through a symbolic link*");
    cr_assert_eq(unlink(FOLDER "/hello.so"), 0);
    cr_assert_eq(rename("elsewhere.so", FOLDER "/hello.so"), 0);
    trusted(hello);
    cr_assert_eq(rename("plugins/acme", "elsewhere"), 0);
    cr_assert_eq(symlink("../elsewhere", "plugins/acme"), 0);
    /* O_PATH with O_NOFOLLOW opens the link itself, which is no folder. */
    struct err err = ERR_INIT;
    cr_assert_lt(trust(hello, NULL, &err), 0);
    cr_assert_eq(unlink("plugins/acme"), 0);
    cr_assert_eq(rename("elsewhere", "plugins/acme"), 0);
}

Test(trusting, what_changed_since_the_install_is_refused)
{
    struct err err = ERR_INIT;
    int fd = open(FOLDER "/hello.so", O_WRONLY | O_APPEND);

    cr_assert_eq(write(fd, "x", 1), 1);
    close(fd);
    refused(hello, "*/hello.so' is not what was installed: its SHA-256 is *, the record says * "
                   "(install the plugin again)");
    cr_assert_eq(unlink(FOLDER "/hello.so"), 0);
    cr_assert_eq(trust(hello, NULL, &err), ERR_NOT_FOUND, "%s", err.text);
    cr_assert_eq(mkfifo(FOLDER "/hello.so", 0644), 0);
    refused(hello, "*is not a regular file (install the plugin again)");
}

Test(trusting, an_allow_list_allows_what_it_lists)
{
    const char *const right[] = {hello->sha256, NULL}, *const wrong[] = {"00", NULL};
    const struct {
        struct trust_rule rule;
        const char *why; /* NULL: allowed */
    } rows[] = {
        {{.id = "acme/hello"}, NULL},
        {{.id = "ACME/hello", .version = ">=1 <2", .sha256 = right}, NULL},
        {{.id = "acme/other"}, "plugin 'acme/hello' is not on the allow-list*"},
        {{.id = "acme/hello", .version = ">=2"}, "*is outside the allowed versions '>=2' (*"},
        {{.id = "acme/hello", .sha256 = wrong}, "*which its rule in 'plugins.allow' does not list"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct trust_policy policy = {
            .mode = TRUST_ALLOW_LIST, .rules = &rows[i].rule, .n_rules = 1};
        struct err err = ERR_INIT;
        int r = trust(hello, &policy, &err);

        cr_assert_eq(r, rows[i].why ? ERR_DENIED : ERR_OK, "%zu: %s", i, err.text);
        if (rows[i].why)
            cr_assert_eq(fnmatch(rows[i].why, err.text, 0), 0, "%zu: %s", i, err.text);
    }
    const struct trust_policy nothing = {.mode = TRUST_ALLOW_LIST};
    struct err err = ERR_INIT;
    cr_assert_eq(trust(hello, &nothing, &err), ERR_DENIED);
}

Test(digest, is_sha256)
{
    unsigned char sum[DIGEST_SIZE];
    char hex[DIGEST_HEX_SIZE];

    digest_sha256(SLICE("abc"), sum);
    digest_hex(sum, hex);
    cr_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

Test(registry, the_rule_of_an_action_comes_before_that_of_all)
{
    CLEANUP(strmap_deinit) struct strmap rules = STRMAP_INIT_NOCASE;

    cr_assert_str_eq(plugin_preference(NULL, "acme/x@v1"), "installed");
    cr_assert_str_eq(plugin_preference(&rules, "acme/x@v1"), "installed");
    strmap_set(&rules, SLICE("Acme/x"), SLICE("only"));
    cr_assert_str_eq(plugin_preference(&rules, "acme/X@v1"), "only");
    cr_assert_str_eq(plugin_preference(&rules, "acme/x/sub@v1"), "installed");
    strmap_set(&rules, SLICE("*"), SLICE("never"));
    cr_assert_str_eq(plugin_preference(&rules, "acme/x@v1"), "only");
    cr_assert_str_eq(plugin_preference(&rules, "acme/x/sub@v1"), "never");
    cr_assert(plugin_is_preference("only") && !plugin_is_preference("Only"));
}
