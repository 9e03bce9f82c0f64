#include "listen/metrics.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/utf8.h"
#include "base/vec.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Upper ends, in seconds: those of actions-runner-controller's listener. */
static const double bounds[] = {0.01, 0.05, 0.1, 0.5, 1,    2,    3,    4,    5,   6,   7,   8,
                                9,    10,   12,  15,  18,   20,   25,   30,   40,  50,  60,  70,
                                80,   90,   100, 110, 120,  150,  180,  210,  240, 300, 360, 420,
                                480,  540,  600, 900, 1200, 1800, 2400, 3000, 3600};

struct series {
    char *labels; /* as they are printed */
    uint64_t count, buckets[COUNT_OF(bounds)];
    double sum;
};

struct family {
    VEC(struct series) all;
};

struct metrics {
    struct family started, ended;
    uint64_t refused;
    time_t born;
};

/* ---- counting ---- */

struct metrics *metrics_new(void)
{
    struct metrics *m = mem_new(sizeof *m);

    m->born = time(NULL);
    return m;
}

static void family_deinit(struct family *f)
{
    VEC_EACH (s, &f->all)
        free(s->labels);
    vec_deinit(&f->all);
}

struct metrics *metrics_free(struct metrics *m)
{
    if (!m)
        return NULL;
    family_deinit(&m->started);
    family_deinit(&m->ended);
    free(m);
    return NULL;
}

/* name="value", escaped as the format wants it. */
static void add_label(struct buf *out, const char *name, struct slice value)
{
    CLEANUP(buf_deinit) struct buf clean = BUF_INIT(4 * METRICS_LABEL_MAX);

    utf8_clean(slice_head(value, METRICS_LABEL_MAX), &clean);
    buf_printf(out, "%s%s=\"", out->len ? "," : "", name);
    for (size_t i = 0; i < clean.len; i++) {
        if (clean.ptr[i] == '\n')
            buf_add_str(out, "\\n");
        else if (clean.ptr[i] == '"' || clean.ptr[i] == '\\')
            buf_printf(out, "\\%c", clean.ptr[i]);
        else
            buf_add_char(out, clean.ptr[i]);
    }
    buf_add_char(out, '"');
}

/* The owner is called an organization, whoever it is, and the repository goes without it. */
static void add_job_labels(struct buf *out, const struct metrics_job *job, const char *result)
{
    struct slice repository = slice_of(job->repository), owner = {0};

    (void)slice_split(&repository, '/', &owner);
    add_label(out, "repository", repository);
    add_label(out, "organization", owner);
    add_label(out, "enterprise", (struct slice){0});
    add_label(out, "job_name", slice_of(job->name));
    add_label(out, "event_name", slice_of(job->event));
    if (result)
        add_label(out, "job_result", slice_of(result));
}

static struct series *find_series(struct family *f, const struct metrics_job *job,
                                  const char *result)
{
    CLEANUP(buf_deinit) struct buf labels = BUF_INIT(20 * METRICS_LABEL_MAX);

    add_job_labels(&labels, job, result);
    VEC_EACH (s, &f->all)
        if (strcmp(s->labels, labels.ptr) == 0)
            return s;
    /* The few under empty labels have room beyond the limit. */
    if (f->all.len >= METRICS_SERIES_MAX && (job->repository || job->name || job->event))
        return find_series(f, &(struct metrics_job){0}, result);
    vec_push(&f->all, (struct series){.labels = buf_take(&labels)});
    return &f->all.ptr[f->all.len - 1];
}

static void count(struct family *f, const struct metrics_job *job, const char *result, int64_t ms)
{
    struct series *s = find_series(f, job, result);
    double seconds = (double)(ms > 0 ? ms : 0) / 1000;
    size_t i = 0;

    while (i < COUNT_OF(bounds) && seconds > bounds[i])
        i++;
    if (i < COUNT_OF(bounds))
        s->buckets[i]++;
    s->count++;
    s->sum += seconds;
}

/* As the service calls it, and so the controller's listener. */
static const char *result_label(const char *result)
{
    if (strcmp(result, "success") == 0)
        return "succeeded";
    if (strcmp(result, "failure") == 0)
        return "failed";
    return strcmp(result, "cancelled") == 0 ? "canceled" : result;
}

void metrics_started(struct metrics *m, const struct metrics_job *job, int64_t waited_ms)
{
    count(&m->started, job, NULL, waited_ms);
}

void metrics_ended(struct metrics *m, const struct metrics_job *job, const char *result,
                   int64_t ran_ms)
{
    count(&m->ended, job, result_label(result), ran_ms);
}

void metrics_refused(struct metrics *m)
{
    m->refused++;
}

/* ---- the text ---- */

static void add_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_counters(struct buf *out, const struct family *f, const char *name,
                         const char *help)
{
    add_head(out, name, "counter", help);
    VEC_EACH (s, &f->all)
        buf_printf(out, "%s{%s} %" PRIu64 "\n", name, s->labels, s->count);
}

static void add_histogram(struct buf *out, const struct family *f, const char *name,
                          const char *help)
{
    add_head(out, name, "histogram", help);
    VEC_EACH (s, &f->all) {
        uint64_t sum = 0;

        for (size_t i = 0; i < COUNT_OF(bounds); i++)
            buf_printf(out, "%s_bucket{%s,le=\"%g\"} %" PRIu64 "\n", name, s->labels, bounds[i],
                       sum += s->buckets[i]);
        buf_printf(out, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", name, s->labels, s->count);
        buf_printf(out, "%s_sum{%s} %.15g\n", name, s->labels, s->sum);
        buf_printf(out, "%s_count{%s} %" PRIu64 "\n", name, s->labels, s->count);
    }
}

static void add_one(struct buf *out, const char *name, const char *type, const char *help,
                    double value)
{
    add_head(out, name, type, help);
    buf_printf(out, "%s %.15g\n", name, value);
}

/* ---- of registrations ---- */

/* Where it is registered, from its address: "https://host/owner/repo", ".../owner", ".../enterprises/name". */
static void add_scope_labels(struct buf *out, const struct snapshot_registration *r)
{
    struct slice url = slice_of(r->url), first = {0}, second = {0};
    ssize_t at = slice_find(url, SLICE("://"));

    url = at < 0 ? url : slice_from(url, (size_t)at + 3);
    (void)slice_split(&url, '/', &first); /* the host */
    first = (struct slice){0};
    (void)(slice_split(&url, '/', &first) && slice_split(&url, '/', &second));
    bool enterprise = slice_eq(first, SLICE("enterprises"));

    add_label(out, "name", slice_of(r->name));
    add_label(out, "repository", enterprise ? (struct slice){0} : second);
    add_label(out, "organization", enterprise ? (struct slice){0} : first);
    add_label(out, "enterprise", enterprise ? second : (struct slice){0});
    add_label(out, "namespace", (struct slice){0});
}

/* As the server counts: a registration is one runner, whatever it runs at once; of a scale set it says it itself. */
static const struct queue_scale *scale_of(const struct snapshot_registration *r)
{
    return r->health.scale;
}

typedef double value_fn(const struct snapshot *s, const struct snapshot_registration *r,
                        int64_t now_ms);

static double assigned(const struct snapshot *s, const struct snapshot_registration *r, int64_t now)
{
    (void)s;
    (void)now;
    return scale_of(r) ? (double)scale_of(r)->assigned : r->running;
}

static double running(const struct snapshot *s, const struct snapshot_registration *r, int64_t now)
{
    (void)s;
    (void)now;
    return scale_of(r) ? (double)scale_of(r)->running : r->running;
}

static double registered(const struct snapshot *s, const struct snapshot_registration *r,
                         int64_t now)
{
    (void)s;
    (void)now;
    return scale_of(r) ? (double)scale_of(r)->registered : !r->health.ended;
}

static double busy(const struct snapshot *s, const struct snapshot_registration *r, int64_t now)
{
    if (scale_of(r))
        return (double)scale_of(r)->busy;
    return r->running < registered(s, r, now) ? r->running : registered(s, r, now);
}

static double idle(const struct snapshot *s, const struct snapshot_registration *r, int64_t now)
{
    return scale_of(r) ? (double)scale_of(r)->idle : registered(s, r, now) - busy(s, r, now);
}

static double least(const struct snapshot *s, const struct snapshot_registration *r, int64_t now)
{
    (void)s;
    (void)now;
    return scale_of(r)->least;
}

static double most(const struct snapshot *s, const struct snapshot_registration *r, int64_t now)
{
    (void)s;
    (void)now;
    return scale_of(r)->most;
}

static double desired(const struct snapshot *s, const struct snapshot_registration *r, int64_t now)
{
    (void)s;
    (void)now;
    return scale_of(r)->desired;
}

static double connected(const struct snapshot *s, const struct snapshot_registration *r,
                        int64_t now)
{
    (void)s;
    (void)now;
    return r->health.connected;
}

static double contact_age(const struct snapshot *s, const struct snapshot_registration *r,
                          int64_t now)
{
    int64_t since = r->health.contact_ms ? r->health.contact_ms : s->started_ms;

    return (double)(now > since ? now - since : 0) / 1000;
}

static double requests(const struct snapshot *s, const struct snapshot_registration *r, int64_t now)
{
    (void)s;
    (void)now;
    return (double)r->health.requests;
}

static double failures(const struct snapshot *s, const struct snapshot_registration *r, int64_t now)
{
    (void)s;
    (void)now;
    return (double)r->health.failures;
}

static const struct {
    const char *name, *type, *help;
    value_fn *value;
    bool scale_sets; /* others have none */
} of_registrations[] = {
    {"gha_assigned_jobs", "gauge", "Jobs assigned to this registration.", assigned, false},
    {"gha_running_jobs", "gauge", "Jobs running, or about to.", running, false},
    {"gha_registered_runners", "gauge", "Runners that are registered.", registered, false},
    {"gha_busy_runners", "gauge", "Registered runners that run a job.", busy, false},
    {"gha_idle_runners", "gauge", "Registered runners that run none.", idle, false},
    {"gha_min_runners", "gauge", "Least number of runners.", least, true},
    {"gha_max_runners", "gauge", "Greatest number of runners.", most, true},
    {"gha_desired_runners", "gauge", "Runners there should be now.", desired, true},
    {"ostler_registration_connected", "gauge", "1 if the last exchange with the server went well.",
     connected, false},
    {"ostler_registration_contact_age_seconds", "gauge",
     "Since the last answer of the server; without one, since the start.", contact_age, false},
    {"ostler_registration_requests_total", "counter", "Requests to the server.", requests, false},
    {"ostler_registration_failures_total", "counter", "Requests that failed.", failures, false},
};

static void add_registrations(struct buf *out, const struct snapshot *now, int64_t now_ms)
{
    for (size_t i = 0; i < COUNT_OF(of_registrations); i++) {
        const char *name = of_registrations[i].name;
        bool said = false;

        for (size_t k = 0; k < now->n_registrations; k++) {
            const struct snapshot_registration *r = &now->registrations[k];
            CLEANUP(buf_deinit) struct buf labels = BUF_INIT(20 * METRICS_LABEL_MAX);

            if (of_registrations[i].scale_sets && !scale_of(r))
                continue;
            if (!said)
                add_head(out, name, of_registrations[i].type, of_registrations[i].help);
            said = true;
            add_scope_labels(&labels, r);
            buf_printf(out, "%s{%s} %.15g\n", name, labels.ptr,
                       of_registrations[i].value(now, r, now_ms));
        }
    }
}

/* ---- of the listener ---- */

static void add_process(struct buf *out, const struct metrics *m)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(4096);
    struct slice fields, size, pages = {0};
    struct err ignored = ERR_INIT; /* without /proc these are left out */
    struct rusage used;

    if (getrusage(RUSAGE_SELF, &used) == 0)
        add_one(out, "process_cpu_seconds_total", "counter", "CPU time of the listener itself.",
                (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                    (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    if (path_read(AT_FDCWD, "/proc/self/statm", &text, &ignored) == ERR_OK) {
        fields = buf_slice(&text);
        if (slice_split(&fields, ' ', &size) && slice_split(&fields, ' ', &pages))
            add_one(out, "process_resident_memory_bytes", "gauge",
                    "Resident memory of the listener itself.",
                    strtod(pages.ptr, NULL) * (double)sysconf(_SC_PAGESIZE));
    }
    add_one(out, "process_start_time_seconds", "gauge", "When it came up, since 1970.",
            (double)m->born);
}

static void add_listener(struct buf *out, const struct metrics *m, const struct snapshot *now,
                         int64_t now_ms)
{
    CLEANUP(buf_deinit) struct buf version = BUF_INIT(4 * METRICS_LABEL_MAX);

    add_label(&version, "version", slice_of(now->version));
    add_head(out, "ostler_build_info", "gauge", "Always 1; the version is a label.");
    buf_printf(out, "ostler_build_info{%s} 1\n", version.ptr);
    add_one(out, "ostler_ready", "gauge", "1 if jobs would be taken.",
            snapshot_is_ready(now, now_ms, NULL));
    add_one(out, "ostler_draining", "gauge", "1 if no job is taken any more.", now->draining);
    add_one(out, "ostler_slots", "gauge", "Jobs that may run at once.", now->slots);
    add_one(out, "ostler_slots_busy", "gauge", "Jobs that run.", (double)now->n_jobs);
    add_one(out, "ostler_refused_jobs_total", "counter",
            "Jobs that were not run: a policy forbids them, or there was no place.",
            (double)m->refused);
    if (now->disk_free >= 0)
        add_one(out, "ostler_disk_free_bytes", "gauge", "Room where jobs work.",
                (double)now->disk_free);
    if (now->disk_wanted >= 0)
        add_one(out, "ostler_disk_wanted_bytes", "gauge",
                "Room there has to be before a job is taken.", (double)now->disk_wanted);
}

void metrics_format(const struct metrics *m, const struct snapshot *now, int64_t now_ms,
                    struct buf *out)
{
    add_registrations(out, now, now_ms);
    add_counters(out, &m->started, "gha_started_jobs_total", "Jobs started.");
    add_counters(out, &m->ended, "gha_completed_jobs_total", "Jobs completed.");
    add_histogram(out, &m->started, "gha_job_startup_duration_seconds",
                  "From a job's assignment to its start.");
    add_histogram(out, &m->ended, "gha_job_execution_duration_seconds",
                  "From a job's start to its end.");
    add_listener(out, m, now, now_ms);
    add_process(out, m);
}
