#include <ostler/plugin.h>

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ostler/test.h>
#include "kit/scratch.h"

extern const struct ost_plugin ostler_plugin_v1;

static struct ost_test *host;

static void enter(void)
{
    scratch_enter();
    host = ost_test_new(&ostler_plugin_v1);
    scratch_file("Dockerfile", "FROM debian:12\nCOPY . /\n");
    ost_test_context(host, "github.ref", "refs/heads/main");
    ost_test_context(host, "github.event.repository.default_branch", "main");
    ost_test_with(host, "image", "acme/app");
    ost_test_with(host, "tags", "latest\nbranch");
    ost_test_on_exec(host, "podman --version", .out = "podman 5\n");
    ost_test_on_exec(host, "docker version *", .exit_code = 1);
}

static void leave(void)
{
    ost_test_free(host);
    scratch_leave();
}

TestSuite(build_image, .init = enter, .fini = leave);

static void expect_has(const char *text, const char *part)
{
    cr_expect(text && strstr(text, part), "wanted '%s' in:\n%s", part, text ? text : "(nothing)");
}

static void expect_failure(ost_status status, const char *text)
{
    ost_status got = ost_test_run(host, OST_PHASE_MAIN);

    cr_expect_eq(got, status, "wanted %d, got %d: %s\n%s", status, got, ost_test_failure(host),
                 ost_test_log(host));
    expect_has(ost_test_failure(host), text);
}

static const char *first_word(const char *text)
{
    return ost_fmt(ost_test_step(host), "%.*s", (int)strcspn(text, " "), text);
}

/* An engine that is a script: it writes the id file, and answers questions. */
static void engine(const char *name)
{
    char path[64];

    snprintf(path, sizeof path, "tools/%s", name);
    scratch_file(path, "#!/bin/sh\n"
                       "echo \"$@\" >> calls\n"
                       "case $1 in\n"
                       "build) while [ $# -gt 0 ]; do case $1 in\n"
                       "  --iidfile) echo sha256:0123 > $2 ;;\n"
                       "  --secret) cat ${2##*src=} >> seen ;; esac; shift; done ;;\n"
                       "image|inspect) echo sha256:4567 ;;\n"
                       "images) [ -e known ] && echo sha256:89ab ;;\n"
                       "save) shift; echo image > $2 ;;\n"
                       "push) echo sha256:cdef > $3; to=${5#*:}; echo image > ${to%%:*} ;;\n"
                       "*) echo 1.2.3 ;;\n"
                       "esac\nexit 0\n");
    cr_assert_eq(chmod(path, 0755), 0);
    ost_test_exec_for_real(host,
                           ost_fmt(ost_test_step(host), "%s/tools:/usr/bin:/bin", scratch_path));
    ost_test_on_exec(host, "rm -rf -- .ostler-build", .exit_code = 0);
    ost_test_on_exec(host, "docker version *", .out = "28.2\n");
    ost_test_with(host, "engine", name);
}

static void expect_run(void)
{
    ost_status r = ost_test_run(host, OST_PHASE_MAIN);

    cr_assert_eq(r, OST_OK, "%d: %s\n%s", r, ost_test_failure(host), ost_test_log(host));
}

Test(build_image, takes_the_first_engine_that_answers)
{
    /* The kit's commands write no id file, so the build itself ends badly, and says so. */
    expect_failure(OST_E_FAILED, "podman does not tell which image it built");
    cr_expect_eq(ost_test_execs(host, "podman build *"), 1);
    ost_test_with(host, "engine", "docker");
    expect_failure(OST_E_NOT_FOUND, "'engine: docker' does not answer in this job: install it and "
                                    "see that its daemon runs");
    ost_test_with(host, "engine", "auto");
    ost_test_on_exec(host, "*", .status = OST_E_NOT_FOUND);
    expect_failure(OST_E_NOT_FOUND, "neither docker (with its daemon), podman nor buildah answers");
}

Test(build_image, builds_with_what_it_is_told)
{
    static const char *const engines[] = {"docker", "podman", "buildah"};

    scratch_file("web/Containerfile", "FROM scratch\n");
    for (size_t i = 0; i < 3; i++) {
        engine(engines[i]);
        ost_test_with(host, "context", "web");
        ost_test_with(host, "target", "last");
        ost_test_with(host, "build-args", "A=1\nB=a b");
        ost_test_with(host, "labels", "x=y");
        ost_test_with(host, "no-cache", "true");
        ost_test_with(host, "pull", "true");
        ost_test_with(host, "output", "out/app.tar");
        expect_run();
        cr_expect_eq(ost_test_execs(host,
                                    "* build --file web/Containerfile --target last *--no-cache "
                                    "--build-arg A=1 --build-arg B=a b *--label x=y --tag "
                                    "acme/app:latest --tag acme/app:branch-main --iidfile * web"),
                     1, "%s", engines[i]);
        cr_expect_str_eq(ost_test_output(host, "imageid"), "sha256:0123");
        cr_expect_str_eq(ost_test_output(host, "digest"), i == 0 ? "" : "sha256:4567");
        cr_expect_str_eq(ost_test_output(host, "tags"), "acme/app:latest\nacme/app:branch-main");
        expect_has(ost_test_output(host, "labels"), "x=y");
        expect_has(ost_test_output(host, "artifacts"), "\"path\":\"out/app.tar\"");
        scratch_has("out/app.tar", "image\n");
    }
}

Test(build_image, gives_secrets_as_files_and_never_as_words)
{
    engine("buildah");
    ost_test_with(host, "secrets", "TOKEN=hunter2hunter2\n\nother.one=a=b");
    expect_run();
    scratch_has("seen", "hunter2hunter2a=b");
    cr_expect_str_eq(ost_test_masked(host, 0), "hunter2hunter2");
    cr_expect_str_eq(ost_test_masked(host, 1), "a=b");
    for (size_t i = 0; ost_test_exec(host, i); i++)
        cr_expect_not(strstr(ost_test_exec(host, i), "hunter2"), "%s", ost_test_exec(host, i));
    cr_expect_eq(ost_test_execs(host, "buildah build * --secret id=TOKEN,src=*.secret --secret "
                                      "id=other.one,src=* --iidfile * ."),
                 1);
    for (size_t i = 0; ost_test_exec(host, i); i++) {
        const char *at = strstr(ost_test_exec(host, i), "src=");

        if (at)
            cr_expect_neq(access(first_word(at + 4), F_OK), 0, "the secret's file is still there");
    }
    ost_test_with(host, "secrets", "no name");
    ost_test_with(host, "inputs", "Dockerfile");
    expect_failure(OST_E_INVALID, "line 1 of 'secrets' is not NAME=value");
    expect_has(ost_test_log(host), "whether a secret changed is nobody's business");
    engine("docker");
    ost_test_with(host, "secrets", "A=b");
    ost_test_on_exec(host, "docker buildx version", .exit_code = 1);
    expect_failure(OST_E_NOT_FOUND, "docker needs its buildx plugin for 'secrets'");
    ost_test_on_exec(host, "docker version --format {{.Client*", .out = "20.10.24\n");
    expect_run();
    cr_expect_eq(ost_test_execs(host, "docker build * --secret id=A,src=* --iidfile * ."), 1);
}

Test(build_image, knows_an_image_by_the_facts_it_was_built_of)
{
    engine("podman");
    ost_test_with(host, "inputs", "src");
    scratch_file("src/a", "1");
    expect_run();
    ost_test_said(host, "info: building (docker): nothing like it*");
    cr_expect_eq(ost_test_execs(host, "podman build *--label ostler.build.inputs=* *"), 1);
    scratch_file("known", "");
    expect_run();
    cr_expect_str_eq(ost_test_output(host, "skipped"), "true");
    cr_expect_str_eq(ost_test_output(host, "imageid"), "sha256:89ab");
    cr_expect_eq(ost_test_execs(host, "podman build *"), 0);
    cr_expect_eq(ost_test_execs(host, "podman tag sha256:89ab acme/app:latest"), 1);
    cr_expect_eq(ost_test_execs(host, "podman tag sha256:89ab acme/app:branch-main"), 1);
}

Test(build_image, never_skips_when_a_base_cannot_be_told)
{
    engine("podman");
    ost_test_with(host, "inputs", "Dockerfile");
    scratch_file("known", "");
    scratch_file("Dockerfile", "ARG B=debian\nFROM $B\n");
    expect_run();
    expect_has(ost_test_log(host), "'FROM $B' names its base image by a variable");
    scratch_file("Dockerfile", "FROM debian\n");
    ost_test_with(host, "platforms", "linux/arm64");
    expect_run();
    expect_has(ost_test_log(host), "with 'platforms' base images are others");
    cr_expect_eq(ost_test_execs(host, "podman build *--label ostler.build.inputs=* *"), 0);
    ost_test_with(host, "platforms", "");
    ost_test_on_exec(host, "podman image inspect *", .exit_code = 1);
    expect_run();
    cr_expect_eq(ost_test_execs(host, "podman pull debian"), 1);
    expect_has(ost_test_log(host), "the engine does not tell which base image 'debian' is");
}

Test(build_image, makes_an_index_of_several_platforms)
{
    engine("buildah");
    ost_test_with(host, "platforms", "linux/amd64\nlinux/arm64");
    ost_test_with(host, "output-format", "oci-archive");
    ost_test_with(host, "output", "app.tar");
    ost_test_on_exec(host, "buildah manifest *", .exit_code = 0);
    scratch_file("app.tar", "an older one");
    (void)ost_test_run(host, OST_PHASE_MAIN);
    cr_expect_eq(ost_test_execs(host, "buildah build * --platform linux/amd64,linux/arm64 * "
                                      "--manifest acme/app:latest ."),
                 1);
    cr_expect_eq(ost_test_execs(host, "buildah manifest push --all --digestfile * acme/app:latest "
                                      "oci-archive:*/app.tar:latest"),
                 1);
    ost_test_with(host, "output-format", "docker-archive");
    expect_failure(OST_E_INVALID, "'output-format: oci-archive' only");
}

Test(build_image, replaces_no_folder_but_a_layout)
{
    engine("buildah");
    ost_test_with(host, "output", "out");
    ost_test_with(host, "output-format", "oci-layout");
    scratch_file("out/precious", "do not touch");
    expect_failure(OST_E_INVALID, "it holds something else than an image");
    scratch_has("out/precious", "do not touch");
    engine("docker");
    ost_test_with(host, "output", "app.tar");
    expect_failure(OST_E_INVALID, "docker writes an image as 'output-format: docker-archive' only");
}

Test(build_image, refuses_bad_inputs)
{
    ost_test_with(host, "build-args", "A");
    expect_failure(OST_E_INVALID, "'A' in 'build-args' is not NAME=value");
    ost_test_with(host, "build-args", "");
    ost_test_with(host, "image", "acme/app:1");
    expect_failure(OST_E_INVALID, "is no name of an image");
    ost_test_with(host, "image", "acme/app");
    ost_test_with(host, "file", "other");
    expect_failure(OST_E_NOT_FOUND, "there is no Dockerfile 'other'");
    ost_test_with(host, "file", "");
    ost_test_with(host, "tags", "a b");
    expect_failure(OST_E_INVALID, "is no tag and no rule");
    ost_test_with(host, "tags", "pr");
    ost_test_on_exec(host, "podman build *", .exit_code = 2);
    expect_failure(OST_E_FAILED, "podman could not build the image (exit code 2)");
    expect_has(ost_test_log(host), "none of the rules in 'tags' says anything about this run");
}

Test(build_image, plans_the_command)
{
    ost_test_with(host, "output", "app.tar");
    ost_test_with(host, "secrets", "TOKEN=hunter2");
    cr_assert_eq(ost_test_run(host, OST_PHASE_PLAN), OST_OK, "%s", ost_test_failure(host));
    expect_has(ost_test_planned(host, 1),
               "build docker in '.': docker build --file Dockerfile --label");
    cr_expect_str_eq(ost_test_planned(host, 2), "tag acme/app:latest");
    cr_expect_str_eq(ost_test_planned(host, 4), "write SHA256SUMS: app.tar");
    cr_expect_eq(ost_test_execs(host, "*"), 0);
}

static void leaves_no_file(struct ost_test *t, const struct ost_test_round *round, void *ctx)
{
    (void)ctx;
    cr_expect_neq(ost_exec(ost_test_step(t), NULL, .flags = OST_EXEC_CHECK,
                           .argv = OST_ARGV("sh", "-c", "ls | grep -E '[.](secret|iid|digest)$'")),
                  OST_OK, "%s: a file of the build is left", round->call);
}

Test(build_image, survives_whatever_fails_and_leaves_no_secret)
{
    engine("podman");
    ost_test_with(host, "secrets", "TOKEN=hunter2hunter2");
    ost_test_with(host, "output", "app.tar");
    cr_expect_gt(ost_test_each_fault(host, .phase = OST_PHASE_MAIN, .after = leaves_no_file), 50);
}
