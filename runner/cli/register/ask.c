#include "cli/register/ask.h"

#include "base/attr.h"
#include "base/fd.h"
#include "base/slice.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

enum { ANSWER_MAX = 16 << 10 };

static const int stopping[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

bool ask_possible(void)
{
    return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

/* One line, byte by byte: what comes behind it is not ours to take. NULL: there is none. */
static char *read_line(void)
{
    char *line = mem_new(ANSWER_MAX);
    size_t len = 0;
    ssize_t n;

    while ((n = read(STDIN_FILENO, line + len, 1)) == 1 && line[len] != '\n')
        if (len < ANSWER_MAX - 2)
            len++;
    if (n != 1 && len == 0) {
        free(line);
        return NULL;
    }
    line[len] = '\0';
    return line;
}

char *ask_text(const char *question, const char *fallback)
{
    if (*fallback)
        fprintf(stderr, "%s [%s]: ", question, fallback);
    else
        fprintf(stderr, "%s: ", question);
    CLEANUP(free_ptr) char *line = read_line();
    if (!line)
        return NULL;
    struct slice answer = slice_trim(slice_of(line));
    if (answer.len == 0)
        answer = slice_of(fallback);
    return mem_dup(answer.ptr, answer.len);
}

/* ---- without showing it ---- */

struct hidden { /* a terminal that shows nothing of what is typed */
    struct termios was;
    bool changed;
    sigset_t before;
    int signals; /* where those that would end or stop us are read; -1: they are not held back */
};

static void hide(struct hidden *h, const char *question)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < COUNT_OF(stopping); i++)
        sigaddset(&set, stopping[i]);
    (void)sigprocmask(SIG_BLOCK, &set, &h->before); /* fails for a wrong argument only */
    h->signals = signalfd(-1, &set, SFD_CLOEXEC);
    h->changed = tcgetattr(STDIN_FILENO, &h->was) == 0;
    if (h->changed) {
        struct termios quiet = h->was;

        quiet.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet); /* then it is shown */
    }
    fprintf(stderr, "%s: ", question); /* last: a quick answer is not flushed away */
}

static void show(struct hidden *h)
{
    if (h->changed) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &h->was);
        fputc('\n', stderr);
    }
    fd_closep(&h->signals);
    (void)sigprocmask(SIG_SETMASK, &h->before, NULL);
}

/* Waits for what is typed; false: a signal came instead, *RET_SIGNAL. */
static bool wait_for_line(const struct hidden *h, int *ret_signal)
{
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = h->signals, .events = POLLIN}};
    struct signalfd_siginfo info;

    while (poll(fds, COUNT_OF(fds), -1) < 0 && errno == EINTR)
        ;
    if (!(fds[1].revents & POLLIN) || read(h->signals, &info, sizeof info) != sizeof info)
        return true;
    *ret_signal = (int)info.ssi_signo;
    return false;
}

/* A signal that ends us, or stops us, leaves the terminal as it was. Who was stopped is asked once more. */
char *ask_secret(const char *question)
{
    struct hidden h;
    int signo;

    hide(&h, question);
    while (!wait_for_line(&h, &signo)) {
        show(&h);
        (void)raise(signo);
        hide(&h, question);
    }
    char *line = read_line();
    show(&h);
    if (!line)
        return NULL;
    struct slice answer = slice_trim(slice_of(line));
    char *copy = mem_dup(answer.ptr, answer.len);
    explicit_bzero(line, ANSWER_MAX);
    free(line);
    return copy;
}

bool ask_yes(const char *question)
{
    CLEANUP(free_ptr) char *answer = ask_text(question, "n");
    struct slice text = slice_of(answer);

    return slice_eq_nocase(text, SLICE("y")) || slice_eq_nocase(text, SLICE("yes"));
}
