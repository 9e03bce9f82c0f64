/* bench_sandbox - what a job's place costs, beside the bare thing: rows of "name, median, 95th, unit". */
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "io/proc.h"
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct loop *loop;
static struct sandbox_spec spec;
static char job_path[64];
static const char *const env[] = {"PATH=/usr/bin:/bin", "HOME=/nonexistent", NULL};

enum { RUNS_MAX = 1000 };

static int64_t samples[RUNS_MAX];
static int n_samples;

static int by_value(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double report(const char *name)
{
    qsort(samples, (size_t)n_samples, sizeof *samples, by_value);
    double median = (double)samples[n_samples / 2] / 1e6;
    printf("%-52s %9.3f %9.3f ms\n", name, median, (double)samples[n_samples * 95 / 100] / 1e6);
    n_samples = 0;
    return median;
}

static void check(int r, const struct err *err)
{
    if (r < 0) {
        fprintf(stderr, "bench_sandbox: %s\n", err->text);
        exit(1);
    }
}

static void on_note(void *ctx, const char *text)
{
    (void)ctx;
    fprintf(stderr, "note: %s\n", text);
}

static void on_end(void *ctx, struct sandbox_exit how)
{
    *(bool *)ctx = true;
    if (how.code != 0)
        fprintf(stderr, "exit %d\n", how.code);
}

static struct sandbox_child *begin(struct sandbox *s, const char *const *argv, bool *done)
{
    struct sandbox_command cmd = {
        .argv = argv, .env = env, .cwd = sandbox_work(s), .in = -1, .out = -1, .err = -1};
    struct sandbox_child *child = NULL;
    struct err err = ERR_INIT;

    *done = false;
    check(sandbox_start(s, &cmd, on_end, done, &child, &err), &err);
    return child;
}

static void run(struct sandbox *s, const char *const *argv)
{
    struct err err = ERR_INIT;
    bool done;

    begin(s, argv, &done);
    while (!done)
        check(loop_turn(loop, CLOCK_NEVER, &err), &err);
}

static void run_bare(const char *const *argv)
{
    struct proc_spec bare = PROC_SPEC_INIT;
    struct err err = ERR_INIT;
    struct proc *p = NULL;
    struct proc_exit how;

    bare.argv = argv;
    bare.env = env;
    check(proc_start(&bare, &p, &err), &err);
    check(proc_wait(p, CLOCK_NEVER, &how, &err), &err);
    proc_free(p);
}

static struct sandbox *open_place(enum sandbox_level level)
{
    struct sandbox *s = NULL;
    struct err err = ERR_INIT;

    spec.level = level;
    check(sandbox_open(&spec, loop, on_note, NULL, &s, &err), &err);
    return s;
}

static void bench_open(enum sandbox_level level, const char *name, int runs)
{
    char row[100];
    int64_t closing[RUNS_MAX];

    for (int i = 0; i < runs; i++) {
        int64_t start = clock_ns();
        struct sandbox *s = open_place(level);
        samples[n_samples++] = clock_ns() - start;
        start = clock_ns();
        sandbox_close(s, false);
        closing[i] = clock_ns() - start;
    }
    snprintf(row, sizeof row, "open, %s", name);
    report(row);
    memcpy(samples, closing, sizeof closing);
    n_samples = runs;
    snprintf(row, sizeof row, "close, %s", name);
    report(row);
}

static void bench_steps(const char *name, const char *const *argv, int runs)
{
    struct sandbox *s = open_place(SANDBOX_NAMESPACES);
    char row[100];
    int64_t inside[RUNS_MAX];

    for (int i = 0; i < runs; i++) { /* one after the other, so that both see the same machine */
        int64_t start = clock_ns();
        run_bare(argv);
        samples[n_samples++] = clock_ns() - start;
        start = clock_ns();
        run(s, argv);
        inside[i] = clock_ns() - start;
    }
    snprintf(row, sizeof row, "%s, bare vfork and exec", name);
    double bare = report(row);
    memcpy(samples, inside, sizeof inside);
    n_samples = runs;
    snprintf(row, sizeof row, "%s, sandboxed", name);
    double sandboxed = report(row);
    printf("%-52s %9.2f\n", "  ratio (wanted for bash: under 1.5)", sandboxed / bare);
    sandbox_close(s, false);
}

static void bench_tree(const char *source, int n_files)
{
    char row[100], path[128];
    struct err err = ERR_INIT;
    static const char *const hide[] = {"d1", "d2/f3", NULL};

    for (int i = 0; i < n_files; i++) {
        snprintf(path, sizeof path, "%s/d%d", source, i / 100);
        if (i % 100 == 0)
            (void)mkdir(path, 0755);
        snprintf(path, sizeof path, "%s/d%d/f%d", source, i / 100, i % 100);
        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    }
    for (int i = 0; i < 50; i++) {
        struct sandbox *s = open_place(SANDBOX_NAMESPACES);
        int64_t start = clock_ns();
        check(sandbox_show_tree(s, source, "/home/runner/work/app/app", hide, &err), &err);
        samples[n_samples++] = clock_ns() - start;
        sandbox_close(s, false);
    }
    snprintf(row, sizeof row, "workspace of %d files (wanted: under 5)", n_files);
    report(row);
}

/* N daemons: double-forked, in sessions of their own, deaf to SIGTERM. */
static int be_daemons(int n)
{
    (void)signal(SIGTERM, SIG_IGN);
    for (int i = 0; i < n; i++) {
        if (fork() != 0)
            continue;
        (void)setsid();
        if (fork() != 0)
            _exit(0);
        for (;;)
            pause();
    }
    close(open("ready", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    pause();
    return 0;
}

static void bench_kill(const char *self, int n)
{
    char row[100], count[32], ready[128];

    snprintf(count, sizeof count, "%d", n);
    const char *const argv[] = {self, "--daemons", count, NULL};
    snprintf(ready, sizeof ready, "%s/work/ready", job_path);
    for (int i = 0; i < 10; i++) {
        struct sandbox *s = open_place(SANDBOX_NAMESPACES);
        bool done;

        begin(s, argv, &done);
        while (access(ready, F_OK) < 0)
            usleep(10000);
        int64_t start = clock_ns();
        sandbox_close(s, true);
        samples[n_samples++] = clock_ns() - start;
        sandbox_close(open_place(SANDBOX_HOST), false); /* cleans up */
    }
    snprintf(row, sizeof row, "%d daemons gone (wanted: under 50)", n);
    report(row);
}

int main(int argc, char **argv)
{
    char self[4096] = "";

    (void)argv;
    if (argc == 3)
        return be_daemons((int)strtol(argv[2], NULL, 10));
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
        return 1;

    struct err err = ERR_INIT;
    char base[] = "/tmp/ostler-bench-XXXXXX", tree[64];

    if (!mkdtemp(base))
        return 1;
    snprintf(job_path, sizeof job_path, "%s/job", base);
    snprintf(tree, sizeof tree, "%s/tree", base);
    (void)mkdir(job_path, 0755);
    (void)mkdir(tree, 0755);
    check(loop_new(&loop, &err), &err);
    spec = (struct sandbox_spec){.required = true,
                                 .job_dir = open(job_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                                 .job_path = job_path,
                                 .work_path = "/home/runner/work",
                                 .home_path = "/home/runner",
                                 .env = env};
    bench_steps("true", (const char *const[]){"/bin/true", NULL}, 500);
    bench_steps("bash -e",
                (const char *const[]){"/bin/bash", "--noprofile", "--norc", "-ec", ":", NULL}, 500);
    bench_open(SANDBOX_NAMESPACES, "sandbox", 200);
    bench_open(SANDBOX_HOST, "host", 100);
    bench_tree(tree, 20000);
    bench_kill(self, 1000);
    loop_free(loop);
    check(path_remove(AT_FDCWD, base, &err), &err);
    return 0;
}
