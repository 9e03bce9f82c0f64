#include "lang/trigger.h"

#include "lang/schedule.h"

#include "base/buf.h"

#include <criterion/criterion.h>

/* ---- facts and workflows out of rows ---- */

static int zone_of(void *ctx, const char *name, const struct cron_zone **ret, struct err *err)
{
    static const struct cron_offset offsets[] = {{0, 7200}};
    static const struct cron_zone east = {offsets, 1};

    (void)ctx;
    if (strcmp(name, "Test/East") != 0)
        return err_set(err, ERR_NOT_FOUND, "there is no time zone '%s'", name);
    *ret = &east;
    return ERR_OK;
}

static const char *text_at(const json_t *row, const char *key)
{
    return json_string_value(json_object_get(row, key));
}

static struct trigger_facts facts_of(struct arena *a, const json_t *event)
{
    const json_t *changed = json_object_get(event, "changed");
    size_t fill = (size_t)json_integer_value(json_object_get(event, "fill"));
    size_t n = fill + json_array_size(changed);
    struct slice *files = arena_array(a, n + 1, sizeof *files);
    struct trigger_facts f = {
        .event = text_at(event, "name"),
        .activity = text_at(event, "action"),
        .ref = text_at(event, "ref"),
        .deleted = json_is_true(json_object_get(event, "deleted")),
        .message = text_at(event, "message"),
        .branch = text_at(event, "branch"),
        .workflow = text_at(event, "workflow"),
        .image = text_at(event, "image"),
        .image_version = text_at(event, "version"),
        .knows_changes = changed != NULL,
        .changed = files,
        .n_changed = n,
        .has_time = json_object_get(event, "at") != NULL,
        .zone = zone_of,
    };
    struct err err = ERR_INIT;

    for (size_t i = 0; i < n; i++)
        files[i] = i < fill ? slice_of(arena_printf(a, "fill/%03zu", i))
                            : slice_of(json_string_value(json_array_get(changed, i - fill)));
    if (f.has_time)
        cr_assert_eq(cron_stamp_parse(slice_of(text_at(event, "at")), &f.time, &err), ERR_OK);
    return f;
}

static void read_workflow(struct workflow *w, const char *text)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(diags_deinit) struct diags diags = {.arena = &a};

    workflow_init(w);
    int r = workflow_parse(w, slice_of(text), "ci.yml", &diags);
    cr_assert_eq(r, ERR_OK, "%s: %s", text,
                 diags.list.len ? diag_text(&a, &diags.list.ptr[0]) : "no finding");
}

/* JSON is YAML. */
static void workflow_of(struct workflow *w, const json_t *on)
{
    CLEANUP(free_ptr) char *json = json_dumps(on, JSON_ENCODE_ANY);
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;

    read_workflow(w, arena_printf(&a, "on: %s\njobs: {a: {runs-on: x}}\n", json));
}

static bool same(const char *wanted, const char *got)
{
    return strcmp(wanted ? wanted : "", got ? got : "") == 0;
}

static bool same_schedules(const json_t *wanted, const struct trigger_verdict *v)
{
    size_t n = v->starts ? v->n_schedules : 0;

    if (json_array_size(wanted) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!same(json_string_value(json_array_get(wanted, i)), v->schedules[i]))
            return false;
    return true;
}

static bool row_is_good(const json_t *row)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(workflow_deinit) struct workflow w;
    const char *no = text_at(row, "no"), *note = text_at(row, "note");

    workflow_of(&w, json_object_get(row, "on"));
    struct trigger_facts f = facts_of(&a, json_object_get(row, "event"));
    struct trigger_verdict v = trigger_decide(&a, &w, &f);

    if (v.starts == !no && same(no, v.reason) && same(note, v.note) &&
        same_schedules(json_object_get(row, "schedules"), &v) &&
        v.starts == (v.filter == TRIGGER_NOTHING))
        return true;
    cr_log_error("%s\n  wanted %s (%s)\n     got %s (%s)", text_at(row, "id"), no ? no : "a start",
                 note ? note : "no note", v.reason ? v.reason : "a start",
                 v.note ? v.note : "no note");
    return false;
}

Test(trigger, decides_as_github_does_and_says_why)
{
    json_error_t error;
    json_t *file = json_load_file(OSTLER_SOURCE_DIR "/tests/data/trigger/verdicts.json", 0, &error);
    json_t *row;
    size_t i, n_bad = 0;

    cr_assert(file, "%d: %s", error.line, error.text);
    json_array_foreach (json_object_get(file, "cases"), i, row) {
        n_bad += !row_is_good(row);
    }
    cr_assert_eq(n_bad, 0, "%zu of %zu rows are wrong", n_bad, i);
    cr_assert_gt(i, 60);
    json_decref(file);
}

/* ---- places ---- */

static const char document[] = "name: x\n"
                               "on:\n"
                               "  push:\n"
                               "    branches: [main]\n"
                               "    # of these\n"
                               "    paths:\n"
                               "      - 'frontend/**'\n"
                               "  pull_request:\n"
                               "jobs: {a: {runs-on: x}}\n";

static void says(const char *text, const struct trigger_facts *f, const char *wanted)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(workflow_deinit) struct workflow w;

    read_workflow(&w, text);
    struct trigger_verdict v = trigger_decide(&a, &w, f);
    const char *got = trigger_text(&a, f, &v, "ci.yml");

    cr_assert_str_eq(got ? got : "it starts", wanted);
}

Test(trigger, names_the_place_of_the_filter)
{
    static const struct slice files[] = {SLICE_INIT("a"), SLICE_INIT("b"), SLICE_INIT("c")};
    struct trigger_facts f = {.event = "push",
                              .ref = "refs/heads/main",
                              .knows_changes = true,
                              .changed = files,
                              .n_changed = 3};

    says(document, &f, "push: paths: none of 3 changed files matches 'frontend/**' (ci.yml:6:5)");
    f.ref = "refs/heads/x";
    says(document, &f, "push: branches: the branch 'x' does not match 'main' (ci.yml:4:5)");
    f.event = "pull_request";
    f.activity = "closed";
    says(document, &f,
         "pull_request: types: 'closed' is none of 'opened', 'synchronize', 'reopened', the types "
         "when none are given (ci.yml:8:3)");
    f.event = "issues";
    says(document, &f, "issues: it listens to 'push', 'pull_request' only (ci.yml:3:3)");
    f.event = "push";
    f.message = "[no ci]";
    says(document, &f, "push: the message of the commit at the head says '[no ci]' (ci.yml)");
    f.message = NULL;
    f.ref = "refs/heads/main";
    f.changed = (struct slice[]){SLICE("frontend/a")};
    f.n_changed = 1;
    says(document, &f, "it starts");
}

Test(trigger, asks_for_the_changes_only_where_they_matter)
{
    CLEANUP(workflow_deinit) struct workflow w;
    struct trigger_facts f = {.event = "push", .ref = "refs/heads/main"};

    read_workflow(&w, document);
    cr_assert(trigger_wants_changes(&w, &f));
    f.ref = "refs/tags/v1";
    cr_assert_not(trigger_wants_changes(&w, &f), "a tag");
    f.ref = "refs/heads/main";
    f.event = "pull_request";
    cr_assert_not(trigger_wants_changes(&w, &f), "no filter of paths");
    f.event = "fork";
    cr_assert_not(trigger_wants_changes(&w, &f), "not listened to");
}

Test(trigger, a_long_name_is_cut_at_a_character)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(workflow_deinit) struct workflow w;
    char name[302] = "x";
    struct slice file = {name, 301};
    struct trigger_facts f = {.event = "push",
                              .ref = "refs/heads/main",
                              .knows_changes = true,
                              .changed = &file,
                              .n_changed = 1};

    for (size_t i = 1; i < 301; i += 2)
        memcpy(name + i, "é", 2);
    read_workflow(&w, document);
    struct trigger_verdict v = trigger_decide(&a, &w, &f);
    cr_assert(strstr(v.reason, "é…'"), "%s", v.reason);
    file = slice_make("\xff\xfe", 2);
    v = trigger_decide(&a, &w, &f);
    cr_assert(strstr(v.reason, "'\xEF\xBF\xBD\xEF\xBF\xBD'"), "%s", v.reason);
}

/* ---- firings in order ---- */

Test(schedule, entries_fire_in_the_order_of_time)
{
    static const char *const wanted[] = {
        "0 5 * * * 2026-01-31T03:00Z", "30 3 * * * 2026-01-31T03:30Z",
        "0 5 * * * 2026-02-01T03:00Z", "30 3 * * * 2026-02-01T03:30Z"};
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(workflow_deinit) struct workflow w;
    struct schedule_firing list[4];
    const struct token *at = NULL;
    struct err err = ERR_INIT;
    struct schedule s;
    int64_t after;

    read_workflow(&w,
                  "on:\n  schedule:\n    - cron: 30 3 * * *\n    - cron: 0 5 * * *\n"
                  "      timezone: Test/East\n    - cron: 0 0 30 2 *\njobs: {a: {runs-on: x}}\n");
    cr_assert_eq(schedule_read(&a, &w, zone_of, NULL, &s, &at, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(s.n, 3);
    cr_assert_eq(cron_stamp_parse(SLICE("2026-01-31T00:00Z"), &after, &err), ERR_OK);
    cr_assert_eq(schedule_next(&s, after, list, 4), 4);
    for (size_t i = 0; i < 4; i++) {
        char stamp[CRON_STAMP_SIZE];

        cron_stamp_format(list[i].at, stamp);
        cr_assert_str_eq(arena_printf(&a, "%.*s %s", SLICE_ARG(list[i].entry->text->text), stamp),
                         wanted[i]);
    }
}

Test(schedule, a_workflow_without_one_never_fires)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(workflow_deinit) struct workflow w;
    struct schedule_firing one;
    const struct token *at = NULL;
    struct err err = ERR_INIT;
    struct schedule s;

    read_workflow(&w, document);
    cr_assert_eq(schedule_read(&a, &w, zone_of, NULL, &s, &at, &err), ERR_OK);
    cr_assert_eq(schedule_next(&s, 0, &one, 1), 0);
}
