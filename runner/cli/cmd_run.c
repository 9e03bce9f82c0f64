#include "cli/cmd_run.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/utf8.h"
#include "cli/choose.h"
#include "cli/exit.h"
#include "cli/isolation.h"
#include "cli/run_options.h"
#include "cli/settings.h"
#include "cli/workers.h"
#include "io/git.h"
#include "queue/local/event.h"
#include "queue/local/files.h"
#include "queue/local/local.h"
#include "report/report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

enum { WORKFLOW_SIZE_MAX = 4 << 20, WORKFLOWS_MAX = 500 };

static const char help[] =
    "Usage: ostler run [WORKFLOW...] [options]\n"
    "\n"
    "Runs workflows of the working tree on this machine. Without WORKFLOW: those in\n"
    ".github/workflows that the event starts.\n"
    "\n"
    "What happened\n"
    "  --event NAME            the event (default: push)\n"
    "  --type ACTIVITY         the event's action: opened, labeled, published, ...\n"
    "  --event-file FILE       JSON laid over the event's payload\n"
    "  --ref REF               branch, tag or full ref (default: what HEAD names)\n"
    "  --base BRANCH           base branch of a pull request (default: the default branch)\n"
    "  --actor NAME            who caused it (default: git's user)\n"
    "  --input NAME=VALUE      input of workflow_dispatch\n"
    "\n"
    "What is filtered by\n"
    "  --before COMMIT         where a push starts (default: where the branch is on its\n"
    "                          remote, else the commit before HEAD)\n"
    "  --changed PATH          a changed file; git is not asked then (repeatable)\n"
    "  --changed-file LIST     a file of such paths, one a line; - is stdin\n"
    "  --at TIME               schedule: the minute, as 2026-01-31T10:00Z or now\n"
    "  --no-filter             run it whatever its filters say\n"
    "\n"
    "What runs\n"
    "  --job ID                only this job and those it needs; CALL/JOB is one inside\n"
    "                          a called workflow (repeatable)\n"
    "  --matrix NAME=VALUE     only configurations with this value (repeatable)\n"
    "  --jobs N                jobs at a time (default: one a core)\n"
    "\n"
    "What jobs get\n"
    "  --secret NAME[=VALUE]   a secret; without VALUE from the environment\n"
    "  --secret-file FILE      lines NAME=VALUE\n"
    "  --var NAME=VALUE        a configuration variable\n"
    "  --env NAME[=VALUE]      an environment variable\n"
    "  --local-repository OWNER/NAME=FOLDER\n"
    "                          a clone that serves checkouts of that repository and\n"
    "                          calls of its workflows\n"
    "  --with-ignored          check out the files that git ignores, too\n"
    "\n"
    "How it runs\n"
    "  --isolation LEVEL       sandbox (default) or host; naming it forbids the fallback\n"
    "  --offline               no plugin or action may be fetched\n"
    "  --keep                  leave the jobs' folders behind\n"
    "  --debug                 show ##[debug] lines, set RUNNER_DEBUG\n"
    "\n"
    "What is shown\n"
    "  -v, --verbose           the log of every step\n"
    "  --json                  events as JSON lines on stdout\n"
    "\n"
    "Exit codes: 0 success or nothing to start, 1 the run failed, 2 bad usage or input,\n"
    "3 cancelled, 4 this machine lacks something.\n";

/* Everything of one call; all of it ends with run_end(). */
struct call {
    struct run_options options;
    struct arena arena;
    const char *state;
    const char *source;               /* absolute: the working tree */
    VEC(struct workflow *) workflows; /* all that were read */
    VEC(const char *) paths;          /* of the same number: as the user calls them */
    VEC(struct workflow *) started;
    VEC(const char *) schedules; /* of the same number: what fired; NULL: no schedule */
    bool nothing_listens;        /* nothing was started, as none of them knows the event */
    struct git_facts git;
    json_t *github, *notes;
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
    for (size_t i = 0; i < c->workflows.len; i++) {
        workflow_deinit(c->workflows.ptr[i]);
        free(c->workflows.ptr[i]);
    }
    vec_deinit(&c->workflows);
    vec_deinit(&c->paths);
    vec_deinit(&c->started);
    vec_deinit(&c->schedules);
    git_facts_deinit(&c->git);
    json_decref(c->github);
    json_decref(c->notes);
    run_options_deinit(&c->options);
    arena_deinit(&c->arena);
}

/* ---- which workflows ---- */

/* The repository a workflow belongs to: two levels above .github/workflows, else its own folder. */
static char *root_of(const char *path)
{
    static const char *const homes[] = {"/.github/workflows", "/.gitea/workflows",
                                        "/.forgejo/workflows"};
    char *dir = mem_dup(path, strlen(path));

    *strrchr(dir, '/') = '\0';
    for (size_t i = 0; i < COUNT_OF(homes); i++)
        if (slice_ends(slice_of(dir), slice_of(homes[i])))
            dir[strlen(dir) - strlen(homes[i])] = '\0';
    if (!*dir) {
        free(dir);
        return mem_dup("/", 1);
    }
    return dir;
}

/* The same thing wrong in a file that several jobs call. */
static bool is_same(const struct diag *x, const struct diag *y)
{
    return x->caller && y->caller && x->line == y->line && x->col == y->col &&
           strcmp(x->file, y->file) == 0 && slice_eq(x->message, y->message);
}

static size_t first_same(const struct diags *diags, size_t at)
{
    size_t i = 0;

    while (i < at && !is_same(&diags->list.ptr[i], &diags->list.ptr[at]))
        i++;
    return i;
}

static void print_findings(const struct diags *diags)
{
    for (size_t i = 0; i < diags->list.len; i++) {
        const struct diag *d = &diags->list.ptr[i];

        if (first_same(diags, i) < i)
            continue;
        fprintf(stderr, "%s:%d:%d: %s: %.*s\n", d->file, d->line, d->col,
                d->level == DIAG_ERROR ? "error" : "warning", SLICE_ARG(d->message));
        if (d->hint)
            fprintf(stderr, "  %s\n", d->hint);
        for (size_t k = i; d->caller && k < diags->list.len; k++) {
            const struct diag *by = &diags->list.ptr[k];

            if (is_same(d, by))
                fprintf(stderr, "  called by %s:%d:%d\n", by->caller, by->caller_line,
                        by->caller_col);
        }
    }
}

static int read_file(const char *path, struct buf *text, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    struct stat st;
    int r = path_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd, err);

    if (r < 0)
        return r;
    if (fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at '%s'", path);
    if (S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "'%s' is a folder: name the workflow file in it", path);
    r = fd_read_all(fd, text, err);
    return r < 0 ? err_in(err, "'%s'", path) : r;
}

static int load_workflow(struct call *c, const char *path, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(WORKFLOW_SIZE_MAX);
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(diags_deinit) struct diags diags = {.arena = &a};
    int r = read_file(path, &text, err);

    if (r < 0)
        return r;
    CLEANUP(free_ptr) char *full = realpath(path, NULL);
    if (!full)
        return err_sys(err, "cannot resolve '%s'", path);
    CLEANUP(free_ptr) char *root = root_of(full);
    if (c->source && strcmp(c->source, root) != 0)
        return err_set(
            err, ERR_INVALID,
            "'%s' belongs to '%s' and the workflow before it to '%s': run them one by one", path,
            root, c->source);
    c->source = arena_str(&c->arena, slice_of(root));
    struct workflow *w = mem_new(sizeof *w);
    workflow_init(w);
    const char *name = path_below(full, root);
    r = workflow_parse(w, buf_slice(&text),
                       utf8_text(&c->arena, arena_str(&c->arena, slice_of(name))), &diags);
    for (size_t i = 0; i < diags.list.len; i++)
        diags.list.ptr[i].file = path; /* as the user called it */
    print_findings(&diags);
    if (r < 0) {
        workflow_deinit(w);
        free(w);
        return err_set(err, ERR_INVALID, "'%s' is not a workflow that can run", path);
    }
    vec_push(&c->workflows, w);
    vec_push(&c->paths, c->options.files.len ? path : w->file);
    return ERR_OK;
}

static int is_workflow_name(const struct dirent *e)
{
    struct slice name = slice_of(e->d_name);
    return slice_ends(name, SLICE(".yml")) || slice_ends(name, SLICE(".yaml"));
}

/* All of .github/workflows in the order of their names. */
static int find_workflows(struct call *c, struct err *err)
{
    CLEANUP(free_ptr) char *here = realpath(".", NULL);
    struct git_env env = {.path = settings_env("PATH"), .home = settings_home()};
    struct git_facts facts;
    struct dirent **names = NULL;

    git_facts_init(&facts);
    if (!here)
        return err_sys(err, "cannot tell the current folder");
    int r = git_facts_read(&env, here, &facts, err);
    const char *root = r == ERR_OK && facts.root ? facts.root : here;
    CLEANUP(free_ptr) char *dir = path_join(root, ".github/workflows");
    git_facts_deinit(&facts);
    if (r < 0)
        return r;
    int n = scandir(dir, &names, is_workflow_name, alphasort);
    if (n <= 0) {
        free(names);
        return err_set(err, ERR_NOT_FOUND,
                       "there are no workflows in '%s': name a file, as in 'ostler run FILE.yml'",
                       dir);
    }
    for (int i = 0; i < n; i++) {
        CLEANUP(free_ptr) char *path = path_join(dir, names[i]->d_name);

        if (r == ERR_OK)
            r = load_workflow(c, path, err);
        free(names[i]);
    }
    free(names);
    return r;
}

static int load_workflows(struct call *c, struct err *err)
{
    int r = ERR_OK;

    if (c->options.files.len == 0)
        return find_workflows(c, err);
    if (c->options.files.len > WORKFLOWS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d workflows in one run", WORKFLOWS_MAX);
    for (size_t i = 0; i < c->options.files.len && r == ERR_OK; i++)
        r = load_workflow(c, c->options.files.ptr[i], err);
    return r;
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
    if (c->options.json)
        all[n++] = report_json_new(STDOUT_FILENO);
    else
        all[n++] = screen.tty ? report_terminal_new(&screen) : report_plain_new(&screen);
    c->report = report_all_new(all, n);
    return ERR_OK;
}

/* ---- the run ---- */

static int read_event(struct call *c, struct err *err)
{
    struct run_options *o = &c->options;
    struct git_env env = {.path = settings_env("PATH"), .home = settings_home()};
    int r = git_facts_read(&env, c->source, &c->git, err);

    if (r < 0)
        return r;
    const char *number = arena_printf(&c->arena, "%lld", (long long)report_folder_id(c->folder));
    struct local_event_spec spec = {
        .git = &c->git,
        .git_env = &env,
        .event_name = o->event_name,
        .ref = o->ref,
        .base = o->base,
        .before = o->before,
        .activity = o->activity,
        .actor = o->actor,
        .inputs = &o->inputs,
        .event_file = o->event_file,
        .run_id = number,
        .run_number = report_folder_id(c->folder),
        .run_attempt = 1,
    };
    return local_event(&spec, &c->github, &c->notes, err);
}

/* Reads what the workflows call. The event names the repository: its own workflows are at hand. */
static int load_calls(struct call *c, struct err *err)
{
    struct git_env env = {.path = settings_env("PATH"), .home = settings_home()};
    const char *repository = json_string_value(json_object_get(c->github, "repository"));
    struct local_files files = {.root = c->source,
                                .repository = repository,
                                .repositories = &c->options.repositories,
                                .git_env = &env};
    struct calls_options options = {.source = local_files_source(&files), .repository = repository};

    for (size_t i = 0; i < c->started.len; i++) {
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
        CLEANUP(diags_deinit) struct diags diags = {.arena = &a};

        if (i > 0 && c->started.ptr[i] == c->started.ptr[i - 1])
            continue; /* it starts twice, by two schedules */
        int r = workflow_load_calls(c->started.ptr[i], &options, &diags);

        print_findings(&diags);
        if (r < 0)
            return err_set(err, ERR_INVALID, "'%s' calls a workflow that cannot run",
                           c->started.ptr[i]->file);
    }
    return ERR_OK;
}

/* ---- what the event starts ---- */

static void note(struct call *c, const char *text)
{
    json_array_append_new(c->notes, json_string(text));
}

/* On GitHub each schedule that fires is a run of its own. */
static void start(struct call *c, size_t i, const struct trigger_verdict *v)
{
    size_t n = v->starts ? v->n_schedules : 0, at = 0;

    do {
        vec_push(&c->started, c->workflows.ptr[i]);
        vec_push(&c->schedules, n ? arena_str(&c->arena, slice_of(v->schedules[at])) : NULL);
    } while (++at < n);
}

static void take_verdict(struct call *c, size_t i, const struct choice *choice)
{
    const struct trigger_verdict *v = &choice->verdicts[i];
    const char *path = c->paths.ptr[i];
    const char *why = trigger_text(&c->arena, &choice->facts, v, path);
    bool named = c->options.files.len > 0;

    if (v->note && !c->options.no_filter)
        note(c, arena_printf(&c->arena, "%s: %s", path, v->note));
    if (!why || (c->options.no_filter && (named || v->filter != TRIGGER_ON))) {
        start(c, i, v);
    } else if (named && !choose_is_stated(&c->options)) {
        note(c, arena_printf(&c->arena,
                             "it runs as it is named, though GitHub would not start it: %s", why));
        start(c, i, v);
    } else if (v->filter != TRIGGER_ON) {
        note(c, arena_printf(&c->arena, "not started: %s", why));
    }
}

/* Those that do not know the event at all share a line. */
static void say_who_is_deaf(struct call *c, const struct choice *choice)
{
    CLEANUP(buf_deinit) struct buf names = BUF_INIT(4000);
    size_t n = 0;

    for (size_t i = 0; i < c->workflows.len; i++)
        if (choice->verdicts[i].filter == TRIGGER_ON)
            buf_printf(&names, "%s%s", n++ ? ", " : "", c->paths.ptr[i]);
    if (n && n < c->workflows.len && !c->options.files.len)
        note(c, arena_printf(&c->arena, "not started, as they do not listen to '%s': %s",
                             choice->facts.event, names.ptr));
    c->nothing_listens = n == c->workflows.len;
}

static int choose_workflows(struct call *c, struct err *err)
{
    struct git_env env = {.path = settings_env("PATH"), .home = settings_home()};
    struct choose_spec spec = {
        .options = &c->options,
        .git = &c->git,
        .env = &env,
        .source = c->source,
        .github = c->github,
        .workflows = (const struct workflow *const *)c->workflows.ptr,
        .n = c->workflows.len,
    };
    CLEANUP(choice_deinit) struct choice choice = {0};
    int r = choose(&spec, &choice, err);

    if (r < 0)
        return r;
    if (choice.note && !c->options.no_filter)
        note(c, choice.note);
    for (size_t i = 0; i < c->workflows.len; i++)
        take_verdict(c, i, &choice);
    say_who_is_deaf(c, &choice);
    return ERR_OK;
}

/* Nothing to do is no failure, unless no workflow could ever do it. */
static int say_nothing_starts(struct call *c)
{
    const char *event = c->options.event_name;
    json_t *text;
    size_t i;

    if (c->nothing_listens) {
        fprintf(stderr,
                "ostler: no workflow listens to the event '%s': name another with --event\n",
                event);
        return EXIT_USAGE;
    }
    fprintf(stderr, "ostler: the event '%s' starts no workflow\n", event);
    json_array_foreach (c->notes, i, text) {
        fprintf(stderr, "  %s\n", json_string_value(text));
    }
    return EXIT_OK;
}

static int make_queue(struct call *c, struct err *err)
{
    struct run_options *o = &c->options;

    c->jobs_dir = arena_printf(&c->arena, "%s/%s", c->hint, o->keep ? "kept" : "jobs");
    struct local_spec spec = {
        .workflows = (const struct workflow *const *)c->started.ptr,
        .n_workflows = c->started.len,
        .schedules = c->schedules.ptr,
        .run_id = path_base(c->hint),
        .github = c->github,
        .notes = c->notes,
        .secrets = &o->secrets,
        .vars = &o->vars,
        .inputs = &o->inputs,
        .env = &o->env,
        .variables = &o->variables,
        .jobs = o->jobs.len > 1 ? o->jobs.ptr : NULL,
        .matrix = o->matrix.ptr,
        .n_matrix = o->matrix.len,
        .isolation = o->isolation ? o->isolation : "sandbox",
        .isolation_required = o->isolation_required,
        .work_dir = c->jobs_dir,
        .source = c->source,
        .source_ignored = o->ignored,
        .repositories = &o->repositories,
        .plugin_path = settings_plugin_path(&c->arena),
        .plugin_prefer = "installed",
        .tool_cache = settings_tool_cache(),
        .keep = o->keep,
        .offline = o->offline,
    };

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
    return err->code == ERR_UNSUPPORTED ? EXIT_LACKING : EXIT_USAGE;
}

/* Everything that can be refused is looked at before the first event: then nothing was started. */
static int prepare(struct call *c, struct err *err)
{
    const char *note = NULL;
    int r = load_workflows(c, err);

    c->env = settings_job_environ(&c->arena, c->options.keep_env.ptr);
    if (r == ERR_OK)
        r = settings_state(&c->arena, &c->state, &note, err);
    if (r == ERR_OK && note)
        fprintf(stderr, "ostler: %s\n", note);
    if (r == ERR_OK)
        r = open_reports(c, err);
    if (r == ERR_OK)
        r = read_event(c, err);
    if (r == ERR_OK)
        r = choose_workflows(c, err);
    if (r == ERR_OK && c->started.len == 0)
        return ERR_OK;
    if (r == ERR_OK)
        r = load_calls(c, err);
    if (r == ERR_OK)
        r = make_queue(c, err);
    if (r == ERR_OK && c->options.isolation_required && strcmp(c->options.isolation, "host") != 0)
        r = isolation_check(c->jobs_dir, settings_home(), c->env, err);
    return r;
}

static int run(struct call *c)
{
    struct err err = ERR_INIT;
    bool cancelled = false;
    int r = prepare(c, &err);

    if (r < 0 || c->started.len == 0) {
        int code = r < 0 ? refuse(&err) : say_nothing_starts(c);

        if (report_close(c->report, &err) < 0) /* nothing ran: nothing is kept */
            fprintf(stderr, "ostler: %s\n", err.text);
        return code;
    }
    struct workers_spec spec = {
        .queue = c->queue,
        .report = c->report,
        .slots = c->options.slots,
        .env = c->env,
        .minute_ms = settings_env("OSTLER_TEST_MINUTE_MS"),
    };
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is an error of its report */
    r = workers_run(&spec, &cancelled, &err);
    if (r < 0)
        fprintf(stderr, "ostler: %s\n", err.text);
    (void)rmdir(c->jobs_dir); /* stays when a job's folder was kept */
    struct err closing = ERR_INIT;
    if (report_close(c->report, &closing) < 0)
        fprintf(stderr, "ostler: %s\n", closing.text);
    return r < 0 ? EXIT_LACKING : exit_code(queue_local_result(c->queue), cancelled);
}

int cmd_run(int argc, char **argv)
{
    struct call c = {0};
    struct err err = ERR_INIT;
    int code = EXIT_OK;

    run_options_init(&c.options);
    git_facts_init(&c.git);
    if (run_options_parse(&c.options, argc, argv, &err) < 0)
        code = refuse(&err);
    else if (c.options.help)
        fputs(help, stdout);
    else
        code = run(&c);
    call_deinit(&c);
    return code;
}
