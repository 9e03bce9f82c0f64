/* Plugins that are programs: JSON lines well spoken, and spoken by somebody who means no good. */
#include "phase.h"

#include "base/clock.h"
#include "base/path.h"
#include "plugin/child/envs.h"
#include "plugin/install.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANIFEST(more)                                                                             \
    "name: X\ndescription: x\n"                                                                    \
    "inputs:\n  who: {default: world}\n  loud: {type: bool, default: 'true'}\n"                    \
    "  n: {type: int}\n  list: {type: list}\n"                                                     \
    "outputs:\n  result: {description: What came out}\n"                                           \
    "runs:\n  using: ostler/1\n  protocol: json-lines\n  id: acme/x\n  version: 1.0.0\n"           \
    "  main: x\n" more

static void write_file(const char *name, const char *text, mode_t mode)
{
    struct err err = ERR_INIT;

    cr_assert_eq(path_write(AT_FDCWD, name, slice_of(text), mode, &err), ERR_OK, "%s", err.text);
}

/* The program SCRIPT in the test's own folder, described and ready. */
static void open_program(struct phase *p, const char *manifest, const char *script)
{
    struct err err = ERR_INIT;

    write_file("action.yml", manifest, 0644);
    write_file("x", script, 0755);
    cr_assert_eq(install_look("x", phase_child, place_loop, &p->plugin, &p->object, &err), ERR_OK,
                 "%s", err.text);
}

#define WITH_PROGRAM(manifest, script)                                                             \
    struct phase p = PHASE_INIT;                                                                   \
    place_open(SANDBOX_NAMESPACES);                                                                \
    open_program(&p, manifest, script)
#define DONE                                                                                       \
    phase_close(&p);                                                                               \
    place_close()

#define SH "#!/bin/sh\nread -r start\n"
#define SAY(json) "echo '" json "'\n"
#define END SAY("{\"do\":\"end\"}")

/* What is said, and what is to be done with the answer to it. */
/* clang-format off */
static const char all_requests[] = SH
    "echo \"$start\" >&2\n"
    "hear() { read -r a; echo \"$a\" >&2; }\n"
    SAY("{\"do\":\"log\",\"text\":\"hello\"}")
    SAY("{\"do\":\"log\",\"level\":\"warning\",\"text\":\"careful\"}")
    SAY("{\"do\":\"annotate\",\"level\":\"error\",\"message\":\"m\",\"title\":\"t\",\"file\":\"f.c\",\"line\":3,\"col\":5}")
    SAY("{\"do\":\"group\",\"title\":\"G\"}")
    SAY("{\"do\":\"group\"}")
    SAY("{\"id\":1,\"do\":\"mask\",\"secret\":\"s3\"}") "hear\n"
    SAY("{\"id\":\"two\",\"do\":\"context\",\"name\":\"github.sha\"}") "hear\n"
    SAY("{\"id\":3,\"do\":\"saved\",\"name\":\"none\"}") "hear\n"
    SAY("{\"do\":\"env\",\"name\":\"N\",\"value\":\"v\"}")
    SAY("{\"do\":\"path\",\"dir\":\"/opt\"}")
    SAY("{\"do\":\"summary\",\"markdown\":\"# S\"}")
    SAY("{\"do\":\"output\",\"name\":\"result\",\"value\":\"r\"}")
    SAY("{\"id\":4,\"do\":\"exec\",\"argv\":[\"sh\",\"-c\",\"echo $MORE; exit 3\"],\"env\":{\"MORE\":\"more\"},\"capture\":true}") "hear\n"
    SAY("{\"id\":5,\"do\":\"exec\",\"argv\":[\"false\"],\"check\":true}") "hear\n"
    SAY("{\"id\":6,\"do\":\"exec\",\"argv\":[\"cat\"],\"input\":\"from stdin\"}") "hear\n"
    SAY("{\"id\":7,\"do\":\"temp\",\"suffix\":\".x\"}") "hear\n"
    SAY("{\"id\":8,\"do\":\"masked\",\"text\":\"t\"}") "hear\n"
    "echo mine > mine.txt\n"
    SAY("{\"do\":\"progress\",\"label\":\"half\",\"done\":1,\"total\":2}")
    END;
/* clang-format on */

BOTH(a_program_is_a_plugin_like_any_other)
{
    WITH_PROGRAM(MANIFEST("  needs: [workspace-write]\n"), all_requests);
    phase_with(&p, "n", "7");
    phase_with(&p, "list", "a\nb");
    phase_run(&p);
    cr_assert_eq(p.end.status, OST_OK, "%s; %s", p.end.text, p.log.ptr);
    phase_said(
        &p, "\"ostler\":1,\"phase\":\"main\",\"inputs\":{\"who\":\"world\",\"loud\":true,\"n\":7,"
            "\"list\":\\[\"a\",\"b\"]}");
    phase_said(
        &p,
        "info: hello\nnote: 3 careful|| 0-0 0-0\nnote: 4 m|t|f.c 3-0 5-0\ngroup: G\nendgroup: \n"
        "mask: s3\n");
    phase_said(&p, "{\"id\":1,\"ok\":true}");
    phase_said(&p, "{\"value\":\"abc123\",\"id\":\"two\",\"ok\":true}");
    phase_said(&p, "{\"value\":null,\"id\":3,\"ok\":true}");
    phase_said(&p, "env: N=v\n*path: /opt\n*summary: # S\n*output: result=r\n");
    phase_said(&p, "{\"exit_code\":3,\"signal\":0,\"output\":\"more\",\"id\":4,\"ok\":true}");
    phase_said(&p,
               "\"id\":5,\"ok\":false,\"code\":\"exit\",\"error\":\"'false' exited with code 1\"}");
    phase_said(&p, "raw: from stdin");
    phase_said(&p, "{\"path\":\"/*.x\",\"id\":7,\"ok\":true}");
    phase_said(&p, "progress: half 1/2");
    phase_said(&p, "\"id\":8,\"ok\":true}");
    cr_assert_eq(place_sh("cat mine.txt; ls -A \"$PWD\"/_temp | grep -c program"), 1);
    cr_assert_not_null(strstr(place_out.ptr, "mine\n0\n"), "%s", place_out.ptr);
    DONE;
}

/* ---- what goes wrong, and what the user sees ---- */

static const struct trouble {
    const char *script, *text; /* an fnmatch pattern */
    ost_status status;
} troubles[] = {
    {SH "echo garbage\nread -r a\n",
     "the plugin wrote what is no request (*): 'garbage'. Its standard output is for requests "
     "alone*",
     OST_E_FAILED},
    {SH "echo '[1]'\n", "the plugin wrote what is no request (no object): '\\[1]'*", OST_E_FAILED},
    {SH "printf '{\"do\":\"log\",\\377\\376}\\n'\n", "the plugin wrote what is no request (*",
     OST_E_FAILED},
    {SH "while :; do printf %0100000d 0; done\n",
     "the plugin wrote a line of more than 8388608 bytes", OST_E_FAILED},
    {SH SAY("{\"do\":\"log\",\"text\":\"x\"}") "kill -9 $$\n",
     "'x' was ended by signal 9 (SIGKILL) before it said that it was done", OST_E_FAILED},
    {SH "kill -SEGV $$\n", "'x' was ended by signal 11 (SIGSEGV) before it said that it was done",
     OST_E_FAILED},
    {SH "exit 3\n", "'x' ended with exit code 3 before it said that it was done", OST_E_FAILED},
    {SH "exit 0\n", "'x' ended with exit code 0 before it said that it was done", OST_E_FAILED},
    {SH "exec >&-\nexec sleep 30\n",
     "'x' closed its standard output before it said that it was done", OST_E_FAILED},
    {SH SAY("{\"id\":1,\"ok\":true}") "read -r a; echo \"$a\" >&2\n" SAY(
         "{\"ok\":true}") "read -r a\n",
     "the plugin sent a request that is none: 'do' is missing", OST_E_FAILED},
    {SH SAY("{\"do\":\"dance\"}") "read -r a\n",
     "the plugin sent a request that is none: there is no request 'dance'", OST_E_FAILED},
    {SH SAY("{\"do\":\"log\"}") "read -r a\n",
     "the plugin sent a request that is none: 'text' is missing", OST_E_FAILED},
    {SH SAY("{\"do\":\"log\",\"text\":\"a\\u0000b\"}") "read -r a\n",
     "the plugin wrote what is no request*", OST_E_FAILED},
    {SH SAY("{\"do\":\"output\",\"name\":\"digezt\",\"value\":\"x\"}") "read -r a\n",
     "acme/x set the undeclared output 'digezt'", OST_E_FAILED},
    {SH SAY("{\"do\":\"end\",\"code\":\"invalid\",\"error\":\"no such colour\"}"), "no such colour",
     OST_E_INVALID},
    {SH SAY("{\"do\":\"end\",\"error\":\"no\"}"), "no", OST_E_FAILED},
    {SH "printf '{\"do\":\"end\",\"code\":\"timeout\"}'\n",
     "acme/x 1.0.0 failed in main (OST_E_TIMEOUT)", OST_E_TIMEOUT},
    {"#!/nowhere/at all\n",
     "cannot start '/nowhere/at', the interpreter of 'x': No such file or directory", OST_E_FAILED},
    {"neither script nor program\n", "cannot start 'x': Exec format error", OST_E_FAILED},
    {SH "echo $(true) | cat\n" END, "'x' ended with exit code * before it said that it was done",
     OST_E_FAILED},
    {SH "echo x > file || exit 9\n" END,
     "'x' ended with exit code [29] before it said that it was done", OST_E_FAILED},
    {SH END "exec >&-\nwhile :; do :; done\n", "", OST_OK}, /* it is killed */
};

BOTH(every_trouble_of_a_program_fails_the_phase_only)
{
    place_open(SANDBOX_NAMESPACES);
    for (size_t i = 0; i < COUNT_OF(troubles); i++) {
        const struct trouble *t = &troubles[i];
        struct phase p = PHASE_INIT;

        open_program(&p, MANIFEST(""), t->script);
        phase_run(&p);
        cr_assert_eq(p.end.status, t->status,
                     "%s: wanted status %d, got %d (%s); it said:\n%.4000s", t->script,
                     (int)t->status, (int)p.end.status, p.end.text, p.log.ptr);
        cr_assert_eq(fnmatch(t->text, p.end.text, 0), 0, "%s: wanted '%s', got '%s'", t->script,
                     t->text, p.end.text);
        phase_close(&p);
    }
    place_close();
}

BOTH(a_program_is_told_of_a_cancel_and_may_clean_up)
{
    WITH_PROGRAM(
        MANIFEST(""),
        SH SAY("{\"do\":\"log\",\"text\":\"waiting\"}") "read -r word\n"
                                                        "echo \"$word\" >&2\n" SAY(
                                                            "{\"id\":1,\"do\":\"exec\",\"argv\":["
                                                            "\"true\"]}") "read -r a\necho \"$a\" "
                                                                          ">&2\n" SAY("{\"do\":"
                                                                                      "\"end\","
                                                                                      "\"code\":"
                                                                                      "\"cancelled"
                                                                                      "\"}"));
    p.cancel_at = "waiting";
    phase_run(&p);
    cr_assert_eq(p.end.status, OST_E_CANCELLED, "%s", p.end.text);
    phase_said(&p, "{\"cancelled\":true}");
    phase_said(&p, "\"ok\":false,\"code\":\"cancelled\"");
    DONE;
}

/* As root only: it takes the whole ladder. */
Test(root, silence_ends_with_the_cancel)
{
    place_enter(false);
    WITH_PROGRAM(MANIFEST(""), SH "exec sleep 60\n");
    int64_t start = clock_ms();
    p.cancel_ms = 100;
    phase_run(&p);
    cr_assert_eq(p.end.status, OST_E_CANCELLED, "%s", p.end.text);
    cr_assert_lt(clock_ms() - start, PLUGIN_KILL_MS + 8000);
    DONE;
    place_leave();
}

/* ---- manifests ---- */

Test(contract, a_manifest_that_cannot_be_used_says_why)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {MANIFEST("  needs: [magic]\n"),
         "'./action.yml': 'needs' holds 'magic', which this runner does not know"},
        {MANIFEST("  needs: network\n"), "./action.yml:*: 'needs' is a list"},
        {MANIFEST("  post: other\n"),
         "./action.yml:*: 'post' has to name the same program as 'main'"},
        {MANIFEST("  plan: perhaps\n"), "./action.yml:*: 'plan' is true or false"},
        {"runs: {using: ostler/1, protocol: json-lines, main: x, version: 1.0.0}",
         "./action.yml:1:7: a plugin that is a program says its 'id' here"},
        {"runs: {using: ostler/1, protocol: json-lines, main: , id: a/b, version: 1.0.0}",
         "./action.yml:1:7: a plugin that is a program says its 'main' here"},
        {"runs: {using: ostler/1, protocol: object, main: x, id: a/b, version: 1.0.0}",
         "'./action.yml': a shared object has no manifest*"},
        {"runs: {using: ostler/1, protocol: carrier-pigeon, main: x, id: a/b, version: 1.0.0}",
         "'./action.yml': the protocol 'carrier-pigeon' is none: 'json-lines' and 'plugin-env' "
         "are"},
        {"runs: {using: ostler/1, protocol: json-lines, main: ../x, id: a/b, version: 1.0.0}",
         "'./action.yml': 'object' is not the name of a file beside the record"},
        {"runs: {using: ostler/1, protocol: plugin-env, main: x, post: x, id: a/b, version: 1.0.0}",
         "'./action.yml': a plugin of 'plugin-env' has no 'pre' and 'post'"},
        {"inputs: {a: {type: colour}}\nruns: {using: ostler/1, protocol: json-lines, main: x, id: "
         "a/b, version: 1.0.0}",
         "'./action.yml': input 'a' has a type that this runner does not know"},
        {"inputs: [a]\nruns: {using: ostler/1, protocol: json-lines, main: x, id: a/b, version: "
         "1.0.0}",
         "./action.yml:1:9: 'inputs' is a mapping of names"},
        {"runs: {", "./action.yml:*"},
        {"name: other\nruns: {using: node20, main: x}",
         "'./action.yml' is no manifest of a plugin that is a program*"},
    };

    place_enter(false);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct plugin *p = NULL;
        struct err err = ERR_INIT;
        int fd = -1;

        write_file("action.yml", rows[i].text, 0644);
        write_file("x", "#!/bin/sh\n", 0755);
        cr_assert_lt(install_look("action.yml", phase_child, place_loop, &p, &fd, &err), 0,
                     "row %zu", i);
        cr_assert_eq(fnmatch(rows[i].why, err.text, 0), 0, "row %zu: wanted '%s', got '%s'", i,
                     rows[i].why, err.text);
    }
    write_file("action.yml", MANIFEST(""), 0644);
    write_file("x", "#!/bin/sh\n", 0644);
    struct plugin *p = NULL;
    struct err err = ERR_INIT;
    int fd = -1;
    cr_assert_eq(install_look("x", phase_child, place_loop, &p, &fd, &err), ERR_INVALID);
    cr_assert_eq(fnmatch("'*x' is not executable (chmod +x '*x')", err.text, 0), 0, "%s", err.text);
    place_leave();
}

/* ---- settings of Drone and Woodpecker ---- */

Test(envs, settings_are_named_and_written_as_documented)
{
    static const struct {
        const char *name;
        int type;
        const char *value, *want;
    } rows[] = {
        {"url", OST_STRING, "https://x", "PLUGIN_URL=https://x"},
        {"some-bool", OST_BOOL, "false", "PLUGIN_SOME_BOOL=false"},
        {"some_String", OST_STRING, "hello", "PLUGIN_SOME_STRING=hello"},
        {"anInt", OST_INT, "3", "PLUGIN_ANINT=3"},
        {"tags", OST_LIST, "latest\n 1.0 \n\n", "PLUGIN_TAGS=latest,1.0"},
        {"one", OST_LIST, "a", "PLUGIN_ONE=a"},
        {"map", OST_STRING, "{\"a\": [1, 2]}", "PLUGIN_MAP={\"a\": [1, 2]}"},
        {"text", OST_STRING, "two\nlines", "PLUGIN_TEXT=two\nlines"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT(1000);

        envs_setting(&text, rows[i].name, rows[i].type, slice_of(rows[i].value));
        cr_expect_str_eq(text.ptr, rows[i].want, "wanted '%s', got '%s'", rows[i].want, text.ptr);
    }
}
