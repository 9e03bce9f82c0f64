#include "listen/policy.h"

#include "base/utf8.h"
#include "lang/pattern.h"
#include "lang/reading.h"
#include "listen/containers.h"

enum about { REPOSITORY, EVENT, REF, ACTOR, ABOUTS };

struct patterns {
    const struct slice *list; /* as lang/pattern.h has them */
    size_t n;                 /* 0: the rule does not ask */
};

struct rule {
    int line;
    struct patterns about[ABOUTS];
};

struct rules {
    const struct rule *list;
    size_t n;
};

struct listen_rules {
    const char *file;
    struct rules allow, deny;
    int allow_line; /* of what is below `allow`; 0: there is no such key, and all is allowed */
    int forks_line; /* where pull requests from forks are forbidden; 0: nowhere */
};

void listen_policy_deinit(struct listen_policy *p)
{
    vec_deinit(&p->files);
    json_decref(p->containers);
    p->containers = NULL;
}

/* ---- reading ---- */

struct policy_reading {
    struct reading in;
    json_t *containers; /* owned; NULL: nothing is said of them */
};

/* ptr NULL: it has been refused. */
static struct slice text_of(const struct reading *r, const struct token *at, const char *what)
{
    struct slice text = reading_text(r, at, what);

    if (text.len <= LISTEN_PATTERN_MAX)
        return text;
    (void)reading_wrong(
        r, at, arena_printf(r->arena, "%s has %d bytes at most", what, LISTEN_PATTERN_MAX));
    return (struct slice){0};
}

static int unknown(const struct reading *r, const struct token *key, const char *where,
                   const char *const *known, size_t n)
{
    struct near_best best = near_begin(token_text(r->arena, key));

    for (size_t i = 0; i < n; i++)
        near_offer(&best, slice_of(known[i]));
    return reading_unknown(r, key, where, &best);
}

static bool is_repository(struct slice s)
{
    ssize_t slash = slice_find_char(s, '/');

    return slice_eq(s, SLICE("**")) || (slash > 0 && (size_t)slash + 1 < s.len &&
                                        slice_find_char(slice_from(s, (size_t)slash + 1), '/') < 0);
}

static bool is_ref(struct slice s)
{
    return slice_eq(s, SLICE("**")) || slice_starts(s, SLICE("refs/"));
}

static bool is_name(struct slice s)
{
    return slice_find_char(s, '/') < 0 || slice_eq(s, SLICE("**"));
}

/* What a rule may ask about. */
static const struct subject {
    const char *key, *what;
    bool (*is)(struct slice pattern);
    const char *cure;
    bool nocase;
} subjects[ABOUTS] = {
    [REPOSITORY] = {"repository", "a repository", is_repository,
                    "a repository is 'owner/name', 'owner/*' or '**'", true},
    [EVENT] = {"event", "an event", is_name, "an event is a name: 'push', 'pull_request*'", false},
    [REF] = {"ref", "a ref", is_ref,
             "a ref is whole: 'refs/heads/main', 'refs/tags/v*', 'refs/heads/release/**'", false},
    [ACTOR] = {"actor", "an actor", is_name, "an actor is a name: 'octocat', 'acme-*'", true},
};

static struct slice lower(struct arena *a, struct slice s)
{
    char *copy = arena_str(a, s);

    for (size_t i = 0; i < s.len; i++)
        if (copy[i] >= 'A' && copy[i] <= 'Z')
            copy[i] = (char)(copy[i] + ('a' - 'A'));
    return slice_make(copy, s.len);
}

static int read_patterns(const struct reading *r, const struct token *value,
                         const struct subject *subject, struct patterns *ret)
{
    bool many = value->kind == TOKEN_SEQUENCE;
    size_t n = many ? value->n_items : 1;

    if (!n || n > LISTEN_RULES_MAX)
        return reading_wrong(r, value,
                             arena_printf(r->arena, "'%s' names between one and %d", subject->key,
                                          LISTEN_RULES_MAX));
    struct slice *list = arena_array(r->arena, n, sizeof *list);
    for (size_t i = 0; i < n; i++) {
        const struct token *one = many ? value->items[i] : value;
        struct slice text = text_of(r, one, subject->what);

        if (!text.ptr)
            return r->err->code;
        if (!subject->is(text))
            return reading_wrong(r, one, subject->cure);
        /* brackets belong to the names of GitHub's bots */
        list[i] = pattern_of_stars(r->arena, subject->nocase ? lower(r->arena, text) : text);
    }
    *ret = (struct patterns){list, n};
    return ERR_OK;
}

static int read_pair(const struct reading *r, const struct token_pair *pair, struct rule *ret)
{
    const char *const names[] = {"repository", "event", "ref", "actor"};
    struct slice name = token_text(r->arena, pair->key);

    for (size_t i = 0; i < ABOUTS; i++)
        if (slice_eq(name, slice_of(subjects[i].key)))
            return read_patterns(r, pair->value, &subjects[i], &ret->about[i]);
    return unknown(r, pair->key, "a rule", names, COUNT_OF(names));
}

static int read_rule(const struct reading *r, const struct token *rule, struct rule *ret)
{
    ret->line = rule->line;
    if (rule->kind == TOKEN_STRING)
        return read_patterns(r, rule, &subjects[REPOSITORY], &ret->about[REPOSITORY]);
    if (rule->kind != TOKEN_MAPPING || !rule->n_pairs)
        return reading_wrong(
            r, rule, "a rule is a repository or a mapping: '{repository: acme/app, event: push}'");
    for (size_t i = 0; i < rule->n_pairs; i++)
        if (read_pair(r, &rule->pairs[i], ret) < 0)
            return r->err->code;
    return ERR_OK;
}

static int read_rules(const struct reading *r, const struct token *value, struct rules *ret)
{
    if (value->kind != TOKEN_SEQUENCE || value->n_items > LISTEN_RULES_MAX)
        return reading_wrong(r, value,
                             arena_printf(r->arena,
                                          "this is a list of at most %d rules: '[acme/*]'",
                                          LISTEN_RULES_MAX));
    struct rule *list = arena_array(r->arena, value->n_items, sizeof *list);
    for (size_t i = 0; i < value->n_items; i++)
        if (read_rule(r, value->items[i], &list[i]) < 0)
            return r->err->code;
    *ret = (struct rules){list, value->n_items};
    return ERR_OK;
}

static int read_forks(const struct reading *r, const struct token *value, int *ret_line)
{
    struct slice said = text_of(r, value, "'fork-pull-requests'");

    if (!said.ptr)
        return r->err->code;
    if (!slice_eq(said, SLICE("deny")) && !slice_eq(said, SLICE("allow")))
        return reading_wrong(r, value, "'fork-pull-requests' is 'allow' or 'deny'");
    *ret_line = slice_eq(said, SLICE("deny")) ? value->line : 0;
    return ERR_OK;
}

static int read_containers(struct policy_reading *r, const struct token *value)
{
    json_t *read = NULL;
    int result = listen_containers_read(r->in.arena, r->in.file, value, &read, r->in.err);

    json_decref(r->containers); /* of the same key before; the later one counts */
    r->containers = read;
    return result;
}

static int read_key(struct policy_reading *all, const struct token_pair *pair,
                    struct listen_rules *ret)
{
    const struct reading *r = &all->in;
    static const char *const names[] = {"allow", "containers", "deny", "fork-pull-requests"};
    struct slice name = token_text(r->arena, pair->key);

    if (slice_eq(name, SLICE("allow"))) {
        ret->allow_line = pair->value->line;
        return read_rules(r, pair->value, &ret->allow);
    }
    if (slice_eq(name, SLICE("containers")))
        return read_containers(all, pair->value);
    if (slice_eq(name, SLICE("deny")))
        return read_rules(r, pair->value, &ret->deny);
    if (slice_eq(name, SLICE("fork-pull-requests")))
        return read_forks(r, pair->value, &ret->forks_line);
    return unknown(r, pair->key, "'listen'", names, COUNT_OF(names));
}

int listen_policy_take(struct arena *a, const char *file, const struct token *map,
                       struct listen_policy *to, struct err *err)
{
    struct policy_reading r = {.in = {.arena = a, .file = file, .err = err}};
    struct listen_rules *rules = ARENA_NEW(a, struct listen_rules);

    rules->file = file;
    if (map->kind != TOKEN_MAPPING)
        return reading_wrong(&r.in, map, "'listen' is a mapping: '{allow: [acme/*]}'");
    for (size_t i = 0; i < map->n_pairs; i++)
        if (read_key(&r, &map->pairs[i], rules) < 0) {
            json_decref(r.containers);
            return err->code;
        }
    vec_push(&to->files, rules);
    if (r.containers && !to->containers)
        to->containers = json_array();
    if (r.containers)
        json_array_append_new(to->containers, r.containers);
    return ERR_OK;
}

/* ---- a job ---- */

struct facts {
    struct slice about[ABOUTS];
    struct slice again; /* who ran it again, if that is said */
    bool from_fork;
};

static struct slice member(struct arena *a, const json_t *object, const char *key, bool nocase)
{
    const json_t *value = json_object_get(object, key);
    struct slice s = {0};

    if (json_is_string(value))
        s = slice_make(json_string_value(value), json_string_length(value));
    return nocase ? lower(a, s) : s;
}

/* A pull request whose code lies in another repository. Where its repository is not said, because the fork is gone or the
 * event is cut short, it is taken for one: nobody is to get in by leaving something out. */
static bool is_from_fork(struct arena *a, const json_t *event, const struct facts *f)
{
    const json_t *request = json_object_get(event, "pull_request");
    const json_t *head = json_object_get(json_object_get(request, "head"), "repo");

    if (!request)
        return slice_starts(f->about[EVENT], SLICE("pull_request"));
    struct slice from = member(a, head, "full_name", true);
    return !from.len || !slice_eq(from, f->about[REPOSITORY]);
}

static void find_facts(struct arena *a, const struct job *job, struct facts *ret)
{
    const json_t *github = json_object_get(job->contexts, "github");

    *ret = (struct facts){
        .about = {[REPOSITORY] = member(a, github, "repository", true),
                  [EVENT] = member(a, github, "event_name", false),
                  [REF] = member(a, github, "ref", false),
                  [ACTOR] = member(a, github, "actor", true)},
        .again = member(a, github, "triggering_actor", true),
    };
    ret->from_fork = is_from_fork(a, json_object_get(github, "event"), ret);
}

static bool is_among(const struct patterns *p, struct slice text)
{
    for (size_t i = 0; i < p->n; i++)
        if (pattern_match(p->list[i], text))
            return true;
    return false;
}

/* Two may be behind a job: who caused the event, and who ran it again. To allow it a rule has to name both; to deny it
 * one is enough. */
static bool names_actor(const struct patterns *p, const struct facts *f, bool allows)
{
    bool one = is_among(p, f->about[ACTOR]);

    if (!f->again.len)
        return one;
    bool other = is_among(p, f->again);
    return allows ? one && other : one || other;
}

static bool names_job(const struct rule *rule, const struct facts *f, bool allows)
{
    for (size_t i = 0; i < ABOUTS; i++) {
        const struct patterns *p = &rule->about[i];

        if (p->n && !(i == ACTOR ? names_actor(p, f, allows) : is_among(p, f->about[i])))
            return false;
    }
    return true;
}

static const struct rule *find_rule(const struct rules *rules, const struct facts *f, bool allows)
{
    for (size_t i = 0; i < rules->n; i++)
        if (names_job(&rules->list[i], f, allows))
            return &rules->list[i];
    return NULL;
}

static int refuse(struct err *err, const char *file, int line, const struct facts *f,
                  const char *why)
{
    return err_set(err, ERR_DENIED,
                   "%.90s:%d: %s: a job of '%.*s' for '%.*s' on '%.*s' by '%.*s' may not run here",
                   file, line, why, SLICE_ARG(utf8_head(f->about[REPOSITORY], 40)),
                   SLICE_ARG(utf8_head(f->about[EVENT], 20)),
                   SLICE_ARG(utf8_head(f->about[REF], 40)),
                   SLICE_ARG(utf8_head(f->about[ACTOR], 20)));
}

static int check_file(const struct listen_rules *rules, const struct facts *f, struct err *err)
{
    const struct rule *denied = find_rule(&rules->deny, f, false);

    if (rules->forks_line && f->from_fork)
        return refuse(err, rules->file, rules->forks_line, f, "pull requests from forks");
    if (denied)
        return refuse(err, rules->file, denied->line, f, "denied by this rule");
    if (rules->allow_line && !find_rule(&rules->allow, f, true))
        return refuse(err, rules->file, rules->allow_line, f, "no rule of 'allow' names it");
    return ERR_OK;
}

int listen_policy_check(const struct listen_policy *p, const struct job *job, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct facts facts;
    int r = ERR_OK;

    find_facts(&a, job, &facts);
    for (size_t i = 0; r == ERR_OK && i < p->files.len; i++)
        r = check_file(p->files.ptr[i], &facts, err);
    return r;
}
