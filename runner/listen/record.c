#include "listen/record.h"

#include "base/clock.h"
#include "report/report.h"

#include <stdio.h>
#include <stdlib.h>

struct job_record {
    struct report *folder;
    char *name; /* of the job in there */
    char *path;
    char *result; /* NULL: it has not ended */
    int64_t begun_ms, log_left;
};

const char *job_record_path(const struct job_record *r)
{
    return r->path;
}

static int put(struct job_record *r, json_t *take_event, struct err *err)
{
    int failed = report_event(r->folder, take_event, SLICE(""), err);

    json_decref(take_event);
    return failed;
}

static const json_t *fact(const struct job *job, const char *name)
{
    return json_object_get(json_object_get(job->contexts, "github"), name);
}

static int begin(struct job_record *r, const struct job *job, struct err *err)
{
    static const char *const facts[] = {"workflow", "event_name", "ref", "sha", "repository"};
    char now[CLOCK_STAMP_SIZE];

    clock_stamp(now);
    json_t *event = json_pack(
        "{s:s, s:i, s:o, s:s, s:i}", "event", "run.started", "schema", EVENT_SCHEMA, "run",
        json_sprintf("%lld", (long long)report_folder_id(r->folder)), "time", now, "jobs", 1);
    for (size_t i = 0; i < COUNT_OF(facts); i++)
        if (json_is_string(fact(job, facts[i])))
            json_object_set(event, facts[i],
                            (json_t *)(uintptr_t)(const void *)fact(job, facts[i]));
    int failed = put(r, event, err);
    return failed < 0
               ? failed
               : put(r,
                     json_pack("{s:s, s:s, s:s, s:[], s:i}", "event", "job.queued", "job", r->name,
                               "name", r->name, "needs", "steps", (int)job->n_steps),
                     err);
}

static void let_go(struct job_record *r)
{
    struct err ignored = ERR_INIT; /* there is nobody left to be told */

    (void)!report_close(r->folder, &ignored);
    free(r->name);
    free(r->path);
    free(r->result);
    free(r);
}

int job_record_new(const struct record_spec *spec, const struct job *job, struct job_record **ret,
                   struct err *err)
{
    const struct report_folder_spec folder = {.state = spec->state, .keep = spec->keep};
    const char *name = job->name ? job->name : job->id ? job->id : "job";
    struct report *report = NULL;

    if (report_folder_new(&folder, &report, err) < 0)
        return err->code;
    struct job_record *r = mem_new(sizeof *r);
    *r = (struct job_record){
        .folder = report,
        .name = mem_dup(name, strlen(name)),
        .path = mem_dup(report_folder_path(report), strlen(report_folder_path(report))),
        .begun_ms = clock_ms(),
        .log_left = spec->log_max ? spec->log_max : JOB_RECORD_LOG_MAX};
    if (begin(r, job, err) < 0) {
        let_go(r);
        return err->code;
    }
    *ret = r;
    return ERR_OK;
}

/* False: TEXT is left out. Where that begins is said. */
static int has_room(struct job_record *r, struct slice text, bool *ret, struct err *err)
{
    bool had = r->log_left > 0;

    r->log_left -= (int64_t)text.len;
    *ret = r->log_left > 0;
    if (*ret || !had)
        return ERR_OK;
    return put(
        r,
        json_pack("{s:s, s:s, s:s}", "event", "note", "text",
                  "the log is too large to be kept here: from here on only its server has it",
                  "job", r->name),
        err);
}

int job_record_event(struct job_record *r, const json_t *event, struct slice log, struct err *err)
{
    const char *kind = json_string_value(json_object_get(event, "event"));
    bool kept = true;

    if (kind && strcmp(kind, "log") == 0 && has_room(r, log, &kept, err) < 0)
        return err->code;
    if (!kept)
        return ERR_OK;
    if (kind && strcmp(kind, "job.finished") == 0 && !r->result) {
        const char *result = json_string_value(json_object_get(event, "result"));

        r->result = result ? mem_dup(result, strlen(result)) : NULL;
    }
    json_t *own = json_copy((json_t *)(uintptr_t)(const void *)event);
    json_object_set_new(own, "job", json_string(r->name));
    int failed = report_event(r->folder, own, log, err);
    json_decref(own);
    return failed;
}

void job_record_close(struct job_record *r, const char *why)
{
    struct err ignored = ERR_INIT; /* what is there already stays readable */

    if (!r)
        return;
    json_int_t ms = (json_int_t)(clock_ms() - r->begun_ms);
    if (!r->result)
        (void)!put(r,
                   json_pack("{s:s, s:s, s:s, s:s, s:I, s:{}, s:s*}", "event", "job.finished",
                             "job", r->name, "name", r->name, "result", "failure", "elapsed_ms", ms,
                             "outputs", "reason", why),
                   &ignored);
    (void)!put(r,
               json_pack("{s:s, s:s, s:I}", "event", "run.finished", "result",
                         r->result ? r->result : "failure", "elapsed_ms", ms),
               &ignored);
    let_go(r);
}
