/* Telegram's Bot API: https://core.telegram.org/bots/api#sendmessage. The token is a part of the address. */
#include "deliver.h"
#include "target.h"
#include "write.h"

#include <string.h>

enum { TELEGRAM_UNITS_MAX = 4096 }; /* UTF-16 units of a message, without its markup */

static struct span body(const struct notice *n, const struct target *t, const char *mode,
                        struct span text)
{
    const char *thread = n->step->host->input(n->step, "telegram-thread");
    struct sink k = {.step = n->step};

    sink_add(&k, SPAN("{\"chat_id\":\""));
    put_json(&k, span_of(t->to));
    sink_addf(&k, "\",\"parse_mode\":\"%s\",\"text\":\"", mode);
    put_json(&k, text);
    sink_add(&k, SPAN("\",\"link_preview_options\":{\"is_disabled\":true}"));
    if (*thread)
        sink_addf(&k, ",\"message_thread_id\":%s", thread);
    if (ost_input_bool(n->step, "telegram-silent"))
        sink_add(&k, SPAN(",\"disable_notification\":true"));
    sink_add(&k, SPAN("}"));
    return (struct span){sink_text(&k), k.size};
}

static const char *trouble(const struct notice *n, const struct answer *a)
{
    const struct json *now = json_get(json_get(a->json, "parameters"), "migrate_to_chat_id");
    const char *text = json_text(a->json, "description");

    if (now && now->kind == JSON_NUMBER)
        return ost_fmt(n->step, "the group became a supergroup: its 'telegram-chat' is %s now",
                       now->text);
    if (a->status == 401 || a->status == 404)
        return ost_fmt(n->step, "%s; is 'telegram-token' the bot's, and not revoked?",
                       answer_text(n->step, a, text));
    return answer_text(n->step, a, text);
}

static ost_status send_part(const struct notice *n, const struct target *t, struct span json,
                            const char **ret_id, const char **ret_why)
{
    const struct post p = {
        .url = ost_fmt(n->step, "%s/bot%s/sendMessage", t->url, t->token),
        .headers = OST_ARGV("Content-Type: application/json"),
        .body = json,
        .timeout_ms = n->timeout_ms,
    };
    const struct json *id;
    struct answer a;
    ost_status r = deliver(n->step, &p, &a, ret_why);

    if (r < 0)
        return r;
    id = json_get(json_get(a.json, "result"), "message_id");
    if (a.status != 200 || !id || id->kind != JSON_NUMBER) {
        *ret_why = trouble(n, &a);
        return OST_E_FAILED;
    }
    *ret_id = *ret_id ? *ret_id : id->text; /* the first part's is the message's */
    return OST_OK;
}

ost_status send_telegram(const struct notice *n, const struct target *t, const char **ret_id,
                         const char **ret_why)
{
    const char *mode = n->step->host->input(n->step, "telegram-markup");
    struct parts parts = {
        .rest = n->message,
        .write = strcmp(mode, "HTML") == 0 ? write_telegram_html : write_telegram_markdown,
        .max = TELEGRAM_UNITS_MAX,
        .cut = n->cut,
    };
    struct span text;
    ost_status r = OST_OK;

    while (r == OST_OK && parts_next(&parts, &text))
        r = send_part(n, t, body(n, t, mode, text), ret_id, ret_why);
    return r;
}
