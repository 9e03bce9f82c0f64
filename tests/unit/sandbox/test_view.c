#include "kit/scratch.h"
#include "sandbox/sandbox.h"
#include "sandbox/view.h"

#include <criterion/criterion.h>
#include <sys/stat.h>
#include <unistd.h>

static char home[4200], text[20000];

/* Not in /tmp, of which nothing shows: what is in there could not be told from what is hidden by its rules. */
static void enter(void)
{
    cr_assert_eq(setenv("TMPDIR", "/var", 1), 0);
    if (geteuid() != 0)
        cr_skip_test("needs a folder outside of /tmp");
    scratch_enter();
    cr_assert_eq(mkdir("me", 0755), 0);
    cr_assert_eq(mkdir("jobs", 0755), 0);
    snprintf(home, sizeof home, "%s/me", scratch_path);
}

TestSuite(view, .init = enter, .fini = scratch_leave);

/* The view as text: a line each, "K target", our scratch folder as "@". */
static const char *show(const char *path_var, struct sandbox_spec spec)
{
    static const char kinds[] = {[WIRE_PRIVATE] = 'P',
                                 [WIRE_READ_ONLY] = 'R',
                                 [WIRE_WRITABLE] = 'W',
                                 [WIRE_LAYER] = 'L',
                                 [WIRE_NOTHING] = 'N'};
    char home_var[4300], path[14000], job[4300];
    size_t used = 0;
    struct view view = {0};

    snprintf(home_var, sizeof home_var, "HOME=%s", home);
    snprintf(path, sizeof path, "PATH=%s", path_var);
    snprintf(job, sizeof job, "%s/jobs/1", scratch_path);
    spec.env = (const char *const[]){home_var, path, NULL};
    spec.work_path = "/home/runner/work";
    if (!spec.home_path)
        spec.home_path = home;
    view_make(&view, &spec, job);
    VEC_EACH (item, &view) {
        bool ours = strncmp(item->target, scratch_path, strlen(scratch_path)) == 0;
        used += (size_t)snprintf(text + used, sizeof text - used, "%c %s%s\n", kinds[item->kind],
                                 ours ? "@" : "", item->target + (ours ? strlen(scratch_path) : 0));
    }
    view_deinit(&view);
    return text;
}

#define BASE_1 "N /home\nP /home/runner/work\nN /root\nP /tmp\n"
#define JOBS "N @/jobs\n"
#define ME "P @/me\n"
#define BASE_2 "P /var/tmp\n"

static const char *path_of(const char *below)
{
    static char path[4300];
    snprintf(path, sizeof path, "/usr/bin:%s/%s:relative/bin::/bin", home, below);
    return path;
}

Test(view, a_plain_path_shows_nothing_of_home)
{
    const char *got = show("/usr/bin:/bin", (struct sandbox_spec){0});
    cr_expect_str_eq(got, BASE_1 JOBS ME BASE_2, "%s", got);
}

Test(view, tools_in_home_are_shown_whole)
{
    scratch_file("me/.pyenv/shims/python", "");
    const char *got = show(path_of(".pyenv/shims"), (struct sandbox_spec){0});
    cr_expect_str_eq(got, BASE_1 JOBS ME "L @/me/.pyenv\n" BASE_2, "%s", got);
}

Test(view, of_dot_local_only_what_path_names)
{
    scratch_file("me/.local/bin/x", "");
    const char *got = show(path_of(".local/bin/"), (struct sandbox_spec){0});
    cr_expect_str_eq(got, BASE_1 JOBS ME "L @/me/.local/bin\n" BASE_2, "%s", got);
}

Test(view, cargo_brings_rustup)
{
    scratch_file("me/.cargo/bin/x", "");
    scratch_file("me/.rustup/x", "");
    const char *got = show(path_of(".cargo/bin"), (struct sandbox_spec){0});
    cr_expect_str_eq(got, BASE_1 JOBS ME "L @/me/.cargo\nL @/me/.rustup\n" BASE_2, "%s", got);
}

Test(view, path_cannot_lead_to_what_is_not_there_or_to_home_itself)
{
    char path[13000];

    snprintf(path, sizeof path, "%s/gone/bin:%s:%s/../me/./x:/home", home, home, home);
    const char *got = show(path, (struct sandbox_spec){0});
    cr_expect_str_eq(got, BASE_1 JOBS ME BASE_2, "%s", got);
}

Test(view, another_home_inside_hides_the_real_one_too)
{
    const char *got = show("/bin", (struct sandbox_spec){.home_path = "/home/runner"});
    cr_expect_str_eq(got,
                     "N /home\nP /home/runner\nP /home/runner/work\nN /root\nP /tmp\n" JOBS
                     "N @/me\n" BASE_2,
                     "%s", got);
}

Test(view, a_file_is_hidden_by_an_empty_one)
{
    char key[4300];

    scratch_file("key", "secret");
    snprintf(key, sizeof key, "%s/key", scratch_path);
    const char *got =
        show("/bin", (struct sandbox_spec){.hidden = (const char *const[]){key, "/opt", NULL}});
    cr_expect_str_eq(got,
                     "N /home\nP /home/runner/work\nN /opt\nN /root\nP /tmp\n" JOBS
                     "R @/key\nP @/me\n" BASE_2,
                     "%s", got);
}

Test(view, what_the_caller_wants_goes_before_our_rules)
{
    char shared[4300], gone[4300];

    scratch_file("me/shared/x", "");
    snprintf(shared, sizeof shared, "%s/shared", home);
    snprintf(gone, sizeof gone, "%s/no", home);
    struct sandbox_spec spec = {.read_only = (const char *const[]){shared, gone, "relative", NULL},
                                .writable = (const char *const[]){"/tmp", NULL},
                                .hidden = (const char *const[]){"/opt", "/no/such", NULL}};
    const char *got = show(path_of("shared/bin"), spec);
    cr_expect_str_eq(got,
                     "N /home\nP /home/runner/work\nN /opt\nN /root\nW /tmp\n" JOBS ME
                     "R @/me/shared\n" BASE_2,
                     "%s", got);
}
