#include "job/container/container_def.h"

#include "base/buf.h"

#include <criterion/criterion.h>

static struct arena arena = ARENA_INIT;
static struct container_def def;

static void leave(void)
{
    container_def_deinit(&def);
    arena_deinit(&arena);
}

TestSuite(container_def, .fini = leave);

static int read_def(const char *alias, const char *text, struct err *err)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

    cr_assert(json, "%s", text);
    int r = container_def_read(&arena, alias, json, &def, err);
    json_decref(json);
    return r;
}

static void must_read(const char *alias, const char *text)
{
    struct err err = ERR_INIT;

    cr_assert_eq(read_def(alias, text, &err), ERR_OK, "%s: %s", text, err.text);
}

/* The arguments as one text, each in angle brackets. */
static const char *joined(const char *const *args)
{
    struct buf text = BUF_INIT(1 << 16);

    for (; *args; args++)
        buf_printf(&text, "<%s>", *args);
    const char *ret = arena_str(&arena, buf_slice(&text));
    buf_deinit(&text);
    return ret;
}

static const char *created(const struct container_setting *more)
{
    struct container_setting s = more ? *more : (struct container_setting){0};

    s.name = "n";
    s.label = "ostler=1";
    s.network = "net";
    s.env_file = "/env";
    return joined(container_create_args(&arena, &def, &s));
}

Test(container_def, a_text_is_the_image)
{
    must_read(NULL, "\"docker://node:20 \"");
    cr_expect_str_eq(def.image, "node:20");
    cr_expect_str_eq(def.options, "");
    cr_expect_null(def.ports[0]);
    cr_expect_str_eq(created(NULL), "<create><--name><n><--label><ostler=1><--network><net>"
                                    "<--env-file></env><node:20>");
}

Test(container_def, nothing_is_no_image)
{
    must_read("db", "null");
    cr_expect_str_eq(def.image, "");
    must_read("db", "{\"image\": null}");
    cr_expect_str_eq(def.image, "");
}

Test(container_def, everything_comes_to_its_place)
{
    must_read(
        "db",
        "{\"image\": \"docker://acme.io/db:1\", \"ports\": [5432, \"80:8080/tcp\"], "
        "\"volumes\": [\"/a:/b:ro\", \"c\"], \"env\": {\"A\": 1, \"B\": true, \"C\": \"\"}, "
        "\"credentials\": {\"username\": \"u\", \"password\": \"p\"}, "
        "\"options\": \"--cpus 1\", \"entrypoint\": \"/run\", \"command\": \"-x \\\"y z\\\"\"}");
    cr_expect_str_eq(def.username, "u");
    cr_expect_str_eq(def.password, "p");
    cr_expect_str_eq(strmap_get(&def.env, "A"), "1");
    cr_expect_str_eq(strmap_get(&def.env, "B"), "true");
    cr_expect_str_eq(strmap_get(&def.env, "C"), "");
    cr_expect_str_eq(created(NULL),
                     "<create><--name><n><--label><ostler=1><--network><net><--network-alias><db>"
                     "<-p><5432><-p><80:8080/tcp><--cpus><1><--env-file></env><-v></a:/b:ro><-v><c>"
                     "<--entrypoint></run><acme.io/db:1><-x><y z>");
}

/* Row 11 of the contract's list of what implementers get wrong. */
Test(container_def, single_quotes_in_options_do_not_quote)
{
    static const struct {
        const char *options, *wanted;
    } rows[] = {
        {"--health-cmd 'pg_isready -U x'", "<--health-cmd><'pg_isready><-U><x'>"},
        {"--health-cmd \\\"pg_isready -U x\\\" --tmpfs /t",
         "<--health-cmd><pg_isready -U x><--tmpfs></t>"},
        {"  --init   --hostname=a\\\" \\\"b ", "<--init><--hostname=a b>"},
        {"--label $(id);`id`", "<--label><$(id);`id`>"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *text =
            arena_printf(&arena, "{\"image\": \"i\", \"options\": \"%s\"}", rows[i].options);

        container_def_deinit(&def);
        must_read(NULL, text);
        cr_expect(strstr(created(NULL), rows[i].wanted), "%s: %s", rows[i].options, created(NULL));
    }
}

Test(container_def, the_runner_s_own_program_comes_before_the_workflow_s)
{
    struct container_setting s = {
        .workdir = "/__w/a/a",
        .mounts = (const char *const[]){"/host:/__w", NULL},
        .program = (const char *const[]){"/init", "/socket", NULL},
        .limits = (const char *const[]){"--cpus", "1", NULL},
    };

    must_read(NULL, "{\"image\": \"i\", \"entrypoint\": \"/run\", \"command\": \"x\", \"options\": "
                    "\"--cpus 2\"}");
    cr_expect_str_eq(created(&s),
                     "<create><--name><n><--label><ostler=1><--workdir></__w/a/a>"
                     "<--network><net><--cpus><2><--cpus><1><--env-file></env><-v></host:/__w>"
                     "<--entrypoint></init><i></socket>");
}

Test(container_def, what_is_no_text_is_named)
{
    static const struct {
        const char *alias, *text, *wanted;
    } rows[] = {
        {"db", "[1]", "service 'db': `image` has to be a text"},
        {"db", "{\"image\": \"i\", \"ports\": [[1]]}", "service 'db': `ports` has to be a text"},
        {NULL, "{\"image\": \"i\", \"env\": {\"A\": {}}}", "`container`: `A` has to be a text"},
        {NULL, "{\"image\": \"i\", \"options\": [\"a\"]}",
         "`container`: `options` has to be a text"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;

        cr_expect_eq(read_def(rows[i].alias, rows[i].text, &err), ERR_INVALID, "%s", rows[i].text);
        cr_expect_str_eq(err.text, rows[i].wanted);
    }
}

Test(container_def, registries_are_told_from_folders)
{
    static const char *const rows[][2] = {
        {"postgres:15", ""},          {"library/postgres", ""}, {"ghcr.io/a/b:1", "ghcr.io"},
        {"host:5000/a", "host:5000"}, {"a/b/c", "a"},           {"localhost/a", ""},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_expect_str_eq(container_registry(&arena, rows[i][0]), rows[i][1], "%s", rows[i][0]);
}

/* Row 11 of the contract's list, too: names begin with a random id, not with the alias. */
Test(container_def, names_are_made_of_what_engines_allow)
{
    const char *id = "0123456789abcdef0123456789abcdef";

    cr_expect_str_eq(container_name(&arena, id, "ghcr.io/a-b/c_d:1.2", "abcdef"),
                     "0123456789abcdef0123456789abcdef_ghcrioabc_d12_abcdef");
    cr_expect_str_eq(container_name(&arena, NULL, "1image:2", "abcdef99"), "image2_abcdef");
}

Test(container_def, ports_are_read_by_what_is_inside)
{
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"", "{}"},
        {"5432/tcp -> 0.0.0.0:49153\n5432/tcp -> [::]:49154\n", "{\"5432\": \"49153\"}"},
        {"5432/tcp -> 0.0.0.0:49153\n5432/tcp -> :::49154\n", "{\"5432\": \"49153\"}"},
        {"5432/tcp -> [::]:49154\n5432/tcp -> 0.0.0.0:49153\n", "{\"5432\": \"49153\"}"},
        {"5432/tcp -> [::1]:49154\n", "{\"5432\": \"49154\"}"},
        {"5432/tcp -> 0.0.0.0:1\n5432/udp -> 0.0.0.0:2\n", "{\"5432\": \"2\"}"},
        {"80/tcp -> :8080\n81/tcp ->:1\n82 -> \n", "{\"80\": \"8080\"}"},
        {"80/tcp -> 0.0.0.0:8080\n53/udp -> 127.0.0.1:53", "{\"80\": \"8080\", \"53\": \"53\"}"},
        {"nonsense\n/ -> :1\n80/tcp\n", "{}"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        json_t *ports = container_ports_read(slice_of(rows[i].text));
        char *text = json_dumps(ports, 0);

        cr_expect_str_eq(text, rows[i].wanted);
        free(text);
        json_decref(ports);
    }
}

Test(container_def, volumes_come_apart_for_hooks)
{
    static const struct {
        const char *text, *source, *target;
        bool read_only;
    } rows[] = {
        {"/a:/b", "/a", "/b", false}, {"/a:/b:ro", "/a", "/b", true},   {"/b", "", "/b", false},
        {"/b:ro", "", "/b", true},    {"name:/b", "name", "/b", false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        json_t *json = container_volume_json(rows[i].text);

        cr_expect_str_eq(json_string_value(json_object_get(json, "sourceVolumePath")),
                         rows[i].source, "%s", rows[i].text);
        cr_expect_str_eq(json_string_value(json_object_get(json, "targetVolumePath")),
                         rows[i].target, "%s", rows[i].text);
        cr_expect_eq(json_is_true(json_object_get(json, "readOnly")), rows[i].read_only, "%s",
                     rows[i].text);
        json_decref(json);
    }
}

/* Row 18 of the contract's list: there is no `contextName`. */
Test(container_def, hooks_are_told_all_of_a_container)
{
    must_read("web",
              "{\"image\": \"docker://ghcr.io/a/b:1\", \"credentials\": {\"username\": \"u\", "
              "\"password\": \"p\"}, \"env\": {\"A\": \"b\"}, \"ports\": [80], \"volumes\": "
              "[\"/a:/b\"], \"options\": \"--cpus 1\", \"entrypoint\": \"/e\", \"command\": "
              "\"x \\\"y z\\\"\"}");
    json_t *json = container_def_json(&def);
    char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);

    cr_expect_str_eq(
        text,
        "{\"createOptions\":\"--cpus 1\",\"dockerfile\":null,\"entryPoint\":\"/e\","
        "\"entryPointArgs\":[\"x\",\"y z\"],\"environmentVariables\":{\"A\":\"b\"},"
        "\"image\":\"ghcr.io/a/b:1\",\"portMappings\":[\"80\"],\"registry\":{\"password\":\"p\","
        "\"serverUrl\":\"ghcr.io\",\"username\":\"u\"},\"userMountVolumes\":[{\"readOnly\":false,"
        "\"sourceVolumePath\":\"/a\",\"targetVolumePath\":\"/b\",\"userProvidedValue\":"
        "\"/a:/b\"}]}");
    free(text);
    json_decref(json);
}
