#include "place.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Once for all files: a suite that is nowhere declared is a leak in criterion. */
TestSuite(root, .timeout = 120);
TestSuite(user, .timeout = 120);

#define SAYS(script, text)                                                                         \
    do {                                                                                           \
        int code_ = place_sh(script);                                                              \
        cr_expect_str_eq(place_out.ptr, text, "%s\nwanted: %s\ngot:    %s", script, text,          \
                         place_out.ptr);                                                           \
        cr_expect_eq(code_, 0, "%s: exit %d", script, code_);                                      \
    } while (0)

/* A daemon that left its session and its parent and does not listen to SIGTERM. */
#define DAEMON "(setsid sh -c \"trap '' TERM INT HUP; sleep 1000 & sleep 1000\" &) ; "

BOTH(runs_a_command_and_tells_its_exit)
{
    place_open(SANDBOX_NAMESPACES);
    cr_expect_eq(place_sh("exit 42"), 42);
    cr_expect_eq(place_sh("kill -TERM $$"), 128 + SIGTERM);
    SAYS("pwd; id -u", geteuid() == 0 ? "/home/runner/work\n0\n" : "/home/runner/work\n54321\n");
    SAYS("cat; echo end", "end\n"); /* no input is an empty input */
    cr_expect_str_eq(place_notes, "");
}

BOTH(shows_the_host_but_keeps_from_it_what_the_job_writes)
{
    place_open(SANDBOX_NAMESPACES);
    SAYS("test -s /etc/passwd && test -c /dev/null && test -d /proc/1 && test -d /sys/kernel", "");
    SAYS("for d in /tmp /var/tmp /dev/shm $HOME /home/runner/work; do echo x >$d/ostler-x; done",
         "");
    SAYS("ls /tmp/ostler-x; ls -A $HOME", "/tmp/ostler-x\nostler-x\n");
    cr_expect_eq(access("/tmp/ostler-x", F_OK), -1);
    cr_expect_eq(access("/var/tmp/ostler-x", F_OK), -1);
    cr_expect_eq(access("/dev/shm/ostler-x", F_OK), -1);
    cr_expect_eq(access("homes/me/ostler-x", F_OK), -1);
    scratch_has("jobs/1/work/ostler-x", "x\n");
    cr_expect_str_eq(place_notes, "");
}

BOTH(leaves_no_process_no_mount_no_file_and_no_descriptor)
{
    CLEANUP(buf_deinit) struct buf before = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    int fds = place_count("/proc/self/fd");

    cr_assert_eq(path_read(AT_FDCWD, "/proc/thread-self/mountinfo", &before, &err), ERR_OK);
    for (int i = 0; i < 3; i++) {
        place_open(SANDBOX_NAMESPACES);
        cr_expect_eq(place_sh(DAEMON DAEMON
                              "nohup sleep 1000 >/dev/null & mkdir -p a/b; chmod 0 a/b; "
                              "mkdir $HOME/x; echo 1 >$HOME/x/y; chmod 500 $HOME/x; "
                              "mkdir /tmp/z; chmod 0 /tmp/z"),
                     0);
        place_await_marked(7);
        place_close();
        cr_expect_eq(place_count_marked(), 0);
        cr_expect_eq(place_count("jobs/1"), 0, "the job's folder is not empty");
    }
    cr_assert_eq(path_read(AT_FDCWD, "/proc/thread-self/mountinfo", &after, &err), ERR_OK);
    cr_expect_str_eq(after.ptr, before.ptr);
    int now = place_count("/proc/self/fd");
    cr_expect_eq(now, fds, "%d descriptors instead of %d", now, fds);
    cr_expect_str_eq(place_notes, "");
}

BOTH(a_command_that_cannot_start_is_an_error_that_names_it)
{
    static const struct {
        const char *argv0, *cwd;
        int code;
        const char *text;
    } rows[] = {
        {"no-such-program", NULL, ERR_NOT_FOUND, "program 'no-such-program' is not in PATH"},
        {"/no/such", NULL, ERR_NOT_FOUND, "cannot run '/no/such': No such file or directory"},
        {"./plain", NULL, ERR_DENIED, "cannot run './plain': Permission denied"},
        {"./words", NULL, ERR_SYS,
         "cannot run './words': no program, and no '#!' in its first line"},
        {"/home/runner/work/script", NULL, ERR_NOT_FOUND,
         "cannot run '/home/runner/work/script': its interpreter does not exist"},
        {"sh", "/no/folder", ERR_NOT_FOUND,
         "cannot enter folder '/no/folder': No such file or directory"},
        {"sh", "plain", ERR_SYS, "cannot enter folder 'plain': Not a directory"},
    };
    struct sandbox_child *child = NULL;

    place_open(SANDBOX_NAMESPACES);
    SAYS(
        "echo x >plain; echo words >words; echo '#!/no/interpreter' >script; chmod +x words script",
        "");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;
        struct sandbox_command cmd = {.argv = (const char *const[]){rows[i].argv0, NULL},
                                      .env = place_env,
                                      .cwd = rows[i].cwd ? rows[i].cwd : sandbox_work(place),
                                      .in = -1,
                                      .out = -1,
                                      .err = -1};
        if (rows[i].cwd && rows[i].cwd[0] != '/')
            cmd.cwd = "/home/runner/work/plain";
        cr_expect_eq(sandbox_start(place, &cmd, NULL, NULL, &child, &err), rows[i].code, "%s: %s",
                     rows[i].argv0, err.text);
        if (rows[i].cwd && rows[i].cwd[0] != '/')
            cr_expect_str_eq(err.text,
                             "cannot enter folder '/home/runner/work/plain': Not a directory");
        else
            cr_expect_str_eq(err.text, rows[i].text, "%s", err.text);
    }
    cr_expect_null(child);
    SAYS("echo still here", "still here\n");
}

BOTH(finds_programs_as_the_job_sees_them)
{
    struct err err = ERR_INIT;
    char *path = NULL;

    place_open(SANDBOX_NAMESPACES);
    SAYS("mkdir bin; printf '#!/bin/sh\\necho mine\\n' >bin/tool; chmod +x bin/tool; echo x "
         ">bin/data",
         "");
    cr_expect_eq(sandbox_which(place, "sh", "/nowhere::/usr/bin:/bin", &path, &err), ERR_OK);
    cr_expect_str_eq(path, "/usr/bin/sh");
    free(path);
    cr_assert_eq(sandbox_which(place, "tool", "/home/runner/work/bin:/bin", &path, &err), ERR_OK,
                 "%s", err.text);
    cr_expect_str_eq(path, "/home/runner/work/bin/tool");
    free(path);
    path = NULL;
    cr_expect_eq(sandbox_which(place, "data", "/home/runner/work/bin", &path, &err), ERR_NOT_FOUND);
    cr_expect_eq(sandbox_which(place, "bin", "/home/runner/work", &path, &err), ERR_NOT_FOUND,
                 "a folder is no program");
    cr_expect_str_eq(err.text, "program 'bin' is not in PATH");
    cr_expect_null(path);
}

/* ---- stopping ---- */

static void await(struct place_run *run, const char *file)
{
    char path[4400];

    snprintf(path, sizeof path, "%s/jobs/1/work/%s", scratch_path, file);
    place_await(path);
    cr_assert_not(run->ended);
}

BOTH(the_ladder_asks_asks_firmly_and_kills)
{
    struct place_run run;

    place_spec.term_ms = 150;
    place_spec.kill_ms = 100;
    place_open(SANDBOX_NAMESPACES);
    int64_t start = clock_ms();
    place_start("trap 'echo int >>log' INT; trap 'echo term >>log' TERM; echo >ready; "
                "while :; do sleep 0.01; done",
                &run);
    await(&run, "ready");
    sandbox_stop(run.child, false);
    sandbox_stop(run.child, false);
    place_wait(&run);
    cr_expect_eq(run.how.signal, SIGKILL);
    cr_expect_eq(run.how.code, 137);
    cr_expect_geq(clock_ms() - start, 250);
    scratch_has("jobs/1/work/log", "int\nterm\n");
}

BOTH(a_command_that_listens_ends_as_it_wants)
{
    struct place_run run;

    place_open(SANDBOX_NAMESPACES);
    place_start("trap 'exit 9' INT; echo >ready; while :; do sleep 0.01; done", &run);
    await(&run, "ready");
    sandbox_stop(run.child, false);
    place_wait(&run);
    cr_expect_eq(run.how.code, 9);
    cr_expect_eq(run.how.signal, 0);
}

/* The descendants, daemons among them, go with the command; what another one started stays. */
BOTH(killing_takes_all_that_it_started_and_nothing_else)
{
    struct place_run run, other;

    place_open(SANDBOX_NAMESPACES);
    cr_expect_eq(place_sh(DAEMON), 0);
    size_t before = 3;
    place_await_marked(before);
    place_start(DAEMON "sh -c 'trap \"\" INT TERM; sleep 1000 & wait; sleep 1000' & "
                       "sleep 0.3; echo >ready; wait",
                &run);
    await(&run, "ready");
    place_await_marked(before + 6);
    sandbox_stop(run.child, true);
    place_wait(&run);
    cr_expect_eq(run.how.signal, SIGKILL);
    place_await_marked(before);

    /* With two at once, a daemon that left its group is nobody's for sure: it lives on until the end. */
    place_start("echo >one; sleep 1000 & wait", &other);
    await(&other, "one");
    place_start("(sleep 1000 &) ; echo >two; sleep 1000 & wait", &run);
    await(&run, "two");
    place_await_marked(before + 5);
    sandbox_stop(run.child, true);
    place_wait(&run);
    place_await_marked(before + 2);
    cr_expect_not(other.ended);
    sandbox_stop(other.child, true);
    place_wait(&other);
}

BOTH(a_signal_goes_to_the_command_alone)
{
    struct place_run run;

    place_open(SANDBOX_NAMESPACES);
    place_start(
        "trap 'echo got >>log; exit 3' USR1; sh -c 'trap \"echo child >>log\" USR1; echo >ready; "
        "sleep 0.5' & while :; do sleep 0.01; done",
        &run);
    await(&run, "ready");
    sandbox_signal(run.child, SIGUSR1);
    place_wait(&run);
    cr_expect_eq(run.how.code, 3);
    scratch_has("jobs/1/work/log", "got\n");
    place_close();
}

BOTH(a_thousand_processes_go_at_once)
{
    struct place_run run;

    place_open(SANDBOX_NAMESPACES);
    place_start("i=0; while [ $i -lt 1000 ]; do (setsid sleep 1000 &); i=$((i+1)); done; "
                "sleep 0.2; echo >ready; sleep 1000",
                &run);
    await(&run, "ready");
    cr_assert_gt(place_count_marked(), 1000);
    int64_t start = clock_ms();
    place_close();
    cr_expect_lt(clock_ms() - start, 15000);
    cr_expect_eq(place_count_marked(), 0);
    cr_expect_not(run.ended, "the exit function was called after the close");
}

/* ---- commands and their ends ---- */

BOTH(many_commands_run_at_once_and_each_end_is_told)
{
    struct place_run runs[50];
    char script[100];

    place_open(SANDBOX_NAMESPACES);
    for (int i = 0; i < 50; i++) {
        snprintf(script, sizeof script, "sleep 0.%d; exit %d", i % 7, i);
        place_start(script, &runs[i]);
    }
    for (int i = 0; i < 50; i++) {
        place_wait(&runs[i]);
        cr_expect_eq(runs[i].how.code, i);
    }
}

static void close_there(void *ctx, struct sandbox_exit how)
{
    *(int *)ctx = how.code;
    place_close();
}

static struct sandbox_child *begin(const char *script, sandbox_exit_fn *fn, void *ctx)
{
    struct err err = ERR_INIT;
    struct sandbox_child *child = NULL;
    struct sandbox_command cmd = {.argv = (const char *const[]){"/bin/sh", "-c", script, NULL},
                                  .env = place_env,
                                  .cwd = "/",
                                  .in = -1,
                                  .out = -1,
                                  .err = -1};

    cr_assert_eq(sandbox_start(place, &cmd, fn, ctx, &child, &err), ERR_OK, "%s", err.text);
    return child;
}

BOTH(the_exit_function_may_close_the_place)
{
    struct err err = ERR_INIT;
    int code = -1;

    place_open(SANDBOX_NAMESPACES);
    begin("exit 5", close_there, &code);
    while (code < 0)
        cr_assert_eq(loop_turn(place_loop, CLOCK_NEVER, &err), ERR_OK);
    cr_expect_eq(code, 5);
    cr_expect_null(place);
}

static void ask_something(void *ctx, uint32_t events)
{
    struct err err = ERR_INIT;
    char *path = NULL;
    char byte;

    (void)events;
    cr_expect_eq(read(*(int *)ctx, &byte, 1), 1);
    cr_expect_eq(sandbox_which(place, "sh", "/bin", &path, &err), ERR_OK);
    free(path);
}

/* The question reads the end's message from under the event that is already on its way. */
BOTH(an_end_that_comes_with_an_answer_is_told_later)
{
    struct err err = ERR_INIT;
    struct watch *watch = NULL;
    struct place_run run;
    int from, to;

    place_open(SANDBOX_NAMESPACES);
    cr_assert_eq(fd_pipe(&from, &to, &err), ERR_OK);
    cr_assert_eq(loop_watch(place_loop, from, EPOLLIN, ask_something, &from, &watch, &err), ERR_OK);
    cr_assert_eq(write(to, "x", 1), 1);
    place_start("exit 6", &run);
    usleep(200000);
    cr_assert_eq(loop_turn(place_loop, clock_ms() + 1000, &err), ERR_OK);
    place_wait(&run);
    cr_expect_eq(run.how.code, 6);
    watch_free(watch);
    close(from);
    close(to);
}

BOTH(a_forgotten_command_runs_on_in_silence)
{
    struct place_run next;
    int code = -1;

    place_open(SANDBOX_NAMESPACES);
    struct sandbox_child *child =
        begin("sleep 0.1; echo x >/home/runner/work/done", close_there, &code);
    cr_expect_null(sandbox_child_free(child));
    cr_expect_null(sandbox_child_free(NULL));
    place_start("while ! test -e done; do sleep 0.01; done; sleep 0.05", &next);
    place_wait(&next);
    cr_expect_eq(code, -1);
}

BOTH(an_environment_of_megabytes_arrives_whole)
{
    static char *vars[22];
    struct err err = ERR_INIT;
    struct place_run run = {0};

    for (int i = 0; i < 20; i++) { /* 100 KB each: 128 KB is the kernel's limit for one */
        vars[i] = mem_new(100001);
        memset(vars[i], 'a' + i, 100000);
        memcpy(vars[i], i == 0 ? "A=" : "B=", 2);
        vars[i][0] = (char)('A' + i);
    }
    place_open(SANDBOX_NAMESPACES);
    struct sandbox_command cmd = {
        .argv = (const char *const[]){"/bin/sh", "-c", "test ${#A} = 99998 && test ${#T} = 99998",
                                      NULL},
        .env = (const char *const *)vars,
        .cwd = "/",
        .in = -1,
        .out = -1,
        .err = -1};
    cr_assert_eq(sandbox_start(place, &cmd, place_on_exit, &run, &run.child, &err), ERR_OK, "%s",
                 err.text);
    place_wait(&run);
    cr_expect_eq(run.how.code, 0);

    vars[20] = mem_new(300001);
    memset(vars[20], 'x', 300000);
    cr_expect_eq(sandbox_start(place, &cmd, place_on_exit, &run, &run.child, &err), ERR_SYS);
    cr_expect_str_eq(err.text, "cannot run '/bin/sh': Argument list too long");
    for (int i = 0; i < 21; i++)
        free(vars[i]);
}

/* ---- who dies first ---- */

BOTH(when_the_worker_is_killed_nothing_stays)
{
    pid_t worker = fork();

    if (worker == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        place_open(SANDBOX_NAMESPACES);
        place_sh(DAEMON "echo >ready");
        pause();
    }
    cr_assert_gt(worker, 0);
    place_await("jobs/1/work/ready");
    place_await_marked(3);
    kill(worker, SIGKILL);
    waitpid(worker, NULL, 0);
    place_await_marked(0);
    place_open(SANDBOX_NAMESPACES); /* on the leftovers of the first */
    SAYS("echo again; ls /home/runner/work", "again\nready\n");
}

BOTH(when_ostler_init_is_killed_the_commands_are_told_as_killed)
{
    struct err err = ERR_INIT;
    struct place_run run;
    struct sandbox_command cmd = {
        .argv = (const char *const[]){"sh", NULL}, .env = place_env, .cwd = "/"};

    place_open(SANDBOX_NAMESPACES);
    place_start(DAEMON "echo >ready; sleep 1000", &run);
    await(&run, "ready");
    cr_assert_eq(place_kill_init(), 1);
    place_wait(&run);
    cr_expect_eq(run.how.signal, SIGKILL);
    cr_expect_eq(place_count_marked(), 0);
    cr_expect_str_eq(place_notes,
                     "ostler-init was killed; all that ran in the job is gone with it\n");
    cr_expect_eq(sandbox_start(place, &cmd, place_on_exit, &run, &run.child, &err), ERR_FAILED);
    cr_expect_str_eq(err.text, "the sandbox is gone: ostler-init was killed");
}

/* ---- what a job may not ---- */

BOTH(nobody_looks_into_ostler_init_or_ends_it)
{
    place_open(SANDBOX_NAMESPACES);
    cr_expect_neq(place_sh("cat /proc/1/environ"), 0, "%s", place_out.ptr);
    cr_expect_neq(place_sh("cat /proc/1/maps"), 0, "%s", place_out.ptr);
    cr_expect_neq(place_sh("readlink /proc/1/fd/3"), 0, "%s", place_out.ptr);
    cr_expect_neq(place_sh("ls /proc/1/root/"), 0, "%s", place_out.ptr);
    place_sh("kill -9 1; kill -TERM 1; kill -STOP 1");
    SAYS("echo alive", "alive\n");
}

BOTH(privileges_are_those_of_a_container)
{
    bool root = geteuid() == 0;

    place_open(SANDBOX_NAMESPACES);
    SAYS("grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status",
         root
             ? "CapEff:\t00000000a80405fb\nCapBnd:\t00000000a80405fb\nNoNewPrivs:\t0\nSeccomp:\t2\n"
             : "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:"
               "\t2\n");
    cr_expect_neq(place_sh("mount -t tmpfs none /mnt"), 0);
    cr_expect_neq(place_sh("umount -l /proc"), 0);
    cr_expect_neq(place_sh("hostname changed"), 0);
    cr_expect_neq(place_sh("echo 1 >/proc/sys/kernel/sysrq"), 0);
    cr_expect_neq(place_sh("echo x >/sys/kernel/uevent_helper"), 0);
    cr_expect_neq(place_sh("ls -A /sys/kernel/debug /sys/kernel/tracing | grep trace"), 0);
    SAYS("cat /proc/self/oom_score_adj", "500\n");
}

BOTH(doors_into_the_kernel_are_shut)
{
    static const struct {
        const char *name;
        long number;
    } calls[] = {{"keyctl", SYS_keyctl},           {"bpf", SYS_bpf},
                 {"userfaultfd", SYS_userfaultfd}, {"perf_event_open", SYS_perf_event_open},
                 {"add_key", SYS_add_key},         {"open_by_handle_at", SYS_open_by_handle_at}};
    char script[200];

    place_open(SANDBOX_NAMESPACES);
    if (place_sh("perl -e 1") != 0)
        cr_skip_test("needs perl");
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        snprintf(script, sizeof script,
                 "perl -e '$r = syscall(%ld, 0, 0, 0, 0, 0); print $r, \" \", $!+0'",
                 calls[i].number);
        place_sh(script);
        cr_expect_str_eq(place_out.ptr, "-1 1", "%s: %s", calls[i].name, place_out.ptr);
    }
    SAYS("perl -e '$p = fork(); if (!$p) { sleep 10 } kill 9, $p; wait; print $? & 127'", "9");
}

BOTH(builds_can_use_what_they_use_elsewhere)
{
    place_open(SANDBOX_NAMESPACES);
    SAYS("test -e /dev/fd/0; echo x | cat /dev/stdin; echo y >>/dev/stdout; : >/dev/null",
         "x\ny\n");
    SAYS(
        "head -c 4 /dev/urandom | wc -c | tr -d ' '; head -c 2 /dev/zero | od -An -tx1 | tr -d ' '",
        "4\n0000\n");
    SAYS("script -qec 'test -t 0 && echo tty' /dev/null | tr -d '\\r'", "tty\n");
    cr_expect_neq(place_sh("echo x >/dev/tty"), 0, "there is a terminal");
    SAYS("mkfifo p; (echo through >p &); cat p", "through\n");
    SAYS("unshare -Ur id -u", "0\n"); /* sandboxes of browsers, buildah */
}

/* ---- what is shown ---- */

BOTH(the_host_s_homes_and_other_jobs_are_not_there)
{
    scratch_file("homes/me/.ssh/id", "key");
    scratch_file("homes/me/.tool/bin/hello",
                 "#!/bin/sh\necho hello; echo x >$0.log && cat $0.log\n");
    scratch_file("homes/me/.tool/data", "with the tool");
    scratch_file("homes/me/.local/bin/mine", "#!/bin/sh\necho mine\n");
    scratch_file("homes/me/.local/share/secret", "s");
    scratch_file("homes/me/.cargo/bin/x", "");
    scratch_file("homes/me/.cargo/credentials.toml", "token");
    scratch_file("jobs/2/work/other", "other job");
    cr_assert_eq(chmod("homes/me/.tool/bin/hello", 0755), 0);
    cr_assert_eq(chmod("homes/me/.local/bin/mine", 0755), 0);
    char var[13000];
    snprintf(var, sizeof var, "PATH=%s/.tool/bin:%s/.local/bin:%s/.cargo/bin:/usr/bin:/bin",
             place_home, place_home, place_home);
    place_set_env(0, var);
    place_open(SANDBOX_NAMESPACES);
    SAYS("hello; mine", "hello\nx\nmine\n");
    SAYS("cat ~/.tool/data; ls -A ~ ~/.local ~/.cargo | sed \"s#$HOME#~#\"",
         "with the tool~:\n.cargo\n.local\n.tool\n\n~/.cargo:\nbin\n\n~/.local:\nbin\n");
    cr_expect_eq(access("homes/me/.tool/bin/hello.log", F_OK), -1, "a tool wrote to the host");
    char script[9000];
    snprintf(script, sizeof script, "ls -A %s/jobs 2>/dev/null; ls -A /home", scratch_path);
    SAYS(script, "runner\n");
    cr_expect_str_eq(place_notes, "");
}

BOTH(paths_are_passed_through_as_asked)
{
    char open_path[4200], shut[4200], gone[4200], key[4200], script[26000];

    scratch_file("share/open/a", "1");
    scratch_file("share/shut/b", "2");
    scratch_file("share/gone/c", "3");
    snprintf(open_path, sizeof open_path, "%s/share/open", scratch_path);
    snprintf(shut, sizeof shut, "%s/share/shut", scratch_path);
    snprintf(gone, sizeof gone, "%s/share/gone", scratch_path);
    place_spec.writable = (const char *const[]){open_path, "/no/such", NULL};
    place_spec.read_only = (const char *const[]){shut, NULL};
    scratch_file("share/key", "4");
    snprintf(key, sizeof key, "%s/share/key", scratch_path);
    place_spec.hidden = (const char *const[]){gone, "/opt", key, NULL};
    place_open(SANDBOX_NAMESPACES);
    snprintf(script, sizeof script,
             "cat %s/a %s/b %s; echo new >%s/d; (echo new >%s/d) 2>/dev/null; ls -A %s /opt",
             open_path, shut, key, open_path, shut, gone);
    place_sh(script);
    snprintf(script, sizeof script, "12%s:\n\n/opt:\n", gone);
    cr_expect(strncmp(place_out.ptr, "12", 2) == 0 && strstr(place_out.ptr, "/opt:\n"), "%s",
              place_out.ptr);
    cr_expect_null(strstr(place_out.ptr, "\nc\n"));
    scratch_has("share/open/d", "new\n");
    cr_expect_eq(access("share/shut/d", F_OK), -1);
}

/* ---- root inside ---- */

Test(root, system_folders_can_be_changed_and_are_not)
{
    place_enter(false);
    place_open(SANDBOX_NAMESPACES);
    SAYS("for d in /etc /usr/bin /usr/local /opt /var/lib /srv /; do echo x >$d/ostler-x || echo "
         "$d; done",
         "");
    SAYS("rm -rf /etc/default && mkdir /etc/default && echo new >/etc/default/x && ls /etc/default",
         "x\n");
    SAYS("rm -rf /usr/share/doc && mkdir -p /usr/share/doc/a && ls /usr/share/doc", "a\n");
    SAYS("chown 1234:1234 /usr/local/ostler-x && stat -c %u:%g /usr/local/ostler-x", "1234:1234\n");
    SAYS("su -s /bin/sh nobody -c 'id -un'", "nobody\n");
    cr_expect_eq(access("/etc/ostler-x", F_OK), -1);
    cr_expect_eq(access("/usr/bin/ostler-x", F_OK), -1);
    cr_expect_eq(access("/var/lib/ostler-x", F_OK), -1);
    cr_expect_eq(access("/ostler-x", F_OK), -1);
    cr_expect_eq(access("/etc/default/useradd", F_OK), 0);
    place_leave();
}

/* What `sudo apt-get install` does, without a network: a package with a script that runs as root. */
Test(root, packages_install_for_real_and_vanish)
{
    place_enter(false);
    place_open(SANDBOX_NAMESPACES);
    if (place_sh("command -v dpkg-deb dpkg") != 0)
        cr_skip_test("needs dpkg");
    SAYS("mkdir -p p/DEBIAN p/usr/bin p/etc/ostler-pkg && echo conf >p/etc/ostler-pkg/c && "
         "printf '#!/bin/sh\\necho installed\\n' >p/usr/bin/ostler-pkg && chmod +x "
         "p/usr/bin/ostler-pkg && "
         "printf 'Package: ostler-pkg\\nVersion: 1\\nArchitecture: all\\nMaintainer: me <m@e>\\n"
         "Description: d\\n' >p/DEBIAN/control && printf '#!/bin/sh\\nset -e\\nuseradd -r "
         "ostler-pkg || "
         "addgroup --system ostler-pkg\\ntouch /var/lib/ostler-pkg\\nldconfig\\n' "
         ">p/DEBIAN/postinst && "
         "chmod 755 p/DEBIAN/postinst && dpkg-deb -b p p.deb >/dev/null && dpkg -i p.deb "
         ">/dev/null 2>log || cat log; "
         "ostler-pkg; dpkg -s ostler-pkg | grep Status; test -e /var/lib/ostler-pkg && echo state",
         "installed\nStatus: install ok installed\nstate\n");
    place_close();
    cr_expect_eq(access("/usr/bin/ostler-pkg", F_OK), -1);
    cr_expect_eq(access("/var/lib/dpkg/info/ostler-pkg.list", F_OK), -1);
    place_leave();
}

/* A job's folder in /var makes of /var many layers instead of one, and packages still install. */
Test(root, a_job_s_folder_below_var_leaves_var_writable)
{
    char base[] = "/var/lib/ostler-test-XXXXXX", path[64];
    struct err err = ERR_INIT;

    place_enter(false);
    cr_assert_not_null(mkdtemp(base));
    snprintf(path, sizeof path, "%s/jobs/1", base);
    cr_assert_eq(path_mkdirs(AT_FDCWD, path, 0755, &err), ERR_OK);
    snprintf(path, sizeof path, "%s/jobs/1", base);
    place_spec.job_path = path;
    close(place_spec.job_dir);
    place_spec.job_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    place_open(SANDBOX_NAMESPACES);
    char script[300];
    snprintf(script, sizeof script,
             "ls -A %s/jobs; echo x >/var/lib/dpkg/ostler-x; echo x >/var/lib/ostler-x; "
             "echo x >/var/cache/ostler-x; ls /var/lib/dpkg/status /var/lib/ostler-x",
             base);
    SAYS(script, "/var/lib/dpkg/status\n/var/lib/ostler-x\n");
    cr_expect_eq(access("/var/lib/ostler-x", F_OK), -1);
    cr_expect_eq(access("/var/cache/ostler-x", F_OK), -1);
    cr_expect_str_eq(place_notes, "");
    place_close();
    cr_assert_eq(path_remove(AT_FDCWD, base, &err), ERR_OK, "%s", err.text);
    place_leave();
}
