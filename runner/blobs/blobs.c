#include "blobs/blobs.h"

#include "base/fd.h"
#include "base/path.h"
#include "blobs/carrier.h"
#include "blobs/message.h"
#include "io/proc.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

struct blobs_call {
    struct loop *loop;
    struct blobs_client client;
    struct proc *proc;
    bool exited;
    struct proc_exit how;
    int out; /* its answer; -1: read */
    struct watch *watch;
    struct buf text;
    json_t *answer;
};

struct blobs_call *blobs_free(struct blobs_call *c)
{
    if (!c)
        return NULL;
    c->watch = watch_free(c->watch);
    fd_closep(&c->out);
    c->proc = proc_free(c->proc); /* and the packer with it */
    buf_deinit(&c->text);
    json_decref(c->answer);
    free(c);
    return NULL;
}

/* Last of all: it may free C. */
static void settle(struct blobs_call *c)
{
    struct err err = ERR_INIT;

    if (!c->exited || c->out >= 0)
        return;
    if (!c->answer)
        (void)err_set(
            &err, ERR_FAILED, "whoever transfers for the job ended without a word (%s %d)",
            c->how.signal ? "signal" : "exit code", c->how.signal ? c->how.signal : c->how.code);
    else
        (void)!message_error(c->answer, &err);
    c->client.done(c->client.ctx, err.code ? NULL : c->answer, err.code ? &err : NULL);
}

/* {"say": text}, or the end. */
static void on_line(struct blobs_call *c, struct slice line)
{
    json_t *said = json_loadb(line.ptr, line.len, 0, NULL);
    const char *text = json_string_value(json_object_get(said, "say"));

    if (text)
        c->client.say(c->client.ctx, text);
    else if (said && !c->answer)
        c->answer = json_incref(said);
    json_decref(said);
}

static void on_readable(void *ctx, uint32_t events)
{
    struct blobs_call *c = ctx;
    struct slice rest, line;
    ssize_t n = fd_read_some(c->out, &c->text, BLOBS_ANSWER_MAX - c->text.len);

    (void)events;
    if (n > 0) {
        rest = buf_slice(&c->text);
        while (memchr(rest.ptr, '\n', rest.len) && slice_line(&rest, &line))
            on_line(c, line);
        buf_consume(&c->text, c->text.len - rest.len);
        return;
    }
    if (n < 0 && errno == EAGAIN)
        return;
    c->watch = watch_free(c->watch);
    fd_closep(&c->out);
    settle(c);
}

static void on_exit_of_child(void *ctx, struct proc_exit how)
{
    struct blobs_call *c = ctx;

    c->exited = true;
    c->how = how;
    settle(c);
}

static json_t *request_of(const struct blobs_spec *s, bool has_place)
{
    const struct blobs_service *at = s->service;
    json_t *shown = json_array();

    for (size_t i = 0; i < s->n_shown; i++)
        json_array_append_new(shown, json_pack("[s, s]", s->shown[i].from, s->shown[i].to));
    return json_pack(
        "{s:s, s:O, s:o, s:O*, s:s*, s:s*, s:b, s:b, s:{s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:I}}",
        "op", s->op, "ask", s->ask, "shown", shown, "hosts", s->hosts, "workspace", s->workspace,
        "home", s->home, "zstd", s->zstd, "place", has_place, "service", "url", at->url, "token",
        at->token, "http_proxy", at->http_proxy, "https_proxy", at->https_proxy, "no_proxy",
        at->no_proxy, "ca_file", at->ca_file, "retry_ms", (json_int_t)at->retry_ms);
}

/* The job's PATH as SANDBOX has it. The caller frees it. */
static char *own_side(const struct blobs_spec *s, const char *path)
{
    for (size_t i = s->n_shown; i-- > 0;) { /* later ones may lie in earlier ones */
        const char *rest = path_below(path, s->shown[i].to);

        if (rest)
            return *rest ? path_join(s->shown[i].from, rest)
                         : mem_dup(s->shown[i].from, strlen(s->shown[i].from));
    }
    return mem_dup(path, strlen(path));
}

/* Where downloads lie, without a name, until all is there: in the job's own temporary folder, so that they are
 * part of what the job takes on the disk. */
static int open_spool(const struct blobs_spec *s, int *ret, struct err *err)
{
    CLEANUP(fd_closep) int slash = -1;

    if (!s->temp)
        return ERR_OK;
    if (!s->sandbox && (slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
        return err_sys(err, "cannot open '/'");
    CLEANUP(free_ptr) char *temp = own_side(s, s->temp);
    return path_open_in(s->sandbox ? sandbox_root(s->sandbox) : slash, temp, O_RDONLY | O_DIRECTORY,
                        0, ret, err);
}

static int launch(struct blobs_call *c, const struct blobs_spec *s, struct err *err)
{
    static const char *const env[] = {NULL};
    const char *const argv[] = {s->program ? s->program : "/proc/self/exe", "blobs-carrier", NULL};
    bool has_place = s->sandbox && sandbox_namespace(s->sandbox, SANDBOX_NS_MOUNT) >= 0;
    json_t *request = request_of(s, has_place);
    struct spawn_fd fds[1 + 2];
    size_t n_fds = 0;
    CLEANUP(fd_closep) int in = -1;
    CLEANUP(fd_closep) int end = -1;
    CLEANUP(fd_closep) int spool = -1;
    int r = request ? message_file(request, &in, err)
                    : err_set(err, ERR_INVALID, "a transfer with texts that are not UTF-8");

    json_decref(request);
    if (r == ERR_OK)
        r = open_spool(s, &spool, err);
    if (r == ERR_OK)
        r = fd_pipe(&c->out, &end, err);
    if (r == ERR_OK)
        r = fd_set_nonblock(c->out, true, err);
    if (r < 0)
        return r;
    if (spool >= 0)
        fds[n_fds++] = (struct spawn_fd){spool, CARRIER_SPOOL};
    if (has_place) {
        fds[n_fds++] = (struct spawn_fd){sandbox_namespace(s->sandbox, SANDBOX_NS_USER),
                                         CARRIER_PLACE + SANDBOX_NS_USER};
        fds[n_fds++] = (struct spawn_fd){sandbox_namespace(s->sandbox, SANDBOX_NS_MOUNT),
                                         CARRIER_PLACE + SANDBOX_NS_MOUNT};
    }
    struct proc_spec spec = PROC_SPEC_INIT;
    spec.argv = argv;
    spec.env = env;
    spec.in = in;
    spec.out = end;
    spec.err = STDERR_FILENO;
    spec.fds = fds;
    spec.n_fds = n_fds;
    spec.flags = SPAWN_DIE_WITH_US;
    r = proc_start(&spec, &c->proc, err);
    if (r == ERR_OK)
        r = loop_watch(c->loop, c->out, EPOLLIN, on_readable, c, &c->watch, err);
    if (r == ERR_OK)
        r = proc_watch(c->proc, c->loop, on_exit_of_child, c, err);
    return r;
}

int blobs_start(const struct blobs_spec *spec, struct loop *loop, const struct blobs_client *client,
                struct blobs_call **ret, struct err *err)
{
    struct blobs_call *c = mem_new(sizeof *c);

    *c = (struct blobs_call){
        .loop = loop, .client = *client, .out = -1, .text = BUF_INIT(BLOBS_ANSWER_MAX)};
    int r = launch(c, spec, err);
    if (r < 0)
        blobs_free(c);
    else
        *ret = c;
    return r;
}
