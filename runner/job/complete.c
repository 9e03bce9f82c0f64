#include "job/complete.h"

#include "base/fd.h"
#include "base/path.h"
#include "io/kin.h"
#include "job/contexts.h"
#include "job/limits.h"
#include "job/notice.h"

#include <fcntl.h>

static json_t *evaluate_outputs(struct run *run, struct log *log, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(strmap_deinit) struct strmap outputs = STRMAP_INIT_NOCASE;
    CLEANUP(eval_deinit) struct eval e;
    json_t *json = json_object();

    if (run->job->outputs)
        log_write(log, LOG_PLAIN, SLICE("Evaluate and set job outputs"));
    eval_init(&e, run, run->root, NULL, &a);
    if (template_map(&e.template, run->job->outputs, &outputs, err) < 0)
        (void)err_in(err, "job outputs");
    STRMAP_EACH (i, &outputs) {
        if (!i->value_len)
            continue;
        if (mask_would_change(run->mask, strmap_value(i))) {
            log_issue(log, ANNOTATION_WARNING, "Skip output '%s' since it may contain secret.",
                      i->name);
            continue;
        }
        log_printf(log, LOG_PLAIN, "Set output '%s'", i->name);
        json_object_set_new(json, i->name, json_stringn(i->value, i->value_len));
    }
    return json;
}

static void evaluate_url(struct run *run, struct log *log, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(eval_deinit) struct eval e = {0}; /* let go of below also when it never began */
    struct slice url = SLICE("");

    if (!run->job->environment_url)
        return;
    log_write(log, LOG_PLAIN, SLICE("Evaluate and set environment url"));
    eval_init(&e, run, run->root, NULL, &a);
    if (template_string(&e.template, run->job->environment_url, &url, err) < 0) {
        log_issue(log, ANNOTATION_ERROR, "Failed to evaluate environment url");
    } else if (mask_would_change(run->mask, url)) {
        log_issue(log, ANNOTATION_WARNING,
                  "Skip setting environment url as it may contain secret.");
    } else {
        log_printf(log, LOG_PLAIN, "Evaluated environment url: %.*s", SLICE_ARG(url));
        run->environment_url = mem_dup(url.ptr ? url.ptr : "", url.len);
    }
}

/* "sleep", of the process PID of the job. */
static struct slice process_name(const struct run *run, pid_t pid, struct buf *to)
{
    CLEANUP(fd_closep) int fd = -1;
    struct err ignored = ERR_INIT; /* it has gone by itself */
    char path[40];

    snprintf(path, sizeof path, "/proc/%ld/comm", (long)pid);
    buf_clear(to);
    if (path_open_in(sandbox_root(run->sandbox), path, O_RDONLY, 0, &fd, &ignored) == ERR_OK)
        (void)!fd_read_all(fd, to, &ignored);
    return slice_trim(buf_slice(to));
}

/* What steps have left running; it ends with the job's place. Only namespaces of its own make it easy to tell. */
static void tell_orphans(const struct run *run, struct log *log)
{
    CLEANUP(buf_deinit) struct buf name = BUF_INIT(256);
    CLEANUP(fd_closep) int proc = -1;
    struct err ignored = ERR_INIT;
    struct kin_list all = {0};

    log_write(log, LOG_PLAIN, SLICE("Cleaning up orphan processes"));
    if (sandbox_level(run->sandbox) != SANDBOX_NAMESPACES ||
        path_open_in(sandbox_root(run->sandbox), "/proc", O_RDONLY | O_DIRECTORY, 0, &proc,
                     &ignored) < 0 ||
        kin_scan(proc, &all, &ignored) < 0)
        return;
    VEC_EACH (k, &all)
        if (k->pid != 1 && k->state != 'Z') /* 1 is ostler-init */
            log_printf(log, LOG_PLAIN, "Terminate orphan process: pid (%ld) (%.*s)", (long)k->pid,
                       SLICE_ARG(process_name(run, k->pid, &name)));
    vec_deinit(&all);
}

static void tell_error(struct log *log, const struct err *err)
{
    if (err->code)
        log_issue(log, ANNOTATION_ERROR, "%s", err->text);
}

void complete_job(struct run *run)
{
    struct err outputs = ERR_INIT, url = ERR_INIT;
    struct notice n;

    notice_begin(&n, run, "Complete job", "complete");
    run->outputs = evaluate_outputs(run, n.log, &outputs);
    tell_error(n.log, &outputs);
    evaluate_url(run, n.log, &url);
    tell_error(n.log, &url);
    limits_tell_peak(run, n.log);
    tell_orphans(run, n.log);
    if (run->told_to_end)
        log_issue(
            n.log, ANNOTATION_ERROR,
            "The runner has received a shutdown signal. This can happen when the runner service "
            "is stopped, or a manually started runner is canceled.");
    if (run->timed_out)
        log_issue(n.log, ANNOTATION_ERROR,
                  "The job has exceeded the maximum execution time of %g minutes.",
                  (double)run->job->timeout_ms / 60000);
    notice_end(&n, outputs.code || url.code ? RESULT_FAILURE : RESULT_SUCCESS);
}
