#include "shard.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include <ostler/test.h>

extern const struct ost_plugin ostler_plugin_v1;

static struct ost_test *host;
static struct ost_step *step;
static const struct times_query query = {"pytest-1", 1, 2};

static void enter(void)
{
    host = ost_test_new(&ostler_plugin_v1);
    ost_test_scratch(host);
    step = ost_test_step(host);
}

static void leave(void)
{
    ost_test_free(host);
}

TestSuite(test_shard, .init = enter, .fini = leave);

static struct times times_of(const char *text)
{
    struct times t = {.index = {.step = step}};

    times_read(&t, span_of(text));
    return t;
}

/* "a b | c" of the shards of N. */
static const char *split(const char *names, const char *record, unsigned n, bool prefixes)
{
    struct times times = times_of(record);
    struct strings all = {0};
    struct span rest = span_of(names), name;
    struct sink k = {.step = step};

    while (span_eat_until(&rest, ' ', &name))
        strings_add(step, &all, span_dup(step, name));
    strings_add(step, &all, span_dup(step, rest));
    all = shard_units(step, &all);
    for (unsigned i = 1; i <= n; i++) {
        struct strings picked = shard_pick(step, &all, &times, i, n, prefixes);

        sink_addf(&k, "%s", i > 1 ? " |" : "");
        for (size_t u = 0; u < picked.n; u++)
            sink_addf(&k, "%s%s", k.size ? " " : "", picked.list[u]);
    }
    return sink_text(&k);
}

Test(test_shard, splits_by_time_and_else_by_name)
{
    static const struct {
        const char *names, *record;
        unsigned n;
        bool prefixes;
        const char *want;
    } rows[] = {
        {"d b a c", "", 2, false, "a c | b d"},
        {"a b c d", "9 a\n1 b\n1 c\n1 d\n", 2, false, "a | b c d"},
        {"a b c", "10 a\n20 b\n", 2, false, "b | a c"},
        {"a a b", "", 2, false, "a | b"},
        {"a", "", 3, false, "a | |"},
        {"a b c d e", "5 a\n5 b\n5 c\n5 d\n5 e\n", 5, false, "a | b | c | d | e"},
        {"/a.ts /a.tsx /b.ts", "", 2, true, "/a.ts /a.tsx | /b.ts"},
        {"/a.ts /a.tsx /b.ts", "", 2, false, "/a.ts /b.ts | /a.tsx"},
        {"a b", "1 gone\nx\n2\n99999999999 b\n", 2, false, "a | b"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *got = split(rows[i].names, rows[i].record, rows[i].n, rows[i].prefixes);

        cr_expect_str_eq(got, rows[i].want, "%s of '%s': %s", rows[i].names, rows[i].record, got);
    }
}

Test(test_shard, puts_each_of_many_units_in_exactly_one)
{
    struct strings all = {0}, units;
    struct sink record = {.step = step};
    struct times times;
    struct index seen = {.step = step};
    size_t n = 0;

    srand(7);
    for (int i = 0; i < 3000; i++) {
        strings_add(step, &all, ost_fmt(step, "tests/test_%d.py", i));
        if (i % 3)
            sink_addf(&record, "%d tests/test_%d.py\n", rand() % 100000, i);
    }
    times = times_of(sink_text(&record));
    units = shard_units(step, &all);
    for (unsigned i = 1; i <= 7; i++) {
        struct strings picked = shard_pick(step, &units, &times, i, 7, true);
        int64_t load = 0;

        for (size_t u = 0; u < picked.n; u++, n++) {
            cr_assert_eq(index_get(&seen, picked.list[u]), INDEX_NONE, "%s twice", picked.list[u]);
            index_set(&seen, picked.list[u], i);
            load += times_get(&times, picked.list[u]) < 0 ? 50000000
                                                          : times_get(&times, picked.list[u]);
        }
        cr_expect(load > 20000000000 && load < 23000000000, "shard %u takes %lld", i,
                  (long long)load);
    }
    cr_expect_eq(n, 3000);
}

Test(test_shard, keeps_a_record_as_it_was)
{
    struct times t = times_of("12 a b\n3 c\n4 c\n");
    const char *text = times_format(&t);

    cr_expect_str_eq(text, "12 a b\n7 c\n");
    cr_expect_eq(times_get(&t, "a b"), 12000);
    cr_expect_eq(times_get(&t, "x"), -1);
}

/* ---- agreeing ---- */

static const char *agreed(void)
{
    struct times t;
    ost_status r = times_agree(step, &query, &t);

    return r == OST_OK ? times_format(&t) : ost_fmt(step, "%d", r);
}

Test(test_shard, goes_by_what_the_first_shard_has_put_there)
{
    ost_test_artifact(host, &(struct ost_test_upload){
                                .name = "ostler-test-pytest-1-of-2",
                                .files = OST_ARGV("ostler-test-pytest-1-of-2", "5 a\n6 b\n")});
    cr_expect_str_eq(agreed(), "5 a\n6 b\n");
    cr_expect_eq(ost_test_asks(host, "cache.restore *"), 0);
    cr_expect_eq(ost_test_asks(host, "artifacts.upload *"), 0);
}

Test(test_shard, puts_the_records_of_earlier_runs_there_when_it_is_first)
{
    const char *home = step->host->dir(step, OST_DIR_HOME);

    ost_test_exec_for_real(host, NULL);
    ost_test_cache(host, "ostler-test-pytest-1-2-77-1", "~/.cache/ostler/test/pytest-1-2", 10);
    ost_test_file(host, ost_fmt(step, "%s/.cache/ostler/test/pytest-1-2", home), "8 b\n");
    cr_expect_str_eq(agreed(), "8 b\n");
    cr_expect_eq(ost_test_asks(host, "cache.restore *"), 2, "a record of each shard");
    cr_expect_str_eq(
        ost_test_artifact_file(host, "ostler-test-pytest-1-of-2", "ostler-test-pytest-1-of-2"),
        "8 b\n");
}

Test(test_shard, splits_by_name_where_nobody_can_agree)
{
    ost_test_without(host, "ostler.artifacts/1");
    cr_expect_str_eq(agreed(), "");
    cr_expect_eq(ost_test_asks(host, "*"), 0, "records of its own would be nobody else's");
}

Test(test_shard, does_without_a_cache_service)
{
    ost_test_exec_for_real(host, NULL);
    ost_test_without(host, "ostler.cache/1");
    cr_expect_str_eq(agreed(), "");
    cr_expect(ost_test_has_artifact(host, "ostler-test-pytest-1-of-2"));
}

Test(test_shard, keeps_what_it_measured)
{
    struct times t = times_of("5 a\n");

    ost_test_exec_for_real(host, NULL);
    ost_test_context(host, "github.run_id", "42");
    ost_test_context(host, "github.run_attempt", "3");
    cr_expect_eq(times_keep(step, &query, &t), OST_OK);
    cr_expect(ost_test_has_cache(host, "ostler-test-pytest-1-1-42-3"));
    cr_expect_str_eq(ost_test_content(host, ost_fmt(step, "%s/.cache/ostler/test/pytest-1-1",
                                                    step->host->dir(step, OST_DIR_HOME))),
                     "5 a\n");
    ost_test_on_service(host, "cache.save", OST_E_IO, "no such server");
    cr_expect_eq(times_keep(step, &query, &t), OST_OK, "it is no failure");
    cr_expect(strstr(ost_test_log(host), "no such server"), "%s", ost_test_log(host));
}
