/* Rules on steps, of a job or of a composite action. */
#include "lang/check/rules.h"

#include "lang/action_ref.h"
#include "lang/convert.h"

/* ---- what strangers may write to ---- */

/* Paths whose text comes from whoever opens an issue, pushes a branch of a fork or writes a comment
 * (GitHub's security hardening guide). "*" is any element. */
static const char *const untrusted[] = {
    "github.head_ref",
    "github.event.comment.body",
    "github.event.commits.*.author.email",
    "github.event.commits.*.author.name",
    "github.event.commits.*.committer.email",
    "github.event.commits.*.committer.name",
    "github.event.commits.*.message",
    "github.event.discussion.body",
    "github.event.discussion.title",
    "github.event.head_commit.author.email",
    "github.event.head_commit.author.name",
    "github.event.head_commit.committer.email",
    "github.event.head_commit.committer.name",
    "github.event.head_commit.message",
    "github.event.issue.body",
    "github.event.issue.title",
    "github.event.issue_comment.body",
    "github.event.pages.*.page_name",
    "github.event.pull_request.body",
    "github.event.pull_request.head.label",
    "github.event.pull_request.head.ref",
    "github.event.pull_request.head.repo.default_branch",
    "github.event.pull_request.title",
    "github.event.review.body",
    "github.event.review_comment.body",
    "github.event.workflow_run.display_title",
    "github.event.workflow_run.head_branch",
    "github.event.workflow_run.head_commit.author.email",
    "github.event.workflow_run.head_commit.author.name",
    "github.event.workflow_run.head_commit.message",
    "github.event.workflow_run.pull_requests.*.head.ref",
};

struct script {
    struct check *c;
    const struct token *tok;
    size_t offset;
};

/* PATTERN covers the path; with WHOLE also when the path is above it. */
static bool covers(const char *pattern, const struct slice *path, size_t n, bool whole)
{
    struct slice rest = slice_of(pattern), part;
    size_t i = 0;

    while (slice_split(&rest, '.', &part)) {
        if (i == n)
            return whole &&
                   n > 1; /* `github` as a whole is shown for debugging, and is far wider */
        bool any = slice_eq(part, SLICE("*")) || slice_eq(path[i], SLICE("*"));
        if (!any && !slice_eq_nocase(part, path[i]))
            return false;
        i++;
    }
    return i == n;
}

static void one_flow(void *ctx, const struct slice *path, size_t n, bool whole, size_t offset)
{
    const struct script *s = ctx;
    CLEANUP(buf_deinit) struct buf name = BUF_INIT(200);
    size_t i = 0;

    while (i < COUNT_OF(untrusted) && !covers(untrusted[i], path, n, whole))
        i++;
    if (i == COUNT_OF(untrusted))
        return;
    for (size_t k = 0; k < n; k++)
        buf_printf(&name, "%s%.*s", k ? "." : "", SLICE_ARG(path[k]));
    struct check_place at = check_place_of(s->c, s->tok, s->offset + offset);
    check_hint(check_report(s->c, CHECK_INJECTION, DIAG_ERROR, at.line, at.col,
                            arena_printf(&s->c->arena,
                                         "anybody can write '%s', and it becomes part of this "
                                         "script",
                                         name.ptr)),
               "pass it in `env` and use it as a variable: \"$TITLE\"");
}

static void check_untrusted(struct check *c, const struct token *script)
{
    struct slice text = check_written(script), inside;
    struct script s = {c, script, 0};
    struct expr_error ignored;
    const struct expr *e;

    for (size_t at = 0; script->kind == TOKEN_EXPR && template_next(text, &at, &inside);) {
        s.offset = (size_t)(inside.ptr - text.ptr);
        if (expr_parse(&c->arena, inside, NULL, &e, &ignored) == ERR_OK)
            expr_each_flow(e, one_flow, &s);
    }
}

/* ---- scripts ---- */

static const struct command {
    struct slice text;
    enum diag_level level; /* an error: GitHub ignores it */
    const char *message, *hint;
} commands[] = {
    {SLICE_INIT("::set-output name="), DIAG_WARNING, "the command 'set-output' is deprecated",
     "write: echo \"name=value\" >> \"$GITHUB_OUTPUT\""},
    {SLICE_INIT("::save-state name="), DIAG_WARNING, "the command 'save-state' is deprecated",
     "write: echo \"name=value\" >> \"$GITHUB_STATE\""},
    {SLICE_INIT("::set-env name="), DIAG_ERROR, "the command 'set-env' was switched off by GitHub",
     "write: echo \"NAME=value\" >> \"$GITHUB_ENV\""},
    {SLICE_INIT("::add-path::"), DIAG_ERROR, "the command 'add-path' was switched off by GitHub",
     "write: echo \"folder\" >> \"$GITHUB_PATH\""},
};

static void check_commands(struct check *c, const struct token *run)
{
    struct slice text = check_written(run);

    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        size_t at = 0;

        for (ssize_t n; (n = slice_find(slice_from(text, at), commands[i].text)) >= 0;) {
            struct check_place place = check_place_of(c, run, at + (size_t)n);

            check_hint(check_report(c, CHECK_DEPRECATED, commands[i].level, place.line, place.col,
                                    commands[i].message),
                       commands[i].hint);
            at += (size_t)n + commands[i].text.len;
        }
    }
}

/* The shell that a literal key names; NULL: the default one, "": nobody can say yet. */
static const char *shell_of(struct check *c, const struct token *shell)
{
    if (!shell)
        return NULL;
    return shell->kind == TOKEN_STRING ? arena_str(&c->arena, shell->text) : "";
}

/* On a hosted Windows runner the default is no shell of Unix. */
static bool may_be_windows(const struct check *c)
{
    const struct token *on = c->job ? c->job->runs_on : NULL;

    return on && (convert_has_expr(on) ||
                  (on->kind == TOKEN_STRING && slice_starts(on->text, SLICE("windows"))) ||
                  (on->kind == TOKEN_SEQUENCE && on->n_items &&
                   slice_starts(on->items[0]->text, SLICE("windows"))));
}

static void offer_script(struct check *c, const struct step *s)
{
    struct slice text = check_written(s->run), inside;
    const char *shell = shell_of(c, s->shell);
    char *copy;
    size_t at = 0, from = 0;

    if (!c->options->script || !text.len || c->options->ignore & 1u << CHECK_SHELLCHECK)
        return;
    if (!shell && c->job)
        shell = shell_of(c, c->job->default_shell);
    if (!shell)
        shell = may_be_windows(c) ? "" : "bash";
    copy = arena_str(&c->arena, text);
    while (template_next(text, &at, &inside)) {
        from += (size_t)slice_find(slice_from(text, from), SLICE("${{"));
        for (; from < at; from++)
            if (copy[from] != '\n')
                copy[from] = '_';
    }
    struct check_script script = {.text = slice_make(copy, text.len), .shell = shell};
    script.lines = check_line_places(c, s->run, &script.n_lines);
    c->options->script(c->options->ctx, &script);
}

static void check_run(struct check *c, const struct step *s)
{
    check_value(c, s->run, USE_TEXT);
    check_untrusted(c, s->run);
    check_commands(c, s->run);
    offer_script(c, s);
}

/* ---- actions ---- */

static bool is_commit(struct slice ref)
{
    for (size_t i = 0; i < ref.len; i++)
        if (!strchr("0123456789abcdefABCDEF", ref.ptr[i]))
            return false;
    return ref.len == 40 || ref.len == 64;
}

/* One of GitHub's own; it may know more there than the plugin that serves it here. */
static bool is_github(struct slice uses)
{
    return slice_starts(uses, SLICE("actions/")) || slice_starts(uses, SLICE("github/"));
}

/* The version becomes the commit that is known for it here, with the version behind it. */
static void pin(struct check *c, struct diag *d, struct slice uses, size_t sign)
{
    const char *commit = d ? check_stored_commit(c, arena_str(&c->arena, uses)) : NULL;
    struct arena *a = c->diags->arena;

    if (!commit)
        return;
    d->misspelt = arena_dup(a, uses);
    d->fix = slice_of(arena_printf(a, "%.*s@%s", (int)sign, uses.ptr, commit));
    d->remark = arena_dup(a, slice_from(uses, sign + 1));
    d->hint = arena_printf(a, "here it is %s: --fix writes that", commit);
}

static void check_pinned(struct check *c, const struct step *s, const struct token *at)
{
    struct slice uses = slice_of(s->uses);
    ssize_t sign = slice_find_char(uses, '@');
    bool ours = is_github(uses) || slice_starts(uses, SLICE("ostler/"));

    if (uses_kind(uses) == USES_IMAGE) {
        ssize_t name = slice_find_char(slice_from(uses, strlen("docker://")), ':');

        if (sign < 0 && (name < 0 || slice_ends(uses, SLICE(":"))))
            check_hint(check_report_at(c, CHECK_UNPINNED, DIAG_WARNING, at,
                                       "'%s' names no version: it is whatever is the latest",
                                       s->uses),
                       "add a tag, or better a digest: image@sha256:...");
        return;
    }
    if (sign < 0 || is_commit(slice_from(uses, (size_t)sign + 1)))
        return;
    struct diag *d =
        check_report_at(c, CHECK_UNPINNED, ours ? DIAG_INFO : DIAG_WARNING, at,
                        "'%s' is not pinned: whoever can move '%s' changes what runs here", s->uses,
                        s->uses + sign + 1);
    check_hint(d, "write the commit's 40 digits, and the version as a comment");
    pin(c, d, uses, (size_t)sign);
}

static bool has_input(const struct action *a, struct slice name)
{
    for (size_t i = 0; i < a->n_inputs; i++)
        if (slice_eq_nocase(name, slice_of(a->inputs[i].id)))
            return true;
    /* these two steer the container of any Docker action */
    return a->kind == ACTION_DOCKER &&
           (slice_eq_nocase(name, SLICE("entrypoint")) || slice_eq_nocase(name, SLICE("args")));
}

static bool is_given(const struct token *with, const char *name)
{
    for (size_t i = 0; with && i < with->n_pairs; i++)
        if (with->pairs[i].key->kind != TOKEN_STRING ||
            slice_eq_nocase(with->pairs[i].key->text, slice_of(name)))
            return true;
    return false;
}

static void report_input(struct check *c, const struct action *a, const char *uses,
                         const struct token *with, const struct token *key)
{
    struct near_best best = near_begin(key->text);
    bool stored = check_stored_commit(c, uses); /* GitHub warns, and passes it on */
    bool elsewhere = !stored && is_github(slice_of(uses));
    struct diag *d =
        check_report_at(c, CHECK_INPUT, stored || elsewhere ? DIAG_WARNING : DIAG_ERROR, key,
                        "'%s' has no input '%.*s'%s", uses, SLICE_ARG(key->text),
                        elsewhere ? " in the plugin that serves it here" : "");

    for (size_t i = 0; i < a->n_inputs; i++)
        near_offer(&best, slice_of(a->inputs[i].id));
    check_hint(d, near_hint(c->diags->arena, &best));
    if (d && best.match.ptr && !best.tied && !is_given(with, arena_str(&c->arena, best.match))) {
        d->misspelt = arena_dup(c->diags->arena, key->text);
        d->fix = arena_dup(c->diags->arena, best.match);
    }
}

void check_using(struct check *c, const struct action *a, const struct token *at)
{
    static const char *const old[] = {"node12", "node16"};

    for (size_t i = 0; a->using && i < COUNT_OF(old); i++)
        if (slice_eq_nocase(slice_of(a->using), slice_of(old[i])))
            check_hint(check_report_at(c, CHECK_DEPRECATED, DIAG_WARNING, at,
                                       "the action asks for '%s', which is gone: it runs on node20",
                                       a->using),
                       "write 'using: node20' or 'node24' in its manifest");
}

static void check_inputs(struct check *c, const struct step *s, const struct token *at)
{
    const struct action *a = check_local_action(c, s->uses);
    bool works;
    const char *fault = check_local_fault(c, s->uses, &works);
    const struct token *with = convert_is(s->with, TOKEN_MAPPING) ? s->with : NULL;
    enum diag_level wanted = check_stored_commit(c, s->uses) ? DIAG_WARNING : DIAG_ERROR;

    if (fault && works)
        check_report_at(c, CHECK_INPUT, DIAG_WARNING, at, "'%s' has a fault: %s", s->uses, fault);
    else if (fault)
        check_report_at(c, CHECK_INPUT, DIAG_ERROR, at, "'%s' can't be used: %s", s->uses, fault);
    else if (check_local_is_missing(c, s->uses))
        check_hint(check_report_at(c, CHECK_INPUT, DIAG_INFO, at,
                                   "there is no action in '%s' of this repository", s->uses),
                   "right when a step before this one puts it there");
    if (a)
        check_using(c, a, at);
    if (!a || (s->with && !with))
        return;
    for (size_t i = 0; with && i < with->n_pairs; i++) {
        const struct token *key = with->pairs[i].key;

        if (key->kind == TOKEN_STRING && !has_input(a, key->text))
            report_input(c, a, s->uses, with, key);
        for (size_t k = 0; k < a->n_inputs; k++)
            if (a->inputs[k].deprecation && key->kind == TOKEN_STRING &&
                slice_eq_nocase(key->text, slice_of(a->inputs[k].id)))
                check_report_at(c, CHECK_INPUT, DIAG_WARNING, key, "input '%s' is deprecated: %s",
                                a->inputs[k].id, a->inputs[k].deprecation);
    }
    for (size_t i = 0; i < a->n_inputs; i++)
        if (a->inputs[i].required && !a->inputs[i].fallback && !is_given(with, a->inputs[i].id))
            check_hint(check_report_at(c, CHECK_INPUT, wanted, at,
                                       "'%s' wants the input '%s', which has no default", s->uses,
                                       a->inputs[i].id),
                       "add it to `with`");
}

static void check_uses(struct check *c, const struct step *s)
{
    const struct token *at = token_find(s->node, "uses");

    if (!at)
        return;
    enum uses_kind kind = uses_kind(slice_of(s->uses));
    if (slice_find(slice_of(s->uses), SLICE("/.github/workflows/")) >= 0 &&
        slice_find_char(slice_of(s->uses), '@') >= 0)
        check_hint(check_report_at(c, CHECK_VALUE, DIAG_ERROR, at, "a workflow can't be a step"),
                   "call it from a job of its own: jobs.<id>.uses");
    check_inputs(c, s, at);
    if ((kind == USES_REMOTE || kind == USES_IMAGE) && !check_is_served(c, s->uses))
        check_pinned(c, s, at);
    if (slice_starts(slice_of(s->uses), SLICE("actions/github-script@"))) {
        const struct token *script = token_find(s->with, "script");

        if (script)
            check_untrusted(c, script);
    }
}

/* ---- all of them ---- */

static void check_step(struct check *c, const struct step *s, struct type *seen)
{
    bool never;

    check_value(c, s->name, USE_TEXT);
    check_condition(c, token_find(s->node, "if"), &never);
    check_map(c, s->with);
    check_map(c, s->env);
    check_env_names(c, s->env);
    check_value(c, s->shell, USE_TEXT);
    check_shell_name(c, s->shell);
    check_value(c, s->working_directory, USE_TEXT);
    check_value(c, s->continue_on_error, USE_TEXT);
    check_value(c, s->timeout_minutes, USE_TEXT);
    if (s->run)
        check_run(c, s);
    if (s->uses)
        check_uses(c, s);
    check_steps(c, s->steps, s->n_steps, seen);
    if (s->id && !slice_starts(slice_of(s->id), SLICE("__")))
        type_add(&c->arena, seen, slice_of(s->id), check_step_type(c, s));
}

void check_steps(struct check *c, const struct step *steps, size_t n, struct type *seen)
{
    c->scope.steps = seen;
    for (size_t i = 0; i < n; i++)
        check_step(c, &steps[i], seen);
}
