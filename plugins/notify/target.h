/* target - who is told: what the inputs say of each, and how each is spoken to. A target's address and token are
 * secrets; its label is what people are shown. */
#pragma once

#include "facts.h"
#include "rich.h"

struct notice { /* what is to be said, and to whom */
    struct ost_step *step;
    const struct facts *facts;
    struct rich message;
    const char *title; /* one line of plain text */
    bool cut;          /* a message that is too long is cut, not sent in parts */
    int64_t timeout_ms;
    struct target *targets;
    size_t n_targets;
    struct strings secrets; /* never to be seen in a text of ours */
};

struct target;

/* Says N to T. Below 0 with *RET_WHY the reason in words, or OST_E_CANCELLED; *RET_ID, where the service gives one, is
 * the message's. */
typedef ost_status send_fn(const struct notice *n, const struct target *t, const char **ret_id,
                           const char **ret_why);

struct target {
    const char *label; /* "Telegram chat -1001", "Slack channel #ci", "webhook example.com" */
    send_fn *send;
    const char *url, *token, *to; /* as its kind has use for them */
};

send_fn send_telegram, send_slack, send_discord, send_mattermost, send_webhook, send_mail;

/* Fills N's targets from the inputs and masks their secrets. Below 0, recorded: one is not whole. */
ost_status targets_read(struct notice *n);

/* TEXT without N's secrets. */
const char *notice_hush(const struct notice *n, const char *text);
