#include "job/container/path_map.h"

#include <criterion/criterion.h>

static struct path_map container(void)
{
    struct path_map m = {0};

    path_map_add(&m, "/home/runner/work/_temp/_github_workflow", "/github/workflow");
    path_map_add(&m, "/home/runner/work/_temp/_github_home", "/github/home");
    path_map_add(&m, "/home/runner/work", "/__w");
    return m;
}

/* Row 10 of the contract's list of what implementers get wrong. */
Test(path_map, only_whole_values_in_a_mapped_folder_change)
{
    static const char *const rows[][2] = {
        {"/home/runner/work", "/__w"},
        {"/home/runner/work/", "/__w/"},
        {"/home/runner/work/app/app", "/__w/app/app"},
        {"/home/runner/work/_temp/_github_home/.npmrc", "/github/home/.npmrc"},
        {"/home/runner/work/_temp/_github_workflow/event.json", "/github/workflow/event.json"},
        {"/home/runner/work/_temp/_github_homes", "/__w/_temp/_github_homes"},
        {"/home/runner/work/a:/home/runner/work/b", "/__w/a:/home/runner/work/b"},
        {"/home/runner/works", "/home/runner/works"},
        {"x/home/runner/work", "x/home/runner/work"},
        {" /home/runner/work", " /home/runner/work"},
        {"--dir=/home/runner/work", "--dir=/home/runner/work"},
        {"/home/runner", "/home/runner"},
        {"", ""},
    };
    struct path_map m = container();

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
        struct slice got = path_map_in(&m, &a, slice_of(rows[i][0]));

        cr_expect(slice_eq(got, slice_of(rows[i][1])), "%s: %.*s", rows[i][0], SLICE_ARG(got));
    }
}

Test(path_map, the_way_back_has_the_same_rules)
{
    static const char *const rows[][2] = {
        {"/__w/app/app/a.c", "/home/runner/work/app/app/a.c"},
        {"/github/home/x", "/home/runner/work/_temp/_github_home/x"},
        {"/__work/a", "/__work/a"},
        {"/usr/include/a.h", "/usr/include/a.h"},
    };
    struct path_map m = container();

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
        struct slice got = path_map_out(&m, &a, slice_of(rows[i][0]));

        cr_expect(slice_eq(got, slice_of(rows[i][1])), "%s: %.*s", rows[i][0], SLICE_ARG(got));
    }
}

Test(path_map, an_environment_changes_in_place)
{
    CLEANUP(strmap_deinit) struct strmap env = STRMAP_INIT;
    struct path_map m = container(), none = {0};

    strmap_set(&env, SLICE("A"), SLICE("/home/runner/work/a"));
    strmap_set(&env, SLICE("B"), SLICE("b"));
    path_map_env(&none, &env);
    cr_expect_str_eq(strmap_get(&env, "A"), "/home/runner/work/a");
    path_map_env(&m, &env);
    cr_expect_str_eq(strmap_get(&env, "A"), "/__w/a");
    cr_expect_str_eq(strmap_get(&env, "B"), "b");
    cr_expect_eq(env.len, 2);
}
