#include "lint_run.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
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
    struct strings argv = {0};
    int64_t start = now_ms();

    for (size_t i = 0; c->argv[i]; i++)
        strings_add(step, &argv, c->argv[i]);
    c->status = OST_E_NOT_FOUND;
    for (size_t i = 0; c->programs[i] && c->status == OST_E_NOT_FOUND; i++) {
        struct ost_exec_result result = OST_RESULT;

        argv.list[0] = c->programs[i];
        c->status = quiet_run(step, strings_list(&argv), cwd, &c->out, &c->err, &result);
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
