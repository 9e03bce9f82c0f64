/* Archives from outside: nothing may appear beside the folder, or in it what is neither file, folder nor link. */
#include "io/archive.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(int dir, int depth)
{
    DIR *list = fdopendir(dir);

    for (struct dirent *e = readdir(list); e; e = readdir(list)) {
        struct stat st;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (fstatat(dirfd(list), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            BUG("'%s' cannot be looked at", e->d_name);
        if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode))
            BUG("'%s' is a device or worse", e->d_name);
        if (st.st_nlink > 1 && S_ISREG(st.st_mode))
            BUG("'%s' has two names", e->d_name);
        if (S_ISDIR(st.st_mode) && depth < ARCHIVE_DEPTH_MAX)
            look(openat(dirfd(list), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), depth + 1);
    }
    closedir(list);
}

static int names_in(const char *path)
{
    DIR *list = opendir(path);
    int n = 0;

    for (struct dirent *e = list ? readdir(list) : NULL; e; e = readdir(list))
        n += e->d_name[0] != '.';
    if (list)
        closedir(list);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char scratch[64];
    struct archive_spec spec = {.size_max = 1 << 20,
                                .files_max = 200,
                                .strip = size % 2,
                                .zip = size && data[0] == 'P',
                                .replace = size % 4 > 1};
    struct archive_stats stats;
    struct err err = ERR_INIT;

    if (!*scratch) {
        snprintf(scratch, sizeof scratch, "/dev/shm/fuzz_archive.XXXXXX");
        if (!mkdtemp(scratch))
            BUG("no scratch folder");
    }
    CLEANUP(fd_closep) int outer = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(fd_closep) int in = memfd_create("tar", MFD_CLOEXEC);
    if (mkdirat(outer, "to", 0755) < 0 ||
        fd_write_all(in, slice_make((const char *)data, size), &err) < 0)
        BUG("the scratch folder is not empty");
    lseek(in, 0, SEEK_SET);
    spec.in = in;
    spec.to = openat(outer, "to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)!archive_unpack(&spec, &stats, &err);
    fd_closep(&spec.to);
    if (names_in(scratch) != 1)
        BUG("something was made beside the folder");
    look(openat(outer, "to", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
    if (path_remove(outer, "to", &err) < 0)
        BUG("%s", err.text);
    return 0;
}
