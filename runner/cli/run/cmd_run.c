#include "cli/run/cmd_run.h"

#include "base/path.h"
#include "cli/exit.h"
#include "cli/isolation.h"
#include "cli/plan/cmd_plan.h"
#include "cli/run/workers.h"
#include "cli/settings.h"
#include "cli/start/start.h"
#include "io/proc.h"
#include "listen/leftovers.h"
#include "report/report.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

const char cmd_run_help[] =
    "Usage: ostler run [WORKFLOW...] [options]\n"
    "\n"
    "Runs workflows of the working tree on this machine. Without WORKFLOW: those in\n"
    ".github/workflows that the event starts.\n"
    "\n"
    "What happened\n"
    "  --event EVENT           the event (default: push)\n"
    "  --type ACTIVITY         the event's action: opened, labeled, published, ...\n"
    "  --event-file FILE       JSON laid over the event's payload\n"
    "  --ref REF               branch, tag or full ref (default: what HEAD names)\n"
    "  --base BRANCH           base branch of a pull request (default: the\n"
    "                          repository's default branch)\n"
    "  --actor NAME            who caused it (default: git's user)\n"
    "  --input NAME=VALUE      input of workflow_dispatch\n"
    "\n"
    "What is filtered by\n"
    "  --before REF            where a push starts (default: where the branch is on\n"
    "                          its remote, else the commit before HEAD)\n"
    "  --changed PATH          a changed file; git is not asked then (repeatable)\n"
    "  --changed-file LIST     a file of such paths, one a line; - is stdin\n"
    "  --at TIME|now           schedule: the minute, as 2026-01-31T10:00Z or now\n"
    "  --no-filter             run it whatever its filters say\n"
    "\n"
    "What runs\n"
    "  --job JOB               only this job and those it needs; CALL/JOB is one\n"
    "                          inside a called workflow (repeatable)\n"
    "  --matrix NAME=VALUE     only configurations with this value (repeatable)\n"
    "  --jobs N                jobs at a time (default: one a core)\n"
    "\n"
    "What jobs get\n"
    "  --secret NAME[=VALUE]   a secret; without VALUE from the environment\n"
    "  --secret-file FILE      lines NAME=VALUE\n"
    "  --var NAME=VALUE        a configuration variable\n"
    "  --env NAME[=VALUE]      an environment variable\n"
    "  --local-repository OWNER/NAME=FOLDER\n"
    "                          a clone that serves checkouts of that repository,\n"
    "                          calls of its workflows and its actions\n"
    "  --action-source SOURCE  where other repositories' actions and workflows are\n"
    "                          had (default: https://github.com)\n"
    "  --plugins [ACTION=]WHAT who serves actions: installed (a plugin that can, else\n"
    "                          the action itself), never or only plugins (repeatable)\n"
    "  --plugin-policy FILE    which plugins may run, besides what configurations say\n"
    "  --node FILE             the Node that runs JavaScript actions\n"
    "  --with-ignored          check out the files that git ignores, too\n"
    "\n"
    "How it runs\n"
    "  --config FILE           options from this file, not from the usual ones\n"
    "  --isolation sandbox|host  default: sandbox; naming it forbids the fallback\n"
    "  --limit LIMIT=VALUE     of each job: memory=512M, cpus=1.5, processes=200,\n"
    "                          disk=10G (repeatable)\n"
    "  --cache-size SIZE       of a repository's caches, together (default: 10G)\n"
    "  --store-size SIZE       of the actions that are kept, together (default: 5G)\n"
    "  --offline               nothing is fetched: actions come from the store\n"
    "  --pull                  images of containers are pulled although they are here\n"
    "  --keep                  leave the jobs' folders behind\n"
    "  --debug                 show ##[debug] lines, set RUNNER_DEBUG\n"
    "  --plan, --dry-run       run nothing, show what would run: 'ostler plan'\n"
    "\n"
    "What is shown\n"
    "  -v, --verbose           the log of every step\n"
    "  --json                  events as JSON lines on stdout\n"
    "  --graph, --next         of 'ostler plan'\n"
    "  --help                  this text\n"
    "\n"
    "Exit codes: 0 success or nothing to start, 1 the run failed, 2 bad usage or\n"
    "input, 3 cancelled, 4 this machine lacks something.\n";

/* Everything of one call; all of it ends with call_deinit(). */
struct call {
    struct run_options options;
    struct start start;
    struct arena arena;
    const char *state;
    struct queue *queue;
    struct report *folder, *report;
    const char *hint;
    const char *jobs_dir;   /* the jobs' folders while they run */
    const char *const *env; /* of the workers */
};

static void call_deinit(struct call *c)
{
    if (c->queue)
        c->queue->ops->free(c->queue);
    start_deinit(&c->start);
    run_options_deinit(&c->options);
    arena_deinit(&c->arena);
}

/* ---- how it is shown ---- */

static int open_reports(struct call *c, struct err *err)
{
    struct report_folder_spec folder = {.state = c->state};
    struct report *all[REPORT_ALL_MAX];
    struct report_screen screen;
    struct report_env env;
    size_t n = 0;

    int r = report_folder_new(&folder, &c->folder, err);
    if (r < 0)
        return r;
    settings_report_env(&env);
    report_screen_init(&screen, STDOUT_FILENO, &env);
    screen.verbose = c->options.verbose;
    /* Outlives the report, which is dropped when it cannot keep up its record. */
    c->hint = arena_printf(&c->arena, "%s", report_folder_path(c->folder));
    screen.hint = c->hint;
    all[n++] = c->folder;
    struct report *shown = c->options.json ? report_json_new(STDOUT_FILENO)
                           : screen.tty    ? report_terminal_new(&screen)
                                           : report_plain_new(&screen);
    shown->awaited = true;
    all[n++] = shown;
    c->report = report_all_new(all, n);
    return ERR_OK;
}

/* ---- the run ---- */

/* Nothing to do is no failure, unless no workflow could ever do it. */
static int say_nothing_starts(struct call *c)
{
    const char *event = c->options.event_name;
    json_t *text;
    size_t i;

    if (c->start.nothing_listens) {
        fprintf(stderr,
                "ostler: no workflow listens to the event '%s': name another with --event\n",
                event);
        return EXIT_USAGE;
    }
    fprintf(stderr, "ostler: the event '%s' starts no workflow\n", event);
    json_array_foreach (c->start.notes, i, text) {
        fprintf(stderr, "  %s\n", json_string_value(text));
    }
    return EXIT_OK;
}

static int make_queue(struct call *c, struct err *err)
{
    struct run_options *o = &c->options;

    c->jobs_dir = arena_printf(&c->arena, "%s/%s", c->hint, o->keep ? "kept" : "jobs");
    struct local_spec spec = start_spec(&c->start);
    spec.run_id = path_base(c->hint);
    spec.isolation = o->isolation ? o->isolation : "sandbox";
    spec.isolation_required = o->isolation_required;
    spec.limits = o->limits;
    spec.groups = arena_printf(&c->arena, "%s/concurrency", c->state);
    spec.work_dir = c->jobs_dir;
    spec.plugin_path = settings_plugin_path(&c->arena, &o->config);
    spec.plugin_prefer = &o->plugins;
    spec.plugin_policies = o->config.policies;
    spec.node = o->node;
    spec.tool_cache = settings_tool_cache();
    spec.hidden = isolation_hidden(&c->arena, c->state, NULL, 0);
    return queue_local_new(&spec, &c->queue, err);
}

static int exit_code(enum queue_result result, bool cancelled)
{
    if (cancelled)
        return EXIT_CANCELLED;
    return result == QUEUE_FAILURE || result == QUEUE_CANCELLED ? EXIT_RUN_FAILED : EXIT_OK;
}

static int refuse(const struct err *err)
{
    fprintf(stderr, "ostler: %s\n", err->text);
    return err->code == ERR_UNSUPPORTED ? EXIT_LACKING
           : err->code == ERR_CANCELLED ? EXIT_CANCELLED
                                        : EXIT_USAGE;
}

/* Before a folder is made for the run: who wants to stop it then gets it removed again, too. From here on signals wait
 * for whoever listens to them: at first what fetches, later the workers' loop. */
static int listen_for_stop(struct call *c, struct err *err)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return err_sys(err, "cannot block signals");
    c->start.stop = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (c->start.stop < 0)
        return err_sys(err, "cannot listen for signals");
    return proc_become_reaper(err); /* of what somebody who fetches leaves when he is killed */
}

/* Everything that can be refused is looked at before the first event: then nothing was started. */
static int prepare(struct call *c, struct err *err)
{
    const char *note = NULL;
    int r = start_read(&c->start, err);

    c->env = settings_job_environ(&c->arena, c->options.keep_env.ptr);
    if (r == ERR_OK)
        r = settings_state(&c->arena, &c->state, &note, err);
    if (r == ERR_OK && note)
        fprintf(stderr, "ostler: %s\n", note);
    struct err left = ERR_INIT;
    if (r == ERR_OK && leftovers_remove(c->state, c->env, &left) < 0)
        fprintf(stderr, "ostler: %s\n", left.text);
    if (r == ERR_OK)
        r = listen_for_stop(c, err);
    if (r == ERR_OK)
        r = open_reports(c, err);
    if (r == ERR_OK) {
        struct start_run run = {.number = report_folder_id(c->folder)};

        r = start_event(&c->start, &run, err);
    }
    if (r == ERR_OK)
        start_tell(&c->start);
    if (r == ERR_OK && c->start.started.len == 0)
        return ERR_OK;
    if (r == ERR_OK)
        r = start_calls(&c->start, err);
    if (r == ERR_OK)
        r = make_queue(c, err);
    if (r == ERR_OK && c->options.isolation_required && strcmp(c->options.isolation, "host") != 0)
        r = isolation_check(c->jobs_dir, settings_home(), c->env, err);
    if (start_is_stopped(&c->start)) /* whatever else it came to */
        r = err_set(err, ERR_CANCELLED, "cancelled");
    return r;
}

static int run(struct call *c)
{
    struct err err = ERR_INIT;
    bool cancelled = false;
    int r = prepare(c, &err);

    if (r < 0 || c->start.started.len == 0) {
        int code = r < 0 ? refuse(&err) : say_nothing_starts(c);

        if (report_close(c->report, &err) < 0) /* nothing ran: nothing is kept */
            fprintf(stderr, "ostler: %s\n", err.text);
        return code;
    }
    struct services_spec services = {
        .run = path_base(c->hint),
        .run_dir = c->hint,
        .caches = settings_caches(&c->arena),
        .state = arena_printf(&c->arena, "%s/caches", c->state),
        .cache_size = c->options.cache_size,
    };
    struct workers_spec spec = {
        .queue = c->queue,
        .services = services_new(&services),
        .report = c->report,
        .slots = c->options.slots,
        .env = c->env,
        .minute_ms = settings_env("OSTLER_TEST_MINUTE_MS"),
    };
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is an error of its report */
    r = workers_run(&spec, &cancelled, &err);
    services_free(spec.services);
    if (r < 0)
        fprintf(stderr, "ostler: %s\n", err.text);
    (void)rmdir(c->jobs_dir); /* stays when a job's folder was kept */
    int code = r < 0 ? EXIT_LACKING : exit_code(queue_local_result(c->queue), cancelled);
    struct err closing = ERR_INIT;
    if (report_close(c->report, &closing) < 0) {
        fprintf(stderr, "ostler: %s\n", closing.text);
        code = code == EXIT_OK ? EXIT_RUN_FAILED : code; /* nobody is to take it for whole */
    }
    return code;
}

/* A plan begins before any option is read: see plan/ask.c. */
static bool asks_for_plan(char **argv)
{
    for (; *argv && strcmp(*argv, "--") != 0; argv++)
        if (strcmp(*argv, "--plan") == 0 || strcmp(*argv, "--dry-run") == 0)
            return true;
    return false;
}

int cmd_run(int argc, char **argv)
{
    if (asks_for_plan(argv))
        return cmd_plan(argc, argv);
    struct call c = {0};
    struct err err = ERR_INIT;
    int code = EXIT_OK;

    run_options_init(&c.options);
    start_init(&c.start, &c.options);
    c.start.may_fetch = true;
    if (run_options_parse(&c.options, argc, argv, &err) < 0)
        code = refuse(&err);
    else if (c.options.help)
        fputs(cmd_run_help, stdout);
    else
        code = run(&c);
    call_deinit(&c);
    return code;
}
