/* One run for each service call: it fails, or the job is cancelled before it. */
#include "kit/own.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

enum { ROUNDS_MAX = 10000 }; /* of a kind: a phase that makes more calls goes round in circles */

static const char *const phase_names[] = {"plan", "pre", "main", "post"};

/* Without the one that the kit itself keeps open from a run to the next. */
static int count_descriptors(const struct ost_test *t)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n - (t->cancel_fd >= 0);
}

/* Says what is wrong in the round, with the call that was struck. */
PRINTF_LIKE(2, 3)
static void wrong(const struct ost_test_round *round, const char *format, ...)
{
    CLEANUP(buf_deinit) struct buf what = BUF_INIT(1 << 16);
    va_list ap;

    va_start(ap, format);
    buf_vprintf(&what, format, ap);
    va_end(ap);
    if (round->struck)
        kit_fail("%s call %d of %s (%s): %s",
                 round->cancel ? "cancelled before" : "after a fault in", round->nth,
                 phase_names[round->phase], round->call, what.ptr);
    else
        kit_fail("%s, undisturbed: %s", phase_names[round->phase], what.ptr);
}

static const char *reason(const struct ost_test *t)
{
    return t->failure ? t->failure : t->error;
}

/* What is true of every plugin that survives. */
static void check(const struct ost_test *t, const struct ost_test_faults *f,
                  const struct ost_test_round *round)
{
    ost_status r = round->status;

    if (!round->struck && r != f->undisturbed)
        wrong(round, "it returned %d instead of %d: %s", (int)r, (int)f->undisturbed, reason(t));
    if (round->struck && round->cancel && r != OST_OK && r != OST_E_CANCELLED &&
        r != f->undisturbed)
        wrong(round, "it returned %d, as if it had failed: %s", (int)r, reason(t));
    if (r < 0 && r != OST_E_CANCELLED && !*reason(t))
        wrong(round, "it failed with %d and did not say why", (int)r);
}

static void run(struct ost_test *t, const struct ost_test_faults *f, struct ost_test_round *round)
{
    char call[sizeof t->struck_call];

    kit_caches_reset(t);
    kit_artifacts_reset(t);
    if (f->before)
        f->before(t, round, f->ctx);
    int before = count_descriptors(t);
    (round->cancel ? ost_test_cancel : ost_test_fault)(t, round->nth);
    round->status = ost_test_run(t, f->phase);
    round->struck = t->struck;
    memcpy(call, t->struck_call, sizeof call); /* AFTER may run another phase */
    round->call = call;
    int left = count_descriptors(t) - before;
    if (left > 0)
        wrong(round, "%d file descriptor%s left open", left, left > 1 ? "s were" : " was");
    check(t, f, round);
    if (f->after)
        f->after(t, round, f->ctx);
    round->call = "";
}

int ost_test_run_faults(struct ost_test *t, const struct ost_test_faults *what)
{
    int n = 0;

    kit_caches_mark(t);
    kit_artifacts_mark(t);
    for (int cancel = 0; cancel <= 1; cancel++)
        for (int nth = 1;; nth++) {
            struct ost_test_round round = {
                .phase = what->phase, .cancel = cancel, .nth = nth, .call = ""};

            run(t, what, &round);
            if (!round.struck)
                break;
            n++;
            if (nth == ROUNDS_MAX) {
                wrong(&round, "%d calls, and no end", nth);
                break;
            }
        }
    return n;
}
