/* What a policy lets run: rules, signatures, hosts; and records and releases that somebody tampered with. */
#include "base/base64.h"
#include "base/fd.h"
#include "base/path.h"
#include "kit/scratch.h"
#include "phase.h"
#include "plugin/install.h"
#include "plugin/policy.h"
#include "plugin/release.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#define PRIVATE "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC"
#define PUBLIC "GbUECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"
#define RIGHT "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"
#define PEM "-----BEGIN PRIVATE KEY-----\n" PRIVATE "\n-----END PRIVATE KEY-----\n"
#define FOLDER "plugins/acme/hello/1.0.0/"

static struct loop *loop;
static struct arena arena;
static char root[4200], object[4200];

static void copy(const char *from, const char *to)
{
    CLEANUP(buf_deinit) struct buf bytes = BUF_INIT(64 << 20);
    struct err err = ERR_INIT;

    cr_assert_eq(path_read(AT_FDCWD, from, &bytes, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(path_write(scratch_dir, to, buf_slice(&bytes), 0644, &err), ERR_OK, "%s",
                 err.text);
}

static void enter(void)
{
    struct err err = ERR_INIT;

    scratch_enter();
    umask(022);
    chmod(scratch_path, 0755);
    snprintf(root, sizeof root, "%s/plugins", scratch_path);
    snprintf(object, sizeof object, "%s/hello.so", scratch_path);
    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
    copy(phase_object("hello"), "hello.so");
}

static void leave(void)
{
    loop = loop_free(loop);
    arena_deinit(&arena);
    scratch_leave();
}

TestSuite(policy, .init = enter, .fini = leave);

static int install(struct plugin **ret, struct err *err)
{
    struct install_spec spec = {.file = object, .root = root, .child = phase_child};

    return install_plugin(&spec, loop, ret, err);
}

static void sign(void)
{
    static const char *const serves[] = {"0123456789abcdef0123456789abcdef01234567", NULL};
    struct err err = ERR_INIT;
    struct plugin *p = NULL;
    int fd = -1;

    cr_assert_eq(install_look(object, phase_child, loop, &p, &fd, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(release_complete(p, serves, &err), ERR_OK);
    cr_assert_eq(release_sign(object, p, SLICE(PEM), &err), ERR_OK, "%s", err.text);
    plugin_free(p);
    close(fd);
}

static const struct trust_policy *policy_of(const char *json)
{
    const struct trust_policy *policy = NULL;
    json_error_t why;
    json_t *list = json_loads(json, 0, &why);
    struct err err = ERR_INIT;

    cr_assert_not_null(list, "%s", why.text);
    cr_assert_eq(policy_read(&arena, list, &policy, &err), ERR_OK, "%s", err.text);
    json_decref(list);
    return policy;
}

/* WHY NULL: it may run. */
static void judged(const struct plugin *p, const char *policy, const char *why)
{
    struct err err = ERR_INIT;
    int fd = -1, r = trust_open(policy_of(policy), p, &fd, &err);

    fd_closep(&fd);
    cr_assert_eq(r, why ? ERR_DENIED : ERR_OK, "%s: %s", policy, err.text);
    if (why)
        cr_assert_eq(fnmatch(why, err.text, 0), 0, "%s: wanted '%s', got '%s'", policy, why,
                     err.text);
}

#define WANTS_SIGNATURE                                                                            \
    "[{\"file\": \"/etc/p.yml\", \"signers\": {\"acme\": \"" RIGHT "\"},"                          \
    "\"allow\": [{\"id\": \"acme/*\", \"signer\": \"acme\"}]}]"
#define WANTS_ANOTHER                                                                              \
    "[{\"file\": \"/etc/p.yml\", \"signers\": {\"acme\": \"" PUBLIC "\"},"                         \
    "\"allow\": [{\"id\": \"*\", \"signer\": \"acme\"}]}]"

Test(policy, each_rule_is_held)
{
    static const struct {
        const char *policy, *why;
    } rows[] = {
        {"[]", NULL},
        {"[{\"file\": \"f\"}]", NULL},
        {"[{\"file\": \"f\", \"mode\": \"allow-list\"}]",
         "plugin 'acme/hello' is not on the allow-list (add it to 'allow' in 'f')"},
        {"[{\"file\": \"f\", \"mode\": \"allow-list\", \"allow\": [{\"id\": \"ACME/*\"}]}]", NULL},
        {"[{\"file\": \"f\", \"mode\": \"allow-list\", \"allow\": [{\"id\": \"acme/hell*\"}]}]",
         NULL},
        {"[{\"file\": \"f\", \"mode\": \"allow-list\", \"allow\": [{\"id\": \"acme/hell\"}]}]",
         "*not on the allow-list*"},
        {"[{\"file\": \"f\", \"allow\": [{\"id\": \"acme/hello\", \"version\": \">=2\"}]}]",
         "plugin 'acme/hello 1.0.0' is outside the allowed versions '>=2' (install one of them, or "
         "change its rule in 'f')"},
        {"[{\"file\": \"f\", \"allow\": [{\"id\": \"acme/hello\", \"version\": \">=2\"},"
         "{\"id\": \"acme/hello\", \"version\": \"<2\"}]}]",
         NULL},
        {"[{\"file\": \"f\", \"allow\": [{\"id\": \"*\", \"sha256\": []}]}]",
         "plugin 'acme/hello 1.0.0' has the SHA-256 *, which its rule in 'f' does not list"},
        {"[{\"file\": \"f\"}, {\"file\": \"g\", \"mode\": \"allow-list\"}]",
         "*add it to 'allow' in 'g')"},
        {"[{\"file\": \"f\", \"mode\": \"allow-list\"}, {\"file\": \"g\", \"mode\": "
         "\"installed\"}]",
         "*add it to 'allow' in 'f')"},
    };
    struct err err = ERR_INIT;
    struct plugin *p = NULL;

    cr_assert_eq(install(&p, &err), ERR_OK, "%s", err.text);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        judged(p, rows[i].policy, rows[i].why);
    plugin_free(p);
}

Test(policy, only_what_no_rule_names_counts_as_not_installed)
{
    struct plugin p = {.id = "acme/hello", .version = "1.0.0"};

    cr_assert(trust_names(policy_of("[{\"file\": \"f\"}]"), &p));
    cr_assert_not(trust_names(policy_of("[{\"file\": \"f\", \"mode\": \"allow-list\"}]"), &p));
    cr_assert(trust_names(policy_of("[{\"file\": \"f\", \"mode\": \"allow-list\", \"allow\":"
                                    "[{\"id\": \"acme/*\", \"version\": \">=2\"}]}]"),
                          &p));
}

Test(policy, hosts_of_all_policies_hold)
{
    struct plugin p = {.id = "acme/hello", .version = "1.0.0"};

    cr_assert_null(trust_hosts(NULL, &p));
    cr_assert_null(trust_hosts(policy_of("[{\"file\": \"f\", \"allow\": [{\"id\": \"*\"}]}]"), &p));
    json_t *hosts = trust_hosts(
        policy_of(
            "[{\"file\": \"f\", \"allow\": [{\"id\": \"*\", \"network\": [\"a.b\", \"*.c\"]}]},"
            "{\"file\": \"g\", \"allow\": [{\"id\": \"*\", \"network\": []}]}]"),
        &p);
    CLEANUP(free_ptr) char *text = json_dumps(hosts, JSON_COMPACT);
    cr_assert_str_eq(text, "[[\"a.b\",\"*.c\"],[]]");
    json_decref(hosts);
}

Test(policy, plugins_of_the_workspace_run_where_one_says_yes_and_none_no)
{
    static const struct {
        const char *policy, *why;
    } rows[] = {
        {"[]", "plugin 'acme/hello' lies in the workspace (install it *"},
        {"[{\"file\": \"f\"}]", "*lies in the workspace (install it *"},
        {"[{\"file\": \"f\", \"workspace\": true}, {\"file\": \"g\"}]", NULL},
        {"[{\"file\": \"f\", \"workspace\": true}, {\"file\": \"g\", \"workspace\": false}]",
         "*lies in the workspace, which 'g' forbids*"},
        {"[{\"file\": \"f\", \"workspace\": true, \"allow\": [{\"id\": \"*\", \"signer\": "
         "\"a\"}]}]",
         "*lies in the workspace, and 'f' wants the signature of 'a'*"},
        {"[{\"file\": \"f\", \"workspace\": true, \"mode\": \"allow-list\"}]",
         "*not on the allow-list*"},
    };
    struct plugin p = {.id = "acme/hello", .version = "1.0.0", .in_workspace = true};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;
        int r = trust_allows(policy_of(rows[i].policy), &p, &err);

        cr_assert_eq(r, rows[i].why ? ERR_DENIED : ERR_OK, "%s: %s", rows[i].policy, err.text);
        if (rows[i].why)
            cr_assert_eq(fnmatch(rows[i].why, err.text, 0), 0, "%s: %s", rows[i].policy, err.text);
    }
}

/* ---- signatures ---- */

Test(policy, a_signed_release_is_kept_as_it_was_signed)
{
    struct err err = ERR_INIT;
    struct plugin *p = NULL, *again = NULL;
    const char *const roots[] = {root, NULL};
    CLEANUP(buf_deinit) struct buf record = BUF_INIT(1 << 20);
    CLEANUP(buf_deinit) struct buf released = BUF_INIT(1 << 20);

    sign();
    cr_assert_eq(install(&p, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(path_read(scratch_dir, FOLDER "install.json", &record, &err), ERR_OK);
    cr_assert_eq(path_read(scratch_dir, "hello.so.json", &released, &err), ERR_OK);
    cr_assert_str_eq(record.ptr, released.ptr);
    judged(p, WANTS_SIGNATURE, NULL);
    judged(p, WANTS_ANOTHER,
           "'*/install.json.sig' is no signature of 'acme' for this release (install the one that "
           "'acme' signed, or mend the key in '/etc/p.yml')");
    cr_assert_eq(
        plugin_find(roots, "acme/hello@0123456789abcdef0123456789abcdef01234567", &again, &err),
        ERR_OK, "%s", err.text);
    judged(again, WANTS_SIGNATURE, NULL);
    plugin_free(p);
    plugin_free(again);
}

Test(policy, an_unsigned_release_does_not_pass_for_a_signed_one)
{
    struct err err = ERR_INIT;
    struct plugin *p = NULL;

    cr_assert_eq(install(&p, &err), ERR_OK, "%s", err.text);
    judged(p, WANTS_SIGNATURE,
           "plugin 'acme/hello 1.0.0' is not signed, and '/etc/p.yml' wants the signature of "
           "'acme'*");
    judged(p, "[{\"file\": \"f\", \"allow\": [{\"id\": \"*\", \"signer\": \"nobody\"}]}]",
           "*is not signed*");
    plugin_free(p);
}

/* Replaces FROM in the file NAME once. */
static void edit(const char *name, const char *from, const char *to)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 20);
    CLEANUP(buf_deinit) struct buf changed = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;

    cr_assert_eq(path_read(scratch_dir, name, &text, &err), ERR_OK, "%s", err.text);
    ssize_t at = slice_find(buf_slice(&text), slice_of(from));
    cr_assert_geq(at, 0, "no '%s' in:\n%s", from, text.ptr);
    buf_add(&changed, slice_head(buf_slice(&text), (size_t)at));
    buf_add_str(&changed, to);
    buf_add(&changed, slice_from(buf_slice(&text), (size_t)at + strlen(from)));
    cr_assert_eq(path_write(scratch_dir, name, buf_slice(&changed), 0644, &err), ERR_OK);
}

Test(policy, nothing_of_a_signed_release_can_be_changed)
{
    const char *const roots[] = {root, NULL};
    struct err err = ERR_INIT;
    struct plugin *p = NULL, *again = NULL;
    CLEANUP(buf_deinit) struct buf signature = BUF_INIT(1000);

    sign();
    cr_assert_eq(install(&p, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(path_read(scratch_dir, FOLDER "install.json.sig", &signature, &err), ERR_OK);

    /* the record, before it is read: another commit, more needs */
    edit(FOLDER "install.json", "0123456789abcdef0123", "ffffffffffffffff0123");
    cr_assert_eq(plugin_find(roots, "acme/hello@v1", &again, &err), ERR_OK, "%s", err.text);
    judged(again, WANTS_SIGNATURE, "*is no signature of 'acme' for this release*");
    judged(again, "[]", NULL);
    /* and after: what was read is not what lies there */
    judged(p, WANTS_SIGNATURE, "*install.json' is not what it was a moment ago*");
    judged(p, "[]", "*install.json' is not what it was a moment ago*");
    again = plugin_free(again);
    edit(FOLDER "install.json", "ffffffffffffffff0123", "0123456789abcdef0123");
    judged(p, WANTS_SIGNATURE, NULL);

    /* the signature: cut short, longer, none at all, a link, somebody else's file */
    struct slice all = buf_slice(&signature);
    cr_assert_eq(
        path_write(scratch_dir, FOLDER "install.json.sig", slice_head(all, 63), 0644, &err),
        ERR_OK);
    judged(p, WANTS_SIGNATURE, "*is no signature of 'acme'*");
    buf_add_char(&signature, '\0');
    cr_assert_eq(
        path_write(scratch_dir, FOLDER "install.json.sig", buf_slice(&signature), 0644, &err),
        ERR_OK);
    judged(p, WANTS_SIGNATURE, "*is no signature of 'acme'*");
    cr_assert_eq(unlink(FOLDER "install.json.sig"), 0);
    judged(p, WANTS_SIGNATURE, "*is not signed*");
    cr_assert_eq(symlink("../../../../hello.so.json.sig", FOLDER "install.json.sig"), 0);
    judged(p, WANTS_SIGNATURE, "*install.json.sig' is reached through a symbolic link*");
    cr_assert_eq(unlink(FOLDER "install.json.sig"), 0);
    copy("hello.so.json.sig", FOLDER "install.json.sig");
    judged(p, WANTS_SIGNATURE, NULL);
    cr_assert_eq(chmod(FOLDER "install.json.sig", 0666), 0);
    judged(p, WANTS_SIGNATURE, "*install.json.sig' can be written by others*");
    cr_assert_eq(chmod(FOLDER "install.json.sig", 0644), 0);

    /* the object */
    int fd = open(FOLDER "hello.so", O_WRONLY | O_APPEND);
    cr_assert_eq(write(fd, "x", 1), 1);
    close(fd);
    judged(p, WANTS_SIGNATURE, "*is not what was installed*");
    plugin_free(p);
}

/* Between the look and the load nothing counts any more: what is loaded is what was looked at. */
Test(policy, an_object_that_is_replaced_after_the_look_is_not_what_runs)
{
    struct err err = ERR_INIT;
    struct plugin *p = NULL, *described = NULL;
    int fd = -1;

    cr_assert_eq(install(&p, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(trust_open(NULL, p, &fd, &err), ERR_OK, "%s", err.text);
    copy(phase_object("phases"), FOLDER "hello.so");
    cr_assert_eq(plugin_describe(fd, "hello.so", phase_child, loop, &described, &err), ERR_OK, "%s",
                 err.text);
    cr_assert_str_eq(described->id, "acme/hello");
    judged(p, "[]", "*is not what was installed*");
    plugin_free(described);
    plugin_free(p);
    close(fd);
}

/* A program is signed as an object is. */
Test(policy, a_program_is_signed_and_guarded_like_an_object)
{
    struct err err = ERR_INIT;
    struct plugin *p = NULL;
    int fd = -1;

    scratch_file("prog/action.yml",
                 "runs: {using: ostler/1, protocol: json-lines, main: x, id: acme/x,"
                 " version: 1.0.0}\n");
    scratch_file("prog/x", "#!/bin/sh\n");
    cr_assert_eq(chmod("prog/x", 0755), 0);
    snprintf(object, sizeof object, "%s/prog/x", scratch_path);
    cr_assert_eq(install_look(object, phase_child, loop, &p, &fd, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(release_complete(p, NULL, &err), ERR_OK);
    cr_assert_eq(release_sign(object, p, SLICE(PEM), &err), ERR_OK, "%s", err.text);
    close(fd);
    p = plugin_free(p);
    cr_assert_eq(install(&p, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(p->protocol, PLUGIN_LINES);
    judged(p, WANTS_SIGNATURE, NULL);
    judged(p, WANTS_ANOTHER, "*is no signature of 'acme'*");
    fd = open("plugins/acme/x/1.0.0/x", O_WRONLY | O_APPEND);
    cr_assert_eq(write(fd, "x", 1), 1);
    close(fd);
    judged(p, WANTS_SIGNATURE, "*is not what was installed*");
    plugin_free(p);
}

/* An old release that is signed, passed off as a new one. */
Test(policy, the_signature_of_another_version_is_none)
{
    struct err err = ERR_INIT;
    struct plugin *p = NULL;
    const char *const roots[] = {root, NULL};

    sign();
    cr_assert_eq(install(&p, &err), ERR_OK, "%s", err.text);
    p = plugin_free(p);
    edit(FOLDER "install.json", "\"version\": \"1.0.0\"", "\"version\": \"1.9.0\"");
    cr_assert_eq(rename("plugins/acme/hello/1.0.0", "plugins/acme/hello/1.9.0"), 0);
    cr_assert_eq(plugin_find(roots, "acme/hello@v1.9", &p, &err), ERR_OK, "%s", err.text);
    judged(p, WANTS_SIGNATURE, "*is no signature of 'acme' for this release*");
    plugin_free(p);
}

Test(policy, the_record_is_guarded_like_the_object)
{
    struct err err = ERR_INIT;
    struct plugin *p = NULL;

    cr_assert_eq(install(&p, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(chmod(FOLDER "install.json", 0664), 0);
    judged(p, "[]", "'*/install.json' can be written by others (chmod go-w '*')");
    cr_assert_eq(chmod(FOLDER "install.json", 0644), 0);
    cr_assert_eq(rename(FOLDER "install.json", "elsewhere.json"), 0);
    cr_assert_eq(symlink("../../../../elsewhere.json", FOLDER "install.json"), 0);
    judged(p, "[]", "*install.json' is reached through a symbolic link*");
    plugin_free(p);
}

/* ---- what lies beside an object that is to be installed ---- */

Test(policy, a_release_that_does_not_fit_is_not_installed)
{
    static const struct {
        const char *file, *text; /* NULL: it is removed */
        const char *why;
    } rows[] = {
        {"hello.so.json", "{", "'*hello.so.json': it is no JSON"},
        {"hello.so.json", "{}", "'*hello.so.json': it is not of schema 1"},
        {"hello.so.json", NULL, "'*.sig' signs '*hello.so.json', which is missing*"},
        {"hello.so.json.sig", "short", "'*.sig' has 5 bytes, and a signature has 64"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;
        struct plugin *p = NULL;

        sign();
        if (rows[i].text)
            cr_assert_eq(path_write(scratch_dir, rows[i].file, slice_of(rows[i].text), 0644, &err),
                         ERR_OK);
        else
            cr_assert_eq(unlink(rows[i].file), 0);
        cr_assert_lt(install(&p, &err), 0, "row %zu", i);
        cr_assert_eq(fnmatch(rows[i].why, err.text, 0), 0, "row %zu: wanted '%s', got '%s'", i,
                     rows[i].why, err.text);
        cr_assert_eq(access("plugins", F_OK), -1, "nothing is left");
    }
}

Test(policy, the_record_of_another_object_is_refused)
{
    struct err err = ERR_INIT;
    struct plugin *p = NULL;

    sign();
    copy(phase_object("phases"), "hello.so");
    cr_assert_eq(install(&p, &err), ERR_INVALID);
    cr_assert_eq(fnmatch("'*hello.so.json' is the record of another object, 'acme/hello 1.0.0' *",
                         err.text, 0),
                 0, "%s", err.text);
}

/* ---- the policy itself ---- */

Test(policy, what_is_no_policy_is_refused)
{
    static const char *const rows[] = {
        "[{\"mode\": \"any\"}]",
        "[{\"allow\": {}}]",
        "[{\"allow\": [{}]}]",
        "[{\"allow\": [{\"id\": \"*\", \"version\": \"one\"}]}]",
        "[{\"allow\": [{\"id\": \"*\", \"sha256\": \"x\"}]}]",
        "[{\"allow\": [{\"id\": \"*\", \"network\": [1]}]}]",
        "[{\"signers\": {\"acme\": \"AAAA\"}}]",
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct trust_policy *policy;
        json_t *list = json_loads(rows[i], 0, NULL);
        struct err err = ERR_INIT;

        cr_assert_eq(policy_read(&arena, list, &policy, &err), ERR_INVALID, "%s", rows[i]);
        json_decref(list);
    }
}

Test(policy, knows_a_host)
{
    static const char *const good[] = {"a",     "registry.example", "*.example", "a.b:5000",
                                       "[::1]", "127.0.0.1:80"};
    static const char *const bad[] = {"",   "a b", "http://a", "a/b", "a:b",
                                      "a:", "*",   "a.*",      "a@b", "a:123456"};

    for (size_t i = 0; i < COUNT_OF(good); i++)
        cr_assert(policy_is_host(slice_of(good[i])), "%s", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        cr_assert_not(policy_is_host(slice_of(bad[i])), "%s", bad[i]);
}
