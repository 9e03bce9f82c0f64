#include "queue/github/recoveries.h"

#include <stdio.h>

#include "base/clock.h"
#include "queue/github/assignment.h"

struct recovery {
    struct recovery *next;
    struct recoveries *all;
    struct call *call;
    struct timer *give_up;
};

static void let_go(struct recovery *one)
{
    struct recovery **at = &one->all->open;

    while (*at != one)
        at = &(*at)->next;
    *at = one->next;
    one->all->n--;
    call_free(one->call);
    timer_free(one->give_up);
    free(one);
}

static void end(struct recovery *one, const char *how)
{
    struct recoveries *all = one->all;
    char text[2 * ERR_TEXT_SIZE];

    let_go(one);
    snprintf(text, sizeof text, "the server was told that a job was lost: %s", how);
    all->closed(all->ctx, text);
}

static void on_told(void *ctx, const struct answer *a, struct slice body,
                    const struct http_answer *http)
{
    struct recovery *one = ctx;

    (void)body;
    (void)http;
    one->call = NULL;
    end(one, a->kind == ANSWER_FINE ? "it failed" : a->text);
}

static void on_give_up(void *ctx)
{
    struct recovery *one = ctx;

    one->give_up = NULL;
    end(one, "no answer came before the server let go of the job by itself");
}

void recoveries_begin(struct recoveries *r, const json_t *lease)
{
    struct recovery *one = mem_new(sizeof *one);

    one->call = assignment_recover(r->caller, lease, on_told, one);
    if (!one->call) {
        free(one);
        return;
    }
    one->give_up =
        loop_timer(r->caller->loop, clock_ms() + r->caller->waits->recover, on_give_up, one);
    one->all = r;
    one->next = r->open;
    r->open = one;
    r->n++;
}

void recoveries_stop(struct recoveries *r)
{
    while (r->open)
        let_go(r->open);
}
