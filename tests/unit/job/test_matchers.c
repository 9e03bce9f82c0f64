#include "job/log/matchers.h"

#include "kit/effort.h"

#include <criterion/criterion.h>

static struct matchers *matchers;
static struct scan *scan;
static struct buf owners, notes; /* of the calls so far */

/* Files whose name begins with "src/" are found, in "repo/". */
static int locate(void *ctx, const struct finding *f, struct buf *ret, struct err *err)
{
    (void)ctx;
    if (!slice_starts(f->annotation.file, SLICE("src/")))
        return err_set(err, ERR_NOT_FOUND, "not there");
    buf_printf(ret, "repo/%.*s<%.*s>", SLICE_ARG(f->annotation.file), SLICE_ARG(f->from_path));
    return ERR_OK;
}

static void start(void)
{
    owners = notes = (struct buf)BUF_INIT(1 << 20);
    matchers = matchers_new(&(struct matchers_spec){.locate = locate});
    scan = scan_new(matchers);
}

static void stop(void)
{
    scan_free(scan);
    matchers_free(matchers);
    buf_deinit(&owners);
    buf_deinit(&notes);
}

TestSuite(matchers, .init = start, .fini = stop);

static void note(void *ctx, bool warning, const char *text)
{
    (void)ctx;
    buf_printf(&notes, "%s: %s\n", warning ? "warning" : "debug", text);
}

static int add(const char *json, struct err *err)
{
    buf_clear(&owners);
    return matchers_add(matchers, slice_of(json), &owners, err);
}

static void add_ok(const char *json)
{
    struct err err = ERR_INIT;

    cr_assert_eq(add(json, &err), ERR_OK, "%s", err.text);
}

/* A matcher of one pattern that makes an issue of lines that begin with WORD. */
static void add_word(const char *owner, const char *word)
{
    CLEANUP(buf_deinit) struct buf json = BUF_INIT(1 << 20);

    buf_printf(&json,
               "{\"problemMatcher\": [{\"owner\": \"%s\", \"pattern\": [{\"regexp\": \"^%s(.*)\", "
               "\"message\": 1, \"code\": 0}]}]}",
               owner, word);
    add_ok(json.ptr);
}

/* What LINE is found to be: "level file:line:col [code] message" with what there is; "" for no issue. */
static const char *feed(struct scan *s, const char *line)
{
    static char text[4096];
    struct finding f;
    const struct annotation *a = &f.annotation;
    char place[300] = "", code[100] = "";

    if (!scan_line(s, slice_of(line), note, NULL, &f))
        return "";
    if (a->file.len || a->line || a->col)
        snprintf(place, sizeof place, " %.*s:%d", SLICE_ARG(a->file), (int)a->line);
    if (a->col)
        snprintf(place + strlen(place), sizeof place - strlen(place), ":%d", (int)a->col);
    if (a->code.len)
        snprintf(code, sizeof code, " [%.*s]", SLICE_ARG(a->code));
    snprintf(text, sizeof text, "%s%s%s %.*s", annotation_name(a->level), place, code,
             SLICE_ARG(a->message));
    return text;
}

static json_t *table(const char *path)
{
    json_error_t where;
    json_t *rows = json_load_file(path, JSON_ALLOW_NUL, &where);

    cr_assert_gt(json_array_size(rows), 0, "%s: %s", path, where.text);
    return rows;
}

/* ---- configuration ---- */

Test(matchers, refuses_each_row_of_the_table_and_says_why)
{
    json_t *rows = table(OSTLER_SOURCE_DIR "/tests/data/matchers/refused.json"), *row;
    size_t i;

    add_word("kept", "x");
    json_array_foreach (rows, i, row) {
        const json_t *config = json_object_get(row, "config");
        const char *wanted = json_string_value(json_object_get(row, "error"));
        char *text = json_is_string(config)
                         ? mem_dup(json_string_value(config), json_string_length(config))
                         : json_dumps(config, 0);
        struct err err = ERR_INIT;

        cr_expect_eq(add(text, &err), ERR_INVALID, "row %zu: %s", i, text);
        cr_expect(strstr(err.text, wanted), "row %zu: wanted '%s', got '%s'", i, wanted, err.text);
        cr_expect_eq(owners.len, 0);
        free(text);
    }
    json_decref(rows);
    cr_expect_str_eq(feed(scan, "xy"), "error [xy] y", "what was there stays");
}

Test(matchers, a_file_adds_all_or_none)
{
    struct err err = ERR_INIT;

    cr_expect_eq(add("{\"problemMatcher\": [{\"owner\": \"a\", \"pattern\": [{\"regexp\": \"x\", "
                     "\"message\": 0}]}, {\"owner\": \"b\"}]}",
                     &err),
                 ERR_INVALID);
    cr_expect_not(matchers_any(matchers));
}

Test(matchers, a_file_without_matchers_is_no_error)
{
    add_ok("{}");
    add_ok("{\"problemMatcher\": []}");
    add_ok("\xef\xbb\xbf{\"problemMatcher\": null}");
    cr_expect_eq(owners.len, 0);
    cr_expect_not(matchers_any(matchers));
    cr_expect_not(matchers_any(NULL));
}

Test(matchers, have_limits)
{
    struct err err = ERR_INIT;
    CLEANUP(buf_deinit) struct buf json = BUF_INIT(8 << 20);
    char owner[MATCHER_OWNER_MAX + 2] = "";

    memset(owner, 'a', sizeof owner - 1);
    buf_printf(&json, "{\"problemMatcher\": [{\"owner\": \"%s\"}]}", owner);
    cr_expect_eq(add(json.ptr, &err), ERR_LIMIT);

    buf_clear(&json);
    buf_add_str(&json, "{\"problemMatcher\": [{\"owner\": \"a\", \"pattern\": [{\"regexp\": \"x\", "
                       "\"message\": 0}");
    for (int i = 0; i < MATCHER_PATTERNS_MAX; i++)
        buf_add_str(&json, ", {\"regexp\": \"x\"}");
    buf_add_str(&json, "]}]}");
    cr_expect_eq(add(json.ptr, &err), ERR_LIMIT);
    cr_expect(strstr(err.text, "it has 17 patterns, 16 at most"), "%s", err.text);

    for (int i = 0; i < MATCHERS_MAX; i++) {
        snprintf(owner, sizeof owner, "o%d", i);
        add_word(owner, "x");
    }
    add_word("O7", "y"); /* in its own place */
    cr_expect_eq(
        add("{\"problemMatcher\": [{\"owner\": \"more\", \"pattern\": [{\"regexp\": \"x\", "
            "\"message\": 0}]}]}",
            &err),
        ERR_LIMIT);
    cr_expect(strstr(err.text, "a job may have 100 matchers"), "%s", err.text);

    while (json.len <= MATCHERS_FILE_MAX)
        buf_add_str(&json, "                                                                ");
    cr_expect_eq(add(json.ptr, &err), ERR_LIMIT);
}

/* ---- lines ---- */

Test(matchers, find_what_each_row_of_the_table_says)
{
    json_t *rows = table(OSTLER_SOURCE_DIR "/tests/data/matchers/lines.json"), *row, *line;
    size_t i, k;

    json_array_foreach (rows, i, row) {
        json_t *config = json_pack("{s:O}", "problemMatcher", json_object_get(row, "matchers"));
        char *text = json_dumps(config, 0);

        stop();
        start();
        add_ok(text);
        json_array_foreach (json_object_get(row, "lines"), k, line) {
            const char *in = json_string_value(json_object_get(line, "line"));
            const char *wanted = json_string_value(json_object_get(line, "found"));
            const char *got = feed(scan, in);

            cr_expect_str_eq(got, wanted ? wanted : "", "%s: '%s' is '%s', not '%s'",
                             json_string_value(json_object_get(row, "name")), in, got,
                             wanted ? wanted : "");
        }
        free(text);
        json_decref(config);
    }
    json_decref(rows);
}

Test(matchers, the_newest_of_an_owner_is_in_front_and_alone)
{
    add_word("one", "x");
    add_word("two", "x(?=y)");
    cr_expect_str_eq(feed(scan, "xy"), "error [xy] y");
    add_word("ONE", "z");
    cr_expect_str_eq(owners.ptr, "'ONE'");
    cr_expect_str_eq(feed(scan, "xa"), "", "the older 'one' is gone");
    cr_expect_str_eq(feed(scan, "za"), "error [za] a");
    matchers_remove(matchers, SLICE("oNe"));
    matchers_remove(matchers, SLICE("nobody"));
    cr_expect_str_eq(feed(scan, "za"), "");
    cr_expect_str_eq(feed(scan, "xy"), "error [xy] y");
}

Test(matchers, are_removed_by_the_owners_of_a_file)
{
    struct err err = ERR_INIT;

    add_word("one", "a");
    add_word("two", "b");
    add_word("three", "c");
    buf_clear(&owners);
    cr_expect_eq(
        matchers_remove_all(matchers,
                            SLICE("{\"problemMatcher\": [{\"owner\": \"TWO\", \"pattern\": "
                                  "[{\"regexp\": \"other\", \"message\": 0}]}, {\"owner\": "
                                  "\"one\", \"pattern\": [{\"regexp\": \"\", \"message\": 0}]}]}"),
                            &owners, &err),
        ERR_OK, "%s", err.text);
    cr_expect_str_eq(owners.ptr, "'TWO', 'one'");
    cr_expect_str_eq(feed(scan, "a"), "");
    cr_expect_str_eq(feed(scan, "b"), "");
    cr_expect_str_eq(feed(scan, "cd"), "error [cd] d");
    cr_expect_eq(matchers_remove_all(matchers, SLICE("{"), &owners, &err), ERR_INVALID);
}

static const char two_lines[] =
    "{\"problemMatcher\": [{\"owner\": \"two\", \"fromPath\": \"p/q\", \"pattern\": [{\"regexp\": "
    "\"^in (.*)\", "
    "\"file\": 1}, {\"regexp\": \"^bad (.*)\", \"message\": 1, \"loop\": true}]}]}";

Test(matchers, progress_is_of_one_stream_and_outlives_changes_of_the_list)
{
    struct scan *other;

    add_ok(two_lines);
    other = scan_new(matchers);
    cr_expect_str_eq(feed(scan, "in f"), "");
    cr_expect_str_eq(feed(other, "bad x"), "");
    add_word("more", "y");
    cr_expect_str_eq(feed(scan, "bad x"), "error f:0 x");
    matchers_remove(matchers, SLICE("more"));
    cr_expect_str_eq(feed(scan, "bad y"), "error f:0 y");
    add_ok(two_lines); /* a new one, which has seen nothing */
    cr_expect_str_eq(feed(scan, "bad z"), "");
    scan_free(other);
}

Test(matchers, what_is_carried_on_is_cut_between_characters)
{
    CLEANUP(buf_deinit) struct buf line = BUF_INIT(1 << 20);
    struct finding f;

    add_ok(two_lines);
    buf_add_str(&line, "in x");
    while (line.len < 2 * MATCHER_CARRIED_MAX)
        buf_add_str(&line, "\xc3\xa9");
    cr_assert_not(scan_line(scan, buf_slice(&line), note, NULL, &f));
    cr_assert(scan_line(scan, SLICE("bad m"), note, NULL, &f));
    cr_expect_eq(f.annotation.file.len, MATCHER_CARRIED_MAX - 1);
}

Test(matchers, look_up_files_and_drop_those_that_are_not_there)
{
    CLEANUP(buf_deinit) struct buf place = BUF_INIT(1000);
    struct finding f;

    add_ok(two_lines);
    cr_assert_str_eq(feed(scan, "in src/a.c"), "");
    cr_assert(scan_line(scan, SLICE("bad x"), note, NULL, &f));
    matchers_place(matchers, &f, &place, note, NULL);
    cr_expect(slice_eq(f.annotation.file, SLICE("repo/src/a.c<p/q>")));
    cr_assert_str_eq(feed(scan, "in /etc/passwd"), "");
    cr_assert(scan_line(scan, SLICE("bad x"), note, NULL, &f));
    matchers_place(matchers, &f, &place, note, NULL);
    cr_expect_eq(f.annotation.file.len, 0);
    cr_expect_str_eq(notes.ptr, "debug: Dropping file value '/etc/passwd': not there\n");
}

Test(matchers, say_why_a_match_is_no_issue_to_those_who_debug)
{
    add_ok("{\"problemMatcher\": [{\"owner\": \"a\", \"pattern\": [{\"regexp\": "
           "\"^(.*),(.*),(.*),(.*)$\", "
           "\"line\": 1, \"column\": 2, \"severity\": 3, \"message\": 4}]}]}");
    feed(scan, "a,b,,m");
    feed(scan, "1,1,huge,m");
    feed(scan, "1,1,, ");
    cr_expect_str_eq(
        notes.ptr,
        "debug: Unable to parse line number 'a'\ndebug: Unable to parse column number 'b'\n"
        "debug: Skipped logging an issue for the matched line because the severity 'huge' is not "
        "supported.\n"
        "debug: Skipping logging an issue for the matched line because the message is empty.\n");
}

Test(matchers, one_that_takes_too_long_three_times_is_removed)
{
    static const char slow[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!";
    int64_t started = effort_ms();

    scan_free(scan);
    matchers_free(matchers);
    matchers = matchers_new(&(struct matchers_spec){.timeout_ms = 20});
    scan = scan_new(matchers);
    add_word("after", "a");
    add_word("slow", "(a+)+$");
    add_word("before", "b");
    cr_expect_str_eq(feed(scan, "bx"), "error [bx] x");
    cr_expect(feed(scan, slow)[0], "the others go on with the line");
    cr_expect_lt(effort_ms() - started, 2000);
    cr_expect(strstr(notes.ptr, "warning: Removing issue matcher 'slow'"), "%s", notes.ptr);
    buf_clear(&notes);
    cr_expect(feed(scan, slow)[0]);
    cr_expect_str_eq(feed(scan, "bx"), "error [bx] x");
    cr_expect_str_eq(notes.ptr, "");
}

/* ---- the rest ---- */

Test(matchers, read_time_spans_as_NET_writes_them)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        {"00:00:02", 2000},
        {"0:1", 60000},
        {"1:2:3", 3723000},
        {"00:00:00.5", 500},
        {"00:00:00.0000001", 1},
        {"1.00:00", 86400000},
        {"2", 172800000},
        {" 00:00:02 ", 2000},
        {"", 0},
        {"0", 0},
        {"x", 0},
        {"-00:00:02", 0},
        {"24:00", 0},
        {"0:60", 0},
        {"0:0:60", 0},
        {"1:", 0},
        {"1:2:3:4", 0},
        {"00:00:02s", 0},
        {"1.", 0},
        {"99999", 0},
        {".1:1", 0},
        {"1:1:1.", 0},
        {"99999999999999999999:1", 0},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_expect_eq(matchers_timeout(slice_of(rows[i].text)), rows[i].ms, "'%s' is %lld",
                     rows[i].text, (long long)matchers_timeout(slice_of(rows[i].text)));
}

Test(matchers, colours_are_taken_out_and_nothing_else)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"plain", "plain"},
        {"\x1b[31mred\x1b[0m", "red"},
        {"a\x1b[1;31;40m\x1b[Kb\x1b[mc\x1b[m\x1b[K", "abc"},
        {"\x1b[2J\x1b[1", "\x1b[2J\x1b[1"},
        {"\x1b[\x1b[1mx\x1b", "\x1b[x\x1b"},
        {"", ""},
    };
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(1000);

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice got = matchers_plain(slice_of(rows[i].in), &out);

        cr_expect(slice_eq(got, slice_of(rows[i].out)), "row %zu: '%.*s'", i, SLICE_ARG(got));
    }
}
