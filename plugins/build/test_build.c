#include <ostler/plugin.h>

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include <ostler/test.h>
#include "kit/scratch.h"

extern const struct ost_plugin ostler_plugin_v1;

static struct ost_test *host;

static void enter(void)
{
    scratch_enter();
    host = ost_test_new(&ostler_plugin_v1);
}

static void leave(void)
{
    ost_test_free(host);
    scratch_leave();
}

TestSuite(build, .init = enter, .fini = leave);

static void expect_has(const char *text, const char *part)
{
    cr_expect(text && strstr(text, part), "wanted '%s' in:\n%s", part, text ? text : "(nothing)");
}

static void expect_ok(void)
{
    ost_status r = ost_test_run(host, OST_PHASE_MAIN);

    cr_assert_eq(r, OST_OK, "%d: %s\n%s", r, ost_test_failure(host), ost_test_log(host));
}

static void expect_failure(ost_status status, const char *text)
{
    ost_status got = ost_test_run(host, OST_PHASE_MAIN);

    cr_expect_eq(got, status, "wanted %d, got %d: %s\n%s", status, got, ost_test_failure(host),
                 ost_test_log(host));
    expect_has(ost_test_failure(host), text);
}

static void expect_output(const char *name, const char *value)
{
    const char *got = ost_test_output(host, name);

    cr_expect_str_eq(got ? got : "(none)", value, "%s is '%s'", name, got ? got : "(none)");
}

/* ---- kinds ---- */

Test(build, finds_what_a_folder_is)
{
    static const struct {
        const char *file, *text, *kind, *commands[3];
    } rows[] = {
        {"package.json",
         "{\"scripts\":{\"build\":\"x\"}}",
         "npm",
         {"npm install --no-audit --no-fund", "npm run build"}},
        {"CMakeLists.txt",
         "",
         "cmake",
         {"cmake -S . -B build -DCMAKE_BUILD_TYPE=Release",
          "cmake --build build --config Release --parallel"}},
        {"go.mod", "module x\n", "go", {"go build -trimpath -o bin/ ./..."}},
        {"pyproject.toml",
         "[build-system]\n",
         "python",
         {"python3 -m pip wheel --no-deps --wheel-dir dist ."}},
        {"setup.py", "", "python", {"python3 -m pip wheel --no-deps --wheel-dir dist ."}},
    };

    scratch_file("p/bin/app", "made");
    scratch_file("p/dist/x.whl", "made");
    ost_test_with(host, "path", "p");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[64];

        snprintf(path, sizeof path, "p/%s", rows[i].file);
        scratch_file(path, rows[i].text);
        expect_ok();
        expect_output("kind", rows[i].kind);
        expect_output("skipped", "false");
        for (size_t j = 0; rows[i].commands[j]; j++)
            cr_expect_eq(ost_test_execs(host, rows[i].commands[j]), 1, "%s", rows[i].commands[j]);
        cr_assert_eq(unlink(path), 0);
    }
}

Test(build, takes_no_guess)
{
    expect_failure(OST_E_NOT_FOUND, "there is nothing in '.' that says how to build it");
    scratch_file("package.json", "{\"scripts\":{\"test\":\"x\"}}");
    scratch_file("pyproject.toml", "[tool.black]\n");
    expect_failure(OST_E_NOT_FOUND, "there is nothing in '.'");
    scratch_file("go.mod", "");
    scratch_file("CMakeLists.txt", "");
    expect_failure(OST_E_INVALID, "'.' has a CMakeLists.txt and a go.mod: say with 'kind' which of "
                                  "them is to be built, cmake or go");
    ost_test_with(host, "command", "make");
    expect_ok();
    expect_output("kind", "command");
    ost_test_with(host, "path", "nowhere");
    expect_failure(OST_E_NOT_FOUND, "there is no folder 'nowhere' in the workspace");
}

Test(build, gives_each_tool_the_words_it_is_told)
{
    scratch_file("CMakeLists.txt", "");
    scratch_file("package.json", "{\"scripts\":{\"pack\":\"x\"}}");
    scratch_file("package-lock.json", "{}");
    ost_test_with(host, "kind", "cmake");
    ost_test_with(host, "arguments", "-DA=a b\n-G\nNinja");
    ost_test_with(host, "build-type", "Debug");
    ost_test_with(host, "target", "app");
    ost_test_with(host, "install-prefix", "out");
    expect_ok();
    cr_expect_eq(ost_test_execs(host, "cmake -S . -B build -DCMAKE_BUILD_TYPE=Debug -DA=a b -G "
                                      "Ninja"),
                 1);
    cr_expect_eq(ost_test_execs(host, "cmake --build build --config Debug --parallel --target app"),
                 1);
    cr_expect_eq(ost_test_execs(host, "cmake --install build --config Debug --prefix */out"), 1);
    ost_test_with(host, "preset", "ci");
    expect_ok();
    cr_expect_eq(ost_test_execs(host, "cmake --preset ci -DA=a b -G Ninja"), 1);

    ost_test_with(host, "kind", "npm");
    ost_test_with(host, "script", "pack");
    ost_test_with(host, "arguments", "--mode=x");
    expect_ok();
    cr_expect_eq(ost_test_execs(host, "npm ci *"), 1);
    cr_expect_eq(ost_test_execs(host, "npm run pack -- --mode=x"), 1);
}

Test(build, tells_what_failed)
{
    ost_test_with(host, "kind", "command");
    expect_failure(OST_E_INVALID, "'kind: command' needs the 'command'");
    ost_test_with(host, "command", "make secret=1");
    ost_test_on_exec(host, "sh *", .exit_code = 3);
    expect_failure(OST_E_FAILED, "'command' failed (exit code 3)");
    ost_test_on_exec(host, "sh *", .status = OST_E_NOT_FOUND);
    expect_failure(OST_E_NOT_FOUND, "there is no 'sh' in this job");
    ost_test_on_exec(host, "sh *", .exit_code = 0);
    ost_test_with(host, "artifacts", "dist/**");
    expect_failure(OST_E_NOT_FOUND, "nothing matches 'artifacts' (dist/**)");
}

/* ---- artifacts ---- */

Test(build, collects_what_was_built)
{
    ost_test_exec_for_real(host, NULL);
    ost_test_with(host, "command", "mkdir dist; echo bee > dist/b; echo a > dist/a");
    ost_test_with(host, "artifacts", "dist/**");
    ost_test_with(host, "artifact", "app");
    ost_test_with(host, "provenance", "dist/provenance.json");
    expect_ok();
    scratch_has("SHA256SUMS",
                "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7  dist/a\n"
                "c150e5a8a604acebd8d15bd7bf8ea96b2874bdcc91dee6319977d353251283b0  dist/b\n");
    expect_output("checksums", "SHA256SUMS");
    expect_output("provenance", "dist/provenance.json");
    expect_output("artifacts",
                  "[{\"path\":\"dist/a\",\"sha256\":\"87428fc522803d31065e7bce3cf03fe475096631e5e07"
                  "bbd7a0fde60c4cf25c7\",\"size\":2},{\"path\":\"dist/b\",\"sha256\":\"c150e5a8a604"
                  "acebd8d15bd7bf8ea96b2874bdcc91dee6319977d353251283b0\",\"size\":4}]");
    cr_assert(ost_test_has_artifact(host, "app"));
    cr_expect_str_eq(ost_test_artifact_file(host, "app", "dist/b"), "bee\n");
    expect_has(ost_test_summary(host), "| `dist/b` | 4 | `c150e5a8");
    expect_has(ost_test_log(host),
               "info: building (command): 'inputs' is not set, so it is built every time");
    cr_expect_eq(ost_exec(ost_test_step(host), NULL, .flags = OST_EXEC_CHECK,
                          .argv = OST_ARGV("sha256sum", "--quiet", "--check", "SHA256SUMS")),
                 OST_OK);
}

/* ---- skipping ---- */

/* A real build of one file from one other, and a cache that keeps what it is given. The host's caches keep names
 * only, so nothing is removed here and what was kept lies where it is restored to. */
static void skippable(void)
{
    ost_test_exec_for_real(host, NULL);
    ost_test_on_exec(host, "rm -rf -- .ostler-build", .exit_code = 0);
    ost_test_with(host, "command", "cat src/* > out; echo x >> runs");
    ost_test_with(host, "artifacts", "out");
    ost_test_with(host, "inputs", "src/**");
    ost_test_with(host, "tools", "sh -c true\necho 1.2.3");
    ost_test_with(host, "environment", "HOME");
    scratch_file("src/a", "a\n");
    scratch_file("src/b", "b\n");
}

Test(build, skips_what_has_been_built_of_the_same_facts)
{
    skippable();
    expect_ok();
    expect_output("skipped", "false");
    ost_test_said(host, "info: building (command): nothing like it has been built before*");
    scratch_has("runs", "x\n");
    expect_ok();
    expect_output("skipped", "true");
    ost_test_said(host, "info: skipped: nothing that the result depends on has changed");
    scratch_has("runs", "x\n");
    expect_has(ost_test_output(host, "artifacts"), "\"path\":\"out\"");
}

Test(build, tells_in_a_line_why_it_builds_again)
{
    skippable();
    expect_ok();
    scratch_file("src/a", "c\n");
    expect_ok();
    ost_test_said(host, "info: building (command): 'src/a' changed");
    ost_test_with(host, "tools", "echo 1.2.4");
    expect_ok();
    ost_test_said(host, "info: building (command): the tool 'echo' is now 1.2.4, and was 1.2.3*");
    ost_test_with(host, "command", "cat src/* > out");
    scratch_file("src/c", "");
    expect_ok();
    ost_test_said(host, "info: building (command): 'src/c' is new, and 1 more");
    scratch_has("runs", "x\nx\nx\n");
}

Test(build, never_skips_when_something_cannot_be_told)
{
    static const struct {
        const char *input, *value, *why;
    } rows[] = {
        {"inputs", "none/**", "'inputs' matches no file"},
        {"tools", "false", "'false' does not tell its version"},
        {"environment", "A-B", "'A-B' is no name of a variable"},
        {"inputs", "link", "cannot read 'link'"},
        {"inputs", "/etc/hostname", "lies outside of the workspace"},
    };

    skippable();
    cr_assert_eq(symlink("/etc/hostname", "link"), 0);
    expect_ok();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ost_test_with(host, "inputs", "src/**");
        ost_test_with(host, "tools", "echo 1.2.3");
        ost_test_with(host, "environment", "HOME");
        ost_test_with(host, rows[i].input, rows[i].value);
        expect_ok();
        expect_output("skipped", "false");
        expect_has(ost_test_log(host), rows[i].why);
    }
    ost_test_without(host, OST_EXT_CACHE);
    expect_ok();
    expect_has(ost_test_log(host), "this job has no cache to keep results in");
}

Test(build, builds_again_when_what_was_kept_is_not_whole)
{
    skippable();
    ost_test_with(host, "artifacts", "out*");
    expect_ok();
    scratch_file("out2", "of something else");
    expect_ok();
    expect_output("skipped", "false");
    ost_test_said(host, "warning: what was kept is not all that is there now*");
}

Test(build, keeps_the_jobs_of_a_matrix_apart)
{
    skippable();
    ost_test_with(host, "matrix", "{\"os\": \"a\"}");
    expect_ok();
    ost_test_with(host, "matrix", "{\"os\": \"b\"}");
    expect_ok();
    expect_output("skipped", "false");
    ost_test_said(host, "info: building (command): nothing like it has been built before*");
}

/* ---- plan ---- */

Test(build, plans_without_running_anything)
{
    skippable();
    ost_test_with(host, "artifact", "app");
    ost_test_with(host, "provenance", "p.json");
    cr_assert_eq(ost_test_run(host, OST_PHASE_PLAN), OST_OK, "%s", ost_test_failure(host));
    cr_expect_eq(ost_test_execs(host, "*"), 0);
    cr_expect_str_eq(ost_test_planned(host, 0),
                     "skip if it has been built before: from the same 2 files, with the same "
                     "settings, tools and variables");
    expect_has(ost_test_planned(host, 1), "build command in '.': sh -e -c cat src/* > out");
    cr_expect_str_eq(ost_test_planned(host, 2), "write SHA256SUMS: out");
    expect_has(ost_test_planned(host, 3), "write p.json: provenance");
    cr_expect_str_eq(ost_test_planned(host, 4), "upload the artifact 'app': out");
    ost_test_with(host, "inputs", "");
    cr_assert_eq(ost_test_run(host, OST_PHASE_PLAN), OST_OK);
    cr_expect_str_eq(ost_test_planned(host, 0),
                     "build in any case: 'inputs' is not set, so it is built every time");
}

/* ---- whatever fails ---- */

/* An upload's name is taken once; what is there from the round before is no result. */
static void before_round(struct ost_test *t, const struct ost_test_round *round, void *ctx)
{
    (void)ctx;
    scratch_file("out", "old");
    ost_test_with(t, "artifact", ost_fmt(ost_test_step(t), "app %d %d", round->cancel, round->nth));
}

Test(build, survives_whatever_fails_and_stops_when_cancelled)
{
    skippable();
    ost_test_with(host, "provenance", "p.json");
    cr_expect_gt(ost_test_each_fault(host, .phase = OST_PHASE_MAIN, .before = before_round), 100);
}
