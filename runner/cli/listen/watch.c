#include "cli/listen/watch.h"

#include "base/clock.h"
#include "base/fd.h"
#include "cli/settings.h"
#include "listen/logline.h"
#include "listen/monitor.h"
#include "listen/notify.h"

#include <string.h>
#include <unistd.h>

struct listen_watch {
    struct arena arena;
    struct listen_watch_spec spec;
    struct loop *loop;
    struct listener *listener; /* once it serves */
    enum logline_format format;
    struct metrics *metrics;
    struct monitor *monitor; /* NULL: none */
    struct notify *notify;   /* NULL: no manager wants to know */
    int running;             /* jobs */
    bool draining, renewed;
};

struct listen_watch *listen_watch_new(const struct listen_watch_spec *spec)
{
    struct listen_watch *w = mem_new(sizeof *w);

    *w = (struct listen_watch){.spec = *spec,
                               .format = spec->json ? LOGLINE_JSON : settings_log_format(),
                               .metrics = metrics_new()};
    return w;
}

struct listen_watch *listen_watch_free(struct listen_watch *w)
{
    if (!w)
        return NULL;
    monitor_free(w->monitor);
    /* Not before: from there on systemd counts the time that a stop may take, and a job that runs may take days. */
    if (!w->renewed)
        notify_stopping(w->notify);
    notify_free(w->notify);
    metrics_free(w->metrics);
    arena_deinit(&w->arena);
    free(w);
    return NULL;
}

/* ---- lines ---- */

static void say(const struct listen_watch *w, enum logline_level level, const char *message,
                const struct logline_field *fields)
{
    CLEANUP(buf_deinit) struct buf line = BUF_INIT(LOGLINE_MAX);
    char stamp[CLOCK_STAMP_SIZE];
    struct err ignored = ERR_INIT; /* there is nowhere else to say it */

    clock_stamp(stamp);
    logline_add(&line, w->format, level, stamp, message, fields);
    (void)!fd_write_all(STDERR_FILENO, buf_slice(&line), &ignored);
}

void listen_watch_failed(const struct listen_watch *w, const char *text)
{
    static const struct logline_field none[] = {{0}};

    if (w->format == LOGLINE_TEXT)
        fprintf(stderr, "ostler: %s\n", text);
    else
        say(w, LOGLINE_ERROR, text, none);
}

void listen_watch_renewed(struct listen_watch *w)
{
    w->renewed = true;
    notify_status(w->notify, "begins anew");
}

void listen_watch_note(struct listen_watch *w, const struct listener_note *note)
{
    static const enum logline_level levels[LISTENER_LEVELS] = {[LISTENER_INFO] = LOGLINE_INFO,
                                                               [LISTENER_WARNING] = LOGLINE_WARNING,
                                                               [LISTENER_ERROR] = LOGLINE_ERROR};
    const struct logline_field fields[] = {{"registration", note->registration, LOGLINE_STRING},
                                           {"job", note->job, LOGLINE_STRING},
                                           {0}};

    say(w, levels[note->level], note->text, fields);
}

/* ---- jobs ---- */

/* One line for "systemctl status". */
static void tell_state(struct listen_watch *w)
{
    const char *end = w->draining ? ", no more are taken" : "";

    if (w->running)
        notify_status(w->notify, "%d job%s running%s", w->running, w->running == 1 ? "" : "s", end);
    else
        notify_status(w->notify, "waiting for %s",
                      w->draining ? "the servers to take leave" : "jobs");
}

static struct metrics_job counted(const struct listener_job *job)
{
    return (struct metrics_job){
        .repository = job->repository, .name = job->name, .event = job->event};
}

void listen_watch_refused(struct listen_watch *w)
{
    metrics_refused(w->metrics);
}

void listen_watch_assigned(struct listen_watch *w, const struct listener_job *job,
                           int64_t waited_ms)
{
    struct metrics_job labels = counted(job);

    metrics_started(w->metrics, &labels, waited_ms);
}

void listen_watch_started(struct listen_watch *w, const struct listener_job *job)
{
    const struct logline_field fields[] = {{"registration", job->registration, LOGLINE_STRING},
                                           {"job", job->key, LOGLINE_STRING},
                                           {"repository", job->repository, LOGLINE_STRING},
                                           {"name", job->name, LOGLINE_STRING},
                                           {"event", job->event, LOGLINE_STRING},
                                           {0}};
    struct metrics_job labels = counted(job);

    w->running++;
    if (strcmp(job->kind, "scale-set") != 0) /* its server tells when: listen_watch_assigned() */
        metrics_started(w->metrics, &labels, clock_ms() - job->started_ms);
    say(w, LOGLINE_INFO, "job started", fields);
    tell_state(w);
}

void listen_watch_ended(struct listen_watch *w, const struct listener_job *job)
{
    const char *result = job->result ? job->result : "lost";
    int64_t ms = clock_ms() - job->started_ms;
    char seconds[32];
    const struct logline_field fields[] = {{"registration", job->registration, LOGLINE_STRING},
                                           {"job", job->key, LOGLINE_STRING},
                                           {"result", result, LOGLINE_STRING},
                                           {"record", job->record, LOGLINE_STRING},
                                           {"seconds", seconds, LOGLINE_NUMBER},
                                           {0}};
    struct metrics_job labels = counted(job);

    snprintf(seconds, sizeof seconds, "%.1f", (double)ms / 1000);
    w->running--;
    metrics_ended(w->metrics, &labels, result, ms);
    say(w, LOGLINE_INFO, "job ended", fields);
    tell_state(w);
}

void listen_watch_draining(struct listen_watch *w)
{
    w->draining = true;
    tell_state(w);
}

/* ---- the endpoint and the service manager ---- */

static void take(void *ctx, struct arena *a, struct snapshot *ret)
{
    const struct listen_watch *w = ctx;

    listener_snapshot(w->listener, a, ret);
}

static bool is_alive(void *ctx)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct snapshot s;

    take(ctx, &a, &s);
    return snapshot_is_alive(&s, clock_ms());
}

static int open_monitor(struct listen_watch *w, const char *socket, struct err *err)
{
    struct monitor_spec spec = {
        .address = w->spec.address, .socket = socket, .source = {take, w}, .metrics = w->metrics};

    return monitor_new(&spec, w->loop, &w->monitor, err);
}

/* Nobody asked for the socket of its own: a listener that can have none is no worse at its work. */
static int open_usual(struct listen_watch *w, struct err *err)
{
    const struct logline_field none[] = {{0}};
    const char *socket = NULL;
    struct err why = ERR_INIT;

    if (settings_listen_socket(&w->arena, &socket, &why) == ERR_OK &&
        open_monitor(w, socket, &why) == ERR_OK)
        return ERR_OK;
    int r = w->spec.address ? open_monitor(w, NULL, err) : ERR_OK;
    if (r == ERR_OK)
        say(w, LOGLINE_WARNING,
            arena_printf(&w->arena, "'ostler status' will not find this listener: %s", why.text),
            none);
    return r;
}

static int open_notify(struct listen_watch *w, struct err *err)
{
    struct notify_spec spec = {.alive = is_alive, .ctx = w};
    bool wanted = false;
    int r = settings_notify(&spec, &wanted, err);

    return r == ERR_OK && wanted ? notify_new(&spec, w->loop, &w->notify, err) : r;
}

int listen_watch_begin(struct listen_watch *w, struct loop *loop, struct listener *l,
                       struct err *err)
{
    const char *socket = w->spec.socket;
    int r = ERR_OK;

    w->loop = loop;
    w->listener = l;
    if (socket && socket[0] != '/')
        return err_set(err, ERR_INVALID, "--socket wants an absolute path, not '%.80s'", socket);
    r = socket ? open_monitor(w, socket, err) : open_usual(w, err);
    if (r == ERR_OK)
        r = open_notify(w, err);
    if (r < 0)
        return r;
    notify_ready(w->notify);
    tell_state(w);
    return ERR_OK;
}
