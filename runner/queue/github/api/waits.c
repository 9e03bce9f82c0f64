#include "queue/github/api/waits.h"

static void fill(int64_t *wait, int64_t official, int64_t minute_ms)
{
    int64_t ms = official * minute_ms / 60000;

    if (!*wait)
        *wait = ms > 0 ? ms : 1;
}

void github_waits_fill(struct github_waits *w, int64_t minute_ms)
{
    enum { SECOND = 1000, MINUTE = 60000 };

    fill(&w->session, 30 * SECOND, minute_ms);
    fill(&w->conflict_most, 4 * MINUTE, minute_ms);
    fill(&w->skew_most, 30 * MINUTE, minute_ms);
    fill(&w->legacy_poll, 60 * SECOND, MINUTE);
    fill(&w->broker_poll, 100 * SECOND, MINUTE);
    fill(&w->pause, 15 * SECOND, minute_ms);
    fill(&w->aside, SECOND, MINUTE);
    fill(&w->floor, SECOND, minute_ms);
    fill(&w->floor_most, 30 * SECOND, minute_ms);
    fill(&w->retry, 5 * SECOND, minute_ms);
    fill(&w->request, 100 * SECOND, MINUTE);
    fill(&w->acknowledge, 5 * SECOND, MINUTE);
    fill(&w->throttle, SECOND, minute_ms);
    fill(&w->throttle_most, MINUTE, minute_ms);
    fill(&w->hold, 100 * SECOND, minute_ms);
    fill(&w->renew, MINUTE, minute_ms);
    fill(&w->renew_grace, 5 * MINUTE, minute_ms);
    fill(&w->recover, 10 * MINUTE, minute_ms);
    fill(&w->leave, 30 * SECOND, MINUTE);
    fill(&w->defer, 60 * MINUTE, minute_ms);
    fill(&w->cancel_least, MINUTE, minute_ms);
    fill(&w->cancel_margin, 15 * SECOND, minute_ms);
    fill(&w->batch, SECOND / 2, minute_ms);
    fill(&w->begin, SECOND, MINUTE);
    fill(&w->again, SECOND, minute_ms);
}
