#include "cli/ask.h"

#include "base/attr.h"
#include "base/slice.h"

#include <termios.h>
#include <unistd.h>

enum { ANSWER_MAX = 16 << 10 };

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

char *ask_secret(const char *question)
{
    struct termios was;
    bool shown = tcgetattr(STDIN_FILENO, &was) < 0;

    fprintf(stderr, "%s: ", question);
    if (!shown) {
        struct termios quiet = was;

        quiet.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet); /* then it is shown */
    }
    char *line = read_line();
    if (!shown) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
        fputc('\n', stderr);
    }
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
