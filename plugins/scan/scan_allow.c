#include "scan_allow.h"

#include "../lib/sha256.h"

#include <string.h>

/* ---- paths ---- */

enum { TRIES_MAX = 100000 }; /* many stars in a pattern would only cost time */

static bool match(const char *pattern, const char *path, int *tries)
{
    for (; *pattern; pattern++, path++) {
        if (*pattern == '*') {
            bool deep = pattern[1] == '*';

            pattern += deep ? 2 : 1;
            if (deep && *pattern == '/' && match(pattern + 1, path, tries))
                return true; /* no folder at all */
            for (;; path++) {
                if (match(pattern, path, tries))
                    return true;
                if (--*tries < 0 || !*path || (!deep && *path == '/'))
                    return false;
            }
        }
        if (*pattern == '?' ? !*path || *path == '/' : *pattern != *path)
            return false;
    }
    return !*path || *path == '/';
}

bool allow_path(const char *pattern, const char *path)
{
    int tries = TRIES_MAX;

    if (strncmp(pattern, "./", 2) == 0)
        pattern += 2;
    /* "docs/" is the folder, too. */
    if (*pattern && pattern[strlen(pattern) - 1] == '/')
        return strncmp(pattern, path, strlen(pattern)) == 0;
    return match(pattern, path, &tries);
}

/* ---- the file ---- */

static struct span word(struct span *s)
{
    struct span w;

    *s = span_trim(*s);
    w = (struct span){s->at, 0};
    while (w.size < s->size && w.at[w.size] != ' ' && w.at[w.size] != '\t')
        w.size++;
    *s = (struct span){s->at + w.size, s->size - w.size};
    return w;
}

static bool is_sha256(struct span s)
{
    if (s.size != SHA256_HEX)
        return false;
    for (size_t i = 0; i < s.size; i++)
        if (!strchr("0123456789abcdef", s.at[i]) || !s.at[i])
            return false;
    return true;
}

/* NULL: LINE is one; else what is wrong with it. */
static const char *read_entry(struct ost_step *step, struct span line, struct allowance *ret)
{
    struct span kind = word(&line), value = word(&line), rest = span_trim(line);

    *ret = (struct allowance){"", "", ""};
    if (span_is(kind, "rule")) {
        ret->rule = span_dup(step, value);
        ret->pattern = span_dup(step, rest);
        return rules_has(value) ? NULL : "there is no rule of that name";
    }
    if (rest.size > 0 || value.size == 0)
        return "it takes one word behind it";
    if (span_is(kind, "path"))
        ret->pattern = span_dup(step, value);
    else if (span_is(kind, "sha256"))
        ret->sha256 = span_dup(step, value);
    else
        return "a line is 'path PATTERN', 'rule NAME [PATTERN]' or 'sha256 DIGEST'";
    return *ret->sha256 && !is_sha256(value)
               ? "it is not 64 hex digits: printf %s SECRET | sha256sum tells them"
               : NULL;
}

ost_status allow_read(struct ost_step *step, const char *name, struct span text, struct allow *ret)
{
    struct span rest = text, line;
    size_t n = 0, number = 0;

    while (n <= ALLOW_ENTRIES_MAX && span_line(&rest, &line))
        n++;
    if (n > ALLOW_ENTRIES_MAX)
        return ost_fail(step, OST_E_LIMIT, "'%s' has more than %d lines", name, ALLOW_ENTRIES_MAX);
    ret->list = step->host->alloc(step, (n + 1) * sizeof *ret->list);
    ret->n = 0;
    while (span_line(&text, &line)) {
        const char *why;

        number++;
        line = span_trim(line);
        if (line.size == 0 || line.at[0] == '#')
            continue;
        why = read_entry(step, line, &ret->list[ret->n++]);
        if (why)
            return ost_fail(step, OST_E_INVALID, "line %zu of '%s' cannot be understood: %s",
                            number, name, why);
    }
    return OST_OK;
}

bool allow_has(struct ost_step *step, const struct allow *a, const struct rule *rule,
               const char *path, struct span secret)
{
    const char *sha256 = NULL;

    for (size_t i = 0; i < a->n; i++) {
        const struct allowance *one = &a->list[i];

        if ((*one->rule && strcmp(one->rule, rule->id) != 0) ||
            (*one->pattern && !allow_path(one->pattern, path)))
            continue;
        if (!*one->sha256)
            return true;
        if (!sha256)
            sha256 = sha256_text(step, secret);
        if (strcmp(one->sha256, sha256) == 0)
            return true;
    }
    return false;
}

/* ---- comments ---- */

/* "ostler:allow" alone, or with names of rules behind it. */
static bool has_ours(struct span line, const char *rule)
{
    size_t at = span_find(line, "ostler:allow");
    bool named = false;

    if (at == SIZE_MAX)
        return false;
    line = (struct span){line.at + at + 12, line.size - at - 12};
    if (line.size > 0 && line.at[0] == '-')
        return false;
    for (;;) {
        struct span name;

        span_eat(&line, "=");
        name = word(&line);
        if (name.size > 0 && name.at[name.size - 1] == ',')
            name.size--;
        if (!rules_has(name))
            return !named; /* the rest is for people */
        named = true;
        if (span_is(name, rule))
            return true;
    }
}

bool allow_comment(struct span line, const char *rule)
{
    static const char *const others[] = {"gitleaks:allow", "pragma: allowlist secret",
                                         "pragma: whitelist secret", "trufflehog:ignore"};

    for (size_t i = 0; i < OST_COUNT(others); i++)
        if (span_find(line, others[i]) != SIZE_MAX)
            return true;
    return has_ours(line, rule);
}

bool allow_next_line(struct span line)
{
    return span_find(line, "pragma: allowlist nextline secret") != SIZE_MAX;
}
