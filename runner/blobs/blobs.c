#include "blobs/blobs.h"

#include "base/fd.h"
#include "base/path.h"
#include "blobs/carrier.h"
#include "blobs/message.h"
#include "io/errand.h"

struct blobs_call {
    struct blobs_client client;
    struct errand *errand;
    json_t *answer;
};

struct blobs_call *blobs_free(struct blobs_call *c)
{
    if (!c)
        return NULL;
    c->errand = errand_free(c->errand); /* and the packer with it */
    json_decref(c->answer);
    free(c);
    return NULL;
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

static size_t on_heard(void *ctx, struct slice text)
{
    struct slice rest = text, line;

    while (memchr(rest.ptr, '\n', rest.len) && slice_line(&rest, &line))
        on_line(ctx, line);
    return text.len - rest.len;
}

/* Last of all: it may free the call. */
static void on_done(void *ctx, struct proc_exit how, struct slice rest)
{
    struct blobs_call *c = ctx;
    struct err err = ERR_INIT;

    (void)rest;
    if (!c->answer)
        (void)err_set(&err, ERR_FAILED,
                      "whoever transfers for the job ended without a word (%s %d)",
                      how.signal ? "signal" : "exit code", how.signal ? how.signal : how.code);
    else
        (void)!message_error(c->answer, &err);
    c->client.done(c->client.ctx, err.code ? NULL : c->answer, err.code ? &err : NULL);
}

static json_t *request_of(const struct blobs_spec *s, bool has_place)
{
    const struct blobs_service *at = s->service;
    bool elsewhere = at->cache_url && strncmp(s->op, "cache.", 6) == 0;
    json_t *shown = json_array();

    for (size_t i = 0; i < s->n_shown; i++)
        json_array_append_new(shown, json_pack("[s, s]", s->shown[i].from, s->shown[i].to));
    return json_pack(
        "{s:s, s:O, s:o, s:O*, s:s*, s:s*, s:b, s:b, s:{s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:I}}",
        "op", s->op, "ask", s->ask, "shown", shown, "hosts", s->hosts, "workspace", s->workspace,
        "home", s->home, "zstd", s->zstd, "place", has_place, "service", "url",
        elsewhere ? at->cache_url : at->url, "token", elsewhere ? at->cache_token : at->token,
        "http_proxy", at->http_proxy, "https_proxy", at->https_proxy, "no_proxy", at->no_proxy,
        "ca_file", at->ca_file, "retry_ms", (json_int_t)at->retry_ms);
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

static int launch(struct blobs_call *c, const struct blobs_spec *s, struct loop *loop,
                  struct err *err)
{
    static const char *const env[] = {NULL};
    bool has_place = s->sandbox && sandbox_namespace(s->sandbox, SANDBOX_NS_MOUNT) >= 0;
    json_t *request = request_of(s, has_place);
    struct spawn_fd fds[1 + 2];
    CLEANUP(fd_closep) int in = -1;
    CLEANUP(fd_closep) int spool = -1;
    int r = request ? message_file(request, &in, err)
                    : err_set(err, ERR_INVALID, "a transfer with texts that are not UTF-8");

    json_decref(request);
    if (r == ERR_OK)
        r = open_spool(s, &spool, err);
    if (r < 0)
        return r;
    struct errand_spec spec = {
        .name = "blobs-carrier",
        .program = s->program,
        .env = env,
        .request = in,
        .fds = fds,
        .flags = SPAWN_DIE_WITH_US,
        .answer_max = BLOBS_ANSWER_MAX,
    };
    if (spool >= 0)
        fds[spec.n_fds++] = (struct spawn_fd){spool, CARRIER_SPOOL};
    for (int i = SANDBOX_NS_USER; has_place && i <= SANDBOX_NS_MOUNT; i++)
        fds[spec.n_fds++] = (struct spawn_fd){sandbox_namespace(s->sandbox, i), CARRIER_PLACE + i};
    struct errand_client client = {on_heard, on_done, c};
    return errand_start(&spec, loop, &client, &c->errand, err);
}

int blobs_start(const struct blobs_spec *spec, struct loop *loop, const struct blobs_client *client,
                struct blobs_call **ret, struct err *err)
{
    struct blobs_call *c = mem_new(sizeof *c);

    *c = (struct blobs_call){.client = *client};
    int r = launch(c, spec, loop, err);
    if (r < 0)
        blobs_free(c);
    else
        *ret = c;
    return r;
}
