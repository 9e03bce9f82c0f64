#include "unit/queue/official.h"

#include "base/path.h"
#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <fcntl.h>

void official_copy(const char *to)
{
    static const char *const names[] = {".runner", ".credentials", ".credentials_rsaparams"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT(64 << 10);
        CLEANUP(free_ptr)
        char *from = path_join(OSTLER_SOURCE_DIR "/tests/data/github/official", names[i]);
        CLEANUP(free_ptr) char *path = path_join(to, names[i]);
        struct err err = ERR_INIT;

        cr_assert_eq(path_read(AT_FDCWD, from, &text, &err), ERR_OK, "%s", err.text);
        scratch_file(path, text.ptr);
        cr_assert_eq(chmod(path, 0600), 0);
    }
    cr_assert_eq(chmod(to, 0700), 0);
}
