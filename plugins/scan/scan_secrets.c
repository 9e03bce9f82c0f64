#include "scan_secrets.h"

#include <string.h>

struct known {
    const struct rule *rule;
    struct span secret; /* ours */
};

/* Where a secret was found: the line, and its place in there. */
struct place {
    const struct patch_line *line;
    uint32_t number;
    struct span secret; /* size 0: a key, of which nothing is shown */
    struct span body;   /* of a key: its first line */
};

struct search {
    struct secrets *all;
    const struct patch_line *line;
};

static bool is_known(const struct secrets *s, const struct rule *rule, struct span secret)
{
    for (size_t i = 0; i < s->n_known; i++)
        if (s->known[i].rule == rule && s->known[i].secret.size == secret.size &&
            memcmp(s->known[i].secret.at, secret.at, secret.size) == 0)
            return true;
    return false;
}

static void remember(struct secrets *s, const struct rule *rule, struct span secret)
{
    if (s->n_known == s->room_known) {
        size_t room = s->room_known ? s->room_known * 2 : 16;
        struct known *list = s->step->host->alloc(s->step, room * sizeof *list);

        if (s->n_known > 0)
            memcpy(list, s->known, s->n_known * sizeof *list);
        s->known = list;
        s->room_known = room;
    }
    secret.at = span_dup(s->step, secret);
    s->known[s->n_known++] = (struct known){rule, secret};
}

/* The first four characters at the most, and only of what is long enough to bear it. */
static const char *describe(struct secrets *s, const struct rule *rule, struct span secret)
{
    enum { SHOWN = 4, BEARS = 16 };

    if (secret.size == 0)
        return ost_fmt(s->step, "%s begins here", rule->title);
    if (secret.size < BEARS)
        return ost_fmt(s->step, "%s (%zu characters)", rule->title, secret.size);
    return ost_fmt(s->step, "%s: %.*s... (%zu characters)", rule->title, SHOWN,
                   span_dup(s->step, (struct span){secret.at, SHOWN}), secret.size);
}

static const char *path_of(const struct secrets *s, const char *file)
{
    return rel_join(s->step, s->prefix, file);
}

/* A line of the past need not be there any more, so its finding is about the file. */
static struct finding finding_of(struct secrets *s, const struct rule *rule, const struct place *p)
{
    const char *what = describe(s, rule, p->secret);
    struct finding f = {
        .file = span_dup(s->step, span_of(path_of(s, p->line->file))),
        .severity = rule->severity,
        .rule = rule->id,
        .message = what,
    };

    if (*p->line->commit) {
        f.message =
            ost_fmt(s->step, "%s, in line %u as of commit %.12s", what, p->number, p->line->commit);
        return f;
    }
    f.line = f.end_line = p->number;
    if (p->secret.size > 0 && p->secret.at >= p->line->text.at) {
        f.col = (uint32_t)(p->secret.at - p->line->text.at) + 1;
        f.end_col = f.col + (uint32_t)p->secret.size;
    }
    return f;
}

static void found(struct secrets *s, const struct rule *rule, const struct place *p)
{
    if (s->status < 0)
        return;
    if (allow_has(s->step, s->allow, rule, path_of(s, p->line->file), p->secret)) {
        s->n_allowed++;
        return;
    }
    if (s->past && is_known(s, rule, p->secret.size > 0 ? p->secret : p->body))
        return;
    if (s->findings.n == SECRETS_MAX) {
        s->n_more++;
        return;
    }
    /* Whatever comes later in the job may print it; from here on nobody sees it. */
    if (p->secret.size > 0)
        s->status = s->step->host->mask(s->step, span_dup(s->step, p->secret));
    remember(s, rule, p->secret.size > 0 ? p->secret : p->body);
    if (s->status == OST_OK)
        findings_add(s->step, &s->findings, finding_of(s, rule, p));
}

static void on_secret(void *ctx, const struct rule *rule, struct span secret)
{
    const struct search *search = ctx;
    struct secrets *s = search->all;
    const struct place place = {search->line, search->line->number, secret, {"", 0}};

    if (s->next_allowed || allow_comment(search->line->text, rule->id))
        s->n_allowed++;
    else
        found(s, rule, &place);
}

/* A key's header alone is in many a text about keys; with base64 behind it, it is one. */
static void look_for_key(struct secrets *s, const struct patch_line *line)
{
    struct span body = {"", 0};
    const struct rule *begins = rules_key_begin(line->text, &body);

    if (s->key && rules_key_body(line->text)) {
        const struct place place = {line, line->number - 1, {"", 0}, line->text};

        found(s, s->key, &place);
    }
    s->key = NULL;
    if (!begins)
        return;
    if (s->next_allowed || allow_comment(line->text, begins->id)) {
        s->n_allowed++;
    } else if (rules_key_body(body)) {
        const struct place place = {line, line->number, {"", 0}, body};

        found(s, begins, &place);
    } else {
        s->key = begins;
    }
}

/* What was begun in the line before goes on only if that was the line before. */
static void follow(struct secrets *s, const struct patch_line *line)
{
    size_t n = strlen(line->file);

    if (strcmp(s->file, line->file) != 0 || line->number != s->number + 1) {
        s->key = NULL;
        s->next_allowed = false;
    }
    if (n < sizeof s->file)
        memcpy(s->file, line->file, n + 1);
    s->number = line->number;
}

void secrets_line(void *ctx, const struct patch_line *line)
{
    struct secrets *s = ctx;
    struct search search = {s, line};

    s->n_lines++;
    follow(s, line);
    look_for_key(s, line);
    rules_search(line->text, rules_is_bare(line->file), on_secret, &search);
    s->next_allowed = allow_next_line(line->text);
}

void secrets_text(struct secrets *s, const char *path, struct span text)
{
    struct patch_line line = {.commit = "", .file = path};

    while (s->status == OST_OK && span_line(&text, &line.text)) {
        line.number += line.number < UINT32_MAX;
        secrets_line(s, &line);
    }
}
