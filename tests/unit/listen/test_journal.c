#include "listen/journal.h"

#include "base/fd.h"
#include "base/path.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(journal, .init = scratch_enter, .fini = scratch_leave);

enum { SHORT_MS = 60 };

static char text[1000];

static struct journal *opened(void)
{
    CLEANUP(free_ptr) char *folder = path_join(scratch_path, "leases");
    struct err err = ERR_INIT;
    struct journal *j = NULL;

    cr_assert_eq(journal_open(folder, &j, &err), ERR_OK, "%s", err.text);
    return j;
}

static struct journal_entry *added(struct journal *j, const char *key, const char *dir)
{
    struct err err = ERR_INIT;
    struct journal_entry *e = NULL;
    json_t *lease = json_pack("{s:s}", "token", "geheim");

    cr_assert_eq(journal_add(j, key, dir, lease, &e, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(journal_sync(e, &err), ERR_OK, "%s", err.text);
    json_decref(lease);
    return e;
}

static void on_lost(void *ctx, const struct journal_lost *lost)
{
    size_t len = strlen(text);
    const char *token = json_string_value(json_object_get(lost->lease, "token"));

    (void)ctx;
    snprintf(text + len, sizeof text - len, "%s in %s: %s\n", lost->key, lost->dir,
             token ? token : "nothing");
}

static int recovered(struct journal *j, struct err *err)
{
    text[0] = '\0';
    *err = (struct err)ERR_INIT;
    return journal_recover(j, SHORT_MS, on_lost, NULL, err);
}

static int entries(void)
{
    DIR *list = opendir("leases");
    int n = -2; /* "." and ".." */

    cr_assert(list);
    while (readdir(list))
        n++;
    closedir(list);
    return n;
}

Test(journal, hands_what_was_left_to_the_next_one_once)
{
    struct journal *j = opened();
    struct err err;

    journal_leave(added(j, "reg/1", "/srv/aa"));
    journal_close(j);
    j = opened();
    cr_assert_eq(recovered(j, &err), ERR_OK, "%s", err.text);
    cr_assert_str_eq(text, "reg/1 in /srv/aa: geheim\n");
    cr_assert_eq(entries(), 0);
    cr_assert_eq(recovered(j, &err), ERR_OK, "%s", err.text);
    cr_assert_str_eq(text, "");
    journal_close(j);
}

Test(journal, forgets_what_its_server_knows)
{
    struct journal *j = opened();
    struct err err;
    struct journal_entry *e = added(j, "reg/1", "/srv/aa");

    cr_assert_eq(entries(), 1);
    cr_assert_null(journal_remove(e));
    cr_assert_eq(entries(), 0);
    cr_assert_eq(recovered(j, &err), ERR_OK, "%s", err.text);
    cr_assert_str_eq(text, "");
    journal_close(j);
}

Test(journal, can_be_read_by_its_owner_alone)
{
    struct journal *j = opened();
    struct journal_entry *e = added(j, "reg/1", "/srv/aa");
    struct stat folder, file;

    cr_assert_eq(stat("leases", &folder), 0);
    cr_assert_eq(stat("leases/aa", &file), 0);
    cr_assert_eq(folder.st_mode & 0777, 0700U);
    cr_assert_eq(file.st_mode & 0777, 0600U);
    journal_remove(e);
    journal_close(j);
}

Test(journal, leaves_a_job_alone_whose_worker_lives)
{
    struct journal *j = opened();
    struct err err;
    struct journal_entry *e = added(j, "reg/1", "/srv/aa");
    int held = fd_dup(journal_hold(e), 10); /* the worker's copy: its listener is gone below */

    cr_assert_geq(held, 10);
    journal_leave(e);
    cr_assert_eq(recovered(j, &err), ERR_TIMEOUT);
    cr_assert(strstr(err.text, "fuser"), "%s", err.text);
    cr_assert_str_eq(text, "");
    cr_assert_eq(entries(), 1);
    close(held);
    cr_assert_eq(recovered(j, &err), ERR_OK, "%s", err.text);
    cr_assert_str_eq(text, "reg/1 in /srv/aa: geheim\n");
    journal_close(j);
}

Test(journal, a_job_without_a_lease_is_cleaned_up_as_well)
{
    struct journal *j = opened();
    struct journal_entry *e = NULL;
    struct err err = ERR_INIT;

    cr_assert_eq(journal_add(j, "reg/1", "/srv/aa", NULL, &e, &err), ERR_OK, "%s", err.text);
    journal_leave(e);
    cr_assert_eq(recovered(j, &err), ERR_OK, "%s", err.text);
    cr_assert_str_eq(text, "reg/1 in /srv/aa: nothing\n");
    journal_close(j);
}

/* What is handed out is killed and removed: no file may name just any folder. */
Test(journal, believes_no_file_that_is_none_of_its_own)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"key\":\"k\"}",
        "{\"key\":\"k\",\"dir\":\"/\"}",
        "{\"key\":\"k\",\"dir\":\"/srv/bb\"}",
        "{\"key\":\"k\",\"dir\":\"aa\"}",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct journal *j = opened();
        struct err err;

        scratch_file("leases/aa", bad[i]);
        scratch_file("leases/.bb", "half of one");
        cr_expect_eq(recovered(j, &err), ERR_INVALID, "%s: %d", bad[i], err.code);
        cr_expect(strstr(err.text, "leases/aa"), "%s", err.text);
        cr_expect_str_eq(text, "");
        cr_expect_eq(entries(), 0, "%s", bad[i]);
        journal_close(j);
    }
}

Test(journal, two_entries_never_have_one_folder)
{
    struct journal *j = opened();
    struct journal_entry *e = added(j, "reg/1", "/srv/aa"), *other = NULL;
    struct err err = ERR_INIT;

    cr_assert_eq(journal_add(j, "reg/2", "/other/aa", NULL, &other, &err), ERR_SYS);
    cr_assert_eq(entries(), 1);
    journal_remove(e);
    journal_close(j);
}

/* What could not be read again would be in the way of every start. */
Test(journal, writes_nothing_that_it_could_not_read)
{
    struct journal *j = opened();
    struct journal_entry *e = NULL;
    struct err err = ERR_INIT;
    CLEANUP(free_ptr) char *token = mem_new(JOURNAL_ENTRY_MAX + 1);

    memset(token, 'x', JOURNAL_ENTRY_MAX);
    json_t *lease = json_pack("{s:s}", "token", token);
    cr_assert_eq(journal_add(j, "reg/1", "/srv/aa", lease, &e, &err), ERR_LIMIT, "%s", err.text);
    json_decref(lease);
    cr_assert_eq(entries(), 0);
    journal_close(j);
}
