#include "lint_run.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

/* English, columns counted in characters, and no colours; a job that sets FORCE_COLOR gets its colours, and
 * readers take them out. */
static const char *const environment[] = {"NO_COLOR=1", "LC_ALL=C.UTF-8", NULL};

static ost_status output_add(struct ost_step *step, struct output *o, const char *data, size_t size)
{
    if (o->size + size > OUTPUT_MAX) {
        o->overflow = true;
        return OST_E_LIMIT;
    }
    if (o->size + size >= o->room) {
        size_t room = o->room ? o->room : 4096;
        char *grown;

        while (room <= o->size + size)
            room *= 2;
        grown = step->host->alloc(step, room);
        if (o->size > 0)
            memcpy(grown, o->data, o->size);
        o->data = grown;
        o->room = room;
    }
    memcpy(o->data + o->size, data, size);
    o->size += size;
    o->data[o->size] = '\0';
    return OST_OK;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Where the bytes of one command go. */
struct outputs {
    struct ost_step *step;
    struct output *out, *err;
};

static ost_status on_output(void *ctx, int32_t fd, const char *data, size_t size)
{
    const struct outputs *o = ctx;

    return output_add(o->step, fd == 2 ? o->err : o->out, data, size);
}

ost_status run_quietly(struct ost_step *step, const char *const *argv, const char *cwd,
                       struct output *out, struct output *err, int32_t *ret_code)
{
    struct ost_exec_result result = OST_RESULT;
    struct outputs o = {step, out, err};
    ost_status r = ost_exec(step, &result, .flags = OST_EXEC_QUIET, .argv = argv,
                            .env = environment, .cwd = cwd, .on_output = on_output, .ctx = &o);

    if (r == OST_OK)
        *ret_code = result.exit_code;
    return r;
}

/* ---- several at a time ---- */

struct pool {
    struct ost_step *step;
    struct checks *checks;
    const char *workspace;
    pthread_mutex_t lock; /* guards NEXT */
    size_t next;
};

/* Tries the places of its program in turn: the first that is there is the one. */
static void run_check(struct pool *pool, struct check *c)
{
    struct ost_step *step = pool->step;
    const char *cwd = rel_clean(step, rel_join(step, pool->workspace, *c->root ? c->root : "."));
    struct outputs o = {step, &c->out, &c->err};
    struct strings argv = {0};
    int64_t start = now_ms();

    for (size_t i = 0; c->argv[i]; i++)
        strings_add(step, &argv, c->argv[i]);
    c->status = OST_E_NOT_FOUND;
    for (size_t i = 0; c->programs[i] && c->status == OST_E_NOT_FOUND; i++) {
        struct ost_exec_result result = OST_RESULT;

        argv.list[0] = c->programs[i];
        c->status = ost_exec(step, &result, .flags = OST_EXEC_QUIET, .argv = strings_list(&argv),
                             .env = environment, .cwd = cwd, .on_output = on_output, .ctx = &o);
        if (c->status < 0)
            c->error = span_dup(step, span_of(step->host->last_error(step)));
        c->exit_code = result.exit_code;
        c->signal = result.signal;
    }
    c->argv = strings_list(&argv);
    c->took_ms = now_ms() - start;
}

static struct check *pool_next(struct pool *pool)
{
    struct check *c = NULL;

    pthread_mutex_lock(&pool->lock);
    while (!c && pool->next < pool->checks->n) {
        c = &pool->checks->list[pool->next++];
        if (!c->argv)
            c = NULL;
    }
    pthread_mutex_unlock(&pool->lock);
    return c;
}

static void *pool_work(void *ctx)
{
    struct pool *pool = ctx;
    struct check *c;

    while (!pool->step->host->cancelled(pool->step) && (c = pool_next(pool)))
        run_check(pool, c);
    return NULL;
}

static size_t n_processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

    return n > THREADS_MAX ? THREADS_MAX : n > 1 ? (size_t)n : 1;
}

ost_status run_checks(struct ost_step *step, struct checks *checks, const char *workspace)
{
    struct pool pool = {
        .step = step, .checks = checks, .workspace = workspace, .lock = PTHREAD_MUTEX_INITIALIZER};
    size_t n = n_processors(), started = 0;
    pthread_t threads[THREADS_MAX];

    /* This thread works too, so all is done even where no other may be started. */
    while (started + 1 < n && started + 1 < checks->n &&
           pthread_create(&threads[started], NULL, pool_work, &pool) == 0)
        started++;
    pool_work(&pool);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    return step->host->cancelled(step) ? OST_E_CANCELLED : OST_OK;
}
