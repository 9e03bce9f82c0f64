/* What is found wrong with contracts, each given as the JSON of an install record. */
#include "plugin/contract.h"

#include "base/buf.h"

#include <criterion/criterion.h>
#include <fnmatch.h>

static struct plugin *plugin_of(const char *more)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(4096);
    struct plugin *p = NULL;
    struct err err = ERR_INIT;

    buf_printf(&text,
               "{\"schema\": 1, \"id\": \"a/b\", \"version\": \"1.0.0\", \"description\": \"d\","
               " \"phases\": [\"main\"], \"traits\": [\"effects-via-host\"]%s%s}",
               *more ? ", " : "", more);
    json_t *json = json_loads(text.ptr, 0, NULL);
    cr_assert_not_null(json, "%s", text.ptr);
    cr_assert_eq(plugin_from_json(json, &p, &err), ERR_OK, "%s: %s", more, err.text);
    json_decref(json);
    return p;
}

static void note(void *ctx, enum contract_part part, bool error, const char *text, const char *cure)
{
    static const char *const parts[] = {"tables", "descriptions", "against"};

    cr_assert(cure && *cure, "no cure for: %s", text);
    buf_printf(ctx, "%s %s: %s\n", error ? "error" : "note", parts[part], text);
}

static const struct {
    const char *contract, *findings; /* the latter a pattern */
} rows[] = {
    {"", ""},
    {"\"inputs\": [{\"name\": \"x\", \"type\": \"bool\", \"default\": \"maybe\", \"description\": "
     "\"d\"}]",
     "error tables: the input 'x' cannot be 'maybe'*(its default)\n"},
    {"\"inputs\": [{\"name\": \"x\", \"type\": \"int\", \"default\": \"1.5\", \"description\": "
     "\"d\"}]",
     "error tables: the input 'x' cannot be '1.5'*\n"},
    {"\"inputs\": [{\"name\": \"x\", \"type\": \"path\", \"default\": \"../up\", \"description\": "
     "\"d\"}]",
     "error tables: the input 'x' cannot be '../up'*\n"},
    {"\"inputs\": [{\"name\": \"x\", \"type\": \"choice\", \"choices\": [\"a\", \"b\"], "
     "\"default\": \"c\","
     " \"description\": \"d\"}]",
     "error tables: the input 'x' cannot be 'c': it must be one of 'a', 'b' (its default)\n"},
    {"\"inputs\": [{\"name\": \"x\", \"type\": \"choice\", \"choices\": [\"a\", \"\", \"a\"],"
     " \"description\": \"d\"}]",
     "error tables: the input 'x' has an empty choice\nerror tables: the input 'x' has the choice "
     "'a' "
     "twice\n"},
    {"\"inputs\": [{\"name\": \"x\", \"type\": \"string\", \"choices\": [\"a\"], \"description\": "
     "\"d\"}]",
     "error tables: the input 'x' is of type string and has choices*\n"},
    {"\"inputs\": [{\"name\": \"x\", \"type\": \"bool\", \"default\": \"${{ github.x }}\","
     " \"description\": \"d\"}]",
     ""},
    {"\"inputs\": [{\"name\": \"x\", \"type\": \"string\", \"default\": \"${{ 1 + }}\","
     " \"description\": \"d\"}]",
     "error tables: the default of the input 'x' is no expression: *\n"},
    {"\"inputs\": [{\"name\": \"x\", \"type\": \"string\", \"default\": \"a\", \"required\": true,"
     " \"description\": \"d\"}]",
     "note tables: the input 'x' is required and has a default*\n"},
    {"\"inputs\": [{\"name\": \"x\", \"type\": \"string\", \"default\": \"abc\", \"secret\": true,"
     " \"description\": \"d\"}]",
     "error tables: the secret input 'x' has its default in the object\n"},
    {"\"inputs\": [{\"name\": \"x\", \"type\": \"string\", \"default\": \"${{ github.token }}\","
     " \"secret\": true, \"description\": \"d\"}]",
     ""},
    {"\"inputs\": [{\"name\": \"Args\", \"type\": \"string\", \"description\": \"d\"}]",
     "error tables: the input 'Args' has a reserved name*\n"},
    {"\"post_if\": \"success() &&\"", "error tables: it has a post_if and no post phase\nerror "
                                      "tables: its post_if is no condition: *\n"},
    {"\"inputs\": [{\"name\": \"x\", \"type\": \"string\"}], \"outputs\": [{\"name\": \"y\"}]",
     "error descriptions: the input 'x' has no description\n"
     "error descriptions: the output 'y' has no description\n"},
};

Test(contract, finds_what_would_surprise_its_users)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_deinit) struct buf found = BUF_INIT(4096);
        struct plugin *p = plugin_of(rows[i].contract);

        contract_check(p, note, &found);
        cr_assert_eq(fnmatch(rows[i].findings, found.ptr, FNM_NOESCAPE), 0,
                     "%s: wanted '%s', found '%s'", rows[i].contract, rows[i].findings, found.ptr);
        plugin_free(p);
    }
}

static const char manifest[] = "name: b\n"
                               "description: d\n"
                               "inputs:\n"
                               "  same: {default: 'a'}\n"
                               "  number: {default: 10}\n"
                               "  truth: {default: true}\n"
                               "  token: {default: '${{ github.token }}'}\n"
                               "  none: {description: d}\n"
                               "  empty: {default: ''}\n"
                               "outputs:\n"
                               "  made: {description: d}\n"
                               "runs: {using: node20, main: x.js}\n";

#define STRING(name, more) "{\"name\": \"" name "\", \"type\": \"string\"" more "}"

static const struct {
    const char *contract, *findings;
} comparisons[] = {
    {"\"inputs\": [" STRING("SAME", ", \"default\": \"a\"") "," STRING(
         "number",
         ", "
         "\"default\": "
         "\"10\"") "," STRING("truth",
                              ", \"default\": \"true\"") "," STRING("token",
                                                                    ", \"default\": \"${{ "
                                                                    "github.token "
                                                                    "}}\"") "," STRING("none",
                                                                                       "") "," STRING("empt"
                                                                                                      "y",
                                                                                                      "") "], \"outputs\": [{\"name\": \"Made\"}]",
     ""},
    {"\"inputs\": [" STRING("same", ", \"default\": \"b\"") "," STRING("number", "") "," STRING(
         "truth",
         ", \"default\": \"false\"") "," STRING("none",
                                                ", \"required\": true") "," STRING("empty",
                                                                                   "") "," STRING("own",
                                                                                                  "") "]",
     "error against: the input 'same' has the default 'b', and that of the action has 'a'\n"
     "error against: the input 'number' has the default '', and that of the action has '10'\n"
     "error against: the input 'truth' has the default 'false', and that of the action has "
     "'true'\n"
     "error against: the action's input 'token' is missing\n"
     "error against: the input 'none' is required, and that of the action is not\n"
     "error against: the action's output 'made' is missing\n"
     "note against: the action has no input 'own'\n"},
};

Test(contract, is_held_against_the_action_that_it_replaces)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    struct diags diags = {.arena = &arena};
    struct action action;

    action_init(&action);
    cr_assert_eq(action_parse(&action, slice_of(manifest), "action.yml", &diags), ERR_OK);
    for (size_t i = 0; i < COUNT_OF(comparisons); i++) {
        CLEANUP(buf_deinit) struct buf found = BUF_INIT(4096);
        struct plugin *p = plugin_of(comparisons[i].contract);

        contract_against(p, &action, note, &found);
        cr_assert_str_eq(found.ptr, comparisons[i].findings);
        plugin_free(p);
    }
    action_deinit(&action);
    diags_deinit(&diags);
}
