/* find - the way to a scale set: a token, its group, itself (actions/scaleset client.go: GetRunnerGroupByName,
 * GetRunnerScaleSet, CreateRunnerScaleSet, UpdateRunnerScaleSet).
 *
 *   GET   _apis/runtime/runnergroups/?groupName=NAME               {"count", "value": [{"id", "name"}]}
 *   GET   _apis/runtime/runnerscalesets?runnerGroupId=G&name=NAME  {"count", "value": [{"id", "name", "labels"}]}
 *   POST  _apis/runtime/runnerscalesets                            {"name", "runnerGroupId", "labels", "RunnerSetting"}
 *   PATCH _apis/runtime/runnerscalesets/ID                         the same
 *
 * The default group is called "default" and has the number 1 (examples/dockerscaleset/main.go). */
#include "base/clock.h"
#include "base/path.h"
#include "queue/github/message/members.h"
#include "queue/github/scale/state.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { DEFAULT_GROUP = 1 };

static void go(struct scale_set *s, enum scale_find find);

static void on_again(void *ctx)
{
    struct scale_set *s = ctx;

    s->again = NULL;
    go(s, s->find);
}

static void try_again(struct scale_set *s, const char *why, int64_t least_ms)
{
    int64_t pause = backoff_next(&s->backoff);

    scale_trouble(s, why);
    s->again =
        loop_timer(s->caller.loop, clock_ms() + (pause > least_ms ? pause : least_ms), on_again, s);
}

static const char *scope_needed(const struct scale_set *s)
{
    switch (s->place.scope) {
    case GITHUB_ENTERPRISE:
        return "manage_runners:enterprise";
    case GITHUB_ORGANISATION:
        return "admin:org";
    default:
        return "repo";
    }
}

static void refuse(struct scale_set *s, const struct answer *a, const char *what)
{
    struct err err = ERR_INIT;

    if (a->kind == ANSWER_TRANSIENT) {
        try_again(s, a->text, a->retry_ms);
        return;
    }
    if (a->kind == ANSWER_UNAUTHORIZED || a->kind == ANSWER_FORBIDDEN ||
        a->kind == ANSWER_NOT_FOUND)
        (void)err_set(
            &err, ERR_DENIED,
            "cannot %s of '%.60s' (%.60s): a personal access token needs the scope %s, an "
            "app the permission to manage self-hosted runners",
            what, s->place.url, a->text, scope_needed(s));
    else
        (void)err_set(&err, ERR_FAILED, "cannot %s: %.140s", what, a->text);
    scale_end(s, 1, err.text);
}

/* ---- answers ---- */

static void on_token(void *ctx, const char *token, enum github_token_trouble trouble,
                     const struct err *err)
{
    struct scale_set *s = ctx;

    if (!token && trouble == GITHUB_TOKEN_REFUSED) {
        scale_end(s, 1, err->text);
    } else if (!token) {
        try_again(s, err->text, 0);
    } else {
        scale_roster_start(s->roster, scale_base(s));
        go(s, FIND_GROUP);
    }
}

static void on_group(struct scale_set *s, const json_t *json)
{
    const json_t *list = loose_find(json, "value");
    struct err err = ERR_INIT;

    s->group = json_array_size(list) == 1 ? loose_int(json_array_get(list, 0), "id", 0) : 0;
    if (s->group > 0) {
        go(s, FIND_SET);
        return;
    }
    (void)err_set(&err, ERR_INVALID,
                  "there is no runner group '%.60s' that '%.80s' may use: name one that is there "
                  "with --runnergroup, or leave it out for the default one",
                  s->spec.group, s->place.url);
    scale_end(s, 1, err.text);
}

static json_t *labels_of(const struct scale_set *s)
{
    json_t *list = json_array();

    for (const char *const *one = s->spec.labels; one && *one; one++)
        json_array_append_new(list, json_pack("{s:s, s:s}", "name", *one, "type", "System"));
    if (json_array_size(list) == 0)
        json_array_append_new(list,
                              json_pack("{s:s, s:s}", "name", s->spec.name, "type", "System"));
    return list;
}

/* Whoever names none is content with those it has. */
static bool has_our_labels(const struct scale_set *s, const json_t *set)
{
    const json_t *list = loose_find(set, "labels");
    size_t n = 0;

    for (const char *const *one = s->spec.labels; one && *one; one++, n++)
        if (!member_named(list, *one))
            return false;
    return n == 0 || n == json_array_size(list);
}

static void on_set(struct scale_set *s, const json_t *json)
{
    json_t *one;
    size_t i;

    json_array_foreach (loose_find(json, "value"), i, one) {
        if (!slice_eq_nocase(slice_of(loose_text(one, "name")), slice_of(s->spec.name)) ||
            loose_int(one, "id", 0) <= 0)
            continue;
        s->id = loose_int(one, "id", 0);
        go(s, has_our_labels(s, one) ? FIND_SESSION : FIND_CHANGE);
        return;
    }
    go(s, FIND_MAKE);
}

static void on_made(struct scale_set *s, const json_t *json)
{
    int64_t id = loose_int(json, "id", 0);

    if (id > 0)
        s->id = id;
    if (s->id > 0)
        go(s, FIND_SESSION);
    else
        try_again(s, "the server's answer is no runner scale set", 0);
}

static void on_session_closed(struct scale_set *s)
{
    if (s->spec.dir >= 0)
        (void)unlinkat(s->spec.dir, SCALE_SESSION_FILE, 0); /* it is of no use, whatever was said */
    backoff_reset(&s->backoff);
    scale_listen(s);
}

static const char *const deeds[] = {
    [FIND_GROUP] = "look for the runner group",
    [FIND_SET] = "look for the runner scale set",
    [FIND_MAKE] = "make the runner scale set",
    [FIND_CHANGE] = "change the labels of the runner scale set",
};

static void on_answer(void *ctx, const struct answer *a, struct slice body,
                      const struct http_answer *http)
{
    struct scale_set *s = ctx;
    CLEANUP(loose_freep) json_t *json = NULL;
    struct err err = ERR_INIT;

    (void)http;
    s->call = NULL;
    if (s->find == FIND_SESSION) {
        on_session_closed(s);
        return;
    }
    if (a->kind == ANSWER_CONFLICT && s->find == FIND_MAKE) { /* somebody was faster */
        s->find = FIND_SET;
        try_again(s, a->text, 0);
        return;
    }
    if (a->kind != ANSWER_FINE) {
        refuse(s, a, deeds[s->find]);
        return;
    }
    if (loose_parse(body, &json, &err) < 0) {
        (void)err_in(&err, "the runner scale sets of '%.80s'", s->place.url);
        try_again(s, err.text, 0);
        return;
    }
    if (s->find == FIND_GROUP)
        on_group(s, json);
    else if (s->find == FIND_SET)
        on_set(s, json);
    else
        on_made(s, json);
}

/* ---- questions ---- */

static void ask(struct scale_set *s, const char *method, const char *path, const char *query,
                const json_t *body)
{
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(SCALE_URL_MAX);

    scale_url(&url, scale_base(s), path, query);
    s->call =
        call_start(&s->caller, &(struct call_spec){.method = method, .url = url.ptr, .body = body},
                   on_answer, s);
}

static void ask_group(struct scale_set *s)
{
    CLEANUP(buf_deinit) struct buf query = BUF_INIT(SCALE_QUERY_MAX);

    buf_add_str(&query, "groupName=");
    github_url_escape(&query, slice_of(s->spec.group));
    ask(s, "GET", "_apis/runtime/runnergroups/", query.ptr, NULL);
}

static void ask_set(struct scale_set *s)
{
    CLEANUP(buf_deinit) struct buf query = BUF_INIT(SCALE_QUERY_MAX);

    buf_printf(&query, "runnerGroupId=%" PRId64 "&name=", s->group);
    github_url_escape(&query, slice_of(s->spec.name));
    ask(s, "GET", SCALE_SETS, query.ptr, NULL);
}

static void put_set(struct scale_set *s)
{
    CLEANUP(buf_deinit) struct buf path = BUF_INIT(SCALE_QUERY_MAX);
    CLEANUP(loose_freep)
    json_t *body = json_pack("{s:s, s:I, s:o, s:{s:b}}", "name", s->spec.name, "runnerGroupId",
                             (json_int_t)s->group, "labels", labels_of(s), "RunnerSetting",
                             "disableUpdate", 1);

    buf_add_str(&path, SCALE_SETS);
    if (s->find == FIND_CHANGE)
        buf_printf(&path, "/%" PRId64, s->id);
    ask(s, s->find == FIND_CHANGE ? "PATCH" : "POST", path.ptr, NULL, body);
}

/* The one of a listener that was killed: the service would keep it for a while, and us out. */
static void close_old_session(struct scale_set *s)
{
    CLEANUP(buf_deinit) struct buf id = BUF_INIT(SCALE_SESSION_ID_SIZE);
    CLEANUP(buf_deinit) struct buf path = BUF_INIT(SCALE_QUERY_MAX);
    struct err ignored = ERR_INIT; /* then there was none */

    if (s->spec.dir < 0 || path_read(s->spec.dir, SCALE_SESSION_FILE, &id, &ignored) < 0 ||
        id.len == 0) {
        on_session_closed(s);
        return;
    }
    buf_printf(&path, SCALE_SETS "/%" PRId64 "/sessions/", s->id);
    github_url_escape(&path, slice_trim(buf_slice(&id)));
    ask(s, "DELETE", path.ptr, NULL, NULL);
}

static bool wants_default_group(const struct scale_set *s)
{
    return !s->spec.group || slice_eq_nocase(slice_of(s->spec.group), SLICE("default"));
}

static void go(struct scale_set *s, enum scale_find find)
{
    s->find = find;
    switch (find) {
    case FIND_TOKEN:
        github_token_get(scale_admin_token(s->admin), on_token, s);
        break;
    case FIND_GROUP:
        if (!wants_default_group(s)) {
            ask_group(s);
            break;
        }
        s->group = DEFAULT_GROUP;
        s->find = FIND_SET;
        ask_set(s);
        break;
    case FIND_SET:
        ask_set(s);
        break;
    case FIND_MAKE:
    case FIND_CHANGE:
        put_set(s);
        break;
    case FIND_SESSION:
        close_old_session(s);
        break;
    }
}

void scale_find_start(struct scale_set *s)
{
    s->state = SCALE_FINDING;
    s->id = 0;
    s->counted = false;
    go(s, FIND_TOKEN);
}

void scale_find_stop(struct scale_set *s)
{
    if (s->admin)
        github_token_forget(scale_admin_token(s->admin), s);
    s->call = call_free(s->call);
    s->again = timer_free(s->again);
}
