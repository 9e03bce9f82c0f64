#include "sandbox/init/layer.h"

#include "base/fd.h"
#include "base/path.h"
#include "sandbox/init/mnt.h"
#include "sandbox/init/root.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The overlay shows the upper folder's own mode, owner and times, so they have to be the lower one's. An
 * ordinary user cannot give it to somebody else: then it is the user's, which harms nobody. */
static int look_like(int upper, const struct stat *lower, struct err *err)
{
    struct stat st;

    if (fstat(upper, &st) < 0)
        return err_sys(err, "cannot look at a layer");
    if (st.st_uid != lower->st_uid || st.st_gid != lower->st_gid)
        (void)!fchown(upper, lower->st_uid, lower->st_gid);
    if ((st.st_mode ^ lower->st_mode) & 07777 && fchmod(upper, lower->st_mode & 07777) < 0)
        return err_sys(err, "cannot set the mode of a layer");
    return ERR_OK;
}

static int make_folder(int dir, const char *name, mode_t mode, int *ret, struct err *err)
{
    if (mkdirat(dir, name, mode & 07777) < 0)
        return err_sys(err, "cannot create '%s'", name);
    return path_open(dir, name, O_RDONLY | O_DIRECTORY, 0, ret, err);
}

/* Overlayfs remembers in attributes which folders replace lower ones; without them, removing and making
 * again a folder of the lower tree fails. Asked once for each place: a journal has better things to do. */
static int can_mark(bool *known, int upper, struct err *err)
{
    static const char name[] = "user.overlay.ostler";

    if (*known)
        return ERR_OK;
    if (fsetxattr(upper, name, "y", 1, 0) < 0)
        return err_sys(err, "no user attributes on the job folder's file system");
    (void)fremovexattr(upper, name);
    *known = true;
    return ERR_OK;
}

static void same_times(int upper, const struct stat *lower)
{
    (void)futimens(upper, (const struct timespec[]){lower->st_atim, lower->st_mtim});
}

/* Goes the way to PATH in LOWER and UPPER side by side, makes in UPPER what is missing, and opens the last
 * folder on it. DONE: all is made by now, and gets its times. */
static int copy_way(int lower, int upper, const char *path, bool done, int *ret, struct err *err)
{
    CLEANUP(fd_closep) int low = fd_dup(lower, 0);
    CLEANUP(fd_closep) int up = fd_dup(upper, 0);
    struct slice rest = slice_of(path), part;

    while (slice_split(&rest, '/', &part) && rest.ptr) { /* the last part is the hidden name */
        CLEANUP(free_ptr) char *name = mem_dup(part.ptr, part.len);
        struct stat st;
        int next = openat(low, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (next < 0)
            return err_sys(err, "no folder '%s'", name);
        fd_closep(&low);
        low = next;
        bool made = mkdirat(up, name, 0700) == 0;
        next = openat(up, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        fd_closep(&up);
        up = next;
        if (up < 0 || fstat(low, &st) < 0)
            return err_sys(err, "cannot create '%s'", name);
        if (made && look_like(up, &st, err) < 0)
            return err->code;
        if (done)
            same_times(up, &st);
    }
    *ret = up;
    up = -1;
    return ERR_OK;
}

static bool is_there(int lower, const char *path)
{
    struct err ignored = ERR_INIT;
    CLEANUP(fd_closep) int fd = -1;

    return path_open(lower, path, O_PATH | O_NOFOLLOW, 0, &fd, &ignored) == ERR_OK;
}

static int hide_names(int lower, int upper, const char *const *hide, struct err *err)
{
    for (size_t i = 0; hide && hide[i]; i++) {
        CLEANUP(fd_closep) int dir = -1;

        if (!is_there(lower, hide[i]))
            continue;
        if (copy_way(lower, upper, hide[i], false, &dir, err) < 0)
            return err->code;
        if (mknodat(dir, path_base(hide[i]), S_IFCHR, makedev(0, 0)) < 0 && errno != EEXIST)
            return err_sys(err, "cannot hide '%s'", hide[i]);
    }
    for (size_t i = 0; hide && hide[i];
         i++) { /* only now: each name made changed its folder's times */
        CLEANUP(fd_closep) int dir = -1;

        if (is_there(lower, hide[i]) && copy_way(lower, upper, hide[i], true, &dir, err) < 0)
            return err->code;
    }
    return ERR_OK;
}

static int mount_layer(struct root *r, int lower, int upper, int work, int *ret, struct err *err)
{
    char low_option[64], up_option[64], work_option[64];

    /* By number: a path may hold the characters that options are separated by. */
    snprintf(low_option, sizeof low_option, "lowerdir=/proc/self/fd/%d", lower);
    snprintf(up_option, sizeof up_option, "upperdir=/proc/self/fd/%d", upper);
    snprintf(work_option, sizeof work_option, "workdir=/proc/self/fd/%d", work);
    /* userxattr: the only kind a user namespace may write. volatile: all of it is thrown away, so
     * nothing is ever flushed for its sake. */
    return mnt_new("overlay",
                   (const char *const[]){"source=ostler", low_option, up_option, work_option,
                                         "userxattr", "volatile", NULL},
                   r->user, ret, err);
}

static int layer_in(struct root *r, enum layer_place place, int layers, int lower,
                    const char *const *hide, int *ret, struct err *err)
{
    CLEANUP(fd_closep) int upper = -1;
    CLEANUP(fd_closep) int work = -1;
    char name[32];
    struct stat st;

    if (fstat(lower, &st) < 0)
        return err_sys(err, "cannot look at a folder");
    snprintf(name, sizeof name, "%u", r->n_layers);
    if (make_folder(layers, name, st.st_mode, &upper, err) < 0)
        return err->code;
    snprintf(name, sizeof name, "%u.work", r->n_layers++);
    if (make_folder(layers, name, 0700, &work, err) < 0 || look_like(upper, &st, err) < 0 ||
        can_mark(&r->can_mark[place], upper, err) < 0)
        return err->code;
    if (hide_names(lower, upper, hide, err) < 0)
        return err->code;
    if (hide) /* of a tree the times count, of /usr nobody asks */
        same_times(upper, &st);
    return mount_layer(r, lower, upper, work, ret, err);
}

/* Where layers in memory are, mounted in the host's namespace only. */
static int open_memory(struct root *r, struct err *err)
{
    CLEANUP(fd_closep) int mount = -1;

    if (r->memory >= 0)
        return ERR_OK;
    if (mkdirat(r->host_job, "layers/memory", 0700) < 0)
        return err_sys(err, "cannot create '%s'", "layers/memory");
    if (mnt_new("tmpfs", (const char *const[]){"source=ostler", "mode=0700", NULL}, true, &mount,
                err) < 0 ||
        mnt_attach(mount, r->host_job, "layers/memory", err) < 0)
        return err->code;
    return path_open(r->host_job, "layers/memory", O_RDONLY | O_DIRECTORY, 0, &r->memory, err);
}

int layer_new(struct root *r, enum layer_place place, int lower, const char *const *hide, int *ret,
              struct err *err)
{
    CLEANUP(fd_closep) int disk = -1;
    struct err ignored = ERR_INIT;

    /* The memory file system has had the attributes since Linux 6.6; before, the disk does. */
    if (place == LAYER_IN_MEMORY && open_memory(r, &ignored) == ERR_OK &&
        layer_in(r, LAYER_IN_MEMORY, r->memory, lower, hide, ret, &ignored) == ERR_OK)
        return ERR_OK;
    if (path_open(r->host_job, "layers", O_RDONLY | O_DIRECTORY, 0, &disk, err) < 0)
        return err->code;
    return layer_in(r, LAYER_ON_DISK, disk, lower, hide, ret, err);
}
