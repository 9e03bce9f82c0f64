#include "job/container/foreign.h"

#include "base/fd.h"
#include "base/path.h"
#include "job/container/job_engine.h"
#include "job/steps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REMOVE_MS = 120000, DEPTH_MAX = 200 };

/* True if NAME of folder DIR, or something in it, belongs to somebody else. What cannot be looked into counts, too:
 * it could not be removed either. */
static bool is_foreign(int dir, const char *name, int depth)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno != ENOENT;
    if (st.st_uid != geteuid())
        return true;
    if (!S_ISDIR(st.st_mode))
        return false;
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *list = fd < 0 || depth == DEPTH_MAX ? NULL : fdopendir(fd);
    bool found = false;

    if (!list) {
        fd_closep(&fd);
        return true;
    }
    for (struct dirent *e; !found && (e = readdir(list));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            found = is_foreign(dirfd(list), e->d_name, depth + 1);
    closedir(list);
    return found;
}

static int remove_by_container(struct run *run, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(free_ptr) char *init = NULL;
    int r = sandbox_init_path(&init, err);

    if (r < 0)
        return r;
    const char *args[] = {"run",
                          "--rm",
                          "--label",
                          engine_label(run->engine),
                          "--network",
                          "none",
                          "--user",
                          "0:0",
                          "-v",
                          arena_printf(&a, "%s/work:/work", run->job->dir),
                          "-v",
                          arena_printf(&a, "%s:/ostler-init:ro", init),
                          "--entrypoint",
                          "/ostler-init",
                          run->tidy_image,
                          "empty",
                          "/work",
                          NULL};
    return engine_must(run->engine,
                       &(struct engine_command){.args = args, .quiet = true, .limit_ms = REMOVE_MS},
                       err);
}

void foreign_remove(struct run *run)
{
    struct err err = ERR_INIT;

    if (!run->tidy_image || run->job->keep || geteuid() == 0 || !is_foreign(run->dir, "work", 0))
        return;
    engine_resume(run->engine);
    if (remove_by_container(run, &err) < 0)
        run_emit(run, json_pack("{s:s, s:o}", "event", "note", "text", event_text_new(err.text)));
}
