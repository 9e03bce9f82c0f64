#include "stage.h"

static const char *ended(struct stage *x)
{
    if (x->run.signal)
        return ost_fmt(x->step, "was ended by signal %d", (int)x->run.signal);
    return ost_fmt(x->step, "ended with exit code %d", (int)x->run.exit_code);
}

/* What was printed last says more than we can. */
static const char *last_words(struct stage *x)
{
    struct span s = span_of(x->run.tail);
    size_t lines = 0, i = s.size;

    while (i > 0 && lines < 15)
        lines += s.at[--i] == '\n';
    i += i < s.size && s.at[i] == '\n';
    return s.size ? ost_fmt(x->step, "; it said last:\n%s", s.at + i) : "";
}

/* The command did not come to its end. */
static ost_status judge_status(struct stage *x)
{
    const char *title = stage_title(x);

    if (x->run.status == OST_E_CANCELLED)
        return OST_E_CANCELLED;
    if (x->run.status == OST_E_TIMEOUT)
        return ost_fail(x->step, OST_E_TIMEOUT, "%s was still running when its time was over%s%s",
                        title, x->set.timeout_ms ? ", and 'timeout' is " : "",
                        x->set.timeout_ms ? x->step->host->input(x->step, "timeout") : "");
    if (x->run.status == OST_E_NOT_FOUND)
        return ost_fail(x->step, OST_E_NOT_FOUND,
                        "there is no '%s' in this job; in an earlier step: %s", x->run.program,
                        x->target.runner ? x->target.runner->install : "install what has it");
    return ost_fail(x->step, x->run.status, "cannot run %s: %s", title, x->run.error);
}

static ost_status judge_empty(struct stage *x)
{
    if (x->run.exit_code || x->run.signal)
        return ost_fail(x->step, OST_E_FAILED, "%s %s before it told of any test%s", stage_title(x),
                        ended(x), last_words(x));
    if (!x->set.fail_on_empty || x->empty_shard)
        return OST_OK;
    if (x->run.n_stale)
        return ost_fail(
            x->step, OST_E_NOT_FOUND,
            "all %zu files that match 'report' were there before the tests ran, and were not "
            "written anew",
            x->run.n_stale);
    if (x->run.n_reports == 0)
        return ost_fail(
            x->step, OST_E_NOT_FOUND,
            x->set.report[0] ? "no file matches 'report: %s'"
                             : "%s wrote no report: name the files that it writes in 'report'",
            x->set.report[0] ? x->step->host->input(x->step, "report") : stage_title(x));
    return ost_fail(
        x->step, OST_E_NOT_FOUND,
        "%s had no tests at all; if that is as it should be, set 'fail-on-empty: false'",
        stage_title(x));
}

static ost_status judge_coverage(struct stage *x)
{
    const struct report *r = &x->report;

    if (x->set.min_coverage >= 0 && ratio_hundredths(r->coverage) < x->set.min_coverage)
        return ost_fail(
            x->step, OST_E_FAILED, "%s of the lines are covered, and 'coverage-threshold' is %s",
            ratio_show(x->step, r->coverage), x->step->host->input(x->step, "coverage-threshold"));
    if (x->set.min_diff >= 0 && ratio_hundredths(r->diff) < x->set.min_diff)
        return ost_fail(x->step, OST_E_FAILED,
                        "%s of the changed lines are covered, and 'diff-coverage-threshold' is %s",
                        ratio_show(x->step, r->diff),
                        x->step->host->input(x->step, "diff-coverage-threshold"));
    return OST_OK;
}

static ost_status judge_tests(struct stage *x)
{
    struct totals t = results_totals(&x->run.results);

    if (x->run.status < 0)
        return judge_status(x);
    if (t.failed)
        return ost_fail(x->step, OST_E_FAILED, "%zu of %zu tests failed", t.failed, t.all);
    if (x->run.trouble && !(t.all == 0 && x->run.exit_code))
        return ost_fail(x->step, OST_E_FAILED, "%s", x->run.trouble);
    if (t.all == 0)
        return judge_empty(x);
    /* A runner's failed tests are told by its exit code, too; where they were flaky it is forgiven. */
    if ((x->run.exit_code || x->run.signal) && !t.flaky)
        return ost_fail(x->step, OST_E_FAILED, "no test failed, and yet %s %s%s", stage_title(x),
                        ended(x), last_words(x));
    return OST_OK;
}

ost_status stage_judge(struct stage *x, ost_status covered)
{
    ost_status r = judge_tests(x);

    if (r == OST_OK)
        r = covered;
    return r == OST_OK ? judge_coverage(x) : r;
}
