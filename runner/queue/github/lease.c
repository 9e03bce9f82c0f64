#include "queue/github/lease.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/random.h"
#include "queue/clocks.h"
#include "queue/github/legacy.h"
#include "queue/github/run_service.h"
#include "queue/loose.h"

enum {
    FIRST_TRIES = 25,    /* five rounds of five, as the official runner has them */
    GENTLE_ERRORS = 5,   /* in a row; then the pauses get longer */
    LEASE_MS = 600000,   /* what a server gives that does not say it */
    LEASE_MOST_S = 90000 /* some give a day */
};

int64_t lease_time(const char *text)
{
    struct tm t = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &t);

    if (!rest)
        return -1;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (*rest && strcmp(rest, "Z") != 0 && strcmp(rest, "+00:00") != 0)
        return -1;
    int64_t seconds = (int64_t)timegm(&t);
    return seconds < 0 ? -1 : seconds; /* the year 1: .NET's way to say nothing */
}

/* What the server's clock shows; ours if it does not say. */
static int64_t server_now(const struct http_answer *http)
{
    int64_t now = (int64_t)time(NULL);

    if (http)
        (void)clocks_date(http_header(http, "Date"), &now);
    return now;
}

/* An answer that says nothing, or that we are late, does not take the lease away: only a refusal does. */
static int64_t left_ms(const json_t *doc, const struct http_answer *http)
{
    int64_t until = lease_time(loose_text(doc, "lockedUntil"));

    if (until < 0)
        return LEASE_MS;
    int64_t left = until - server_now(http);
    return left <= 0 ? 0 : left > LEASE_MOST_S ? (int64_t)LEASE_MOST_S * 1000 : left * 1000;
}

static void renew(struct lease *l);

static void on_wait(void *ctx)
{
    struct lease *l = ctx;

    l->wait = NULL;
    renew(l);
}

static void renew_in(struct lease *l, int64_t ms)
{
    l->wait = loop_timer(l->caller->loop, clock_ms() + ms, on_wait, l);
}

static void lose(struct lease *l, bool gone, const char *why)
{
    struct lease_client client = l->client;

    lease_end(l);
    client.lost(client.ctx, gone, why);
}

static bool is_gone(enum answer_kind kind)
{
    return kind == ANSWER_NOT_FOUND || kind == ANSWER_JOB_GONE || kind == ANSWER_PLAN_GONE;
}

static void failed(struct lease *l, const struct answer *a)
{
    const struct github_waits *w = l->caller->waits;
    int64_t pause = ++l->errors <= GENTLE_ERRORS ? w->retry : 3 * w->retry;

    pause = l->errors <= GENTLE_ERRORS ? random_between(pause, 3 * pause)
                                       : random_between(pause, 2 * pause);
    if (pause < a->retry_ms)
        pause = a->retry_ms;
    bool hopeless = l->held ? clock_ms() > l->until_ms + w->renew_grace : l->errors >= FIRST_TRIES;
    if (is_gone(a->kind) || hopeless)
        lose(l, is_gone(a->kind), a->text);
    else
        renew_in(l, pause);
}

static void on_renewed(void *ctx, const struct answer *a, struct slice body,
                       const struct http_answer *http)
{
    struct lease *l = ctx;
    CLEANUP(loose_wipep) json_t *doc = NULL;
    struct err ignored = ERR_INIT;

    l->call = NULL;
    if (a->kind != ANSWER_FINE) {
        failed(l, a);
        return;
    }
    if (loose_parse(body, &doc, &ignored) < 0)
        doc = NULL; /* what counts is that it was answered */
    const char *name = loose_text(loose_find(doc, "reservedAgent"), "name");
    if (*name && l->client.named)
        l->client.named(l->client.ctx, name);
    l->errors = 0;
    l->until_ms = clock_ms() + left_ms(doc, http);
    renew_in(l, l->caller->waits->renew);
    if (!l->held) {
        l->held = true;
        l->client.held(l->client.ctx);
    }
}

static void renew(struct lease *l)
{
    l->call = l->job->results_only
                  ? run_service_renew(l->caller, l->job, on_renewed, l)
                  : legacy_renew(l->caller, l->pool_id, l->job->request_id, on_renewed, l);
}

void lease_begin(struct lease *l, struct caller *caller, const struct github_job *job,
                 int64_t pool_id, const struct lease_client *client)
{
    *l = (struct lease){.caller = caller, .job = job, .pool_id = pool_id, .client = *client};
    renew(l);
}

void lease_end(struct lease *l)
{
    l->call = call_free(l->call);
    l->wait = timer_free(l->wait);
}
