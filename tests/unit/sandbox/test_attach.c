/* ostler-init as a container has it, without a container. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "io/proc.h"
#include "kit/scratch.h"
#include "sandbox/init/wire.h"
#include "sandbox/sandbox.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct loop *loop;
static struct proc *init;
static struct sandbox *box;
static char notes[4096];

static void on_note(void *ctx, const char *text)
{
    (void)ctx;
    snprintf(notes + strlen(notes), sizeof notes - strlen(notes), "%s\n", text);
}

static void enter(void)
{
    struct err err = ERR_INIT;

    scratch_enter();
    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
}

static void leave(void)
{
    box = sandbox_close(box, false);
    init = proc_free(init);
    loop = loop_free(loop);
    scratch_leave();
}

TestSuite(attach, .init = enter, .fini = leave);

static void start_init(const char *const *args, const char *const *env)
{
    CLEANUP(free_ptr) char *path = NULL;
    struct proc_spec spec = PROC_SPEC_INIT;
    struct err err = ERR_INIT;

    cr_assert_eq(sandbox_init_path(&path, &err), ERR_OK, "%s", err.text);
    const char *argv[8] = {path};
    for (size_t i = 0; args[i]; i++)
        argv[i + 1] = args[i];
    spec.argv = argv;
    spec.env = env;
    spec.err = STDERR_FILENO;
    cr_assert_eq(proc_start(&spec, &init, &err), ERR_OK, "%s", err.text);
}

static void attach(void)
{
    static const char *const env[] = {"FROM=image", "PATH=/usr/bin:/bin", NULL};
    CLEANUP(fd_closep) int listener = -1;
    struct err err = ERR_INIT;

    cr_assert_eq(sandbox_listen(scratch_dir, "socket", &listener, &err), ERR_OK, "%s", err.text);
    start_init((const char *const[]){"socket", NULL}, env);
    struct pollfd one = {.fd = listener, .events = POLLIN};
    cr_assert_eq(poll(&one, 1, 10000), 1);
    cr_assert_eq(sandbox_attach(listener, "/__w", "/github/home", loop, on_note, NULL, &box, &err),
                 ERR_OK, "%s", err.text);
}

static void on_exit_of(void *ctx, struct sandbox_exit how)
{
    *(struct sandbox_exit *)ctx = how;
    loop_quit(loop);
}

static struct sandbox_child *start(const char *script, int out, struct sandbox_exit *how)
{
    struct sandbox_command cmd = {
        .argv = (const char *const[]){"sh", "-c", script, NULL},
        .env = (const char *const[]){"PATH=/usr/bin:/bin", "GIVEN=1", NULL},
        .cwd = scratch_path,
        .in = -1,
        .out = out,
        .err = -1,
    };
    struct sandbox_child *child = NULL;
    struct err err = ERR_INIT;

    cr_assert_eq(sandbox_start(box, &cmd, on_exit_of, how, &child, &err), ERR_OK, "%s", err.text);
    return child;
}

Test(attach, commands_run_there_with_what_they_are_given)
{
    struct sandbox_exit how = {0};
    struct err err = ERR_INIT;

    attach();
    cr_expect_eq(sandbox_level(box), SANDBOX_CONTAINER);
    cr_expect_str_eq(sandbox_work(box), "/__w");
    cr_expect_str_eq(sandbox_home(box), "/github/home");
    cr_expect_str_eq(sandbox_env(box)[0], "FROM=image");
    cr_expect_null(sandbox_env(box)[2]);
    cr_expect_eq(sandbox_namespace(box, SANDBOX_NS_MOUNT), -1);

    CLEANUP(fd_closep) int out = open("out", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    (void)start("echo \"$GIVEN ${FROM-nothing} $PWD\"; exit 7", out, &how);
    cr_assert_eq(loop_run(loop, &err), ERR_OK);
    cr_expect_eq(how.code, 7);
    char wanted[5000];
    snprintf(wanted, sizeof wanted, "1 nothing %s\n", scratch_path);
    scratch_has("out", wanted);

    CLEANUP(fd_closep) int fd = -1;
    cr_expect_eq(path_open_in(sandbox_root(box), scratch_path, O_RDONLY, 0, &fd, &err), ERR_OK,
                 "%s", err.text);
}

Test(attach, our_going_is_the_end_of_all_in_it)
{
    struct sandbox_exit how = {0};
    struct proc_exit end;
    struct err err = ERR_INIT;
    struct stat st;

    attach();
    (void)start("(setsid sleep 1000 &) ; : >ready; sleep 1000", -1, &how);
    while (fstatat(scratch_dir, "ready", &st, 0) < 0)
        poll(NULL, 0, 5);
    box = sandbox_close(box, false);
    cr_assert_eq(proc_wait(init, clock_ms() + 10000, &end, &err), ERR_OK, "%s", err.text);
    cr_expect_eq(end.code, 0, "something would not die");
    scratch_has("ready", "");
}

Test(attach, its_death_ends_what_ran_and_is_said)
{
    struct sandbox_exit how = {0};
    struct err err = ERR_INIT;

    attach();
    (void)start("exec sleep 1000", -1, &how);
    proc_signal(init, SIGKILL);
    cr_assert_eq(loop_run(loop, &err), ERR_OK);
    cr_expect_eq(how.signal, SIGKILL);
    cr_expect(strstr(notes, "the job's container has ended"), "%s", notes);
}

Test(attach, it_says_why_it_cannot_come)
{
    struct proc_exit end;
    struct err err = ERR_INIT;

    start_init((const char *const[]){"no-such-socket", NULL}, (const char *const[]){NULL});
    cr_assert_eq(proc_wait(init, clock_ms() + 10000, &end, &err), ERR_OK);
    cr_expect_eq(end.code, 1);
}

Test(attach, a_long_path_does_not_keep_it_from_listening)
{
    CLEANUP(fd_closep) int listener = -1;
    CLEANUP(fd_closep) int dir = -1;
    struct err err = ERR_INIT;
    char name[201] = {0};

    memset(name, 'x', 200);
    cr_assert_eq(mkdirat(scratch_dir, name, 0700), 0);
    cr_assert_eq(path_open(scratch_dir, name, O_RDONLY | O_DIRECTORY, 0, &dir, &err), ERR_OK);
    cr_expect_eq(sandbox_listen(dir, "socket", &listener, &err), ERR_OK, "%s", err.text);
}

/* A port of the loopback that is free, or, as *RET_FD, taken. */
static unsigned find_port(int *ret_fd)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&at, size), 0);
    cr_assert_eq(listen(fd, 1), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    if (ret_fd)
        *ret_fd = fd;
    else
        close(fd);
    return ntohs(at.sin_port);
}

/* Whoever connects to PORT comes out of LISTENER. */
static void expect_way(unsigned port, int listener)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CLEANUP(fd_closep) int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char word[4] = "";

    cr_assert_eq(connect(client, (struct sockaddr *)&at, sizeof at), 0);
    CLEANUP(fd_closep) int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    cr_assert_geq(server, 0);
    cr_assert_eq(write(client, "hey", 3), 3);
    cr_assert_eq(read(server, word, 3), 3);
    cr_expect_str_eq(word, "hey");
}

Test(attach, a_socket_at_its_loopback_is_handed_out)
{
    CLEANUP(fd_closep) int listener = -1;
    CLEANUP(fd_closep) int other = -1;
    CLEANUP(fd_closep) int none = -1;
    struct err err = ERR_INIT;
    unsigned port = find_port(NULL);

    attach();
    cr_assert_eq(sandbox_loopback(box, port, &listener, &err), ERR_OK, "%s", err.text);
    expect_way(port, listener);
    cr_assert_eq(sandbox_loopback(box, find_port(&other), &none, &err), ERR_OK, "%s", err.text);
    cr_expect_eq(none, -1, "somebody listens there already");
}

Test(attach, an_action_s_program_runs_once_the_socket_is_out)
{
    CLEANUP(fd_closep) int door = -1;
    CLEANUP(fd_closep) int listener = -1;
    struct err err = ERR_INIT;
    struct proc_exit end;
    unsigned port = find_port(NULL);
    char text[16];

    snprintf(text, sizeof text, "%u", port);
    cr_assert_eq(sandbox_listen(scratch_dir, "door", &door, &err), ERR_OK, "%s", err.text);
    start_init(
        (const char *const[]){"listen", "door", text, "sh", "-c", "echo $$ >it; exit 5", NULL},
        (const char *const[]){"PATH=/usr/bin:/bin", NULL});
    cr_assert_eq(poll(&(struct pollfd){.fd = door, .events = POLLIN}, 1, 10000), 1);
    cr_assert_eq(sandbox_take_loopback(door, &listener, &err), ERR_OK, "%s", err.text);
    expect_way(port, listener);
    cr_assert_eq(proc_wait(init, clock_ms() + 10000, &end, &err), ERR_OK);
    cr_expect_eq(end.code, 5);
    cr_expect_eq(access("it", F_OK), 0);
}

Test(attach, an_action_s_program_runs_also_where_nobody_takes_the_socket)
{
    static const struct {
        const char *program;
        int code;
    } rows[] = {{"true", 0}, {"no-such-program", 127}, {"/dev/null", 126}};
    struct proc_exit end;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        start_init((const char *const[]){"listen", "nobody", "7", rows[i].program, NULL},
                   (const char *const[]){"PATH=/usr/bin:/bin", NULL});
        cr_assert_eq(proc_wait(init, clock_ms() + 10000, &end, &err), ERR_OK);
        cr_expect_eq(end.code, rows[i].code, "%s: %d", rows[i].program, end.code);
        init = proc_free(init);
    }
}

/* Whatever comes out of a container instead is refused. */
Test(attach, what_is_no_listening_socket_is_not_taken)
{
    for (int what = 0; what < 3; what++) {
        CLEANUP(fd_closep) int door = -1;
        CLEANUP(fd_closep) int come = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        CLEANUP(fd_closep)
        int given = what == 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC)
                              : socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "door"};
        struct err err = ERR_INIT;
        int listener = -1;

        cr_assert_eq(sandbox_listen(scratch_dir, "door", &door, &err), ERR_OK, "%s", err.text);
        cr_assert_eq(connect(come, (struct sockaddr *)&at, sizeof at), 0);
        if (what < 2)
            cr_assert_eq(wire_send(come, WIRE_DONE, 0, NULL, &given, 1, &err), ERR_OK);
        else
            cr_assert_eq(fd_send(come, SLICE("nonsense"), NULL, 0, &err), ERR_OK);
        cr_expect_lt(sandbox_take_loopback(door, &listener, &err), 0, "%d", what);
        cr_expect_eq(listener, -1);
        cr_assert_eq(unlink("door"), 0);
    }
}

Test(attach, it_empties_a_folder)
{
    struct proc_exit end;
    struct err err = ERR_INIT;

    scratch_file("full/a/b", "x");
    scratch_file("full/c", "x");
    cr_assert_eq(symlink("/etc/passwd", "full/link"), 0);
    cr_assert_eq(chmod("full/a", 0), 0);
    start_init((const char *const[]){"empty", "full", NULL}, (const char *const[]){NULL});
    cr_assert_eq(proc_wait(init, clock_ms() + 10000, &end, &err), ERR_OK);
    cr_expect_eq(end.code, 0);
    cr_expect_eq(rmdir("full"), 0, "it is not empty");
    cr_expect_eq(access("/etc/passwd", F_OK), 0);
}
