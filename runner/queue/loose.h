/* loose - JSON documents of servers and of other people's programs: a byte order mark in front, member names in any
 * case, numbers and booleans as texts.
 *
 * GitHub's services read and write that loosely (github-protocol.md 0.4): what one release calls "agentId", 7, the next
 * has as "AgentId", "7". */
#pragma once

#include "base/err.h"
#include "base/slice.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    LOOSE_VALUES_MAX = 1 << 20, /* of one document: each costs up to 150 bytes of memory */
};

/* Whether TEXT has more values than that: "[],[],..." is thirty times as large in memory. JSON of a server is asked this
 * before it is parsed. */
bool loose_is_large(struct slice text);

/* A whole document, of whatever kind its root is. ERR_INVALID: it is no JSON, with the place; nothing of the text, which
 * may be secret. ERR_LIMIT: it has too many values. *RET is the caller's. */
MUST_CHECK int loose_parse(struct slice text, json_t **ret, struct err *err);

/* The member of OBJECT that is called NAME, in exactly this case where there is one, else in any. NULL: there is none, it
 * is null, or OBJECT is no object (NULL is fine). Borrowed. */
json_t *loose_find(const json_t *object, const char *name);

/* Its value, if it has one of that kind: borrowed text, "" when there is none. A property bag's value, {"$type", "$value"},
 * counts as the value itself. */
const char *loose_text(const json_t *object, const char *name);
/* A number, or a text that is one in decimal; else FALLBACK. */
int64_t loose_int(const json_t *object, const char *name, int64_t fallback);
/* A boolean, or the words "true" and "false" in any case; else FALLBACK. */
bool loose_bool(const json_t *object, const char *name, bool fallback);

/* Overwrites all texts in JSON with zeroes and lets go of it: what held a key or a token. NULL does nothing. Whoever else
 * holds a part of it finds empty texts there. */
void loose_wipe(json_t *json);
void loose_wipep(json_t **json); /* for CLEANUP */
void loose_freep(json_t **json); /* the same without wiping */
