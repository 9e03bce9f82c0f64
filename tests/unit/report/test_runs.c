/* The run folder: numbers, retention, what survives a kill, and reading it again. */
#include "report/report.h"
#include "report/runs.h"

#include "base/fd.h"
#include "base/path.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(runs, .init = scratch_enter, .fini = scratch_leave);

static struct report *open_run(int keep)
{
    struct report_folder_spec spec = {.state = scratch_path, .keep = keep};
    struct report *r = NULL;
    struct err err = ERR_INIT;

    cr_assert_eq(report_folder_new(&spec, &r, &err), ERR_OK, "%s", err.text);
    return r;
}

static void feed(struct report *r, json_t *event, const char *log)
{
    struct err err = ERR_INIT;

    cr_assert_not_null(event);
    if (*log)
        json_object_set_new(event, "size", json_integer((json_int_t)strlen(log)));
    cr_assert_eq(report_event(r, event, slice_of(log), &err), ERR_OK, "%s", err.text);
    json_decref(event);
}

static void close_run(struct report *r)
{
    struct err err = ERR_INIT;

    cr_assert_eq(report_close(r, &err), ERR_OK, "%s", err.text);
}

static const char stamp[] = "2026-01-31T10:00:00.1234567Z";

static json_t *log_event(const char *job, int step)
{
    return json_pack("{s:s, s:s, s:i, s:s}", "event", "log", "job", job, "step", step, "time",
                     stamp);
}

static json_t *started(void)
{
    return json_pack("{s:s, s:i, s:s, s:s, s:s}", "event", "run.started", "schema", 1, "run", "1",
                     "workflow", "hello", "event_name", "push");
}

static json_t *finished(const char *result)
{
    return json_pack("{s:s, s:s, s:i}", "event", "run.finished", "result", result, "elapsed_ms", 7);
}

static void whole_run(int keep)
{
    struct report *r = open_run(keep);

    feed(r, started(), "");
    feed(r, finished("success"), "");
    close_run(r);
}

static bool exists(const char *path)
{
    return faccessat(scratch_dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Test(runs, keeps_logs_summaries_and_the_result)
{
    struct report *r = open_run(0);
    char link[32] = {0};

    cr_assert_eq(report_folder_id(r), 1);
    feed(r, started(), "");
    feed(r, log_event("build (18, x)", 2), "one\ntwo\n");
    feed(r, log_event("build (18, x)", 2), "three\n");
    feed(r,
         json_pack("{s:s, s:s, s:i, s:s}", "event", "summary", "job", "build (18, x)", "step", 2,
                   "markdown", "# Fine\n"),
         "");
    feed(r,
         json_pack("{s:s, s:s, s:s, s:s, s:i}", "event", "job.finished", "job", "build (18, x)",
                   "name", "Build", "result", "failure", "elapsed_ms", 5),
         "");
    feed(r, finished("failure"), "");
    close_run(r);

    scratch_has("runs/1/logs/build_18_x/2.log", "2026-01-31T10:00:00.1234567Z one\n"
                                                "2026-01-31T10:00:00.1234567Z two\n"
                                                "2026-01-31T10:00:00.1234567Z three\n");
    scratch_has("runs/1/summary/build_18_x-2.md", "# Fine\n");
    cr_assert_gt(readlinkat(scratch_dir, "runs/latest", link, sizeof link - 1), 0);
    cr_assert_str_eq(link, "1");

    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    cr_assert_eq(path_read(scratch_dir, "runs/1/run.json", &text, &err), ERR_OK, "%s", err.text);
    json_t *run = json_loadb(text.ptr, text.len, 0, NULL);
    cr_assert_str_eq(json_string_value(json_object_get(run, "result")), "failure");
    cr_assert_str_eq(json_string_value(json_object_get(run, "workflow")), "hello");
    json_t *job = json_array_get(json_object_get(run, "jobs"), 0);
    cr_assert_str_eq(json_string_value(json_object_get(job, "folder")), "build_18_x");
    cr_assert_str_eq(json_string_value(json_object_get(job, "result")), "failure");
    json_decref(run);
    text.len = 0;
    cr_assert_eq(path_read(scratch_dir, "runs/1/events.jsonl", &text, &err), ERR_OK);
    cr_assert_lt(slice_find(buf_slice(&text), SLICE("three")), 0, "log text in the events");
}

Test(runs, different_jobs_never_share_a_file_and_no_name_leads_out)
{
    static const char *const keys[] = {"a/b", "a b", "a_b", "../../x", ".", "", "/", "A_B"};
    struct report *r = open_run(0);
    DIR *dir;
    int n = 0;

    for (size_t i = 0; i < COUNT_OF(keys); i++)
        feed(r, log_event(keys[i], 1), "x\n");
    close_run(r);
    dir = opendir("runs/1/logs");
    cr_assert_not_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    cr_assert_eq(n - 2, (int)COUNT_OF(keys));
    cr_assert_not(exists("x"));
    cr_assert_not(exists("runs/x"));
}

Test(runs, one_that_never_began_goes_at_once)
{
    struct err err = ERR_INIT;
    int runs;

    scratch_file("runs/1/events.jsonl", "");
    scratch_file("runs/2/events.jsonl", "{}\n");
    cr_assert_eq(mkdirat(scratch_dir, "runs/3", 0700), 0); /* it may just be beginning */
    cr_assert_eq(symlinkat("2", scratch_dir, "runs/.latest-2"), 0);
    cr_assert_eq(runs_open(scratch_path, &runs, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(runs_prune(runs, 100, &err), ERR_OK, "%s", err.text);
    close(runs);
    cr_assert_not(exists("runs/1"));
    cr_assert(exists("runs/2") && exists("runs/3"));
    cr_assert_not(exists("runs/.latest-2"), "a half-made link stays");
}

Test(runs, the_newest_are_kept_and_strangers_left_alone)
{
    scratch_file("runs/notes.txt", "mine");
    scratch_file("runs/007/x", "mine");
    scratch_file("runs/.gone-3/half/removed", "x");
    for (int i = 0; i < 5; i++)
        whole_run(3);
    cr_assert_not(exists("runs/1"));
    cr_assert_not(exists("runs/2"));
    for (int i = 3; i <= 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "runs/%d", i);
        cr_assert(exists(name), "%s", name);
    }
    cr_assert(exists("runs/notes.txt"));
    cr_assert(exists("runs/007/x"));
    cr_assert_not(exists("runs/.gone-3"));
}

Test(runs, one_that_still_runs_is_never_removed)
{
    struct report *r = open_run(1);

    feed(r, started(), "");
    whole_run(1);
    whole_run(1);
    cr_assert(exists("runs/1/events.jsonl"));
    cr_assert_not(exists("runs/2"));
    feed(r, finished("success"), "");
    close_run(r);
    whole_run(1);
    cr_assert_not(exists("runs/1"));
}

Test(runs, what_one_that_was_cut_off_left_half_done_goes_with_the_next)
{
    struct report *running = open_run(0);

    feed(running, started(), "");
    scratch_file("runs/1/artifacts/.staging/3/p-61", "a piece");
    whole_run(0);
    scratch_has("runs/1/artifacts/.staging/3/p-61", "a piece"); /* it still runs */
    close_run(running);
    scratch_file("runs/1/jobs/1-a/file", "x");
    scratch_file("runs/1/artifacts/whole.zip", "all of it");
    whole_run(0);
    cr_assert_not(exists("runs/1/artifacts/.staging"));
    cr_assert_not(exists("runs/1/jobs"));
    scratch_has("runs/1/artifacts/whole.zip", "all of it");
}

Test(runs, one_that_never_began_leaves_nothing)
{
    whole_run(0);
    close_run(open_run(0));
    cr_assert_not(exists("runs/2"));
    cr_assert(exists("runs/latest/run.json"));
}

/* ---- reading again ---- */

/* A report that writes down what it is fed. */
struct recorder {
    struct report base;
    struct buf out;
};

static int record_event(struct report *r, json_t *event, struct slice log, struct err *err)
{
    struct recorder *rec = (struct recorder *)(void *)r;
    char *text = json_dumps(event, JSON_SORT_KEYS | JSON_COMPACT);

    (void)err;
    buf_printf(&rec->out, "%s\n%.*s", text, SLICE_ARG(log));
    free(text);
    return ERR_OK;
}

static const struct report_ops record_ops = {.event = record_event};

static void replay(struct recorder *rec, const char *id)
{
    struct err err = ERR_INIT;

    *rec = (struct recorder){.base = {&record_ops}, .out = BUF_INIT(64 << 20)};
    cr_assert_eq(report_replay(scratch_path, id, &rec->base, &err), ERR_OK, "%s", err.text);
}

Test(runs, a_replay_gives_back_what_was_written)
{
    struct recorder live = {.base = {&record_ops}, .out = BUF_INIT(64 << 20)}, again;
    struct report *folder = open_run(0);
    struct report *all = report_all_new((struct report *[]){folder}, 1);
    static const char *const logs[] = {"one\n", "\n", "two\nthree\n\n", "caf\xC3\xA9 \xFF\n"};
    json_t *event;

    for (size_t i = 0; i < COUNT_OF(logs); i++) {
        event = log_event("a", 1 + (int)i % 2);
        feed(all, json_incref(event), logs[i]);
        feed(&live.base, event, logs[i]);
    }
    feed(all, finished("success"), "");
    feed(&live.base, finished("success"), "");
    close_run(all);
    replay(&again, "latest");
    cr_assert_str_eq(again.out.ptr, live.out.ptr);
    buf_deinit(&live.out);
    buf_deinit(&again.out);
}

Test(runs, a_line_in_parts_is_one_line_on_disk)
{
    struct report *r = open_run(0);
    struct recorder rec;
    json_t *part = log_event("a", 1);

    json_object_set_new(part, "part", json_true());
    feed(r, part, "begin ");
    part = log_event("a", 1);
    json_object_set_new(part, "part", json_true());
    feed(r, part, "middle\n");
    feed(r, log_event("a", 1), " end\nnext\n");
    close_run(r);
    scratch_has("runs/1/logs/a/1.log", "2026-01-31T10:00:00.1234567Z begin middle end\n"
                                       "2026-01-31T10:00:00.1234567Z next\n");
    replay(&rec, "1");
    cr_assert(strstr(rec.out.ptr, "}\nbegin \n{"), "%s", rec.out.ptr);
    cr_assert(strstr(rec.out.ptr, "}\n end\nnext\n"), "%s", rec.out.ptr);
    buf_deinit(&rec.out);
}

static size_t count_of(const struct buf *text, const char *what)
{
    size_t n = 0;

    for (const char *p = text->ptr; (p = strstr(p, what)); p++)
        n++;
    return n;
}

/* A writer that is killed in the middle of its work: all it had been told is there, whole. */
Test(runs, a_kill_loses_no_recorded_event)
{
    for (int round = 0; round < 5; round++) {
        CLEANUP(free_ptr) char *id = NULL;
        struct recorder rec;
        uint32_t told = 0;
        int fds[2];
        pid_t pid;

        cr_assert_eq(pipe(fds), 0);
        pid = fork();
        cr_assert_geq(pid, 0);
        if (pid == 0) {
            struct report *r = open_run(0);

            for (uint32_t n = 1;; n++) {
                feed(r, log_event("a", (int)(n % 3)), "some line of text\n");
                if (write(fds[1], &n, sizeof n) < 0)
                    _exit(1);
            }
        }
        close(fds[1]);
        while (told < 50U * (uint32_t)(round + 1))
            cr_assert_eq(read(fds[0], &told, sizeof told), sizeof told);
        kill(pid, SIGKILL);
        cr_assert_eq(waitpid(pid, NULL, 0), pid);
        while (read(fds[0], &told, sizeof told) == sizeof told)
            ;
        close(fds[0]);
        cr_assert(asprintf(&id, "%d", round + 1) > 0);
        replay(&rec, id);
        cr_assert_geq(count_of(&rec.out, "\nsome line of text\n"), told);
        buf_deinit(&rec.out);
    }
}

Test(runs, a_torn_last_line_is_left_out)
{
    struct report *r = open_run(0);
    struct recorder rec;
    int fd;

    feed(r, started(), "");
    close_run(r);
    fd = openat(scratch_dir, "runs/1/events.jsonl", O_WRONLY | O_APPEND | O_CLOEXEC);
    cr_assert_eq(write(fd, "{\"event\":\"job.fin", 17), 17);
    close(fd);
    replay(&rec, "1");
    cr_assert_eq(count_of(&rec.out, "event\":"), 1);
    buf_deinit(&rec.out);
}

Test(runs, a_folder_that_was_tampered_with_is_an_error_not_a_way_out)
{
    static const struct {
        const char *event;
        int code;
    } rows[] = {
        {"{\"event\":\"log\",\"job\":\"a\",\"file\":\"../../secret\",\"offset\":0,\"length\":3}\n",
         ERR_SYS},
        {"{\"event\":\"log\",\"job\":\"a\",\"file\":\"link\",\"offset\":0,\"length\":3}\n",
         ERR_SYS},
        {"{\"event\":\"log\",\"job\":\"a\"}\n", ERR_INVALID},
        {"{\"event\":\"log\",\"file\":\"events.jsonl\",\"offset\":0,\"length\":99999999999}\n",
         ERR_LIMIT},
        {"{\"event\":\"log\",\"file\":\"events.jsonl\",\"offset\":9,\"length\":9999}\n",
         ERR_INVALID},
        {"rubbish\n", ERR_INVALID},
        {"[]\n", ERR_INVALID},
    };

    scratch_file("secret", "abc");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct recorder rec = {.base = {&record_ops}, .out = BUF_INIT(1000)};
        struct err err = ERR_INIT;

        scratch_file("runs/1/events.jsonl", rows[i].event);
        if (i == 0)
            cr_assert_eq(symlinkat("../../secret", scratch_dir, "runs/1/link"), 0);
        cr_expect_eq(report_replay(scratch_path, "1", &rec.base, &err), rows[i].code,
                     "row %zu: %d %s", i, err.code, err.text);
        cr_expect_eq(rec.out.len, 0, "row %zu: %s", i, rec.out.ptr);
        buf_deinit(&rec.out);
    }
}

Test(runs, names_that_are_no_run_are_refused)
{
    static const char *const bad[] = {"", "..", "1/../..", "x", "-1", "0"};
    struct recorder rec = {.base = {&record_ops}};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        cr_expect_eq(report_replay(scratch_path, bad[i], &rec.base, &err), ERR_INVALID, "'%s'",
                     bad[i]);
    cr_assert_eq(report_replay(scratch_path, "12", &rec.base, &err), ERR_NOT_FOUND, "%s", err.text);
}

Test(runs, a_full_disk_is_said_once_and_the_others_go_on)
{
    struct recorder rec = {.base = {&record_ops}, .out = BUF_INIT(1 << 20)};
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct report *all = report_all_new((struct report *[]){report_json_new(full), &rec.base}, 2);

    cr_assert_geq(full, 0);
    feed(all, started(), "");
    feed(all, finished("success"), "");
    cr_assert_eq(count_of(&rec.out, "going on without a report: "), 1, "%s", rec.out.ptr);
    cr_assert_eq(count_of(&rec.out, "run.finished"), 1);
    close(full);
    buf_deinit(&rec.out);
    free(all); /* the recorder is on the stack: nothing to close */
}
