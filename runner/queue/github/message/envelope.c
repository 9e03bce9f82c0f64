#include "queue/github/message/envelope.h"

#include "base/base64.h"
#include "base/num.h"
#include "queue/github/api/answer.h"
#include "queue/github/message/message.h"
#include "queue/loose.h"

#include <stdio.h>

static void wipe(struct buf *b)
{
    explicit_bzero(b->ptr, b->cap);
    buf_deinit(b);
}

/* Two of the names are compared as they are by the official runner (Runner.cs), all others in any case. */
static enum envelope_kind kind_of(const char *type)
{
    static const struct {
        const char *name;
        enum envelope_kind kind;
        bool exact;
    } kinds[] = {
        {"PipelineAgentJobRequest", ENVELOPE_JOB, false},
        {"RunnerJobRequest", ENVELOPE_JOB_REFERENCE, false},
        {"JobCancellation", ENVELOPE_CANCEL, false},
        {"AgentRefresh", ENVELOPE_AGENT_REFRESH, false},
        {"RunnerRefresh", ENVELOPE_RUNNER_REFRESH, false},
        {"RunnerShutdown", ENVELOPE_SHUTDOWN, false},
        {"ForceTokenRefresh", ENVELOPE_NEW_TOKEN, true},
        {"RunnerRefreshConfig", ENVELOPE_CONFIG_REFRESH, true},
        {"BrokerMigration", ENVELOPE_MIGRATION, false},
    };
    struct slice name = slice_of(type);

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct slice one = slice_of(kinds[i].name);

        if (kinds[i].exact ? slice_eq(one, name) : slice_eq_nocase(one, name))
            return kinds[i].kind;
    }
    return ENVELOPE_OTHER;
}

static int decrypt(const char *iv, const char *body, const struct envelope_key *key,
                   struct buf *plain, struct err *err)
{
    struct buf start CLEANUP(buf_deinit) = BUF_INIT(AES_BLOCK_SIZE);
    struct buf bytes CLEANUP(buf_deinit) = BUF_INIT(GITHUB_MESSAGE_READ_MAX + AES_BLOCK_SIZE);

    if (base64_decode(slice_of(iv), &start, err) < 0 || start.overflow ||
        start.len != AES_BLOCK_SIZE)
        return err_set(err, ERR_INVALID, "a message has no valid 'iv'");
    if (base64_decode(slice_of(body), &bytes, err) < 0)
        return err_in(err, "the body of a message");
    if (buf_check(&bytes, "a message", err) < 0)
        return err->code;
    return aes_decrypt(key->bytes, (const unsigned char *)start.ptr, buf_slice(&bytes), plain, err);
}

static struct slice without_mark(struct slice text)
{
    static const struct slice mark = SLICE_INIT("\xEF\xBB\xBF");

    return slice_starts(text, mark) ? slice_from(text, mark.len) : text;
}

static int open_body(const json_t *doc, const struct envelope_key *key, struct envelope *ret,
                     struct err *err)
{
    struct buf plain CLEANUP(wipe) = BUF_INIT(GITHUB_MESSAGE_READ_MAX + AES_BLOCK_SIZE);
    const char *iv = loose_text(doc, "iv"), *body = loose_text(doc, "body");
    struct slice text = slice_of(body);

    if (*iv && key->used) {
        if (decrypt(iv, body, key, &plain, err) < 0)
            return err->code;
        text = buf_slice(&plain);
    }
    text = without_mark(text);
    if (text.len > GITHUB_MESSAGE_READ_MAX)
        return err_set(err, ERR_LIMIT, "a message is larger than %d bytes",
                       (int)GITHUB_MESSAGE_READ_MAX);
    ret->body = mem_dup(text.len ? text.ptr : "", text.len);
    ret->size = text.len;
    return ERR_OK;
}

/* A wrong key shows in the plain text alone: the padding fits by chance, once in a while. */
static bool is_object(const struct envelope *e)
{
    return slice_starts(slice_trim(slice_make(e->body, e->size)), SLICE("{"));
}

int envelope_open(struct slice text, const struct envelope_key *key, struct envelope *ret,
                  struct err *err)
{
    CLEANUP(loose_wipep) json_t *doc = NULL;
    struct envelope e = {0};

    if (loose_parse(text, &doc, err) < 0)
        return err_in(err, "a message of the queue");
    e.has_id = loose_find(doc, "messageId") != NULL;
    e.id = loose_int(doc, "messageId", 0);
    *ret = e;
    const char *type = loose_text(doc, "messageType");
    if (!*type)
        return err_set(err, ERR_INVALID, "a message of the queue has no type");
    e.kind = kind_of(type);
    answer_line(slice_of(type), e.type, sizeof e.type);
    int r = open_body(doc, key, &e, err);
    if (r == ERR_OK && e.kind == ENVELOPE_JOB && !is_object(&e))
        r = err_set(err, ERR_INVALID, "it was not encrypted for this session, or is no job");
    if (r < 0 && e.body) {
        explicit_bzero(e.body, e.size);
        free(e.body);
        e.body = NULL;
        e.size = 0;
    }
    *ret = e;
    return r;
}

/* ---- the beginning of one ---- */

/* What is behind the text that begins with the quote in front of REST; *RET: that text, as it is written. */
static struct slice pass_text(struct slice rest, struct slice *ret)
{
    size_t end = 0;

    while (end < rest.len && rest.ptr[end] != '"')
        end += rest.ptr[end] == '\\' ? 2 : 1;
    *ret = slice_head(rest, end);
    return slice_from(rest, end < rest.len ? end + 1 : rest.len);
}

/* The number, or the text that is one, in front of REST. False: it is none, or it is cut off. */
static bool read_number(struct slice rest, int64_t *ret)
{
    struct err ignored = ERR_INIT;
    size_t len = 0;

    if (slice_starts(rest, SLICE("\"")))
        rest = slice_from(rest, 1);
    while (len < rest.len && strchr("-0123456789", rest.ptr[len]) && rest.ptr[len])
        len++;
    return len < rest.len &&
           num_parse_i64(slice_head(rest, len), INT64_MIN, INT64_MAX, ret, &ignored) == ERR_OK;
}

bool envelope_find_id(struct slice head, int64_t *ret)
{
    int depth = 0;

    head = slice_head(head, ENVELOPE_HEAD_MAX);
    while (head.len) {
        char c = head.ptr[0];
        struct slice name;

        head = slice_from(head, 1);
        depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
        if (c != '"')
            continue;
        head = pass_text(head, &name);
        struct slice value = slice_trim(head);
        if (depth == 1 && slice_starts(value, SLICE(":")) &&
            slice_eq_nocase(name, SLICE("messageId")))
            return read_number(slice_trim(slice_from(value, 1)), ret);
    }
    return false;
}

void envelope_deinit(struct envelope *e)
{
    if (e->body)
        explicit_bzero(e->body, e->size);
    free(e->body);
    *e = (struct envelope){0};
}

/* ---- the session's key ---- */

static int open_key(struct slice bytes, const json_t *answer, const struct rsa_key *ours,
                    struct buf *plain, struct err *err)
{
    enum rsa_hash said = loose_bool(answer, "useFipsEncryption", false) ? RSA_SHA256 : RSA_SHA1;
    enum rsa_hash other = said == RSA_SHA1 ? RSA_SHA256 : RSA_SHA1;
    struct err first = ERR_INIT;

    if (!ours)
        return err_set(err, ERR_INVALID, "this registration has no key");
    if (rsa_key_decrypt(ours, said, bytes, plain, &first) == ERR_OK)
        return ERR_OK;
    buf_clear(plain);
    return rsa_key_decrypt(ours, other, bytes, plain, err);
}

int envelope_key_read(const json_t *answer, const struct rsa_key *ours, struct envelope_key *ret,
                      struct err *err)
{
    const json_t *key = loose_find(answer, "encryptionKey");
    struct slice text = slice_of(loose_text(key, "value"));
    struct buf bytes CLEANUP(wipe) = BUF_INIT(RSA_KEY_SIZE);
    struct buf plain CLEANUP(wipe) = BUF_INIT(RSA_KEY_SIZE);
    struct buf *found = &bytes;

    *ret = (struct envelope_key){0};
    if (!text.len)
        return ERR_OK;
    if (base64_decode(text, &bytes, err) < 0 || buf_check(&bytes, "the session's key", err) < 0)
        return err_in(err, "the session's key");
    if (loose_bool(key, "encrypted", false)) {
        if (open_key(buf_slice(&bytes), answer, ours, &plain, err) < 0)
            return err_in(err, "the session's key is not for the key of this registration");
        found = &plain;
    }
    if (found->len != AES_KEY_SIZE)
        return err_set(err, ERR_INVALID, "the session's key has %zu bytes, not %d", found->len,
                       AES_KEY_SIZE);
    memcpy(ret->bytes, found->ptr, AES_KEY_SIZE);
    ret->used = true;
    return ERR_OK;
}

/* ---- bodies ---- */

void envelope_reference_read(const json_t *doc, struct envelope_reference *ret)
{
    *ret = (struct envelope_reference){
        .request_id = loose_text(doc, "runner_request_id"),
        .service_url = loose_text(doc, "run_service_url"),
        .billing_owner = loose_text(doc, "billing_owner_id"),
        .acknowledge = loose_bool(doc, "should_acknowledge", false),
    };
}

int64_t envelope_duration(const char *text, int64_t fallback)
{
    unsigned days = 0, hours, minutes, seconds;
    int end = 0;

    if (text[strspn(text, "0123456789:.")])
        return fallback;
    if (sscanf(text, "%3u.%2u:%2u:%2u%n", &days, &hours, &minutes, &seconds, &end) != 4) {
        days = 0;
        if (sscanf(text, "%2u:%2u:%2u%n", &hours, &minutes, &seconds, &end) != 3)
            return fallback;
    }
    if (text[end] && text[end] != '.')
        return fallback;
    return (((int64_t)days * 24 + hours) * 60 + minutes) * 60000 + (int64_t)seconds * 1000;
}
