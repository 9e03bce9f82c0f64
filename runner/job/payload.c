#include "job/payload.h"

#include "base/fd.h"
#include "base/path.h"
#include "job/place.h"

#include <fcntl.h>

static const char *file_path(const struct run *run)
{
    return json_string_value(json_object_get(run->github, "event_path"));
}

static int look(struct run *run, struct stat *ret, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    int r = path_open_in(sandbox_root(run->sandbox), file_path(run), O_PATH, 0, &fd, err);

    if (r < 0)
        return r;
    return fstat(fd, ret) < 0 ? err_sys(err, "cannot look at '%s'", file_path(run)) : ERR_OK;
}

int payload_write(struct run *run, struct err *err)
{
    const json_t *event = json_object_get(run->github, "event");
    CLEANUP(free_ptr) char *text = json_dumps(event, JSON_INDENT(2) | JSON_ENCODE_ANY);
    const char *path = file_path(run);
    CLEANUP(free_ptr) char *folder = mem_dup(path, (size_t)(path_base(path) - path - 1));
    int r = place_mkdirs(run, folder, err);

    if (r == ERR_OK)
        r = place_write(run, path, text ? slice_of(text) : SLICE("{}"), 0644, err);
    return r < 0 ? r : look(run, &run->payload, err);
}

/* Nobody can set the time that an inode was changed at. */
static bool is_untouched(const struct stat *was, const struct stat *is)
{
    return was->st_ino == is->st_ino && was->st_dev == is->st_dev && was->st_size == is->st_size &&
           was->st_ctim.tv_sec == is->st_ctim.tv_sec && was->st_ctim.tv_nsec == is->st_ctim.tv_nsec;
}

void payload_restore(struct run *run)
{
    struct err ignored = ERR_INIT;
    struct stat now;

    if (look(run, &now, &ignored) == ERR_OK && is_untouched(&run->payload, &now))
        return;
    (void)!payload_write(run, &ignored);
}
