#include "image_tags.h"

#include "semver.h"

#include <string.h>

static const char *context(struct ost_step *step, const char *name)
{
    const char *value = step->host->context(step, name);

    return value ? value : "";
}

/* The number between "refs/pull/" and "/merge", for events whose payload does not tell. */
static const char *number_of(struct ost_step *step, const char *ref)
{
    struct span rest = span_of(ref), number;

    if (span_eat(&rest, "refs/pull/") && span_eat_until(&rest, '/', &number))
        return span_dup(step, number);
    return "";
}

struct image_facts image_facts_get(struct ost_step *step)
{
    struct image_facts facts = {
        .ref = context(step, "github.ref"),
        .commit = context(step, "github.sha"),
        .default_branch = context(step, "github.event.repository.default_branch"),
        .pull_request = context(step, "github.event.pull_request.number"),
    };

    if (!*facts.pull_request)
        facts.pull_request = number_of(step, facts.ref);
    return facts;
}

/* ---- what a tag may hold ---- */

static bool may_begin(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
}

static bool may_follow(char c)
{
    return may_begin(c) || c == '.' || c == '-';
}

bool image_tag_is_legal(const char *tag)
{
    size_t n = strlen(tag);

    if (n == 0 || n > IMAGE_TAG_MAX || !may_begin(tag[0]))
        return false;
    for (size_t i = 1; i < n; i++)
        if (!may_follow(tag[i]))
            return false;
    return true;
}

const char *image_tag_of(struct ost_step *step, struct span text)
{
    char *tag = step->host->alloc(step, IMAGE_TAG_MAX + 1);
    size_t n = 0;

    for (size_t i = 0; i < text.size && n < IMAGE_TAG_MAX; i++) {
        char c = may_follow(text.at[i]) ? text.at[i] : '-';

        if (n > 0 || may_begin(c))
            tag[n++] = c;
    }
    tag[n] = '\0';
    return tag;
}

/* ---- rules ---- */

struct making {
    struct ost_step *step;
    const struct image_facts *facts;
    struct strings *to;
};

static ost_status add(struct making *m, const char *tag)
{
    for (size_t i = 0; i < m->to->n; i++)
        if (strcmp(m->to->list[i], tag) == 0)
            return OST_OK;
    if (!*tag)
        return OST_OK;
    if (m->to->n == IMAGE_TAGS_MAX)
        return ost_fail(m->step, OST_E_LIMIT, "more than %d tags for one image", IMAGE_TAGS_MAX);
    strings_add(m->step, m->to, tag);
    return OST_OK;
}

static ost_status add_text(struct making *m, const char *text)
{
    return add(m, image_tag_of(m->step, span_of(text)));
}

/* The name below KIND ("refs/heads/") that the run is for; NULL when it is for something else. */
static const char *ref_name(const struct making *m, const char *kind)
{
    size_t n = strlen(kind);

    return strncmp(m->facts->ref, kind, n) == 0 ? m->facts->ref + n : NULL;
}

static ost_status make_latest(struct making *m, struct span detail)
{
    const char *branch = ref_name(m, "refs/heads/");

    (void)detail;
    if (!branch || !*branch || strcmp(branch, m->facts->default_branch) != 0)
        return OST_OK;
    return add(m, "latest");
}

static ost_status make_sha(struct making *m, struct span detail)
{
    enum { SHORTEST = 4, LONGEST = 64 };
    uint32_t size = LONGEST;

    if (detail.size > 0 &&
        (!span_eat_number(&detail, &size) || detail.size > 0 || size < SHORTEST || size > LONGEST))
        return ost_fail(m->step, OST_E_INVALID,
                        "the tag rule 'sha' takes a number of digits from %d to %d: sha:7",
                        SHORTEST, LONGEST);
    if (!*m->facts->commit)
        return OST_OK;
    return add_text(m, ost_fmt(m->step, "sha-%.*s", (int)size, m->facts->commit));
}

static ost_status make_branch(struct making *m, struct span detail)
{
    const char *branch = ref_name(m, "refs/heads/");

    (void)detail;
    return branch && *branch ? add_text(m, ost_fmt(m->step, "branch-%s", branch)) : OST_OK;
}

static ost_status make_pr(struct making *m, struct span detail)
{
    (void)detail;
    return *m->facts->pull_request ? add_text(m, ost_fmt(m->step, "pr-%s", m->facts->pull_request))
                                   : OST_OK;
}

/* Replaces {{version}}, {{major}}, {{minor}} and {{patch}}. *RET_WHOLE: nothing of the version was left out.
 * False: another word in braces. */
static bool fill(struct sink *k, struct span pattern, const char *version, const struct semver *v,
                 bool *ret_whole)
{
    while (pattern.size > 0) {
        size_t at = span_find(pattern, "{{");
        struct span word;

        if (at == SIZE_MAX) {
            sink_add(k, pattern);
            return true;
        }
        sink_add(k, (struct span){pattern.at, at});
        pattern = (struct span){pattern.at + at + 2, pattern.size - at - 2};
        if (!span_eat_until(&pattern, '}', &word) || !span_eat(&pattern, "}"))
            return false;
        word = span_trim(word);
        *ret_whole |= span_is(word, "version");
        if (span_is(word, "version"))
            sink_addf(k, "%s", version);
        else if (span_is(word, "major"))
            sink_addf(k, "%u", v->major);
        else if (span_is(word, "minor"))
            sink_addf(k, "%u", v->minor);
        else if (span_is(word, "patch"))
            sink_addf(k, "%u", v->patch);
        else
            return false;
    }
    return true;
}

static ost_status make_semver(struct making *m, struct span detail)
{
    const char *tag = ref_name(m, "refs/tags/");
    struct span pattern = detail.size > 0 ? detail : SPAN("{{version}}");
    struct sink k = {.step = m->step};
    struct semver v = {0};
    bool is_version = tag && semver_parse(span_of(tag), &v), whole = false;

    /* A wrong pattern is wrong on every branch, not on the day of the release alone. */
    if (!fill(&k, pattern, is_version ? tag + strspn(tag, "v") : "", &v, &whole))
        return ost_fail(
            m->step, OST_E_INVALID,
            "the tag rule '%s' has a word in braces that is not {{version}}, {{major}}, "
            "{{minor}} or {{patch}}",
            span_dup(m->step, pattern));
    if (!is_version || (v.pre.size > 0 && !whole))
        return OST_OK;
    return add_text(m, sink_text(&k));
}

static const struct rule {
    const char *name, *spelt_out; /* as the manual writes it */
    ost_status (*make)(struct making *m, struct span detail);
} rules_known[] = {
    {"latest", NULL, make_latest},
    {"sha", "sha-<commit>", make_sha},
    {"branch", "branch-<name>", make_branch},
    {"pr", "pr-<number>", make_pr},
    {"semver", NULL, make_semver},
};

static const struct rule *rule_find(struct span text, struct span *ret_detail)
{
    struct span name = text;

    *ret_detail = (struct span){"", 0};
    for (size_t i = 0; i < OST_COUNT(rules_known); i++)
        if (rules_known[i].spelt_out && span_is(text, rules_known[i].spelt_out))
            return &rules_known[i];
    if (span_eat_until(&text, ':', &name))
        *ret_detail = text;
    for (size_t i = 0; i < OST_COUNT(rules_known); i++)
        if (span_is(name, rules_known[i].name))
            return &rules_known[i];
    return NULL;
}

static ost_status make_one(struct making *m, struct span text)
{
    struct span detail;
    bool literal = span_eat(&text, "=");
    const struct rule *rule = literal ? NULL : rule_find(text, &detail);
    const char *tag = span_dup(m->step, text);

    if (rule)
        return rule->make(m, detail);
    if (!literal && span_find(text, "{{") != SIZE_MAX)
        return make_semver(m, text);
    if (image_tag_is_legal(tag))
        return add(m, tag);
    return ost_fail(m->step, OST_E_INVALID,
                    "'%s' is no tag and no rule for one: a tag is at most %d letters, digits, '_', "
                    "'.' and '-', and begins with none of the last two; the rules are latest, sha, "
                    "branch, pr and semver",
                    tag, IMAGE_TAG_MAX);
}

ost_status image_tags(struct ost_step *step, const char *const *rules,
                      const struct image_facts *facts, struct strings *to)
{
    struct making m = {step, facts, to};
    ost_status r = OST_OK;

    for (; r == OST_OK && *rules; rules++) {
        struct span rule = span_trim(span_of(*rules));

        if (rule.size > 0)
            r = make_one(&m, rule);
    }
    return r;
}
