#include "deliver.h"

#include "facts.h"
#include "rich.h"

#include <ostler/ext.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_passing(int32_t status)
{
    return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

/* "5" or "0.3" seconds; -1: it is no number. */
static int64_t milliseconds(const char *text)
{
    char *end;
    double s = strtod(text, &end);

    if (end == text || !(s >= 0))
        return -1;
    return s > 1e9 ? INT64_MAX : (int64_t)(s * 1000);
}

static const char *header(struct ost_step *step, const char *headers, const char *name)
{
    struct span rest = span_of(headers ? headers : ""), line, key;

    while (span_line(&rest, &line))
        if (span_eat_until(&line, ':', &key) && key.size == strlen(name) &&
            strncasecmp(key.at, name, key.size) == 0)
            return span_dup(step, span_trim(line));
    return "";
}

/* Telegram has it below "parameters", Discord on top, all others in the header. -1: nobody says. */
static int64_t asked_wait(struct ost_step *step, const struct json *json, const char *headers)
{
    const struct json *at = json_get(json, "retry_after");

    if (!at)
        at = json_get(json_get(json, "parameters"), "retry_after");
    if (at && at->kind == JSON_NUMBER)
        return milliseconds(at->text);
    return milliseconds(header(step, headers, "Retry-After"));
}

/* Waits for MS or the end of the job. */
static ost_status wait_ms(struct ost_step *step, int64_t ms)
{
    struct pollfd stop = {.fd = step->host->cancel_fd(step), .events = POLLIN};

    if (poll(&stop, 1, (int)ms) > 0 || step->host->cancelled(step))
        return OST_E_CANCELLED;
    return OST_OK;
}

static void read_answer(struct ost_step *step, const struct ost_http_response *got,
                        struct answer *ret)
{
    const struct span body = {got->body ? got->body : "", got->body ? got->body_size : 0};
    const char *text = span_dup(step, body), *why;

    *ret = (struct answer){got->status, text, json_of(step, text, &why)};
}

static ost_status post_once(struct ost_step *step, const struct ost_http_v1 *http,
                            const struct post *p, struct answer *ret, int64_t *ret_wait)
{
    struct ost_http_request q = {
        .struct_size = sizeof q,
        .method = "POST",
        .url = p->url,
        .headers = p->headers,
        .body = p->body.at,
        .body_size = p->body.size,
        .timeout_ms = p->timeout_ms,
    };
    struct ost_http_response got = {.struct_size = sizeof got};
    ost_status r = http->fetch(step, &q, &got);

    *ret_wait = -1;
    if (r < 0)
        return r;
    read_answer(step, &got, ret);
    *ret_wait = asked_wait(step, ret->json, got.headers);
    return OST_OK;
}

ost_status deliver(struct ost_step *step, const struct post *p, struct answer *ret,
                   const char **ret_why)
{
    const struct ost_http_v1 *http = step->host->extension(step, OST_EXT_HTTP);
    int64_t wait, backoff = DELIVER_BACKOFF_MS;

    *ret_why = "this runner makes no requests for plugins; update it";
    if (!http)
        return OST_E_UNSUPPORTED;
    for (int tries = 1;; tries++) {
        ost_status r = post_once(step, http, p, ret, &wait);

        if (r == OST_E_CANCELLED || step->host->cancelled(step))
            return OST_E_CANCELLED;
        if (r < 0)
            *ret_why = ost_fmt(step, "it cannot be reached: %s", step->host->last_error(step));
        if (r < 0 ? r != OST_E_IO && r != OST_E_TIMEOUT : !is_passing(ret->status))
            return r;
        if (tries >= (r == OST_E_TIMEOUT ? DELIVER_TRIES_TIMEOUT : DELIVER_TRIES))
            return r;
        wait = wait < 0 ? backoff : wait;
        backoff *= 2;
        if (wait > DELIVER_WAIT_MAX_MS || wait >= step->host->time_left_ms(step)) {
            *ret_why = ost_fmt(step, "it asks to wait for %lld s", (long long)(wait / 1000));
            return OST_E_LIMIT;
        }
        ost_log(step, OST_DEBUG, "no luck yet (%s); next try in %lld ms",
                r < 0 ? "no answer" : ost_fmt(step, "status %d", (int)ret->status),
                (long long)wait);
        if (wait_ms(step, wait) < 0)
            return OST_E_CANCELLED;
    }
}

const char *answer_text(struct ost_step *step, const struct answer *a, const char *text)
{
    enum { TEXT_MAX = 200 };
    struct span s = span_trim(rich_clean(step, span_of(text)));
    struct span rest = s, line = {0};

    if (!span_line(&rest, &line))
        return ost_fmt(step, "it answered %d", (int)a->status);
    line.size = line.size > TEXT_MAX ? TEXT_MAX : line.size;
    return ost_fmt(step, "it answered %d: %s", (int)a->status, span_dup(step, line));
}
