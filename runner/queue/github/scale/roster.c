#include "queue/github/scale/roster.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/vec.h"
#include "queue/backoff.h"
#include "queue/github/scale/session.h"
#include "queue/loose.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define AGENTS "_apis/distributedtask/pools/0/agents"

enum { URL_MAX = 8 << 10 };

struct entry {
    char *name;
    int64_t id; /* 0: not known yet */
};

struct scale_roster {
    struct scale_roster_spec spec;
    char *base; /* NULL: not started */
    VEC(struct entry) list;
    struct call *call; /* about the first of them */
    struct timer *wait;
    struct backoff backoff;
};

/* ---- the folder ---- */

static void read_folder(struct scale_roster *r)
{
    DIR *names = r->spec.dir < 0 ? NULL : path_list(r->spec.dir);

    for (struct dirent *e; names && r->list.len < SCALE_ROSTER_MAX && (e = readdir(names));)
        if (e->d_name[0] != '.')
            scale_roster_forget(r, e->d_name, 0);
    if (names)
        closedir(names);
}

int scale_roster_add(struct scale_roster *r, const char *name, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;

    if (r->spec.dir < 0)
        return ERR_OK;
    fd = openat(r->spec.dir, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? err_sys(err, "cannot write down the runner '%s'", name) : ERR_OK;
}

void scale_roster_strike(struct scale_roster *r, const char *name)
{
    if (r->spec.dir >= 0)
        (void)unlinkat(r->spec.dir, name, 0); /* at worst it is looked for once more, in vain */
}

/* ---- the service ---- */

struct call *scale_remove_runner(struct caller *c, const char *base, int64_t id, call_fn *done,
                                 void *ctx)
{
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(URL_MAX);
    char path[80];

    (void)snprintf(path, sizeof path, AGENTS "/%" PRId64, id);
    scale_url(&url, base, path, NULL);
    return call_start(c, &(struct call_spec){.method = "DELETE", .url = url.ptr}, done, ctx);
}

bool scale_is_removed(const struct answer *a)
{
    return a->kind == ANSWER_FINE || a->kind == ANSWER_NOT_FOUND || a->kind == ANSWER_NO_RUNNER;
}

static void go_on(struct scale_roster *r);

static void drop_first(struct scale_roster *r)
{
    free(r->list.ptr[0].name);
    vec_remove(&r->list, 0);
}

static void on_forgotten(struct scale_roster *r)
{
    void (*changed)(void *) = r->spec.changed;
    void *ctx = r->spec.ctx;

    backoff_reset(&r->backoff);
    scale_roster_strike(r, r->list.ptr[0].name);
    drop_first(r);
    go_on(r);
    if (changed)
        changed(ctx);
}

static void on_wait(void *ctx)
{
    struct scale_roster *r = ctx;

    r->wait = NULL;
    go_on(r);
}

/* It has its job still, or the service is in trouble: the others first. */
static void put_off(struct scale_roster *r, const struct answer *a)
{
    struct entry first = r->list.ptr[0];
    int64_t pause = backoff_next(&r->backoff);

    vec_remove(&r->list, 0);
    vec_push(&r->list, first);
    if (a->retry_ms > pause)
        pause = a->retry_ms;
    r->wait = loop_timer(r->spec.caller->loop, clock_ms() + pause, on_wait, r);
}

static void on_removed(void *ctx, const struct answer *a, struct slice body,
                       const struct http_answer *http)
{
    struct scale_roster *r = ctx;

    (void)body;
    (void)http;
    r->call = NULL;
    if (scale_is_removed(a))
        on_forgotten(r);
    else
        put_off(r, a);
}

static void on_found(void *ctx, const struct answer *a, struct slice body,
                     const struct http_answer *http)
{
    struct scale_roster *r = ctx;
    CLEANUP(loose_freep) json_t *json = NULL;
    struct err ignored = ERR_INIT; /* then it is asked again */

    (void)http;
    r->call = NULL;
    if (a->kind != ANSWER_FINE || loose_parse(body, &json, &ignored) < 0) {
        put_off(r, a);
        return;
    }
    r->list.ptr[0].id = loose_int(json_array_get(loose_find(json, "value"), 0), "id", 0);
    if (r->list.ptr[0].id > 0)
        go_on(r);
    else
        on_forgotten(r); /* it was never known, or is not any more */
}

static void find(struct scale_roster *r)
{
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(URL_MAX);
    CLEANUP(buf_deinit) struct buf query = BUF_INIT(URL_MAX);

    buf_add_str(&query, "agentName=");
    github_url_escape(&query, slice_of(r->list.ptr[0].name));
    scale_url(&url, r->base, AGENTS, query.ptr);
    r->call = call_start(r->spec.caller, &(struct call_spec){.url = url.ptr}, on_found, r);
}

static void go_on(struct scale_roster *r)
{
    if (!r->base || r->call || r->wait || r->list.len == 0)
        return;
    if (r->list.ptr[0].id)
        r->call = scale_remove_runner(r->spec.caller, r->base, r->list.ptr[0].id, on_removed, r);
    else
        find(r);
}

/* ---- for others ---- */

struct scale_roster *scale_roster_new(const struct scale_roster_spec *spec)
{
    struct scale_roster *r = mem_new(sizeof *r);
    const struct github_waits *w = spec->caller->waits;

    r->spec = *spec;
    r->backoff = (struct backoff){.first_ms = w->floor, .most_ms = w->floor_most};
    read_folder(r);
    return r;
}

struct scale_roster *scale_roster_free(struct scale_roster *r)
{
    if (r) {
        call_free(r->call);
        timer_free(r->wait);
        while (r->list.len)
            drop_first(r);
        vec_deinit(&r->list);
        free(r->base);
        free(r);
    }
    return NULL;
}

void scale_roster_start(struct scale_roster *r, const char *base)
{
    free(r->base);
    r->base = mem_dup(base, strlen(base));
    go_on(r);
}

void scale_roster_forget(struct scale_roster *r, const char *name, int64_t id)
{
    vec_push(&r->list, (struct entry){mem_dup(name, strlen(name)), id});
    go_on(r);
}

size_t scale_roster_left(const struct scale_roster *r)
{
    return r->list.len;
}
