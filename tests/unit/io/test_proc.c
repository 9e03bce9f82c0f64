#include "io/proc.h"

#include "base/clock.h"
#include "base/fd.h"
#include "io/kin.h"
#include "io/ladder.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(proc, .init = scratch_enter, .fini = scratch_leave, .timeout = 30);

TestSuite(kin, .timeout = 30);
TestSuite(ladder, .timeout = 30);

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SH(script) ARGV("/bin/sh", "-c", script)

static struct proc *start(const struct proc_spec *spec)
{
    struct err err = ERR_INIT;
    struct proc *p = NULL;

    cr_assert_eq(proc_start(spec, &p, &err), ERR_OK, "%s", err.text);
    return p;
}

static struct proc_exit finish(struct proc *p)
{
    struct err err = ERR_INIT;
    struct proc_exit how;

    cr_assert_eq(proc_wait(p, clock_ms() + 20000, &how, &err), ERR_OK, "%s", err.text);
    return how;
}

/* What SPEC writes to its standard output, and its exit. */
static struct proc_exit output_of(struct proc_spec spec, struct buf *out)
{
    CLEANUP(fd_closep) int from = -1;
    struct err err = ERR_INIT;
    int to;

    cr_assert_eq(fd_pipe(&from, &to, &err), ERR_OK);
    spec.out = to;
    struct proc *p = start(&spec);
    fd_closep(&to);
    cr_assert_eq(fd_read_all(from, out, &err), ERR_OK, "%s", err.text);
    struct proc_exit how = finish(p);
    proc_free(p);
    return how;
}

Test(proc, tells_the_exit_code_and_the_signal)
{
    struct proc_spec spec = PROC_SPEC_INIT;

    spec.argv = SH("exit 42");
    struct proc *p = start(&spec);
    struct proc_exit how = finish(p);
    cr_assert_eq(how.code, 42);
    cr_assert_eq(how.signal, 0);
    cr_assert_null(proc_free(p));

    spec.argv = SH("kill -9 $$");
    p = start(&spec);
    how = finish(p);
    cr_assert_eq(how.code, 137);
    cr_assert_eq(how.signal, SIGKILL);
    proc_free(p);
    cr_assert_null(proc_free(NULL));
}

Test(proc, a_program_that_cannot_run_is_our_error_and_names_it)
{
    static const struct {
        const char *what, *argv0, *text;
        int code;
    } rows[] = {
        {"not in PATH", "no-such-program", "program 'no-such-program' is not in PATH",
         ERR_NOT_FOUND},
        {"no such file", "/no/such", "cannot run '/no/such': No such file or directory",
         ERR_NOT_FOUND},
        {"not executable", "./plain", "cannot run './plain': Permission denied", ERR_DENIED},
        {"a folder", "/", "cannot run '/': Permission denied", ERR_DENIED},
        {"no program at all", "./empty",
         "cannot run './empty': no program, and no '#!' in its first "
         "line",
         ERR_SYS},
        {"empty name", "", "program '' is not in PATH", ERR_NOT_FOUND},
    };
    struct proc_spec spec = PROC_SPEC_INIT;

    scratch_file("plain", "x");
    scratch_file("empty", "just words\n");
    cr_assert_eq(chmod("plain", 0644), 0);
    cr_assert_eq(chmod("empty", 0755), 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;
        struct proc *p = NULL;

        spec.argv = ARGV(rows[i].argv0);
        cr_expect_eq(proc_start(&spec, &p, &err), rows[i].code, "%s: %s", rows[i].what, err.text);
        cr_expect_str_eq(err.text, rows[i].text, "%s: %s", rows[i].what, err.text);
        cr_expect_null(p);
    }
    cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1, "a failed start left a child");
    cr_assert_eq(errno, ECHILD);
}

Test(proc, a_missing_interpreter_is_said)
{
    char path[5000], text[5200];
    struct proc_spec spec = PROC_SPEC_INIT;
    struct err err = ERR_INIT;
    struct proc *p = NULL;

    scratch_file("s", "#!/no/interpreter\n");
    cr_assert_eq(chmod("s", 0755), 0);
    snprintf(path, sizeof path, "%s/s", scratch_path);
    snprintf(text, sizeof text, "cannot run '%s': its interpreter does not exist", path);
    spec.argv = ARGV(path);
    cr_assert_eq(proc_start(&spec, &p, &err), ERR_NOT_FOUND);
    cr_assert_str_eq(err.text, text);
}

Test(proc, gives_the_command_its_folder_and_its_environment_only)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(4096);
    CLEANUP(fd_closep) int dir = -1;
    struct proc_spec spec = PROC_SPEC_INIT;

    scratch_file("sub/mark", "");
    dir = open("sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    spec.dir = dir;
    spec.env = ARGV("A=b", "PATH=/usr/bin:/bin");
    spec.argv = ARGV("sh", "-c", "ls; env | grep -v ^_ | grep -v ^PWD | sort");
    cr_assert_eq(output_of(spec, &out).code, 0);
    cr_assert_str_eq(out.ptr, "mark\nA=b\nPATH=/usr/bin:/bin\n");
}

Test(proc, passes_descriptors_at_their_numbers_and_no_others)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(4096);
    CLEANUP(fd_closep) int a = -1, b = -1, leak = -1;
    struct proc_spec spec = PROC_SPEC_INIT;

    scratch_file("a", "alpha");
    scratch_file("b", "beta");
    a = open("a", O_RDONLY | O_CLOEXEC);
    b = open("b", O_RDONLY | O_CLOEXEC);
    leak = open("a", O_RDONLY); /* a library that forgot O_CLOEXEC */
    /* each one's number is the other one's target */
    spec.fds = (const struct spawn_fd[]){{a, b}, {b, a}};
    spec.n_fds = 2;
    char script[200];
    snprintf(script, sizeof script,
             "cat /dev/fd/%d /dev/fd/%d; test -e /proc/self/fd/%d && echo leak; "
             "cat; exit 0",
             b, a, leak);
    spec.argv = SH(script);
    cr_assert_eq(output_of(spec, &out).code, 0);
    cr_assert_str_eq(out.ptr, "alphabeta");
}

Test(proc, resets_signals_that_we_ignore_or_block)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(4096);
    struct proc_spec spec = PROC_SPEC_INIT;
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    spec.argv = ARGV("/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status");
    cr_assert_eq(output_of(spec, &out).code, 0);
    cr_assert_str_eq(out.ptr, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

Test(proc, waiting_has_a_deadline)
{
    struct proc_spec spec = PROC_SPEC_INIT;
    struct err err = ERR_INIT;
    struct proc_exit how;

    spec.argv = ARGV("/bin/sleep", "100");
    struct proc *p = start(&spec);
    pid_t pid = proc_pid(p);
    cr_assert_eq(proc_wait(p, clock_ms() + 20, &how, &err), ERR_TIMEOUT);
    proc_free(p);
    cr_assert_eq(kill(pid, 0), -1, "proc_free() left the command running");
}

struct end {
    struct loop *loop;
    struct proc *proc;
    struct proc_exit how;
    int calls;
};

static void on_exit_free(void *ctx, struct proc_exit how)
{
    struct end *e = ctx;

    e->how = how;
    e->calls++;
    e->proc = proc_free(e->proc); /* allowed here */
    loop_quit(e->loop);
}

Test(proc, the_loop_tells_the_end_once_and_the_owner_may_free_there)
{
    struct proc_spec spec = PROC_SPEC_INIT;
    struct err err = ERR_INIT;
    struct end end = {0};

    cr_assert_eq(loop_new(&end.loop, &err), ERR_OK);
    spec.argv = SH("trap 'exit 7' INT; echo x >ready; while :; do sleep 0.01; done");
    end.proc = start(&spec);
    cr_assert_eq(proc_watch(end.proc, end.loop, on_exit_free, &end, &err), ERR_OK);
    while (access("ready", F_OK) < 0)
        usleep(1000);
    proc_stop(end.proc);
    proc_stop(end.proc);
    cr_assert_eq(loop_run(end.loop, &err), ERR_OK);
    cr_assert_eq(end.calls, 1);
    cr_assert_eq(end.how.code, 7);
    loop_free(end.loop);
}

/* ---- the ladder, on a short clock ---- */

static struct {
    int signo[8];
    int64_t at[8];
    int n;
    struct loop *loop;
} rungs;

static void note_rung(void *ctx, int signo)
{
    (void)ctx;
    rungs.signo[rungs.n] = signo;
    rungs.at[rungs.n++] = clock_ms();
    if (signo == SIGKILL)
        loop_quit(rungs.loop);
}

Test(ladder, asks_asks_firmly_and_kills)
{
    struct ladder l = {.term_ms = 60, .kill_ms = 20};
    struct err err = ERR_INIT;

    cr_assert_eq(LADDER_TERM_MS, 7500);
    cr_assert_eq(LADDER_KILL_MS, 2500);
    cr_assert_eq(loop_new(&rungs.loop, &err), ERR_OK);
    ladder_start(&l, rungs.loop, note_rung, NULL);
    ladder_start(&l, rungs.loop, note_rung, NULL);
    cr_assert_eq(rungs.n, 1);
    cr_assert_eq(loop_run(rungs.loop, &err), ERR_OK);
    cr_assert_eq(rungs.n, 3);
    cr_assert_eq(rungs.signo[0], SIGINT);
    cr_assert_eq(rungs.signo[1], SIGTERM);
    cr_assert_eq(rungs.signo[2], SIGKILL);
    cr_assert_geq(rungs.at[1] - rungs.at[0], 60);
    cr_assert_geq(rungs.at[2] - rungs.at[1], 20);
    ladder_top(&l, note_rung, NULL);
    cr_assert_eq(rungs.n, 3, "killed twice");
    loop_free(rungs.loop);
}

Test(ladder, skipping_to_the_top_cancels_the_other_rungs)
{
    struct ladder l = {.term_ms = 1, .kill_ms = 1};
    struct err err = ERR_INIT;

    cr_assert_eq(loop_new(&rungs.loop, &err), ERR_OK);
    ladder_start(&l, rungs.loop, note_rung, NULL);
    ladder_top(&l, note_rung, NULL);
    cr_assert_eq(loop_turn(rungs.loop, clock_ms() + 20, &err), ERR_OK);
    cr_assert_eq(rungs.n, 2);
    cr_assert_eq(rungs.signo[1], SIGKILL);
    loop_free(rungs.loop);
}

/* ---- nothing survives ---- */

static size_t count_named(const char *mark)
{
    char command[200];
    struct proc_spec spec = PROC_SPEC_INIT;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(4096);

    snprintf(command, sizeof command,
             "n=0; for p in /proc/[0-9]*; do s=$(cut -d' ' -f3 $p/stat 2>/dev/null);"
             "test \"$s\" != Z && grep -qaF %s $p/environ 2>/dev/null && n=$((n+1)); done; echo $n",
             mark);
    spec.argv = SH(command);
    (void)output_of(spec, &out);
    return (size_t)strtoul(out.ptr, NULL, 10);
}

static char mark[64];

static const char *const *marked_env(void)
{
    static const char *env[3] = {mark, "PATH=/usr/bin:/bin", NULL};

    snprintf(mark, sizeof mark, "OSTLER_TEST_MARK=%ld", (long)getpid());
    return env;
}

static void wait_for(const char *file)
{
    while (access(file, F_OK) < 0)
        usleep(1000);
}

Test(proc, freeing_kills_the_command_and_all_that_it_started)
{
    struct proc_spec spec = PROC_SPEC_INIT;

    spec.env = marked_env();
    spec.argv = SH("trap '' TERM INT; setsid sh -c 'sleep 1000 & sleep 1000 & wait' & "
                   "(sleep 1000 & echo >ready; wait) & wait");
    struct proc *p = start(&spec);
    wait_for("ready");
    cr_assert_geq(count_named(mark), 4);
    proc_free(p);
    cr_assert_eq(count_named(mark), 0);
}

Test(proc, the_reaper_sweeps_daemons_but_not_the_commands_in_hand)
{
    struct proc_spec spec = PROC_SPEC_INIT;
    struct err err = ERR_INIT;

    cr_assert_eq(proc_become_reaper(&err), ERR_OK);
    spec.env = marked_env();
    spec.argv = ARGV("/bin/sleep", "1000");
    struct proc *kept = start(&spec);
    /* double-forked, in sessions of their own, deaf to SIGTERM */
    spec.argv = SH("for i in 1 2 3 4 5 6 7 8 9 10; do "
                   "(setsid sh -c \"trap '' TERM HUP; sleep 1000 & sleep 1000\" &) ; done");
    struct proc *p = start(&spec);
    cr_assert_eq(finish(p).code, 0);
    proc_free(p);
    cr_assert_gt(count_named(mark), 10);
    cr_assert_eq(proc_sweep(5000, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(count_named(mark), 1);
    proc_free(kept);
    cr_assert_eq(count_named(mark), 0);
}

static bool is_us(void *ctx, const struct kin *k)
{
    (void)ctx;
    return k->pid == getpid();
}

Test(kin, killing_our_own_kin_spares_us)
{
    CLEANUP(fd_closep) int dir = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct proc_spec spec = PROC_SPEC_INIT;

    spec.argv = ARGV("/bin/sleep", "1000");
    struct proc *p = start(&spec);
    cr_assert_eq(kin_kill(dir, is_us, NULL), 1);
    cr_assert_eq(finish(p).signal, SIGKILL);
    proc_free(p);
}

/* A process that forks and goes, for ever: each copy is an orphan by the time it is seen. */
Test(kin, a_runaway_chain_of_forks_is_swept)
{
    struct err err = ERR_INIT;
    pid_t pid;

    cr_assert_eq(proc_become_reaper(&err), ERR_OK);
    pid = fork();
    if (pid == 0)
        for (;;)
            if (fork() != 0)
                _exit(0);
    cr_assert_gt(pid, 0);
    usleep(20000);
    cr_assert_eq(kin_sweep(NULL, 10000, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1);
    cr_assert_eq(errno, ECHILD);
}
