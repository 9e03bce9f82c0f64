#include "place.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define DAEMON "(setsid sh -c \"trap '' TERM INT HUP; sleep 1000 & sleep 1000\" &) ; "

BOTH(the_level_host_gives_folders_of_one_s_own)
{
    CLEANUP(free_ptr) char *work = path_join(scratch_path, "jobs/1/work");
    CLEANUP(free_ptr) char *home = path_join(scratch_path, "jobs/1/home");
    CLEANUP(free_ptr) char *tmp = path_join(scratch_path, "jobs/1/tmp");
    struct err err = ERR_INIT;
    char *path = NULL;

    place_open(SANDBOX_HOST);
    cr_expect_str_eq(sandbox_work(place), work);
    cr_expect_str_eq(sandbox_home(place), home);
    cr_expect_str_eq(sandbox_tmp(place), tmp);
    cr_expect_eq(sandbox_namespace(place, SANDBOX_NS_MOUNT), -1);
    cr_expect_eq(place_sh("pwd; exit 7"), 7);
    cr_expect_eq(strncmp(place_out.ptr, work, strlen(work)), 0);
    cr_expect_eq(sandbox_which(place, "sh", "/usr/bin", &path, &err), ERR_OK);
    free(path);
    CLEANUP(fd_closep) int fd = -1;
    cr_expect_eq(path_open_in(sandbox_root(place), work, O_RDONLY, 0, &fd, &err), ERR_OK, "%s",
                 err.text);
    cr_expect_str_eq(place_notes, "");
}

BOTH(at_the_level_host_nothing_survives_either)
{
    place_open(SANDBOX_HOST);
    cr_assert_eq(place_sh("for i in 1 2 3 4 5; do " DAEMON " done"), 0);
    place_await_marked(15);
    place_close();
    cr_expect_eq(place_count_marked(), 0);
    cr_expect_eq(place_count("jobs/1"), 0);
    cr_expect_str_eq(place_notes, "");
}

BOTH(at_the_level_host_killing_takes_all_that_a_command_started)
{
    struct place_run run;
    char ready[4300];

    place_open(SANDBOX_HOST);
    snprintf(ready, sizeof ready, "%s/jobs/1/work/ready", scratch_path);
    place_start(DAEMON "sleep 1000 & echo >ready; wait", &run);
    place_await(ready);
    place_await_marked(5);
    sandbox_stop(run.child, true);
    place_wait(&run);
    place_await_marked(0);
}

BOTH(at_the_level_host_ostler_init_may_die_first)
{
    struct place_run run;

    place_open(SANDBOX_HOST);
    place_start(DAEMON DAEMON "sleep 1000", &run);
    place_await_marked(8);
    cr_assert_eq(place_kill_init(), 1);
    place_wait(&run);
    cr_expect_eq(run.how.signal, SIGKILL);
    cr_expect_eq(place_count_marked(), 0);
}

BOTH(at_the_level_host_the_worker_may_die_first)
{
    pid_t worker = fork();

    if (worker == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        place_open(SANDBOX_HOST);
        place_sh(DAEMON "echo >ready");
        pause();
    }
    cr_assert_gt(worker, 0);
    place_await("jobs/1/work/ready");
    place_await_marked(3);
    kill(worker, SIGKILL);
    waitpid(worker, NULL, 0);
    place_await_marked(0);
}

/* Our identity only, in a user namespace that may have no others below it. Says what fails. */
static bool forbid_namespaces(void)
{
    char map[2][64];
    struct err err = ERR_INIT;

    snprintf(map[0], sizeof map[0], "%u %u 1", geteuid(), geteuid());
    snprintf(map[1], sizeof map[1], "%u %u 1", getegid(), getegid());
    const struct {
        const char *path, *text;
    } files[] = {{"/proc/self/setgroups", "deny"},
                 {"/proc/self/uid_map", map[0]},
                 {"/proc/self/gid_map", map[1]},
                 {"/proc/sys/user/max_user_namespaces", "0"}};

    /* No longer the process that gave up being root, which could not write its own files. */
    (void)prctl(PR_SET_DUMPABLE, 1);
    if (unshare(CLONE_NEWUSER) < 0) {
        perror("unshare");
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        CLEANUP(fd_closep) int fd = open(files[i].path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || fd_write_all(fd, slice_of(files[i].text), &err) < 0) {
            perror(files[i].path);
            return false;
        }
    }
    return true;
}

/* FN in a process of one thread, which is what unshare() asks for. It returns NULL or what went wrong. */
static void in_child(const char *(*fn)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        const char *wrong = forbid_namespaces() ? fn() : "no way to forbid namespaces";
        if (wrong)
            fprintf(stderr, "%s\nnotes: %s", wrong, place_notes);
        _exit(wrong != NULL);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
}

static const char *falls_back(void)
{
    static struct err err;
    struct place_run run;

    place_spec.required = false;
    if (sandbox_open(&place_spec, place_loop, place_on_note, NULL, &place, &err) < 0)
        return err.text;
    if (sandbox_level(place) != SANDBOX_HOST)
        return "another level";
    if (strcmp(place_notes, "no sandbox here (cannot make user, mount and PID namespaces: No space "
                            "left on device): "
                            "running at level 'host'\n") != 0)
        return "other notes";
    place_start(DAEMON "exit 3", &run);
    place_wait(&run);
    if (run.how.code != 3)
        return "another exit code";
    place_close();
    if (place_count_marked() != 0)
        return "a process survived";
    return place_count("jobs/1") == 0 ? NULL : "files are left";
}

BOTH(without_namespaces_it_runs_on_the_host_and_says_so)
{
    in_child(falls_back);
}

static const char *refuses(void)
{
    static struct err err;
    struct sandbox *none = NULL;

    if (sandbox_open(&place_spec, place_loop, place_on_note, NULL, &none, &err) != ERR_SYS || none)
        return "no error";
    if (strcmp(err.text,
               "no sandbox here: cannot make user, mount and PID namespaces: No space left on "
               "device") != 0)
        return err.text;
    return place_count("jobs/1") == 0 ? NULL : "files are left";
}

BOTH(a_required_sandbox_that_cannot_be_had_is_an_error)
{
    in_child(refuses);
}
