#include "queue/github/enrol/enrol.h"

#include "base/base64.h"
#include "base/wipe.h"
#include "queue/github/message/members.h"

/* ---- errors ---- */

int enrol_fail(const struct enrol *e, const struct rest_answer *a, const char *what,
               struct err *err)
{
    bool pat = e->spec->pat != NULL;

    switch (a->status) {
    case 401:
        return err_set(err, ERR_DENIED, "%s: GitHub refuses the %s (%.80s): %s", what,
                       pat ? "personal access token" : "token", a->text,
                       pat ? "it is wrong or has expired; make a new one"
                           : "it is wrong, or older than an hour; the server "
                             "shows a new one under Settings, Actions, Runners");
    case 403:
        return err_set(err, ERR_DENIED,
                       "%s: the token is not allowed to (%.80s): a personal access token needs the "
                       "scope repo, admin:org or manage_runners:enterprise",
                       what, a->text);
    case 404:
        return err_set(
            err, ERR_DENIED,
            "%s: GitHub finds no '%.80s', or the token is not for it: check the address, "
            "and where the token was made",
            what, e->place.url);
    default:
        return err_set(err, ERR_FAILED, "%s: %.140s", what, a->text);
    }
}

void enrol_is_left(const struct enrol *e)
{
    if (e->spec->note)
        e->spec->note(e->spec->ctx,
                      "the runner could not be taken back: it is still on the server, "
                      "where it has to be removed by hand");
}

static int is_taken(const struct enrol *e, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "a runner exists with the same name '%s': choose another one with --name, or "
                   "take its place with --replace",
                   e->spec->name);
}

int enrol_may_replace(const struct enrol *e, struct err *err)
{
    const struct github_register_spec *s = e->spec;

    if (s->replace || (s->may_replace && s->may_replace(s->ctx, s->name)))
        return 1;
    return is_taken(e, err);
}

/* ---- groups ---- */

static bool is_chosen(const struct enrol *e, const json_t *group, const char *mark)
{
    if (loose_bool(group, "isHosted", loose_bool(group, "is_hosted", false)))
        return false;
    return e->spec->group
               ? slice_eq_nocase(slice_of(loose_text(group, "name")), slice_of(e->spec->group))
               : loose_bool(group, mark, false);
}

static int no_such_group(const struct enrol *e, const char *names, struct err *err)
{
    if (!e->spec->group)
        return err_set(err, ERR_INVALID,
                       "there is no default runner group: name one with --runnergroup (%s)",
                       *names ? names : "none can be seen with this token");
    return err_set(err, ERR_INVALID, "there is no runner group '%.60s': there is %s",
                   e->spec->group, *names ? names : "none that this token may see");
}

int enrol_choose_group(const struct enrol *e, const struct rest_answer *answer, const char *what,
                       const char *mark, struct github_settings *s, json_t *keep, struct err *err)
{
    CLEANUP(buf_deinit) struct buf names = BUF_INIT(100);
    json_t *group;
    size_t i;

    if (!rest_is_good(answer))
        return enrol_fail(e, answer, "cannot list the runner groups", err);
    json_array_foreach (loose_find(answer->json, what), i, group) {
        if (is_chosen(e, group, mark)) {
            s->pool_id = loose_int(group, "id", 0);
            json_object_set_new(keep, "pool", json_string(loose_text(group, "name")));
            s->pool_name = loose_text(keep, "pool");
            return ERR_OK;
        }
        if (!loose_bool(group, "isHosted", loose_bool(group, "is_hosted", false)))
            buf_printf(&names, "%s'%s'", names.len ? ", " : "", loose_text(group, "name"));
    }
    return no_such_group(e, names.len ? names.ptr : "", err);
}

/* ---- labels ---- */

static const char *architecture(void)
{
#if defined(__x86_64__)
    return "X64";
#elif defined(__aarch64__)
    return "ARM64";
#elif defined(__arm__)
    return "ARM";
#else
    return "X86";
#endif
}

static void add_label(json_t *list, const char *name, const char *type)
{
    if (!member_named(list, name))
        json_array_append_new(list,
                              json_pack("{s:i, s:s, s:s}", "id", 0, "name", name, "type", type));
}

json_t *enrol_labels(const struct github_register_spec *spec)
{
    json_t *list = json_array();

    if (!spec->no_default_labels) {
        add_label(list, "self-hosted", "system");
        add_label(list, "Linux", "system");
        add_label(list, architecture(), "system");
    }
    for (const char *const *one = spec->labels; one && *one; one++)
        add_label(list, *one, "user");
    return list;
}

/* ---- making it ---- */

/* Nobody could tell us whether it was made. Nobody had its name a moment ago: one that has it now is ours, and is put in
 * its own place, which is answered as the first question would have been. 0: there is none. */
static int64_t find_ours(struct enrol *e, const struct enrol_way *way)
{
    struct err why = ERR_INIT;
    int64_t ours = 0;

    if (way->find(e, &ours, &why) < 0 && e->spec->note)
        e->spec->note(e->spec->ctx, "the server may have made the runner all the same: if it is "
                                    "listed there, it has to be removed by hand");
    return ours;
}

int enrol_make(struct enrol *e, struct github_settings *s, const struct enrol_way *way,
               int64_t same, json_t **ret, struct err *err)
{
    CLEANUP(rest_answer_deinit) struct rest_answer a = {0};
    int64_t ours = 0;
    int r = way->send(e, s, same, &a, err);
    bool doubtful = r < 0 || (a.status == 409 && a.again);

    if (doubtful && !same)
        ours = find_ours(e, way);
    if (ours) {
        rest_answer_deinit(&a);
        a = (struct rest_answer){0};
        r = way->send(e, s, ours, &a, err);
    }
    if (r == ERR_OK && rest_is_good(&a)) {
        *ret = a.json;
        a.json = NULL;
        return ERR_OK;
    }
    if (r == ERR_OK) /* 409, TaskAgentExistsException: somebody was faster */
        r = a.status == 409 && !ours ? is_taken(e, err) : enrol_fail(e, &a, "cannot register", err);
    if (ours) {
        s->agent_id = (uint64_t)ours;
        way->take_back(e, s);
    }
    return r;
}

/* ---- the place, the token, the tenant ---- */

static char *copy_of(const char *text)
{
    return mem_dup(text, strlen(text));
}

/* 1.3: a personal access token makes one for registering or removing. */
int enrol_exchange(struct enrol *e, const char *event, struct err *err)
{
    CLEANUP(rest_answer_deinit) struct rest_answer a = {0};
    CLEANUP(buf_deinit) struct buf path = BUF_INIT(4096);
    CLEANUP(buf_deinit) struct buf coded = BUF_INIT(HTTP_HEADERS_MAX);
    CLEANUP(buf_deinit) struct buf plain = BUF_INIT(HTTP_HEADERS_MAX / 2);

    buf_printf(&plain, "github:%s", e->spec->pat);
    base64_add(&coded, buf_slice(&plain));
    buf_printf(&path, "%s/actions/runners/%s-token", e->place.entity,
               strcmp(event, "remove") == 0 ? "remove" : "registration");
    int r = rest_ask(e->spec->http, &e->place, "POST", path.ptr, "basic", coded.ptr, NULL, &a, err);
    explicit_bzero(plain.ptr, plain.len);
    explicit_bzero(coded.ptr, coded.len);
    if (r < 0)
        return r;
    if (!rest_is_good(&a))
        return enrol_fail(e, &a, "cannot get a token for runners", err);
    if (!*loose_text(a.json, "token"))
        return err_set(err, ERR_FAILED, "GitHub's answer holds no token for runners");
    wipe_free(e->token);
    e->token = copy_of(loose_text(a.json, "token"));
    return ERR_OK;
}

static struct slice authority_of(struct slice url)
{
    ssize_t at = slice_find(url, SLICE("://"));
    size_t n = 0;

    url = slice_from(url, at < 0 ? 0 : (size_t)at + 3);
    while (n < url.len && !strchr("/?#", url.ptr[n]))
        n++;
    return slice_head(url, n);
}

/* The token goes nowhere but to the server it is for (1.4): an Enterprise Server has its tenant on its own host, and
 * what began over TLS stays there. */
int enrol_check_tenant(const struct github_place *place, const char *url, struct err *err)
{
    struct slice ours = authority_of(slice_of(place->url));
    struct slice theirs = authority_of(slice_of(url));
    bool secure = slice_starts(slice_of(place->url), SLICE("https:"));

    bool same = slice_eq_nocase(ours, theirs) ||
                (theirs.len > ours.len && theirs.ptr[theirs.len - ours.len - 1] == '.' &&
                 slice_eq_nocase(slice_from(theirs, theirs.len - ours.len), ours));
    if (!place->hosted && !same)
        return err_set(
            err, ERR_FAILED,
            "this GitHub Enterprise Server is not properly configured: it is '%.*s', but "
            "its runner service is said to be '%.*s'; its administrator can put that "
            "right",
            SLICE_ARG(slice_head(ours, 60)), SLICE_ARG(slice_head(theirs, 60)));
    if (!slice_starts(slice_of(url), secure ? SLICE("https://") : SLICE("http")))
        return err_set(err, ERR_FAILED, "GitHub's runner service is said to be at '%.80s'", url);
    return ERR_OK;
}

/* 1.4 */
static int find_tenant(struct enrol *e, const char *event, struct err *err)
{
    CLEANUP(rest_answer_deinit) struct rest_answer a = {0};
    CLEANUP(loose_freep)
    json_t *body = json_pack("{s:s, s:s}", "url", e->place.url, "runner_event", event);
    int r = rest_ask(e->spec->http, &e->place, "POST", "actions/runner-registration", "RemoteAuth",
                     e->token, body, &a, err);

    if (r < 0)
        return r;
    if (!rest_is_good(&a))
        return enrol_fail(
            e, &a, strcmp(event, "remove") == 0 ? "cannot remove the runner" : "cannot register",
            err);
    if (!*loose_text(a.json, "url") || !*loose_text(a.json, "token"))
        return err_set(err, ERR_FAILED, "GitHub does not say where its runner service is");
    e->tenant_url = copy_of(loose_text(a.json, "url"));
    e->tenant_token = copy_of(loose_text(a.json, "token"));
    e->use_v2_flow = loose_bool(a.json, "use_v2_flow", false);
    e->tenant = tenant_new(e->tenant_url);
    return enrol_check_tenant(&e->place, e->tenant_url, err);
}

int enrol_place(struct enrol *e, const char *event, struct err *err)
{
    int r = github_place_parse(e->spec->url, e->spec->force_ghes, &e->place, err);

    if (r == ERR_OK && e->spec->pat)
        r = enrol_exchange(e, event, err);
    else if (r == ERR_OK)
        e->token = copy_of(e->spec->token);
    return r;
}

int enrol_begin(struct enrol *e, const char *event, struct err *err)
{
    int r = enrol_place(e, event, err);

    return r < 0 ? r : find_tenant(e, event, err);
}

void enrol_deinit(struct enrol *e)
{
    wipe_free(e->token);
    wipe_free(e->tenant_token);
    free(e->tenant_url);
    tenant_free(e->tenant);
    github_place_deinit(&e->place);
}

/* ---- questions to the tenant ---- */

int enrol_ask(const struct enrol *e, struct tenant_query *q, const json_t *body,
              struct rest_answer *ret, struct err *err)
{
    struct tenant_request request;

    q->token = e->tenant_token;
    int r = tenant_prepare(e->tenant, q, &request, err);
    if (r < 0)
        return r;
    r = rest_do(e->spec->http, &request.request, body, ret, err);
    tenant_request_deinit(&request);
    return r;
}

int enrol_discover(struct enrol *e, struct err *err)
{
    CLEANUP(tenant_request_deinit) struct tenant_request request;
    CLEANUP(http_answer_deinit)
    struct http_answer a = {.headers = BUF_INIT(0), .body = BUF_INIT(0)};
    struct err why = ERR_INIT;

    tenant_prepare_discovery(e->tenant, e->tenant_token, &request);
    request.request.tries = REST_TRIES;
    request.request.total_ms = REST_TOTAL_MS;
    int r = http_do(e->spec->http, &request.request, &a, err);
    if (r < 0)
        return r;
    if ((a.status != 200 || tenant_learn(e->tenant, buf_slice(&a.body), &why) < 0) && e->spec->note)
        e->spec->note(e->spec->ctx, "the server does not say where its services are: taking the "
                                    "places that they have on github.com");
    return ERR_OK;
}
