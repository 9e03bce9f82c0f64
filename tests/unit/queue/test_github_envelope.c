#include "queue/github/message/envelope.h"

#include "base/attr.h"
#include "queue/loose.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct envelope_key no_key;

static void open_it(const char *text, const struct envelope_key *key, struct envelope *ret)
{
    struct err err = ERR_INIT;

    cr_assert_eq(envelope_open(slice_of(text), key, ret, &err), ERR_OK, "%s: %s", text, err.text);
}

Test(envelope, the_kind_is_found_whatever_the_case_but_for_two)
{
    static const struct {
        const char *type;
        enum envelope_kind kind;
    } rows[] = {
        {"PipelineAgentJobRequest", ENVELOPE_JOB},
        {"pipelineagentjobrequest", ENVELOPE_JOB},
        {"RunnerJobRequest", ENVELOPE_JOB_REFERENCE},
        {"JOBCANCELLATION", ENVELOPE_CANCEL},
        {"AgentRefresh", ENVELOPE_AGENT_REFRESH},
        {"RunnerRefresh", ENVELOPE_RUNNER_REFRESH},
        {"RunnerShutdown", ENVELOPE_SHUTDOWN},
        {"ForceTokenRefresh", ENVELOPE_NEW_TOKEN},
        {"forcetokenrefresh", ENVELOPE_OTHER},
        {"RunnerRefreshConfig", ENVELOPE_CONFIG_REFRESH},
        {"runnerrefreshconfig", ENVELOPE_OTHER},
        {"BrokerMigration", ENVELOPE_MIGRATION},
        {"JobMetadataMessage", ENVELOPE_OTHER},
    };
    char text[200];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct envelope e;

        snprintf(text, sizeof text, "{\"messageId\":1,\"messageType\":\"%s\",\"body\":\"{}\"}",
                 rows[i].type);
        open_it(text, &no_key, &e);
        cr_assert_eq(e.kind, rows[i].kind, "%s: %d", rows[i].type, (int)e.kind);
        cr_assert_str_eq(e.type, rows[i].type);
        cr_assert_str_eq(e.body, "{}");
        envelope_deinit(&e);
        cr_assert_null(e.body);
    }
}

Test(envelope, ids_are_any_number_of_64_bits_or_missing)
{
    struct envelope e;

    open_it("{\"messageId\":-2147483648,\"messageType\":\"x\"}", &no_key, &e);
    cr_assert(e.has_id && e.id == -2147483648LL);
    envelope_deinit(&e);
    open_it("{\"MessageID\":8123456789012345678,\"messagetype\":\"x\",\"body\":null}", &no_key, &e);
    cr_assert(e.has_id && e.id == 8123456789012345678LL);
    cr_assert_eq(e.size, 0);
    envelope_deinit(&e);
    open_it("{\"messageType\":\"x\"}", &no_key, &e);
    cr_assert(!e.has_id);
    envelope_deinit(&e);
}

Test(envelope, nonsense_is_an_error_and_no_message)
{
    static const char *const rows[] = {"",
                                       "<html></html>",
                                       "[]",
                                       "{}",
                                       "{\"messageType\":7}",
                                       "{\"messageType\":\"\"}",
                                       "{\"messageType\":\"x\""};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct envelope e = {0};
        struct err err = ERR_INIT;

        cr_assert_eq(envelope_open(slice_of(rows[i]), &no_key, &e, &err), ERR_INVALID, "%s",
                     rows[i]);
        cr_assert_null(e.body);
    }
}

Test(envelope, the_id_is_found_in_the_beginning_of_one)
{
    static const struct {
        const char *head;
        bool found;
        int64_t id;
    } rows[] = {
        {"{\"messageId\":12,\"body\":\"xx", true, 12},
        {"\xEF\xBB\xBF{ \"messageType\" : \"a\\\"{\", \"MessageID\" : -7 , \"body\":\"", true, -7},
        {"{\"messageId\":\"8123456789012345678\",\"iv\"", true, 8123456789012345678LL},
        {"{\"a\":{\"messageId\":1},\"b\":[\"messageId\",2],\"messageId\":3}", true, 3},
        {"{\"a\":\"messageId\",\"messageId\":4,", true, 4},
        {"{\"messageId\":12", false, 0}, /* or more */
        {"{\"messageId\":", false, 0},
        {"{\"messageId\":null,", false, 0},
        {"{\"messageId\":99999999999999999999,", false, 0},
        {"{\"body\":\"messageId\\\":5,", false, 0},
        {"{\"body\":\"\\", false, 0},
        {"\"messageId\":6,", false, 0},
        {"", false, 0},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t id = 0;

        cr_expect_eq(envelope_find_id(slice_of(rows[i].head), &id), rows[i].found, "%s",
                     rows[i].head);
        cr_expect_eq(id, rows[i].id, "%s", rows[i].head);
    }
}

/* Made with OpenSSL's own command: openssl enc -aes-256-cbc -K 0001..1f -iv 1011..1f of a byte order mark and
 * {"jobId":"j"}. */
static const char encrypted[] =
    "{\"messageId\":3,\"messageType\":\"JobCancellation\",\"iv\":\"EBESExQVFhcYGRobHB0eHw==\","
    "\"body\":\"w70FyeTGRdCBLQe0Hc1wk53RZVOKw79P90AWk3jSw5Y=\"}";

static struct envelope_key counting_key(void)
{
    struct envelope_key k = {.used = true};

    for (size_t i = 0; i < sizeof k.bytes; i++)
        k.bytes[i] = (unsigned char)i;
    return k;
}

Test(envelope, an_encrypted_body_is_opened_and_its_mark_taken_off)
{
    struct envelope_key key = counting_key();
    struct envelope e;

    open_it(encrypted, &key, &e);
    cr_assert_str_eq(e.body, "{\"jobId\":\"j\"}");
    cr_assert_eq(e.size, strlen(e.body));
    envelope_deinit(&e);
}

Test(envelope, what_cannot_be_opened_is_refused)
{
    static const char *const rows[] = {
        "{\"messageType\":\"x\",\"iv\":\"AAAA\",\"body\":\"AAAA\"}",
        "{\"messageType\":\"x\",\"iv\":\"EBESExQVFhcYGRobHB0eHw==\",\"body\":\"AAAA\"}",
        "{\"messageType\":\"x\",\"iv\":\"EBESExQVFhcYGRobHB0eHw==\",\"body\":\"!!\"}",
        "{\"messageType\":\"x\",\"iv\":\"EBESExQVFhcYGRobHB0eHxAREhM=\",\"body\":\"\"}",
    };
    struct envelope_key key = counting_key();

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct envelope e = {0};
        struct err err = ERR_INIT;

        cr_assert_eq(envelope_open(slice_of(rows[i]), &key, &e, &err), ERR_INVALID, "%s", rows[i]);
    }
}

Test(envelope, a_session_without_a_key_or_with_a_plain_one)
{
    struct envelope_key k;
    struct err err = ERR_INIT;
    CLEANUP(loose_freep) json_t *none = json_pack("{s:s}", "sessionId", "x");
    CLEANUP(loose_freep)
    json_t *plain = json_pack("{s:{s:b, s:s}}", "encryptionKey", "encrypted", 0, "value",
                              "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    CLEANUP(loose_freep)
    json_t *shorter = json_pack("{s:{s:s}}", "encryptionKey", "value", "AAECAwQFBgc=");

    cr_assert_eq(envelope_key_read(none, NULL, &k, &err), ERR_OK);
    cr_assert(!k.used);
    cr_assert_eq(envelope_key_read(plain, NULL, &k, &err), ERR_OK, "%s", err.text);
    cr_assert(k.used);
    cr_assert_eq(k.bytes[31], 31);
    cr_assert_eq(envelope_key_read(shorter, NULL, &k, &err), ERR_INVALID);
}

Test(envelope, durations_have_days_fractions_and_nonsense)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {{"00:05:00", 300000},
                {"0.00:05:00.0000", 300000},
                {"1.02:03:04", 93784000},
                {"00:00:01.5", 1000},
                {"", -1},
                {"5", -1},
                {"-00:05:00", -1},
                {"00:05:00x", -1},
                {"a.00:05:00", -1}};

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_assert_eq(envelope_duration(rows[i].text, -1), rows[i].ms, "%s: %ld", rows[i].text,
                     (long)envelope_duration(rows[i].text, -1));
}
