#include "kit/plugin_host_own.h"

#include "base/fd.h"
#include "base/path.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- small things ---- */

char *kit_copy(const char *text)
{
    return mem_dup(text, strlen(text));
}

static const char *pair_get(const struct pair *list, size_t n, const char *name)
{
    for (size_t i = n; i > 0; i--)
        if (strcasecmp(list[i - 1].name, name) == 0)
            return list[i - 1].value;
    return NULL;
}

#define PAIR_GET(v, name) pair_get((v)->ptr, (v)->len, (name))
#define PAIR_ADD(v, n, t) vec_push((v), (struct pair){kit_copy(n), kit_copy(t)})

struct plugin_host *kit_host(struct ost_step *step)
{
    return (struct plugin_host *)step;
}

/* A bug in the plugin, told when the phase has ended: an assertion cannot leave another thread. */
void kit_broken(struct plugin_host *h, const char *format, ...)
{
    va_list ap;

    if (h->broken[0])
        return;
    va_start(ap, format);
    vsnprintf(h->broken, sizeof h->broken, format, ap);
    va_end(ap);
}

ost_status kit_refuse(struct plugin_host *h, ost_status why, const char *text)
{
    snprintf(h->error, sizeof h->error, "%s", text);
    return why;
}

/* At the start of each service: cancels when its time has come. */
void kit_enter(struct plugin_host *h)
{
    pthread_mutex_lock(&h->lock);
    if (h->cancel_in > 0 && --h->cancel_in == 0) {
        uint64_t one = 1;

        h->cancelled = h->struck = true;
        (void)!write(h->cancel_fd, &one, sizeof one); /* an eventfd takes it */
    }
}

void kit_leave(struct plugin_host *h)
{
    pthread_mutex_unlock(&h->lock);
}

/* For services that can fail: OST_OK, or what they return instead of doing anything. */
ost_status kit_enter_fallible(struct plugin_host *h)
{
    kit_enter(h);
    if (h->fault_in > 0 && --h->fault_in == 0) {
        h->struck = true;
        return kit_refuse(h, OST_E_IO, "a fault of the test");
    }
    return OST_OK;
}

void *kit_keep(struct plugin_host *h, void *memory)
{
    vec_push(&h->memory, memory);
    return memory;
}

/* ---- say ---- */

static void host_log(struct ost_step *step, int32_t level, const char *text)
{
    static const char *const names[] = {"debug", "info", "notice", "warning", "error"};
    struct plugin_host *h = kit_host(step);

    kit_enter(h);
    if (level < OST_DEBUG || level > OST_ERROR || !text)
        kit_broken(h, "log() with level %d and text %s", (int)level, text ? "given" : "NULL");
    else
        buf_printf(&h->log, "%s: %s\n", names[level], text);
    kit_leave(h);
}

static const char *keep_text(struct plugin_host *h, const char *text)
{
    return text ? kit_keep(h, kit_copy(text)) : NULL;
}

static void host_annotate(struct ost_step *step, const struct ost_note *given)
{
    struct plugin_host *h = kit_host(step);
    struct ost_note note = {0};

    kit_enter(h);
    memcpy(&note, given, given->struct_size < sizeof note ? given->struct_size : sizeof note);
    if (!given->struct_size || !note.message || note.level < OST_NOTICE || note.level > OST_ERROR)
        kit_broken(h, "annotate() without a size, message or level");
    note.message = keep_text(h, note.message);
    note.title = keep_text(h, note.title);
    note.file = keep_text(h, note.file);
    vec_push(&h->notes, note);
    kit_leave(h);
}

static void host_group(struct ost_step *step, const char *title)
{
    struct plugin_host *h = kit_host(step);

    kit_enter(h);
    buf_printf(&h->log, "%s%s\n", title ? "group: " : "group ends", title ? title : "");
    kit_leave(h);
}

static ost_status host_mask(struct ost_step *step, const char *secret)
{
    struct plugin_host *h = kit_host(step);
    ost_status r = kit_enter_fallible(h);

    if (r == OST_OK)
        vec_push(&h->masks, kit_copy(secret));
    kit_leave(h);
    return r;
}

static ost_status host_fail(struct ost_step *step, ost_status why, const char *message)
{
    struct plugin_host *h = kit_host(step);

    kit_enter(h);
    if (why >= 0)
        kit_broken(h, "fail() with a code that is no failure");
    free(h->failure);
    h->failure = kit_copy(message);
    kit_leave(h);
    return why;
}

static const char *host_last_error(struct ost_step *step)
{
    struct plugin_host *h = kit_host(step);
    const char *text;

    kit_enter(h);
    text = keep_text(h, h->error);
    kit_leave(h);
    return text;
}

/* ---- the contract at run time ---- */

static const struct ost_input *find_input(const struct plugin_host *h, const char *name)
{
    for (uint32_t i = 0; i < h->plugin->n_inputs; i++)
        if (strcasecmp(h->plugin->inputs[i].name, name) == 0)
            return &h->plugin->inputs[i];
    return NULL;
}

static const char *input_value(struct plugin_host *h, const char *name)
{
    const struct ost_input *input = find_input(h, name);
    const char *value = PAIR_GET(&h->with, name);
    size_t n;

    if (!input) {
        kit_broken(h, "asked for the undeclared input '%s'", name);
        return "";
    }
    value = value ? value : input->fallback ? input->fallback : "";
    value += strspn(value, " \t\r\n");
    for (n = strlen(value); n > 0 && strchr(" \t\r\n", value[n - 1]); n--)
        ;
    if (input->type == OST_BOOL)
        return n > 0 && (value[0] | 32) == 't' ? "true" : "false";
    return kit_keep(h, mem_dup(value, n));
}

static const char *host_input(struct ost_step *step, const char *name)
{
    struct plugin_host *h = kit_host(step);
    const char *value;

    kit_enter(h);
    value = input_value(h, name);
    kit_leave(h);
    return value;
}

static size_t host_input_list(struct ost_step *step, const char *name, const char *const **items)
{
    struct plugin_host *h = kit_host(step);
    const char **list;
    char *text, *rest, *item;
    size_t n = 0;

    kit_enter(h);
    text = kit_keep(h, kit_copy(input_value(h, name)));
    list = kit_keep(h, mem_new((strlen(text) + 2) * sizeof *list));
    for (rest = text; (item = strsep(&rest, "\n"));) {
        size_t size;

        item += strspn(item, " \t\r");
        for (size = strlen(item); size > 0 && strchr(" \t\r", item[size - 1]); size--)
            item[size - 1] = '\0';
        if (*item)
            list[n++] = item;
    }
    *items = list;
    kit_leave(h);
    return n;
}

static const char *host_context(struct ost_step *step, const char *name)
{
    struct plugin_host *h = kit_host(step);
    const char *value;

    kit_enter(h);
    value = PAIR_GET(&h->contexts, name);
    kit_leave(h);
    return value;
}

static ost_status host_output(struct ost_step *step, const char *name, const char *value)
{
    struct plugin_host *h = kit_host(step);
    ost_status r = kit_enter_fallible(h);
    bool declared = false;

    for (uint32_t i = 0; i < h->plugin->n_outputs; i++)
        declared |= strcasecmp(h->plugin->outputs[i].name, name) == 0;
    if (!declared)
        kit_broken(h, "set the undeclared output '%s'", name);
    if (r == OST_OK)
        PAIR_ADD(&h->outputs, name, value);
    kit_leave(h);
    return r;
}

static ost_status host_env(struct ost_step *step, const char *name, const char *value)
{
    struct plugin_host *h = kit_host(step);
    ost_status r = kit_enter_fallible(h);

    if (r == OST_OK)
        PAIR_ADD(&h->envs, name, value);
    kit_leave(h);
    return r;
}

static ost_status host_path(struct ost_step *step, const char *dir)
{
    struct plugin_host *h = kit_host(step);
    ost_status r = kit_enter_fallible(h);

    if (r == OST_OK)
        vec_push(&h->paths, kit_copy(dir));
    kit_leave(h);
    return r;
}

static ost_status host_summary(struct ost_step *step, const char *markdown)
{
    struct plugin_host *h = kit_host(step);
    ost_status r = kit_enter_fallible(h);

    if (r == OST_OK) {
        buf_add_str(&h->summary, markdown);
        if (h->summary.overflow)
            r = kit_refuse(h, OST_E_LIMIT, "the summary is larger than 1 MiB");
    }
    kit_leave(h);
    return r;
}

static ost_status host_save(struct ost_step *step, const char *name, const char *value)
{
    struct plugin_host *h = kit_host(step);
    ost_status r = kit_enter_fallible(h);

    if (r == OST_OK)
        PAIR_ADD(&h->kept, name, value);
    kit_leave(h);
    return r;
}

static const char *host_saved(struct ost_step *step, const char *name)
{
    struct plugin_host *h = kit_host(step);
    const char *value;

    kit_enter(h);
    value = PAIR_GET(&h->given, name);
    kit_leave(h);
    return value;
}

/* ---- places and memory ---- */

static const char *host_dir(struct ost_step *step, int32_t which)
{
    struct plugin_host *h = kit_host(step);
    const char *path = NULL;

    kit_enter(h);
    if (which >= 0 && which <= OST_DIR_SELF)
        path = h->dirs[which];
    kit_leave(h);
    return path;
}

static const char *host_temp(struct ost_step *step, const char *suffix)
{
    struct plugin_host *h = kit_host(step);
    char path[4096];
    int fd = -1;

    if (kit_enter_fallible(h) == OST_OK) {
        snprintf(path, sizeof path, "%s/temp-XXXXXX%s", h->dirs[OST_DIR_TEMP],
                 suffix ? suffix : "");
        fd = mkostemps(path, suffix ? (int)strlen(suffix) : 0, O_CLOEXEC);
        if (fd < 0)
            kit_refuse(h, OST_E_IO, "no temporary file");
        else
            close(fd);
    }
    kit_leave(h);
    return fd < 0 ? NULL : keep_text(h, path);
}

/* Nothing promises zeroes, so there are none; and one block each, so that ASan sees every overrun. */
static void *host_alloc(struct ost_step *step, size_t size)
{
    struct plugin_host *h = kit_host(step);
    void *memory = memset(mem_new(size ? size : 1), 0xa5, size);

    pthread_mutex_lock(&h->lock);
    kit_keep(h, memory);
    pthread_mutex_unlock(&h->lock);
    return memory;
}

/* ---- commands ---- */

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

static char *find_program(const struct plugin_host *h, const char *name)
{
    const char *path = h->search_path ? h->search_path : getenv("PATH");
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
static char **make_env(const struct plugin_host *h, const char *const *extra)
{
    VEC(char *) env = {0};

    for (char **e = environ; *e; e++)
        if ((!h->search_path || strncmp(*e, "PATH=", 5) != 0) && !is_set_in(extra, *e))
            vec_push(&env, kit_copy(*e));
    if (h->search_path) {
        char *line = NULL;

        cr_assert_geq(asprintf(&line, "PATH=%s", h->search_path), 0);
        vec_push(&env, line);
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

/* Feeds the child and drains it, until both its pipes have ended. */
static void talk(struct stream *s, int in, int out, int err)
{
    const char *input = s->exec->input;
    size_t left = input ? s->exec->input_size : 0;
    struct pollfd fds[] = {{left ? in : -1, POLLOUT, 0}, {out, POLLIN, 0}, {err, POLLIN, 0}};
    char data[65536];

    if (!left)
        close(in);
    while (fds[1].fd >= 0 || fds[2].fd >= 0) {
        if (poll(fds, 3, -1) < 0)
            continue;
        if (fds[0].revents) {
            ssize_t n = write(in, input, left < 4096 ? left : 4096);

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

static ost_status run_for_real(struct plugin_host *h, struct stream *s, struct ost_exec_result *res)
{
    char *program = find_program(h, s->exec->argv[0]), **env;
    int in[2], out[2], err[2], status = 0;
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int r;

    if (!program)
        return OST_E_NOT_FOUND;
    cr_assert_eq(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err[1], 2);
    posix_spawn_file_actions_addchdir_np(&actions,
                                         s->exec->cwd ? s->exec->cwd : h->dirs[OST_DIR_WORKSPACE]);
    env = make_env(h, s->exec->env);
    r = posix_spawn(&pid, program, &actions, NULL, (char *const *)(uintptr_t)s->exec->argv, env);
    posix_spawn_file_actions_destroy(&actions);
    free_env(env);
    free(program);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    if (r == 0) {
        talk(s, in[1], out[0], err[0]);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        res->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        res->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    } else {
        close(in[1]);
    }
    close(out[0]);
    close(err[0]);
    return r == 0 ? OST_OK : r == ENOENT ? OST_E_NOT_FOUND : OST_E_IO;
}

static const struct plugin_answer *find_answer(const struct plugin_host *h, const char *line)
{
    for (size_t i = h->rules.len; i > 0; i--)
        if (fnmatch(h->rules.ptr[i - 1].pattern, line, 0) == 0)
            return &h->rules.ptr[i - 1].answer;
    return NULL;
}

static ost_status answer_with(struct plugin_host *h, const struct plugin_answer *a,
                              struct stream *s, struct ost_exec_result *res)
{
    if (a->status < 0) {
        pthread_mutex_lock(&h->lock);
        kit_refuse(h, a->status, a->error ? a->error : "the command could not be run");
        pthread_mutex_unlock(&h->lock);
        return a->status;
    }
    feed_text(s, 1, a->out, a->out_file);
    feed_text(s, 2, a->err, a->err_file);
    res->exit_code = a->signal ? -1 : a->exit_code;
    res->signal = a->signal;
    return OST_OK;
}

/* What the caller is told of a command that ran. */
static ost_status conclude(struct plugin_host *h, struct stream *s, struct ost_exec_result *res)
{
    char text[128];

    if (s->stopped < 0)
        return kit_refuse(h, s->stopped, "the output was not wanted any more");
    if (s->captured.len > 1 << 20)
        return kit_refuse(h, OST_E_LIMIT, "the output is larger than 1 MiB");
    res->out = "";
    if (s->exec->flags & OST_EXEC_CAPTURE) {
        if (s->captured.len > 0 && s->captured.ptr[s->captured.len - 1] == '\n')
            s->captured.len--;
        res->out = kit_keep(h, mem_dup(s->captured.ptr, s->captured.len));
        res->out_size = s->captured.len;
    }
    if (!(s->exec->flags & OST_EXEC_CHECK) || (res->exit_code == 0 && !res->signal))
        return OST_OK;
    snprintf(text, sizeof text, "'%s' exited with %d", s->exec->argv[0], (int)res->exit_code);
    return kit_refuse(h, OST_E_EXIT, text);
}

static void exec_record(struct plugin_host *h, const struct ost_exec *e, char *line)
{
    vec_push(&h->calls, (struct call){
                            line,
                            kit_copy(e->cwd ? e->cwd : h->dirs[OST_DIR_WORKSPACE]),
                            e->input ? mem_dup(e->input, e->input_size) : kit_copy(""),
                        });
    if (h->recording)
        vec_push(&h->plans, kit_copy(line));
}

static ost_status host_exec(struct ost_step *step, const struct ost_exec *given,
                            struct ost_exec_result *given_result)
{
    struct plugin_host *h = kit_host(step);
    struct ost_exec e = {0};
    struct ost_exec_result res = {0};
    struct stream s = {.exec = &e, .captured = BUF_INIT(64 << 20)};
    const struct plugin_answer *a;
    ost_status r = kit_enter_fallible(h);
    char *line;

    memcpy(&e, given, given->struct_size < sizeof e ? given->struct_size : sizeof e);
    if (!given->struct_size || !e.argv || !e.argv[0] ||
        (given_result && !given_result->struct_size)) {
        kit_broken(h, "exec() without a size or a command");
        r = OST_E_INVALID;
    }
    line = e.argv ? join(e.argv) : kit_copy("");
    exec_record(h, &e, line);
    a = find_answer(h, line);
    if (r == OST_OK && h->cancelled)
        r = kit_refuse(h, OST_E_CANCELLED, "the job was cancelled");
    kit_leave(h);

    if (r == OST_OK && !h->recording) {
        if (a)
            r = answer_with(h, a, &s, &res);
        else if (h->for_real)
            r = run_for_real(h, &s, &res);
    }
    pthread_mutex_lock(&h->lock);
    if (r == OST_OK)
        r = conclude(h, &s, &res);
    else if (r == OST_E_NOT_FOUND)
        kit_refuse(h, r, "no such program");
    pthread_mutex_unlock(&h->lock);
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

/* ---- time, dry run, growth ---- */

static int32_t host_phase(struct ost_step *step)
{
    return kit_host(step)->phase;
}

static int32_t host_cancelled(struct ost_step *step)
{
    struct plugin_host *h = kit_host(step);
    bool cancelled;

    kit_enter(h);
    cancelled = h->cancelled;
    kit_leave(h);
    return cancelled;
}

static int32_t host_cancel_fd(struct ost_step *step)
{
    return kit_host(step)->cancel_fd;
}

static int64_t host_time_left_ms(struct ost_step *step)
{
    (void)step;
    return INT64_MAX;
}

static ost_status host_plan(struct ost_step *step, const char *verb, const char *object,
                            const char *detail)
{
    struct plugin_host *h = kit_host(step);
    ost_status r = kit_enter_fallible(h);
    struct buf line = BUF_INIT(1 << 20);

    if (r == OST_OK) {
        buf_printf(&line, "%s %s%s%s", verb, object ? object : "", detail && *detail ? ": " : "",
                   detail ? detail : "");
        vec_push(&h->plans, buf_take(&line));
    }
    kit_leave(h);
    return r;
}

static const void *host_extension(struct ost_step *step, const char *id)
{
    struct plugin_host *h = kit_host(step);
    const void *table;

    kit_enter(h);
    table = kit_service(h, id);
    kit_leave(h);
    return table;
}

static const struct ost_host services = {
    .struct_size = sizeof services,
    .abi_minor = OST_ABI_MINOR,
    .log = host_log,
    .annotate = host_annotate,
    .group = host_group,
    .mask = host_mask,
    .fail = host_fail,
    .last_error = host_last_error,
    .input = host_input,
    .input_list = host_input_list,
    .context = host_context,
    .output = host_output,
    .env = host_env,
    .path = host_path,
    .summary = host_summary,
    .save = host_save,
    .saved = host_saved,
    .dir = host_dir,
    .temp = host_temp,
    .alloc = host_alloc,
    .exec = host_exec,
    .phase = host_phase,
    .cancelled = host_cancelled,
    .cancel_fd = host_cancel_fd,
    .time_left_ms = host_time_left_ms,
    .plan = host_plan,
    .extension = host_extension,
};

/* ---- the test's side ---- */

struct plugin_host *plugin_host_new(const struct ost_plugin *plugin)
{
    struct plugin_host *h = mem_new(sizeof *h);
    char here[4096];

    cr_assert_not_null(getcwd(here, sizeof here));
    h->table = services;
    h->step.host = &h->table;
    h->plugin = plugin;
    h->summary = (struct buf)BUF_INIT(1 << 20);
    h->log = (struct buf)BUF_INIT(16 << 20);
    h->cancel_fd = -1;
    pthread_mutex_init(&h->lock, NULL);
    for (int i = 0; i <= OST_DIR_SELF; i++)
        h->dirs[i] = kit_copy(here);
    return h;
}

/* Forgets what was recorded. */
static void clear(struct plugin_host *h)
{
    PAIRS_DEINIT(&h->outputs);
    PAIRS_DEINIT(&h->envs);
    PAIRS_DEINIT(&h->kept);
    TEXTS_DEINIT(&h->paths);
    TEXTS_DEINIT(&h->masks);
    TEXTS_DEINIT(&h->plans);
    vec_deinit(&h->notes);
    VEC_EACH (call, &h->calls) {
        free(call->line);
        free(call->cwd);
        free(call->input);
    }
    vec_deinit(&h->calls);
    TEXTS_DEINIT(&h->asked);
    buf_clear(&h->summary);
    buf_clear(&h->log);
    free(h->failure);
    h->failure = NULL;
    h->error[0] = h->broken[0] = '\0';
    h->struck = h->cancelled = false;
    VEC_EACH (memory, &h->memory)
        free(*memory);
    vec_deinit(&h->memory);
    fd_closep(&h->cancel_fd);
    h->cancel_fd = -1;
}

struct plugin_host *plugin_host_free(struct plugin_host *h)
{
    if (!h)
        return NULL;
    clear(h);
    PAIRS_DEINIT(&h->with);
    PAIRS_DEINIT(&h->contexts);
    PAIRS_DEINIT(&h->given);
    PAIRS_DEINIT(&h->refusals);
    TEXTS_DEINIT(&h->absent);
    kit_services_deinit(h);
    VEC_EACH (rule, &h->rules) {
        free(rule->pattern);
        free((char *)(uintptr_t)rule->answer.error);
        free((char *)(uintptr_t)rule->answer.out);
        free((char *)(uintptr_t)rule->answer.err);
        free((char *)(uintptr_t)rule->answer.out_file);
        free((char *)(uintptr_t)rule->answer.err_file);
    }
    vec_deinit(&h->rules);
    for (int i = 0; i <= OST_DIR_SELF; i++)
        free(h->dirs[i]);
    free(h->search_path);
    buf_deinit(&h->summary);
    buf_deinit(&h->log);
    pthread_mutex_destroy(&h->lock);
    free(h);
    return NULL;
}

void plugin_host_with(struct plugin_host *h, const char *name, const char *value)
{
    cr_assert_not_null(find_input(h, name), "the plugin has no input '%s'", name);
    PAIR_ADD(&h->with, name, value);
}

void plugin_host_context(struct plugin_host *h, const char *name, const char *value)
{
    PAIR_ADD(&h->contexts, name, value);
}

void plugin_host_saved(struct plugin_host *h, const char *name, const char *value)
{
    PAIR_ADD(&h->given, name, value);
}

void plugin_host_dir(struct plugin_host *h, int which, const char *path)
{
    free(h->dirs[which]);
    h->dirs[which] = kit_copy(path);
}

static const char *copy_or_null(const char *text)
{
    return text ? kit_copy(text) : NULL;
}

void plugin_host_on_exec(struct plugin_host *h, const char *pattern, const struct plugin_answer *a)
{
    struct plugin_answer mine = *a;

    mine.error = copy_or_null(a->error);
    mine.out = copy_or_null(a->out);
    mine.err = copy_or_null(a->err);
    mine.out_file = copy_or_null(a->out_file);
    mine.err_file = copy_or_null(a->err_file);
    vec_push(&h->rules, (struct rule){kit_copy(pattern), mine});
}

void plugin_host_exec_for_real(struct plugin_host *h, const char *path)
{
    h->for_real = true;
    free(h->search_path);
    h->search_path = path ? kit_copy(path) : NULL;
}

void plugin_host_fault(struct plugin_host *h, int nth)
{
    h->fault_in = nth;
}

void plugin_host_cancel(struct plugin_host *h, int nth)
{
    h->cancel_in = nth;
}

bool plugin_host_struck(const struct plugin_host *h)
{
    return h->struck;
}

/* What the real host would not let through to any phase. */
static void check_inputs(struct plugin_host *h)
{
    for (uint32_t i = 0; i < h->plugin->n_inputs; i++) {
        const struct ost_input *input = &h->plugin->inputs[i];
        const char *value = input_value(h, input->name);
        bool allowed = input->type != OST_CHOICE || !*value;

        cr_assert(!(input->flags & OST_REQUIRED) || *value, "the input '%s' is required",
                  input->name);
        for (const char *const *choice = input->choices; !allowed && choice && *choice; choice++)
            allowed = strcmp(*choice, value) == 0;
        cr_assert(allowed, "'%s' is no choice of the input '%s'", value, input->name);
    }
}

ost_status plugin_host_run(struct plugin_host *h, int phase)
{
    ost_phase *const phases[] = {h->plugin->plan, h->plugin->pre, h->plugin->main, h->plugin->post};
    ost_phase *run = phases[phase];
    int fault_in = h->fault_in, cancel_in = h->cancel_in;
    ost_status r;

    clear(h);
    h->fault_in = fault_in;
    h->cancel_in = cancel_in;
    h->recording = phase == OST_PHASE_PLAN && !run;
    if (h->recording && (h->plugin->traits & OST_EFFECTS_VIA_HOST))
        run = h->plugin->main;
    cr_assert_not_null((void *)(uintptr_t)run, "the plugin has no phase %d", phase);
    h->phase = phase;
    h->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    check_inputs(h);
    r = run(&h->step);
    h->fault_in = h->cancel_in = 0;
    cr_assert_str_empty(h->broken, "the plugin broke its contract: %s", h->broken);
    cr_assert_leq(r, OST_OK, "a phase returns 0 or an error");
    return r;
}

struct ost_step *plugin_host_step(struct plugin_host *h)
{
    h->phase = OST_PHASE_MAIN;
    return &h->step;
}

const char *plugin_host_output(const struct plugin_host *h, const char *name)
{
    return PAIR_GET(&h->outputs, name);
}

const char *plugin_host_env(const struct plugin_host *h, const char *name)
{
    return PAIR_GET(&h->envs, name);
}

const char *plugin_host_kept(const struct plugin_host *h, const char *name)
{
    return PAIR_GET(&h->kept, name);
}

#define ITEM(v, i) ((i) < (v)->len ? (v)->ptr[i] : NULL)

const char *plugin_host_path(const struct plugin_host *h, size_t i)
{
    return ITEM(&h->paths, i);
}

const char *plugin_host_masked(const struct plugin_host *h, size_t i)
{
    return ITEM(&h->masks, i);
}

const char *plugin_host_planned(const struct plugin_host *h, size_t i)
{
    return ITEM(&h->plans, i);
}

const char *plugin_host_summary(const struct plugin_host *h)
{
    return h->summary.ptr;
}

const char *plugin_host_log(const struct plugin_host *h)
{
    return h->log.ptr;
}

size_t plugin_host_lines(const struct plugin_host *h, const char *pattern)
{
    struct slice rest = buf_slice(&h->log), line;
    size_t n = 0;

    while (slice_line(&rest, &line)) {
        CLEANUP(free_ptr) char *text = mem_dup(line.ptr, line.len);

        n += fnmatch(pattern, text, 0) == 0;
    }
    return n;
}

void plugin_host_said(const struct plugin_host *h, const char *pattern)
{
    cr_expect(plugin_host_lines(h, pattern), "no line '%s' in:\n%s(failure: %s)", pattern,
              h->log.ptr, h->failure ? h->failure : "none");
}

const char *plugin_host_failure(const struct plugin_host *h)
{
    return h->failure ? h->failure : "";
}

size_t plugin_host_notes(const struct plugin_host *h)
{
    return h->notes.len;
}

const struct ost_note *plugin_host_note(const struct plugin_host *h, size_t i)
{
    return i < h->notes.len ? &h->notes.ptr[i] : NULL;
}

size_t plugin_host_execs(const struct plugin_host *h, const char *pattern)
{
    size_t n = 0;

    VEC_EACH (call, &h->calls)
        n += fnmatch(pattern, call->line, 0) == 0;
    return n;
}

const char *plugin_host_exec(const struct plugin_host *h, size_t i)
{
    return i < h->calls.len ? h->calls.ptr[i].line : NULL;
}

const char *plugin_host_exec_cwd(const struct plugin_host *h, size_t i)
{
    return i < h->calls.len ? h->calls.ptr[i].cwd : NULL;
}

const char *plugin_host_exec_input(const struct plugin_host *h, size_t i)
{
    return i < h->calls.len ? h->calls.ptr[i].input : NULL;
}
