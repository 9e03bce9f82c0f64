#include "job/log/mask_patterns.h"

#include "base/clock.h"

#include <criterion/criterion.h>

/* A masker with one expression, and what was said of it when it was refused. */
struct made {
    struct mask *mask;
    struct mask_patterns *patterns;
    char why[300];
};

static void on_refused(void *ctx, const char *name, const char *why)
{
    struct made *m = ctx;

    snprintf(m->why, sizeof m->why, "%s: %s", name, why);
}

static void make(struct made *m, const char *pattern)
{
    CLEANUP(strmap_deinit) struct strmap map = STRMAP_INIT;

    *m = (struct made){.mask = mask_new()};
    strmap_set(&map, SLICE("mask 0"), slice_of(pattern));
    m->patterns = mask_patterns_new(&map, m->mask, on_refused, m);
}

static void made_deinit(struct made *m)
{
    mask_free(m->mask);
    mask_patterns_free(m->patterns);
}

static char *apply(const struct made *m, struct slice text)
{
    struct buf out = BUF_INIT(64 << 20);

    mask_apply_lines(m->mask, text, &out);
    cr_expect_eq(mask_would_change(m->mask, text), !slice_eq(text, buf_slice(&out)));
    return buf_take(&out);
}

Test(mask_patterns, hides_what_matches_in_each_line)
{
    static const struct {
        const char *pattern, *text, *want;
    } rows[] = {
        {"\\bgh[pousr]{1}_[A-Za-z0-9]{8}\\b", "a ghp_12345678 b ghs_abcdefgh", "a *** b ***"},
        {"\\bgh[pousr]{1}_[A-Za-z0-9]{8}\\b", "xghp_12345678 ghp_123456789",
         "xghp_12345678 ghp_123456789"},
        {"\\bBearer\\s+[^\\s'\";]+", "Authorization: Bearer abc; Bearer  x\nBearer\ny",
         "Authorization: ***; ***\nBearer\ny"},
        {"(?i:secret)=\\w+", "SeCrEt=1 secret=", "*** secret="},
        {"(?:^|[\\s])(tok\\d)", "tok1 tok2\ntok3", "***\n***"},
        {"^.*key.*$", "one\nmy key is 7\ntwo\n", "one\n***\ntwo\n"},
        {"(?<=pw:)\\S+", "pw:x pw:", "pw:*** pw:"},
        {"x*", "axxb", "a***b"},
        {"[\x80-\xff]", "a\xc3\xa9z", "a***z"}, /* whole characters, though bytes are counted */
        {"a.b",
         "a\xff"
         "b",
         "***"}, /* no UTF-8 is no trouble */
        {"s3cr3t\\-pa55", "s3cr3t-pa55s3cr3t-pa55", "***"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(made_deinit) struct made m;

        make(&m, rows[i].pattern);
        cr_assert_str_eq(m.why, "");
        CLEANUP(free_ptr) char *got = apply(&m, slice_of(rows[i].text));
        cr_expect_str_eq(got, rows[i].want, "%s", rows[i].pattern);
    }
}

Test(mask_patterns, meets_values_in_the_middle)
{
    CLEANUP(made_deinit) struct made m;

    make(&m, "tok_\\w+");
    cr_assert(mask_add(m.mask, SLICE("xyz")));
    cr_assert(mask_add(m.mask, SLICE("a=tok")));
    CLEANUP(free_ptr) char *got = apply(&m, SLICE("a=tok_xyz xyz tok_1"));
    cr_expect_str_eq(got, "*** *** ***");
}

Test(mask_patterns, what_is_no_expression_is_left_out_and_told)
{
    CLEANUP(made_deinit) struct made m;
    CLEANUP(strmap_deinit) struct strmap none = STRMAP_INIT;

    make(&m, "(?<x>[");
    cr_expect(strncmp(m.why, "mask 0: ", 8) == 0, "%s", m.why);
    CLEANUP(free_ptr) char *got = apply(&m, SLICE("(?<x>["));
    cr_expect_str_eq(got, "(?<x>[");
    cr_expect_null(mask_patterns_new(&none, m.mask, on_refused, &m));
}

/* X, N times, in a text with HEAD and TAIL around it. */
static void fill(struct buf *to, const char *head, size_t n, const char *tail)
{
    buf_add_str(to, head);
    memset(buf_reserve(to, n), 'X', n);
    to->len += n;
    buf_add_str(to, tail);
}

Test(mask_patterns, finds_what_lies_across_windows)
{
    static const size_t places[] = {MASK_WINDOW / 2 - 5, MASK_WINDOW - 5, MASK_WINDOW - 1,
                                    3 * MASK_WINDOW / 2 - 7, 5 * MASK_WINDOW - 3};

    for (size_t i = 0; i < COUNT_OF(places); i++) {
        CLEANUP(made_deinit) struct made m;
        CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 20);
        CLEANUP(buf_deinit) struct buf want = BUF_INIT(1 << 20);

        make(&m, "tok_\\d+");
        fill(&text, "", places[i], "tok_1234567890 and more");
        fill(&want, "", places[i], "*** and more");
        CLEANUP(free_ptr) char *got = apply(&m, buf_slice(&text));
        cr_expect_str_eq(got, want.ptr, "at %zu", places[i]);
    }
}

Test(mask_patterns, what_is_longer_than_a_window_hides_the_rest_of_the_line)
{
    CLEANUP(made_deinit) struct made m;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 20);

    make(&m, "\\bX+");
    fill(&text, "a\n", 3 * MASK_WINDOW, " b\nc");
    CLEANUP(free_ptr) char *got = apply(&m, buf_slice(&text));
    cr_expect_str_eq(got, "a\n***\nc");
}

Test(mask_patterns, no_expression_is_slow)
{
    static const char *const patterns[] = {"(X+)+y", "(?:X|XX)+$y", "(X*)*(X*)*y", "X.*X.*X.*X.*y"};

    for (size_t i = 0; i < COUNT_OF(patterns); i++) {
        CLEANUP(made_deinit) struct made m;
        CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 20);
        int64_t start = clock_ms();

        make(&m, patterns[i]);
        fill(&text, "", 64 << 10, "");
        CLEANUP(free_ptr) char *got = apply(&m, buf_slice(&text));
        cr_expect_eq(strspn(got, "*X"), strlen(got));
        cr_expect(clock_ms() - start < 60000, "%s: %lld ms", patterns[i],
                  (long long)(clock_ms() - start));
    }
}

/* A line that goes out in parts, cut at every place. */
Test(mask_patterns, holds_in_streams)
{
    static const char text[] = "one tok_12345 two tok_6";
    CLEANUP(made_deinit) struct made m;

    make(&m, "tok_\\d+");
    for (size_t cut = 0; cut < sizeof text; cut++) {
        CLEANUP(buf_deinit) struct buf out = BUF_INIT(1 << 20);
        CLEANUP(buf_deinit) struct buf more = BUF_INIT(1 << 20);
        CLEANUP(mask_stream_deinit) struct mask_stream s;

        mask_stream_init(&s, m.mask);
        mask_stream_feed(&s, slice_make(text, cut), &out);
        mask_stream_feed(&s, slice_of(text + cut), &out);
        fill(&more, "", 2 * MASK_SEARCH_HOLD, ""); /* far more than is held back */
        mask_stream_feed(&s, SLICE(" "), &out);
        mask_stream_feed(&s, buf_slice(&more), &out);
        mask_stream_flush(&s, &out);
        cr_expect(slice_starts(buf_slice(&out), SLICE("one *** two *** X")), "at %zu: %.40s", cut,
                  out.ptr);
        cr_expect_eq(out.len, strlen("one *** two *** ") + more.len);
    }
}

/* One that is as long as many chunks is hidden whole. */
Test(mask_patterns, holds_back_what_goes_on)
{
    CLEANUP(made_deinit) struct made m;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(1 << 20);
    CLEANUP(buf_deinit) struct buf chunk = BUF_INIT(1 << 20);
    CLEANUP(mask_stream_deinit) struct mask_stream s;

    make(&m, "tok_X+");
    mask_stream_init(&s, m.mask);
    fill(&chunk, "", 1000, "");
    mask_stream_feed(&s, SLICE("a tok_"), &out);
    for (int i = 0; i < 7; i++)
        mask_stream_feed(&s, buf_slice(&chunk), &out);
    mask_stream_feed(&s, SLICE(" b"), &out);
    mask_stream_flush(&s, &out);
    cr_expect_str_eq(out.ptr, "a *** b");
}
