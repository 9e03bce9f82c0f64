#include "phase.h"
#include "plugin/install.h"
#include "plugin/rules.h"

#include <criterion/criterion.h>
#include <fnmatch.h>

static struct plugin *plugin;

/* The contract as a record would hold it: no process needed. */
static void enter(void)
{
    static const char text[] =
        "{\"schema\":1,\"id\":\"acme/x\",\"version\":\"1.0.0\",\"phases\":[\"main\"],\"inputs\":["
        "{\"name\":\"text\",\"type\":\"string\"},"
        "{\"name\":\"must\",\"type\":\"string\",\"required\":true,\"default\":\"there\"},"
        "{\"name\":\"switch\",\"type\":\"bool\"},{\"name\":\"count\",\"type\":\"int\"},"
        "{\"name\":\"colour\",\"type\":\"choice\",\"choices\":[\"red\",\"green\"]},"
        "{\"name\":\"file\",\"type\":\"path\"},"
        "{\"name\":\"token\",\"type\":\"int\",\"secret\":true}]}";
    json_error_t why;
    json_t *json = json_loads(text, 0, &why);
    struct err err = ERR_INIT;

    cr_assert_not_null(json, "%s", why.text);
    cr_assert_eq(plugin_from_json(json, &plugin, &err), ERR_OK, "%s", err.text);
    json_decref(json);
}

static void leave(void)
{
    plugin = plugin_free(plugin);
}

TestSuite(inputs, .init = enter, .fini = leave);

static const struct plugin_places places = {
    .workspace = "/home/runner/work/app/app", .temp = "/home/runner/work/_temp", .home = "/root"};

static const struct {
    const char *name, *value;
    const char *want; /* the checked value; NULL: refused */
    const char *why;
} rows[] = {
    {"text", " \t two words\n ", "two words", NULL},
    {"TEXT", "x", "x", NULL},
    {"switch", "true", "true", NULL},
    {"switch", "True", "true", NULL},
    {"switch", "TRUE", "true", NULL},
    {"switch", "false", "false", NULL},
    {"switch", "False", "false", NULL},
    {"switch", "FALSE", "false", NULL},
    {"switch", "", "", NULL},
    {"switch", "yes", NULL,
     "the input 'switch' cannot be 'yes': it must be true or false (YAML 1.2 core *"},
    {"switch", "tRUE", NULL, "*true or false*"},
    {"switch", "1", NULL, "*true or false*"},
    {"count", "7", "7", NULL},
    {"count", " +007 ", "7", NULL},
    {"count", "-9223372036854775807", "-9223372036854775807", NULL},
    {"count", "9223372036854775808", NULL, "*whole number"},
    {"count", "1.5", NULL, "the input 'count' cannot be '1.5': it must be a whole number"},
    {"count", "+-1", NULL, "*whole number"},
    {"count", "0x10", NULL, "*whole number"},
    {"colour", "green", "green", NULL},
    {"colour", "Green", NULL,
     "the input 'colour' cannot be 'Green': it must be one of 'red', 'green'"},
    {"file", "src/a.c", "src/a.c", NULL},
    {"file", ".", ".", NULL},
    {"file", "a/../b", "a/../b", NULL},
    {"file", "..a", "..a", NULL},
    {"file", "..", NULL, "the input 'file' cannot be '..': it must be a path inside the workspace"},
    {"file", "a/../../b", NULL, "*inside the workspace"},
    {"file", "/home/runner/work/app/app/x", "/home/runner/work/app/app/x", NULL},
    {"file", "/home/runner/work/_temp/x", "/home/runner/work/_temp/x", NULL},
    {"file", "/home/runner/work/app/app/../../../../../etc/passwd", NULL, "*inside the workspace"},
    {"file", "/home/runner/work/app/apple", NULL, "*inside the workspace"},
    {"file", "/etc/passwd", NULL, "*inside the workspace"},
    {"token", "s3cr3t", NULL,
     "the input 'token' has a value that is not allowed: it must be a whole number"},
    {"must", "  ", NULL, "the input 'must' is required and has no value (*)"},
    {"unknown", "x", "", NULL}, /* ignored: nothing is set under that name */
};

Test(inputs, are_checked_and_made_plain)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(strmap_deinit) struct strmap given = STRMAP_INIT_NOCASE;
        CLEANUP(strmap_deinit) struct strmap got = STRMAP_INIT_NOCASE;
        struct err err = ERR_INIT;

        strmap_set(&given, SLICE("must"), SLICE("there"));
        strmap_set(&given, slice_of(rows[i].name), slice_of(rows[i].value));
        int r = plugin_check_inputs(plugin, &given, &places, &got, &err);
        cr_assert_eq(r, rows[i].want ? ERR_OK : ERR_INVALID, "%s='%s': %s", rows[i].name,
                     rows[i].value, err.text);
        if (!rows[i].want) {
            cr_assert_eq(fnmatch(rows[i].why, err.text, 0), 0, "%s='%s': %s", rows[i].name,
                         rows[i].value, err.text);
            continue;
        }
        cr_assert_eq(got.len, plugin->n_inputs, "every declared input is set, and no other");
        const char *value = strmap_get(&got, rows[i].name);
        cr_assert_str_eq(value ? value : "", rows[i].want, "%s", rows[i].name);
    }
}

Test(inputs, a_missing_required_input_is_an_error_and_no_crash)
{
    CLEANUP(strmap_deinit) struct strmap given = STRMAP_INIT_NOCASE;
    CLEANUP(strmap_deinit) struct strmap got = STRMAP_INIT_NOCASE;
    struct err err = ERR_INIT;

    cr_assert_eq(plugin_check_inputs(plugin, &given, &places, &got, &err), ERR_INVALID);
    strmap_set(&given, SLICE("must"), slice_make("a\0b", 3));
    cr_assert_eq(plugin_check_inputs(plugin, &given, &places, &got, &err), ERR_INVALID);
    cr_assert_str_eq(err.text, "the input 'must' has a NUL byte in it");
}

/* format(parse(x)) parses to the same contract */
Test(record, comes_back_as_it_was)
{
    struct plugin *again = NULL;
    struct err err = ERR_INIT;

    enter();
    json_t *a = plugin_to_json(plugin);
    cr_assert_eq(plugin_from_json(a, &again, &err), ERR_OK, "%s", err.text);
    json_t *b = plugin_to_json(again);
    cr_assert(json_equal(a, b));
    json_decref(a);
    json_decref(b);
    plugin_free(again);
    leave();
}

Test(record, contracts_that_cannot_be_are_refused)
{
#define HEAD "{\"schema\":1,\"id\":\"a/b\",\"version\":\"1.0.0\",\"phases\":[\"main\"]"
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"{\"schema\":2}", "it is not of schema 1"},
        {"{\"schema\":1,\"id\":\"ab\"}", "the id 'ab' is not of the form 'owner/name'"},
        {"{\"schema\":1,\"id\":\"../b\"}", "the id '../b' is not*"},
        {"{\"schema\":1,\"id\":\"a//b\"}", "the id*"},
        {"{\"schema\":1,\"id\":5}", "'id' is not a text"},
        {"{\"schema\":1,\"id\":\"a/b\",\"version\":\"1.0\"}",
         "the version '1.0' is not of the form '1.4.2'"},
        {HEAD ",\"inputs\":{}}", "'inputs' is not a list"},
        {HEAD ",\"inputs\":[{\"name\":\"a b\",\"type\":\"string\"}]}",
         "'a b' is no name for an input"},
        {HEAD ",\"inputs\":[{\"name\":\"a\",\"type\":\"float\"}]}", "input 'a' has a type that*"},
        {HEAD ",\"inputs\":[{\"name\":\"a\",\"type\":\"choice\"}]}",
         "input 'a' is a choice without choices"},
        {HEAD
         ",\"inputs\":[{\"name\":\"a\",\"type\":\"string\"},{\"name\":\"A\",\"type\":\"string\"}]}",
         "the input 'A' is declared twice"},
        {HEAD ",\"outputs\":[{\"name\":\"a\"},{\"name\":\"A\"}]}",
         "the output 'A' is declared twice"},
        {HEAD ",\"outputs\":[{}]}", "'' is no name for an output"},
        {HEAD ",\"sha256\":\"xyz\"}", "'sha256' is not a SHA-256 in hex"},
        {HEAD ",\"serves\":[1]}", "'serves' does not hold texts only"},
        {HEAD ",\"title\":\"a\\u0000b\"}", "*"},
    };

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        json_error_t why;
        json_t *json = json_loads(bad[i].text, JSON_ALLOW_NUL, &why);
        struct plugin *p = NULL;
        struct err err = ERR_INIT;

        cr_assert_not_null(json, "%s: %s", bad[i].text, why.text);
        cr_assert_lt(plugin_from_json(json, &p, &err), 0, "%s", bad[i].text);
        cr_assert_eq(fnmatch(bad[i].why, err.text, 0), 0, "%s: %s", bad[i].text, err.text);
        json_decref(json);
    }
}
