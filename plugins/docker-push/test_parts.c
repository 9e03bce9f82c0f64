/* Names, challenges, documents, credentials: what is read from outside. */
#include <criterion/criterion.h>
#include <string.h>

#include "../lib/test_step.h"
#include "challenge.h"
#include "document.h"
#include "login.h"
#include "reference.h"

TestSuite(parts, .init = step_enter, .fini = step_leave);

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

Test(parts, reads_names_of_images)
{
    static const struct {
        const char *text, *host, *name, *tag, *digest;
    } rows[] = {
        {"busybox", "docker.io", "library/busybox", NULL, NULL},
        {"team/app", "docker.io", "team/app", NULL, NULL},
        {"docker.io/app", "docker.io", "library/app", NULL, NULL},
        {"index.docker.io/team/app:1", "docker.io", "team/app", "1", NULL},
        {"ghcr.io/acme/app:v1.2", "ghcr.io", "acme/app", "v1.2", NULL},
        {"localhost/app", "localhost", "app", NULL, NULL},
        {"localhost:5000/a/b/c:x", "localhost:5000", "a/b/c", "x", NULL},
        {"127.0.0.1:5000/a", "127.0.0.1:5000", "a", NULL, NULL},
        {"[::1]:5000/a:b", "[::1]:5000", "a", "b", NULL},
        {"r.test/a__b--c.d_e/f", "r.test", "a__b--c.d_e/f", NULL, NULL},
        {"r.test/a:1@sha256:" HEX, "r.test", "a", "1", "sha256:" HEX},
    };

    for (size_t i = 0; i < OST_COUNT(rows); i++) {
        struct reference r = {0};
        const char *wrong = reference_parse(step, rows[i].text, &r);

        cr_assert_null(wrong, "'%s': %s", rows[i].text, wrong);
        cr_expect_str_eq(r.host, rows[i].host, "'%s'", rows[i].text);
        cr_expect_str_eq(r.name, rows[i].name, "'%s'", rows[i].text);
        cr_expect(!r.tag == !rows[i].tag && (!r.tag || strcmp(r.tag, rows[i].tag) == 0), "'%s'",
                  rows[i].text);
        cr_expect(!r.digest == !rows[i].digest, "'%s'", rows[i].text);
    }
}

Test(parts, counts_what_it_puts_before_a_name)
{
    struct reference r = {0};
    char text[REFERENCE_NAME_MAX + 1];
    size_t most = REFERENCE_NAME_MAX - strlen("library/");

    memset(text, 'a', sizeof text);
    text[most] = '\0';
    cr_expect_null(reference_parse(step, text, &r));
    cr_expect_eq(strlen(r.name), REFERENCE_NAME_MAX);
    text[most] = 'a';
    text[most + 1] = '\0';
    cr_expect_not_null(reference_parse(step, text, &r), "its name is %zu characters long",
                       most + 1);
}

Test(parts, refuses_what_is_no_name)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "a name is made of"},
        {"App", "no capital letters"},
        {"r.test/Team/App", "no capital"},
        {"a b", "a name is made of"},
        {"a//b", "a name is made of"},
        {"a/", "a name is made of"},
        {"c/a..b", "a name is made of"},
        {"a___b", "a name is made of"},
        {"-a", "a name is made of"},
        {"a:", "no tag"},
        {"a:-x", "no tag"},
        {"a:x/y:", "no tag"},
        {"a@sha256:12", "no digest"},
        {"a@md5:" HEX, "no digest"},
        {"r.te\nst/a", "is no host"},
        {"[::1/a", "is no host"},
        {"h.test:x/a", "is no host"},
        {"https://r.test/a", "is no host"},
        {"u@r.test/a", "no digest"},
        {"r.test:123456/a", "is no host"},
    };

    for (size_t i = 0; i < OST_COUNT(rows); i++) {
        struct reference r = {0};
        const char *wrong = reference_parse(step, rows[i].text, &r);

        cr_assert_not_null(wrong, "'%s' is taken", rows[i].text);
        cr_expect(strstr(wrong, rows[i].why), "'%s': wanted '%s', got '%s'", rows[i].text,
                  rows[i].why, wrong);
        cr_expect_null(r.name, "'%s': a result in spite of it", rows[i].text);
    }
}

Test(parts, knows_this_machine)
{
    static const struct {
        const char *host;
        bool loopback;
    } rows[] = {
        {"127.0.0.1", true},       {"127.1.2.3:5000", true},  {"localhost:5000", true},
        {"localhost", true},       {"[::1]:5000", true},      {"127.evil.test", false},
        {"127.0.0.1.test", false}, {"localhost.test", false}, {"128.0.0.1", false},
        {"127.0.0.256", false},
    };

    for (size_t i = 0; i < OST_COUNT(rows); i++)
        cr_expect_eq(reference_is_loopback(rows[i].host), rows[i].loopback, "%s", rows[i].host);
}

Test(parts, reads_challenges)
{
    static const struct {
        const char *headers;
        enum challenge_kind kind;
        const char *realm, *service, *scope, *error;
    } rows[] = {
        {"HTTP/1.1 401 No\r\nWww-Authenticate: Basic realm=\"a b\"\r\n", CHALLENGE_BASIC, "a b", "",
         "", ""},
        {"WWW-Authenticate: Bearer realm=\"https://t/x\",service=\"s\",scope=\"repository:a:pull\"",
         CHALLENGE_BEARER, "https://t/x", "s", "repository:a:pull", ""},
        {"WWW-Authenticate: Bearer  realm = \"r\" , error=insufficient_scope", CHALLENGE_BEARER,
         "r", "", "", "insufficient_scope"},
        {"WWW-Authenticate: Basic realm=\"b\", Bearer realm=\"r\\\"q\"", CHALLENGE_BEARER, "r\"q",
         "", "", ""},
        {"WWW-Authenticate: Basic realm=x\r\nWWW-Authenticate: Bearer realm=y", CHALLENGE_BEARER,
         "y", "", "", ""},
        {"WWW-Authenticate: Negotiate abc==, Basic realm=\"b\"", CHALLENGE_BASIC, "b", "", "", ""},
        {"WWW-Authenticate: Bearer realm=\"open", CHALLENGE_BEARER, "open", "", "", ""},
        {"WWW-Authenticate: \"\"==,,;", CHALLENGE_NONE, "", "", "", ""},
        {"Content-Type: x", CHALLENGE_NONE, "", "", "", ""},
    };

    for (size_t i = 0; i < OST_COUNT(rows); i++) {
        struct challenge c = challenge_read(step, span_of(rows[i].headers));

        cr_expect_eq(c.kind, rows[i].kind, "row %zu", i);
        cr_expect_str_eq(c.realm, rows[i].realm, "row %zu", i);
        cr_expect_str_eq(c.service, rows[i].service, "row %zu", i);
        cr_expect_str_eq(c.scope, rows[i].scope, "row %zu", i);
        cr_expect_str_eq(c.error, rows[i].error, "row %zu", i);
    }
}

/* ---- documents ---- */

#define D "\"digest\":\"sha256:" HEX "\",\"size\":5"

Test(parts, reads_manifests_and_indexes)
{
    static const char manifest[] = "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"c\"," D
                                   "},\"layers\":[{\"mediaType\":\"l\"," D "}]}";
    static const char index[] =
        "{\"schemaVersion\":2,\"mediaType\":\"" TYPE_DOCKER_LIST "\",\"manifests\":[{" D
        ",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\"},"
        "\"annotations\":{\"org.opencontainers.image.ref.name\":\"1\"}}]}";
    struct contents c;

    cr_assert_null(document_read(step, manifest, strlen(manifest), "", &c));
    cr_expect(!c.index && c.oci);
    cr_expect_eq(c.config.size, 5);
    cr_expect_str_eq(c.children->d.type, "l");
    cr_assert_null(document_read(step, index, strlen(index), "", &c));
    cr_expect(c.index && !c.oci);
    cr_expect_str_eq(c.children->platform.variant, "v7");
    cr_expect_str_eq(c.children->name, "1");
}

Test(parts, refuses_documents_that_are_none)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "no JSON"},
        {"[]", "schemaVersion"},
        {"{\"schemaVersion\":1}", "schemaVersion"},
        {"{\"schemaVersion\":2,\"mediaType\":\"text/plain\"}", "is no type"},
        {"{\"schemaVersion\":2}", "no sha256 digest"},
        {"{\"schemaVersion\":2,\"config\":{" D "}}", "lists no layers"},
        {"{\"schemaVersion\":2,\"config\":{" D "},\"layers\":[{\"digest\":\"sha256:../../x\"}]}",
         "no sha256 digest"},
        {"{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:" HEX "\",\"size\":-1}]}",
         "no size"},
        {"{\"schemaVersion\":2,\"manifests\":{}}", "lists no manifests"},
    };

    for (size_t i = 0; i < OST_COUNT(rows); i++) {
        struct contents c = {0};
        const char *wrong = document_read(step, rows[i].text, strlen(rows[i].text), "", &c);

        cr_assert_not_null(wrong, "row %zu is taken", i);
        cr_expect(strstr(wrong, rows[i].why), "row %zu: %s", i, wrong);
    }
}

Test(parts, writes_what_it_reads)
{
    struct blob config = {.d = {TYPE_OCI_CONFIG, "sha256:" HEX, 7}};
    struct blob layer = {.d = {type_of_layer(true, PACKING_ZSTD), "sha256:" HEX, 8}};
    static const char before[] = "{\"layers\":[{\"annotations\":{\"k\":\"v\"}}],\"subject\":{}}";
    struct image image = {
        .oci = true, .config = &config, .layers = &layer, .platform = {"linux", "arm64", ""}};
    struct document old = {.d = {"", "", (int64_t)strlen(before)}, .data = before}, index = {0};
    struct contents c;

    manifest_write(step, &image, &old);
    cr_assert_null(document_read(step, image.manifest.data, (size_t)image.manifest.d.size, "", &c));
    cr_expect_str_eq(c.type, TYPE_OCI_MANIFEST);
    cr_expect_eq(c.config.size, 7);
    cr_expect_str_eq(c.children->d.type, layer.d.type);
    cr_expect(strstr(image.manifest.data, "\"annotations\":{\"k\":\"v\"}"), "%s",
              image.manifest.data);
    index_write(step, &image, true, &index);
    cr_assert_null(document_read(step, index.data, (size_t)index.d.size, "", &c));
    cr_expect_str_eq(c.children->d.digest, image.manifest.d.digest);
    cr_expect_str_eq(c.children->platform.architecture, "arm64");
}

/* ---- credentials ---- */

Test(parts, finds_who_has_logged_in)
{
    static const struct {
        const char *config, *host, *user, *password, *identity;
    } rows[] = {
        {"{\"auths\":{\"r.test\":{\"auth\":\"YTpi\"}}}", "r.test", "a", "b", ""},
        {"{\"auths\":{\"r.test\":{\"auth\":\"YTpiOmM=\"}}}", "r.test", "a", "b:c", ""},
        {"{\"auths\":{\"https://r.test/v2/\":{\"auth\":\"YTpi\"}}}", "r.test", "a", "b", ""},
        {"{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"YTpi\"}}}", "docker.io", "a", "b",
         ""},
        {"{\"auths\":{\"r.test\":{\"auth\":\"YTpi\",\"identitytoken\":\"t\"}}}", "r.test", "a", "b",
         "t"},
        {"{\"auths\":{\"r.test\":{\"username\":\"u\",\"password\":\"p\"}}}", "r.test", "u", "p",
         ""},
        {"{\"auths\":{\"r.test.evil\":{\"auth\":\"YTpi\"}}}", "r.test", "", "", ""},
        {"{\"auths\":{\"r.test:5000\":{\"auth\":\"YTpi\"}}}", "r.test", "", "", ""},
        {"{}", "r.test", "", "", ""},
    };
    const char *const env[] = {ost_fmt(step, "DOCKER_CONFIG=%s", ost_test_scratch(host)), NULL};

    for (size_t i = 0; i < OST_COUNT(rows); i++) {
        struct login_spec spec = {.registry = "", .user = "", .password = "", .env = env};
        struct login l;

        ost_test_file(host, "config.json", rows[i].config);
        cr_assert_eq(login_find(step, &spec, rows[i].host, &l), OST_OK, "row %zu", i);
        cr_expect_str_eq(l.user, rows[i].user, "row %zu", i);
        cr_expect_str_eq(l.password, rows[i].password, "row %zu", i);
        cr_expect_str_eq(l.identity, rows[i].identity, "row %zu", i);
    }
}

Test(parts, asks_credential_helpers)
{
    const char *const env[] = {ost_fmt(step, "DOCKER_CONFIG=%s", ost_test_scratch(host)), NULL};
    struct login_spec spec = {.registry = "", .user = "", .password = "", .env = env};
    struct login l;

    ost_test_file(host, "config.json",
                  "{\"credHelpers\":{\"own.test\":\"own\"},\"credsStore\":\"all\"}");
    ost_test_on_exec(host, "docker-credential-own get",
                     .out = "{\"Username\":\"u\",\"Secret\":\"hidden\"}");
    ost_test_on_exec(host, "docker-credential-all get",
                     .out = "{\"Username\":\"<token>\",\"Secret\":\"refresh\"}");
    cr_assert_eq(login_find(step, &spec, "own.test", &l), OST_OK);
    cr_expect_str_eq(l.password, "hidden");
    cr_expect_str_eq(ost_test_exec_input(host, 0), "own.test", "the host is on stdin");
    cr_expect_str_eq(ost_test_masked(host, 0), "hidden");
    cr_assert_eq(login_find(step, &spec, "docker.io", &l), OST_OK);
    cr_expect_str_eq(l.identity, "refresh");
    cr_expect_str_eq(ost_test_exec_input(host, 1), "https://index.docker.io/v1/");

    ost_test_on_exec(host, "docker-credential-all get", .exit_code = 1,
                     .out = "credentials not found in native keychain");
    cr_assert_eq(login_find(step, &spec, "docker.io", &l), OST_OK);
    cr_expect_str_eq(l.user, "");
    ost_test_on_exec(host, "docker-credential-all get", .status = OST_E_NOT_FOUND);
    cr_assert_eq(login_find(step, &spec, "docker.io", &l), OST_E_NOT_FOUND);
    cr_expect(strstr(ost_test_failure(host), "the job has no such program"), "%s",
              ost_test_failure(host));
    ost_test_file(host, "config.json", "{\"credsStore\":\"../../bin/sh\"}");
    cr_assert_eq(login_find(step, &spec, "docker.io", &l), OST_E_INVALID);
    ost_test_file(host, "config.json", "{\"auths\":{\"r.test\":{\"auth\":\"!\"}}}");
    cr_assert_eq(login_find(step, &spec, "r.test", &l), OST_E_INVALID);
    ost_test_file(host, "config.json", "{");
    cr_assert_eq(login_find(step, &spec, "r.test", &l), OST_E_INVALID);
}
