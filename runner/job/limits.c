#include "job/limits.h"

#include "base/clock.h"
#include "job/disk.h"
#include "job/steps.h"

enum { WATCH_MS = 100, MIB = 1 << 20 };

/* The kernel kills the biggest one and does not tell which it was; so it is looked at before, while
 * memory runs short. */
static void on_time(void *ctx)
{
    struct run *run = ctx;
    struct sandbox_process p;

    run->limits.timer = loop_timer(run->loop, clock_ms() + WATCH_MS, on_time, run);
    if (sandbox_biggest(run->sandbox, &p) && p.memory > run->limits.biggest.memory)
        run->limits.biggest = p;
}

/* What runs ends here. What follows, to clean up or to tell, may run, but not make it much worse. */
static void on_disk_over(void *ctx, int64_t used)
{
    struct run *run = ctx;

    if (!run->seq.frame)
        return;                     /* nothing of the job's own runs yet: it is told so again */
    if (run->limits.disk_stopped) { /* what it had written until its end was seen only now */
        run->limits.disk_stopped = false;
        disk_allow(run->limits.disk, used + run->job->limits.disk_bytes / 8);
        return;
    }
    run->limits.disk_over = used;
    sequence_break(&run->seq);
}

void limits_begin(struct run *run)
{
    if (run->dir >= 0 && run->job->limits.disk_bytes)
        run->limits.disk =
            disk_new(run->dir, run->job->limits.disk_bytes, run->loop, on_disk_over, run);
    if (run->sandbox && run->job->limits.memory_bytes)
        run->limits.timer = loop_timer(run->loop, clock_ms() + WATCH_MS, on_time, run);
}

void limits_end(struct run *run)
{
    run->limits.timer = timer_free(run->limits.timer);
    run->limits.disk = disk_free(run->limits.disk);
}

/* Once, in the innermost step that was stopped for it. */
static void tell_disk(struct step_run *s)
{
    struct run *run = s->run;

    if (!s->broken || !run->limits.disk_over)
        return;
    log_issue(s->log, ANNOTATION_ERROR,
              "Disk limit: the job's files take %lld MiB, and may take %lld MiB: what ran was "
              "stopped.",
              (long long)(run->limits.disk_over / MIB + 1),
              (long long)(run->job->limits.disk_bytes / MIB));
    run->limits.disk_over = 0;
    run->limits.disk_stopped = true;
}

static void tell_killed(struct step_run *s, uint64_t n, enum annotation_level level)
{
    const struct run *run = s->run;
    const struct sandbox_process *p = &run->limits.biggest;
    const char *who = "";

    if (*p->name)
        who = arena_printf(&s->arena, "; the biggest process was %s, last seen with %llu MiB",
                           p->name, (unsigned long long)(p->memory / MIB));
    log_issue(s->log, level,
              "Out of memory: %llu process%s of the job %s killed at its limit of %lld MiB%s.",
              (unsigned long long)n, n == 1 ? "" : "es", n == 1 ? "was" : "were",
              (long long)(run->job->limits.memory_bytes / MIB), who);
}

void limits_tell(struct step_run *s, enum result result)
{
    struct run *run = s->run;
    const struct job_limits *l = &run->job->limits;
    enum annotation_level level = result == RESULT_SUCCESS ? ANNOTATION_WARNING : ANNOTATION_ERROR;
    struct sandbox_stats now;

    tell_disk(s);
    if (!run->sandbox || (!l->memory_bytes && !l->processes))
        return;
    sandbox_stats(run->sandbox, &now);
    if (now.oom_kills > run->limits.killed)
        tell_killed(s, now.oom_kills - run->limits.killed, level);
    if (l->processes && now.pids_refused > run->limits.refused)
        log_issue(s->log, level,
                  "The job may have %lld processes at once, and asked for more %llu times.",
                  (long long)l->processes,
                  (unsigned long long)(now.pids_refused - run->limits.refused));
    run->limits.killed = now.oom_kills;
    run->limits.refused = now.pids_refused;
}

void limits_tell_peak(struct run *run, struct log *log)
{
    struct sandbox_stats now;

    if (!run->sandbox || !run->job->limits.memory_bytes)
        return;
    sandbox_stats(run->sandbox, &now);
    if (now.memory_peak)
        log_printf(log, LOG_PLAIN, "Peak memory: %llu MiB of %lld MiB",
                   (unsigned long long)(now.memory_peak / MIB),
                   (long long)(run->job->limits.memory_bytes / MIB));
}
