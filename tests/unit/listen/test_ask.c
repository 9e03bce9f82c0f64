/* Asking a socket behind which there is a listener, nobody, or something else; each in a process of its own. */
#include "base/clock.h"
#include "kit/scratch.h"
#include "listen/ask.h"
#include "listen/web.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

static struct buf body;
static pid_t child;
static struct loop *loop; /* the child's; ours is a copy, to be freed */
static struct web *web;

static void enter(void)
{
    scratch_enter();
    body = (struct buf)BUF_INIT(1 << 20);
}

static void leave(void)
{
    if (child) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    web = web_free(web);
    loop = loop_free(loop);
    buf_deinit(&body);
    scratch_leave();
}

TestSuite(ask, .init = enter, .fini = leave);

static void page(void *ctx, const char *path, struct web_reply *ret)
{
    (void)ctx;
    ret->status = strcmp(path, "/status") == 0 ? 200 : 404;
    for (int i = 0; i < (strcmp(path, "/big") == 0 ? 200000 : 1); i++)
        buf_printf(&ret->body, "this is %s\n", path);
}

static char socket_path[4200];

/* A listener's endpoint at the socket "s". */
static void start_listener(void)
{
    struct err err = ERR_INIT;

    snprintf(socket_path, sizeof socket_path, "%s/s", scratch_path);
    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
    cr_assert_eq(web_new(socket_path, loop, page, NULL, &web, &err), ERR_OK, "%s", err.text);
    child = fork();
    if (child == 0)
        _exit(loop_run(loop, &err) < 0);
}

/* Something at the socket "s" that says TEXT to the first who connects; NULL: it takes nobody. */
static void start_other(const char *text)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "s"};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    cr_assert_eq(listen(fd, 1), 0);
    child = fork();
    if (child == 0) {
        int one = text ? accept(fd, NULL, NULL) : -1;
        char question[4096];

        if (!text || recv(one, question, sizeof question, 0) <= 0 ||
            send(one, text, strlen(text), MSG_NOSIGNAL) < 0)
            pause();
        _exit(0);
    }
    close(fd);
}

static int ask(const char *what, int64_t ms, int *status, struct err *err)
{
    buf_clear(&body);
    return ask_listener("s", what, ms, &body, status, err);
}

Test(ask, a_listener_answers_each_question)
{
    struct err err = ERR_INIT;
    int status = 0;

    start_listener();
    cr_assert_eq(ask("/status", PATIENCE_MS, &status, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(status, 200);
    cr_assert_str_eq(body.ptr, "this is /status\n");
    cr_assert_eq(ask("/else", PATIENCE_MS, &status, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(status, 404);
}

Test(ask, an_answer_is_held_to_its_limit)
{
    struct err err = ERR_INIT;
    int status = 0;

    start_listener();
    cr_assert_eq(ask("/big", PATIENCE_MS, &status, &err), ERR_LIMIT, "%s", err.text);
    cr_assert_eq(status, 0);
}

Test(ask, where_nobody_listens_that_is_said)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "s"};
    struct err err = ERR_INIT;
    int status = 0, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(ask("/status", PATIENCE_MS, &status, &err), ERR_NOT_FOUND);
    cr_assert_str_eq(err.text, "'s': nobody listens there");
    cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    close(fd);
    cr_assert_eq(ask("/status", PATIENCE_MS, &status, &err), ERR_NOT_FOUND, "one that was left");
}

Test(ask, one_that_hangs_is_not_waited_for)
{
    struct err err = ERR_INIT;
    int status = 0;

    start_other(NULL);
    cr_assert_eq(ask("/status", 50, &status, &err), ERR_TIMEOUT, "%s", err.text);
}

Test(ask, something_else_is_no_listener)
{
    struct err err = ERR_INIT;
    int status = 0;

    start_other("220 mail ready\r\n");
    cr_assert_eq(ask("/status", PATIENCE_MS, &status, &err), ERR_INVALID, "%s", err.text);
    cr_assert_not_null(strstr(err.text, "that is no listener"));
}
