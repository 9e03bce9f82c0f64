#include "sandbox/init/mnt.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h> /* not beside sys/mount.h: glibc 2.36 cannot have both */
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int mnt_clone(int dir, const char *path, bool read_only, bool no_suid, int *ret, struct err *err)
{
    struct mount_attr attr = {.attr_set = (read_only ? MOUNT_ATTR_RDONLY : 0) |
                                          (no_suid ? MOUNT_ATTR_NOSUID : 0)};
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH;
    CLEANUP(fd_closep) int fd = (int)syscall(SYS_open_tree, dir, path, flags);

    if (fd < 0)
        return err_sys(err, "cannot take '%s'", path);
    if (attr.attr_set &&
        syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) < 0)
        return err_sys(err, "cannot protect '%s'", path);
    *ret = fd;
    fd = -1;
    return ERR_OK;
}

static int set_option(int context, const char *option)
{
    char name[32];
    const char *eq = strchr(option, '=');

    if (!eq)
        return (int)syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, option, NULL, 0);
    snprintf(name, sizeof name, "%.*s", (int)(eq - option), option);
    return (int)syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, name, eq + 1, 0);
}

int mnt_new(const char *type, const char *const *options, bool no_suid, int *ret, struct err *err)
{
    CLEANUP(fd_closep) int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);

    if (context < 0)
        return err_sys(err, "no file system '%s' here", type);
    for (; *options; options++)
        if (set_option(context, *options) < 0)
            return err_sys(err, "cannot mount '%s' with '%s'", type, *options);
    if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return err_sys(err, "cannot mount '%s'", type);
    int fd = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, no_suid ? MOUNT_ATTR_NOSUID : 0);
    if (fd < 0)
        return err_sys(err, "cannot mount '%s'", type);
    *ret = fd;
    return ERR_OK;
}

int mnt_attach(int mount, int dir, const char *path, struct err *err)
{
    unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (*path ? 0 : MOVE_MOUNT_T_EMPTY_PATH);

    if (syscall(SYS_move_mount, mount, "", dir, path, flags) < 0)
        return err_sys(err, "cannot mount on '%s'", path);
    return ERR_OK;
}

int mnt_detach(const char *path, struct err *err)
{
    enum { FLAGS = 2 | 8 }; /* MNT_DETACH, UMOUNT_NOFOLLOW */

    if (syscall(SYS_umount2, path, FLAGS) < 0)
        return err_sys(err, "cannot take off what is mounted on '%s'", path);
    return ERR_OK;
}

int mnt_pivot(const char *path, struct err *err)
{
    enum { DETACH = 2 }; /* MNT_DETACH */

    /* With both names the same folder, the old root lies on top of the new one until it is let go. */
    if (chdir(path) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
        syscall(SYS_umount2, ".", DETACH) < 0 || chdir("/") < 0)
        return err_sys(err, "cannot change the root");
    return ERR_OK;
}

int mnt_make_private(struct err *err)
{
    struct mount_attr attr = {.propagation = 1 << 18 /* MS_PRIVATE */};

    if (syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof attr) < 0)
        return err_sys(err, "cannot make mounts private");
    return ERR_OK;
}

int mnt_enter(int ns, struct err *err)
{
    if (setns(ns, CLONE_NEWNS) < 0)
        return err_sys(err, "cannot change the mount namespace");
    return ERR_OK;
}
