#include "mail.h"
#include "target.h"

#include <string.h>

enum { TARGETS_MAX = 50, SECRET_PART_MIN = 8 };

struct reader {
    struct notice *n;
    struct ost_step *step;
    ost_status r; /* the first failure */
};

static ost_status refuse(struct reader *rd, const char *why)
{
    if (rd->r == OST_OK)
        rd->r = ost_fail(rd->step, OST_E_INVALID, "%s", why);
    return rd->r;
}

static const char *input(struct reader *rd, const char *name)
{
    return rd->step->host->input(rd->step, name);
}

static void add(struct reader *rd, struct target t)
{
    struct notice *n = rd->n;

    if (rd->r < 0)
        return;
    if (n->n_targets == TARGETS_MAX)
        refuse(rd, ost_fmt(rd->step, "there are more than %d targets", TARGETS_MAX));
    else
        n->targets[n->n_targets++] = t;
}

/* ---- secrets ---- */

static void hide(struct reader *rd, const char *secret)
{
    if (rd->r < 0 || !*secret)
        return;
    strings_add(rd->step, &rd->n->secrets, secret);
    rd->r = rd->step->host->mask(rd->step, secret);
}

/* The whole of a secret address, and what is secret in it: some errors name a part of it only. */
static void hide_address(struct reader *rd, const char *url)
{
    const char *path = strstr(url, "://");
    const char *last = strrchr(url, '/');

    path = path ? strchr(path + 3, '/') : NULL;
    hide(rd, url);
    if (path && strlen(path) > SECRET_PART_MIN)
        hide(rd, path);
    if (path && last && strlen(last + 1) >= SECRET_PART_MIN)
        hide(rd, last + 1);
}

const char *notice_hush(const struct notice *n, const char *text)
{
    for (const char *const *s = strings_list(&n->secrets); *s; s++) {
        struct span rest = span_of(text);
        struct sink k = {.step = n->step};
        size_t at;

        while ((at = span_find(rest, *s)) != SIZE_MAX) {
            sink_add(&k, (struct span){rest.at, at});
            sink_add(&k, SPAN("***"));
            at += strlen(*s);
            rest = (struct span){rest.at + at, rest.size - at};
        }
        sink_add(&k, rest);
        text = sink_text(&k);
    }
    return text;
}

/* ---- addresses ---- */

/* The host of an address of the web, "example.com:8080"; NULL: it is none. Neither blanks nor control characters are
 * let through, of which a proxy might make a second request. */
static const char *host_of(struct ost_step *step, const char *url)
{
    struct span s = span_of(url), host;

    for (const char *c = url; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            return NULL;
    if (!span_eat(&s, "https://") && !span_eat(&s, "http://"))
        return NULL;
    host = (struct span){s.at, strcspn(s.at, "/?#")};
    for (size_t i = host.size; i > 0; i--)
        if (host.at[i - 1] == '@') { /* user:password@ */
            host = (struct span){host.at + i, host.size - i};
            break;
        }
    return host.size > 0 ? span_dup(step, host) : NULL;
}

/* One target for each address in the list NAME. TO may be NULL. */
static void read_addresses(struct reader *rd, const char *name, const char *what, send_fn *send,
                           const char *to)
{
    const char *const *items;
    size_t n = rd->step->host->input_list(rd->step, name, &items);

    for (size_t i = 0; i < n && rd->r == OST_OK; i++) {
        const char *host = host_of(rd->step, items[i]);

        hide_address(rd, items[i]);
        if (!host)
            refuse(rd, ost_fmt(rd->step, "'%s' is no address; it begins with https://", name));
        else
            add(rd, (struct target){.label = ost_fmt(rd->step, "%s %s", what, host),
                                    .send = send,
                                    .url = items[i],
                                    .to = to});
    }
}

/* One target for each item of LIST, all reached with the token of TOKEN_NAME. */
static void read_rooms(struct reader *rd, const char *token_name, const char *list,
                       const char *label, send_fn *send, const char *api)
{
    const char *const *items, *token = input(rd, token_name);
    size_t n = rd->step->host->input_list(rd->step, list, &items);

    hide(rd, token);
    if (*token && n == 0)
        refuse(rd, ost_fmt(rd->step, "'%s' is given, but no '%s' to send to", token_name, list));
    if (n > 0 && !*token)
        refuse(rd, ost_fmt(rd->step,
                           "'%s' is given, but no '%s': is the secret that it comes from set, and "
                           "may this event read it?",
                           list, token_name));
    if (n > 0 && !host_of(rd->step, input(rd, api)))
        refuse(rd, ost_fmt(rd->step, "'%s' is no address; it begins with https://", api));
    for (size_t i = 0; i < n && rd->r == OST_OK; i++)
        add(rd, (struct target){.label = ost_fmt(rd->step, "%s %s", label, items[i]),
                                .send = send,
                                .url = input(rd, api),
                                .token = token,
                                .to = items[i]});
}

/* ---- Telegram ---- */

/* "12345:ABC-def": it becomes a part of the address, so nothing else is let through. */
static void check_telegram(struct reader *rd)
{
    static const char digits[] = "0123456789";
    static const char more[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    const char *token = input(rd, "telegram-token"), *thread = input(rd, "telegram-thread");
    size_t id = strspn(token, digits);

    if (*token && (id == 0 || token[id] != ':' || !token[id + 1] ||
                   token[id + 1 + strspn(token + id + 1, more)]))
        refuse(rd, "'telegram-token' is no bot token; BotFather gives them as 12345:ABC-def");
    if (thread[strspn(thread, digits)])
        refuse(rd, "'telegram-thread' is no number");
}

/* ---- mail ---- */

static void read_mail(struct reader *rd)
{
    const char *const *to;
    struct ost_step *step = rd->step;
    size_t n = step->host->input_list(step, "mail-to", &to);
    const char *server = input(rd, "mail-server"), *from = input(rd, "mail-from");

    hide(rd, input(rd, "mail-password"));
    if (n == 0)
        return;
    if (!*server || !*from)
        refuse(rd, ost_fmt(step, "'mail-to' is given, but no '%s'",
                           *server ? "mail-from" : "mail-server"));
    if (!*input(rd, "mail-user") != !*input(rd, "mail-password"))
        refuse(rd, "'mail-user' and 'mail-password' go together: one of them is empty");
    for (size_t i = 0; i <= n && rd->r == OST_OK; i++)
        if (!mail_address(step, i < n ? to[i] : from, NULL))
            refuse(rd, ost_fmt(step, "'%s' in '%s' is no mail address", i < n ? to[i] : from,
                               i < n ? "mail-to" : "mail-from"));
    add(rd,
        (struct target){.label = n == 1 ? ost_fmt(step, "mail to %s", to[0])
                                        : ost_fmt(step, "mail to %s and %zu more", to[0], n - 1),
                        .send = send_mail,
                        .url = server});
}

/* ---- all ---- */

static void hide_list(struct reader *rd, const char *name)
{
    const char *const *items;
    size_t n = rd->step->host->input_list(rd->step, name, &items);

    for (size_t i = 0; i < n; i++) { /* "Name: value": the value is the secret */
        const char *value = strchr(items[i], ':');

        if (!value || value == items[i])
            refuse(rd, ost_fmt(rd->step, "line %zu of '%s' is no \"Name: value\"", i + 1, name));
        else
            hide(rd, value + 1 + strspn(value + 1, " "));
    }
}

ost_status targets_read(struct notice *n)
{
    struct reader rd = {.n = n, .step = n->step, .r = OST_OK};

    n->targets = n->step->host->alloc(n->step, TARGETS_MAX * sizeof *n->targets);
    check_telegram(&rd);
    read_rooms(&rd, "telegram-token", "telegram-chat", "Telegram chat", send_telegram,
               "telegram-api");
    read_addresses(&rd, "slack-webhook", "Slack webhook", send_slack, NULL);
    read_rooms(&rd, "slack-token", "slack-channel", "Slack channel", send_slack, "slack-api");
    read_addresses(&rd, "discord-webhook", "Discord webhook", send_discord, NULL);
    read_addresses(&rd, "mattermost-webhook", "Mattermost webhook", send_mattermost,
                   input(&rd, "mattermost-channel"));
    hide(&rd, input(&rd, "webhook-secret"));
    hide_list(&rd, "webhook-headers");
    read_addresses(&rd, "webhook-url", "webhook", send_webhook, NULL);
    read_mail(&rd);
    if (rd.r == OST_OK && n->n_targets == 0)
        refuse(&rd, "there is nobody to tell; give 'telegram-token', 'slack-webhook', "
                    "'slack-token', 'discord-webhook', 'mattermost-webhook', 'webhook-url' or "
                    "'mail-to', and look whether the secret that it comes from is set");
    return rd.r;
}
