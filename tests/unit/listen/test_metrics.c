#include "listen/metrics.h"

#include <criterion/criterion.h>

enum { NOW = 1000000000 };

static struct metrics *metrics;
static struct buf out;

static void enter(void)
{
    metrics = metrics_new();
    out = (struct buf)BUF_INIT(METRICS_TEXT_MAX);
}

static void leave(void)
{
    metrics = metrics_free(metrics);
    buf_deinit(&out);
}

TestSuite(metrics, .init = enter, .fini = leave);

static const char *format(const struct snapshot *s)
{
    static const struct snapshot nothing = {
        .version = "1.2.3", .started_ms = NOW, .disk_free = -1, .disk_wanted = -1};

    buf_clear(&out);
    metrics_format(metrics, s ? s : &nothing, NOW, &out);
    return out.ptr;
}

/* A whole line of the text. */
static void has(const char *line)
{
    CLEANUP(buf_deinit) struct buf wanted = BUF_INIT(4096);

    buf_printf(&wanted, "\n%s\n", line);
    cr_assert_not_null(strstr(out.ptr, wanted.ptr), "no line '%s' in:\n%s", line, out.ptr);
}

static void has_not(const char *text)
{
    cr_assert_null(strstr(out.ptr, text), "'%s' is in:\n%s", text, out.ptr);
}

#define BUILD                                                                                      \
    "repository=\"app\",organization=\"acme\",enterprise=\"\",job_name=\"build (22)\",event_name=" \
    "\"push\""

Test(metrics, jobs_are_counted_under_the_names_and_labels_of_the_controller)
{
    struct metrics_job build = {"acme/app", "build (22)", "push"};

    metrics_started(metrics, &build, 40);
    metrics_started(metrics, &build, 7000);
    metrics_ended(metrics, &build, "success", 12000);
    metrics_ended(metrics, &build, "cancelled", 4000000);
    metrics_refused(metrics);
    format(NULL);
    has("# TYPE gha_started_jobs_total counter");
    has("gha_started_jobs_total{" BUILD "} 2");
    has("gha_completed_jobs_total{" BUILD ",job_result=\"succeeded\"} 1");
    has("gha_completed_jobs_total{" BUILD ",job_result=\"canceled\"} 1");
    has("# TYPE gha_job_startup_duration_seconds histogram");
    has("gha_job_startup_duration_seconds_bucket{" BUILD ",le=\"0.01\"} 0");
    has("gha_job_startup_duration_seconds_bucket{" BUILD ",le=\"0.05\"} 1");
    has("gha_job_startup_duration_seconds_bucket{" BUILD ",le=\"6\"} 1");
    has("gha_job_startup_duration_seconds_bucket{" BUILD ",le=\"7\"} 2");
    has("gha_job_startup_duration_seconds_bucket{" BUILD ",le=\"+Inf\"} 2");
    has("gha_job_startup_duration_seconds_sum{" BUILD "} 7.04");
    has("gha_job_startup_duration_seconds_count{" BUILD "} 2");
    has("gha_job_execution_duration_seconds_bucket{" BUILD
        ",job_result=\"canceled\",le=\"3600\"} 0");
    has("gha_job_execution_duration_seconds_bucket{" BUILD
        ",job_result=\"canceled\",le=\"+Inf\"} 1");
    has("ostler_refused_jobs_total 1");
    has("ostler_build_info{version=\"1.2.3\"} 1");
    has("ostler_ready 0");
    has_not("ostler_disk");
}

Test(metrics, labels_are_escaped_and_held_to_a_length)
{
    char longer[1000];
    struct metrics_job odd = {"a\"b/c\\d\ne", "\xff", NULL}, wide = {"x", longer, "push"};

    memset(longer, 'y', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    metrics_started(metrics, &odd, 0);
    metrics_started(metrics, &wide, 0);
    format(NULL);
    has("gha_started_jobs_total{repository=\"c\\\\d\\ne\",organization=\"a\\\"b\",enterprise=\"\","
        "job_name=\"\xef\xbf\xbd\",event_name=\"\"} 1");
    longer[METRICS_LABEL_MAX + 1] = '\0';
    has_not(longer);
    longer[METRICS_LABEL_MAX] = '\0';
    cr_assert_not_null(strstr(out.ptr, longer));
}

Test(metrics, no_more_series_than_there_may_be)
{
    char name[32];

    for (int i = 0; i < METRICS_SERIES_MAX + 50; i++) {
        snprintf(name, sizeof name, "job %d", i);
        metrics_started(metrics, &(struct metrics_job){"acme/app", name, "push"}, 1);
    }
    format(NULL);
    cr_assert_eq(buf_check(&out, "the metrics", &(struct err)ERR_INIT), ERR_OK);
    has("gha_started_jobs_total{repository=\"app\",organization=\"acme\",enterprise=\"\","
        "job_name=\"job 199\",event_name=\"push\"} 1");
    has_not("job 200");
    has("gha_started_jobs_total{repository=\"\",organization=\"\",enterprise=\"\",job_name=\"\","
        "event_name=\"\"} 50");
}

Test(metrics, registrations_and_the_listener_as_they_are_now)
{
    static const struct queue_scale scale = {.least = 1,
                                             .most = 8,
                                             .desired = 5,
                                             .assigned = 4,
                                             .running = 2,
                                             .registered = 3,
                                             .busy = 2,
                                             .idle = 1};
    struct snapshot_registration all[] = {
        {.name = "one",
         .kind = "github",
         .url = "https://github.com/acme/app",
         .running = 1,
         .health = {.connected = true, .contact_ms = NOW - 1500, .requests = 7, .failures = 2}},
        {.name = "set",
         .kind = "scale-set",
         .url = "https://ghes.example/enterprises/big",
         .running = 1, /* of those that the server counts */
         .health = {.contact_ms = NOW, .scale = &scale}},
        {.name = "tea", .kind = "gitea", .url = "https://tea.example", .health = {.ended = true}},
    };
    struct snapshot s = {.version = "1",
                         .started_ms = NOW - 60000,
                         .slots = 3,
                         .disk_free = 5,
                         .disk_wanted = 4,
                         .registrations = all,
                         .n_registrations = 3};

    format(&s);
#define ONE                                                                                        \
    "{name=\"one\",repository=\"app\",organization=\"acme\",enterprise=\"\",namespace=\"\"} "
#define SET "{name=\"set\",repository=\"\",organization=\"\",enterprise=\"big\",namespace=\"\"} "
#define TEA "{name=\"tea\",repository=\"\",organization=\"\",enterprise=\"\",namespace=\"\"} "
    has("gha_running_jobs" ONE "1");
    has("gha_running_jobs" SET "2");
    has("gha_registered_runners" ONE "1");
    has("gha_registered_runners" SET "3");
    has("gha_registered_runners" TEA "0");
    has("gha_busy_runners" SET "2");
    has("gha_idle_runners" SET "1");
    has("gha_idle_runners" ONE "0");
    has("gha_min_runners" SET "1");
    has("gha_max_runners" SET "8");
    has("gha_desired_runners" SET "5");
    has("gha_assigned_jobs" SET "4");
    has("gha_assigned_jobs" ONE "1");
    has_not("gha_min_runners" ONE);
    has("ostler_registration_connected" ONE "1");
    has("ostler_registration_contact_age_seconds" ONE "1.5");
    has("ostler_registration_contact_age_seconds" TEA "60");
    has("ostler_registration_requests_total" ONE "7");
    has("ostler_registration_failures_total" ONE "2");
    has("ostler_ready 1");
    has("ostler_slots 3");
    has("ostler_disk_free_bytes 5");
    has("ostler_disk_wanted_bytes 4");
    cr_assert_not_null(strstr(out.ptr, "\nprocess_resident_memory_bytes "));
}

Test(metrics, a_sum_of_months_still_grows_by_milliseconds)
{
    struct metrics_job build = {"acme/app", "build (22)", "push"};

    for (int i = 0; i < 1000; i++)
        metrics_ended(metrics, &build, "success", 20000125);
    format(NULL);
    has("gha_job_execution_duration_seconds_sum{" BUILD ",job_result=\"succeeded\"} 20000125");
}
