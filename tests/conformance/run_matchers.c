/* Rows of single problem matchers: which configurations are accepted, and what is captured from lines. */
#include "conformance.h"
#include "values.h"

#include "base/clock.h"
#include "job/log/matchers.h"

static const char *const names[MATCH_FIELDS] = {
    [MATCH_FILE] = "file",         [MATCH_LINE] = "line", [MATCH_COLUMN] = "column",
    [MATCH_SEVERITY] = "severity", [MATCH_CODE] = "code", [MATCH_MESSAGE] = "message",
    [MATCH_FROM_PATH] = "fromPath"};

/* Is CONFIG taken as a file with matchers? */
static bool is_valid(const json_t *config)
{
    struct matchers *m = matchers_new(&(struct matchers_spec){0});
    CLEANUP(buf_deinit) struct buf owners = BUF_INIT(1 << 20);
    char *text = json_dumps(config, 0);
    struct err err = ERR_INIT;
    bool valid = matchers_add(m, slice_of(text), &owners, &err) == ERR_OK;

    free(text);
    matchers_free(m);
    return valid;
}

/* Feeds LINES and returns what is wrong; NULL: nothing. */
static const char *feed_all(struct file_run *run, struct matcher *m, const json_t *lines)
{
    struct progress *p = progress_new(m);
    const char *wrong = NULL;
    json_t *line;
    size_t i;

    json_array_foreach (lines, i, line) {
        const json_t *wanted = json_object_get(line, "match");
        struct match found = {0};
        bool hit = matcher_feed(m, p, text_of(line, "line"), CLOCK_NEVER, &found) == REGEX_HIT;

        if (wanted && hit != json_is_object(wanted) && !wrong)
            wrong = arena_printf(run_arena(run), "line %zu: %s", i + 1, hit ? "a match" : "none");
        for (size_t f = 0; f < MATCH_FIELDS && json_is_object(wanted); f++)
            if (json_object_get(wanted, names[f]) &&
                !slice_eq(text_of(wanted, names[f]), found.fields[f]) && !wrong)
                wrong = arena_printf(run_arena(run), "line %zu: %s is '%.*s'", i + 1, names[f],
                                     SLICE_ARG(found.fields[f]));
    }
    progress_free(p);
    return wrong;
}

static void matcher_row(struct file_run *run, const json_t *row)
{
    json_t *config = whole_numbers(json_object_get(row, "config"));
    bool wanted = json_is_true(json_object_get(row, "valid")), valid = is_valid(config);
    struct matcher *m = NULL;
    struct err err = ERR_INIT;
    const char *owner = json_string_value(json_object_get(row, "owner")), *wrong;

    if (valid != wanted) {
        row_fail(run, id_of(row), valid ? "taken" : "refused");
    } else if (!valid) {
        row_pass(run, id_of(row));
    } else if (matcher_new(json_array_get(json_object_get(config, "problemMatcher"), 0), &m, &err) <
               0) {
        row_fail(run, id_of(row), "%s", err.text);
    } else if (owner && strcmp(matcher_owner(m), owner) != 0) {
        row_fail(run, id_of(row), "the owner is '%s'", matcher_owner(m));
    } else if ((wrong = feed_all(run, m, json_object_get(row, "lines")))) {
        row_fail(run, id_of(row), "%s", wrong);
    } else {
        row_pass(run, id_of(row));
    }
    matcher_free(m);
    json_decref(config);
}

void run_problem_matchers(struct file_run *run)
{
    run_cases(run, matcher_row);
}
