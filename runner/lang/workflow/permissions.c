/* What a called workflow may do: at most what its caller may (workflow-language.md 7). */
#include "lang/workflow/calls.h"

enum { NONE, READ, WRITE };

enum {
    LOWERED = 1, /* write is lowered to read */
    ASKED = 2,   /* neither a word for all nor the policy grants it */
    IMPLIED = 4, /* a word for all grants it, but does not ask for it: it came later */
};

/* In the order in which GitHub lists them. */
static const struct scope {
    struct slice name;
    unsigned how;
} scopes[SCOPES] = {
    {SLICE_INIT("actions"), 0},
    {SLICE_INIT("artifact-metadata"), 0},
    {SLICE_INIT("attestations"), 0},
    {SLICE_INIT("checks"), 0},
    {SLICE_INIT("contents"), 0},
    {SLICE_INIT("deployments"), 0},
    {SLICE_INIT("discussions"), 0},
    {SLICE_INIT("issues"), 0},
    {SLICE_INIT("packages"), 0},
    {SLICE_INIT("pages"), 0},
    {SLICE_INIT("pull-requests"), 0},
    {SLICE_INIT("repository-projects"), 0},
    {SLICE_INIT("statuses"), 0},
    {SLICE_INIT("security-events"), 0},
    {SLICE_INIT("id-token"), 0},
    {SLICE_INIT("models"), LOWERED | IMPLIED},
    {SLICE_INIT("vulnerability-alerts"), LOWERED | IMPLIED},
    {SLICE_INIT("code-quality"), ASKED},
    {SLICE_INIT("copilot-requests"), ASKED},
    {SLICE_INIT("drives"), ASKED},
};

static const char *const words[] = {"none", "read", "write"};

static void grant_all(struct permissions *p, unsigned char level)
{
    for (size_t i = 0; i < SCOPES; i++)
        if (!(scopes[i].how & ASKED))
            p->level[i] = scopes[i].how & LOWERED && level == WRITE ? READ : level;
}

static void grant(struct permissions *p, struct slice name, unsigned char level)
{
    for (size_t i = 0; i < SCOPES; i++)
        if (slice_eq(scopes[i].name, name))
            p->level[i] = scopes[i].how & LOWERED && level == WRITE ? READ : level;
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

/* What TOK asks for, which is less than it would grant. */
static struct permissions asked_by(const struct token *tok)
{
    struct permissions p = permissions_of(tok, CALLS_WRITE, false);

    for (size_t i = 0; tok->kind != TOKEN_MAPPING && i < SCOPES; i++)
        if (scopes[i].how & IMPLIED)
            p.level[i] = NONE;
    return p;
}

bool permissions_can_write(const struct permissions *p, struct slice scope)
{
    for (size_t i = 0; i < SCOPES; i++)
        if (slice_eq(scopes[i].name, scope))
            return p->level[i] == WRITE;
    return false;
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
    asked = asked_by(tok);
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
