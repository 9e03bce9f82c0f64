#include "serve/services.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/vec.h"
#include "io/helper.h"
#include "io/proc.h"
#include "serve/caches.h"
#include "serve/site.h"
#include "serve/token.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BACKLOG = 512,
    STARTS_MAX = 20,         /* of the server in one run: one that dies each time is broken */
    END_MS = 5000,           /* for the server to clear up */
    UNLIMITED_S = 24 * 3600, /* a token's age for a job without a time limit */
    SLACK_S = 3600,          /* what a job may take beyond its time limit: its end, post steps */
    ID_SIZE = 37,
    ENVIRONMENT_MAX = 255, /* characters of its name on GitHub */
};

struct services {
    char *run, *run_dir, *caches, *state;
    int64_t cache_size;
    struct loop *loop;
    /* Once a job may call: */
    int listener;
    unsigned port;
    struct watch *watch; /* for the first connection */
    struct token_key key;
    char id[ID_SIZE];    /* the run's, to clients */
    struct strmap jobs;  /* key of a job: its id, to clients */
    struct strmap ended; /* ids of those that are over */
    char *repository;    /* as folders below those of caches */
    /* While the server runs: */
    struct proc *server;
    int front; /* our end of the socket that it watches; -1: none */
    int starts;
};

struct services *services_new(const struct services_spec *spec)
{
    struct services *s = mem_new(sizeof *s);

    *s = (struct services){
        .run = mem_dup(spec->run, strlen(spec->run)),
        .run_dir = mem_dup(spec->run_dir, strlen(spec->run_dir)),
        .caches = mem_dup(spec->caches, strlen(spec->caches)),
        .state = mem_dup(spec->state, strlen(spec->state)),
        .cache_size = spec->cache_size ? spec->cache_size : CACHE_BUDGET_DEFAULT,
        .listener = -1,
        .front = -1,
    };
    return s;
}

void services_attach(struct services *s, struct loop *loop)
{
    s->loop = loop;
}

void services_detach(struct services *s)
{
    struct proc_exit how;
    struct err ignored = ERR_INIT; /* proc_free() ends it for sure */

    if (!s)
        return;
    s->watch = watch_free(s->watch);
    fd_closep(&s->front);
    if (s->server)
        (void)!proc_wait(s->server, clock_ms() + END_MS, &how, &ignored);
    s->server = proc_free(s->server);
    fd_closep(&s->listener);
    s->loop = NULL;
}

struct services *services_free(struct services *s)
{
    if (!s)
        return NULL;
    services_detach(s);
    explicit_bzero(&s->key, sizeof s->key);
    free(s->run);
    free(s->run_dir);
    free(s->caches);
    free(s->state);
    strmap_deinit(&s->jobs);
    strmap_deinit(&s->ended);
    free(s->repository);
    free(s);
    return NULL;
}

/* ---- the server ---- */

static int orders_of(const struct services *s, int *ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf key = BUF_INIT(2 * TOKEN_KEY_SIZE);

    base64_url(&key, slice_make((const char *)s->key.bytes, TOKEN_KEY_SIZE));
    json_t *ended = json_array();
    STRMAP_EACH (i, &s->ended)
        json_array_append_new(ended, json_string(i->name));
    json_t *json =
        json_pack("{s:o, s:s, s:s, s:s, s:[s, s], s:s, s:I}", "ended", ended, "key", key.ptr, "run",
                  s->run, "run_dir", s->run_dir, "caches", s->caches, s->state, "repository",
                  s->repository, "budget", (json_int_t)s->cache_size);
    char *text = json_dumps(json, JSON_COMPACT);
    int r = text ? fd_memory(slice_of(text), ret, err)
                 : err_set(err, ERR_INVALID, "the names of their folders are not UTF-8");
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
    explicit_bzero(key.ptr, key.len);
    json_decref(json);
    return r;
}

static void on_server_end(void *ctx, struct proc_exit how)
{
    struct services *s = ctx;

    (void)
        how; /* it has said why; the next client starts another, which goes on where this one ended */
    s->server = proc_free(s->server);
    fd_closep(&s->front);
    if (s->watch)
        watch_set(s->watch, EPOLLIN);
}

/* What goes over it are messages: the id of a job that is over, or "+" and a connection. It may be full: then the
 * server does not listen, and is not worth waiting for. */
static int open_front(struct services *s, int *ret_theirs, struct err *err)
{
    int pair[2];

    if (fd_socketpair(SOCK_SEQPACKET, pair, err) < 0)
        return err->code;
    s->front = pair[0];
    *ret_theirs = pair[1];
    return fd_set_nonblock(s->front, true, err);
}

static int start_server(struct services *s, struct err *err)
{
    CLEANUP(fd_closep) int orders = -1;
    CLEANUP(fd_closep) int theirs = -1;
    CLEANUP(free_ptr) char *path = NULL;
    int r = helper_find("ostler-serve", OSTLER_LIBEXEC_DIR, &path, err);

    if (r == ERR_OK)
        r = orders_of(s, &orders, err);
    if (r == ERR_OK)
        r = open_front(s, &theirs, err);
    if (r < 0)
        return r;
    const char *const argv[] = {path, NULL}, *const env[] = {NULL};
    struct spawn_fd fds[] = {
        {s->listener, SERVE_LISTENER_FD}, {orders, SERVE_ORDERS_FD}, {theirs, SERVE_FRONT_FD}};
    struct proc_spec spec = PROC_SPEC_INIT;

    spec.argv = argv;
    spec.env = env;
    spec.err = STDERR_FILENO;
    spec.fds = fds;
    spec.n_fds = COUNT_OF(fds);
    spec.flags = SPAWN_GROUP; /* Ctrl-C is for the front, which lets it end in order */
    r = proc_start(&spec, &s->server, err);
    if (r == ERR_OK)
        r = proc_watch(s->server, s->loop, on_server_end, s, err);
    if (r < 0) {
        s->server = proc_free(s->server);
        fd_closep(&s->front);
    }
    return r;
}

static void need_server(struct services *s)
{
    struct err err = ERR_INIT;

    watch_set(s->watch, 0); /* from here on the server takes them */
    if (s->starts++ >= STARTS_MAX)
        (void)err_set(&err, ERR_FAILED, "it has ended %d times", STARTS_MAX);
    else if (start_server(s, &err) == ERR_OK)
        return;
    fprintf(stderr, "ostler: artifacts and caches are not served: %s\n", err.text);
    s->watch = watch_free(s->watch);
    fd_closep(&s->listener); /* clients are told at once */
}

static void on_connection(void *ctx, uint32_t events)
{
    (void)events;
    need_server(ctx);
}

void services_pass(struct services *s, int take_fd)
{
    CLEANUP(fd_closep) int fd = take_fd;
    struct err ignored =
        ERR_INIT; /* the client is told by the end of its connection, and tries again */

    if (!s->server && s->watch)
        need_server(s);
    if (s->server)
        (void)!fd_send(s->front, SLICE("+"), &fd, 1, &ignored);
}

/* ---- the socket ---- */

static int open_socket(struct services *s, struct err *err)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t size = sizeof at;

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &size) < 0)
        return err_sys(err, "cannot listen for clients of artifacts and caches");
    int r = loop_watch(s->loop, fd, EPOLLIN, on_connection, s, &s->watch, err);
    if (r < 0)
        return r;
    s->port = ntohs(at.sin_port);
    s->listener = fd;
    fd = -1;
    return ERR_OK;
}

static int random_bytes(void *to, size_t size, struct err *err)
{
    /* up to 256 bytes come whole */
    return getrandom(to, size, 0) == (ssize_t)size ? ERR_OK : err_sys(err, "no random numbers");
}

/* Not a real UUID: it has nothing to say but which one it is. */
static int make_id(char ret[ID_SIZE], struct err *err)
{
    unsigned char b[16];
    int r = random_bytes(b, sizeof b, err);

    if (r == ERR_OK)
        snprintf(ret, ID_SIZE, "%02x%02x%02x%02x-%02x%02x-4%x%02x-8%x%02x-%02x%02x%02x%02x%02x%02x",
                 b[0], b[1], b[2], b[3], b[4], b[5], b[6] & 15U, b[7], b[8] & 15U, b[9], b[10],
                 b[11], b[12], b[13], b[14], b[15]);
    return r;
}

/* "Owner/Name" as two folders; GitHub's names ignore case, and what is no name of one is written as %2F is. */
static char *folder_of(const char *repository)
{
    struct buf path = BUF_INIT(4096);

    for (const char *c = repository; *c; c++) {
        bool begins = c == repository || c[-1] == '/';
        char one = *c >= 'A' && *c <= 'Z' ? (char)(*c | 32) : *c;

        if ((one >= 'a' && one <= 'z') || (one >= '0' && one <= '9') || one == '-' || one == '_' ||
            (one == '.' && !begins) || (one == '/' && !begins && c[1]))
            buf_add_char(&path, one);
        else
            buf_printf(&path, "%%%02x", (unsigned)(unsigned char)one);
    }
    return buf_take(&path);
}

/* Before the first job that may call. */
static int open_services(struct services *s, const struct job *job, struct err *err)
{
    const json_t *github = json_object_get(job->contexts, "github");
    const char *repository = json_string_value(json_object_get(github, "repository"));
    int r = ERR_OK;

    if (s->listener >= 0)
        return ERR_OK;
    if (s->starts > STARTS_MAX)
        return err_set(err, ERR_FAILED, "the server of artifacts and caches has given up");
    if (!s->repository) {
        s->repository = folder_of(repository && *repository ? repository : "local");
        r = random_bytes(s->key.bytes, sizeof s->key.bytes, err);
        if (r == ERR_OK)
            r = make_id(s->id, err);
    }
    return r == ERR_OK ? open_socket(s, err) : r;
}

/* ---- a job's token ---- */

bool services_can_serve(const struct job *job)
{
    for (size_t i = 0; i < job->n_steps; i++) {
        const struct step *step = &job->steps[i];

        if (step->uses && strncmp(step->uses, "actions/checkout@", 17) != 0)
            return true;
        for (size_t k = 0; k < step->n_steps; k++)
            if (step->steps[k].uses)
                return true;
    }
    return false;
}

static void add_scope(json_t *list, const char *ref, int permission)
{
    json_t *one;
    size_t i;

    if (!ref || !*ref || strlen(ref) > TOKEN_CLAIM_MAX)
        return;
    json_array_foreach (list, i, one) {
        if (strcmp(json_string_value(json_object_get(one, "Scope")), ref) == 0)
            return;
    }
    json_array_append_new(list, json_pack("{s:s, s:i}", "Scope", ref, "Permission", permission));
}

static const char *branch_ref(struct arena *a, const char *name)
{
    return name && *name ? arena_printf(a, "refs/heads/%s", name) : NULL;
}

/* Where caches are written and read: the ref of the run, then the base of its pull request, then the default branch
 * (runtime contract 13.9). */
static json_t *scopes_of(const json_t *github)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    const json_t *repository = json_object_get(json_object_get(github, "event"), "repository");
    json_t *list = json_array();

    add_scope(list, json_string_value(json_object_get(github, "ref")), 3);
    add_scope(list, branch_ref(&a, json_string_value(json_object_get(github, "base_ref"))), 1);
    add_scope(list,
              branch_ref(&a, json_string_value(json_object_get(repository, "default_branch"))), 1);
    return list;
}

/* "<server>/<owner>", whom a token is for unless its asker says so. */
static const char *audience_of(struct arena *a, const json_t *github)
{
    const char *server = json_string_value(json_object_get(github, "server_url"));
    const char *owner = json_string_value(json_object_get(github, "repository_owner"));

    return arena_printf(a, "%.200s/%.200s", server ? server : "https://github.com",
                        owner ? owner : "");
}

/* Whom a token speaks for. A name that cannot be told apart from what stands around it is written with %3A for its
 * colons, as GitHub does. */
static const char *subject_of(struct arena *a, const json_t *github, const char *environment)
{
    const char *repository = json_string_value(json_object_get(github, "repository"));
    const char *event = json_string_value(json_object_get(github, "event_name"));
    const char *ref = json_string_value(json_object_get(github, "ref"));

    if (environment) {
        CLEANUP(buf_deinit) struct buf name = BUF_INIT(3 * ENVIRONMENT_MAX);

        for (const char *c = environment; *c && name.len + 3 < 3 * ENVIRONMENT_MAX; c++)
            buf_printf(&name, *c == ':' ? "%%3A" : "%c", *c);
        return arena_printf(a, "repo:%.200s:environment:%s", repository ? repository : "",
                            name.ptr);
    }
    if (event && strcmp(event, "pull_request") == 0)
        return arena_printf(a, "repo:%.200s:pull_request", repository ? repository : "");
    return arena_printf(a, "repo:%.200s:ref:%.500s", repository ? repository : "", ref ? ref : "");
}

/* What an id token of JOB says (runtime contract 13.10), but for its times. */
static json_t *oidc_claims(struct arena *a, const struct job *job)
{
    static const char *const names[] = {
        "ref",      "ref_type",     "sha",          "repository",           "repository_id",
        "actor",    "actor_id",     "head_ref",     "repository_owner",     "repository_owner_id",
        "base_ref", "event_name",   "run_id",       "run_number",           "run_attempt",
        "workflow", "workflow_ref", "workflow_sha", "repository_visibility"};
    const json_t *github = json_object_get(job->contexts, "github");
    const json_t *about = json_object_get(job->contexts, "job");
    json_t *claims = json_pack(
        "{s:s, s:s, s:s, s:s}", "sub", subject_of(a, github, job->environment), "aud",
        audience_of(a, github), "runner_environment", "self-hosted", "ref_protected", "false");

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        json_t *value = json_object_get(github, names[i]);

        if (json_is_string(value) && json_string_length(value) <= TOKEN_CLAIM_MAX)
            json_object_set(claims, names[i], value);
    }
    if (job->environment)
        json_object_set_new(
            claims, "environment",
            json_string(arena_printf(a, "%.*s", ENVIRONMENT_MAX, job->environment)));
    if (json_object_get(about, "workflow_ref"))
        json_object_set(claims, "job_workflow_ref", json_object_get(about, "workflow_ref"));
    if (json_object_get(about, "workflow_sha"))
        json_object_set(claims, "job_workflow_sha", json_object_get(about, "workflow_sha"));
    return claims;
}

static char *make_token(const struct services *s, const struct job *job, const char *job_id)
{
    const json_t *github = json_object_get(job->contexts, "github");
    int64_t now = (int64_t)time(NULL);
    int64_t age = job->timeout_ms > 0 ? (job->timeout_ms + job->cancel_timeout_ms) / 1000 + SLACK_S
                                      : UNLIMITED_S;
    json_t *scopes = scopes_of(github);
    CLEANUP(free_ptr) char *ac = json_dumps(scopes, JSON_COMPACT);
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    json_t *claims = json_pack(
        "{s:s, s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:s}", "iss", "ostler", "iat", (json_int_t)now,
        "nbf", (json_int_t)now, "exp", (json_int_t)(now + age), "scp",
        arena_printf(
            &a, "Actions.Results:%s:%s Actions.GenericRead:00000000-0000-0000-0000-000000000000",
            s->id, job_id),
        "ac", ac, "orchid", arena_printf(&a, "%s.%.100s", s->id, job->id), "run", s->id, "job",
        job_id);

    json_decref(scopes);
    if (job->id_token)
        json_object_set_new(claims, "oidc", oidc_claims(&a, job));
    char *token = token_make(&s->key, claims);
    json_decref(claims);
    return token;
}

static void set(struct job *job, const char *name, const char *value)
{
    strmap_set(&job->runtime, slice_of(name), slice_of(value));
}

void services_end_job(struct services *s, const char *key)
{
    const char *id = strmap_get(&s->jobs, key);
    struct err ignored =
        ERR_INIT; /* one that does not listen is about to end; the next one is told */

    if (!id)
        return;
    strmap_set(&s->ended, slice_of(id), SLICE(""));
    if (s->front >= 0) /* else the next server finds it in its orders */
        (void)!fd_send(s->front, slice_of(id), NULL, 0, &ignored);
}

/* The job's own token for the server, which listens from here on; *RET is to be wiped and freed. */
static int admit(struct services *s, const struct job *job, char **ret, struct err *err)
{
    char id[ID_SIZE];
    int r = open_services(s, job, err);

    if (r == ERR_OK)
        r = make_id(id, err);
    if (r < 0)
        return r;
    strmap_set(&s->jobs, slice_of(job->key), slice_of(id));
    *ret = make_token(s, job, id);
    return ERR_OK;
}

int services_equip(struct services *s, struct job *job, struct err *err)
{
    char base[64], url[128], *token;

    if (!services_can_serve(job) && !job->id_token)
        return ERR_OK;
    int r = admit(s, job, &token, err);
    if (r < 0)
        return r;
    snprintf(base, sizeof base, "http://127.0.0.1:%u/", s->port);
    set(job, "ACTIONS_RUNTIME_URL", base);
    set(job, "ACTIONS_RUNTIME_TOKEN", token);
    set(job, "ACTIONS_RESULTS_URL", base);
    set(job, "ACTIONS_CACHE_URL", base);
    set(job, "ACTIONS_CACHE_SERVICE_V2", "True");
    if (job->id_token) {
        /* clients append "&audience=...": there has to be a query already */
        snprintf(url, sizeof url, "%s_apis/oidc/token?api-version=2.0", base);
        set(job, "ACTIONS_ID_TOKEN_REQUEST_URL", url);
        set(job, "ACTIONS_ID_TOKEN_REQUEST_TOKEN", token);
    }
    explicit_bzero(token, strlen(token));
    free(token);
    return ERR_OK;
}

int services_equip_caches(struct services *s, struct job *job, struct err *err)
{
    char base[64], *token;

    if (!services_can_serve(job))
        return ERR_OK;
    int r = admit(s, job, &token, err);
    if (r < 0)
        return r;
    snprintf(base, sizeof base, "http://127.0.0.1:%u/", s->port);
    struct buf url = BUF_INIT(TOKEN_SIZE_MAX + 128);
    buf_printf(&url, "%s" SERVICES_TOKEN_PATH "%s/", base, token);
    set(job, "ACTIONS_CACHE_URL", url.ptr);
    set(job, "OSTLER_CACHE_URL", base);
    set(job, "OSTLER_CACHE_TOKEN", token);
    explicit_bzero(url.ptr, url.len);
    buf_deinit(&url);
    explicit_bzero(token, strlen(token));
    free(token);
    return ERR_OK;
}
