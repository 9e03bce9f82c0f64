#include "listen/notify.h"

#include "base/clock.h"
#include "base/fd.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct loop *loop;
static int manager = -1;

static void enter(void)
{
    struct err err = ERR_INIT;

    scratch_enter();
    cr_assert_eq(loop_new(&loop, &err), ERR_OK, "%s", err.text);
}

static void leave(void)
{
    loop = loop_free(loop);
    fd_closep(&manager);
    scratch_leave();
}

TestSuite(notify, .init = enter, .fini = leave);

/* A manager that listens at NAME ('@': abstract). */
static void listen_at(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(name);

    memcpy(at.sun_path, name, len);
    if (name[0] == '@')
        at.sun_path[0] = '\0';
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(manager, 0);
    cr_assert_eq(bind(manager, (struct sockaddr *)&at,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                 0);
}

/* The next message, waiting for it while the loop turns. */
static const char *heard(void)
{
    static char text[4096];
    struct err err = ERR_INIT;
    ssize_t n;

    while ((n = recv(manager, text, sizeof text - 1, MSG_DONTWAIT)) < 0)
        cr_assert_eq(loop_turn(loop, clock_ms() + 1, &err), ERR_OK, "%s", err.text);
    text[n] = '\0';
    return text;
}

static bool silent(void)
{
    char byte;

    return recv(manager, &byte, 1, MSG_DONTWAIT) < 0;
}

static struct notify *open_at(const char *socket, int64_t watchdog_ms, bool (*alive)(void *),
                              void *ctx)
{
    struct notify_spec spec = {socket, watchdog_ms, alive, ctx};
    struct notify *n = NULL;
    struct err err = ERR_INIT;

    cr_assert_eq(notify_new(&spec, loop, &n, &err), ERR_OK, "%s", err.text);
    return n;
}

static const char *here(const char *name)
{
    static char path[4200];

    snprintf(path, sizeof path, "%s/%s", scratch_path, name);
    return path;
}

Test(notify, a_manager_at_a_path_is_told_each_thing_in_a_line)
{
    listen_at("manager");
    struct notify *n = open_at(here("manager"), 0, NULL, NULL);

    notify_ready(n);
    cr_assert_str_eq(heard(), "READY=1\n");
    notify_status(n, "%d of %d slots free", 3, 4);
    cr_assert_str_eq(heard(), "STATUS=3 of 4 slots free\n");
    notify_status(n, "3 of 4 slots free");
    cr_assert(silent(), "the same status was sent again");
    notify_stopping(n);
    cr_assert_str_eq(heard(), "STOPPING=1\n");
    notify_free(n);
}

Test(notify, a_manager_with_an_abstract_name_is_told_too)
{
    char name[64];

    snprintf(name, sizeof name, "@ostler-test-notify-%d", (int)getpid());
    listen_at(name);
    struct notify *n = open_at(name, 0, NULL, NULL);

    notify_ready(n);
    cr_assert_str_eq(heard(), "READY=1\n");
    notify_free(n);
}

Test(notify, a_status_is_one_line_whatever_is_in_it)
{
    char longer[2000];

    listen_at("manager");
    struct notify *n = open_at(here("manager"), 0, NULL, NULL);
    notify_status(n, "a\nMAINPID=1\x7f\xff");
    cr_assert_str_eq(heard(), "STATUS=a MAINPID=1 \xef\xbf\xbd\n");
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    notify_status(n, "%s", longer);
    cr_assert_eq(strlen(heard()), NOTIFY_STATUS_MAX + strlen("STATUS=\n"));
    notify_free(n);
}

Test(notify, what_a_manager_cannot_take_yet_comes_later)
{
    enum { SENDERS = 64 };
    int small = 1;
    size_t filled = 0;

    listen_at("manager");
    cr_assert_eq(setsockopt(manager, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    struct notify *n = open_at(here("manager"), 0, NULL, NULL);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int others[SENDERS], n_others = 0;
    memcpy(at.sun_path, "manager", sizeof "manager");
    /* The queue holds so many (net.unix.max_dgram_qlen), which may be more than one sender may have under way. */
    for (bool room = true; room && n_others < SENDERS; n_others++) {
        others[n_others] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        for (room = false;
             sendto(others[n_others], "x", 1, MSG_DONTWAIT, (struct sockaddr *)&at, sizeof at) == 1;
             room = true)
            filled++;
    }
    cr_assert_lt(n_others, SENDERS, "%zu messages do not fill a queue", filled);

    notify_ready(n);
    notify_status(n, "first");
    notify_status(n, "second");
    for (; filled; filled--)
        cr_assert_str_eq(heard(), "x");
    cr_assert_str_eq(heard(), "READY=1\nSTATUS=second\n");
    while (n_others)
        close(others[--n_others]);
    notify_free(n);
}

static bool is_alive(void *ctx)
{
    int *left = ctx;

    return *left > 0 && (*left)--;
}

static void set(void *ctx)
{
    *(bool *)ctx = true;
}

Test(notify, the_watchdog_is_fed_only_while_we_are_alive)
{
    int lives = 3;
    bool over = false;
    struct err err = ERR_INIT;

    listen_at("manager");
    struct notify *n = open_at(here("manager"), 20, is_alive, &lives);
    for (int i = 0; i < 3; i++)
        cr_assert_str_eq(heard(), "WATCHDOG=1\n");
    loop_timer(loop, clock_ms() + 60, set, &over);
    while (!over)
        cr_assert_eq(loop_turn(loop, CLOCK_NEVER, &err), ERR_OK);
    cr_assert(silent(), "fed although nobody is alive");
    lives = 1; /* contact again */
    cr_assert_str_eq(heard(), "WATCHDOG=1\n");
    notify_free(n);
}

Test(notify, without_a_manager_nothing_is_sent_and_nothing_fails)
{
    struct notify *n = open_at(here("nobody"), 0, NULL, NULL);

    notify_ready(n);
    notify_free(n);
    notify_ready(NULL);
    notify_status(NULL, "nobody");
    notify_stopping(NULL);
    cr_assert_null(notify_free(NULL));
}

Test(notify, addresses_of_other_kinds_are_refused)
{
    static const struct {
        const char *socket;
        int code;
    } rows[] = {
        {"vsock:2:1234", ERR_UNSUPPORTED},
        {"relative/path", ERR_INVALID},
        {"@", ERR_INVALID},
        {"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         ERR_INVALID}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct notify_spec spec = {.socket = rows[i].socket};
        struct notify *n = NULL;
        struct err err = ERR_INIT;

        cr_assert_eq(notify_new(&spec, loop, &n, &err), rows[i].code, "%s", rows[i].socket);
        cr_assert_null(n);
        cr_assert_neq(err.text[0], '\0');
    }
}
