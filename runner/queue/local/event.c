#include "queue/local/event.h"

#include "base/num.h"
#include "base/path.h"
#include "base/utf8.h"
#include "lang/near.h"
#include "lang/schema/schema.h"
#include "queue/local/facts.h"
#include "queue/local/payload.h"

#include <inttypes.h>
#include <stdarg.h>

enum { NAME_LENGTH_MAX = 100 };

static const char *text_at(const json_t *doc, const char *a, const char *b, const char *c)
{
    doc = json_object_get(doc, a);
    if (b)
        doc = json_object_get(doc, b);
    if (c)
        doc = json_object_get(doc, c);
    return json_string_length(doc) ? json_string_value(doc) : NULL;
}

static void note(json_t *notes, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void note(json_t *notes, const char *fmt, ...)
{
    struct buf text = BUF_INIT(2000);
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    struct buf clean = BUF_INIT(3 * text.len + 1);
    utf8_clean(buf_slice(&text), &clean);
    json_array_append_new(notes, json_stringn(clean.ptr, clean.len));
    buf_deinit(&clean);
    buf_deinit(&text);
}

/* ---- who and where ---- */

/* "Ada Lovelace" gives "ada-lovelace": a name in the form that accounts have. NULL: nothing is left. */
static const char *account(struct arena *a, const char *name)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(NAME_LENGTH_MAX);

    for (; name && *name; name++) {
        char c = *name;

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            buf_add_char(&out, c);
        else if (out.len && out.ptr[out.len - 1] != '-')
            buf_add_char(&out, '-');
    }
    while (out.len && out.ptr[out.len - 1] == '-')
        out.len--;
    return out.len ? arena_str(a, buf_slice(&out)) : NULL;
}

/* One part of "owner/name", with what could not stand in a path or a URL replaced. */
static const char *name_part(struct arena *a, struct slice s)
{
    char *out = arena_str(a, slice_head(s, NAME_LENGTH_MAX));

    for (char *p = out; *p; p++) {
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
              *p == '-' || *p == '_' || (*p == '.' && p > out)))
            *p = '-';
    }
    return out;
}

/* The last two parts of the path, and the server: "https://host/a/owner/name.git",
 * "ssh://git@host:22/owner/name", "git@host:owner/name.git". A folder on disk names nobody. */
static bool read_origin(struct subject *s, struct slice url)
{
    ssize_t scheme = slice_find(url, SLICE("://")), colon, slash, at;
    struct slice host, path;
    bool web = slice_starts(url, SLICE("https://")) || slice_starts(url, SLICE("http://"));

    if (scheme >= 0) {
        host = slice_from(url, (size_t)scheme + 3);
        slash = slice_find_char(host, '/');
        if (slash <= 0)
            return false; /* file:///srv/git */
        path = slice_from(host, (size_t)slash + 1);
        host = slice_head(host, (size_t)slash);
    } else {
        colon = slice_find_char(url, ':');
        slash = slice_find_char(url, '/');
        if (colon <= 0 || (slash >= 0 && slash < colon))
            return false;
        host = slice_head(url, (size_t)colon);
        path = slice_from(url, (size_t)colon + 1);
    }
    if ((at = slice_find_char(host, '@')) >= 0)
        host = slice_from(host, (size_t)at + 1);
    if (!web && (colon = slice_find_char(host, ':')) >= 0)
        host = slice_head(host, (size_t)colon); /* the port of ssh is none of the web server's */
    while (path.len && path.ptr[path.len - 1] == '/')
        path.len--;
    if (slice_ends(path, SLICE(".git")))
        path.len -= 4;
    const char *last = path.len ? memrchr(path.ptr, '/', path.len) : NULL;
    if (!last || last == path.ptr)
        return false;
    struct slice owner = slice_make(path.ptr, (size_t)(last - path.ptr));
    const char *before = memrchr(owner.ptr, '/', owner.len);

    s->name = name_part(&s->arena, slice_from(path, owner.len + 1));
    s->owner =
        name_part(&s->arena, before ? slice_from(owner, (size_t)(before + 1 - owner.ptr)) : owner);
    s->server =
        arena_printf(&s->arena, "%s://%.*s", slice_starts(url, SLICE("http://")) ? "http" : "https",
                     SLICE_ARG(host));
    return *s->name && *s->owner;
}

static void find_repository(struct subject *s)
{
    const struct git_facts *g = s->git;
    const char *folder = path_base(g->root ? g->root : g->dir ? g->dir : "");

    s->server = "https://github.com";
    if (!g->origin || !read_origin(s, slice_of(g->origin))) {
        s->server = "https://github.com";
        s->owner = account(&s->arena, g->user_name);
        s->name = name_part(&s->arena, slice_of(*folder ? folder : "work"));
    }
    if (!s->owner)
        s->owner = "local";
    if (s->spec->server_url)
        s->server = s->spec->server_url;
    s->repository = arena_printf(&s->arena, "%s/%s", s->owner, s->name);
    s->actor = s->spec->actor ? s->spec->actor : account(&s->arena, g->user_name);
    if (!s->actor)
        s->actor = s->owner;
    s->default_branch = g->default_branch ? g->default_branch : "main";
    if (!g->default_branch && g->head_ref && strncmp(g->head_ref, "refs/heads/", 11) == 0)
        s->default_branch = g->head_ref + 11;
}

/* ---- refs ---- */

/* What git check-ref-format refuses. */
static bool is_good_ref(const char *ref)
{
    struct slice s = slice_of(ref);

    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == 0x7F || strchr("~^:?*[\\", s.ptr[i]))
            return false;
    }
    return s.len && slice_find(s, SLICE("..")) < 0 && slice_find(s, SLICE("//")) < 0 &&
           slice_find(s, SLICE("@{")) < 0 && s.ptr[0] != '/' && s.ptr[0] != '-' &&
           !slice_ends(s, SLICE("/")) && !slice_ends(s, SLICE(".")) &&
           !slice_ends(s, SLICE(".lock"));
}

static bool has_ref(const struct subject *s, const char *ref)
{
    struct err ignored = ERR_INIT;
    char sha[GIT_SHA_SIZE];

    return git_ref_read(s->git, ref, sha, &ignored) == ERR_OK;
}

/* A short name is a branch's, unless only a tag has it. */
static const char *full_ref(struct subject *s, const char *ref)
{
    const char *tag;

    if (strncmp(ref, "refs/", 5) == 0)
        return ref;
    tag = arena_printf(&s->arena, "refs/tags/%s", ref);
    if (!has_ref(s, arena_printf(&s->arena, "refs/heads/%s", ref)) && has_ref(s, tag))
        return tag;
    return arena_printf(&s->arena, "refs/heads/%s", ref);
}

static const char *short_ref(const char *ref)
{
    static const char *const prefixes[] = {"refs/heads/", "refs/tags/", "refs/pull/", "refs/"};

    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        if (strncmp(ref, prefixes[i], strlen(prefixes[i])) == 0)
            return ref + strlen(prefixes[i]);
    }
    return ref;
}

/* What is checked out, as a ref. */
static const char *head_ref(struct subject *s, bool asked, json_t *notes)
{
    const struct git_facts *g = s->git;
    const char *ref = arena_printf(&s->arena, "refs/heads/%s", s->default_branch);

    if (g->head_ref)
        return g->head_ref;
    if (g->git_dir && !asked)
        note(notes, "HEAD is detached, so github.ref is '%s'; choose another with --ref", ref);
    return ref;
}

static int64_t pull_number(const char *ref)
{
    struct err ignored = ERR_INIT;
    struct slice rest = slice_of(ref);
    int64_t n;

    if (!slice_starts(rest, SLICE("refs/pull/")))
        return 0;
    rest = slice_from(rest, 10);
    rest = slice_head(rest, strcspn(rest.ptr, "/"));
    return num_parse_i64(rest, 1, INT32_MAX, &n, &ignored) == ERR_OK ? n : 0;
}

static void find_pull(struct subject *s, const struct payload_event *e, const char *asked)
{
    const json_t *file = s->spec->event_file;
    const char *head = text_at(file, "pull_request", "head", "ref");
    const char *base = text_at(file, "pull_request", "base", "ref");
    int64_t number = asked ? pull_number(asked) : 0;

    if (!number)
        number = json_integer_value(json_object_get(file, "number"));
    s->number = number > 0 ? number : 1;
    s->base = s->spec->base ? short_ref(s->spec->base) : base ? base : s->default_branch;
    s->head = head ? head : short_ref(s->ref);
    if (asked && !pull_number(asked))
        s->head = short_ref(full_ref(s, asked));
    if (e->ref == PAYLOAD_REF_PULL)
        s->ref = arena_printf(&s->arena, "refs/pull/%" PRId64 "/merge", s->number);
    else
        s->ref = arena_printf(&s->arena, "refs/heads/%s", s->base);
}

static bool is_pull(const struct payload_event *e)
{
    return strncmp(e->name, "pull_request", 12) == 0;
}

static int find_ref(struct subject *s, const struct payload_event *e, json_t *notes,
                    struct err *err)
{
    const char *asked = s->spec->ref, *in_file = text_at(s->spec->event_file, "ref", NULL, NULL);

    if (!asked && in_file && !is_pull(e) && e->ref == PAYLOAD_REF_HEAD)
        asked = in_file;
    if (asked && !is_good_ref(asked))
        return err_set(err, ERR_INVALID, "'%s' is no name of a ref", asked);
    if (s->spec->base && !is_good_ref(s->spec->base))
        return err_set(err, ERR_INVALID, "'%s' is no name of a branch", s->spec->base);
    s->head = s->base = "";
    s->number = 1;
    s->ref = head_ref(s, asked || e->ref == PAYLOAD_REF_DEFAULT, notes);
    if (is_pull(e)) {
        find_pull(s, e, asked);
    } else if (asked) {
        s->ref = full_ref(s, asked);
    } else if (e->ref == PAYLOAD_REF_DEFAULT) {
        s->ref = arena_printf(&s->arena, "refs/heads/%s", s->default_branch);
    } else if (e->ref == PAYLOAD_REF_QUEUE) {
        s->base = s->spec->base ? short_ref(s->spec->base) : s->default_branch;
        s->ref =
            arena_printf(&s->arena, "refs/heads/gh-readonly-queue/%s/pr-1-%s", s->base, s->sha);
    }
    s->ref_name = short_ref(s->ref);
    s->ref_type = strncmp(s->ref, "refs/tags/", 10) == 0 ? "tag" : "branch";
    return ERR_OK;
}

/* Where a push starts. */
static int find_before(struct subject *s, struct err *err)
{
    struct local_before before;
    int r = local_before_find(s->git, s->spec->git_env, s->ref, s->spec->before, s->git->parent,
                              &before, err);

    if (r < 0)
        return r;
    s->before = arena_str(&s->arena, slice_of(before.sha));
    s->created = before.created;
    return ERR_OK;
}

/* ---- what is said out loud ---- */

static void say_what_is_missing(struct subject *s, json_t *notes)
{
    const struct git_facts *g = s->git;
    struct err ignored = ERR_INIT;
    char sha[GIT_SHA_SIZE];

    if (!g->git_dir)
        note(notes, "'%s' is no git repository: github.sha is all zeros, github.ref is '%s'",
             g->dir ? g->dir : "", s->ref);
    else if (!g->sha[0])
        note(notes, "the repository has no commit yet: github.sha is all zeros");
    else if (s->spec->ref && git_ref_read(g, s->ref, sha, &ignored) == ERR_OK &&
             strcmp(sha, g->sha) != 0)
        note(notes, "'%s' is at %.7s, but what runs is the working tree, which is at %.7s", s->ref,
             sha, g->sha);
}

static void find_commit(struct subject *s, json_t *notes)
{
    struct err why = ERR_INIT;

    s->sha = s->git->sha[0] ? s->git->sha : "0000000000000000000000000000000000000000";
    if (s->spec->git_env && git_facts_commit(s->spec->git_env, s->spec->git, &why) != ERR_OK)
        note(notes, "going on without the commit's message and author: %s", why.text);
}

/* ---- the context ---- */

/* Objects are merged, everything else is replaced. */
static void merge(json_t *to, const json_t *from)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)from, key, value) {
        json_t *old = json_object_get(to, key);

        if (json_is_object(old) && json_is_object(value))
            merge(old, value);
        else
            json_object_set_new(to, key, json_deep_copy(value));
    }
}

static json_t *make_context(struct subject *s, json_t *event)
{
    bool github = strcmp(s->server, "https://github.com") == 0;
    const struct local_event_spec *spec = s->spec;
    const char *ref = s->ref;
    json_t *c = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:s}", "actor",
                          s->actor, "actor_id", "0", "triggering_actor", s->actor, "base_ref",
                          s->base, "head_ref", s->head, "event_name", spec->event_name, "ref", ref,
                          "ref_name", s->ref_name, "ref_type", s->ref_type, "ref_protected", 0,
                          "sha", s->sha, "secret_source", "Actions");

    json_object_update_new(c, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "repository",
                                        s->repository, "repository_id", "0", "repository_owner",
                                        s->owner, "repository_owner_id", "0",
                                        "repository_visibility", "private", "repositoryUrl",
                                        arena_printf(&s->arena, "git://%s/%s.git",
                                                     strstr(s->server, "://") + 3, s->repository)));
    json_object_update_new(
        c, json_pack(
               "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "server_url", s->server, "api_url",
               github ? "https://api.github.com" : arena_printf(&s->arena, "%s/api/v3", s->server),
               "graphql_url",
               github ? "https://api.github.com/graphql"
                      : arena_printf(&s->arena, "%s/api/graphql", s->server),
               "retention_days", "90", "run_id", spec->run_id ? spec->run_id : "1", "run_number",
               arena_printf(&s->arena, "%" PRId64, spec->run_number), "run_attempt",
               arena_printf(&s->arena, "%" PRId64, spec->run_attempt), "event", event));
    return c;
}

/* What git and the file system gave as bytes, as the text that JSON and expressions are made of. Only now: refs
 * were looked up as they are. */
static void make_text(struct subject *s)
{
    const char **const texts[] = {
        &s->server,         &s->owner, &s->name,     &s->repository, &s->actor,
        &s->default_branch, &s->ref,   &s->ref_name, &s->head,       &s->base};

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        *texts[i] = utf8_text(&s->arena, *texts[i]);
}

static int no_event(const char *name, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct near_best best = near_begin(slice_of(name));

    for (const char *const *known = schema_on.choices[0]->values; *known; known++)
        near_offer(&best, slice_of(*known));
    const char *hint = near_hint(&a, &best);
    return err_set(err, ERR_INVALID, "there is no event '%.80s': %s", name,
                   hint ? hint : "push, pull_request and workflow_dispatch are some");
}

int local_event(const struct local_event_spec *spec, json_t **ret_github, json_t **ret_notes,
                struct err *err)
{
    const struct payload_event *e = payload_find(spec->event_name);
    struct subject s = {.spec = spec, .git = spec->git};
    json_t *notes, *event;

    if (!e)
        return no_event(spec->event_name, err);
    if (spec->event_file && !json_is_object(spec->event_file))
        return err_set(err, ERR_INVALID, "the event file holds no JSON object");
    if (spec->activity && !e->action)
        return err_set(err, ERR_INVALID, "the event '%s' has no types", e->name);
    if (spec->server_url && !strstr(spec->server_url, "://"))
        return err_set(err, ERR_INVALID, "'%s' is no server URL", spec->server_url);
    notes = json_array();
    find_repository(&s);
    find_commit(&s, notes);
    if (find_ref(&s, e, notes, err) != ERR_OK || find_before(&s, err) != ERR_OK) {
        json_decref(notes);
        arena_deinit(&s.arena);
        return err->code;
    }
    say_what_is_missing(&s, notes);
    make_text(&s);
    event = payload_make(&s, e);
    if (spec->event_file)
        merge(event, spec->event_file);
    *ret_github = make_context(&s, event);
    *ret_notes = notes;
    arena_deinit(&s.arena);
    return ERR_OK;
}
