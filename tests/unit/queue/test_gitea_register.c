#include "queue/gitea/register.h"

#include "queue/gitea/import.h"
#include "queue/gitea/labels.h"
#include "queue/gitea/settings.h"

#include "web.h"

TestSuite(gitea_register, .init = web_enter, .fini = web_leave);

/* ---- labels ---- */

Test(gitea_register, reads_labels_with_their_schemas)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    static const char *const texts[] = {"ubuntu-latest:docker://node:22", "metal:host", "plain",
                                        "short:docker:alpine:3", NULL};
    static const char *const bad[] = {
        "",         ":host",  "a b:host",         "x:docker", "x:docker://",
        "x:host:y", "x:vm:y", "x:lxc://debian:12"};
    const struct slice wanted[] = {SLICE("gpu"), SLICE("METAL"), SLICE("plain")};
    struct err err = ERR_INIT;
    struct label *labels;
    size_t n;

    cr_assert_eq(labels_parse(&a, texts, &labels, &n, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(n, 4);
    cr_expect_str_eq(labels[0].image, "node:22");
    cr_expect_eq(labels[1].place, LABEL_HOST);
    cr_expect_eq(labels[2].place, LABEL_HOST);
    cr_expect_str_eq(labels[3].image, "alpine:3");
    cr_expect_eq(labels_choose(labels, n, wanted, 3), &labels[1]);
    cr_expect_null(labels_choose(labels, n, wanted, 1));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        cr_expect_lt(label_parse(&a, bad[i], &labels[0], &err), 0, "%s", bad[i]);
    cr_expect_eq(
        labels_parse(&a, (const char *const[]){"a:host", "A:host", NULL}, &labels, &n, &err),
        ERR_INVALID);
}

/* ---- registering ---- */

static void good(int fd, const struct server_request *q)
{
    static const char runner[] =
        "{\"runner\":{\"id\":\"7\",\"uuid\":\"u-7\",\"token\":\"secret\",\"name\":\"r\"}}";

    if (strstr(q->head, "/Register ") &&
        (!strstr(q->body, "\"token\":\"REG\"") || !strstr(q->body, "\"labels\":[\"a\",\"b\"]") ||
         !strstr(q->body, "\"capabilities\":[\"cancelling\"]")))
        server_answer(fd, "500 Bad", "", q->body, q->body_size);
    else if (strstr(q->head, "/Ping "))
        server_answer(fd, "200 OK", "", "{}", 2);
    else if (strstr(q->head, "/Declare ") && !strstr(q->head, "x-runner-token: secret"))
        server_answer(fd, "500 Bad", "", "", 0);
    else
        server_answer(fd, "200 OK", "", runner, sizeof runner - 1);
}

static int try_at(const char *address, bool ephemeral, json_t **ret, const char **ret_note,
                  struct err *err)
{
    const struct gitea_register_spec spec = {
        .http = client,
        .loop = loop,
        .address = address,
        .token = "REG",
        .name = "r",
        .version = "1",
        .labels = (const char *const[]){"a:host", "b:docker://x", NULL},
        .ephemeral = ephemeral,
    };

    return gitea_register(&spec, ret, ret_note, err);
}

Test(gitea_register, keeps_what_the_server_gave_in_act_runners_form)
{
    struct gitea_settings s;
    struct err err = ERR_INIT;
    const char *note;
    char address[200];
    json_t *document;

    snprintf(address, sizeof address, " %s/git// ", server_start(good));
    cr_assert_eq(try_at(address, false, &document, &note, &err), ERR_OK, "%s", err.text);
    cr_expect_null(note);
    cr_expect_eq(json_integer_value(json_object_get(document, "id")), 7);
    cr_assert_eq(gitea_settings_read(document, &s, &err), ERR_OK, "%s", err.text);
    cr_expect(slice_ends(slice_of(s.address), SLICE("/git")));
    cr_expect_str_eq(s.uuid, "u-7");
    cr_expect_str_eq(s.token, "secret");
    cr_expect_eq(s.n_labels, 2);
    cr_expect_eq(s.capacity, 1);
    cr_expect_eq(s.fetch_interval_ms, 2000);
    cr_expect_not(s.ephemeral);
    gitea_settings_deinit(&s);
    json_decref(document);
}

Test(gitea_register, says_when_the_server_knows_no_ephemeral_runners)
{
    struct err err = ERR_INIT;
    const char *note;
    json_t *document;

    cr_assert_eq(try_at(server_start(good), true, &document, &note, &err), ERR_OK, "%s", err.text);
    cr_expect(note && strstr(note, "too old"));
    cr_expect(json_is_true(json_object_get(document, "ephemeral")));
    json_decref(document);
}

/* What the server answers to Register, in both dialects, and to Ping or Declare. */
static const struct {
    const char *method, *status, *body;
    int code;
    const char *text;
} troubles[] = {
    {"Ping", "404 Not Found", "404 page not found", ERR_UNSUPPORTED, "no service for runners"},
    {"Ping", "200 OK", "<html>welcome</html>", ERR_UNSUPPORTED, "no service for runners"},
    {"Ping", "302 Found", "", ERR_UNSUPPORTED, "sends us elsewhere"},
    {"Ping", "401 Unauthorized", "<html>", ERR_DENIED, "without a login"},
    {"Ping", "502 Bad Gateway", "<html>", ERR_SYS, "try again later"},
    {"Register", "500 X",
     "{\"code\":\"unknown\",\"message\":\"runner registration token not found\"}", ERR_DENIED,
     "refuses the registration token"},
    {"Register", "500 X",
     "{\"code\":\"unknown\",\"message\":\"runner registration token has been invalidated, please "
     "use the latest one\"}",
     ERR_DENIED, "please use the latest one"},
    {"Register", "500 X",
     "{\"code\":\"unknown\",\"message\":\"rpc error: code = Unauthenticated desc = no\"}",
     ERR_DENIED, "refuses the registration token: no"},
    {"Register", "401 X", "{\"code\":\"unauthenticated\",\"message\":\"no\"}", ERR_DENIED,
     "refuses the registration token: no"},
    {"Register", "404 X", "{\"code\":\"not_found\",\"message\":\"owner of the token not found\"}",
     ERR_DENIED, "refuses the registration token"},
    {"Register", "400 X",
     "{\"code\":\"invalid_argument\",\"message\":\"missing runner token, name\"}", ERR_FAILED,
     "missing runner token, name"},
    {"Register", "200 OK", "{}", ERR_FAILED, "without a runner's id and token"},
    {"Register", "200 OK", "<html>welcome</html>", ERR_SYS, "the runner 'r' there if"},
    {"Register", "404 Not Found", "404 page not found", ERR_UNSUPPORTED, "no service for runners"},
    {"Declare", "404 Not Found", "404 page not found", ERR_UNSUPPORTED, "too old"},
};
static size_t trouble;

static void troubled(int fd, const struct server_request *q)
{
    char want[40];

    snprintf(want, sizeof want, "/%s ", troubles[trouble].method);
    if (strstr(q->head, want))
        server_answer(fd, troubles[trouble].status, "", troubles[trouble].body,
                      strlen(troubles[trouble].body));
    else
        good(fd, q);
}

Test(gitea_register, says_what_is_wrong_and_what_helps)
{
    for (trouble = 0; trouble < COUNT_OF(troubles); trouble++) {
        struct err err = ERR_INIT;
        json_t *document = NULL;
        const char *note;

        cr_expect_eq(try_at(server_start(troubled), false, &document, &note, &err),
                     troubles[trouble].code, "row %zu: %s", trouble, err.text);
        cr_expect(strstr(err.text, troubles[trouble].text), "row %zu: %s", trouble, err.text);
        cr_expect_null(document);
        server_stop();
    }
}

static void undeclared(int fd, const struct server_request *q)
{
    if (strstr(q->head, "/Declare "))
        server_answer(fd, "503 Busy", "", "", 0);
    else
        good(fd, q);
}

Test(gitea_register, keeps_a_runner_that_was_made_but_could_not_be_declared)
{
    struct err err = ERR_INIT;
    json_t *document = NULL;
    const char *note = NULL;

    cr_assert_eq(try_at(server_start(undeclared), false, &document, &note, &err), ERR_OK, "%s",
                 err.text);
    cr_expect(note && strstr(note, "'ostler listen' tells them again"), "%s", note);
    json_decref(document);
}

Test(gitea_register, refuses_bad_words_before_anything_is_sent)
{
    struct gitea_register_spec spec = {.http = client, .loop = loop, .token = "REG", .name = "r"};
    const char *const labels[] = {"a:host", NULL}, *const bad[] = {"a:vm", NULL};
    struct err err = ERR_INIT;
    const char *note;
    json_t *document;

    spec.address = "git.example.com";
    spec.labels = labels;
    cr_expect_eq(gitea_register(&spec, &document, &note, &err), ERR_INVALID);
    cr_expect(strstr(err.text, "https://git.example.com"), "%s", err.text);
    spec.address = "http://127.0.0.1:1";
    spec.labels = bad;
    cr_expect_eq(gitea_register(&spec, &document, &note, &err), ERR_INVALID);
    spec.labels = NULL;
    cr_expect_eq(gitea_register(&spec, &document, &note, &err), ERR_INVALID);
    spec.labels = labels;
    spec.token = "";
    cr_expect_eq(gitea_register(&spec, &document, &note, &err), ERR_INVALID);
    spec.token = "REG";
    spec.name = "\xff";
    cr_expect_eq(gitea_register(&spec, &document, &note, &err), ERR_INVALID);
    spec.name = "r";
    cr_expect_eq(gitea_register(&spec, &document, &note, &err), ERR_SYS, "%s", err.text);
}

/* ---- settings ---- */

Test(gitea_register, reads_a_registration_that_act_runner_made)
{
    static const char text[] =
        "{\"WARNING\":\"x\",\"id\":42,\"uuid\":\"u\",\"name\":\"n\",\"token\":\"t\","
        "\"address\":\"http://h:3000/\",\"labels\":[\"ubuntu-latest:docker://node:16\"],"
        "\"ephemeral\":true,\"capacity\":3,\"env\":{\"A\":\"b\"},\"pull\":true,"
        "\"engine\":\"unix:///e\",\"containers\":{\"volumes\":[\"data\"],\"socket\":false}}";
    json_t *json = json_loads(text, 0, NULL);
    struct gitea_settings s;
    struct err err = ERR_INIT;

    cr_assert_eq(gitea_settings_read(json, &s, &err), ERR_OK, "%s", err.text);
    cr_expect_str_eq(s.address, "http://h:3000");
    cr_expect_eq(s.capacity, 3);
    cr_expect(s.ephemeral);
    cr_expect_str_eq(strmap_get(&s.env, "A"), "b");
    cr_expect(s.pull);
    cr_expect_str_eq(s.engine, "unix:///e");
    cr_expect_str_eq(json_string_value(json_object_get(s.containers, "file")), ".runner");
    cr_expect_eq(json_array_size(json_object_get(s.containers, "volumes")), 1);
    json_t *again = gitea_settings_write(&s, 42);
    cr_expect_str_eq(json_string_value(json_object_get(again, "token")), "t");
    cr_expect_str_eq(json_string_value(json_object_get(json_object_get(again, "env"), "A")), "b");
    json_decref(again);
    gitea_settings_deinit(&s);
    json_decref(json);
}

Test(gitea_register, names_the_member_of_a_registration_that_is_wrong)
{
    static const struct {
        const char *key, *value, *wanted;
    } rows[] = {{"address", "\"x\"", "'x' is no address"},
                {"address", "\"https://me:word@x\"", "leave user and password out"},
                {"uuid", "7", "'uuid' is no text: register this machine anew"},
                {"token", "\"a\\nb\"", "'token' is no text"},
                {"capacity", "0", "'capacity' is a number from 1"},
                {"capacity", "5000", "'capacity' is a number from 1"},
                {"labels", "[\"a:vm\"]", "label 'a:vm'"},
                {"labels", "[]", "no 'labels', so there would be no jobs"},
                {"fetch_interval_ms", "1", "'fetch_interval_ms' is a number"},
                {"env", "{\"a=b\":\"\"}", "'env'"},
                {"engine", "\"/var/run/docker.sock\"", "'engine' is where one is"},
                {"containers", "[]", "'containers' is an object"},
                {"containers", "{\"volume\":[]}", "'volume' is nothing that"},
                {"containers", "{\"volumes\":\"data\"}", "'volumes' lists names"},
                {"name", "\"\"", "'name' is no text"}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:[s]}", "uuid", "u", "name", "n", "token",
                                 "t", "address", "http://h", "labels", "a:host");
        struct gitea_settings s;
        struct err err = ERR_INIT;

        json_object_set_new(json, rows[i].key, json_loads(rows[i].value, JSON_DECODE_ANY, NULL));
        cr_expect_lt(gitea_settings_read(json, &s, &err), 0, "%s", rows[i].key);
        cr_expect(strstr(err.text, rows[i].wanted), "%s: %s", rows[i].key, err.text);
        json_decref(json);
    }
}

/* ---- importing ---- */

Test(gitea_register, takes_over_a_configuration_and_names_what_it_cannot)
{
    static const char text[] = "log:\n  level: debug\n"
                               "runner:\n  file: .runner2\n  capacity: 4\n  envs:\n    A: 1\n"
                               "  timeout: 1h30m\n  fetch_interval: 500ms\n  insecure: true\n"
                               "  labels:\n    - a:host\n    - b:docker://x\n"
                               "cache:\n  enabled: true\n  port: 0\n"
                               "container:\n  privileged: true\n  valid_volumes: []\n"
                               "  network_create_options:\n    enable_ipv6: true\n"
                               "new: {thing: 1}\n";
    static const char *const noted[] = {"log.level: ", "runner.insecure: ",
                                        "container.network_create_options.enable_ipv6: ", "new: "};
    struct gitea_import i;
    struct err err = ERR_INIT;

    cr_assert_eq(gitea_import_read(slice_of(text), "c.yaml", &i, &err), ERR_OK, "%s", err.text);
    cr_expect_str_eq(i.runner_file, ".runner2");
    cr_expect_str_eq(i.labels[1], "b:docker://x");
    cr_expect_null(i.labels[2]);
    cr_expect_eq(json_integer_value(json_object_get(i.extras, "capacity")), 4);
    cr_expect_eq(json_integer_value(json_object_get(i.extras, "timeout_ms")), 5400000);
    cr_expect_eq(json_integer_value(json_object_get(i.extras, "fetch_interval_ms")), 500);
    cr_expect_str_eq(json_string_value(json_object_get(json_object_get(i.extras, "env"), "A")),
                     "1");
    cr_assert_eq(i.notes.len, COUNT_OF(noted));
    for (size_t n = 0; n < COUNT_OF(noted); n++)
        cr_expect(slice_starts(slice_of(i.notes.ptr[n]), slice_of(noted[n])), "%s", i.notes.ptr[n]);
    gitea_import_deinit(&i);
}

/* What TEXT comes to: its members of .runner, and "note" with the first note. Good until the next call. */
static const char *imported(const char *text)
{
    static char said[1000];
    struct gitea_import i;
    struct err err = ERR_INIT;

    cr_assert_eq(gitea_import_read(slice_of(text), "c.yaml", &i, &err), ERR_OK, "%s", err.text);
    if (i.notes.len)
        json_object_set_new(i.extras, "note", json_string(i.notes.ptr[0]));
    size_t len = json_dumpb(i.extras, said, sizeof said - 1, JSON_COMPACT | JSON_SORT_KEYS);
    cr_assert_lt(len, sizeof said);
    said[len] = '\0';
    gitea_import_deinit(&i);
    return said;
}

/* Each comes to mean what it meant there, by what .runner says of containers and caches. */
Test(gitea_register, takes_over_what_containers_and_caches_are_given)
{
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"container: {valid_volumes: []}", "{\"containers\":{\"volumes\":[]}}"},
        {"container: {valid_volumes: [data, '/src/*.json', '**']}",
         "{\"containers\":{\"volumes\":[\"data\",\"/src/**.json\",\"**\"]}}"},
        {"container: {privileged: true, options: --add-host=a:b}",
         "{\"containers\":{\"add\":\"--privileged "
         "--add-host=a:b\",\"options\":[\"--privileged\"]}}"},
        {"container: {privileged: false, options: , network: ''}", "{}"},
        {"container: {network: host}", "{\"containers\":{\"network\":\"host\"}}"},
        {"container: {network: bridge}", "{\"containers\":{\"network\":\"bridge\"}}"},
        {"container: {network_mode: bridge}", "{}"},
        {"container: {force_pull: true, force_rebuild: true, bind_workdir: true}",
         "{\"pull\":true}"},
        {"container: {force_pull: false}", "{}"},
        {"container: {docker_host: '-'}", "{\"containers\":{\"socket\":false}}"},
        {"container: {docker_host: automount}", "{\"containers\":{\"socket\":true}}"},
        {"cache: {enabled: false}", "{\"env\":{\"ACTIONS_CACHE_URL\":\"\"}}"},
        {"cache: {enabled: true, external_server: 'http://c/'}\nrunner: {envs: {A: 1}}",
         "{\"env\":{\"A\":\"1\",\"ACTIONS_CACHE_URL\":\"http://c/\"}}"},
    };

    for (size_t n = 0; n < COUNT_OF(rows); n++)
        cr_expect_str_eq(imported(rows[n].text), rows[n].wanted, "%s: %s", rows[n].text,
                         imported(rows[n].text));
    cr_expect(
        strstr(imported("container: {docker_host: 'unix:///e.sock'}"),
               "{\"engine\":\"unix:///e.sock\",\"note\":\"container.docker_host: jobs are not"));
    cr_expect(
        strstr(imported("container: {docker_host: ''}"), "{\"note\":\"container.docker_host: "));
    cr_expect(
        strstr(imported("container: {valid_volumes: ['/a/{b,c}']}"), "'/a/{b,c}' is left out"));
}

Test(gitea_register, reads_the_file_of_an_environment)
{
    static const char text[] = "# a comment\n\nA=1\nexport B = two words # said\nC: 'sin#gle $x'\n"
                               "D=\"dou\\nble \\\"q\\\"\" # said\nE=\n";
    struct gitea_import i;
    struct err err = ERR_INIT;

    cr_assert_eq(gitea_import_read(SLICE("runner: {envs: {A: 0, Z: 9}, env_file: .env}"), "c.yaml",
                                   &i, &err),
                 ERR_OK, "%s", err.text);
    cr_assert_str_eq(i.env_file, ".env");
    cr_assert_eq(gitea_import_env(&i, slice_of(text), ".env", &err), ERR_OK, "%s", err.text);
    char *said = json_dumps(json_object_get(i.extras, "env"), JSON_COMPACT | JSON_SORT_KEYS);
    cr_expect_str_eq(said, "{\"A\":\"1\",\"B\":\"two words\",\"C\":\"sin#gle $x\","
                           "\"D\":\"dou\\nble \\\"q\\\"\",\"E\":\"\",\"Z\":\"9\"}");
    free(said);
    cr_expect_eq(gitea_import_env(&i, SLICE("A=1\nnothing\n"), ".env", &err), ERR_INVALID);
    cr_expect_str_eq(err.text, ".env:2: this is no NAME=VALUE");
    gitea_import_deinit(&i);
}

Test(gitea_register, refuses_a_configuration_with_line_and_column)
{
    static const char *const bad[] = {
        "- a\n",
        "runner: 7\n",
        "runner:\n  capacity: many\n",
        "runner:\n  timeout: soon\n",
        "runner:\n  labels: [a:vm]\n",
        "runner:\n  envs: [a]\n",
        "container:\n  privileged: perhaps\n",
        "container:\n  options: alpine\n",
        "container:\n  network: container:x\n",
        "container:\n  valid_volumes: /src\n",
        "runner: [\n",
    };

    for (size_t n = 0; n < COUNT_OF(bad); n++) {
        struct gitea_import i;
        struct err err = ERR_INIT;

        cr_expect_eq(gitea_import_read(slice_of(bad[n]), "c.yaml", &i, &err), ERR_INVALID);
        cr_expect(slice_starts(slice_of(err.text), SLICE("c.yaml:")), "%s", err.text);
    }
}
