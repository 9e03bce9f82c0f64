#include "sandbox/cgroup.h"

#include "base/clock.h"
#include "kit/scratch.h"
#include "place.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(cgroup, .init = scratch_enter, .fini = scratch_leave, .timeout = 60);

static const struct cgroup_limits all_limits = {64 << 20, 20, 1.5};

/* The only folder in PATH, as a path below the scratch folder. */
static const char *only_folder(const char *path)
{
    static char found[600];
    DIR *dir = opendir(path);
    int n = 0;

    cr_assert_not_null(dir, "%s", path);
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.')
            continue;
        snprintf(found, sizeof found, "%s/%.250s", path, e->d_name);
        n++;
    }
    closedir(dir);
    cr_assert_eq(n, 1, "%d folders in '%s'", n, path);
    return found;
}

static void has(const char *folder, const char *file, const char *wanted)
{
    char path[900];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    scratch_has(path, wanted);
}

static void needs_root(void)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
}

/* ---- on plain files: what is written where ---- */

Test(cgroup, v2_limits_are_written_to_one_group)
{
    struct cgroup *g = NULL;
    char missing[CGROUP_MISSING_SIZE];
    struct err err = ERR_INIT;

    needs_root();
    scratch_file("cgroup.controllers", "cpuset cpu io memory pids\n");
    scratch_file("cgroup.subtree_control", "cpu memory pids\n");
    scratch_file("ostler/cgroup.controllers", "cpu memory pids\n");
    cgroup_new(scratch_path, &all_limits, &g, missing);
    cr_assert_not_null(g);
    cr_expect_str_eq(missing, "");
    const char *folder = only_folder("ostler");
    has(folder, "memory.max", "67108864");
    has(folder, "memory.swap.max", "0");
    has(folder, "pids.max", "20");
    has(folder, "cpu.max", "150000 100000");
    cr_expect_eq(cgroup_attach(g, 4242, &err), ERR_OK);
    has(folder, "cgroup.procs", "4242");
    cr_expect(cgroup_kill(g));
    has(folder, "cgroup.kill", "1");

    struct cgroup_stats stats;
    char path[900];
    snprintf(path, sizeof path, "%s/memory.peak", folder);
    scratch_file(path, "1048576\n");
    snprintf(path, sizeof path, "%s/memory.events", folder);
    scratch_file(path, "low 0\nhigh 0\nmax 9\noom 2\noom_kill 3\noom_group_kill 0\n");
    snprintf(path, sizeof path, "%s/pids.events", folder);
    scratch_file(path, "max 7\n");
    cgroup_stats(g, &stats);
    cr_expect_eq(stats.memory_peak, 1048576);
    cr_expect_eq(stats.oom_kills, 3);
    cr_expect_eq(stats.pids_refused, 7);
    cgroup_free(g, 0);
}

Test(cgroup, v1_limits_are_written_a_controller_at_a_time)
{
    struct cgroup *g = NULL;
    char missing[CGROUP_MISSING_SIZE];

    needs_root();
    scratch_file("memory/x", "");
    scratch_file("cpu/x", "");
    cgroup_new(scratch_path, &all_limits, &g, missing);
    cr_assert_not_null(g);
    cr_expect_str_eq(missing, "processes", "%s", missing); /* no such hierarchy */
    has(only_folder("memory/ostler"), "memory.limit_in_bytes", "67108864");
    has(only_folder("cpu/ostler"), "cpu.cfs_quota_us", "150000");
    cr_expect_not(cgroup_kill(g));
    cgroup_free(g, 0);
}

Test(cgroup, groups_of_the_dead_are_removed)
{
    struct cgroup *g = NULL;
    char missing[CGROUP_MISSING_SIZE], dead[64], mine[64];
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    needs_root();
    cgroup_remove_stale(scratch_path); /* there is none */
    cr_expect_eq(access("ostler", F_OK), -1);
    snprintf(dead, sizeof dead, "ostler/job-%ld-1-0", (long)pid);
    snprintf(mine, sizeof mine, "ostler/job-%ld-1-0", (long)getpid());
    scratch_file("cgroup.controllers", "memory\n");
    cr_assert_eq(mkdir("ostler", 0755), 0);
    cr_assert_eq(mkdir(dead, 0755) | mkdir(mine, 0755) | mkdir("ostler/other", 0755), 0);

    cgroup_new(scratch_path, &(struct cgroup_limits){0}, &g, missing);
    cr_assert_not_null(g);
    cgroup_free(g, 0);
    cr_expect_eq(access(dead, F_OK), -1);
    cr_expect_eq(access(mine, F_OK), 0);
    cr_expect_eq(access("ostler/other", F_OK), 0);

    cr_assert_eq(mkdir(dead, 0755), 0);
    cgroup_remove_stale(scratch_path);
    cr_expect_eq(access(dead, F_OK), -1);
    cr_expect_eq(access(mine, F_OK), 0);
}

Test(cgroup, where_there_is_none_all_limits_are_missing)
{
    int anything;
    struct cgroup *g = (struct cgroup *)(void *)&anything;
    char missing[CGROUP_MISSING_SIZE];

    cgroup_new(scratch_path, &all_limits, &g, missing);
    cr_expect_null(g);
    cr_expect_str_eq(missing, "memory, processes, CPU");
    cgroup_new("/no/such/folder", &(struct cgroup_limits){0}, &g, missing);
    cr_expect_null(g);
    cr_expect_str_eq(missing, "");
    cr_expect_null(cgroup_free(NULL, 0));
}

/* ---- on the real thing ---- */

static pid_t sleeper(void)
{
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

Test(cgroup, a_real_group_kills_all_that_is_in_it)
{
    struct cgroup *g = NULL;
    char missing[CGROUP_MISSING_SIZE];
    struct err err = ERR_INIT;
    int status;

    needs_root();
    cgroup_new(NULL, &(struct cgroup_limits){0}, &g, missing);
    if (!g)
        cr_skip_test("needs a control group hierarchy");
    pid_t pid = sleeper();
    cr_assert_eq(cgroup_attach(g, pid, &err), ERR_OK, "%s", err.text);
    if (!cgroup_kill(g)) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        cgroup_free(g, 5000);
        cr_skip_test("needs cgroup v2 with cgroup.kill");
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect_eq(WTERMSIG(status), SIGKILL);
    int64_t start = clock_ms();
    cgroup_free(g, 5000);
    cr_expect_lt(clock_ms() - start, 4000);
}

static bool can_limit(const struct cgroup_limits *limits)
{
    struct cgroup *g = NULL;
    char missing[CGROUP_MISSING_SIZE];

    cgroup_new(NULL, limits, &g, missing);
    cgroup_free(g, 0);
    return *missing == '\0';
}

Test(root, a_job_cannot_have_more_processes_than_its_limit)
{
    struct sandbox_stats stats;

    place_enter(false);
    place_spec.pids_max = 15;
    if (!can_limit(&(struct cgroup_limits){.pids_max = 15}))
        cr_skip_test("needs the pids controller");
    place_open(SANDBOX_NAMESPACES);
    cr_expect_neq(
        place_sh(
            "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 100 & done"),
        0);
    sandbox_stats(place, &stats);
    cr_expect_gt(stats.pids_refused, 0);
    cr_expect_str_eq(place_notes, "");
    place_leave();
}

Test(root, a_job_that_wants_too_much_memory_is_killed_and_counted)
{
    struct sandbox_stats stats;

    place_enter(false);
    place_spec.memory_max = 48 << 20;
    if (!can_limit(&(struct cgroup_limits){.memory_max = 48 << 20}))
        cr_skip_test("needs the memory controller");
    place_open(SANDBOX_NAMESPACES);
    cr_expect_eq(place_sh("head -c 200m /dev/zero | tail >/dev/null; exit 5"),
                 5); /* tail keeps one line */
    sandbox_stats(place, &stats);
    cr_expect_gt(stats.oom_kills, 0);
    cr_expect_gt(stats.memory_peak, 40U << 20);
    cr_expect_eq(place_sh("echo goes on"), 0);
    place_leave();
}

Test(root, limits_leave_no_group_behind)
{
    place_enter(false);
    place_spec.pids_max = 100;
    if (!can_limit(&(struct cgroup_limits){.pids_max = 100}))
        cr_skip_test("needs the pids controller");
    for (int level = SANDBOX_HOST; level <= SANDBOX_NAMESPACES; level++) {
        place_open((enum sandbox_level)level);
        cr_expect_eq(place_sh("grep -c ostler/job /proc/self/cgroup"), 0, "it is in no group");
        cr_expect_eq(place_sh("(setsid sleep 1000 &)"), 0);
        place_close();
    }
    cr_expect_eq(place_count_groups(), 0);
    place_leave();
}

Test(user, limits_that_cannot_be_held_are_said)
{
    place_enter(true);
    place_spec.memory_max = 1 << 30;
    place_spec.cpu_max = 1;
    place_spec.cgroup_root = scratch_path; /* there is nothing in it */
    place_open(SANDBOX_NAMESPACES);
    cr_expect_str_eq(place_notes,
                     "not limited, for want of a control group to write to: memory, CPU\n");
    cr_expect_eq(place_sh("exit 4"), 4);
    place_leave();
}
