/* The phases, against a registry of a hundred lines that keeps its blobs as files. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <ostler/test.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../lib/text.h"
#include "digest.h"
#include "kit/scratch.h"
#include "kit/server.h"

extern const struct ost_plugin ostler_plugin_v1;

static struct ost_test *job, *memory;
static struct ost_step *step; /* of MEMORY: for what outlives a run */

/* ---- an archive, as `docker save` writes it ---- */

static void put_member(int fd, const char *name, const char *data, size_t size)
{
    static const char zeros[512];
    char head[512] = {0};
    unsigned sum = 0;

    snprintf(head, 100, "%s", name);
    snprintf(head + 100, 8, "0000644");
    snprintf(head + 124, 12, "%011zo", size);
    snprintf(head + 136, 12, "00000000000");
    memset(head + 148, ' ', 8);
    head[156] = '0';
    memcpy(head + 257, "ustar\00000", 8);
    for (int i = 0; i < 512; i++)
        sum += (unsigned char)head[i];
    snprintf(head + 148, 8, "%06o", sum);
    cr_assert(write(fd, head, 512) == 512 && write(fd, data, size) == (ssize_t)size &&
              write(fd, zeros, (512 - size % 512) % 512) >= 0);
}

static const char *made_config; /* of the archive written last */

static void write_archive(const char *path, const char *first, const char *second)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const char *list =
        "[{\"Config\":\"c.json\",\"RepoTags\":[\"team/app:1\"],\"Layers\":[\"1.tar\","
        "\"2/layer.tar\"]}]";
    char zeros[1024] = {0};

    made_config =
        ost_fmt(step,
                "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":"
                "\"layers\",\"diff_ids\":[\"%s\",\"%s\"]}}",
                digest_of(step, first, strlen(first)), digest_of(step, second, strlen(second)));
    put_member(fd, "2/layer.tar", second, strlen(second));
    put_member(fd, "1.tar", first, strlen(first));
    put_member(fd, "c.json", made_config, strlen(made_config));
    put_member(fd, "manifest.json", list, strlen(list));
    cr_assert_eq(write(fd, zeros, sizeof zeros), (ssize_t)sizeof zeros);
    close(fd);
}

/* ---- the registry ---- */

static void note(const char *line, size_t size)
{
    int fd = open("registry.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    (void)!write(fd, line, size);
    (void)!write(fd, "\n", 1);
    close(fd);
}

static void keep(const char *name, const char *data, size_t size)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    (void)!write(fd, data, size);
    close(fd);
}

/* The file of the last part of the path, without its query: "sha256:..." or a tag. */
static const char *file_of(const char *path)
{
    static char name[300];
    const char *digest = strstr(path, "digest=");
    const char *last = digest ? digest + 7 : strrchr(path, '/') + 1;

    snprintf(name, sizeof name, "kept.%.*s", (int)strcspn(last, " ?&"), last);
    return name;
}

static void registry(int fd, const struct server_request *q)
{
    size_t line = strcspn(q->head, "\r\n");
    char path[600];

    note(q->head, line);
    snprintf(path, sizeof path, "%.*s", (int)strcspn(strchr(q->head, ' ') + 1, " "),
             strchr(q->head, ' ') + 1);
    if (strncmp(q->head, "HEAD ", 5) == 0 || strncmp(q->head, "GET ", 4) == 0)
        server_answer(fd, access(file_of(path), F_OK) == 0 ? "200 OK" : "404 Not Found", "", "", 0);
    else if (strncmp(q->head, "POST ", 5) == 0)
        server_answer(fd, "202 Accepted", "Location: /upload/1?state=hidden-state\r\n", "", 0);
    else if (strncmp(q->head, "PUT ", 4) == 0) {
        keep(file_of(path), q->body, q->body_size);
        server_answer(fd, "201 Created", "", "", 0);
    } else
        server_answer(fd, "204 No Content", "", "", 0);
}

static void registry_that_hangs(int fd, const struct server_request *q)
{
    if (strncmp(q->head, "PUT /upload", 11) == 0) {
        note(q->head, strcspn(q->head, "\r\n"));
        sleep(30);
    } else {
        registry(fd, q);
    }
}

static const char *said_to_registry(void)
{
    size_t size;
    char *text = file_read(step, "registry.log", 1 << 20, &size);

    return text ? text : "";
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;

    for (; (text = strstr(text, part)); text++)
        n++;
    return n;
}

static void enter(void)
{
    scratch_enter();
    job = ost_test_new(&ostler_plugin_v1);
    memory = ost_test_new(&ostler_plugin_v1);
    step = ost_test_step(memory);
    for (int which = OST_DIR_WORKSPACE; which <= OST_DIR_SELF; which++)
        ost_test_dir(job, which, scratch_path);
    write_archive("app.tar", "first layer", "second layer");
    ost_test_with(job, "source", "app.tar");
    ost_test_context(job, "github.sha", "0123456789abcdef0123456789abcdef01234567");
    ost_test_context(job, "github.ref", "refs/heads/main");
}

static void leave(void)
{
    ost_test_free(job);
    ost_test_free(memory);
    server_stop();
    scratch_leave();
}

TestSuite(docker_push, .init = enter, .fini = leave);

static const char *to(server_fn *fn)
{
    const char *image = ost_fmt(step, "%s/team/app", server_start(fn) + strlen("http://"));

    ost_test_with(job, "image", image);
    return image;
}

static void expect_failure(ost_status status, const char *text)
{
    ost_status got = ost_test_run(job, OST_PHASE_MAIN);

    cr_expect_eq(got, status, "wanted %d, got %d: %s\n%s", status, got, ost_test_failure(job),
                 ost_test_log(job));
    cr_expect(strstr(ost_test_failure(job), text), "wanted '%s', got: %s", text,
              ost_test_failure(job));
}

Test(docker_push, sends_blobs_then_the_manifest_under_each_tag)
{
    const char *image = to(registry), *digest;
    char *manifest;
    size_t size;

    ost_test_with(job, "tags", "1.2\nsha:7");
    cr_assert_eq(ost_test_run(job, OST_PHASE_MAIN), OST_OK, "%s", ost_test_failure(job));
    cr_expect_str_eq(ost_test_output(job, "imageid"),
                     digest_of(step, made_config, strlen(made_config)));
    digest = span_dup(step, span_of(ost_test_output(job, "digest")));
    manifest = file_read(step, "kept.1.2", 1 << 20, &size);
    cr_assert_not_null(manifest);
    cr_expect_str_eq(digest, digest_of(step, manifest, size));
    cr_expect(file_exists("kept.sha-0123456"));
    cr_expect_str_eq(ost_test_output(job, "tags"),
                     ost_fmt(step, "%s:1.2\n%s:sha-0123456", image, image));
    cr_expect_str_eq(ost_test_output(job, "references"), ost_fmt(step, "%s@%s", image, digest));
    cr_expect_eq(count(said_to_registry(), "PUT /upload"), 3);
    cr_expect(strstr(ost_test_summary(job), digest));
    cr_expect_null(strstr(ost_test_log(job), "hidden-state"));

    cr_assert_eq(ost_test_run(job, OST_PHASE_MAIN), OST_OK, "%s", ost_test_failure(job));
    cr_expect_str_eq(ost_test_output(job, "digest"), digest, "packed again, it is the same");
    cr_expect_eq(count(said_to_registry(), "PUT /upload"), 3, "nothing was sent twice");
}

Test(docker_push, packs_layers_so_that_they_are_always_the_same)
{
    /* gzip: no name, time 0, OS 255; by zlib 1.2 and later at level 6. */
    static const unsigned char head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
    size_t size, n = 0;
    const char *rest;
    char *manifest;

    to(registry);
    cr_assert_eq(ost_test_run(job, OST_PHASE_MAIN), OST_OK, "%s", ost_test_failure(job));
    manifest = file_read(step, "kept.latest", 1 << 20, &size);
    for (rest = strstr(manifest, "\"layers\""); (rest = strstr(rest, "sha256:")); rest++, n++) {
        char *layer = file_read(step, ost_fmt(step, "kept.%.*s", (int)strcspn(rest, "\""), rest),
                                1 << 20, &size);

        cr_assert(layer && size > sizeof head);
        cr_expect_eq(memcmp(layer, head, sizeof head), 0);
    }
    cr_expect_eq(n, 2);
}

Test(docker_push, plans_without_a_network)
{
    ost_test_with(job, "image", "ghcr.io/acme/app\nacme/app");
    ost_test_with(job, "tags", "branch");
    cr_assert_eq(ost_test_run(job, OST_PHASE_PLAN), OST_OK, "%s", ost_test_failure(job));
    cr_expect_str_eq(ost_test_planned(job, 0),
                     "push ghcr.io/acme/app:branch-main: app.tar: linux/amd64, 2 layers, 248 B");
    cr_expect(strstr(ost_test_planned(job, 1), "push docker.io/acme/app:branch-main: "));
    ost_test_with(job, "source", "later.tar");
    cr_assert_eq(ost_test_run(job, OST_PHASE_PLAN), OST_OK, "%s", ost_test_failure(job));
    cr_expect_str_eq(ost_test_planned(job, 0), "push ghcr.io/acme/app:branch-main: later.tar");
    ost_test_with(job, "source", "engine:app:1");
    cr_assert_eq(ost_test_run(job, OST_PHASE_PLAN), OST_OK, "%s", ost_test_failure(job));
    cr_expect_eq(ost_test_execs(job, "*"), 0);
}

Test(docker_push, refuses_inputs_that_make_no_sense)
{
    static const struct {
        const char *name, *value, *why;
    } rows[] = {
        {"image", "", "nothing says where to push to"},
        {"image", "ghcr.io/Acme/app", "no capital letters"},
        {"image", "a@sha256:1", "no digest"},
        {"source", "", "nothing says what to push"},
        {"source", "engine:", "names no image"},
        {"source", "engine:-o", "names no image"},
        {"level", "10", "'level' is 10; it may be 0 to 9"},
        {"parallel", "0", "'parallel' is 0; it may be 1 to 16"},
        {"chunk-size", "-1", "'chunk-size' is -1"},
        {"password", "x", "'password' is given without 'username'"},
        {"ca-file", "none.pem", "there is no file 'none.pem'"},
        {"tags", "semver", "give no tag for 'refs/heads/main'"},
        {"platforms", "linux/arm64", "there is no image for the platform 'linux/arm64'"},
    };

    for (size_t i = 0; i < OST_COUNT(rows); i++) {
        OST_TEST(t, &ostler_plugin_v1);

        for (int which = OST_DIR_WORKSPACE; which <= OST_DIR_SELF; which++)
            ost_test_dir(t, which, scratch_path);
        ost_test_context(t, "github.ref", "refs/heads/main");
        ost_test_with(t, "source", "app.tar");
        ost_test_with(t, "image", "127.0.0.1:1/team/app");
        ost_test_with(t, rows[i].name, rows[i].value);
        cr_expect_lt(ost_test_run(t, OST_PHASE_MAIN), 0, "row %zu", i);
        cr_expect(strstr(ost_test_failure(t), rows[i].why), "row %zu: %s", i, ost_test_failure(t));
    }
}

Test(docker_push, takes_images_from_an_engine)
{
    to(registry);
    ost_test_with(job, "source", "engine:team/app:1");
    ost_test_on_exec(job, "docker save *", .status = OST_E_NOT_FOUND);
    ost_test_on_exec(job, "podman save team/app:1", .out_file = "app.tar");
    cr_assert_eq(ost_test_run(job, OST_PHASE_MAIN), OST_OK, "%s", ost_test_failure(job));
    cr_expect_str_eq(ost_test_output(job, "imageid"),
                     digest_of(step, made_config, strlen(made_config)));
    ost_test_on_exec(job, "podman save team/app:1", .exit_code = 125, .err = "no such image\n");
    expect_failure(OST_E_FAILED, "podman has no image 'team/app:1' to save: no such image");
    ost_test_with(job, "engine", "docker");
    expect_failure(OST_E_NOT_FOUND, "there is no docker in this job");
}

Test(docker_push, refuses_archives_that_are_damaged)
{
    int fd;

    to(registry);
    fd = open("app.tar", O_WRONLY | O_CLOEXEC); /* a byte of the first member, layer 2 */
    cr_assert_eq(pwrite(fd, "X", 1, 512), 1);
    close(fd);
    expect_failure(OST_E_INVALID, "layer 2 of 'app.tar' is damaged: it is not what");
    cr_assert_eq(truncate("app.tar", 1500), 0);
    expect_failure(OST_E_INVALID, "'app.tar'");
    cr_expect_eq(count(said_to_registry(), "PUT /v2"), 0, "no manifest");
}

/* ---- whatever happens ---- */

static void forget(struct ost_test *t, const struct ost_test_round *round, void *ctx)
{
    (void)t;
    (void)round;
    (void)ctx;
    (void)unlink("kept.latest");
}

Test(docker_push, survives_every_fault_and_every_cancel, .timeout = 120)
{
    to(registry);
    cr_expect_gt(ost_test_each_fault(job, .phase = OST_PHASE_PLAN), 0);
    cr_expect_gt(ost_test_each_fault(job, .phase = OST_PHASE_MAIN, .before = forget), 0);
}

static void on_alarm(int number)
{
    (void)number;
    ost_test_cancel(job, 1); /* the next call of a service, of which the loop makes one each turn */
}

Test(docker_push, closes_open_uploads_when_it_is_cancelled, .timeout = 60)
{
    struct timespec start, end;

    to(registry_that_hangs);
    signal(SIGALRM, on_alarm);
    alarm(2);
    clock_gettime(CLOCK_MONOTONIC, &start);
    cr_expect_eq(ost_test_run(job, OST_PHASE_MAIN), OST_E_CANCELLED);
    clock_gettime(CLOCK_MONOTONIC, &end);
    cr_expect_lt(end.tv_sec - start.tv_sec, 8);
    cr_expect_eq(count(said_to_registry(), "DELETE /upload"), 3, "%s", said_to_registry());
}
