/* envelope - a message of GitHub's queue as a poll brings it: opened, and its kind found out.
 *
 * {"messageId", "messageType", "iv"?, "body"}: the body is a text that is JSON itself; over the legacy queue it comes
 * encrypted with the session's key (github-protocol.md 3.3, 3.5, 3.7). */
#pragma once

#include "base/err.h"
#include "io/digest_aes.h"
#include "io/digest_rsa.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum envelope_kind {
    ENVELOPE_OTHER,          /* nothing that we know */
    ENVELOPE_JOB,            /* PipelineAgentJobRequest: the job itself */
    ENVELOPE_JOB_REFERENCE,  /* RunnerJobRequest: where it is to be had */
    ENVELOPE_CANCEL,         /* JobCancellation */
    ENVELOPE_AGENT_REFRESH,  /* update yourself */
    ENVELOPE_RUNNER_REFRESH, /* the same, of the broker */
    ENVELOPE_SHUTDOWN,       /* RunnerShutdown */
    ENVELOPE_NEW_TOKEN,      /* ForceTokenRefresh */
    ENVELOPE_CONFIG_REFRESH, /* RunnerRefreshConfig */
    ENVELOPE_MIGRATION,      /* BrokerMigration */
    ENVELOPE_KINDS
};

enum { ENVELOPE_TYPE_SIZE = 48, ENVELOPE_HEAD_MAX = 4096 };

struct envelope_key { /* of a session; all zero: its messages are not encrypted */
    bool used;
    unsigned char bytes[AES_KEY_SIZE];
};

struct envelope {
    enum envelope_kind kind;
    char type[ENVELOPE_TYPE_SIZE]; /* as the server calls it, one printable line */
    bool has_id;                   /* the broker leaves it out at times */
    int64_t id;                    /* any 64 bits */
    char *body;                    /* the plain text; may be secret */
    size_t size;
};

/* Opens the answer TEXT of a poll. ERR_INVALID: it is no such message, or was not encrypted with KEY; ERR_LIMIT. *RET is
 * the caller's; after an error it has the id, if that could be read, and no body. */
MUST_CHECK int envelope_open(struct slice text, const struct envelope_key *key,
                             struct envelope *ret, struct err *err);
/* HEAD is such a TEXT, which is cut off. False: its id is not in the first ENVELOPE_HEAD_MAX bytes. */
bool envelope_find_id(struct slice head, int64_t *ret);
void envelope_deinit(struct envelope *e); /* wipes it; also one that is all zero */

/* The key in ANSWER, a session as the legacy queue makes it: encrypted for OURS, or plain, or none. Which hash it was
 * encrypted with the answer says, and not always truly: the other one is tried, too. */
MUST_CHECK int envelope_key_read(const json_t *answer, const struct rsa_key *ours,
                                 struct envelope_key *ret, struct err *err);

/* What the bodies say; texts are borrowed from DOC, which is the parsed body, and "" where they are missing. */
struct envelope_reference {
    const char *request_id, *service_url, *billing_owner;
    bool acknowledge;
};
void envelope_reference_read(const json_t *doc, struct envelope_reference *ret);

/* "00:05:00", "0.00:05:00.0000" ([-][d.]hh:mm:ss[.f]) in milliseconds; FALLBACK: it is none of that form, or less than
 * nothing. */
int64_t envelope_duration(const char *text, int64_t fallback);
