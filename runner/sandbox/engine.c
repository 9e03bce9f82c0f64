#include "sandbox/engine.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/utf8.h"
#include "io/proc.h"
#include "sandbox/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
    CHUNK_SIZE = 64 << 10,
    WHY_MAX = 4096,       /* of what a command wrote to stderr last */
    ENV_LINE_MAX = 32000, /* docker reads an env-file in lines of 64 KiB at most */
    ENV_FILE_FD = 3,      /* ENGINE_ENV_FILE */
};

struct stream {
    struct engine_call *call;
    int fd;
    struct watch *watch;
};

struct engine_call {
    struct engine *engine;
    struct engine_call *next, **prev; /* in engine->calls */
    struct proc *proc;
    struct stream streams[2]; /* stdout, stderr */
    struct buf chunk;
    engine_output_fn *output;
    engine_end_fn *end;
    void *ctx;
};

struct engine {
    const char *const *env;
    struct loop *loop;
    char *path;
    bool podman;
    char *label;
    struct engine_hooks hooks;
    struct engine_call *calls;
    bool interrupted;
};

/* ---- the engine ---- */

int engine_open(const char *const *env, struct loop *loop, struct engine **ret, struct err *err)
{
    static const char *const names[] = {"docker", "podman"};
    struct err ignored = ERR_INIT;
    char *path = NULL, *label = NULL;
    bool podman = false;

    for (size_t i = 0; i < COUNT_OF(names) && !path; i++) {
        podman = i > 0;
        (void)!spawn_find(names[i], spawn_env_path(env), &path, &ignored);
    }
    if (!path)
        return err_set(err, ERR_NOT_FOUND,
                       "containers are wanted, and there is neither 'docker' nor 'podman' on the "
                       "PATH: install one of them ('apt-get install docker.io')");
    int r = owner_label(&label, err);
    if (r < 0) {
        free(path);
        return r;
    }
    struct engine *e = mem_new(sizeof *e);
    *e = (struct engine){.env = env, .loop = loop, .path = path, .podman = podman, .label = label};
    *ret = e;
    return ERR_OK;
}

struct engine *engine_close(struct engine *e)
{
    if (!e)
        return NULL;
    while (e->calls)
        engine_call_free(e->calls);
    free(e->path);
    free(e->label);
    free(e);
    return NULL;
}

void engine_set_hooks(struct engine *e, const struct engine_hooks *hooks)
{
    e->hooks = hooks ? *hooks : (struct engine_hooks){0};
}

const char *engine_path(const struct engine *e)
{
    return e->path;
}

bool engine_is_podman(const struct engine *e)
{
    return e->podman;
}

const char *engine_label(const struct engine *e)
{
    return e->label;
}

/* ---- a container's environment ---- */

/* What these names hold is the program's own business, not the container's. */
static bool steers_the_program(struct slice name)
{
    static const char *const begins[] = {"LD_",    "DOCKER_", "CONTAINER", "PODMAN",
                                         "GO",     "XDG_",    "SSL_",      "TMPDIR",
                                         "GLIBC_", "MALLOC_", "BUILDAH",   "REGISTRY"};

    for (size_t i = 0; i < COUNT_OF(begins); i++)
        if (slice_starts(name, slice_of(begins[i])))
            return true;
    return slice_eq(name, SLICE("HOME")) || slice_eq(name, SLICE("PATH")) ||
           slice_ends(name, SLICE("_proxy")) || slice_ends(name, SLICE("_PROXY"));
}

static bool fits_a_line(struct slice value)
{
    return value.len < ENV_LINE_MAX && slice_find_char(value, '\n') < 0 &&
           slice_find_char(value, '\r') < 0 && utf8_valid(value) == value.len;
}

int engine_env_add(struct engine_env *env, struct slice name, struct slice value, struct err *err)
{
    /* In the file a '#' begins a comment, and white space in a name is an error for all of it. */
    if (!name.len || name.ptr[0] == '#' || strcspn(name.ptr, " \t\r\n=") < name.len)
        return err_set(err, ERR_INVALID, "'%.*s' is no name for an environment variable",
                       SLICE_ARG(slice_head(name, 80)));
    if (memchr(value.ptr ? value.ptr : "", '\0', value.len))
        return err_set(err, ERR_INVALID, "the value of '%.*s' holds a NUL byte",
                       SLICE_ARG(slice_head(name, 80)));
    if (!value.len) {
        buf_printf(&env->file, "%.*s\n", SLICE_ARG(name));
    } else if (fits_a_line(value)) {
        buf_printf(&env->file, "%.*s=", SLICE_ARG(name));
        buf_add(&env->file, value);
        buf_add_char(&env->file, '\n');
    } else if (steers_the_program(name)) {
        return err_set(err, ERR_UNSUPPORTED,
                       "the value of '%.*s' cannot be handed to a container: it has more than one "
                       "line, or is very long",
                       SLICE_ARG(slice_head(name, 80)));
    } else {
        struct buf entry = BUF_INIT(value.len + name.len + 2);

        buf_printf(&entry, "%.*s=", SLICE_ARG(name));
        buf_add(&entry, value);
        vec_push(&env->more, buf_take(&entry));
        buf_printf(&env->file, "%.*s\n", SLICE_ARG(name));
    }
    return buf_check(&env->file, "a container's environment", err);
}

void engine_env_deinit(struct engine_env *env)
{
    explicit_bzero(env->file.ptr, env->file.len);
    buf_deinit(&env->file);
    VEC_EACH (entry, &env->more) {
        explicit_bzero(*entry, strlen(*entry));
        free(*entry);
    }
    vec_deinit(&env->more);
}

/* ---- a command's output and end ---- */

static void stream_close(struct stream *st)
{
    st->watch = watch_free(st->watch);
    fd_closep(&st->fd);
}

/* One read. False: there is nothing more at the moment, or for ever. */
static bool read_some(struct stream *st)
{
    struct engine_call *c = st->call;

    if (st->fd < 0)
        return false;
    buf_clear(&c->chunk);
    ssize_t n = fd_read_some(st->fd, &c->chunk, CHUNK_SIZE);
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0) {
        stream_close(st);
        return false;
    }
    c->output(c->ctx, st == &c->streams[1], buf_slice(&c->chunk));
    return true;
}

static void on_output(void *ctx, uint32_t events)
{
    (void)events;
    (void)read_some(ctx);
}

/* What the program wrote is in the pipes by now. Nobody waits for others that may hold them open. */
static void on_exit_of_program(void *ctx, struct proc_exit how)
{
    struct engine_call *c = ctx;

    for (size_t i = COUNT_OF(c->streams); i-- > 0;) {
        while (read_some(&c->streams[i]))
            ;
        stream_close(&c->streams[i]);
    }
    c->end(c->ctx, how.code);
}

struct engine_call *engine_call_free(struct engine_call *c)
{
    if (!c)
        return NULL;
    for (size_t i = 0; i < COUNT_OF(c->streams); i++)
        stream_close(&c->streams[i]);
    proc_free(c->proc);
    *c->prev = c->next;
    if (c->next)
        c->next->prev = c->prev;
    buf_deinit(&c->chunk);
    free(c);
    return NULL;
}

void engine_call_stop(struct engine_call *c, bool now)
{
    if (now)
        proc_kill(c->proc);
    else
        proc_stop(c->proc);
}

/* ---- starting ---- */

static int stream_open(struct engine_call *c, struct stream *st, int *ret_write, struct err *err)
{
    int r = fd_pipe(&st->fd, ret_write, err);

    if (r == ERR_OK)
        r = fd_set_nonblock(st->fd, true, err);
    return r < 0 ? r : loop_watch(c->engine->loop, st->fd, EPOLLIN, on_output, st, &st->watch, err);
}

static size_t count(const char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

void engine_command_line(const struct engine *e, const char *const *args, struct buf *to)
{
    buf_add_str(to, e->path);
    for (; *args; args++) {
        const char *quote = **args && strcspn(*args, " \t\n\"'\\$`{}") == strlen(*args) ? "" : "'";
        buf_printf(to, " %s%s%s", quote, *args, quote);
    }
}

static void tell_command(const struct engine *e, const struct engine_command *command)
{
    CLEANUP(buf_deinit) struct buf line = BUF_INIT(1 << 20);

    if (!e->hooks.command || command->quiet)
        return;
    engine_command_line(e, command->args, &line);
    e->hooks.command(e->hooks.ctx, buf_slice(&line));
}

static int spawn_program(struct engine_call *c, const struct engine_command *command, int out,
                         int error, struct err *err)
{
    struct engine *e = c->engine;
    CLEANUP(fd_closep) int in = -1;
    CLEANUP(fd_closep) int env_file = -1;
    size_t n_args = count(command->args), n_env = count(e->env), n = 0;
    size_t n_more = command->env ? command->env->more.len : 0;
    CLEANUP(free_ptr) const char **argv = mem_new((n_args + 2) * sizeof *argv);
    CLEANUP(free_ptr) const char **env = mem_new((n_env + n_more + 1) * sizeof *env);
    struct proc_spec spec = PROC_SPEC_INIT;
    struct spawn_fd pass = {.theirs = ENV_FILE_FD};
    int r = ERR_OK;

    argv[0] = e->path;
    memcpy(argv + 1, command->args, n_args * sizeof *argv);
    for (size_t i = 0; i < n_env; i++)
        env[n++] = e->env[i];
    for (size_t i = 0; i < n_more; i++)
        env[n++] = command->env->more.ptr[i];
    if (command->input.len)
        r = fd_memory(command->input, &in, err);
    if (r == ERR_OK && command->env)
        r = fd_memory(buf_slice(&command->env->file), &env_file, err);
    if (r < 0)
        return r;
    pass.ours = env_file;
    spec.argv = argv;
    spec.env = env;
    spec.in = in;
    spec.out = out;
    spec.err = error;
    spec.fds = &pass;
    spec.n_fds = env_file >= 0;
    spec.flags = SPAWN_GROUP | SPAWN_DIE_WITH_US;
    return proc_start(&spec, &c->proc, err);
}

int engine_start(struct engine *e, const struct engine_command *command, engine_output_fn *output,
                 engine_end_fn *end, void *ctx, struct engine_call **ret, struct err *err)
{
    CLEANUP(fd_closep) int out = -1;
    CLEANUP(fd_closep) int error = -1;
    struct engine_call *c = mem_new(sizeof *c);

    *c = (struct engine_call){.engine = e,
                              .next = e->calls,
                              .prev = &e->calls,
                              .chunk = BUF_INIT(CHUNK_SIZE),
                              .output = output,
                              .end = end,
                              .ctx = ctx};
    if (c->next)
        c->next->prev = &c->next;
    e->calls = c;
    for (size_t i = 0; i < COUNT_OF(c->streams); i++)
        c->streams[i] = (struct stream){.call = c, .fd = -1};
    tell_command(e, command);
    int r = stream_open(c, &c->streams[0], &out, err);
    if (r == ERR_OK)
        r = stream_open(c, &c->streams[1], &error, err);
    if (r == ERR_OK)
        r = spawn_program(c, command, out, error, err);
    if (r == ERR_OK)
        r = proc_watch(c->proc, e->loop, on_exit_of_program, c, err);
    if (r < 0) {
        engine_call_free(c);
        return r;
    }
    *ret = c;
    return ERR_OK;
}

/* ---- one after the other ---- */

struct wait {
    struct engine *engine;
    const struct engine_command *command;
    struct buf why; /* the end of its stderr */
    int code;
    bool ended;
};

static void on_waited_output(void *ctx, bool error, struct slice bytes)
{
    struct wait *w = ctx;
    struct engine *e = w->engine;

    if (error) {
        struct slice tail = bytes.len > WHY_MAX ? slice_from(bytes, bytes.len - WHY_MAX) : bytes;

        if (w->why.len + tail.len > WHY_MAX)
            buf_consume(&w->why, w->why.len + tail.len - WHY_MAX);
        buf_add(&w->why, tail);
    } else if (w->command->capture) {
        buf_add(w->command->capture, bytes);
    }
    if (e->hooks.output && !w->command->quiet)
        e->hooks.output(e->hooks.ctx, error, bytes);
}

static void on_waited_end(void *ctx, int code)
{
    struct wait *w = ctx;

    w->ended = true;
    w->code = code;
}

static int cancelled(struct err *err)
{
    return err_set(err, ERR_CANCELLED, "The operation was canceled.");
}

/* What it does, for people: options of the program itself come before that. */
static const char *verb(const struct engine_command *command)
{
    return strcmp(command->args[0], "--config") == 0 ? command->args[2] : command->args[0];
}

static int run_to_end(struct wait *w, struct err *err)
{
    struct engine *e = w->engine;
    int64_t limit = w->command->limit_ms;
    int64_t deadline = limit ? clock_ms() + limit : CLOCK_NEVER;
    struct engine_call *call = NULL;

    if (e->interrupted)
        return cancelled(err);
    int r = engine_start(e, w->command, on_waited_output, on_waited_end, w, &call, err);
    while (r == ERR_OK && !w->ended && !e->interrupted && clock_ms() < deadline)
        r = loop_turn(e->loop, deadline, err);
    engine_call_free(call);
    if (r < 0 || w->ended)
        return r;
    return e->interrupted ? cancelled(err)
                          : err_set(err, ERR_TIMEOUT, "'%s %s' took longer than %lld s", e->path,
                                    verb(w->command), (long long)(limit / 1000));
}

int engine_run(struct engine *e, const struct engine_command *command, int *ret_code,
               struct err *err)
{
    struct wait w = {.engine = e, .command = command, .why = BUF_INIT(WHY_MAX)};
    int r = run_to_end(&w, err);

    buf_deinit(&w.why);
    if (r == ERR_OK)
        *ret_code = w.code;
    return r;
}

static struct slice last_line(struct slice text)
{
    struct slice line, last = SLICE("");

    while (slice_line(&text, &line))
        if (slice_trim(line).len)
            last = slice_trim(line);
    return last;
}

int engine_must(struct engine *e, const struct engine_command *command, struct err *err)
{
    struct wait w = {.engine = e, .command = command, .why = BUF_INIT(WHY_MAX)};
    int r = run_to_end(&w, err);

    if (r == ERR_OK && w.code != 0) {
        struct slice why = last_line(buf_slice(&w.why));

        if (why.len)
            r = err_set(err, ERR_FAILED, "%s %s: %.*s", e->podman ? "podman" : "docker",
                        verb(command), SLICE_ARG(why));
        else
            r = err_set(err, ERR_FAILED, "%s %s failed with exit code %d",
                        e->podman ? "podman" : "docker", verb(command), w.code);
    }
    buf_deinit(&w.why);
    return r;
}

static void on_pause_over(void *ctx)
{
    *(bool *)ctx = true;
}

int engine_pause(struct engine *e, int64_t ms, struct err *err)
{
    bool over = false;
    struct timer *t = loop_timer(e->loop, clock_ms() + ms, on_pause_over, &over);
    int r = ERR_OK;

    while (r == ERR_OK && !over && !e->interrupted)
        r = loop_turn(e->loop, CLOCK_NEVER, err);
    if (!over)
        timer_free(t);
    return r < 0 ? r : e->interrupted ? cancelled(err) : ERR_OK;
}

static void on_awaited(void *ctx, uint32_t events)
{
    (void)events;
    *(bool *)ctx = true;
}

int engine_await(struct engine *e, int fd, int64_t limit_ms, struct err *err)
{
    int64_t deadline = clock_ms() + limit_ms;
    struct watch *w = NULL;
    bool ready = false;
    int r = loop_watch(e->loop, fd, EPOLLIN, on_awaited, &ready, &w, err);

    while (r == ERR_OK && !ready && !e->interrupted && clock_ms() < deadline)
        r = loop_turn(e->loop, deadline, err);
    watch_free(w);
    if (r < 0 || ready)
        return r;
    return e->interrupted ? cancelled(err) : err_set(err, ERR_TIMEOUT, "time limit reached");
}

void engine_interrupt(struct engine *e)
{
    e->interrupted = true;
}

void engine_resume(struct engine *e)
{
    e->interrupted = false;
}

/* ---- what is there ---- */

int engine_check(struct engine *e, struct err *err)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(4096);
    const char *format = e->podman ? "{{.Client.APIVersion}}" : "{{.Server.APIVersion}}";
    struct engine_command command = {.args =
                                         (const char *const[]){"version", "--format", format, NULL},
                                     .capture = &out,
                                     .limit_ms = 30000};
    unsigned major = 0, minor = 0;
    int r = engine_must(e, &command, err);

    if (r == ERR_FAILED || r == ERR_TIMEOUT) {
        struct err why = *err;
        bool denied = strstr(why.text, "permission denied");

        return err_set(err, ERR_FAILED, "no container engine answers (%.120s): %s", why.text,
                       denied ? "let this user into the group 'docker'"
                              : "start it ('systemctl start docker'), or set DOCKER_HOST");
    }
    if (r < 0 || e->podman)
        return r;
    if (sscanf(out.ptr, "%u.%u", &major, &minor) == 2 && (major < 1 || (major == 1 && minor < 35)))
        return err_set(err, ERR_UNSUPPORTED,
                       "the docker engine speaks API %u.%u, and 1.35 is the oldest that will do: "
                       "install a newer one",
                       major, minor);
    return ERR_OK;
}

/* HEAD with the words of TEXT behind it; nothing when there are none. */
static int on_each(struct engine *e, const char *const *head, const struct buf *text,
                   struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    VEC(const char *) args = {0};
    struct slice rest = buf_slice(text), line;
    size_t n = count(head);

    for (size_t i = 0; i < n; i++)
        vec_push(&args, head[i]);
    while (slice_line(&rest, &line))
        if (slice_trim(line).len)
            vec_push(&args, arena_str(&a, slice_trim(line)));
    bool any = args.len > n;
    vec_push(&args, NULL);
    int r = ERR_OK;
    if (any)
        r = engine_must(e, &(struct engine_command){.args = args.ptr, .limit_ms = 120000}, err);
    vec_deinit(&args);
    return r;
}

static int list(struct engine *e, const char *const *args, struct buf *ret, struct err *err)
{
    struct engine_command command = {.args = args, .capture = ret, .limit_ms = 60000};
    int r = engine_must(e, &command, err);

    return r < 0 ? r : buf_check(ret, "the engine's list", err);
}

/* Lists by LISTING and removes by REMOVAL what it gave, again while something is there: another process may be
 * removing the same, and the engine refuses then. */
static int remove_listed(struct engine *e, const char *const *listing, const char *const *removal,
                         struct err *err)
{
    enum { REMOVALS = 3, REMOVAL_PAUSE_MS = 500 };

    for (int left = REMOVALS;; left--) {
        CLEANUP(buf_deinit) struct buf found = BUF_INIT(1 << 20);
        struct err why = ERR_INIT;
        int r = list(e, listing, &found, err);

        if (r < 0 || found.len == 0 || on_each(e, removal, &found, &why) == ERR_OK)
            return r;
        if (left == 0) {
            *err = why;
            return err->code;
        }
        r = engine_pause(e, REMOVAL_PAUSE_MS, err);
        if (r < 0)
            return r;
    }
}

void engine_removal(const struct engine *e, const char *id,
                    const char *ret_args[ENGINE_REMOVAL_WORDS])
{
    size_t n = 0;

    ret_args[n++] = "rm";
    ret_args[n++] = "--force";
    ret_args[n++] = "--volumes";
    if (e->podman) { /* it asks first, and waits ten seconds */
        ret_args[n++] = "--time";
        ret_args[n++] = "0";
    }
    ret_args[n++] = id;
    if (id)
        ret_args[n] = NULL;
}

/* Those whose label has this VALUE. */
static int remove_labelled(struct engine *e, const char *value, struct err *err)
{
    CLEANUP(buf_deinit) struct buf label = BUF_INIT(1024);
    struct err later = ERR_INIT;

    buf_printf(&label, "label=" OWNER_LABEL "=%s", value);
    const char *containers[] = {"ps",       "--all",   "--quiet", "--no-trunc",
                                "--filter", label.ptr, NULL};
    const char *networks[] = {"network", "ls", "--quiet", "--filter", label.ptr, NULL};
    const char *rm[ENGINE_REMOVAL_WORDS];

    engine_removal(e, NULL, rm);
    int r = remove_listed(e, containers, rm, err);
    int r2 = remove_listed(e, networks, (const char *const[]){"network", "rm", NULL}, &later);

    if (r == ERR_OK && r2 < 0) {
        *err = later;
        r = r2;
    }
    return r;
}

int engine_sweep(struct engine *e, struct err *err)
{
    /* podman's templates are its own; its networks say "ostler=..." */
    const char *of_containers =
        e->podman ? "{{index .Labels \"" OWNER_LABEL "\"}}" : "{{.Label \"" OWNER_LABEL "\"}}";
    const char *of_networks = e->podman ? "{{.Labels}}" : of_containers;
    CLEANUP(buf_deinit) struct buf owners = BUF_INIT(1 << 20);
    CLEANUP(buf_deinit) struct buf seen = BUF_INIT(1 << 20);
    int r = list(e,
                 (const char *const[]){"ps", "--all", "--filter", "label=" OWNER_LABEL, "--format",
                                       of_containers, NULL},
                 &owners, err);

    if (r == ERR_OK)
        r = list(e,
                 (const char *const[]){"network", "ls", "--filter", "label=" OWNER_LABEL,
                                       "--format", of_networks, NULL},
                 &owners, err);
    struct slice rest = buf_slice(&owners), line;
    while (r == ERR_OK && slice_line(&rest, &line)) {
        const struct slice prefix = SLICE(OWNER_LABEL "=");

        if (slice_starts(line, prefix))
            line = slice_from(line, prefix.len);
        CLEANUP(free_ptr) char *value = mem_dup(line.ptr, line.len);
        if (!line.len || strstr(seen.ptr, value) || !owner_is_dead(value))
            continue;
        buf_printf(&seen, "%s\n", value);
        r = remove_labelled(e, value, err);
    }
    return r;
}

/* ---- marks ---- */

static const char mark_name[] = "containers";

int engine_mark(const struct engine *e, int dir, struct err *err)
{
    return path_write(dir, mark_name, slice_of(e->label + sizeof OWNER_LABEL), 0600, err);
}

void engine_unmark(int dir)
{
    (void)unlinkat(dir, mark_name, 0); /* there is none, or it goes with the folder */
}

bool engine_is_marked(int dir)
{
    CLEANUP(buf_deinit) struct buf value = BUF_INIT(256);
    struct err ignored = ERR_INIT;

    return path_read(dir, mark_name, &value, &ignored) == ERR_OK && owner_is_dead(value.ptr);
}
