#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/random.h"
#include "io/kin.h"
#include "listen/leftovers.h"
#include "listen/listener_state.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { NAME_SIZE = 17 };

/* ---- tasks ---- */

struct task *listener_task(const struct listener *l, const char *key)
{
    VEC_EACH (t, &l->tasks)
        if (!(*t)->over && strcmp((*t)->key, key) == 0)
            return *t;
    return NULL;
}

int listener_running(const struct listener *l)
{
    int n = 0;

    VEC_EACH (m, &l->members)
        n += (*m)->running;
    return n;
}

int listener_slots(const struct listener *l)
{
    return l->spec.once ? 1 : l->spec.slots;
}

static char *copy_of(const char *text)
{
    return text ? mem_dup(text, strlen(text)) : NULL;
}

static char *github_text(const struct job *job, const char *name)
{
    const json_t *github = json_object_get(job->contexts, "github");

    return copy_of(json_string_value(json_object_get(github, name)));
}

/* Short, for sockets lie below it; no other listener's folder has this name. */
static char *folder_for(const struct listener *l)
{
    unsigned char bytes[8];
    char name[NAME_SIZE];

    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(name + 2 * i, sizeof name - 2 * i, "%02x", bytes[i]);
    return path_join(l->spec.work, name);
}

static struct task *task_new(struct member *m, const struct job *job)
{
    struct task *t = mem_new(sizeof *t);

    *t = (struct task){.member = m,
                       .key = copy_of(job->key),
                       .name = copy_of(job->name),
                       .repository = github_text(job, "repository"),
                       .workflow = github_text(job, "workflow"),
                       .event = github_text(job, "event_name"),
                       .dir = folder_for(m->listener),
                       .started_ms = clock_ms()};
    return t;
}

void task_free(struct task *t, bool known)
{
    if (known)
        journal_remove(t->entry);
    else
        journal_leave(t->entry);
    services_free(t->services);
    job_record_close(t->record, NULL);
    char *const texts[] = {t->key,   t->repository, t->name, t->workflow,
                           t->event, t->result,     t->dir};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        free(texts[i]);
    free(t);
}

static struct listener_job job_of(const struct task *t)
{
    return (struct listener_job){.key = t->key,
                                 .registration = t->member->name,
                                 .kind = t->member->kind,
                                 .repository = t->repository,
                                 .name = t->name,
                                 .workflow = t->workflow,
                                 .event = t->event,
                                 .result = t->result,
                                 .record = t->record ? job_record_path(t->record) : NULL,
                                 .started_ms = t->started_ms};
}

/* What is left of a job's folder: its worker has removed its own part. */
static void remove_folder(const struct listener *l, const struct member *m, const char *dir)
{
    struct err err = ERR_INIT;

    if (path_remove(AT_FDCWD, dir, &err) < 0)
        listener_say(l, LISTENER_WARNING, m, NULL, "%s", err.text);
}

/* ---- from a queue to a worker ---- */

/* Most actions get on without caches, so a job is not given up for them. */
static void serve(struct listener *l, struct task *t, struct job *job)
{
    CLEANUP(free_ptr) char *dir = path_join(t->dir, "run");
    struct err err = ERR_INIT;

    if (outfit_serve(l->spec.outfit, dir, l->spec.loop, job, &t->services, &err) < 0)
        listener_say(l, LISTENER_WARNING, t->member, t->key, "the job has no caches: %s", err.text);
}

/* Whatever is wrong with it, the job goes on. */
static void keep_record(struct listener *l, struct task *t, const struct job *job)
{
    struct err err = ERR_INIT;

    if (l->spec.records && job_record_new(l->spec.records, job, &t->record, &err) < 0)
        listener_say(l, LISTENER_WARNING, t->member, t->key, "no record is kept of it: %s",
                     err.text);
}

/* A disk may take longer for it than the worker takes to come up. */
static void make_last(const struct listener *l, const struct task *t)
{
    struct err err = ERR_INIT;

    if (journal_sync(t->entry, &err) < 0)
        listener_say(l, LISTENER_WARNING, t->member, t->key, "%s", err.text);
}

static int note_down(struct task *t, struct err *err)
{
    struct queue *q = t->member->queue;
    json_t *lease = q->ops->lease(q, t->key);
    int r = journal_add(t->member->journal, t->key, t->dir, lease, &t->entry, err);

    json_decref(lease);
    return r;
}

static int start(struct listener *l, struct task *t, struct job *job, struct err *err)
{
    const struct listener_hooks *hooks = &l->spec.hooks;
    CLEANUP(free_ptr) char *dir = path_join(t->dir, "job");
    int r = hooks->admit ? hooks->admit(hooks->ctx, job, err) : ERR_OK;

    if (r == ERR_OK)
        r = note_down(t, err);
    if (r < 0)
        return r;
    outfit_apply(l->spec.outfit, dir, job);
    serve(l, t, job);
    r = pool_start(l->pool, job, t->member->env, t->services, journal_hold(t->entry), err);
    if (r < 0) {
        remove_folder(l, t->member, t->dir);
        return r;
    }
    make_last(l, t); /* these two behind the start, which is not to wait for them */
    keep_record(l, t, job);
    return ERR_OK;
}

static void tell_end(struct member *m, const char *key, const char *why)
{
    struct err err = ERR_INIT;

    if (m->queue->ops->ended(m->queue, key, why, &err) < 0)
        listener_say(m->listener, LISTENER_ERROR, m, key, "%s", err.text);
}

static void take(struct listener *l, struct member *m, struct job *job)
{
    const struct listener_hooks *hooks = &l->spec.hooks;
    struct task *t = task_new(m, job);
    struct err err = ERR_INIT;

    l->pass_ms = LISTENER_PASS_MS;
    m->offered = -1; /* it has made use of what it was offered */
    m->turn = ++l->turns;
    if (l->spec.once)
        listener_drain(l);
    if (start(l, t, job, &err) < 0) {
        listener_say(l, LISTENER_WARNING, m, t->key, "the job is not run: %s", err.text);
        tell_end(m, t->key, err.text);
        t->over = true;
        vec_push(&l->tasks, t); /* until its server knows */
        return;
    }
    m->running++;
    vec_push(&l->tasks, t);
    struct listener_job info = job_of(t);
    if (hooks->started)
        hooks->started(hooks->ctx, &info);
}

/* True: it had one. */
static bool take_next(struct listener *l, struct member *m)
{
    struct err err = ERR_INIT;
    struct job *job = NULL;
    int r = m->queue->ops->next(m->queue, &job, &err);

    if (r < 0)
        listener_say(l, LISTENER_ERROR, m, NULL, "%s", err.text);
    if (r <= 0)
        return false;
    take(l, m, job);
    job_deinit(job);
    free(job);
    return true;
}

static struct member *first_in_turn(const struct listener *l, int64_t behind)
{
    struct member *best = NULL;

    VEC_EACH (m, &l->members)
        if ((*m)->turn > behind && (!best || (*m)->turn < best->turn))
            best = *m;
    return best;
}

void listener_hand_out(struct listener *l)
{
    bool taken = l->phase < PHASE_STOPPING;

    while (taken) { /* round by round: who takes one is asked again behind the others */
        int64_t last = l->turns, turn = -1;

        taken = false;
        for (struct member *m; (m = first_in_turn(l, turn)) && m->turn <= last;) {
            turn = m->turn;
            if (listener_running(l) < listener_slots(l))
                taken |= take_next(l, m);
        }
    }
}

/* ---- while it runs, and its end ---- */

int listener_on_event(void *ctx, const char *key, json_t *event, struct slice log, struct err *err)
{
    struct listener *l = ctx;
    struct task *t = listener_task(l, key);
    const char *name = json_string_value(json_object_get(event, "event"));
    struct err why = ERR_INIT;

    if (name && strcmp(name, "job.finished") == 0 && !t->result)
        t->result = copy_of(json_string_value(json_object_get(event, "result")));
    if (t->record && job_record_event(t->record, event, log, &why) < 0) {
        listener_say(l, LISTENER_WARNING, t->member, key, "its record ends here: %s", why.text);
        job_record_close(t->record, "the record could not be written on");
        t->record = NULL;
    }
    return t->member->queue->ops->event(t->member->queue, key, event, log, err);
}

void listener_on_end(void *ctx, const char *key, const char *why)
{
    struct listener *l = ctx;
    const struct listener_hooks *hooks = &l->spec.hooks;
    struct task *t = listener_task(l, key);

    t->over = true;
    t->services = services_free(t->services);
    if (!l->spec.outfit->keep)
        remove_folder(l, t->member, t->dir);
    t->member->running--;
    if (why)
        listener_say(l, LISTENER_WARNING, t->member, key, "the job was lost: %s", why);
    tell_end(t->member, key, why);
    struct listener_job info = job_of(t);
    if (hooks->ended)
        hooks->ended(hooks->ctx, &info);
    job_record_close(t->record, why);
    t->record = NULL;
    l->due = true;
}

static bool is_known(const struct task *t)
{
    const struct queue *q = t->member->queue;
    json_t *lease = t->entry ? q->ops->lease(q, t->key) : NULL;
    bool known = !lease;

    json_decref(lease);
    return known;
}

void listener_settle(struct listener *l, bool all)
{
    for (size_t i = l->tasks.len; i-- > 0;) {
        struct task *t = l->tasks.ptr[i];

        if (!t->over || !(all || is_known(t)))
            continue;
        vec_remove(&l->tasks, i);
        task_free(t, true);
    }
}

/* ---- what is owed without a job ---- */

static void debt_remove(struct member *m, const char *key)
{
    for (size_t i = 0; i < m->debts.len; i++) {
        if (strcmp(m->debts.ptr[i].key, key) != 0)
            continue;
        journal_remove(m->debts.ptr[i].entry);
        free(m->debts.ptr[i].key);
        vec_remove(&m->debts, i);
        return;
    }
}

void listener_on_owe(void *ctx, const char *key, const json_t *lease)
{
    struct member *m = ctx;
    CLEANUP(free_ptr) char *folder = lease ? folder_for(m->listener) : NULL; /* only for its name */
    struct journal_entry *entry = NULL;
    struct err err = ERR_INIT;

    if (!lease)
        debt_remove(m, key);
    else if (journal_add(m->journal, key, folder, lease, &entry, &err) < 0)
        listener_say(m->listener, LISTENER_WARNING, m, key,
                     "were this listener killed, its server would not be told: %s", err.text);
    else
        vec_push(&m->debts, (struct debt){copy_of(key), entry});
}

void listener_leave_debts(struct member *m)
{
    VEC_EACH (debt, &m->debts) {
        journal_leave(debt->entry);
        free(debt->key);
    }
    vec_deinit(&m->debts);
}

/* ---- what a killed listener left ---- */

static bool has_text(int proc, pid_t pid, struct slice text)
{
    enum { ENVIRONMENT_MAX = 4 << 20 };
    CLEANUP(buf_deinit) struct buf environment = BUF_INIT(ENVIRONMENT_MAX);
    CLEANUP(fd_closep) int fd = -1;
    struct err ignored = ERR_INIT; /* gone in the meantime, or somebody else's */
    char name[32];

    snprintf(name, sizeof name, "%ld/environ", (long)pid);
    fd = openat(proc, name, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && fd_read_all(fd, &environment, &ignored) == ERR_OK &&
           slice_find(buf_slice(&environment), text) >= 0;
}

static bool is_of_folder(void *ctx, const struct kin *k)
{
    const char *dir = ctx;
    CLEANUP(fd_closep) int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return proc >= 0 && has_text(proc, k->pid, slice_of(dir));
}

/* With namespaces all has ended with the worker. Without them what it ran knows the job's folder from its environment
 * (GITHUB_WORKSPACE and others), and the folder's name is like no other. */
static void kill_what_runs(const char *dir)
{
    CLEANUP(fd_closep) int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (proc >= 0)
        (void)kin_kill(proc, is_of_folder, (void *)(uintptr_t)dir);
}

static void on_lost(void *ctx, const struct journal_lost *lost)
{
    struct member *m = ctx;
    const struct listener *l = m->listener;
    CLEANUP(free_ptr) char *job = path_join(lost->dir, "job");
    struct err err = ERR_INIT;

    listener_say(l, LISTENER_WARNING, m, lost->key,
                 "the listener that ran this job was killed: its server is told that it is lost");
    kill_what_runs(lost->dir);
    if (leftovers_of_job(job, l->spec.env, &err) < 0)
        listener_say(l, LISTENER_WARNING, m, lost->key, "%s", err.text);
    remove_folder(l, m, lost->dir);
    if (lost->lease)
        m->queue->ops->recover(m->queue, lost->lease);
}

void listener_recover(struct listener *l)
{
    int64_t wait = l->spec.recover_ms ? l->spec.recover_ms : LISTENER_RECOVER_MS;

    VEC_EACH (m, &l->members) {
        struct err err = ERR_INIT;

        if (journal_recover((*m)->journal, wait, on_lost, *m, &err) < 0)
            listener_say(l, LISTENER_ERROR, *m, NULL, "%s", err.text);
    }
}
