#include "base/mask.h"

#include "base/clock.h"
#include "base/path.h"

#include <criterion/criterion.h>
#include <jansson.h>

static struct mask *m;

static void start(void)
{
    m = mask_new();
}

static void stop(void)
{
    m = mask_free(m);
}

TestSuite(mask, .init = start, .fini = stop);

static char *apply(struct slice text)
{
    struct buf out = BUF_INIT(64 << 20);

    mask_apply(m, text, &out);
    cr_assert_eq(mask_would_change(m, text), !slice_eq(text, buf_slice(&out)));
    return buf_take(&out);
}

static void gives(const char *text, const char *want)
{
    char *got = apply(slice_of(text));

    cr_expect_str_eq(got, want, "'%s': wanted '%s', got '%s'", text, want, got);
    free(got);
}

static void add(const char *value)
{
    cr_assert(mask_add(m, slice_of(value)));
}

/* tests/data/masking/NAME: [{"id", "secrets": [...], "input", "expect"}]. */
static void run_rows(const char *name)
{
    char *path = path_join(OSTLER_SOURCE_DIR "/tests/data/masking", name);
    json_error_t where;
    json_t *rows = json_load_file(path, JSON_ALLOW_NUL, &where), *row, *secret;
    size_t i, j;

    cr_assert(rows, "%s: %s", path, where.text);
    json_array_foreach (rows, i, row) {
        struct mask *mine = mask_new();
        struct buf out = BUF_INIT(1 << 20);
        json_t *in = json_object_get(row, "input");

        json_array_foreach (json_object_get(row, "secrets"), j, secret)
            cr_assert(
                mask_add(mine, slice_make(json_string_value(secret), json_string_length(secret))));
        mask_apply(mine, slice_make(json_string_value(in), json_string_length(in)), &out);
        cr_expect_str_eq(out.ptr, json_string_value(json_object_get(row, "expect")), "%s: got '%s'",
                         json_string_value(json_object_get(row, "id")), out.ptr);
        buf_deinit(&out);
        mask_free(mine);
    }
    cr_assert_gt(json_array_size(rows), 0);
    json_decref(rows);
    free(path);
}

Test(mask, knows_each_encoding)
{
    run_rows("encodings.json");
}

Test(mask, merges_and_cuts_as_listed)
{
    run_rows("ranges.json");
}

Test(mask, without_secrets_changes_nothing)
{
    gives("", "");
    gives("some text\n", "some text\n");
    add("");
    add(" \t\r\n ");
    gives(" \t\r\n ", " \t\r\n ");
}

Test(mask, masks_each_line_of_a_value_and_the_whole_of_it)
{
    add("  first\r\n  second line  \n\n{\rthird\n");
    gives("a first b", "a *** b");
    gives("second line", "***");
    gives("{}", "***}");
    gives("third", "***");
    gives("first\r\n  second line  \n\n{\rthird", "***");
}

Test(mask, finds_whole_texts_of_several_lines_only_in_whole_texts)
{
    struct buf out = BUF_INIT(1000);

    add("ab\ncd");
    mask_apply_lines(m, SLICE("ab\ncd\n"), &out);
    cr_assert_str_eq(out.ptr, "***\n***\n");
    gives("ab\ncd\n", "***\n");
    buf_deinit(&out);
}

Test(mask, takes_values_and_texts_with_NUL_bytes)
{
    mask_add(m, SLICE("se\0cret"));
    char *got = apply(SLICE("a\0se\0cret\0b"));
    cr_assert_arr_eq(got, "a\0***\0b", 8);
    free(got);
}

Test(mask, masks_long_values_as_one_and_never_by_a_short_rest)
{
    for (size_t len = 250; len < 1100; len++) {
        char *value = mem_new(len + 1);

        for (size_t i = 0; i < len; i++)
            value[i] = (char)('A' + (i * 7 + i / 26 + len) % 26);
        struct mask *mine = mask_new();
        struct buf out = BUF_INIT(1 << 20);

        mask_add(mine, slice_make(value, len));
        mask_apply(mine, slice_make(value, len), &out);
        cr_assert_str_eq(out.ptr, "***", "%zu bytes", len);
        for (size_t cut = 0; cut + 60 < len; cut += 50)
            cr_assert_not(mask_would_change(mine, slice_make(value + cut, 60)));
        buf_deinit(&out);
        mask_free(mine);
        free(value);
    }
}

Test(mask, leaves_no_half_character_of_a_long_value)
{
    struct buf value = BUF_INIT(10000), out = BUF_INIT(10000);

    for (int i = 0; i < 1000; i++)
        buf_add_str(&value, i % 3 ? "\xe2\x82\xac" : "x\xf0\x9f\x98\x80");
    mask_add(m, buf_slice(&value));
    /* Only the second half: some whole pieces of it are masked. */
    mask_apply(m, slice_from(buf_slice(&value), 1500), &out);
    cr_assert(slice_find(buf_slice(&out), SLICE("***")) >= 0);
    json_t *valid = json_stringn(out.ptr, out.len); /* checks for valid UTF-8 */
    cr_assert(valid || (out.ptr[0] & 0xc0) == 0x80, "cut the text at a character's border");
    json_decref(valid);
    buf_deinit(&value);
    buf_deinit(&out);
}

Test(mask, a_value_that_is_no_UTF_8_is_known_as_logs_show_it)
{
    add("latin-\xe9-secret");
    gives("a latin-\xef\xbf\xbd-secret", "a ***");
    gives("bGF0aW4t6S1zZWNyZXQ=", "***"); /* of the bytes as they are */
}

/* ---- against a plain search ---- */

static unsigned rnd_state = 1;

static unsigned rnd(unsigned below)
{
    rnd_state = rnd_state * 1103515245u + 12345u;
    return (rnd_state >> 12) % below;
}

static size_t rnd_text(char *to, size_t max, const char *alphabet)
{
    size_t len = rnd((unsigned)max + 1);

    for (size_t i = 0; i < len; i++)
        to[i] = alphabet[rnd((unsigned)strlen(alphabet))];
    return len;
}

/* Marks what the values cover, in the simplest way there is. Values have no special characters and no
 * Base64 form that can be written with the letters of the text. */
static void plain_apply(const struct slice *values, size_t n, struct slice text, struct buf *out)
{
    char *hit = mem_new(text.len + 1);

    for (size_t v = 0; v < n; v++)
        for (size_t at = 0; values[v].len && at + values[v].len <= text.len; at++)
            if (memcmp(text.ptr + at, values[v].ptr, values[v].len) == 0)
                memset(hit + at, 1, values[v].len);
    for (size_t i = 0; i < text.len; i++) {
        if (!hit[i])
            buf_add_char(out, text.ptr[i]);
        else if (i == 0 || !hit[i - 1])
            buf_add_str(out, "***");
    }
    free(hit);
}

static void stream_in_chunks(struct slice text, unsigned most, struct buf *out)
{
    struct mask_stream s;

    mask_stream_init(&s, m);
    for (size_t at = 0; at < text.len;) {
        struct slice chunk = slice_head(slice_from(text, at), 1 + rnd(most));

        mask_stream_feed(&s, chunk, out);
        at += chunk.len;
    }
    mask_stream_flush(&s, out);
    mask_stream_deinit(&s);
}

Test(mask, does_what_a_plain_search_does_in_any_chunks)
{
    static const char *const alphabets[] = {"!?", "!?.", "!?.:;_", "!?.:;_()[]$"};

    for (unsigned round = 0; round < 1500; round++) {
        const char *alphabet = alphabets[round % COUNT_OF(alphabets)];
        struct slice values[12];
        char store[12][300], line_text[2000];
        size_t n = 1 + rnd(COUNT_OF(values)), shortest = round % 5;
        struct buf want = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20), text = BUF_INIT(1 << 20);

        stop();
        start();
        for (size_t i = 0; i < n; i++) {
            size_t len = rnd_text(store[i], rnd(20) ? 24 : 256, alphabet);

            values[i] = slice_make(store[i], len < shortest ? 0 : len);
            mask_add(m, values[i]);
        }
        for (int line = 0; line < 3; line++) {
            size_t len = rnd_text(line_text, round % 7 ? 120 : 2000, alphabet);

            plain_apply(values, n, slice_make(line_text, len), &want);
            buf_add(&text, slice_make(line_text, len));
            if (line < 2) {
                buf_add_char(&want, '\n');
                buf_add_char(&text, '\n');
            }
        }
        mask_apply_lines(m, buf_slice(&text), &got);
        cr_assert_str_eq(got.ptr, want.ptr, "round %u: '%s'", round, text.ptr);
        for (unsigned most = 1; most < 400; most = most * 3) {
            buf_clear(&got);
            stream_in_chunks(buf_slice(&text), most, &got);
            cr_assert_str_eq(got.ptr, want.ptr, "round %u, chunks to %u: '%s'", round, most,
                             text.ptr);
        }
        buf_deinit(&want);
        buf_deinit(&got);
        buf_deinit(&text);
    }
}

Test(mask, finds_a_secret_across_each_border_of_chunks)
{
    static const char text[] = "before hunter22-secret after\n";

    add("hunter22-secret");
    for (size_t cut = 0; cut <= sizeof text - 1; cut++) {
        struct buf out = BUF_INIT(1000);
        struct mask_stream s;

        mask_stream_init(&s, m);
        mask_stream_feed(&s, slice_make(text, cut), &out);
        mask_stream_feed(&s, slice_make(text + cut, sizeof text - 1 - cut), &out);
        cr_assert_str_eq(out.ptr, "before *** after\n", "cut at %zu: '%s'", cut, out.ptr);
        mask_stream_flush(&s, &out);
        cr_assert_str_eq(out.ptr, "before *** after\n");
        mask_stream_deinit(&s);
        buf_deinit(&out);
    }
}

Test(mask, a_stream_holds_back_less_than_the_longest_secret)
{
    struct buf out = BUF_INIT(1 << 20);
    struct mask_stream s;

    add("0123456789");
    mask_stream_init(&s, m);
    for (int i = 0; i < 1000; i++)
        mask_stream_feed(&s, SLICE("x012345678"), &out);
    cr_assert_geq(out.len, 10000 - 64);
    cr_assert_leq(s.held.len, 64);
    mask_stream_deinit(&s);
    buf_deinit(&out);
}

Test(mask, a_value_added_in_the_middle_of_a_stream_counts_from_there)
{
    struct buf out = BUF_INIT(1000);
    struct mask_stream s;

    mask_stream_init(&s, m);
    mask_stream_feed(&s, SLICE("one swordfish "), &out);
    add("swordfish");
    mask_stream_feed(&s, SLICE("two sword"), &out);
    mask_stream_feed(&s, SLICE("fish"), &out);
    mask_stream_flush(&s, &out);
    cr_assert_str_eq(out.ptr, "one swordfish two ***");
    mask_stream_deinit(&s);
    buf_deinit(&out);
}

/* ---- amounts ---- */

Test(mask, takes_fifty_thousand_values_with_output_between_them)
{
    int64_t begin = clock_ms();

    for (int i = 0; i < 50000; i++) {
        char value[40];

        snprintf(value, sizeof value, "aaaaaaaaaaaaaaaaaaaa-%05d", i);
        add(value);
        if (i % 5 == 0)
            gives(value, "***");
    }
    gives("aaaaaaaaaaaaaaaaaaaa-31415", "***");
    gives("aaaaaaaaaaaaaaaaaaaa-", "aaaaaaaaaaaaaaaaaaaa-");
    cr_assert_lt(clock_ms() - begin, 20000);
}

Test(mask, a_text_made_to_be_slow_stays_linear)
{
    char *value = mem_new(1 << 20), *text = mem_new(100000);
    struct buf out = BUF_INIT(4 << 20);
    int64_t begin = clock_ms();

    memset(value, 'a', 1 << 20);
    memset(text, 'a', 100000);
    for (size_t len = 4; len < 300; len++)
        mask_add(m, slice_make(value, len));
    value[(1 << 20) - 1] = 'b';
    mask_add(m, slice_make(value, 1 << 20));
    mask_apply(m, slice_make(text, 100000), &out);
    cr_assert_str_eq(out.ptr, "***");
    cr_assert_lt(clock_ms() - begin, 20000);
    buf_deinit(&out);
    free(value);
    free(text);
}

Test(mask, lets_nothing_pass_when_there_are_too_many_values)
{
    char *value = mem_new(MASK_VALUE_MAX + 1);
    size_t n = 0;

    do {
        for (size_t i = 0; i <= MASK_VALUE_MAX; i++)
            value[i] = (char)('a' + rnd(26));
    } while (mask_add(m, slice_make(value, MASK_VALUE_MAX + 1)) && ++n < 1000);
    cr_assert(n > 10 && n < 1000, "%zu values fitted", n);
    gives("one\n\ntwo", "***\n\n***");

    struct buf out = BUF_INIT(1000);
    struct mask_stream s;
    mask_stream_init(&s, m);
    mask_stream_feed(&s, SLICE("one\ntwo"), &out);
    mask_stream_flush(&s, &out);
    cr_assert_null(strpbrk(out.ptr, "ontw"), "'%s'", out.ptr);
    mask_stream_deinit(&s);
    buf_deinit(&out);
    free(value);
}
