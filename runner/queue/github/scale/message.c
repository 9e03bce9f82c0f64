#include "queue/github/scale/message.h"

#include "queue/github/lease.h"
#include "queue/loose.h"

#include <string.h>

static int64_t figure(const json_t *object, const char *name)
{
    int64_t n = loose_int(object, name, 0);

    return n < 0 ? 0 : n > SCALE_COUNT_MAX ? SCALE_COUNT_MAX : n;
}

bool scale_statistics_read(const json_t *object, struct scale_statistics *ret)
{
    const json_t *s = loose_find(object, "statistics");

    if (!json_is_object(s))
        return false;
    *ret = (struct scale_statistics){.available = figure(s, "totalAvailableJobs"),
                                     .acquired = figure(s, "totalAcquiredJobs"),
                                     .assigned = figure(s, "totalAssignedJobs"),
                                     .running = figure(s, "totalRunningJobs"),
                                     .registered = figure(s, "totalRegisteredRunners"),
                                     .busy = figure(s, "totalBusyRunners"),
                                     .idle = figure(s, "totalIdleRunners")};
    return true;
}

static const char *text_of(struct arena *a, const json_t *job, const char *name)
{
    return arena_str(a, slice_of(loose_text(job, name)));
}

static int64_t waited(const json_t *job)
{
    int64_t from = lease_time(loose_text(job, "scaleSetAssignTime"));
    int64_t to = lease_time(loose_text(job, "runnerAssignTime"));

    return from < 0 || to < 0 ? -1 : to < from ? 0 : to - from;
}

/* False: it is of a kind that is none of ours. */
static bool read_job(struct arena *a, const json_t *job, struct scale_job *ret)
{
    static const char *const names[SCALE_EVENTS] = {[SCALE_AVAILABLE] = "JobAvailable",
                                                    [SCALE_ASSIGNED] = "JobAssigned",
                                                    [SCALE_STARTED] = "JobStarted",
                                                    [SCALE_COMPLETED] = "JobCompleted"};
    const char *type = loose_text(job, "messageType");
    int event = 0;

    while (event < SCALE_EVENTS && strcmp(type, names[event]) != 0)
        event++;
    if (event == SCALE_EVENTS)
        return false;
    *ret = (struct scale_job){.event = (enum scale_event)event,
                              .request_id = loose_int(job, "runnerRequestId", 0),
                              .runner = text_of(a, job, "runnerName"),
                              .result = text_of(a, job, "result"),
                              .owner = text_of(a, job, "ownerName"),
                              .repository = text_of(a, job, "repositoryName"),
                              .name = text_of(a, job, "jobDisplayName"),
                              .trigger = text_of(a, job, "eventName"),
                              .waited_s = waited(job)};
    return true;
}

static void read_jobs(struct arena *a, const json_t *list, struct scale_message *ret)
{
    size_t most = json_array_size(list), i;
    json_t *job;

    if (most > SCALE_JOBS_MAX) {
        ret->odd = arena_printf(a, "it tells of more than %d jobs at once", SCALE_JOBS_MAX);
        most = SCALE_JOBS_MAX;
    }
    struct scale_job *jobs = arena_array(a, most + 1, sizeof *jobs);
    json_array_foreach (list, i, job) {
        if (i < most && read_job(a, job, &jobs[ret->n_jobs]))
            ret->n_jobs++;
    }
    ret->jobs = jobs;
}

int scale_message_parse(struct arena *a, struct slice text, struct scale_message *ret,
                        struct err *err)
{
    CLEANUP(loose_freep) json_t *message = NULL;
    CLEANUP(loose_freep) json_t *list = NULL;
    struct err why = ERR_INIT;
    int r = loose_parse(text, &message, err);

    if (r < 0)
        return r;
    struct scale_message m = {.id = loose_int(message, "messageId", 0)};
    if (m.id <= 0)
        return err_set(err, ERR_INVALID, "a message without a number");
    m.counted = scale_statistics_read(message, &m.statistics);
    const char *type = loose_text(message, "messageType"), *body = loose_text(message, "body");
    if (strcmp(type, "RunnerScaleSetJobMessages") != 0)
        m.odd = arena_printf(a, "it is of the kind '%.60s'", type);
    else if (*body && loose_parse(slice_of(body), &list, &why) < 0)
        m.odd = arena_printf(a, "its body: %s", why.text);
    else if (*body && !json_is_array(list))
        m.odd = "its body is no list";
    else
        read_jobs(a, list, &m);
    *ret = m;
    return ERR_OK;
}
