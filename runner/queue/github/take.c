/* take - what comes of the messages that a poll brings (github-protocol.md 3.6, 3.7, 4.1). */
#include "base/clock.h"
#include "queue/github/run_service.h"
#include "queue/github/state.h"
#include "queue/loose.h"

#include <stdio.h>

static json_t *read_body(const struct envelope *e)
{
    struct err ignored = ERR_INIT; /* a body that is no JSON says nothing */
    json_t *doc = NULL;

    if (loose_parse(slice_make(e->body, e->size), &doc, &ignored) < 0)
        return NULL;
    return doc;
}

/* ---- a job ---- */

/* A message may be told twice; its job is run once. */
static bool was_had(const struct github *g, const char *id)
{
    for (unsigned i = 0; i < GITHUB_HAD && i < g->n_had; i++)
        if (*id && slice_eq_nocase(slice_of(g->had[i]), slice_of(id)))
            return true;
    return false;
}

static void remember(struct github *g, const char *id)
{
    if (*id && strlen(id) < GITHUB_HAD_SIZE)
        snprintf(g->had[g->n_had++ % GITHUB_HAD], GITHUB_HAD_SIZE, "%s", id);
}

static void begin_job(struct github *g, struct slice text, const char *billing_owner)
{
    const struct assignment_spec spec = {
        .caller = &g->caller,
        .settings = g->settings,
        .place = {.registration = g->registration->id,
                  .runner = g->settings->agent_name,
                  .url = g->settings->github_url,
                  .no_redirects = g->no_redirects},
        .billing_owner = billing_owner,
        .spool = g->spool,
        .client = github_job_client(g),
    };
    struct err err = ERR_INIT;

    if (assignment_new(&spec, text, &g->job, &err) < 0) {
        (void)err_in(&err,
                     "a job came that cannot be read, nor its end be told: the server gives it "
                     "up after a while");
        github_warn(g, err.text);
        return;
    }
    g->served = g->settings->ephemeral;
    if (g->cancelled) /* while it was on its way */
        (void)assignment_cancel(g->job, ASSIGNMENT_BY_SHUTDOWN,
                                "The runner has received a shutdown signal.", 0);
}

static void go_on(struct github *g)
{
    json_decref(g->reference);
    g->reference = NULL;
    github_show(g);
    github_poll_next(&g->poll, GITHUB_POLL_TAKEN);
    github_settle(g);
}

static void on_throttled(void *ctx)
{
    struct github *g = ctx;

    g->pause = NULL;
    go_on(g);
}

/* It is somebody else's, or gone. The first time that happens is nothing special. */
static void miss(struct github *g, const struct answer *a)
{
    bool not_ours = a->kind == ANSWER_NOT_FOUND || a->kind == ANSWER_CONFLICT ||
                    a->kind == ANSWER_UNPROCESSABLE || a->kind == ANSWER_JOB_GONE;
    char text[2 * ERR_TEXT_SIZE];

    snprintf(text, sizeof text, "a job could not be had: %s", a->text);
    github_note(g, text);
    if (not_ours && g->missed && !g->end.decided) {
        g->pause =
            loop_timer(g->caller.loop, clock_ms() + backoff_next(&g->throttle), on_throttled, g);
        return;
    }
    if (!not_ours)
        (void)caller_defer(&g->caller, a->text);
    g->missed |= not_ours;
    go_on(g);
}

static void on_acquired(void *ctx, const struct answer *a, struct slice body,
                        const struct http_answer *http)
{
    struct github *g = ctx;
    struct envelope_reference r;

    (void)http;
    g->taking = NULL;
    if (a->kind != ANSWER_FINE) {
        miss(g, a);
        return;
    }
    g->missed = false;
    backoff_reset(&g->throttle);
    envelope_reference_read(g->reference, &r);
    remember(g, r.request_id);
    begin_job(g, body, r.billing_owner);
    go_on(g);
}

static void acquire(struct github *g)
{
    struct envelope_reference r;

    envelope_reference_read(g->reference, &r);
    g->taking = run_service_acquire(&g->caller, r.service_url, r.request_id, r.billing_owner,
                                    on_acquired, g);
}

static void on_acknowledged(void *ctx, const struct answer *a, struct slice body,
                            const struct http_answer *http)
{
    struct github *g = ctx;

    (void)body;
    (void)http;
    if (a->kind == ANSWER_JOB_GONE && g->settings->ephemeral) {
        /* It was made for this one job, which is gone (3.6). */
        github_end(g, &(struct github_end){.decided = true, .tell = true, .forgotten = true});
    } else if (!g->end.decided) {
        acquire(g);
    }
}

static void take_reference(struct github *g, const struct envelope *message)
{
    struct envelope_reference r;

    json_decref(g->reference);
    g->reference = read_body(message);
    envelope_reference_read(g->reference, &r);
    if (!*r.request_id) {
        github_warn(g, "the server offered a job without saying which");
        github_poll_next(&g->poll, GITHUB_POLL_USELESS);
    } else if (r.acknowledge) {
        github_poll_acknowledge(&g->poll, r.request_id, on_acknowledged, g);
    } else {
        acquire(g);
    }
}

static const char *id_of(const struct envelope *message, const json_t *doc)
{
    return loose_text(doc, message->kind == ENVELOPE_JOB_REFERENCE ? "runner_request_id" : "jobId");
}

static void take_job(struct github *g, const struct envelope *message)
{
    if (message->kind == ENVELOPE_JOB_REFERENCE) {
        take_reference(g, message);
        return;
    }
    CLEANUP(loose_wipep) json_t *doc = read_body(message);

    remember(g, id_of(message, doc));
    begin_job(g, slice_make(message->body, message->size), "");
    go_on(g);
}

/* ---- one that comes when it cannot be started ---- */

static void let_go_of_held(struct github *g)
{
    g->hold = timer_free(g->hold);
    envelope_deinit(&g->held);
}

static void on_held_too_long(void *ctx)
{
    struct github *g = ctx;

    g->hold = NULL;
    let_go_of_held(g);
    github_poll_next(&g->poll, GITHUB_POLL_LEFT);
}

static void hold(struct github *g, struct envelope *take_message)
{
    g->held = *take_message;
    *take_message = (struct envelope){0};
    g->hold = loop_timer(g->caller.loop, clock_ms() + g->waits.hold, on_held_too_long, g);
}

void take_held(struct github *g)
{
    struct envelope message = g->held;

    if (!g->hold || g->want <= 0 || g->job || g->end.decided)
        return;
    g->held = (struct envelope){0};
    g->hold = timer_free(g->hold);
    take_job(g, &message);
    envelope_deinit(&message);
}

void take_stop(struct github *g)
{
    let_go_of_held(g);
}

static void offered(struct github *g, struct envelope *message)
{
    CLEANUP(loose_wipep) json_t *doc = g->n_had ? read_body(message) : NULL;
    bool runs = g->job && assignment_state(g->job) <= ASSIGNMENT_RUNNING;

    if (was_had(g, id_of(message, doc)))
        github_poll_next(&g->poll, GITHUB_POLL_USELESS);
    else if (g->end.decided || g->served ||
             runs) /* it stays there for another time, or another runner */
        github_poll_next(&g->poll, GITHUB_POLL_LEFT);
    else if (g->job || g->want <= 0)
        hold(g, message);
    else
        take_job(g, message);
}

/* ---- all else ---- */

/* One for a job that we do not have, or that is being cancelled already, may come again with every poll. */
static void cancel(struct github *g, const struct envelope *message)
{
    CLEANUP(loose_freep) json_t *doc = read_body(message);
    bool ours = g->job && assignment_is(g->job, loose_text(doc, "jobId"));
    int64_t timeout = envelope_duration(loose_text(doc, "timeout"), 0);

    if (ours && assignment_cancel(g->job, ASSIGNMENT_BY_SERVICE, "the run was cancelled", timeout))
        github_poll_next(&g->poll, GITHUB_POLL_TAKEN);
    else
        github_poll_next(&g->poll, ours || !g->served ? GITHUB_POLL_USELESS : GITHUB_POLL_LEFT);
}

/* Answered without updating: 9.5. Told once for each version. */
static void refuse_update(struct github *g, const struct envelope *message)
{
    CLEANUP(loose_freep) json_t *doc = read_body(message);
    const char *version = loose_text(doc, "targetVersion");
    char name[40], text[2 * ERR_TEXT_SIZE];

    if (!*version)
        version = loose_text(doc, "target_version");
    answer_line(slice_of(version), name, sizeof name);
    if (!g->refused_update || strcmp(g->refused_update, name) != 0) {
        free(g->refused_update);
        g->refused_update = mem_dup(name, strlen(name));
        snprintf(text, sizeof text,
                 "the server asks for the official runner's version '%s'; nothing is updated",
                 name);
        github_note(g, text);
        github_tell_state(g, "SelfUpdateNotSupported", text);
    }
    github_poll_next(&g->poll, GITHUB_POLL_USELESS);
}

static void refresh(struct github *g, const struct envelope *message)
{
    CLEANUP(loose_freep) json_t *doc = read_body(message);

    github_refresh(g, doc);
}

static void pass_over(struct github *g, const struct envelope *message, const char *why)
{
    char text[2 * ERR_TEXT_SIZE];

    snprintf(text, sizeof text, "a message '%s' is passed over: %s", message->type, why);
    github_note(g, text);
    github_poll_next(&g->poll, GITHUB_POLL_USELESS);
}

void take_message(struct github *g, struct envelope *message)
{
    switch (message->kind) {
    case ENVELOPE_JOB:
    case ENVELOPE_JOB_REFERENCE:
        offered(g, message);
        break;
    case ENVELOPE_CANCEL:
        cancel(g, message);
        break;
    case ENVELOPE_AGENT_REFRESH:
    case ENVELOPE_RUNNER_REFRESH:
        refuse_update(g, message);
        break;
    case ENVELOPE_SHUTDOWN: /* of a machine of theirs: neither message nor session is theirs to miss */
        github_poll_stop(&g->poll);
        github_end(g, &(struct github_end){.decided = true, .text = "the server shut us down"});
        break;
    case ENVELOPE_NEW_TOKEN:
        github_token_drop(g->token, NULL);
        if (g->caller.newer)
            github_token_drop(g->caller.newer, NULL);
        github_poll_next(&g->poll, GITHUB_POLL_TAKEN);
        break;
    case ENVELOPE_CONFIG_REFRESH:
        refresh(g, message);
        break;
    case ENVELOPE_MIGRATION:
        github_poll_next(&g->poll, GITHUB_POLL_LEFT);
        break;
    case ENVELOPE_OTHER:
    case ENVELOPE_KINDS:
        pass_over(g, message, "its kind is not known");
    }
}
