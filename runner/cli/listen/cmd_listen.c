#include "cli/listen/cmd_listen.h"

#include "base/path.h"
#include "cli/isolation.h"
#include "cli/listen/options.h"
#include "cli/listen/queues.h"
#include "cli/listen/watch.h"
#include "cli/settings.h"
#include "cli/web.h"
#include "io/spawn.h"
#include "store/source.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

const char cmd_listen_help[] =
    "Usage: ostler listen [FOLDER...] [options]\n"
    "\n"
    "Runs jobs of GitHub, Gitea and Forgejo on this machine until it is stopped.\n"
    "FOLDER holds a registration ('ostler register'); without one, all of this user's\n"
    "are served.\n"
    "\n"
    "What is taken\n"
    "  --slots N               jobs at once, of all registrations together (default:\n"
    "                          what these are for: one each, unless they say more)\n"
    "  --once                  one job, and no more\n"
    "  --jitconfig TEXT        serve what GitHub gave for one job; better said as\n"
    "                          ACTIONS_RUNNER_INPUT_JITCONFIG\n"
    "  --drain-time TIME       what jobs have to come to their end after a first\n"
    "                          SIGTERM: 4m, 2h (default: 0, as long as they take)\n"
    "  --min-free SIZE         no job is taken while the work folder's disk has less\n"
    "                          (default: 1G; 0: whatever it has)\n"
    "  --runner-version V      the official runner's version that GitHub is told; it\n"
    "                          turns away what is too old (default: 2.336.0)\n"
    "  --startuptype TYPE      taken as GitHub's runner takes it, and means nothing\n"
    "\n"
    "A scale set of GitHub's\n"
    "  --scale-set NAME        runners are made as jobs come, each for one job;\n"
    "                          without FOLDER it is all that is served\n"
    "  --url URL               its repository, organisation or enterprise\n"
    "  --min N                 runners that wait without a job (default: 0)\n"
    "  --max N                 runners at most (default: --slots, else one a core)\n"
    "  --runnergroup NAME      its runner group (default: the default one)\n"
    "  --labels A,B            its labels (default: its name)\n"
    "  --pat TOKEN             a personal access token\n"
    "  --pat-file FILE         a file with one; -: stdin\n"
    "  --app-id ID             an app instead: its client id or number\n"
    "  --app-installation N    its installation\n"
    "  --app-key-file FILE     its private key\n"
    "  --token TOKEN           a registration token instead: it is good for an hour\n"
    "  --token-file FILE       a file with one; -: stdin\n"
    "\n"
    "How jobs are run\n"
    "  --isolation sandbox|host  (default: sandbox)\n"
    "  --limit LIMIT=VALUE     of each job: memory=512M, cpus=1.5, processes=200,\n"
    "                          disk=10G (repeatable)\n"
    "  --plugins [ACTION=]WHAT who serves actions: installed, never or only plugins\n"
    "  --plugin-policy FILE    which plugins may run, besides what configurations say\n"
    "  --action-source SOURCE  where other repositories' actions are had, where a\n"
    "                          server does not say it (default: https://github.com)\n"
    "  --node FILE             the Node that runs JavaScript actions\n"
    "  --cache-size SIZE       of a repository's caches, all together (default: 10G)\n"
    "  --store-size SIZE       of the actions that are kept, together (default: 5G)\n"
    "  --offline               no action is fetched: they come from the store\n"
    "  --pull                  images of containers are pulled although they are here\n"
    "  --work FOLDER           where jobs have their folders (default: 'work' below\n"
    "                          the state folder)\n"
    "  --keep                  leave the jobs' folders behind\n"
    "  --config FILE           options from this file, not from the usual ones\n"
    "\n"
    "How it can be watched\n"
    "  --log text|json         lines on stderr (default: text)\n"
    "  --records N             jobs whose logs are kept on this machine, too\n"
    "                          (default: 100)\n"
    "  --address HOST:PORT     health, metrics and status over HTTP: 127.0.0.1:9252\n"
    "                          (default: only at the socket)\n"
    "  --socket PATH           the same at this socket (default: where\n"
    "                          'ostler status' looks)\n"
    "  --help                  this text\n"
    "\n"
    "SIGTERM or SIGINT lets the jobs that run come to their end; once more ends them;\n"
    "a third time kills them. SIGHUP lets them come to their end and begins anew,\n"
    "with what the configuration says then.\n"
    "\n"
    "Exit codes: 0 stopped, or there is nothing more to do; 1 it cannot go on; 2 it\n"
    "could, when started again; 5 another listener has the registration.\n";

/* Those of GitHub's runner, which supervisors know (github-protocol.md 9.4). */
enum { RETRY_MS = 3000 }; /* as GitHub's clients have it */

/* One job, and how it ended is how we end: for whoever makes a machine for each (9.3). */
#define RETURN_RESULT "ACTIONS_RUNNER_RETURN_JOB_RESULT_FOR_HOSTED"

enum listen_exit { LISTEN_OK = 0, LISTEN_FAILED = 1, LISTEN_AGAIN = 2, LISTEN_CONFLICT = 5 };

struct call {
    int argc; /* as cmd_listen() has them */
    char **argv;
    struct listen_options options;
    struct arena arena;
    const char *program; /* where this one lies; NULL: not known */
    const char *state, *work;
    const char *const *env; /* of the workers */
    struct outfit outfit;
    struct store_spec store; /* the same, for workflows that jobs call */
    struct record_spec records;
    struct loop *loop;
    struct http *http;
    struct listen_queues queues;
    struct listener *listener;
    struct listen_watch *watch;
    int job_exit; /* as the last job ended; 0: there was none */
};

static void call_deinit(struct call *c)
{
    listen_watch_free(c->watch);
    listener_free(c->listener);
    http_free(c->http);
    listen_queues_deinit(&c->queues);
    loop_free(c->loop);
    listen_options_deinit(&c->options);
    arena_deinit(&c->arena);
}

/* ---- who looks on ---- */

static void on_note(void *ctx, const struct listener_note *note)
{
    const struct call *c = ctx;
    listen_watch_note(c->watch, note);
}

static void on_trouble(void *ctx, const char *text)
{
    on_note(ctx, &(struct listener_note){.level = LISTENER_ERROR, .text = text});
}

/* How a job ended, as the official runner's exit code (TaskResultUtil.cs): 100 and the result's number. NULL: without a
 * word of its worker. */
static int exit_of(const char *result)
{
    static const char *const results[] = {"success", "succeeded with issues", "failure",
                                          "cancelled", "skipped"};
    enum { BASE = 100, FAILED = 2 };

    for (size_t i = 0; result && i < sizeof results / sizeof *results; i++)
        if (strcmp(result, results[i]) == 0)
            return BASE + (int)i;
    return BASE + FAILED;
}

static int on_admit(void *ctx, const struct job *job, struct err *err)
{
    struct call *c = ctx;
    int r = listen_policy_check(&c->options.run.config.listen, job, err);

    if (r < 0) {
        c->job_exit = exit_of(NULL);
        listen_watch_refused(c->watch);
    }
    return r;
}

static void on_assigned(void *ctx, const struct listener_job *job, int64_t waited_ms)
{
    const struct call *c = ctx;
    listen_watch_assigned(c->watch, job, waited_ms);
}

static void on_started(void *ctx, const struct listener_job *job)
{
    const struct call *c = ctx;
    listen_watch_started(c->watch, job);
}

static void on_ended(void *ctx, const struct listener_job *job)
{
    struct call *c = ctx;

    c->job_exit = exit_of(job->result);
    listen_watch_ended(c->watch, job);
}

static void on_draining(void *ctx)
{
    const struct call *c = ctx;
    listen_watch_draining(c->watch);
}

/* ---- anew ---- */

/* What is wrong with the new configuration is said now, while the old one still serves. */
static int on_renew(void *ctx, struct err *err)
{
    const struct call *c = ctx;
    struct listen_options fresh;

    if (c->options.once || c->options.jitconfig || settings_flag(RETURN_RESULT))
        return err_set(err, ERR_DENIED, "this listener is here for one job");
    if (c->options.spent)
        return err_set(err, ERR_DENIED,
                       "secrets that came by the command line, by ACTIONS_RUNNER_INPUT_... or by "
                       "stdin are wiped: name files for them, and start anew");
    if (!c->program)
        return err_set(err, ERR_DENIED, "the program's path is not known: start it anew");
    listen_options_init(&fresh);
    int r = listen_options_parse(&fresh, c->argc, c->argv, err);
    listen_options_deinit(&fresh);
    return r;
}

static const char *program_path(struct arena *a)
{
    CLEANUP(free_ptr) char *path = realpath("/proc/self/exe", NULL);

    return path ? arena_str(a, slice_of(path)) : NULL;
}

/* The same process: whoever watches over it sees nothing but a while without jobs. Returns only if that fails. */
static int begin_anew(const char *program, int argc, char **argv)
{
    const char **args = mem_new(((size_t)argc + 2) * sizeof *args);

    args[0] = program;
    for (int i = 0; i < argc; i++)
        args[i + 1] = argv[i];
    (void)execv(program, (char *const *)(uintptr_t)args);
    fprintf(stderr, "ostler: cannot start '%s' anew: %s\n", program, strerror(errno));
    free(args);
    return LISTEN_AGAIN;
}

/* ---- its parts ---- */

static int find_folders(struct call *c, struct err *err)
{
    const char *note = NULL;
    int r = settings_state(&c->arena, &c->state, &note, err);

    if (r < 0)
        return r;
    if (note)
        on_trouble(c, note);
    c->work = c->options.work ? c->options.work : arena_printf(&c->arena, "%s/work", c->state);
    r = path_mkdirs(AT_FDCWD, c->work, 0700, err);
    return r < 0 ? err_in(err, "the work folder") : r;
}

/* Of HOME nothing shows anyhow, but a registration is where its operator has put it. */
static const char *const *hidden(struct call *c)
{
    const struct listen_scale *scale = &c->options.scale;
    const char **more = arena_array(&c->arena, c->queues.list.len + 3, sizeof *more);
    size_t n = 0;

    more[n++] = c->work;
    more[n++] = scale->secret_file;
    more[n++] = scale->key_file;
    VEC_EACH (q, &c->queues.list)
        more[n++] = (*q)->path;
    return isolation_hidden(&c->arena, c->state, more, n);
}

/* A server's jobs are anybody's: they are never let out of the sandbox unless the operator says so. */
static int dress(struct call *c, struct err *err)
{
    const struct run_options *o = &c->options.run;
    const char *source = o->action_source;
    int r = ERR_OK;

    if (!source)
        r = source_parse(&c->arena, settings_action_source(), &source, err);
    if (r < 0)
        return err_in(err, "OSTLER_ACTION_SOURCE");
    c->env = settings_job_environ(&c->arena, NULL);
    c->outfit = (struct outfit){
        .isolation = o->isolation ? o->isolation : "sandbox",
        .isolation_required = true,
        .limits = o->limits,
        .plugin_path = settings_plugin_path(&c->arena, &o->config),
        .plugin_prefer = &o->plugins,
        .plugin_policies = o->config.policies,
        .containers = o->config.listen.containers,
        .node = o->node,
        .tool_cache = settings_tool_cache(),
        .offline = o->offline,
        .pull = o->pull,
        .keep = o->keep,
        .store = settings_action_store(&c->arena),
        .store_source = source,
        .store_budget = o->store_size,
        .fetch_env = settings_fetch_environ(&c->arena),
        .caches = settings_caches(&c->arena),
        .state = arena_printf(&c->arena, "%s/caches", c->state),
        .cache_size = o->cache_size,
    };
    c->outfit.hidden = hidden(c);
    c->store = (struct store_spec){
        .folder = c->outfit.store,
        .source = source,
        .offline = o->offline,
        .budget = o->store_size,
        .git = {.path = spawn_env_path((const char *const *)environ),
                .home = settings_home(),
                .more = c->outfit.fetch_env},
    };
    c->queues.store = &c->store;
    if (strcmp(c->outfit.isolation, "host") == 0)
        return ERR_OK;
    const char *probe = arena_printf(&c->arena, "%s/probe-%ld", c->work, (long)getpid());
    r = isolation_check(probe, settings_home(), c->env, err);
    return r < 0 ? err_in(err, "jobs cannot be kept apart from this machine (--isolation host "
                               "runs them without)")
                 : r;
}

static int open_listener(struct call *c, struct err *err)
{
    const struct listen_options *o = &c->options;
    struct listener_spec spec = {
        .loop = c->loop,
        .work = c->work,
        .slots = o->slots ? o->slots : c->queues.capacity,
        .once = o->once || settings_flag(RETURN_RESULT),
        .drain_ms = o->drain_ms,
        .min_free = o->min_free,
        .records = o->records ? &c->records : NULL,
        .outfit = &c->outfit,
        .env = c->env,
        .minute_ms = settings_env("OSTLER_TEST_MINUTE_MS"),
        .version = OSTLER_VERSION,
        .hooks = {.note = on_note,
                  .admit = on_admit,
                  .assigned = on_assigned,
                  .started = on_started,
                  .ended = on_ended,
                  .draining = on_draining,
                  .renew = on_renew,
                  .ctx = c},
    };

    c->records = (struct record_spec){
        .state = arena_printf(&c->arena, "%s/listen", c->state),
        .keep = o->records,
    };
    return listener_new(&spec, &c->listener, err);
}

static int prepare(struct call *c, struct err *err)
{
    int r = find_folders(c, err);

    c->program = program_path(&c->arena);
    c->queues.trouble = on_trouble;
    c->queues.ctx = c;
    if (r == ERR_OK && c->options.jitconfig)
        r = listen_queues_load_jit(&c->queues, c->options.jitconfig, err);
    if (r == ERR_OK && c->options.scale.name)
        r = listen_scale_open(&c->options.scale, &c->arena, c->state, &c->queues.taken, err);
    if (r == ERR_OK && c->options.scale.name)
        c->queues.capacity += c->options.scale.most;
    if (r == ERR_OK && (c->options.folders.len || !(c->options.jitconfig || c->options.scale.name)))
        r = listen_queues_load(&c->queues, c->options.folders.ptr, c->options.folders.len,
                               arena_printf(&c->arena, "%s/registrations", c->state), err);
    if (r == ERR_OK)
        r = dress(c, err);
    if (r == ERR_OK)
        r = loop_new(&c->loop, err);
    if (r == ERR_OK)
        r = web_open(c->loop, "ostler/" OSTLER_VERSION, RETRY_MS, &c->http, err);
    if (r == ERR_OK)
        r = open_listener(c, err);
    c->queues.runner_version = c->options.runner_version;
    c->queues.env = c->env;
    if (r == ERR_OK)
        r = listen_queues_add(&c->queues, c->listener, c->loop, c->http, c->work, err);
    if (r == ERR_OK && c->options.scale.name)
        r = listen_scale_add(&c->options.scale, &c->queues, c->listener, c->http, err);
    if (r == ERR_OK)
        r = listen_watch_begin(c->watch, c->loop, c->listener, err);
    return r;
}

/* Who stops us while we get ready is heard once the listener listens: then it ends in order. */
static void wait_with_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &set, NULL); /* fails for a wrong argument only */
    signal(SIGPIPE, SIG_IGN);
}

/* Keys of registrations and tokens of jobs would be in it. Workers start with the same; a job may raise it again. */
static void leave_no_core(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_CORE, &limit) < 0)
        return;
    limit.rlim_cur = 0;
    (void)setrlimit(RLIMIT_CORE, &limit); /* to lower it is never refused */
}

static int run(struct call *c)
{
    struct err err = ERR_INIT;
    int code = LISTEN_OK;

    wait_with_signals();
    leave_no_core();
    if (prepare(c, &err) < 0)
        code = c->queues.taken ? LISTEN_CONFLICT : LISTEN_FAILED;
    else if (listener_run(c->listener, &code, &err) < 0)
        code = LISTEN_AGAIN;
    else if (code == LISTEN_OK && c->job_exit && settings_flag(RETURN_RESULT))
        code = c->job_exit;
    if (err.code)
        listen_watch_failed(c->watch, err.text);
    return code;
}

int cmd_listen(int argc, char **argv)
{
    struct call c = {.argc = argc, .argv = argv, .queues = LISTEN_QUEUES_INIT};
    CLEANUP(free_ptr) char *again = NULL; /* the program that is to be started in our place */
    struct err err = ERR_INIT;
    int code = LISTEN_OK;

    listen_options_init(&c.options);
    int r = listen_options_parse(&c.options, argc, argv, &err);
    c.watch = listen_watch_new(&(struct listen_watch_spec){
        .json = c.options.json, .address = c.options.address, .socket = c.options.socket});
    if (r < 0) {
        listen_watch_failed(c.watch, err.text);
        code = LISTEN_FAILED; /* what is wrong here is so at the next start, too */
    } else if (c.options.run.help) {
        fputs(cmd_listen_help, stdout);
    } else {
        code = run(&c);
    }
    if (c.listener && listener_is_renewed(c.listener) && code == LISTEN_OK) {
        again = mem_dup(c.program, strlen(c.program));
        listen_watch_renewed(c.watch);
    }
    call_deinit(&c);
    return again ? begin_anew(again, argc, argv) : code;
}
