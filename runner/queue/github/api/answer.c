#include "queue/github/api/answer.h"

#include "base/num.h"
#include "queue/loose.h"

#include <stdio.h>

enum {
    BODY_MAX = 64 << 10, /* of an error; what is larger was not made by these services */
    SECRET_BEGINS = 12,  /* bytes by which one is known; no other text has them */
};

struct named {
    const char *name;
    enum answer_kind kind;
};

/* Exceptions of the tenant: the last part of the type's name. */
static const struct named exceptions[] = {
    {"TaskAgentNotFoundException", ANSWER_NO_RUNNER},
    {"TaskAgentPoolNotFoundException", ANSWER_NO_POOL},
    {"TaskAgentSessionConflictException", ANSWER_CONFLICT},
    {"TaskAgentSessionExpiredException", ANSWER_SESSION_LOST},
    {"TaskAgentAccessTokenExpiredException", ANSWER_REVOKED},
    {"AccessDeniedException", ANSWER_FORBIDDEN},
    {"TaskAgentJobNotFoundException", ANSWER_JOB_GONE},
    {"TaskAgentJobTokenExpiredException", ANSWER_JOB_GONE},
    {"TaskOrchestrationPlanNotFoundException", ANSWER_PLAN_GONE},
    {"TaskOrchestrationPlanSecurityException", ANSWER_PLAN_GONE},
    {"TaskOrchestrationPlanTerminatedException", ANSWER_PLAN_GONE},
};

static const struct named broker_kinds[] = {
    {"RunnerNotFound", ANSWER_NO_RUNNER},
    {"RunnerVersionTooOld", ANSWER_TOO_OLD},
    {"RunnerSessionInvalid", ANSWER_SESSION_LOST},
    {"HostedRunnerDeprovisioned", ANSWER_DEPROVISIONED},
    {"AcknowledgeJobNotFound", ANSWER_JOB_GONE},
};

const char *answer_name(enum answer_kind kind)
{
    static const char *const names[ANSWER_KINDS] = {
        [ANSWER_FINE] = "fine",
        [ANSWER_TRANSIENT] = "transient",
        [ANSWER_UNAUTHORIZED] = "unauthorized",
        [ANSWER_FORBIDDEN] = "forbidden",
        [ANSWER_NOT_FOUND] = "not found",
        [ANSWER_CONFLICT] = "conflict",
        [ANSWER_UNPROCESSABLE] = "unprocessable",
        [ANSWER_REFUSED] = "refused",
        [ANSWER_NO_RUNNER] = "no such runner",
        [ANSWER_NO_POOL] = "no such pool",
        [ANSWER_SESSION_LOST] = "session lost",
        [ANSWER_REVOKED] = "token revoked",
        [ANSWER_TOO_OLD] = "version too old",
        [ANSWER_DEPROVISIONED] = "deprovisioned",
        [ANSWER_JOB_GONE] = "job gone",
        [ANSWER_PLAN_GONE] = "plan gone",
        [ANSWER_SKEW] = "clock skew",
        [ANSWER_BAD_CLIENT] = "bad client",
    };

    return names[kind];
}

void answer_line(struct slice text, char *ret, size_t size)
{
    size_t len = 0;

    text = slice_trim(text);
    for (size_t i = 0; i < text.len && len + 1 < size; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        ret[len++] = c < ' ' || c == 0x7f ? ' ' : (char)c;
    }
    if (len < text.len) { /* not half a character */
        while (len && ((unsigned char)ret[len - 1] & 0xc0) == 0x80)
            len--;
        if (len && (unsigned char)ret[len - 1] >= 0xc0)
            len--;
    }
    ret[len] = '\0';
}

/* What goes on behind its beginning belongs to it. */
static void hide_from(char *line, const char *beginning)
{
    static const char stars[] = "***";

    for (char *at = line; (at = strstr(at, beginning)); at += sizeof stars - 1) {
        size_t len = strcspn(at, " '\"<>,;()[]{}");

        if (len < sizeof stars - 1)
            return;
        memcpy(at, stars, sizeof stars - 1);
        memmove(at + sizeof stars - 1, at + len, strlen(at + len) + 1);
    }
}

void answer_hide(char *line, const char *secret)
{
    char beginning[SECRET_BEGINS + 1];

    hide_from(line, "eyJ"); /* '{"' in base64: a JWT's header */
    if (!secret || strlen(secret) < SECRET_BEGINS / 2)
        return;
    (void)snprintf(beginning, sizeof beginning, "%s", secret);
    hide_from(line, beginning);
}

static enum answer_kind by_status(int status)
{
    if (status >= 200 && status <= 299)
        return ANSWER_FINE;
    switch (status) {
    case 401:
        return ANSWER_UNAUTHORIZED;
    case 403:
        return ANSWER_FORBIDDEN;
    case 404:
        return ANSWER_NOT_FOUND;
    case 408:
    case 429:
        return ANSWER_TRANSIENT;
    case 409:
        return ANSWER_CONFLICT;
    case 422:
        return ANSWER_UNPROCESSABLE;
    default: /* a redirect leads to a page for people, so it is trouble that may pass */
        return status >= 400 && status <= 499 ? ANSWER_REFUSED : ANSWER_TRANSIENT;
    }
}

static bool find(const struct named *list, size_t n, struct slice name, enum answer_kind *ret)
{
    for (size_t i = 0; i < n; i++) {
        if (slice_eq(slice_of(list[i].name), name)) {
            *ret = list[i].kind;
            return true;
        }
    }
    return false;
}

/* "Namespace.Type, Assembly": the type. */
static struct slice last_part(const char *type_name)
{
    struct slice rest = slice_of(type_name), part = {0};
    ssize_t comma = slice_find_char(rest, ',');

    rest = slice_head(rest, comma < 0 ? rest.len : (size_t)comma);
    while (slice_split(&rest, '.', &part))
        ;
    return slice_trim(part);
}

static bool read_exception(const json_t *body, struct answer *ret)
{
    struct slice key = slice_of(loose_text(body, "typeKey"));

    if (!key.len)
        key = last_part(loose_text(body, "typeName"));
    if (!find(exceptions, COUNT_OF(exceptions), key, &ret->kind))
        return false;
    if (ret->kind == ANSWER_FORBIDDEN && loose_int(body, "errorCode", 0) == 1)
        ret->kind = ANSWER_TOO_OLD;
    return true;
}

/* Of the broker and the run service. Like the official runner we believe these bodies only when they say who made
 * them. */
static bool read_error(const json_t *body, struct answer *ret)
{
    struct slice source = slice_of(loose_text(body, "source"));
    int64_t status = loose_int(body, "statusCode", 0);

    if (!slice_eq(source, SLICE("actions-broker-listener")) &&
        !slice_eq(source, SLICE("actions-run-service")))
        return false;
    struct slice kind = slice_of(loose_text(body, "errorKind"));
    if (!find(broker_kinds, COUNT_OF(broker_kinds), kind, &ret->kind) && status >= 300 &&
        status <= 599)
        ret->kind = by_status((int)status);
    return true;
}

static void read_body(const json_t *body, struct answer *ret)
{
    static const char *const texts[] = {"errorMessage", "error_description", "message", "error"};
    const char *text = "";

    if (!read_exception(body, ret) && !read_error(body, ret) &&
        strcmp(loose_text(body, "error"), "invalid_client") == 0)
        ret->kind = ANSWER_BAD_CLIENT;
    for (size_t i = 0; i < COUNT_OF(texts) && !*text; i++)
        text = loose_text(body, texts[i]);
    /* These words are all that the service says of it, in whatever kind of error. */
    if (strstr(text, "Current server time is"))
        ret->kind = ANSWER_SKEW;
    if (*text)
        answer_line(slice_of(text), ret->text, sizeof ret->text);
}

bool answer_is_page(struct slice body)
{
    static const struct slice mark = SLICE_INIT("\xEF\xBB\xBF");

    return slice_starts(slice_trim(slice_starts(body, mark) ? slice_from(body, mark.len) : body),
                        SLICE("<"));
}

void answer_read(int status, struct slice body, struct slice retry_after, struct answer *ret)
{
    struct err ignored = ERR_INIT; /* then it is no answer of theirs, and its status has to do */
    int64_t seconds = 0;
    json_t *json = NULL;

    *ret = (struct answer){.kind = by_status(status), .status = status};
    if (ret->kind == ANSWER_FINE && !answer_is_page(body))
        return;
    if (ret->kind == ANSWER_FINE) {
        ret->kind = ANSWER_TRANSIENT;
        snprintf(ret->text, sizeof ret->text,
                 "the server answered %d with a page for people, not as a service", status);
        return;
    }
    snprintf(ret->text, sizeof ret->text, "the server answered %d", status);
    if (num_parse_i64(slice_trim(retry_after), 0, ANSWER_RETRY_MAX_MS / 1000, &seconds, &ignored) ==
        ERR_OK)
        ret->retry_ms = seconds * 1000;
    if (body.len && body.len <= BODY_MAX && loose_parse(body, &json, &ignored) == ERR_OK)
        read_body(json, ret);
    json_decref(json);
}
