#include "base/clock.h"
#include "listen/listener_state.h"
#include "listen/share.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/statvfs.h>

enum {
    LOOK_MS = 30000,      /* a full disk */
    PASS_MOST_MS = 10000, /* slots that nobody took, after a while in which nobody wanted one */
};

static void on_look(void *ctx)
{
    struct listener *l = ctx;

    l->look = NULL;
    l->due = true;
}

/* Said once, when it begins and when it is over. A disk that cannot be looked at is nothing to stop for. */
static bool has_room(struct listener *l)
{
    struct statvfs fs;

    if (l->spec.min_free <= 0 || statvfs(l->spec.work, &fs) < 0)
        return true;
    int64_t free = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    bool full = free < l->spec.min_free;
    if (full && !l->disk_full)
        listener_say(l, LISTENER_WARNING, NULL, NULL,
                     "no job is taken: '%s' has %" PRId64 " MiB left of the %" PRId64
                     " that --min-free wants: make room there, or name another folder with --work",
                     l->spec.work, free >> 20, l->spec.min_free >> 20);
    if (!full && l->disk_full)
        listener_say(l, LISTENER_INFO, NULL, NULL, "there is room again: jobs are taken");
    l->disk_full = full;
    if (full && !l->look)
        l->look = loop_timer(l->spec.loop, clock_ms() + LOOK_MS, on_look, l);
    return !full;
}

static int free_slots(struct listener *l)
{
    int taken = listener_running(l), slots = listener_slots(l);

    if (l->phase != PHASE_SERVING || taken >= slots || !has_room(l))
        return 0;
    return slots - taken;
}

/* Who was offered one and did not take it goes to the end of the row. */
static void on_pass_on(void *ctx)
{
    struct listener *l = ctx;

    l->pass_on = NULL;
    l->pass_ms = l->pass_ms * 2 < PASS_MOST_MS ? l->pass_ms * 2 : PASS_MOST_MS;
    VEC_EACH (m, &l->members)
        if ((*m)->offered > 0)
            (*m)->turn = ++l->turns;
    l->due = true;
}

void listener_offer(struct listener *l)
{
    struct share *shares = mem_new((l->members.len + 1) * sizeof *shares);

    for (size_t i = 0; i < l->members.len; i++) {
        const struct member *m = l->members.ptr[i];

        shares[i] = (struct share){.most = m->ended || m->closed ? 0 : m->capacity - m->running,
                                   .turn = m->turn};
    }
    bool lacking = share_deal(shares, l->members.len, free_slots(l));
    for (size_t i = 0; i < l->members.len; i++) {
        struct member *m = l->members.ptr[i];

        if (m->ended || m->closed || m->offered == shares[i].given)
            continue;
        m->offered = shares[i].given;
        m->queue->ops->want(m->queue, m->offered);
    }
    free(shares);
    if (!lacking)
        l->pass_on = timer_free(l->pass_on);
    else if (!l->pass_on)
        l->pass_on = loop_timer(l->spec.loop, clock_ms() + l->pass_ms, on_pass_on, l);
}
