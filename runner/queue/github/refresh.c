#include "queue/github/refresh.h"

#include "base/base64.h"
#include "base/num.h"
#include "queue/loose.h"

#include <inttypes.h>
#include <stdio.h>

static void wipe(struct buf *b)
{
    explicit_bzero(b->ptr, b->len);
    buf_deinit(b);
}

/* ---- the message ---- */

/* "a/b/c/7", empty parts left out. */
static bool is_ours(const char *qualified, uint64_t agent_id)
{
    struct slice rest = slice_of(qualified), one, last = {0};
    char wanted[24];
    size_t n = 0;

    while (slice_split(&rest, '/', &one)) {
        if (one.len) {
            last = one;
            n++;
        }
    }
    (void)snprintf(wanted, sizeof wanted, "%" PRIu64, agent_id);
    return n == 4 && slice_eq(last, slice_of(wanted));
}

int github_refresh_read(const json_t *doc, uint64_t agent_id, struct github_refresh *ret,
                        struct err *err)
{
    static const struct github_refresh known[] = {{".runner", "runner"},
                                                  {".credentials", "credentials"}};
    struct slice kind = slice_of(loose_text(doc, "configType"));

    if (!is_ours(loose_text(doc, "runnerQualifiedId"), agent_id))
        return err_set(err, ERR_INVALID, "it is meant for another runner than %" PRIu64, agent_id);
    if (!slice_eq_nocase(slice_of(loose_text(doc, "serviceType")), SLICE("pipelines")))
        return err_set(err, ERR_UNSUPPORTED, "its service is not 'pipelines'");
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (slice_eq_nocase(kind, slice_of(known[i].kind))) {
            *ret = known[i];
            return ERR_OK;
        }
    }
    return err_set(err, ERR_UNSUPPORTED, "it is neither about 'runner' nor about 'credentials'");
}

json_t *github_refresh_question(const json_t *now)
{
    CLEANUP(wipe) struct buf coded = BUF_INIT(2 * REGISTRATION_FILE_MAX);
    char *text = json_dumps(now, JSON_INDENT(2));

    base64_add(&coded, slice_of(text));
    explicit_bzero(text, strlen(text));
    free(text);
    return json_string(coded.ptr);
}

/* ---- the answer ---- */

static bool same_text(const json_t *a, const json_t *b, const char *name)
{
    return strcmp(loose_text(a, name), loose_text(b, name)) == 0;
}

static int check_runner(const json_t *now, const json_t *new, struct err *err)
{
    if (loose_int(new, "agentId", 0) != loose_int(now, "agentId", 0) ||
        !same_text(new, now, "agentName"))
        return err_set(err, ERR_INVALID, "the new settings are another runner's");
    return ERR_OK;
}

static int check_credentials(const json_t *now, const json_t *new, struct err *err)
{
    const json_t *of_now = loose_find(now, "data"), *of_new = loose_find(new, "data");

    if (!same_text(new, now, "scheme") || !same_text(of_new, of_now, "clientId") ||
        !same_text(of_new, of_now, "authorizationUrl"))
        return err_set(err, ERR_INVALID, "the new credentials are another runner's");
    return ERR_OK;
}

/* True: one of OBJECT's addresses to which tokens go begins like START. */
static bool has_address(const json_t *object, const char *start)
{
    static const char *const names[] = {"serverUrl", "serverUrlV2", "authorizationUrl",
                                        "authorizationUrlV2", "oauthEndpointUrl"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (slice_starts(slice_of(loose_text(object, names[i])), slice_of(start)))
            return true;
    return false;
}

/* Tokens that went over TLS stay there. */
static int check_secure(const json_t *now, const json_t *new, struct err *err)
{
    bool secure = has_address(now, "https://") || has_address(loose_find(now, "data"), "https://");

    if (secure && (has_address(new, "http://") || has_address(loose_find(new, "data"), "http://")))
        return err_set(err, ERR_INVALID, "what is new leads to an address without https://");
    return ERR_OK;
}

int github_refresh_answer(struct slice answer, const char *file, const json_t *now, json_t **ret,
                          struct err *err)
{
    CLEANUP(wipe) struct buf text = BUF_INIT(REGISTRATION_FILE_MAX);
    CLEANUP(loose_wipep) json_t *coded = NULL;
    CLEANUP(loose_wipep) json_t *new = NULL;

    *ret = NULL;
    if (slice_trim(answer).len == 0)
        return ERR_OK;
    if (loose_parse(answer, &coded, err) < 0)
        return err_in(err, "the tenant's answer");
    if (!json_is_string(coded))
        return err_set(err, ERR_INVALID, "the tenant's answer is no text");
    if (json_string_length(coded) == 0)
        return ERR_OK;
    struct slice code = slice_make(json_string_value(coded), json_string_length(coded));
    if (base64_decode(code, &text, err) < 0 || buf_check(&text, "the new file", err) < 0 ||
        loose_parse(buf_slice(&text), &new, err) < 0)
        return err_in(err, "the tenant's answer");
    if (!json_is_object(new))
        return err_set(err, ERR_INVALID, "the tenant's answer holds no settings");
    int r = strcmp(file, ".runner") == 0 ? check_runner(now, new, err)
                                         : check_credentials(now, new, err);
    if (r == ERR_OK)
        r = check_secure(now, new, err);
    if (r < 0)
        return r;
    *ret = new;
    new = NULL;
    return ERR_OK;
}
