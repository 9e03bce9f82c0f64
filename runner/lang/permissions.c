/* What a called workflow may do: at most what its caller may (workflow-language.md 7). */
#include "lang/calls.h"

enum { NONE, READ, WRITE };

/* In the order in which GitHub lists them. */
static const struct scope {
    struct slice name;
    bool read_only; /* write is lowered to read */
    bool asked;     /* neither a word for all nor the policy grants it */
} scopes[SCOPES] = {
    {SLICE_INIT("actions"), false, false},
    {SLICE_INIT("artifact-metadata"), false, false},
    {SLICE_INIT("attestations"), false, false},
    {SLICE_INIT("checks"), false, false},
    {SLICE_INIT("contents"), false, false},
    {SLICE_INIT("deployments"), false, false},
    {SLICE_INIT("discussions"), false, false},
    {SLICE_INIT("issues"), false, false},
    {SLICE_INIT("packages"), false, false},
    {SLICE_INIT("pages"), false, false},
    {SLICE_INIT("pull-requests"), false, false},
    {SLICE_INIT("repository-projects"), false, false},
    {SLICE_INIT("statuses"), false, false},
    {SLICE_INIT("security-events"), false, false},
    {SLICE_INIT("id-token"), false, false},
    {SLICE_INIT("models"), true, false},
    {SLICE_INIT("vulnerability-alerts"), true, false},
    {SLICE_INIT("code-quality"), false, true},
    {SLICE_INIT("copilot-requests"), false, true},
    {SLICE_INIT("drives"), false, true},
};

static const char *const words[] = {"none", "read", "write"};

static void grant_all(struct permissions *p, unsigned char level)
{
    for (size_t i = 0; i < SCOPES; i++)
        if (!scopes[i].asked)
            p->level[i] = scopes[i].read_only && level == WRITE ? READ : level;
}

static void grant(struct permissions *p, struct slice name, unsigned char level)
{
    for (size_t i = 0; i < SCOPES; i++)
        if (slice_eq(scopes[i].name, name))
            p->level[i] = scopes[i].read_only && level == WRITE ? READ : level;
}

static unsigned char level_of(const struct token *tok)
{
    if (tok->kind == TOKEN_STRING && slice_starts(tok->text, SLICE("write")))
        return WRITE; /* "write-all", too */
    return tok->kind == TOKEN_STRING && slice_starts(tok->text, SLICE("read")) ? READ : NONE;
}

struct permissions permissions_of(const struct token *tok, enum calls_policy policy, bool trusted)
{
    struct permissions p = {.level = {0}};

    if (!tok && policy == CALLS_LIMITED_READ) {
        grant(&p, SLICE("contents"), READ);
        grant(&p, SLICE("packages"), READ);
    } else if (!tok) {
        grant_all(&p, WRITE);
        grant(&p, SLICE("id-token"), trusted ? WRITE : NONE);
    } else if (tok->kind == TOKEN_MAPPING) {
        for (size_t i = 0; i < tok->n_pairs; i++)
            grant(&p, tok->pairs[i].key->text, level_of(tok->pairs[i].value));
    } else {
        grant_all(&p, level_of(tok));
    }
    return p;
}

/* The scopes of which ASKED has more than MAX, with their levels in OF. */
static const char *list(struct arena *a, const struct permissions *asked,
                        const struct permissions *max, const struct permissions *of)
{
    const char *text = "";

    for (size_t i = 0; i < SCOPES; i++)
        if (asked->level[i] > max->level[i])
            text = arena_printf(a, "%s%s%.*s: %s", text, *text ? ", " : "",
                                SLICE_ARG(scopes[i].name), words[of->level[i]]);
    return text;
}

/* SUBJECT asks for what TOK says. */
static void check_one(const struct workflow *caller, const struct workflow_job *job,
                      const char *subject, const struct token *tok, const struct permissions *max,
                      struct diags *diags)
{
    struct permissions asked;
    const char *wants;

    if (!tok)
        return;
    asked = permissions_of(tok, CALLS_WRITE, false);
    wants = list(diags->arena, &asked, max, &asked);
    if (!*wants)
        return;
    diag_add(diags, DIAG_ERROR, caller->file, job->line, job->col,
             "Error calling workflow '%s'. %s is requesting '%s', but is only allowed '%s'.",
             job->uses, subject, wants, list(diags->arena, &asked, max, max))
        ->hint = "grant them under 'permissions' of the calling job";
}

void check_call_permissions(const struct workflow *caller, const struct workflow_job *job,
                            const struct workflow *called, const struct permissions *max,
                            struct diags *diags)
{
    check_one(caller, job, "The workflow", called->permissions, max, diags);
    for (size_t i = 0; i < called->n_jobs; i++)
        check_one(caller, job,
                  arena_printf(diags->arena, "The nested job '%s'", called->jobs[i].id),
                  token_find(called->jobs[i].node, "permissions"), max, diags);
}
