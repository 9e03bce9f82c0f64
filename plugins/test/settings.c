#include "settings.h"

#include "../lib/words.h"

#include <stdlib.h>
#include <string.h>

/* A whole number of at most MAX; the host has checked that it is one at all. */
static ost_status read_count(struct ost_step *step, const char *name, unsigned max, unsigned *ret)
{
    const char *text = step->host->input(step, name);
    struct span s = span_of(text);
    uint32_t n;

    if (!span_eat_number(&s, &n) || s.size > 0 || n > max)
        return ost_fail(step, OST_E_INVALID, "'%s' is %s, and has to be a number from 0 to %u",
                        name, text, max);
    *ret = n;
    return OST_OK;
}

/* "2/5" */
static ost_status read_shard(struct ost_step *step, struct settings *to)
{
    const char *text = step->host->input(step, "shard");
    struct span s = span_of(text);
    uint32_t i, n;

    if (!*text)
        return OST_OK;
    if (!span_eat_number(&s, &i) || !span_eat(&s, "/") || !span_eat_number(&s, &n) || s.size > 0 ||
        i < 1 || i > n || n > SHARDS_MAX)
        return ost_fail(
            step, OST_E_INVALID,
            "'shard' is '%s', and has to be this one's number and how many there are, as "
            "2/5; at most %d",
            text, SHARDS_MAX);
    to->shard = i;
    to->n_shards = n;
    return OST_OK;
}

/* "10" minutes, "90s", "10m", "2h" */
static ost_status read_timeout(struct ost_step *step, struct settings *to)
{
    const char *text = step->host->input(step, "timeout");
    struct span s = span_of(text);
    int64_t unit = 60000;
    uint32_t n;

    if (!*text)
        return OST_OK;
    if (!span_eat_number(&s, &n) || n == 0 || n > 1000000 || s.size > 1)
        s = SPAN("?");
    if (span_is(s, "s"))
        unit = 1000;
    else if (span_is(s, "h"))
        unit = 3600000;
    else if (s.size > 0 && !span_is(s, "m"))
        return ost_fail(step, OST_E_INVALID,
                        "'timeout' is '%s', and has to be minutes, or a number with s, m or h",
                        text);
    to->timeout_ms = n * unit;
    return OST_OK;
}

/* "80", "79.5", "80%" */
static ost_status read_percent(struct ost_step *step, const char *name, int *ret)
{
    const char *text = step->host->input(step, name);
    struct span s = span_of(text);
    uint32_t whole, part = 0;

    *ret = -1;
    if (!*text)
        return OST_OK;
    if (!span_eat_number(&s, &whole))
        whole = 101;
    if (span_eat(&s, ".")) {
        size_t digits = s.size;

        if (!span_eat_number(&s, &part) || (digits -= s.size) > 2)
            whole = 101;
        part *= digits == 1 ? 10 : 1;
    }
    span_eat(&s, "%");
    if (s.size > 0 || whole > 100 || (whole == 100 && part > 0))
        return ost_fail(
            step, OST_E_INVALID,
            "'%s' is '%s', and has to be a percentage with at most two decimals, as 79.5", name,
            text);
    *ret = (int)(whole * 100 + part);
    return OST_OK;
}

static ost_status read_path(struct ost_step *step, struct settings *to)
{
    const char *path = step->host->input(step, "path");
    const char *other = step->host->input(step, "working-directory");

    if (*path && *other)
        return ost_fail(step, OST_E_INVALID,
                        "'path' and 'working-directory' mean the same: give one of them");
    path = rel_clean(step, *path ? path : other);
    if (path[0] == '/' && rel_below(to->workspace, path))
        path = strcmp(path, to->workspace) == 0 ? "" : rel_from(to->workspace, path);
    if (!rel_below("", path))
        return ost_fail(step, OST_E_INVALID, "the path '%s' leads out of the workspace", path);
    if (!file_is_folder(rel_join(step, to->workspace, *path ? path : ".")))
        return ost_fail(
            step, OST_E_NOT_FOUND,
            "there is no folder '%s' in the workspace, which is empty until a step with "
            "actions/checkout has run",
            path);
    to->path = path;
    return OST_OK;
}

/* Words, on one line or several. */
static ost_status read_words(struct ost_step *step, const char *name, const char *const **ret)
{
    struct strings words = {0};

    if (!words_split(step, step->host->input(step, name), &words))
        return ost_fail(step, OST_E_INVALID, "a quote in '%s' is not closed", name);
    *ret = strings_list(&words);
    return OST_OK;
}

static const char *const *read_lines(struct ost_step *step, const char *name)
{
    const char *const *items;
    struct strings lines = {0};
    size_t n = step->host->input_list(step, name, &items);

    for (size_t i = 0; i < n; i++)
        strings_add(step, &lines, items[i]);
    return strings_list(&lines);
}

ost_status settings_read(struct ost_step *step, struct settings *ret)
{
    const char *workspace = step->host->dir(step, OST_DIR_WORKSPACE);
    struct strings words = {0};
    ost_status r;

    *ret = (struct settings){
        .workspace = rel_clean(step, workspace ? workspace : "."),
        .runner = step->host->input(step, "runner"),
        .command = step->host->input(step, "command"),
        .report = read_lines(step, "report"),
        .coverage = read_lines(step, "coverage"),
        .fail_on_empty = ost_input_bool(step, "fail-on-empty"),
        .base = step->host->input(step, "base"),
        .artifact = step->host->input(step, "artifact"),
    };
    if (words_split(step, ret->command, &words))
        ret->words = strings_list(&words);
    r = read_path(step, ret);
    if (r == OST_OK)
        r = read_words(step, "arguments", &ret->args);
    if (r == OST_OK)
        r = read_words(step, "tests", &ret->tests);
    if (r == OST_OK)
        r = read_timeout(step, ret);
    if (r == OST_OK)
        r = read_count(step, "retries", RETRIES_MAX, &ret->retries);
    if (r == OST_OK)
        r = read_shard(step, ret);
    if (r == OST_OK)
        r = read_count(step, "slowest", SLOWEST_MAX, &ret->slowest);
    if (r == OST_OK)
        r = read_count(step, "annotations", ANNOTATIONS_MAX, &ret->annotations);
    if (r == OST_OK)
        r = read_percent(step, "coverage-threshold", &ret->min_coverage);
    if (r == OST_OK)
        r = read_percent(step, "diff-coverage-threshold", &ret->min_diff);
    if (r == OST_OK && (ret->min_coverage >= 0 || ret->min_diff >= 0) && !ret->coverage[0])
        return ost_fail(step, OST_E_INVALID,
                        "a threshold needs 'coverage', the report to hold it against: lcov.info, "
                        "coverage.xml or the profile of 'go test -coverprofile'");
    return r;
}
