/* Groups of several runs: tickets in one folder. */
#include "queue/local/groups.h"

#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

static struct arena arena;
static const char *folder;

static void enter(void)
{
    scratch_enter();
    folder = arena_printf(&arena, "%s/groups", scratch_path);
}

static void leave(void)
{
    arena_deinit(&arena);
    scratch_leave();
}

TestSuite(groups, .init = enter, .fini = leave);

static struct ticket *take(struct groups *g, const char *name, bool cancels, bool queues)
{
    const struct group group = {.name = name, .cancels = cancels, .queues = queues};
    struct err err = ERR_INIT;
    struct ticket *t = NULL;

    cr_assert_eq(ticket_take(g, &group, "somebody", &t, &err), ERR_OK, "%s", err.text);
    return t;
}

Test(groups, who_came_first_is_waited_for_until_the_ticket_is_given_back)
{
    struct groups *one = groups_new(folder, "acme/app", "1"),
                  *two = groups_new(folder, "ACME/app", "2");
    struct ticket *a = take(one, "deploy", false, false), *b = take(two, "Deploy", false, false);

    cr_assert_null(ticket_waits_for(a, &arena));
    cr_assert_str_eq(ticket_waits_for(b, &arena), "somebody");
    cr_assert_null(ticket_yields(a, &arena));
    ticket_free(a);
    cr_assert_null(ticket_waits_for(b, &arena));
    ticket_free(b);
    groups_free(one);
    groups_free(two);
    cr_assert_eq(rmdir(folder), 0, "something stays");
}

Test(groups, other_names_and_other_repositories_are_other_groups)
{
    struct groups *one = groups_new(folder, "acme/app", "1"),
                  *two = groups_new(folder, "acme/web", "2");
    struct ticket *a = take(one, "a", false, false), *b = take(one, "b", false, false),
                  *c = take(two, "a", false, false);

    cr_assert_null(ticket_waits_for(a, &arena));
    cr_assert_null(ticket_waits_for(b, &arena));
    cr_assert_null(ticket_waits_for(c, &arena));
    ticket_free(a);
    ticket_free(b);
    ticket_free(c);
    groups_free(one);
    groups_free(two);
}

Test(groups, a_newcomer_says_who_has_to_yield)
{
    static const struct {
        bool cancels, queues, holder_yields, waiter_yields;
    } rows[] = {{0, 0, 0, 1}, {1, 0, 1, 1}, {0, 1, 0, 0}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct groups *g[] = {groups_new(folder, "r", "1"), groups_new(folder, "r", "2"),
                              groups_new(folder, "r", "3")};
        struct ticket *holder = take(g[0], "x", false, true),
                      *waiter = take(g[1], "x", false, true);
        struct ticket *newer = take(g[2], "x", rows[i].cancels, rows[i].queues);

        cr_assert_eq(ticket_yields(holder, &arena) != NULL, rows[i].holder_yields, "row %zu", i);
        cr_assert_eq(ticket_yields(waiter, &arena) != NULL, rows[i].waiter_yields, "row %zu", i);
        cr_assert_null(ticket_yields(newer, &arena));
        ticket_free(waiter);
        ticket_free(holder);
        ticket_free(newer);
        for (size_t k = 0; k < COUNT_OF(g); k++)
            groups_free(g[k]);
        cr_assert_eq(rmdir(folder), 0, "row %zu: something stays", i);
    }
}

Test(groups, a_ticket_of_a_process_that_was_killed_is_nobodys)
{
    int ready[2];

    cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)take(groups_new(folder, "r", "1"), "x", false, false);
        _exit(write(ready[1], "x", 1) == 1 ? pause() : 1);
    }
    char c;
    cr_assert_eq(read(ready[0], &c, 1), 1);
    struct groups *g = groups_new(folder, "r", "2");
    struct ticket *t = take(g, "x", false, false);
    cr_assert_not_null(ticket_waits_for(t, &arena));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    cr_assert_null(ticket_waits_for(t, &arena));
    ticket_free(t);
    groups_free(g);
    groups_free(groups_new(folder, "r", "3"));
    cr_assert_eq(rmdir(folder), 0, "something stays");
    close(ready[0]);
    close(ready[1]);
}

static void on_moved(void *ctx)
{
    loop_quit(ctx);
}

Test(groups, the_end_of_another_is_told)
{
    struct groups *one = groups_new(folder, "r", "1"), *two = groups_new(folder, "r", "2");
    struct err err = ERR_INIT;
    struct loop *loop = NULL;

    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
    groups_watch(two, loop, on_moved, loop);
    struct ticket *a = take(one, "x", false, false), *b = take(two, "x", false, false);
    ticket_free(a);
    for (int i = 0; i < 100 && ticket_waits_for(b, &arena); i++)
        cr_assert_eq(loop_run(loop, &err), ERR_OK);
    cr_assert_null(ticket_waits_for(b, &arena));
    ticket_free(b);
    groups_unwatch(two);
    loop_free(loop);
    groups_free(one);
    groups_free(two);
}
