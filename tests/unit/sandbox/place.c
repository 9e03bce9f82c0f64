#include "place.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

struct loop *place_loop;
struct sandbox *place;
struct sandbox_spec place_spec;
char place_notes[8192];
char place_home[4200];
struct buf place_out = BUF_INIT(8 << 20);
const char *const *place_env;

static char job_path[4200], mark[64], home_var[4300];
static int out_fd = -1;

static const char *env[8];

enum { TEST_UID = 54321 };

void place_enter(bool user)
{
    struct err err = ERR_INIT;

    if (!user && geteuid() != 0)
        cr_skip_test("needs root");
    scratch_enter();
    snprintf(job_path, sizeof job_path, "%s/jobs/1", scratch_path);
    snprintf(place_home, sizeof place_home, "%s/homes/me", scratch_path);
    cr_assert_eq(path_mkdirs(AT_FDCWD, job_path, 0755, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(path_mkdirs(AT_FDCWD, place_home, 0755, &err), ERR_OK, "%s", err.text);
    if (user && geteuid() == 0) {
        static const char *const theirs[] = {".", "jobs", "jobs/1", "homes", "homes/me"};
        for (size_t i = 0; i < COUNT_OF(theirs); i++)
            cr_assert_eq(chown(theirs[i], TEST_UID, TEST_UID), 0);
        cr_assert_eq(setgroups(0, NULL), 0);
        cr_assert_eq(setresgid(TEST_UID, TEST_UID, TEST_UID), 0);
        cr_assert_eq(setresuid(TEST_UID, TEST_UID, TEST_UID), 0);
    }
    snprintf(mark, sizeof mark, "OSTLER_TEST_MARK=%ld-%ld", (long)getpid(), (long)clock_ms());
    snprintf(home_var, sizeof home_var, "HOME=%s", place_home);
    env[0] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    env[1] = home_var;
    env[2] = mark;
    place_env = env;
    cr_assert_eq(loop_new(&place_loop, &err), ERR_OK, "%s", err.text);
    place_spec = (struct sandbox_spec){
        .level = SANDBOX_NAMESPACES,
        .required = true,
        .job_dir = open(job_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
        .job_path = job_path,
        .work_path = "/home/runner/work",
        .home_path = place_home,
        .env = env,
    };
    cr_assert_geq(place_spec.job_dir, 0);
}

void place_leave(void)
{
    place_close();
    place_loop = loop_free(place_loop);
    close(place_spec.job_dir);
    buf_deinit(&place_out);
    scratch_leave();
}

void place_on_note(void *ctx, const char *text)
{
    size_t used = strlen(place_notes);

    (void)ctx;
    snprintf(place_notes + used, sizeof place_notes - used, "%s\n", text);
}

void place_open(enum sandbox_level level)
{
    struct err err = ERR_INIT;

    place_spec.level = level;
    cr_assert_eq(sandbox_open(&place_spec, place_loop, place_on_note, NULL, &place, &err), ERR_OK,
                 "%s", err.text);
    cr_assert_eq(sandbox_level(place), level);
}

void place_close(void)
{
    place = sandbox_close(place, false);
}

void place_on_exit(void *ctx, struct sandbox_exit how)
{
    struct place_run *run = ctx;

    run->how = how;
    run->ended = true;
}

void place_start(const char *script, struct place_run *run)
{
    struct err err = ERR_INIT;
    struct sandbox_command cmd = {
        .argv = (const char *const[]){"sh", "-c", script, NULL},
        .env = place_env,
        .cwd = sandbox_work(place),
        .in = -1,
        .out = out_fd,
        .err = out_fd,
    };

    *run = (struct place_run){0};
    cr_assert_eq(sandbox_start(place, &cmd, place_on_exit, run, &run->child, &err), ERR_OK,
                 "%s: %s", script, err.text);
}

void place_wait(struct place_run *run)
{
    struct err err = ERR_INIT;
    int64_t deadline = clock_ms() + 60000;

    while (!run->ended && clock_ms() < deadline)
        cr_assert_eq(loop_turn(place_loop, deadline, &err), ERR_OK);
    cr_assert(run->ended, "a command did not end");
}

int place_sh(const char *script)
{
    struct err err = ERR_INIT;
    struct place_run run;
    int from;

    /* Through a file: nobody has to drain it, and a daemon that holds it is no matter. */
    from = open(scratch_path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    cr_assert_geq(from, 0);
    out_fd = from;
    place_start(script, &run);
    out_fd = -1;
    place_wait(&run);
    buf_clear(&place_out);
    lseek(from, 0, SEEK_SET);
    cr_assert_eq(fd_read_all(from, &place_out, &err), ERR_OK, "%s", err.text);
    close(from);
    return run.how.code;
}

static bool is_marked(const char *pid)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 20);
    CLEANUP(free_ptr) char *path = mem_new(64);
    struct err err = ERR_INIT;

    snprintf(path, 64, "/proc/%s/environ", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    int r = fd_read_all(fd, &text, &err);
    close(fd);
    return r == ERR_OK && slice_find(buf_slice(&text), slice_of(mark)) >= 0;
}

size_t place_count_marked(void)
{
    DIR *proc = opendir("/proc");
    size_t n = 0;

    for (struct dirent *e; (e = readdir(proc));)
        n += isdigit((unsigned char)e->d_name[0]) && is_marked(e->d_name);
    closedir(proc);
    return n;
}

void place_await_marked(size_t n)
{
    int64_t deadline = clock_ms() + 20000;

    for (size_t now; (now = place_count_marked()) != n;) {
        cr_assert_lt(clock_ms(), deadline, "%zu processes instead of %zu", now, n);
        usleep(1000);
    }
}

void place_await(const char *path)
{
    int64_t deadline = clock_ms() + 20000;

    while (access(path, F_OK) < 0) {
        cr_assert_lt(clock_ms(), deadline, "'%s' never came", path);
        usleep(1000);
    }
}

void place_set_env(size_t at, const char *var)
{
    env[at] = var;
}

int place_count(const char *path)
{
    DIR *dir = opendir(path);
    int n = -2;

    cr_assert_not_null(dir, "%s", path);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

int place_kill_init(void)
{
    char name[64], line[512];
    DIR *proc = opendir("/proc");
    int n = 0;

    for (struct dirent *e; (e = readdir(proc));) {
        if (!isdigit((unsigned char)e->d_name[0]))
            continue;
        snprintf(name, sizeof name, "/proc/%.20s/stat", e->d_name);
        int fd = open(name, O_RDONLY | O_CLOEXEC);
        ssize_t len = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
        long pid, parent;
        fd_closep(&fd);
        line[len < 0 ? 0 : len] = '\0';
        if (sscanf(line, "%ld (ostler-init) %*c %ld", &pid, &parent) == 2 && parent == getpid())
            n += kill((pid_t)pid, SIGKILL) == 0;
    }
    closedir(proc);
    return n;
}

int place_count_groups(void)
{
    static const char *const roots[] = {"/sys/fs/cgroup/ostler", "/sys/fs/cgroup/unified/ostler",
                                        "/sys/fs/cgroup/pids/ostler",
                                        "/sys/fs/cgroup/memory/ostler"};
    char prefix[64];
    int n = 0;

    snprintf(prefix, sizeof prefix, "job-%ld-", (long)getpid());
    for (size_t i = 0; i < COUNT_OF(roots); i++) {
        DIR *dir = opendir(roots[i]);
        for (struct dirent *e; dir && (e = readdir(dir));)
            n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
        if (dir)
            closedir(dir);
    }
    return n;
}
