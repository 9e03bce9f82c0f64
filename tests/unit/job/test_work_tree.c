#include "job/log/work_tree.h"

#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <unistd.h>

static struct work_tree_spec spec;

static bool is_shown(void *ctx, const char *folder)
{
    (void)ctx;
    return strcmp(folder, "/w/shown") == 0;
}

static void enter(void)
{
    scratch_enter();
    spec = (struct work_tree_spec){.root = scratch_dir,
                                   .workspace = "/w/app",
                                   .server = SLICE("https://git.example:8443"),
                                   .repository = SLICE("Acme/app"),
                                   .is_shown = is_shown};
    scratch_file(
        "w/app/.git/config",
        "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = https://git.example:8443/acme/App\n");
    scratch_file("w/app/src/a.c", "");
    scratch_file("w/app/lib/.git/config",
                 "[remote \"origin\"]\n\turl = https://git.example/other/lib\n");
    scratch_file("w/app/lib/b.c", "");
    scratch_file("w/shown/c.c", "");
    scratch_file("w/lost.c", "");
    scratch_file("etc/passwd", "");
}

TestSuite(work_tree, .init = enter, .fini = scratch_leave);

Test(work_tree, finds_files_in_the_repository_only)
{
    static const struct {
        const char *file, *from, *place; /* NULL: not there */
    } rows[] = {
        {"src/a.c", "", "src/a.c"},
        {"./src//../src/a.c", "", "src/a.c"},
        {"/w/app/src/a.c", "", "src/a.c"},
        {"a.c", "src/x.proj", "src/a.c"},
        {"a.c", "/w/app/src/x.proj", "src/a.c"},
        {"src/a.c", "x.proj", "src/a.c"},
        {"/w/app/src/a.c", "else/where", "src/a.c"},
        {"w/app/src/a.c", "/x", "src/a.c"},
        {"src/none.c", "", NULL},
        {"src", "", NULL},
        {"lib/b.c", "", NULL},
        {"../shown/c.c", "", "c.c"},
        {"../lost.c", "", NULL},
        {"../../../../../../etc/passwd", "", NULL},
        {"../../../../../../w/app/src/a.c", "", "src/a.c"},
        {"/", "", NULL},
        {".", "", NULL},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_deinit) struct buf place = BUF_INIT(4096);
        struct err err = ERR_INIT;
        int r =
            work_tree_locate(&spec, slice_of(rows[i].file), slice_of(rows[i].from), &place, &err);

        cr_expect_eq(r, rows[i].place ? ERR_OK : ERR_NOT_FOUND, "'%s': %d %s", rows[i].file, r,
                     err.text);
        cr_expect_str_eq(place.ptr, rows[i].place ? rows[i].place : "", "'%s' is '%s'",
                         rows[i].file, place.ptr);
    }
    struct err err = ERR_INIT;
    struct buf place = BUF_INIT(4096);
    cr_expect_eq(work_tree_locate(&spec, SLICE("src/a.c\0x"), SLICE(""), &place, &err),
                 ERR_NOT_FOUND);
}

Test(work_tree, links_lead_nowhere_else)
{
    struct buf place = BUF_INIT(4096);
    struct err err = ERR_INIT;

    cr_assert_eq(symlinkat("/etc/os-release", scratch_dir, "w/app/link"), 0);
    cr_expect_eq(work_tree_locate(&spec, SLICE("link"), SLICE(""), &place, &err), ERR_NOT_FOUND,
                 "a link of the job was followed out of it");
}

Test(work_tree, knows_the_forms_of_the_url)
{
    static const struct {
        const char *config;
        bool named;
    } rows[] = {
        {"url = https://git.example:8443/Acme/app", true},
        {"\tURL=https://git.example:8443/acme/APP.git\r\n", true},
        {"  url = https://git.example:8443/acme/app/", true},
        {"url = git@git.example:Acme/app.git", true},
        {"url = ssh://git@git.example/Acme/app", true},
        {"x = 1\nurl = nothing\nurl = https://git.example:8443/acme/app", true},
        {"url = https://git.example:8443/acme/app2", false},
        {"url = https://other.example/acme/app", false},
        {"pushurl = https://git.example:8443/acme/app", false},
        {"# url = https://git.example:8443/acme/app", false},
        {"url", false},
        {"", false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_expect_eq(work_tree_names(&spec, slice_of(rows[i].config)), rows[i].named, "%s",
                     rows[i].config);
    spec.repository = SLICE("");
    cr_expect_not(work_tree_names(&spec, SLICE("url = https://git.example:8443/")));
}
