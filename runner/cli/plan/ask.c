/* Asks plugins for their part of a plan, without starting any program.
 *
 * A plugin's process is a copy of ours then, and what is in our memory would be in its: the secrets of the
 * command line and of other steps. So a helper splits off before any option is read, wipes what the kernel gave
 * it of them, and copies itself for each question; that copy knows one plugin's inputs and nothing else, hosts
 * the plugin and writes down its lines. Questions and answers are JSON behind their length. */
#include "base/clock.h"
#include "base/fd.h"
#include "cli/plan/parts.h"
#include "plugin/host/deaf.h"
#include "plugin/policy.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGE_MAX = 64 << 20, DEADLINE_MS = 10000 };

struct plan_asker {
    pid_t helper;
    int socket;
    const char *source;
    json_t *policies; /* borrowed; NULL: none */
};

/* ---- messages ---- */

static int send_json(int fd, const json_t *json, struct err *err)
{
    char *text = json_dumps(json, JSON_COMPACT);
    uint32_t size = (uint32_t)strlen(text);
    int r = fd_write_all(fd, slice_make((const char *)&size, sizeof size), err);

    if (r == ERR_OK)
        r = fd_write_all(fd, slice_make(text, size), err);
    explicit_bzero(text, size); /* inputs may be secrets */
    free(text);
    return r;
}

/* ERR_NOT_FOUND: the other end is gone. */
static int receive_json(int fd, json_t **ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf in = BUF_INIT(MESSAGE_MAX);
    uint32_t size = 0;

    while (in.len < sizeof size || in.len < sizeof size + size) {
        size_t want = in.len < sizeof size ? sizeof size - in.len : sizeof size + size - in.len;
        ssize_t n = fd_read_some(fd, &in, want);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_set(err, ERR_NOT_FOUND, "the process that asks plugins has ended");
        if (in.len >= sizeof size)
            memcpy(&size, in.ptr, sizeof size);
        if (size > MESSAGE_MAX - sizeof size)
            return err_set(err, ERR_LIMIT, "a plugin's plan is too large");
    }
    *ret = json_loadb(in.ptr + sizeof size, size, JSON_DECODE_ANY, NULL);
    explicit_bzero(in.ptr, in.len);
    return *ret ? ERR_OK : err_set(err, ERR_INVALID, "a plugin's plan is no JSON");
}

/* ---- the host of one plugin ---- */

struct answer {
    json_t *lines;
    bool done;
    struct plugin_end end;
    char *why; /* of the end */
};

static void on_plan(void *ctx, const char *verb, const char *object, const char *detail)
{
    struct answer *a = ctx;
    json_t *line = json_pack("{s:s, s:s}", "verb", verb, "object", object);

    if (*detail)
        json_object_set_new(line, "detail", json_string(detail));
    json_array_append_new(a->lines, line);
}

static void on_end(void *ctx, const struct plugin_end *end)
{
    struct answer *a = ctx;

    a->done = true;
    a->end = *end;
    a->why = mem_dup(end->text, strlen(end->text));
}

static int run_plan(const struct plugin *p, const struct trust_policy *policy,
                    const struct strmap *inputs, const char *source, struct answer *a,
                    struct err *err)
{
    static const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
    CLEANUP(fd_closep) int object = -1;
    /* All effects come as lines; what else a plugin says belongs into a log, and there is none. */
    struct plugin_services services = plugin_deaf;
    struct plugin_spec spec = {
        .plugin = p,
        .phase = OST_PHASE_PLAN,
        .inputs = inputs,
        .env = env,
        .cwd = source,
        .workspace = source,
        .deadline_ms = clock_ms() + DEADLINE_MS,
        .forked = true,
        .services = &services,
        .end = on_end,
        .ctx = a,
    };
    struct plugin_run *run = NULL;
    struct loop *loop = NULL;
    int r = trust_open(policy, p, &object, err);

    services.plan = on_plan;
    spec.object = object;
    if (r == ERR_OK)
        r = loop_new(&loop, err);
    if (r == ERR_OK)
        r = plugin_start(&spec, loop, &run, err);
    while (r == ERR_OK && !a->done && clock_ms() < spec.deadline_ms)
        r = loop_turn(loop, spec.deadline_ms, err);
    if (r == ERR_OK && !a->done)
        r = err_set(err, ERR_TIMEOUT, "it did not answer within %d s", DEADLINE_MS / 1000);
    else if (r == ERR_OK && (a->end.kind != PLUGIN_RETURNED || a->end.status != OST_OK))
        r = err_set(err, ERR_FAILED, "%s", a->why);
    plugin_run_free(run);
    loop_free(loop);
    return r;
}

/* QUESTION: {"root", "plugin", "source", "inputs", "policies"}. */
static int answer(const json_t *question, struct answer *a, struct err *err)
{
    CLEANUP(strmap_deinit) struct strmap given = STRMAP_INIT_NOCASE, inputs = STRMAP_INIT_NOCASE;
    const char *source = json_string_value(json_object_get(question, "source"));
    const char *roots[] = {json_string_value(json_object_get(question, "root")), NULL};
    const struct plugin_places places = {.workspace = source};
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    const struct trust_policy *policy = NULL;
    struct plugin *p = NULL;
    const char *name;
    json_t *value;
    int r = plugin_find_id(roots, json_string_value(json_object_get(question, "plugin")), &p, err);

    json_object_foreach (json_object_get(question, "inputs"), name, value)
        strmap_set(&given, slice_of(name),
                   slice_make(json_string_value(value), json_string_length(value)));
    if (r == ERR_OK && !plugin_can_plan(p))
        r = err_set(err, ERR_UNSUPPORTED, "it has no plan phase");
    if (r == ERR_OK)
        r = plugin_check_inputs(p, &given, &places, &inputs, err);
    if (r == ERR_OK)
        r = policy_read(&arena, json_object_get(question, "policies"), &policy, err);
    if (r == ERR_OK)
        r = run_plan(p, policy, &inputs, source, a, err);
    plugin_free(p);
    return r;
}

/* A copy of the helper, for one question. */
static int host(int socket)
{
    struct answer a = {.lines = json_array()};
    struct err err = ERR_INIT;
    json_t *question = NULL, *reply;

    if (receive_json(socket, &question, &err) < 0)
        return 1;
    int r = answer(question, &a, &err);
    reply = json_pack("{s:o}", "lines", a.lines);
    if (r < 0)
        json_object_set_new(reply, "error", json_string(err.text));
    r = send_json(socket, reply, &err);
    json_decref(reply);
    json_decref(question);
    free(a.why);
    return r < 0;
}

/* ---- the helper ---- */

/* Arguments and environment lie on the stack that the kernel made. */
static void wipe(char **argv)
{
    for (char **one = argv; *one; one++)
        explicit_bzero(*one, strlen(*one));
    for (char **one = environ; one && *one; one++)
        explicit_bzero(*one, strlen(*one));
    environ = NULL;
}

__attribute__((noreturn)) static void help(int socket, char **argv)
{
    char byte;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    wipe(argv);
    while (recv(socket, &byte, 1, MSG_PEEK) == 1) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(host(socket));
        if (pid < 0 || waitpid(pid, NULL, 0) < 0)
            break;
    }
    _exit(0);
}

int plan_asker_new(char **argv, struct plan_asker **ret, struct err *err)
{
    int pair[2];
    struct plan_asker *a;
    int r = fd_socketpair(SOCK_STREAM, pair, err);

    if (r < 0)
        return r;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(pair[0]);
        help(pair[1], argv);
    }
    (void)close(pair[1]);
    if (pid < 0) {
        (void)close(pair[0]);
        return err_sys(err, "cannot split off a process");
    }
    a = mem_new(sizeof *a);
    *a = (struct plan_asker){.helper = pid, .socket = pair[0]};
    *ret = a;
    return ERR_OK;
}

struct plan_asker *plan_asker_free(struct plan_asker *a)
{
    if (!a)
        return NULL;
    (void)close(a->socket);
    (void)waitpid(a->helper, NULL, 0);
    free(a);
    return NULL;
}

/* ---- asking ---- */

static int ask(void *ctx, const struct plugin *p, const struct strmap *inputs, json_t *to,
               struct err *err)
{
    struct plan_asker *a = ctx;
    json_t *given = json_object(), *reply = NULL, *question;
    int r;

    STRMAP_EACH (i, inputs)
        json_object_set_new(given, i->name, json_stringn(i->value, i->value_len));
    question = json_pack("{s:s, s:o, s:s, s:o, s:O*}", "root", p->root, "plugin",
                         json_sprintf("%s@%s", p->id, p->version), "source", a->source, "inputs",
                         given, "policies", a->policies);
    r = send_json(a->socket, question, err);
    json_decref(question);
    if (r == ERR_OK)
        r = receive_json(a->socket, &reply, err);
    if (r < 0)
        return r;
    json_array_extend(to, json_object_get(reply, "lines"));
    const char *why = json_string_value(json_object_get(reply, "error"));
    if (why)
        r = err_set(err, ERR_FAILED, "%s", why);
    json_decref(reply);
    return r;
}

struct forecast_asker plan_asker_for(struct plan_asker *a, const char *source, json_t *policies)
{
    a->source = source;
    a->policies = policies;
    return (struct forecast_asker){.ask = ask, .ctx = a};
}
