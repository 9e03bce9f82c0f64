#include "lang/workflow/calls.h"

#include "lang/near.h"

enum { TEXT_MAX = 4 << 20 }; /* GitHub's own limit is looked at by the reader */

struct loader {
    const struct calls_options *options;
    struct diags *diags;
    struct strmap files;    /* names of the files so far, the first one included */
    size_t n_jobs;          /* so far */
    bool full;              /* a limit on all of them was met */
    size_t size;            /* estimated, of all files so far */
    struct workflow **path; /* from the first workflow to the one being looked at */
    size_t depth;           /* calls above the one being looked at */
};

static size_t limit(size_t given, size_t otherwise)
{
    return given ? given : otherwise;
}

/* ---- what is called ---- */

static const struct token *uses_of(const struct workflow_job *job)
{
    return token_find(job->node, "uses");
}

/* As FILE is written in messages: for the run's own repository just the path. */
static const char *file_name(struct arena *a, const struct call_ref *ref)
{
    return ref->repository ? arena_printf(a, "%s/%s@%s", ref->repository, ref->path, ref->ref)
                           : ref->path;
}

static struct call_ref resolve(struct arena *a, const struct workflow *caller, const char *uses)
{
    struct slice text = slice_of(uses), owner, name;

    if (slice_starts(text, SLICE("./")) || slice_starts(text, SLICE("$/")))
        return (struct call_ref){caller->repository, caller->ref,
                                 arena_str(a, slice_from(text, 2))};
    ssize_t at = slice_find_char(text, '@'), scheme = slice_find(text, SLICE("://"));
    struct slice path = slice_head(text, at < 0 ? text.len : (size_t)at), server = SLICE("");
    if (scheme >= 0 && (size_t)scheme + 3 < path.len) { /* Gitea's: "https://HOST/owner/..." */
        struct slice host = slice_from(path, (size_t)scheme + 3), rest = host;

        (void)slice_split(&rest, '/', &owner);
        server = slice_head(text, (size_t)scheme + 3 + owner.len + 1);
        path = rest;
    }
    (void)slice_split(&path, '/', &owner);
    (void)slice_split(&path, '/', &name);
    return (struct call_ref){
        .repository =
            arena_printf(a, "%.*s%.*s/%.*s", SLICE_ARG(server), SLICE_ARG(owner), SLICE_ARG(name)),
        .ref = arena_str(a, at < 0 ? SLICE("") : slice_from(text, (size_t)at + 1)),
        .path = arena_str(a, path),
    };
}

/* ---- findings ---- */

static struct diag *report(struct loader *l, const struct workflow *caller,
                           const struct workflow_job *job, const char *message)
{
    const struct token *at = uses_of(job);

    return diag_add(l->diags, DIAG_ERROR, caller->file, at->line, at->col, "%s", message);
}

/* Findings from number FIRST on are about a file that JOB of CALLER calls. */
static void mark_findings(struct loader *l, size_t first, const struct workflow *caller,
                          const struct workflow_job *job)
{
    const struct token *at = uses_of(job);

    for (size_t i = first; i < l->diags->list.len; i++) {
        struct diag *d = &l->diags->list.ptr[i];

        d->caller = arena_str(l->diags->arena, slice_of(caller->file));
        d->caller_line = at->line;
        d->caller_col = at->col;
    }
}

/* GitHub's place for it is `on` of the called file. */
static void report_not_callable(struct loader *l, const struct workflow *caller,
                                const struct workflow_job *job, const struct workflow *called)
{
    const struct token *on = token_find(called->root, "on");
    size_t first = l->diags->list.len;

    diag_add(l->diags, DIAG_ERROR, called->file, on ? on->line : 1, on ? on->col : 1,
             "workflow_call key is not defined in the referenced workflow.")
        ->hint = "add 'workflow_call:' to it";
    mark_findings(l, first, caller, job);
}

/* "ci.yml calls a.yml, which calls ci.yml": TO is on the way already. NULL: it is not. */
static char *circle(struct loader *l, const char *to)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(4096);
    size_t first = 0;

    while (first <= l->depth && strcmp(l->path[first]->file, to) != 0)
        first++;
    if (first > l->depth)
        return NULL;
    for (size_t i = first; i <= l->depth; i++)
        buf_printf(&text, "%s%s", l->path[i]->file, i == first ? " calls " : ", which calls ");
    buf_printf(&text, "%s", to);
    return arena_printf(l->diags->arena, "a workflow may not call itself: %s", text.ptr);
}

static bool is_too_deep(struct loader *l, const struct workflow *caller,
                        const struct workflow_job *job, const char *file)
{
    size_t most = limit(l->options->depth, CALLS_DEPTH_MAX);
    char *chain = circle(l, file);
    struct diag *d;

    if (!chain && l->depth < most)
        return false;
    d = report(l, caller, job,
               arena_printf(l->diags->arena, "Nested reusable workflow depth exceeded %zu.", most));
    d->unplaced = true;
    d->hint = chain ? chain : "call fewer workflows from within others";
    return true;
}

static bool is_one_too_many(struct loader *l, const struct workflow *caller,
                            const struct workflow_job *job, const char *file)
{
    size_t most = limit(l->options->files, CALLS_FILES_MAX);
    struct slice seen;

    if (strmap_find(&l->files, slice_of(file), &seen))
        return false;
    if (l->files.len >= most) {
        report(
            l, caller, job,
            arena_printf(l->diags->arena, "The maximum file count of %zu has been exceeded", most))
            ->unplaced = true;
        l->full = true;
        return true;
    }
    strmap_set(&l->files, slice_of(file), SLICE(""));
    return false;
}

static int file_index(const struct loader *l, const char *file)
{
    for (size_t i = 0; i < l->files.len; i++)
        if (strcmp(l->files.items[i].name, file) == 0)
            return (int)i + 1;
    return 1;
}

/* ---- reading ---- */

static int load(struct loader *l, struct workflow *w, const struct permissions *max);

static int parse(struct loader *l, const struct workflow *caller, struct workflow_job *job,
                 const struct call_ref *ref, const char *file, struct workflow **ret)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(TEXT_MAX);
    struct arena *a = l->diags->arena;
    size_t first = l->diags->list.len;
    const struct workflow_options *like = &l->options->reader;
    struct workflow_options reader = {.yaml = like->yaml,
                                      .schema = like->schema,
                                      .reader_only = like->reader_only,
                                      .max_jobs = limit(l->options->jobs, CALLS_JOBS_MAX),
                                      .n_jobs = &l->n_jobs};
    struct err err = ERR_INIT;
    const char *sha = NULL;

    if (l->options->source.read(l->options->source.ctx, ref, a, &text, &sha, &err) != ERR_OK) {
        report(l, caller, job, err.text);
        return ERR_INVALID;
    }
    reader.file_index = file_index(l, file);
    reader.schema.spent = &l->size;
    *ret = mem_new(sizeof **ret);
    workflow_init(*ret);
    if (workflow_parse_as(*ret, buf_slice(&text), file, &reader, l->diags) != ERR_OK) {
        l->full = l->n_jobs > reader.max_jobs;
        mark_findings(l, first, caller, job);
        free(*ret);
        return ERR_INVALID;
    }
    struct arena *own = &(*ret)->arena;
    (*ret)->repository = ref->repository ? arena_str(own, slice_of(ref->repository)) : NULL;
    (*ret)->ref = ref->ref ? arena_str(own, slice_of(ref->ref)) : NULL;
    (*ret)->path = arena_str(own, slice_of(ref->path));
    (*ret)->sha = sha ? arena_str(own, slice_of(sha)) : caller->repository ? caller->sha : NULL;
    mark_findings(l, first, caller, job); /* its warnings */
    return ERR_OK;
}

/* Its owner is the run's: GitHub lets it have an id-token without being asked. */
static bool is_trusted(const struct loader *l, const struct call_ref *ref)
{
    const char *own = l->options->repository, *slash = own ? strchr(own, '/') : NULL;
    size_t len = slash ? (size_t)(slash - own) + 1 : 0;

    return !ref->repository || (slash && slice_eq_nocase(slice_head(slice_of(ref->repository), len),
                                                         slice_make(own, len)));
}

static struct permissions granted(const struct loader *l, const struct workflow_job *job,
                                  const struct call_ref *ref, const struct permissions *max)
{
    return !job->permissions && max
               ? *max
               : permissions_of(job->permissions, l->options->policy, is_trusted(l, ref));
}

static int load_call(struct loader *l, struct workflow *caller, struct workflow_job *job,
                     const struct permissions *max)
{
    size_t errors = l->diags->n_errors;
    struct arena *a = l->diags->arena;
    struct call_ref ref = resolve(a, caller, job->uses);
    const char *file = file_name(a, &ref);
    struct workflow *called;

    if (is_too_deep(l, caller, job, file) || is_one_too_many(l, caller, job, file))
        return ERR_INVALID;
    if (ref.repository && l->options->own_only)
        return ERR_OK;
    if (parse(l, caller, job, &ref, file, &called) != ERR_OK)
        return ERR_INVALID;
    job->called = called;
    if (!workflow_event_find(called, "workflow_call")) {
        report_not_callable(l, caller, job, called);
        return ERR_INVALID;
    }
    struct permissions allowed = granted(l, job, &ref, max);
    check_call_values(caller, job, called, l->diags);
    check_call_permissions(caller, job, called, &allowed, l->diags);
    if (l->diags->n_errors != errors)
        return ERR_INVALID;
    l->path[++l->depth] = called;
    int r = load(l, called, &allowed);
    l->depth--;
    return r;
}

/* All that W calls. MAX is NULL for the first workflow. Goes on after a call that is wrong, so that all of
 * them are told, but not after a limit. */
static int load(struct loader *l, struct workflow *w, const struct permissions *max)
{
    int result = ERR_OK;

    for (size_t i = 0; i < w->n_jobs && !l->full && !diags_is_full(l->diags); i++) {
        if (!w->jobs[i].uses || load_call(l, w, &w->jobs[i], max) == ERR_OK)
            continue;
        result = ERR_INVALID;
        if (l->options->reader.reader_only) /* GitHub's reader stops at the first */
            break;
    }
    return result;
}

int workflow_load_calls(struct workflow *w, const struct calls_options *options,
                        struct diags *diags)
{
    size_t depth = limit(options->depth, CALLS_DEPTH_MAX);
    CLEANUP(free_ptr) struct workflow **path = mem_new((depth + 1) * sizeof(struct workflow *));
    struct loader l = {.options = options,
                       .diags = diags,
                       .files = STRMAP_INIT,
                       .n_jobs = w->n_jobs,
                       .size = w->size,
                       .path = path};

    path[0] = w;
    strmap_set(&l.files, slice_of(w->file), SLICE(""));
    int r = load(&l, w, NULL);
    strmap_deinit(&l.files);
    if (r != ERR_OK)
        workflow_drop_calls(w);
    return r;
}
