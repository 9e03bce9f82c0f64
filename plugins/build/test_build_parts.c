#include "build_artifacts.h"
#include "build_dockerfile.h"
#include "build_labels.h"
#include "build_provenance.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ostler/test.h>
#include "kit/scratch.h"

extern const struct ost_plugin ostler_plugin_v1;

static struct ost_test *host;
static struct ost_step *step;

static void enter(void)
{
    scratch_enter();
    host = ost_test_new(&ostler_plugin_v1);
    step = ost_test_step(host);
}

static void leave(void)
{
    ost_test_free(host);
    scratch_leave();
}

TestSuite(build_parts, .init = enter, .fini = leave);

/* ---- facts ---- */

static struct facts facts_of(const char *text)
{
    struct facts f = {0};

    facts_parse(step, span_of(text), &f);
    return f;
}

Test(build_parts, tells_which_fact_changed)
{
    static const struct {
        const char *old, *now, *want;
    } rows[] = {
        {"file\ta\t1\n", "file\ta\t1\n", NULL},
        {"file\ta\t1\n", "file\ta\t2\n", "'a' changed"},
        {"file\ta\t1\n", "file\ta\t1\nfile\tb\t1\n", "'b' is new"},
        {"file\ta\t1\nfile\tb\t1\n", "file\tb\t1\n", "'a' is gone"},
        {"file\ta\t1\nfile\tb\t1\nfile\tc\t3\n", "file\tb\t2\nfile\td\t1\n",
         "'a' is gone, and 3 more"},
        {"tool\tgo\tgo1.1\n", "tool\tgo\tgo1.2\n", "the tool 'go' is now go1.2, and was go1.1"},
        {"variable\tCC\t1\n", "", "the variable 'CC' is gone"},
        {"setting\targs\t1\n", "setting\targs\t2\n", "the setting 'args' changed"},
        {"result\tx\t1\nfile\ta\t1\n", "result\tx\t2\nfile\ta\t1\n", NULL},
        {"", "", NULL},
        {"nonsense\nfile\t\n", "file\ta\t1\n", "'a' is new"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct facts old = facts_of(rows[i].old), now = facts_of(rows[i].now);
        const char *got = facts_difference(step, &old, &now);

        if (rows[i].want)
            cr_expect_str_eq(got ? got : "(nothing)", rows[i].want, "row %zu: %s", i, got);
        else
            cr_expect_null(got, "row %zu: %s", i, got);
    }
}

Test(build_parts, digests_facts_and_not_their_results)
{
    struct facts a = facts_of("file\ta\t1\n"), b = facts_of("file\ta\t1\nresult\tx\t9\n");
    struct facts c = facts_of("file\ta\t2\n");

    cr_expect_str_eq(facts_digest(step, &a), facts_digest(step, &b));
    cr_expect_str_neq(facts_digest(step, &a), facts_digest(step, &c));
    cr_expect_str_eq(facts_format(step, &b), "file\ta\t1\nresult\tx\t9\n");
}

Test(build_parts, doubts_what_would_not_be_read_back)
{
    struct facts f = {0};

    facts_add(step, &f, "file", "a\nfile\tb", "1");
    cr_assert_not_null(f.unknown);
    cr_expect(strstr(f.unknown, "the file 'a...' has a tab or a newline in it"), "%s", f.unknown);
    cr_expect_eq(f.n, 0);
}

/* ---- Dockerfile ---- */

Test(build_parts, finds_the_images_that_a_dockerfile_builds_upon)
{
    static const struct {
        const char *text, *want, *unknown;
    } rows[] = {
        {"FROM debian:12\n", "debian:12", NULL},
        {"from debian AS base\nFROM base\nFROM scratch\nCOPY --from=base /a /a\n", "debian", NULL},
        {"FROM --platform=linux/arm64 a/b:1 as x\nCOPY --chown=1 --from=c:2 / /\nCOPY --from=0 / "
         "/\n",
         "a/b:1 c:2", NULL},
        {"ARG B=debian\nFROM ${B}\n", "", "FROM ${B}"},
        {"# syntax=docker/dockerfile:1\n# escape=`\nFROM `\n  debian\nRUN echo FROM x\n",
         "docker/dockerfile:1 debian", NULL},
        {"FROM a\\\n# a comment in between\n  :1\nRUN true \\\n", "a", NULL},
        {"RUN --mount=type=bind,from=tools,target=/t --network=none /t/x\n", "tools", NULL},
        {"FROM a\nFROM a\n", "a", NULL},
        {"FROM\n\n\nFROM --platform=x\nCOPY\n", "", NULL},
        {"", "", NULL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bases b = dockerfile_bases(step, span_of(rows[i].text));
        struct sink k = {.step = step};

        for (size_t j = 0; j < b.images.n; j++)
            sink_addf(&k, "%s%s", j ? " " : "", b.images.list[j]);
        cr_expect_str_eq(sink_text(&k), rows[i].want, "row %zu: '%s'", i, sink_text(&k));
        cr_expect_eq(!b.unknown, !rows[i].unknown, "row %zu: %s", i, b.unknown);
        if (b.unknown && rows[i].unknown)
            cr_expect_str_eq(b.unknown, rows[i].unknown);
    }
    cr_expect(image_is_pinned("a@sha256:0"));
    cr_expect_not(image_is_pinned("a:sha256"));
}

/* ---- artifacts ---- */

static ost_status collect(const char *const *patterns, const char *const *own, struct built *ret)
{
    struct built_ask ask = {scratch_path, patterns, own};

    return built_collect(step, &ask, ret);
}

Test(build_parts, lists_artifacts_as_sha256sum_does)
{
    struct built b = {0};
    struct facts f = {0};

    scratch_file("dist/b", "bee\n");
    scratch_file("dist/a \\x", "");
    scratch_file("dist/SUMS", "");
    cr_assert_eq(collect(OST_ARGV("dist"), OST_ARGV("dist/SUMS"), &b), OST_OK, "%s",
                 ost_test_failure(host));
    cr_expect_str_eq(
        built_sums(step, &b),
        "\\e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  dist/a \\\\x\n"
        "c150e5a8a604acebd8d15bd7bf8ea96b2874bdcc91dee6319977d353251283b0  dist/b\n",
        "%s", built_sums(step, &b));
    built_note(step, &b, &f);
    facts_sort(&f);
    cr_expect(built_equals(&b, &f));
    scratch_file("dist/c", "");
    cr_assert_eq(collect(OST_ARGV("dist"), OST_ARGV("dist/SUMS"), &b), OST_OK);
    cr_expect_not(built_equals(&b, &f), "one more");
    cr_expect_not(built_equals(&(struct built){0}, &(struct facts){0}), "nothing is no result");
}

Test(build_parts, refuses_artifacts_that_lead_out)
{
    struct built b = {0};

    scratch_file("dist/x", "");
    cr_assert_eq(symlink("/etc/passwd", "dist/secret"), 0);
    cr_expect_eq(collect(OST_ARGV("dist/**"), NULL, &b), OST_E_IO);
    cr_expect(strstr(ost_test_failure(host), "cannot read 'dist/secret'"), "%s",
              ost_test_failure(host));
    cr_expect_eq(collect(OST_ARGV("/etc/passwd"), NULL, &b), OST_E_INVALID);
    cr_expect(strstr(ost_test_failure(host), "outside of the workspace"));
}

Test(build_parts, describes_artifacts_as_json_whatever_their_names)
{
    struct built_file files[] = {{"a\"\xff", "00", 7}};
    struct built b = {files, 1};
    json_t *j = json_loads(built_json(step, &b), 0, NULL);

    cr_assert_not_null(j, "%s", built_json(step, &b));
    cr_expect_str_eq(json_string_value(json_object_get(json_array_get(j, 0), "path")),
                     "a\"\xef\xbf\xbd");
    cr_expect_eq(json_integer_value(json_object_get(json_array_get(j, 0), "size")), 7);
    json_decref(j);
}

/* ---- labels ---- */

static const char *lines(const struct strings *s)
{
    struct sink k = {.step = step};

    for (size_t i = 0; i < s->n; i++)
        sink_addf(&k, "%s\n", s->list[i]);
    return sink_text(&k);
}

Test(build_parts, labels_an_image_with_what_the_run_tells)
{
    struct strings labels = {0};

    ost_test_context(host, "github.server_url", "https://github.com");
    ost_test_context(host, "github.repository", "acme/app");
    ost_test_context(host, "github.sha", "abc");
    ost_test_context(host, "github.event.head_commit.timestamp", "2026-01-02T03:04:05Z");
    cr_assert_eq(
        labels_make(step, "1.2", OST_ARGV("org.opencontainers.image.title=App", "a=b=c"), &labels),
        OST_OK);
    cr_expect_str_eq(lines(&labels),
                     "org.opencontainers.image.url=https://github.com/acme/app\n"
                     "org.opencontainers.image.source=https://github.com/acme/app\n"
                     "org.opencontainers.image.revision=abc\n"
                     "org.opencontainers.image.version=1.2\n"
                     "org.opencontainers.image.created=2026-01-02T03:04:05Z\n"
                     "org.opencontainers.image.title=App\na=b=c\n",
                     "%s", lines(&labels));
    cr_expect_eq(labels_make(step, "", OST_ARGV("a"), &labels), OST_E_INVALID);
}

Test(build_parts, knows_the_name_of_an_image)
{
    static const struct {
        const char *image;
        bool good;
    } rows[] = {
        {"app", true},         {"acme/app", true},    {"localhost:5000/a/b-c_d.e", true},
        {"App", false},        {"acme/app:1", false}, {"-x", false},
        {"a@sha256:1", false}, {"a b", false},        {"registry.Example.com/a", true},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strings tags = {0}, refs = {0};

        strings_add(step, &tags, "1");
        cr_expect_eq(labels_refs(step, rows[i].image, &tags, &refs),
                     rows[i].good ? OST_OK : OST_E_INVALID, "%s", rows[i].image);
        cr_expect_eq(refs.n, rows[i].good ? 1 : 0);
    }
}

/* ---- provenance ---- */

static const json_t *at(const json_t *j, const char *path)
{
    char key[64];

    while (j && *path) {
        size_t n = strcspn(path, "/");

        snprintf(key, sizeof key, "%.*s", (int)n, path);
        j = json_is_array(j) ? json_array_get(j, (size_t)strtoul(key, NULL, 10))
                             : json_object_get(j, key);
        path += n + (path[n] == '/');
    }
    return j;
}

/* Every member that https://slsa.dev/spec/v1.0/provenance and the in-toto statement v1 call required, and the types
 * of the others. */
Test(build_parts, writes_provenance_as_it_is_published)
{
    static const struct {
        const char *path, *want;
    } rows[] = {
        {"_type", "https://in-toto.io/Statement/v1"},
        {"predicateType", "https://slsa.dev/provenance/v1"},
        {"subject/0/name", "dist/a"},
        {"subject/0/digest/sha256", "aa11"},
        {"subject/1/name", "acme/app:1"},
        {"subject/1/digest/sha256", "bb22"},
        {"predicate/buildDefinition/buildType", "urn:ostler:build:v1"},
        {"predicate/buildDefinition/externalParameters/workflow/repository",
         "https://github.com/acme/app"},
        {"predicate/buildDefinition/externalParameters/workflow/path", ".github/workflows/ci.yml"},
        {"predicate/buildDefinition/externalParameters/workflow/ref", "refs/heads/main"},
        {"predicate/buildDefinition/externalParameters/inputs/kind", "go"},
        {"predicate/buildDefinition/internalParameters/event", "push"},
        {"predicate/buildDefinition/resolvedDependencies/0/uri",
         "git+https://github.com/acme/app@refs/heads/main"},
        {"predicate/buildDefinition/resolvedDependencies/0/digest/gitCommit", "c0ffee"},
        {"predicate/buildDefinition/resolvedDependencies/1/uri",
         "docker-image://debian@sha256:dd44"},
        {"predicate/buildDefinition/resolvedDependencies/1/digest/sha256", "dd44"},
        {"predicate/runDetails/builder/id", "urn:x"},
        {"predicate/runDetails/metadata/invocationId",
         "https://github.com/acme/app/actions/runs/7/attempts/2"},
        {"predicate/runDetails/metadata/startedOn", "1970-01-01T00:00:01Z"},
        {"predicate/runDetails/metadata/finishedOn", "2026-11-22T00:00:00Z"},
    };
    struct built_file files[] = {{"dist/a", "aa11", 3}};
    struct built built = {files, 1};
    struct parameter parameters[] = {{"kind", "go"}};
    struct provenance p = {.files = &built,
                           .image_name = "acme/app:1",
                           .image_digest = "sha256:bb22",
                           .parameters = parameters,
                           .n_parameters = 1,
                           .bases = OST_ARGV("debian@sha256:dd44"),
                           .builder = "urn:x",
                           .started = 1,
                           .finished = 1795305600};
    json_error_t error;
    json_t *j;

    ost_test_context(host, "github.server_url", "https://github.com");
    ost_test_context(host, "github.repository", "acme/app");
    ost_test_context(host, "github.ref", "refs/heads/main");
    ost_test_context(host, "github.sha", "c0ffee");
    ost_test_context(host, "github.run_id", "7");
    ost_test_context(host, "github.run_attempt", "2");
    ost_test_context(host, "github.event_name", "push");
    ost_test_context(host, "github.workflow_ref",
                     "acme/app/.github/workflows/ci.yml@refs/heads/main");
    j = json_loads(provenance_format(step, &p), JSON_REJECT_DUPLICATES, &error);
    cr_assert_not_null(j, "%d: %s", error.line, error.text);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *got = json_string_value(at(j, rows[i].path));

        cr_expect_str_eq(got ? got : "(none)", rows[i].want, "%s: %s", rows[i].path, got);
    }
    json_decref(j);
}

Test(build_parts, writes_provenance_without_anything_known)
{
    struct built built = {0};
    struct provenance p = {.files = &built, .bases = OST_ARGV("a"), .builder = "urn:x"};
    json_t *j = json_loads(provenance_format(step, &p), JSON_REJECT_DUPLICATES, NULL);

    cr_assert_not_null(j, "%s", provenance_format(step, &p));
    cr_expect_eq(json_array_size(at(j, "subject")), 0);
    cr_expect_eq(json_array_size(at(j, "predicate/buildDefinition/resolvedDependencies")), 1);
    json_decref(j);
}
