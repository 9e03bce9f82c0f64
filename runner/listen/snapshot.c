#include "listen/snapshot.h"

#include "base/utf8.h"

#include <unistd.h>

/* ---- what can be said of it ---- */

static bool in_contact(const struct queue_health *h, int64_t now_ms)
{
    return h->contact_ms && now_ms - h->contact_ms <= SNAPSHOT_CONTACT_MS;
}

bool snapshot_is_alive(const struct snapshot *s, int64_t now_ms)
{
    bool waits = false;

    for (size_t i = 0; i < s->n_registrations; i++) {
        const struct queue_health *h = &s->registrations[i].health;

        if (in_contact(h, now_ms))
            return true;
        waits = waits || !h->ended;
    }
    /* One that has just begun has had no time for an answer yet. */
    return s->n_jobs || !waits || now_ms - s->started_ms <= SNAPSHOT_CONTACT_MS;
}

static void say(struct buf *why, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void say(struct buf *why, const char *fmt, ...)
{
    va_list ap;

    if (!why)
        return;
    va_start(ap, fmt);
    buf_vprintf(why, fmt, ap);
    va_end(ap);
}

bool snapshot_is_ready(const struct snapshot *s, int64_t now_ms, struct buf *why)
{
    const struct snapshot_registration *troubled = NULL;

    if (s->draining)
        return say(why, "no job is taken any more: the listener is on its way out"), false;
    if (s->trouble)
        return say(why, "%s", s->trouble), false;
    for (size_t i = 0; i < s->n_registrations; i++) {
        const struct queue_health *h = &s->registrations[i].health;

        if (!h->ended && h->connected && in_contact(h, now_ms))
            return true;
        if (h->trouble && !troubled)
            troubled = &s->registrations[i];
    }
    if (troubled)
        say(why, "%s: %s", troubled->name, troubled->health.trouble);
    else
        say(why, "no registration is in contact with its server");
    return false;
}

/* ---- as JSON ---- */

/* A text that may have come from anywhere; NULL becomes null. */
static json_t *text(const char *said)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;

    return said ? json_string(utf8_text(&a, said)) : json_null();
}

static json_t *seconds(int64_t ms)
{
    return json_integer(ms < 0 ? 0 : ms / 1000);
}

static json_t *scale_json(const struct queue_scale *s)
{
    if (!s)
        return json_null();
    return json_pack("{s:i, s:i, s:i, s:{s:I, s:I}, s:{s:I, s:I, s:I}}", "min", s->least, "max",
                     s->most, "desired", s->desired, "jobs", "assigned", (json_int_t)s->assigned,
                     "running", (json_int_t)s->running, "runners", "registered",
                     (json_int_t)s->registered, "busy", (json_int_t)s->busy, "idle",
                     (json_int_t)s->idle);
}

static json_t *registration_json(const struct snapshot_registration *r, int64_t now_ms)
{
    const struct queue_health *h = &r->health;

    return json_pack(
        "{s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:b, s:I, s:I, s:i, s:o}", "name", text(r->name),
        "kind", text(r->kind), "url", text(r->url), "labels", text(r->labels), "connected",
        h->connected, "contact_s", h->contact_ms ? seconds(now_ms - h->contact_ms) : json_null(),
        "trouble", text(h->trouble), "ended", h->ended, "requests", (json_int_t)h->requests,
        "failures", (json_int_t)h->failures, "running", r->running, "scale", scale_json(h->scale));
}

static json_t *job_json(const struct snapshot_job *j, int64_t now_ms)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "key", text(j->key),
                     "registration", text(j->registration), "repository", text(j->repository),
                     "name", text(j->name), "workflow", text(j->workflow), "event", text(j->event),
                     "age_s", seconds(now_ms - j->started_ms), "stopping", j->stopping);
}

static json_t *bytes(int64_t n)
{
    return n < 0 ? json_null() : json_integer(n);
}

json_t *snapshot_json(const struct snapshot *s, int64_t now_ms)
{
    json_t *registrations = json_array(), *jobs = json_array();

    for (size_t i = 0; i < s->n_registrations; i++)
        json_array_append_new(registrations, registration_json(&s->registrations[i], now_ms));
    for (size_t i = 0; i < s->n_jobs; i++)
        json_array_append_new(jobs, job_json(&s->jobs[i], now_ms));
    return json_pack("{s:o, s:i, s:o, s:b, s:o, s:{s:i, s:i, s:i, s:i}, s:{s:o, s:o}, s:o, s:o}",
                     "version", text(s->version), "pid", (int)getpid(), "age_s",
                     seconds(now_ms - s->started_ms), "draining", s->draining, "trouble",
                     text(s->trouble), "slots", "now", s->slots, "busy", (int)s->n_jobs, "min",
                     s->slots_min, "max", s->slots_max, "disk", "free", bytes(s->disk_free),
                     "wanted", bytes(s->disk_wanted), "registrations", registrations, "jobs", jobs);
}
