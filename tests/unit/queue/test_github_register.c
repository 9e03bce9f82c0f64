#include "queue/github/enrol/register.h"

#include "kit/scratch.h"
#include "kit/server.h"
#include "queue/github/api/rest.h"
#include "queue/github/settings.h"
#include "queue/loose.h"

#include <criterion/criterion.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- a server that plays a script: each request has to be the next one ---- */

struct line { /* "H" in a text is the server's own address */
    const char *request, *authorization;
    const char *body[4]; /* parts of it, in their order */
    const char *status, *answer;
};

static const struct line *script;
static char *unexpected; /* shared with the server: what came instead */
static char address[100];

static struct loop *loop;
static struct http *client;

static void enter(void)
{
    struct err err = ERR_INIT;

    scratch_enter();
    unexpected = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
    cr_assert_eq(http_new(&(struct http_spec){.retry_ms = 10}, loop, &client, &err), ERR_OK);
}

static void leave(void)
{
    http_free(client);
    loop_free(loop);
    server_stop();
    scratch_leave();
}

TestSuite(github_register, .init = enter, .fini = leave);

/* TEXT with H as it is. */
static void fill(const char *text, const char *own, char *to, size_t size)
{
    size_t len = 0;

    for (; *text && len + 1 < size; text++) {
        if (strncmp(text, "H/", 2) == 0)
            len += (size_t)snprintf(to + len, size - len, "%s", own);
        else
            to[len++] = *text;
    }
    to[len < size ? len : size - 1] = '\0';
}

static void play(int fd, const struct server_request *q)
{
    const struct line *now = &script[q->nth];
    const char *host = strstr(q->head, "Host: ");
    char own[100], text[4000], answer[4000];
    const char *missing = NULL, *at = q->body;

    snprintf(own, sizeof own, "http://%.*s", (int)strcspn(host + 6, "\r\n"), host + 6);
    snprintf(text, sizeof text, "%s HTTP/1.1\r\n", now->request ? now->request : "nothing");
    if (strncmp(q->head, text, strlen(text)) != 0)
        missing = text;
    snprintf(answer, sizeof answer, "Authorization: %s\r\n",
             now->request && now->authorization ? now->authorization : "");
    if (!missing && !strstr(q->head, answer))
        missing = answer;
    for (size_t i = 0; !missing && i < COUNT_OF(now->body) && now->body[i]; i++) {
        fill(now->body[i], own, text, sizeof text);
        at = strstr(at, text);
        if (!at)
            missing = text;
    }
    if (missing) {
        snprintf(unexpected, 4000, "request %d: no '%.900s' in '%.1500s|%.1500s'", q->nth, missing,
                 q->head, q->body);
        server_answer(fd, "418 Off Script", "", "", 0);
        return;
    }
    fill(now->answer, own, answer, sizeof answer);
    server_answer(fd, now->status, "", answer, strlen(answer));
}

static int n_lines(void)
{
    int n = 0;

    while (script[n].request)
        n++;
    return n;
}

static void was_played(const char *why)
{
    cr_assert_str_empty(unexpected, "%s", unexpected);
    cr_assert_eq(server_count(), n_lines(), "%d of %d requests came: %s", server_count(), n_lines(),
                 why);
}

static struct github_register_spec spec_of(const struct line *lines)
{
    static char url[140];

    script = lines;
    snprintf(address, sizeof address, "%s", server_start(play));
    snprintf(url, sizeof url, "%s/acme/widgets/", address);
    return (struct github_register_spec){.http = client,
                                         .loop = loop,
                                         .url = url,
                                         .token = "REG1",
                                         .name = "t 1",
                                         .work_folder = "_work",
                                         .version = "2.336.0",
                                         .retry_ms = 10};
}

static struct github_settings *registered(const struct github_register_spec *spec, json_t **files)
{
    struct github_settings *s = NULL;
    struct registration *r = NULL;
    struct err err = ERR_INIT;

    int failed = github_register(spec, files, &err);
    was_played(err.text);
    cr_assert_eq(failed, ERR_OK, "%s", err.text);
    cr_assert_eq(registration_memory("m", json_deep_copy(*files), &r, &err), ERR_OK, "%s",
                 err.text);
    cr_assert_eq(github_settings_load(r, false, &s, &err), ERR_OK, "%s", err.text);
    registration_free(r);
    return s;
}

static void fails(const struct github_register_spec *spec, int code, const char *why)
{
    json_t *files = NULL;
    struct err err = ERR_INIT;
    int r = github_register(spec, &files, &err);

    was_played(err.text);
    cr_expect_eq(r, code, "%d: %s", r, err.text);
    cr_expect(strstr(err.text, why), "'%s' has no '%s'", err.text, why);
    cr_expect_null(strstr(err.text, "REG1"));
    cr_expect_null(files);
}

/* ---- the two ways ---- */

#define LOOKUP(event, more)                                                                        \
    {                                                                                              \
        "POST /api/v3/actions/runner-registration", "RemoteAuth REG1",                             \
            {"{\"url\":\"H/acme/widgets\",\"runner_event\":\"" event "\"}"}, "200 OK",             \
            "{\"url\":\"H/tenant/"                                                                 \
            "\",\"token_schema\":\"OAuthAccessToken\",\"token\":\"TENANT1\"" more "}"              \
    }
#define CONNECT                                                                                    \
    {                                                                                              \
        "GET /tenant/_apis/connectionData?connectOptions=1&lastChangeId=-1&lastChangeId64=-1",     \
            "Bearer TENANT1", {NULL}, "200 OK",                                                    \
            "{\"locationServiceData\":{\"serviceDefinitions\":[]}}"                                \
    }
#define POOLS                                                                                      \
    {                                                                                              \
        "GET /tenant/_apis/distributedtask/pools?poolType=Automation", "Bearer TENANT1", {NULL},   \
            "200 OK",                                                                              \
            "{\"count\":3,\"value\":[{\"id\":2,\"name\":\"GitHub Actions\",\"isHosted\":true,"     \
            "\"isInternal\":true},{\"id\":1,\"name\":\"Default\",\"isHosted\":false,"              \
            "\"isInternal\":true},{\"id\":5,\"name\":\"Big\",\"isHosted\":false}]}"                \
    }
#define AGENTS(answer)                                                                             \
    {                                                                                              \
        "GET "                                                                                     \
        "/tenant/_apis/distributedtask/pools/0/agents?agentName=t%201&includeCapabilities=False",  \
            "Bearer TENANT1", {NULL}, "200 OK", answer                                             \
    }
#define NONE "{\"count\":0,\"value\":[]}"
#define AUTHORIZATION                                                                              \
    "\"authorization\":{\"clientId\":\"11111111-2222-4333-8444-555555555555\","                    \
    "\"authorizationUrl\":\"H/oauth/token\"}"
#define V2                                                                                         \
    "\"properties\":{\"RequireFipsCryptography\":{\"$type\":\"System.Boolean\","                   \
    "\"$value\":false},\"UseV2Flow\":{\"$type\":\"System.Boolean\",\"$value\":true},"              \
    "\"ServerUrlV2\":{\"$type\":\"System.String\",\"$value\":\"H/broker/\"}}"

Test(github_register, goes_to_the_tenant)
{
    static const struct line lines[] = {
        LOOKUP("register", ""),
        CONNECT,
        POOLS,
        AGENTS(NONE),
        {"POST /tenant/_apis/distributedtask/pools/1/agents",
         "Bearer TENANT1",
         {"{\"id\":0,\"name\":\"t 1\",\"version\":\"2.336.0\",\"osDescription\":\"Linux ",
          "\"ephemeral\":true,\"disableUpdate\":true,\"maxParallelism\":1,\"status\":0,"
          "\"provisioningState\":\"Provisioned\",\"createdOn\":\"0001-01-01T00:00:00\","
          "\"labels\":[{\"id\":0,\"name\":\"self-hosted\",\"type\":\"system\"},"
          "{\"id\":0,\"name\":\"Linux\",\"type\":\"system\"},",
          "{\"id\":0,\"name\":\"gpu\",\"type\":\"user\"}],",
          "\"authorization\":{\"publicKey\":{\"exponent\":\"AQAB\",\"modulus\":\""},
         "201 Created",
         "{\"id\":7,\"name\":\"t1\",\"ephemeral\":true,\"disableUpdate\":true," AUTHORIZATION "," V2
         "}"},
        {NULL}};
    static const char *const labels[] = {"gpu", "LINUX", "GPU", NULL};
    struct github_register_spec spec = spec_of(lines);
    json_t *files = NULL;
    char want[140];

    spec.labels = labels;
    spec.ephemeral = true;
    struct github_settings *s = registered(&spec, &files);
    cr_assert_eq(s->agent_id, 7);
    cr_assert_str_eq(s->agent_name, "t1");
    cr_assert_eq(s->pool_id, 1);
    cr_assert_str_eq(s->pool_name, "Default");
    snprintf(want, sizeof want, "%s/acme/widgets", address);
    cr_assert_str_eq(s->github_url, want);
    snprintf(want, sizeof want, "%s/tenant/", address);
    cr_assert_str_eq(s->server_url, want);
    snprintf(want, sizeof want, "%s/broker/", address);
    cr_assert_str_eq(s->server_url_v2, want);
    snprintf(want, sizeof want, "%s/oauth/token", address);
    cr_assert_str_eq(s->token_url, want);
    cr_assert(s->use_v2 && s->ephemeral && s->disable_update);
    cr_assert_not(s->is_hosted || s->use_runner_admin || s->fips);
    cr_assert_not_null(s->key);
    loose_wipe(files);
    github_settings_free(s);
}

#define AGENT(body)                                                                                \
    {                                                                                              \
        "POST /tenant/_apis/distributedtask/pools/1/agents", "Bearer TENANT1", {NULL}, "200 OK",   \
            body                                                                                   \
    }
#define TAKE_BACK                                                                                  \
    {                                                                                              \
        "DELETE /tenant/_apis/distributedtask/pools/0/agents/7", "Bearer TENANT1", {NULL},         \
            "204 No Content", ""                                                                   \
    }

Test(github_register, proves_its_key_where_the_old_queue_is_used)
{
    static const struct line lines[] = {
        LOOKUP("register", ""),
        CONNECT,
        POOLS,
        AGENTS(NONE),
        AGENT("{\"id\":7,\"name\":\"t1\",\"disableUpdate\":true," AUTHORIZATION "}"),
        {NULL}};
    struct line all[7] = {{0}};
    json_t *files = NULL;
    struct err err = ERR_INIT;

    memcpy(all, lines, sizeof lines);
    struct github_register_spec spec = spec_of(all);
    /* The one request more is off this script, so it ends as a refusal: the agent is taken back. */
    cr_assert_eq(github_register(&spec, &files, &err), ERR_DENIED, "%s", err.text);
    cr_assert(strstr(unexpected, "request 6"), "%s", unexpected);
    cr_assert(strstr(unexpected, "DELETE /tenant/_apis/distributedtask/pools/0/agents/7"), "%s",
              unexpected);
}

Test(github_register, replaces_a_runner_of_its_name_when_it_may)
{
    static const struct line lines[] = {
        LOOKUP("register", ""),
        CONNECT,
        POOLS,
        AGENTS("{\"count\":1,\"value\":[{\"id\":9,\"name\":\"t 1\"}]}"),
        {"PUT /tenant/_apis/distributedtask/pools/5/agents/9",
         "Bearer TENANT1",
         {"{\"id\":9,"},
         "200 OK",
         "{\"id\":9,\"disableUpdate\":\"True\"," AUTHORIZATION "," V2 "}"},
        {NULL}};
    struct github_register_spec spec = spec_of(lines);
    json_t *files = NULL;

    spec.replace = true;
    spec.group = "big";
    struct github_settings *s = registered(&spec, &files);
    cr_assert_eq(s->agent_id, 9);
    cr_assert_eq(s->pool_id, 5);
    cr_assert_str_eq(s->pool_name, "Big");
    cr_assert_str_eq(s->agent_name, "t 1");
    loose_wipe(files);
    github_settings_free(s);
}

#define GROUPS                                                                                     \
    {                                                                                              \
        "GET /api/v3/repos/acme/widgets/actions/runner-groups", "RemoteAuth REG1", {NULL},         \
            "200 OK",                                                                              \
            "{\"total_count\":2,\"runner_groups\":[{\"id\":3,\"name\":\"Hosted\",\"default\":"     \
            "true,"                                                                                \
            "\"is_hosted\":true},{\"id\":4,\"name\":\"Default\",\"default\":true}]}"               \
    }

Test(github_register, goes_to_the_rest_interface_when_it_is_told_to)
{
    static const struct line lines[] = {
        LOOKUP("register", ",\"use_v2_flow\":true"),
        GROUPS,
        {"GET /api/v3/repos/acme/widgets/actions/runners?name=t%201",
         "RemoteAuth REG1",
         {NULL},
         "200 OK",
         "{\"total_count\":1,\"runners\":[{\"id\":8,\"name\":\"t 12\"}]}"},
        {"POST /api/v3/actions/runners/register",
         "RemoteAuth REG1",
         {"{\"url\":\"H/acme/widgets\",\"group_id\":4,\"name\":\"t 1\",\"version\":\"2.336.0\","
          "\"updates_disabled\":true,\"ephemeral\":false,\"labels\":[{\"id\":0,"
          "\"name\":\"only\",\"type\":\"user\"}],",
          "\"public_key\":\"<RSAKeyValue><Modulus>",
          "</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>\"}"},
         "201 Created",
         "{\"id\":7,\"name\":\"t1\",\"authorization\":{\"authorization_url\":\"H/new\","
         "\"legacy_authorization_url\":\"H/old\",\"server_url\":\"H/broker/\","
         "\"client_id\":\"c\"}}"},
        {NULL}};
    static const char *const labels[] = {"only", NULL};
    struct github_register_spec spec = spec_of(lines);
    json_t *files = NULL;
    char want[140];

    spec.labels = labels;
    spec.no_default_labels = true;
    struct github_settings *s = registered(&spec, &files);
    cr_assert(s->use_v2 && s->use_runner_admin && s->fips);
    cr_assert_eq(s->pool_id, 4);
    snprintf(want, sizeof want, "%s/old", address);
    cr_assert_str_eq(s->authorization_url, want);
    const json_t *data = loose_find(json_object_get(files, ".credentials"), "data");
    snprintf(want, sizeof want, "%s/new", address);
    cr_assert_str_eq(loose_text(data, "authorizationUrlV2"), want);
    cr_assert(loose_bool(data, "enableAuthMigrationByDefault", false));
    cr_assert(json_is_string(json_object_get(data, "enableAuthMigrationByDefault")));
    loose_wipe(files);
    github_settings_free(s);
}

Test(github_register, shows_the_other_token_when_the_first_is_refused)
{
    static const struct line lines[] = {
        LOOKUP("register", ",\"use_v2_flow\":true"),
        {"GET /api/v3/repos/acme/widgets/actions/runner-groups",
         "RemoteAuth REG1",
         {NULL},
         "403 Forbidden",
         "{\"message\":\"no\"}"},
        {"GET /api/v3/repos/acme/widgets/actions/runner-groups",
         "Bearer TENANT1",
         {NULL},
         "404 Not Found",
         "{\"message\":\"no\"}"},
        {"GET /api/v3/repos/acme/widgets/actions/runners?name=t%201",
         "RemoteAuth REG1",
         {NULL},
         "200 OK",
         "{\"total_count\":1,\"runners\":[{\"id\":8,\"name\":\"T 1\"}]}"},
        {NULL}};
    struct github_register_spec spec = spec_of(lines);

    fails(&spec, ERR_INVALID, "a runner exists with the same name 't 1'");
}

Test(github_register, takes_a_personal_access_token)
{
    static const struct line lines[] = {
        {"POST /api/v3/repos/acme/widgets/actions/runners/registration-token",
         "basic Z2l0aHViOlBBVDE=",
         {NULL},
         "201 Created",
         "{\"token\":\"REG1\",\"expires_at\":\"2026-08-20T10:00:00Z\"}"},
        LOOKUP("register", ""),
        CONNECT,
        POOLS,
        AGENTS(NONE),
        AGENT("{\"id\":7,\"disableUpdate\":true," AUTHORIZATION "," V2 "}"),
        {NULL}};
    struct github_register_spec spec = spec_of(lines);
    json_t *files = NULL;

    spec.token = NULL;
    spec.pat = "PAT1";
    github_settings_free(registered(&spec, &files));
    loose_wipe(files);
}

/* ---- what can be wrong ---- */

Test(github_register, says_what_is_wrong_before_it_asks_anybody)
{
    static const struct line nothing[] = {{NULL}};
    static const char *const bad_label[] = {"a\nb", NULL}, *const list[] = {"a,b", NULL};
    struct github_register_spec spec = spec_of(nothing), one = spec;

    one.name = "";
    fails(&one, ERR_INVALID, "choose one with --name");
    one = spec;
    one.no_default_labels = true;
    fails(&one, ERR_INVALID, "--labels");
    one.labels = bad_label;
    fails(&one, ERR_INVALID, "is no label");
    one.labels = list;
    fails(&one, ERR_INVALID, "'a,b' is no label");
    one = spec;
    one.url = "https://github.com/";
    fails(&one, ERR_INVALID, "https://github.com/OWNER/REPO");
}

Test(github_register, says_what_the_server_does_not_like)
{
    static const struct {
        const char *status, *answer;
        int code;
        const char *why;
    } rows[] = {
        {"404 Not Found", "{\"message\":\"Not Found\"}", ERR_DENIED, "check the address"},
        {"401 Unauthorized", "{\"message\":\"Bad credentials\"}", ERR_DENIED, "older than an hour"},
        {"403 Forbidden", "{\"message\":\"no\"}", ERR_DENIED, "not allowed to (no)"},
        {"422 Unprocessable", "{\"message\":\"Invalid url\"}", ERR_FAILED, "Invalid url"},
        {"200 OK", "<html>log in</html>", ERR_FAILED, "a page for people"},
        {"404 Not Found", "<html></html>", ERR_DENIED, "check the address"},
        {"302 Found", "", ERR_FAILED, "sends us on to"},
        {"200 OK", "{}", ERR_FAILED, "does not say where its runner service is"},
        {"200 OK", "{\"url\":\"http://evil.example/t/\",\"token\":\"T\"}", ERR_FAILED,
         "not properly configured"},
        {"200 OK", "{\"url\":\"http://evil-127.0.0.1/t/\",\"token\":\"T\"}", ERR_FAILED,
         "not properly configured"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct line lines[] = {{"POST /api/v3/actions/runner-registration",
                                      "RemoteAuth REG1",
                                      {NULL},
                                      rows[i].status,
                                      rows[i].answer},
                                     {NULL}};
        struct github_register_spec spec = spec_of(lines);

        fails(&spec, rows[i].code, rows[i].why);
        server_stop();
    }
}

Test(github_register, tries_again_while_the_server_is_busy)
{
    static const struct line busy = {
        "POST /api/v3/actions/runner-registration", "RemoteAuth REG1", {NULL}, "503 Busy", ""};
    const struct line lines[] = {busy, busy, busy, {NULL}};
    struct github_register_spec spec = spec_of(lines);

    fails(&spec, ERR_FAILED, "503");
}

Test(github_register, names_the_groups_that_there_are)
{
    static const struct line lines[] = {LOOKUP("register", ""), CONNECT, POOLS, {NULL}};
    struct github_register_spec spec = spec_of(lines);

    spec.group = "GitHub Actions";
    fails(&spec, ERR_INVALID, "no runner group 'GitHub Actions': there is 'Default', 'Big'");
}

static bool refuse(void *ctx, const char *name)
{
    *(bool *)ctx = true;
    cr_assert_str_eq(name, "t 1");
    return false;
}

Test(github_register, asks_before_it_replaces)
{
    static const struct line lines[] = {LOOKUP("register", ""),
                                        CONNECT,
                                        POOLS,
                                        AGENTS("{\"count\":1,\"value\":[{\"id\":9}]}"),
                                        {NULL}};
    struct github_register_spec spec = spec_of(lines);
    bool asked = false;

    spec.may_replace = refuse;
    spec.ctx = &asked;
    fails(&spec, ERR_INVALID, "--replace");
    cr_assert(asked);
}

Test(github_register, takes_back_what_the_server_cannot_do)
{
    static const struct {
        const char *agent;
        int code;
        const char *why;
    } rows[] = {
        {"{\"id\":7,\"disableUpdate\":true,\"ephemeral\":false," AUTHORIZATION "," V2 "}",
         ERR_UNSUPPORTED, "--ephemeral"},
        {"{\"id\":7,\"ephemeral\":true," AUTHORIZATION "," V2 "}", ERR_UNSUPPORTED, "too old"},
        {"{\"id\":7,\"ephemeral\":true,\"disableUpdate\":true," V2 "}", ERR_FAILED,
         "how this runner gets tokens"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct line lines[] = {LOOKUP("register", ""), CONNECT,   POOLS, AGENTS(NONE),
                                     AGENT(rows[i].agent),   TAKE_BACK, {NULL}};
        struct github_register_spec spec = spec_of(lines);

        spec.ephemeral = true;
        fails(&spec, rows[i].code, rows[i].why);
        server_stop();
    }
}

static int keep_nothing(void *ctx, const json_t *files, struct err *err)
{
    *(int *)ctx += 1;
    cr_expect_not_null(json_object_get(files, ".runner"));
    return err_set(err, ERR_SYS, "the disk is full");
}

#define TAKE_BACK_ADMIN(authorization, status)                                                     \
    {                                                                                              \
        "DELETE /api/v3/repos/acme/widgets/actions/runners/7", authorization, {NULL}, status, ""   \
    }
#define NO_GROUPS                                                                                  \
    {                                                                                              \
        "GET /api/v3/repos/acme/widgets/actions/runner-groups", "RemoteAuth REG1", {NULL},         \
            "404 Not Found", ""                                                                    \
    }
#define RUNNERS                                                                                    \
    {                                                                                              \
        "GET /api/v3/repos/acme/widgets/actions/runners?name=t%201", "RemoteAuth REG1", {NULL},    \
            "200 OK", "{\"runners\":[]}"                                                           \
    }
#define ADDED(authorization)                                                                       \
    {                                                                                              \
        "POST /api/v3/actions/runners/register", "RemoteAuth REG1", {NULL}, "201 Created",         \
            "{\"id\":7,\"name\":\"t 1\",\"authorization\":{" authorization "}}"                    \
    }
#define WHOLE                                                                                      \
    "\"authorization_url\":\"H/oauth/token\",\"server_url\":\"H/broker/\",\"client_id\":\"c1\""
#define EXCHANGE(kind, token)                                                                      \
    {                                                                                              \
        "POST /api/v3/repos/acme/widgets/actions/runners/" kind "-token",                          \
            "basic Z2l0aHViOlBBVDE=", {NULL}, "201 Created", "{\"token\":\"" token "\"}"           \
    }

static void note_it(void *ctx, const char *text)
{
    (void)ctx;
    cr_expect_not_null(strstr(text, "removed by hand"), "%s", text);
}

/* Half an answer: the runner is there, and nobody knows its number. */
#define HALF(first, last)                                                                          \
    LOOKUP("register", ""), CONNECT, POOLS, AGENTS(NONE), AGENT("{\"id\":"),                       \
        AGENTS("{\"count\":1,\"value\":[{\"id\":7,\"name\":\"t 1\"}]}"),                           \
    {                                                                                              \
        "PUT /tenant/_apis/distributedtask/pools/1/agents/7", "Bearer TENANT1", {"{\"id\":7,"},    \
            first, last                                                                            \
    }

Test(github_register, finds_the_runner_again_that_it_was_not_told_of)
{
    static const struct line lines[] = {
        HALF("200 OK", "{\"id\":7,\"disableUpdate\":\"True\"," AUTHORIZATION "," V2 "}"), {NULL}};
    struct github_register_spec spec = spec_of(lines);
    json_t *files = NULL;
    struct github_settings *s = registered(&spec, &files);

    cr_assert_eq(s->agent_id, 7);
    github_settings_free(s);
    json_decref(files);
}

Test(github_register, takes_back_the_runner_that_it_was_not_told_of)
{
    static const struct line lines[] = {
        HALF("403 Forbidden", "{\"message\":\"no\"}"), TAKE_BACK, {NULL}};
    struct github_register_spec spec = spec_of(lines);

    fails(&spec, ERR_DENIED, "the token is not allowed to (no)");
}

Test(github_register, takes_back_what_the_rest_interface_gave)
{
    static const struct line half[] = {LOOKUP("register", ",\"use_v2_flow\":true"),
                                       NO_GROUPS,
                                       RUNNERS,
                                       ADDED("\"client_id\":\"c1\""),
                                       TAKE_BACK_ADMIN("RemoteAuth REG1", "401 No"),
                                       TAKE_BACK_ADMIN("Bearer TENANT1", "204 No Content"),
                                       {NULL}};
    static const struct line whole[] = {LOOKUP("register", ",\"use_v2_flow\":true"),
                                        NO_GROUPS,
                                        RUNNERS,
                                        ADDED(WHOLE),
                                        TAKE_BACK_ADMIN("RemoteAuth REG1", "403 No"),
                                        TAKE_BACK_ADMIN("Bearer TENANT1", "403 No"),
                                        {NULL}};
    static const struct line with_pat[] = {EXCHANGE("registration", "REG1"),
                                           LOOKUP("register", ",\"use_v2_flow\":true"),
                                           NO_GROUPS,
                                           RUNNERS,
                                           ADDED(WHOLE),
                                           EXCHANGE("remove", "REM1"),
                                           TAKE_BACK_ADMIN("RemoteAuth REM1", "204 No Content"),
                                           {NULL}};
    struct github_register_spec spec = spec_of(half);
    int kept = 0;

    fails(&spec, ERR_FAILED, "how this runner gets tokens");
    server_stop();
    spec = spec_of(whole);
    spec.keep = keep_nothing;
    spec.keep_ctx = &kept;
    spec.note = note_it;
    fails(&spec, ERR_SYS, "the disk is full");
    server_stop();
    spec = spec_of(with_pat);
    spec.token = NULL;
    spec.pat = "PAT1";
    spec.keep = keep_nothing;
    spec.keep_ctx = &kept;
    fails(&spec, ERR_SYS, "the disk is full");
    cr_assert_eq(kept, 2);
}

Test(github_register, takes_back_from_the_tenant_what_cannot_be_kept)
{
    static const struct line lines[] = {
        LOOKUP("register", ""),
        CONNECT,
        POOLS,
        AGENTS(NONE),
        AGENT("{\"id\":7,\"ephemeral\":true,\"disableUpdate\":true," AUTHORIZATION "," V2 "}"),
        TAKE_BACK,
        {NULL}};
    struct github_register_spec spec = spec_of(lines);
    int kept = 0;

    spec.keep = keep_nothing;
    spec.keep_ctx = &kept;
    fails(&spec, ERR_SYS, "the disk is full");
    cr_assert_eq(kept, 1);
}

/* ---- removing ---- */

static struct registration *made(bool admin)
{
    char url[140], tenant[140];
    struct registration *r = NULL;
    struct err err = ERR_INIT;

    snprintf(url, sizeof url, "%s/acme/widgets", address);
    snprintf(tenant, sizeof tenant, "%s/tenant/", address);
    json_t *files =
        json_pack("{s:{s:i, s:s, s:s, s:s, s:b}, s:{s:s, s:{s:s}}}", ".runner", "agentId", 7,
                  "agentName", "t1", "gitHubUrl", url, "serverUrl", tenant, "useRunnerAdminFlow",
                  admin, ".credentials", "scheme", "OAuthAccessToken", "data", "token", "T");
    cr_assert_eq(registration_memory("m", files, &r, &err), ERR_OK, "%s", err.text);
    return r;
}

static void removes(const struct line *lines, bool admin, int code, const char *why)
{
    struct github_register_spec spec = spec_of(lines);
    struct registration *r = made(admin);
    struct err err = ERR_INIT;

    cr_expect_eq(github_unregister(r, &spec, &err), code, "%s", err.text);
    was_played(err.text);
    cr_expect(strstr(err.text, why), "'%s' has no '%s'", err.text, why);
    registration_free(r);
    server_stop();
}

#define FIND(answer)                                                                               \
    {                                                                                              \
        "GET /tenant/_apis/distributedtask/pools/0/agents?agentName=t1", "Bearer TENANT1", {NULL}, \
            "200 OK", answer                                                                       \
    }
#define DELETE(status)                                                                             \
    {                                                                                              \
        "DELETE /tenant/_apis/distributedtask/pools/0/agents/7", "Bearer TENANT1", {NULL}, status, \
            ""                                                                                     \
    }
#define DELETE_ADMIN(status)                                                                       \
    {                                                                                              \
        "DELETE /api/v3/repos/acme/widgets/actions/runners/7", "RemoteAuth REG1", {NULL}, status,  \
            ""                                                                                     \
    }

Test(github_register, removes_the_way_it_came)
{
    static const struct line tenant[] = {LOOKUP("remove", ""),
                                         CONNECT,
                                         FIND("{\"value\":[{\"id\":\"7\"}]}"),
                                         DELETE("204 No Content"),
                                         {NULL}};
    static const struct line gone[] = {
        LOOKUP("remove", ""), CONNECT, FIND("{\"value\":[{\"id\":8}]}"), {NULL}};
    static const struct line refused[] = {
        LOOKUP("remove", ""), CONNECT, FIND("{\"value\":[{\"id\":7}]}"), DELETE("403 No"), {NULL}};
    static const struct line admin[] = {DELETE_ADMIN("204 No Content"), {NULL}};
    static const struct line admin_gone[] = {DELETE_ADMIN("404 Not Found"), {NULL}};
    static const struct line admin_refused[] = {DELETE_ADMIN("401 No"), {NULL}};

    removes(tenant, false, ERR_OK, "");
    removes(gone, false, ERR_OK, "");
    removes(refused, false, ERR_DENIED, "cannot remove the runner");
    removes(admin, true, ERR_OK, "");
    removes(admin_gone, true, ERR_OK, "");
    removes(admin_refused, true, ERR_DENIED, "cannot remove the runner");
}

/* ---- places ---- */

Test(github_register, knows_where_the_rest_interface_is)
{
    static const struct {
        const char *url, *rest, *entity;
    } rows[] = {
        {"https://github.com/acme/widgets", "https://api.github.com", "repos/acme/widgets"},
        {" https://www.github.com/acme/ ", "https://api.github.com", "orgs/acme"},
        {"https://github.com/enterprises/acme", "https://api.github.com", "enterprises/acme"},
        {"https://acme.ghe.com/acme", "https://api.acme.ghe.com", "orgs/acme"},
        {"https://git.example:8443/acme/w", "https://git.example:8443/api/v3", "repos/acme/w"},
        {"http://127.0.0.1:1/acme", "http://127.0.0.1:1/api/v3", "orgs/acme"},
    };
    static const char *const bad[] = {
        "",
        "github.com/acme",
        "https://github.com",
        "https://github.com/",
        "https:///acme",
        "https://github.com//acme",
        "https://github.com/acme/widgets/actions",
        "https://user:pw@github.com/acme",
        "https://github.com/acme?x",
        "ftp://github.com/acme",
        "https://github.com/a b",
        "https://github.com/acme/widgets.git",
    };
    struct github_place p;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        cr_assert_eq(github_place_parse(rows[i].url, false, &p, &err), ERR_OK, "%s: %s",
                     rows[i].url, err.text);
        cr_expect_str_eq(p.rest, rows[i].rest);
        cr_expect_str_eq(p.entity, rows[i].entity);
        github_place_deinit(&p);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        cr_expect_eq(github_place_parse(bad[i], false, &p, &err), ERR_INVALID, "%s", bad[i]);
    cr_assert_eq(github_place_parse("https://github.com/acme", true, &p, &err), ERR_OK);
    cr_expect_str_eq(p.rest, "https://github.com/api/v3");
    github_place_deinit(&p);
}
