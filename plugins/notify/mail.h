/* mail - one message by SMTP: RFC 5321, 5322, 2045 to 2047. */
#pragma once

#include "../lib/text.h"

struct mail_address {
    const char *address; /* "ci@example.com" */
    const char *header;  /* as in From: and To:, the name encoded where that is needed */
};

/* Of "ci@example.com" or "The CI <ci@example.com>"; RET may be NULL. False: it is none, and nothing that could end a
 * line, or begin another recipient, is one. */
bool mail_address(struct ost_step *step, const char *text, struct mail_address *ret);

/* TEXT as the value of a header: as it is, or in encoded words. Without line ends. */
const char *mail_header(struct ost_step *step, const char *text);
