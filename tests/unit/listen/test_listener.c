/* The listener with queues and workers that play a script. */
#include "listen/listener.h"

#include "base/clock.h"
#include "base/path.h"
#include "io/proc.h"
#include "kit/scratch.h"
#include "unit/listen/fake_queue.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000, NOTES_MAX = 4096 };

/* What it does is the id of its job. */
static const char worker[] =
    "#!/bin/sh\n"
    "if [ $1 = leftovers-child ]; then\n"
    "    >clearing; while [ -e slow ]; do sleep 0.02; done; rm -rf \"$(cat)\"; exit\n"
    "fi\n"
    "job=$(cat <&3)\n"
    "end() { printf '{\"event\":\"job.finished\",\"result\":\"%s\"}\\n' $1 >&4; exit 0; }\n"
    "say() { printf '{\"event\":\"note\",\"%s\":\"here\"}\\n' $1 >&4; }\n"
    "case $job in\n"
    "*quick-job*) end success;;\n"
    "*long-job*)\n"
    "    trap 'end cancelled' INT; trap 'end failure' TERM; trap 'exit 9' QUIT; say text\n"
    "    while :; do sleep 0.02; done;;\n"
    "*stubborn-job*) trap '' INT TERM; trap 'exit 9' QUIT; say text; while :; do sleep 0.02; "
    "done;;\n"
    "*dying-job*) kill -KILL $$;;\n"
    "*poison-job*) say poison; sleep 100;;\n"
    "esac\n";

static const char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
static const struct outfit outfit = {
    .isolation = "host", .caches = "/nowhere", .state = "/nowhere"};

/* One process a test: queues outlive its function, because the listener does. */
static struct listener *l;
static struct listener_spec spec;
static struct loop *loop;
static char work[4200], program[4200], notes[NOTES_MAX], order[1000];
static int most; /* jobs at once */

static enum listener_level loudest;

static void on_note(void *ctx, const struct listener_note *note)
{
    size_t len = strlen(notes);

    (void)ctx;
    if (note->level > loudest)
        loudest = note->level;
    snprintf(notes + len, sizeof notes - len, "%s\n", note->text);
}

static void on_started(void *ctx, const struct listener_job *job)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct snapshot now;

    (void)ctx;
    snprintf(order + strlen(order), sizeof order - strlen(order), "%s ", job->key);
    listener_snapshot(l, &a, &now);
    if ((int)now.n_jobs > most)
        most = (int)now.n_jobs;
}

static void enter(void)
{
    struct err err = ERR_INIT;

    scratch_enter();
    scratch_file("worker", worker);
    cr_assert_eq(chmod("worker", 0755), 0);
    snprintf(program, sizeof program, "%s/worker", scratch_path);
    snprintf(work, sizeof work, "%s/work", scratch_path);
    cr_assert_eq(mkdir(work, 0700), 0);
    cr_assert_eq(loop_new(&loop, &err), ERR_OK, "%s", err.text);
    spec = (struct listener_spec){.loop = loop,
                                  .work = work,
                                  .slots = 1,
                                  .outfit = &outfit,
                                  .env = environment,
                                  .program = program,
                                  .version = "1",
                                  .hooks = {.note = on_note, .started = on_started}};
    notes[0] = order[0] = '\0';
    loudest = LISTENER_INFO;
    most = 0;
}

static void leave(void)
{
    listener_free(l);
    loop_free(loop);
    scratch_leave();
}

TestSuite(listener, .init = enter, .fini = leave, .timeout = PATIENCE_MS / 1000);

static void begin(struct fake_queue *queues, size_t n)
{
    struct err err = ERR_INIT;

    cr_assert_eq(listener_new(&spec, &l, &err), ERR_OK, "%s", err.text);
    for (size_t i = 0; i < n; i++) {
        CLEANUP(free_ptr) char *folder = path_join(scratch_path, queues[i].name);
        struct listener_member member = {
            .name = queues[i].name, .kind = "fake", .capacity = 9, .take_queue = &queues[i].base};

        cr_assert_eq(journal_open(folder, &member.take_journal, &err), ERR_OK, "%s", err.text);
        listener_add(l, &member);
    }
}

static int run(void)
{
    struct err err = ERR_INIT;
    int code = -1;

    cr_assert_eq(listener_run(l, &code, &err), ERR_OK, "%s", err.text);
    return code;
}

static int count_in(const char *folder)
{
    DIR *list = opendir(folder);
    int n = -2; /* "." and ".." */

    cr_assert(list, "%s", folder);
    while (readdir(list))
        n++;
    closedir(list);
    return n;
}

/* ---- who may take how many ---- */

static int expected; /* the listener drains when so many jobs are over */

static void drain_at_the_end(struct fake_queue *q, const char *key, const char *why)
{
    (void)q;
    (void)key;
    (void)why;
    if (--expected == 0)
        listener_drain(l);
}

static void await(struct fake_queue *queues, size_t n, int jobs)
{
    expected = jobs;
    for (size_t i = 0; i < n; i++)
        queues[i].on_end = drain_at_the_end;
}

Test(listener, runs_as_many_jobs_as_it_has_slots)
{
    static struct fake_queue q;

    fake_queue_init(&q, "q", "quick-job", 7);
    await(&q, 1, 7);
    spec.slots = 3;
    begin(&q, 1);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert_eq(q.ended, 7);
    cr_assert_eq(q.lost, 0, "%s", q.why);
    cr_assert_eq(most, 3);
    cr_assert_eq(q.closed, 1);
    cr_assert_eq(count_in(work), 0);
    cr_assert_eq(count_in("q"), 0);
}

Test(listener, slots_go_round_among_registrations)
{
    static struct fake_queue q[2];

    fake_queue_init(&q[0], "a", "quick-job", 3);
    fake_queue_init(&q[1], "b", "quick-job", 3);
    await(q, 2, 6);
    begin(q, 2);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert_str_eq(order, "a/1 b/1 a/2 b/2 a/3 b/3 ");
    cr_assert_eq(most, 1);
}

Test(listener, a_slot_that_nobody_takes_is_offered_to_the_next)
{
    static struct fake_queue q[2];

    fake_queue_init(&q[0], "a", "quick-job", 0);
    fake_queue_init(&q[1], "b", "quick-job", 1);
    await(q, 2, 1);
    begin(q, 2);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert_str_eq(order, "b/1 ");
    cr_assert_geq(q[0].wants, 2, "it is offered to it, and no longer is");
}

Test(listener, once_is_one_job)
{
    static struct fake_queue q;

    fake_queue_init(&q, "q", "quick-job", 3);
    spec.once = true;
    spec.slots = 4;
    begin(&q, 1);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert_eq(q.ended, 1);
    cr_assert_eq(q.backlog, 2);
    cr_assert_eq(q.closed, 1);
}

static void later(void *ctx)
{
    (void)ctx;
    raise(SIGTERM);
}

Test(listener, no_job_is_taken_while_the_disk_is_full)
{
    static struct fake_queue q;

    fake_queue_init(&q, "q", "quick-job", 1);
    spec.min_free = INT64_MAX;
    begin(&q, 1);
    loop_timer(loop, clock_ms() + 50, later, NULL);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert_eq(q.wanted, 0);
    cr_assert_eq(q.wants, 1);
    cr_assert_eq(q.backlog, 1);
    const char *first = strstr(notes, "--min-free");
    cr_assert(first, "%s", notes);
    cr_assert_null(strstr(first + 1, "--min-free"), "%s", notes);
}

/* ---- how it ends ---- */

/* A worker that has said something is past its traps. */
static int signals_left;
static const int *signals_now;

static int (*queue_event)(struct queue *q, const char *key, json_t *event, struct slice log,
                          struct err *err);

static int event_and_signal(struct queue *q, const char *key, json_t *event, struct slice log,
                            struct err *err)
{
    if (json_object_get(event, "text"))
        for (; signals_left > 0; signals_left--)
            raise(*signals_now++);
    return queue_event(q, key, event, log, err);
}

static struct queue_ops signalling;

/* Raises SIGNALS once the worker of Q's job works. Those of one kind that come at once are one. */
static void signal_when_it_works(struct fake_queue *q, const int *signals, int n)
{
    signalling = *q->base.ops;
    queue_event = signalling.event;
    signalling.event = event_and_signal;
    q->base.ops = &signalling;
    signals_now = signals;
    signals_left = n;
}

static void cancel_soon(void *ctx)
{
    struct fake_queue *q = ctx;
    q->base.client.stop(q->base.client.ctx, "q/1", "somebody said so");
}

static void on_draining(void *ctx)
{
    loop_timer(loop, clock_ms() + 50, cancel_soon, ctx);
}

Test(listener, what_a_queue_says_is_as_loud_as_the_queue_wants_it)
{
    static struct fake_queue q;
    json_t *event = json_pack("{s:s, s:s}", "event", "note", "text", "hear this");
    struct err err = ERR_INIT;

    fake_queue_init(&q, "q", "quick-job", 0);
    begin(&q, 1);
    cr_assert_eq(q.base.client.event(q.base.client.ctx, event, SLICE(""), &err), ERR_OK);
    cr_assert_str_eq(notes, "hear this\n");
    cr_assert_eq(loudest, LISTENER_INFO);
    json_object_set_new(event, "level", json_string("warning"));
    cr_assert_eq(q.base.client.event(q.base.client.ctx, event, SLICE(""), &err), ERR_OK);
    cr_assert_eq(loudest, LISTENER_WARNING);
    json_decref(event);
}

Test(listener, the_first_signal_lets_jobs_come_to_their_end)
{
    static const int signals[] = {SIGTERM};
    static struct fake_queue q;

    fake_queue_init(&q, "q", "long-job", 2);
    signal_when_it_works(&q, signals, 1);
    spec.hooks.draining = on_draining; /* only a cancel of the server's ends it */
    spec.hooks.ctx = &q;
    begin(&q, 1);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert_eq(q.ended, 1);
    cr_assert_eq(q.lost, 0, "%s", q.why);
    cr_assert_eq(q.cancelled, 0);
    cr_assert_eq(q.backlog, 1);
    cr_assert(strstr(notes, "somebody said so"), "%s", notes);
}

static char result[40];

static void on_ended(void *ctx, const struct listener_job *job)
{
    (void)ctx;
    snprintf(result, sizeof result, "%s", job->result ? job->result : "none");
}

Test(listener, the_second_signal_ends_jobs_as_a_shutdown)
{
    static const int signals[] = {SIGTERM, SIGINT};
    static struct fake_queue q;

    fake_queue_init(&q, "q", "long-job", 1);
    signal_when_it_works(&q, signals, 2);
    spec.hooks.ended = on_ended;
    begin(&q, 1);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert_eq(q.ended, 1);
    cr_assert_eq(q.lost, 0, "%s", q.why);
    cr_assert_eq(q.cancelled, 1);
    cr_assert_str_eq(result, "failure");
}

static void again(void *ctx)
{
    (void)ctx;
    raise(SIGINT);
}

static void kill_soon(void *ctx)
{
    (void)ctx;
    loop_timer(loop, clock_ms() + 100, again, NULL);
    loop_timer(loop, clock_ms() + 200, again, NULL);
}

Test(listener, the_third_signal_waits_for_nobody)
{
    static const int signals[] = {SIGTERM};
    static struct fake_queue q;

    fake_queue_init(&q, "q", "stubborn-job", 1);
    q.slow = true;
    signal_when_it_works(&q, signals, 1);
    spec.hooks.draining = kill_soon;
    begin(&q, 1);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert_eq(q.lost, 1);
    cr_assert_eq(count_in(work), 0);
    l = listener_free(l);
    cr_assert_eq(count_in("q"), 1, "the next listener has to tell the server");
}

static void signal_soon(void *ctx)
{
    (void)ctx;
    later(NULL);
    kill_soon(NULL);
}

static void look_for_the_child(void *ctx)
{
    loop_timer(loop, clock_ms() + 10,
               access("clearing", F_OK) == 0 ? signal_soon : look_for_the_child, ctx);
}

Test(listener, the_third_signal_does_not_wait_for_what_clears_up_either)
{
    static struct fake_queue q;

    scratch_file("slow", "");
    fake_queue_init(&q, "q", "dying-job", 1);
    begin(&q, 1);
    look_for_the_child(NULL);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert_eq(q.ended + q.lost, 0, "the folder is still there");
    l = listener_free(l);
    cr_assert_eq(count_in("q"), 1, "the next listener has to remove it and to tell the server");
}

static void cancel_behind_the_signals(void *ctx)
{
    (void)ctx;
    if (!strstr(notes, "they come to their end"))
        loop_timer(loop, clock_ms() + 10, cancel_behind_the_signals, ctx);
    else
        on_draining(ctx);
}

Test(listener, the_first_signal_lets_the_only_job_come_to_its_end)
{
    static const int signals[] = {SIGTERM};
    static struct fake_queue q;

    fake_queue_init(&q, "q", "long-job", 2);
    signal_when_it_works(&q, signals, 1);
    spec.once = true; /* it drains since it has the job */
    spec.hooks.draining = cancel_behind_the_signals;
    spec.hooks.ended = on_ended;
    spec.hooks.ctx = &q;
    begin(&q, 1);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert_str_eq(result, "cancelled", "%s", notes);
    cr_assert_eq(q.cancelled, 0);
}

Test(listener, jobs_that_take_longer_than_a_drain_may_are_told_to_end)
{
    static const int signals[] = {SIGTERM};
    static struct fake_queue q;

    fake_queue_init(&q, "q", "long-job", 1);
    signal_when_it_works(&q, signals, 1);
    spec.drain_ms = 50;
    spec.hooks.ended = on_ended;
    begin(&q, 1);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert_str_eq(result, "failure", "%s", notes);
    cr_assert_eq(q.cancelled, 1);
}

/* ---- anew ---- */

static int renewed(void *ctx, struct err *err)
{
    (void)err;
    loop_timer(loop, clock_ms() + 50, cancel_soon, ctx);
    return ERR_OK;
}

static int not_renewed(void *ctx, struct err *err)
{
    (void)ctx;
    return err_set(err, ERR_INVALID, "config.yml:3:1: that is no mapping");
}

Test(listener, hangup_lets_jobs_come_to_their_end_for_a_new_beginning)
{
    static const int signals[] = {SIGHUP};
    static struct fake_queue q;

    fake_queue_init(&q, "q", "long-job", 2);
    signal_when_it_works(&q, signals, 1);
    spec.drain_ms = 1; /* of a stop, not of this */
    spec.hooks.renew = renewed;
    spec.hooks.ended = on_ended;
    spec.hooks.ctx = &q;
    begin(&q, 1);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert(listener_is_renewed(l));
    cr_assert_str_eq(result, "cancelled", "%s", notes);
    cr_assert_eq(q.backlog, 1);
    cr_assert_eq(q.closed, 1);
}

Test(listener, who_is_told_to_leave_does_not_begin_anew)
{
    static const int signals[] = {SIGHUP, SIGTERM};
    static struct fake_queue q;

    fake_queue_init(&q, "q", "long-job", 1);
    signal_when_it_works(&q, signals, 2);
    spec.hooks.renew = renewed;
    spec.hooks.ended = on_ended;
    spec.hooks.ctx = &q;
    begin(&q, 1);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert_not(listener_is_renewed(l));
    cr_assert_str_eq(result, "cancelled", "it was the first such signal: %s", notes);
}

Test(listener, hangup_that_cannot_be_heeded_changes_nothing_and_says_so)
{
    static const int signals[] = {SIGHUP, SIGTERM, SIGINT};
    static struct fake_queue q;

    fake_queue_init(&q, "q", "long-job", 1);
    signal_when_it_works(&q, signals, 3);
    spec.hooks.renew = not_renewed;
    begin(&q, 1);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert(strstr(notes, "SIGHUP changes nothing: config.yml:3:1: that is no mapping"), "%s",
              notes);
    cr_assert_not(listener_is_renewed(l));
}

Test(listener, ends_with_its_queues_and_as_they_say)
{
    static struct fake_queue q[2];

    fake_queue_init(&q[0], "a", "quick-job", 0);
    fake_queue_init(&q[1], "b", "quick-job", 1);
    q[0].gone = true;
    q[0].exit_code = 5;
    q[0].trouble = "another listener has it: stop that one";
    await(q, 2, 1);
    begin(q, 2);
    cr_assert_eq(run(), 5, "%s", notes);
    cr_assert_eq(q[1].ended, 1);
    cr_assert_eq(q[0].wants, 0);
    cr_assert(strstr(notes, "another listener has it"), "%s", notes);
}

static enum listener_level loudest_with_trouble(bool ending)
{
    static struct fake_queue q[2];

    fake_queue_init(&q[0], "a", "quick-job", 0);
    fake_queue_init(&q[1], "b", "quick-job", 1);
    q[0].ending = ending;
    q[0].trouble = "this runner was deleted";
    await(q, 2, 1);
    begin(q, 2);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert(strstr(notes, q[0].trouble), "%s", notes);
    return loudest;
}

Test(listener, a_trouble_that_may_pass_is_a_warning)
{
    cr_assert_eq(loudest_with_trouble(false), LISTENER_WARNING, "%s", notes);
}

Test(listener, what_a_queue_ends_for_is_an_error_while_it_still_takes_its_leave)
{
    cr_assert_eq(loudest_with_trouble(true), LISTENER_ERROR, "%s", notes);
}

/* ---- jobs that come to no good ---- */

Test(listener, a_worker_that_is_killed_is_told_and_cleaned_up_behind)
{
    static struct fake_queue q;

    fake_queue_init(&q, "q", "dying-job", 1);
    await(&q, 1, 1);
    begin(&q, 1);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert_str_eq(q.why, "its worker was killed by signal 9");
    cr_assert_eq(count_in(work), 0);
}

static char ends[100];

static void note_end(struct fake_queue *q, const char *key, const char *why)
{
    snprintf(ends + strlen(ends), sizeof ends - strlen(ends), "%s ", key);
    if (strcmp(key, "b/3") == 0)
        cr_assert_eq(unlink("slow"), 0);
    drain_at_the_end(q, key, why);
}

Test(listener, others_run_while_it_is_cleaned_up_behind_one_that_was_killed)
{
    static struct fake_queue q[2];

    scratch_file("slow", "");
    fake_queue_init(&q[0], "a", "dying-job", 1);
    fake_queue_init(&q[1], "b", "quick-job", 3);
    await(q, 2, 4);
    q[0].on_end = q[1].on_end = note_end;
    spec.slots = 2;
    begin(q, 2);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert_str_eq(ends, "b/1 b/2 b/3 a/1 ");
    cr_assert_str_eq(q[0].why, "its worker was killed by signal 9");
    cr_assert_eq(count_in(work), 0);
}

Test(listener, a_worker_whose_events_cannot_be_taken_is_ended)
{
    static struct fake_queue q;

    fake_queue_init(&q, "q", "poison-job", 1);
    await(&q, 1, 1);
    begin(&q, 1);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert_str_eq(q.why, "its event stream broke: that is too much");
}

static int refuse(void *ctx, const struct job *job, struct err *err)
{
    (void)ctx;
    return err_set(err, ERR_DENIED, "'%s' may not run here", job->key);
}

Test(listener, a_job_that_may_not_run_is_told_to_its_server)
{
    static struct fake_queue q;

    fake_queue_init(&q, "q", "quick-job", 1);
    await(&q, 1, 1);
    spec.hooks.admit = refuse;
    begin(&q, 1);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert_str_eq(q.why, "'q/1' may not run here");
    cr_assert_str_eq(order, "");
    cr_assert_eq(count_in("q"), 0);
}

/* ---- after one that was killed ---- */

static bool lives(pid_t pid)
{
    return kill(pid, 0) == 0;
}

Test(listener, cleans_up_behind_one_that_was_killed)
{
    CLEANUP(free_ptr) char *lost = path_join(work, "0123456789abcdef");
    CLEANUP(free_ptr) char *file = path_join(lost, "job/home/file");
    CLEANUP(free_ptr) char *folder = path_join(scratch_path, "q");
    char variable[5000];
    struct proc_spec left = PROC_SPEC_INIT;
    struct proc *running = NULL;
    struct proc_exit how;
    struct journal *j = NULL;
    struct journal_entry *e = NULL;
    struct err err = ERR_INIT;
    static struct fake_queue q;

    scratch_file(file + strlen(scratch_path) + 1, "left");
    json_t *lease = json_pack("{s:s}", "of", "q/9");
    cr_assert_eq(journal_open(folder, &j, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(journal_add(j, "q/9", lost, lease, &e, &err), ERR_OK, "%s", err.text);
    json_decref(lease);
    journal_leave(e);
    journal_close(j);
    snprintf(variable, sizeof variable, "GITHUB_WORKSPACE=%s/job/work", lost);
    left.argv = (const char *const[]){"/bin/sleep", "1000", NULL};
    left.env = (const char *const[]){variable, NULL};
    cr_assert_eq(proc_start(&left, &running, &err), ERR_OK, "%s", err.text);
    cr_assert(lives(proc_pid(running)));

    fake_queue_init(&q, "q", "quick-job", 1);
    await(&q, 1, 1);
    begin(&q, 1);
    cr_assert_eq(run(), 0, "%s", notes);
    cr_assert_str_eq(q.recovered, "q/9 ");
    cr_assert_eq(proc_wait(running, clock_ms() + PATIENCE_MS, &how, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(how.signal, SIGKILL);
    proc_free(running);
    cr_assert_eq(count_in(work), 0);
    cr_assert_eq(count_in("q"), 0);
    cr_assert_eq(q.ended, 1, "and goes on");
}
