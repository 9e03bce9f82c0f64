#include "base/clock.h"
#include "listen/listener_state.h"

#include <stdarg.h>
#include <string.h>
#include <sys/statvfs.h>

enum { NOTE_MAX = 4096 };

void listener_say(const struct listener *l, enum listener_level level, const struct member *m,
                  const char *job, const char *fmt, ...)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(NOTE_MAX);
    va_list ap;

    if (!l->spec.hooks.note)
        return;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    struct listener_note note = {
        .level = level, .registration = m ? m->name : NULL, .job = job, .text = text.ptr};
    l->spec.hooks.note(l->spec.hooks.ctx, &note);
}

void listener_on_trouble(void *listener, const char *text)
{
    listener_say(listener, LISTENER_WARNING, NULL, NULL, "%s", text);
}

/* Each trouble is told once, for as long as it lasts. */
static void tell_trouble(struct listener *l, struct member *m, enum listener_level level,
                         const char *now)
{
    bool same = now ? m->trouble && strcmp(m->trouble, now) == 0 : !m->trouble;

    if (same)
        return;
    if (now)
        listener_say(l, level, m, NULL, "%s", now);
    free(m->trouble);
    m->trouble = now ? mem_dup(now, strlen(now)) : NULL;
}

static void look_at(struct listener *l, struct member *m)
{
    struct queue_health h = {0};

    if (m->ended)
        return;
    m->queue->ops->health(m->queue, &h);
    m->ended = h.ended;
    if (h.connected && (!m->met || m->trouble) && !h.trouble)
        listener_say(l, LISTENER_INFO, m, NULL, m->met ? "in contact again" : "in contact");
    m->met |= h.connected;
    tell_trouble(l, m, h.ending || h.ended ? LISTENER_ERROR : LISTENER_WARNING, h.trouble);
    if (!h.ended)
        return;
    l->due = true; /* its share goes to the others */
    if (!l->exit_code)
        l->exit_code = h.exit_code;
    if (!h.trouble)
        listener_say(l, LISTENER_INFO, m, NULL, "has ended");
}

void listener_look_at_health(struct listener *l)
{
    VEC_EACH (m, &l->members)
        look_at(l, *m);
}

/* ---- a snapshot ---- */

static struct snapshot_registration registration_of(const struct member *m)
{
    struct snapshot_registration r = {.name = m->name,
                                      .kind = m->kind,
                                      .url = m->url,
                                      .labels = m->labels,
                                      .running = m->running};

    m->queue->ops->health(m->queue, &r.health);
    return r;
}

void listener_snapshot(void *listener, struct arena *a, struct snapshot *ret)
{
    const struct listener *l = listener;
    struct snapshot_registration *members = arena_array(a, l->members.len + 1, sizeof *members);
    struct snapshot_job *jobs = arena_array(a, l->tasks.len + 1, sizeof *jobs);
    struct statvfs fs;
    size_t n = 0;

    for (size_t i = 0; i < l->members.len; i++)
        members[i] = registration_of(l->members.ptr[i]);
    VEC_EACH (one, &l->tasks) {
        const struct task *t = *one;

        if (!t->over)
            jobs[n++] = (struct snapshot_job){.key = t->key,
                                              .registration = t->member->name,
                                              .repository = t->repository,
                                              .name = t->name,
                                              .workflow = t->workflow,
                                              .event = t->event,
                                              .started_ms = t->started_ms,
                                              .stopping = t->stopping};
    }
    *ret = (struct snapshot){
        .version = l->spec.version,
        .started_ms = l->started_ms,
        .slots = l->spec.slots,
        .slots_min = l->spec.slots,
        .slots_max = l->spec.slots,
        .draining = l->phase != PHASE_SERVING,
        .disk_free =
            statvfs(l->spec.work, &fs) < 0 ? -1 : (int64_t)fs.f_bavail * (int64_t)fs.f_frsize,
        .disk_wanted = l->spec.min_free,
        .trouble = l->disk_full ? "the disk is full: make room in the work folder" : NULL,
        .registrations = members,
        .n_registrations = l->members.len,
        .jobs = jobs,
        .n_jobs = n,
    };
}
