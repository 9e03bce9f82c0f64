/* Slack, Discord and Mattermost: a message is one JSON object each.
 * https://api.slack.com/messaging/webhooks, https://api.slack.com/methods/chat.postMessage
 * https://discord.com/developers/docs/resources/webhook#execute-webhook
 * https://developers.mattermost.com/integrate/webhooks/incoming/ */
#include "deliver.h"
#include "target.h"
#include "write.h"

#include <string.h>

enum {
    SLACK_UNITS_MAX = 4000,      /* it cuts at 40,000, and asks for no more than this */
    DISCORD_UNITS_MAX = 2000,    /* of "content" */
    MATTERMOST_UNITS_MAX = 16383 /* a post's; older servers have 4,000 and split */
};

/* What a service's answer means: OST_OK, or *RET_WHY. */
typedef ost_status judge_fn(const struct notice *n, const struct answer *a, const char **ret_id,
                            const char **ret_why);

struct chat {
    const char *url;
    const char *const *headers;
    judge_fn *judge;
    const char *before; /* of the text, within the JSON */
    const char *after;
};

static ost_status send_parts(const struct notice *n, const struct chat *c, struct parts *parts,
                             const char **ret_id, const char **ret_why)
{
    struct span text;

    while (parts_next(parts, &text)) {
        struct sink k = {.step = n->step};
        struct answer a;
        ost_status r;

        sink_addf(&k, "{%s", c->before);
        put_json(&k, text);
        sink_addf(&k, "%s}", c->after);
        r = deliver(n->step,
                    &(struct post){.url = c->url,
                                   .headers = c->headers,
                                   .body = {sink_text(&k), k.size},
                                   .timeout_ms = n->timeout_ms},
                    &a, ret_why);
        if (r == OST_OK)
            r = c->judge(n, &a, ret_id, ret_why);
        if (r < 0)
            return r;
    }
    return OST_OK;
}

/* "NAME":"VALUE", with the comma; "" when VALUE is empty. */
static const char *member(const struct notice *n, const char *name, const char *value)
{
    struct sink k = {.step = n->step};

    if (!value || !*value)
        return "";
    sink_addf(&k, "\"%s\":\"", name);
    put_json(&k, rich_clean(n->step, span_of(value)));
    sink_add(&k, SPAN("\","));
    return sink_text(&k);
}

/* ---- Slack ---- */

static ost_status judge_slack(const struct notice *n, const struct answer *a, const char **ret_id,
                              const char **ret_why)
{
    const struct json *ok = json_get(a->json, "ok");
    const char *id = json_text(a->json, "ts");

    if (a->status == 200 && (ok ? ok->kind == JSON_TRUE : strcmp(a->body, "ok") == 0)) {
        if (*id && !*ret_id)
            *ret_id = id;
        return OST_OK;
    }
    *ret_why = answer_text(n->step, a,
                           *json_text(a->json, "error") ? json_text(a->json, "error") : a->body);
    if (strcmp(json_text(a->json, "error"), "not_in_channel") == 0)
        *ret_why = ost_fmt(n->step, "%s; invite the app into the channel", *ret_why);
    return OST_E_FAILED;
}

ost_status send_slack(const struct notice *n, const struct target *t, const char **ret_id,
                      const char **ret_why)
{
    struct ost_step *step = n->step;
    const char *json = "Content-Type: application/json; charset=utf-8";
    const char *channel = member(n, "channel", t->to);
    const char *thread =
        t->token ? member(n, "thread_ts", step->host->input(step, "slack-thread")) : "";
    const struct chat c = {
        .url = t->token ? ost_fmt(step, "%s/chat.postMessage", t->url) : t->url,
        .headers = t->token ? OST_ARGV(json, ost_fmt(step, "Authorization: Bearer %s", t->token))
                            : OST_ARGV(json),
        .judge = judge_slack,
        .before = ost_fmt(step, "%s%s\"unfurl_links\":false,\"text\":\"", channel, thread),
        .after = "\"",
    };
    struct parts parts = {.rest = n->message,
                          .write = write_slack,
                          .max = SLACK_UNITS_MAX,
                          .markup_counts = true,
                          .cut = n->cut};

    return send_parts(n, &c, &parts, ret_id, ret_why);
}

/* ---- Discord ---- */

static ost_status judge_discord(const struct notice *n, const struct answer *a, const char **ret_id,
                                const char **ret_why)
{
    const char *id = json_text(a->json, "id");

    if (a->status == 200 || a->status == 204) {
        if (*id && !*ret_id)
            *ret_id = id;
        return OST_OK;
    }
    *ret_why = answer_text(
        n->step, a, *json_text(a->json, "message") ? json_text(a->json, "message") : a->body);
    return OST_E_FAILED;
}

/* wait=true: the answer has the message's id, and an error is one. */
ost_status send_discord(const struct notice *n, const struct target *t, const char **ret_id,
                        const char **ret_why)
{
    struct ost_step *step = n->step;
    const char *thread = step->host->input(step, "discord-thread");
    const struct chat c = {
        .url = ost_fmt(step, "%s%cwait=true%s%s", t->url, strchr(t->url, '?') ? '&' : '?',
                       *thread ? "&thread_id=" : "", thread),
        .headers = OST_ARGV("Content-Type: application/json"),
        .judge = judge_discord,
        .before = "\"content\":\"",
        .after = "\",\"allowed_mentions\":{\"parse\":[]}",
    };
    struct parts parts = {.rest = n->message,
                          .write = write_discord,
                          .max = DISCORD_UNITS_MAX,
                          .markup_counts = true,
                          .cut = n->cut};

    return send_parts(n, &c, &parts, ret_id, ret_why);
}

/* ---- Mattermost ---- */

static ost_status judge_mattermost(const struct notice *n, const struct answer *a,
                                   const char **ret_id, const char **ret_why)
{
    const char *text = json_text(a->json, "message");

    (void)ret_id; /* it names none */
    if (a->status == 200)
        return OST_OK;
    *ret_why = answer_text(n->step, a, *text ? text : a->body);
    return OST_E_FAILED;
}

ost_status send_mattermost(const struct notice *n, const struct target *t, const char **ret_id,
                           const char **ret_why)
{
    const struct chat c = {
        .url = t->url,
        .headers = OST_ARGV("Content-Type: application/json"),
        .judge = judge_mattermost,
        .before = ost_fmt(n->step, "%s\"text\":\"", member(n, "channel", t->to)),
        .after = "\"",
    };
    struct parts parts = {.rest = n->message,
                          .write = write_mattermost,
                          .max = MATTERMOST_UNITS_MAX,
                          .markup_counts = true,
                          .cut = n->cut};

    return send_parts(n, &c, &parts, ret_id, ret_why);
}
