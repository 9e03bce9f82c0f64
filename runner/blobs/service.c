#include "blobs/service.h"

#include "base/base64.h"
#include "base/num.h"
#include "base/utf8.h"

#include <string.h>

enum { TOKEN_MAX = 64 << 10, NAME_MAX_ = 64, ID_MAX = 256, REASON_MAX = 160 };

/* ---- the token ---- */

/* The payload of a JWT, which nobody here can check, and nobody has to. NULL: it has none. */
static json_t *payload_of(const char *token)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(TOKEN_MAX);
    struct slice rest = slice_of(token), part;
    struct err ignored;

    if (!slice_split(&rest, '.', &part) || !slice_split(&rest, '.', &part) ||
        base64_decode(part, &text, &ignored) < 0 || text.overflow)
        return NULL;
    return json_loadb(text.ptr, text.len, 0, NULL);
}

/* "Actions.Results:<run>:<job>" among the scopes. */
static bool find_ids(struct carrier *c, const char *scopes)
{
    struct slice rest = slice_of(scopes), scope, part[4];

    while (slice_split(&rest, ' ', &scope)) {
        size_t n = 0;

        while (n < 4 && slice_split(&scope, ':', &part[n]))
            n++;
        if (n != 3 || !slice_eq(part[0], SLICE("Actions.Results")) || part[1].len > ID_MAX ||
            part[2].len > ID_MAX)
            continue;
        c->run_id = mem_dup(part[1].ptr, part[1].len);
        c->job_id = mem_dup(part[2].ptr, part[2].len);
        return true;
    }
    return false;
}

int service_add_ids(struct carrier *c, json_t *ask, struct err *err)
{
    if (!c->run_id) {
        const char *bearer = strrchr(c->authorization, ' ');
        json_t *payload = payload_of(bearer + 1);
        const char *scopes = json_string_value(json_object_get(payload, "scp"));
        bool found = scopes && find_ids(c, scopes);

        json_decref(payload);
        if (!found)
            return err_set(err, ERR_SYS, "the token of this job has no ids for artifacts in it");
    }
    json_object_set_new(ask, "workflow_run_backend_id", json_string(c->run_id));
    json_object_set_new(ask, "workflow_job_run_backend_id", json_string(c->job_id));
    return ERR_OK;
}

/* ---- where ---- */

int service_open(struct carrier *c, const json_t *service, struct err *err)
{
    const char *url = json_string_value(json_object_get(service, "url"));
    const char *token = json_string_value(json_object_get(service, "token"));
    const char *host = url ? strstr(url, "://") : NULL;
    CLEANUP(buf_deinit) struct buf header = BUF_INIT(TOKEN_MAX);

    if (!host || !host[3] || !token || !*token || strpbrk(token, "\r\n "))
        return err_set(err, ERR_INVALID, "the address of the job's services or its token is none");
    /* as GitHub's clients: a path behind it does not count */
    size_t size = (size_t)(host + 3 - url) + strcspn(host + 3, "/?#");
    buf_printf(&header, "Authorization: Bearer %s", token);
    if (header.overflow)
        return err_set(err, ERR_LIMIT, "the job's token is larger than %d bytes", TOKEN_MAX);
    c->origin = mem_dup(url, size);
    c->authorization = buf_take(&header);
    return ERR_OK;
}

void service_close(struct carrier *c)
{
    if (c->authorization)
        explicit_bzero(c->authorization, strlen(c->authorization));
    free(c->authorization);
    free(c->origin);
    free(c->run_id);
    free(c->job_id);
}

/* ---- answers ---- */

/* "signed_url" as "signedUrl". */
static const json_t *member(const json_t *answer, const char *name)
{
    const json_t *found = json_object_get(answer, name);
    char camel[NAME_MAX_];
    size_t n = 0;

    if (found)
        return found;
    for (; *name && n < sizeof camel - 1; name++) {
        bool up = *name == '_' && name[1] >= 'a' && name[1] <= 'z';

        name += up;
        camel[n++] = (char)(up ? *name - 32 : *name);
    }
    camel[n] = '\0';
    return json_object_get(answer, camel);
}

const char *service_text(const json_t *answer, const char *name)
{
    const json_t *text = member(answer, name);
    bool whole =
        json_is_string(text) && strlen(json_string_value(text)) == json_string_length(text);

    return whole ? json_string_value(text) : NULL;
}

int64_t service_number(const json_t *answer, const char *name)
{
    const json_t *number = member(answer, name);
    struct err err;
    int64_t n;

    if (json_is_integer(number))
        return json_integer_value(number) >= 0 ? json_integer_value(number) : -1;
    return json_is_string(number) && num_parse_i64(slice_of(json_string_value(number)), 0,
                                                   INT64_MAX, &n, &err) == ERR_OK
               ? n
               : -1;
}

bool service_is_ok(const json_t *answer)
{
    return json_is_true(json_object_get(answer, "ok"));
}

/* ---- calls ---- */

static json_t *parse(const struct http_answer *a)
{
    json_t *json = json_loadb(a->body.ptr, a->body.len, 0, NULL);

    if (json_is_object(json))
        return json;
    json_decref(json);
    return NULL;
}

/* Whatever stands between us and the service answers in HTML. */
static bool is_no_json(void *ctx, const struct http_answer *a)
{
    json_t *json = parse(a);

    (void)ctx;
    json_decref(json);
    return !json;
}

static int refusal(const char *method, int status, const json_t *answer, struct err *err)
{
    CLEANUP(buf_deinit) struct buf reason = BUF_INIT(4 * REASON_MAX);
    const char *text = service_text(answer, "msg");
    int code = status == 409 ? ERR_DENIED : status == 404 ? ERR_NOT_FOUND : ERR_SYS;

    if (!text)
        text = service_text(answer, "message");
    utf8_clean(slice_head(slice_of(text), REASON_MAX), &reason);
    return err_set(err, code, "%s: the server answered %d%s%s", method, status,
                   reason.len ? ": " : "", reason.ptr);
}

int service_call(struct carrier *c, const char *service, const char *method, json_t *take_ask,
                 json_t **ret, struct err *err)
{
    const char *const headers[] = {c->authorization, "Content-Type: application/json",
                                   "Accept: application/json", NULL};
    CLEANUP(free_ptr) char *body = json_dumps(take_ask, JSON_COMPACT);
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(8 << 10);
    CLEANUP(http_answer_deinit) struct http_answer answer = {0};

    json_decref(take_ask);
    buf_printf(&url, "%s/twirp/github.actions.results.api.v1.%s/%s", c->origin, service, method);
    struct http_request q = {
        .method = "POST",
        .url = url.ptr,
        .headers = headers,
        .body = slice_of(body),
        .tries = SERVICE_TRIES,
        .trust_429 = strcmp(service, "CacheService") == 0, /* the runtime contract's 13.7 */
        .judge = is_no_json,
        .retry = carrier_say_retry,
    };
    int r = http_do(c->http, &q, &answer, err);
    if (r < 0)
        return err_in(err, "%s", method);
    json_t *json = parse(&answer);
    if (answer.status < 200 || answer.status > 299 || !json) {
        r = refusal(method, answer.status, json, err);
        json_decref(json);
        return r;
    }
    *ret = json;
    return ERR_OK;
}
