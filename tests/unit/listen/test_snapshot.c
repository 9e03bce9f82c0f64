#include "listen/snapshot.h"

#include <criterion/criterion.h>

enum { NOW = 1000000000 };

static struct snapshot_registration at(bool connected, int64_t age_ms, const char *trouble)
{
    return (struct snapshot_registration){
        .name = "here",
        .kind = "github",
        .url = "https://github.com/acme",
        .health = {.connected = connected, .contact_ms = NOW - age_ms, .trouble = trouble}};
}

static struct snapshot of(const struct snapshot_registration *r, size_t n)
{
    return (struct snapshot){.version = "1",
                             .started_ms = NOW - 10 * SNAPSHOT_CONTACT_MS,
                             .slots = 2,
                             .slots_min = 2,
                             .slots_max = 2,
                             .disk_free = -1,
                             .disk_wanted = -1,
                             .registrations = r,
                             .n_registrations = n};
}

static void expect_ready(const struct snapshot *s, const char *why)
{
    CLEANUP(buf_deinit) struct buf said = BUF_INIT(1024);

    cr_assert_eq(snapshot_is_ready(s, NOW, &said), *why == '\0', "%s", why);
    cr_assert_str_eq(said.ptr, why);
    cr_assert_eq(snapshot_is_ready(s, NOW, NULL), *why == '\0');
}

Test(snapshot, jobs_would_be_taken_while_one_registration_is_in_contact)
{
    struct snapshot_registration both[] = {at(false, 5000, "cannot reach it"),
                                           at(true, 5000, NULL)};
    struct snapshot s = of(both, 2);

    expect_ready(&s, "");
    s.n_registrations = 1;
    expect_ready(&s, "here: cannot reach it");
    both[0] = at(true, SNAPSHOT_CONTACT_MS + 1, NULL);
    expect_ready(&s, "no registration is in contact with its server");
    both[0] = at(true, 0, NULL);
    expect_ready(&s, "");
    both[0].health.ended = true;
    expect_ready(&s, "no registration is in contact with its server");
}

Test(snapshot, what_stands_in_the_way_of_all_is_said_first)
{
    struct snapshot_registration one = at(true, 0, NULL);
    struct snapshot s = of(&one, 1);

    s.trouble = "the disk is full: make room";
    expect_ready(&s, "the disk is full: make room");
    s.draining = true;
    expect_ready(&s, "no job is taken any more: the listener is on its way out");
}

Test(snapshot, a_listener_is_alive_while_it_is_in_contact)
{
    struct snapshot_registration one = at(false, SNAPSHOT_CONTACT_MS, NULL);
    struct snapshot_job job = {.key = "here/1"};
    struct snapshot s = of(&one, 1);

    cr_assert(snapshot_is_alive(&s, NOW));
    one = at(true, SNAPSHOT_CONTACT_MS + 1, NULL);
    cr_assert_not(snapshot_is_alive(&s, NOW), "no answer for too long");
    s.jobs = &job;
    s.n_jobs = 1;
    cr_assert(snapshot_is_alive(&s, NOW), "a job runs");
    s.n_jobs = 0;
    one.health.ended = true;
    cr_assert(snapshot_is_alive(&s, NOW), "it waits for nobody");
    one = at(false, 0, NULL);
    one.health.contact_ms = 0;
    cr_assert_not(snapshot_is_alive(&s, NOW), "there never was an answer");
    s.started_ms = NOW - 1000;
    cr_assert(snapshot_is_alive(&s, NOW), "it has just begun");
}

Test(snapshot, a_scale_set_is_shown_with_its_figures)
{
    static const struct queue_scale scale = {.least = 1, .most = 8, .desired = 5, .assigned = 4};
    struct snapshot_registration both[] = {at(true, 0, NULL), at(true, 0, NULL)};
    struct snapshot s = of(both, 2);

    both[1].health.scale = &scale;
    json_t *json = snapshot_json(&s, NOW);
    const json_t *list = json_object_get(json, "registrations");
    const json_t *shown = json_object_get(json_array_get(list, 1), "scale");
    cr_assert(json_is_null(json_object_get(json_array_get(list, 0), "scale")));
    cr_assert_eq(json_integer_value(json_object_get(shown, "max")), 8);
    cr_assert_eq(json_integer_value(json_object_get(shown, "desired")), 5);
    cr_assert_eq(json_integer_value(json_object_get(json_object_get(shown, "jobs"), "assigned")),
                 4);
    json_decref(json);
}

Test(snapshot, as_json_it_is_whole_and_valid)
{
    struct snapshot_registration one = at(true, 2500, "sla\xff");
    struct snapshot_job job = {.key = "here/1",
                               .registration = "here",
                               .repository = "acme/app",
                               .name = "build",
                               .started_ms = NOW - 61000,
                               .stopping = true};
    struct snapshot s = of(&one, 1);

    s.jobs = &job;
    s.n_jobs = 1;
    s.disk_free = 12;
    json_t *json = snapshot_json(&s, NOW);
    cr_assert_not_null(json);
    const json_t *r = json_array_get(json_object_get(json, "registrations"), 0);
    const json_t *j = json_array_get(json_object_get(json, "jobs"), 0);
    cr_assert_str_eq(json_string_value(json_object_get(r, "trouble")), "sla\xef\xbf\xbd");
    cr_assert_eq(json_integer_value(json_object_get(r, "contact_s")), 2);
    cr_assert(json_is_null(json_object_get(r, "labels")));
    cr_assert_eq(json_integer_value(json_object_get(j, "age_s")), 61);
    cr_assert(json_is_true(json_object_get(j, "stopping")));
    cr_assert(json_is_null(json_object_get(j, "workflow")));
    cr_assert_eq(json_integer_value(json_object_get(json_object_get(json, "slots"), "busy")), 1);
    cr_assert_eq(json_integer_value(json_object_get(json_object_get(json, "disk"), "free")), 12);
    cr_assert(json_is_null(json_object_get(json_object_get(json, "disk"), "wanted")));
    json_decref(json);
}
