#include <ostler/test.h>

#include <criterion/criterion.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* ---- a plugin that does whatever a test wants done ---- */

static const char *const colours[] = {"red", "blue", NULL};
static const struct ost_input inputs[] = {
    {.name = "who", .fallback = "world"},
    {.name = "loud", .type = OST_BOOL, .fallback = "false"},
    {.name = "tags", .type = OST_LIST},
    {.name = "colour", .type = OST_CHOICE, .choices = colours},
};
static const struct ost_output outputs[] = {{.name = "said"}};

static ost_status (*act)(struct ost_step *s);

static ost_status act_now(struct ost_step *s)
{
    return act(s);
}

static const struct ost_plugin plugin = {
    .struct_size = sizeof plugin,
    .id = "acme/any",
    .version = "1.0.0",
    OST_INPUTS(inputs),
    OST_OUTPUTS(outputs),
    .traits = OST_EFFECTS_VIA_HOST,
    .main = act_now,
};

static struct ost_test *t;

static void enter(void)
{
    t = ost_test_new(&plugin);
    ost_test_scratch(t);
}

static void leave(void)
{
    t = ost_test_free(t);
    ost_test_on_broken(NULL);
}

TestSuite(kit, .init = enter, .fini = leave);

static ost_status run(ost_status (*what)(struct ost_step *s))
{
    act = what;
    return ost_test_run(t, OST_PHASE_MAIN);
}

/* ---- how a test fails ---- */

static char broken[512];
static int n_broken;

static void note(const char *text)
{
    n_broken++;
    snprintf(broken, sizeof broken, "%s", text);
}

static ost_status asks_for_what_it_never_declared(struct ost_step *s)
{
    return *s->host->input(s, "tagz") ? OST_OK : s->host->output(s, "sayd", "x");
}

static ost_status returns_a_count(struct ost_step *s)
{
    (void)s;
    return 3;
}

static ost_status annotates_without_a_size(struct ost_step *s)
{
    s->host->annotate(s, &(struct ost_note){.level = OST_ERROR, .message = "x"});
    return OST_OK;
}

static ost_status fetches_nothing(struct ost_step *s)
{
    const struct ost_http_v1 *http = s->host->extension(s, OST_EXT_HTTP);

    return http->fetch(s, &(struct ost_http_request){.struct_size = 8}, NULL);
}

Test(kit, a_broken_contract_is_told_when_the_phase_has_ended)
{
    static const struct {
        ost_status (*act)(struct ost_step *);
        const char *text;
    } rows[] = {
        {asks_for_what_it_never_declared, "asked for the undeclared input 'tagz'"},
        {returns_a_count, "a phase returned 3"},
        {annotates_without_a_size, "annotate() without a size"},
        {fetches_nothing, "http.fetch without sizes or a url"},
    };

    ost_test_on_broken(note);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        n_broken = 0;
        run(rows[i].act);
        cr_expect_eq(n_broken, 1, "row %zu", i);
        cr_expect(strstr(broken, rows[i].text), "wanted '%s', got '%s'", rows[i].text, broken);
    }
}

static ost_status does_nothing(struct ost_step *s)
{
    (void)s;
    return OST_OK;
}

Test(kit, inputs_are_checked_as_the_real_host_would)
{
    ost_test_on_broken(note);
    ost_test_with(t, "color", "red");
    cr_expect_str_eq(broken, "the plugin has no input 'color'");
}

Test(kit, a_choice_is_one_of_its_choices)
{
    ost_test_on_broken(note);
    ost_test_with(t, "colour", "green");
    run(does_nothing);
    cr_expect_str_eq(broken, "the input 'colour' is 'green': it is to be one of its choices");
}

Test(kit, a_boolean_is_true_or_false)
{
    ost_test_on_broken(note);
    ost_test_with(t, "loud", " TRUE\n");
    run(does_nothing);
    cr_expect_str_eq(broken, "");
    ost_test_with(t, "loud", "yes");
    run(does_nothing);
    cr_expect_str_eq(broken, "the input 'loud' is 'yes': it is to be true or false");
}

static jmp_buf way_out;

static void leap(const char *text)
{
    (void)text;
    longjmp(way_out, 1);
}

Test(kit, a_framework_may_leave_by_longjmp)
{
    ost_test_on_broken(leap);
    if (setjmp(way_out) == 0) {
        ost_test_said(t, "*");
        cr_assert(false, "it went on");
    }
    ost_test_on_broken(NULL);
    cr_expect_eq(run(does_nothing), OST_OK, "and may be used further");
}

Test(kit, aborts_when_nobody_says_how_to_fail, .signal = SIGABRT)
{
    ost_test_said(t, "never");
}

/* ---- commands ---- */

static ost_status pushes_twice(struct ost_step *s)
{
    struct ost_exec_result res = OST_RESULT;
    ost_status r = ost_exec(s, &res, .argv = OST_ARGV("docker", "push", "a"), .input = "in",
                            .input_size = 2, .flags = OST_EXEC_CAPTURE);

    if (r == OST_OK && res.exit_code)
        r = ost_exec(s, NULL, .argv = OST_ARGV("docker", "push", "a"), .flags = OST_EXEC_CHECK);
    return r == OST_OK ? s->host->output(s, "said", res.out) : r;
}

Test(kit, the_latest_answer_counts_and_is_good_for_so_many_times)
{
    ost_test_on_exec(t, "docker *", .out = "ok\n");
    ost_test_on_exec(t, "docker push *", .exit_code = 1, .out = "busy\n", .times = 1);
    for (int i = 0; i < 2; i++) { /* the count begins anew with each run */
        cr_assert_eq(run(pushes_twice), OST_OK, "%s", ost_test_failure(t));
        cr_expect_str_eq(ost_test_output(t, "said"), "busy");
        cr_expect_eq(ost_test_execs(t, "docker push *"), 2);
        cr_expect_str_eq(ost_test_exec_input(t, 0), "in");
        cr_expect_str_eq(ost_test_exec_input(t, 1), "");
    }
    ost_test_on_exec(t, "docker *", .status = OST_E_NOT_FOUND, .error = "no docker here");
    cr_expect_eq(run(pushes_twice), OST_E_NOT_FOUND);
}

static ost_status counts(struct ost_step *s)
{
    struct ost_exec_result res = OST_RESULT;
    static char big[1 << 20];
    ost_status r;

    memset(big, 'x', sizeof big);
    r = ost_exec(s, NULL, .argv = OST_ARGV("true"), .input = big, .input_size = sizeof big);
    if (r == OST_OK)
        r = ost_exec(s, &res, .argv = OST_ARGV("wc", "-c"), .input = big, .input_size = sizeof big,
                     .flags = OST_EXEC_CAPTURE | OST_EXEC_CHECK);
    return r == OST_OK ? s->host->output(s, "said", res.out) : r;
}

Test(kit, commands_run_for_real_where_the_test_says_so)
{
    ost_test_exec_for_real(t, NULL);
    cr_assert_eq(run(counts), OST_OK, "%s", ost_test_log(t));
    cr_expect_str_eq(ost_test_output(t, "said"), "1048576");
    ost_test_exec_for_real(t, "/nonexistent");
    cr_expect_eq(run(counts), OST_E_NOT_FOUND);
}

static ost_status has_read_enough(void *ctx, int32_t fd, const char *data, size_t size)
{
    (void)ctx, (void)fd, (void)data, (void)size;
    return OST_E_LIMIT;
}

static ost_status reads_one_line(struct ost_step *s)
{
    return ost_exec(s, NULL, .argv = OST_ARGV("sh", "-c", "echo x; exec sleep 1000"),
                    .on_output = has_read_enough);
}

Test(kit, a_command_that_is_not_wanted_any_more_ends, .timeout = 60)
{
    ost_test_exec_for_real(t, NULL);
    cr_expect_eq(run(reads_one_line), OST_E_LIMIT);
}

/* ---- requests ---- */

static ost_status posts_until_it_is_taken(struct ost_step *s)
{
    const struct ost_http_v1 *http = s->host->extension(s, OST_EXT_HTTP);
    const char *const headers[] = {"Content-Type: text/plain", NULL};
    struct ost_http_request ask = {.struct_size = sizeof ask,
                                   .method = "POST",
                                   .url = "https://hooks.test/x",
                                   .headers = headers,
                                   .body = "hello",
                                   .body_size = 5};
    struct ost_http_response got = {.struct_size = sizeof got};
    ost_status r = OST_OK;

    for (int i = 0; i < 3 && r == OST_OK && got.status != 200; i++)
        r = http->fetch(s, &ask, &got);
    if (r == OST_OK)
        r = s->host->output(s, "said", got.body);
    ask.save_to = "answer.txt";
    return r == OST_OK ? http->fetch(s, &ask, NULL) : r;
}

Test(kit, requests_are_answered_and_recorded)
{
    ost_test_on_http(t, "POST https://hooks.test/*", .body = "thanks");
    ost_test_on_http(t, "POST *", .status = 503, .times = 1);
    cr_assert_eq(run(posts_until_it_is_taken), OST_OK);
    cr_expect_str_eq(ost_test_output(t, "said"), "thanks");
    cr_expect_eq(ost_test_requests(t, "POST https://hooks.test/x"), 3);
    cr_expect_str_eq(ost_test_request(t, 0)->body, "hello");
    cr_expect_str_eq(ost_test_request(t, 0)->headers[0], "Content-Type: text/plain");
    cr_expect_null(ost_test_request(t, 3));
    cr_expect_str_eq(ost_test_content(t, "answer.txt"), "thanks");

    ost_test_on_http(t, "*", .fails = OST_E_IO, .error = "the line is dead");
    cr_expect_eq(run(posts_until_it_is_taken), OST_E_IO);
    cr_expect_eq(ost_test_requests(t, "*"), 1);
}

static ost_status reads_headers(struct ost_step *s)
{
    const struct ost_http_v1 *http = s->host->extension(s, OST_EXT_HTTP);
    struct ost_http_request ask = {.struct_size = sizeof ask, .url = "https://a.test/"};
    struct ost_http_response got = {.struct_size = sizeof got};
    ost_status r = http->fetch(s, &ask, &got);

    return r == OST_OK ? s->host->output(s, "said", got.headers) : r;
}

Test(kit, answers_have_headers)
{
    cr_assert_eq(run(reads_headers), OST_OK);
    cr_expect_str_eq(ost_test_output(t, "said"), "");
    ost_test_on_http(t, "*", .status = 429, .headers = "Retry-After: 5\r\n");
    cr_assert_eq(run(reads_headers), OST_OK);
    cr_expect_str_eq(ost_test_output(t, "said"), "Retry-After: 5\r\n");
}

/* ---- masking ---- */

static ost_status masks_a_text(struct ost_step *s)
{
    const struct ost_mask_v1 *mask = s->host->extension(s, OST_EXT_MASK);
    const char *text = "";
    ost_status r = s->host->mask(s, "mine");

    if (r == OST_OK)
        r = mask->apply(s, "mine, theirs and nobody's", &text);
    return r == OST_OK ? s->host->output(s, "said", text) : r;
}

Test(kit, texts_are_masked_as_in_a_log)
{
    ost_test_secret(t, "theirs");
    cr_assert_eq(run(masks_a_text), OST_OK);
    cr_expect_str_eq(ost_test_output(t, "said"), "***, *** and nobody's");
    cr_expect_eq(ost_test_asks(t, "mask.apply"), 1);
    ost_test_on_service(t, "mask.apply", OST_E_LIMIT, "too long");
    cr_expect_eq(run(masks_a_text), OST_E_LIMIT);
}

/* ---- the other services ---- */

static ost_status uses_them_all(struct ost_step *s)
{
    const struct ost_progress_v1 *progress = s->host->extension(s, OST_EXT_PROGRESS);
    const struct ost_blobs_v1 *blobs = s->host->extension(s, OST_EXT_BLOBS);
    const struct ost_files_v1 *files = s->host->extension(s, OST_EXT_FILES);
    const char *const all[] = {"*.txt", NULL}, *const keys[] = {"k", NULL};
    const char *hit = "?", *digest = NULL;

    if (!progress || !blobs || !files)
        return ost_fail(s, OST_E_UNSUPPORTED, "this host lacks a service");
    progress->update(s, "files", 1, 2);
    progress->update(s, "bytes", 7, -1);
    ost_status r = blobs->cache_restore(s, all, keys, &hit);
    if (r == OST_OK && !hit)
        r = blobs->cache_save(s, all, "k");
    if (r == OST_OK)
        r = blobs->artifact_put(s, "texts", all, 3);
    if (r == OST_OK)
        r = blobs->artifact_get(s, "texts", s->host->dir(s, OST_DIR_TEMP));
    if (r == OST_OK)
        r = files->hash(s, all, &digest);
    return r == OST_OK ? s->host->output(s, "said", digest) : r;
}

Test(kit, every_service_is_there)
{
    char path[4096];

    ost_test_file(t, "a.txt", "abc");
    cr_assert_eq(run(uses_them_all), OST_OK, "%s", ost_test_failure(t));
    cr_expect_str_eq(ost_test_progress(t, 0), "files 1/2");
    cr_expect_str_eq(ost_test_progress(t, 1), "bytes 7");
    cr_expect(ost_test_has_cache(t, "k"));
    cr_expect_str_eq(ost_test_artifact_file(t, "texts", "a.txt"), "abc");
    snprintf(path, sizeof path, "%s", act ? "../temp/a.txt" : "");
    cr_expect_str_eq(ost_test_content(t, path), "abc");
    /* sha256 of sha256("abc") */
    cr_expect_str_eq(ost_test_output(t, "said"),
                     "4f8b42c22dd3729b519ba6f68d2da7cc5b2d606d05daed5ad5128cc03e6c6358");
    ost_test_without(t, OST_EXT_FILES);
    cr_expect_eq(run(uses_them_all), OST_E_UNSUPPORTED);
}

/* Sizes on both sides of where a block, and its padding, ends. */
static ost_status hashes_one_file(struct ost_step *s)
{
    const struct ost_files_v1 *files = s->host->extension(s, OST_EXT_FILES);
    const char *const all[] = {"x.txt", NULL};
    const char *digest = NULL;
    ost_status r = files->hash(s, all, &digest);

    return r == OST_OK ? s->host->output(s, "said", digest) : r;
}

Test(kit, digests_are_those_of_sha256)
{
    static const struct {
        size_t size;
        const char *digest; /* of the digest of so many x */
    } rows[] = {
        {0, "5df6e0e2761359d30a8275058e299fcc0381534545f55cf43e41983f5d4c9456"},
        {55, "c21e94934b92308a9d098538dcfc3c1cf81776f1388b9597eda61a8724ceefcf"},
        {56, "7c4830cbaf79bf041460539a89146ae140c0b6e965798bf3476e7f1a6bc462db"},
        {64, "9b18ac92b17ffb1db7a582d0bc46d5a173518e4aecf9f6aae1601479e6ff4dd9"},
        {1000, "53d88e205023545961a1ef7a5a676316ffe4abbaa236738e7cc14bcb483746d6"},
    };
    static char text[1001];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(text, 'x', rows[i].size);
        text[rows[i].size] = '\0';
        ost_test_file(t, "x.txt", text);
        cr_assert_eq(run(hashes_one_file), OST_OK);
        cr_expect_str_eq(ost_test_output(t, "said"), rows[i].digest, "%zu bytes", rows[i].size);
    }
}

Test(kit, a_plan_that_main_makes_changes_nothing)
{
    act = uses_them_all;
    ost_test_file(t, "a.txt", "abc");
    ost_test_run(t, OST_PHASE_PLAN);
    cr_expect_not(ost_test_has_cache(t, "k"));
    cr_expect_not(ost_test_has_artifact(t, "texts"));
    cr_expect_str_eq(ost_test_planned(t, 0), "cache.restore key=k paths=*.txt");
}

Test(kit, source_is_found_where_the_test_put_it)
{
    struct ost_source_query q = {.struct_size = sizeof q, .repository = "acme/app", .path = "/w"};
    struct ost_source got = {.struct_size = sizeof got};
    const struct ost_source_v1 *source =
        ost_test_step(t)->host->extension(ost_test_step(t), OST_EXT_SOURCE);

    cr_expect_eq(source->find(ost_test_step(t), &q, &got), OST_E_NOT_FOUND);
    ost_test_source(t, "acme/app", &(struct ost_source){.folder = "/src", .commit = "c0ffee"});
    cr_assert_eq(source->find(ost_test_step(t), &q, &got), OST_OK);
    cr_expect_str_eq(got.folder, "/src");
    cr_expect_str_eq(got.commit, "c0ffee");
}

Test(kit, a_mirror_is_shown_where_the_test_put_it)
{
    struct ost_mirror_query q = {
        .struct_size = sizeof q, .flags = OST_MIRROR_MAKE, .url = "https://git.test/acme/app"};
    const struct ost_mirror_v1 *mirror =
        ost_test_step(t)->host->extension(ost_test_step(t), OST_EXT_MIRROR);
    const char *path = NULL;

    cr_expect_eq(mirror->show(ost_test_step(t), &q, &path), OST_E_NOT_FOUND);
    ost_test_mirror(t, "/mirror");
    q.header = "Authorization: x";
    cr_assert_eq(mirror->show(ost_test_step(t), &q, &path), OST_OK);
    cr_expect_str_eq(path, "/mirror");
    cr_expect_eq(ost_test_asks(t, "mirror.show https://git.test/acme/app make header"), 1);
}

/* ---- faults ---- */

static ost_status three_calls(struct ost_step *s)
{
    ost_status r = s->host->save(s, "a", "1");

    if (r == OST_OK)
        r = ost_exec(s, NULL, .argv = OST_ARGV("make"), .flags = OST_EXEC_CHECK);
    return r == OST_OK ? s->host->output(s, "said", "x") : r;
}

static void collect(struct ost_test *test, const struct ost_test_round *round, void *ctx)
{
    char *to = ctx;

    (void)test;
    snprintf(to + strlen(to), 512 - strlen(to), "%s%d %s=%d\n", round->cancel ? "cancel " : "",
             round->nth, round->call, (int)round->status);
}

Test(kit, each_call_fails_once_and_is_cancelled_before_once)
{
    char rounds[512] = "";

    act = three_calls;
    cr_expect_eq(ost_test_each_fault(t, .phase = OST_PHASE_MAIN, .after = collect, .ctx = rounds),
                 6);
    cr_expect_str_eq(rounds,
                     "1 save a=-8\n2 exec make=-8\n3 output said=-8\n4 =0\n"
                     "cancel 1 save a=-5\ncancel 2 exec make=-5\ncancel 3 output said=0\n"
                     "cancel 4 =0\n",
                     "%s", rounds);
}

static ost_status fails_when_cancelled(struct ost_step *s)
{
    return s->host->cancelled(s) ? ost_fail(s, OST_E_FAILED, "what?") : OST_OK;
}

static ost_status keeps_a_file_open(struct ost_step *s)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (s->host->save(s, "a", "1") == OST_OK)
        close(fd);
    return OST_OK;
}

static ost_status fails_silently(struct ost_step *s)
{
    return s->host->save(s, "a", "1") == OST_OK ? OST_E_FAILED : OST_OK;
}

Test(kit, rounds_find_what_a_plugin_does_not_survive)
{
    static const struct {
        ost_status (*act)(struct ost_step *);
        const char *text;
    } rows[] = {
        {fails_when_cancelled,
         "cancelled before call 1 of main (cancelled): it returned -1, as if it had failed: what?"},
        {keeps_a_file_open,
         "after a fault in call 1 of main (save a): 1 file descriptor was left open"},
        {fails_silently, "main, undisturbed: it failed with -1 and did not say why"},
    };

    ost_test_on_broken(note);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        act = rows[i].act;
        n_broken = 0;
        ost_test_each_fault(t, .phase = OST_PHASE_MAIN,
                            .undisturbed = rows[i].act == fails_silently ? OST_E_FAILED : OST_OK);
        cr_expect_geq(n_broken, 1, "row %zu", i);
        cr_expect_str_eq(broken, rows[i].text);
    }
}

Test(kit, rounds_begin_with_the_same_caches_and_artifacts)
{
    ost_test_file(t, "a.txt", "abc");
    act = uses_them_all;
    cr_expect_gt(ost_test_each_fault(t, .phase = OST_PHASE_MAIN), 10);
}

/* ---- transcripts ---- */

/* As "plugin run --record" writes it, of a job whose folders are elsewhere. */
static const char transcript[] =
    "{\"transcript\":1,\"plugin\":\"acme/any\",\"version\":\"1.0.0\",\"phase\":\"main\","
    "\"with\":{\"who\":\"Ada\",\"tags\":\"***\"},"
    "\"dirs\":{\"workspace\":\"/w/p\",\"temp\":\"/w/t\",\"tools\":\"/w\",\"home\":\"/root\"}}\n"
    "{\"call\":\"context\",\"ask\":{\"name\":\"github.sha\"},\"status\":0,\"answer\":{\"value\":"
    "\"c0ffee\"}}\n"
    "{\"call\":\"saved\",\"ask\":{\"name\":\"n\"},\"status\":0,\"answer\":{\"value\":\"7\"}}\n"
    "{\"call\":\"temp\",\"ask\":{\"suffix\":\".x\"},\"status\":0,\"answer\":{\"value\":\"/w/t/"
    "a1b2.x\"}}\n"
    "{\"call\":\"exec\",\"ask\":{\"argv\":[\"login\",\"-p\",\"pre***post\",\"--file=/w/t/a1b2.x\"],"
    "\"flags\":5},\"status\":0,\"answer\":{\"exit_code\":0,\"signal\":0,\"output\":[[1,\"in "
    "/w/p/x\"]]}}\n"
    "{\"call\":\"exec\",\"ask\":{\"argv\":[\"false\"],\"flags\":1},\"status\":-10,\"error\":\"it "
    "exited\","
    "\"answer\":{\"exit_code\":1,\"signal\":0}}\n"
    "{\"call\":\"http.fetch\",\"ask\":{\"method\":\"GET\",\"url\":\"https://a.test/"
    "\"},\"status\":0,"
    "\"answer\":{\"status\":404,\"headers\":\"A: b\",\"body\":\"gone\"}}\n"
    "{\"call\":\"source.find\",\"ask\":{\"repository\":\"a/b\"},\"status\":0,"
    "\"answer\":{\"shown\":1,\"folder\":\"\",\"origin\":\"\",\"ref\":\"refs/heads/"
    "main\",\"commit\":\"c0ffee\"}}\n"
    "{\"call\":\"mirror.show\",\"ask\":{\"url\":\"https://a.test/a/b\"},\"status\":0,"
    "\"answer\":{\"value\":\"/mirrors/1\"}}\n"
    "{\"call\":\"files.glob\",\"ask\":{\"patterns\":[\"*.c\"],\"flags\":1},\"status\":0,"
    "\"answer\":{\"paths\":[\"/w/p/a.c\",\"/w/p/b.c\"]}}\n"
    "{\"call\":\"cache.restore\",\"ask\":{\"paths\":[\"d\"],\"keys\":[\"k\"]},\"status\":0,"
    "\"answer\":{\"exact\":1,\"key\":\"K\",\"size\":5}}\n"
    "{\"call\":\"blobs.cache_save\",\"ask\":{\"paths\":[\"d\"],\"keys\":[\"k\"]},\"status\":-4,"
    "\"error\":\"taken\"}\n"
    "{\"call\":\"artifacts.list\",\"ask\":{},\"status\":0,"
    "\"answer\":{\"items\":[{\"id\":3,\"name\":\"logs\",\"digest\":\"d\"}]}}\n"
    "{\"call\":\"artifacts.remove\",\"ask\":{\"name\":\"logs\"},\"status\":0}\n"
    "{\"call\":\"output\",\"ask\":{\"name\":\"said\",\"value\":\"x\"},\"status\":0}\n"
    "{\"call\":\"end\",\"status\":0}\n";

#define HOLDS(...)                                                                                 \
    do {                                                                                           \
        if (!(__VA_ARGS__))                                                                        \
            return ost_fail(s, OST_E_FAILED, "line %d: %s", __LINE__, s->host->last_error(s));     \
    } while (0)

static ost_status runs_as_recorded(struct ost_step *s)
{
    struct ost_exec_result res = OST_RESULT;
    const char *workspace = s->host->dir(s, OST_DIR_WORKSPACE);
    const char *temp = s->host->temp(s, ".x");

    HOLDS(strcmp(s->host->input(s, "who"), "Ada") == 0);
    HOLDS(strcmp(s->host->context(s, "github.sha"), "c0ffee") == 0);
    HOLDS(strcmp(s->host->saved(s, "n"), "7") == 0);
    HOLDS(temp && access(temp, W_OK) == 0);
    HOLDS(
        ost_exec(s, &res, .flags = OST_EXEC_CAPTURE | OST_EXEC_CHECK,
                 .argv = OST_ARGV("login", "-p", ost_fmt(s, "pre%spost", s->host->input(s, "tags")),
                                  ost_fmt(s, "--file=%s", temp))) == OST_OK);
    HOLDS(strcmp(res.out, ost_fmt(s, "in %s/x", workspace)) == 0);
    HOLDS(ost_exec(s, NULL, .flags = OST_EXEC_CHECK, .argv = OST_ARGV("false")) == OST_E_EXIT);
    return OST_OK;
}

static ost_status asks_as_recorded(struct ost_step *s)
{
    const struct ost_http_v1 *http = s->host->extension(s, OST_EXT_HTTP);
    const struct ost_source_v1 *source = s->host->extension(s, OST_EXT_SOURCE);
    const struct ost_mirror_v1 *mirror = s->host->extension(s, OST_EXT_MIRROR);
    const struct ost_files_v1 *files = s->host->extension(s, OST_EXT_FILES);
    struct ost_http_response got = {.struct_size = sizeof got};
    struct ost_source found = {.struct_size = sizeof found};
    const char *const *paths;
    const char *path;
    size_t n;

    HOLDS(http->fetch(s, &(struct ost_http_request){.struct_size = 64, .url = "https://a.test/"},
                      &got) == OST_OK);
    HOLDS(got.status == 404 && strcmp(got.body, "gone") == 0 && strcmp(got.headers, "A: b") == 0);
    HOLDS(source->find(s, &(struct ost_source_query){.struct_size = 32, .repository = "a/b"},
                       &found) == OST_OK);
    HOLDS(found.shown && strcmp(found.commit, "c0ffee") == 0);
    HOLDS(mirror->show(s,
                       &(struct ost_mirror_query){
                           .struct_size = 24, .url = "https://a.test/a/b", .header = "A: secret"},
                       &path) == OST_OK);
    HOLDS(strcmp(path, "/mirrors/1") == 0);
    HOLDS(files->glob(s, (const char *const[]){"*.c", NULL}, OST_GLOB_LINKS, &paths, &n) == OST_OK);
    HOLDS(n == 2 &&
          strcmp(paths[1], ost_fmt(s, "%s/b.c", s->host->dir(s, OST_DIR_WORKSPACE))) == 0);
    return OST_OK;
}

static ost_status transfers_as_recorded(struct ost_step *s)
{
    const struct ost_cache_v1 *cache = s->host->extension(s, OST_EXT_CACHE);
    const struct ost_blobs_v1 *blobs = s->host->extension(s, OST_EXT_BLOBS);
    const struct ost_artifacts_v1 *artifacts = s->host->extension(s, OST_EXT_ARTIFACTS);
    const char *const paths[] = {"d", NULL}, *const keys[] = {"k", NULL};
    const struct ost_cache_query q = {.struct_size = sizeof q, .paths = paths, .keys = keys};
    struct ost_cache_entry entry = {.struct_size = sizeof entry};
    const struct ost_artifact *const *items;
    size_t n;

    HOLDS(cache->restore(s, &q, &entry) == OST_OK && entry.exact && strcmp(entry.key, "K") == 0);
    HOLDS(blobs->cache_save(s, paths, "k") == OST_E_DENIED);
    HOLDS(strcmp(s->host->last_error(s), "taken") == 0);
    HOLDS(artifacts->list(s, &items, &n) == OST_OK && n == 1 && items[0]->id == 3);
    HOLDS(artifacts->remove(s, "logs") == OST_OK);
    return OST_OK;
}

static ost_status does_as_recorded(struct ost_step *s)
{
    ost_status r = runs_as_recorded(s);

    r = r < 0 ? r : asks_as_recorded(s);
    r = r < 0 ? r : transfers_as_recorded(s);
    return r < 0 ? r : s->host->output(s, "said", "x");
}

Test(kit, a_transcript_answers_every_service)
{
    ost_test_file(t, "rec/main.jsonl", transcript);
    char *folder = strdup(ost_test_step(t)->host->dir(ost_test_step(t), OST_DIR_WORKSPACE));
    char path[4096];

    snprintf(path, sizeof path, "%s/rec", folder);
    free(folder);
    ost_test_replay(t, path);
    for (int i = 0; i < 2; i++) { /* each run begins anew */
        cr_assert_eq(run(does_as_recorded), OST_OK, "%s", ost_test_failure(t));
        cr_expect_eq(ost_test_unplayed(t, "*"), 0);
    }
    run(does_nothing);
    cr_expect_eq(ost_test_unplayed(t, "*"), 11);
    cr_expect_eq(ost_test_unplayed(t, "exec"), 2);
    ost_test_on_broken(note);
    run(pushes_twice);
    cr_expect(strstr(broken, "what the transcript does not have, or not so often: exec {\"argv\""),
              "%s", broken);
    ost_test_replay(t, "/nonexistent");
    run(does_nothing);
    cr_expect(strstr(broken, "/nonexistent/main.jsonl"), "%s", broken);
}
