/* Commands, for tests of plugins: answered from rules, or run for real. */
#include "kit/own.h"

#include "base/attr.h"
#include "base/path.h"
#include "lib/json.h"
#include "plugin/transcript.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

static char *join(const char *const *argv)
{
    struct buf line = BUF_INIT(16 << 20);

    for (size_t i = 0; argv[i]; i++) {
        buf_add_str(&line, i ? " " : "");
        buf_add_str(&line, argv[i]);
    }
    return buf_take(&line);
}

struct stream { /* where the output of one command goes */
    const struct ost_exec *exec;
    struct buf captured;
    ost_status stopped; /* what on_output() returned */
};

static void stream_feed(struct stream *s, int32_t fd, const char *data, size_t size)
{
    if (s->stopped == OST_OK && size > 0 && s->exec->on_output)
        s->stopped = s->exec->on_output(s->exec->ctx, fd, data, size);
    if (fd == 1 && (s->exec->flags & OST_EXEC_CAPTURE))
        buf_add(&s->captured, slice_make(data, size));
}

static void feed_text(struct stream *s, int32_t fd, const char *text, const char *file)
{
    struct buf content = BUF_INIT(256 << 20);
    struct err err = ERR_INIT;

    if (text)
        buf_add_str(&content, text);
    else if (file && path_read(AT_FDCWD, file, &content, &err) < 0)
        fprintf(stderr, "%s\n", err.text);
    /* In odd portions, as a pipe would hand it over. */
    for (size_t at = 0, n; at < content.len; at += n) {
        n = content.len - at < 1000 ? content.len - at : 1000;
        stream_feed(s, fd, content.ptr + at, n);
    }
    buf_deinit(&content);
}

static char *find_program(const struct ost_test *t, const char *name)
{
    const char *path = t->search_path ? t->search_path : getenv("PATH");
    char *list, *rest, *dir, *found = NULL;

    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? kit_copy(name) : NULL;
    rest = list = kit_copy(path ? path : "/usr/bin:/bin");
    while (!found && (dir = strsep(&rest, ":"))) {
        char full[4096];

        snprintf(full, sizeof full, "%s/%s", dir, name);
        if (access(full, X_OK) == 0)
            found = kit_copy(full);
    }
    free(list);
    return found;
}

static bool is_set_in(const char *const *list, const char *line)
{
    size_t n = strcspn(line, "=") + 1;

    for (; list && *list; list++)
        if (strncmp(*list, line, n) == 0)
            return true;
    return false;
}

/* The environment of a real command: ours, with PATH replaced and what the call adds on top. */
static char **make_env(const struct ost_test *t, const char *const *extra)
{
    VEC(char *) env = {0};

    for (char **e = environ; *e; e++)
        if ((!t->search_path || strncmp(*e, "PATH=", 5) != 0) && !is_set_in(extra, *e))
            vec_push(&env, kit_copy(*e));
    if (t->search_path) {
        struct buf line = BUF_INIT(1 << 20);

        buf_printf(&line, "PATH=%s", t->search_path);
        vec_push(&env, buf_take(&line));
    }
    for (; extra && *extra; extra++)
        vec_push(&env, kit_copy(*extra));
    vec_push(&env, NULL);
    return env.ptr;
}

static void free_env(char **env)
{
    for (char **e = env; *e; e++)
        free(*e);
    free(env);
}

/* A command that does not read all its input is no reason to die: SIGPIPE is held back, and taken. */
static ssize_t write_quietly(int fd, const char *data, size_t size)
{
    const struct timespec now = {0};
    sigset_t pipes, before;

    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipes, &before);
    ssize_t n = write(fd, data, size);
    if (n < 0 && errno == EPIPE)
        sigtimedwait(&pipes, NULL, &now);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n;
}

/* Feeds the child and drains it, until both its pipes have ended. One whose output is not wanted any more is asked to
 * end, as the real host does. */
static void talk(struct stream *s, pid_t pid, int in, int out, int err)
{
    const char *input = s->exec->input;
    size_t left = input ? s->exec->input_size : 0;
    struct pollfd fds[] = {{left ? in : -1, POLLOUT, 0}, {out, POLLIN, 0}, {err, POLLIN, 0}};
    char data[65536];
    bool asked = false;

    if (!left)
        close(in);
    while (fds[1].fd >= 0 || fds[2].fd >= 0) {
        if (s->stopped < 0 && !asked) {
            asked = true;
            kill(pid, SIGTERM);
        }
        if (poll(fds, 3, -1) < 0)
            continue;
        if (fds[0].revents) {
            ssize_t n = write_quietly(in, input, left < 4096 ? left : 4096);

            left = n < 0 ? 0 : left - (size_t)n;
            input += n < 0 ? 0 : n;
            if (!left) {
                close(in);
                fds[0].fd = -1;
            }
        }
        for (int i = 1; i <= 2; i++) {
            ssize_t n = fds[i].revents ? read(fds[i].fd, data, sizeof data) : 1;

            if (n <= 0)
                fds[i].fd = -1;
            else if (fds[i].revents)
                stream_feed(s, i, data, (size_t)n);
        }
    }
    if (fds[0].fd >= 0)
        close(in);
}

static ost_status run_for_real(struct ost_test *t, struct stream *s, struct ost_exec_result *res)
{
    char *program = find_program(t, s->exec->argv[0]), **env;
    int in[2], out[2], err[2], status = 0;
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int r;

    if (!program)
        return kit_refuse_now(t, OST_E_NOT_FOUND, "no such program");
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
        BUG("the test has no descriptors left");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err[1], 2);
    posix_spawn_file_actions_addchdir_np(&actions,
                                         s->exec->cwd ? s->exec->cwd : t->dirs[OST_DIR_WORKSPACE]);
    env = make_env(t, s->exec->env);
    r = posix_spawn(&pid, program, &actions, NULL, (char *const *)(uintptr_t)s->exec->argv, env);
    posix_spawn_file_actions_destroy(&actions);
    free_env(env);
    free(program);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    if (r == 0) {
        talk(s, pid, in[1], out[0], err[0]);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        res->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        res->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    } else {
        close(in[1]);
    }
    close(out[0]);
    close(err[0]);
    return r == 0 ? OST_OK
                  : kit_refuse_now(t, r == ENOENT ? OST_E_NOT_FOUND : OST_E_IO, strerror(r));
}

static const struct ost_test_answer *find_answer(struct ost_test *t, const char *line)
{
    for (size_t i = t->exec_rules.len; i > 0; i--) {
        struct exec_rule *rule = &t->exec_rules.ptr[i - 1];
        bool spent = rule->answer.times && rule->used >= rule->answer.times;

        if (!spent && fnmatch(rule->pattern, line, 0) == 0) {
            rule->used++;
            return &rule->answer;
        }
    }
    return NULL;
}

static ost_status answer_with(struct ost_test *t, const struct ost_test_answer *a, struct stream *s,
                              struct ost_exec_result *res)
{
    if (a->status < 0)
        return kit_refuse_now(t, a->status,
                              a->error                       ? a->error
                              : a->status == OST_E_NOT_FOUND ? "no such program"
                                                             : "the command could not be run");
    feed_text(s, 1, a->out, a->out_file);
    feed_text(s, 2, a->err, a->err_file);
    res->exit_code = a->signal ? -1 : a->exit_code;
    res->signal = a->signal;
    return OST_OK;
}

/* What the caller is told of a command that ran. */
static ost_status conclude(struct ost_test *t, struct stream *s, struct ost_exec_result *res)
{
    char text[128];

    if (s->stopped < 0)
        return kit_refuse(t, s->stopped, "the output was not wanted any more");
    if (s->captured.len > 1 << 20)
        return kit_refuse(t, OST_E_LIMIT, "the output is larger than 1 MiB");
    res->out = "";
    if (s->exec->flags & OST_EXEC_CAPTURE) {
        if (s->captured.len > 0 && s->captured.ptr[s->captured.len - 1] == '\n')
            s->captured.len--;
        res->out = kit_keep(t, mem_dup(s->captured.ptr, s->captured.len));
        res->out_size = s->captured.len;
    }
    if (!(s->exec->flags & OST_EXEC_CHECK) || (res->exit_code == 0 && !res->signal))
        return OST_OK;
    snprintf(text, sizeof text, "'%s' exited with %d", s->exec->argv[0], (int)res->exit_code);
    return kit_refuse(t, OST_E_EXIT, text);
}

/* As it was when it was recorded. */
static ost_status play(struct ost_test *t, struct stream *s, struct ost_exec_result *res)
{
    struct buf ask = BUF_INIT(2 * TRANSCRIPT_LINE_MAX);
    ost_status r = OST_OK;

    transcript_exec(&ask, s->exec);
    pthread_mutex_lock(&t->lock);
    const struct json *answer = kit_play(t, "exec", &ask, &r);
    pthread_mutex_unlock(&t->lock);
    const struct json *output = json_get(answer, "output");
    for (const struct json *part = output ? output->first : NULL; part; part = part->next)
        if (part->first && part->first->next)
            stream_feed(s, (int32_t)strtol(part->first->text, NULL, 10), part->first->next->text,
                        strlen(part->first->next->text));
    if (output && !s->exec->on_output)
        stream_feed(s, 1, "\n", 1); /* the one that was dropped when it was captured */
    res->exit_code = (int32_t)kit_int(answer, "exit_code");
    res->signal = (int32_t)kit_int(answer, "signal");
    return r == OST_E_EXIT ? OST_OK : r; /* its flags tell what the exit code comes to */
}

static void exec_record(struct ost_test *t, const struct ost_exec *e, char *line)
{
    vec_push(&t->calls, (struct call){
                            line,
                            kit_copy(e->cwd ? e->cwd : t->dirs[OST_DIR_WORKSPACE]),
                            e->input ? mem_dup(e->input, e->input_size) : kit_copy(""),
                        });
    if (t->recording)
        vec_push(&t->plans, kit_copy(line));
}

enum { EXEC_FLAGS = OST_EXEC_CHECK | OST_EXEC_QUIET | OST_EXEC_CAPTURE | OST_EXEC_COMMANDS };

ost_status kit_exec(struct ost_step *step, const struct ost_exec *given,
                    struct ost_exec_result *given_result)
{
    struct ost_test *t = kit_host(step);
    struct ost_exec e = {0};
    struct ost_exec_result res = {0};
    struct stream s = {.exec = &e, .captured = BUF_INIT(64 << 20)};
    char *line;
    ost_status r;
    const struct ost_test_answer *a;

    memcpy(&e, given, given->struct_size < sizeof e ? given->struct_size : sizeof e);
    line = e.argv ? join(e.argv) : kit_copy("");
    r = kit_enter_fallible(t, "exec", line);
    if (!given->struct_size || !e.argv || !e.argv[0] ||
        (given_result && !given_result->struct_size)) {
        kit_broken(t, "exec() without a size or a command");
        r = OST_E_INVALID;
    }
    if (r == OST_OK && !t->playing && e.flags & ~(uint32_t)EXEC_FLAGS)
        r = kit_refuse(t, OST_E_UNSUPPORTED, "exec: this host does not know all of the flags");
    exec_record(t, &e, line);
    if (r == OST_OK && t->cancelled)
        r = kit_refuse(t, OST_E_CANCELLED, "the job was cancelled");
    a = r == OST_OK && !t->recording && !t->playing ? find_answer(t, line) : NULL;
    kit_leave(t);

    if (r == OST_OK && t->playing)
        r = play(t, &s, &res);
    else if (a)
        r = answer_with(t, a, &s, &res);
    else if (r == OST_OK && t->for_real && !t->recording)
        r = run_for_real(t, &s, &res);
    if (r == OST_OK) {
        pthread_mutex_lock(&t->lock);
        r = conclude(t, &s, &res);
        pthread_mutex_unlock(&t->lock);
    }
    buf_deinit(&s.captured);
    if (given_result) {
        uint32_t size =
            given_result->struct_size < sizeof res ? given_result->struct_size : sizeof res;

        res.struct_size = size;
        res.out = res.out ? res.out : "";
        memcpy(given_result, &res, size);
    }
    return r;
}

/* ---- the test's side ---- */

void ost_test_answer_exec(struct ost_test *t, const char *pattern, const struct ost_test_answer *a)
{
    struct ost_test_answer mine = *a;

    mine.error = kit_copy_or_null(a->error);
    mine.out = kit_copy_or_null(a->out);
    mine.err = kit_copy_or_null(a->err);
    mine.out_file = kit_copy_or_null(a->out_file);
    mine.err_file = kit_copy_or_null(a->err_file);
    vec_push(&t->exec_rules, (struct exec_rule){kit_copy(pattern), mine, 0});
}

void ost_test_exec_for_real(struct ost_test *t, const char *path)
{
    t->for_real = true;
    free(t->search_path);
    t->search_path = kit_copy_or_null(path);
}

size_t ost_test_execs(const struct ost_test *t, const char *pattern)
{
    size_t n = 0;

    VEC_EACH (call, &t->calls)
        n += fnmatch(pattern, call->line, 0) == 0;
    return n;
}

const char *ost_test_exec(const struct ost_test *t, size_t i)
{
    return i < t->calls.len ? t->calls.ptr[i].line : NULL;
}

const char *ost_test_exec_cwd(const struct ost_test *t, size_t i)
{
    return i < t->calls.len ? t->calls.ptr[i].cwd : NULL;
}

const char *ost_test_exec_input(const struct ost_test *t, size_t i)
{
    return i < t->calls.len ? t->calls.ptr[i].input : NULL;
}

void kit_exec_clear(struct ost_test *t)
{
    VEC_EACH (call, &t->calls) {
        free(call->line);
        free(call->cwd);
        free(call->input);
    }
    vec_deinit(&t->calls);
    VEC_EACH (rule, &t->exec_rules)
        rule->used = 0;
}

void kit_exec_deinit(struct ost_test *t)
{
    VEC_EACH (rule, &t->exec_rules) {
        free(rule->pattern);
        kit_free_text(rule->answer.error);
        kit_free_text(rule->answer.out);
        kit_free_text(rule->answer.err);
        kit_free_text(rule->answer.out_file);
        kit_free_text(rule->answer.err_file);
    }
    vec_deinit(&t->exec_rules);
    free(t->search_path);
}
