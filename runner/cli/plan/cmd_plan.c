#include "cli/plan/cmd_plan.h"

#include "cli/exit.h"
#include "cli/plan/parts.h"
#include "cli/settings.h"

#include <time.h>
#include <unistd.h>

enum { PLAN_VERSION = 1 };

const char cmd_plan_help[] =
    "Usage: ostler plan [WORKFLOW...] [options]\n"
    "\n"
    "Shows what an event would run, and why: which workflows start, their jobs in\n"
    "stages, each condition with the values it saw, each step with what goes into it.\n"
    "Nothing is run, written or fetched. Without WORKFLOW: those in\n"
    ".github/workflows.\n"
    "\n"
    "  --json                  the plan as JSON (plan.schema.json)\n"
    "  --graph mermaid|dot|ascii  the jobs and what they need\n"
    "  --next N                the next N firings of the schedules, from --at or now\n"
    "  -v, --verbose           every configuration with its steps, whole scripts\n"
    "\n"
    "What happened, what is filtered by, what runs and what jobs get is said with\n"
    "the options of 'ostler run': see 'ostler run --help'. Which files changed is\n"
    "asked of git only with --before; --changed and --changed-file state it.\n"
    "\n"
    "Exit codes: 0 there is a plan, 1 something in it cannot work, 2 bad usage or\n"
    "input, 4 this machine lacks something.\n";

/* Everything of one plan. */
struct planning {
    const struct run_options *options;
    struct start start;
    struct arena arena;
    struct plan_asker *asker;
    json_t *plan;
};

static void planning_deinit(struct planning *p)
{
    plan_asker_free(p->asker);
    json_decref(p->plan);
    start_deinit(&p->start);
    arena_deinit(&p->arena);
}

/* ---- the document ---- */

static json_t *event_json(const struct planning *p)
{
    static const char *const members[] = {"ref", "sha", "actor", "repository", "base_ref"};
    const json_t *github = p->start.github;
    const json_t *action = json_object_get(json_object_get(github, "event"), "action");
    json_t *event = json_pack("{s:O}", "name", json_object_get(github, "event_name"));

    if (json_is_string(action))
        json_object_set(event, "action", (json_t *)(uintptr_t)action);
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        json_t *value = json_object_get(github, members[i]);

        if (json_string_length(value))
            json_object_set(event, members[i], value);
    }
    return event;
}

static size_t times_started(const struct start *s, size_t which)
{
    size_t n = 0;

    for (size_t i = 0; i < s->started.len; i++)
        n += s->started.ptr[i] == s->workflows.ptr[which];
    return n;
}

/* The verdict on workflow number WHICH. */
static void add_verdict(struct planning *p, size_t which, json_t *to)
{
    struct start *s = &p->start;
    const struct trigger_verdict *v = &s->choice.verdicts[which];

    json_object_set_new(to, "file", json_string(s->paths.ptr[which]));
    json_object_set_new(to, "name", json_string(s->workflows.ptr[which]->name));
    json_object_set_new(to, "listens", json_boolean(v->filter != TRIGGER_ON));
    json_object_set_new(to, "starts", json_boolean(times_started(s, which) > 0));
    if (v->reason) {
        json_object_set_new(to, "reason", json_string(v->reason));
        json_object_set_new(
            to, "filter",
            json_string(v->filter == TRIGGER_ON ? "on" : trigger_filter_name(v->filter)));
    }
    if (v->reason && v->line) {
        json_object_set_new(to, "line", json_integer(v->line));
        json_object_set_new(to, "column", json_integer(v->col));
    }
    if (v->note)
        json_object_set_new(to, "not_asked", json_string(v->note));
}

/* One entry for each workflow, and for one that starts several times as many; what FORECAST (an array, in
 * the order of the started) says of each is laid over it. */
static json_t *workflows_json(struct planning *p, const json_t *forecast)
{
    struct start *s = &p->start;
    json_t *all = json_array();
    size_t started = 0;

    for (size_t i = 0; i < s->workflows.len; i++) {
        size_t n = times_started(s, i);

        for (size_t k = 0; k < n || k == 0; k++) {
            json_t *one = json_object();

            add_verdict(p, i, one);
            if (n) {
                if (s->schedules.ptr[started])
                    json_object_set_new(one, "schedule", json_string(s->schedules.ptr[started]));
                json_object_update_missing(one, json_array_get(forecast, started++));
            }
            json_array_append_new(all, one);
        }
    }
    return all;
}

static int make_plan(struct planning *p, struct err *err)
{
    struct local_spec run = start_spec(&p->start);
    const char *source = p->start.source;
    json_t *of_workflows = NULL;
    int r = ERR_OK;

    run.plugin_path = settings_plugin_path(&p->arena, &p->options->config);
    run.plugin_prefer = &p->options->plugins;
    run.plugin_policies = p->options->config.policies;
    struct forecast_spec spec = {
        .run = &run,
        .event_file = p->options->event_file,
        .no_git = !p->options->before,
        .asker = plan_asker_for(p->asker, source, p->options->config.policies),
    };
    if (p->start.started.len)
        r = forecast(&spec, &of_workflows, err);
    if (r < 0)
        return r;
    p->plan = json_pack("{s:i, s:o, s:O, s:o}", "version", PLAN_VERSION, "event", event_json(p),
                        "notes", p->start.notes, "workflows",
                        workflows_json(p, json_object_get(of_workflows, "workflows")));
    if (of_workflows)
        json_object_set(p->plan, "not_given", json_object_get(of_workflows, "not_given"));
    else
        json_object_set_new(p->plan, "not_given", json_pack("{s:[], s:[]}", "secrets", "vars"));
    json_decref(of_workflows);
    return ERR_OK;
}

static int prepare(struct planning *p, struct err *err)
{
    const struct run_options *o = p->options;
    struct start_run run = {.no_git = !o->before};
    int r = start_read(&p->start, err);

    if (r == ERR_OK && o->next)
        return plan_next(&p->start, o->has_at ? o->at : time(NULL), o->next, &p->plan, err);
    if (r == ERR_OK)
        r = start_event(&p->start, &run, err);
    if (r == ERR_OK && p->start.nothing_listens && o->files.len == 0)
        return err_set(err, ERR_INVALID,
                       "no workflow listens to the event '%s': name another with --event",
                       o->event_name);
    if (r == ERR_OK)
        r = start_calls(&p->start, err);
    return r < 0 ? r : make_plan(p, err);
}

/* ---- showing it ---- */

/* Something in it is an error, wherever. */
static bool has_error(const json_t *json)
{
    const char *key;
    json_t *value;
    size_t i;

    json_object_foreach ((json_t *)(uintptr_t)json, key, value) {
        if (strcmp(key, "error") == 0 || has_error(value))
            return true;
    }
    json_array_foreach (json, i, value) {
        if (has_error(value))
            return true;
    }
    return false;
}

static int show(const struct planning *p, struct err *err)
{
    struct report_env env;
    struct report_screen screen;

    settings_report_env(&env);
    report_screen_init(&screen, STDOUT_FILENO, &env);
    if (p->options->json) {
        (void)json_dumpf(p->plan, stdout, JSON_INDENT(2)); /* what fails shows below */
        putchar('\n');
    } else if (p->options->graph) {
        plan_graph(p->plan, p->options->graph);
    } else {
        plan_print(p->plan, &screen, p->options->verbose);
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? ERR_OK : err_sys(err, "cannot write the plan");
}

int cmd_plan(int argc, char **argv)
{
    CLEANUP(run_options_deinit) struct run_options o;
    CLEANUP(planning_deinit) struct planning p = {.options = &o};
    struct err err = ERR_INIT;
    int r = plan_asker_new(argv, &p.asker, &err);

    run_options_init(&o);
    o.plan = true;
    start_init(&p.start, &o);
    if (r == ERR_OK)
        r = run_options_parse(&o, argc, argv, &err);
    if (r == ERR_OK && o.help) {
        fputs(cmd_plan_help, stdout);
        return EXIT_OK;
    }
    if (r == ERR_OK)
        r = prepare(&p, &err);
    if (r == ERR_OK)
        r = show(&p, &err);
    if (r < 0) {
        fprintf(stderr, "ostler plan: %s\n", err.text);
        return r == ERR_UNSUPPORTED ? EXIT_LACKING : EXIT_USAGE;
    }
    return has_error(json_object_get(p.plan, "workflows")) ? EXIT_RUN_FAILED : EXIT_OK;
}
