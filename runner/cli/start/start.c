#include "cli/start/start.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/utf8.h"
#include "cli/settings.h"
#include "queue/local/event.h"
#include "queue/local/files.h"
#include "store/lock.h"
#include "store/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

enum { WORKFLOW_SIZE_MAX = 4 << 20, WORKFLOWS_MAX = 500 };

void start_init(struct start *s, const struct run_options *options)
{
    s->options = options;
    s->stop = -1;
    git_facts_init(&s->git);
}

void start_deinit(struct start *s)
{
    for (size_t i = 0; i < s->workflows.len; i++) {
        workflow_deinit(s->workflows.ptr[i]);
        free(s->workflows.ptr[i]);
    }
    strmap_deinit(&s->locks);
    vec_deinit(&s->workflows);
    vec_deinit(&s->paths);
    vec_deinit(&s->started);
    vec_deinit(&s->schedules);
    choice_deinit(&s->choice);
    git_facts_deinit(&s->git);
    fd_closep(&s->stop);
    json_decref(s->github);
    json_decref(s->notes);
    arena_deinit(&s->arena);
}

static struct git_env git_place(void)
{
    return (struct git_env){.path = settings_env("PATH"), .home = settings_home()};
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
        if (d->line)
            fprintf(stderr, "%s:%d:%d: ", d->file, d->line, d->col);
        else
            fprintf(stderr, "%s: ", d->file);
        fprintf(stderr, "%s: %.*s\n", d->level == DIAG_ERROR ? "error" : "warning",
                SLICE_ARG(d->message));
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

static int load_workflow(struct start *s, const char *path, struct err *err)
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
    if (s->source && strcmp(s->source, root) != 0)
        return err_set(
            err, ERR_INVALID,
            "'%s' belongs to '%s' and the workflow before it to '%s': run them one by one", path,
            root, s->source);
    s->source = arena_str(&s->arena, slice_of(root));
    struct workflow *w = mem_new(sizeof *w);
    workflow_init(w);
    const char *name = path_below(full, root);
    r = workflow_parse(w, buf_slice(&text),
                       utf8_text(&s->arena, arena_str(&s->arena, slice_of(name))), &diags);
    for (size_t i = 0; i < diags.list.len; i++)
        diags.list.ptr[i].file = path; /* as the user called it */
    print_findings(&diags);
    if (r < 0) {
        workflow_deinit(w);
        free(w);
        return err_set(err, ERR_INVALID, "'%s' is not a workflow that can run", path);
    }
    vec_push(&s->workflows, w);
    vec_push(&s->paths, s->options->files.len ? path : w->file);
    return ERR_OK;
}

static int is_workflow_name(const struct dirent *e)
{
    struct slice name = slice_of(e->d_name);
    return slice_ends(name, SLICE(".yml")) || slice_ends(name, SLICE(".yaml"));
}

/* .github/workflows of the repository around us. The caller frees *RET. */
static int find_folder(char **ret, struct err *err)
{
    CLEANUP(free_ptr) char *here = realpath(".", NULL);
    struct git_env env = git_place();
    struct git_facts facts;

    git_facts_init(&facts);
    if (!here)
        return err_sys(err, "cannot tell the current folder");
    int r = git_facts_read(&env, here, &facts, err);
    if (r == ERR_OK)
        *ret = path_join(facts.root ? facts.root : here, ".github/workflows");
    git_facts_deinit(&facts);
    return r;
}

/* What is named: "ci.yml" is that of .github/workflows where there is none here. */
static int load_named(struct start *s, const char *name, struct err *err)
{
    CLEANUP(free_ptr) char *dir = NULL;

    if (!*name || strchr(name, '/') || access(name, F_OK) == 0)
        return load_workflow(s, name, err);
    int r = find_folder(&dir, err);
    if (r < 0)
        return r;
    const char *path = arena_printf(&s->arena, "%s/%s", dir, name);
    if (access(path, F_OK) < 0)
        return err_set(err, ERR_NOT_FOUND, "there is no workflow '%s', neither here nor in '%s'",
                       name, dir);
    return load_workflow(s, path, err);
}

/* All of .github/workflows in the order of their names. */
static int find_workflows(struct start *s, struct err *err)
{
    CLEANUP(free_ptr) char *dir = NULL;
    struct dirent **names = NULL;
    int r = find_folder(&dir, err);

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
            r = load_workflow(s, path, err);
        free(names[i]);
    }
    free(names);
    return r;
}

int start_read(struct start *s, struct err *err)
{
    int r = ERR_OK;

    if (s->options->files.len == 0)
        return find_workflows(s, err);
    if (s->options->files.len > WORKFLOWS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d workflows in one run", WORKFLOWS_MAX);
    for (size_t i = 0; i < s->options->files.len && r == ERR_OK; i++)
        r = load_named(s, s->options->files.ptr[i], err);
    return r;
}

/* ---- the event, and what it starts ---- */

/* On GitHub each schedule that fires is a run of its own. */
static void start_one(struct start *s, size_t i, const struct trigger_verdict *v)
{
    size_t n = v->starts ? v->n_schedules : 0, at = 0;

    do {
        vec_push(&s->started, s->workflows.ptr[i]);
        vec_push(&s->schedules, n ? arena_str(&s->arena, slice_of(v->schedules[at])) : NULL);
    } while (++at < n);
}

/* It is run although its filters say no. */
static bool is_forced(const struct start *s, const struct trigger_verdict *v)
{
    bool named = s->options->files.len > 0;

    if (s->options->no_filter)
        return named || v->filter != TRIGGER_ON;
    return named && !choose_is_stated(s->options);
}

static int choose_workflows(struct start *s, const struct git_env *env, struct err *err)
{
    struct choose_spec spec = {
        .options = s->options,
        .git = &s->git,
        .env = env,
        .source = s->source,
        .github = s->github,
        .workflows = (const struct workflow *const *)s->workflows.ptr,
        .n = s->workflows.len,
    };
    int r = choose(&spec, &s->choice, err);

    if (r < 0)
        return r;
    s->nothing_listens = true;
    for (size_t i = 0; i < s->workflows.len; i++) {
        const struct trigger_verdict *v = &s->choice.verdicts[i];

        if (v->starts || is_forced(s, v))
            start_one(s, i, v);
        s->nothing_listens = s->nothing_listens && v->filter == TRIGGER_ON;
    }
    return ERR_OK;
}

static int make_event(struct start *s, const struct start_run *run, const struct git_env *env,
                      struct err *err)
{
    const struct run_options *o = s->options;
    const char *number = arena_printf(&s->arena, "%lld", (long long)run->number);
    struct local_event_spec spec = {
        .git = &s->git,
        .git_env = env,
        .event_name = o->event_name,
        .ref = o->ref,
        .base = o->base,
        .before = o->before,
        .activity = o->activity,
        .actor = o->actor,
        .inputs = &o->inputs,
        .event_file = o->event_file,
        .run_id = number,
        .run_number = run->number,
        .run_attempt = 1,
    };

    return local_event(&spec, &s->github, &s->notes, err);
}

int start_event(struct start *s, const struct start_run *run, struct err *err)
{
    struct git_env env = git_place();
    int r = git_facts_read(&env, s->source, &s->git, err);

    if (r == ERR_OK)
        r = make_event(s, run, run->no_git ? NULL : &env, err);
    return r < 0 ? r : choose_workflows(s, run->no_git ? NULL : &env, err);
}

static void note(struct start *s, const char *text)
{
    json_array_append_new(s->notes, json_string(text));
}

static void tell_verdict(struct start *s, size_t i)
{
    const struct trigger_verdict *v = &s->choice.verdicts[i];
    const char *path = s->paths.ptr[i];
    const char *why = trigger_text(&s->arena, &s->choice.facts, v, path);

    if (v->note && !s->options->no_filter)
        note(s, arena_printf(&s->arena, "%s: %s", path, v->note));
    if (!why || (s->options->no_filter && is_forced(s, v)))
        return;
    if (is_forced(s, v))
        note(s, arena_printf(&s->arena,
                             "it runs as it is named, though GitHub would not start it: %s", why));
    else if (v->filter != TRIGGER_ON)
        note(s, arena_printf(&s->arena, "not started: %s", why));
}

/* Those that do not know the event at all share a line. */
static void tell_who_is_deaf(struct start *s)
{
    CLEANUP(buf_deinit) struct buf names = BUF_INIT(4000);
    size_t n = 0;

    for (size_t i = 0; i < s->workflows.len; i++)
        if (s->choice.verdicts[i].filter == TRIGGER_ON)
            buf_printf(&names, "%s%s", n++ ? ", " : "", s->paths.ptr[i]);
    if (n && n < s->workflows.len && !s->options->files.len)
        note(s, arena_printf(&s->arena, "not started, as they do not listen to '%s': %s",
                             s->choice.facts.event, names.ptr));
}

void start_tell(struct start *s)
{
    if (s->choice.note && !s->options->no_filter)
        note(s, s->choice.note);
    for (size_t i = 0; i < s->workflows.len; i++)
        tell_verdict(s, i);
    tell_who_is_deaf(s);
}

/* ---- what it calls, and what actions it may fetch ---- */

static int open_store(struct start *s, struct err *err)
{
    const char *source = s->options->action_source;
    int r = lock_load(s->source, &s->locks, err);

    if (r == ERR_OK && !source &&
        (r = source_parse(&s->arena, settings_action_source(), &source, err)) < 0)
        (void)err_in(err, "OSTLER_ACTION_SOURCE");
    s->store = (struct store_spec){
        .folder = settings_action_store(&s->arena),
        .source = source,
        .offline = s->options->offline || !s->may_fetch,
        .budget = s->options->store_size,
        .since = store_now(),
        .locks = &s->locks,
        .clones = &s->options->repositories,
        .git = git_place(),
    };
    s->store.git.more = settings_fetch_environ(&s->arena);
    return r;
}

bool start_is_stopped(const struct start *s)
{
    struct pollfd stop = {.fd = s->stop, .events = POLLIN};

    return poll(&stop, 1, 0) == 1;
}

/* Reads what the workflows call. The event names the repository: its own workflows are at hand. */
int start_calls(struct start *s, struct err *err)
{
    struct git_env env = git_place();
    const char *repository = json_string_value(json_object_get(s->github, "repository"));
    struct local_files files = {.root = s->source,
                                .repository = repository,
                                .repositories = &s->options->repositories,
                                .store = &s->store,
                                .notes = s->notes,
                                .git_env = &env,
                                .stop = s->stop};
    struct calls_options options = {.source = local_files_source(&files), .repository = repository};

    int opened = open_store(s, err);

    for (size_t i = 0; i < s->started.len && opened == ERR_OK; i++) {
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
        CLEANUP(diags_deinit) struct diags diags = {.arena = &a};

        if (i > 0 && s->started.ptr[i] == s->started.ptr[i - 1])
            continue; /* it starts twice, by two schedules */
        int r = workflow_load_calls(s->started.ptr[i], &options, &diags);

        if (r < 0 && start_is_stopped(s))
            return err_set(err, ERR_CANCELLED, "cancelled");
        print_findings(&diags);
        if (r < 0)
            return err_set(err, ERR_INVALID, "'%s' calls a workflow that cannot run",
                           s->started.ptr[i]->file);
    }
    return opened;
}

/* ---- for the queue ---- */

struct local_spec start_spec(const struct start *s)
{
    const struct run_options *o = s->options;

    return (struct local_spec){
        .workflows = (const struct workflow *const *)s->started.ptr,
        .n_workflows = s->started.len,
        .schedules = s->schedules.ptr,
        .github = s->github,
        .notes = s->notes,
        .secrets = &o->secrets,
        .vars = &o->vars,
        .inputs = &o->inputs,
        .env = &o->env,
        .variables = &o->variables,
        .jobs = o->jobs.len > 1 ? o->jobs.ptr : NULL,
        .matrix = o->matrix.ptr,
        .n_matrix = o->matrix.len,
        .source = s->source,
        .source_ignored = o->ignored,
        .repositories = &o->repositories,
        .store = &s->store,
        .keep = o->keep,
        .offline = o->offline,
        .pull = o->pull,
    };
}
