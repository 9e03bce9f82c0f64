#include "job/files.h"

#include "base/clock.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- text ---- */

static int note_pair(void *ctx, struct slice name, struct slice value, struct err *err)
{
    if (slice_eq(name, SLICE("STOP")))
        return err_set(err, ERR_DENIED, "stopped");
    json_t *pair = json_array();
    json_array_append_new(pair, json_stringn(name.ptr, name.len));
    json_array_append_new(pair, json_stringn(value.len ? value.ptr : "", value.len));
    json_array_append_new(ctx, pair);
    return ERR_OK;
}

Test(files, pairs_are_parsed_as_each_row_of_the_table_says)
{
    json_error_t where;
    json_t *rows =
        json_load_file(OSTLER_SOURCE_DIR "/tests/data/files/pairs.json", JSON_ALLOW_NUL, &where);
    size_t i;
    json_t *row;

    cr_assert(json_array_size(rows) > 0, "%s", where.text);
    json_array_foreach (rows, i, row) {
        json_t *file = json_object_get(row, "file"), *got = json_array();
        const char *error = json_string_value(json_object_get(row, "error"));
        struct err err = ERR_INIT;

        int code = files_parse_pairs(slice_make(json_string_value(file), json_string_length(file)),
                                     note_pair, got, &err);
        cr_expect_eq(code, error ? ERR_INVALID : ERR_OK, "row %zu: %s", i, err.text);
        cr_expect_not_null(strstr(err.text, error ? error : ""), "row %zu: '%s'", i, err.text);
        cr_expect(json_equal(got, json_object_get(row, "result")), "row %zu", i);
        json_decref(got);
    }
    json_decref(rows);
}

Test(files, the_callers_error_is_handed_on)
{
    struct err err = ERR_INIT;
    json_t *got = json_array();

    cr_assert_eq(files_parse_pairs(SLICE("A=1\nSTOP=2\nB=3\n"), note_pair, got, &err), ERR_DENIED);
    cr_assert_eq(json_array_size(got), 1);
    json_decref(got);
}

Test(files, an_error_shows_a_line_whole_or_not_at_all)
{
    char line[300];
    struct err err = ERR_INIT;

    memset(line, 's', sizeof line);
    cr_assert_eq(files_parse_pairs(slice_make(line, 100), note_pair, NULL, &err), ERR_INVALID);
    cr_assert(memmem(err.text, strlen(err.text), line, 100));
    cr_assert_eq(files_parse_pairs(slice_make(line, 101), note_pair, NULL, &err), ERR_INVALID);
    cr_assert_null(strstr(err.text, "sss"), "%s", err.text);
}

static int note_path(void *ctx, struct slice path, struct err *err)
{
    (void)err;
    buf_add(ctx, path);
    buf_add_char(ctx, '|');
    return ERR_OK;
}

Test(files, paths_are_lines_of_any_kind)
{
    struct buf got = BUF_INIT(1000);
    struct err err = ERR_INIT;

    cr_assert_eq(files_parse_paths(SLICE("/a\n\n/b\r\n/c\r/d e \r\n\r/f"), note_path, &got, &err),
                 ERR_OK);
    cr_assert_str_eq(got.ptr, "/a|/b|/c|/d e |/f|");
    buf_deinit(&got);
}

Test(files, a_summary_is_masked_line_by_line)
{
    struct mask *m = mask_new();
    struct buf out = BUF_INIT(1000);

    mask_add(m, SLICE("secret"));
    files_scrub(SLICE("# a secret\r\n\r\nsecretsecret\rx"), m, &out);
    cr_assert_str_eq(out.ptr, "# a ***\n\n***\nx\n");
    buf_deinit(&out);
    mask_free(m);
}

Test(files, a_byte_order_mark_decides_the_encoding)
{
    static const struct {
        struct slice raw;
        const char *want;
    } rows[] = {
        {SLICE_INIT("A=b"), "A=b"},
        {SLICE_INIT("\xef\xbb\xbf"
                    "A=\xc3\xa9\xff"),
         "A=\xc3\xa9\xef\xbf\xbd"},
        {SLICE_INIT("\xff\xfe"
                    "A\0=\0\xe9\0\x3d\xd8\x00\xde"),
         "A=\xc3\xa9\xf0\x9f\x98\x80"},
        {SLICE_INIT("\xfe\xff"
                    "\0A\0=\x20\xac"),
         "A=\xe2\x82\xac"},
        {SLICE_INIT("\xfe\xff\xd8\x3d\0A"), "\xef\xbf\xbd"
                                            "A"},
        {SLICE_INIT("\xfe\xff\xdc\x3d\0"), "\xef\xbf\xbd\xef\xbf\xbd"},
        {SLICE_INIT("\xff\xfe\0\0A\0\0\0\0\xf6\x01\0"), "A\xf0\x9f\x98\x80"},
        {SLICE_INIT("\0\0\xfe\xff\0\0\0A\0\x11\0\0\0\0"), "A\xef\xbf\xbd\xef\xbf\xbd"},
        {SLICE_INIT("\xff\xfe"), ""},
        {SLICE_INIT(""), ""},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out = BUF_INIT(1000);

        files_decode(rows[i].raw, &out);
        cr_expect_str_eq(out.ptr, rows[i].want, "row %zu: '%s'", i, out.ptr);
        buf_deinit(&out);
    }
}

/* ---- files ---- */

static struct files *set;
static struct buf got;

static void enter(void)
{
    struct err err = ERR_INIT;

    scratch_enter();
    got = (struct buf)BUF_INIT(100 << 20);
    cr_assert_eq(files_new(scratch_dir, &set, &err), ERR_OK, "%s", err.text);
}

static void leave(void)
{
    set = files_free(set);
    buf_deinit(&got);
    scratch_leave();
}

TestSuite(files_set, .init = enter, .fini = leave);

static void put(enum file_kind kind, const char *text)
{
    scratch_file(files_name(set, kind), text);
}

static int get(enum file_kind kind, struct err *err)
{
    buf_clear(&got);
    return files_read(set, kind, &got, err);
}

Test(files_set, has_seven_empty_files_and_takes_them_away)
{
    struct err err = ERR_INIT;
    struct files *other;

    cr_assert_eq(scratch_count(), FILE_KINDS);
    cr_assert_eq(strlen(files_name(set, FILE_OUTPUT)), strlen("set_output_") + 36);
    cr_assert_eq(strncmp(files_name(set, FILE_OUTPUT), "set_output_", 11), 0);
    for (enum file_kind k = 0; k < FILE_KINDS; k++) {
        scratch_has(files_name(set, k), "");
        cr_assert_eq(get(k, &err), ERR_OK);
    }
    cr_assert_eq(files_new(scratch_dir, &other, &err), ERR_OK);
    cr_assert_eq(scratch_count(), 2 * FILE_KINDS);
    files_free(other);
    set = files_free(set);
    cr_assert_eq(scratch_count(), 0);
}

Test(files_set, gives_what_the_step_wrote)
{
    struct err err = ERR_INIT;

    put(FILE_OUTPUT, "\xef\xbb\xbf"
                     "a=b\n");
    cr_assert_eq(get(FILE_OUTPUT, &err), ERR_OK);
    cr_assert_str_eq(got.ptr, "a=b\n");
    cr_assert_eq(unlink(files_name(set, FILE_ENV)), 0);
    cr_assert_eq(get(FILE_ENV, &err), ERR_OK);
    cr_assert_eq(got.len, 0);
    cr_assert_eq(files_write(set, FILE_ARTIFACTS_LIST, SLICE("{}"), &err), ERR_OK);
    scratch_has(files_name(set, FILE_ARTIFACTS_LIST), "{}");
}

Test(files_set, refuses_whatever_else_the_step_put_there_and_does_not_wait)
{
    int64_t begin = clock_ms();

    scratch_file("elsewhere", "a=stolen\n");
    for (enum file_kind k = 0; k < FILE_KINDS; k++)
        cr_assert_eq(unlink(files_name(set, k)), 0);
    cr_assert_eq(mkfifo(files_name(set, FILE_PATH), 0600), 0);
    cr_assert_eq(mkdir(files_name(set, FILE_ENV), 0700), 0);
    cr_assert_eq(symlink("elsewhere", files_name(set, FILE_STATE)), 0);
    cr_assert_eq(symlink("/etc/passwd", files_name(set, FILE_OUTPUT)), 0);
    cr_assert_eq(symlink("nowhere", files_name(set, FILE_SUMMARY)), 0);
    for (enum file_kind k = 0; k < FILE_ARTIFACTS; k++) {
        struct err err = ERR_INIT;

        cr_expect_eq(get(k, &err), ERR_DENIED, "%s: %s", file_info(k)->variable, err.text);
        cr_expect_not_null(strstr(err.text, file_info(k)->variable), "%s", err.text);
        cr_expect_eq(got.len, 0);
    }
    cr_assert_lt(clock_ms() - begin, 20000);
    rmdir(files_name(set, FILE_ENV));
}

Test(files_set, refuses_a_device)
{
    struct err err = ERR_INIT;

    cr_assert_eq(unlink(files_name(set, FILE_OUTPUT)), 0);
    if (mknod(files_name(set, FILE_OUTPUT), S_IFCHR | 0600, makedev(1, 5)) < 0)
        cr_skip_test("only root makes devices");
    cr_assert_eq(get(FILE_OUTPUT, &err), ERR_DENIED);
}

Test(files_set, has_limits_also_for_files_that_are_mostly_holes)
{
    struct err err = ERR_INIT;

    cr_assert_eq(truncate(files_name(set, FILE_SUMMARY), FILES_SUMMARY_MAX), 0);
    cr_assert_eq(get(FILE_SUMMARY, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(truncate(files_name(set, FILE_SUMMARY), FILES_SUMMARY_MAX + 1), 0);
    cr_assert_eq(get(FILE_SUMMARY, &err), ERR_LIMIT);
    cr_assert_not_null(strstr(err.text, "GITHUB_STEP_SUMMARY is larger than 1048576"), "%s",
                       err.text);
    cr_assert_eq(truncate(files_name(set, FILE_OUTPUT), (off_t)1 << 40), 0);
    cr_assert_eq(get(FILE_OUTPUT, &err), ERR_LIMIT);
}
