/* Where a tested plugin works: folders that are thrown away with the test, and files in them. */
#include "kit/own.h"

#include "base/path.h"

#include <fcntl.h>
#include <unistd.h>

const char *ost_test_scratch(struct ost_test *t)
{
    static const char *const names[] = {"workspace", "temp", "tools", "home"};
    const char *base = getenv("TMPDIR");
    struct err err = ERR_INIT;

    kit_place_deinit(t);
    t->scratch = path_join(base && base[0] == '/' ? base : "/tmp", "ost-test-XXXXXX");
    if (!mkdtemp(t->scratch)) {
        kit_fail("cannot create the folder '%s'", t->scratch);
        free(t->scratch);
        t->scratch = NULL;
        return t->dirs[OST_DIR_WORKSPACE];
    }
    for (int i = 0; i < (int)COUNT_OF(names); i++) {
        CLEANUP(free_ptr) char *path = path_join(t->scratch, names[i]);

        if (path_mkdirs(AT_FDCWD, path, 0755, &err) < 0)
            kit_fail("%s", err.text);
        ost_test_dir(t, i, path);
    }
    return t->dirs[OST_DIR_WORKSPACE];
}

void ost_test_dir(struct ost_test *t, int which, const char *path)
{
    free(t->dirs[which]);
    t->dirs[which] = kit_copy(path);
}

void ost_test_file(struct ost_test *t, const char *path, const char *text)
{
    CLEANUP(free_ptr) char *whole = path_join(t->dirs[OST_DIR_WORKSPACE], path);
    CLEANUP(free_ptr) char *folder = mem_dup(whole, (size_t)(path_base(whole) - whole - 1));
    struct err err = ERR_INIT;

    if (path_mkdirs(AT_FDCWD, folder, 0755, &err) < 0 ||
        path_write(AT_FDCWD, whole, slice_of(text), 0644, &err) < 0)
        kit_fail("%s", err.text);
}

const char *ost_test_content(struct ost_test *t, const char *path)
{
    CLEANUP(free_ptr) char *whole = path_join(t->dirs[OST_DIR_WORKSPACE], path);
    struct buf content = BUF_INIT(256 << 20);
    struct err err = ERR_INIT;

    if (path_read(AT_FDCWD, whole, &content, &err) == ERR_OK)
        return kit_keep(t, buf_take(&content));
    buf_deinit(&content);
    return NULL;
}

void kit_place_deinit(struct ost_test *t)
{
    struct err err = ERR_INIT;

    if (t->scratch && path_remove(AT_FDCWD, t->scratch, &err) < 0)
        kit_fail("%s", err.text);
    free(t->scratch);
    t->scratch = NULL;
}
