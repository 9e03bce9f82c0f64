#include "queue/github/report/records.h"

#include "queue/loose.h"

#include "base/slice.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { TELEMETRY_MESSAGES = 3, TELEMETRY_CHARACTERS = 256 };

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static bool is(const char *text, const char *wanted)
{
    return text && strcmp(text, wanted) == 0;
}

static char *copy_of(const char *text)
{
    return text && *text ? mem_dup(text, records_cut(slice_of(text), RECORDS_TEXT_MAX)) : NULL;
}

static void set_time(char ret[CLOCK_STAMP_SIZE], const char *time)
{
    snprintf(ret, CLOCK_STAMP_SIZE, "%s", time);
}

void records_ms(const char *time, char ret[RECORDS_MS_SIZE])
{
    snprintf(ret, RECORDS_MS_SIZE, "%.23sZ", time);
}

/* ---- results ---- */

const char *records_result_name(enum records_result r)
{
    static const char *const names[RECORDS_RESULTS] = {
        [RECORDS_SUCCEEDED] = "succeeded", [RECORDS_SUCCEEDED_WITH_ISSUES] = "succeededWithIssues",
        [RECORDS_FAILED] = "failed",       [RECORDS_CANCELED] = "canceled",
        [RECORDS_SKIPPED] = "skipped",     [RECORDS_ABANDONED] = "abandoned"};

    return names[r];
}

enum records_result records_result_of(const char *name)
{
    return is(name, "success")     ? RECORDS_SUCCEEDED
           : is(name, "cancelled") ? RECORDS_CANCELED
           : is(name, "skipped")   ? RECORDS_SKIPPED
                                   : RECORDS_FAILED;
}

/* ---- records ---- */

static void change(struct record *s)
{
    s->changed = RECORDS_FOR_ALL;
}

static void record_deinit(struct record *s)
{
    free(s->name);
    free(s->type);
    free(s->action);
    free(s->ref);
    free(s->context);
    json_decref(s->issues);
}

static struct record *record_new(const char *id, const char *name)
{
    struct record *s = mem_new(sizeof *s);

    if (id)
        snprintf(s->id, sizeof s->id, "%s", id);
    else
        random_uuid(s->id);
    s->name = copy_of(name ? name : "step");
    s->issues = json_array();
    change(s);
    return s;
}

static void set_text_to(char **at, const char *text)
{
    free(*at);
    *at = copy_of(text);
}

static void set_kind(struct record *s, const char *type, const char *action, const char *ref)
{
    set_text_to(&s->type, type);
    set_text_to(&s->action, action);
    set_text_to(&s->ref, ref);
}

/* What ran it, as GitHub's runner calls that (src/Runner.Worker/Handlers/): nothing, of a step that was skipped. */
static void set_ran(struct record *s, const char *kind, const char *by)
{
    bool script = is(kind, "run"), image = is(s->type, "docker");

    if (is(s->type, "runner"))
        return;
    if (!kind)
        set_kind(s, NULL, NULL, NULL);
    else if (script && by)
        set_text_to(&s->action, by);
    else if (is(kind, "docker"))
        set_text_to(&s->type, image ? "DockerHub" : "Dockerfile");
    else if (is(kind, "node"))
        set_text_to(&s->type, by ? by : kind);
    else if (!script && !is(kind, "control"))
        set_text_to(&s->type, kind);
}

/* A step of the runner's own is called by its name: "initialize_containers". */
static void set_own_kind(struct record *s)
{
    static const struct {
        const char *name, *action;
    } others[] = {{"Set up job", "setup_job"},
                  {"Set up runner", "Pre Job Hook"},
                  {"Complete runner", "Post Job Hook"}};

    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (is(s->name, others[i].name)) {
            set_kind(s, "runner", others[i].action, NULL);
            return;
        }
    char *name = copy_of(s->name);
    for (char *c = name; c && *c; c++)
        *c = *c == ' ' ? '_' : *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    set_kind(s, "runner", name, NULL);
    free(name);
}

void records_init(struct records *r, const struct records_spec *spec)
{
    *r = (struct records){.ref_name = copy_of(spec->ref_name),
                          .worker_name = copy_of(spec->worker_name)};
    snprintf(r->job.id, sizeof r->job.id, "%s", spec->job_id);
    r->job.name = copy_of(spec->name ? spec->name : "job");
    r->job.issues = json_array();
    for (size_t i = 0; i < spec->n_steps; i++) {
        const struct records_step *one = &spec->steps[i];
        struct record *s = record_new(one->id, one->name);

        set_kind(s, one->type, one->action, one->ref);
        s->stage = "Main";
        s->context = copy_of(one->context);
        s->is_main = true;
        s->order = (int)i + 2; /* "Set up job" comes first */
        vec_push(&r->steps, s);
    }
}

void records_deinit(struct records *r)
{
    VEC_EACH (s, &r->steps) {
        record_deinit(*s);
        free(*s);
    }
    vec_deinit(&r->steps);
    vec_deinit(&r->ended);
    record_deinit(&r->job);
    free(r->ref_name);
    free(r->worker_name);
    free(r->environment_url);
    json_decref(r->outputs);
}

struct record *records_find(const struct records *r, int64_t step)
{
    for (size_t i = r->steps.len; i-- > 0;)
        if (step > 0 && r->steps.ptr[i]->event_step == step)
            return r->steps.ptr[i];
    return NULL;
}

static struct record *find_id(const struct records *r, const char *id)
{
    VEC_EACH (s, &r->steps)
        if (id && (*s)->is_main && strcmp((*s)->id, id) == 0)
            return *s;
    return NULL;
}

/* ---- order ---- */

static void put_at(struct records *r, size_t at, struct record *s)
{
    vec_push(&r->steps, NULL);
    memmove(&r->steps.ptr[at + 1], &r->steps.ptr[at],
            (r->steps.len - 1 - at) * sizeof *r->steps.ptr);
    r->steps.ptr[at] = s;
}

static void number_anew(struct records *r)
{
    for (size_t i = 0; i < r->steps.len; i++) {
        struct record *s = r->steps.ptr[i];

        if (s->order != (int)i + 1)
            change(s);
        s->order = (int)i + 1;
    }
}

/* Which steps there are before the first of the message ("Initialize containers", "Pre ...") shows only as they begin:
 * those of the message make room. The first post step reserves as many numbers as there are records: they are given
 * out from the last one down as post steps are registered, which run in the reverse of that order. LEFT of them are
 * to come behind this one, then "Complete job" (actions/runner, ExecutionContext.CreatePostChild). */
static void place(struct records *r, struct record *s, const char *stage, int64_t left)
{
    bool post = is(stage, "post"), last = is(stage, "complete");

    r->settled = r->settled || post || last || is(stage, "main");
    if (!r->settled || (!post && !last && !r->reserved)) {
        put_at(r, r->settled ? r->steps.len : r->n_before++, s);
        number_anew(r);
        return;
    }
    if (post && !r->reserved)
        r->reserved = (int)r->steps.len;
    vec_push(&r->steps, s);
    if (!r->reserved)
        s->order = (int)r->steps.len;
    else if (post)
        s->order = 2 * r->reserved - (int)left;
    else
        s->order = 2 * r->reserved + 1;
}

/* ---- issues ---- */

/* What does not fit into 16 bits counts twice there. */
size_t records_cut(struct slice text, size_t n)
{
    size_t i = 0;

    for (size_t units = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if ((c & 0xc0) == 0x80)
            continue;
        units += c >= 0xf0 ? 2 : 1;
        if (units > n)
            break;
    }
    return i;
}

static void add_issue(struct record *s, enum records_level level, const char *message, json_t *data)
{
    static const char *const types[RECORDS_LEVELS] = {"notice", "warning", "error"};

    change(s);
    if (s->count[level]++ < RECORDS_ISSUES_MAX && s->order)
        json_object_set_new(data, "stepNumber", json_sprintf("%d", s->order));
    if (s->count[level] <= RECORDS_ISSUES_MAX)
        json_array_append_new(
            s->issues,
            json_pack("{s:s, s:s%, s:O}", "type", types[level], "message", message,
                      records_cut(slice_of(message), RECORDS_MESSAGE_MAX), "data", data));
    json_decref(data);
}

static enum records_level level_of(const char *name)
{
    return is(name, "notice")    ? RECORDS_NOTICE
           : is(name, "warning") ? RECORDS_WARNING
                                 : RECORDS_ERROR;
}

/* The line of the log that the annotation came with, the first one where there are several. */
static int64_t log_line(const char *message, int64_t n_lines)
{
    for (const char *c = message; *c; c++)
        n_lines -= *c == '\n';
    return n_lines;
}

static json_t *json_cut(const char *text)
{
    return json_stringn(text, records_cut(slice_of(text), RECORDS_TEXT_MAX));
}

static void annotate(struct record *s, const json_t *event, int64_t n_lines)
{
    static const struct {
        const char *from, *to;
    } places[] = {
        {"line", "line"}, {"end_line", "endLine"}, {"col", "col"}, {"end_col", "endColumn"}};
    static const char *const texts[] = {"file", "title", "code"};
    const char *message = text_of(event, "message");
    json_t *data = json_object();
    int64_t line = log_line(message ? message : "", n_lines);

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (text_of(event, texts[i]) && *text_of(event, texts[i]))
            json_object_set_new(data, texts[i], json_cut(text_of(event, texts[i])));
    for (size_t i = 0; i < COUNT_OF(places); i++)
        if (number_of(event, places[i].from) > 0)
            json_object_set_new(data, places[i].to,
                                json_sprintf("%" PRId64, number_of(event, places[i].from)));
    if (line > 0)
        json_object_set_new(data, "logFileLineNumber", json_sprintf("%" PRId64, line));
    add_issue(s, level_of(text_of(event, "level")), message ? message : "", data);
}

void records_job_issue(struct records *r, enum records_level level, const char *message)
{
    add_issue(&r->job, level, message, json_object());
}

/* ---- events ---- */

static void end_step(struct records *r, struct record *s, enum records_result result,
                     const char *time)
{
    if (s->state == RECORDS_COMPLETED)
        return;
    if (!s->started[0]) /* also a skipped step needs both, or the service refuses the job's end */
        set_time(s->started, time);
    set_time(s->finished, time);
    s->state = RECORDS_COMPLETED;
    s->result = result;
    change(s);
    vec_push(&r->ended, s);
}

static const char *stage_of(const char *name)
{
    return is(name, "main") ? "Main" : is(name, "post") || is(name, "complete") ? "Post" : "Pre";
}

static struct record *start_step(struct records *r, const json_t *event, const char *time)
{
    const char *stage = text_of(event, "stage"), *begun = text_of(event, "time");
    const char *name = text_of(event, "name");
    const struct record *of = find_id(r, text_of(event, "record"));
    struct record *s = is(stage, "main") ? find_id(r, text_of(event, "record")) : NULL;

    if (!s || s->event_step) {
        s = record_new(NULL, name);
        if (of)
            set_kind(s, of->type, of->action, of->ref);
        else
            set_own_kind(s);
        s->stage = stage_of(stage);
        place(r, s, stage, number_of(event, "left"));
    } else if (name && *name) { /* evaluated by now */
        free(s->name);
        s->name = copy_of(name);
    }
    r->settled = r->settled || is(stage, "main");
    s->event_step = (int)number_of(event, "step");
    s->state = RECORDS_IN_PROGRESS;
    set_time(s->started, begun && strlen(begun) == CLOCK_STAMP_SIZE - 1 ? begun : time);
    change(s);
    return s;
}

static void finish_step(struct records *r, struct record *s, const json_t *event, const char *time)
{
    s->elapsed_ms = number_of(event, "elapsed_ms");
    set_ran(s, text_of(event, "kind"), text_of(event, "by"));
    end_step(r, s, records_result_of(text_of(event, "conclusion")), time);
}

static void start_job(struct records *r, const char *time)
{
    r->job.state = RECORDS_IN_PROGRESS;
    set_time(r->job.started, time);
    change(&r->job);
}

static void end_job(struct records *r, const json_t *event)
{
    const char *url = text_of(event, "environment_url");

    r->job.result = records_result_of(text_of(event, "result"));
    json_decref(r->outputs);
    r->outputs = json_incref(json_object_get(event, "outputs"));
    free(r->environment_url);
    r->environment_url = copy_of(url);
}

struct record *records_event(struct records *r, const json_t *event, int64_t n_lines,
                             const char *time)
{
    const char *name = text_of(event, "event");
    struct record *s = records_find(r, number_of(event, "step"));

    if (is(name, "step.started"))
        return start_step(r, event, time);
    if (is(name, "job.started"))
        start_job(r, time);
    else if (is(name, "job.finished"))
        end_job(r, event);
    else if (is(name, "annotation") && s)
        annotate(s, event, n_lines);
    else if (is(name, "step.finished") && s)
        finish_step(r, s, event, time);
    return s;
}

struct record *records_never_began(struct records *r, enum records_result result, const char *why,
                                   const char *time)
{
    CLEANUP(loose_freep)
    json_t *set_up = json_pack("{s:s, s:i, s:s}", "stage", "setup", "step", RECORDS_SET_UP, "name",
                               "Set up job");

    if (r->settled || r->n_before) /* something did begin */
        return NULL;
    VEC_EACH (s, &r->steps) {
        record_deinit(*s);
        free(*s);
    }
    r->steps.len = 0;
    start_job(r, time);
    struct record *s = start_step(r, set_up, time);
    add_issue(s, RECORDS_ERROR, why, json_pack("{s:s}", "logFileLineNumber", "1"));
    end_step(r, s, result, time);
    return s;
}

void records_end(struct records *r, enum records_result result, const char *time)
{
    if (result)
        r->job.result = result;
    if (!r->job.result)
        r->job.result = RECORDS_FAILED;
    r->settled = true;
    VEC_EACH (s, &r->steps)
        end_step(r, *s,
                 (*s)->state == RECORDS_PENDING      ? RECORDS_SKIPPED
                 : r->job.result == RECORDS_CANCELED ? RECORDS_CANCELED
                                                     : RECORDS_FAILED,
                 time);
    if (!r->job.started[0])
        set_time(r->job.started, time);
    set_time(r->job.finished, time);
    r->job.state = RECORDS_COMPLETED;
    change(&r->job);
}

/* ---- what the services are told ---- */

bool records_is_news(const struct records *r, const struct record *one, enum records_reader reader)
{
    return (!one->is_main || r->settled) && (one->changed & (unsigned)reader);
}

static json_t *ms_or_null(const char *time)
{
    char text[RECORDS_MS_SIZE];

    if (!time[0])
        return json_null();
    records_ms(time, text);
    return json_string(text);
}

json_t *record_step_update(const struct record *step)
{
    static const int states[] = {
        [RECORDS_PENDING] = 5, [RECORDS_IN_PROGRESS] = 3, [RECORDS_COMPLETED] = 6};
    static const int conclusions[RECORDS_RESULTS] = {[RECORDS_SUCCEEDED] = 2,
                                                     [RECORDS_SUCCEEDED_WITH_ISSUES] = 2,
                                                     [RECORDS_FAILED] = 3,
                                                     [RECORDS_CANCELED] = 4,
                                                     [RECORDS_SKIPPED] = 7};

    return json_pack("{s:s, s:i, s:s, s:i, s:o, s:o, s:i}", "external_id", step->id, "number",
                     step->order, "name", step->name, "status", states[step->state], "started_at",
                     ms_or_null(step->started), "completed_at", ms_or_null(step->finished),
                     "conclusion", conclusions[step->result]);
}

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text && *text)
        json_object_set_new(object, key, json_string(text));
}

json_t *record_timeline(const struct records *r, const struct record *one)
{
    static const char *const states[] = {"pending", "inProgress", "completed"};
    json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:O}", "id", one->id, "type",
                          one->order ? "Task" : "Job", "name", one->name, "state",
                          states[one->state], "errorCount", one->count[RECORDS_ERROR],
                          "warningCount", one->count[RECORDS_WARNING], "noticeCount",
                          one->count[RECORDS_NOTICE], "issues", one->issues);

    if (one->order) {
        set_text(j, "parentId", r->job.id);
        json_object_set_new(j, "order", json_integer(one->order));
    } else {
        set_text(j, "refName", r->ref_name);
    }
    set_text(j, "workerName", r->worker_name);
    set_text(j, "startTime", one->started);
    set_text(j, "finishTime", one->finished);
    if (one->state == RECORDS_COMPLETED)
        set_text(j, "result", records_result_name(one->result));
    if (one->log_id)
        json_object_set_new(j, "log", json_pack("{s:I}", "id", (json_int_t)one->log_id));
    return j;
}

static int64_t data_number(const json_t *data, const char *key)
{
    const char *text = text_of(data, key);

    return text ? strtoll(text, NULL, 10) : 0;
}

static void set_number(json_t *object, const char *key, int64_t n)
{
    if (n)
        json_object_set_new(object, key, json_integer(n));
}

/* A lone start is the end, too; what points nowhere points into the step's log. */
static json_t *annotation_of(const json_t *issue)
{
    const json_t *data = json_object_get(issue, "data");
    const char *type = text_of(issue, "type"), *path = text_of(data, "file");
    int64_t line = data_number(data, "line"), end = data_number(data, "endLine");
    int64_t col = data_number(data, "col"), end_col = data_number(data, "endColumn");
    json_t *j = json_pack("{s:s, s:O}", "level", is(type, "error") ? "failure" : type, "message",
                          json_object_get(issue, "message"));

    if (!path && !line)
        line = end = data_number(data, "logFileLineNumber");
    set_text(j, "title", text_of(data, "title"));
    set_text(j, "path", path);
    set_number(j, "startLine", line);
    set_number(j, "endLine", end ? end : line);
    set_number(j, "startColumn", col);
    set_number(j, "endColumn", end_col ? end_col : col);
    set_number(j, "stepNumber", data_number(data, "stepNumber"));
    return j;
}

/* An annotation without a message is refused, and the job's end with it. */
static json_t *annotations_of(const struct record *s)
{
    json_t *all = json_array(), *issue;
    size_t i;

    json_array_foreach (s->issues, i, issue)
        if (slice_trim(slice_of(text_of(issue, "message"))).len)
            json_array_append_new(all, annotation_of(issue));
    return all;
}

json_t *records_step_results(const struct records *r)
{
    json_t *all = json_array();

    VEC_EACH (at, &r->ended) {
        const struct record *s = *at;
        json_t *j =
            json_pack("{s:s, s:i, s:s, s:s, s:s, s:o, s:o, s:o}", "external_id", s->id, "number",
                      s->order, "name", s->name, "status", "completed", "conclusion",
                      records_result_name(s->result), "started_at", ms_or_null(s->started),
                      "completed_at", ms_or_null(s->finished), "annotations", annotations_of(s));

        set_text(j, "type", s->type);
        set_text(j, "action_name", s->action);
        set_text(j, "ref", s->ref);
        json_array_append_new(all, j);
    }
    return all;
}

/* The first three errors and warnings are told, each up to 256 characters. */
static json_t *messages_of(const struct record *s)
{
    json_t *all = json_array(), *issue;
    size_t i;

    json_array_foreach (s->issues, i, issue) {
        struct slice text = slice_of(text_of(issue, "message"));

        if (text.len && !is(text_of(issue, "type"), "notice") &&
            json_array_size(all) < TELEMETRY_MESSAGES)
            json_array_append_new(all,
                                  json_stringn(text.ptr, records_cut(text, TELEMETRY_CHARACTERS)));
    }
    return all;
}

json_t *records_telemetry(const struct records *r)
{
    json_t *all = json_array();

    VEC_EACH (at, &r->ended) {
        const struct record *s = *at;

        if (!s->type)
            continue;
        json_t *j =
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o}", "type", s->type, "stage",
                      s->stage, "stepId", s->id, "startTime", s->started, "finishTime", s->finished,
                      "result", records_result_name(s->result), "executionTimeInSeconds",
                      (json_int_t)(s->elapsed_ms + 999) / 1000, "errorMessages", messages_of(s));
        set_text(j, "action", s->action);
        set_text(j, "ref", s->ref);
        set_text(j, "stepContextName", s->context);
        json_array_append_new(all, j);
    }
    return all;
}

json_t *records_job_annotations(const struct records *r)
{
    return annotations_of(&r->job);
}

json_t *records_outputs(const struct records *r)
{
    json_t *all = json_object(), *value;
    const char *name;

    json_object_foreach (r->outputs, name, value)
        json_object_set_new(all, name, json_pack("{s:O}", "value", value));
    return all;
}
