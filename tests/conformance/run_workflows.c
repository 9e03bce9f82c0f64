/* Rows of whole workflow files: what is read from them, or what is said about them. */
#include "form.h"

#include "conformance.h"
#include "lang/workflow/calls.h"

/* ---- workflow-reader/NAME.yml ---- */

enum { PARTS_MAX = 64 };

struct parts {
    struct slice list[PARTS_MAX];
    size_t n;
};

/* A file is a stream of parts between lines "---". */
static void split_parts(struct slice text, struct parts *ret)
{
    size_t begin = 0, at = 0;

    ret->n = 0;
    while (at < text.len && ret->n + 1 < PARTS_MAX) {
        struct slice rest = slice_from(text, at);
        ssize_t end = slice_find_char(rest, '\n');
        struct slice line = end < 0 ? rest : slice_head(rest, (size_t)end);

        if (slice_eq(line, SLICE("---"))) {
            ret->list[ret->n++] = slice_head(slice_from(text, begin), at - begin);
            begin = at + line.len + (end >= 0);
        }
        at += line.len + (end >= 0);
    }
    ret->list[ret->n++] = slice_from(text, begin);
}

static size_t number_option(const struct token *options, const char *name)
{
    const struct token *tok = token_find(options, name);

    return tok && tok->kind == TOKEN_NUMBER ? (size_t)tok->number : 0;
}

static bool flag_option(const struct token *options, const char *name, bool otherwise)
{
    const struct token *tok = token_find(options, name);

    return tok && tok->kind == TOKEN_BOOL ? tok->boolean : otherwise;
}

/* Where the newest service words things differently (the data's README): it says "and" once, and leaves out
 * what is called when it has just said so. */
static const struct drift {
    struct slice from, until, now; /* what stood there, to the end of UNTIL, and what does now */
} drifts[] = {
    {SLICE_INIT("'_' and and must"), SLICE_INIT(""), SLICE_INIT("'_' and must")},
    {SLICE_INIT(". The workflow '"), SLICE_INIT("' is"), SLICE_INIT(". The workflow is")},
};

static struct slice without_drift(struct arena *a, struct slice message)
{
    for (size_t i = 0; i < COUNT_OF(drifts); i++) {
        const struct drift *d = &drifts[i];
        ssize_t at = slice_find(message, d->from);
        struct slice rest = slice_from(message, at < 0 ? 0 : (size_t)at + d->from.len);
        ssize_t end = at < 0 ? -1 : slice_find(rest, d->until);

        if (end >= 0)
            message =
                slice_of(arena_printf(a, "%.*s%.*s%.*s", (int)at, message.ptr, SLICE_ARG(d->now),
                                      SLICE_ARG(slice_from(rest, (size_t)end + d->until.len))));
    }
    return message;
}

/* The id of the job that is called NAME in one of the files behind the first; NAME itself: there is none. */
static struct slice id_of_job(struct arena *a, const struct parts *parts, struct slice name)
{
    const struct workflow_options reading = {.reader_only = true, .go_on = true};

    for (size_t i = 3; i < parts->n; i += 2) {
        CLEANUP(workflow_deinit) struct workflow w;
        CLEANUP(diags_deinit) struct diags ignored = {.arena = a};

        workflow_init(&w);
        (void)!workflow_parse_as(&w, parts->list[i], "called", &reading, &ignored);
        for (size_t k = 0; k < w.n_jobs; k++)
            if (w.jobs[k].name && slice_eq(token_text(a, w.jobs[k].name), name))
                return slice_of(arena_str(a, slice_of(w.jobs[k].id)));
    }
    return name;
}

/* The newest service names a nested job by its id, no more by its name. */
static struct slice with_ids(struct arena *a, const struct parts *parts, struct slice message)
{
    static const struct slice before = SLICE_INIT("The nested job '");
    ssize_t at = slice_find(message, before);
    struct slice rest = slice_from(message, at < 0 ? message.len : (size_t)at + before.len);
    ssize_t end = slice_find(rest, SLICE("' is requesting"));

    if (at < 0 || end < 0)
        return message;
    return slice_of(arena_printf(a, "%.*s%.*s%.*s", (int)at + (int)before.len, message.ptr,
                                 SLICE_ARG(id_of_job(a, parts, slice_head(rest, (size_t)end))),
                                 SLICE_ARG(slice_from(rest, (size_t)end))));
}

/* The newest service lists two scopes more among all of them: ours without these, for rows that predate
 * them. */
static struct slice without_new_scopes(struct arena *a, struct slice message, struct slice wanted)
{
    static const char *const scopes[] = {"artifact-metadata: ", "attestations: "};

    for (size_t i = 0; i < COUNT_OF(scopes); i++) {
        ssize_t at;

        while (slice_find(wanted, slice_of(scopes[i])) < 0 &&
               (at = slice_find(message, slice_of(scopes[i]))) >= 0) {
            struct slice rest = slice_from(message, (size_t)at);
            ssize_t end = slice_find(rest, SLICE(", "));

            if (end < 0)
                break;
            message = slice_of(arena_printf(a, "%.*s%.*s", (int)at, message.ptr,
                                            SLICE_ARG(slice_from(rest, (size_t)end + 2))));
        }
    }
    return message;
}

/* The row's words on too many jobs, as the newest service has them: only the number is the row's. */
static struct slice with_job_limit(struct arena *a, struct slice message)
{
    static const struct slice mark = SLICE_INIT("across all referenced files");
    ssize_t end = slice_find(message, mark), at = end;
    size_t first, last;

    while (at > 0 && !(message.ptr[at - 1] >= '0' && message.ptr[at - 1] <= '9'))
        at--;
    last = first = at > 0 ? (size_t)at : 0;
    while (first > 0 && message.ptr[first - 1] >= '0' && message.ptr[first - 1] <= '9')
        first--;
    if (end < 0 || first == last)
        return message;
    size_t words = first; /* behind the place that stands in front of them */
    while (words > 2 && !slice_ends(slice_head(message, words), SLICE("): ")))
        words--;
    if (words == 2)
        words = 0;
    return slice_of(arena_printf(a, "%.*sWorkflows may not contain more than %.*s jobs %.*s",
                                 (int)words, message.ptr, (int)(last - first), message.ptr + first,
                                 SLICE_ARG(mark)));
}

/* Where both are cut, at different places as one had more in front: WANTED when OURS is all of it so far. */
static struct slice both_cut(struct slice ours, struct slice wanted)
{
    static const struct slice mark = SLICE_INIT("[...]\n");
    struct slice part = slice_head(ours, ours.len < mark.len ? 0 : ours.len - mark.len);
    bool cut = slice_ends(ours, mark) && slice_ends(wanted, mark);

    return cut && part.len > 300 && slice_starts(wanted, part) ? wanted : ours;
}

/* The messages of the findings that are errors, one a line; GitHub keeps ten. */
static struct slice messages(struct arena *a, const struct diags *diags, struct buf *to)
{
    enum { KEPT = 10 };
    size_t n = 0;

    VEC_EACH (d, &diags->list)
        if (d->level == DIAG_ERROR && n++ < KEPT)
            buf_printf(to, "%s\n", diag_text(a, d));
    return buf_slice(to);
}

static void compare_errors(struct file_run *run, const char *id, const struct parts *parts,
                           const json_t *errors, const struct diags *diags)
{
    CLEANUP(buf_deinit) struct buf got = BUF_INIT(1 << 20), wanted = BUF_INIT(1 << 20);
    struct arena *a = run_arena(run);

    for (size_t i = 0; i < json_array_size(errors); i++) {
        const json_t *one = json_array_get(errors, i), *message = json_object_get(one, "Message");
        const char *text = json_string_value(message ? message : one);

        struct slice now = with_ids(a, parts, without_drift(a, slice_of(text)));
        now = with_job_limit(a, now);
        buf_printf(&wanted, "%.*s\n", SLICE_ARG(now));
    }
    struct slice ours = messages(a, diags, &got);
    ours = without_new_scopes(a, ours, buf_slice(&wanted));
    row_text(run, id, buf_slice(&wanted), both_cut(ours, buf_slice(&wanted)));
    buf_deinit(&wanted);
}

/* Lists that are empty may be left out. */
static void drop_empty(json_t *json)
{
    const char *key;
    json_t *value;
    void *tmp;
    size_t i;

    json_array_foreach (json, i, value)
        drop_empty(value);
    json_object_foreach_safe(json, tmp, key, value)
    {
        bool list = strcmp(key, "steps") == 0 || strcmp(key, "needs") == 0;

        drop_empty(value);
        if (list && json_is_array(value) && !json_array_size(value))
            json_object_del(json, key);
    }
}

static int by_text(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;

    return strcmp(json_string_value(*x), json_string_value(*y));
}

/* Of a run whose parts are run again the service makes the table anew, in the order of names. */
static void sort_files(json_t *model)
{
    json_t *table = json_object_get(model, "file-table"), *sorted = json_array();
    size_t n = json_array_size(table);
    VEC(const json_t *) names = {0};

    for (size_t i = 0; i < n; i++)
        vec_push(&names, json_array_get(table, i));
    if (n)
        qsort(names.ptr, n, sizeof *names.ptr, by_text);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(sorted, json_string(json_string_value(names.ptr[i])));
    vec_deinit(&names);
    json_object_set_new(model, "file-table", sorted);
}

static void compare_model(struct file_run *run, json_t *wanted, const struct workflow *w,
                          bool source, bool again)
{
    json_t *got = form_workflow(w, source);
    char *difference;

    if (again)
        sort_files(got);

    if (json_object_get(wanted, "events")) { /* the editor's result: it has no input types */
        json_object_set_new(got, "events", form_events(w));
        json_object_del(got, "input-types");
    }
    drop_empty(wanted);
    drop_empty(got);
    difference = form_differs(run_arena(run), wanted, got);
    if (!difference)
        difference = form_differs(run_arena(run), got, wanted); /* nothing more, either */
    if (difference)
        row_fail(run, "model", "%s", difference);
    else
        row_pass(run, "model");
    json_decref(got);
}

/* The files that are called: pairs of name and content between the workflow and the result. */
static int read_called(void *ctx, const struct call_ref *ref, struct arena *a, struct buf *to,
                       const char **ret_sha, struct err *err)
{
    const struct parts *parts = ctx;
    const char *name = ref->repository
                           ? arena_printf(a, "%s/%s@%s", ref->repository, ref->path, ref->ref)
                           : ref->path;

    (void)ret_sha;
    for (size_t i = 2; i + 1 < parts->n; i += 2) {
        if (!slice_eq(slice_trim(parts->list[i]), slice_of(name)))
            continue;
        buf_add(to, parts->list[i + 1]);
        return ERR_OK;
    }
    return err_set(err, ERR_NOT_FOUND, "there is no '%s'", name);
}

static int load_called(const struct token *options, const struct workflow_options *limits,
                       struct parts *parts, struct workflow *w, struct diags *diags)
{
    const struct token *policy = token_find(options, "permissions-policy");
    struct calls_options calls = {
        .source = {.read = read_called, .ctx = parts},
        .policy = policy && slice_eq(policy->text, SLICE("LimitedRead")) ? CALLS_LIMITED_READ
                                                                         : CALLS_WRITE,
        .depth = number_option(options, "max-nested-reusable-workflows-depth"),
        .jobs = number_option(options, "max-job-limit"),
        .reader = *limits,
    };

    if (flag_option(options, "skip-reusable-workflows", false))
        return ERR_OK;
    return workflow_load_calls(w, &calls, diags);
}

static void reader_row(struct file_run *run, const struct token *options, struct parts *parts,
                       json_t *wanted)
{
    struct arena *a = run_arena(run);
    const char *path = run_path(run), *base = strrchr(path, '/');
    const char *file = arena_printf(a, ".github/workflows/%s", base ? base + 1 : path);
    struct diags diags = {.arena = a};
    struct workflow w;
    struct workflow_options limits = {
        .yaml = {.size = number_option(options, "max-file-size"),
                 .depth = number_option(options, "max-depth")},
        .schema = {.size = number_option(options, "max-result-size")},
        .reader_only = true,
        .max_jobs = number_option(options, "max-job-limit"),
    };
    const json_t *errors = json_object_get(wanted, "errors");

    workflow_init(&w);
    int result = workflow_parse_as(&w, parts->list[1], file, &limits, &diags);
    if (result == ERR_OK)
        result = load_called(options, &limits, parts, &w, &diags);
    if (result < 0 || errors)
        compare_errors(run, "errors", parts, errors, &diags);
    else
        compare_model(run, wanted, &w, flag_option(options, "include-source", false),
                      flag_option(options, "is-partial-rerun", false));
    workflow_deinit(&w);
    diags_deinit(&diags);
}

void run_workflow_reader(struct file_run *run)
{
    struct arena *a = run_arena(run);
    struct diags diags = {.arena = a};
    struct slice text;
    struct parts parts;
    struct token *options = NULL;
    json_t *wanted;

    if (!run_text(run, &text))
        return;
    split_parts(text, &parts);
    if (parts.n < 3 || yaml_parse(a, parts.list[0], "options", 1, NULL, &options, &diags) < 0) {
        row_fail(run, "(file)", "%zu parts, or options that can't be read", parts.n);
        diags_deinit(&diags);
        return;
    }
    wanted = json_loadb(parts.list[parts.n - 1].ptr, parts.list[parts.n - 1].len,
                        JSON_DECODE_INT_AS_REAL, NULL);
    struct slice result = parts.list[parts.n - 1];
    if (slice_find(result, SLICE("Anchors are not currently supported")) >= 0)
        row_differs(run, "anchors", "the newest service accepts anchors, and so do we");
    else
        reader_row(run, options, &parts, wanted);
    json_decref(wanted);
    diags_deinit(&diags);
}

/* ---- parser-cases/NAME.json ---- */

static void compare_template(struct file_run *run, const json_t *row, const struct workflow *w)
{
    const json_t *wanted = json_object_get(row, "template");
    json_t *got = form_workflow(w, false);
    char *difference = NULL;

    json_object_set_new(got, "events", form_events(w));
    if (wanted)
        difference = form_differs(run_arena(run), wanted, got);
    if (difference)
        row_fail(run, id_of(row), "%s", difference);
    else
        row_pass(run, id_of(row));
    json_decref(got);
}

static void case_row(struct file_run *run, const json_t *row)
{
    const json_t *errors = json_object_get(row, "read_errors");
    const json_t *on = json_object_get(json_object_get(row, "features"), "allowBackgroundSteps");
    struct diags diags = {.arena = run_arena(run)};
    struct workflow_options options = {
        .schema = {.no_background = !json_is_true(on)},
        .reader_only = true,
    };
    struct workflow w;

    workflow_init(&w);
    int result =
        workflow_parse_as(&w, text_of(row, "text"), json_string_value(json_object_get(row, "file")),
                          &options, &diags);
    /* like the service, and unlike the editor, we convert nothing that was read with errors */
    if (!json_array_size(errors) && json_object_get(row, "convert_errors"))
        errors = json_object_get(row, "convert_errors");
    if (result < 0 || json_array_size(errors))
        compare_findings(run, id_of(row), errors, &diags);
    else
        compare_template(run, row, &w);
    workflow_deinit(&w);
    diags_deinit(&diags);
}

void run_parser_cases(struct file_run *run)
{
    run_cases(run, case_row);
}
