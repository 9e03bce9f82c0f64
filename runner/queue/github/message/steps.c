#include "queue/github/message/steps.h"

#include "base/random.h"
#include "lang/action_ref.h"
#include "queue/github/message/members.h"

#include <string.h>

/* One step on its way into both of its forms. */
struct reader {
    struct job *job;
    const json_t *json;
    struct step *step;
    struct github_step *told;
    struct err *err;
};

/* A member that is a number in old messages, and a word in new ones: the place in NAMES, or -1. */
static int choice(const json_t *object, const char *name, const char *const names[], int n)
{
    const json_t *json = loose_find(object, name);

    for (int i = 0; i < n; i++)
        if (json_is_integer(json) ? json_integer_value(json) == i
                                  : names[i] && slice_eq_nocase(slice_of(json_string_value(json)),
                                                                slice_of(names[i])))
            return i;
    return -1;
}

const char *message_guid(struct arena *a, const char *text)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    char *low;

    if (!text || strlen(text) != sizeof form - 1)
        return NULL;
    low = arena_str(a, slice_of(text));
    for (size_t i = 0; low[i]; i++) {
        if (low[i] >= 'A' && low[i] <= 'Z')
            low[i] = (char)(low[i] | 32);
        if (form[i] == '-' ? low[i] != '-' : !strchr("0123456789abcdef", low[i]))
            return NULL;
    }
    return low;
}

int message_token(struct arena *a, const json_t *from, const char *name, const struct token **ret,
                  struct err *err)
{
    struct token *tok = NULL;

    if (token_from_json(a, loose_find(from, name), &tok, err) < 0)
        return err_in(err, "%s", name);
    *ret = tok && tok->kind != TOKEN_NULL ? tok : NULL;
    return ERR_OK;
}

static int read_token(struct reader *r, const json_t *from, const char *name,
                      const struct token **ret)
{
    return message_token(&r->job->arena, from, name, ret, r->err);
}

static const struct token *text_token(struct reader *r, const char *text)
{
    struct token *tok = ARENA_NEW(&r->job->arena, struct token);

    tok->kind = TOKEN_STRING;
    tok->text = tok->source = arena_dup(&r->job->arena, slice_of(text));
    return tok;
}

static const char *text_of(struct reader *r, const json_t *from, const char *name)
{
    const char *text = member_text(from, name);

    return text ? arena_str(&r->job->arena, slice_of(text)) : "";
}

/* Of a mapping's pairs the value under KEY in any letter case; NULL: there is none, or it is null. */
static const struct token *input(const struct token *map, const char *key)
{
    for (size_t i = 0; map && map->kind == TOKEN_MAPPING && i < map->n_pairs; i++)
        if (map->pairs[i].key->kind == TOKEN_STRING &&
            slice_eq_nocase(map->pairs[i].key->text, slice_of(key)))
            return map->pairs[i].value->kind == TOKEN_NULL ? NULL : map->pairs[i].value;
    return NULL;
}

/* What the shell is called where that is known before the step runs. */
static const char *shell_name(struct reader *r)
{
    const struct token *shell = r->step->shell ? r->step->shell : r->job->default_shell;
    struct slice word = SLICE("bash");

    if (shell && shell->kind == TOKEN_EXPR)
        return "";
    if (shell && shell->kind == TOKEN_STRING && slice_trim(shell->text).len) {
        struct slice rest = slice_trim(shell->text);

        (void)slice_split(&rest, ' ', &word);
    }
    return arena_str(&r->job->arena, word);
}

/* ---- what a step does ---- */

static int read_script(struct reader *r)
{
    const struct token *inputs = r->step->with;
    const struct token *script = input(inputs, "script");

    r->step->with = NULL;
    r->step->run = script ? script : text_token(r, "");
    r->step->shell = input(inputs, "shell");
    r->step->working_directory = input(inputs, "workingDirectory");
    r->told->type = "run";
    r->told->action = shell_name(r);
    return ERR_OK;
}

/* "uses: ./path" */
static int read_local(struct reader *r, const char *path)
{
    bool whole = uses_kind(slice_of(path)) == USES_LOCAL || strcmp(path, ".") == 0;

    if (strcmp(path, ".") == 0)
        path = "./";
    r->step->uses = whole ? path : arena_printf(&r->job->arena, "./%s", path);
    r->told->action = r->step->uses;
    return ERR_OK;
}

/* "uses: $/path": what lies in the workflow's own repository, at the workflow's own commit. The step is still called
 * what the workflow says. */
static int read_own(struct reader *r, const char *path)
{
    const json_t *job = json_object_get(r->job->contexts, "job");
    const char *repository = member_text(job, "workflow_repository");
    const char *sha = member_text(job, "workflow_sha");

    if (!repository || !sha)
        return err_set(r->err, ERR_INVALID,
                       "reference: Unable to resolve self-reference '$/': the server does not say "
                       "which commit the workflow is of");
    while (*path == '$' || *path == '/')
        path++;
    if (!r->step->name)
        r->step->name = text_token(r, arena_printf(&r->job->arena, "Run $/%s", path));
    r->told->action = arena_printf(&r->job->arena, "%s%s%s", repository, *path ? "/" : "", path);
    r->told->ref = arena_str(&r->job->arena, slice_of(sha));
    r->step->uses = arena_printf(&r->job->arena, "%s@%s", r->told->action, sha);
    return ERR_OK;
}

static int read_repository(struct reader *r, const json_t *reference)
{
    const char *name = text_of(r, reference, "name"), *path = text_of(r, reference, "path");
    const char *kind = text_of(r, reference, "repositoryType");
    struct action_ref checked;

    r->told->type = "repository";
    if (slice_eq_nocase(slice_of(kind), SLICE("self")))
        return read_local(r, path);
    if (slice_eq_nocase(slice_of(kind), SLICE("selfRepository")))
        return read_own(r, path);
    if (*kind && !slice_eq_nocase(slice_of(kind), SLICE("GitHub")))
        return err_set(r->err, ERR_UNSUPPORTED, "reference: repositoryType: '%.60s' is not known",
                       kind);
    while (*path == '/')
        path++;
    r->told->action = arena_printf(&r->job->arena, "%s%s%s", name, *path ? "/" : "", path);
    r->told->ref = text_of(r, reference, "ref");
    r->step->uses = arena_printf(&r->job->arena, "%s@%s", r->told->action, r->told->ref);
    if (action_ref_parse(&r->job->arena, slice_of(r->step->uses), &checked, r->err) < 0)
        return err_in(r->err, "reference");
    return ERR_OK;
}

static int read_image(struct reader *r, const json_t *reference)
{
    const char *image = text_of(r, reference, "image");

    if (!*image)
        return err_set(r->err, ERR_INVALID, "reference: image: is missing");
    bool whole = uses_kind(slice_of(image)) == USES_IMAGE;
    r->step->uses = whole ? image : arena_printf(&r->job->arena, "docker://%s", image);
    r->told->type = "docker";
    r->told->action = r->step->uses + strlen("docker://");
    return ERR_OK;
}

static int read_reference(struct reader *r)
{
    static const char *const kinds[] = {NULL, "repository", "containerRegistry", "script"};
    json_t *reference;

    if (member_object(r->json, "reference", &reference, r->err) < 0)
        return r->err->code;
    if (!reference)
        return err_set(r->err, ERR_INVALID, "reference: is missing");
    switch (choice(reference, "type", kinds, COUNT_OF(kinds))) {
    case 1:
        return read_repository(r, reference);
    case 2:
        return read_image(r, reference);
    case 3:
        return read_script(r);
    default:
        return err_set(r->err, ERR_UNSUPPORTED, "reference: type: is none that is known");
    }
}

/* "wait", "wait-all", "cancel", and the steps that it is about. The service has no parallel groups: their steps come
 * as background steps with a wait behind them. */
static int read_control(struct reader *r)
{
    static const char *const kinds[] = {NULL, "wait", "wait-all", "cancel"};
    static const enum step_control controls[] = {CONTROL_NONE, CONTROL_WAIT, CONTROL_WAIT_ALL,
                                                 CONTROL_CANCEL};
    struct arena *a = &r->job->arena;
    int kind = choice(r->json, "controlType", kinds, COUNT_OF(kinds));
    json_t *ids, *id;
    size_t i;

    if (kind <= 0 || json_is_integer(loose_find(r->json, "controlType")))
        return err_set(r->err, ERR_UNSUPPORTED, "controlType: is none of wait, wait-all, cancel");
    if (member_list(r->json, "stepIds", &ids, r->err) < 0)
        return r->err->code;
    r->step->control = controls[kind];
    r->step->condition = "always()";
    r->step->targets = arena_array(a, json_array_size(ids), sizeof *r->step->targets);
    json_array_foreach (ids, i, id)
        if (json_string_length(id))
            r->step->targets[r->step->n_targets++] = arena_str(a, slice_of(json_string_value(id)));
    if (!r->step->name && member_text(r->json, "name"))
        r->step->name = text_token(r, member_text(r->json, "name"));
    r->told->type = kinds[kind];
    return ERR_OK;
}

/* ---- a step ---- */

/* Its key in the steps context. Names that the service made up begin with "__", and so does ours. */
static const char *context_name(struct reader *r, size_t number)
{
    const char *name = text_of(r, r->json, "contextName");

    if (!*name)
        name = text_of(r, r->json, "name");
    return *name ? name : arena_printf(&r->job->arena, "__step_%zu", number);
}

static const char *record_of(struct reader *r)
{
    const char *record = message_guid(&r->job->arena, member_text(r->json, "id"));
    char made[RANDOM_UUID_SIZE];

    if (record)
        return record;
    random_uuid(made);
    return arena_str(&r->job->arena, slice_of(made));
}

static int first_line(const struct step *s)
{
    const struct token *const tokens[] = {s->name, s->run, s->with, s->env};

    for (size_t i = 0; i < COUNT_OF(tokens); i++) {
        const struct token *tok = tokens[i];

        if (tok && tok->kind == TOKEN_MAPPING && tok->n_pairs && !tok->line)
            tok = tok->pairs[0].key;
        if (tok && tok->line)
            return tok->line;
    }
    return 0;
}

static int read_step(struct reader *r, bool control, size_t number)
{
    struct step *s = r->step;
    const char *shown = text_of(r, r->json, "displayName");
    const char *condition = text_of(r, r->json, "condition");

    s->id = context_name(r, number);
    s->record = record_of(r);
    s->condition = *condition ? condition : "success()";
    *r->told = (struct github_step){
        .record = s->record,
        .context = s->id,
        .action = "",
        .ref = "",
        .background = loose_bool(r->json, "background", false),
        .group = text_of(r, r->json, "parallelGroupId"),
    };
    s->background = r->told->background && !control;
    if (read_token(r, r->json, "displayNameToken", &s->name) < 0)
        return r->err->code;
    if (!s->name && *shown)
        s->name = text_token(r, shown);
    if (control)
        return read_control(r);
    if (read_token(r, r->json, "continueOnError", &s->continue_on_error) < 0 ||
        read_token(r, r->json, "timeoutInMinutes", &s->timeout_minutes) < 0 ||
        read_token(r, r->json, "environment", &s->env) < 0 ||
        read_token(r, r->json, "inputs", &s->with) < 0 || read_reference(r) < 0)
        return r->err->code;
    s->line = first_line(s);
    return ERR_OK;
}

/* What is kept of it outlives the job. */
static void keep(struct github_job *g, const struct step *s, struct github_step *t)
{
    const char **const texts[] = {&t->record, &t->context, &t->action, &t->ref, &t->group};
    const char **targets = arena_array(&g->arena, s->n_targets + 1, sizeof *targets);

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        *texts[i] = arena_str(&g->arena, slice_of(*texts[i]));
    for (size_t i = 0; i < s->n_targets; i++)
        targets[i] = arena_str(&g->arena, slice_of(s->targets[i]));
    t->targets = targets;
}

int message_steps(const json_t *message, struct job *j, struct github_job *g, struct err *err)
{
    static const char *const types[] = {NULL, NULL, NULL, NULL, "action", "backgroundStepControl"};
    json_t *list, *one;
    size_t i, n;

    if (member_list(message, "steps", &list, err) < 0)
        return err->code;
    n = json_array_size(list);
    if (n > GITHUB_STEPS_MAX)
        return err_set(err, ERR_LIMIT, "steps: there are %zu, at most %d are allowed", n,
                       (int)GITHUB_STEPS_MAX);
    j->steps = arena_array(&j->arena, n, sizeof *j->steps);
    g->steps = arena_array(&g->arena, n, sizeof *g->steps);
    json_array_foreach (list, i, one) {
        struct reader r = {j, one, &j->steps[j->n_steps], &g->steps[g->n_steps], err};
        int type = choice(one, "type", types, COUNT_OF(types));

        if (type < 4 || !loose_bool(one, "enabled", true))
            continue; /* as the official runner does it */
        if (read_step(&r, type == 5, i + 1) < 0)
            return err_in(err, "steps[%zu]", i);
        keep(g, &j->steps[j->n_steps++], &g->steps[g->n_steps]);
        g->n_steps++;
    }
    return ERR_OK;
}
