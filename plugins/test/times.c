#include "times.h"

#include "../lib/beneath.h"
#include "../lib/job.h"

#include <errno.h>
#include <ostler/ext.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum {
    AGREE_MS = 60000, /* how long another shard may take to put its record there */
    LOOK_EVERY_MS = 500,
    DAYS = 1, /* the artifact is of no use behind its run */
};

/* ---- a record ---- */

int64_t times_get(const struct times *t, const char *name)
{
    size_t at = index_get(&t->index, name);

    return at == INDEX_NONE ? -1 : t->took_ns[at];
}

static void grow(struct times *t)
{
    struct ost_step *step = t->index.step;
    size_t room = t->room ? t->room * 2 : 64;
    const char **names = step->host->alloc(step, room * sizeof *names);
    int64_t *took_ns = step->host->alloc(step, room * sizeof *took_ns);

    for (size_t i = 0; i < t->n; i++) {
        names[i] = t->names[i];
        took_ns[i] = t->took_ns[i];
    }
    t->names = names;
    t->took_ns = took_ns;
    t->room = room;
}

void times_add(struct times *t, const char *name, int64_t took_ns)
{
    size_t at = index_get(&t->index, name);

    if (took_ns < 0 || strchr(name, '\n'))
        return;
    if (at != INDEX_NONE) {
        t->took_ns[at] += took_ns;
        return;
    }
    if (t->n == TIMES_MAX)
        return;
    if (t->n == t->room)
        grow(t);
    t->names[t->n] = name;
    t->took_ns[t->n] = took_ns;
    index_set(&t->index, name, t->n++);
}

void times_read(struct times *t, struct span text)
{
    struct span line;

    while (span_line(&text, &line)) {
        uint32_t us;

        if (span_eat_number(&line, &us) && span_eat(&line, " ") && line.size > 0)
            times_add(t, span_dup(t->index.step, line), (int64_t)us * 1000);
    }
}

const char *times_format(const struct times *t)
{
    struct sink k = {.step = t->index.step};

    for (size_t i = 0; i < t->n; i++) {
        int64_t us = t->took_ns[i] / 1000;

        sink_addf(&k, "%lld %s\n", (long long)(us < UINT32_MAX ? us : UINT32_MAX), t->names[i]);
    }
    return sink_text(&k);
}

/* ---- the cache ---- */

/* HOME, since what a cache is found by is the path as it is written, and "~" is the same in every job. */
static const char *record_path(struct ost_step *step, const struct times_query *q, unsigned shard)
{
    return ost_fmt(step, "~/.cache/ostler/test/%s-%u", q->id, shard);
}

static const char *whole_path(struct ost_step *step, const char *path)
{
    return ost_fmt(step, "%s%s", step->host->dir(step, OST_DIR_HOME), path + 1);
}

/* False: there is none that can be read. */
static bool read_record(struct ost_step *step, const char *path, struct times *to)
{
    struct sink k = {.step = step};
    char portion[4096];
    const char *why;
    ssize_t n;
    int fd = beneath_open_file(step, path, TIMES_SIZE_MAX, &why);

    if (fd < 0)
        return false;
    while (k.size < TIMES_SIZE_MAX &&
           ((n = read(fd, portion, sizeof portion)) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0)
            sink_add(&k, (struct span){portion, (size_t)n});
    close(fd);
    times_read(to, sink_span(&k));
    return true;
}

static ost_status restore_one(struct ost_step *step, const struct ost_cache_v1 *cache,
                              const struct times_query *q, unsigned shard, struct times *to)
{
    const char *path = record_path(step, q, shard);
    struct ost_cache_query query = {
        .struct_size = sizeof query,
        .paths = OST_ARGV(path),
        .keys = OST_ARGV(ost_fmt(step, "ostler-test-%s-%u-latest", q->id, shard),
                         ost_fmt(step, "ostler-test-%s-%u-", q->id, shard)),
    };
    struct ost_cache_entry entry = {.struct_size = sizeof entry};
    ost_status r = cache->restore(step, &query, &entry);

    if (r == OST_OK && entry.key)
        (void)read_record(step, whole_path(step, path), to); /* best effort */
    return r;
}

/* Best effort: without records the split is by name. */
static ost_status restore(struct ost_step *step, const struct times_query *q, struct times *to)
{
    const struct ost_cache_v1 *cache = step->host->extension(step, OST_EXT_CACHE);
    ost_status r = OST_OK;

    for (unsigned shard = 1; cache && r == OST_OK && shard <= q->n; shard++)
        r = restore_one(step, cache, q, shard, to);
    if (r < 0 && r != OST_E_CANCELLED)
        ost_log(
            step, OST_WARNING,
            "the durations of earlier runs cannot be had, so the tests are split without them: %s",
            step->host->last_error(step));
    return r == OST_E_CANCELLED ? r : OST_OK;
}

ost_status times_keep(struct ost_step *step, const struct times_query *q, const struct times *t)
{
    const struct ost_cache_v1 *cache = step->host->extension(step, OST_EXT_CACHE);
    const char *path = record_path(step, q, q->shard), *whole = whole_path(step, path);
    const char *run = step->host->context(step, "github.run_id");
    const char *attempt = step->host->context(step, "github.run_attempt");
    struct ost_cache_query query = {
        .struct_size = sizeof query,
        .paths = OST_ARGV(path),
        .keys = OST_ARGV(ost_fmt(step, "ostler-test-%s-%u-%s-%s", q->id, q->shard, run ? run : "0",
                                 attempt ? attempt : "1")),
    };
    struct ost_cache_entry entry = {.struct_size = sizeof entry};
    ost_status r;

    if (!cache || t->n == 0)
        return OST_OK;
    r = job_replace_file(step, NULL, whole, times_format(t));
    if (r == OST_OK)
        r = cache->save(step, &query, &entry);
    if (r < 0 && r != OST_E_CANCELLED && r != OST_E_DENIED) /* denied: it is there already */
        ost_log(step, OST_WARNING, "the durations of this run are not kept: %s",
                step->host->last_error(step));
    return r == OST_E_CANCELLED ? r : OST_OK;
}

/* ---- agreeing ---- */

struct agreement {
    struct ost_step *step;
    const struct ost_artifacts_v1 *service;
    const char *name;   /* of the artifact, and of the one file in it */
    const char *folder; /* where this shard puts it */
};

/* Takes what another shard has put there; *RET_THERE tells whether one had. */
static ost_status take(const struct agreement *a, struct times *to, bool *ret_there)
{
    struct ost_step *step = a->step;
    const struct ost_artifact *const *list;
    struct ost_artifact got = {.struct_size = sizeof got};
    size_t n = 0;
    ost_status r = a->service->list(step, &list, &n);

    *ret_there = false;
    for (size_t i = 0; r == OST_OK && i < n && !*ret_there; i++) {
        struct ost_artifact_download d = {
            .struct_size = sizeof d, .id = list[i]->id, .dir = a->folder};

        if (strcmp(list[i]->name, a->name) != 0)
            continue;
        *ret_there = true;
        r = a->service->download(step, &d, &got);
    }
    if (r < 0 || !*ret_there)
        return r;
    if (!read_record(step, rel_join(step, a->folder, a->name), to))
        return ost_fail(step, OST_E_IO, "the artifact '%s' has no record of durations in it",
                        a->name);
    return OST_OK;
}

/* Puts TIMES there. OST_E_DENIED: another shard was faster. */
static ost_status put(const struct agreement *a, const struct times *times)
{
    struct ost_step *step = a->step;
    const char *file = rel_join(step, a->folder, a->name);
    struct ost_artifact_upload u = {
        .struct_size = sizeof u,
        .name = a->name,
        .root = a->folder,
        .files = OST_ARGV(file),
        .days = DAYS,
        .level = 6,
    };
    struct ost_artifact made = {.struct_size = sizeof made};
    ost_status r = job_write_file(step, file, times->n ? times_format(times) : "\n");

    return r == OST_OK ? a->service->upload(step, &u, &made) : r;
}

/* Another shard is putting its record there: that takes a moment. */
static ost_status wait_for_it(const struct agreement *a, struct times *ret)
{
    struct pollfd stop = {.fd = a->step->host->cancel_fd(a->step), .events = POLLIN};
    bool there = false;
    ost_status r = OST_OK;

    for (int waited = 0; r == OST_OK && !there && waited < AGREE_MS; waited += LOOK_EVERY_MS) {
        if (waited > 0 && poll(&stop, 1, LOOK_EVERY_MS) > 0)
            return OST_E_CANCELLED;
        r = take(a, ret, &there);
    }
    if (r == OST_OK && !there)
        return ost_fail(
            a->step, OST_E_TIMEOUT,
            "another shard has begun the artifact '%s' and not ended it, so nobody knows "
            "how the tests are split; run all the shards again",
            a->name);
    return r;
}

static ost_status agree(const struct agreement *a, const struct times_query *q, struct times *ret)
{
    struct times mine = {.index = {.step = a->step}};
    bool there;
    ost_status r = take(a, ret, &there);

    if (r < 0 || there)
        return r;
    r = restore(a->step, q, &mine);
    if (r == OST_OK)
        r = put(a, &mine);
    if (r == OST_E_DENIED)
        return wait_for_it(a, ret);
    if (r == OST_OK)
        *ret = mine;
    return r;
}

ost_status times_agree(struct ost_step *step, const struct times_query *q, struct times *ret)
{
    struct agreement a = {
        .step = step,
        .service = step->host->extension(step, OST_EXT_ARTIFACTS),
        .name = ost_fmt(step, "ostler-test-%s-of-%u", q->id, q->n),
        .folder = ost_fmt(step, "%s/ostler-test-%s", step->host->dir(step, OST_DIR_TEMP), q->id),
    };
    ost_status r;

    *ret = (struct times){.index = {.step = step}};
    if (!a.service) /* every shard is without it, so all split by name */
        return OST_OK;
    r = ost_exec(step, NULL, .flags = OST_EXEC_CHECK | OST_EXEC_QUIET,
                 .argv = OST_ARGV("mkdir", "-p", "--", a.folder));
    if (r == OST_OK)
        r = agree(&a, q, ret);
    if (r < 0 && r != OST_E_CANCELLED && r != OST_E_TIMEOUT)
        return ost_fail(step, r, "the shards cannot agree on how to split the tests: %s",
                        step->host->last_error(step));
    return r;
}
