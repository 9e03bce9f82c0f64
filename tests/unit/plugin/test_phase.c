/* Phases of real plugins in a real sandbox, as root and as an ordinary user. */
#include "phase.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <fnmatch.h>

/* The test's own place, opened and closed around it. */
#define WITH_PLACE(level)                                                                          \
    struct phase p = PHASE_INIT;                                                                   \
    place_open(level)
#define DONE                                                                                       \
    phase_close(&p);                                                                               \
    place_close()

BOTH(says_hello)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_open(&p, "hello");
    phase_with(&p, "LOUD", "True");
    phase_run(&p);
    cr_assert_eq(p.end.status, OST_OK, "%s", p.end.text);
    phase_said(&p, "info: Hello, world!\noutput: greeting=Hello, world!\n");
    DONE;
}

BOTH(says_hello_without_namespaces)
{
    WITH_PLACE(SANDBOX_HOST);
    phase_open(&p, "hello");
    phase_run(&p);
    cr_assert_eq(p.end.status, OST_OK, "%s", p.end.text);
    phase_said(&p, "Hello, world.");
    DONE;
}

/* ---- what goes wrong, and what the user sees ---- */

static const struct trouble {
    const char *what, *text; /* an fnmatch pattern */
    enum plugin_end_kind kind;
    ost_status status;
} troubles[] = {
    {"null", "acme/many 1.4.2 crashed in main (SIGSEGV at many.so+0x*)", PLUGIN_BROKE,
     OST_E_FAILED},
    {"crash-after-exec", "acme/many 1.4.2 crashed in main (SIGSEGV at many.so+0x*, after exec #3)",
     PLUGIN_BROKE, OST_E_FAILED},
    {"abort", "acme/many 1.4.2 crashed in main (SIGABRT at many.so+0x*)", PLUGIN_BROKE,
     OST_E_FAILED},
    {"null-to-libc", "acme/many 1.4.2 crashed in main (SIGSEGV at many.so+0x*)", PLUGIN_BROKE,
     OST_E_FAILED},
    {"bad-string", "acme/many 1.4.2 crashed in main (SIGSEGV at many.so+0x*)", PLUGIN_BROKE,
     OST_E_FAILED},
    {"overflow", "acme/many 1.4.2 crashed in main (SIGSEGV at many.so+0x*)", PLUGIN_BROKE,
     OST_E_FAILED},
    {"exit", "acme/many 1.4.2 ended its process in main (exit code 3) instead of returning",
     PLUGIN_BROKE, OST_E_FAILED},
    {"undeclared-input", "acme/many asked for the undeclared input 'tagz'", PLUGIN_BROKE,
     OST_E_FAILED},
    {"undeclared-output", "acme/many set the undeclared output 'digezt'", PLUGIN_BROKE,
     OST_E_FAILED},
    {"positive", "returned the unknown status 5", PLUGIN_RETURNED, OST_E_FAILED},
    {"unknown-code", "acme/many 1.4.2 failed in main (OST_E_FAILED)", PLUGIN_RETURNED,
     OST_E_FAILED},
    {"fail-with-text", "no such colour", PLUGIN_RETURNED, OST_E_INVALID},
    {"fail-with-last-error", "'sh -c 'exit 4'' exited with code 4", PLUGIN_RETURNED, OST_E_EXIT},
    {"fail-with-nothing", "acme/many 1.4.2 failed in main (OST_E_TIMEOUT)", PLUGIN_RETURNED,
     OST_E_TIMEOUT},
};

BOTH(every_trouble_fails_the_phase_only_and_is_named)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    for (size_t i = 0; i < COUNT_OF(troubles); i++) {
        const struct trouble *t = &troubles[i];

        phase_do(&p, t->what, t->status);
        cr_assert_eq(fnmatch(t->text, p.end.text, 0), 0, "%s: wanted '%s', got '%s'", t->what,
                     t->text, p.end.text);
        cr_assert_eq(p.end.kind, t->kind, "%s", t->what);
    }
    phase_do(&p, "say", OST_OK); /* and the runner goes on */
    DONE;
}

/* ---- time ---- */

BOTH(an_endless_loop_is_killed_twelve_seconds_after_the_cancel)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    int64_t start = clock_ms();
    p.cancel_at = "looping";
    phase_do(&p, "loop", OST_E_CANCELLED);
    int64_t took = clock_ms() - start;
    cr_assert(took >= PLUGIN_KILL_MS && took < PLUGIN_KILL_MS + 5000, "%lld ms", (long long)took);
    cr_assert_str_eq(p.end.text,
                     "acme/many 1.4.2 did not stop within 12 s of being cancelled and was killed");
    DONE;
}

BOTH(a_cancel_wakes_a_plugin_that_waits_and_refuses_more_commands)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    p.cancel_at = "waiting";
    phase_do(&p, "wait-for-cancel", OST_E_CANCELLED);
    phase_said(&p, "info: cancelled=1 exec=-5");
    DONE;
}

BOTH(a_cancel_interrupts_a_running_command_first)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    p.cancel_ms = 500;
    phase_do(&p, "exec-until-cancel", OST_E_CANCELLED);
    phase_said(&p, "raw: caught");
    DONE;
}

BOTH(the_time_left_is_that_of_the_caller)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_do(&p, "time-left", OST_OK);
    phase_said(&p, "info: none");
    p.deadline_ms = clock_ms() + 60000;
    phase_do(&p, "time-left", OST_OK);
    phase_said(&p, "info: some");
    DONE;
}

/* ---- limits ---- */

BOTH(a_flood_costs_the_runner_no_memory_and_ends_with_the_cancel)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    p.cancel_ms = 300;
    phase_do(&p, "flood", OST_E_CANCELLED);
    cr_assert_gt(p.log_bytes, 1u << 20);
    DONE;
}

BOTH(what_is_too_large_is_refused_by_name)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_do(&p, "big-texts", OST_OK);
    phase_said(&p, "info: output=-7\ninfo: error=output: more than 1048576 bytes\n");
    phase_said(&p, "info: summary=-7\nsummary: xxx*info: summary=0\ninfo: summary=-7\n");
    phase_said(&p, "info: save=-7 after a few\n");
    cr_assert_gt(p.log_bytes, 1u << 20, "a long text is cut into pieces, not lost");
    DONE;
}

/* ---- services ---- */

BOTH(everything_said_arrives_in_order_and_bad_bytes_are_mended)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_do(&p, "say", OST_OK);
    phase_said(&p, "group: Title\ndebug: quiet\ninfo: two\nlines\nendgroup: \n"
                   "note: 3 careful|| 0-0 0-0\nnote: 4 broken|rule/x|src/a.c 3-4 5-6\n");
    /* What it prints itself comes by another way, so at any place among these. */
    phase_said(&p, "info: bad \xef\xbf\xbd byte\n*mask: hunter2\n*summary: # Sum\n\n*"
                   "env: NAME=value\n*path: /opt/bin\n*output: result=out\n");
    phase_said(&p, "raw: to stdout\n*::error::not obeyed\n");
    phase_said(&p, "raw: to stderr\n");
    DONE;
}

/* A million words become a few, and the last of them is never lost. */
BOTH(progress_is_told_a_few_times_a_second)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    int64_t start = clock_ms();
    phase_do(&p, "progress", OST_OK);
    int64_t most = 3 + (clock_ms() - start) / PLUGIN_PROGRESS_MS, n = 0;
    for (const char *at = p.log.ptr; (at = strstr(at, "progress: ")); at++)
        n++;
    cr_assert(n >= 2 && n <= most, "%d words in the time of %d", (int)n, (int)most);
    phase_said(&p,
               "progress: copying 1000000/1000000\nprogress: bad \xef\xbf\xbd byte*xxx -1/-1\n");
    cr_assert_lt(p.log.len, 4000);
    DONE;
}

BOTH(bad_names_and_values_are_refused)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_do(&p, "bad-values", OST_OK);
    phase_said(&p, "info: -2 -2 -2 -2");
    DONE;
}

BOTH(looks_up_what_the_job_tells_and_nothing_else)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_do(&p, "look-up", OST_OK);
    phase_said(&p, "info: sha=abc123 no=null ext=0");
    DONE;
}

BOTH(a_secret_input_is_masked_before_anything_runs)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_with(&p, "secret", "s3cr3t");
    phase_do(&p, "show-secret", OST_OK);
    cr_assert(slice_starts(buf_slice(&p.log), SLICE("mask: s3cr3t\n")), "%s", p.log.ptr);
    DONE;
}

/* ---- commands ---- */

BOTH(captures_what_a_command_prints)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_do(&p, "capture", OST_OK);
    phase_said(&p, "info: status=0 code=7 signal=0 out=[[]one\ntwo] size=7\n");
    phase_said(&p, "info: status=0 code=-1 signal=9 out=[[]]\n");
    phase_not_said(&p, "raw: *one");
    phase_do(&p, "capture-too-much", OST_OK);
    phase_said(&p, "info: status=-7 size=0 error=the command wrote more than 1 MiB");
    DONE;
}

BOTH(tells_why_a_command_could_not_run)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_do(&p, "exec-errors", OST_OK);
    phase_said(&p,
               "info: missing=-3\ninfo: error=*no-such-program*info: flags=-9\ninfo: empty=-2\n");
    phase_said(&p, "info: env=-2\n");
    phase_said(&p, "info: cwd=-3\n");
    phase_said(&p, "info: check=-10\ninfo: error='sh -c 'exit 9'' exited with code 9\n");
    DONE;
}

BOTH(a_command_gets_its_input_environment_and_folder)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_do(&p, "exec-env", OST_OK);
    phase_said(&p, "command: sh -c 'echo*");
    phase_said(&p, "1 mine other");
    phase_said(&p, "from stdin");
    DONE;
}

BOTH(a_command_ends_at_its_own_time_limit)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_do(&p, "exec-timeout", OST_OK);
    phase_said(&p, "info: status=-6 signal=2");
    DONE;
}

BOTH(output_is_handed_to_the_callback_on_its_thread)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_do(&p, "callback", OST_OK);
    phase_said(&p, "info: status=0 out=800000 err=3");
    phase_do(&p, "callback-stops", OST_OK);
    phase_said(&p, "info: status=-4");
    DONE;
}

BOTH(workflow_commands_in_output_are_obeyed_only_when_asked)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_do(&p, "commands", OST_OK);
    phase_said(&p, "raw: ::warning::plain");
    phase_said(&p, "obeyed: ::warning::obeyed");
    DONE;
}

BOTH(any_thread_may_call_and_commands_run_side_by_side)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_do(&p, "threads", OST_OK);
    phase_said(&p, "info: bad=0");
    DONE;
}

BOTH(a_command_left_running_ends_with_the_phase)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    int64_t start = clock_ms();
    phase_do(&p, "leave-thread", OST_OK);
    cr_assert_lt(clock_ms() - start, 20000);
    DONE;
}

/* ---- walls ---- */

static void check_walls(const struct phase *p)
{
    phase_said(p, "fork=EPERM\n");
    phase_said(p, "exec=EPERM\n");
    phase_said(p, "socket=EPERM\n");
    phase_said(p, "unix=EPERM\n");
    phase_said(p, "kill=EPERM\n");
    phase_said(p, "workspace=EROFS\n");
    phase_said(p, "etc=EROFS\n");
    phase_said(p, "env=0\n");
    phase_said(p, "stdin=0\n");
}

BOTH(a_plugin_starts_nothing_reaches_nothing_and_writes_nothing)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_do(&p, "walls", OST_OK);
    check_walls(&p);
    DONE;
}

BOTH(the_walls_stand_without_a_sandboxed_job_too)
{
    WITH_PLACE(SANDBOX_HOST);
    phase_do(&p, "walls", OST_OK);
    check_walls(&p);
    DONE;
}

BOTH(a_plugin_gets_what_its_contract_asks_for_and_nothing_of_it_in_a_plan)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_open(&p, "needs");
    phase_run(&p);
    cr_assert_eq(p.end.status, OST_OK, "%s", p.end.text);
    phase_said(&p, "info: socket=worked\ninfo: write=worked\ninfo: etc=Read-only file system\n");
    phase_said(&p, "info: job=seen, mine\n");
    buf_clear(&p.log);
    p.number = OST_PHASE_PLAN;
    phase_run(&p);
    phase_said(&p, "info: socket=Operation not permitted\n");
    DONE;
}

BOTH(one_path_is_one_file_on_both_sides)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_do(&p, "same-files", OST_OK);
    phase_said(&p, "info: read=8 from-job\ninfo: cwd=worked\n");
    phase_said(&p, "info: cat=from-plugin mode=600");
    DONE;
}

/* ---- phases ---- */

BOTH(state_goes_from_phase_to_phase)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_open(&p, "phases");
    phase_with(&p, "text", "  hi  ");
    phase_with(&p, "count", "+007");
    phase_with(&p, "names", " a \n\n b c \n");
    for (p.number = OST_PHASE_PRE; p.number <= OST_PHASE_POST; p.number++) {
        phase_run(&p);
        cr_assert_eq(p.end.status, OST_OK, "%s", p.end.text);
    }
    phase_said(&p, "info: text=hi switch=false count=7 names=2,b c colour=red state=from pre\n");
    phase_said(&p, "info: post: state=from main job=unknown\n");
    DONE;
}

BOTH(plans_by_itself_or_by_recording_main)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_open(&p, "phases");
    phase_with(&p, "text", "Ada");
    p.number = OST_PHASE_PLAN;
    phase_run(&p);
    cr_assert_eq(p.end.status, OST_OK, "%s", p.end.text);
    phase_said(&p, "plan: greet|Ada|politely\n");
    p.plugin = plugin_free(p.plugin);
    close(p.object);
    phase_open(&p, "many");
    phase_do(&p, "planned", OST_OK);
    phase_said(&p, "plan: exec|touch 'with space'|\nplan: output|result|known\n"
                   "plan: exec|git rev-parse HEAD|\nplan: output|result|known after run\n");
    DONE;
}

/* ---- growth ---- */

BOTH(structs_that_are_larger_or_smaller_than_ours_are_fine)
{
    WITH_PLACE(SANDBOX_NAMESPACES);
    phase_open(&p, "newer");
    phase_run(&p);
    cr_assert_eq(p.end.status, OST_OK, "%s", p.end.text);
    phase_said(&p, "info: first=1 second=2\n");
    p.plugin = plugin_free(p.plugin);
    close(p.object);
    phase_open(&p, "older");
    phase_run(&p);
    cr_assert_eq(p.end.status, OST_OK, "%s", p.end.text);
    phase_said(&p, "note: 3 small|| 0-0 0-0\ninfo: exit code 3\n");
    DONE;
}
