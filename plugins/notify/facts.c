#include "facts.h"

#include <ostler/ext.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *result_name(enum result r)
{
    static const char *const names[] = {"success", "failure", "cancelled"};

    return names[r];
}

static const char *context(struct ost_step *step, const char *name)
{
    const char *value = step->host->context(step, name);

    return value ? value : "";
}

static enum result result_of(const char *name)
{
    return strcmp(name, "failure") == 0     ? RESULT_FAILURE
           : strcmp(name, "cancelled") == 0 ? RESULT_CANCELLED
                                            : RESULT_SUCCESS;
}

/* A failure is worse than being cancelled: it is what somebody has to look at. */
static enum result worse(enum result a, enum result b)
{
    if (a == RESULT_FAILURE || b == RESULT_FAILURE)
        return RESULT_FAILURE;
    return a == RESULT_CANCELLED ? a : b;
}

const struct json *json_of(struct ost_step *step, const char *text, const char **ret_why)
{
    size_t size = strlen(text);
    char *copy = step->host->alloc(step, size + 1);

    memcpy(copy, text, size + 1);
    return json_read(step, copy, size, false, ret_why);
}

/* A context as a tree; NULL when there is none. */
static const struct json *tree(struct ost_step *step, const char *name)
{
    const char *why;

    return json_of(step, context(step, name), &why);
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static const char *duration(struct ost_step *step)
{
    const char *started = step->host->saved(step, "started");
    int64_t s = started ? (now_ms() - strtoll(started, NULL, 10)) / 1000 : -1;

    if (s < 0)
        return "";
    if (s < 60)
        return ost_fmt(step, "%d s", (int)s);
    if (s < 3600)
        return ost_fmt(step, "%d min %d s", (int)(s / 60), (int)(s % 60));
    return ost_fmt(step, "%lld h %d min", (long long)(s / 3600), (int)(s / 60 % 60));
}

void facts_load(struct facts *f, struct ost_step *step)
{
    const struct json *need;

    *f = (struct facts){.step = step, .needs = tree(step, "needs"), .duration = duration(step)};
    if (f->needs && f->needs->kind != JSON_OBJECT)
        f->needs = NULL;
    f->planned = step->host->phase(step) == OST_PHASE_PLAN;
    f->status = f->job = result_of(context(step, "job.status"));
    for (need = f->needs ? f->needs->first : NULL; need; need = need->next)
        f->status = worse(f->status, result_of(json_text(need, "result")));
}

/* ---- what has to be put together ---- */

static const char *repository_url(const struct facts *f)
{
    const char *server = context(f->step, "github.server_url");
    const char *repository = context(f->step, "github.repository");

    return *server && *repository ? ost_fmt(f->step, "%s/%s", server, repository) : "";
}

static const char *run_url(const struct facts *f)
{
    const char *base = repository_url(f), *id = context(f->step, "github.run_id");

    return *base && *id ? ost_fmt(f->step, "%s/actions/runs/%s", base, id) : "";
}

static const char *commit_url(const struct facts *f)
{
    const char *base = repository_url(f), *sha = context(f->step, "github.sha");

    return *base && *sha ? ost_fmt(f->step, "%s/commit/%s", base, sha) : "";
}

static const char *commit_short(const struct facts *f)
{
    struct span sha = span_of(context(f->step, "github.sha"));

    sha.size = sha.size > 7 ? 7 : sha.size;
    return span_dup(f->step, sha);
}

static const char *branch(const struct facts *f)
{
    const char *head = context(f->step, "github.head_ref"); /* a pull request's own */

    return *head ? head : context(f->step, "github.ref_name");
}

static const char *commit_message(const struct facts *f)
{
    struct span rest = span_of(context(f->step, "github.event.head_commit.message")), line;

    return span_line(&rest, &line) ? span_dup(f->step, line) : "";
}

/* The first one that failed: of those that have an id, as only these are known by name. */
static const char *failed_step(const struct facts *f)
{
    const struct json *steps = tree(f->step, "steps");

    if (steps && steps->kind == JSON_OBJECT)
        for (const struct json *s = steps->first; s; s = s->next)
            if (strcmp(json_text(s, "outcome"), "failure") == 0)
                return s->key;
    return "";
}

static const char *needs_text(const struct facts *f)
{
    struct sink k = {.step = f->step};

    for (const struct json *n = f->needs ? f->needs->first : NULL; n; n = n->next)
        sink_addf(&k, "%s%s: %s", k.size ? ", " : "", n->key, json_text(n, "result"));
    return sink_text(&k);
}

static const char *flag(const struct facts *f, enum result r)
{
    return f->status == r ? "true" : "";
}

static const char *status_text(const struct facts *f)
{
    return result_name(f->status);
}

static const char *status_icon(const struct facts *f)
{
    static const char *const icons[] = {"\xe2\x9c\x85", "\xe2\x9d\x8c", "\xe2\x9a\xaa"};

    return icons[f->status];
}

static const char *status_words(const struct facts *f)
{
    static const char *const words[] = {"succeeded", "failed", "was cancelled"};

    return words[f->status];
}

static const char *is_success(const struct facts *f)
{
    return flag(f, RESULT_SUCCESS);
}

static const char *is_failure(const struct facts *f)
{
    return flag(f, RESULT_FAILURE);
}

static const char *is_cancelled(const struct facts *f)
{
    return flag(f, RESULT_CANCELLED);
}

static const char *job_status(const struct facts *f)
{
    return result_name(f->job);
}

static const char *duration_text(const struct facts *f)
{
    return f->duration;
}

static const char *need_name(const struct facts *f)
{
    return f->need ? f->need->key : "";
}

static const char *need_result(const struct facts *f)
{
    return json_text(f->need, "result");
}

static const char *title_text(const struct facts *f)
{
    return f->title ? f->title : "";
}

static const char *message_text(const struct facts *f)
{
    return f->message ? f->message : "";
}

/* What leaves the job by a message leaves it as it would by its log. A runner that is older than this service has
 * nobody to ask. */
const char *facts_masked(const struct facts *f, const char *text)
{
    const struct ost_mask_v1 *mask = f->step->host->extension(f->step, OST_EXT_MASK);
    const char *masked;

    if (!*text || !mask)
        return text;
    return mask->apply(f->step, text, &masked) < 0 ? "***" : masked;
}

/* ---- the table ---- */

static const struct {
    const char *name;
    const char *context; /* NULL: GET says */
    const char *(*get)(const struct facts *f);
} names[] = {
    {"status", NULL, status_text},
    {"status.icon", NULL, status_icon},
    {"status.words", NULL, status_words},
    {"success", NULL, is_success},
    {"failure", NULL, is_failure},
    {"cancelled", NULL, is_cancelled},
    {"job", "github.job", NULL},
    {"job.status", NULL, job_status},
    {"workflow", "github.workflow", NULL},
    {"repository", "github.repository", NULL},
    {"ref", "github.ref", NULL},
    {"branch", NULL, branch},
    {"commit", "github.sha", NULL},
    {"commit.short", NULL, commit_short},
    {"commit.message", NULL, commit_message},
    {"commit.url", NULL, commit_url},
    {"actor", "github.actor", NULL},
    {"event", "github.event_name", NULL},
    {"run.id", "github.run_id", NULL},
    {"run.number", "github.run_number", NULL},
    {"run.attempt", "github.run_attempt", NULL},
    {"run.url", NULL, run_url},
    {"duration", NULL, duration_text},
    {"failed.step", NULL, failed_step},
    {"needs", NULL, needs_text},
    {"need.name", NULL, need_name},
    {"need.result", NULL, need_result},
    {"title", NULL, title_text},
    {"message", NULL, message_text},
};

const char *facts_names(struct ost_step *step)
{
    struct sink k = {.step = step};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        sink_addf(&k, "%s%s", i ? ", " : "", names[i].name);
    return sink_text(&k);
}

/* A path into one of the job's contexts. The host keeps secrets out of them. */
static bool is_path(const char *name)
{
    static const char *const roots[] = {"github.", "job.",    "needs.",    "steps.",  "matrix.",
                                        "vars.",   "inputs.", "strategy.", "runner.", "env."};

    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++)
        if (strncmp(name, roots[i], strlen(roots[i])) == 0)
            return name[strlen(roots[i])] != '\0';
    return false;
}

const char *facts_get(const struct facts *f, const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i].name, name) == 0)
            return names[i].get ? names[i].get(f) : context(f->step, names[i].context);
    return is_path(name) ? context(f->step, name) : NULL;
}
