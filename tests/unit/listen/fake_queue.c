#include "unit/listen/fake_queue.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

static struct fake_queue *fake(const struct queue *q)
{
    return (struct fake_queue *)(uintptr_t)q;
}

/* Its server answers at once. */
static void want(struct queue *base, int n)
{
    struct fake_queue *q = fake(base);

    q->wanted = n;
    q->wants++;
    while (n-- > 0 && q->backlog > 0) {
        q->backlog--;
        q->ready++;
    }
    if (q->ready)
        base->client.ready(base->client.ctx);
}

static int next(struct queue *base, struct job **ret, struct err *err)
{
    struct fake_queue *q = fake(base);

    (void)err;
    if (q->ready == 0)
        return 0;
    q->ready--;
    struct job *j = mem_new(sizeof *j);
    job_init(j);
    j->id = q->kind;
    j->key = arena_printf(&j->arena, "%s/%d", q->name, ++q->made);
    j->name = j->key;
    j->work_root = "a/a";
    j->contexts = json_pack("{s:{s:s}}", "github", "repository", "o/r");
    *ret = j;
    return 1;
}

static int event(struct queue *base, const char *key, json_t *event, struct slice log,
                 struct err *err)
{
    (void)base;
    (void)key;
    (void)log;
    if (json_object_get(event, "poison"))
        return err_set(err, ERR_LIMIT, "that is too much");
    return ERR_OK;
}

static int ended(struct queue *base, const char *key, const char *why, struct err *err)
{
    struct fake_queue *q = fake(base);

    (void)err;
    q->ended++;
    q->lost += why != NULL;
    if (why)
        snprintf(q->why, sizeof q->why, "%s", why);
    if (q->on_end)
        q->on_end(q, key, why);
    return ERR_OK;
}

static void cancel(struct queue *base, bool hard)
{
    fake(base)->cancelled += hard;
}

static bool done(const struct queue *base)
{
    const struct fake_queue *q = fake(base);
    return q->ready == 0 && q->ended == q->made;
}

static void free_it(struct queue *base)
{
    (void)base; /* the test looks at it afterwards */
}

static void close_it(struct queue *base)
{
    fake(base)->closed++;
}

static void health(const struct queue *base, struct queue_health *ret)
{
    const struct fake_queue *q = fake(base);

    *ret = (struct queue_health){.connected = q->wanted >= 0,
                                 .contact_ms = clock_ms(),
                                 .trouble = q->trouble,
                                 .ending = q->ending,
                                 .ended = q->gone,
                                 .exit_code = q->exit_code};
}

static json_t *lease(const struct queue *base, const char *key)
{
    const struct fake_queue *q = fake(base);

    return q->slow || q->made > q->ended ? json_pack("{s:s}", "of", key) : NULL;
}

static void recover(struct queue *base, const json_t *lease)
{
    struct fake_queue *q = fake(base);

    snprintf(q->recovered + strlen(q->recovered), sizeof q->recovered - strlen(q->recovered), "%s ",
             json_string_value(json_object_get(lease, "of")));
}

static const struct queue_ops ops = {.next = next,
                                     .event = event,
                                     .ended = ended,
                                     .cancel = cancel,
                                     .done = done,
                                     .free = free_it,
                                     .want = want,
                                     .close = close_it,
                                     .health = health,
                                     .lease = lease,
                                     .recover = recover};

void fake_queue_init(struct fake_queue *q, const char *name, const char *kind, int backlog)
{
    *q = (struct fake_queue){
        .base = {.ops = &ops}, .name = name, .kind = kind, .backlog = backlog, .wanted = -1};
}
