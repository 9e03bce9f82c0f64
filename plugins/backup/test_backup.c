/* What ostler/backup is made of, and the whole of it with a folder, commands for real but for the database's. */
#include "keep.h"
#include "manifest.h"
#include "press.h"
#include "sign.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/test_step.h"

TestSuite(backup, .init = step_enter, .fini = step_leave);

/* ---- rows ---- */

static const char postgres_dump[] =
    "-- Data for Name: orders; Type: TABLE DATA; Schema: public; Owner: boss\n--\n\n"
    "COPY public.orders (id, \"COPY\") FROM stdin;\n1\tCOPY x (y) FROM stdin;\n2\t\\\\.\n\\.\n\n\n"
    "-- Data for Name: none; Type: TABLE DATA\n\nCOPY public.none (a) FROM stdin;\n\\.\n"
    "-- Data for Name: odd; Type: TABLE DATA\nCOPY \"O dd\".\"ta\"\"ble\" (t) FROM "
    "stdin;\n\n\\N\nx\n\\.\n"
    "CREATE FUNCTION f() AS $$\nCOPY public.fake (a) FROM stdin;\n$$;\n"
    "ALTER TABLE ONLY public.orders ADD CONSTRAINT x PRIMARY KEY (id);\n";

static const char mysql_dump[] =
    "CREATE TABLE `none` (\n  `a` int\n);\nCREATE TABLE `orders` (\n `VALUES` text);\n"
    "INSERT INTO `orders` VALUES (1,'a),(b'),(2,'it\\'s; \\\\'),(3,'don''t');\n"
    "INSERT INTO `orders` (`id`, `what`) VALUES\n(4,NULL),\n(5,_binary 0x00);\n"
    "DELIMITER ;;\nINSERT INTO `none` VALUES (1);\nDELIMITER ;\n"
    "CREATE TABLE `o``dd` (a int);\nINSERT INTO `o``dd` VALUES ((1));\n";

static void expect_rows(enum kind kind, const char *dump, size_t size,
                        const struct rows_table *wanted, size_t n)
{
    for (size_t chunk = 1; chunk < 200; chunk = chunk * 3 + 1) { /* wherever it is cut */
        struct rows r;

        rows_begin(&r, step, kind);
        for (size_t at = 0; at < size; at += chunk)
            rows_feed(&r, (struct span){dump + at, size - at < chunk ? size - at : chunk});
        cr_assert_eq(r.n, n, "%zu tables with chunks of %zu", r.n, chunk);
        for (size_t i = 0; i < n; i++) {
            const struct rows_table *t = rows_find(&r, wanted[i].name);

            cr_assert(t, "no table %s with chunks of %zu", wanted[i].name, chunk);
            cr_expect_eq(t->rows, wanted[i].rows, "%s has %lld rows", t->name, (long long)t->rows);
        }
    }
}

Test(backup, counts_what_pg_dump_writes)
{
    static const struct rows_table wanted[] = {
        {"public.orders", 2}, {"public.none", 0}, {"\"O dd\".\"ta\"\"ble\"", 3}};

    expect_rows(KIND_POSTGRES, postgres_dump, sizeof postgres_dump - 1, wanted, 3);
}

Test(backup, counts_what_mysqldump_writes)
{
    static const struct rows_table wanted[] = {{"`none`", 0}, {"`orders`", 5}, {"`o``dd`", 1}};

    expect_rows(KIND_MYSQL, mysql_dump, sizeof mysql_dump - 1, wanted, 3);
}

/* A manifest comes from storage: the other database's quotes would let anything into a statement. */
Test(backup, only_names_get_into_statements)
{
    static const struct {
        const char *name;
        bool postgres, mysql;
    } t[] = {
        {"public.users", true, true},
        {"_a$1", true, true},
        {"\"a b\".\"c\"\"d\"", true, false},
        {"\"; DROP TABLE x; --\"", true, false},
        {"`x``y`", false, true},
        {"shop.`a`", false, true},
        {"`; DROP TABLE x; --`", false, true},
        {"", false, false},
        {"a b", false, false},
        {"a;b", false, false},
        {"\"a\"b\"", false, false},
        {"a.", false, false},
        {"`a", false, false},
        {"\"a", false, false},
        {"a--", false, false},
        {"x(y)", false, false},
    };

    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        cr_expect_eq(rows_is_name(KIND_POSTGRES, t[i].name), t[i].postgres, "%s", t[i].name);
        cr_expect_eq(rows_is_name(KIND_MYSQL, t[i].name), t[i].mysql, "%s", t[i].name);
    }
}

/* ---- keep ---- */

/* One letter a backup, the oldest first: what is kept is upper case. A day lies between two; V and v are verified. */
Test(backup, keeps_what_a_rule_keeps_and_always_a_good_one)
{
    static const struct {
        int64_t last, days;
        const char *all, *wanted;
    } rows[] = {
        {0, 0, "xxxx", "XXXX"}, {2, 0, "xxxx", "xxXX"}, {9, 0, "xxxx", "XXXX"},
        {0, 2, "xxxx", "xxXX"}, {1, 3, "xxxx", "xXXX"}, {3, 1, "xxxx", "xXXX"},
        {1, 0, "vxxx", "VxxX"}, {1, 0, "vvxx", "vVxX"}, {1, 0, "vxxv", "vxxV"},
        {1, 1, "x", "X"},       {0, 1, "", ""},
    };
    enum { DAY = 24 * 3600 };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t n = strlen(rows[i].all);
        struct keep_one list[8] = {0};
        struct keep k = {rows[i].last, rows[i].days, 1000 * DAY};

        for (size_t j = 0; j < n; j++)
            list[j] = (struct keep_one){(1000 - (int64_t)(n - 1 - j)) * DAY, rows[i].all[j] == 'v',
                                        false};
        keep_choose(&k, list, n);
        for (size_t j = 0; j < n; j++)
            cr_expect_eq(list[j].go, rows[i].wanted[j] >= 'a', "row %zu, backup %zu", i, j);
    }
}

/* ---- manifest ---- */

Test(backup, a_manifest_reads_as_it_was_written)
{
    struct rows_table tables[] = {{"public.a", 5}, {"\"b \"\"c\"", 5000000000}};
    struct manifest m = {.file = "shop-20261122T013000Z.sql.zst",
                         .created = "20261122T013000Z",
                         .kind = KIND_POSTGRES,
                         .database = "sh\"op",
                         .size = 123456789012,
                         .sha256 =
                             "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                         .verified = "20261122T013100Z",
                         .rows = {.step = step, .tables = tables, .n = 2}};
    struct span text = span_of(manifest_format(step, "shop", &m));
    char *copy = strndup(text.at, text.size);
    struct manifest back;
    const char *why = manifest_parse(step, copy, &back);

    cr_assert_null(why, "%s: %s", why, text.at);
    cr_expect_str_eq(back.file, m.file);
    cr_expect_str_eq(back.database, m.database);
    cr_expect_str_eq(back.sha256, m.sha256);
    cr_expect_str_eq(back.verified, m.verified);
    cr_expect_eq(back.size, m.size);
    cr_expect_eq(back.rows.n, 2);
    cr_expect_eq(rows_find(&back.rows, "\"b \"\"c\"")->rows, 5000000000);
    free(copy);
}

Test(backup, what_is_no_manifest_is_refused)
{
    static const char whole[] = "{\"version\":1,\"file\":\"a-b\",\"created\":\"20261122T013000Z\","
                                "\"source\":\"mysql\",\"size\":1,"
                                "\"entries\":0,\"sha256\":"
                                "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
                                "\",\"tables\":{\"`t`\":1}}";
    static const struct {
        const char *from, *to;
    } rows[] = {
        {"\"version\":1", "\"version\":2"},
        {"\"a-b\"", "\"../a\""},
        {"\"a-b\"", "\"a\xff\""},
        {"\"a-b\"", "\"\""},
        {"20261122", "20261322"},
        {"mysql", "oracle"},
        {"\"size\":1", "\"size\":-1"},
        {"abcdef0", "ABCDEF0"},
        {"`t`", "`t`; DROP"},
        {":{\"", ":[\""},
        {"\"entries\":0,", ""},
    };
    struct manifest m;
    char *text = strdup(whole);

    cr_assert_null(manifest_parse(step, text, &m));
    free(text);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *at = strstr(whole, rows[i].from);
        const char *broken = ost_fmt(step, "%.*s%s%s", (int)(at - whole), whole, rows[i].to,
                                     at + strlen(rows[i].from));

        text = strdup(broken);
        cr_expect_not_null(manifest_parse(step, text, &m), "row %zu: %s", i, broken);
        free(text);
    }
}

Test(backup, a_name_is_not_taken_for_a_longer_one)
{
    cr_expect_str_eq(manifest_is_of(step, "shop-20261122T013000Z.json", "shop"),
                     "20261122T013000Z");
    cr_expect_null(manifest_is_of(step, "shop-eu-20261122T013000Z.json", "shop"));
    cr_expect_null(manifest_is_of(step, "shop-20261122T013000Z.sql", "shop"));
    cr_expect_null(manifest_is_of(step, "shop-20261322T013000Z.json", "shop"));
    cr_expect_eq(manifest_time("19700102T000001Z"), 86401);
}

/* ---- signatures: the examples of AWS' manual ---- */

Test(backup, signs_as_S3_wants_it)
{
    static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    struct sign s = {.method = "GET",
                     .host = "examplebucket.s3.amazonaws.com",
                     .path = "/test.txt",
                     .payload = empty,
                     .access = "AKIAIOSFODNN7EXAMPLE",
                     .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                     .token = "",
                     .region = "us-east-1",
                     .date = "20130524T000000Z",
                     .range = "bytes=0-9"};

    cr_expect_str_eq(
        sign_headers(step, &s)[0],
        "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
        "aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature="
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    s.path = "/";
    s.query = OST_ARGV("max-keys=2", "prefix=J");
    s.range = NULL;
    cr_expect(strstr(sign_headers(step, &s)[0],
                     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
    s.query = OST_ARGV("lifecycle=");
    cr_expect(strstr(sign_headers(step, &s)[0],
                     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
    cr_expect_str_eq(sign_escape(step, "a b/\xc3\xbc~+", true), "a%20b/%C3%BC~%2B");
}

/* ---- compressing ---- */

static ost_status collect(void *ctx, struct span bytes)
{
    FILE *f = ctx;

    return fwrite(bytes.at, 1, bytes.size, f) == bytes.size ? OST_OK : OST_E_IO;
}

static ost_status stop_at_once(void *ctx, struct span bytes)
{
    (void)ctx;
    (void)bytes;
    return OST_E_CANCELLED;
}

Test(backup, what_is_compressed_comes_back_and_what_is_cut_does_not)
{
    static const char *const ways[] = {"zstd", "gzip", "none"};

    for (size_t i = 0; i < 3; i++) {
        FILE *packed = tmpfile(), *plain = tmpfile();
        struct press *p = press_new(ways[i], collect, packed);
        const char *why;

        cr_assert(p);
        for (int j = 0; j < 3000; j++)
            cr_assert_eq(press_add(p, span_of(ost_fmt(step, "line %d of many\n", j))), OST_OK);
        cr_assert_eq(press_end(p), OST_OK);
        press_free(p);
        fflush(packed);
        cr_assert_eq(press_open(step, fileno(packed), collect, plain, &why), OST_OK, "%s", why);
        cr_expect_eq(ftell(plain), 52890, "%s: %ld", ways[i], ftell(plain));
        if (i < 2) {
            cr_assert_eq(ftruncate(fileno(packed), ftell(packed) / 2), 0);
            cr_expect_lt(press_open(step, fileno(packed), collect, plain, &why), 0);
            cr_expect_not_null(why);
        }
        fclose(packed);
        fclose(plain);
        p = press_new(ways[i], stop_at_once, NULL);
        (void)press_add(p, SPAN("x"));
        cr_expect_eq(press_end(p), OST_E_CANCELLED);
        press_free(p);
    }
}

/* ---- all of it, with files ---- */

static void use_files(const char *operation)
{
    ost_test_exec_for_real(host, NULL);
    ost_test_with(host, "operation", operation);
    ost_test_with(host, "source", "files");
    ost_test_with(host, "name", "tree");
    ost_test_with(host, "to", "backups");
    ost_test_with(host, "paths", ost_fmt(step, "%s/tree", ost_test_scratch(host)));
    ost_test_file(host, "tree/one", "1\n");
}

static void expect_main(ost_status status, const char *text)
{
    ost_status r = ost_test_run(host, OST_PHASE_MAIN);

    cr_expect_eq(r, status, "%d: %s\n%s", r, ost_test_failure(host), ost_test_log(host));
    cr_expect(strstr(ost_test_failure(host), text), "'%s' is not in '%s'", text,
              ost_test_failure(host));
}

Test(backup, files_are_backed_up_verified_pruned_and_listed)
{
    use_files("backup");
    ost_test_with(host, "verify", "true");
    ost_test_with(host, "keep-last", "1");
    expect_main(OST_OK, "");
    cr_expect_str_eq(ost_test_output(host, "verified"), "true");
    cr_expect_str_eq(ost_test_output(host, "rows"), "2");
    cr_expect_str_eq(ost_test_output(host, "pruned"), "0");
    expect_main(OST_OK, "");
    cr_expect_str_eq(ost_test_output(host, "pruned"), "1");
    ost_test_with(host, "operation", "list");
    expect_main(OST_OK, "");
    cr_expect_null(strchr(ost_test_output(host, "files"), '\n'));
    ost_test_with(host, "operation", "restore");
    ost_test_with(host, "restore-to", "backups");
    expect_main(OST_E_FAILED, "there are files in it; give a new folder");
}

Test(backup, what_is_not_there_is_told_with_the_cure)
{
    use_files("verify");
    expect_main(OST_E_NOT_FOUND, "there is no backup 'tree' in ");
    ost_test_with(host, "operation", "restore");
    expect_main(OST_E_INVALID, "'restore-to' is empty");
    ost_test_with(host, "operation", "prune");
    expect_main(OST_E_INVALID, "nothing says what to keep");
    ost_test_with(host, "operation", "backup");
    ost_test_with(host, "paths", "nowhere");
    expect_main(OST_E_FAILED, "cannot pack the files: ");
}

Test(backup, what_is_wrong_is_refused_before_anything_is_run)
{
    static const struct {
        const char *name, *value, *text;
    } rows[] = {
        {"to", "ftp://x/y", "'to' is 'ftp://x/y'"},
        {"to", "s3://b", "names no bucket"},
        {"to", "s3://bucket/x", "'s3-access-key' is empty"},
        {"to", "ssh://u@h", "ssh://USER@HOST:PORT/FOLDER"},
        {"to", "ssh://u@h/x", "'ssh-known-hosts' is empty"},
        {"to", "ssh://-oProxyCommand=x/y", "names no host"},
        {"name", "../x", "'name' is '../x'"},
        {"name", "-x", "'name' is '-x'"},
        {"database", "-x", "do not begin with '-'"},
        {"database", "host=evil", "are names"},
        {"port", "1;2", "no number"},
        {"file", "a/b", "'file' is a backup's name"},
        {"keep-last", "-1", "not below 0"},
        {"database", "", "'database' is empty"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        step_leave();
        step_enter();
        ost_test_with(host, "to", "backups");
        ost_test_with(host, "database", "shop");
        ost_test_with(host, rows[i].name, rows[i].value);
        expect_main(OST_E_INVALID, rows[i].text);
        cr_expect_eq(ost_test_execs(host, "*"), 0, "row %zu", i);
    }
}

Test(backup, a_password_is_never_in_argv)
{
    static const char *const sources[] = {"postgres", "mysql"};

    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < 2; j++) {
            step_leave();
            step_enter();
            ost_test_with(host, "source", sources[i]);
            ost_test_with(host, "to", "backups");
            ost_test_with(host, "database", "shop");
            ost_test_with(host, "user", "boss");
            ost_test_with(host, "password", "hunter2:\\");
            ost_test_with(host, "container", j ? "db" : "");
            ost_test_on_exec(host, "*dump*shop", .out = "");
            (void)ost_test_run(host, OST_PHASE_MAIN);
            cr_expect_geq(ost_test_execs(host, j ? "docker exec -i -e *dump*" : "*dump*"), 1, "%s",
                          ost_test_log(host));
            for (size_t n = 0; ost_test_exec(host, n); n++)
                cr_expect_null(strstr(ost_test_exec(host, n), "hunter2"));
        }
}

Test(backup, half_a_backup_and_a_scratch_database_are_tidied_up_afterwards)
{
    ost_test_exec_for_real(host, NULL);
    ost_test_with(host, "to", "backups");
    ost_test_with(host, "database", "shop");
    ost_test_file(host, "backups/shop-1.part", "half");
    ost_test_saved(host, "half", "shop-1.part");
    ost_test_saved(host, "scratch", "ostler_verify_1");
    ost_test_on_exec(host, "psql *", .out = "");
    cr_assert_eq(ost_test_run(host, OST_PHASE_POST), OST_OK, "%s", ost_test_failure(host));
    cr_expect_null(ost_test_content(host, "backups/shop-1.part"));
    cr_expect_eq(ost_test_execs(host, "psql *DROP DATABASE IF EXISTS \"ostler_verify_1\"*"), 1);
}

Test(backup, a_plan_runs_nothing)
{
    ost_test_with(host, "to", "backups");
    ost_test_with(host, "database", "shop");
    ost_test_with(host, "verify", "true");
    ost_test_with(host, "keep-last", "1");
    ost_test_file(host, "backups/shop-20200101T000000Z.json", "");
    ost_test_file(host, "backups/shop-eu-20200101T000000Z.json", "");
    cr_assert_eq(ost_test_run(host, OST_PHASE_PLAN), OST_OK);
    cr_expect(strstr(ost_test_planned(host, 0), "back up shop: to "));
    cr_expect(strstr(ost_test_planned(host, 1), "verify it"));
    cr_expect_str_eq(ost_test_planned(host, 2),
                     "prune shop-20200101T000000Z: keep-last 1, keep-days 0");
    cr_expect_null(ost_test_planned(host, 3));
    cr_expect_eq(ost_test_execs(host, "*"), 0);
}

/* ---- faults ---- */

Test(backup, survives_every_fault)
{
    int struck;

    use_files("backup");
    struck = ost_test_each_fault(host, .phase = OST_PHASE_MAIN);
    cr_expect_gt(struck, 20);
}
