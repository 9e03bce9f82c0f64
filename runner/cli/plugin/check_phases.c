/* A plugin's phases on trial: what it does when all goes well, and when nothing does. */
#include "cli/plugin/check.h"
#include "cli/plugin/trial.h"

enum {
    FAULTS_MAX = 200, /* calls of a phase that are made to fail */
    SAID_MAX = 3,     /* findings of a kind in one phase: the rest is likely the same mistake */
};

struct phases {
    const struct plugin *plugin;
    struct trial *trial;
    int64_t timeout_ms;
    struct check_report *to;
    unsigned n_runs; /* with a fault or cancelled */
};

/* ---- a plan changes nothing ---- */

static void compare(struct phases *c, const struct strmap *before, const struct strmap *after)
{
    static const char cure[] = "let the plan only look: host->plan() says what main would do";

    STRMAP_EACH (item, after) {
        const char *old = strmap_get(before, item->name);

        if (!old)
            check_say(c->to, "plan", CHECK_FAILED, cure, "a plan made '%s'", item->name);
        else if (strcmp(old, item->value) != 0)
            check_say(c->to, "plan", CHECK_FAILED, cure, "a plan changed '%s'", item->name);
    }
    STRMAP_EACH (item, before)
        if (!strmap_get(after, item->name))
            check_say(c->to, "plan", CHECK_FAILED, cure, "a plan removed '%s'", item->name);
}

static void say_broken(struct phases *c, const char *check, int phase,
                       const struct trial_result *got)
{
    if (got->end == TRIAL_HUNG)
        check_say(c->to, check, CHECK_FAILED,
                  "wait for something that comes, or give it more time with --timeout",
                  "%s was not done after %lld s", plugin_phase_name(phase),
                  (long long)c->timeout_ms / 1000);
    else
        check_say(c->to, check, CHECK_FAILED, "return a status instead", "%s", got->text);
}

static int check_plan(struct phases *c, struct err *err)
{
    CLEANUP(strmap_deinit) struct strmap before = STRMAP_INIT;
    CLEANUP(strmap_deinit) struct strmap after = STRMAP_INIT;
    const struct trial_order order = {.phase = OST_PHASE_PLAN};
    struct trial_result got;
    int r;

    if (!plugin_can_plan(c->plugin)) {
        check_say(c->to, "plan", CHECK_NOTE, "write a plan phase, or set OST_EFFECTS_VIA_HOST",
                  "it has no plan");
        return ERR_OK;
    }
    if ((r = trial_files(c->trial, &before, err)) < 0 ||
        (r = trial_run(c->trial, &order, &got, err)) < 0 ||
        (r = trial_files(c->trial, &after, err)) < 0)
        return r;
    compare(c, &before, &after);
    if (got.end != TRIAL_RETURNED)
        say_broken(c, "plan", OST_PHASE_PLAN, &got);
    if (!check_is_silent(c->to, "plan"))
        return ERR_OK;
    if (got.failed)
        check_say(c->to, "plan", CHECK_NOTE, "say with --with what it needs",
                  "it changes nothing; in an empty workspace it ends with: %s", got.text);
    else
        check_say(c->to, "plan", CHECK_OK, NULL, "it changes nothing");
    return ERR_OK;
}

/* ---- faults ---- */

static void say_fault(struct phases *c, const struct trial_order *o, const struct trial_result *got)
{
    const char *phase = plugin_phase_name(o->phase);
    unsigned nth = o->fault ? o->fault : o->cancel;
    const char *when = o->fault ? "failed" : "came after the cancel";

    if (got->end == TRIAL_HUNG)
        check_say(c->to, "faults", CHECK_FAILED,
                  o->fault
                      ? "give up when a call keeps failing"
                      : "return once cancelled() is true, and wait for cancel_fd() beside all else",
                  "%s went on for %lld s after call %u, '%s', %s", phase,
                  (long long)c->timeout_ms / 1000, nth, got->fault, when);
    else if (got->end == TRIAL_BROKE)
        check_say(c->to, "faults", CHECK_FAILED,
                  "look at what a call returned before you go on with it",
                  "%s, as call %u, '%s', %s", got->text, nth, got->fault, when);
}

static void say_left(struct phases *c, const struct trial_order *o, const struct trial_result *got)
{
    const char *phase = plugin_phase_name(o->phase);
    static const char cure[] = "close what was opened, on every way out";

    if (!got->left)
        return;
    if (got->fault)
        check_say(c->to, "leaks", CHECK_FAILED, cure,
                  "%s left a descriptor open (%s), as call %u, '%s', %s", phase, got->left,
                  o->fault ? o->fault : o->cancel, got->fault,
                  o->fault ? "failed" : "came after the cancel");
    else
        check_say(c->to, "leaks", CHECK_FAILED, cure, "%s left a descriptor open (%s)", phase,
                  got->left);
}

/* Each call of PHASE fails once, or is preceded by the cancel, until a run has no such call. */
static int try_each(struct phases *c, int phase, bool cancel, struct err *err)
{
    size_t before = c->to->n_failed;

    for (unsigned nth = 1; nth <= FAULTS_MAX; nth++) {
        const struct trial_order order = {
            .phase = phase, .fault = cancel ? 0 : nth, .cancel = cancel ? nth : 0};
        struct trial_result got;
        int r = trial_run(c->trial, &order, &got, err);

        if (r < 0)
            return r;
        if (!got.fault)
            return ERR_OK;
        c->n_runs++;
        say_fault(c, &order, &got);
        say_left(c, &order, &got);
        if (got.end == TRIAL_HUNG || c->to->n_failed >= before + SAID_MAX)
            return ERR_OK;
    }
    check_say(c->to, "faults", CHECK_NOTE, NULL,
              "%s makes more than %d calls: the first were tried", plugin_phase_name(phase),
              FAULTS_MAX);
    return ERR_OK;
}

static int check_phase(struct phases *c, int phase, struct err *err)
{
    const struct trial_order order = {.phase = phase};
    struct trial_result got;
    int r = trial_run(c->trial, &order, &got, err);

    if (r < 0)
        return r;
    if (got.end != TRIAL_RETURNED) {
        say_broken(c, "phases", phase, &got);
        return ERR_OK;
    }
    say_left(c, &order, &got);
    if (got.failed)
        check_say(c->to, "phases", CHECK_NOTE,
                  "say with --with what it needs, and test the rest with the kit",
                  "%s ends early where every command answers nothing: %s", plugin_phase_name(phase),
                  got.text);
    if ((r = try_each(c, phase, false, err)) < 0)
        return r;
    return try_each(c, phase, true, err);
}

static void say_well(struct phases *c)
{
    if (check_is_silent(c->to, "phases"))
        check_say(c->to, "phases", CHECK_OK, NULL, "each runs to its end");
    if (check_is_silent(c->to, "faults"))
        check_say(c->to, "faults", CHECK_OK, NULL,
                  "every call failed once, and the job was cancelled before each: %u runs survived",
                  c->n_runs);
    if (check_is_silent(c->to, "leaks"))
        check_say(c->to, "leaks", CHECK_OK, NULL, "nothing is left open");
}

int check_phases(const struct plugin *p, int object, const struct strmap *with, int64_t timeout_ms,
                 struct check_report *to, struct err *err)
{
    struct phases c = {.plugin = p, .timeout_ms = timeout_ms, .to = to};
    int r = trial_open(p, object, with, timeout_ms, &c.trial, err);

    if (r == ERR_OK)
        r = check_plan(&c, err);
    for (int phase = OST_PHASE_PLAN; r == ERR_OK && phase <= OST_PHASE_POST; phase++)
        if (plugin_has_phase(p, phase)) /* a plan that is main's own is tried with main */
            r = check_phase(&c, phase, err);
    if (r == ERR_OK)
        say_well(&c);
    trial_close(c.trial);
    return r;
}
