#include "queue/github/api/tenant.h"

#include <criterion/criterion.h>

static void asks(const struct tenant *t, const struct tenant_query *q, const char *url,
                 const char *accept)
{
    CLEANUP(tenant_request_deinit) struct tenant_request r;
    struct err err = ERR_INIT;

    cr_assert_eq(tenant_prepare(t, q, &r, &err), ERR_OK, "%s", err.text);
    cr_expect_str_eq(r.request.url, url);
    cr_expect_str_eq(r.request.method, q->method);
    cr_expect_str_eq(r.request.headers[0], "Authorization: Bearer T");
    cr_expect_str_eq(r.request.headers[1], accept);
    cr_expect_str_eq(r.request.headers[2], "X-TFS-FedAuthRedirect: Suppress");
}

static const struct tenant_query pools = {
    TENANT_POOLS, "GET", {{NULL, NULL}}, "poolType=Automation", "T"};
static const struct tenant_query message = {
    TENANT_MESSAGE, "DELETE", {{"poolId", "1"}, {"messageId", "-5"}}, "sessionId=x", "T"};

Test(tenant, knows_where_things_are_before_it_is_told)
{
    struct tenant *t = tenant_new("http://h/tenant");

    asks(t, &pools, "http://h/tenant/_apis/distributedtask/pools?poolType=Automation",
         "Accept: application/json; api-version=5.1-preview.1");
    asks(t, &message, "http://h/tenant/_apis/distributedtask/pools/1/messages/-5?sessionId=x",
         "Accept: application/json; api-version=5.1-preview.1");
    asks(t, &(struct tenant_query){TENANT_MESSAGES, "GET", {{"poolId", "1"}}, NULL, "T"},
         "http://h/tenant/_apis/distributedtask/pools/1/messages",
         "Accept: application/json; api-version=6.0-preview.1");
    asks(t,
         &(struct tenant_query){TENANT_ATTACHMENTS,
                                "PUT",
                                {{"hubName", "Actions"},
                                 {"planId", "p"},
                                 {"timelineId", "t"},
                                 {"recordId", "r"},
                                 {"name", "a b/c"}},
                                NULL,
                                "T"},
         "http://h/tenant/_apis/distributedtask/hubs/Actions/plans/p/timelines/t/records/r/"
         "attachments/a%20b%2Fc",
         "Accept: application/json; api-version=5.1-preview.1");
    tenant_free(t);
}

Test(tenant, says_the_version_of_what_it_sends_too)
{
    struct tenant *t = tenant_new("http://h/");
    struct tenant_query q = {TENANT_AGENTS, "POST", {{"poolId", "1"}}, NULL, "T"};
    CLEANUP(tenant_request_deinit) struct tenant_request r;
    struct err err = ERR_INIT;

    cr_assert_eq(tenant_prepare(t, &q, &r, &err), ERR_OK, "%s", err.text);
    cr_assert_str_eq(r.request.headers[3],
                     "Content-Type: application/json; charset=utf-8; api-version=6.0-preview.2");
    cr_assert_null(r.request.headers[4]);
    tenant_free(t);
}

Test(tenant, asks_for_the_places_with_no_version)
{
    struct tenant *t = tenant_new("http://h/t/");
    CLEANUP(tenant_request_deinit) struct tenant_request r;

    tenant_prepare_discovery(t, "T", &r);
    cr_assert_str_eq(
        r.request.url,
        "http://h/t/_apis/connectionData?connectOptions=1&lastChangeId=-1&lastChangeId64=-1");
    cr_assert_str_eq(r.request.headers[1], "Accept: application/json");
    tenant_free(t);
}

/* A definition of pools, with what ROW says about versions. */
static struct tenant *told(const char *more)
{
    struct tenant *t = tenant_new("http://h/t/");
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(4096);
    struct err err = ERR_INIT;

    buf_printf(&text,
               "{\"instanceId\": \"x\", \"LocationServiceData\": {\"serviceDefinitions\": ["
               "{\"serviceType\": \"distributedtask\", \"displayName\": \"pools\","
               " \"identifier\": \"A8C47E17-4d56-4a56-92bb-de7ea7dc65be\", %s}]}}",
               more);
    cr_assert_eq(tenant_learn(t, buf_slice(&text), &err), ERR_OK, "%s", err.text);
    return t;
}

Test(tenant, goes_where_the_server_says)
{
    static const struct {
        const char *more, *url, *version;
    } rows[] = {
        {"\"resourceVersion\": 1, \"relativePath\": \"/_apis/v1/{area}/{resource}/{poolId}\"",
         "http://h/t/_apis/v1/distributedtask/pools?poolType=Automation", "5.1-preview.1"},
        {"\"resourceVersion\": 1, \"relativePath\": \"p\", \"minVersion\": \"1.0\","
         " \"maxVersion\": \"6.0\", \"releasedVersion\": \"5.1\"",
         "http://h/t/p?poolType=Automation", "5.1-preview.1"},
        {"\"resourceVersion\": 1, \"relativePath\": \"p\", \"maxVersion\": \"4.0\","
         " \"releasedVersion\": \"4.0\"",
         "http://h/t/p?poolType=Automation", "4.0"},
        {"\"resourceVersion\": 1, \"relativePath\": \"p\", \"maxVersion\": \"4.0\","
         " \"releasedVersion\": \"3.2\"",
         "http://h/t/p?poolType=Automation", "4.0-preview"},
        {"\"resourceVersion\": 0, \"relativePath\": \"elsewhere\"",
         "http://h/t/_apis/distributedtask/pools?poolType=Automation", "5.1-preview.1"},
        {"\"resourceVersion\": 1, \"relativePath\": \"a?b\"",
         "http://h/t/_apis/distributedtask/pools?poolType=Automation", "5.1-preview.1"},
        {"\"resourceVersion\": 1, \"relativePath\": 7",
         "http://h/t/_apis/distributedtask/pools?poolType=Automation", "5.1-preview.1"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct tenant *t = told(rows[i].more);
        char accept[100];

        snprintf(accept, sizeof accept, "Accept: application/json; api-version=%s",
                 rows[i].version);
        asks(t, &pools, rows[i].url, accept);
        asks(t, &message, "http://h/t/_apis/distributedtask/pools/1/messages/-5?sessionId=x",
             "Accept: application/json; api-version=5.1-preview.1");
        tenant_free(t);
    }
}

Test(tenant, says_which_resource_the_server_has_given_up)
{
    struct tenant *t =
        told("\"resourceVersion\": 1, \"relativePath\": \"p\", \"minVersion\": \"7.0\"");
    struct tenant_request r;
    struct err err = ERR_INIT;

    cr_assert_eq(tenant_prepare(t, &pools, &r, &err), ERR_UNSUPPORTED);
    cr_assert(strstr(err.text, "version 5.1 of 'p'"), "%s", err.text);
    tenant_free(t);
}

Test(tenant, keeps_what_it_knows_when_the_answer_is_none)
{
    static const char *const bad[] = {"",
                                      "<html>",
                                      "[]",
                                      "{}",
                                      "{\"locationServiceData\": 1}",
                                      "{\"locationServiceData\": {\"serviceDefinitions\": {}}}"};
    struct tenant *t = tenant_new("http://h/tenant/");
    struct err err = ERR_INIT;

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        cr_expect_eq(tenant_learn(t, slice_of(bad[i]), &err), ERR_INVALID, "%s", bad[i]);
    asks(t, &pools, "http://h/tenant/_apis/distributedtask/pools?poolType=Automation",
         "Accept: application/json; api-version=5.1-preview.1");
    tenant_free(t);
}

Test(tenant, makes_no_address_that_is_too_long)
{
    struct tenant *t = tenant_new("http://h/");
    char *name = mem_new(TENANT_URL_MAX);
    struct tenant_request r;
    struct err err = ERR_INIT;

    memset(name, '/', TENANT_URL_MAX - 1);
    struct tenant_query q = {TENANT_POOLS, "GET", {{"poolId", name}}, NULL, "T"};
    cr_assert_eq(tenant_prepare(t, &q, &r, &err), ERR_LIMIT);
    free(name);
    tenant_free(t);
}
