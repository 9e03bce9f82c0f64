#include "plugin/child/program.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "io/proc.h"
#include "plugin/child/calls.h"
#include "plugin/child/lines.h"
#include "sandbox/confine.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    HEAD_MAX = 256,  /* bytes of a "#!" line that the kernel reads */
    LEAVE_MS = 2000, /* from its last word to its end, or from the end of its output */
    READ_SIZE = 64 << 10,
};

static struct running {
    const struct child_start *start;
    struct proc *proc;
    int to, from; /* its standard input and output */
} running = {.to = -1, .from = -1};

/* ---- in the program's process, before it is the program ---- */

/* Its last word, in its place. */
__attribute__((noreturn)) static void give_up(const struct err *err)
{
    CLEANUP(free_ptr) char *text = NULL;
    json_t *line = json_pack("{s:s, s:s, s:s}", "do", "end", "code", "failed", "error", err->text);

    text = line ? json_dumps(line, JSON_COMPACT) : NULL;
    if (text)
        (void)!write(STDOUT_FILENO, text, strlen(text)); /* nobody reads it: the same */
    _exit(1);
}

/* "#!/usr/bin/env python3" as the kernel has it: an interpreter, and all the rest as one argument. */
static bool read_interpreter(char head[HEAD_MAX + 1], const char **ret, const char **ret_argument)
{
    ssize_t n = pread(CHILD_OBJECT, head, HEAD_MAX, 0);

    head[n < 0 ? 0 : n] = '\0';
    if (strncmp(head, "#!", 2) != 0)
        return false;
    head[strcspn(head, "\n")] = '\0';
    char *path = head + 2 + strspn(head + 2, " \t");
    char *rest = path + strcspn(path, " \t");
    if (*rest)
        *rest++ = '\0';
    rest += strspn(rest, " \t");
    for (size_t len = strlen(rest); len && strchr(" \t\r", rest[len - 1]); len--)
        rest[len - 1] = '\0';
    *ret = path;
    *ret_argument = *rest ? rest : NULL;
    return true;
}

static void note(void *ctx, const char *text)
{
    (void)ctx;
    dprintf(STDERR_FILENO, "%s\n", text);
}

static int shut_in(const struct child_start *start, bool script, char *path, size_t size,
                   struct err *err)
{
    CLEANUP(fd_closep) int fds = -1;
    int place[SANDBOX_NS_KINDS];
    const struct confine_spec spec = {
        .place = start->has_place ? place : NULL,
        .writable = start->writable,
        .shown = start->shown,
        .n_shown = start->n_shown,
        .network = start->network,
        .strict = start->strict,
        .program = true,
        .script = script ? CHILD_OBJECT : -1,
        .script_name = start->name,
        .script_dir = start->dirs[OST_DIR_TEMP],
        .script_over = start->dirs[OST_DIR_SELF],
        .ret_script = path,
        .ret_size = size,
    };

    for (int i = 0; i < SANDBOX_NS_KINDS; i++)
        place[i] = CHILD_PLACE + i;
    int r = confine_limits(true, err);
    if (r == ERR_OK)
        r = confine(&spec, note, NULL, &fds, err);
    for (int i = 0; start->has_place && i < SANDBOX_NS_KINDS; i++)
        fd_closep(&place[i]);
    return r;
}

/* Entering namespaces has taken the kernel's promise back that we die with the one who started us. */
static void die_with_adapter(void)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        _exit(1);
    struct pollfd p = {.fd = STDOUT_FILENO, .events = 0};
    if (poll(&p, 1, 0) > 0) /* it went before: nobody reads what we write */
        _exit(1);
}

/* In a plan there is none that could be written. */
static const char *place_for_files(const struct child_start *start)
{
    return *start->dirs[OST_DIR_TEMP] ? start->dirs[OST_DIR_TEMP] : "/tmp";
}

static int program_main(int argc, char **argv)
{
    const struct child_start *start = running.start;
    char head[HEAD_MAX + 1], path[4096] = "", temp[4200], home[4200];
    const char *interpreter = NULL, *argument = NULL;
    bool script = read_interpreter(head, &interpreter, &argument);
    struct err err = ERR_INIT;

    (void)argc;
    (void)argv;
    if (shut_in(start, script, path, sizeof path, &err) < 0)
        give_up(&err);
    if (*start->cwd && chdir(start->cwd) < 0) {
        (void)err_sys(&err, "cannot enter '%s'", start->cwd);
        give_up(&err);
    }
    die_with_adapter();
    (void)fcntl(CHILD_OBJECT, F_SETFD, FD_CLOEXEC); /* it is loaded from there all the same */
    snprintf(temp, sizeof temp, "TMPDIR=%s", place_for_files(start));
    snprintf(home, sizeof home, "HOME=%s", place_for_files(start));
    char path_env[] = "PATH=/usr/local/bin:/usr/bin:/bin", lang[] = "LANG=C.UTF-8";
    char *const env[] = {path_env, lang, temp, home, NULL};
    char name[256];
    snprintf(name, sizeof name, "%s", start->name);
    if (script) {
        char first[HEAD_MAX + 1], second[HEAD_MAX + 1];
        char *const with[] = {first, second, path, NULL}, *const without[] = {first, path, NULL};

        snprintf(first, sizeof first, "%s", interpreter);
        snprintf(second, sizeof second, "%s", argument ? argument : "");
        (void)execve(interpreter, argument ? with : without, env);
        (void)err_sys(&err, "cannot start '%s', the interpreter of '%s'", interpreter, start->name);
    } else {
        char *const alone[] = {name, NULL};

        (void)fexecve(CHILD_OBJECT, alone, env);
        (void)err_sys(&err, "cannot start '%s'", start->name);
    }
    give_up(&err);
}

/* ---- in the plugin's process ---- */

struct ends { /* the program's ends of the pipes, closed here once it has them */
    int in, out;
};

static void ends_close(struct ends *e)
{
    fd_closep(&e->in);
    fd_closep(&e->out);
}

int program_start(const struct child_start *start, struct err *err)
{
    static const char *const nothing[] = {NULL}, *const argv[] = {"program", NULL};
    CLEANUP(ends_close) struct ends theirs = {-1, -1};
    struct spawn_fd fds[1 + SANDBOX_NS_KINDS] = {{CHILD_OBJECT, CHILD_OBJECT}};
    struct proc_spec spec = PROC_SPEC_INIT;
    size_t n = 1;
    int r;

    running.start = start;
    if ((r = fd_pipe(&theirs.in, &running.to, err)) < 0 ||
        (r = fd_pipe(&running.from, &theirs.out, err)) < 0)
        return r;
    for (int i = 0; start->has_place && i < SANDBOX_NS_KINDS; i++)
        fds[n++] = (struct spawn_fd){CHILD_PLACE + i, CHILD_PLACE + i};
    spec.argv = argv;
    spec.call = program_main;
    spec.env = nothing;
    spec.in = theirs.in;
    spec.out = theirs.out;
    spec.err = STDERR_FILENO;
    spec.fds = fds;
    spec.n_fds = n;
    spec.flags = SPAWN_DIE_WITH_US;
    (void)signal(SIGPIPE, SIG_IGN); /* a program that is gone is found when its output ends */
    return proc_start(&spec, &running.proc, err);
}

/* What is waiting for it; false: it reads no more. */
static bool send_out(struct lines *l)
{
    struct err ignored;
    bool good = fd_write_all(running.to, buf_slice(&l->out), &ignored) == ERR_OK;

    buf_clear(&l->out);
    return good;
}

/* Serves the whole lines of IN. */
static void serve(struct lines *l, struct buf *in)
{
    struct slice rest = buf_slice(in);
    ssize_t end;

    while (!l->done && (end = slice_find_char(rest, '\n')) >= 0) {
        lines_serve(l, slice_head(rest, (size_t)end));
        (void)send_out(l); /* as soon as it is known: it may be waited for */
        rest = slice_from(rest, (size_t)end + 1);
    }
    buf_consume(in, in->len - rest.len);
    if (in->len > LINES_MAX)
        lines_break(l, "the plugin wrote a line of more than %d bytes", LINES_MAX);
}

/* It said nothing more, and not that it was done. */
static void conclude_end(struct lines *l)
{
    struct proc_exit how;
    struct err ignored;
    const char *name = running.start->name;

    if (proc_wait(running.proc, clock_ms() + LEAVE_MS, &how, &ignored) < 0)
        lines_break(l, "'%s' closed its standard output before it said that it was done", name);
    else if (how.signal)
        lines_break(l, "'%s' was ended by signal %d (SIG%s) before it said that it was done", name,
                    how.signal, sigabbrev_np(how.signal) ? sigabbrev_np(how.signal) : "?");
    else
        lines_break(l, "'%s' ended with exit code %d before it said that it was done", name,
                    how.code);
}

/* One round: what it wrote, or the word that the job was cancelled. */
static void turn(struct lines *l, struct buf *in, bool *told)
{
    struct pollfd fds[] = {{.fd = running.from, .events = POLLIN},
                           {.fd = *told ? -1 : CHILD_CANCEL, .events = POLLIN}};

    if (poll(fds, 2, -1) < 0)
        return; /* EINTR: again */
    if (fds[1].revents) {
        *told = true;
        lines_cancel(l);
        (void)send_out(l);
    }
    if (!fds[0].revents)
        return;
    ssize_t n = fd_read_some(running.from, in, READ_SIZE);
    if (n > 0)
        serve(l, in);
    else if (n == 0) {
        serve(l, in);
        if (!l->done && slice_trim(buf_slice(in)).len) /* the last line needs no end */
            lines_serve(l, buf_slice(in));
        if (!l->done)
            conclude_end(l);
    } else if (errno != EINTR && errno != EAGAIN)
        lines_break(l, "cannot read what '%s' writes", running.start->name);
}

/* In which its text was; the program took what lay in it along. */
static void remove_folder(void)
{
    struct err ignored;
    char folder[4200];

    if (!*running.start->dirs[OST_DIR_TEMP])
        return;
    confine_script_folder(running.start->dirs[OST_DIR_TEMP], proc_pid(running.proc), folder,
                          sizeof folder);
    (void)!path_remove(AT_FDCWD, folder, &ignored);
}

static ost_status phase(struct ost_step *s)
{
    struct lines l = LINES_INIT(s);
    struct buf in = BUF_INIT(LINES_MAX + READ_SIZE + 1);
    struct proc_exit how;
    struct err ignored;
    bool told = false;

    lines_begin(&l, running.start);
    (void)send_out(&l);
    while (!l.done)
        turn(&l, &in, &told);
    fd_closep(&running.to); /* what it had to say is said */
    (void)!proc_wait(running.proc, clock_ms() + LEAVE_MS, &how, &ignored); /* then it is killed */
    remove_folder();
    return l.status;
}

const struct ost_plugin program_plugin = {
    .struct_size = sizeof program_plugin,
    .abi_minor = OST_ABI_MINOR,
    .plan = phase,
    .pre = phase,
    .main = phase,
    .post = phase,
};
