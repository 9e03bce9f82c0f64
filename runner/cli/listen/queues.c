#include "cli/listen/queues.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "cli/settings.h"
#include "cli/site.h"
#include "cli/web.h"
#include "io/digest.h"
#include "queue/gitea/gitea.h"
#include "queue/github/queue.h"
#include "queue/github/settings.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEASES "leases"

/* ---- loading ---- */

static int load_one(struct listen_queues *q, const char *path, struct err *err)
{
    struct registration *r = NULL;
    int result = registration_load(path, &r, err);

    if (result == ERR_NOT_FOUND)
        return err_set(
            err, result,
            "there is no registration in '%.80s': 'ostler register --dir %.80s' makes one", path,
            path);
    if (result < 0)
        return result;
    for (size_t i = 0; i < q->list.len && result == ERR_OK; i++)
        if (strcmp(q->list.ptr[i]->id, r->id) == 0)
            result = err_set(err, ERR_INVALID,
                             "two registrations are called '%s': rename the folder of one", r->id);
    if (result == ERR_OK) {
        result = registration_lock(r, err);
        q->taken |= result == ERR_DENIED;
    }
    if (result < 0) {
        registration_free(r);
        return result;
    }
    vec_push(&q->list, r);
    q->capacity += r->capacity;
    return ERR_OK;
}

/* One that was found and cannot be served: the others are, and somebody is told. */
static void leave_out(const struct listen_queues *q, const struct err *why)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(2 * sizeof why->text);

    buf_printf(&text, "a registration is left out: %s", why->text);
    q->trouble(q->ctx, text.ptr);
}

static int load_below(struct listen_queues *q, const char *folder, struct err *err)
{
    CLEANUP(free_ptr) char **paths = NULL;
    struct err none = ERR_INIT, why = ERR_INIT;
    int r = registration_list(folder, &paths, &none);

    if (r < 0 && r != ERR_NOT_FOUND) {
        *err = none;
        return r;
    }
    for (char **path = paths; path && *path; path++) {
        struct err one = ERR_INIT;

        if (load_one(q, *path, &one) == ERR_OK)
            continue;
        if (path[1] || q->list.len)
            leave_out(q, &one);
        why = one;
    }
    q->found = true;
    if (!q->list.len && why.code) {
        *err = why;
        return why.code;
    }
    q->taken = false; /* what is left out is somebody else's to serve */
    return ERR_OK;
}

int listen_queues_load(struct listen_queues *q, const char *const *folders, size_t n,
                       const char *all, struct err *err)
{
    int r = n ? ERR_OK : load_below(q, all, err);

    for (size_t i = 0; i < n && r == ERR_OK; i++)
        r = load_one(q, folders[i], err);
    if (r == ERR_OK && q->list.len == 0)
        return err_set(err, ERR_NOT_FOUND,
                       "there is no registration in '%s': 'ostler register' makes one", all);
    return r;
}

/* Called by what it holds: another one has another name, and the same one finds its leases again. */
int listen_queues_load_jit(struct listen_queues *q, const char *text, struct err *err)
{
    unsigned char digest[DIGEST_SIZE];
    char hex[DIGEST_HEX_SIZE], id[24];
    struct registration *registration = NULL;
    json_t *files;
    int r = github_jit_parse(slice_of(text), &files, err);

    if (r < 0)
        return r;
    digest_sha256(slice_of(text), digest);
    digest_hex(digest, hex);
    (void)snprintf(id, sizeof id, "jit-%.12s", hex);
    r = registration_memory(id, files, &registration, err);
    if (r < 0)
        return err_in(err, "the just-in-time configuration");
    vec_push(&q->list, registration);
    q->capacity += registration->capacity;
    return ERR_OK;
}

/* What is written down there for the next listener stays. */
static void leave_work(int work, const char *id)
{
    CLEANUP(free_ptr) char *leases = path_join(id, LEASES);

    if (work >= 0 && unlinkat(work, leases, AT_REMOVEDIR) == 0)
        (void)unlinkat(work, id, AT_REMOVEDIR);
}

void listen_queues_deinit(struct listen_queues *q)
{
    VEC_EACH (one, &q->list) {
        CLEANUP(free_ptr)
        char *path = (*one)->path ? mem_dup((*one)->path, strlen((*one)->path)) : NULL;
        CLEANUP(free_ptr) char *leases = path ? path_join(path, LEASES) : NULL;

        if (!path) /* one that lived in memory had its leases below the work folder */
            leave_work(q->spool, (*one)->id);
        registration_free(*one);
        if (leases && rmdir(leases) == 0)
            (void)rmdir(path); /* empty once the server has forgotten it */
    }
    VEC_EACH (http, &q->own)
        http_free(*http);
    vec_deinit(&q->own);
    vec_deinit(&q->list);
    arena_deinit(&q->arena);
    fd_closep(&q->spool);
}

/* ---- queues ---- */

/* As the official runner has it. */
static int deprecated_exit(void)
{
    return settings_flag("ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE") ? 7 : 0;
}

/* As the official runner has it: seconds that a call may take, 100 to 1200 (10.1). */
static int64_t request_ms(void)
{
    const char *wanted = settings_env("GITHUB_ACTIONS_RUNNER_HTTP_TIMEOUT");
    struct err ignored = ERR_INIT; /* then it is its default */
    int64_t s = 0;

    if (!wanted || num_parse_i64(slice_of(wanted), 1, INT32_MAX, &s, &ignored) < 0)
        return 0;
    return 1000 * (s < 100 ? 100 : s > 1200 ? 1200 : s);
}

struct queue_github_spec listen_queues_github(const struct listen_queues *q, struct http *http,
                                              struct github_waits *waits)
{
    *waits = (struct github_waits){.request = request_ms()};
    return (struct queue_github_spec){
        .http = http,
        .spool = q->spool,
        .version = q->runner_version,
        .extra_agent = settings_env("GITHUB_ACTIONS_RUNNER_EXTRA_USER_AGENT"),
        .deprecated_exit = deprecated_exit(),
        .no_redirects = settings_flag("GITHUB_ACTIONS_RUNNER_NO_HTTP_REDIRECTS"),
        .waits = waits,
        .minute_ms = settings_minute_ms()};
}

static int make_queue(const struct listen_queues *q, struct registration *r, struct http *http,
                      const char *work, struct queue **ret, struct err *err)
{
    struct github_waits waits;
    struct queue_github_spec github = listen_queues_github(q, http, &waits);
    struct gitea_queue_spec gitea = {.registration = r,
                                     .http = http,
                                     .version = OSTLER_VERSION,
                                     .store = q->store,
                                     .scratch = work,
                                     .minute_ms = settings_minute_ms()};

    github.registration = r;
    return r->kind == REGISTRATION_GITHUB ? queue_github_new(&github, ret, err)
                                          : queue_gitea_new(&gitea, ret, err);
}

static char *labels_of(const struct registration *r)
{
    struct buf text = BUF_INIT(64 << 10);

    for (const char *const *label = r->labels; label && *label; label++)
        buf_printf(&text, "%s%s", label == r->labels ? "" : ",", *label);
    return text.len ? buf_take(&text) : (buf_deinit(&text), NULL);
}

/* `.env` and `.path` in the folder, as GitHub's runner has them: *RET_ENV is for its jobs, *HTTP another one where they
 * say how servers are reached. */
static int dress(struct listen_queues *q, const struct registration *r, struct loop *loop,
                 const char *const **ret_env, struct http **http, struct err *err)
{
    struct http *own = NULL;
    bool net = false;

    *ret_env = NULL;
    if (!r->path)
        return ERR_OK;
    int result = site_of_folder(&q->arena, r->path, q->env, ret_env, &net, err);
    if (result < 0 || !net)
        return result;
    result = web_open_with(loop, "ostler/" OSTLER_VERSION, 0, *ret_env, &own, err);
    if (result < 0)
        return result;
    vec_push(&q->own, own);
    *http = own;
    return ERR_OK;
}

static int add_one(struct listen_queues *q, struct registration *r, struct listener *l,
                   struct loop *loop, struct http *http, const char *work, struct err *err)
{
    CLEANUP(free_ptr) char *memory = path_join(work, r->id);
    CLEANUP(free_ptr) char *folder = path_join(r->path ? r->path : memory, LEASES);
    CLEANUP(free_ptr) char *labels = labels_of(r);
    struct listener_member member = {.name = r->id,
                                     .kind = registration_kind_name(r->kind),
                                     .url = r->url,
                                     .labels = labels,
                                     .capacity = r->capacity};
    int result = dress(q, r, loop, &member.env, &http, err);

    if (result == ERR_OK)
        result = journal_open(folder, &member.take_journal, err);
    if (result == ERR_OK)
        result = make_queue(q, r, http, work, &member.take_queue, err);
    if (result < 0) {
        journal_close(member.take_journal);
        return result;
    }
    listener_add(l, &member);
    return ERR_OK;
}

int listen_queues_add(struct listen_queues *q, struct listener *l, struct loop *loop,
                      struct http *http, const char *work, struct err *err)
{
    int r = path_open(AT_FDCWD, work, O_RDONLY | O_DIRECTORY, 0, &q->spool, err), added = 0;

    if (r < 0)
        return r;
    for (size_t i = 0; i < q->list.len; i++) {
        struct err why = ERR_INIT;

        if (add_one(q, q->list.ptr[i], l, loop, http, work, &why) == ERR_OK) {
            added++;
            continue;
        }
        if (!q->found || (!added && i + 1 == q->list.len)) {
            *err = why;
            return why.code;
        }
        leave_out(q, &why);
    }
    return ERR_OK;
}
