/* write - a message in the markup of each messenger. What would be markup in its text is escaped, as each one's
 * manual has it. Pure. */
#pragma once

#include "rich.h"

typedef void write_fn(const struct rich *r, struct sink *to);

write_fn write_plain;
/* https://core.telegram.org/bots/api#formatting-options */
write_fn write_telegram_html, write_telegram_markdown;
/* https://api.slack.com/reference/surfaces/formatting: three characters are escaped; there is no way to keep * _ ~ and `
 * in a text from being taken for markup. */
write_fn write_slack;
/* https://support.discord.com/hc/articles/210298617; mentions are switched off beside the text */
write_fn write_discord;
/* https://docs.mattermost.com/end-user-guide/collaborate/format-messages.html; nobody is mentioned by a value */
write_fn write_mattermost;
write_fn write_html; /* a mail's: a fragment */

/* A message as the texts that a service takes. */
struct parts {
    struct rich rest;
    write_fn *write;
    size_t max;         /* units of a text; 20 at least */
    bool markup_counts; /* among them */
    bool cut;           /* what is too long ends with an ellipsis instead of going on in the next */
};

/* False: there is no more. */
bool parts_next(struct parts *p, struct span *ret);

/* TEXT within the quotes of a JSON text. */
void put_json(struct sink *to, struct span text);
