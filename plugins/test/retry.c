#include "retry.h"

#include "../lib/index.h"

#include <string.h>

struct failed {
    struct result **list;
    const struct result **tests; /* the same, for a selection */
    size_t n;
};

static struct failed find_failed(struct ost_step *step, struct results *r)
{
    struct failed f = {0};

    for (size_t i = 0; i < r->n; i++)
        f.n += result_is_bad(&r->list[i]);
    f.list = step->host->alloc(step, (f.n + 1) * sizeof(struct result *));
    f.tests = step->host->alloc(step, (f.n + 1) * sizeof(struct result *));
    f.n = 0;
    for (size_t i = 0; i < r->n; i++)
        if (result_is_bad(&r->list[i])) {
            f.tests[f.n] = &r->list[i];
            f.list[f.n++] = &r->list[i];
        }
    return f;
}

/* What tells a test from others of its run. */
static const char *key_of(struct ost_step *step, const struct result *r)
{
    return ost_fmt(step, "%s\n%s\n%s", r->file, r->suite, r->name);
}

/* A test that is there twice (a parameter that prints alike) has passed when all of that name have. */
static void merge(struct ost_step *step, const struct failed *f, const struct results *again,
                  unsigned attempt)
{
    struct index index = {.step = step};

    for (size_t i = 0; i < again->n; i++) {
        const struct result *r = &again->list[i];
        const char *key = key_of(step, r);
        size_t at = index_get(&index, key);

        if (r->outcome != OUTCOME_SKIPPED && (at == INDEX_NONE || !result_is_bad(&again->list[at])))
            index_set(&index, key, i);
    }
    for (size_t i = 0; i < f->n; i++) {
        struct result *r = f->list[i];
        size_t at = index_get(&index, key_of(step, r));

        if (at == INDEX_NONE)
            continue; /* nobody ran it: it stays failed */
        r->attempts = attempt;
        if (!result_is_bad(&again->list[at])) {
            r->outcome = OUTCOME_PASSED; /* with the reason it had failed for */
            r->flaky = true;
        }
    }
}

static bool is_of(const struct result *a, const struct result *broken)
{
    return *broken->suite ? strcmp(a->suite, broken->suite) == 0
                          : *broken->file && strcmp(a->file, broken->file) == 0;
}

/* A class, file or package that could not be set up or loaded, and then could, has no test of the name that its
 * failure had: it has passed when its tests came, and none of them in error. True if there was such a one. */
static bool merge_broken(const struct failed *f, const struct results *again, unsigned attempt)
{
    bool any = false;

    for (size_t i = 0; i < f->n; i++) {
        struct result *r = f->list[i];
        bool came = false, bad = false;

        for (size_t k = 0; k < again->n && r->outcome == OUTCOME_ERROR; k++)
            if (is_of(&again->list[k], r)) {
                came = true;
                bad |= again->list[k].outcome == OUTCOME_ERROR;
            }
        if (!came || bad)
            continue;
        r->outcome = OUTCOME_PASSED;
        r->flaky = any = true;
        r->attempts = attempt;
    }
    return any;
}

/* The tests that nobody knew of before. */
static void add_new(struct ost_step *step, struct results *all, const struct results *again)
{
    struct index known = {.step = step};

    for (size_t i = 0; i < all->n; i++)
        index_set(&known, key_of(step, &all->list[i]), i);
    for (size_t i = 0; i < again->n; i++)
        if (index_get(&known, key_of(step, &again->list[i])) == INDEX_NONE)
            results_add(step, all, again->list[i]);
}

static ost_status rerun(const struct run_spec *spec, const struct selection *whole,
                        const struct failed *f, unsigned attempt, struct results *all,
                        bool *ret_go_on)
{
    struct ost_step *step = spec->target->step;
    struct target *t = (struct target *)(uintptr_t)spec->target; /* it counts its reports */
    struct selection only = {.pick = PICK_TESTS, .tests = f->tests, .n = f->n};
    struct commands *commands = step->host->alloc(step, sizeof *commands);
    struct run again;
    bool picked;

    commands->n = 0;
    picked = t->runner && t->runner->commands(t, &only, commands);
    if (!picked) {
        commands->n = 0;
        if (!t->runner || !t->runner->commands(t, whole, commands))
            return OST_OK;
    }
    ost_log(step, OST_INFO, "attempt %u: running %zu failed test%s again%s", attempt, f->n,
            f->n == 1 ? "" : "s", picked ? "" : ", and all others with it");
    run_commands(spec, commands, &again);
    merge(step, f, &again.results, attempt);
    if (merge_broken(f, &again.results, attempt))
        add_new(step, all, &again.results);
    if (again.status < 0 && again.status != OST_E_CANCELLED)
        ost_log(step, OST_WARNING, "attempt %u came to nothing: %s", attempt, again.error);
    else if (again.status == OST_OK && again.results.n == 0)
        ost_log(step, OST_WARNING, "attempt %u came to nothing: no test was run", attempt);
    *ret_go_on = again.status == OST_OK && again.results.n > 0;
    return again.status == OST_E_CANCELLED ? again.status : OST_OK;
}

ost_status retry_failed(const struct run_spec *spec, const struct selection *selection,
                        unsigned retries, struct run *run)
{
    struct ost_step *step = spec->target->step;
    bool go_on = run->status == OST_OK;
    ost_status r = OST_OK;

    for (unsigned i = 0; go_on && r == OST_OK && i < retries; i++) {
        struct failed f = find_failed(step, &run->results);

        if (f.n == 0)
            return OST_OK;
        if (f.n > PICK_MAX) {
            ost_log(step, OST_WARNING,
                    "%zu tests have failed: they are not run again, since so many are no flake",
                    f.n);
            return OST_OK;
        }
        go_on = false;
        r = rerun(spec, selection, &f, i + 2, &run->results, &go_on);
    }
    return r;
}
