#include "lang/trigger.h"

#include "base/utf8.h"
#include "lang/pattern.h"
#include "lang/schedule.h"

enum { SHOWN_MAX = 100, LISTED_MAX = 3, TEXT_MAX = 4000 };

static const char *const filter_names[] = {
    [TRIGGER_NOTHING] = "",
    [TRIGGER_ON] = "on",
    [TRIGGER_DELETED] = "",
    [TRIGGER_SKIP] = "",
    [TRIGGER_TYPES] = "types",
    [TRIGGER_BRANCHES] = "branches",
    [TRIGGER_BRANCHES_IGNORE] = "branches-ignore",
    [TRIGGER_TAGS] = "tags",
    [TRIGGER_TAGS_IGNORE] = "tags-ignore",
    [TRIGGER_PATHS] = "paths",
    [TRIGGER_PATHS_IGNORE] = "paths-ignore",
    [TRIGGER_WORKFLOWS] = "workflows",
    [TRIGGER_NAMES] = "names",
    [TRIGGER_VERSIONS] = "versions",
    [TRIGGER_SCHEDULE] = "schedule",
};

const char *trigger_filter_name(enum trigger_filter filter)
{
    return filter < TRIGGER_FILTERS ? filter_names[filter] : "";
}

/* One decision under way. */
struct deciding {
    struct arena *arena;
    const struct workflow *workflow;
    const struct trigger_facts *facts;
    const struct workflow_event *event;
    const struct token *at; /* the event's name in the file; NULL: not there */
    struct trigger_verdict verdict;
};

static bool is(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

/* ---- words ---- */

/* TEXT in quotes: short, and nothing in it that a terminal or a JSON text could not bear. */
static void quote(struct buf *out, struct slice text)
{
    CLEANUP(buf_deinit) struct buf clean = BUF_INIT(4 * SHOWN_MAX);
    size_t cut = text.len;

    if (text.len > SHOWN_MAX)
        for (cut = SHOWN_MAX; cut && ((unsigned char)text.ptr[cut] & 0xC0) == 0x80;)
            cut--;
    utf8_clean(slice_head(text, cut), &clean);
    buf_add_char(out, '\'');
    for (size_t i = 0; i < clean.len; i++) {
        unsigned char c = (unsigned char)clean.ptr[i];

        if (c == '\n')
            buf_add_str(out, "\\n");
        else if (c < ' ' || c == 0x7F)
            buf_printf(out, "\\x%02x", c);
        else
            buf_add_char(out, (char)c);
    }
    buf_add_str(out, cut < text.len ? "…'" : "'");
}

static void quote_list(struct buf *out, const struct slice *list, size_t n)
{
    size_t shown = n > LISTED_MAX + 1 ? LISTED_MAX : n; /* "and 1 more" would be no shorter */

    for (size_t i = 0; i < shown; i++) {
        buf_add_str(out, i ? ", " : "");
        quote(out, list[i]);
    }
    if (shown < n)
        buf_printf(out, " and %zu more", n - shown);
}

/* The answer is no, by FILTER at token AT (NULL: none). WHY is taken over. */
static void refuse(struct deciding *d, enum trigger_filter filter, const struct token *at,
                   struct buf *why)
{
    const char *name = filter_names[filter];
    bool key = filter > TRIGGER_SKIP && filter != TRIGGER_SCHEDULE;

    d->verdict.starts = false;
    d->verdict.filter = filter;
    d->verdict.line = at ? at->line : 0;
    d->verdict.col = at ? at->col : 0;
    d->verdict.reason = arena_printf(d->arena, "%s%s%.*s", key ? name : "", key ? ": " : "",
                                     SLICE_ARG(buf_slice(why)));
    buf_deinit(why);
}

static void unasked(struct deciding *d, const char *filter, const char *why)
{
    const char *before = d->verdict.note;

    d->verdict.note = arena_printf(d->arena, "%s%s%s was not asked: %s", before ? before : "",
                                   before ? "; " : "", filter, why);
}

/* ---- lists of the file ---- */

/* The key NAME of the event's options; NULL: not given. */
static const struct token *key_of(const struct workflow_event *e, const char *name)
{
    const struct token *config = e->config;

    for (size_t i = 0; config && config->kind == TOKEN_MAPPING && i < config->n_pairs; i++)
        if (slice_eq(config->pairs[i].key->text, slice_of(name)))
            return config->pairs[i].key;
    return NULL;
}

/* Its texts: one, or a list of them. */
static struct slice *texts_of(struct deciding *d, const char *name, size_t *ret_n)
{
    const struct token *value = token_find(d->event->config, name);
    bool list = value && value->kind == TOKEN_SEQUENCE;
    size_t n = list ? value->n_items : value != NULL;
    struct slice *texts = arena_array(d->arena, n + 1, sizeof *texts);

    for (size_t i = 0; i < n; i++)
        texts[i] = token_text(d->arena, list ? value->items[i] : value);
    *ret_n = n;
    return texts;
}

static bool has(const struct slice *list, size_t n, struct slice text)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(list[i], text))
            return true;
    return false;
}

/* ---- on ---- */

/* Where the event is named, for those who are sent there. */
static const struct token *event_token(const struct workflow *w, const char *name)
{
    const struct token *on = token_find(w->root, "on");
    struct slice text = slice_of(name);

    if (!on || on->kind == TOKEN_STRING)
        return on;
    for (size_t i = 0; on->kind == TOKEN_MAPPING && i < on->n_pairs; i++)
        if (slice_eq(on->pairs[i].key->text, text))
            return on->pairs[i].key;
    for (size_t i = 0; on->kind == TOKEN_SEQUENCE && i < on->n_items; i++)
        if (slice_eq(on->items[i]->text, text))
            return on->items[i];
    return on;
}

static bool listens(struct deciding *d)
{
    struct buf why = BUF_INIT(TEXT_MAX);
    size_t n = d->workflow->n_events;
    struct slice *names = arena_array(d->arena, n + 1, sizeof *names);

    if (d->event)
        return true;
    for (size_t i = 0; i < n; i++)
        names[i] = slice_of(d->workflow->events[i].name);
    buf_printf(&why, "it listens to ");
    quote_list(&why, names, n);
    buf_add_str(&why, " only");
    refuse(d, TRIGGER_ON, d->at, &why);
    return false;
}

/* ---- the push and its commit ---- */

static bool is_pull(const char *event)
{
    return is(event, "pull_request") || is(event, "pull_request_target");
}

static bool still_there(struct deciding *d)
{
    struct buf why = BUF_INIT(TEXT_MAX);

    if (!d->facts->deleted || !is(d->facts->event, "push"))
        return true;
    buf_add_str(&why, "a push that deletes ");
    quote(&why, slice_of(d->facts->ref));
    buf_add_str(&why, " starts nothing");
    refuse(d, TRIGGER_DELETED, NULL, &why);
    return false;
}

/* "skip-checks: true" as a trailer: in the last paragraph, which is not the first. */
static bool has_skip_trailer(struct slice message)
{
    struct slice rest = slice_trim(message), line;
    bool skip = false, first = true;

    while (slice_line(&rest, &line)) {
        if (slice_trim(line).len == 0) {
            skip = first = false;
            continue;
        }
        skip |= !first && (slice_eq_nocase(slice_trim(line), SLICE("skip-checks: true")) ||
                           slice_eq_nocase(slice_trim(line), SLICE("skip-checks:true")));
    }
    return skip;
}

static bool wanted_by_commit(struct deciding *d)
{
    static const char *const words[] = {"[skip ci]", "[ci skip]", "[no ci]", "[skip actions]",
                                        "[actions skip]"};
    struct slice message = slice_of(d->facts->message), found = SLICE("");
    struct buf why = BUF_INIT(TEXT_MAX);

    if (!is(d->facts->event, "push") && !is(d->facts->event, "pull_request"))
        return true;
    for (size_t i = 0; i < COUNT_OF(words) && !found.len; i++)
        if (slice_find(message, slice_of(words[i])) >= 0)
            found = slice_of(words[i]);
    if (!found.len && has_skip_trailer(message))
        found = SLICE("skip-checks: true");
    if (!found.len)
        return true;
    buf_add_str(&why, "the message of the commit at the head says ");
    quote(&why, found);
    refuse(d, TRIGGER_SKIP, NULL, &why);
    return false;
}

/* ---- types ---- */

static bool type_fits(struct deciding *d)
{
    static const struct slice usual[] = {SLICE_INIT("opened"), SLICE_INIT("synchronize"),
                                         SLICE_INIT("reopened")};
    const struct token *key = key_of(d->event, "types");
    size_t n = 0;
    const struct slice *types = texts_of(d, "types", &n);
    struct buf why = BUF_INIT(TEXT_MAX);

    if (!key && is_pull(d->facts->event)) {
        types = usual;
        n = COUNT_OF(usual);
    }
    if (n && !d->facts->activity)
        unasked(d, "types", "the activity is not known");
    if (n == 0 || !d->facts->activity || has(types, n, slice_of(d->facts->activity)))
        return true;
    quote(&why, slice_of(d->facts->activity));
    buf_add_str(&why, n == 1 ? " is not " : " is none of ");
    quote_list(&why, types, n);
    buf_add_str(&why, key ? "" : ", the types when none are given");
    refuse(d, TRIGGER_TYPES, key ? key : d->at, &why);
    return false;
}

/* ---- one name against a list of patterns ---- */

/* NAME passes the include list FILTER. WHAT in words: "the base branch". */
static bool passes(struct deciding *d, enum trigger_filter filter, const char *what,
                   struct slice name)
{
    const struct token *key = key_of(d->event, filter_names[filter]);
    struct buf why = BUF_INIT(TEXT_MAX);
    size_t n;
    const struct slice *patterns = texts_of(d, filter_names[filter], &n);

    if (!key || pattern_includes(patterns, n, name))
        return true;
    buf_printf(&why, "%s ", what);
    quote(&why, name);
    buf_add_str(&why, " does not match ");
    quote_list(&why, patterns, n);
    refuse(d, filter, key, &why);
    return false;
}

/* NAME is left over by the ignore list FILTER. */
static bool is_left(struct deciding *d, enum trigger_filter filter, const char *what,
                    struct slice name)
{
    const struct token *key = key_of(d->event, filter_names[filter]);
    struct buf why = BUF_INIT(TEXT_MAX);
    size_t n;
    const struct slice *patterns = texts_of(d, filter_names[filter], &n);

    if (!key || !pattern_ignores(patterns, n, name))
        return true;
    for (size_t i = 0; i + 1 < n && !pattern_ignores(patterns, 1, name); i++)
        patterns++;
    buf_printf(&why, "%s ", what);
    quote(&why, name);
    buf_add_str(&why, " matches ");
    quote(&why, patterns[0]);
    refuse(d, filter, key, &why);
    return false;
}

/* Both lists of a kind; a name that is not known passes. */
static bool name_fits(struct deciding *d, enum trigger_filter include, enum trigger_filter ignore,
                      const char *what, const char *name)
{
    bool asked = key_of(d->event, filter_names[include]) ||
                 (ignore && key_of(d->event, filter_names[ignore]));

    if (!name) {
        if (asked)
            unasked(d, filter_names[include], arena_printf(d->arena, "%s is not known", what));
        return true;
    }
    return passes(d, include, what, slice_of(name)) &&
           (!ignore || is_left(d, ignore, what, slice_of(name)));
}

/* ---- branches and tags of a push ---- */

/* A list of one kind of refs alone says no to the other kind. */
static bool other_kind(struct deciding *d, const char *what, const char *name)
{
    static const enum trigger_filter filters[] = {TRIGGER_BRANCHES, TRIGGER_BRANCHES_IGNORE,
                                                  TRIGGER_TAGS, TRIGGER_TAGS_IGNORE};
    struct buf why = BUF_INIT(TEXT_MAX);

    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        const struct token *key = key_of(d->event, filter_names[filters[i]]);

        if (!key)
            continue;
        buf_printf(&why, "there is a filter of %s only, and ", i < 2 ? "branches" : "tags");
        quote(&why, slice_of(name));
        buf_printf(&why, " is %s", what);
        refuse(d, filters[i], key, &why);
        return false;
    }
    return true;
}

static bool ref_fits(struct deciding *d)
{
    const char *ref = d->facts->ref;
    bool branches = key_of(d->event, "branches") || key_of(d->event, "branches-ignore");
    bool tags = key_of(d->event, "tags") || key_of(d->event, "tags-ignore");

    if (!ref) {
        if (branches || tags)
            unasked(d, branches ? "branches" : "tags", "the ref is not known");
        return true;
    }
    if (strncmp(ref, "refs/heads/", 11) == 0)
        return branches
                   ? name_fits(d, TRIGGER_BRANCHES, TRIGGER_BRANCHES_IGNORE, "the branch", ref + 11)
                   : other_kind(d, "a branch", ref + 11);
    if (strncmp(ref, "refs/tags/", 10) == 0)
        return tags ? name_fits(d, TRIGGER_TAGS, TRIGGER_TAGS_IGNORE, "the tag", ref + 10)
                    : other_kind(d, "a tag", ref + 10);
    return other_kind(d, "neither a branch nor a tag", ref);
}

/* ---- paths ---- */

static bool is_tag_push(const struct trigger_facts *f)
{
    return is(f->event, "push") && f->ref && strncmp(f->ref, "refs/tags/", 10) == 0;
}

static const struct token *paths_key(const struct workflow_event *e)
{
    const struct token *key = key_of(e, "paths");

    return key ? key : key_of(e, "paths-ignore");
}

bool trigger_wants_changes(const struct workflow *w, const struct trigger_facts *facts)
{
    const struct workflow_event *e = workflow_event_find(w, facts->event);

    return e && (is(facts->event, "push") || is_pull(facts->event)) && !facts->deleted &&
           !is_tag_push(facts) && paths_key(e);
}

/* "none of 3 changed files", "the changed file 'a'", "none of the first 300 of 482 changed files" */
static void count_files(struct buf *why, const struct trigger_facts *f, const char *none)
{
    if (f->n_changed > TRIGGER_FILES_MAX)
        buf_printf(why, "%s of the first %d of %zu changed files ", none, TRIGGER_FILES_MAX,
                   f->n_changed);
    else
        buf_printf(why, "%s of %zu changed files ", none, f->n_changed);
}

static void refuse_paths(struct deciding *d, bool ignore, const struct slice *patterns, size_t n)
{
    const struct trigger_facts *f = d->facts;
    struct buf why = BUF_INIT(TEXT_MAX);

    if (f->n_changed == 0) {
        buf_add_str(&why, "no file changed");
    } else if (f->n_changed == 1) {
        buf_add_str(&why, "the changed file ");
        quote(&why, f->changed[0]);
        buf_add_str(&why, ignore ? " matches " : " does not match ");
        quote_list(&why, patterns, n);
    } else {
        count_files(&why, f, ignore ? "each" : "none");
        buf_add_str(&why, "matches ");
        quote_list(&why, patterns, n);
    }
    refuse(d, ignore ? TRIGGER_PATHS_IGNORE : TRIGGER_PATHS, paths_key(d->event), &why);
}

/* GitHub documents: no changed file starts nothing, and of many only the first are looked at. */
static bool paths_fit(struct deciding *d)
{
    const struct trigger_facts *f = d->facts;
    size_t n, n_files = f->n_changed < TRIGGER_FILES_MAX ? f->n_changed : TRIGGER_FILES_MAX;
    bool ignore = !key_of(d->event, "paths");
    const char *name = ignore ? "paths-ignore" : "paths";

    if (!trigger_wants_changes(d->workflow, f))
        return true;
    if (!f->knows_changes) {
        unasked(d, name, f->no_changes_why ? f->no_changes_why : "the changed files are not known");
        return true;
    }
    const struct slice *patterns = texts_of(d, name, &n);
    bool fit = n_files > 0 && (ignore ? !pattern_ignores_all(patterns, n, f->changed, n_files)
                                      : pattern_includes_any(patterns, n, f->changed, n_files));
    if (!fit)
        refuse_paths(d, ignore, patterns, n);
    return fit;
}

/* ---- workflow_run ---- */

/* `workflows` are names, not patterns. */
static bool cause_fits(struct deciding *d)
{
    const struct token *key = key_of(d->event, "workflows");
    struct buf why = BUF_INIT(TEXT_MAX);
    size_t n;
    const struct slice *names = texts_of(d, "workflows", &n);

    if (key && !d->facts->workflow)
        unasked(d, "workflows", "the workflow that ran is not known");
    if (!key || !d->facts->workflow || has(names, n, slice_of(d->facts->workflow)))
        return true;
    buf_add_str(&why, "the workflow that ran, ");
    quote(&why, slice_of(d->facts->workflow));
    buf_add_str(&why, n == 1 ? ", is not " : ", is none of ");
    quote_list(&why, names, n);
    refuse(d, TRIGGER_WORKFLOWS, key, &why);
    return false;
}

/* ---- schedule ---- */

static void refuse_schedule(struct deciding *d, const struct schedule *s)
{
    struct buf why = BUF_INIT(TEXT_MAX);
    struct schedule_firing next;
    char stamp[CRON_STAMP_SIZE];

    cron_stamp_format(d->facts->time, stamp);
    buf_printf(&why, "nothing fires at %s; ", stamp);
    if (schedule_next(s, d->facts->time, &next, 1)) {
        cron_stamp_format(next.at, stamp);
        buf_printf(&why, "the next is ");
        quote(&why, next.entry->text->text);
        buf_printf(&why, " at %s", stamp);
    } else {
        buf_add_str(&why, "nor will anything in years");
    }
    refuse(d, TRIGGER_SCHEDULE, d->at, &why);
}

static void decide_schedule(struct deciding *d)
{
    const struct trigger_facts *f = d->facts;
    struct trigger_verdict *v = &d->verdict;
    const struct token *list = d->event->config, *at = d->at, *first;
    struct err why = ERR_INIT;
    struct schedule s;

    if (!f->has_time) {
        first = list && list->n_items ? token_find(list->items[0], "cron") : NULL;
        v->schedules = arena_array(d->arena, 1, sizeof *v->schedules);
        if (first)
            v->schedules[v->n_schedules++] = arena_str(d->arena, first->text);
        if (list && list->n_items > 1)
            unasked(d, "schedule", "the time is not known, so it is as if the first had fired");
        return;
    }
    if (schedule_read(d->arena, d->workflow, f->zone, f->zone_ctx, &s, &at, &why) < 0) {
        struct buf text = BUF_INIT(TEXT_MAX);

        buf_add_str(&text, why.text);
        refuse(d, TRIGGER_SCHEDULE, at, &text);
        return;
    }
    v->schedules = arena_array(d->arena, s.n + 1, sizeof *v->schedules);
    for (size_t i = 0; i < s.n; i++)
        if (cron_fires(&s.entries[i].cron, s.entries[i].zone, f->time))
            v->schedules[v->n_schedules++] = arena_str(d->arena, s.entries[i].text->text);
    if (v->n_schedules == 0)
        refuse_schedule(d, &s);
}

/* ---- all of it ---- */

static void decide(struct deciding *d)
{
    const struct trigger_facts *f = d->facts;
    const char *event = f->event;

    if (!listens(d) || !still_there(d) || !wanted_by_commit(d) || !type_fits(d))
        return;
    if (is(event, "push") && !ref_fits(d))
        return;
    if (is_pull(event) &&
        !name_fits(d, TRIGGER_BRANCHES, TRIGGER_BRANCHES_IGNORE, "the base branch", f->branch))
        return;
    if (is(event, "merge_group") &&
        !name_fits(d, TRIGGER_BRANCHES, TRIGGER_BRANCHES_IGNORE, "the target branch", f->branch))
        return;
    if (is(event, "workflow_run") &&
        (!cause_fits(d) || !name_fits(d, TRIGGER_BRANCHES, TRIGGER_BRANCHES_IGNORE,
                                      "the branch of the run", f->branch)))
        return;
    if (is(event, "image_version") &&
        (!name_fits(d, TRIGGER_NAMES, TRIGGER_NOTHING, "the image", f->image) ||
         !name_fits(d, TRIGGER_VERSIONS, TRIGGER_NOTHING, "the image's version", f->image_version)))
        return;
    if (!paths_fit(d))
        return;
    if (is(event, "schedule"))
        decide_schedule(d);
}

struct trigger_verdict trigger_decide(struct arena *a, const struct workflow *w,
                                      const struct trigger_facts *facts)
{
    struct deciding d = {
        .arena = a,
        .workflow = w,
        .facts = facts,
        .event = workflow_event_find(w, facts->event),
        .at = event_token(w, facts->event),
        .verdict = {.starts = true},
    };

    decide(&d);
    return d.verdict;
}

char *trigger_text(struct arena *a, const struct trigger_facts *facts,
                   const struct trigger_verdict *verdict, const char *file)
{
    if (verdict->starts)
        return NULL;
    if (verdict->line == 0)
        return arena_printf(a, "%s: %s (%s)", facts->event, verdict->reason, file);
    return arena_printf(a, "%s: %s (%s:%d:%d)", facts->event, verdict->reason, file, verdict->line,
                        verdict->col);
}
